"""Served farms, a plain HTTP client and digest credentials, for tests of the web pages of units."""

import asyncio
import contextlib
import hashlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from patience import PATIENT_S

from simulators.farm.farm import Farm
from simulators.sockets.api_server import ApiServer
from simulators.sockets.serving import serve_farm
from simulators.sockets.web_server import Limits, WebServer, serve_web
from simulators.unit.unit import Unit

NONCE = "94c359502c746e2694051b4200947255"  # The one in s21plus-stock-202503, http-401-root.


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A farm that is served on the API port and the web port."""

    farm: Farm
    api: ApiServer
    web: WebServer


@contextlib.asynccontextmanager
async def served(farm: Farm, *, limits: Limits | None = None, word: str = "root") -> AsyncIterator[Served]:
    """Serve a farm on free ports."""
    async with (
        serve_farm(farm, port=0) as api,
        serve_web(farm, api, port=0, limits=limits, password=word) as web,
    ):
        yield Served(farm=farm, api=api, web=web)


def md5(text: str) -> str:
    """Return the MD5 of a text in hex."""
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def credentials(path: str, *, method: str = "GET", user: str = "root", word: str = "root", nonce: str = NONCE) -> str:
    """Return the value of an Authorization header, computed as in RFC 2617, section 3.2.2.1."""
    known = md5(f"{user}:antMiner Configuration:{word}")
    asked = md5(f"{method}:{path}")
    response = md5(f"{known}:{nonce}:00000001:0a4f113b:auth:{asked}")
    return (
        f'Digest username="{user}", realm="antMiner Configuration", nonce="{nonce}", uri="{path}", qop=auth, '
        f'nc=00000001, cnonce="0a4f113b", response="{response}"'
    )


def request(
    path: str, *, method: str = "GET", body: bytes = b"", version: str = "1.1", headers: tuple[str, ...] = ()
) -> bytes:
    """Return an authorised request."""
    lines = [f"{method} {path} HTTP/{version}", "Host: unit", f"Authorization: {credentials(path, method=method)}"]
    lines += [f"Content-Length: {len(body)}"] if body or method == "POST" else []
    return "\r\n".join((*lines, *headers, "", "")).encode() + body


async def exchange(host: str, port: int, data: bytes) -> bytes:
    """Send bytes and the end of the stream; return the complete reply."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(data)
        writer.write_eof()
        return await reader.read()
    finally:
        writer.close()


def unchunked(reply: bytes) -> bytes:
    """Return the body of one complete chunked reply."""
    head, _, rest = reply.partition(b"\r\n\r\n")
    assert b"Transfer-Encoding: chunked" in head, head
    body = b""
    while True:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size, 16)
        body, end, rest = body + rest[:length], rest[length : length + 2], rest[length + 2 :]
        assert end == b"\r\n"
        if length == 0:
            assert rest == b""
            return body


async def page(unit: Unit, port: int, name: str) -> bytes:
    """Return the output of a CGI page of a unit."""
    return unchunked(await exchange(unit.identity.host, port, request(f"/cgi-bin/{name}.cgi")))


async def read(unit: Unit, port: int, name: str) -> Any:
    """Return the decoded JSON of a CGI page of a unit."""
    return json.loads(await page(unit, port, name))


async def write(unit: Unit, port: int, name: str, body: bytes) -> Any:
    """Post to a CGI page of a unit and return its decoded answer."""
    data = request(f"/cgi-bin/{name}.cgi", method="POST", body=body)
    return json.loads(unchunked(await exchange(unit.identity.host, port, data)))


async def until(is_so: Callable[[], object]) -> None:
    """Poll until `is_so()` is true; fail after 20 s."""
    async with asyncio.timeout(PATIENT_S):
        while not is_so():  # noqa: ASYNC110 - servers publish no event for their state.
            await asyncio.sleep(0.01)
