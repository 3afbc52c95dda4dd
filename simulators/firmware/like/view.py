"""A simulated unit at a moment, measured in the terms of the recorded one."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from simulators.firmware.antminer.new_api import error_codes
from simulators.firmware.antminer.pools import Pool, pools_of
from simulators.unit import physics
from simulators.unit.snapshot import BoardSnapshot, Shares
from simulators.unit.unit import Unit

USUAL_CELSIUS = 22.0
"""Assumed (A157): the air around a recorded unit; no capture tells it."""
S_PER_HW_ERROR = 2900.0  # Per board; that of `simulators.unit.observe`.


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """Properties of the recorded unit, for all of its replies.

    Attributes:
        boards: Recorded positions of its boards, in the order of the simulated ones.
        load: Rate over nameplate.
        elapsed_s: Uptime.
        hw_ratio: Its hardware errors over those that a simulated unit would have by then.
        max_rpm: Its fastest fan.
        clock_mhz: Its mean clock.
    """

    boards: tuple[int, ...] = ()
    load: float = 1.0
    elapsed_s: float = 0.0
    hw_ratio: float = 1.0
    max_rpm: int = physics.MAX_FAN_RPM
    clock_mhz: float = 0.0

    @property
    def usual_rpm(self) -> int:
        """Speed of a simulated unit's fans in usual air at this load."""
        return physics.fan_rpm(USUAL_CELSIUS, self.load)

    @property
    def usual_pic(self) -> tuple[float, float]:
        """Inlet and outlet sensors of a simulated board in usual air at this load."""
        return physics.board_celsius(USUAL_CELSIUS, self.load, self.usual_rpm)


class View:
    """A unit at a moment.

    Args:
        unit: The unit.
        t: Unix seconds.
        recorded: What the recorded unit was like.
        usual: Its usual speed of fans, and its usual inlet and outlet sensors.
    """

    def __init__(self, unit: Unit, t: float, recorded: Recorded, usual: tuple[int, float, float]) -> None:
        self.unit = unit
        self.identity = unit.identity
        self.t = t
        self.recorded = recorded
        self._usual_rpm, self._usual_in, self._usual_out = usual
        snapshot = unit.snapshot(t)
        self.snapshot = snapshot
        self.elapsed_s = snapshot.elapsed_s
        model = unit.identity.model
        self.clock = snapshot.clock_mhz / model.frequency_mhz
        by_number = {board.board: board for board in snapshot.boards}
        self.boards: Mapping[int, BoardSnapshot | None] = {
            place: by_number.get(number) for number, place in enumerate(recorded.boards)
        }

    @cached_property
    def shares(self) -> Shares:
        """Its share counters."""
        return self.unit.shares(self.t)

    @cached_property
    def pools(self) -> tuple[Pool, ...]:
        """Its table of pools."""
        return pools_of(self.unit, self.t, is_asleep=False)

    @cached_property
    def codes(self) -> Mapping[str, str]:
        """Its error codes by kind."""
        return error_codes(self.unit, self.snapshot)

    def up(self, place: int) -> BoardSnapshot | None:
        """Return the board at a recorded position; None if it is missing or has no chips."""
        board = self.boards.get(place)
        return board if board is not None and board.chips else None

    def warmth(self, place: int) -> int | None:
        """Return by how much a board is warmer than in usual air; None without its sensors."""
        board = self.boards.get(place)
        if board is None or not board.pic_celsius:
            return None
        pic = board.pic_celsius
        return round((pic[0] - self._usual_in + pic[-1] - self._usual_out) / 2.0)

    def rpm(self, fan: int, recorded: float) -> float:
        """Return the speed of a fan, around the recorded speed as the simulated one is around its usual speed."""
        speeds = self.snapshot.fans_rpm
        if fan >= len(speeds) or speeds[fan] == 0:
            return 0.0
        most = max(self.recorded.max_rpm, physics.MAX_FAN_RPM)
        return min(most, max(physics.MIN_FAN_RPM, recorded + speeds[fan] - self._usual_rpm))

    def hw_errors(self, place: int) -> int:
        """Return the hardware errors of a board, at the recorded unit's pace."""
        board = self.boards.get(place)
        return 0 if board is None else int(board.hw_errors * self.recorded.hw_ratio)

    @cached_property
    def all_hw_errors(self) -> int:
        """Hardware errors of all boards."""
        return sum(self.hw_errors(place) for place in self.recorded.boards)


def worker_of(recorded: str, index: int) -> str:
    """Return a pool account like a recorded one, with a worker of its own.

    The number at its end becomes the unit's, in the same width; without one the last characters make room for it.
    """
    if not recorded:
        return recorded
    account, dot, worker = recorded.rpartition(".")
    digits = re.search(r"\d*$", worker)
    width = len(digits[0]) if digits is not None and digits[0] else min(4, len(worker))
    return account + dot + worker[: len(worker) - width] + str(index + 1).zfill(width)


def like_serial(recorded: str, own: str) -> str:
    """Return a serial number of a recorded one's length: the beginning and the end of the simulated unit's."""
    if len(recorded) >= len(own) or len(recorded) < 4:
        return own
    return own[:3] + own[len(own) - len(recorded) + 3 :]


def like_mac(recorded: str, own: str) -> str:
    """Return a MAC address with the separators and in the case of a recorded one."""
    text = own if ":" in recorded else own.replace(":", "-" if "-" in recorded else "")
    return text.lower() if recorded.lower() == recorded else text
