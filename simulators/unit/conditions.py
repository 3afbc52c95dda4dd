"""The conditions that faults put a unit under, the causes of loss, and the changes on its agenda."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

from simulators.unit import physics
from simulators.unit.delivery import Spoiler
from simulators.unit.models import Model
from simulators.unit.settings import Hijack
from simulators.unit.snapshot import CONFIGURED_POOLS, STRANGERS_POOL, Phase


class Cause(StrEnum):
    """Why a unit does less than its nameplate; the truth to check an agent's attribution against."""

    OFF = "off"
    STARTING = "starting"
    ASLEEP = "asleep"
    CURTAILED = "curtailed"
    STOPPED = "stopped"
    MISSING_BOARDS = "missing_boards"
    MISSING_CHIPS = "missing_chips"
    DERATED = "derated"
    UNDERPERFORMING = "underperforming"


_PHASE_CAUSE = {
    Phase.OFF: Cause.OFF,
    Phase.BOOTING: Cause.STARTING,
    Phase.RESTARTING: Cause.STARTING,
    Phase.ENUMERATING: Cause.STARTING,
    Phase.RAMPING: Cause.STARTING,
    Phase.PROTECTED: Cause.STOPPED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """The sum of a unit's active faults.

    Attributes:
        is_powered: There is electricity.
        is_asleep: A fault put it to sleep.
        is_curtailed: The sleep belongs to a declared curtailment.
        dead_boards: Board positions that do not work.
        is_dead_board_listed: The firmware lists a dead board with no chips instead of leaving it out.
        missing_chips: Chips that do not answer, per board position.
        bad_chips: Chips that are counted and do not hash, per board position.
        has_no_boards: The control board finds no hashboard at all.
        has_failed: The firmware gave up; boards have power, nothing hashes.
        heat_celsius: Added to the ambient temperature.
        stopped_fans: Fan positions that stand still.
        rate_ratio: Factor on the hashrate.
        drift_per_hour: Share of the rate lost every hour since the drift began.
        drift_floor: Where the drift ends, as a factor.
        dead_pools: How many pools, counted from the first, do not answer.
        is_work_diverted: No configured pool is credited with the work.
        is_fee_turn: The firmware's own pool has its turn: no configured one is credited for a while.
        hijack: Another one's pool in place of the first; None for the owner's.
        is_frozen: The firmware repeats its last figures; nothing hashes.
        trip_every_s: Seconds of hashing between two losses of power; infinite for a single loss, at once; 0 for none.
        trip_off_s: Seconds without power at each loss; 0 is a restart of the control board.
        crash_every_s: Age at which the miner process crashes, and starts again, s; 0 for never.
        build: Key of another firmware build that runs instead of the unit's own.
        answers_as: Unit id of the unit found at this one's address.
        is_cut_off: The network does not reach the unit.
        is_legacy_only: The firmware does not know `new_api` and answers legacy.
        spoilers: Wire and protocol faults, in the order they came.
    """

    is_powered: bool = True
    is_asleep: bool = False
    is_curtailed: bool = False
    dead_boards: frozenset[int] = frozenset()
    is_dead_board_listed: bool = True
    missing_chips: tuple[int, ...] = ()
    bad_chips: tuple[int, ...] = ()
    has_no_boards: bool = False
    has_failed: bool = False
    heat_celsius: float = 0.0
    stopped_fans: frozenset[int] = frozenset()
    rate_ratio: float = 1.0
    drift_per_hour: float = 0.0
    drift_floor: float = 0.5
    dead_pools: int = 0
    is_work_diverted: bool = False
    is_fee_turn: bool = False
    hijack: Hijack | None = None
    is_frozen: bool = False
    trip_every_s: float = 0.0
    trip_off_s: float = 0.0
    crash_every_s: float = 0.0
    build: str = ""
    answers_as: str = ""
    is_cut_off: bool = False
    is_legacy_only: bool = False
    spoilers: tuple[Spoiler, ...] = ()

    @property
    def is_without_work(self) -> bool:
        """True if the boards run but have nothing to hash."""
        return self.is_frozen or self.has_no_boards or self.has_failed or self.dead_pools >= CONFIGURED_POOLS

    @property
    def credited_pool(self) -> int:
        """The pool that is credited with the work, from 0; beyond the configured ones, none or another one's is."""
        if self.is_work_diverted or self.is_fee_turn:
            return CONFIGURED_POOLS
        return STRANGERS_POOL if self.hijack is not None and not self.dead_pools else self.dead_pools

    def chips(self, model: Model, board: int) -> int:
        """Return how many chips of a board hash."""
        if self.has_no_boards or board in self.dead_boards:
            return 0
        return max(0, model.chips_per_board - _at(self.missing_chips, board) - _at(self.bad_chips, board))

    def chips_by_board(self, model: Model) -> tuple[int, ...]:
        """Return how many chips of each board hash."""
        if not (self.dead_boards or self.missing_chips or self.bad_chips or self.has_no_boards):
            return model.chips_by_board
        return tuple(self.chips(model, board) for board in range(model.boards))

    def marked_chips(self, model: Model, board: int) -> int:
        """Return how many chips of a board are counted and do not hash."""
        if not self.bad_chips or self.has_no_boards or board in self.dead_boards:
            return 0
        return min(_at(self.bad_chips, board), max(0, model.chips_per_board - _at(self.missing_chips, board)))

    def count_dead_boards(self, model: Model) -> int:
        """Return how many of a model's boards do not work."""
        return len([board for board in self.dead_boards if board < model.boards])

    def missing_chip_ratio(self, model: Model) -> float:
        """Return the share of a unit's chips that do not hash on working boards."""
        if not (self.missing_chips or self.bad_chips):
            return 0.0
        present = sum(self.chips_by_board(model))
        working = model.boards - self.count_dead_boards(model)
        return (working * model.chips_per_board - present) / (model.boards * model.chips_per_board)


def _at(counts: tuple[int, ...], board: int) -> int:
    """Return the count of a board; 0 for one that none is noted for."""
    return counts[board] if board < len(counts) else 0


HEALTHY = Conditions()


# Share of the nameplate that each cause can take, in order of precedence; the last one takes the rest.
Claims = tuple[tuple[Cause, float], ...]


def claims(
    model: Model,
    phase: Phase,
    conditions: Conditions,
    *,
    is_asleep: bool,
    is_waking: bool = False,
    tuning: float = 1.0,
) -> Claims:
    """Return the causes of a unit's losses, each with the largest share of the nameplate it can take.

    Args:
        model: The unit's bin.
        phase: The phase it is in.
        conditions: The sum of its active faults.
        is_asleep: It is asleep or going to sleep.
        is_waking: It is starting because a sleep ended; after a declared curtailment that start belongs to it.
        tuning: Clock over rated clock of its tuning profile.
    """
    if is_asleep and phase is not Phase.OFF:
        return ((Cause.CURTAILED if conditions.is_curtailed else Cause.ASLEEP, math.inf),)
    if is_waking and conditions.is_curtailed and _PHASE_CAUSE.get(phase) is Cause.STARTING:
        return ((Cause.CURTAILED, math.inf),)
    if cause := _PHASE_CAUSE.get(phase):
        return ((cause, math.inf),)
    if conditions.is_without_work:
        return ((Cause.STOPPED, math.inf),)
    return (
        (Cause.MISSING_BOARDS, conditions.count_dead_boards(model) / model.boards),
        (Cause.MISSING_CHIPS, conditions.missing_chip_ratio(model)),
        (Cause.DERATED, 1.0 - tuning * (physics.THROTTLE_RATIO if phase is Phase.THROTTLED else 1.0)),
        (Cause.UNDERPERFORMING, math.inf),
    )


def losses_by_cause(claimed: Claims, missing_to: Callable[[float], float]) -> dict[Cause, float]:
    """Return a unit's shortfall against its nameplate by cause; the parts add up to the whole.

    Each cause takes the shortfall between the level left by the causes before it and its own level. That makes the
    integrals of the parts the parts of the integral.

    Args:
        claimed: The share of the nameplate each cause can take.
        missing_to: Returns the shortfall against a share of the nameplate, in hashes or H/s, never negative.
    """
    parts: dict[Cause, float] = {}
    level, missing = 1.0, missing_to(1.0)
    for cause, share in claimed:
        if missing <= 0.0:
            break
        if share <= 0.0:
            continue
        level -= share
        below = missing_to(level) if level > 0.0 else 0.0
        if missing > below:
            parts[cause] = missing - below
            missing = below
    return parts


class Condition(Protocol):
    """A fault as a unit sees it: it alters the unit's conditions while it is active."""

    def bend(self, conditions: Conditions) -> Conditions:
        """Return `conditions` with this fault added."""
        ...


def bent(faults: Iterable[Condition]) -> Conditions:
    """Return the sum of some active faults, in the order they came."""
    conditions = HEALTHY
    for fault in faults:
        conditions = fault.bend(conditions)
    return conditions


class FaultError(ValueError):
    """An impossible fault; the message names the attribute and the expected value."""


def require(is_right: bool, name: str, value: object, wanted: str) -> None:  # noqa: FBT001  reads as an assertion
    """Check an attribute of a fault.

    Raises:
        FaultError: `is_right` is False.
    """
    if not is_right:
        raise FaultError(f"{name} must be {wanted}, not {value!r}")


class Verb(StrEnum):
    """Kinds of change to a unit."""

    INJECT = "inject"
    CLEAR = "clear"
    MODE = "mode"
    REBOOT = "reboot"


class Change(NamedTuple):
    """A change to a unit at a moment.

    Attributes:
        at: Unix seconds.
        order: Sorts changes of the same moment in the order they were requested.
        verb: The kind of change.
        number: Number of the injection, or the work mode.
        fault: The fault to inject.
    """

    at: float
    order: int
    verb: Verb
    number: int = 0
    fault: Condition | None = None
