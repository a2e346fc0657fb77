# SPDX-License-Identifier: MIT
"""The panic report's bounds, and the capsule behind it, read by a decoder that shares no code with
the kernel (tests/harness/capsule.py): it says what the report, gdb and the ELF say, keeps secrets and
canaries to itself, loses no more than a block with a line, and is there after a warm reboot.
"""
import re
import subprocess

import pytest

from harness.capsule import CANARY, SECRET, Capsule, Lines

REPORT_BYTES_MAX = 17280  # 1.5 s at 115200 baud, so 2 s with a CPU that does not answer
REBOOTS = ("-action", "reboot=reset")
FRAME_POINTER = {"x86_64": "rbp", "aarch64": "x29", "riscv64": "fp"}
MEMORY_STACK = 1
CPU_STOPPED = 1
# Registers that tell of the present, not of the moment of the stop. A bit of cntv_ctl_el0 says that
# the timer's time has come.
MOVING = {"sip", "time", "cycle", "instret", "cntvct_el0", "cntv_ctl_el0", "cr8", "dr6", "dr7"}


def wait_capsule(machine):
    machine.wait_for(r"^begin panic capsule ")
    machine.wait_for(r"^end panic capsule .*\n")


def crash(machine, kind):
    """Crashes a machine and returns what its console says from there on."""
    machine.type(f"crash {kind}\n")
    machine.wait_for(r"^PANIC: ")
    wait_capsule(machine)
    return machine.console.text[machine.console.text.index("PANIC: "):]


def report_of(text):
    return text[:text.index("end of panic report\n") + len("end of panic report\n")]


_texts = {}


@pytest.fixture
def text(arch, request):
    """What a panic prints; one machine serves all tests that only read it."""
    if arch not in _texts:
        start = request.getfixturevalue("start")
        _texts[arch] = crash(start(gdb=False, append="panic=poweroff").boot(), "null")
    return _texts[arch]


def build_id(elf):
    notes = subprocess.run(["readelf", "-n", elf], capture_output=True, text=True, check=True).stdout
    return re.search(r"Build ID: ([0-9a-f]+)", notes)[1]


def test_the_capsule_says_what_the_report_says(start):
    machine = start(gdb=False, append="panic=poweroff").boot()
    text = crash(machine, "null")
    report = report_of(text)
    capsule = Capsule(text)
    assert not capsule.lines.bad and capsule.spoiled == 0
    assert capsule.summary[0] == len(capsule.blocks)
    end = re.search(r"^end panic capsule ([0-9a-f]{8}) (\d+)$", text, re.M)
    assert int(end[2]) == len(capsule.lines.good)
    assert {ident for ident, _ in capsule.blocks.values()} == {int(end[1], 16)}

    told = capsule.machine
    assert told["reason"] == re.match("PANIC: (.*)", text)[1]
    assert told["build_id"] == build_id(machine.kernel)
    assert told["build_id"] == re.search("build-id ([0-9a-f]{40})", report)[1]
    where = re.search(r"^cpu (\d+) thread (\d+) \(crash\)", report, re.M)
    assert (told["cpu"], told["thread"]) == (int(where[1]), int(where[2]))
    assert told["trap_name"] == re.search("^trap: ([^,]*),", report, re.M)[1]
    assert told["trap_address"] == 8

    registers = capsule.registers[told["thread"]][1]
    shown = dict(re.findall(r"\b([a-z]\w*) +([0-9a-f]{16})\b",
                            report[:report.index(where[0], report.index(where[0]) + 1)]))
    assert len(shown) >= 20
    for name, value in shown.items():
        if name not in ("x", "trap"):
            assert registers[name] == int(value, 16), name

    for cpu, thread, name in re.findall(r"^cpu (\d+) thread (\d+) \((\w+)\):$", report, re.M):
        assert capsule.cpus[int(cpu)][1] == int(thread)
        assert capsule.threads[int(thread)]["name"] == name
    assert {"crash", "shell", "reaper"} <= {t["name"] for t in capsule.threads.values()}
    assert report.split("last log lines:\n")[1].split("end of")[0] in capsule.texts["log"].decode()
    assert capsule.texts["locks"].decode().endswith("held\n")
    assert "uart0" in capsule.texts["irq"].decode()


def test_every_thread_has_its_live_stack(text):
    capsule = Capsule(text)
    for ident, (_, registers) in capsule.registers.items():
        thread = capsule.threads[ident]
        sp = registers.get("sp", registers.get("rsp"))
        assert thread["low"] <= sp <= thread["high"]
        assert None not in capsule.read(sp, thread["high"] - sp), thread["name"]


def test_memory_and_registers_are_what_gdb_reads(start, debug):
    """The machine stands in its debugger after the panic; gdb attaches only then."""
    machine = start().boot()
    capsule = Capsule(crash(machine, "null"))
    gdb = debug(machine)
    withheld = {address + n for address, size, _ in capsule.withheld for n in range(size)}
    thread = capsule.threads[capsule.machine["thread"]]
    compared = 0
    for address, (kind, data) in sorted(capsule.memory.items()):
        if kind != MEMORY_STACK and not thread["low"] <= address < thread["high"]:
            continue
        shown = gdb.command(f"x/{len(data)}xb {address:#x}")
        seen = [int(byte, 16) for byte in re.findall(r"\t0x([0-9a-f]{2})", shown)]
        for n, byte in enumerate(seen):
            if address + n not in withheld:
                assert byte == data[n], f"{address + n:#x}"
                compared += 1
    assert compared > 500
    numbers = {int(ident): number for number, ident in
               re.findall(r"^[* ]+(\d+) +Thread (\d+) ", gdb.command("info threads"), re.M)}
    for flags, ident, _ in capsule.cpus.values():
        if not flags & CPU_STOPPED:
            continue
        gdb.command(f"thread {numbers[ident]}")
        for name, value in capsule.registers[ident][1].items():
            if name not in MOVING:
                assert gdb.register(name) == value, (ident, name)


def test_the_kernels_own_records_are_in_it(start, debug):
    """What a debugger begins with, so that it can walk from there: CPUs, list and threads."""
    machine = start().boot()
    capsule = Capsule(crash(machine, "null"))
    gdb = debug(machine)
    for what in ("cpus", "thread_list", "*cpus[0].current", "*cpus[3].current"):
        address, size = gdb.evaluate(f"(unsigned long)&{what}"), gdb.evaluate(f"sizeof({what})")
        assert None not in capsule.read(address & (1 << 64) - 1, size), what


def test_panics_at_once_with_the_console_busy_make_one_report_and_one_capsule(start, debug):
    """Every CPU faults at once, and the flag that orders the console's output is taken for ever."""
    machine = start(append="panic=poweroff").boot()
    gdb = debug(machine)
    for number in re.findall(r"^[* ]+(\d+) +Thread .*running on CPU", gdb.command("info threads"), re.M):
        gdb.command(f"thread {number}")
        gdb.command("set var $pc = (unsigned long)&crash_null")
    gdb.command("set var output_busy = 1")
    gdb.command("set var input_lock.lock.next_ticket = input_lock.lock.now_serving + 1")
    gdb.command("detach")
    wait_capsule(machine)
    machine.exit_status()
    text = machine.console.text
    assert len(re.findall("^PANIC: ", text, re.M)) == 1
    assert text.count("end of panic report") == text.count("end panic capsule") == 1
    capsule = Capsule(text)
    assert not capsule.lines.bad and capsule.spoiled == 0 and capsule.summary
    also = set(re.findall(r"^cpu (\d) panicked, too", text, re.M))
    assert also == {str(index) for index, (flags, _, _) in capsule.cpus.items() if flags & 4}


def test_a_damaged_kernel_has_a_capsule_all_the_same(start, debug):
    """Lists and handlers that lead nowhere, a wild program counter: each costs what it is about."""
    machine = start(append="panic=poweroff").boot()
    gdb = debug(machine)
    running = re.findall(r"^[* ]+(\d+) +Thread .*running on CPU", gdb.command("info threads"), re.M)
    gdb.command(f"thread {running[0]}")
    gdb.command("set var thread_list.next->next = (struct list *)0x123450")
    gdb.command("set var command_locks.run = (void *)0x18")
    gdb.command("set var $pc = 0xdead0")
    gdb.command("detach")
    wait_capsule(machine)
    machine.exit_status()
    capsule = Capsule(machine.console.text)
    assert not capsule.lines.bad and capsule.spoiled == 0 and capsule.summary
    assert len(capsule.cpus) == 4 and capsule.memory and capsule.texts["irq"]
    assert capsule.registers[capsule.machine["thread"]][1]


def test_a_panic_in_kernel_main_has_a_capsule(start, debug):
    """Before there are final page tables, an allocator, threads or a second CPU."""
    machine = start(wait=True, append="panic=poweroff")
    gdb = debug(machine)
    gdb.command("set var $pc = (unsigned long)&crash_null")
    gdb.command("detach")
    wait_capsule(machine)
    machine.exit_status()
    capsule = Capsule(machine.console.text)
    assert not capsule.lines.bad and capsule.spoiled == 0 and capsule.summary
    assert list(capsule.cpus) == [0] and capsule.memory
    assert capsule.machine["build_id"] == build_id(machine.kernel)


# -- secrets ----------------------------------------------------------------------------------

def secret(seed, number):
    """The kernel's own sequence: splitmix64, two numbers each."""
    result = b""
    for n in (2 * number + 1, 2 * number + 2):
        mix = (seed + n * 0x9e3779b97f4a7c15) & (1 << 64) - 1
        mix = (mix ^ mix >> 30) * 0xbf58476d1ce4e5b9 & (1 << 64) - 1
        mix = (mix ^ mix >> 27) * 0x94d049bb133111eb & (1 << 64) - 1
        result += (mix ^ mix >> 31).to_bytes(8, "little")
    return result


def test_secrets_and_canaries_stay_out(start, debug):
    """64 secrets in a section, on a stack and on the heap, with pointers to all of them where the
    capsule looks; bait planted the same way without a mark shows that they would be found."""
    seed = 2026112221
    machine = start().boot()
    text = crash(machine, f"secrets {seed}")
    assert "68 secrets" in text
    capsule = Capsule(text)
    everything = capsule.raw()
    values = [secret(seed, n) for n in range(68)]
    assert sum(value in everything for value in values[64:]) == 4, "the bait is not there"
    for number, value in enumerate(values[:64]):
        for half in (value[:8], value[8:]):
            assert half not in everything, f"secret {number}"
            assert half[::-1].hex() not in text and half.hex() not in text, f"secret {number}"
    assert any(reason == SECRET for _, _, reason in capsule.withheld)

    # Canaries: gdb still sees them, the capsule has zeroes in their place.
    gdb = debug(machine)
    canaries = [gdb.evaluate(f"cpus[{n}].current->stack_canary") for n in range(4)]
    for address, size, reason in capsule.withheld:
        if reason == CANARY:
            assert capsule.read(address, size) == [0] * size
            canaries.append(gdb.evaluate(f"*(unsigned long *){address:#x}"))
    assert len(set(canaries)) >= 4 and 0 not in canaries
    for canary in canaries:
        assert canary.to_bytes(8, "little") not in everything


SPARE = {"x86_64": ("r12", "r13"), "aarch64": ("x20", "x21"), "riscv64": ("s5", "s6")}


def forms(value):
    """A 64-bit value as it may stand in a text, or in bytes."""
    little = value.to_bytes(8, "little")
    return {f"{value:x}", little.hex(), f"{value}"}, {little, little[::-1]}


def test_no_canary_is_told_in_any_form(start, debug, arch):
    """Of any thread, in registers of every CPU, on a stack and in variables: neither in the report nor
    in the capsule, nor in what is kept of them."""
    machine = start(append="panic=debug").boot()
    gdb = debug(machine)
    threads = re.findall(r"^[* ]+(\d+) +Thread .*running on CPU", gdb.command("info threads"), re.M)
    canaries = {gdb.evaluate(f"cpus[{n}].current->stack_canary") & (1 << 64) - 1 for n in range(4)}
    link = "thread_list.next"
    offset = gdb.evaluate("(unsigned long)&((struct thread *)0)->all_link")
    for _ in range(12):
        at = address(gdb, link)
        if at == address(gdb, "&thread_list"):
            break
        canaries.add(gdb.evaluate(f"((struct thread *)({at - offset:#x}))->stack_canary")
                     & (1 << 64) - 1)
        link = f"((struct list *){at:#x})->next"
    assert len(canaries) >= 7
    planted = sorted(canaries)
    for number, thread in enumerate(threads):
        gdb.command(f"thread {thread}")
        for n, name in enumerate(SPARE[arch]):
            gdb.command(f"set var ${name} = {planted[(2 * number + n) % len(planted)]:#x}")
        gdb.command(f"set var *(unsigned long *)($sp - 32) = {planted[-1]:#x}")
        gdb.command(f"set var *(unsigned long *)($sp + 8) = {planted[number]:#x}")
        gdb.command("set var $pc = (unsigned long)&crash_null")
    gdb.command(f"set var static_bait[0].half[0] = {planted[0]:#x}")
    gdb.command("detach")
    machine.wait_for(r"^PANIC: ")
    wait_capsule(machine)
    text = machine.console.text[machine.console.text.index("PANIC: "):]
    report, capsule = report_of(text), Capsule(text)
    assert not capsule.lines.bad and capsule.summary
    for name in SPARE[arch]:
        assert f"({name} held a stack canary, which is not shown)\n" in report
        assert re.search(rf"\b{name} 0{{16}}\b", report)
        assert name not in capsule.registers[capsule.machine["thread"]][1]
    everything = capsule.raw()
    for canary in canaries:
        texts, raw = forms(canary)
        assert not [form for form in texts if form in report or form in text]
        assert not [form for form in raw if form in everything]
        assert not [form for form in texts if form.encode() in everything]
    assert sum(reason == CANARY for _, _, reason in capsule.withheld) >= 8
    gdb = debug(machine)
    kept = gdb.command("monitor panic")
    assert not any(form in kept for canary in canaries for form in forms(canary)[0])


# -- lines ------------------------------------------------------------------------------------

def test_a_lost_line_costs_its_block(text):
    whole = Capsule(text)
    lines = text.splitlines(keepends=True)
    places = [n for n, line in enumerate(lines) if line.startswith("~")]
    for place in (places[0], places[1], places[len(places) // 2], places[-2], places[-1]):
        without = Capsule("".join(lines[:place] + lines[place + 1:]))
        assert len(whole.blocks) - len(without.blocks) == 1
        line, first = lines[place], len("~c0000 ")  # of the base64, which may be short
        flipped = line[:first] + ("B" if line[first] == "A" else "A") + line[first + 1:]
        damaged = Capsule("".join(lines[:place] + [flipped] + lines[place + 1:]))
        assert len(damaged.lines.bad) == 1
        assert damaged.blocks == without.blocks
        for capsule in (without, damaged):
            assert capsule.machine["reason"] == whole.machine["reason"]
            assert len(capsule.rows) == len(whole.rows)
            assert capsule.registers.keys() >= {thread for _, thread, _ in whole.cpus.values()}


def test_lines_are_found_behind_prefixes(text):
    noisy = "".join(f"[  12.345678] host> {line}\r\n" for line in text.splitlines())
    assert Capsule(noisy).blocks == Capsule(text).blocks


def test_no_line_is_longer_than_a_terminal_takes(text):
    assert max(len(line) for line in text[text.index("begin panic"):].splitlines()) <= 120


# -- bounds -----------------------------------------------------------------------------------

def on_the_line(report):
    return len(report.encode()) + report.count("\n")


@pytest.mark.parametrize("kind", ["stack", "null"])
def test_the_report_is_out_in_two_seconds_on_eight_cpus(start, kind):
    machine = start(gdb=False, cpus=8, append="panic=poweroff panic.capsule=4096").boot()
    report = report_of(crash(machine, kind))
    assert len(re.findall(r"^cpu \d thread \d+ .*:$", report, re.M)) == 8
    assert on_the_line(report) <= REPORT_BYTES_MAX


def write(gdb, at, data):
    gdb.command(f"python gdb.selected_inferior().write_memory({at}, bytes.fromhex('{data.hex()}'))")


def address(gdb, expression):
    return gdb.evaluate(f"(unsigned long)({expression})") & (1 << 64) - 1


def fill_log(gdb, lines):
    """As many records as a report shows, of the longest kind, behind what there is."""
    size = gdb.evaluate("sizeof(ring[0].record.text)")
    first = gdb.evaluate("next_sequence")
    for number in range(first, first + lines):
        slot = f"ring[{number} % 512]"
        gdb.command(f"set var {slot}.record.sequence = {number}")
        gdb.command(f"set var {slot}.record.length = {size - 1}")
        gdb.command(f"set var {slot}.state = {2 * number + 1}")
        write(gdb, address(gdb, f"&{slot}.record.text"), b"x" * (size - 1) + b"\0")
    gdb.command(f"set var next_sequence = {first + lines}")


def make_stack(gdb, arch, kernel, depth):
    """A chain of frames in slots of the log that are free, each in the function with the longest name;
    returns the frame pointer of the innermost one."""
    names = subprocess.run(["nm", kernel], capture_output=True, text=True, check=True).stdout
    function = max(re.findall(r" [tT] (\w+)$", names, re.M), key=len)
    pc, at = address(gdb, f"&{function}") + 4, address(gdb, "&ring[400]")
    for number in range(depth):
        record = at + 64 * number
        following = record + 64 + (16 if arch == "riscv64" else 0)
        write(gdb, record, (following if number < depth - 1 else 0).to_bytes(8, "little") +
              pc.to_bytes(8, "little"))
    return at + (16 if arch == "riscv64" else 0)


def test_the_longest_report_is_out_in_two_seconds(start, debug, arch):
    """Eight CPUs panic with deep stacks of long names in threads with long names, and the log is full
    of long lines: what is longer than its share of the time is cut. A CPU that takes an interrupt
    before it gets there has a short stack, and may have turned to another thread."""
    machine = start(cpus=8, append="panic=poweroff panic.capsule=4096").boot()
    gdb = debug(machine)
    frame_pointer = make_stack(gdb, arch, machine.kernel, 64)
    for number in re.findall(r"^[* ]+(\d+) +Thread .*running on CPU", gdb.command("info threads"), re.M):
        gdb.command(f"thread {number}")
        gdb.command("set var $pc = (unsigned long)&crash_null")
        gdb.command("frame 0") # gdb may have selected the one it was in, now a caller
        gdb.command(f"set var ${FRAME_POINTER[arch]} = {frame_pointer:#x}")
    for cpu in range(8):
        gdb.command(f'set var cpus[{cpu}].current->name = "{"n" * 31}"')
    fill_log(gdb, 20)
    gdb.command("detach")
    machine.wait_for(r"^PANIC: ")
    wait_capsule(machine)
    text = machine.console.text
    report = report_of(text[text.index("PANIC: "):])
    assert len(re.findall(r"^cpu \d thread \d+ \(.*\):$", report, re.M)) == 8
    assert len(re.findall(r"^cpu \d thread \d+ \(n{31}\):$", report, re.M)) >= 5
    cut = report.count("\n...\n")
    assert 4 <= cut <= 7, "of the stacks, at the end of a line: no half an address"
    assert report.count("...\n") == cut + 1, "and of the log"
    assert "x" * 100 in report.split("last log lines:")[1]
    assert 8000 < on_the_line(report) <= REPORT_BYTES_MAX


def test_the_budget_is_kept(start):
    machine = start(gdb=False, append="panic=poweroff panic.capsule=4096").boot()
    capsule = Capsule(crash(machine, "null"))
    assert sum(len(data) for _, data in capsule.memory.values()) == capsule.summary[4] <= 4096
    assert capsule.machine["budget"] == 4096


def test_without_a_budget_there_is_no_capsule(start):
    machine = start(gdb=False, append="panic=poweroff panic.capsule=0").boot()
    machine.type("crash null\n")
    machine.wait_for("^end of panic report\n")
    machine.exit_status()
    assert not Lines(machine.console.text).good


# -- over a reboot ----------------------------------------------------------------------------

@pytest.mark.parametrize("way", ["kernel", "reset"])
def test_the_next_boot_offers_it(start, way):
    """Rebooted by the kernel itself, and by a reset from outside while it stands halted."""
    action = "reboot" if way == "kernel" else "halt"
    machine = start(gdb=False, append=f"panic={action}", extra=REBOOTS).boot()
    text = crash(machine, "null")
    if way == "reset":
        machine.wait_for("^halted\n")
        machine.qmp("system_reset")
    reason = machine.wait_for(r"warning: an earlier run panicked: (.*); ")[1]
    assert text.startswith(f"PANIC: {reason}\n")
    machine.boot()
    assert machine.command("panic").strip() + "\n" == report_of(text)
    again = Capsule(machine.command("panic capsule"))
    assert again.blocks == Capsule(text).blocks
    machine.command("panic clear")
    assert "no panic is kept" in machine.command("panic")
    machine.command("mem")  # the allocators work around it


def test_a_panic_in_kernel_main_is_kept(start, debug):
    """Before there are final page tables or an allocator. (The lowest page is still mapped then on one
    machine, so what it panics about is its own affair.)"""
    machine = start(wait=True, append="panic=reboot", extra=REBOOTS)
    gdb = debug(machine)
    gdb.command("set var $pc = (unsigned long)&crash_null")
    gdb.command("detach")
    wait_capsule(machine)
    before = Capsule(machine.console.text)
    gdb = debug(machine)  # kdebug=wait stops the next boot, too
    gdb.command("detach")
    machine.wait_for(rf"warning: an earlier run panicked: {re.escape(before.machine['reason'])}")
    machine.boot()
    assert Capsule(machine.command("panic capsule")).blocks == before.blocks


@pytest.mark.parametrize("place", ["head", "report", "capsule"])
def test_what_was_damaged_meanwhile_is_not_offered(start, debug, place):
    """One bit of RAM turns over between the panic and the next look at it."""
    machine = start(append="panic=reboot", extra=REBOOTS).boot()
    crash(machine, "null")
    machine.wait_for(r"warning: an earlier run panicked: null")
    machine.boot()
    gdb = debug(machine)
    keep = "((struct kd_capsule_kept *)ops.keep)"
    offset = {"head": "12", "report": f"sizeof(*{keep}) + 100",
              "capsule": f"sizeof(*{keep}) + {keep}->report_bytes + 1000"}[place]
    gdb.command(f"set var *((unsigned char *)ops.keep + {offset}) ^= 1")
    gdb.command("detach")
    machine.type("reboot\n")
    machine.wait_for(r"warning: an earlier run panicked, but what was kept of that is damaged")
    machine.boot()
    assert machine.command("panic").startswith("a panic was kept, but it is damaged")
    assert "damaged" in machine.command("panic capsule")
    machine.command("panic clear")
    assert "no panic is kept" in machine.command("panic")
    machine.type("reboot\n")
    machine.wait_for(r"CPUs, ready")
    machine.boot()
    assert machine.console.text.count("an earlier run panicked") == 2


# -- through gdb ------------------------------------------------------------------------------

def test_gdb_gets_the_capsule_of_the_panic_that_stopped_it(start, debug):
    """On a line that gdb has, the capsule would be noise: it is there for the asking, and comes whole
    through the packets that carry text."""
    machine = start(wait=True)
    gdb = debug(machine)
    gdb.command("tbreak sched_idle_loop")
    gdb.resume("continue")
    gdb.command("set var $pc = (unsigned long)&crash_null")
    assert gdb.resume("continue").signal == "SIGSEGV"
    gdb.wait_target_output("end of panic report")
    assert "~C0000" not in gdb.target_output + machine.console.text
    text = gdb.command("monitor panic capsule", timeout=120)
    capsule = Capsule(text)
    assert not capsule.lines.bad and capsule.spoiled == 0 and capsule.summary
    assert capsule.machine["reason"].startswith("null pointer write")
    assert int(re.search(r"end panic capsule [0-9a-f]{8} (\d+)", text)[1]) == \
        len(capsule.lines.good)
    assert gdb.command("monitor panic").lstrip().startswith("PANIC: null pointer write")
    assert "cpu0" in gdb.command("monitor ps")


def test_gdb_gets_the_capsule_of_an_earlier_run(start, debug):
    """The machine stands by Ctrl-C; it runs on afterwards."""
    machine = start(append="panic=reboot", extra=REBOOTS).boot()
    before = Capsule(crash(machine, "null"))
    machine.wait_for(r"warning: an earlier run panicked: ")
    machine.boot()
    gdb = debug(machine)
    again = Capsule(gdb.command("monitor panic capsule", timeout=120))
    assert again.blocks == before.blocks and again.summary
    gdb.command("monitor panic clear")
    assert "no panic is kept" in gdb.command("monitor panic capsule")
    gdb.command("detach")
    assert "ticker" in machine.command("ps")
