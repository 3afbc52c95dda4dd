"""Differences between what two looks at units gave, each named by its path, with what it means."""

from enum import StrEnum

import msgspec

from agent.hil.verify.verdict import Verdict


class Kind(StrEnum):
    """Kind of a difference."""

    STATE = "state"
    """One side has a look in a state that the other has not."""
    REPLY = "reply"
    """One side has a reply, or one that can be read, and the other has not."""
    KEY = "key"
    """A key that one side has."""
    TYPE = "type"
    """A value of another JSON type."""
    LENGTH = "length"
    """A list of another length."""
    TEXT = "text"
    NUMBER = "number"
    ORDER = "order"
    """The same keys in another order."""
    WHITE_SPACE = "white space"
    FRAMING = "framing"
    """End of the reply."""
    FIGURE = "figure"
    """A figure of the agent's reading."""
    CHECK = "check"
    """A check that one side breaks."""
    TIMING = "timing"


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One difference.

    Attributes:
        kind: What differs.
        path: ``stats new_api: STATS[0].chain[1].rate_real``, or ``reading: boards[1].hashrate_hs``.
        first, second: The two values as JSON, clipped; None where there is none.
        changes_meaning: The agent reads something else.
        why: What it changes, or why it changes nothing.
    """

    kind: Kind
    path: str
    first: str | None
    second: str | None
    changes_meaning: bool
    why: str


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """Result of one run of `hashsight verify`.

    Attributes:
        first: What was verified.
        second: What it was held against.
        differences: Those that change the meaning first.
        verdicts: Of the checks of the one that was verified.
        compared: What was held against what, one line each.
        left_out: What could not be compared, and why.
    """

    first: str
    second: str
    differences: tuple[Difference, ...]
    verdicts: tuple[Verdict, ...] = ()
    compared: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def changes_meaning(self) -> bool:
        """True if a difference does."""
        return any(difference.changes_meaning for difference in self.differences)


def in_order(differences: list[Difference]) -> tuple[Difference, ...]:
    """Return those that change the meaning first, otherwise as they came."""
    return tuple(sorted(differences, key=lambda difference: not difference.changes_meaning))
