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

# While the machine stands still its stacks and text do not change, so gdb may keep what it has read;
# it forgets all of it when the machine runs. How large the pieces are: see class Thrift.
set stack-cache on
set code-cache on
set mem inaccessible-by-default off

# main() is no border here.
set backtrace past-main on

python
from xml.etree import ElementTree

import gdb


class Fathom(gdb.Command):
    """Run a command of the kernel's shell on the stopped machine: fathom ps, fathom dmesg.

Without a word it lists the commands. `monitor` does the same without completion.
`fathom threads` is gdb's own: all threads with state, CPU and place, asked for at once."""

    OWN = ["threads"]

    def __init__(self):
        super().__init__("fathom", gdb.COMMAND_USER)
        self._names = None

    def invoke(self, argument, from_tty):
        if argument.strip() in self.OWN:
            list_threads()
        else:
            gdb.execute("monitor " + (argument or "help"), from_tty)

    def complete(self, text, word):
        if " " in text.lstrip():
            return gdb.COMPLETE_NONE
        if self._names is None:
            lines = gdb.execute("monitor help", to_string=True).splitlines()
            self._names = self.OWN + [line.split()[0] for line in lines if line.strip()]
        return [name for name in self._names if name.startswith(text.strip())]


def read_document(name):
    """A qXfer document, whole."""
    connection = gdb.selected_inferior().connection
    if not isinstance(connection, gdb.RemoteTargetConnection):
        raise gdb.GdbError("not connected to a kernel")
    document = b""
    while True:
        reply = connection.send_packet("qXfer:%s:%x,3f00" % (name, len(document)))
        if reply[:1] not in (b"m", b"l"):
            raise gdb.GdbError("this stub does not tell where threads are: use `info threads`")
        # What would look like framing comes as } and the byte with bit 5 turned.
        parts = reply[1:].split(b"}")
        document += parts[0] + b"".join(bytes([part[0] ^ 0x20]) + part[1:] for part in parts[1:])
        if reply[:1] == b"l":
            return document.decode("ascii", "replace")


def place(pc):
    """Where an address is, from the symbols alone."""
    function = gdb.execute("info symbol 0x%x" % pc, to_string=True).split(" in section")[0].strip()
    line = gdb.find_pc_line(pc)
    where = " at %s:%d" % (line.symtab.filename, line.line) if line.symtab else ""
    return "?" if function.startswith("No symbol") else "%s ()%s" % (function, where)


def list_threads():
    """gdb's `info threads` fetches the registers of each thread, two requests and more. Here the
    stub tells them all in one answer."""
    known = {thread.ptid[1]: thread.num for thread in gdb.selected_inferior().threads()}
    chosen = gdb.selected_thread()
    for thread in ElementTree.fromstring(read_document("threads:read:places")):
        number = int(thread.get("id"), 16)
        pc = int(thread.get("pc", "0"), 16)
        mark = "*" if chosen and chosen.ptid[1] == number else " "
        gdb.write("%s %-4s %-16s 0x%016x in %s\n       %s\n" % (
            mark, known.get(number, "-"), thread.get("name", ""), pc, place(pc), thread.text or ""))


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


class Thrift:
    """Has gdb ask for less where the line is what one waits for. Nothing is kept from one stop to the
    next, and nothing that is shown comes from the file: what gdb shows is always the machine's.

    At every stop of a `next`, also those it does not show, gdb looks for the caller's address: one
    word, for which a long line of its cache is a waste. Who looks around after a stop wants long
    ones. So they are short while the machine runs and become long when it has stopped.

    On AArch64 gdb also reads the instruction at pc three times a stop, and past the cache, unless
    that memory is declared cacheable: so it is while the machine runs. Afterwards it is not, since
    gdb would read it line by line then, however much it was asked for."""

    SHORT, LONG = 8, 64
    AHEAD = 16  # frames

    def __init__(self):
        self._short = None
        self._text = None  # gdb's number for the region that is the kernel's text, on AArch64
        self._set(False)
        gdb.events.cont.connect(lambda _event: self._set(True))
        gdb.events.stop.connect(lambda _event: self._set(False))
        gdb.events.new_objfile.connect(self._on_symbols)
        self._on_symbols(None)

    def _set(self, short):
        if short == self._short:
            return
        self._short = short
        gdb.execute("set dcache line-size %d" % (self.SHORT if short else self.LONG))
        if self._text:
            gdb.execute("%s mem %s" % ("enable" if short else "disable", self._text))

    def _on_symbols(self, _event):
        if self._text or "aarch64" not in gdb.execute("show architecture", to_string=True):
            return
        try:
            gdb.execute("mem &__text_start &__text_end rw cache")
        except gdb.error:
            return  # not a kernel of ours
        rows = gdb.execute("info mem", to_string=True).splitlines()
        self._text = max(int(row.split()[0]) for row in rows if row[:1].isdigit())
        gdb.execute("disable mem %d" % self._text)

    def before_backtrace(self):
        """Each frame's instruction is read, too, only to see that it can be. Going up the stack ahead
        of the command, gdb may look into the file for that; what the command shows it reads itself."""
        if not self._text or gdb.parameter("trust-readonly-sections"):
            return
        gdb.execute("set trust-readonly-sections on")
        try:
            frame = gdb.newest_frame()
            for _ in range(self.AHEAD):
                frame = frame and frame.older()
        except gdb.error:
            pass  # the command will say it
        finally:
            gdb.execute("set trust-readonly-sections off")


Fathom()
BuildIdCheck()
thrift = Thrift()
end

define hook-backtrace
  python thrift.before_backtrace()
end
