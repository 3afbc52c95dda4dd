"""The third stage of a scan, only if it is asked for: pyasic identifies what speaks no API that the agent reads.

pyasic runs in a process of its own (`pyasic_child`): it takes 70 MB and may hang on a unit's bytes. An address that
answers on none of its ports is not given to it, because each would take it seconds.
"""

import asyncio
import os
import sys
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import msgspec

from agent.errors import AgentError
from agent.hil.scan.found import Found, Kind, clean
from agent.hil.scan.probe import Prober, Tally
from agent.unit.reading import Identity

TOUCHED_PORTS: Final = (4028, 80, 443, 4433)
"""Documented (D180): the TCP ports that pyasic's identification opens."""
PAGE_PORT: Final = 80
READER: Final = "pyasic"
REQUIREMENT: Final = "pyasic>=0.79,<0.80"
# Addresses a child has in hand, and the time in which one of them has to be done.
_IN_HAND: Final = 64
_PATIENCE_S: Final = 60.0
_LONGEST_LINE: Final = 64 * 1024
_CHILD: Final = (sys.executable, "-I", "-W", "ignore", str(Path(__file__).with_name("pyasic_child.py")))


class DeepError(AgentError):
    """pyasic's process ended, or hangs; what it had in hand stays unidentified."""


class _Answer(msgspec.Struct):
    """One line of the child's."""

    host: str
    make: str | None = None
    model: str | None = None
    firmware: str | None = None
    error: str | None = None


def is_available() -> bool:
    """Return True if pyasic is installed."""
    return find_spec("pyasic") is not None


def notice() -> str:
    """Return what to say before pyasic is used."""
    ports = ", ".join(map(str, TOUCHED_PORTS))
    return (
        f"--deep: pyasic opens TCP {ports} of every address that was not identified and accepts on 4028 or {PAGE_PORT},"
        " and may try a make's factory password on its pages; it changes nothing"
    )


async def with_pages(
    address_of: Callable[[int], str], indices: Iterable[int], *, port: int, rate_per_s: float, most_open: int
) -> list[int]:
    """Return the indices of the addresses that accept on the port of pages.

    Raises:
        LocalResourceError: This process cannot open a single socket.
    """
    accepting: list[int] = []
    prober = Prober(
        address_of,
        port=port,
        rate_per_s=rate_per_s,
        most_open=most_open,
        tally=Tally(),
        on_open=accepting.append,
        on_silent=lambda _: None,
    )
    try:
        await prober.run(indices)
    finally:
        prober.close()
    return accepting


async def identify_deep(
    hosts: Sequence[str], *, at: float, command: Sequence[str] = _CHILD
) -> AsyncGenerator[Found, None]:
    """Yield what pyasic identifies among addresses; the others are left out.

    Args:
        hosts: Their addresses.
        at: Unix time of the finds, s.
        command: The child's program.

    Raises:
        DeepError: The child ended or hangs.
    """
    child = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        limit=_LONGEST_LINE,
        # Nothing of this process's environment, which may hold secrets.
        env={"PATH": os.defpath},
        start_new_session=True,
    )
    if child.stdin is None or child.stdout is None:
        raise DeepError("pyasic's process has no pipes")
    waiting, in_hand = list(reversed(hosts)), 0
    try:
        while waiting or in_hand:
            while waiting and in_hand < _IN_HAND:
                child.stdin.write(f"{waiting.pop()}\n".encode())
                in_hand += 1
            answer = await _next_answer(child.stdin, child.stdout)
            in_hand -= 1
            if answer.make is not None:
                yield _found(answer, at)
    finally:
        with suppress(ProcessLookupError):
            child.kill()
        child.stdin.close()
        await child.wait()


async def _next_answer(stdin: asyncio.StreamWriter, stdout: asyncio.StreamReader) -> _Answer:
    try:
        async with asyncio.timeout(_PATIENCE_S):
            await stdin.drain()
            line = await stdout.readline()
    except TimeoutError as error:
        raise DeepError(f"pyasic's process was silent for {_PATIENCE_S:.0f} s") from error
    except (OSError, ValueError) as error:
        raise DeepError(f"pyasic's process cannot be used: {error}") from error
    try:
        return msgspec.json.decode(line, type=_Answer)
    except msgspec.DecodeError as error:
        raise DeepError("pyasic's process ended" if not line else f"pyasic's process wrote {line[:80]!r}") from error


def _found(answer: _Answer, at: float) -> Found:
    def text(value: Any) -> str | None:
        return clean(value) or None

    return Found(
        host=answer.host,
        port=4028,
        web_port=PAGE_PORT,
        at=at,
        kind=Kind.IDENTIFIED,
        reader=READER,
        make=text(answer.make),
        named=Identity(model=text(answer.model), firmware=text(answer.firmware)),
        error="only pyasic identifies it; this agent does not read it",
    )
