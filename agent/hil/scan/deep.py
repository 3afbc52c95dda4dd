"""The third stage of a scan, only if it is asked for: pyasic identifies what speaks no API that the agent reads.

pyasic runs in a process of its own (`agent.unit.foreign`): it takes 70 MB and may hang on a unit's bytes. An address
that answers on none of its ports is not given to it, because each would take it seconds.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from typing import Any, Final

from agent.errors import AgentError, MalformedReplyError
from agent.hil.scan.found import Found, Kind, clean
from agent.hil.scan.probe import Prober, Tally
from agent.unit.foreign.process import COMMAND, Process, ProcessError
from agent.unit.foreign.protocol import IDENTIFY, STARTED, Answer, decode_answer, encode_request
from agent.unit.reading import Identity

TOUCHED_PORTS: Final = (4028, 80, 443, 4433)
"""Documented (D180): the TCP ports that pyasic's identification opens."""
PAGE_PORT: Final = 80
READER: Final = "pyasic"
# Addresses the process has in hand, and the time in which one of them has to be done.
_IN_HAND: Final = 64
_PATIENCE_S: Final = 60.0


class DeepError(AgentError):
    """pyasic's process ended, or hangs; what it had in hand stays unidentified."""


def notice() -> str:
    """Return what to say before pyasic is used."""
    ports = ", ".join(map(str, TOUCHED_PORTS))
    return (
        f"--deep: pyasic opens TCP {ports} of every address that was not identified and accepts on 4028 or {PAGE_PORT};"
        " it sends no password and changes nothing"
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
    hosts: Sequence[str], *, at: float, command: Sequence[str] = COMMAND
) -> AsyncGenerator[Found, None]:
    """Yield what pyasic identifies among addresses; the others are left out.

    Args:
        hosts: Their addresses.
        at: Unix time of the finds, s.
        command: The process's program.

    Raises:
        DeepError: The process ended or hangs.
    """
    try:
        process = await Process.start(command)
    except ProcessError as error:
        raise DeepError(str(error)) from error
    waiting, in_hand = list(reversed(list(enumerate(hosts, start=STARTED + 1)))), dict[int, str]()
    try:
        await _next_line(process)
        while waiting or in_hand:
            while waiting and len(in_hand) < _IN_HAND:
                number, host = waiting.pop()
                in_hand[number] = host
                process.send(encode_request(number, host, IDENTIFY))
            line = await _next_line(process)
            answer = _decoded(line)
            if answer.id not in in_hand:
                raise DeepError(f"pyasic's process wrote {line[:80]!r}")
            host = in_hand.pop(answer.id)
            if answer.make is not None:
                yield _found(host, answer, at)
    finally:
        await process.end()


async def _next_line(process: Process) -> bytes:
    try:
        async with asyncio.timeout(_PATIENCE_S):
            await process.drained()
            return await process.read_line()
    except TimeoutError as error:
        raise DeepError(f"pyasic's process was silent for {_PATIENCE_S:.0f} s") from error
    except ProcessError as error:
        raise DeepError(str(error)) from error


def _decoded(line: bytes) -> Answer:
    try:
        return decode_answer(line)
    except MalformedReplyError as error:
        raise DeepError(f"pyasic's process wrote {line[:80]!r}") from error


def _found(host: str, answer: Answer, at: float) -> Found:
    def text(value: Any) -> str | None:
        return clean(value) or None

    return Found(
        host=host,
        port=4028,
        web_port=PAGE_PORT,
        at=at,
        kind=Kind.IDENTIFIED,
        reader=READER,
        make=text(answer.make),
        named=Identity(model=text(answer.model), firmware=text(answer.firmware)),
        error="only pyasic identifies it; with `foreign` in the column `reader`, it is read through pyasic",
    )
