# SPDX-License-Identifier: MIT
"""The hard cases: steps through code that masks interrupts, waits, returns from an exception or
retries an atomic sequence, each compared with the disassembly; several CPUs that stop for reasons
of their own at once; faults inside the debugger and inside the panic report; the second line."""
import re
import subprocess

import pytest

OBJDUMP = {"x86_64": "x86_64-linux-gnu-objdump", "aarch64": "aarch64-linux-gnu-objdump",
           "riscv64": "riscv64-linux-gnu-objdump"}
MASK = (1 << 64) - 1

RETURNS_FROM_EXCEPTION = {"iretq", "iret", "eret", "sret"}
RETURNS = {"ret", "retq"}
# Direct jumps and calls that are always taken.
ALWAYS = {"jmp", "call", "jmpq", "callq", "b", "bl", "j", "jal"}
# Those whose target is in a register or in memory.
INDIRECT = {"br", "blr", "jr", "jalr"}
BRANCH = re.compile(r"j[a-z]+$|b\.[a-z]+$|b[a-z]+$|cbn?z$|tbn?z$")
LOADS_EXCLUSIVE = re.compile(r"ld[a]?x[rp][bh]?$|lr\.[wd]")
STORES_EXCLUSIVE = re.compile(r"st[l]?x[rp][bh]?$|sc\.[wd]")


class Insn:
    owner = None # the function it belongs to

    def __init__(self, address, words):
        self.address = address
        self.name, _, self.operands = words.partition(" ")
        if self.name in ("rep", "repz", "repnz", "lock", "bnd", "notrack"):
            self.prefix = self.name
            self.name, _, self.operands = self.operands.strip().partition(" ")
        else:
            self.prefix = ""
        target = re.search(r"\b([0-9a-f]{16})\b(?: <|$)", self.operands)
        self.target = int(target[1], 16) if target else None
        self.next = None

    def __repr__(self):
        return f"{self.address:x}: {self.prefix} {self.name} {self.operands}"


_listings = {}


def listing(machine):
    """The kernel's instructions by address, as binutils read them."""
    if machine.kernel not in _listings:
        text = subprocess.run([OBJDUMP[machine.arch], "-d", "--no-show-raw-insn", machine.kernel],
                              check=True, capture_output=True, text=True).stdout
        insns, before, owner = {}, None, None
        for line in text.splitlines():
            match = re.match(r"\s*([0-9a-f]{16}):\s+(\S.*)", line)
            if not match:
                before = None
                label = re.match(r"[0-9a-f]{16} <(.*)>:", line)
                owner = label[1] if label else owner
                continue
            insn = Insn(int(match[1], 16), " ".join(match[2].split(" # ")[0].split()))
            insn.owner = owner
            if before:
                before.next = insn.address
            insns[insn.address] = before = insn
        for insn in insns.values():
            if insn.next is None:  # the last one of a section or before a gap
                insn.next = insn.address + 4
        _listings[machine.kernel] = insns
    return _listings[machine.kernel]


def function_of(machine, gdb, name):
    """The instructions of a function, in order."""
    start = gdb.evaluate(f"(unsigned long)&{name}") & MASK
    insns = listing(machine)
    insn = insns[start]
    while insn.owner == name:
        yield insn
        insn = insns[insn.next]


class Walk:
    """Steps one thread, instruction by instruction, and compares each step with the listing."""

    def __init__(self, machine, gdb):
        self.gdb, self.arch = gdb, machine.arch
        self.insns = listing(machine)
        self.done = []           # what has been executed
        self.interrupted = None  # where the exception that we are in will return to
        self.pc = gdb.register("pc")

    def step(self):
        """One step; the instruction that it executed."""
        insn = self.insns[self.pc]
        allowed = self._allowed(insn)
        if LOADS_EXCLUSIVE.match(insn.name):
            self._step_by_packet()
        else:
            stop = self.gdb.resume("stepi")
            self.pc = int(re.search(r'addr="0x([0-9a-f]+)"', stop.record)[1], 16)
        self.done.append(insn)
        if allowed is not None:
            assert self.pc in allowed, \
                f"{insn} went to {self.pc:x}, not to one of {[f'{a:x}' for a in allowed]}"
        assert self.pc in self.insns, f"{insn} went to {self.pc:x}: no instruction"
        return insn

    def _step_by_packet(self):
        """gdb has its own way with atomic sequences on AArch64; this asks the kernel for its."""
        thread = int(re.search(r"Thread (\d+)", self.gdb.command("thread"))[1])
        self.gdb.command(f"maintenance packet vCont;s:{thread:x}")
        self.gdb.command("maintenance flush register-cache")
        self.pc = self.gdb.register("pc")

    def _allowed(self, insn):
        """Where the instruction may lead; None: anywhere."""
        if insn.prefix in ("rep", "repz", "repnz") and insn.name not in RETURNS:
            return {insn.address, insn.next}
        if insn.name in RETURNS_FROM_EXCEPTION:
            return {self.interrupted} if self.interrupted else None
        if insn.name in RETURNS:
            target = self.return_address()
            return {target} if self._followed(target) else None
        if LOADS_EXCLUSIVE.match(insn.name):
            return self._exits(insn)
        if (insn.name in ("jmp", "call") and insn.target is None) or insn.name in INDIRECT:
            return None
        if insn.name in ALWAYS:
            return {insn.target} if self._followed(insn.target) else {insn.target, insn.next}
        if insn.target is not None and BRANCH.match(insn.name):
            return {insn.target, insn.next}
        return {insn.next}

    def _followed(self, target):
        """Steps that are made of breakpoints do not go into what the debugger stands on."""
        return self.arch != "riscv64" or not self.debugger_text(target)

    def debugger_text(self, address):
        if not hasattr(self, "_bounds"):
            self._bounds = [self.gdb.evaluate(f"(unsigned long)&{name}") & MASK for name in
                            ("__debugger_text_start", "__debugger_text_end")]
        return self._bounds[0] <= address < self._bounds[1]

    def _exits(self, insn):
        """The places behind an atomic sequence: nobody may stop inside."""
        exits, at = set(), insn
        while not STORES_EXCLUSIVE.match(at.name):
            at = self.insns[at.next]
            if at.target is not None:
                exits.add(at.target)
        end = self.insns[at.next]
        if end.target is not None and insn.address <= end.target < end.address:
            return exits | {end.next}
        return exits | {end.address}

    def return_address(self):
        where = {"x86_64": "*(unsigned long *)$sp", "aarch64": "$x30", "riscv64": "$ra"}
        return self.gdb.evaluate(where[self.arch]) & MASK

    def until(self, reached, most):
        for _ in range(most):
            if reached(self.step()):
                return
        raise AssertionError(f"not reached in {most} steps; the last ones:\n" +
                             "\n".join(map(repr, self.done[-30:])))

    def go_on(self, count):
        for _ in range(count):
            self.step()

    def names(self):
        return {insn.name for insn in self.done}


def still_alive(machine, gdb):
    """The machine runs, and the threads have their turns."""
    gdb.command("delete")
    ticks = gdb.evaluate("ticker_count")
    gdb.command(f"tbreak ticker_step if ticker_count > {ticks} + 5")
    gdb.resume("continue")
    gdb.command("detach")
    assert "ticker" in machine.command("ps")


REGISTERS = {
    "x86_64": "rax rbx rcx rdx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 eflags".split(),
    "aarch64": [f"x{n}" for n in range(31)] + ["sp"],
    "riscv64": "ra sp gp tp t0 t1 t2 fp s1 a0 a1 a2 a3 a4 a5 a6 a7 s2 s3 s4 s5 s6 s7 s8 s9 s10 s11 "
               "t3 t4 t5 t6".split(),
}


def registers(gdb, arch):
    text = gdb.command(f"info registers {' '.join(REGISTERS[arch])}")
    return {name: int(value, 16) for name, value in
            re.findall(r"^(\w+)\s+(0x[0-9a-f]+)", text, re.MULTILINE)}


# -- steps ----------------------------------------------------------------------------------------

def test_steps_through_locks_timers_and_a_switch_of_threads(machine, gdb, arch):
    gdb.command("tbreak thread_sleep_ns")
    gdb.resume("continue")
    walk = Walk(machine, gdb)
    walk.go_on(700)
    masks = {"x86_64": {"pushf", "cli"}, "aarch64": {"mrs", "msr"}, "riscv64": {"csrrc", "csrs"}}
    assert masks[arch] <= walk.names()
    still_alive(machine, gdb)


def test_steps_out_of_an_interrupt_handler(start, debug, arch):
    machine = start(cpus=1).boot()
    gdb = debug(machine)
    last = next(insn for insn in function_of(machine, gdb, "timer_interrupt")
                if insn.name in RETURNS)
    gdb.command(f"tbreak *{last.address:#x}")
    gdb.resume("continue")
    gdb.command("set var cpus[0].current->need_resched = 0") # else another thread comes in between
    entry = int(re.search(r"^#(\d+) +<signal handler called>", gdb.command("bt"), re.MULTILINE)[1])
    gdb.command(f"frame {entry + 1}")
    expected = registers(gdb, arch)
    interrupted = gdb.register("pc")
    gdb.command("frame 0")
    walk = Walk(machine, gdb)
    walk.interrupted = interrupted
    if arch == "riscv64":
        walk.until(lambda insn: walk.pc == interrupted, 400)
    else:
        walk.until(lambda insn: insn.name in RETURNS_FROM_EXCEPTION, 400)
    assert walk.pc == interrupted
    assert registers(gdb, arch) == expected
    walk.go_on(20)
    gdb.command("set var cpus[0].current->need_resched = 1")
    still_alive(machine, gdb)


# -- several CPUs at once -------------------------------------------------------------------------

def test_every_hit_of_a_breakpoint_on_all_cpus_is_reported_once(start, debug, arch):
    """The place is the instruction that counts, so the kernel's own count is the judge: what gdb
    was told, less those that are told but have yet to execute it."""
    machine = start(wait=True, append="test=smp")
    machine.wait_for("gdb may attach")
    gdb = debug(machine)
    offset = gdb.evaluate("(long)&((struct cpu *)0)->ipi_count")
    place = {"x86_64": rf"^{offset:#x}\(|, ?{offset:#x}\(|,{offset:#x}\(", "aarch64": rf"#{offset}\]",
             "riscv64": rf",{offset}\((?!sp)"}[arch]
    places = [next(insn.address for insn in function_of(machine, gdb, function)
                   if insn.name in ("add", "addq", "inc", "incq", "str", "sd")
                   and re.search(place, insn.operands))
              for function in ("smp_call_ipi", "sched_ipi")]
    for address in places:
        gdb.command(f"break *{address:#x}")
    counted = "+".join(f"cpus[{n}].ipi_count" for n in range(4))
    before = gdb.evaluate(counted)
    pc = "rip" if arch == "x86_64" else "pc"
    for ignored in (0, 1, 40, 0, 0, 60, 0):
        gdb.command(f"ignore 1 {ignored}")
        assert gdb.resume("continue").reason == "breakpoint-hit"
        hits = sum(int(n) for n in
                   re.findall(r"already hit (\d+) time", gdb.command("info breakpoints")))
        # One of those that have been told takes a step in between: it has then counted.
        gdb.resume("stepi")
        # A CPU may also stand there because it was stopped just before it met the breakpoint: it
        # has neither told nor counted.
        told = sum(gdb.evaluate(f"kd.cpus[{n}].reported && "
                                f"kd.cpus[{n}].reported_pc == kd.cpus[{n}].frame->{pc}")
                   for n in range(4))
        assert gdb.evaluate(counted) - before == hits - told
    gdb.command("delete")
    gdb.command("detach")
    machine.wait_for(r"^ok \d+ .*smp", timeout=120)


# -- reports --------------------------------------------------------------------------------------

def cpu_threads(gdb):
    """gdb's numbers of the threads that run, one a CPU."""
    return re.findall(r'^[* ]+(\d+) +Thread .*running on CPU', gdb.command("info threads"),
                      re.MULTILINE)


def test_panics_on_several_cpus_at_once_make_one_report(machine, gdb):
    for number in cpu_threads(gdb):
        gdb.command(f"thread {number}")
        gdb.command("set var $pc = (unsigned long)&crash_null")
    stop = gdb.resume("continue")
    assert stop.signal in ("SIGSEGV", "SIGABRT"), stop
    gdb.wait_target_output("end of panic report")
    report = gdb.target_output
    assert len(re.findall(r"^PANIC: ", report, re.MULTILINE)) == 1
    assert report.count("end of panic report") == 1
    others = re.findall(r"^cpu \d panicked, too: .*$", report, re.MULTILINE)
    assert len(others) <= 3 and len(set(others)) == len(others)
    assert "ticker" in gdb.command("monitor ps")


def test_a_fault_inside_a_monitor_command_is_an_error_and_nothing_more(machine, gdb):
    run = gdb.evaluate("(unsigned long)command_mem.run") & MASK
    gdb.command("set var command_mem.run = 0x10")
    assert "mem: fault in the debugger" in gdb.command("monitor mem")
    gdb.command(f"set var command_mem.run = {run:#x}")
    assert "free" in gdb.command("monitor mem")
    still_alive(machine, gdb)


@pytest.mark.parametrize("broken", ["log_tail", "symbol", "thread_next"])
def test_a_fault_in_a_section_of_the_report_leaves_the_others(machine, gdb, broken):
    gdb.command(f"set var kd.kernel->{broken} = 0x10")
    gdb.command("detach")
    machine.type("crash assert\n")
    machine.wait_for(r"^PANIC: assertion failed")
    machine.wait_for(r"fault in the debugger")
    machine.wait_for(r"^end of panic report")


def test_a_fault_under_the_report_ends_in_a_smaller_one(machine, gdb):
    """The clock is asked outside of all sections."""
    gdb.command("set var kd.kernel->clock_ns = 0x10")
    gdb.command("set var kd.kernel->resumed = 0")
    gdb.command("detach")
    machine.type("crash assert\n")
    machine.wait_for(r"PANIC: inside the debugger: ")
    machine.wait_for(r"^halted")
    assert machine.qmp("query-status")["status"] == "running"
    assert machine.console.text.count("inside the debugger") == 1
@pytest.mark.parametrize("kind", ["null", "jump"])
def test_a_panics_backtrace_misses_no_caller(start, kind):
    machine = start(gdb=False, cpus=2, append="panic=poweroff").boot()
    machine.type(f"crash {kind}\n")
    machine.wait_for(r"^PANIC: ")
    machine.wait_for(r"^end of panic report")
    report = machine.console.text[machine.console.text.index("PANIC: "):]
    frames = re.findall(r"^  #\d+ 0x[0-9a-f]+ (\w+|\?)", report, re.MULTILINE)
    wild = ["?"] if kind == "jump" else []
    assert frames[:len(wild) + 3] == wild + [f"crash_{kind}", "crash_thread", "thread_start"]
