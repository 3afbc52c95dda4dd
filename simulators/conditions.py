"""What can happen to a unit: the conditions its faults put it under, the causes of loss, the changes on its agenda."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol


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
        drift_per_hour: Share of the rate lost every hour since `changed_at` of the unit.
        drift_floor: Where the drift ends, as a factor.
        dead_pools: Pools, from the first, that do not answer.
        is_frozen: The firmware repeats what it last said; nothing hashes.
        build: Key of another firmware build that runs instead of the unit's own.
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
    build: str = ""


HEALTHY = Conditions()


class Condition(Protocol):
    """A fault, as far as a unit knows one: something that bends its conditions while it is active."""

    def bend(self, conditions: Conditions) -> Conditions:
        """Give `conditions` with this fault in them."""
        ...


class Verb(StrEnum):
    """What can happen to a unit at a moment."""

    INJECT = "inject"
    CLEAR = "clear"
    MODE = "mode"
    REBOOT = "reboot"


class Change(NamedTuple):
    """Something that happens to a unit at a moment; `order` keeps those of one moment in order."""

    at: float
    order: int
    verb: Verb
    number: int
    fault: Condition | None
