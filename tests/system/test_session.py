# SPDX-License-Identifier: MIT
"""A session of the real gdb over the serial line that it shares with the console: breakpoints,
steps, threads, memory, registers, and everything that makes it end."""
import re

import pytest
from conftest import HAS_WATCHPOINTS, STOPS_MASKED_CPUS
from harness.gdb import GdbError


def stop_in_ticker(gdb):
    """Runs to ticker_step(), which a kernel thread calls every 10 ms; the breakpoint is gone."""
    gdb.command("tbreak ticker_step")
    stop = gdb.resume("continue")
    assert stop.function == "ticker_step"
    return stop


def test_attaching_stops_the_machine(machine, gdb):
    ticks = gdb.evaluate("ticker_count")
    assert gdb.evaluate("ticker_count") == ticks
    assert "warning" not in gdb.greeting


def test_a_breakpoint_is_hit_again_and_again(gdb):
    gdb.command("break ticker_step")
    counts = []
    for _ in range(3):
        stop = gdb.resume("continue")
        assert (stop.reason, stop.function) == ("breakpoint-hit", "ticker_step")
        counts.append(gdb.evaluate("ticker_count"))
    assert counts == [counts[0], counts[0] + 1, counts[0] + 2]


def test_a_condition_is_kept(gdb):
    wanted = gdb.evaluate("ticker_count") + 5
    gdb.command(f"break ticker_step if ticker_count == {wanted}")
    assert gdb.resume("continue").function == "ticker_step"
    assert gdb.evaluate("ticker_count") == wanted


def test_a_hardware_breakpoint_is_hit(gdb, arch):
    gdb.command("hbreak ticker_step")
    if arch not in HAS_WATCHPOINTS:
        gdb.send("continue") # its firmware lends no triggers
        gdb.wait_output("Cannot insert hardware breakpoint")
        return
    assert gdb.resume("continue").function == "ticker_step"


def test_next_step_and_finish_follow_the_source(gdb):
    first = stop_in_ticker(gdb).line
    stop = gdb.resume("next")
    assert stop.function == "ticker_step" and stop.line > first
    stop = gdb.resume("step")
    assert stop.function == "ticker_scale"
    stop = gdb.resume("finish")
    assert stop.function == "ticker_step"
    assert re.search(r"Value returned is .* = \d+", stop.text)
    stop = gdb.resume("finish")
    assert stop.function == "ticker_run"


def test_stepi_executes_exactly_one_instruction(gdb):
    stop_in_ticker(gdb)
    listing = gdb.command("x/9i $pc")
    addresses = [int(a, 16) for a in re.findall(r"^(?:=>)?\s+0x([0-9a-f]+)", listing, re.MULTILINE)]
    straight = 0
    for before, expected in zip(addresses, addresses[1:]):
        assert gdb.register("pc") == before
        gdb.resume("stepi")
        if gdb.register("pc") != expected:
            break  # a branch or a call was taken
        straight += 1
    assert straight >= 2


def test_stepping_keeps_the_other_threads_where_they_are(gdb):
    stop_in_ticker(gdb)
    ticks = gdb.evaluate("ticker_count")
    for _ in range(20):
        gdb.resume("stepi")
    assert gdb.evaluate("ticker_count") - ticks in (0, 1)


def test_stepping_over_a_breakpoint_executes_what_it_covers(gdb):
    gdb.command("break ticker_step")
    gdb.resume("continue")
    before = gdb.register("pc")
    gdb.resume("stepi")
    assert gdb.register("pc") != before
    # What is read back is the kernel's text, not what was planted in it.
    text = gdb.command("x/2i ticker_step")
    assert not re.search(r"int3|brk|ebreak", text)


def test_a_watchpoint_tells_old_and_new_value(gdb, arch):
    stop_in_ticker(gdb)
    if arch not in HAS_WATCHPOINTS:
        gdb.command("set can-use-hw-watchpoints 0") # this machine's firmware lends no triggers
    gdb.command("watch ticker_count")
    stop = gdb.resume("continue")
    if stop.function == "ticker_step" and not stop.reason:
        stop = gdb.resume("continue")
    assert stop.reason == "watchpoint-trigger"
    old, new = (int(n) for n in re.search(r'value=\{old="(\d+)",new="(\d+)"', stop.record).groups())
    assert new == old + 1
    assert stop.function == "ticker_step"


def test_a_read_is_watched_too_or_refused_at_once(gdb, arch):
    if arch in HAS_WATCHPOINTS:
        gdb.command("awatch ticker_count")
        assert gdb.resume("continue").reason == "access-watchpoint-trigger"
    else:  # this machine's firmware lends no triggers
        gdb.command("awatch ticker_count")
        gdb.send("continue")
        gdb.wait_output("Could not insert hardware watchpoint")


def test_threads_are_the_kernels_with_their_names_states_and_cpus(gdb):
    threads = gdb.command("info threads")
    for name in ("ticker", "shell"):
        assert f'"{name}"' in threads
    assert len(re.findall(r"running on CPU \d", threads)) == 4
    assert re.search(r'"shell".*(blocked|sleeping).*console', threads)


def test_every_threads_backtrace_reaches_its_beginning(gdb):
    text = gdb.command("thread apply all bt")
    threads = re.split(r"\nThread ", text)[1:]
    assert len(threads) >= 6
    beginning = re.compile(r"thread_start|thread_begin|kernel_main|kernel_secondary_main")
    for thread in threads:
        assert beginning.search(thread), thread
        assert "Backtrace stopped" not in thread, thread


def test_backtrace_goes_through_an_interrupt(gdb):
    gdb.command("break timer_interrupt")
    stop = gdb.resume("continue")
    assert stop.function == "timer_interrupt"
    frames = re.findall(r"^#\d+ .*", gdb.command("bt"), re.MULTILINE)
    # What was interrupted lies behind the entry: at least the idle loop and where it began.
    assert len(frames) >= 4, frames
    assert re.search(r"kernel_main|kernel_secondary_main|thread_start|thread_begin|start",
                     frames[-1]), frames
    assert any("trap" in f or "interrupt" in f or "vector" in f for f in frames[1:]), frames


def test_memory_is_written_and_read_back(gdb):
    gdb.command("set var ticker_count = 1000")
    assert gdb.evaluate("ticker_count") == 1000
    stop_in_ticker(gdb)
    gdb.resume("finish")
    assert gdb.evaluate("ticker_count") == 1001


def test_registers_are_written_and_used(gdb, arch):
    argument = {"x86_64": "rdi", "aarch64": "x0", "riscv64": "a0"}[arch]
    gdb.command("tbreak *ticker_scale")
    gdb.resume("continue")
    gdb.command(f"set var ${argument} = 7")
    stop = gdb.resume("finish")
    assert re.search(r"Value returned is .* = 21", stop.text), stop.text


def test_registers_of_a_running_thread_are_real(gdb):
    stop_in_ticker(gdb)
    registers = gdb.command("info registers")
    pc = gdb.register("pc")
    assert f"{pc:x}" in registers
    assert gdb.register("sp") != 0


@pytest.mark.parametrize("address", ["0", "0x10", "0xffffffffffffffff", "0x123456789abcdef0",
                                     "0xdead00000000beef", "(char *)&__kernel_end + (1 << 30)"])
def test_a_bad_address_is_an_error_and_nothing_more(gdb, address):
    with pytest.raises(GdbError, match="Cannot access memory"):
        gdb.command(f"x/4xb {address}")
    with pytest.raises(GdbError):
        gdb.command(f"set var *(char *)({address}) = 1")
    stop_in_ticker(gdb)


def test_console_text_arrives_in_gdb_and_on_the_terminal(machine, gdb):
    machine.type("help\n") # waits in the splitter until the machine runs
    gdb.go()
    gdb.wait_target_output(r"poweroff")
    machine.wait_for("poweroff")
    assert "$" not in machine.console.text
    gdb.interrupt()


def test_monitor_runs_the_shells_commands(gdb):
    assert "ticker" in gdb.command("monitor ps")
    assert "ticker" in gdb.command("fathom ps")
    assert "ready" in gdb.command("fathom dmesg")
    assert "free" in gdb.command("monitor mem")
    with_error = gdb.command("monitor pss")
    assert "ps" in with_error # the nearest name


def test_ctrl_c_stops_a_running_machine(gdb):
    for _ in range(3):
        gdb.go()
        stop = gdb.interrupt()
        assert stop.signal == "SIGINT"


def hang_a_cpu(machine, debug):
    """A thread spins with interrupts off; the machine runs on, as far as it can."""
    machine.type("crash hang\n")
    machine.wait_for("crash hang")
    return debug(machine)


def test_ctrl_c_stops_a_cpu_that_spins_with_interrupts_off(machine, debug, arch):
    gdb = hang_a_cpu(machine, debug)
    threads = gdb.command("info threads")
    row = re.search(r'^.*"crash".*$', threads, re.MULTILINE)
    assert row, threads
    if arch not in STOPS_MASKED_CPUS:
        assert re.search(r"not stopp|did not|no answer", threads + gdb.greeting + gdb.target_output)
        gdb.command("set var hang_on = 0") # the rest is usable: let it go
    else:
        number = re.search(r'(\d+)\s+Thread \d+ "crash"', threads)[1]
        gdb.command(f"thread {number}")
        assert "crash_hang" in gdb.command("bt")
        gdb.command("set var hang_on = 0")
    gdb.command("detach")
    machine.wait_for("survived")
    assert "ticker" in machine.command("ps")


def test_detach_removes_breakpoints_and_lets_the_machine_run(machine, gdb):
    gdb.command("break ticker_step")
    gdb.resume("continue")
    gdb.command("detach")
    assert "ticker" in machine.command("ps")
    assert "ticker" in machine.command("ps")


def test_a_second_gdb_continues_where_the_first_was_killed(machine, gdb, debug):
    gdb.command("break ticker_step")
    gdb.resume("continue")
    gdb.kill()
    machine.notes.wait_for("the machine is still stopped")
    second = debug(machine)
    assert second.register("pc") == second.evaluate("(unsigned long)&ticker_step") or \
        "ticker_step" in second.command("bt 1")
    # The first one's breakpoints have not stayed behind in the text.
    assert not re.search(r"int3|brk|ebreak", second.command("x/4i ticker_step"))
    stop_in_ticker(second)
    second.command("detach")
    assert "ticker" in machine.command("ps")


def test_a_gdb_killed_while_the_machine_runs_is_replaced(machine, gdb, debug):
    gdb.command("break ticker_scale")
    gdb.command("delete")
    gdb.go()
    gdb.kill()
    second = debug(machine)
    stop_in_ticker(second)


def test_kill_lets_the_machine_live(machine, gdb, debug):
    gdb.command("kill")
    assert "ticker" in machine.command("ps")


@pytest.mark.parametrize("place", ["kd_trap", "gdb_receive", "panic"])
def test_a_breakpoint_in_the_debugger_is_refused_with_a_reason(gdb, arch, place):
    gdb.command(f"break {place}")
    gdb.send("continue")
    gdb.wait_output("Cannot insert breakpoint")
    gdb.command("delete")
    # gdb 13 does not show the words of a refused Z packet; they are there all the same.
    address = gdb.evaluate(f"(unsigned long)&{place}") & 0xffffffffffffffff
    kind = 1 if arch == "x86_64" else 4
    assert "debugger's own code" in gdb.command(f"maintenance packet Z0,{address:x},{kind}")
    stop_in_ticker(gdb)


def test_two_gdbs_one_after_the_other_find_the_same_threads(machine, gdb, debug):
    def ids(session):
        return sorted(re.findall(r"Thread (\d+) ", session.command("info threads")))
    before = ids(gdb)
    gdb.command("detach")
    assert ids(debug(machine)) == before


def test_a_call_from_gdb_runs_a_function_of_the_kernel(gdb):
    stop_in_ticker(gdb)
    assert gdb.evaluate("ticker_scale(5, 3)") == 15


def test_stepping_into_idle_and_out_again(gdb):
    """Over wfi or hlt: the step ends, by the next interrupt at the latest."""
    gdb.command("thread 1")
    for _ in range(8):
        gdb.resume("stepi")
    gdb.go()
    gdb.interrupt()
