# SPDX-License-Identifier: MIT
"""Steps over instructions that compilers seldom write: small programs are put over a function that
nobody calls, and a thread is sent through them instruction by instruction. Each step must execute
the one instruction, show it the interrupt mask as it is without a step, and leave what it leaves.
"""
import re

import pytest
from conftest import ARCHES
from harness.program import FIRST, Program, borrowed_thread


@pytest.fixture
def thread(machine, gdb, arch):
    """The ticker, stopped with interrupts on, and with room on its stack."""
    gdb.command("tbreak ticker_step")
    gdb.resume("continue")
    with borrowed_thread(gdb, arch):
        yield gdb
    ticks = gdb.evaluate("ticker_count")
    gdb.command("delete")
    gdb.command(f"tbreak ticker_step if ticker_count > {ticks} + 3")
    gdb.resume("continue")
    gdb.command("detach")
    assert "ticker" in machine.command("ps")


# -- the interrupt mask ---------------------------------------------------------------------------

MASKS = {  # source; what each instruction leaves open (1) or masked (0); registers that saw it
    "x86_64": ("""
        pushfq
        popq %rax
        cli
        pushfq
        popq %rbx
        sti
        pushfq
        popq %rcx
        pushq %rbx
        popfq
        pushfq
        popq %rdx
        pushq %rax
        popfq
        nop""", "11000" + "1111" + "000011", [("rax", 1), ("rbx", 0), ("rcx", 1), ("rdx", 0)]),
    "aarch64": ("""
        mrs x0, daif
        msr daifset, #3
        mrs x1, daif
        msr daifclr, #3
        mrs x2, daif
        msr daif, x1
        mrs x3, daif
        msr daif, x0
        nop""", "100110011", [("x0", 1), ("x1", 0), ("x2", 1), ("x3", 0)]),
    "riscv64": ("""
        csrr a0, sstatus
        csrci sstatus, 2
        csrr a1, sstatus
        csrsi sstatus, 2
        csrr a2, sstatus
        csrw sstatus, a1
        csrr a3, sstatus
        csrrw zero, sstatus, a0
        nop""", "100110011", [("a0", 1), ("a1", 0), ("a2", 1), ("a3", 0)]),
}
# The mask as the instructions see it: in RISC-V's sstatus it is another bit than in a frame.
SEEN_OPEN = {"x86_64": (1 << 9, 1 << 9), "aarch64": (3 << 6, 0), "riscv64": (1 << 1, 1 << 1)}
SEEN_STEP = {"x86_64": 1 << 8, "aarch64": 0, "riscv64": 0}


def test_code_that_changes_the_interrupt_mask_sees_its_own(thread, arch, folder):
    source, leaves, saw = MASKS[arch]
    program = Program(thread, arch, folder, source)
    for number, is_open in enumerate(leaves, 1):
        program.step(number)
        assert program.is_open() == (is_open == "1"), f"after instruction {number}"
    bits, value = SEEN_OPEN[arch]
    for name, was_open in saw:
        assert (thread.register(name) & bits == value) == bool(was_open), name
        assert thread.register(name) & SEEN_STEP[arch] == 0, name


def test_breakpoints_on_code_that_changes_the_mask_are_each_hit_once(thread, arch, folder):
    program = Program(thread, arch, folder, MASKS[arch][0])
    for address in program.addresses:
        thread.command(f"break *{address:#x}")
    for address in program.addresses: # gdb steps over none where it has not stopped itself
        stop = thread.resume("continue")
        assert stop.reason == "breakpoint-hit"
        assert thread.register("pc") == address
    thread.command("delete")


# -- waiting for an interrupt ---------------------------------------------------------------------

WAITS = {"x86_64": "nop\n hlt\n nop\n cli\n hlt\n nop\n sti\n hlt\n nop",
         "aarch64": "nop\n wfi\n nop\n msr daifset, #3\n wfi\n wfe\n msr daifclr, #3\n wfi\n nop",
         "riscv64": "nop\n wfi\n nop\n csrci sstatus, 2\n wfi\n nop\n csrsi sstatus, 2\n wfi\n nop"}


def test_waiting_for_an_interrupt_is_one_step(thread, arch, folder):
    """With interrupts on and off: none can come while everything stands still."""
    Program(thread, arch, folder, WAITS[arch]).run()


# -- returning from an exception ------------------------------------------------------------------

RETURNS = {
    "x86_64": """
        movq %rsp, %rcx
        movl %ss, %eax
        pushq %rax
        pushq %rcx
        pushfq
        movl %cs, %eax
        pushq %rax
        leaq 1f(%rip), %rax
        pushq %rax
        iretq
1:
        nop""",
    "aarch64": """
        adr x0, 1f
        msr elr_el1, x0
        mrs x1, spsel
        mov x1, #5
        msr spsr_el1, x1
        eret
1:
        nop""",
    "riscv64": """
        auipc a0, 0
        addi a0, a0, 24
        csrw sepc, a0
        li a1, 0x120
        csrs sstatus, a1
        sret
        nop""",
}


def test_returning_from_an_exception_is_one_step(thread, arch, folder):
    program = Program(thread, arch, folder, RETURNS[arch])
    stack = thread.register("sp")
    program.run()
    assert program.is_open()
    assert thread.register("sp") == stack


# -- into an exception ----------------------------------------------------------------------------

FAULTS = { # instruction, signal
    "x86_64": [("movl $1, 8(%rax)", "SIGSEGV"), ("ud2", "SIGILL"), ("int3", "SIGTRAP"),
               ("divl %eax", "SIGFPE"), ("jmp *%rax", "SIGSEGV"), ("movl (%rbx), %ecx", "SIGSEGV")],
    "aarch64": [("str w0, [x0, #8]", "SIGSEGV"), ("udf #1", "SIGILL"), ("brk #1", "SIGTRAP"),
                ("br x0", "SIGSEGV")],
    "riscv64": [("sw a0, 8(a0)", "SIGSEGV"), ("unimp", "SIGILL"), ("ebreak", "SIGTRAP"),
                ("jr a0", "SIGSEGV")],
}
JUMPS = ("jmp", "br", "jr")


def test_a_step_into_an_exception_stops_there_with_its_signal(thread, arch, folder):
    for instruction, signal in FAULTS[arch]:
        program = Program(thread, arch, folder, f"{instruction}\n nop")
        was_open = program.is_open()
        thread.command(f"set var ${FIRST[arch]} = 0")
        if arch == "x86_64":
            thread.command("set var $rbx = 0x0123456789abcdef") # an address of no page at all
        stop = thread.resume("stepi")
        if instruction.split()[0] in JUMPS: # the jump is a step; what it leads to cannot be executed
            if stop.signal in (None, "SIGTRAP"):
                stop = thread.resume("stepi")
            assert thread.register("pc") == 0
        else:
            assert thread.register("pc") == program.start, instruction
        # For gdb a SIGTRAP is how a step ends.
        assert (stop.signal or "SIGTRAP") == signal, (instruction, stop)
        assert program.is_open() == was_open


def test_an_exception_that_a_step_has_shown_reaches_the_kernel(start, debug, arch, folder):
    machine = start().boot()
    gdb = debug(machine)
    gdb.command("tbreak ticker_step")
    gdb.resume("continue")
    Program(gdb, arch, folder, FAULTS[arch][0][0])
    gdb.command(f"set var ${FIRST[arch]} = 0")
    assert gdb.resume("stepi").signal == "SIGSEGV"
    gdb.resume("continue")
    gdb.wait_target_output("PANIC: null pointer write at 0x8")
    gdb.wait_target_output("end of panic report")


# -- several steps in one instruction, and two instructions in one step ---------------------------

x86_64_only = pytest.mark.parametrize("arch", sorted({"x86_64"} & set(ARCHES)), indirect=True)


@x86_64_only
def test_a_repeated_string_instruction_steps_once_a_turn(thread, arch, folder):
    program = Program(thread, arch, folder, "rep movsb\n nop")
    stack = thread.register("sp")
    thread.command(f"set var *(long *)({stack} - 64) = 0x1122334455667788")
    thread.command(f"set var *(long *)({stack} - 32) = 0")
    for name, value in (("rsi", stack - 64), ("rdi", stack - 32), ("rcx", 5)):
        thread.command(f"set var ${name} = {value}")
    for left in (4, 3, 2, 1):
        program.step(0)
        assert thread.register("rcx") == left
    program.step(1)
    assert thread.register("rcx") == 0
    assert thread.evaluate(f"*(unsigned long *)({stack} - 32)") == 0x4455667788


@x86_64_only
def test_loading_the_stack_segment_takes_its_successor_along(thread, arch, folder):
    """x86 lets nothing come between `mov ss` and the next instruction, not even a step."""
    program = Program(thread, arch, folder, "movl %ss, %eax\n movl %eax, %ss\n nop\n nop")
    program.step(1)
    thread.resume("stepi")
    assert thread.register("pc") == program.addresses[3]
    program.step(4)


# -- code that has just been changed --------------------------------------------------------------

NUMBER = {"x86_64": "movl $%d, %%eax\n nop", "aarch64": "mov w0, #%d\n nop",
          "riscv64": "li a0, %d\n nop"}


def test_every_cpu_executes_what_gdb_has_just_written(machine, gdb, arch, folder):
    rows = re.findall(r"^[* ]+(\d+) +Thread .*running on CPU (\d)", gdb.command("info threads"),
                      re.MULTILINE)
    assert len(rows) == 4
    for turn in range(2):
        for thread, cpu in rows:
            gdb.command(f"thread {thread}")
            number = 100 * turn + int(cpu) + 1
            with borrowed_thread(gdb, arch):
                program = Program(gdb, arch, folder, NUMBER[arch] % number)
                program.run()
                assert gdb.register(FIRST[arch]) == number
    gdb.command("detach")
    assert "ticker" in machine.command("ps")
