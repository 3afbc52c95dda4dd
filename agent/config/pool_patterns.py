"""Patterns of pools in the configuration: destinations, accounts and workers, with ``*`` for any characters."""

import re
from dataclasses import dataclass
from functools import lru_cache

MAX_PATTERN_CHARS = 256
_REMEMBERED = 8192

_URL = re.compile(
    r"(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{0,31})://)?"
    r"(?P<host>\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._*-]{1,253})"
    r"(?::(?P<port>[0-9]{1,5}))?"
)


@dataclass(frozen=True, slots=True)
class UrlPattern:
    """A pattern of destinations.

    Attributes:
        scheme: In lower case; None for any.
        host: In lower case and without brackets; ``*`` stands for any characters.
        port: None for any.
    """

    scheme: str | None
    host: str
    port: int | None

    def __str__(self) -> str:
        scheme = "" if self.scheme is None else f"{self.scheme}://"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}{host}" + ("" if self.port is None else f":{self.port}")


def parse_url_pattern(text: str) -> UrlPattern:
    """Return the pattern of a text such as ``stratum+tcp://*.pool.example:3333``.

    Raises:
        ValueError: It is none.
    """
    found = _URL.fullmatch(text)
    if found is None:
        raise ValueError(
            "a pool's address such as stratum+tcp://*.pool.example:3333 is expected; * stands for any part of the host,"
            " and scheme and port may be left out"
        )
    scheme, host, port = found["scheme"], found["host"], found["port"]
    if port is not None and not 0 < int(port) < 65_536:
        raise ValueError("a port is a whole number from 1 to 65535")
    number = None if port is None else int(port)
    return UrlPattern(scheme and scheme.lower(), host.strip("[]").rstrip(".").lower(), number)


def parse_text_pattern(text: str) -> str:
    """Return the pattern of an account or a worker as it is written.

    Raises:
        ValueError: It is none.
    """
    if not 1 <= len(text) <= MAX_PATTERN_CHARS or not text.isprintable() or text != text.strip():
        raise ValueError(f"1 to {MAX_PATTERN_CHARS} printable characters are expected; * stands for any")
    return text


def parse_account_pattern(text: str) -> str:
    """Return the pattern of an account, which has no worker in it.

    Raises:
        ValueError: It is none.
    """
    if "." in text:
        raise ValueError("an account is expected, without the worker after the first dot; workers have a key of theirs")
    return parse_text_pattern(text)


@lru_cache(_REMEMBERED)
def is_match(pattern: str, text: str) -> bool:
    """Return True if a text is of a pattern; upper and lower case differ, as in addresses of bitcoin.

    It takes time in proportion to both: the parts between the stars are searched one after another.
    """
    first, *others = pattern.split("*")
    if not others:
        return pattern == text
    *middle, last = others
    if len(text) < len(first) + len(last) or not text.startswith(first) or not text.endswith(last):
        return False
    place, end = len(first), len(text) - len(last)
    for part in middle:
        found = text.find(part, place, end)
        if found < 0:
            return False
        place = found + len(part)
    return True
