"""The gate around pyasic: it sends requests for reports, without a login, to the unit being asked, and nothing else.

pyasic knows commands that change units, and sends factory passwords by itself (Documented (D261)): digest root:root to
pages that look like a stock Antminer's, a POST of ``admin`` to VNish, a gRPC login to Braiins OS. None leaves here:

* the event loop connects to the asked host alone, on `PORTS`, and opens no datagram socket;
* what is written to TCP 4028 and 4433 has to be a command in `COMMANDS`, or several of them joined;
* HTTP is GET of one of `PATHS`, without a query and without credentials;
* with a login of the configuration (`LOGIN`) also that login, word for word, and the reports behind it (`logins`).

A request that is not let through fails as a connection that is refused, which pyasic copes with.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextvars import ContextVar
from typing import Any, Final

import httpx

from agent.unit.foreign.logins import DOORS, Door
from agent.unit.foreign.protocol import MakeLogin

ASKED: Final[ContextVar[str]] = ContextVar("ASKED", default="")
"""The address of the unit that the running task asks; empty for none."""

API_PORT: Final[ContextVar[int]] = ContextVar("API_PORT", default=4028)
"""Where that unit's API is: pyasic knows 4028 alone, and is connected there instead."""

LOGIN: Final[ContextVar[MakeLogin | None]] = ContextVar("LOGIN", default=None)
"""The login that the configuration gives for that unit, once pyasic found it to be of that make; None for none."""

ANSWERED: Final[ContextVar[list[str]]] = ContextVar("ANSWERED")
"""Of the running task: the pages of logins that were answered; a unit that does not answer refused nothing."""

API_PORTS: Final = frozenset({4028, 4433})
PORTS: Final = API_PORTS | {80, 443}
# Documented (D262): the report commands that pyasic 0.79 sends to the makes of this lane.
COMMANDS: Final = frozenset(
    {
        *("version", "summary", "devs", "devdetails", "stats", "estats", "pools", "edevs", "coin"),
        *("status", "get_version", "get_psu", "get_miner_info", "get_error_code", "power"),
        *("get.device.info", "get.miner.status"),
    }
)
# Documented (D262): the pages it reads of these makes: ePIC's on 4028, a Bitaxe's, a Goldshell's.
PATHS: Final = frozenset(
    {
        *("/", "/cgi-bin/luci", "/summary", "/capabilities", "/network"),
        *("/api/system/info", "/api/system/asic", "/mcb/status", "/mcb/setting"),
    }
)
# More than any unit's reply; pyasic reads without a bound.
_LARGEST_REPLY: Final = 1024 * 1024


class Loop(asyncio.SelectorEventLoop):
    """An event loop that connects to the asked unit alone."""

    async def create_connection(self, protocol_factory: Any, host: Any = None, port: Any = None, **options: Any) -> Any:
        """Connect as the base class, to `ASKED` on one of `PORTS`, or on that of its login.

        Raises:
            ConnectionRefusedError: To anything else.
        """
        if not ASKED.get() or host != ASKED.get() or not (port in PORTS or port == _door()[0].port):
            raise ConnectionRefusedError(f"{host}:{port} is not asked")
        port = API_PORT.get() if port == 4028 else port
        return await super().create_connection(protocol_factory, host, port, **options)

    async def create_datagram_endpoint(self, *_: Any, **__: Any) -> Any:
        """Open none.

        Raises:
            ConnectionRefusedError: Always.
        """
        raise ConnectionRefusedError("no datagrams")


class _Bounded(asyncio.StreamReader):
    """A reader that ends a connection on which more comes than any unit's reply."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop=loop)
        self.got = 0
        self.transport: asyncio.Transport | None = None

    def feed_data(self, data: Any) -> None:
        """Take data in."""
        self.got += len(data)
        if self.got > _LARGEST_REPLY:
            self.set_exception(ConnectionResetError("reply too large"))
            if self.transport is not None:
                self.transport.abort()
            return
        super().feed_data(data)


class _Reports(asyncio.StreamWriter):
    """A writer that writes report commands only."""

    def write(self, data: Any) -> None:
        """Write a command, or the length before it.

        Raises:
            ConnectionRefusedError: It is no report.
        """
        if not is_report(bytes(data)):
            self.transport.abort()
            raise ConnectionRefusedError("no report")
        super().write(data)


def is_report(data: bytes) -> bool:
    """Return True for a command in `COMMANDS`, some joined by ``+``, or the four bytes of length that go before."""
    if len(data) == 4 and data.endswith(b"\0\0"):
        return True
    # Documented (D262): on 4433, four bytes of length go before the object.
    body = data if data.startswith(b"{") else data[4:]
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):
        return False
    if not isinstance(asked, dict) or not asked.keys() <= {"command", "cmd", "parameter", "param"}:
        return False
    command = asked.get("command", asked.get("cmd"))
    return isinstance(command, str) and COMMANDS.issuperset(command.split("+"))


async def open_connection(host: Any = None, port: Any = None, **_: Any) -> Any:
    """Return a reader and a writer as `asyncio.open_connection` does, for reports only."""
    loop = asyncio.get_running_loop()
    reader = _Bounded(loop)
    protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
    transport = (await loop.create_connection(lambda: protocol, str(host), port))[0]
    reader.transport = transport
    return reader, _Reports(transport, protocol, reader, loop)


_NO_DOOR: Final = Door(make="", port=0, path="", is_json=False, words={}, method="", reports=frozenset())
_EMPTY_BODIES: Final = frozenset({b"", b"{}"})


def _door() -> tuple[Door, MakeLogin]:
    """Return the door that is open for the running task, and the login for it; a door that nothing fits if none is."""
    login = LOGIN.get()
    return (_NO_DOOR, MakeLogin("", "", "")) if login is None else (DOORS.get(login.make, _NO_DOOR), login)


def refusal(method: str, url: httpx.URL, headers: httpx.Headers, body: bytes = b"") -> str | None:
    """Return why an HTTP request is not sent; None if it may be."""
    door, login = _door()
    if url.query or url.userinfo or headers.get("cookie"):
        return f"{url.path} is not read with a query, a login in the address or a cookie"
    if (url.port or 80) == door.port and _is_behind(door, login, method, url.path, body):
        return None
    if method != "GET":
        return f"{method} is not sent"
    if headers.get("authorization") or headers.get("token"):
        return "no login is sent"
    return None if url.path in PATHS else f"{url.path} is not read"


def _is_behind(door: Door, login: MakeLogin, method: str, path: str, body: bytes) -> bool:
    """Return True for the login of a door, or for a report behind it."""
    if path == door.path:
        return method == "POST" and _is_login(door, login, body)
    return method == door.method and path in door.reports and body in _EMPTY_BODIES


def _is_login(door: Door, login: MakeLogin, body: bytes) -> bool:
    """Return True if a body is this login with this user and password, and nothing else."""
    named = {name: word.format(user=login.user, password=login.password) for name, word in door.words.items()}
    try:
        return bool((json.loads(body) if door.is_json else dict(httpx.QueryParams(body.decode()))) == named)
    except (ValueError, RecursionError):
        return False


class _BoundedPage(httpx.AsyncByteStream):
    """A page's body that ends with an error where it is longer than any unit's."""

    def __init__(self, body: httpx.AsyncByteStream) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        got = 0
        async for part in self._body:
            got += len(part)
            if got > _LARGEST_REPLY:
                raise httpx.ReadError("page too large")
            yield part

    async def aclose(self) -> None:
        """Close the connection behind it."""
        await self._body.aclose()


async def bounded(response: httpx.Response) -> httpx.Response:
    """Return a response whose body is bounded: httpx reads a page whole, whatever its length.

    Raises:
        httpx.ReadError: The body is compressed, so that a short one may become a long one. It was not asked for.
    """
    body = response.stream
    if response.headers.get("content-encoding", "identity") != "identity" or not isinstance(
        body, httpx.AsyncByteStream
    ):
        await response.aclose()
        raise httpx.ReadError("compressed page")
    response.stream = _BoundedPage(body)
    return response


def shut() -> None:
    """Let nothing but reports out of this process, whatever sends it."""
    send = httpx.AsyncHTTPTransport.handle_async_request

    async def guarded(self: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
        why = refusal(request.method, request.url, request.headers, await request.aread())
        if why is not None:
            raise httpx.ConnectError(why, request=request)
        request.headers["accept-encoding"] = "identity"
        response = await bounded(await send(self, request))
        if request.url.path == _door()[0].path:
            ANSWERED.get().append(request.url.path)
        return response

    httpx.AsyncHTTPTransport.handle_async_request = guarded  # type: ignore[method-assign]
    asyncio.open_connection = open_connection
