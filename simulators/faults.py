"""The vocabulary of what can go wrong; one small value each, whose docstring says what an agent must conclude.

Unit faults bend the conditions a unit works under: its physics and its replies follow. Wire and protocol faults leave
the unit alone and spoil its answers.
"""

from dataclasses import dataclass, replace

from simulators.conditions import Conditions


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerOff:
    """No electricity: nothing answers.

    An agent must call the unit unreachable, count its whole nameplate as lost, and show no reading for it.
    """

    def bend(self, conditions: Conditions) -> Conditions:
        """Take the power away."""
        return replace(conditions, is_powered=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asleep:
    """Work mode 1: the API answers, the boards have no power.

    An agent must call the unit stopped; curtailed only where a dated event says so. Its rate is a measured zero.

    Attributes:
        is_curtailed: Somebody declared it; only the truth knows, the unit's replies are the same.
    """

    is_curtailed: bool = False

    def bend(self, conditions: Conditions) -> Conditions:
        """Send the unit to sleep."""
        return replace(conditions, is_asleep=True, is_curtailed=self.is_curtailed or conditions.is_curtailed)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadBoard:
    """A hashboard does not work; the unit goes on with the others.

    An agent must show the unit hashing, the board's share of the nameplate lost to missing boards, and no
    temperatures of that board.

    Attributes:
        board: Its position, from 0.
        is_listed: The firmware lists it with no chips instead of leaving it out. No capture; both are thought possible.
    """

    board: int = 0
    is_listed: bool = True

    def bend(self, conditions: Conditions) -> Conditions:
        """Take the board away."""
        return replace(
            conditions, dead_boards=conditions.dead_boards | {self.board}, is_dead_board_listed=self.is_listed
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingChips:
    """Some chips of a board do not answer.

    An agent must show the unit hashing with fewer chips on that board, and their share of the nameplate lost to
    missing chips.

    Attributes:
        board: Its position, from 0.
        chips: How many are missing.
    """

    board: int = 0
    chips: int = 24

    def bend(self, conditions: Conditions) -> Conditions:
        """Take the chips away."""
        missing = list(conditions.missing_chips) + [0] * (self.board + 1 - len(conditions.missing_chips))
        missing[self.board] += self.chips
        return replace(conditions, missing_chips=tuple(missing))


@dataclass(frozen=True, slots=True, kw_only=True)
class Overheat:
    """The air around the unit is warmer.

    Above 40 C of inlet air the unit lowers its clock: an agent must show it hashing and derated. Above 47 C it stops:
    an agent must call it stopped.

    Attributes:
        celsius: How much warmer.
    """

    celsius: float = 20.0

    def bend(self, conditions: Conditions) -> Conditions:
        """Warm the air."""
        return replace(conditions, heat_celsius=conditions.heat_celsius + self.celsius)


@dataclass(frozen=True, slots=True, kw_only=True)
class FanStopped:
    """A fan stands still and the unit stops for protection; the API goes on answering.

    An agent must call the unit stopped and show that fan at 0 rpm and the others turning.

    Attributes:
        fan: Its position, from 0.
    """

    fan: int = 0

    def bend(self, conditions: Conditions) -> Conditions:
        """Stop the fan."""
        return replace(conditions, stopped_fans=conditions.stopped_fans | {self.fan})


@dataclass(frozen=True, slots=True, kw_only=True)
class HashrateDrift:
    """The unit does less than its chips should, by a step and then a slow loss.

    An agent must show it hashing with all boards and chips, and the difference as underperforming.

    Attributes:
        ratio: What is left at once, as a factor.
        per_hour: Share of the rate lost every further hour.
        floor: Where the loss ends, as a factor.
    """

    ratio: float = 0.9
    per_hour: float = 0.0
    floor: float = 0.5

    def bend(self, conditions: Conditions) -> Conditions:
        """Slow the unit."""
        return replace(
            conditions,
            rate_ratio=conditions.rate_ratio * self.ratio,
            drift_per_hour=conditions.drift_per_hour + self.per_hour,
            drift_floor=self.floor,
        )
