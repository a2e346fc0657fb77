# SPDX-License-Identifier: MIT
"""Several CPUs with something to tell at the same instant. What would be a race is made certain:
the stop signal does not take a CPU that is just sending on the line, and it is the owner of that
line, for all the debugger knows."""
import re

from harness.program import Program

MASK64 = (1 << 64) - 1


def running(gdb):
    """gdb's numbers of the threads that run, by CPU."""
    rows = re.findall(r"^[* ]+(\d+) +Thread .*running on CPU (\d)", gdb.command("info threads"),
                      re.MULTILINE)
    return {int(cpu): thread for thread, cpu in rows}


def cpu_of(gdb):
    """The CPU of the selected thread."""
    return next(cpu for cpu, number in running(gdb).items()
                if number == re.search(r"Current thread is (\d+)", gdb.command("thread"))[1])


def stop_at_ticker(gdb):
    gdb.command("break ticker_step")
    assert gdb.resume("continue").function == "ticker_step"
    return cpu_of(gdb)


# Two threads in one program. The follower waits until the debugger rests, tells the leader to go
# on, and waits until it no longer rests (or until somebody panics): what the leader does next is
# what stops the machine, and the follower does it, too, before it has been stopped.
TOGETHER = {
    "x86_64": """
1:
        cmpl $-1, (%rbx)
        jne 1b
        movb $0, (%rcx)
2:
        cmpl $-1, (%rbx)
        je 2b
        {follower}
        nop
3:
        cmpb $0, (%rcx)
        jne 3b
        {leader}
        nop""",
    "aarch64": """
1:
        ldr w1, [x2]
        cmn w1, #1
        b.ne 1b
        strb wzr, [x3]
2:
        ldr w1, [x2]
        cmn w1, #1
        b.eq 2b
        {follower}
        nop
3:
        ldrb w1, [x3]
        cbnz w1, 3b
        {leader}
        nop""",
    "riscv64": """
1:
        lw a1, 0(a2)
        addi a4, a1, 1
        bnez a4, 1b
        sb zero, 0(a3)
2:
        lw a1, 0(a2)
        addi a4, a1, 1
        beqz a4, 2b
        {follower}
        nop
3:
        lbu a1, 0(a3)
        bnez a1, 3b
        {leader}
        nop""",
}
# Registers: null, what the follower watches, the flag.
USES = {"x86_64": ("rax", "rbx", "rcx"), "aarch64": ("x0", "x2", "x3"),
        "riscv64": ("a0", "a2", "a3")}
FOLLOWER_ACTS = {"x86_64": 5, "aarch64": 7, "riscv64": 7} # the number of that instruction
LEADER_BEGINS = {"x86_64": 7, "aarch64": 9, "riscv64": 9}
LEADER_ACTS = {"x86_64": 9, "aarch64": 11, "riscv64": 11}
STORE = {"x86_64": "movl $1, {}(%rax)", "aarch64": "str w0, [x0, #{}]", "riscv64": "sw a0, {}(a0)"}


def prepare(gdb, arch, folder, threads, watched, follower, leader):
    """threads: gdb's numbers of both. Returns the program, and the pc of both as it was."""
    before = []
    for thread in threads:
        gdb.command(f"thread {thread}")
        before.append(gdb.register("pc"))
        program = Program(gdb, arch, folder,
                          TOGETHER[arch].format(follower=follower, leader=leader))
        for name, value in zip(USES[arch], ("0", f"&{watched}", "&hang_on")):
            gdb.command(f"set var ${name} = (unsigned long){value}")
    gdb.command(f"set var $pc = {program.addresses[LEADER_BEGINS[arch]]:#x}")
    gdb.command("set var hang_on = 1")
    return program, before


def test_two_cpus_hit_breakpoints_while_a_third_steps_over_one(machine, gdb, arch, folder):
    here = stop_at_ticker(gdb)
    threads = running(gdb)
    assert len(threads) == 4
    follower, leader = [cpu for cpu in threads if cpu != here][:2]
    program, before = prepare(gdb, arch, folder, (threads[follower], threads[leader]), "kd.master",
                              "nop", "nop")
    places = {follower: program.addresses[FOLLOWER_ACTS[arch]],
              leader: program.addresses[LEADER_ACTS[arch]]}
    for place in places.values():
        gdb.command(f"break *{place:#x}")
    gdb.command(f"thread {threads[here]}")
    gdb.command(f"set var line_owner = {follower}") # it is not stopped by the leader's stop
    for cpu, waiting in ((leader, [follower]), (follower, [])):
        stop = gdb.resume("continue")
        assert stop.reason == "breakpoint-hit"
        assert (cpu_of(gdb), gdb.register("pc")) == (cpu, places[cpu])
        queued = [n for n in range(4) if gdb.evaluate(f"kd.cpus[{n}].state == KD_CPU_QUEUED")]
        assert queued == waiting
        gdb.command("set var line_owner = -1")
        gdb.command("set var stop_deferred = 0")
        gdb.command(f"set var $pc = {before[cpu == leader]:#x}")
    # Neither is told again, and what all three were doing goes on.
    assert gdb.resume("continue").function == "ticker_step"
    gdb.command("set var hang_on = 1")
    gdb.command("delete")
    gdb.command("detach")
    assert "ticker" in machine.command("ps")


def test_a_cpu_that_panics_during_a_panic_is_told_in_a_line(machine, gdb, arch, folder):
    threads = running(gdb)
    follower, leader = sorted(threads)[:2]
    prepare(gdb, arch, folder, (threads[follower], threads[leader]), "panic_cpu",
            STORE[arch].format(16), STORE[arch].format(8))
    gdb.command(f"set var line_owner = {follower}")
    stop = gdb.resume("continue")
    assert stop.signal == "SIGSEGV"
    gdb.wait_target_output("end of panic report")
    report = gdb.target_output
    assert re.findall(r"^PANIC: (.*)", report, re.MULTILINE) == ["null pointer write at 0x8"]
    too = re.findall(r"^cpu (\d).* too.*0x10$", report, re.MULTILINE)
    assert too == [str(follower)], report
    assert report.count("end of panic report") == 1
    assert "ticker" in gdb.command("monitor ps")
