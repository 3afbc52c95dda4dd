"""Kinds of replaced and kept texts, with the reason."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """Kind of a replaced text; the value is its name on the screen."""

    SERIAL = "serial number"
    MAC = "MAC address"
    IDENTIFIER = "identifier"
    USER = "account or worker"
    PASSWORD = "password or token"  # noqa: S105 - the name of a kind
    WIFI = "Wi-Fi name"
    HOST = "host name"
    ADDRESS = "IP address"
    EMAIL = "e-mail address"
    WALLET = "payment address"
    GIVEN = "given text"
    FIELD = "unknown field name"
    TEXT = "unknown text"


class Reason(StrEnum):
    """The reason for which a text was kept. Of several in one text, the first in this order counts."""

    TOLD = "told to keep"
    POOL = "public host"
    PRIVATE = "private address"
    MODEL = "model"
    VERSION = "version"
    DATE = "date or time"
    WORD = "words"
    CHIP_MAP = "chip map"
    NUMBER = "number"


REASONS: Final = tuple(Reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacement:
    """One text at one place, and its pseudonym.

    Attributes:
        name: The reply or page.
        path: Keys from the outside in, joined by dots, with ``*`` for positions in lists. Empty outside of JSON. A
            replaced key is shown as its pseudonym.
        kind: What it is.
        pseudonym: What stands there now.
        times: How often it was replaced there.
    """

    name: str
    path: str
    kind: Kind
    pseudonym: str
    times: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One text that was kept as it is.

    Attributes:
        text: The whole text of a JSON string, or of a stretch outside of strings; clipped to 120 characters. Empty for
            numbers and chip maps, which are counted together.
        reason: Why.
        times: How often it was kept.
    """

    text: str
    reason: Reason
    times: int
