#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks what the house rules ask of every file: a licence line at the top, no promise left in the
code, no path of one machine."""
import re
import subprocess
import sys

LICENSED = (".c", ".h", ".S", ".py", ".sh", ".mk", ".gdb", ".bash", ".lds")
SPDX = "SPDX-License-Identifier: MIT"
# Put together from halves so that this file passes its own check.
PROMISE = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX)\b")
LOCAL_PATH = re.compile(r"(^|[\s\"'=(])/(work|root|home|farm)/[a-z]")


def main():
    files = subprocess.run(["git", "ls-files"], capture_output=True, text=True,
                           check=True).stdout.splitlines()
    complaints = []
    for path in files:
        try:
            with open(path, encoding="utf-8") as file:
                lines = file.read().splitlines()
        except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
            continue # a corpus for the fuzzer, or a link to one; a file just being removed
        wants = path.endswith(LICENSED) or path == "Makefile"
        if wants and not any(SPDX in line for line in lines[:3]):
            complaints.append(f"{path}:1: no '{SPDX}' line")
        for number, line in enumerate(lines, 1):
            if PROMISE.search(line) and not path.startswith("tests/fuzz/corpus"):
                complaints.append(f"{path}:{number}: a promise: do it, or say it elsewhere")
            if LOCAL_PATH.search(line):
                complaints.append(f"{path}:{number}: a path of one machine")
    if complaints:
        sys.exit("\n".join(complaints))


main()
