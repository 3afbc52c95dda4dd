"""Units that fail the process of the lane: found, held, and let out; the others are read meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import fake_pyasic
import pytest
import structlog
from fake_pyasic import BABBLES, ENDS, FLOODS, HANGS, SOUND, SWELLS
from patience import PATIENT_S
from site_cases import PLATE

from agent.errors import DeadlineError, LaneError, QuarantineError
from agent.runtime.lane import Lane, Limits
from agent.runtime.quarantine import Quarantine
from agent.unit.cgminer.call import Address, Outcome
from agent.unit.foreign.reader import READER
from agent.unit.reading import UnitReading

A, B, C = (("10.0.0.1", 4028), ("10.0.0.2", 4028), ("10.0.0.3", 4028))


def a_quarantine() -> Quarantine:
    """Return one of two minutes at first, and an hour at most."""
    return Quarantine(first_s=120.0, longest_s=3600.0)


def test_from_the_second_strike_on_a_unit_is_held_twice_as_long_each_time() -> None:
    """Up to an hour; it is asked at the end of each hold."""
    held = a_quarantine()
    assert held.strike(A, "ended", now=0.0) is None
    assert (held.error(A, now=0.0), len(held)) == (None, 0)
    now = 0.0
    for minutes in (2, 4, 8, 16, 32, 60, 60):
        error = held.strike(A, "flood", now=now)
        assert error is not None
        assert str(error).endswith(f"times (flood); not asked for {minutes} min")
        assert held.error(A, now=now + 60 * minutes - 1) is not None
        now += 60 * minutes
        assert held.error(A, now=now) is None
        assert held.is_suspect(A)
    assert len(held) == 1


def test_a_reading_ends_it_and_another_answer_does_not() -> None:
    """A suspect without a strike is cleared by any answer of the process."""
    held = a_quarantine()
    held.suspect([A, B])
    assert not held.note_answer(B, is_read=False)
    assert (held.is_suspect(A), held.is_suspect(B)) == (True, False)
    for _ in range(2):
        held.strike(A, "ended", now=0.0)
    assert not held.note_answer(A, is_read=False)
    assert held.is_suspect(A)
    assert held.note_answer(A, is_read=True)
    assert (held.is_suspect(A), len(held)) == (False, 0)


def test_a_process_that_fails_with_every_unit_fails_by_itself() -> None:
    """Unless one of them was answered in between."""
    units: list[Address] = [(f"10.0.0.{number}", 4028) for number in range(8)]
    held = a_quarantine()
    for address in units[:7]:
        held.strike(address, "ended", now=0.0)
    held.note_answer(C, is_read=True)
    held.strike(units[7], "ended", now=0.0)
    assert not held.is_process_at_fault
    for address in units:
        held.strike(address, "ended", now=0.0)
    assert held.is_process_at_fault
    held.pardon()
    assert not any(held.is_suspect(address) for address in units)
    assert not held.is_process_at_fault


def test_a_unit_that_moved_is_forgotten() -> None:
    """Another machine at its address starts with nothing against it."""
    held = a_quarantine()
    for address in (A, B):
        for _ in range(2):
            held.strike(address, "ended", now=0.0)
    held.keep([B])
    assert (held.is_suspect(A), held.error(B, now=1.0) is not None) == (False, True)


class Site:
    """A lane with a program in the place of pyasic, and a clock that a test may set forward."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.folder, self.ahead_s = folder, 0.0
        self.replaced: list[str] = []
        limits = Limits(deadline_s=2.0, rest_s=0.0, longest_wait_s=0.0)
        self.lane = Lane(
            on_replaced=self.replaced.append,
            command=fake_pyasic.command(folder / "starts"),
            limits=limits,
            clock=lambda: asyncio.get_running_loop().time() + self.ahead_s,
            **options,
        )

    async def poll(self, *octets: int) -> list[Outcome[UnitReading]]:
        """Poll the units at these addresses at once, and return their outcomes in that order."""
        futures = []
        for octet in octets:
            future = asyncio.get_running_loop().create_future()
            talk = READER.converse("u1", READER.new_memory(), nameplate=PLATE, slow_every=1, wall=lambda: 1.0)
            self.lane.start((f"127.0.0.{octet}", 4028), talk, future.set_result)
            futures.append(future)
        async with asyncio.timeout(PATIENT_S):
            return await asyncio.gather(*futures)


@asynccontextmanager
async def site(folder: Path, **options: Any) -> AsyncIterator[Site]:
    """Serve a lane."""
    served = Site(folder, **options)
    try:
        yield served
    finally:
        served.lane.close()
        await served.lane.closed()


@pytest.mark.parametrize(
    ("octet", "why"), [(ENDS, "ended"), (BABBLES, "nonsense"), (FLOODS, "flood"), (HANGS, "deadline")]
)
async def test_the_unit_is_found_among_others(tmp_path: Path, octet: int, why: str) -> None:
    """All others are read in that very round, the guilty one's poll fails; after two rounds it is not asked."""
    others = tuple(range(1, 12))
    async with site(tmp_path) as served:
        with structlog.testing.capture_logs() as lines:
            for strikes in (1, 2):
                *sound, bad = await served.poll(*others, octet)
                assert all(outcome.result is not None for outcome in sound)
                assert isinstance(bad.error, QuarantineError if strikes == 2 else (DeadlineError, LaneError))
                assert len(served.lane.quarantine) == int(strikes == 2)
            replaced = len(served.replaced)
            *sound, bad = await served.poll(*others, octet)
        assert all(outcome.result is not None for outcome in sound)
        assert isinstance(bad.error, QuarantineError)
        assert (len(served.replaced), set(served.replaced)) == (replaced, {why})
        warned = [line["event"] for line in lines if line["log_level"] == "warning"]
        assert warned == ["pyasic's process replaced", "unit of another make quarantined"]


async def test_it_ends_when_the_unit_answers_well(tmp_path: Path) -> None:
    """At the end of a hold the unit is asked alone; if it fails the process again, for twice as long."""
    async with site(tmp_path) as served:
        for _ in range(2):
            await served.poll(ENDS)
        replaced = len(served.replaced)
        served.ahead_s += 121.0
        (bad,) = await served.poll(ENDS)
        assert (len(served.replaced), str(bad.error)[-19:]) == (replaced + 1, "not asked for 4 min")
        served.ahead_s += 239.0
        (bad,) = await served.poll(ENDS)
        assert (len(served.replaced), type(bad.error)) == (replaced + 1, QuarantineError)
        (tmp_path / "healed").write_text(f"{ENDS}\n", encoding="ascii")
        served.ahead_s += 2.0
        (well,) = await served.poll(ENDS)
        assert well.result is not None
        assert len(served.lane.quarantine) == 0
        assert all(outcome.result is not None for outcome in await served.poll(SOUND, ENDS, 2))
        assert len(served.replaced) == replaced + 1


async def test_a_unit_that_swells_the_process_is_found(tmp_path: Path) -> None:
    """Its answers are good, and each takes 150 MB; the others are read."""
    async with site(tmp_path) as served:
        for _ in range(6):
            *sound, bad = await served.poll(1, 2, 3, SWELLS)
            assert all(outcome.result is not None for outcome in sound)
            if isinstance(bad.error, QuarantineError):
                break
            await asyncio.sleep(0.6)
        assert isinstance(bad.error, QuarantineError)
        assert set(served.replaced) == {"memory"}
