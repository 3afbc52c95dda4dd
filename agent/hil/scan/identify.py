"""The second stage of a scan: what an address is that accepted a connection.

The conversation is that of a poll, and the page that of the identity checks, so a scan asks for nothing that the agent
does not ask for. Neither changes a unit.
"""

import asyncio
import secrets
import time
from collections.abc import Callable
from typing import Final

import msgspec

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
from agent.unit import registry
from agent.unit.cgminer import wire
from agent.unit.cgminer.client import Client
from agent.unit.cgminer.foreign import foreign_bytes
from agent.unit.consistency.alone import held_alone
from agent.unit.digest import Login
from agent.unit.nameplate import Catalogue
from agent.unit.reading import SystemInfo, UnitReading

CONNECT_TIMEOUT_S: Final = 4.0
"""Three of the kernel's packets to begin a connection: at once, after one second and after three."""
DEADLINE_S: Final = 8.0
ATTEMPTS: Final = 2
GREETING_S: Final = 2.0
FIRST_BYTES: Final = 120

_MAKER: Final = "Bitmain"
_SOCKETLESS_S: Final = 0.05
_MOST_NAPS: Final = 200
# These may pass: a lost packet, a unit that another client occupies, or a process that is late.
_PASSING: Final = (UnreachableError, DeadlineError, DisconnectedError, StalledReplyError)
_PASSING_PAGE: Final = (UnreachableError, DisconnectedError)
_VERSION: Final = wire.encode_request("version")


class Identifier:
    """Identifies one address after the other, several at once.

    Args:
        client: Holds the conversations.
        catalogue: The known models.
        login_of: Returns the login for the pages of an address; None to leave them alone.
        web_port: The port of the pages.
        most_pages: Pages read at once.
        connect_timeout_s: Time allowed for connecting to a page.
        page_deadline_s: Time allowed for a page, connecting included.
        wall: Unix time, s.
    """

    def __init__(
        self,
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
        reading, error = await self._read(endpoint)
        if isinstance(error, ForeignProtocolError):
            return await self._unidentified(endpoint, error)
        info, page_error = await self._page(endpoint)
        if reading is None and (info is None or info.model is None):
            return await self._unidentified(endpoint, error)
        return Found(
            host=endpoint.host,
            port=endpoint.port,
            web_port=self._web_port,
            at=self._wall(),
            kind=Kind.IDENTIFIED,
            reader=None if reading is None else reading.reader,
            make=_MAKER,
            reading=reading,
            info=info,
            error=None if error is None else _words(error),
            page_error=page_error,
        )

    async def _read(self, endpoint: Endpoint) -> tuple[UnitReading | None, PollError | None]:
        reader = registry.CHOOSING
        failure: PollError | None = None
        attempts = naps = 0
        while attempts < ATTEMPTS:
            attempts += 1
            conversation = reader.converse(
                str(endpoint), reader.new_memory(), nameplate=None, slow_every=1, wall=self._wall
            )
            try:
                reading = await self._client.run(endpoint, conversation)
                return held_alone(reading, self._catalogue), None
            except LocalResourceError:
                # A shortage here is no attempt.
                attempts, naps = attempts - 1, naps + 1
                if naps > _MOST_NAPS:
                    raise
                await asyncio.sleep(_SOCKETLESS_S)
            except _PASSING as error:
                failure = error
                if isinstance(error, UnreachableError) and error.is_refusal:
                    break
            except PollError as error:
                return None, error
        return None, failure

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

    async def _unidentified(self, endpoint: Endpoint, error: PollError | None) -> Found:
        data = await _first_bytes(endpoint)
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


def _words(error: PollError) -> str:
    return f"{error.reason}: {error}"


def _cnonce() -> str:
    return secrets.token_hex(8)


async def _first_bytes(endpoint: Endpoint) -> bytes:
    """Return the beginning of what an address says, by itself or to `version`; empty for nothing."""
    try:
        async with asyncio.timeout(GREETING_S):
            reader, writer = await asyncio.open_connection(*endpoint, limit=4096)
            try:
                writer.write(_VERSION)
                return await reader.read(FIRST_BYTES)
            finally:
                writer.transport.abort()
    except (TimeoutError, OSError):
        return b""


def as_row(found: Found, *, has_pool_users: bool = False) -> dict[str, object]:
    """Return a find as a row of JSON, in base units; users of pools only if they are asked for."""
    row: dict[str, object] = {
        "host": found.host,
        "port": found.port,
        "at": found.at,
        "kind": found.kind,
        "make": found.make,
        "model": found.model,
        "firmware": found.firmware,
        "firmware_line": found.firmware_line,
        "reader": found.reader,
        "mac": None if found.info is None else found.info.mac,
        "serial": None if found.info is None else found.info.serial,
        "looks_like": found.looks_like,
        "first_bytes": found.first_bytes or None,
        "error": found.error,
        "page_error": found.page_error,
    }
    if found.reading is not None:
        row["reading"] = msgspec.to_builtins(_private(found.reading, has_pool_users=has_pool_users))
    return row


def _private(reading: UnitReading, *, has_pool_users: bool) -> UnitReading:
    pools = tuple(
        msgspec.structs.replace(pool, user=pool.user if has_pool_users else None, url=_without_user(pool.url))
        for pool in reading.pools
    )
    return msgspec.structs.replace(reading, pools=pools)


def _without_user(url: str | None) -> str | None:
    """Return a pool's URL without a user and password in it."""
    if url is None or "@" not in url:
        return url
    scheme, separator, rest = url.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}" if separator else rest or url.rpartition("@")[2]
