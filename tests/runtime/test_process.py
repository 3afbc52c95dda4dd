"""The process: a start that is ended before it is complete."""

import subprocess
import sys

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
        [sys.executable, "-c", _ENDED_WHILE_STARTING, command], capture_output=True, text=True, check=False, timeout=60
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
