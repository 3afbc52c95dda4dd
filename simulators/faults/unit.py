"""Faults of a unit, which its physics and replies follow. Each docstring says what an agent must conclude."""

import math
from dataclasses import dataclass, replace

from simulators.unit.builds import BUILDS
from simulators.unit.conditions import Conditions, require
from simulators.unit.settings import MAX_TEXT_LENGTH, Hijack
from simulators.unit.snapshot import CONFIGURED_POOLS

MAX_BOARDS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerOff:
    """No electricity: nothing answers.

    An agent must call the unit unreachable, count its whole nameplate as lost, and show no reading for it.
    """

    def bend(self, conditions: Conditions) -> Conditions:
        """Cut the power."""
        return replace(conditions, is_powered=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asleep:
    """Work mode 1: the API answers, the boards have no power.

    An agent must call the unit stopped; curtailed only where a dated event says so. Its rate is a measured zero.

    Attributes:
        is_curtailed: The sleep belongs to a declared curtailment. This changes the truth, not the replies.
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
        is_listed: The firmware lists it with no chips instead of leaving it out. Assumed (A43): either may happen.
    """

    board: int = 0
    is_listed: bool = True

    def __post_init__(self) -> None:
        require(0 <= self.board < MAX_BOARDS, "board", self.board, f"0 to {MAX_BOARDS - 1}")

    def bend(self, conditions: Conditions) -> Conditions:
        """Disable the board."""
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

    def __post_init__(self) -> None:
        require(0 <= self.board < MAX_BOARDS, "board", self.board, f"0 to {MAX_BOARDS - 1}")
        require(self.chips >= 1, "chips", self.chips, "1 or more")

    def bend(self, conditions: Conditions) -> Conditions:
        """Disable the chips."""
        return replace(conditions, missing_chips=_more(conditions.missing_chips, self.board, self.chips))


@dataclass(frozen=True, slots=True, kw_only=True)
class BadChips:
    """Some chips of a board are counted but do not hash: its map marks them with ``x``.

    An agent must show the unit hashing, say how many chips of which board are bad, and count their share of the
    nameplate as missing chips, although the board reports all of them.

    Attributes:
        board: Its position, from 0.
        chips: How many are bad.
    """

    board: int = 0
    chips: int = 12

    def __post_init__(self) -> None:
        require(0 <= self.board < MAX_BOARDS, "board", self.board, f"0 to {MAX_BOARDS - 1}")
        require(self.chips >= 1, "chips", self.chips, "1 or more")

    def bend(self, conditions: Conditions) -> Conditions:
        """Spoil the chips."""
        return replace(conditions, bad_chips=_more(conditions.bad_chips, self.board, self.chips))


@dataclass(frozen=True, slots=True, kw_only=True)
class NoBoards:
    """The control board finds no hashboard at all: it answers, its fans turn, nothing hashes.

    An agent must call the unit stopped, say that it has no boards, and not count its boards as missing one by one.
    """

    def bend(self, conditions: Conditions) -> Conditions:
        """Disable all boards."""
        return replace(conditions, has_no_boards=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overheat:
    """The air around the unit is warmer.

    Above 40 C of inlet air the unit lowers its clock: an agent must show it hashing and derated. Above 47 C it stops:
    an agent must call it stopped.

    Attributes:
        celsius: How much warmer.
    """

    celsius: float = 20.0

    def __post_init__(self) -> None:
        require(-50.0 <= self.celsius <= 100.0, "celsius", self.celsius, "-50 to 100")

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

    def __post_init__(self) -> None:
        require(0 <= self.fan < 4, "fan", self.fan, "0 to 3")

    def bend(self, conditions: Conditions) -> Conditions:
        """Stop the fan."""
        return replace(conditions, stopped_fans=conditions.stopped_fans | {self.fan})


@dataclass(frozen=True, slots=True, kw_only=True)
class HashrateDrift:
    """The unit hashes less than its chips should: a step down, then a slow loss.

    An agent must show it hashing with all boards and chips, and the difference as underperforming.

    Attributes:
        ratio: Factor on the hashrate that holds at once.
        per_hour: Share of the hashrate lost every further hour.
        floor: Factor at which the loss ends.
    """

    ratio: float = 0.9
    per_hour: float = 0.0
    floor: float = 0.5

    def __post_init__(self) -> None:
        require(0.0 <= self.ratio <= 1.5, "ratio", self.ratio, "0 to 1.5")
        require(0.0 <= self.per_hour <= 1.0, "per_hour", self.per_hour, "0 to 1")
        require(0.0 <= self.floor <= 1.0, "floor", self.floor, "0 to 1")

    def bend(self, conditions: Conditions) -> Conditions:
        """Slow the unit."""
        return replace(
            conditions,
            rate_ratio=conditions.rate_ratio * self.ratio,
            drift_per_hour=conditions.drift_per_hour + self.per_hour,
            drift_floor=self.floor,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    """The miner program hangs until it restarts: it repeats its last figures, only `When` advances, nothing hashes.

    An agent must notice that the uptime stands still: the reading is not fresh, and does not count as operating.
    """

    def bend(self, conditions: Conditions) -> Conditions:
        """Freeze the unit."""
        return replace(conditions, is_frozen=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebooting:
    """The control board restarts, once or repeatedly.

    An agent must call the unit unreachable while its API is down, or unreadable where connections close at once, then
    starting until it reaches its rate. An uptime that went backwards is a restart, not a reading error.

    Attributes:
        every_s: Seconds of hashing between two restarts; infinite for one.
    """

    every_s: float = math.inf

    def __post_init__(self) -> None:
        require(self.every_s > 0.0, "every_s", self.every_s, "above 0")

    def bend(self, conditions: Conditions) -> Conditions:
        """Restart the unit."""
        return replace(conditions, trip_every_s=self.every_s, trip_off_s=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartLoop:
    """The miner process crashes again and again, at a certain age; the control board stays up.

    An agent must call the unit unreadable or unreachable while its API is down, then starting, and never credit it
    with a rate from before the crash for longer than it takes to notice. With an age below four minutes the unit never
    reaches its rate.

    Attributes:
        every_s: Age of the process at each crash, s.
    """

    every_s: float = 120.0

    def __post_init__(self) -> None:
        require(self.every_s >= 1.0, "every_s", self.every_s, "1 or more")

    def bend(self, conditions: Conditions) -> Conditions:
        """Crash the process."""
        return replace(conditions, crash_every_s=self.every_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class PsuTrip:
    """The power supply cuts out under load and comes back, repeatedly.

    An agent must call the unit unreachable without power, then starting, then hashing, and show that its uptime
    restarts with every cycle.

    Attributes:
        every_s: Seconds of hashing between two trips.
        off_s: Seconds without power. Reported: 30 to 120 after an over-current trip.
    """

    every_s: float = 1800.0
    off_s: float = 60.0

    def __post_init__(self) -> None:
        require(self.every_s > 0.0, "every_s", self.every_s, "above 0")
        require(self.off_s > 0.0, "off_s", self.off_s, "above 0")

    def bend(self, conditions: Conditions) -> Conditions:
        """Trip the supply."""
        return replace(conditions, trip_every_s=self.every_s, trip_off_s=self.off_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolDead:
    """Pools, from the first one on, do not answer; with all of them gone nothing is hashed.

    An agent must show which pool is in use. With none, the unit hashes nothing although its boards run: stopped.

    Attributes:
        pools: How many of the two configured pools.
    """

    pools: int = 1

    def __post_init__(self) -> None:
        require(1 <= self.pools <= CONFIGURED_POOLS, "pools", self.pools, f"1 to {CONFIGURED_POOLS}")

    def bend(self, conditions: Conditions) -> Conditions:
        """Disable the pools."""
        return replace(conditions, dead_pools=max(conditions.dead_pools, self.pools))


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkDiverted:
    """The unit hashes, and none of its work goes to the owner's pools, which stay alive and in use.

    Under a firmware that has a pool of its own, all work goes there. An agent must say that the owner gets nothing,
    although the unit's rate is in order.
    """

    def bend(self, conditions: Conditions) -> Conditions:
        """Divert the work."""
        return replace(conditions, is_work_diverted=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeeTurn:
    """The firmware's own pool has its turn, as fees of a few per cent are taken: for minutes, all work goes there.

    An agent must tolerate it for as long as a fee may take, and call nobody's work diverted.
    """

    def bend(self, conditions: Conditions) -> Conditions:
        """Give the firmware's pool its turn."""
        return replace(conditions, is_fee_turn=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolHijacked:
    """A stranger's pool stands in the first slot, as after an attack on a fleet manager; the owner's backup stays.

    An agent that knows the site's pools must name the unit within a minute, and count its rate as diverted: it hashes,
    and nothing of it is lost. What the unit reports otherwise is in order.

    Attributes:
        url: The stranger's pool.
        user: The account that is credited.
        restarts: The miner process restarts with it; None for what the unit's firmware does.
    """

    url: str = "stratum+tcp://pool.stranger.example:3333"
    user: str = "stranger.1"
    restarts: bool | None = None

    def __post_init__(self) -> None:
        for name, text in (("url", self.url), ("user", self.user)):
            is_right = 0 < len(text) <= MAX_TEXT_LENGTH and text.isascii() and text.isprintable() and '"' not in text
            require(is_right, name, text, f"1 to {MAX_TEXT_LENGTH} printable characters without quotes")

    def bend(self, conditions: Conditions) -> Conditions:
        """Put the pool in place of the first."""
        return replace(conditions, hijack=Hijack(self.url, self.user, self.restarts))


@dataclass(frozen=True, slots=True, kw_only=True)
class FirmwareChanged:
    """Another firmware build was installed; the unit restarts with it.

    An agent must go on reading the unit, and show the new build.

    Attributes:
        build: Key of the build, see `builds.BUILDS`.
    """

    build: str = "s21-fr"

    def __post_init__(self) -> None:
        require(self.build in BUILDS, "build", self.build, f"one of {', '.join(BUILDS)}")

    def bend(self, conditions: Conditions) -> Conditions:
        """Install the build."""
        return replace(conditions, build=self.build)


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressSwapped:
    """Another unit is found at this one's address, as after new leases from a DHCP server.

    An agent that knows units by serial number or MAC must follow them; one that takes the address for the unit mixes up
    two rows of the ledger.

    Attributes:
        unit_id: Unit id of the other unit.
    """

    unit_id: str

    def bend(self, conditions: Conditions) -> Conditions:
        """Put the other unit at this address."""
        return replace(conditions, answers_as=self.unit_id)


def _more(counts: tuple[int, ...], board: int, chips: int) -> tuple[int, ...]:
    """Return counts by board position with some chips added to one board."""
    padded = list(counts) + [0] * (board + 1 - len(counts))
    padded[board] += chips
    return tuple(padded)
