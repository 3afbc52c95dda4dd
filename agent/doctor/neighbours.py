"""Facts about other programs: the agent's own port, brokers, Prometheus, Alertmanager, and units if asked for."""

import asyncio
import http.client
import os
import socket
import ssl
from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec

from agent.doctor.facts import Answered, Neighbour, Port, Target
from agent.exporters.mqtt.links import Link
from agent.site.ledger.entries import LedgerEntry
from agent.standby.watch import SITE_HEADER
from agent.tls import client_context

WAIT_S = 3.0
UNITS_TRIED = 20
"""Units that are tried, spread over the ledger; one connection each, without a byte."""
MAX_ANSWER_BYTES = 16 << 20
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
READY, HEALTHY, TARGETS = "/readyz", "/-/healthy", "/api/v1/targets?state=active"


class _Said(NamedTuple):
    status: int
    body: bytes
    site: str | None
    server: str | None


async def try_units(entries: Sequence[LedgerEntry]) -> Answered:
    """Open and close a connection to some units."""
    tried = min(UNITS_TRIED, len(entries))
    some = [entries[number * len(entries) // tried] for number in range(tried)]
    results = await asyncio.gather(*(_connects(entry.host, entry.port) for entry in some))
    silent = [entry.host for entry, result in zip(some, results, strict=True) if result == "silent"]
    return Answered(
        len(some), results.count("connected"), results.count("refused"), len(silent), silent[0] if silent else ""
    )


async def _connects(host: str, port: int) -> str:
    try:
        async with asyncio.timeout(WAIT_S):
            _, writer = await asyncio.open_connection(host, port)
    except ConnectionRefusedError:
        return "refused"
    except (OSError, TimeoutError):
        return "silent"
    writer.close()
    return "connected"


async def try_brokers(links: Sequence[Link]) -> list[Neighbour]:
    """Open and close a connection to each broker; what it lets the agent do, `hashsight mqtt check` tests."""
    return [await _broker(link) for link in links]


async def _broker(link: Link) -> Neighbour:
    name = f"broker {link.name} at {link}"
    try:
        async with asyncio.timeout(WAIT_S):
            _, writer = await asyncio.open_connection(link.host, link.port, ssl=link.tls)
    except TimeoutError:
        return Neighbour(name, f"no answer within {WAIT_S:g} s")
    except (OSError, ssl.SSLError) as error:
        return Neighbour(name, _words(error))
    writer.close()
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(WAIT_S):
            await writer.wait_closed()
    return Neighbour(name, note="takes a connection; `hashsight mqtt check` tests login and access list")


async def ask_prometheus(url: str, host: str, port: int) -> tuple[Neighbour, Target | None]:
    """Ask Prometheus if it lives, and what it thinks of the agent that listens here."""
    neighbour = await ask_health("Prometheus", url)
    if neighbour.trouble:
        return neighbour, None
    try:
        said = await asyncio.to_thread(_get, url, TARGETS)
    except (OSError, http.client.HTTPException) as error:
        return neighbour._replace(trouble=f"it does not list its targets: {_words(error)}"), None
    if said.status != 200:
        return neighbour._replace(trouble=f"it does not list its targets: HTTP {said.status}"), None
    try:
        answer = msgspec.json.decode(said.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return neighbour._replace(trouble="it does not list its targets: its answer is not JSON"), None
    is_here = urlsplit(url).hostname in _LOOPBACK
    return neighbour, find_target(answer, port, {host, socket.gethostname(), *(_LOOPBACK if is_here else ())})


def find_target(answer: Any, port: int, own: Collection[str]) -> Target | None:
    """Return what an answer of Prometheus says about the target at a port; None without one.

    Args:
        answer: The list of its targets.
        port: The port of this machine's agent.
        own: Names and addresses of this machine. A target under another name counts only if no other has the port:
            agents of several sites listen on the same one.
    """
    data = answer.get("data") if isinstance(answer, dict) else None
    targets = data.get("activeTargets") if isinstance(data, dict) else None
    found: list[tuple[str, Target]] = []
    for each in targets if isinstance(targets, list) else []:
        with suppress(AttributeError, TypeError, ValueError):
            address = urlsplit(each.get("scrapeUrl", ""))
            if address.port == port:
                target = Target(str(each.get("health", "unknown")), str(each.get("lastError", "")))
                found.append((address.hostname or "", target))
    here = [target for host, target in found if host in own]
    if here:
        return next((target for target in here if target.health == "down"), here[0])
    if len(found) > 1:
        return Target("unknown", f"{len(found)} targets have its port, none under a name of this machine")
    return found[0][1] if found else None


async def ask_health(name: str, url: str) -> Neighbour:
    """Ask Prometheus or Alertmanager if it lives."""
    named = f"{name} at {url}"
    try:
        said = await asyncio.to_thread(_get, url, HEALTHY)
    except (OSError, http.client.HTTPException) as error:
        return Neighbour(named, _words(error))
    return Neighbour(named) if said.status == 200 else Neighbour(named, f"answers with HTTP {said.status}")


async def look_at_port(host: str, port: int, url: str, tls: ssl.SSLContext | None) -> Port:
    """Try to bind the agent's address; if it is taken, ask who has it."""
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    trouble = _binding_trouble(host, port)
    if not trouble:
        return Port(address)
    try:
        said = await asyncio.to_thread(_get, url, READY, tls)
    except (OSError, http.client.HTTPException):
        return Port(address, trouble)
    if said.site is None:
        return Port(address, trouble, wants_login=said.status == 401 and said.server == "hashsight")
    words = said.body[:200].decode("utf-8", "replace").strip()
    return Port(address, trouble, agent=said.site, readiness=words, is_ready=said.status == 200)


def _binding_trouble(host: str, port: int) -> str:
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as trial:
            # As the agent's own server does: a port whose last connections still linger is free.
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind((host, port))
            trial.listen(1)
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _get(url: str, path: str, tls: ssl.SSLContext | None = None) -> _Said:
    """Return an answer; at most `WAIT_S` for each step of it."""
    address = urlsplit(url)
    host = address.hostname or ""
    if address.scheme == "https":
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            host, address.port, timeout=WAIT_S, context=tls or client_context()
        )
    else:
        connection = http.client.HTTPConnection(host, address.port, timeout=WAIT_S)
    try:
        connection.request("GET", address.path.rstrip("/") + path)
        response = connection.getresponse()
        head = response.headers
        return _Said(response.status, response.read(MAX_ANSWER_BYTES), head.get(SITE_HEADER), head.get("Server"))
    finally:
        connection.close()


def _words(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {WAIT_S:g} s"
    if isinstance(error, OSError) and error.errno is not None and error.errno > 0:
        # The event loop's own words name the address once more.
        return os.strerror(error.errno)
    return str(error) or type(error).__name__
