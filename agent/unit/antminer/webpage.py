"""A unit's identity from its own web page, ``get_system_info.cgi``, behind digest authentication.

One GET, sent twice because the first is answered with 401; nothing here can change a unit. Observed (O64, O66):
s21plus-stock-202503, http-401-root and http-get_system_info. Every reply is bounded in size, and one deadline covers
the whole exchange.
"""

import asyncio
import errno
import re
from typing import Any, Final, NamedTuple

import msgspec

from agent.address import Endpoint, parse_mac
from agent.errors import (
    DeadlineError,
    DisconnectedError,
    LocalResourceError,
    MalformedReplyError,
    PollError,
    RefusedError,
    UnreachableError,
    UnsupportedReplyError,
    excerpt,
)
from agent.unit.digest import authorization
from agent.unit.login import Login
from agent.unit.reading import SystemInfo

# Documented (D66): the login of every new unit.
FACTORY_LOGIN: Final = Login(user="root", password="root")  # noqa: S106  no secret of ours
SYSTEM_INFO: Final = "/cgi-bin/get_system_info.cgi"
MAX_HEAD_BYTES: Final = 8 * 1024
# Observed (O67): 439 bytes, s21plus-stock-202503.
MAX_BODY_BYTES: Final = 16 * 1024
# Observed (O66): a few; each costs a turn of the parser, so 16,000 of one byte would hold the event loop.
MAX_CHUNKS: Final = 64
MAX_TEXT_CHARS: Final = 64

_STATUS_LINE = re.compile(r"HTTP/1\.[01] ([1-5][0-9]{2})(?: .*)?")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;.*)?\r\n", re.DOTALL)
# A shortage of local ports, descriptors or memory says nothing about the unit.
_OWN_FAULTS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL})


class _Response(NamedTuple):
    status: int
    challenges: tuple[str, ...]
    body: bytes
    is_last: bool


async def fetch_system_info(
    endpoint: Endpoint, login: Login, *, connect_timeout_s: float, deadline_s: float
) -> SystemInfo:
    """Return the identity on one unit's page.

    Args:
        endpoint: Address and port of the unit's web pages.
        login: User and password for digest authentication.
        connect_timeout_s: Time allowed for connecting alone.
        deadline_s: Time allowed for everything, connecting included.

    Raises:
        PollError: The page could not be read; `RefusedError` for a wrong password.
        LocalResourceError: This process has no socket to spare.
    """
    connection = _Connection(endpoint, connect_timeout_s)
    try:
        async with asyncio.timeout(deadline_s):
            response = await connection.get(SYSTEM_INFO)
            if response.status == 401:
                url = f"http://{endpoint}{SYSTEM_INFO}"
                answer = await authorization(response.challenges, login, method="GET", url=url)
                if answer is None:
                    raise UnsupportedReplyError(f"{endpoint} requires an authentication other than digest with a qop")
                response = await connection.get(SYSTEM_INFO, authorization=answer)
    except TimeoutError as error:
        raise DeadlineError(f"no complete page within {deadline_s:g} s") from error
    finally:
        connection.close()
    if response.status == 401:
        raise RefusedError(f"{endpoint} rejected the user or password", code=401)
    if response.status == 404:
        raise UnsupportedReplyError(f"{endpoint} has no {SYSTEM_INFO}")
    if response.status != 200:
        raise RefusedError(f"{endpoint} answered {response.status}", code=response.status)
    return read_system_info(response.body)


class PageKeys(NamedTuple):
    """Keys of `get_system_info.cgi`."""

    model: str = "minertype"
    firmware: str = "system_filesystem_version"
    mac: str = "macaddr"
    serial: str = "serinum"


_KEYS: Final = PageKeys()
KEYS_READ: Final = frozenset(_KEYS)
"""Every key of the page that is read."""


def read_system_info(body: bytes) -> SystemInfo:
    """Return the identity in a page; white space before the JSON is ignored.

    Raises:
        MalformedReplyError: It is not a JSON object; during a restart a page may be cut off.
    """
    try:
        page = msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedReplyError(f"page is not a JSON object: {excerpt(body)!r}") from error
    return SystemInfo(
        model=_text(page.get(_KEYS.model)),
        firmware=_text(page.get(_KEYS.firmware)),
        mac=_mac(page.get(_KEYS.mac)),
        serial=_text(page.get(_KEYS.serial)),
    )


def _text(value: object) -> str | None:
    """Return a printable text of 1 to `MAX_TEXT_CHARS` characters, stripped; None for anything else."""
    if not isinstance(value, str):
        return None
    text = value.strip()
    return text if 0 < len(text) <= MAX_TEXT_CHARS and text.isprintable() else None


def _mac(value: object) -> str | None:
    text = _text(value)
    try:
        return parse_mac(text) if text else None
    except ValueError:
        return None


class _ClosedError(DisconnectedError):
    """The connection closed before the first byte of a page."""


class _Connection:
    """One connection to a unit, opened on demand, and again if the unit closed it between two requests."""

    def __init__(self, endpoint: Endpoint, connect_timeout_s: float) -> None:
        self._endpoint = endpoint
        self._connect_timeout_s = connect_timeout_s
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def get(self, path: str, *, authorization: str | None = None) -> _Response:
        is_reused = self._streams is not None
        try:
            response = await self._ask(path, authorization)
        except _ClosedError:
            if not is_reused:
                raise
            # A server may close a connection without having announced it.
            self.close()
            response = await self._ask(path, authorization)
        if response.is_last:
            self.close()
        return response

    async def _ask(self, path: str, authorization: str | None) -> _Response:
        reader, writer = self._streams or await self._open()
        lines = [f"GET {path} HTTP/1.1", f"Host: {self._endpoint}", "Accept: application/json"]
        if authorization is not None:
            lines += [f"Authorization: {authorization}", "Connection: close"]
        writer.write("\r\n".join((*lines, "", "")).encode("utf-8", "surrogatepass"))
        try:
            return await _read_response(reader)
        except asyncio.IncompleteReadError as error:
            if not error.partial:
                raise _ClosedError("closed without a page") from error
            raise DisconnectedError(f"closed after {len(error.partial)} bytes, in mid-page") from error
        except asyncio.LimitOverrunError as error:
            raise MalformedReplyError(f"a line or header of more than {MAX_HEAD_BYTES} bytes") from error
        except OSError as error:
            raise _ClosedError(f"reset: {errno.errorcode.get(error.errno or 0, '?')}") from error

    def close(self) -> None:
        if self._streams is not None:
            # Unsent bytes do not matter: the response has been read or given up.
            self._streams[1].transport.abort()
            self._streams = None

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        # asyncio's timeouts and the kernel's ETIMEDOUT raise the same exception, and mean the same here.
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                self._streams = await asyncio.open_connection(*self._endpoint, limit=MAX_HEAD_BYTES)
        except TimeoutError as error:
            raise UnreachableError(f"{self._endpoint} did not accept within {self._connect_timeout_s:g} s") from error
        except OSError as error:
            name = errno.errorcode.get(error.errno or 0, str(error))
            if error.errno in _OWN_FAULTS:
                raise LocalResourceError(name) from error
            is_refusal = error.errno == errno.ECONNREFUSED
            raise UnreachableError(f"{self._endpoint}: {name}", is_refusal=is_refusal) from error
        return self._streams


async def _read_response(reader: asyncio.StreamReader) -> _Response:
    """Read one response.

    Raises:
        PollError: It is not HTTP, or larger than a page may be.
        IncompleteReadError: It ended too early.
        LimitOverrunError: Its header, or a line, exceeds `MAX_HEAD_BYTES`.
    """
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    status = _STATUS_LINE.fullmatch(first)
    if status is None:
        raise MalformedReplyError(f"not HTTP: {excerpt(head)!r}")
    pairs = [(name.strip().lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    headers = dict(pairs)
    length = headers.get("content-length")
    is_last = headers.get("connection", "").lower() == "close" or first.startswith("HTTP/1.0")
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = await _read_chunks(reader)
    elif length is None:
        body = await _read_to_end(reader)
        is_last = True
    elif re.fullmatch(r"[0-9]{1,9}", length) and int(length) <= MAX_BODY_BYTES:
        body = await reader.readexactly(int(length))
    else:
        raise MalformedReplyError(f"Content-Length is {length[:40]!r}, at most {MAX_BODY_BYTES} is allowed")
    challenges = tuple(value for name, value in pairs if name == "www-authenticate")
    return _Response(int(status[1]), challenges, body, is_last)


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    chunks = 0
    while size := _read_chunk_size(await reader.readuntil(b"\r\n")):
        chunks += 1
        if len(body) + size > MAX_BODY_BYTES:
            raise _too_large()
        if chunks > MAX_CHUNKS:
            raise MalformedReplyError(f"page comes in more than {MAX_CHUNKS} chunks")
        body += await reader.readexactly(size)
        if await reader.readexactly(2) != b"\r\n":
            raise MalformedReplyError("a chunk is longer than its stated size")
    # Observed (O66): no trailers, so the next line is the empty one that ends the page.
    await reader.readuntil(b"\r\n")
    return bytes(body)


def _read_chunk_size(line: bytes) -> int:
    size = _CHUNK_SIZE.fullmatch(line)
    if size is None:
        raise MalformedReplyError(f"not a chunk size: {excerpt(line)!r}")
    return int(size[1], 16)


async def _read_to_end(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    while chunk := await reader.read(MAX_BODY_BYTES):
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise _too_large()
    return bytes(body)


def _too_large() -> PollError:
    return MalformedReplyError(f"page is larger than {MAX_BODY_BYTES} bytes")
