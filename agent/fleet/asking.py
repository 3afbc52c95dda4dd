"""Questions to agents over HTTP: one deadline over everything, bounded answers, nothing followed."""

import asyncio
import os
import socket
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from agent.fleet.names import Resolver
from agent.fleet.report import Report, read_report
from agent.fleet.setup import Site
from agent.fleet.troubles import SiteError, Trouble

SITE_PATH = "/api/v1/site"
# Nearly three times the answer of a site of 20,000 units in 500 racks. Longer ones of eight hostile agents at once
# would take this process beyond 100 MB.
MAX_ANSWER_BYTES = 2 << 20
# Answers of this many agents are under way at once: a bound on memory, whatever they send.
MAX_IN_FLIGHT = 8
# The kernel doubles it. Without a limit it takes up to 6 MB of an answer that no viewer reads.
RECEIVE_BUFFER_BYTES = 256 * 1024


@asynccontextmanager
async def session(*, connections: int) -> AsyncIterator[aiohttp.ClientSession]:
    """Yield a client: no proxy, no cookies, nothing decompressed (a compressed answer can expand a thousandfold).

    Args:
        connections: Limit of open connections.
    """
    connector = aiohttp.TCPConnector(
        limit=connections, ttl_dns_cache=60, resolver=Resolver(), socket_factory=_new_socket
    )
    async with aiohttp.ClientSession(
        connector=connector,
        trust_env=False,
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=("User-Agent",),
        headers={"User-Agent": "hashsight-fleet"},
    ) as client:
        yield client


def _new_socket(address: tuple[Any, ...]) -> socket.socket:
    """Return a socket for an address as look-ups give it."""
    family, kind, protocol, *_ = address
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
    return made


async def ask(client: aiohttp.ClientSession, site: Site, url: str, *, deadline_s: float) -> Report:
    """Return what an agent says of its site.

    Args:
        client: From `session`.
        site: The site.
        url: The agent's address, one of the site's.
        deadline_s: Time for the whole answer, connecting included.

    Raises:
        SiteError: It gave no answer that counts.
    """
    try:
        async with (
            asyncio.timeout(deadline_s),
            client.get(
                url + SITE_PATH,
                # Compressed, the answer of a site of 6,000 units takes a tenth: over a tunnel that counts.
                headers=request_headers(site, {"Accept": "application/json", "Accept-Encoding": "gzip"}),
                allow_redirects=False,
                ssl=site.tls,
                timeout=aiohttp.ClientTimeout(total=None),
            ) as response,
        ):
            check_head(response)
            if response.status != 200:
                raise SiteError(Trouble.STATUS, f"HTTP {response.status}")
            body = await _read(response)
    except TimeoutError as error:
        raise SiteError(Trouble.SLOW, f"no whole answer within {deadline_s:g} s") from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise broken(error) from error
    return read_report(body, site=site.section.reported_name)


async def _read(response: aiohttp.ClientResponse) -> bytearray:
    """Return an answer's body, unpacked; neither what arrives nor what it unpacks to exceeds the limit."""
    if (response.content_length or 0) > MAX_ANSWER_BYTES:
        raise SiteError(Trouble.TOO_LARGE, f"{response.content_length:,} bytes")
    coding = response.headers.get("Content-Encoding", "identity").lower()
    if coding not in {"identity", "gzip"}:
        raise SiteError(Trouble.NONSENSE, f"an answer in the coding {coding}, which was not asked for")
    unpack = zlib.decompressobj(zlib.MAX_WBITS | 16) if coding == "gzip" else None
    body, arrived = bytearray(), 0
    async for chunk in response.content.iter_any():
        arrived += len(chunk)
        try:
            body += chunk if unpack is None else unpack.decompress(chunk, MAX_ANSWER_BYTES + 1 - len(body))
        except zlib.error as error:
            raise SiteError(Trouble.NONSENSE, "not gzip") from error
        if max(arrived, len(body)) > MAX_ANSWER_BYTES:
            raise SiteError(Trouble.TOO_LARGE, f"more than {MAX_ANSWER_BYTES >> 20} MiB")
    if unpack is not None and not unpack.eof:
        raise SiteError(Trouble.NONSENSE, "cut short")
    return body


def request_headers(site: Site, headers: dict[str, str]) -> dict[str, str]:
    """Return headers of a request with the fleet's own credentials for a site."""
    return headers if site.credentials is None else {**headers, "Authorization": site.credentials}


def check_head(response: aiohttp.ClientResponse) -> None:
    """Raise unless the answer comes from something that lets us in.

    Raises:
        SiteError: It wants a login, or sends elsewhere.
    """
    if response.status in {401, 403}:
        raise SiteError(Trouble.CREDENTIALS, f"HTTP {response.status}: check user, password_file or token_file")
    if 300 <= response.status < 400 and response.status != 304:
        raise SiteError(Trouble.REDIRECT, f"HTTP {response.status} to {response.headers.get('Location', 'nowhere')}")


def broken(error: Exception) -> SiteError:
    """Return why a connection could not be made or broke."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return SiteError(Trouble.CERTIFICATE, str(error.certificate_error))
    if isinstance(error, aiohttp.ClientSSLError):
        return SiteError(Trouble.CERTIFICATE, f"no TLS connection: {error}")
    if isinstance(error, aiohttp.ClientResponseError):
        return SiteError(Trouble.NONSENSE, "not HTTP as this program reads it")
    if isinstance(error, aiohttp.ClientConnectorError):
        # The error's own text repeats the address and the TLS settings. Lookups have numbers of their own.
        cause, is_lookup = error.os_error, isinstance(error, aiohttp.ClientConnectorDNSError)
        words = cause.strerror or str(cause) if is_lookup or not cause.errno else os.strerror(cause.errno)
        return SiteError(Trouble.UNREACHABLE, words)
    if isinstance(error, aiohttp.ServerDisconnectedError):
        # So does a server with TLS that is asked without.
        return SiteError(Trouble.UNREACHABLE, "it closed the connection unanswered; an agent with TLS needs https://")
    return SiteError(Trouble.UNREACHABLE, str(error) or type(error).__name__)
