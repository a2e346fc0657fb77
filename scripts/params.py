#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Keeps the table in docs/kernel-parameters.md equal to the PARAM rows in the kernel's sources.

usage: params.py --write | --check
"""
import pathlib
import re
import sys

PAGE = pathlib.Path("docs/kernel-parameters.md")
MARK = "|---|---|---|\n"
ROW = re.compile(r'^PARAM_(FLAG|NUMBER|STRING|CHOICE)\(\s*\w+\s*,\s*"([^"]+)"\s*,(.*?)\);', re.M | re.S)
CHOICES = re.compile(r"static const char \*const (\w+)\[\] = \{(.*?)\};", re.S)
TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')
VALUES = {"FLAG": "on, off", "NUMBER": "a number", "STRING": "text"}


def rows():
    for path in sorted(pathlib.Path("kernel").rglob("*.c")):
        source = path.read_text(encoding="utf-8")
        choices = {name: [t for t in TEXT.findall(body)] for name, body in CHOICES.findall(source)}
        for kind, name, rest in ROW.findall(source):
            text = "".join(TEXT.findall(rest))
            values = VALUES.get(kind) or ", ".join(
                next(choices[word] for word in re.findall(r"\w+", rest) if word in choices))
            yield name, f"| `{name}` | {values} | {text} |"


def main():
    page = PAGE.read_text(encoding="utf-8")
    head, _, tail = page.partition(MARK)
    after = tail.split("\n\n", 1)[1] if "\n\n" in tail else ""
    table = "\n".join(row for _, row in sorted(rows()))
    wanted = f"{head}{MARK}{table}\n" + (f"\n{after}" if after else "")
    if "--write" in sys.argv:
        PAGE.write_text(wanted, encoding="utf-8")
    elif page != wanted:
        sys.exit(f"{PAGE}: not what the sources say; 'scripts/params.py --write' mends it")


main()
