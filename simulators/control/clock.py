"""Simulated time: its speed, and jumps forward."""

from collections.abc import Callable

from simulators.control.answers import TimeTold, time_answer
from simulators.control.operations import Asked, Operation, RefusedError
from simulators.control.questions import MAX_ADVANCE_S, MAX_TIME, Advance, TimeOrder
from simulators.farm.farm import Farm
from simulators.sockets.serving import settle


class ClockOperations:
    """Operations on simulated time.

    Args:
        farm: The farm.
        follow: Called after every change.
    """

    def __init__(self, farm: Farm, follow: Callable[[], None]) -> None:
        self._farm = farm
        self._follow = follow

    def operations(self) -> tuple[Operation, ...]:
        """Return their rows."""
        return (
            Operation("GET", "/time", self.get_time, TimeTold),
            Operation("PUT", "/time", self.set_time, TimeTold, body=TimeOrder),
            Operation("POST", "/time/advance", self.advance_time, TimeTold, body=Advance),
        )

    async def get_time(self, _asked: Asked) -> TimeTold:
        """Simulated time and its speed."""
        return time_answer(self._farm)

    async def set_time(self, asked: Asked) -> TimeTold:
        """Set the speed, or jump to a later moment."""
        order: TimeOrder = asked.body
        clock = self._farm.clock
        if order.at is not None:
            self._check_jump(order.at - clock.now())
        if order.speed is not None:
            clock.run_at(order.speed)
        if order.at is not None:
            clock.set(max(order.at, clock.now()))
        await settle(self._farm)
        self._follow()
        return time_answer(self._farm)

    async def advance_time(self, asked: Asked) -> TimeTold:
        """Jump forward."""
        order: Advance = asked.body
        self._check_jump(order.seconds)
        self._farm.clock.advance(order.seconds)
        await settle(self._farm)
        self._follow()
        return time_answer(self._farm)

    def _check_jump(self, seconds: float) -> None:
        if seconds < 0.0:
            raise RefusedError(400, f"simulated time never runs backwards; that was {-seconds:g} s ago")
        if seconds > MAX_ADVANCE_S or self._farm.clock.now() + seconds > MAX_TIME:
            raise RefusedError(
                400, f"time can jump by {MAX_ADVANCE_S:g} s, and up to {MAX_TIME:g}; not by {seconds:g} s"
            )
