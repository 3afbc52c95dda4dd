"""Answers compressed with gzip for clients that take it, in a thread.

Scrapes are left alone: they come compressed, one body for all who share it.
"""

import gzip

from aiohttp import web

from agent.exporters.web.bodies import Bodies

LEAST_BYTES = 1024
# A third of the time of the default level, and a few percent more bytes.
LEVEL = 4
TYPES = frozenset(
    {"application/json", "image/svg+xml", "text/css", "text/csv", "text/html", "text/javascript", "text/plain"}
)


async def compress(request: web.Request, response: web.StreamResponse, bodies: Bodies) -> None:
    """Compress the body of a response in place, if it is worth it and the client takes it."""
    body = response.body if isinstance(response, web.Response) else None
    if not isinstance(response, web.Response) or not isinstance(body, bytes) or len(body) < LEAST_BYTES:
        return
    if response.content_type not in TYPES or "Vary" in response.headers or "Content-Encoding" in response.headers:
        return
    response.headers["Vary"] = "Accept-Encoding"
    if takes_gzip(",".join(request.headers.getall("Accept-Encoding", []))):
        response.body = await bodies.packed(body, _gzip)
        response.headers["Content-Encoding"] = "gzip"


def takes_gzip(accepted: str) -> bool:
    """Return True if an ``Accept-Encoding`` header takes gzip (RFC 9110, section 12.5.3)."""
    weights = {}
    for part in accepted.lower().split(","):
        coding, _, rest = part.partition(";")
        name, _, weight = rest.strip().partition("=")
        weights[coding.strip()] = weight.strip() if name.strip() == "q" else "1"
    weight = weights.get("gzip", weights.get("x-gzip", weights.get("*", "0")))
    try:
        return float(weight) > 0
    except ValueError:
        return False


def _gzip(body: bytes) -> bytes:
    return gzip.compress(body, LEVEL, mtime=0)
