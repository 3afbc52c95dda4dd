"""The contents of a document, gathered from the facts of a history's chain, its rows and the dated ledger. Pure."""

import base64
import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import msgspec

from agent.files.signing import PublicKey
from agent.history.chain.links import Fact
from agent.site.ledger.entries import LedgerEntry
from agent.site.power import PowerSource
from agent.site.status import UnitState
from agent.statement.contents import (
    LISTED,
    AgentRun,
    ChainEnd,
    ChainEvent,
    Clock,
    Contents,
    Curtailment,
    Energy,
    EnergyOfSource,
    Gaps,
    InForce,
    KeptGap,
    KeyInForce,
    LedgerChange,
)
from agent.statement.declared import DeployedCourse
from agent.statement.kept_facts import Dated, KeptFacts
from agent.statement.parts import Part
from agent.statement.units import UnitEvent, changes_of, events_of, simulated_of

_WITHOUT_TOLERANCE = (PowerSource.METERED, PowerSource.MEASURED)
NOT_KEPT = "not kept: this history has no facts, or is of a version before them"
NO_LEDGER = "no ledger was given"
OF_THE_SITE = "of the whole site: an owner's statement has nothing of other owners' units"
TOLERANCE_RATIO = 0.05
"""Documented (D60): Bitmain's tolerance of power. No model of firmware or nameplate can be better."""
BY_FACTS = (
    "facts_since",
    "agents",
    "keys",
    "clock",
    "configs",
    "ledgers",
    "ledger_changes",
    "curtailments",
    "repairs",
    "gaps",
)
BY_LEDGER = ("deployed_steps", "units", "simulated")
OF_ALL_UNITS = ("repairs",)
"""What facts tell of all units together: no owner is told."""


class FactSource(Protocol):
    """A source of facts: an open history, or its exported chain."""

    @property
    def chain_end(self) -> tuple[int, str]:
        """Number and hash of the last link; 0 without one."""

    def facts(
        self, start: float = ..., end: float = ..., *, kinds: Collection[str] = ..., last: float = ...
    ) -> Iterable[Fact]:
        """Return the facts of [start, end) and links up to number `last`, of some kinds or all, oldest first."""


class Declared(NamedTuple):
    """What a dated ledger says.

    Attributes:
        entries: Its rows.
        course: Deployed at every moment.
    """

    entries: Sequence[LedgerEntry]
    course: DeployedCourse


def declared_of(entries: Sequence[LedgerEntry], *, digest: str) -> Declared:
    """Return what a ledger says, by its rows and the SHA-256 of its file."""
    return Declared(entries, DeployedCourse(entries, digest=digest))


def events_within(part: Part, declared: Declared) -> list[UnitEvent]:
    """Return the units that entered, left or were in maintenance in a part's period, as far as it has passed."""
    return events_of(declared.entries, part.start, _until(part))


def is_of_owner(part: Part) -> bool:
    """Return True for a part that is of one owner's units alone."""
    return getattr(part, "owner", None) is not None


def _until(part: Part) -> int:
    return math.ceil(part.start + part.elapsed_s)


def contents_of(
    source: FactSource, part: Part, declared: Declared | None, *, end: tuple[int, str] | None = None
) -> Contents:
    """Return a site's contents.

    Args:
        source: Its facts.
        part: Its part of the statement.
        declared: What its ledger says; None without one.
        end: Number and hash of the last link that counts; None for the chain's end.
    """
    is_owners = is_of_owner(part)
    seq, last_hash = source.chain_end if end is None else end
    kept = KeptFacts(source.facts(last=seq))
    starts = kept.of("start")
    since = starts[0].at if starts else None
    chain = ChainEnd(name=kept.chain, seq=seq, hash=last_hash) if seq else None
    found = Contents(
        site=part.site,
        facts_since=since,
        chain=chain,
        deployed_steps=None if declared is None else declared.course.steps(part.start, _until(part)),
        units=None if declared is None else changes_of(events_within(part, declared)),
        simulated=None if declared is None else simulated_of(declared.entries, part.start, _until(part)),
        energy=energy_of(part),
        chain_events=tuple(
            ChainEvent(kind=fact.kind, at=fact.at, body=dict(fact.body)) for fact in kept.chain_events[:LISTED]
        ),
        malformed=tuple(kept.malformed[:LISTED]),
        unknown_facts=kept.unknown,
        absent=absent_of(
            has_facts=since is not None,
            has_chain=chain is not None,
            has_ledger=declared is not None,
            is_owners=is_owners,
        ),
        **_by_facts(kept, part.start, part.end, is_kept=since is not None),
    )
    if is_owners:
        found = _without_others(found)
    # As it will be read from a file: whole numbers in the place of floats are floats then.
    return msgspec.convert(msgspec.to_builtins(found), Contents)


def absent_of(*, has_facts: bool, has_chain: bool, has_ledger: bool, is_owners: bool) -> dict[str, str]:
    """Return what is absent, with the reason."""
    return {
        **(dict.fromkeys(OF_ALL_UNITS, OF_THE_SITE) if is_owners else {}),
        **({} if has_facts else dict.fromkeys(BY_FACTS, NOT_KEPT)),
        **({} if has_chain else {"chain": NOT_KEPT}),
        **({} if has_ledger else dict.fromkeys(BY_LEDGER, NO_LEDGER)),
    }


def _without_others(contents: Contents) -> Contents:
    """Return an owner's contents: that something happened to ledger and site, and nothing of other owners' units."""
    unnamed = {"added": None, "removed": None, "changed": None, "units": None, "deployed_hs": None}
    uncounted = {"added_count": None, "removed_count": None, "changed_count": None}
    unmeasured = {"scope": None, "curtailed_hashes": None, "energy_j": None}
    replace = msgspec.structs.replace
    changes, events = contents.ledger_changes, contents.curtailments
    return replace(
        contents,
        ledger_changes=changes and tuple(replace(each, **unnamed, **uncounted) for each in changes),
        curtailments=events and tuple(replace(each, **unmeasured) for each in events),
        **dict.fromkeys(OF_ALL_UNITS, None),
    )


def _by_facts(kept: KeptFacts, start: int, end: int, *, is_kept: bool) -> dict[str, Any]:
    if not is_kept:
        return dict.fromkeys((name for name in BY_FACTS if name != "facts_since"), None)
    return {
        "agents": tuple(_agents(kept.in_force("start", start, end))),
        "keys": tuple(_keys(kept.in_force("key", start, end))),
        "clock": _clock(kept.in_force("clock", start, end)),
        "configs": tuple(_files(kept, "config", start, end)),
        "ledgers": tuple(_files(kept, "ledger", start, end)),
        "ledger_changes": tuple(_changes(kept, start)),
        "curtailments": tuple(_curtailments(kept.of("curtailment"), start, end)),
        "repairs": _repairs(kept.of("repairs"), start, end),
        "gaps": _gaps(kept.of("gap"), start, end),
    }


def _agents(starts: Iterable[Dated]) -> Iterator[AgentRun]:
    run: AgentRun | None = None
    for at, body in starts:
        if run is not None and (run.version, run.commit) == (body.version, body.commit):
            run = msgspec.structs.replace(run, starts=run.starts + 1)
            continue
        if run is not None:
            yield run
        run = AgentRun(since=at, version=body.version, commit=body.commit, starts=1)
    if run is not None:
        yield run


def _keys(facts: Iterable[Dated]) -> Iterator[KeyInForce]:
    for at, body in facts:
        key = PublicKey(body.public)
        yield KeyInForce(key_id=key.id, public_key=base64.b64encode(key.raw).decode(), since=at)


def _clock(looks: list[Dated]) -> Clock:
    known = [(abs(body.offset_s) + (body.error_s or 0.0), at) for at, body in looks if body.offset_s is not None]
    worst_s, worst_at = max(known, key=lambda each: each[0]) if known else (None, None)
    return Clock(
        sources=tuple(sorted({body.source for _, body in looks if body.source})),
        looks=len(looks),
        unsynchronized=sum(body.is_synchronized is not True for _, body in looks),
        worst_s=worst_s,
        worst_at=worst_at,
    )


def _files(kept: KeptFacts, kind: str, start: int, end: int) -> Iterator[InForce]:
    """Yield the files in force: facts of their own, and what the agent found at its starts."""
    found = [(each.at, each.body.digest) for each in kept.of(kind)]
    found += [(each.at, digest) for each in kept.of("start") if (digest := getattr(each.body, kind))]
    found.sort(key=lambda each: each[0])
    earlier = [each for each in found if each[0] < start]
    before = ""
    for at, digest in earlier:
        if digest != before:
            since, before = at, digest
    if before:
        yield InForce(digest=before, since=since)
    for at, digest in found:
        if start <= at < end and digest != before:
            yield InForce(digest=digest, since=at)
            before = digest


def _changes(kept: KeptFacts, start: int) -> Iterator[LedgerChange]:
    """Yield every change of the ledger since the period began: one entered afterwards may be dated back."""
    for at, body in kept.of("ledger"):
        if at >= start and body.before is not None:
            yield LedgerChange(at=at, **msgspec.structs.asdict(body))


def _curtailments(facts: Iterable[Dated], start: int, end: int) -> Iterator[Curtailment]:
    """Yield the events that touch the period; what a later fact says of one counts."""
    events: dict[str | int, dict[str, Any]] = {}
    for _, body in facts:
        said = {name: value for name, value in msgspec.structs.asdict(body).items() if value is not None}
        # An end that was called off is none any more.
        events.setdefault(body.id, {}).update({"since": None, "until": None, "hours": None} | said)
    for event in events.values():
        blank: dict[str, Any] = dict.fromkeys(Curtailment.__struct_fields__)
        whole = Curtailment(**blank | event | {"is_modelled": True})
        begins = whole.since is None or whole.since < end
        if begins and (whole.until is None or whole.until > start):
            yield whole


def _repairs(facts: Iterable[Dated], start: int, end: int) -> dict[str, int]:
    counts: dict[str, int] = {}
    for _, body in facts:
        if start <= body.since < end:
            for name, number in body.counts.items():
                counts[name] = counts.get(name, 0) + number
    return counts


def _gaps(facts: Iterable[Dated], start: int, end: int) -> Gaps:
    found = [body for _, body in facts if body.since < end and body.until > start]
    return Gaps(
        count=len(found),
        seconds=math.fsum(min(body.until, end) - max(body.since, start) for body in found),
        listed=tuple(KeptGap(since=body.since, until=body.until, reason=body.reason) for body in found[:LISTED]),
    )


def energy_of(part: Part) -> Energy:
    """Return a part's energy, with its error and what is outside it."""
    mean = part.mean
    unread = sum(mean.units_by_state.get(state, 0.0) for state in (UnitState.UNREACHABLE, UnitState.UNREADABLE))
    return Energy(
        by_source={
            source: EnergyOfSource(
                joules=mean.watts.get(source, 0.0) * mean.watched_s,
                error_ratio=None if source in _WITHOUT_TOLERANCE else TOLERANCE_RATIO,
            )
            for source in PowerSource
        },
        unread_units_ratio=unread / mean.units if mean.units else None,
    )
