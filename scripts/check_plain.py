#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Proves that objects of the debugger's path contain no instrumentation.

usage: check_plain.py OBJECT...

The debugger, exception entry, UART and panic paths run when nothing else can be trusted: a call into
a sanitizer's runtime, a stack protector or a coverage counter there would recurse or lie. The
objects are those of a kernel built with the address sanitizer.
"""
import re
import subprocess
import sys

INSTRUMENTATION = re.compile(r"__asan_|__kasan_|__ubsan_|__sanitizer_|__stack_chk_|__gcov_")


def undefined_symbols(path):
    result = subprocess.run(["nm", "-u", "--format=posix", path], capture_output=True, text=True)
    if result.returncode:
        sys.exit(f"check_plain: {path}: {result.stderr.strip()}")
    return [line.split()[0] for line in result.stdout.splitlines() if line.strip()]


def main():
    if len(sys.argv) < 2:
        sys.exit("check_plain: no objects: is plain.sources empty?")
    complaints = []
    for path in sys.argv[1:]:
        found = sorted(filter(INSTRUMENTATION.match, undefined_symbols(path)))
        if found:
            complaints.append(f"{path}: instrumented: {', '.join(found)}")
    if complaints:
        sys.exit("\n".join(complaints))


main()
