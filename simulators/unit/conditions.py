"""What can happen to a unit: the conditions its faults put it under, the causes of loss, the changes on its agenda."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

from simulators.unit import physics
from simulators.unit.delivery import Spoiler
from simulators.unit.models import Model
from simulators.unit.snapshot import CONFIGURED_POOLS, Phase


class Cause(StrEnum):
    """Why a unit does less than its nameplate; the truth an agent's attribution is held against."""

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
    """What outside events have done to a unit; the sum of its active faults.

    Attributes:
        is_powered: There is electricity.
        is_asleep: Somebody put it to sleep.
        is_curtailed: ... and said so: a declared event.
        dead_boards: Board positions that do not work.
        is_dead_board_listed: The firmware lists a dead board with no chips, instead of leaving it out.
        missing_chips: Chips that do not answer, per board position.
        heat_celsius: Added to the ambient temperature.
        stopped_fans: Fan positions that stand still.
        rate_ratio: Factor on the hashrate.
        drift_per_hour: Share of the rate lost every hour since the drift began.
        drift_floor: Where the drift ends, as a factor.
        dead_pools: Pools, from the first, that do not answer.
        is_frozen: The firmware repeats what it last said; nothing hashes.
        trip_every_s: Seconds of hashing between two losses of power; infinite for one loss, at once; 0 for none.
        trip_off_s: Seconds without power at each of them; 0 is a restart of the control board.
        build: Key of another firmware build that runs instead of the unit's own.
        answers_as: Unit id of the unit that is found at this one's address.
        is_cut_off: Nothing reaches the unit over the network.
        spoilers: Faults of the wire and the protocol, in the order they came.
    """

    is_powered: bool = True
    is_asleep: bool = False
    is_curtailed: bool = False
    dead_boards: frozenset[int] = frozenset()
    is_dead_board_listed: bool = True
    missing_chips: tuple[int, ...] = ()
    heat_celsius: float = 0.0
    stopped_fans: frozenset[int] = frozenset()
    rate_ratio: float = 1.0
    drift_per_hour: float = 0.0
    drift_floor: float = 0.5
    dead_pools: int = 0
    is_frozen: bool = False
    trip_every_s: float = 0.0
    trip_off_s: float = 0.0
    build: str = ""
    answers_as: str = ""
    is_cut_off: bool = False
    spoilers: tuple[Spoiler, ...] = ()

    @property
    def is_without_work(self) -> bool:
        """Say whether the boards have nothing to hash although they run."""
        return self.is_frozen or self.dead_pools >= CONFIGURED_POOLS

    def chips(self, model: Model, board: int) -> int:
        """Give how many chips of a board answer."""
        if board in self.dead_boards:
            return 0
        missing = self.missing_chips
        return max(0, model.chips_per_board - missing[board]) if board < len(missing) else model.chips_per_board

    def chips_by_board(self, model: Model) -> tuple[int, ...]:
        """Give how many chips of each board answer."""
        if not (self.dead_boards or self.missing_chips):
            return model.chips_by_board
        return tuple(self.chips(model, board) for board in range(model.boards))

    def missing_chip_ratio(self, model: Model) -> float:
        """Give the share of a unit's chips that do not answer on boards that work."""
        if not self.missing_chips:
            return 0.0
        present = sum(self.chips_by_board(model))
        working = model.boards - sum(board < model.boards for board in self.dead_boards)
        return (working * model.chips_per_board - present) / (model.boards * model.chips_per_board)


HEALTHY = Conditions()


# What each cause takes of a nameplate, the first one first; the last one takes all that the others leave.
Claims = tuple[tuple[Cause, float], ...]


def claims(model: Model, phase: Phase, conditions: Conditions, *, is_asleep: bool) -> Claims:
    """Give the causes a unit's losses have, each with the share of the nameplate it can take at most.

    Args:
        model: Its bin.
        phase: Where it stands.
        conditions: What was done to it.
        is_asleep: It is asleep or on its way there.
    """
    if is_asleep and phase is not Phase.OFF:
        return ((Cause.CURTAILED if conditions.is_curtailed else Cause.ASLEEP, math.inf),)
    if cause := _PHASE_CAUSE.get(phase):
        return ((cause, math.inf),)
    if conditions.is_without_work:
        return ((Cause.STOPPED, math.inf),)
    boards = sum(board < model.boards for board in conditions.dead_boards) / model.boards
    return (
        (Cause.MISSING_BOARDS, boards),
        (Cause.MISSING_CHIPS, conditions.missing_chip_ratio(model)),
        (Cause.DERATED, 1.0 - physics.THROTTLE_RATIO if phase is Phase.THROTTLED else 0.0),
        (Cause.UNDERPERFORMING, math.inf),
    )


def losses_by_cause(claimed: Claims, missing_to: Callable[[float], float]) -> dict[Cause, float]:
    """Give what is missing to a unit's nameplate by cause; the parts add up to it.

    A cause has what is missing between the level that the causes before it leave and its own, so that the integrals of
    the parts are the parts of the integral.

    Args:
        claimed: What each cause can take.
        missing_to: Gives what is missing to a share of the nameplate, never below zero: hashes, or H/s.
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
    """A fault, as far as a unit knows one: something that bends its conditions while it is active."""

    def bend(self, conditions: Conditions) -> Conditions:
        """Give `conditions` with this fault in them."""
        ...


def bent(faults: Iterable[Condition]) -> Conditions:
    """Give the conditions a unit is under with these faults active, in the order they came."""
    conditions = HEALTHY
    for fault in faults:
        conditions = fault.bend(conditions)
    return conditions


class FaultError(ValueError):
    """A fault that cannot be; the message names the attribute and what would be right."""


def require(is_right: bool, name: str, value: object, wanted: str) -> None:  # noqa: FBT001  reads as an assertion
    """Refuse an attribute of a fault.

    Raises:
        FaultError: `is_right` is not.
    """
    if not is_right:
        raise FaultError(f"{name} must be {wanted}, not {value!r}")


class Verb(StrEnum):
    """What can happen to a unit at a moment."""

    INJECT = "inject"
    CLEAR = "clear"
    MODE = "mode"
    REBOOT = "reboot"


class Change(NamedTuple):
    """Something that happens to a unit at a moment.

    Attributes:
        at: Unix seconds.
        order: Keeps the changes of one moment in the order they were given.
        verb: What happens.
        number: The injection, or the work mode.
        fault: The fault to inject.
    """

    at: float
    order: int
    verb: Verb
    number: int = 0
    fault: Condition | None = None
