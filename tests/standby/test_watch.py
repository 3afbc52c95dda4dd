"""A standby's questions to its primary: what counts as an answer, what is sent along, and the clock that comes back."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from email.utils import formatdate
from pathlib import Path

import pytest
from site_cases import AT

from agent.errors import ConfigError
from agent.standby.watch import Primary, PrimaryError, read_authority

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


def http(status: str, body: str, *, date: float | None = None) -> bytes:
    """Return an HTTP answer."""
    head = "" if date is None else f"Date: {formatdate(date, usegmt=True)}\r\n"
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
        said = await Primary(one.url).ask(within_s=WITHIN_S)
    assert (said.has_figures, said.clock_offset_s) == (has_figures, None)
    assert said.words.startswith(words)
    assert one.requests[0].startswith(b"GET /readyz HTTP/1.1\r\n")
    assert b"Authorization" not in one.requests[0]


@pytest.mark.parametrize("offset_s", [0.0, 3600.0, -86400.0])
async def test_the_primarys_clock_is_compared(offset_s: float) -> None:
    """Its `Date`, to a second, against this machine's clock; neither decides who publishes."""
    async with stub(http("200 OK", "ready", date=AT + offset_s)) as one:
        said = await Primary(one.url, wall=lambda: AT).ask(within_s=WITHIN_S)
    assert said.clock_offset_s == offset_s


async def test_a_token_goes_along_and_is_never_shown() -> None:
    """The bearer token is in each request and in no message."""
    async with stub(http("401 Unauthorized", "a bearer token is needed")) as one:
        primary = Primary(one.url, token=TOKEN)
        with pytest.raises(PrimaryError, match="HTTP 401") as refused:
            await primary.curtailments(within_s=WITHIN_S)
    assert b"Authorization: Bearer s3crets3crets3cret\r\n" in one.requests[0]
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (http("404 Not Found", "no such page"), "HTTP 404"),
        (http("302 Found", ""), "HTTP 302"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "/readyz"),
        (b"", "Server disconnected"),
    ],
    ids=["another server", "a proxy's login", "another protocol", "closed"],
)
async def test_anything_else_is_no_answer(answer: bytes, reason: str) -> None:
    """What stands at the address and is no agent keeps no standby from taking over."""
    async with stub(answer) as one:
        with pytest.raises(PrimaryError, match=reason):
            await Primary(one.url).ask(within_s=WITHIN_S)


async def test_silence_and_a_closed_port_are_no_answer() -> None:
    """A program that accepts and never answers, as one that is stopped, and none at all."""
    async with stub(None) as one:
        with pytest.raises(PrimaryError, match=r"no answer within 0\.2 s"):
            await Primary(one.url).ask(within_s=0.2)
        url = one.url
    with pytest.raises(PrimaryError, match="Cannot connect"):
        await Primary(url).ask(within_s=WITHIN_S)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda _: None, "cannot be read: No such file or directory"),
        (lambda path: path.write_text("no certificate"), "contains no certificate"),
    ],
    ids=["absent", "empty"],
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
    assert Primary("https://10.0.0.5", tls=context)._tls is context
