#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Finds functions that are alike but for the names of their variables: one of them is enough.

Bodies are compared without layout and comments; what they call and what they print counts. Short
ones may be alike by chance, or because two machines answer the same question in the same way: SHORT
lines are let through.
"""
import re
import subprocess
import sys

SHORT = 7
FUNCTION = re.compile(r"^[a-z_][^;{}#/]*?\b(\w+)\([^;{}]*\)\n\{\n(.*?)^\}", re.M | re.S)
# A string, a call and a member stand for themselves.
NAME = re.compile(r'"(?:[^"\\\n]|\\.)*"|(?:->|\.)\w+|\b[A-Za-z_]\w*\b(?:\s*\()?')
COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.S)


def shape(lines):
    """The body with its other names numbered in the order in which they appear."""
    numbers = {}

    def number(match):
        text = match[0]
        if not (text[0].isalpha() or text[0] == "_") or text.endswith("("):
            return text
        return f"n{numbers.setdefault(text, len(numbers))}"

    return NAME.sub(number, " ".join(" ".join(lines).split()))


def main():
    files = subprocess.run(["git", "ls-files", "*.c", "*.h"], capture_output=True, text=True,
                           check=True).stdout.split()
    places = {}
    for path in files:
        with open(path, encoding="utf-8") as file:
            source = file.read()
        for match in FUNCTION.finditer(source):
            body = [line for line in COMMENT.sub("", match[2]).splitlines() if line.strip()]
            if len(body) > SHORT and match[1] != "main":
                line = source.count("\n", 0, match.start(1)) + 1
                places.setdefault(shape(body), []).append(
                    f"{path}:{line}: {match[1]}()")
    twins = [found for found in places.values() if len(found) > 1]
    if twins:
        sys.exit("\n".join(f"{found[0]} is also {', '.join(found[1:])}" for found in twins))


main()
