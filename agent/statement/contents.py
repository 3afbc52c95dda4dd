"""One site's contents of a document: what its figures rest on, beside the rows. Pure.

Everything is read from the facts of the history's chain, up to the link that the document names, and from the dated
ledger. A list that is not kept is None, and `Contents.absent` says why; an empty list means that there was nothing.
"""

from typing import Any

import msgspec

from agent.site.power import PowerSource
from agent.statement.units import Simulated, UnitChanges

LISTED = 200
"""At most so many entries of a list are in the document; counts are of all."""
OUTSIDE = (
    "units that could not be read: nothing is counted for them",
    "time that was not watched",
    "cooling, pumps and fans outside the units, unless a meter has them",
    "transformers, cables, network and the site's own load, unless a meter has them",
)


class ChainEnd(msgspec.Struct, frozen=True, kw_only=True):
    """The end of the history's chain when the document was made.

    Attributes:
        name: The chain's name.
        seq: Number of its last link.
        hash: Hash of that link.
    """

    name: str
    seq: int
    hash: str


class Software(msgspec.Struct, frozen=True, kw_only=True):
    """A version of this program.

    Attributes:
        version: Its version.
        commit: The commit it was built from; None if that is not known, as in a checkout.
    """

    version: str
    commit: str | None


class AgentRun(msgspec.Struct, frozen=True, kw_only=True):
    """Starts of one version of the agent, one after the other.

    Attributes:
        since: Unix time of the first of them, s; it may be before the period.
        version, commit: As in `Software`.
        starts: How many.
    """

    since: int = msgspec.field(name="from")
    version: str
    commit: str | None
    starts: int


class InForce(msgspec.Struct, frozen=True, kw_only=True):
    """A file in force.

    Attributes:
        digest: SHA-256 of the file.
        since: Unix time from which it was in force, s; it may be before the period.
    """

    digest: str
    since: int = msgspec.field(name="from")


class KeyInForce(msgspec.Struct, frozen=True, kw_only=True):
    """A key of the agent.

    Attributes:
        key_id: Its id.
        public_key: Its 32 bytes, in Base64.
        since: Unix time from which it signed, s; it may be before the period.
    """

    key_id: str
    public_key: str
    since: int = msgspec.field(name="from")


class LedgerChange(msgspec.Struct, frozen=True, kw_only=True):
    """A ledger that came into force in the place of another one.

    Attributes:
        at: Unix time, s.
        digest, before: SHA-256 of this one and of the one before.
        added, removed, changed: Units by id, at most 200 of each; None if the agent did not know the rows before.
        added_count, removed_count, changed_count: All of them; None likewise.
        units, deployed_hs: What it has as deployed at that moment.
    """

    at: int
    digest: str
    before: str | None
    added: tuple[Any, ...] | None
    removed: tuple[Any, ...] | None
    changed: tuple[Any, ...] | None
    added_count: int | None
    removed_count: int | None
    changed_count: int | None
    units: int | None
    deployed_hs: float | None


class Clock(msgspec.Struct, frozen=True, kw_only=True):
    """The agent's clock.

    Attributes:
        sources: Where it took the time from.
        looks: How often it was looked at.
        unsynchronized: How many of these found it not synchronized, or could not tell.
        worst_s: The largest |offset| + error, s; None if none is known.
        worst_at: Unix time of that look, s.
    """

    sources: tuple[str, ...]
    looks: int
    unsynchronized: int
    worst_s: float | None
    worst_at: int | None


class Curtailment(msgspec.Struct, frozen=True, kw_only=True):
    """A declared event.

    Attributes:
        id: Its id.
        event: What was said of it last: ``declared``, ``changed``, ``ended`` or ``withdrawn``.
        scope: What it covers, as it was declared.
        since, until: Unix times, s; None if that was not said.
        declared_by, reason: Who declared it, and why.
        hours: Length of the whole event; None without an end.
        curtailed_hashes, energy_j: Of the whole event; None before its end, and if too little of it was seen.
        is_modelled: True: energy is of nameplates, and was not measured.
    """

    id: str | int
    event: str
    scope: Any
    since: float | None = msgspec.field(name="from")
    until: float | None
    declared_by: str | None
    reason: str | None
    hours: float | None
    curtailed_hashes: float | None
    energy_j: float | None
    is_modelled: bool = True


class KeptGap(msgspec.Struct, frozen=True, kw_only=True):
    """A time in which the agent did not watch, as it said itself.

    Attributes:
        since, until: Unix times, s.
        reason: Its reason.
    """

    since: float = msgspec.field(name="from")
    until: float
    reason: str


class Gaps(msgspec.Struct, frozen=True, kw_only=True):
    """All such times that touch the period.

    Attributes:
        count: How many.
        seconds: Their length within the period, s.
        listed: The first of them.
    """

    count: int
    seconds: float
    listed: tuple[KeptGap, ...]


class ChainEvent(msgspec.Struct, frozen=True, kw_only=True):
    """What happened to the history as a file.

    Attributes:
        kind: The fact's name.
        at: Unix time, s.
        body: Its fields.
    """

    kind: str
    at: int
    body: dict[str, Any]


class EnergyOfSource(msgspec.Struct, frozen=True, kw_only=True):
    """Energy by one source of power.

    Attributes:
        joules: Energy, J.
        error_ratio: Its error; None where it is the instrument's own and not known here.
    """

    joules: float
    error_ratio: float | None


class Energy(msgspec.Struct, frozen=True, kw_only=True):
    """Energy with its error, and what is outside it.

    Attributes:
        by_source: By source of power.
        unread_units_ratio: Share of unit time in which units could not be read; None without units.
        outside: What is not in it.
    """

    by_source: dict[PowerSource, EnergyOfSource]
    unread_units_ratio: float | None
    outside: tuple[str, ...] = OUTSIDE


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """One site's contents; the document's definitions say what each is.

    Attributes:
        site: The site's name.
        absent: What is not said, with the reason.
        malformed: Facts that could not be read, in words.
        unknown_facts: How many facts there are of kinds that this version does not know.
        facts_since, chain, agents, keys, clock, configs, ledgers, ledger_changes, deployed_steps, units, curtailments,
            repairs, gaps, simulated, energy, chain_events: As defined.
    """

    site: str
    facts_since: int | None
    chain: ChainEnd | None
    agents: tuple[AgentRun, ...] | None
    keys: tuple[KeyInForce, ...] | None
    clock: Clock | None
    configs: tuple[InForce, ...] | None
    ledgers: tuple[InForce, ...] | None
    ledger_changes: tuple[LedgerChange, ...] | None
    deployed_steps: tuple[tuple[float, int], ...] | None
    units: UnitChanges | None
    curtailments: tuple[Curtailment, ...] | None
    repairs: dict[str, int] | None
    gaps: Gaps | None
    simulated: Simulated | None
    energy: Energy
    chain_events: tuple[ChainEvent, ...]
    malformed: tuple[str, ...]
    unknown_facts: dict[str, int]
    absent: dict[str, str]
