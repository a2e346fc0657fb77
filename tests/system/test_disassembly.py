# SPDX-License-Identifier: MIT
"""RISC-V instructions read as objdump reads them: all of our kernel, a program with floating point,
and every 16-bit encoding.

objdump calls instructions with an immediate by the name of those without ("add a0,a0,1"); we keep
the manual's names. Hints, which change nothing, have names of their own in objdump.
"""
import re
import struct
import subprocess
from pathlib import Path

import pytest

from harness.machine import BUILD

ROOT = Path(__file__).parents[2]
PREFIX = "riscv64-linux-gnu-"
# Prints the address and the text of each instruction of a file of bytes.
DRIVER = """
#include <stdio.h>
#include <stdlib.h>
#include "symbolizer/report/disassembly.h"
int main(int argc, char **argv)
{
    static uint8_t bytes[1 << 22];
    uint64_t base = strtoull(argv[argc - 1], NULL, 0);
    size_t count = fread(bytes, 1, sizeof(bytes), stdin), length;
    char text[REPORT_TEXT_MAX];
    for (size_t at = 0; (length = report_riscv_disassemble(bytes + at, count - at, base + at, text,
                                                           sizeof(text))); at += length)
        printf("%llx %s\\n", (unsigned long long)(base + at), text);
}
"""
FLOATS = """
double doubles(double a, double b, int i, unsigned u, long l, unsigned long v)
{
    return a * b + i - u / (a + 1) + l * __builtin_sqrt(b) + v + __builtin_fabs(a) -
           __builtin_fmin(a, b) + __builtin_fmax(b, a) + __builtin_copysign(a, b) + (a < b) +
           (a <= b) + (a == b) + __builtin_fma(a, b, -a) - __builtin_fma(-a, b, a);
}
float floats(float a, float b, int i, unsigned u, long l, unsigned long v)
{
    return a * b + i - u / (a + 1) + l * __builtin_sqrtf(b) + v + __builtin_fabsf(a) -
           __builtin_fminf(a, b) + __builtin_fmaxf(b, a) + __builtin_copysignf(a, b) + (a < b) +
           (a <= b) + (a == b) + __builtin_fmaf(a, b, -a) - (float)doubles(a, b, i, u, l, v);
}
long numbers(double a, float b)
{
    return __builtin_lrint(a) + __builtin_lround(b) + (int)a + (unsigned)b + (long)b + (unsigned long)a;
}
long atomics(long *p, int *q, long v)
{
    return __atomic_fetch_add(p, v, 5) + __atomic_fetch_xor(q, 3, 0) + __atomic_exchange_n(q, 1, 2);
}
"""
BASE = 0x100000


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    folder = tmp_path_factory.mktemp("driver")
    (folder / "driver.c").write_text(DRIVER)
    subprocess.run(["gcc", "-std=gnu17", "-D_GNU_SOURCE", "-I", ROOT, folder / "driver.c",
                    *(ROOT / "symbolizer/report").glob("riscv_*.c"), "-o", folder / "driver"],
                   check=True)
    return folder / "driver"


def objdump(folder, code):
    """{address: text} of bytes that are made the text of an object file for RV64GC."""
    (folder / "code").write_bytes(code)
    (folder / "empty.s").write_text(".text\n.globl start\nstart:\n")
    object_file = folder / "code.o"
    for command in ([PREFIX + "as", "-march=rv64gc_zihintpause", folder / "empty.s", "-o",
                     object_file],
                    [PREFIX + "objcopy", "--update-section", f".text={folder / 'code'}",
                     object_file]):
        subprocess.run(command, check=True, capture_output=True)
    printed = subprocess.run([PREFIX + "objdump", "-dz", f"--adjust-vma={BASE}", object_file],
                             check=True, capture_output=True, text=True).stdout
    found = {}
    for line in printed.splitlines():
        match = re.match(r"\s*([0-9a-f]+):\s+[0-9a-f]+\s+\t(.*)", line)
        if match:
            text = re.sub(r"\s+#.*", "", match[2]).replace("\t", " ").strip()
            text = re.sub(r"([0-9a-f]+) <.*>$", r"0x\1", text)
            found[int(match[1], 16)] = "" if text.startswith(".") else text
    return found


def with_immediate(text):
    """objdump's "add a0,a0,1" by the manual's name."""
    match = re.match(r"(add|and|or|xor|sll|srl|sra|csrr?[wsc])(w?) (.*,)((?:0x)?-?[0-9a-f]+)$", text)
    if match and not re.match(r"a\d$", match[4]):
        return f"{match[1]}i{match[2]} {match[3]}{match[4]}"
    return text


def differences(driver, folder, code):
    printed = subprocess.run([driver, hex(BASE)], input=code, capture_output=True,
                             check=True).stdout.decode()
    ours = {}
    for line in printed.splitlines():
        address, _, text = line.partition(" ")
        ours[int(address, 16)] = re.sub(" +", " ", text)
    theirs = {address: with_immediate(text) for address, text in objdump(folder, code).items()}
    assert ours.keys() == theirs.keys()
    return len(ours), {(text, ours[address]) for address, text in theirs.items()
                       if ours[address] != text}


def text_of(elf, folder):
    subprocess.run([PREFIX + "objcopy", "-O", "binary", "--only-section=.text", elf,
                    folder / "text"], check=True)
    return (folder / "text").read_bytes()


def test_our_kernel(driver, folder):
    count, different = differences(driver, folder,
                                   text_of(Path(BUILD) / "riscv64" / "kernel.elf", folder))
    assert count > 20000 and not different


def test_floating_point_and_atomics(driver, folder):
    (folder / "floats.c").write_text(FLOATS)
    for flags in ("-O2", "-O2 -ffast-math", "-O0"):
        subprocess.run([PREFIX + "gcc", *flags.split(), "-fno-math-errno", "-ffreestanding", "-c",
                        folder / "floats.c", "-o", folder / "floats.o"], check=True)
        code = text_of(folder / "floats.o", folder)
        assert re.search("f(cvt|madd|sgnj)", " ".join(objdump(folder, code).values()))
        assert not differences(driver, folder, code)[1]


def test_every_short_instruction(driver, folder):
    code = b"".join(struct.pack("<H", half) for half in range(0x10000) if half & 3 != 3)
    count, different = differences(driver, folder, code)
    assert count == 0xc000
    hints = {pair for pair in different if re.match(r"c\.", pair[0])}
    assert different - hints == {("addi sp,sp,0", "")}, "and that one is reserved"
