#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Captures the logs of Linux in tests/data/panics: builds small kernels from Debian's source
(package linux-source-6.1), lets them go wrong in QEMU and keeps what they print.

The kernels of x86-64 and AArch64 have KASAN, lockdep and the caller's id on each line; RISC-V's
has not: with KASAN for vmalloc's area, too, 6.1 did not load the module there. A log is what stands
between the two lines that init.c prints, without carriage returns, or the beginning of it.

Needs besides the build's own packages: linux-source-6.1 flex bison bc libssl-dev libelf-dev.
"""
import argparse
import dataclasses
import os
import pathlib
import re
import select
import shutil
import socket
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
LOGS = HERE.parent / "data" / "panics"
SOURCE = "/usr/src/linux-source-6.1.tar.xz"
BEGIN, END = "=== begin ===", "=== end ==="
PANIC_ENDS = "---[ end Kernel panic"
BOOT_SECONDS = 120  # a sanitized kernel on a loaded host; one takes 3 seconds otherwise
NMIS = 6            # the watchdog needs two of them some seconds apart


@dataclasses.dataclass
class Machine:
    arch: str   # Linux's name
    folder: str # below arch/
    cross: str  # prefix of the tools
    image: str
    qemu: list
    console: str
    checked: bool = True # with checked.config, too


MACHINES = {
    "x86_64": Machine("x86_64", "x86", "x86_64-linux-gnu-", "bzImage",
                      ["qemu-system-x86_64", "-M", "q35", "-cpu", "max"], "ttyS0"),
    "aarch64": Machine("arm64", "arm64", "aarch64-linux-gnu-", "Image",
                       ["qemu-system-aarch64", "-M", "virt,gic-version=3", "-cpu", "cortex-a57"],
                       "ttyAMA0"),
    "riscv64": Machine("riscv", "riscv", "riscv64-linux-gnu-", "Image",
                       ["qemu-system-riscv64", "-M", "virt"], "ttyS0", checked=False),
}
CONSOLE_OF_MODULE = "fault: NMIs, please"


@dataclasses.dataclass
class Case:
    name: str
    steps: str # for init.c
    append: str = ""
    machines: tuple = tuple(MACHINES)
    lines: int = 1000 # kept at most


QUIET = "rcupdate.rcu_cpu_stall_suppress=1"
HUNG = "sysctl.kernel.hung_task_timeout_secs=3 sysctl.kernel.hung_task_warnings=1"
LOCKUP = f"sysctl.kernel.watchdog_thresh=2 {QUIET}"
CHECKED = tuple(name for name, machine in MACHINES.items() if machine.checked)
PLAIN = tuple(name for name, machine in MACHINES.items() if not machine.checked)
OTHERS = ("aarch64", "riscv64") # than x86-64, of which there are logs of Debian's kernel
CASES = [
    Case("module-null", "insmod:null", machines=PLAIN),
    Case("module-jump", "insmod:jump", machines=OTHERS),
    Case("module-bug", "insmod:bug", machines=OTHERS),
    Case("module-wild", "insmod:wild", machines=OTHERS),
    Case("lkdtm-warning", "lkdtm:WARNING_MESSAGE", machines=OTHERS),
    Case("lkdtm-panic", "lkdtm:PANIC", machines=OTHERS),
    Case("stack-overflow", "lkdtm:EXHAUST_STACK", machines=("riscv64", "x86_64")),
    Case("list", "lkdtm:CORRUPT_LIST_ADD"),
    Case("refcount", "lkdtm:REFCOUNT_INC_ZERO"),
    Case("user-access", "lkdtm:EXEC_USERSPACE", machines=OTHERS),
    Case("softirq-null", "insmod:timer", machines=OTHERS),
    Case("soft-lockup", "&insmod:spin sleep:8", LOCKUP, OTHERS),
    # A CPU in an NMI prints nothing before another one prints.
    Case("hard-lockup", "&insmod:hard sleep:24 sysrq:9", f"{LOCKUP} apic_extnmi=all", ("x86_64",)),
    Case("rcu-stall", "&insmod:spin sleep:1 sleep:9", "nosoftlockup", OTHERS),
    Case("hung-task", "&lkdtm:HUNG_TASK sleep:8", HUNG, PLAIN),
    Case("hung-task-locks", "&lkdtm:HUNG_TASK sleep:8", HUNG, CHECKED),
    Case("sysrq-cpus", "&insmod:spin sleep:1 sysrq:l", f"nosoftlockup {QUIET}", OTHERS),
    Case("sysrq-tasks", "&lkdtm:HUNG_TASK sleep:1 sysrq:t", lines=100),
    Case("sysrq-blocked", "&lkdtm:HUNG_TASK sleep:1 sysrq:w"),
    Case("kasan-past", "insmod:past", machines=CHECKED),
    Case("kasan-freed", "insmod:freed", machines=CHECKED),
    Case("kasan-null", "insmod:null", machines=CHECKED),
    Case("lock-order", "insmod:order", machines=CHECKED),
    Case("sleep-in-atomic", "insmod:sleep", machines=CHECKED),
    Case("schedule-in-atomic", "insmod:schedule", machines=CHECKED),
]


# -- building -------------------------------------------------------------------------------------

def run(*words, **options):
    subprocess.run(words, check=True, **options)


def unpack(work):
    tree = work / "linux-source-6.1"
    if not tree.exists():
        run("tar", "xf", SOURCE, "-C", work)
    return tree


def make_words(tree, name, out):
    machine = MACHINES[name]
    # Who builds it, and when, stands in each kernel's first line and in some reports.
    return ["make", "-s", "-C", str(tree), f"ARCH={machine.arch}", f"CROSS_COMPILE={machine.cross}",
            f"O={out}", "KBUILD_BUILD_USER=fathom", "KBUILD_BUILD_HOST=capture",
            "KBUILD_BUILD_TIMESTAMP=Sun Nov 22 2026"]


def build_kernel(tree, name, out, jobs):
    """The kernel, its headers for programs, and the module."""
    make = make_words(tree, name, out)
    if not (out / ".config").exists():
        out.mkdir(parents=True)
        run(*make, "tinyconfig")
        with open(out / ".config", "a", encoding="ascii") as config:
            for part in ("common", name, *(["checked"] if MACHINES[name].checked else [])):
                config.write((HERE / f"{part}.config").read_text())
        run(*make, "olddefconfig")
    run(*make, f"-j{jobs}", MACHINES[name].image, "modules", "headers")
    module = out / "fault"
    module.mkdir(exist_ok=True)
    shutil.copy(HERE / "fault.c", module)
    # BUG tells the file, by the whole path where nobody shortens it.
    (module / "Kbuild").write_text("obj-m := fault.o\nccflags-y := -fmacro-prefix-map=$(src)/=\n")
    run(*make, f"M={module}", "modules")


def build_initrd(tree, name, out):
    folder = out / "fault"
    init, listing, initrd = folder / "init", folder / "initrd.list", folder / "initrd.cpio"
    run(f"{MACHINES[name].cross}gcc", "-O1", "-static", "-nostdlib", "-fno-stack-protector",
        "-fno-asynchronous-unwind-tables", "-I", tree / "tools/include/nolibc",
        "-I", out / "usr/include", HERE / "init.c", "-o", init, "-lgcc")
    listing.write_text("dir /dev 755 0 0\nnod /dev/console 600 0 0 c 5 1\n"
                       f"file /init {init} 755 0 0\nfile /fault.ko {folder}/fault.ko 644 0 0\n")
    with open(initrd, "wb") as file:
        run(out / "usr/gen_init_cpio", listing, stdout=file)
    return initrd


# -- running --------------------------------------------------------------------------------------

def send_nmis(monitor):
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(str(monitor))
        for _ in range(NMIS):
            line.sendall(b"nmi\n")
            time.sleep(3)


def read_log(process, monitor):
    """What the console says until it is over."""
    text, deadline = b"", time.monotonic() + BOOT_SECONDS
    asked = False
    while time.monotonic() < deadline:
        if not select.select([process.stdout], [], [], 1)[0]:
            continue
        piece = os.read(process.stdout.fileno(), 65536)
        text += piece
        if not piece or f"{END}\r\n".encode() in text:
            return text
        if PANIC_ENDS.encode() in text and text.endswith(b"\n"):
            return text
        if CONSOLE_OF_MODULE.encode() in text and not asked:
            asked = True
            send_nmis(monitor)
    raise TimeoutError(text.decode(errors="replace")[-2000:])


def boot(name, case, out, initrd):
    machine = MACHINES[name]
    monitor = out / "monitor"
    append = f"console={machine.console} panic=0 {case.append} -- {case.steps}"
    words = [*machine.qemu, "-accel", "tcg", "-m", "512", "-smp", "2", "-display", "none",
             "-no-reboot", "-serial", "stdio", "-monitor", f"unix:{monitor},server,nowait",
             "-kernel", out / "arch" / machine.folder / "boot" / machine.image,
             "-initrd", initrd, "-append", append]
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    try:
        return read_log(process, monitor).decode("ascii").replace("\r", "")
    finally:
        process.kill()
        process.wait()


def trim(text, lines):
    """What stands between init's two lines, or the beginning of it."""
    body = text.partition(BEGIN + "\n")[2]
    body = re.sub(f"{END}\n.*", "", body, flags=re.S)
    return "".join(body.splitlines(keepends=True)[:lines])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("machines", nargs="*", choices=[[], *MACHINES])
    parser.add_argument("--work", type=pathlib.Path, required=True, help="for source and kernels")
    parser.add_argument("--to", type=pathlib.Path, default=LOGS)
    parser.add_argument("--case", action="append", help="only this one")
    parser.add_argument("-j", dest="jobs", type=int, default=2)
    options = parser.parse_args()
    work = options.work.resolve()
    work.mkdir(exist_ok=True)
    tree = unpack(work)
    for name in options.machines or MACHINES:
        out = work / name
        build_kernel(tree, name, out, options.jobs)
        initrd = build_initrd(tree, name, out)
        for case in CASES:
            if name not in case.machines or options.case and case.name not in options.case:
                continue
            print(name, case.name, file=sys.stderr)
            path = options.to / f"linux-{name}-{case.name}.log"
            try:
                path.write_text(trim(boot(name, case, out, initrd), case.lines))
            except TimeoutError as error:
                print(error, file=sys.stderr)


if __name__ == "__main__":
    main()
