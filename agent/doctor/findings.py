"""A finding: one line about one thing, with what to do about it. Pure."""

from enum import StrEnum
from typing import NamedTuple


class Level(StrEnum):
    """Severity of a finding; only ``bad`` makes the command fail."""

    OK = "ok"
    NOTE = "note"
    BAD = "bad"


class Finding(NamedTuple):
    """One finding about one thing.

    Attributes:
        check: The thing, from a closed list: ``network``, ``clock``.
        level: How it is.
        text: What was found, with its figures.
        mend: What to do or to type; empty if nothing needs to be done.
    """

    check: str
    level: Level
    text: str
    mend: str = ""


def ok(check: str, text: str) -> Finding:
    """Return a finding that asks for nothing."""
    return Finding(check, Level.OK, text)


def note(check: str, text: str, mend: str = "") -> Finding:
    """Return a finding that is worth a look, and no fault."""
    return Finding(check, Level.NOTE, text, mend)


def bad(check: str, text: str, mend: str) -> Finding:
    """Return a finding that must be mended."""
    return Finding(check, Level.BAD, text, mend)
