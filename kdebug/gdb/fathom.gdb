# SPDX-License-Identifier: MIT
# Settings for a gdb that talks to a kernel with kdebug in it, and the `fathom` command. `make gdb`
# and `fathom gdb` load it before the kernel's symbols; by hand: gdb-multiarch -ix THIS kernel.elf

# A bare ELF makes Debian's gdb think of GNU/Linux: on RISC-V it would then step in software itself,
# and everywhere look for shared libraries and signal frames that are not there.
set osabi none
set auto-solib-add off
set debuginfod enabled off

# The machine may still be starting; a real line may be slow.
set tcp auto-retry on
set tcp connect-timeout 30
set remotetimeout 10

# While the machine stands still its stacks and text do not change, so gdb may keep what it has read.
# On this line a request costs more than the bytes of the reply: read stacks in larger pieces.
set stack-cache on
set code-cache on
set dcache line-size 64

# main() is no border here.
set backtrace past-main on

python
import gdb


class Fathom(gdb.Command):
    """Run a command of the kernel's shell on the stopped machine: fathom ps, fathom dmesg.

Without a word it lists the commands. `monitor` does the same without completion."""

    def __init__(self):
        super().__init__("fathom", gdb.COMMAND_USER)
        self._names = None

    def invoke(self, argument, from_tty):
        gdb.execute("monitor " + (argument or "help"), from_tty)

    def complete(self, text, word):
        if " " in text.lstrip():
            return gdb.COMPLETE_NONE
        if self._names is None:
            lines = gdb.execute("monitor help", to_string=True).splitlines()
            self._names = [line.split()[0] for line in lines if line.strip()]
        return [name for name in self._names if name.startswith(text.strip())]


class BuildIdCheck:
    """Warns, once a connection, when the kernel that runs is not the one whose symbols gdb has.

    Both carry the linker's build id: the ELF in its note, the machine in the same note's memory."""

    MARK = b"\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0"

    def __init__(self):
        self._checked = None
        gdb.events.stop.connect(self._on_stop)

    def _on_stop(self, _event):
        connection = getattr(gdb.selected_inferior(), "connection", None)
        if connection is None or connection.num == self._checked:
            return
        self._checked = connection.num
        try:
            told = self._machine_build_id()
        except gdb.error:
            return  # another kernel, or one that lets nobody look there
        known = gdb.objfiles()[0].build_id if gdb.objfiles() else None
        if told and known and told != known:
            gdb.write("warning: the machine runs another build (%s...) than these symbols are of "
                      "(%s...)\n" % (told[:12], known[:12]), gdb.STDERR)

    def _machine_build_id(self):
        start = int(gdb.parse_and_eval("(unsigned long)&__note_start"))
        end = int(gdb.parse_and_eval("(unsigned long)&__note_end"))
        notes = bytes(gdb.selected_inferior().read_memory(start, min(end - start, 256)))
        at = notes.find(self.MARK)
        if at < 0:
            return None
        return notes[at + len(self.MARK):at + len(self.MARK) + 20].hex()


Fathom()
BuildIdCheck()
end
