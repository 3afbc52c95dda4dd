"""Web configuration files, servers behind a door, and clients that knock, for tests."""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import bcrypt
from web_site import source

from agent.exporters.web import server as web
from agent.exporters.web.bearer import Token
from agent.exporters.web.door.door import Door
from agent.exporters.web.door.passwords import Passwords
from agent.exporters.web.door.web_file import read_web_file

TOKEN = Token(text="operators-0123456789")
VIEWER_TOKEN = Token(text="viewers-0123456789")
# The cheapest cost that bcrypt has.
HASHES = {name: bcrypt.hashpw(f"{name}'s".encode(), bcrypt.gensalt(4)).decode() for name in ("anna", "ben")}
USERS = "basic_auth_users:\n" + "".join(f"  {name}: {hashed}\n" for name, hashed in HASHES.items())


class Clock:
    """A clock that the test sets."""

    def __init__(self, at: float = 1000.0) -> None:
        self.at = at

    def __call__(self) -> float:
        """Return the time."""
        return self.at


class Answer(NamedTuple):
    """What a server answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def basic(user: str, password: str) -> str:
    """Return the value of an Authorization header."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def written(folder: Path, text: str) -> Path:
    """Write a web configuration file."""
    path = folder / "web.yml"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return path


@asynccontextmanager
async def served(path: Path | None, **changes: Any) -> AsyncIterator[int]:
    """Serve a small site behind a door; yield the port."""
    clock = changes.pop("clock", Clock())
    passwords = Passwords(clock, **changes.pop("passwords", {}))
    door = Door(
        None if path is None else read_web_file(path),
        operators=lambda: ("anna",),
        token=lambda: TOKEN,
        viewer_token=lambda: VIEWER_TOKEN,
        clock=clock,
        passwords=passwords,
    )
    async with web.serve(source(door=door, **changes), "127.0.0.1", 0) as (_, port):
        yield port


async def ask(
    port: int,
    path: str = "/healthz",
    *,
    method: str = "GET",
    tls: ssl.SSLContext | None = None,
    **headers: str,
) -> Answer:
    """Return the answer to one request on a connection of its own; `_` in names of headers is `-`."""
    host = None if tls is None else "localhost"
    # Without a limit: uvloop's own TLS client loses what it holds back when the server closes.
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname=host, limit=1 << 26)
    try:
        lines = [f"{method} {path} HTTP/1.1", "Connection: close", *(() if "Host" in headers else ("Host: localhost",))]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        writer.write("\r\n".join((*lines, "", "")).encode())
        reply = await reader.read()
    finally:
        writer.close()
    head, _, body = reply.partition(b"\r\n\r\n")
    first, *rest = head.decode().split("\r\n")
    if not first:
        raise ConnectionResetError("no answer")
    return Answer(int(first.split()[1]), dict(line.split(": ", 1) for line in rest), body)
