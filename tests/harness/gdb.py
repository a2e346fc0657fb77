# SPDX-License-Identifier: MIT
"""The real gdb-multiarch, driven through its machine interface so that nothing has to be guessed
from prompts: each command ends with a result record, each stop is an event of its own."""
import os
import re
import signal
import subprocess
import threading
import time

from .machine import FATHOM
from .proxy import Proxy
from .stream import DEADLINE_S, Timeout

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SCRIPT = os.path.join(ROOT, "kdebug", "gdb", "fathom.gdb")


class GdbError(Exception):
    """gdb answered a command with an error; its text is the message."""


class Gdb:
    """A gdb session on a machine.

    target: "kernel", the debugger in the kernel, through `fathom gdb`; "witness", QEMU's own stub.
    Either is reached through `proxy`, which counts and logs what goes over the line.
    """

    def __init__(self, machine, name="gdb", target="kernel", show=None):
        self.name = name
        self.proxy = Proxy(machine.port if target == "kernel" else machine.witness_port,
                           os.path.join(machine.folder, f"{name}-packets.log"))
        self._machine = machine
        self._show = show
        self._log = open(os.path.join(machine.folder, f"{name}.log"), "a", encoding="utf-8")
        self._condition = threading.Condition()
        self._records = []  # result records and stops not looked at yet
        self._output = []   # console and target text of the present command
        self.warnings = ""       # what gdb said beside answers
        self.target_output = ""  # everything the kernel sent as console text, and monitor output
        self._token = 0
        self._closed = False
        arguments = ["-nx", "--interpreter=mi3"]
        if target == "kernel":
            words = [FATHOM, "gdb", "--arch", machine.arch, "--kernel", machine.kernel, "--port",
                     str(self.proxy.port), "--", *arguments]
        else:
            words = ["gdb-multiarch", "-q", *arguments, "-ix", SCRIPT, machine.kernel]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True, errors="replace",
                                        start_new_session=True)
        threading.Thread(target=self._read, daemon=True).start()
        self._wait(lambda record: record == "(gdb)", "the prompt")
        self.greeting = self._take_output()
        if target == "witness":
            self.command(f"target remote 127.0.0.1:{self.proxy.port}")
        elif "Remote debugging using" not in self.greeting:
            raise GdbError(self.greeting)

    def show_from_now(self, show):
        """Shows commands and their answers through a function."""
        self._show = show

    # -- reading ----------------------------------------------------------------------------------

    def _read(self):
        for line in self.process.stdout:
            line = line.rstrip("\n")
            with self._condition:
                if not self._log.closed:
                    self._log.write(line + "\n")
                    self._log.flush()
                self._note(line)
                self._condition.notify_all()
        with self._condition:
            self._closed = True
            self._condition.notify_all()

    def _note(self, line):
        if line.startswith(("~", "@", "&")):
            text = unquote(line[1:])
            if line[0] == "@":
                self.target_output += text
            if line[0] == "&":
                self.warnings += text
            else:  # & echoes the command, and errors, which come as records too
                self._output.append(text)
                if self._show:
                    self._show(text)
        elif re.match(r"\d*\^|\*stopped|\(gdb\)", line):
            self._records.append(line.strip())
        elif not re.match(r"[*=+]", line) and line:
            self._output.append(line + "\n")  # gdb's own words before the interface is up

    def _wait(self, wanted, what, timeout=None):
        deadline = time.monotonic() + (timeout or DEADLINE_S)
        with self._condition:
            while True:
                for index, record in enumerate(self._records):
                    if wanted(record):
                        del self._records[:index + 1]
                        return record
                left = deadline - time.monotonic()
                if self._closed or left <= 0:
                    why = "ended" if self._closed else "deadline passed"
                    raise Timeout(f"{self.name}: {why} while waiting for {what}; its last words:\n"
                                  + "".join(self._output)[-1500:])
                self._condition.wait(left)

    def _take_output(self):
        with self._condition:
            text = "".join(self._output)
            self._output.clear()
            return text

    # -- commands ---------------------------------------------------------------------------------

    def send(self, command):
        """Gives gdb a command and returns its token without waiting for an answer."""
        self._take_output()
        self.warnings = ""
        self._token += 1
        quoted = command.replace("\\", "\\\\").replace('"', '\\"')
        line = f'{self._token}-interpreter-exec console "{quoted}"\n'
        with self._condition:
            self._records = [r for r in self._records if not r.startswith("*stopped")]
            self._log.write(f">>> {command}\n")
        if self._show:
            self._show(f"(gdb) {command}\n")
        self.process.stdin.write(line)
        self.process.stdin.flush()
        return self._token

    def answer(self, token, command, timeout=None):
        record = self._wait(lambda r: r.startswith(f"{token}^"), f"the answer to '{command}'",
                            timeout)
        if record.startswith(f"{token}^error"):
            match = re.search(r'msg="((?:[^"\\]|\\.)*)"', record)
            text = unquote(f'"{match[1]}"') if match else record
            if self._show:
                self._show(text + "\n")
            raise GdbError(text)
        return record

    def command(self, command, timeout=None):
        """Runs a command that leaves the machine as it is; returns what it printed."""
        self.answer(self.send(command), command, timeout)
        return self._take_output()

    def resume(self, command, timeout=None):
        """Runs a command that lets the machine go, and waits until it stops again."""
        token = self.send(command)
        self.answer(token, command, timeout)
        return self.wait_stop(command, timeout)

    def go(self, command="continue"):
        """Runs a command that lets the machine go, and returns while it runs."""
        self.answer(self.send(command), command)
        self.proxy.wait_resumed()

    def wait_stop(self, what="a stop", timeout=None):
        record = self._wait(lambda r: r.startswith("*stopped"), f"the stop after '{what}'", timeout)
        self._wait(lambda r: r == "(gdb)", "the prompt", timeout)
        return Stop(record, self._take_output())

    def wait_target_output(self, pattern, timeout=None):
        """Waits for console text that the kernel sends to gdb."""
        deadline = time.monotonic() + (timeout or DEADLINE_S)
        with self._condition:
            while not re.search(pattern, self.target_output):
                left = deadline - time.monotonic()
                if left <= 0 or self._closed:
                    raise Timeout(f"{self.name}: no console text like {pattern!r} but:\n"
                                  f"{self.target_output[-1500:]}")
                self._condition.wait(left)

    def wait_output(self, words):
        """Waits until gdb has said something, also in a warning that no record comes with."""
        deadline = time.monotonic() + DEADLINE_S
        with self._condition:
            while words not in self.warnings:
                left = deadline - time.monotonic()
                if left <= 0 or self._closed:
                    raise Timeout(f"{self.name}: did not say {words!r} but: {self.warnings}")
                self._condition.wait(left)

    def signal_interrupt(self):
        """Ctrl-C, while the machine runs."""
        self.process.send_signal(signal.SIGINT)

    def interrupt(self, timeout=None):
        self.signal_interrupt()
        return self.wait_stop("Ctrl-C", timeout)

    def evaluate(self, expression):
        """The value of an expression, as an int if it is one."""
        text = self.command(f"output {expression}").strip()
        match = re.match(r"(?:\(.*?\) )?(-?\d+|0x[0-9a-f]+)\b", text)
        return int(match[1], 0) if match else text

    def register(self, name):
        return int(self.command(f"output/x ${name}").strip(), 16)

    def kill(self):
        """As kill -9 does: gdb says goodbye to nobody."""
        self.process.kill()
        self.process.wait(DEADLINE_S)

    def close(self):
        if self.process.poll() is None:
            try:
                self.process.stdin.close()
                self.process.wait(10)
            except (BrokenPipeError, subprocess.TimeoutExpired):
                self.kill()
        self.proxy.close()
        self._log.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Stop:
    """Why and where the machine stopped: MI's record, and what gdb printed."""

    def __init__(self, record, text):
        self.record, self.text = record, text

    def _field(self, name):
        match = re.search(rf'\b{name}="((?:[^"\\]|\\.)*)"', self.record)
        return unquote(f'"{match[1]}"') if match else None

    @property
    def reason(self):
        return self._field("reason")

    @property
    def function(self):
        return self._field("func")

    @property
    def signal(self):
        return self._field("signal-name")

    @property
    def line(self):
        return int(self._field("line") or 0)

    def __repr__(self):
        return f"<{self.record}>"


def unquote(text):
    """The text of a C string as MI prints it."""
    if text.startswith('"'):
        text = text[1:-1]
    raw = re.sub(rb"\\([0-7]{3}|.)", _unescape, text.encode("utf-8", "replace"))
    return raw.decode("utf-8", "replace")


_ESCAPES = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"e": b"\033", b"a": b"\a", b"b": b"\b"}


def _unescape(match):
    code = match[1]
    return bytes([int(code, 8) & 255]) if len(code) == 3 else _ESCAPES.get(code, code)
