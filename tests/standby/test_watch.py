"""A standby's questions to its primary: what counts as an answer, what is sent along, and the clock that comes back."""

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from email.utils import formatdate
from pathlib import Path

import pytest
from site_cases import AT

from agent.errors import ConfigError
from agent.exporters.web import server
from agent.standby.watch import (
    LEDGER_HEADER,
    MAX_ANSWER_BYTES,
    MAX_REASON_CHARS,
    ROLE_HEADER,
    SITE_HEADER,
    Primary,
    PrimaryError,
    RefusedOrderError,
    read_authority,
)

WITHIN_S = 30.0
TOKEN = "s3cret" * 3


class Stub:
    """A primary that answers every request with the same bytes; None keeps it waiting."""

    def __init__(self, answer: bytes | None) -> None:
        self.answer = answer
        self.requests: list[bytes] = []
        self.url = ""
        self._is_over = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        self.requests.append(await reader.readuntil(b"\r\n\r\n"))
        if self.answer is None:
            await self._is_over.wait()
        else:
            writer.write(self.answer)
            await writer.drain()
        writer.close()

    def end(self) -> None:
        """Let the waiting go."""
        self._is_over.set()


@asynccontextmanager
async def stub(answer: bytes | None) -> AsyncIterator[Stub]:
    """Run a stub on a free loopback port."""
    one = Stub(answer)
    server = await asyncio.start_server(one.serve, "127.0.0.1", 0)
    one.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        try:
            yield one
        finally:
            one.end()


def http(status: str, body: str, *, date: float | str | None = None, site: str | None = "alpha") -> bytes:
    """Return an HTTP answer; with a site, one of its agent's."""
    moment = formatdate(date, usegmt=True) if isinstance(date, float) else date
    head = "" if moment is None else f"Date: {moment}\r\n"
    head += "" if site is None else f"{SITE_HEADER}: {site}\r\n"
    return f"HTTP/1.1 {status}\r\n{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode()


@pytest.mark.parametrize(
    ("answer", "has_figures", "words"),
    [
        (http("200 OK", "ready\n"), True, "ready"),
        (http("503 Service Unavailable", "first round under way"), False, "first round under way"),
    ],
    ids=["ready", "not ready"],
)
async def test_both_answers_of_an_agent_are_answers(answer: bytes, has_figures: bool, words: str) -> None:  # noqa: FBT001
    """An agent without figures is there all the same."""
    async with stub(answer) as one:
        said = await Primary(one.url, site="alpha").ask(within_s=WITHIN_S)
    assert (said.has_figures, said.clock_offset_s) == (has_figures, None)
    assert said.words.startswith(words)
    assert one.requests[0].startswith(b"GET /readyz HTTP/1.1\r\n")
    assert b"Authorization" not in one.requests[0]


@pytest.mark.parametrize("offset_s", [0.0, 3600.0, -86400.0])
async def test_the_primarys_clock_is_compared(offset_s: float) -> None:
    """Its `Date`, to a second, against this machine's clock; neither decides who publishes."""
    async with stub(http("200 OK", "ready", date=AT + offset_s)) as one:
        said = await Primary(one.url, site="alpha", wall=lambda: AT).ask(within_s=WITHIN_S)
    assert said.clock_offset_s == offset_s


async def test_a_token_goes_along_and_is_never_shown() -> None:
    """The bearer token is in each request and in no message."""
    async with stub(http("401 Unauthorized", "a bearer token is needed")) as one:
        primary = Primary(one.url, site="alpha", token=TOKEN)
        with pytest.raises(PrimaryError, match="HTTP 401") as refused:
            await primary.curtailments(within_s=WITHIN_S)
    assert b"Authorization: Bearer s3crets3crets3cret\r\n" in one.requests[0]
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (http("404 Not Found", "no such page"), "HTTP 404"),
        (http("302 Found", ""), "HTTP 302"),
        (http("503 Service Unavailable", "no server is available", site=None), "503 of something else than an agent"),
        (http("200 OK", "hello", site=None), "200 of something else than an agent: 'hello'"),
        (http("200 OK", "ready", site="beta"), "the agent of site 'beta' answers, not of 'alpha'"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "/readyz"),
        (b"", "Server disconnected"),
    ],
    ids=[
        *("another server", "a proxy's login", "a proxy without an agent", "a greeting", "another site"),
        *("another protocol", "closed"),
    ],
)
async def test_anything_else_is_no_answer(answer: bytes, reason: str) -> None:
    """What stands at the address and is no agent keeps no standby from taking over."""
    async with stub(answer) as one:
        with pytest.raises(PrimaryError, match=reason):
            await Primary(one.url, site="alpha").ask(within_s=WITHIN_S)


async def test_an_agent_names_its_site_as_a_standby_expects() -> None:
    """Server and standby, which import nothing of each other, mean the same header."""
    assert (SITE_HEADER, ROLE_HEADER) == (server.SITE_HEADER, server.ROLE_HEADER)
    assert LEDGER_HEADER == server.LEDGER_HEADER


@pytest.mark.parametrize(("role", "is_standby"), [("primary", False), ("standby", True), ("active", False)])
async def test_a_primary_that_stands_by_says_so(role: str, is_standby: bool) -> None:  # noqa: FBT001
    """Two that name each other, or one that names itself, would wait for ever."""
    answer = http("503 Service Unavailable", "x").replace(b"\r\n", f"\r\n{ROLE_HEADER}: {role}\r\n".encode(), 1)
    async with stub(answer) as one:
        assert (await Primary(one.url, site="alpha").ask(within_s=WITHIN_S)).is_standby is is_standby


@pytest.mark.parametrize(
    "date",
    [
        "garbage",
        "Mon, 01 Jan 2024 00:00:00 +99999999999999999999",
        "Mon, 01 Jan 99999999999999999999 00:00:00 GMT",
        "Mon, 99 Jan 2024 99:00:00 GMT",
    ],
)
async def test_a_date_that_is_none_is_no_clock(date: str) -> None:
    """A year or an offset of many digits would overflow, and end the standby."""
    async with stub(http("200 OK", "ready", date=date)) as one:
        said = await Primary(one.url, site="alpha").ask(within_s=WITHIN_S)
    assert (said.has_figures, said.clock_offset_s) == (True, None)


async def test_a_list_in_many_pieces_is_read_to_its_end() -> None:
    """More than one piece of a network's, and more than a buffer of the client's."""
    body = "x" * 1_000_000
    async with stub(http("200 OK", body)) as one:
        assert await Primary(one.url, site="alpha").curtailments(within_s=WITHIN_S) == body.encode()


async def test_an_answer_without_end_is_no_answer() -> None:
    """It is read no further than the limit."""
    async with stub(http("200 OK", "x" * (MAX_ANSWER_BYTES + 1))) as one:
        with pytest.raises(PrimaryError, match="an answer of more than 4 MiB"):
            await Primary(one.url, site="alpha").curtailments(within_s=WITHIN_S)


async def test_a_reason_is_one_line_of_bounded_length() -> None:
    """The client library's own words go over several lines."""
    async with stub(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"z" * 5000 + b"\r\n") as one:
        with pytest.raises(PrimaryError) as refused:
            await Primary(one.url, site="alpha").ask(within_s=WITHIN_S)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < MAX_REASON_CHARS + 60


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("400 Bad Request", RefusedOrderError),
        ("404 Not Found", RefusedOrderError),
        ("409 Conflict", RefusedOrderError),
        ("401 Unauthorized", PrimaryError),
        ("429 Too Many Requests", PrimaryError),
        ("503 Service Unavailable", PrimaryError),
    ],
)
async def test_a_refused_order_differs_from_one_not_taken_now(status: str, kind: type[PrimaryError]) -> None:
    """The first is not sent again; the second is."""
    async with stub(http(status, "no")) as one:
        primary = Primary(one.url, site="alpha")
        for order in (primary.start({"id": "a"}, within_s=WITHIN_S), primary.stop("a", within_s=WITHIN_S)):
            with pytest.raises(PrimaryError) as refused:
                await order
            assert type(refused.value) is kind


async def test_silence_and_a_closed_port_are_no_answer() -> None:
    """A program that accepts and never answers, as one that is stopped, and none at all."""
    async with stub(None) as one:
        with pytest.raises(PrimaryError, match=r"no answer within 0\.2 s"):
            await Primary(one.url, site="alpha").ask(within_s=0.2)
        url = one.url
    with pytest.raises(PrimaryError, match="Cannot connect"):
        await Primary(url, site="alpha").ask(within_s=WITHIN_S)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda _: None, "cannot be read: No such file or directory"),
        (lambda path: path.write_text("no certificate"), "contains no certificate"),
        (os.mkfifo, "cannot be read: a regular file is expected"),
    ],
    ids=["absent", "empty", "a pipe"],
)
def test_an_authority_that_is_none_is_one_mistake(tmp_path: Path, make: Callable[[Path], object], reason: str) -> None:
    """File, key and reason."""
    path = tmp_path / "ca.pem"
    make(path)
    with pytest.raises(ConfigError) as refused:
        read_authority(path, where="standby.ca_file")
    assert [str(mistake) for mistake in refused.value.mistakes] == [f"{path}: standby.ca_file: {reason}"]


def test_without_a_file_the_systems_certificates_count() -> None:
    """None is none of ours; a verified context otherwise."""
    assert read_authority(None, where="standby.ca_file") is None
    context = ssl.create_default_context()
    assert Primary("https://10.0.0.5", site="alpha", tls=context)._tls is context
