# SPDX-License-Identifier: MIT
"""Waiting for text from a process without sleeping: a thread reads, tests wait for an event."""
import os
import re
import threading
import time

# Deadlines are generous, since they only pass when something is wrong; FATHOM_PATIENCE stretches
# them on a machine with much else to do.
PATIENCE = float(os.environ.get("FATHOM_PATIENCE", "1"))
DEADLINE_S = 60 * PATIENCE


class Timeout(AssertionError):
    """What was waited for did not come."""


class Stream:
    """The text a file descriptor gives, collected by a thread and kept in a log."""

    def __init__(self, fd, log, name, on_bytes=None):
        self.name = name
        self.text = ""
        self.position = 0  # what lies before it has been waited for already
        self.closed = False
        self._condition = threading.Condition()
        self._on_bytes = on_bytes
        self._thread = threading.Thread(target=self._read, args=(fd, log), daemon=True)
        self._thread.start()

    def _read(self, fd, log):
        with open(log, "ab") as file:
            while True:
                try:
                    data = os.read(fd, 65536)
                except OSError:
                    data = b""
                file.write(data)
                file.flush()
                if data and self._on_bytes:
                    self._on_bytes()
                with self._condition:
                    self.text += data.decode("utf-8", "replace").replace("\r", "")
                    self.closed = not data
                    self._condition.notify_all()
                if not data:
                    return

    def wait_for(self, pattern, timeout=None):
        """Waits for a regular expression behind the last match; returns the match."""
        expression = re.compile(pattern, re.MULTILINE)
        deadline = time.monotonic() + (timeout or DEADLINE_S)
        with self._condition:
            while True:
                match = expression.search(self.text, self.position)
                if match:
                    self.position = match.end()
                    return match
                left = deadline - time.monotonic()
                if self.closed or left <= 0:
                    why = "ended" if self.closed else "deadline passed"
                    raise Timeout(f"{self.name}: {why} while waiting for {pattern!r}; its last "
                                  f"words:\n{self.text[-1500:]}")
                self._condition.wait(left)

    def since(self, position):
        with self._condition:
            return self.text[position:]

    def join(self, timeout=DEADLINE_S):
        """Waits for the end of the stream."""
        self._thread.join(timeout)
        if self._thread.is_alive():
            raise Timeout(f"{self.name}: still open; its last words:\n{self.text[-1500:]}")
