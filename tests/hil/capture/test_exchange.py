"""Exchanges on TCP 4028: the bytes as they came, and who ended the reply."""

import asyncio
import socket
import time

import pytest
from loopback import Behaviour, answering, hanging, resetting, splitting, unit

from agent.address import Endpoint
from agent.hil.capture.exchange import MOST_REPLY_BYTES, Patience, ask, connect, look_at_port
from agent.hil.capture.exchanged import Exchange
from agent.hil.capture.form import Ending, Port

SHORT = Patience(connect_s=0.3, deadline_s=0.3, close_s=0.05)
WHOLE = b'{"STATUS":"S"}'


async def asked(behaviour: Behaviour, name: str = "version", patience: Patience = SHORT) -> Exchange:
    """Ask a unit that behaves so."""
    async with unit(behaviour) as address:
        began = time.monotonic()
        return await ask(Endpoint(*address), name, look=3, began=began, patience=patience, clock=time.monotonic)


ENDINGS: dict[str, tuple[Behaviour, bytes, Ending]] = {
    "nul, close": (answering(WHOLE + b"\0"), WHOLE, Ending.NUL_CLOSE),
    "nul, open": (hanging(WHOLE + b"\0"), WHOLE, Ending.NUL),
    "close": (answering(WHOLE), WHOLE, Ending.CLOSE),
    "close at once": (answering(b""), b"", Ending.CLOSE),
    "reset": (resetting(), b"", Ending.RESET),
    "silence": (hanging(), b"", Ending.SILENCE),
    "silence in mid-reply": (hanging(WHOLE[:5]), WHOLE[:5], Ending.SILENCE),
    "two NULs": (answering(WHOLE + b"\0\0"), WHOLE + b"\0\0", Ending.CLOSE),
    "bytes behind the NUL": (answering(WHOLE + b"\0\n"), WHOLE + b"\0\n", Ending.CLOSE),
    "too large": (answering(b"x" * (MOST_REPLY_BYTES + 9)), b"x" * MOST_REPLY_BYTES, Ending.TOO_LARGE),
}


@pytest.mark.parametrize(("behaviour", "data", "ending"), ENDINGS.values(), ids=ENDINGS)
async def test_ending_says_who_ended_the_reply(behaviour: Behaviour, data: bytes, ending: Ending) -> None:
    """The bytes without their NUL, and how they ended."""
    patience = Patience(connect_s=1.0, deadline_s=20.0) if ending is Ending.TOO_LARGE else SHORT
    exchange = await asked(behaviour, patience=patience)
    assert (exchange.data, exchange.ending, exchange.port) == (data, ending, Port.OPEN)
    assert (exchange.look, exchange.request) == (3, "version")
    assert exchange.connect_s is not None


async def test_reads_add_up_and_times_are_in_order() -> None:
    """The sizes of all reads are the reply with its NUL; its first byte came before its last."""
    exchange = await asked(splitting(WHOLE[:4], WHOLE[4:], b"\0"), patience=Patience())
    assert exchange.ending is Ending.NUL_CLOSE
    assert sum(exchange.reads) == len(WHOLE) + 1
    assert exchange.first_byte_s is not None
    assert exchange.last_byte_s is not None
    assert 0 <= exchange.first_byte_s <= exchange.last_byte_s


async def test_nothing_is_sent_that_is_not_on_the_whitelist() -> None:
    """A request that acts ends before the connection begins."""
    with pytest.raises(ValueError, match="whitelist"):
        await asked(answering(WHOLE), "sleep new_api")


async def test_request_is_sent_as_the_agent_sends_it() -> None:
    """One request, then nothing more."""
    received = []

    async def keep(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.append(await reader.read(4096))
        writer.write(WHOLE + b"\0")

    await asked(keep, "stats new_api")
    assert received == [b'{"command":"stats","new_api":true}']


async def test_ports() -> None:
    """An open port, one that refuses, and one that says nothing: only the first is connected."""
    sent = []

    async def hear(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        sent.append(await reader.read())

    async with unit(hear) as address:
        assert await look_at_port(Endpoint(*address), SHORT, time.monotonic) is Port.OPEN
        while not sent:  # noqa: ASYNC110 - the server publishes no event.
            await asyncio.sleep(0.001)
    assert sent == [b""]
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        endpoint = Endpoint(*bound.getsockname())
        assert await look_at_port(endpoint, SHORT, time.monotonic) is Port.REFUSED
        exchange = await ask(endpoint, "version", look=0, began=0.0, patience=SHORT, clock=time.monotonic)
    assert (exchange.port, exchange.ending, exchange.data, exchange.file()) == (Port.REFUSED, None, b"", None)
    with socket.socket() as full:
        # A listener whose backlog is full accepts nothing more.
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        others = [await connect(Endpoint(*full.getsockname()), 0.2, time.monotonic) for _ in range(4)]
        silent = await look_at_port(Endpoint(*full.getsockname()), SHORT, time.monotonic)
        for other in others:
            other.close()
    assert silent is Port.SILENT
