#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs clang-tidy over a compilation database: each file once, on every core.

A source that is compiled for several machines is looked at as the first of them sees it; the
machines' own files make up for the rest. Tests and the crash command do forbidden things on purpose,
and are left out.
"""
import concurrent.futures
import json
import os
import subprocess
import sys
import tempfile


ON_PURPOSE = {"kernel/shell/crash.c"}


def tidy(folder, entry):
    result = subprocess.run(
        ["clang-tidy-14", "--quiet", "--warnings-as-errors=*", "-p", folder, entry["file"]],
        capture_output=True, text=True)
    return entry["file"], result.returncode, result.stdout, result.stderr


def main():
    with open(sys.argv[1], encoding="utf-8") as database:
        entries = json.load(database)
    first = {}
    for entry in entries:
        if not entry["file"].startswith("tests/") and entry["file"] not in ON_PURPOSE:
            first.setdefault(entry["file"], entry)
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "compile_commands.json"), "w", encoding="utf-8") as database:
            json.dump(list(first.values()), database)
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            for file, status, out, err in pool.map(lambda e: tidy(folder, e), first.values()):
                if status:
                    failed += 1
                    sys.stderr.write(out or f"{file}: clang-tidy failed: {err}\n")
    if failed:
        sys.exit(f"tidy: {failed} of {len(first)} files have findings")


main()
