# SPDX-License-Identifier: MIT
"""What the debugger must live through: breakpoints on what it stands on, addresses of every bad
kind, page tables that lead nowhere, locks of the kernel that are held, stacks that are none."""
import re
import struct

import pytest
from harness.gdb import GdbError
from harness.program import OPEN

MASK64 = (1 << 64) - 1


def address_of(gdb, name):
    return gdb.evaluate(f"(unsigned long)&{name}") & MASK64


def stop_in_ticker(gdb):
    gdb.command("tbreak ticker_step")
    assert gdb.resume("continue").function == "ticker_step"


def still_alive(machine, gdb):
    stop_in_ticker(gdb)
    gdb.command("detach")
    assert "ticker" in machine.command("ps")


def packet(gdb, body):
    """The stub's answer, as it stands in the packet."""
    answer = gdb.command(f"maintenance packet {body}")
    return re.search(r'received: "(.*)"', answer, re.DOTALL)[1]


# -- breakpoints ----------------------------------------------------------------------------------

UNTOUCHABLE = {
    "": ["kd_trap", "kd_enter", "gdb_receive", "kd_mem_copy", "kd_breakpoint_set", "kd_panic", # itself
         "memcpy", "clock_ns", "mapping_walk", "kd_gdb_session", "arch_stop_send", "arch_stop_park",
         "kd_step_start", "trap_exception"],
    "x86_64": ["ns16550_read", "ns16550_write", "vector_stubs", "trap_common", "trap_entry"],
    "aarch64": ["pl011_read", "pl011_write", "vectors", "exception_entry"],
    "riscv64": ["ns16550_read", "ns16550_write", "trap_vector", "trap_entry"],
}


def executed(log):
    """Where each piece of code began that one CPU has executed, in order, from QEMU's log."""
    with open(log, encoding="ascii") as file:
        return [int(address, 16) for address in
                re.findall(r"^Trace 0: \S+ \[[0-9a-f]+/([0-9a-f]+)/", file.read(), re.MULTILINE)]


def test_nothing_on_the_way_in_and_out_could_hold_a_breakpoint(start, debug, arch, folder):
    """Breakpoints are in memory from kd_breakpoints_plant() to kd_breakpoints_lift(). What a CPU
    executes from there to the place that it was stopped at, and from the next breakpoint to here,
    would be recursion without end if it held one; so it must all be where they are refused."""
    machine = start(cpus=1).boot()
    gdb = debug(machine)
    gdb.command("break ticker_step")
    assert gdb.resume("continue").function == "ticker_step"
    gdb.command("break *ticker_scale") # which it calls next
    low, high, lift, plant, *ticker = (address_of(gdb, name) for name in (
        "__debugger_text_start", "__debugger_text_end", "kd_breakpoints_lift",
        "kd_breakpoints_plant", "ticker_step", "ticker_scale", "ticker_run"))
    register, bits, is_open = OPEN[arch]
    before = gdb.register(register)
    gdb.command(f"set var ${register} = {before & ~bits | (bits ^ is_open):#x}") # none in between
    log = str(folder / "executed.log")
    machine.qmp("human-monitor-command", **{"command-line": f"logfile {log}"})
    machine.qmp("human-monitor-command", **{"command-line": "log nochain,exec"})
    assert gdb.resume("continue").function == "ticker_scale"
    machine.qmp("human-monitor-command", **{"command-line": "log none"})
    path = executed(log)

    def in_ticker(at):
        return min(ticker) <= path[at] < max(ticker) + 256

    planted = len(path) - 1 - path[::-1].index(plant)
    resumed = next(at for at in range(planted, len(path)) if in_ticker(at))
    lifted = len(path) - 1 - path[::-1].index(lift)
    stopped = next(at for at in range(lifted, 0, -1) if in_ticker(at))
    assert planted < resumed <= stopped < lifted
    unprotected = {gdb.command(f"info symbol {address:#x}").split(" ")[0]
                   for address in path[planted:resumed] + path[stopped + 1:lifted]
                   if address >> 63 and not low <= address < high} # the firmware's is not ours
    # x86: the line's own interrupt is an NMI, which may come in between; its handler is the kernel's.
    assert not unprotected - {"irq_dispatch"}
    gdb.command(f"set var ${register} = {before:#x}")
    gdb.command("delete")
    still_alive(machine, gdb)


def test_no_breakpoint_on_what_the_debugger_stands_on(machine, gdb, arch):
    kind = 1 if arch == "x86_64" else 4
    for place in UNTOUCHABLE[""] + UNTOUCHABLE[arch]:
        address = address_of(gdb, place)
        for sort in ("Z0", "Z1"):
            reply = packet(gdb, f"{sort},{address:x},{kind}")
            assert reply.startswith("E.no breakpoint at") and "debugger" in reply, place
    still_alive(machine, gdb)


# -- memory ---------------------------------------------------------------------------------------

def test_a_read_across_the_end_of_a_mapping_gives_what_there_is(machine, gdb):
    stop_in_ticker(gdb)
    low, high = (gdb.evaluate(f"cpus[0].current->stack_{end}") & MASK64 for end in ("low", "high"))
    low, high = (address if address >> 63 else address + (1 << 64) for address in (low, high))
    thread = "ticker"
    row = re.search(rf'(\d+) +Thread \d+ "{thread}"', gdb.command("info threads"))[1]
    gdb.command(f"thread {row}")
    sp = gdb.register("sp")
    size = high - low
    low = sp // (2 * size) * (2 * size) + size # a stack stands above a guard of its own size
    assert len(packet(gdb, f"m{low:x},20")) == 64
    assert packet(gdb, f"m{low - 1:x},1").startswith("E")
    assert packet(gdb, f"m{low - 16:x},20").startswith("E") # the guard comes first
    with pytest.raises(GdbError, match="Cannot access memory"):
        gdb.command(f"set var *(char *){low - 1:#x} = 1")
    # Behind the last byte of the stack is the next one's guard.
    reply = packet(gdb, f"m{low + size - 16:x},20")
    assert len(reply) == 32 and not reply.startswith("E"), reply
    assert packet(gdb, f"m{low + size:x},1").startswith("E")
    still_alive(machine, gdb)


DEVICE = {"x86_64": "'kernel/arch/x86_64/apic.c'::registers",
          "aarch64": "uarts[0].registers", "riscv64": "uarts[0].registers"}


def test_device_memory_is_not_read_unasked(machine, gdb, arch):
    address = gdb.evaluate(f"(unsigned long){DEVICE[arch]}") & MASK64
    assert packet(gdb, f"m{address:x},4") == "E14" # gdb takes no words here
    for body in (f"M{address:x},4:00000000", f"X{address:x},1:0"):
        assert "device memory" in packet(gdb, body), body
    still_alive(machine, gdb)


DIRECT_MAP = {"x86_64": 0xffff800000000000, "aarch64": 0xffff800000000000,
              "riscv64": 0xffffffc000000000}
# A place of the kernel half that is not used, and how much one entry of the root table covers.
UNUSED = {"x86_64": (0xffffd00000000000, 39), "aarch64": (0xffffd00000000000, 39),
          "riscv64": (0xffffffea00000000, 30)}
TABLE = {"x86_64": lambda page: page | 0x3, "aarch64": lambda page: page | 0x3,
         "riscv64": lambda page: page >> 12 << 10 | 0x1}


def test_page_tables_that_lead_nowhere_are_an_error(machine, gdb, arch):
    """An entry that names a table where there is no memory, one beyond all addresses, and one that
    names its own table: a walk of them ends, and the next command works."""
    unused, shift = UNUSED[arch]
    root = gdb.evaluate("final_root")
    entry = DIRECT_MAP[arch] + root + 8 * (unused >> shift & 511)
    before = gdb.evaluate(f"*(unsigned long *){entry:#x}")
    assert before == 0
    for page in (0x7fffffff000, 0x5000000000, root, 0xffffffffff000):
        gdb.command(f"set var *(unsigned long *){entry:#x} = {TABLE[arch](page):#x}")
        for offset in (0, 0x1000, (1 << shift) - 8, 8 * 511):
            packet(gdb, f"m{unused + offset:x},8") # what it is does not matter
            packet(gdb, f"Z0,{unused + offset:x},1")
            packet(gdb, f"z0,{unused + offset:x},1")
        assert "ticker" in gdb.command("monitor ps")
    gdb.command(f"set var *(unsigned long *){entry:#x} = 0")
    assert packet(gdb, f"m{unused:x},8").startswith("E")
    still_alive(machine, gdb)


# -- locks of the kernel --------------------------------------------------------------------------

def test_commands_work_while_the_kernel_holds_its_locks(start, debug):
    """The console's, the scheduler's and the allocator's."""
    machine = start(wait=True)
    machine.wait_for("gdb may attach")
    gdb = debug(machine)
    for place, lock in (("take_from_partial", "cache->lock"), ("run_queue_add", "queue"),
                        ("output_write", "")):
        gdb.command(f"tbreak {place}")
        stop = gdb.resume("continue")
        assert place in gdb.command("bt 3"), stop
        for command in ("ps", "mem", "locks", "dmesg"):
            assert gdb.command(f"monitor {command}"), command
        assert gdb.command("info threads")
    gdb.command("detach")
    machine.wait_for("fathom> ")
    assert "ticker" in machine.command("ps")


# -- stacks ---------------------------------------------------------------------------------------

@pytest.mark.parametrize("stack", ["0x10", "0x0123456789abcdef"], ids=["low", "nowhere"])
def test_a_stack_pointer_that_is_none_ends_in_a_report(machine, gdb, stack):
    stop_in_ticker(gdb)
    gdb.command(f"set var $sp = {stack}")
    gdb.send("continue")
    gdb.wait_target_output(r"(?m)^PANIC: ")
    gdb.wait_target_output("end of panic report")
    assert len(re.findall(r"(?m)^PANIC: ", gdb.target_output)) == 1
    assert gdb.wait_stop("the panic").signal
    assert "ticker" in gdb.command("monitor ps")
