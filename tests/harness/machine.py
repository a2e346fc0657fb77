# SPDX-License-Identifier: MIT
"""A machine: the OS in QEMU, started as a user starts it, by `fathom run`."""
import json
import os
import re
import socket
import subprocess
import threading
import time

from .stream import DEADLINE_S, Stream

BUILD = os.environ.get("FATHOM_BUILD", "build")
PROMPT = r"^fathom> $"
FATHOM = os.path.abspath(os.path.join(BUILD, "fathom"))  # for any working directory


class Machine:
    """A running machine. Its console is `console`, its log `folder`/console.log.

    gdb: serve gdb (`port` tells where) and ask for kdebug=on; False: a kernel without its debugger.
    qemu_stub: QEMU's own stub is served too, on `witness_port`.
    """

    def __init__(self, arch, folder, cpus=4, append="", gdb=True, wait=False, line="uart0",
                 qemu_stub=False, kernel=None, extra=()):
        os.makedirs(folder, exist_ok=True)
        self.arch, self.folder = arch, folder
        self.kernel = kernel or os.path.join(BUILD, arch, "kernel.elf")
        self._qmp_path = os.path.join(folder, "qmp")
        self._qmp = None
        words = [FATHOM, "run", "--arch", arch, "--cpus", str(cpus), "--kernel", self.kernel]
        if line == "uart1":
            words += ["--line", line, "--gdb", str(free_port())]
            self.port = int(words[-1])
        else:
            words += ["--gdb", "0" if gdb else "none"]
        words += ["--wait"] if wait else []
        words += ["--append", append] if append else []
        # QEMU's sockets have paths of limited length: relative ones are short enough.
        words += ["--", "-no-reboot", "-qmp",
                  f"unix:{os.path.relpath(self._qmp_path)},server=on,wait=off", *extra]
        if qemu_stub:
            self.witness_port = free_port()
            words += ["-gdb", f"tcp:127.0.0.1:{self.witness_port}"]
        self.started = time.monotonic()
        self.first_output = None
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)
        self.console = Stream(self.process.stdout.fileno(), os.path.join(folder, "console.log"),
                              f"console of {arch}", self._note_output)
        self.notes = Stream(self.process.stderr.fileno(), os.path.join(folder, "run.log"),
                            f"fathom run of {arch}")
        if gdb and line == "uart0":
            self.port = int(self.notes.wait_for(r"target remote 127\.0\.0\.1:(\d+)")[1])

    def _note_output(self):
        if self.first_output is None:
            self.first_output = time.monotonic()

    def wait_for(self, pattern, timeout=None):
        return self.console.wait_for(pattern, timeout)

    def boot(self):
        """Waits for the shell's prompt."""
        self.wait_for(PROMPT)
        return self

    def type(self, text):
        self.process.stdin.write(text if isinstance(text, bytes) else text.encode())
        self.process.stdin.flush()

    def command(self, line):
        """Types a command of the shell; returns what it printed."""
        self.type(line + "\n")
        self.wait_for(re.escape(line) + r"\n")
        begin = self.console.position
        self.wait_for(PROMPT)
        return self.console.since(begin)[:self.console.position - begin].rsplit("\n", 1)[0]

    def exit_status(self, timeout=DEADLINE_S):
        return self.process.wait(timeout)

    def qmp(self, command, **arguments):
        """Runs a command of QEMU's monitor protocol."""
        if not self._qmp:
            self._qmp = Qmp(self._qmp_path)
        return self._qmp.run(command, **arguments)

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(DEADLINE_S)
        self.console.join()
        self.notes.join()
        for file in (self.process.stdin, self.process.stdout, self.process.stderr):
            try:
                file.close()
            except BrokenPipeError:
                pass
        if self._qmp:
            self._qmp.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Qmp:
    """QEMU's monitor protocol, as far as tests need it."""

    def __init__(self, path):
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(DEADLINE_S)
        self._socket.connect(os.path.relpath(path))
        self._file = self._socket.makefile("rw", encoding="utf-8")
        self._file.readline()  # the greeting
        self.run("qmp_capabilities")

    def run(self, command, **arguments):
        self._file.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self._file.flush()
        while True:
            answer = json.loads(self._file.readline())
            if "error" in answer:
                raise AssertionError(f"QMP {command}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]

    def close(self):
        self._file.close()
        self._socket.close()


_ports = threading.Lock()
_given = set()


def free_port():
    """A TCP port of the loopback that nobody listens on."""
    with _ports:
        while True:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = probe.getsockname()[1]
            if port not in _given:
                _given.add(port)
                return port
