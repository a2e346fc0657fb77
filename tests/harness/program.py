# SPDX-License-Identifier: MIT
"""Small programs in the place of a function that nobody calls, and threads of the kernel sent
through them: for instructions and situations that the kernel's own code does not offer."""
import contextlib
import os
import re
import subprocess

TOOLS = {"x86_64": "x86_64-linux-gnu-", "aarch64": "aarch64-linux-gnu-",
         "riscv64": "riscv64-linux-gnu-"}
SPARE = "crash_run" # the largest of those that run only when somebody crashes the kernel
MASK64 = (1 << 64) - 1

# Where an interrupted context says that interrupts are on: register, bits, their value.
OPEN = {"x86_64": ("eflags", 1 << 9, 1 << 9), "aarch64": ("cpsr", 3 << 6, 0),
        "riscv64": ("sstatus", 1 << 5, 1 << 5)}
FIRST = {"x86_64": "rax", "aarch64": "x0", "riscv64": "a0"} # a register to see a result in
STEPPING = {"x86_64": ("eflags", 1 << 8), "aarch64": ("cpsr", 1 << 21), "riscv64": ("sstatus", 0)}
GENERAL = {
    "x86_64": "rax rbx rcx rdx rsi rdi rbp rsp r8 r9 r10 r11 r12 r13 r14 r15 eflags rip".split(),
    "aarch64": [f"x{n}" for n in range(31)] + "sp cpsr pc".split(),
    "riscv64": "ra sp gp tp t0 t1 t2 fp s1 a0 a1 a2 a3 a4 a5 a6 a7 s2 s3 s4 s5 s6 s7 s8 s9 s10 s11 "
               "t3 t4 t5 t6 sstatus pc".split(),
}


class Program:
    """Instructions in the place of a function, and the selected thread about to execute them."""

    def __init__(self, gdb, arch, folder, source):
        self.gdb, self.arch = gdb, arch
        base = os.path.join(folder, "program")
        with open(base + ".s", "w", encoding="ascii") as file:
            file.write(".option norvc\n" * (arch == "riscv64") + source + "\n")
        subprocess.run([TOOLS[arch] + "as", base + ".s", "-o", base + ".o"], check=True)
        subprocess.run([TOOLS[arch] + "objcopy", "-O", "binary", "-j", ".text", base + ".o", base],
                       check=True)
        self.start = gdb.evaluate(f"(unsigned long)&{SPARE}") & MASK64
        self.length = os.path.getsize(base)
        # Written into text, which is read-only to everybody else.
        gdb.command(f"restore {base} binary {self.start:#x}")
        count = len([line for line in source.splitlines()
                     if line.strip() and not line.strip().endswith(":")])
        assert self.length <= 128
        listing = gdb.command(f"x/{count + 1}i {self.start:#x}")
        self.addresses = [int(address, 16) for address in
                          re.findall(r"^(?:=>)?\s+0x([0-9a-f]+)", listing, re.MULTILINE)]
        self.end = self.start + self.length
        assert self.addresses[count] == self.end, listing
        gdb.command(f"set var $pc = {self.start:#x}")

    def step(self, expected):
        """One step, that must arrive at an instruction given by its number."""
        stop = self.gdb.resume("stepi")
        assert stop.signal in (None, "SIGTRAP"), stop
        assert self.gdb.register("pc") == self.addresses[expected], \
            f"{self.gdb.register('pc'):#x} is not {self.addresses[expected]:#x}"

    def run(self):
        """Through all of it, straight on."""
        for number in range(1, len(self.addresses)):
            self.step(number)

    def is_open(self):
        register, bits, value = OPEN[self.arch]
        return self.gdb.register(register) & bits == value


def registers(gdb, arch):
    text = gdb.command(f"info registers {' '.join(GENERAL[arch])}")
    return dict(re.findall(r"^(\w+)\s+(0x[0-9a-f]+)", text, re.MULTILINE))


@contextlib.contextmanager
def borrowed_thread(gdb, arch):
    """The selected thread, which afterwards goes on as if nothing had been; as does the text."""
    before = registers(gdb, arch)
    assert set(before) == set(GENERAL[arch])
    text = re.findall(r"\t0x([0-9a-f]{2})", gdb.command(f"x/128xb {SPARE}"))
    yield
    register, bits = STEPPING[arch]
    assert gdb.register(register) & bits == 0, "the step is still on"
    for name, value in registers(gdb, arch).items():
        if value != before[name]:
            gdb.command(f"set var ${name} = {before[name]}")
    code = ", ".join("0x" + byte for byte in text)
    gdb.command(f"set var {{unsigned char[128]}}{SPARE} = {{{code}}}")
