"""An entry of the walk list, as pages show it and history keeps it."""

import msgspec

from agent.site.ledger.entries import Place
from agent.site.repairs.symptoms import Closing, Symptom

MAX_NOTE = 500
"""Longest note of an operator, characters."""
MAX_NAME = 64
"""Longest name of an operator, characters."""


class Said(msgspec.Struct, frozen=True, gc=False):
    """What an operator said about an entry.

    Attributes:
        by: The operator's name.
        at: When, Unix time, s.
        text: The note, at most `MAX_NOTE` characters; empty for "seen".
    """

    by: str
    at: float
    text: str = ""


class RepairEntry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One fault that lasts, of a unit or of a container.

    Attributes:
        id: Its number; a later entry has a larger one.
        symptom: From the closed list.
        unit_id: The unit; empty for a container.
        place: Where it is, or was when the entry closed.
        words: The symptom as it was last seen, with numbers.
        since: When the symptom began, as far as the agent saw, Unix time, s.
        opened_at: When it had lasted long enough to become an entry, Unix time, s.
        until: When the symptom ended, Unix time, s; None while the entry is open.
        closing: Why the entry was closed; None while it is open.
        lost_hashes: Integral of the unit's losses, or the container's, from `since` on over the time in which the
            agent looked. Losses that were declared, by an event or as maintenance, are not in it.
        before: Earlier entries of the same unit and symptom within `Rules.count_days`, as of its opening.
        note, seen: What an operator said about it; None if nothing.
    """

    id: int
    symptom: Symptom
    unit_id: str
    place: Place
    words: str
    since: float
    opened_at: float
    until: float | None = None
    closing: Closing | None = None
    lost_hashes: float = 0.0
    before: int = 0
    note: Said | None = None
    seen: Said | None = None
