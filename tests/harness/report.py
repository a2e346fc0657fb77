# SPDX-License-Identifier: MIT
"""The text of a panic, read strictly: docs/formats-report.md line by line, by nothing of ours."""
import re

# What each line may be, by the section it stands in; a section's first line begins it.
SECTIONS = (
    ("reason", r"PANIC: .+"),
    ("where", r"cpu \d+ thread \d+ \(.*\), \S+ \S+, up \d+\.\d{6} s"),
    ("build", r"build-id [0-9a-f]{40}, load offset -?0x[0-9a-f]+, boot [0-9a-f]{32}"),
    ("trap", r"trap: [^,]+, code 0x[0-9a-f]+(, address 0x[0-9a-f]{16})?"),
    ("also", r"cpu \d+ panicked, too: .+"),
    ("registers", r"( *\w+ [0-9a-f]{16}){1,4}"),
    ("canary", r"\(\w+ held a stack canary, which is not shown\)"),
    ("thread", r"cpu \d+ thread \d+ \(.*\)(:|: did not stop)"),
    ("frame", r"  #\d+ 0x[0-9a-f]{16} (\?|\S+\+0x[0-9a-f]+/0x[0-9a-f]+)( \(interrupted\))?"),
    ("log", r"last log lines:"),
    ("line", r"\[ *\d+\.\d{6}\] cpu\d .*"),
    ("end", r"end of panic report"),
)
# What may follow what.
AFTER = {
    "reason": {"where"},
    "where": {"build"},
    "build": {"trap", "also", "registers"},
    "trap": {"also", "registers"},
    "also": {"also", "registers"},
    "registers": {"registers", "canary", "thread"},
    "canary": {"canary", "thread"},
    "thread": {"frame", "thread", "log"},
    "frame": {"frame", "thread", "log"},
    "log": {"line", "end"},
    "line": {"line", "end"},
}


class Report:
    """The one report in a console's text. A line that is none, or in the wrong place, is an error."""

    def __init__(self, text):
        assert len(re.findall(r"^PANIC: ", text, re.M)) == text.count("PANIC: ") == 1
        assert text.count("end of panic report\n") == 1
        begin = text.index("PANIC: ")
        self.text = text[begin:text.index("end of panic report\n")] + "end of panic report\n"
        self.lines = self.text.splitlines()
        self.kinds = [self._kind(line) for line in self.lines]
        for before, kind, line in zip(self.kinds, self.kinds[1:], self.lines[1:]):
            assert kind in AFTER[before], line
        self.reason = self.lines[0].removeprefix("PANIC: ")
        self.cpu, self.thread, self.name = self._thread(self.lines[1])
        stacks = [line for kind, line in zip(self.kinds, self.lines) if kind == "thread"]
        self.stacks = [self._thread(line) for line in stacks]
        assert len({cpu for cpu, _, _ in self.stacks}) == len(self.stacks)
        assert self.stacks[0] == (self.cpu, self.thread, self.name)
        also = [line for kind, line in zip(self.kinds, self.lines) if kind == "also"]
        self.also = {int(line.split()[1]) for line in also}
        assert len(self.also) == len(also) and self.cpu not in self.also

    @staticmethod
    def _kind(line):
        for kind, pattern in SECTIONS:
            if re.fullmatch(pattern, line):
                return kind
        raise AssertionError(f"no line of a report: {line!r}")

    @staticmethod
    def _thread(line):
        match = re.match(r"cpu (\d+) thread (\d+) \((.*?)\)", line)
        return int(match[1]), int(match[2]), match[3]
