"""The client's half of HTTP digest authentication: a challenge in, credentials out, computed by aiohttp's middleware.

Documented (D67): RFC 2617, section 3.2. Observed (O64): s21plus-stock-202503, http-401-root: no algorithm, which means
MD5, ``qop="auth"`` and no opaque. Documented (D68): newer servers name the algorithm.

A challenge without ``qop`` is refused. Its answer (RFC 2069) has nothing random of the client's, so whoever sends the
nonce could look the password up in a table made beforehand. No known unit asks for that.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from aiohttp import ClientError, DigestAuthMiddleware
from yarl import URL

from agent.unit.login import Login

MAX_CHALLENGE_CHARS = 1024

# The client repeats the texts of a challenge: a line end in one would begin a request of the server's choosing.
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_HEADER = "Authorization"


@dataclass(slots=True)
class _Request:
    """Fields of a request that the middleware reads and changes."""

    method: str
    url: URL
    headers: dict[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class _Response:
    """Fields of a response that the middleware reads."""

    status: int
    headers: Mapping[str, str]
    url: URL


async def authorization(challenges: Iterable[str], login: Login, *, method: str, url: str) -> str | None:
    """Return the value of the Authorization header that answers the first supported challenge, or None.

    Supported are digest challenges of any algorithm that aiohttp has, with a ``qop`` and without control characters.

    Args:
        challenges: The values of the WWW-Authenticate headers; each value is one challenge.
        login: User name and password.
        method: As in the request line.
        url: The page's address; its path is as in the request line.
    """
    for challenge in challenges:
        if not _CONTROL.search(challenge):
            answer = await _answer(challenge[:MAX_CHALLENGE_CHARS], login, method, URL(url, encoded=True))
            if answer is not None:
                return answer
    return None


async def _answer(challenge: str, login: Login, method: str, url: URL) -> str | None:
    request = _Request(method, url, {})

    async def handler(asked: Any) -> Any:
        # The middleware calls this once, and again with the answer to the challenge.
        status = 200 if _HEADER in asked.headers else 401
        return _Response(status, {"www-authenticate": challenge}, url)

    middleware = DigestAuthMiddleware(login.user, login.password, preemptive=False)
    try:
        await middleware(cast("Any", request), handler)
    except (ClientError, ValueError):
        # It lacks a nonce, or asks for an algorithm that there is not; or the login cannot be written in a header.
        return None
    answer = request.headers.get(_HEADER)
    return answer if answer is not None and "cnonce=" in answer and not _CONTROL.search(answer) else None
