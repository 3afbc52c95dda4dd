"""Pages by GET: first without a login, then with one by digest, on servers that close when they like."""

import asyncio
import time
from collections.abc import Sequence

import pytest
from loopback import Behaviour, hanging, resetting, unit
from recorded_units import LOGIN

from agent.address import Endpoint
from agent.hil.capture.exchange import Patience
from agent.hil.capture.exchanged import Exchange
from agent.hil.capture.form import Ending, Port
from agent.hil.capture.pages import PageReader

PAGE = "GET /cgi-bin/stats.cgi"
DIGEST = 'WWW-Authenticate: Digest realm="antMiner Configuration", nonce="abc", qop="auth"'
BASIC = 'WWW-Authenticate: Basic realm="x"'
SHORT = Patience(connect_s=0.3, deadline_s=0.3)


async def got(behaviour: Behaviour, page: str = PAGE) -> list[Exchange]:
    """Get a page of a unit that behaves so."""
    async with unit(behaviour) as address:
        return await PageReader(
            endpoint=Endpoint(*address), login=LOGIN, patience=SHORT, clock=time.monotonic, began=time.monotonic()
        ).get(page, look=1)


def unauthorized(line: str, *, is_announced: bool) -> bytes:
    """Return a 401 with a challenge, which says that it closes or does not."""
    close = "Connection: close\r\n" if is_announced else ""
    return f"HTTP/1.1 401 No\r\n{line}\r\nContent-Length: 2\r\n{close}\r\nno".encode()


def asking(line: str, heard: list[bytes], *, is_announced: bool, closes: bool) -> Behaviour:
    """Ask for a login, and close after that or not; show the page to whoever brings one."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := await reader.read(4096):
            heard.append(request)
            if b"Authorization: Digest" in request:
                writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\n\n\n{}")
                return
            writer.write(unauthorized(line, is_announced=is_announced))
            await writer.drain()
            if closes:
                return

    return behave


@pytest.mark.parametrize(
    ("is_announced", "closes"),
    [(False, False), (True, True), (False, True)],
    ids=["stays", "closes", "closes silently"],
)
async def test_login_is_brought_when_it_is_asked_for(is_announced: bool, closes: bool) -> None:  # noqa: FBT001
    """Both answers are kept, whether the server goes on with the connection or not."""
    heard: list[bytes] = []
    first, second = await got(asking(DIGEST, heard, is_announced=is_announced, closes=closes))
    assert (first.status, first.has_login, first.data, first.is_challenge) == (401, False, b"no", True)
    assert (second.status, second.has_login, second.data, second.ending) == (200, True, b"\n\n{}", Ending.LENGTH)
    assert (first.file(), second.file()) == ("http-stats.401.txt", "http-stats.json")
    assert first.head is not None
    assert DIGEST in first.head
    assert [b"Authorization" in request for request in heard] == [False, True]
    assert {request.split(b"\r\n")[0] for request in heard} == {b"GET /cgi-bin/stats.cgi HTTP/1.1"}


@pytest.mark.parametrize("line", [BASIC, "WWW-Authenticate: Digest realm=x, nonce=y", "X: y"])
async def test_login_is_sent_by_digest_alone(line: str) -> None:
    """A password is never sent as it is, nor for a challenge that gives it away."""
    heard: list[bytes] = []
    exchanges = await got(asking(line, heard, is_announced=False, closes=False))
    assert [exchange.status for exchange in exchanges] == [401]
    assert not any(b"Authorization" in request for request in heard)


@pytest.mark.parametrize(
    ("behaviour", "ending"), [(hanging(), Ending.SILENCE), (resetting(), Ending.RESET), (hanging(b"x"), Ending.SILENCE)]
)
async def test_pages_that_do_not_come(behaviour: Behaviour, ending: Ending) -> None:
    """How it ended is kept, and what came of it."""
    (exchange,) = await got(behaviour)
    assert (exchange.ending, exchange.port, exchange.status) == (ending, Port.OPEN, None)


async def test_pages_that_write_are_never_asked() -> None:
    """A page that is not on the whitelist ends before the connection begins."""
    heard: Sequence[bytes] = []

    async def hear(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        raise AssertionError(await reader.read(10))

    with pytest.raises(ValueError, match="whitelist"):
        await got(hear, "GET /cgi-bin/reboot.cgi")
    assert heard == []
