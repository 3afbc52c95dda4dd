"""The second stage of a scan: what an address is that accepted a connection.

The conversation is that of a poll, and the page that of the identity checks. What these do not name is asked for one or
two more reports (`makes`). None of it changes a unit.

    conversation --read------------------------> page ---------------> identified
         |   '-- another make: its reports ----> model or bin -------> identified
         |                                       nothing ------------> not identified, first bytes
         '-- silent: `version` once more ------> nothing, or foreign -> not identified, first bytes
"""

import asyncio
import secrets
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeVar

from agent.address import Endpoint
from agent.errors import (
    DeadlineError,
    DisconnectedError,
    ForeignProtocolError,
    LocalResourceError,
    PollError,
    RefusedError,
    StalledReplyError,
    UnreachableError,
    excerpt,
)
from agent.hil.scan.found import Found, Kind
from agent.hil.scan.makes import QUESTIONS
from agent.unit import registry
from agent.unit.cgminer import wire
from agent.unit.cgminer.client import Client
from agent.unit.cgminer.foreign import foreign_bytes
from agent.unit.consistency.rules import hold_together
from agent.unit.digest import Login
from agent.unit.nameplate import Catalogue, Nameplate
from agent.unit.reading import SystemInfo, UnitReading

CONNECT_TIMEOUT_S: Final = 4.0
"""Three of the kernel's packets to begin a connection: at once, after one second and after three."""
FIRST_DEADLINE_S: Final = 5.0
"""Assumed (A05): a busy unit answers one request within five seconds."""
DEADLINE_S: Final = 8.0
GREETING_S: Final = 4.0
"""Documented (D09): where a unit timed out, a second try of 4 s succeeds."""
ATTEMPTS: Final = 2
FIRST_BYTES: Final = 120

_MAKER, _BRAIINS = "Bitmain", "Braiins"
_SOCKETLESS_S: Final = 0.05
_MOST_NAPS: Final = 200
# These may pass: a lost packet, a unit that another client occupies, or a process that is late.
_PASSING: Final = (UnreachableError, DeadlineError, DisconnectedError, StalledReplyError)
_PASSING_PAGE: Final = (UnreachableError, DisconnectedError)
# Documented (D06): a unit takes a request with a newline too. A server that reads lines answers only then. Assumed
# (A140): nor do an HTTP server's blank lines after it disturb a unit.
_NEWLINE: Final = b"\n"
_GREETING: Final = wire.encode_request("version") + b"\r\n\r\n"

T = TypeVar("T")


@dataclass
class _NoMemory:
    """The memory of a unit that is read once."""

    sleep_doubted_at: float | None = None
    young_uptime: tuple[float, float] | None = None


def held_alone(reading: UnitReading, catalogue: Catalogue) -> UnitReading:
    """Return a reading held against itself, and against the strongest bin of the model that it says it is.

    There is no ledger row to hold it against. A model that the catalogue does not know has no strongest bin.

    Raises:
        ContradictoryReplyError: It refutes its own rate.
    """
    return hold_together(reading, _strongest_bin(reading, catalogue), _NoMemory())


def _strongest_bin(reading: UnitReading, catalogue: Catalogue) -> Nameplate | None:
    model = reading.identity.model or ""
    bins_hs = catalogue.bins_hs(model)
    return catalogue.find(model, bins_hs[0]) if bins_hs else None


class _Asked(NamedTuple):
    """What came of a unit's conversation: its reading, or why there is none, and its first bytes if they are known."""

    reading: UnitReading | None = None
    error: PollError | None = None
    data: bytes | None = None


@dataclass
class _Ear:
    """Whether a unit has answered a request yet."""

    has_heard: bool = False


class Identifier:
    """Identifies one address after the other, several at once.

    Args:
        first: Holds the first conversation with each.
        client: Holds the others.
        catalogue: The known models.
        login_of: Returns the login for the pages of an address; None to leave them alone.
        web_port: The port of the pages.
        most_pages: Pages read at once.
        connect_timeout_s: Time allowed for connecting to a page.
        page_deadline_s: Time allowed for a page, connecting included; for first bytes it is `GREETING_S` at most.
        wall: Unix time, s.
    """

    def __init__(
        self,
        first: Client,
        client: Client,
        *,
        catalogue: Catalogue,
        login_of: Callable[[str], Login | None],
        web_port: int,
        most_pages: int,
        connect_timeout_s: float,
        page_deadline_s: float,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._first = first
        self._client = client
        self._catalogue = catalogue
        self._login_of = login_of
        self._web_port = web_port
        self._connect_timeout_s = connect_timeout_s
        self._page_deadline_s = page_deadline_s
        self._pages = asyncio.Semaphore(most_pages)
        self._wall = wall

    async def identify(self, endpoint: Endpoint) -> Found:
        """Return what answers at an address that accepted a connection."""
        reading, error, data = await self._read(endpoint)
        if isinstance(error, ForeignProtocolError):
            return await self._other_make(endpoint, error) or await self._unidentified(endpoint, error, data)
        info, page_error = await self._page(endpoint)
        if reading is None and (info is None or info.model is None):
            return await self._unidentified(endpoint, error, data)
        is_braiins = reading is not None and (reading.identity.model or "").startswith(_BRAIINS)
        return Found(
            host=endpoint.host,
            port=endpoint.port,
            web_port=self._web_port,
            at=self._wall(),
            kind=Kind.IDENTIFIED,
            reader=None if reading is None else reading.reader,
            make=_BRAIINS if is_braiins else _MAKER,
            reading=reading,
            info=info,
            error=None if error is None else _words(error),
            page_error=page_error,
        )

    async def _read(self, endpoint: Endpoint) -> _Asked:
        """Hold the conversation of a poll, and once more if what failed may pass.

        What accepts a connection and then says nothing is only asked for its version once more, so it costs
        `FIRST_DEADLINE_S` and `GREETING_S` together.
        """
        ear = _Ear()
        try:
            return _Asked(await self._run(self._first, endpoint, lambda: self._poll(endpoint, ear)))
        except _PASSING as error:
            if isinstance(error, UnreachableError) and error.is_refusal:
                return _Asked(error=error)
            if isinstance(error, DeadlineError) and not ear.has_heard:
                data = await self._first_bytes(endpoint)
                foreign = foreign_bytes(data)
                if foreign is not None or not data:
                    return _Asked(error=foreign or error, data=data)
        except PollError as error:
            return _Asked(error=error)
        try:
            return _Asked(await self._run(self._client, endpoint, lambda: self._poll(endpoint, ear)))
        except PollError as error:
            return _Asked(error=error)

    def _poll(self, endpoint: Endpoint, ear: _Ear) -> Generator[bytes, bytes, UnitReading]:
        reader = registry.CHOOSING
        conversation = reader.converse(
            str(endpoint), reader.new_memory(), nameplate=None, slow_every=1, wall=self._wall
        )
        return held_alone((yield from _listening(conversation, ear)), self._catalogue)

    async def _run(self, client: Client, endpoint: Endpoint, begin: Callable[[], Generator[bytes, bytes, T]]) -> T:
        """Hold a conversation, and begin it anew while this process has no socket to spare.

        Raises:
            PollError: It failed.
            LocalResourceError: There was no socket for a long time.
        """
        for _ in range(_MOST_NAPS):
            try:
                return await client.run(endpoint, begin())
            except LocalResourceError:
                await asyncio.sleep(_SOCKETLESS_S)
        return await client.run(endpoint, begin())

    async def _other_make(self, endpoint: Endpoint, error: ForeignProtocolError) -> Found | None:
        """Return what a machine of another make tells of itself; None if that is neither a model nor a bin."""
        questions = QUESTIONS.get(error.speaker)
        if questions is None:
            return None
        for _ in range(ATTEMPTS):
            make, reading, info = await self._run(self._client, endpoint, lambda: questions(str(endpoint), self._wall))
            if reading.identity.model is not None:
                break
        if reading.identity.model is None and reading.hashrate_sale_hs is None:
            return None
        return Found(
            host=endpoint.host,
            port=endpoint.port,
            web_port=self._web_port,
            at=self._wall(),
            kind=Kind.IDENTIFIED,
            make=make,
            reading=reading,
            info=info,
        )

    async def _page(self, endpoint: Endpoint) -> tuple[SystemInfo | None, str | None]:
        """Return a unit's page, or why it was not read; neither for an address that gets no login."""
        login = self._login_of(endpoint.host)
        if login is None:
            return None, None
        failure = "no socket to spare"
        async with self._pages:
            for _ in range(ATTEMPTS):
                try:
                    info = await registry.FETCH_SYSTEM_INFO(
                        Endpoint(endpoint.host, self._web_port),
                        login,
                        connect_timeout_s=self._connect_timeout_s,
                        deadline_s=self._page_deadline_s,
                        cnonce=_cnonce,
                    )
                except LocalResourceError:
                    await asyncio.sleep(_SOCKETLESS_S)
                except PollError as error:
                    failure = _words(error)
                    is_refusal = isinstance(error, UnreachableError) and error.is_refusal
                    if is_refusal or not isinstance(error, _PASSING_PAGE):
                        break
                else:
                    return info, None
        return None, failure

    async def _unidentified(self, endpoint: Endpoint, error: PollError | None, data: bytes | None) -> Found:
        if data is None:
            data = await self._first_bytes(endpoint)
        foreign = error if isinstance(error, ForeignProtocolError) else foreign_bytes(data)
        looks_like = None if foreign is None else foreign.speaker
        if looks_like is None and isinstance(error, RefusedError):
            looks_like = "an API that refuses this address"
        return Found(
            host=endpoint.host,
            port=endpoint.port,
            web_port=self._web_port,
            at=self._wall(),
            kind=Kind.UNIDENTIFIED,
            looks_like=looks_like,
            first_bytes=excerpt(data[:FIRST_BYTES]),
            error="no reply" if error is None else _words(error),
        )

    async def _first_bytes(self, endpoint: Endpoint) -> bytes:
        """Return the beginning of what an address says, by itself or to `version`; empty for nothing."""
        try:
            async with asyncio.timeout(min(GREETING_S, self._page_deadline_s)):
                reader, writer = await asyncio.open_connection(*endpoint, limit=4096)
                try:
                    writer.write(_GREETING)
                    return await reader.read(FIRST_BYTES)
                finally:
                    writer.transport.abort()
        except (TimeoutError, OSError):
            return b""


def _words(error: PollError) -> str:
    return f"{error.reason}: {error}"


def _cnonce() -> str:
    return secrets.token_hex(8)


def _listening(conversation: Generator[bytes, bytes, T], ear: _Ear) -> Generator[bytes, bytes, T]:
    """Pass a conversation through, its first request with a newline, and note whether anything is answered."""
    try:
        request = next(conversation) + _NEWLINE
        while True:
            try:
                reply = yield request
            except (PollError, LocalResourceError) as error:
                request = conversation.throw(error)
            else:
                ear.has_heard = True
                request = conversation.send(reply)
    except StopIteration as over:
        result: T = over.value
        return result
