"""The facts of a history's chain that a document lists, as types. Pure.

A fact that is not as its type says is named and left out: a statement never fails because of one.
"""

from collections.abc import Iterable
from typing import Annotated, Any, Literal, NamedTuple

import msgspec

from agent.history.chain.links import MALFORMED, Fact
from agent.statement.period import utc_text

CHAIN_EVENTS = (
    "found",
    "anchor",
    "restored",
    "rolled_back",
    "forked",
    "other_key",
    "merged",
    "salvaged",
    "altered",
)
"""Facts about the history as a file."""
OTHERS = ("genesis", "stop", "nameplates", "cut")
"""Facts that a document knows and does not list."""

LAST_S = 253_402_300_800
"""The Unix time at which the year 10000 begins, s."""
Number = Annotated[float, msgspec.Meta(ge=-1e40, le=1e40)]
"""A float of which a million add up to a float."""
Moment = Annotated[float, msgspec.Meta(ge=0, lt=LAST_S)]
"""A Unix time that has a date, s."""


class Start(msgspec.Struct, frozen=True):
    """A start of the agent: its version, and digests of its files."""

    version: str
    commit: str | None = None
    config: str | None = None
    ledger: str | None = None


class ConfigFact(msgspec.Struct, frozen=True):
    """A configuration came into force."""

    digest: str


class KeyFact(msgspec.Struct, frozen=True):
    """The agent signed with another key from then on: the raw public key."""

    public: Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]


class LedgerFact(msgspec.Struct, frozen=True):
    """A ledger came into force: what it changed, units by id, at most 200 of each; None if that is not known."""

    digest: str
    before: str | None = None
    added: tuple[Any, ...] | None = None
    removed: tuple[Any, ...] | None = None
    changed: tuple[Any, ...] | None = None
    added_count: int | None = None
    removed_count: int | None = None
    changed_count: int | None = None
    units: int | None = None
    deployed_hs: Number | None = None


class ClockFact(msgspec.Struct, frozen=True):
    """A look at the clock: its source, and how far it was off, s."""

    source: str | None = None
    is_synchronized: bool | None = None
    offset_s: Number | None = None
    error_s: Number | None = None


class GapFact(msgspec.Struct, frozen=True):
    """A time in which the agent did not watch."""

    since: Moment = msgspec.field(name="from")
    until: Moment
    reason: str = "not known"


class RecoveredFact(msgspec.Struct, frozen=True):
    """Work of units that hashed through a gap."""

    since: Moment = msgspec.field(name="from")
    until: Moment
    units: Number = 0.0
    hashes: Number = 0.0
    deployed_hashes: Number = 0.0
    method: str = ""


class CurtailmentFact(msgspec.Struct, frozen=True):
    """A declared event, or its end."""

    id: str | int
    event: Literal["declared", "changed", "ended", "withdrawn"]
    scope: Any = None
    since: Moment | None = msgspec.field(name="from", default=None)
    until: Moment | None = None
    declared_by: str | None = None
    reason: str | None = None
    hours: Number | None = None
    curtailed_hashes: Number | None = None
    energy_j: Number | None = None


class RepairsFact(msgspec.Struct, frozen=True):
    """How often each rule touched figures over some time."""

    since: Moment = msgspec.field(name="from")
    until: Moment
    counts: dict[str, int]


class Dated(NamedTuple):
    """One fact that is as its type says.

    Attributes:
        at: Unix time, s.
        body: Its content.
    """

    at: int
    body: Any


_KINDS: dict[str, type] = {
    "start": Start,
    "config": ConfigFact,
    "key": KeyFact,
    "ledger": LedgerFact,
    "clock": ClockFact,
    "gap": GapFact,
    "recovered": RecoveredFact,
    "curtailment": CurtailmentFact,
    "repairs": RepairsFact,
}


class KeptFacts:
    """The facts of a chain, by kind.

    Args:
        facts: All of them, oldest first.

    Attributes:
        malformed: Those that are not as their type says, in words.
        unknown: How many there are of each kind that this version does not know.
        chain_events: Those about the history as a file.
        chain: The chain's name; empty if it has none.
    """

    def __init__(self, facts: Iterable[Fact]) -> None:
        self._by_kind: dict[str, list[Dated]] = {}
        self.malformed: list[str] = []
        self.unknown: dict[str, int] = {}
        self.chain_events: list[Fact] = []
        self.chain = ""
        for fact in facts:
            self._add(fact)

    def _add(self, fact: Fact) -> None:
        if not 0 <= fact.at < LAST_S:
            self.malformed.append(f"{fact.kind}: its time is {fact.at}")
        elif fact.kind == MALFORMED:
            self.malformed.append(f"of {utc_text(fact.at)}: {fact.body.get('reason')}")
        elif fact.kind in _KINDS:
            try:
                body: Any = msgspec.convert(dict(fact.body), _KINDS[fact.kind])
            except msgspec.ValidationError as error:
                self.malformed.append(f"{fact.kind} of {utc_text(fact.at)}: {error}")
                return
            self._by_kind.setdefault(fact.kind, []).append(Dated(fact.at, body))
        elif fact.kind in CHAIN_EVENTS:
            self.chain_events.append(fact)
        elif fact.kind in OTHERS:
            if fact.kind == "genesis":
                self.chain = str(fact.body.get("chain", ""))
        else:
            self.unknown[fact.kind] = self.unknown.get(fact.kind, 0) + 1

    def of(self, kind: str) -> list[Dated]:
        """Return the facts of a kind, oldest first."""
        return self._by_kind.get(kind, [])

    def in_force(self, kind: str, start: float, end: float) -> list[Dated]:
        """Return the last fact of a kind before a period, if any, and those of the period."""
        found = self.of(kind)
        earlier = [each for each in found if each.at < start][-1:]
        return earlier + [each for each in found if start <= each.at < end]
