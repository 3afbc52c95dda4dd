"""The kinds of differences between a ledger and a proposal. Imports nothing, so that the command line may know them."""

from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """Kinds of differences, in the order in which they are shown."""

    NEW = "new"
    MOVED = "moved"
    EXCHANGED = "exchanged"
    MODEL = "model"
    IDENTITY = "identity"
    UNREADABLE = "unreadable"
    GONE = "gone"


KIND_WORDS: Final = {
    Kind.NEW: "answers and is not in the ledger",
    Kind.MOVED: "in the ledger, at another address or place",
    Kind.EXCHANGED: "another machine at the unit's address",
    Kind.MODEL: "another model or bin than in the ledger",
    Kind.IDENTITY: "MAC or serial to be filled in",
    Kind.UNREADABLE: "answers, and does not report its model or bin",
    Kind.GONE: "in the ledger, and did not answer",
}

IMPORTABLE: Final = tuple(kind for kind in Kind if kind is not Kind.UNREADABLE)
"""Kinds that can be imported. Of a unit that does not tell what it is, a person first fills in the row."""
