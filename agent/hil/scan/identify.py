"""The second stage of a scan: what an address is that accepted a connection.

The conversation is that of a poll, and the page that of the identity checks. What these do not name is asked for some
more reports or pages (`makes`). None of it changes a unit.

    conversation --read------------------------> page ---------------> identified
         |   '-- another make: its reports ----> model or bin -------> identified
         |                                       nothing ------------> not identified, first bytes
         '-- silent: `version` once more ------> nothing, or foreign -> not identified, first bytes
"""

import asyncio
import time
from collections.abc import Callable, Generator
from typing import Final, NamedTuple

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
from agent.hil.scan.conversing import GREETING, GREETING_S, SOCKETLESS_S, Clients, Ear, listening, run
from agent.hil.scan.found import Found, Kind
from agent.hil.scan.makes.table import QUESTIONS
from agent.unit import registry
from agent.unit.cgminer.client import ask
from agent.unit.cgminer.foreign import foreign_bytes
from agent.unit.consistency.alone import held_alone
from agent.unit.login import Login
from agent.unit.nameplate import Catalogue
from agent.unit.reading import SystemInfo, UnitReading

ATTEMPTS: Final = 2
FIRST_BYTES: Final = 120

_MAKER, _BRAIINS = "Bitmain", "Braiins"
# These may pass: a lost packet, a unit that another client occupies, or a process that is late.
_PASSING: Final = (UnreachableError, DeadlineError, DisconnectedError, StalledReplyError)
_PASSING_PAGE: Final = (UnreachableError, DisconnectedError)


class _Asked(NamedTuple):
    """Result of a unit's conversation: its reading, or why there is none, and its first bytes if they are known."""

    reading: UnitReading | None = None
    error: PollError | None = None
    data: bytes | None = None


class Identifier:
    """Identifies one address after the other, several at once.

    Args:
        clients: Hold the conversations.
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
        clients: Clients,
        *,
        catalogue: Catalogue,
        login_of: Callable[[str], Login | None],
        web_port: int,
        most_pages: int,
        connect_timeout_s: float,
        page_deadline_s: float,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._clients = clients
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
        ear = Ear()
        try:
            return _Asked(await run(self._clients.first, endpoint, lambda: self._poll(endpoint, ear)))
        except _PASSING as error:
            if isinstance(error, UnreachableError) and error.is_refusal:
                return _Asked(error=error)
            if isinstance(error, DeadlineError) and not ear.has_heard:
                silent = await self._silent(endpoint, error)
                if silent is not None:
                    return silent
        except PollError as error:
            return _Asked(error=error)
        try:
            return _Asked(await run(self._clients.later, endpoint, lambda: self._poll(endpoint, ear)))
        except PollError as error:
            return _Asked(error=error)

    async def _silent(self, endpoint: Endpoint, error: PollError) -> _Asked | None:
        """Greet what accepted and said nothing; return what came of it, or None if it answers as a unit may."""
        try:
            data = await run(self._clients.greeting, endpoint, lambda: ask(GREETING))
        except ForeignProtocolError as another:
            return _Asked(error=another)
        except PollError:
            return _Asked(error=error, data=b"")
        foreign = foreign_bytes(data)
        return None if foreign is None else _Asked(error=foreign, data=data[:FIRST_BYTES])

    def _poll(self, endpoint: Endpoint, ear: Ear) -> Generator[bytes, bytes, UnitReading]:
        reader = registry.CHOOSING
        conversation = reader.converse(
            str(endpoint), reader.new_memory(), nameplate=None, slow_every=1, wall=self._wall
        )
        return held_alone((yield from listening(conversation, ear)), self._catalogue)

    async def _other_make(self, endpoint: Endpoint, error: ForeignProtocolError) -> Found | None:
        """Return what a machine of another make tells of itself; None if that is neither a model nor a bin."""
        questions = QUESTIONS.get(error.speaker)
        if questions is None:
            return None
        for _ in range(ATTEMPTS):
            told = await run(self._clients.later, endpoint, lambda: questions(str(endpoint), self._wall))
            reading = told.reading
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
            reader=told.reader,
            make=told.make,
            reading=reading,
            info=told.info,
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
                    )
                except LocalResourceError:
                    await asyncio.sleep(SOCKETLESS_S)
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
                    writer.write(GREETING)
                    return await reader.read(FIRST_BYTES)
                finally:
                    writer.transport.abort()
        except (TimeoutError, OSError):
            return b""


def _words(error: PollError) -> str:
    return f"{error.reason}: {error}"
