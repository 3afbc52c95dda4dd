"""Callers of the web server and their roles: a viewer reads, an operator also changes."""

import base64
import binascii
from dataclasses import dataclass
from enum import StrEnum

from aiohttp import web


class Role(StrEnum):
    """The rights of a caller.

    Attributes:
        VIEWER: Read everything.
        OPERATOR: Also declare curtailments, note repairs and reload the configuration.
    """

    VIEWER = "viewer"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who asks.

    Attributes:
        name: A user's name; ``token`` for a bearer token, empty for a caller without a login, where none is needed.
        role: What the caller may do.
        by_token: True if a bearer token was shown: no browser sends one unasked.
    """

    name: str = ""
    role: Role = Role.VIEWER
    by_token: bool = False


ANYBODY = Caller()
CALLER: web.RequestKey[Caller] = web.RequestKey("caller", Caller)


def caller_of(request: web.Request) -> Caller:
    """Return who sent a request that came through the door."""
    caller: Caller = request.get(CALLER, ANYBODY)
    return caller


def user_of(request: web.Request) -> str:
    """Return the name of the user who sent a request; empty for a bearer token and without a login."""
    caller = caller_of(request)
    return "" if caller.by_token else caller.name


def basic_credentials(authorization: str) -> tuple[str, bytes] | None:
    """Return user and password of an ``Authorization: Basic`` header (RFC 7617); None of any other."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.casefold() != "basic":
        return None
    try:
        user, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        return (user.decode(), password) if colon else None
    except (binascii.Error, ValueError):
        return None
