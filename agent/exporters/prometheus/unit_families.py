"""The metric contract of units: every series about one, and how it is read off its status.

The prefix of a name says whose number it is: ``miner_`` one unit's, ``mining_`` a group's (`group_families`),
``miner_agent_`` the agent's own (`own_metrics`). Base units throughout. An absent value is None and gives no series.
Nothing here judges: thresholds live in alert rules.

The fullest machine there is, 4 boards and no fans, inside an event that leaves it a part and short of that for every
reason there is, comes to exactly `SERIES_PER_UNIT` series. That is why board temperature is the hottest of the whole
unit, why pools are a count, why boards and fans beyond the fourth are not shown, and why the rate since start, whose
span is another for every unit, is in the JSON alone.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Generic, NamedTuple

from agent.exporters.prometheus.family import Family, Kind, Sample, Subject
from agent.site.ledger.entries import LedgerEntry
from agent.site.power import PowerSource
from agent.site.status import Cause, UnitState, UnitStatus
from agent.unit.reading import BoardReading, Dialect, Identity, ShareReading, UnitReading

SERIES_PER_UNIT = 40
BOARDS_SHOWN = 4
FANS_SHOWN = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Section(Generic[Subject]):
    """Families read off the same immutable part of a unit's status.

    Attributes:
        part: Gives that part, or None when there is none now: then the unit has no series of these families.
        families: What is read off it.
    """

    part: Callable[[UnitStatus], Subject | None]
    families: tuple[Family[Subject], ...]


class UnitInfo(NamedTuple):
    """The part of a status that changes only when somebody touches the ledger or the machine."""

    entry: LedgerEntry
    identity: Identity | None
    dialect: Dialect | None


def info_of(status: UnitStatus) -> UnitInfo:
    """Give what the unit is, by the ledger and by its latest reading, fresh or not."""
    reading = status.reading
    if reading is None:
        return UnitInfo(status.entry, None, None)
    return UnitInfo(status.entry, reading.identity, reading.dialect)


def judged(status: UnitStatus) -> UnitStatus | None:
    """Give the status once it rests on a poll or on the ledger's word: before that we do not know, and say nothing."""
    return status if status.reading or status.error or status.entry.is_in_maintenance else None


def fresh_reading(status: UnitStatus) -> UnitReading | None:
    """Give the reading while it may be believed."""
    return status.reading if status.is_fresh else None


def fresh_shares(status: UnitStatus) -> ShareReading | None:
    """Give the share counters of a reading that may be believed; the same object until they are asked again."""
    return status.reading.shares if status.is_fresh and status.reading else None


BY_STATE: Mapping[UnitState, tuple[str]] = {state: (state.value,) for state in UnitState}
BY_CAUSE: Mapping[Cause, tuple[str]] = {cause: (cause.value,) for cause in Cause}
_BY_FAN = tuple((str(number),) for number in range(1, FANS_SHOWN + 1))
BY_SLOT: Mapping[int, tuple[str]] = {slot: (str(slot),) for slot in range(BOARDS_SHOWN)}

UNIT_LABELS = ("site", "container", "unit")
_INFO_LABELS = (
    *("rack", "slot", "model", "host", "firmware", "serial", "mac", "dialect", "cooling"),
    "simulated",
)


def _info(subject: UnitInfo) -> Iterable[Sample]:
    entry, identity, dialect = subject
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
    )
    return ((values, 1),)


def _hottest_pcb(reading: UnitReading) -> float | None:
    hottest = [max(board.pcb_celsius) for board in reading.boards if board.pcb_celsius]
    return max(hottest) if hottest else None


def _hottest_chip(board: BoardReading) -> float | None:
    return max(board.chip_celsius) if board.chip_celsius else None


def _power(status: UnitStatus) -> Iterable[Sample]:
    power = status.power
    return () if power is None else (((power.source.value,), round(power.watts, 1)),)


def _pools_alive(reading: UnitReading) -> int | None:
    told = [pool.status for pool in reading.pools if pool.status is not None]
    return told.count("Alive") if told else None


def _unit(
    name: str, text: str, samples: Callable[[Subject], Iterable[Sample]], *labels: str, kind: Kind = Kind.GAUGE
) -> Family[Subject]:
    return Family(name=name, help=text, kind=kind, labels=(*UNIT_LABELS, *labels), samples=samples)


def _one(name: str, text: str, value: Callable[[Subject], float | None], *, kind: Kind = Kind.GAUGE) -> Family[Subject]:
    """Give a family of one series a unit."""
    return Family(
        name=name,
        help=text,
        kind=kind,
        labels=UNIT_LABELS,
        samples=lambda subject: (((), value(subject)),),
    )


def _boards(
    name: str, text: str, value: Callable[[BoardReading], float | None], *, kind: Kind = Kind.GAUGE
) -> Family[UnitReading]:
    """Give a family of one series a board."""
    return Family(
        name=name,
        help=text,
        kind=kind,
        labels=(*UNIT_LABELS, "board"),
        samples=lambda reading: [
            (BY_SLOT.get(board.slot) or (str(board.slot),), value(board)) for board in reading.boards[:BOARDS_SHOWN]
        ],
    )


DECLARED = Section(
    part=info_of,
    families=(
        _unit("miner_info", "What and where a unit is; always 1.", _info, *_INFO_LABELS, kind=Kind.INFO),
        _one(
            "miner_nameplate_hashrate_hashes_per_second",
            "Rated hashrate of a unit by the site's ledger.",
            lambda subject: subject.entry.nameplate.hashrate_hs,
        ),
    ),
)

JUDGED = Section(
    part=judged,
    families=(
        _one(
            "miner_up",
            "1 while a unit's latest reading is fresh, 0 when it could not be read for too long.",
            lambda status: 1 if status.is_fresh else 0,
        ),
        _unit(
            "miner_state",
            f"The state a unit is in, as a label, always 1: {', '.join(UnitState)}.",
            lambda status: ((BY_STATE[status.state], 1),),
            "state",
        ),
        _one(
            "miner_last_reading_timestamp_seconds",
            "Unix time of a unit's latest whole reading, however old.",
            lambda status: round(status.reading.at, 3) if status.reading else None,
        ),
        _unit(
            "miner_loss_hashrate_hashes_per_second",
            "What a unit lacks to its nameplate, by cause; causes that took nothing are absent.",
            lambda status: [(BY_CAUSE[loss.cause], loss.hashrate_hs) for loss in status.losses],
            "cause",
        ),
        _unit(
            "miner_power_watts",
            f"Power and by whose word: {', '.join(PowerSource)}; a gauge because firmware tells watts, not joules.",
            _power,
            "source",
        ),
    ),
)

READ = Section(
    part=fresh_reading,
    families=(
        _one(
            "miner_hashrate_hashes_per_second",
            "Hashrate by a unit's own word, over 5 s.",
            attrgetter("hashrate_5s_hs"),
        ),
        _one(
            "miner_hashrate_30m_hashes_per_second",
            "Hashrate by a unit's own word, over 30 minutes.",
            attrgetter("hashrate_30m_hs"),
        ),
        _one(
            "miner_uptime_seconds",
            "Time since a unit's miner process started; every change of work mode restarts it.",
            attrgetter("uptime_s"),
        ),
        _one(
            "miner_pcb_temperature_celsius",
            "Hottest board sensor of a unit, chips apart.",
            _hottest_pcb,
        ),
        _unit(
            "miner_fan_speed_rpm",
            "Speed of a fan, numbered in the firmware's order.",
            lambda reading: list(zip(_BY_FAN, reading.fan_rpm, strict=False)),
            "fan",
        ),
        _boards(
            "miner_board_hashrate_hashes_per_second",
            "Hashrate of a board by its unit's own word, over 5 s.",
            attrgetter("hashrate_hs"),
        ),
        _boards(
            "miner_board_chip_temperature_celsius",
            "Hottest chip sensor of a board.",
            _hottest_chip,
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
            "Shares by what became of them, since a unit's miner process started; asked less often than the rest.",
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

# Any: the sections differ in what they read, and each is consistent in itself.
SECTIONS: tuple[Section[Any], ...] = (JUDGED, DECLARED, READ, SHARES)
FAMILIES: tuple[Family[Any], ...] = tuple(family for section in SECTIONS for family in section.families)
