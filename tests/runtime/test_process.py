"""The process: a start that is ended before it is complete, closed standard files, and no core dumps."""

import subprocess
import sys
from pathlib import Path

from patience import PATIENT_S

# The command line stands for everything between the first line of the program and the agent's own handlers.
_ENDED_WHILE_STARTING = """
import os, signal, sys
import agent.__main__ as entry
import agent.commands.command_line as command_line

def end():
    os.kill(os.getpid(), signal.SIGTERM)
    print("still running")

command_line.app = end
sys.argv = ["hashsight", sys.argv[1]]
entry.main()
"""


def _ended_while_starting(command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", _ENDED_WHILE_STARTING, command],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENT_S,
    )


def test_sigterm_during_the_start_is_answered() -> None:
    """A start that SIGTERM ends says so in one line, and counts as a stop that was asked for."""
    ended = _ended_while_starting("run")
    assert (ended.returncode, ended.stdout) == (0, "")
    assert ended.stderr == "hashsight: SIGTERM before the agent had started\n"


def test_other_commands_end_as_programs_do() -> None:
    """Only the agent answers SIGTERM."""
    ended = _ended_while_starting("once")
    assert (ended.returncode, ended.stdout, ended.stderr) == (-15, "", "")


_WITHOUT_STANDARD_FILES = """
import os, sys
import agent.__main__ as entry
import agent.commands.command_line as command_line

def show():
    print("lost")
    sys.stderr.write("lost")
    files = [os.readlink(f"/proc/self/fd/{number}") for number in range(3)]
    with open(sys.argv[2], "w") as found:
        found.write(f"{files} {found.fileno() > 2} {sys.stdin.read()!r}")

command_line.app = show
entry.main()
"""


def test_no_file_takes_the_number_of_a_closed_standard_file(tmp_path: Path) -> None:
    """A supervisor that closes all three: they lead nowhere, and the agent's files have other numbers."""
    found = tmp_path / "found"
    closed = ("sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh")
    subprocess.run([*closed, sys.executable, "-c", _WITHOUT_STANDARD_FILES, "run", str(found)], check=True)
    assert found.read_text(encoding="utf-8") == f"{['/dev/null'] * 3} True ''"


_NO_CORE = """
import ctypes, resource
from agent.runtime.process import forbid_core_dumps
forbid_core_dumps()
PR_GET_DUMPABLE = 3
print(resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(PR_GET_DUMPABLE, 0, 0, 0, 0))
"""


def test_a_crash_leaves_no_core() -> None:
    """Neither a file nor a program that cores are piped to gets the memory, with the passwords in it."""
    ended = subprocess.run([sys.executable, "-c", _NO_CORE], capture_output=True, text=True, check=True)
    assert ended.stdout == "(0, 0) 0\n"
