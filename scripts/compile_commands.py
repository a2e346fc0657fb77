#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes compile_commands.json from the build's own variables.

Each line of the input names a machine, a source and the flags it is compiled with. clangd and
clang-tidy read the result, so the compiler is clang with the machine's target, and flags that only
gcc knows are left out.
"""
import json
import os
import shlex
import sys

TARGETS = {"x86_64": "x86_64-linux-gnu", "aarch64": "aarch64-linux-gnu",
           "riscv64": "riscv64-linux-gnu"}
GCC_ONLY = ("-mstack-protector-guard", "-mno-outline-atomics", "-ftrivial-auto-var-init", "-fasan-",
            "-fsanitize", "-fno-sanitize", "-mno-relax", "-fno-shrink-wrap")


def arguments(arch, source, flags):
    # clang 14 takes zicsr and zifencei for granted and does not know their names.
    kept = [flag.replace("_zicsr_zifencei", "") for flag in shlex.split(flags)
            if not flag.startswith(GCC_ONLY)]
    # gcc's own include directory holds gcc's intrinsics; clang has its own.
    words = []
    for flag in kept:
        if words and words[-1] == "-isystem" and "/gcc" in flag:
            words.pop()
            continue
        words.append(flag)
    if "-nostdinc" in words:
        words[words.index("-nostdinc")] = "-nostdlibinc"
    target = [f"--target={TARGETS[arch]}"] if arch in TARGETS else []
    return ["clang-14", *target, *words, "-Wno-unknown-warning-option", "-c", source]


def main():
    entries, seen = [], set()
    with open(sys.argv[1], encoding="utf-8") as lines:
        for line in lines:
            arch, source, flags = (line.split(None, 2) + [""])[:3]
            if (arch, source) in seen or not os.path.exists(source):
                continue
            seen.add((arch, source))
            entries.append({"directory": os.getcwd(), "file": source,
                            "arguments": arguments(arch, source, flags),
                            "output": f"{arch}/{source}.o"})
    json.dump(entries, sys.stdout, indent=1)


main()
