# SPDX-License-Identifier: MIT
"""A gdb that runs a list of commands and ends: for what can be tested without the bundled kernel."""
import os
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get("FATHOM_BUILD", "build")  # an absolute one stays as it is
GDB_SECONDS = 60  # a session takes about two; this is for a gdb that hangs

# Runs each command, marks where its output begins, and goes on after an error.
RUNNER = """
set pagination off
set confirm off
set width 0
python
for command in COMMANDS:
    print("@@ " + command, flush=True)
    try:
        gdb.execute(command)
    except gdb.error as error:
        print("error:", error, flush=True)
end
"""


def make(target):
    """Builds what a test needs and `make test-system` does not build."""
    subprocess.run(["make", f"BUILD={BUILD}", target], cwd=ROOT, check=True)


def run_gdb(commands, folder):
    """Runs the commands in a fresh gdb; returns what each printed. The session's script and log are
    left in the folder."""
    script = folder / "session.gdb"
    script.write_text(RUNNER.replace("COMMANDS", repr(commands)), encoding="utf-8")
    output = subprocess.run(["gdb-multiarch", "-nx", "-q", "-batch", "-x", script],
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, timeout=GDB_SECONDS,
                            check=False).stdout
    (folder / "session.log").write_text(output, encoding="utf-8")
    print(output)
    parts = re.split(r"^@@ .*\n", output, flags=re.M)[1:]
    assert len(parts) == len(commands), output
    return parts
