"""Changes over HTTP: only by an operator, and never by a page of another site that a browser shows.

A browser adds a user's password to every request for the agent, whichever page makes it. So a change with a password
must be JSON, which a foreign page may not send without being asked first, and must say that the agent's own page sent
it. A bearer token is never added by a browser. There are no cookies, and no answer allows a foreign origin anything.
"""

from urllib.parse import urlsplit

from aiohttp import web

from agent.exporters.web.door.callers import Caller

JSON = "application/json"
_DEFAULT_PORTS = {"http": 80, "https": 443}


def foreign_change(request: web.Request, caller: Caller) -> tuple[int, str] | None:
    """Return status and reason if a change may come from a foreign page; None if it cannot."""
    if caller.by_token:
        return None
    if request.content_type != JSON or "Content-Type" not in request.headers:
        return 415, f"a change with a password must be JSON (Content-Type: {JSON})"
    if not _is_own_page(request):
        return 403, "a change with a password must come from this agent's own page; programs send a bearer token"
    return None


def _is_own_page(request: web.Request) -> bool:
    site, origins = request.headers.get("Sec-Fetch-Site"), request.headers.getall("Origin", [])
    if site is not None and site != "same-origin":
        return False
    if not origins:
        return site is not None
    return len(origins) == 1 and _is_own(request, origins[0])


def _is_own(request: web.Request, origin: str) -> bool:
    try:
        theirs, ours = urlsplit(origin), urlsplit(f"//{request.headers.get('Host', '')}")
        ports = theirs.port, ours.port
    except ValueError:
        return False
    if theirs.scheme not in _DEFAULT_PORTS or (request.secure and theirs.scheme != "https"):
        return False
    # Behind a proxy that ends TLS, the scheme is not known here; host and port are.
    their_port, our_port = (port or _DEFAULT_PORTS[theirs.scheme] for port in ports)
    return (theirs.hostname, their_port) == (ours.hostname, our_port)
