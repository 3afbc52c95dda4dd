"""Addresses below ``/sites/NAME/`` that are passed on to an agent: checked as they were sent, before any decoding.

An agent decodes a path once, and a proxy in front of it maybe once more. So a path is refused if any number of
decodings gives it another slash, a step upwards or a control character. Pure.
"""

import re
from typing import NamedTuple
from urllib.parse import unquote

PREFIX = "/sites/"
MAX_QUERY_CHARS = 2048
_SEGMENT = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:-]|%[0-9A-Fa-f]{2})+")
_QUERY = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*")
# Each decoding shortens what it changes, so this many decode any path that a request may have.
_DECODINGS = 8


class Passed(NamedTuple):
    """What is asked of a site's agent.

    Attributes:
        site: The name in the address.
        path: The path below the agent's address, without a slash at its beginning; None if that slash is missing.
        query: The query without its question mark.
    """

    site: str
    path: str | None
    query: str


def read_passed(target: str) -> Passed | None:
    """Return what a request's target asks of which site; None if it is refused.

    Args:
        target: Path and query as they were sent.
    """
    path, _, query = target.partition("?")
    if not path.startswith(PREFIX) or not _QUERY.fullmatch(query) or len(query) > MAX_QUERY_CHARS:
        return None
    site, slash, rest = path.removeprefix(PREFIX).partition("/")
    if not _is_plain(site):
        return None
    # A slash at the end, and nothing between slashes elsewhere.
    if not all(map(_is_plain, rest.removesuffix("/").split("/") if rest else ())):
        return None
    return Passed(site, rest if slash else None, query)


def _is_plain(segment: str) -> bool:
    """Return True if a part of a path stays one part, however often it is decoded."""
    if not _SEGMENT.fullmatch(segment):
        return False
    for _ in range(_DECODINGS):
        decoded = unquote(segment, errors="replace")
        if decoded in {".", ".."} or not decoded.isprintable() or "/" in decoded or "\\" in decoded:
            return False
        if decoded == segment:
            return True
        segment = decoded
    return False
