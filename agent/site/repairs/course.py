"""The course of one symptom: how long it lasted, how long it has been away, and what it cost. Pure.

A symptom *lasts* while looks show it, and is *calm* while looks refute it. A look that says nothing changes neither,
so an unreachable unit neither recovers nor closes. A symptom that has not lasted long enough is a suspicion; then it is
an entry.
"""

from enum import Enum, auto

from agent.site.ledger.entries import Place
from agent.site.repairs.entries import RepairEntry, Said
from agent.site.repairs.symptoms import Closing, Symptom


class Seen(Enum):
    """What the latest look said of a symptom."""

    PRESENT = auto()
    ABSENT = auto()
    UNKNOWN = auto()


class Course:
    """One symptom of one unit or container.

    Attributes:
        symptom, unit_id: As of `RepairEntry`; the place is the latest.
        since: When it began, Unix time, s.
        words: As it was last seen.
        lasted_s: For how long looks showed it, s.
        calm_s: For how long looks have refuted it, s; 0 while it is there.
        calm_from: The Unix time of the first of these looks, s.
        id: The entry's number; 0 while it is a suspicion.
        opened_at, before, note, seen: As of `RepairEntry`.
    """

    __slots__ = (
        "_calm_hashes",
        "_loss_hs",
        "_lost_hashes",
        "_seen_last",
        "before",
        "calm_from",
        "calm_s",
        "id",
        "lasted_s",
        "note",
        "opened_at",
        "place",
        "seen",
        "since",
        "symptom",
        "unit_id",
        "words",
    )

    def __init__(self, symptom: Symptom, unit_id: str, place: Place, *, since: float, words: str) -> None:
        self.symptom = symptom
        self.unit_id = unit_id
        self.place = place
        self.since = since
        self.words = words
        self.lasted_s = self.calm_s = self.calm_from = 0.0
        self.id = self.before = 0
        self.opened_at = 0.0
        self.note: Said | None = None
        self.seen: Said | None = None
        self._lost_hashes = self._calm_hashes = 0.0
        self._loss_hs = 0.0
        self._seen_last = Seen.UNKNOWN

    @property
    def is_open(self) -> bool:
        """True for an entry, False for a suspicion."""
        return self.id > 0

    def pass_time(self, span_s: float) -> None:
        """Let time pass since the latest look, s, over which what it said held."""
        lost_hashes = self._loss_hs * span_s
        if self._seen_last is Seen.PRESENT:
            self.lasted_s += span_s
        elif self._seen_last is Seen.ABSENT:
            self.calm_s += span_s
        if self.calm_from:
            self._calm_hashes += lost_hashes
        else:
            self._lost_hashes += lost_hashes

    def look(self, seen: Seen, *, at: float, loss_hs: float, words: str = "") -> None:
        """Take the next look.

        Args:
            seen: What it says of the symptom.
            at: Unix time, s.
            loss_hs: What is lost from now on, H/s; 0 if the agent did not look.
            words: The symptom in words, if it is there.
        """
        if seen is Seen.PRESENT:
            self.words = words
            # It was there all along: what was lost in between is its loss too.
            self._lost_hashes += self._calm_hashes
            self._calm_hashes = self.calm_s = self.calm_from = 0.0
        elif seen is Seen.ABSENT and not self.calm_from:
            self.calm_from = at
        self._seen_last, self._loss_hs = seen, loss_hs

    def open(self, number: int, *, at: float, before: int) -> None:
        """Make an entry of a suspicion."""
        self.id, self.opened_at, self.before = number, at, before

    def add_lost(self, hashes: float) -> None:
        """Add what an earlier process counted."""
        self._lost_hashes += hashes

    def entry(self, closing: Closing | None = None, *, at: float | None = None) -> RepairEntry:
        """Return the entry as it is now, or closed at Unix time `at`, s.

        What was lost in a calm is in it only once the symptom came back.
        """
        until = None if closing is None else self.calm_from or at
        return RepairEntry(
            id=self.id,
            symptom=self.symptom,
            unit_id=self.unit_id,
            place=self.place,
            words=self.words,
            since=self.since,
            opened_at=self.opened_at,
            until=until if until is None else max(until, self.since),
            closing=closing,
            lost_hashes=self._lost_hashes,
            before=self.before,
            note=self.note,
            seen=self.seen,
        )


def resumed(entry: RepairEntry) -> Course:
    """Return the course of an open entry that an earlier process kept."""
    course = Course(entry.symptom, entry.unit_id, entry.place, since=entry.since, words=entry.words)
    course.open(entry.id, at=entry.opened_at, before=entry.before)
    course.note, course.seen = entry.note, entry.seen
    course.add_lost(entry.lost_hashes)
    return course
