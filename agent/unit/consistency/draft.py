"""A reading under examination: the figures that rules may change, and the repairs they took."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from agent.unit.consistency.yardstick import AVERAGE_FULL_S, THIRTY_MIN_S
from agent.unit.reading import BoardReading, Mode, UnitReading


class BoardsSum(NamedTuple):
    """The sum of the boards' own 5 s rates, H/s; incomplete if a board that is up lacks its rate."""

    rate_hs: float
    is_complete: bool


class Longer(NamedTuple):
    """A rate over a longer window, H/s and s."""

    rate_hs: float
    window_s: float | None


class Draft:
    """The figures of one reading that the rules hold against each other; all None where absent.

    Args:
        reading: As read.
    """

    __slots__ = (
        "average_hs",
        "boards",
        "ideal_hs",
        "is_starting",
        "mode",
        "repairs",
        "stand_in",
        "thirty_hs",
        "total_hs",
        "uptime_s",
        "watts",
    )

    def __init__(self, reading: UnitReading) -> None:
        self.total_hs = reading.hashrate_5s_hs
        self.thirty_hs = reading.hashrate_30m_hs
        self.average_hs = reading.hashrate_avg_hs
        self.ideal_hs = reading.hashrate_ideal_hs
        self.is_starting = reading.is_starting
        self.stand_in: Longer | None = None
        if reading.stand_in_hs is not None and not self.is_starting:
            self.stand_in = Longer(reading.stand_in_hs, reading.stand_in_window_s)
        self.boards: tuple[BoardReading, ...] = reading.boards
        self.mode = reading.mode
        self.uptime_s = reading.uptime_s
        self.watts = reading.power_watts
        self.repairs: set[str] = set()

    @property
    def is_asleep(self) -> bool:
        """True if the unit says that it sleeps, and is still believed."""
        return self.mode is Mode.SLEEP

    @property
    def rate_hs(self) -> float | None:
        """The rate to credit so far."""
        if self.total_hs is not None:
            return self.total_hs
        return None if self.stand_in is None else self.stand_in.rate_hs

    def boards_sum(self) -> BoardsSum | None:
        """Return the boards' sum; None if no board has a rate of now. Slots without chips or a rate are empty."""
        boards = [board for board in self.boards if board.hashrate_hs or board.chips != 0]
        rates = [board.hashrate_hs for board in boards if board.hashrate_hs is not None]
        if not rates or any(board.is_average for board in boards):
            return None
        return BoardsSum(sum(rates), is_complete=len(rates) == len(boards))

    def full_longer_hs(self) -> float | None:
        """Return the shortest longer rate whose window the uptime fills; None without one."""
        uptime_s = self.uptime_s
        if uptime_s is None:
            return None
        if self.thirty_hs is not None and uptime_s >= THIRTY_MIN_S:
            return self.thirty_hs
        return self.average_hs if uptime_s >= AVERAGE_FULL_S else None

    def longer(self, most_hs: float) -> Longer | None:
        """Return a rate up to `most_hs` that may stand in: a full 30 min, a full average, or the lower of the two.

        A window that is not full is the mean of the run or, divided by its whole length, too low; never too high. An
        average over an unknown time may be of long ago, and does not stand in alone. Of a unit that says that it starts
        every longer rate is of before.
        """
        if self.is_starting:
            return None
        uptime_s = self.uptime_s
        thirty_s = THIRTY_MIN_S if uptime_s is None else min(THIRTY_MIN_S, uptime_s)
        of_thirty, of_average = Longer(self.thirty_hs or 0.0, thirty_s), Longer(self.average_hs or 0.0, uptime_s)
        candidates: Sequence[Longer]
        if uptime_s is None and not self.thirty_hs:
            candidates = ()
        elif uptime_s is None:
            candidates = sorted((of_average, of_thirty), key=lambda longer: longer.rate_hs)
        elif uptime_s >= THIRTY_MIN_S:
            candidates = (of_thirty, of_average)
        elif uptime_s >= AVERAGE_FULL_S:
            candidates = (of_average, of_thirty)
        else:
            candidates = sorted((of_average, of_thirty), key=lambda longer: longer.rate_hs)
        return next((longer for longer in candidates if 0.0 < longer.rate_hs <= most_hs), None)

    def set_board_rates(self, rates_hs: Sequence[float | None]) -> None:
        """Replace every board's rate."""
        self.boards = tuple(
            [
                board if board.hashrate_hs == rate_hs else msgspec.structs.replace(board, hashrate_hs=rate_hs)
                for board, rate_hs in zip(self.boards, rates_hs, strict=True)
            ]
        )

    def drop_chips(self, are_false: Sequence[bool]) -> None:
        """Drop the chip count of these boards."""
        self.boards = tuple(
            [
                msgspec.structs.replace(board, chips=None) if is_false else board
                for board, is_false in zip(self.boards, are_false, strict=True)
            ]
        )
        self.repairs.add("implausible")

    def refute_boards(self) -> None:
        """Drop the rate of every board: the total refutes their sum, and does not say which is wrong."""
        if any(board.hashrate_hs is not None for board in self.boards):
            self.set_board_rates([None] * len(self.boards))
            self.repairs.add("boards_refuted")

    def finished(self, reading: UnitReading) -> UnitReading:
        """Return `reading` with what the rules changed; the same object if they changed nothing."""
        had_stand_in = reading.stand_in_hs is not None
        if not self.repairs and had_stand_in is (self.stand_in is not None):
            return reading
        return msgspec.structs.replace(
            reading,
            mode=self.mode,
            hashrate_5s_hs=self.total_hs,
            hashrate_30m_hs=self.thirty_hs,
            hashrate_avg_hs=self.average_hs,
            hashrate_ideal_hs=self.ideal_hs,
            stand_in_hs=None if self.stand_in is None else self.stand_in.rate_hs,
            stand_in_window_s=None if self.stand_in is None else self.stand_in.window_s,
            power_watts=self.watts,
            power_kind=None if self.watts is None else reading.power_kind,
            boards=self.boards,
            repairs=(*reading.repairs, *sorted(self.repairs)),
        )
