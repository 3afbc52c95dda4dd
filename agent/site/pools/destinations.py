"""Destinations of work: the host, port and scheme in a pool's URL, and the account in its user."""

import re
from functools import lru_cache
from typing import Final, NamedTuple

PLAIN_SCHEME: Final = "stratum+tcp"
"""The scheme of a URL that names none, as VNish shows them (O172)."""

SHOWN_OF_ACCOUNT: Final = 4
"""Most characters of an account that are shown to people who may not see it; never more than half of them."""

_REMEMBERED: Final = 4096
_URL: Final = re.compile(
    r"(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{0,31})://)?"
    # Firmware connects to what is in front of the first colon: a user with one hides the true host from the reader.
    r"(?:[^@/?#:\s]{0,256}@)?"
    r"(?P<host>\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,252}[A-Za-z0-9_.])?)"
    r"(?::(?P<port>[0-9]{1,5}))?"
    # It looks for the first double slash as well, and takes the host behind it.
    r"(?:[/?#](?!.*//|/).*)?",
    re.DOTALL,
)
_HIDDEN: Final = re.compile(r"(?:[A-Za-z0-9+.-]{1,32}://)?\*+(?::(?:[0-9]{1,5}|\*+))?")


class Destination(NamedTuple):
    """Address of a pool.

    Attributes:
        scheme: In lower case, such as ``stratum+tcp``, which also stands for a URL without one.
        host: Name or address, in lower case and without brackets.
        port: None if the URL has none.
    """

    scheme: str
    host: str
    port: int | None

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}" + ("" if self.port is None else f":{self.port}")


def is_hidden(text: str) -> bool:
    """Return True for a URL or user in whose place firmware shows stars, be it with scheme and port."""
    return _HIDDEN.fullmatch(text) is not None


@lru_cache(_REMEMBERED)
def destination_of(url: str) -> Destination | None:
    """Return the destination of a pool's URL; None for a text that names no host."""
    found = _URL.fullmatch(url.strip())
    if found is None:
        return None
    scheme, host, port = found["scheme"], found["host"], found["port"]
    if port is not None and not 0 < int(port) < 65_536:
        return None
    if scheme is None and port is None and "." not in host and ":" not in host:
        # A word alone is a mark, such as ``DevFee``: no pool is reached under it.
        return None
    number = None if port is None else int(port)
    return Destination((scheme or PLAIN_SCHEME).lower(), host.strip("[]").rstrip(".").lower(), number)


def account_of(user: str) -> str:
    """Return the account in a pool's user, which pools write as ``account.worker``."""
    return user.partition(".")[0]


def worker_of(user: str) -> str:
    """Return the worker in a pool's user; empty if it names none."""
    return user.partition(".")[2]


def redacted(account: str) -> str:
    """Return the beginning of an account, for people who may not see all of it."""
    return f"{account[: min(SHOWN_OF_ACCOUNT, len(account) // 2)]}…" if account else account
