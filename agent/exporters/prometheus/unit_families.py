"""The metric contract of units: every series about a unit, and how it is read off the unit's status.

The prefix of a name says whose number it is: ``miner_`` a unit's, ``mining_`` a group's (`group_families`),
``miner_agent_`` the agent's own (`agent_families`). Base units throughout. An absent value is None and gives no series.
Thresholds live in alert rules, not here.

The largest machine has 4 boards and no fans. Partly curtailed, and short of its target for every possible cause, it
has exactly `SERIES_PER_UNIT` series. To stay within that budget, a unit has one board temperature (its hottest) and one
count of pools, and no reason while an event holds it back. Boards and fans beyond the fourth are not exported. The
hashrate since start, whose period differs from unit to unit, is only in the JSON API.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Generic, NamedTuple

from agent.exporters.prometheus.family import Family, Kind, Sample, Subject
from agent.site.ledger.entries import LedgerEntry
from agent.site.power import PowerSource
from agent.site.reasons import Reason
from agent.site.status import Cause, UnitState, UnitStatus
from agent.unit.reading import BoardReading, Dialect, Identity, ShareReading, UnitReading

SERIES_PER_UNIT = 40
BOARDS_SHOWN = 4
FANS_SHOWN = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Section(Generic[Subject]):
    """Families read off the same part of a unit's status, which is immutable.

    Attributes:
        part: Returns that part, or None if it is absent now; then the unit has no series of these families.
        families: The families read off it.
    """

    part: Callable[[UnitStatus], Subject | None]
    families: tuple[Family[Subject], ...]


class UnitInfo(NamedTuple):
    """The part of a status that changes only with the ledger or the machine itself."""

    entry: LedgerEntry
    identity: Identity | None
    dialect: Dialect | None
    reader: str = ""


def info_of(status: UnitStatus) -> UnitInfo:
    """Return the unit's ledger entry, and its identity from the latest reading, fresh or not."""
    reading = status.reading
    if reading is None:
        return UnitInfo(status.entry, None, None)
    return UnitInfo(status.entry, reading.identity, reading.dialect, reading.reader)


def judged(status: UnitStatus) -> UnitStatus | None:
    """Return the status once it rests on a poll or on the ledger; before that the state is unknown."""
    return status if status.is_looked_at else None


def fresh_reading(status: UnitStatus) -> UnitReading | None:
    """Return the reading while it is fresh."""
    return status.reading if status.is_fresh else None


def fresh_shares(status: UnitStatus) -> ShareReading | None:
    """Return a fresh reading's share counters; the same object until they are polled again."""
    return status.reading.shares if status.is_fresh and status.reading else None


BY_STATE: Mapping[UnitState, tuple[str]] = {state: (state.value,) for state in UnitState}
BY_REASON: Mapping[Reason, tuple[str]] = {reason: (reason.value,) for reason in Reason}
BY_CAUSE: Mapping[Cause, tuple[str]] = {cause: (cause.value,) for cause in Cause}
_BY_FAN = tuple((str(number),) for number in range(1, FANS_SHOWN + 1))
BY_SLOT: Mapping[int, tuple[str]] = {slot: (str(slot),) for slot in range(BOARDS_SHOWN)}

UNIT_LABELS = ("site", "container", "unit")
_INFO_LABELS = (
    *("rack", "slot", "model", "host", "firmware", "serial", "mac", "dialect", "cooling"),
    *("simulated", "reader", "make"),
)


def _info(subject: UnitInfo) -> Iterable[Sample]:
    entry, identity, dialect, reader = subject
    values = (
        entry.place.rack,
        entry.place.slot,
        entry.nameplate.model,
        entry.host,
        (identity.firmware if identity else None) or "",
        entry.serial or "",
        entry.mac or "",
        dialect or "",
        entry.nameplate.cooling,
        "true" if entry.is_simulated else "false",
        reader,
        entry.nameplate.make,
    )
    return ((values, 1),)


# No number from here on has decimal places to round.
_WITHOUT_DECIMALS = 2.0**53


def tenths(value: float) -> float:
    """Return a number of at least 0 to one decimal place, in a third of the time that `round` takes."""
    return int(value * 10 + 0.5) / 10 if abs(value) < _WITHOUT_DECIMALS else value


def thousandths(value: float) -> float:
    """Return a number of at least 0 to three decimal places, likewise."""
    return int(value * 1000 + 0.5) / 1000 if abs(value) < _WITHOUT_DECIMALS else value


def shown_reason(status: UnitStatus) -> Reason | None:
    """Return the reason to export; None for a unit that is fine or not known yet, or hashes partly curtailed."""
    reason = status.reason
    if reason is Reason.HASHING or not status.is_looked_at:
        return None
    if status.state is UnitState.HASHING and any(loss.cause is Cause.CURTAILED for loss in status.losses):
        return None
    return reason


def _reason(status: UnitStatus) -> Iterable[Sample]:
    reason = shown_reason(status)
    return () if reason is None else ((BY_REASON[reason], 1),)


def _power(status: UnitStatus) -> Iterable[Sample]:
    power = status.power
    return () if power is None else (((power.source.value,), tenths(power.watts)),)


def _pools_alive(reading: UnitReading) -> int | None:
    words = [pool.status for pool in reading.pools if pool.status is not None and not pool.is_fee]
    return words.count("Alive") if words else None


def _hottest_chips(reading: UnitReading) -> Iterable[Sample]:
    hottest = zip(reading.boards[:BOARDS_SHOWN], reading.hottest_chips_celsius[:BOARDS_SHOWN], strict=True)
    return [(_slot_label(board), celsius) for board, celsius in hottest]


def _unit(
    name: str, text: str, samples: Callable[[Subject], Iterable[Sample]], *labels: str, kind: Kind = Kind.GAUGE
) -> Family[Subject]:
    return Family(name=name, help=text, kind=kind, labels=(*UNIT_LABELS, *labels), samples=samples)


def _one(name: str, text: str, value: Callable[[Subject], float | None], *, kind: Kind = Kind.GAUGE) -> Family[Subject]:
    """Return a family with one series a unit."""
    return Family(
        name=name,
        help=text,
        kind=kind,
        labels=UNIT_LABELS,
        samples=lambda subject: (((), value(subject)),),
    )


def _slot_label(board: BoardReading) -> tuple[str]:
    return BY_SLOT.get(board.slot) or (str(board.slot),)


def _boards(
    name: str, text: str, value: Callable[[BoardReading], float | None], *, kind: Kind = Kind.GAUGE
) -> Family[UnitReading]:
    """Return a family with one series a board."""
    return Family(
        name=name,
        help=text,
        kind=kind,
        labels=(*UNIT_LABELS, "board"),
        samples=lambda reading: [(_slot_label(board), value(board)) for board in reading.boards[:BOARDS_SHOWN]],
    )


DECLARED = Section(
    part=info_of,
    families=(
        _unit("miner_info", "Identity and location of a unit; always 1.", _info, *_INFO_LABELS, kind=Kind.INFO),
        _one(
            "miner_nameplate_hashrate_hashes_per_second",
            "Rated hashrate of a unit, from the site's ledger.",
            lambda subject: subject.entry.nameplate.hashrate_hs,
        ),
    ),
)

JUDGED = Section(
    part=judged,
    families=(
        _one(
            "miner_up",
            "1 while a unit's latest reading is fresh, 0 when it is stale or there is none.",
            lambda status: 1 if status.is_fresh else 0,
        ),
        _unit(
            "miner_state",
            f"State of a unit as a label, always 1: {', '.join(UnitState)}.",
            lambda status: ((BY_STATE[status.state], 1),),
            "state",
        ),
        _unit(
            "miner_reason",
            "Why a unit is as it is, as a label, always 1 (docs/reasons.md); absent if it is fine or partly curtailed.",
            _reason,
            "reason",
        ),
        _one(
            "miner_last_reading_timestamp_seconds",
            "Unix time of a unit's latest complete reading, however old.",
            lambda status: thousandths(status.reading.at) if status.reading else None,
        ),
        _unit(
            "miner_loss_hashrate_hashes_per_second",
            "Shortfall of a unit from its nameplate, by cause; causes that took nothing are absent.",
            lambda status: [(BY_CAUSE[loss.cause], loss.hashrate_hs) for loss in status.losses],
            "cause",
        ),
        _unit(
            "miner_power_watts",
            f"Power of a unit by source: {', '.join(PowerSource)}; makers state +-5 %. A gauge, as units report watts.",
            _power,
            "source",
        ),
    ),
)

RATED = Section(
    part=judged,
    families=(
        _one(
            "miner_hashrate_hashes_per_second",
            "Hashrate that a unit reports, over 5 s, or longer where the reply refutes that; held while it is overdue.",
            attrgetter("hashrate_hs"),
        ),
    ),
)

READ = Section(
    part=fresh_reading,
    families=(
        _one(
            "miner_hashrate_30m_hashes_per_second",
            "Hashrate that a unit reports, over 30 minutes.",
            attrgetter("hashrate_30m_hs"),
        ),
        _one(
            "miner_uptime_seconds",
            "Time since a unit's miner process started; every change of work mode restarts it.",
            attrgetter("uptime_s"),
        ),
        _one(
            "miner_pcb_temperature_celsius",
            "Hottest board sensor of a unit, not counting one 60 C off its others; chip sensors are not counted.",
            attrgetter("hottest_pcb_celsius"),
        ),
        _unit(
            "miner_fan_speed_rpm",
            "Speed of a fan, numbered in the firmware's order.",
            lambda reading: list(zip(_BY_FAN, reading.fan_rpm, strict=False)),
            "fan",
        ),
        _boards(
            "miner_board_hashrate_hashes_per_second",
            "Hashrate of a board that its unit reports, over 5 s.",
            attrgetter("hashrate_hs"),
        ),
        _unit(
            "miner_board_chip_temperature_celsius",
            "Hottest chip sensor of a board, not one 60 C off the unit's others; absent where firmware computes it.",
            lambda reading: () if reading.is_chip_computed else _hottest_chips(reading),
            "board",
        ),
        _one(
            "miner_pools_alive",
            "Configured pools that the firmware calls alive.",
            _pools_alive,
        ),
        _boards(
            "miner_board_chips",
            "Chips of a board that answered at enumeration; 0 while the board is not up.",
            attrgetter("chips"),
        ),
        _boards(
            "miner_board_frequency_hertz",
            "Mean chip clock of a board.",
            attrgetter("frequency_hz"),
        ),
        _boards(
            "miner_board_hardware_errors_total",
            "Hardware errors of a board since its unit's miner process started.",
            attrgetter("hw_errors"),
            kind=Kind.COUNTER,
        ),
    ),
)

SHARES = Section(
    part=fresh_shares,
    families=(
        _unit(
            "miner_shares_total",
            "Shares by result, since a unit's miner process started; polled less often than the rest.",
            lambda shares: (
                (("accepted",), shares.accepted),
                (("rejected",), shares.rejected),
                (("stale",), shares.stale),
            ),
            "result",
            kind=Kind.COUNTER,
        ),
        _one(
            "miner_difficulty_accepted_total",
            "Difficulty of a unit's accepted shares; times 2^32 it is the work its pool credited, in hashes.",
            attrgetter("difficulty_accepted"),
            kind=Kind.COUNTER,
        ),
        _one(
            "miner_difficulty_rejected_total",
            "Difficulty of a unit's rejected shares.",
            attrgetter("difficulty_rejected"),
            kind=Kind.COUNTER,
        ),
    ),
)

# Any: each section reads another type.
SECTIONS: tuple[Section[Any], ...] = (JUDGED, DECLARED, RATED, READ, SHARES)
FAMILIES: tuple[Family[Any], ...] = tuple(family for section in SECTIONS for family in section.families)
