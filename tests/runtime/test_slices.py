"""Long computations in slices: short slices run together, long ones let other tasks in between."""

import asyncio

import pytest

from agent.slices import HOLD_S, Slices, run_at_once, run_slices


class Worker:
    """A computation of slices that take some time each, by a clock of its own."""

    def __init__(self) -> None:
        self.now = 0.0
        self.others = 0

    def slices(self, number: int, each_s: float) -> Slices[int]:
        """Yield `number` slices and return how many they were."""
        for _ in range(number):
            self.now += each_s
            yield
        return number

    async def turns(self) -> None:
        """Count the turns that other tasks get."""
        while True:
            await asyncio.sleep(0)
            self.others += 1


@pytest.mark.parametrize(("each_s", "turns"), [(HOLD_S / 10, 10), (HOLD_S, 100), (10 * HOLD_S, 100)])
async def test_short_slices_run_together(each_s: float, turns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tasks get a turn every `HOLD_S`, and after each slice that takes longer."""
    worker = Worker()
    monkeypatch.setattr("agent.slices.time.perf_counter", lambda: worker.now)
    counting = asyncio.create_task(worker.turns())
    assert await run_slices(worker.slices(100, each_s)) == 100
    counting.cancel()
    assert worker.others == pytest.approx(turns, abs=2)
    assert run_at_once(worker.slices(7, each_s)) == 7
