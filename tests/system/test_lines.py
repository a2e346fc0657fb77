# SPDX-License-Identifier: MIT
"""The serial lines: what is typed on one that gdb shares, a BREAK, a second line of each kind, and
what noise and damaged packets do."""
import random
import re
import socket

import pytest
from conftest import STOPS_MASKED_CPUS
from harness.machine import free_port
from harness.stream import DEADLINE_S, Timeout

# Typed by nobody: these ask the splitter or the shell for something.
NOT_NOISE = b"\x04\n\r"
NOISE_BYTES = {"x86_64": 1 << 20, "aarch64": 1 << 15, "riscv64": 1 << 15}


class Wire:
    """The other end of a second line, without a gdb."""

    def __init__(self, machine):
        self.socket = socket.create_connection(("127.0.0.1", machine.port))
        self.socket.settimeout(DEADLINE_S)
        self.seen = b""

    def send(self, data):
        self.socket.sendall(data)

    def request(self, body, checksum=None):
        checksum = sum(body) & 255 if checksum is None else checksum
        self.send(b"$%b#%02x" % (body, checksum))

    def wait_for(self, pattern):
        """Waits for bytes behind the last match."""
        while not (match := re.search(pattern, self.seen, re.DOTALL)):
            data = self.socket.recv(65536)
            assert data, self.seen[-500:]
            self.seen += data
        self.seen = self.seen[match.end():]
        return match

    def close(self):
        self.socket.close()


# -- what a person types --------------------------------------------------------------------------

@pytest.mark.parametrize("typed", ["$", "$qSupp"])
def test_the_beginning_of_a_packet_that_ends_there_is_shown(machine, typed):
    """No other key follows: it comes out of the debugger's hands by itself."""
    machine.type(typed)
    machine.wait_for(re.escape(typed), timeout=20)
    machine.type("\x15") # the line is erased
    assert "ticker" in machine.command("ps")


# -- a BREAK --------------------------------------------------------------------------------------

def test_a_break_on_the_shared_line_stops_the_machine(machine, debug):
    machine.qmp("chardev-send-break", id="uart0")
    machine.wait_for("kdebug: BREAK on the line")
    machine.wait_for("kdebug: stopped, waiting for gdb on this line")
    gdb = debug(machine)
    gdb.command("detach")
    assert "ticker" in machine.command("ps")


def test_a_break_on_the_second_line_stops_the_machine(start, debug):
    machine = start(line="uart1").boot()
    wire = Wire(machine)
    machine.qmp("chardev-send-break", id="uart1")
    wire.wait_for(rb"kdebug: BREAK on the line.*waiting for gdb on this line")
    wire.close()
    gdb = debug(machine)
    gdb.command("detach")
    assert "ticker" in machine.command("ps")


# -- second lines ---------------------------------------------------------------------------------

def start_with_card(start):
    """A machine whose debugger listens on a pci-serial card."""
    port = free_port()
    machine = start(gdb=False, append="kdebug=on kdebug.port=uart1", extra=[
        "-chardev", f"socket,id=card,host=127.0.0.1,port={port},server=on,wait=off,nodelay=on",
        "-device", "pci-serial,chardev=card"]).boot()
    machine.port = port
    return machine


def test_a_session_on_a_pci_serial_card(start, debug):
    machine = start_with_card(start)
    gdb = debug(machine)
    gdb.command("tbreak ticker_step")
    assert gdb.resume("continue").function == "ticker_step"
    for _ in range(3):
        gdb.go()
        assert gdb.interrupt().signal == "SIGINT"
    assert "ticker" in gdb.command("monitor ps")
    gdb.command("detach")
    assert "ticker" in machine.command("ps")


def test_ctrl_c_on_a_pci_serial_card_while_cpu_0_spins_masked(start, debug, arch):
    """On x86-64 the card's interrupt is an ordinary one of CPU 0, which does not take it: another CPU
    looks at the line and stops the machine."""
    machine = start_with_card(start)
    gdb = debug(machine)
    running = re.search(r"^[* ]+(\d+) +Thread .*running on CPU 0\b", gdb.command("info threads"), re.M)
    gdb.command(f"thread {running[1]}")
    gdb.command("set var $pc = (unsigned long)&crash_hang")
    gdb.go()
    machine.wait_for("spinning with interrupts off")
    assert gdb.interrupt().signal == "SIGINT"
    threads = gdb.command("info threads")
    assert "ticker" in gdb.command("monitor ps")
    if arch in STOPS_MASKED_CPUS:
        gdb.command(f"thread {running[1]}")
        assert "crash_hang" in gdb.command("bt")
    else:
        assert re.search(r"running on CPU 0, which did not stop", threads)
    gdb.command("set var hang_on = 0")


# -- noise ----------------------------------------------------------------------------------------

def ask_until_answered(machine, question, answer):
    """After more than the shell could read, what is typed may be lost like the rest."""
    for _ in range(20):
        machine.type(b"\x15" + question + b"\n")
        try:
            return machine.wait_for(answer, timeout=5)
        except Timeout:
            continue
    raise AssertionError(f"the shell does not answer:\n{machine.console.text[-1500:]}")


def test_noise_does_not_enter_without_kdebug(start, arch):
    """In it are packets that would let a gdb in. A whole megabyte comes over the fastest line."""
    machine = start(gdb=False).boot()
    noise = random.Random(1).randbytes(NOISE_BYTES[arch]).translate(None, NOT_NOISE)
    packets = b"\x03$?#3f+$qSupported:swbreak+#8f$g#67\x03"
    step = 4096
    for at in range(0, len(noise), step):
        machine.type(noise[at:at + step - len(packets)] + packets)
    ask_until_answered(machine, b"ps", r'"?ticker"?')
    assert "kdebug" not in machine.console.text.split("4 CPUs, ready")[1]


def test_damaged_packets_change_nothing_and_the_next_good_one_is_answered(start, debug):
    machine = start(line="uart1").boot()
    wire = Wire(machine)
    wire.request(b"?")
    wire.wait_for(rb"\$T..[^#]*#..")
    for body, checksum in ((b"k", 0), (b"D", 0), (b"c", 0), (b"vCont;c", 0), (b"R00", 0)):
        wire.request(body, checksum)
        wire.wait_for(rb"-") # asks for it again
    wire.send(b"$m0,4") # the rest does not come; the next one begins
    wire.request(b"m0,4}") # ends in the middle of an escape
    wire.request(b"mffffffffffffffff,ffffffffffffffff")
    wire.wait_for(rb"\$E[^#]*#..")
    wire.request(b"M0,ffffffffffffffff:00")
    wire.wait_for(rb"\$E[^#]*#..")
    wire.request(b"X0,ffffffffffffffff:")
    wire.wait_for(rb"\$E[^#]*#..")
    wire.request(b"m" + b"0" * 40000 + b",1") # more than a packet may have
    noise = random.Random(2).randbytes(20000)
    # A checksum that happens to be right would make a packet of it.
    wire.send(noise.replace(b"#", b"?"))
    wire.request(b"qAttached")
    wire.wait_for(rb"\$1#31")
    wire.close()
    gdb = debug(machine)
    gdb.command("tbreak ticker_step")
    assert gdb.resume("continue").function == "ticker_step"
    gdb.command("detach")
    assert "ticker" in machine.command("ps")
