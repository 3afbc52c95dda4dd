"""Agents' own pages and JSON under the fleet's address: read and passed on slice by slice, as fast as a viewer reads.

Only GET and HEAD leave, only for configured sites, with the fleet's own credentials and none of the viewer's. A site
may be hostile: nothing that it sends runs in a viewer's browser, for scripts come from this program alone, and every
answer has its security headers.
"""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from importlib.resources import files

import aiohttp
from aiohttp import web
from yarl import URL

from agent.exporters.web.bodies import LATE_S, SLICE_BYTES, Sending
from agent.exporters.web.guard import GuardedConnection
from agent.exporters.web.responses import error_response
from agent.fleet.addresses import Passed
from agent.fleet.asking import broken, check_head, request_headers
from agent.fleet.setup import Site
from agent.fleet.troubles import WORDS, SiteError, Trouble

# A whole scrape of 20,000 units, uncompressed.
MAX_PASSED_BYTES = 64 << 20
# Below the 30 s after which this server gives up an answer.
PASS_DEADLINE_S = 25.0
PAUSE_S = 10.0
"""The longest wait for a connection, and for the next byte."""
MAX_PASSED = 32
"""Answers passed on at once; one more cuts the viewer that has read nothing for longest."""
MAX_PASSED_OF_SITE = 8
MAX_VALUE_CHARS = 1024
SCRIPT = ".js"

_ASKED = ("Accept", "Accept-Encoding", "Accept-Language", "If-Modified-Since", "If-None-Match")
_ANSWERED = ("Content-Disposition", "Content-Encoding", "Content-Language", "ETag", "Last-Modified", "Vary")
# Types that browsers show and do not run. Pages run no script of their own under our Content-Security-Policy.
_TYPES = frozenset(
    {
        "application/json",
        "application/openmetrics-text",
        "application/schema+json",
        "application/vnd.oai.openapi+json",
        "image/png",
        "image/svg+xml",
        "text/css",
        "text/csv",
        "text/html",
        "text/plain",
    }
)
_TYPE = re.compile(r"[a-z]+/[a-z0-9.+-]+(?:; ?[a-z-]+=[A-Za-z0-9.+-]+){0,4}")
_CODINGS = frozenset({"identity", "gzip", "deflate", "br", "zstd"})


class Passing:
    """Passes requests on to agents.

    Args:
        client: Asks them.
        clock: Monotonic time, s.
    """

    def __init__(self, client: aiohttp.ClientSession, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._clock = clock
        self._passing: Counter[str] = Counter()
        self._sendings: dict[Sending, None] = {}

    async def pass_on(self, request: web.Request, site: Site, url: str, passed: Passed) -> web.StreamResponse:
        """Return the answer of a site's agent, sent to its last byte, or why there is none.

        Args:
            request: A GET or HEAD.
            site: The site.
            url: The address of its agent.
            passed: What is asked of it.

        Raises:
            ConnectionError: The answer had begun and broke off; so does the viewer's connection.
        """
        if (passed.path or "").endswith(SCRIPT):
            return own_script(request, passed.path or "")
        if not self._has_place(site.name):
            return error_response(request, 503, "too many pages of sites are being sent", {"Retry-After": "1"})
        answer: web.StreamResponse | None = None
        connection = _connection(request)
        self._passing[site.name] += 1
        try:
            async with asyncio.timeout(PASS_DEADLINE_S), self._asked(request, site, url, passed) as response:
                check_head(response)
                answer = _answer_head(response)
                await self._send(request, response, answer, connection)
                return answer
        except TimeoutError:
            error = SiteError(Trouble.SLOW, f"no whole answer within {PASS_DEADLINE_S:g} s, or a pause in it")
        except SiteError as failure:
            error = failure
        except (aiohttp.ClientError, OSError, ValueError) as failure:
            error = broken(failure)
        finally:
            self._passing[site.name] -= 1
        if answer is not None and answer.prepared:
            # Half an answer must not end like a whole one.
            connection.end()
            raise ConnectionError(str(error)) from error
        reason = f"{site.name}: {WORDS[error.trouble]}: {error.detail}"
        return error_response(request, 504 if error.trouble is Trouble.SLOW else 502, reason)

    def _asked(
        self, request: web.Request, site: Site, url: str, passed: Passed
    ) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        headers = {name: request.headers[name][:MAX_VALUE_CHARS] for name in _ASKED if name in request.headers}
        headers.setdefault("Accept-Encoding", "identity")
        query = f"?{passed.query}" if passed.query else ""
        return self._client.request(
            request.method,
            URL(f"{url}/{passed.path or ''}{query}", encoded=True),
            headers=request_headers(site, headers),
            allow_redirects=False,
            ssl=site.tls,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=PAUSE_S, sock_read=PAUSE_S),
        )

    def _has_place(self, name: str) -> bool:
        """Return True if another answer may be passed on, after cutting a viewer that does not read if need be."""
        if self._passing[name] >= MAX_PASSED_OF_SITE:
            return False
        if self._passing.total() < MAX_PASSED:
            return True
        slowest = max(self._sendings, key=Sending.stalled_s, default=None)
        if slowest is None or slowest.stalled_s() <= LATE_S:
            return False
        slowest.cut()
        return True

    async def _send(
        self,
        request: web.Request,
        response: aiohttp.ClientResponse,
        answer: web.StreamResponse,
        connection: GuardedConnection,
    ) -> None:
        """Send an answer as it arrives, one slice at a time."""
        writer = await answer.prepare(request)
        if writer is None or request.method == "HEAD":
            await answer.write_eof()
            return
        sending = Sending(b"", clock=self._clock, deadline_s=PASS_DEADLINE_S, cut=connection.abort)
        self._sendings[sending] = None
        connection.sending = sending
        size = 0
        try:
            async for chunk in response.content.iter_chunked(SLICE_BYTES):
                size += len(chunk)
                if size > MAX_PASSED_BYTES:
                    raise SiteError(Trouble.TOO_LARGE, f"more than {MAX_PASSED_BYTES >> 20} MiB")
                await writer.write(chunk)
                await writer.drain()
                sending.take(len(chunk))
            await answer.write_eof()
        finally:
            connection.sending = None
            del self._sendings[sending]


# They send orders, which this server passes on to no agent. Without the script its buttons stay hidden.
_ORDERING = frozenset({"repairs.js"})


def own_script(request: web.Request, path: str) -> web.Response:
    """Return this program's own script of that name: a site's would run with the rights of every other site's pages."""
    name = path.rpartition("/")[2]
    asset = files("agent.exporters.web").joinpath("assets", name)
    if not re.fullmatch(r"[a-z0-9_-]+\.js", name) or not asset.is_file():
        return error_response(request, 404, "no script of this server has that name")
    body = b"" if name in _ORDERING else asset.read_bytes()
    return web.Response(body=body, content_type="text/javascript")


def _connection(request: web.Request) -> GuardedConnection:
    transport = request.transport
    connection = transport.get_protocol() if transport is not None else None
    if not isinstance(connection, GuardedConnection):
        raise web.HTTPServiceUnavailable
    return connection


def _answer_head(response: aiohttp.ClientResponse) -> web.StreamResponse:
    """Return an answer without its body, with those headers of the agent's that are harmless.

    Raises:
        SiteError: It is of a type or a size that is not passed on.
    """
    if (response.content_length or 0) > MAX_PASSED_BYTES:
        raise SiteError(Trouble.TOO_LARGE, f"{response.content_length:,} bytes")
    if response.headers.get("Content-Encoding", "identity").lower() not in _CODINGS:
        raise SiteError(Trouble.NONSENSE, f"unknown coding {response.headers['Content-Encoding']}")
    headers = {name: response.headers[name][:MAX_VALUE_CHARS] for name in _ANSWERED if name in response.headers}
    kind = response.headers.get("Content-Type")
    if kind is not None:
        if not _TYPE.fullmatch(kind) or response.content_type not in _TYPES:
            raise SiteError(Trouble.NONSENSE, f"content of type {kind} is not passed on")
        headers["Content-Type"] = kind
    elif response.status == 200:
        raise SiteError(Trouble.NONSENSE, "content without a type is not passed on")
    answer = web.StreamResponse(status=response.status, headers=headers)
    if response.content_length is not None:
        answer.content_length = response.content_length
    return answer
