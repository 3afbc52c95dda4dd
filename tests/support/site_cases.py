"""Units for the tests of the site's figures: one invented machine with round numbers, and random fleets."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import msgspec
from hypothesis import strategies as st

from agent.errors import (
    DeadlineError,
    DisconnectedError,
    MalformedReplyError,
    PollError,
    RefusedError,
    UnreachableError,
    UnsupportedReplyError,
)
from agent.site.curtailment.events import Curtailments
from agent.site.ledger.entries import LedgerEntry, Place
from agent.site.status import UnitStatus
from agent.site.tracker import Tracker
from agent.unit.nameplate import Nameplate
from agent.unit.reading import BoardReading, Dialect, Mode, Poll, PowerKind, UnitReading

AT = 1763674560.0  # 2025-11-20 21:36:00 UTC
STALE_AFTER_S = 30.0
TH = Fraction(10**12)
MHZ = Fraction(10**6)

# Three boards of 98 chips at 490 MHz: one chip is worth one TH/s, two TH/s of every ten MHz.
PLATE = Nameplate(
    model="M294",
    hashrate_hs=294 * TH,
    boards=3,
    chips_per_board=98,
    frequency_hz=490 * MHZ,
    cooling="air",
    source="invented, so that fractions come out whole",
)

REFUSAL = UnreachableError("connection refused", is_refusal=True)
NO_ANSWER = UnreachableError("no route")
ACCESS_DENIED = RefusedError("access denied", code=45)
ERRORS: tuple[PollError, ...] = (
    REFUSAL,
    NO_ANSWER,
    DeadlineError("half a reply"),
    DisconnectedError("closed"),
    MalformedReplyError("not JSON"),
    ACCESS_DENIED,
    UnsupportedReplyError("no rate"),
)


def entry(unit_id: str = "u1", **changes: Any) -> LedgerEntry:
    """Return a ledger entry of the round machine in container C1, rack R1."""
    declared = LedgerEntry(unit_id=unit_id, nameplate=PLATE, place=Place(container="C1", rack="R1"), host="127.0.0.2")
    return msgspec.structs.replace(declared, **changes)


def board(slot: int, **changes: Any) -> BoardReading:
    """Return a complete board at its nameplate's clock."""
    complete = BoardReading(slot=slot, hashrate_hs=98 * TH, chips=98, frequency_hz=490 * MHZ)
    return msgspec.structs.replace(complete, **changes)


def reading(unit_id: str = "u1", **changes: Any) -> UnitReading:
    """Return a reading of the round machine, exactly at its nameplate and without an uptime."""
    complete = UnitReading(
        unit_id=unit_id,
        at=AT,
        dialect=Dialect.NEW_API,
        mode=Mode.NORMAL,
        hashrate_5s_hs=294 * TH,
        boards=(board(0), board(1), board(2)),
    )
    return msgspec.structs.replace(complete, **changes)


def answered(unit_id: str = "u1", *, at: float = AT, **changes: Any) -> Poll:
    """Return a poll that succeeded with `reading(**changes)`."""
    return Poll(unit_id=unit_id, at=at, took_s=0.02, reading=reading(unit_id, at=at, **changes))


def failed(error: PollError = NO_ANSWER, unit_id: str = "u1", *, at: float = AT) -> Poll:
    """Return a poll that failed with `error`."""
    return Poll(unit_id=unit_id, at=at, took_s=4.0, error=error)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One unit of a random fleet: its ledger entry, its last reading if any, and a later error if any."""

    entry: LedgerEntry
    reading: UnitReading | None
    error: PollError | None
    is_stale: bool


def statuses(cases: Iterable[Case], curtailments: Curtailments | None = None) -> list[UnitStatus]:
    """Return a tracker's statuses of `cases` as of Unix time `AT`."""
    cases = list(cases)
    entries = [case.entry for case in cases]
    tracker = Tracker(entries, stale_after_s=STALE_AFTER_S, at=AT, curtailments=curtailments)
    for case in cases:
        unit_id = case.entry.unit_id
        if case.reading is not None:
            heard = -STALE_AFTER_S if case.is_stale else 0.0
            tracker.record(Poll(unit_id=unit_id, at=AT, took_s=0.02, reading=case.reading), clock_s=heard)
        if case.error is not None:
            tracker.record(failed(case.error, unit_id), clock_s=0.0)
    tracker.refresh(at=AT, clock_s=0.0)
    return list(tracker.statuses())


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """Strategies for a random fleet's figures.

    Attributes:
        rate_hs: A unit's nameplate or measured rate, H/s.
        frequency_hz: A chip's clock, Hz.
        boards, chips: Boards per unit and chips per board of a nameplate.
    """

    rate_hs: st.SearchStrategy[Any]
    frequency_hz: st.SearchStrategy[Any]
    boards: st.SearchStrategy[int]
    chips: st.SearchStrategy[int]


def _scaled(scale: Fraction, most: int, kind: Callable[[Fraction], Any]) -> st.SearchStrategy[Any]:
    ratios = st.fractions(min_value=Fraction(1, 100), max_value=most, max_denominator=999)
    return ratios.map(lambda ratio: kind(ratio * scale))


FRACTIONS = Numbers(
    rate_hs=_scaled(TH, 500, Fraction),
    frequency_hz=_scaled(MHZ, 900, Fraction),
    boards=st.integers(1, 4),
    chips=st.integers(1, 216),
)
FLOATS = replace(FRACTIONS, rate_hs=_scaled(TH, 500, float), frequency_hz=_scaled(MHZ, 900, float))
# Whole multiples of 2^30 H/s, divided by powers of two: floats never round on these.
BINARY = Numbers(
    rate_hs=st.integers(1, 2**19).map(lambda number: number * 2.0**30),
    frequency_hz=st.sampled_from([2.0**28, 2.0**29]) | st.integers(0, 2**10).map(lambda number: number * 2.0**19),
    boards=st.sampled_from([1, 2, 4]),
    chips=st.sampled_from([1, 64, 128]),
)


@st.composite
def nameplates(draw: st.DrawFn, numbers: Numbers) -> Nameplate:
    """Draw a nameplate with or without its optional fields."""
    maybe = st.none
    return Nameplate(
        model=draw(st.sampled_from(["S21", "T21", "S21 Hyd."])),
        hashrate_hs=draw(numbers.rate_hs),
        boards=draw(maybe() | numbers.boards),
        chips_per_board=draw(maybe() | numbers.chips),
        # As a power of two for the exact floats: dividing by it must not round.
        frequency_hz=draw(maybe() | (st.just(2.0**29) if numbers is BINARY else numbers.frequency_hz)),
        cooling="air",
        source="drawn",
    )


@st.composite
def readings(draw: st.DrawFn, numbers: Numbers, unit_id: str = "u1") -> UnitReading:
    """Draw a reading that need not fit its nameplate, with any optional field missing."""
    zero = draw(numbers.rate_hs) * 0
    rates = st.none() | st.just(zero) | numbers.rate_hs
    boards = st.builds(
        BoardReading,
        slot=st.integers(0, 4),
        hashrate_hs=rates,
        chips=st.none() | st.just(0) | st.integers(1, 220),
        bad_chips=st.none() | st.just(0) | st.integers(1, 220),
        frequency_hz=st.none() | numbers.frequency_hz,
    )
    return UnitReading(
        unit_id=unit_id,
        at=AT,
        dialect=Dialect.NEW_API,
        mode=draw(st.none() | st.sampled_from(Mode)),
        uptime_s=draw(st.none() | st.sampled_from([0.0, 60.0, 86400.0])),
        hashrate_5s_hs=draw(rates),
        power_watts=draw(st.none() | st.integers(0, 8000).map(float)),
        power_kind=draw(st.none() | st.sampled_from(PowerKind)),
        boards=tuple(draw(st.lists(boards, max_size=5))),
    )


@st.composite
def fleets(draw: st.DrawFn, numbers: Numbers, most: int = 5) -> list[Case]:
    """Draw up to `most` units over three containers, in every condition."""
    return [
        Case(
            entry=entry(
                f"u{number}",
                nameplate=draw(nameplates(numbers)),
                place=Place(
                    container=draw(st.sampled_from(["", "C1", "C2"])), rack=draw(st.sampled_from(["", "R1", "R2"]))
                ),
                is_in_maintenance=draw(st.sampled_from([False, False, False, True])),
            ),
            reading=draw(st.none() | readings(numbers, f"u{number}")),
            error=draw(st.none() | st.sampled_from(ERRORS)),
            is_stale=draw(st.booleans()),
        )
        for number in range(draw(st.integers(0, most)))
    ]
