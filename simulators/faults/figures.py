"""Faults in the figures of a reply: it contradicts itself, while the unit goes on as before.

The truth stays what it was, so the figures an agent should report are those of the unit without the fault. Each
docstring says what an agent must conclude.
"""

import re
from dataclasses import dataclass

from simulators.faults.body import SLOTS, Body, FigureFault, Figures, insert_after, scale
from simulators.faults.unit import MAX_BOARDS
from simulators.unit.conditions import require
from simulators.unit.snapshot import Phase

_NOW = ("rate_5s", "GHS 5s", "MHS 5s")
_LONGER = ("rate_30m", "rate_avg", "GHS 30m", "GHS av", "total rate", "MHS av")
_BOARD_RATES = ("rate_real", "rate_ideal")
_SENSORS = ("temp_pic", "temp_pcb", "temp_chip")
_BETWEEN_SENSORS = re.compile(r"(?<=[0-9])-")  # Sensors are joined by dashes, and may be negative: ``2--1-20-22``.


@dataclass(frozen=True, slots=True, kw_only=True)
class ZeroWatts(FigureFault):
    """Reported power contradicts the rate: `watt` 0 and `jt` 0.0 while the unit hashes. Observed (O187).

    An agent must not take less than standby, or a negative figure, for the power of a unit that hashes: it models the
    power, or reports none. A unit that is asleep may report 0. On a build that reports no power, the keys appear.

    Attributes:
        watts: What is reported.
    """

    watts: int = 0

    def __post_init__(self) -> None:
        require(-10_000 <= self.watts <= 100, "watts", self.watts, "-10,000 to 100")

    def alter(self, body: Body) -> None:
        """Replace the power in the new dialect. Documented (D83): the legacy one has none."""
        if "chain" in body.figures:
            rate_th = body.figures["rate_5s"] / 1000.0
            jt = round(self.watts / rate_th, 2) if rate_th else 0.0
            insert_after(body.figures, "hwp_total", {"watt": self.watts, "jt": jt})


@dataclass(frozen=True, slots=True, kw_only=True)
class SaysAsleep(FigureFault):
    """The mode says sleep at once, and the unit hashes on. Documented (D50): until a reboot, on some units.

    An agent must call it hashing, and a straggler inside a curtailment that leaves it nothing: its process is old, and
    its rate does not fall. The mode alone outranks the rate only for the short time in which a real sleep begins.
    """

    def alter(self, body: Body) -> None:
        """Say sleep."""
        for key in ("miner-mode", "Mode"):
            if key in body.figures:
                body.figures[key] = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLag(FigureFault):
    """After the unit goes to sleep, its 5 s rate stays for a while at what it was. Assumed (A96).

    An agent must call the unit asleep: its process has just restarted. It may report the rate for that time, no longer.

    Attributes:
        lag_s: Seconds of sleep for which the rate stays.
    """

    lag_s: float = 60.0

    def __post_init__(self) -> None:
        require(0.0 <= self.lag_s <= 600.0, "lag_s", self.lag_s, "0 to 600")

    def alter(self, body: Body) -> None:
        """Report the nameplate as the 5 s rate."""
        if body.facts.phase is Phase.ASLEEP and body.facts.phase_s < self.lag_s:
            body.figures.update({key: body.facts.nameplate_hs / 1e9 for key in _NOW if key in body.figures})


@dataclass(frozen=True, slots=True, kw_only=True)
class RateSpike(FigureFault):
    """The 5 s rate is a multiple of the true one.

    An agent must not add it up: the sum of the boards stands in for it or, if they spike too, the longer rate. If
    nothing in the reply can be believed the unit is unreadable.

    Attributes:
        factor: Reported over true rate.
        are_boards_too: The boards' rates spike as well.
        is_longer_too: The rates over half an hour and since the start spike as well.
    """

    factor: float = 9.5
    are_boards_too: bool = False
    is_longer_too: bool = False

    def __post_init__(self) -> None:
        require(1.5 <= self.factor <= 1e6, "factor", self.factor, "1.5 to 1,000,000")

    def alter(self, body: Body) -> None:
        """Multiply the rates."""
        scale(body.figures, _NOW, self.factor)
        if self.is_longer_too:
            scale(body.figures, _LONGER, self.factor)
        if self.are_boards_too:
            _scale_boards(body, ("rate_real",), self.factor)


@dataclass(frozen=True, slots=True, kw_only=True)
class OverReports(FigureFault):
    """Every rate of the unit is some percent above what it hashes; its share counters are true.

    An agent cannot tell it from the reply: it must report the rate, and the hashrate that its own counters and its pool
    show must stay below it.

    Attributes:
        factor: Reported over true rate.
    """

    factor: float = 1.08

    def __post_init__(self) -> None:
        require(1.0 < self.factor <= 1.3, "factor", self.factor, "more than 1, at most 1.3")

    def alter(self, body: Body) -> None:
        """Multiply the rates of the total and of the boards."""
        scale(body.figures, (*_NOW, *_LONGER), self.factor)
        _scale_boards(body, ("rate_real",), self.factor)


@dataclass(frozen=True, slots=True, kw_only=True)
class LateShares(FigureFault):
    """A part of the unit's shares comes too late for its pool, and its counters say so; it is as if since their start.

    An agent must report the rate as before, deliver less by that part, and count the shares as stale.

    Attributes:
        ratio: Share of the accepted work that is stale instead.
    """

    ratio: float = 0.08

    def __post_init__(self) -> None:
        require(0.0 < self.ratio <= 0.9, "ratio", self.ratio, "more than 0, at most 0.9")

    def alter(self, body: Body) -> None:
        """Move a part of the accepted shares, and of their difficulty, to the stale ones."""
        listed = body.whole.get(body.command.upper())
        for figures in listed if isinstance(listed, list) else ():
            for accepted, stale in (("Accepted", "Stale"), ("Difficulty Accepted", "Difficulty Stale")):
                if accepted in figures:
                    late = type(figures[accepted])(figures[accepted] * self.ratio)
                    figures[accepted] -= late
                    if stale in figures:
                        figures[stale] += late


@dataclass(frozen=True, slots=True, kw_only=True)
class TotalZero(FigureFault):
    """The total is 0 while the boards hash.

    An agent must report the sum of the boards, and count the repair: the unit hashes.

    Attributes:
        is_longer_too: The rates over half an hour and since the start are 0 as well.
    """

    is_longer_too: bool = False

    def alter(self, body: Body) -> None:
        """Replace the totals."""
        keys = (*_NOW, *_LONGER) if self.is_longer_too else _NOW
        body.figures.update({key: 0.0 for key in keys if key in body.figures})


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardUnit(FigureFault):
    """The boards' rates are in another unit than the total: TH/s beside GH/s.

    An agent must believe the total, which the longer rates and the nameplate bear out, and report no board at a
    thousandth or a thousand times its rate.

    Attributes:
        factor: A board's reported figure over its true one in GH/s: 0.001 for TH/s, 1000 for MH/s.
    """

    factor: float = 0.001

    def __post_init__(self) -> None:
        require(self.factor in {1e-6, 1e-3, 1e3, 1e6}, "factor", self.factor, "0.000001, 0.001, 1000 or 1000000")

    def alter(self, body: Body) -> None:
        """Multiply the boards' rates."""
        _scale_boards(body, _BOARD_RATES, self.factor)


@dataclass(frozen=True, slots=True, kw_only=True)
class SensorStuck(FigureFault):
    """One sensor of a board has an impossible value, or none: -40, 180, 255, null.

    An agent must drop that value alone and keep every other one in its place. Neither the modelled power nor the site's
    temperature may move.

    Attributes:
        board: Position of the board, from 0.
        sensor: Position of the sensor on the board, from 0.
        celsius: What is reported.
        is_null: Null is reported instead, which only the new dialect can print.
    """

    board: int = 0
    sensor: int = 0
    celsius: int = -40
    is_null: bool = False

    def __post_init__(self) -> None:
        require(0 <= self.board < MAX_BOARDS, "board", self.board, f"0 to {MAX_BOARDS - 1}")
        require(0 <= self.sensor < 4, "sensor", self.sensor, "0 to 3")

    def alter(self, body: Body) -> None:
        """Replace the sensor in all three arrays of its board, which are derived from one another."""
        for board in body.boards:
            if board["index"] == self.board:
                for key in _SENSORS:
                    if len(board[key]) > self.sensor:
                        board[key][self.sensor] = None if self.is_null else self.celsius
        slot = self.board + 1
        if not self.is_null and body.figures.get(f"chain_acn{slot}"):
            for key, warmest in (("temp_pic", ""), ("temp_pcb", f"temp{slot}"), ("temp_chip", f"temp2_{slot}")):
                if f"{key}{slot}" not in body.figures:
                    continue
                sensors = _BETWEEN_SENSORS.split(body.figures[f"{key}{slot}"])
                sensors[self.sensor] = str(self.celsius)
                body.figures[f"{key}{slot}"] = "-".join(sensors)
                if warmest:
                    body.figures[warmest] = max(map(int, sensors))


@dataclass(frozen=True, slots=True, kw_only=True)
class FanNull(FigureFault):
    """One fan has no speed, or an impossible one, and turns all the same.

    An agent must drop that fan's value alone, keep the others in their places, and call the unit hashing: null is not
    a fan that stands still.

    Attributes:
        fan: Its position, from 0.
        rpm: What is reported; None for null.
    """

    fan: int = 1
    rpm: int | None = None

    def __post_init__(self) -> None:
        require(0 <= self.fan < 4, "fan", self.fan, "0 to 3")
        require(self.rpm != 0, "rpm", self.rpm, "other than 0, which is a fan that stands still")

    def alter(self, body: Body) -> None:
        """Replace the speed."""
        speeds = body.figures.get("fan", [])
        if len(speeds) > self.fan:
            speeds[self.fan] = self.rpm
        if f"fan{self.fan + 1}" in body.figures:
            body.figures[f"fan{self.fan + 1}"] = self.rpm


def _scale_boards(body: Body, keys: tuple[str, ...], factor: float) -> None:
    for board in body.boards:
        scale(board, keys, factor)
    if not body.is_new_api:
        scale(body.figures, _chain_rates(body.figures), factor)


def _chain_rates(figures: Figures) -> list[str]:
    return [f"chain_rate{slot}" for slot in SLOTS if f"chain_rate{slot}" in figures]
