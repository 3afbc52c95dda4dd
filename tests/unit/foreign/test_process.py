"""pyasic's process from the outside: how it ends, and how it floods, are different errors."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from patience import PATIENT_S

from agent.unit.foreign.process import LONGEST_LINE, FloodError, Process, ProcessError


@asynccontextmanager
async def process(program: str) -> AsyncIterator[Process]:
    """Run a Python program in the place of pyasic."""
    running = await Process.start((sys.executable, "-I", "-c", program))
    try:
        async with asyncio.timeout(PATIENT_S):
            yield running
    finally:
        await running.end()


async def test_a_line_without_an_end_is_a_flood() -> None:
    """The longest line is read; one byte more is a flood, though the process goes on."""
    program = f"import sys, time; sys.stdout.write('x' * {LONGEST_LINE - 1} + '\\n' + 'x' * 600000); sys.stdout.flush()"
    async with process(program + "; time.sleep(3600)") as running:
        assert len(await running.read_line()) == LONGEST_LINE
        with pytest.raises(FloodError, match=r"wrote 262144 bytes without a line's end"):
            await running.read_line()


@pytest.mark.parametrize("program", ["", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"])
async def test_an_end_is_no_flood(program: str) -> None:
    """Neither one of its own accord nor a kill, whatever is sent to it meanwhile."""
    async with process(program) as running:
        running.send(b"x" * 10_000_000)
        with pytest.raises(ProcessError, match="ended") as caught:
            await running.read_line()
        assert not isinstance(caught.value, FloodError)


async def test_a_broken_pipe_is_an_end() -> None:
    """The system's word for a process that is gone is not taken for what the process wrote."""
    async with process("import time; time.sleep(3600)") as running:
        running._stdout.set_exception(BrokenPipeError(32, "Broken pipe"))
        with pytest.raises(ProcessError, match="ended") as caught:
            await running.read_line()
        assert not isinstance(caught.value, FloodError)
