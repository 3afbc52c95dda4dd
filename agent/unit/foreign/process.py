"""pyasic's process from the outside: started without this process's environment, spoken to in lines, ended.

pyasic takes 70 MB, may hang on a unit's bytes and imports in a second and a half, so it never runs in this process.
"""

import asyncio
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import agent
from agent.errors import AgentError

REQUIREMENT: Final = "pyasic>=0.79,<0.80"
LONGEST_LINE: Final = 256 * 1024
_ROOT: Final = str(Path(agent.__file__).parent.parent)
_MODULE: Final = "agent.unit.foreign.pyasic_child"
# Isolated (-I): no environment, no current folder, no user's packages. Only the folder of this very agent is added.
_BOOT: Final = f"import runpy, sys; sys.path.insert(0, sys.argv[1]); runpy.run_module({_MODULE!r}, run_name='__main__')"
COMMAND: Final = (sys.executable, "-I", "-W", "ignore", "-c", _BOOT, _ROOT)


class ProcessError(AgentError):
    """pyasic's process cannot be started, or ended."""


class FloodError(ProcessError):
    """It wrote more than `LONGEST_LINE` without a line's end."""


def is_available() -> bool:
    """Return True if pyasic is installed."""
    return find_spec("pyasic") is not None


class Process:
    """One process. `start` it, and `end` it in any case."""

    def __init__(self, child: asyncio.subprocess.Process) -> None:
        if child.stdin is None or child.stdout is None:
            raise ProcessError("pyasic's process has no pipes")
        self._child, self._stdin, self._stdout = child, child.stdin, child.stdout

    @classmethod
    async def start(cls, command: Sequence[str] = COMMAND) -> "Process":
        """Start one.

        Raises:
            ProcessError: The system refuses.
        """
        try:
            child = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                limit=LONGEST_LINE,
                # Nothing of this process's environment, which may hold secrets.
                env={"PATH": os.defpath},
                start_new_session=True,
            )
        except OSError as error:
            raise ProcessError(f"pyasic's process cannot be started: {error}") from error
        return cls(child)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._child.pid

    def send(self, line: bytes) -> None:
        """Hand a line over; a process that is gone is noticed by `read_line`."""
        if not self._stdin.is_closing():
            self._stdin.write(line)

    async def drained(self) -> None:
        """Wait until it takes in what was sent.

        Raises:
            ProcessError: It is gone.
        """
        try:
            await self._stdin.drain()
        except OSError as error:
            raise ProcessError(f"pyasic's process cannot be used: {error}") from error

    async def read_line(self) -> bytes:
        """Return the next line.

        Raises:
            FloodError: It wrote more than `LONGEST_LINE` without a line's end.
            ProcessError: It ended.
        """
        try:
            line = await self._stdout.readline()
        except ValueError as error:
            raise FloodError(f"pyasic's process wrote {LONGEST_LINE} bytes without a line's end") from error
        except OSError as error:
            raise ProcessError(f"pyasic's process ended: {error}") from error
        if not line:
            raise ProcessError("pyasic's process ended")
        return line

    async def end(self) -> None:
        """Kill it and wait for its end."""
        with suppress(ProcessLookupError):
            self._child.kill()
        self._stdin.close()
        await self._child.wait()


def resident_bytes(pid: int) -> int:
    """Return the memory that a process has in use; 0 where the system does not tell."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
