"""The lane of other makes: whatever pyasic's process does, polls end, and the next one begins."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import fake_pyasic
import pytest
import structlog
from fake_pyasic import BABBLES, ENDS, FLOODS, HANGS, MUTE, SOUND, WRONG_ID
from loopback import until
from patience import PATIENT_S
from site_cases import PLATE, entry

from agent.errors import DeadlineError, LaneError
from agent.runtime.lane import WHYS, Lane, Limits
from agent.runtime.lane_parts import DEADLINE_S
from agent.site.poller import Bounds, Poller
from agent.site.schedule import Schedule
from agent.unit.cgminer.call import Outcome
from agent.unit.foreign.protocol import CONNECT_S, IDENTIFY_S, LONGEST_S, READ_S
from agent.unit.foreign.reader import READER
from agent.unit.reading import UnitReading

QUICK = Limits(deadline_s=2.0, rest_s=0.0, longest_wait_s=0.0)


class Served:
    """A lane with a program in the place of pyasic, and what came of its polls."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.starts_file = folder / "starts"
        self.replaced: list[str] = []
        options = {"command": fake_pyasic.command(self.starts_file), "limits": QUICK} | options
        self.lane = Lane(on_replaced=self.replaced.append, **options)

    async def poll(self, *octets: int) -> list[Outcome[UnitReading]]:
        """Poll the units at these addresses at once, and return their outcomes in that order."""
        futures = []
        for octet in octets:
            future = asyncio.get_running_loop().create_future()
            talk = READER.converse("u1", READER.new_memory(), nameplate=PLATE, slow_every=1, wall=lambda: 1.0)
            self.lane.start((f"127.0.0.{octet}", 4028), talk, future.set_result)
            assert not future.done(), "never from within start"
            futures.append(future)
        async with asyncio.timeout(PATIENT_S):
            return await asyncio.gather(*futures)

    @property
    def starts(self) -> list[int]:
        """The ids of the processes so far."""
        return fake_pyasic.starts(self.starts_file)


@asynccontextmanager
async def lane(folder: Path, **options: Any) -> AsyncIterator[Served]:
    """Serve a lane, and hold that no process is left."""
    served = Served(folder, **options)
    try:
        yield served
    finally:
        served.lane.close()
        await served.lane.closed()
        for pid in served.starts:
            with pytest.raises(ProcessLookupError):
                os.kill(pid, 0)


def is_read(outcome: Outcome[UnitReading]) -> bool:
    """Return True if a poll gave the rate of the program."""
    return outcome.result is not None and outcome.result.rate_hs == 190e12


async def test_one_process_answers_all(tmp_path: Path) -> None:
    """It starts with the first poll, and sees nothing of this process's environment."""
    async with lane(tmp_path) as served:
        assert (served.lane.is_idle, served.starts) == (True, [])
        outcomes = await served.poll(*([SOUND] * 40))
        assert all(map(is_read, outcomes))
        (outcome,) = await served.poll(SOUND)
        assert outcome.result is not None
        names = set((outcome.result.identity.firmware or "").split(","))
        assert names <= {"PATH", "LC_CTYPE", "PWD", "SHLVL", "_"}
        assert (len(served.starts), served.replaced) == (1, [])


@pytest.mark.parametrize(
    ("octet", "why", "error"),
    [
        (HANGS, "deadline", DeadlineError),
        (MUTE, "deadline", DeadlineError),
        (ENDS, "ended", LaneError),
        (BABBLES, "nonsense", LaneError),
        (WRONG_ID, "nonsense", LaneError),
        (FLOODS, "flood", LaneError),
    ],
)
async def test_a_process_that_fails_is_replaced(tmp_path: Path, octet: int, why: str, error: type) -> None:
    """The unit's poll ends in an error, the next poll is read, one line is logged, and the reason is counted."""
    async with lane(tmp_path) as served:
        with structlog.testing.capture_logs() as lines:
            (before,) = await served.poll(SOUND)
            (bad,) = await served.poll(octet)
            (after,) = await served.poll(SOUND)
        assert is_read(before)
        assert is_read(after)
        assert isinstance(bad.error, error)
        assert (served.replaced, len(served.starts)) == ([why], 2)
        assert [line["why"] for line in lines if line["log_level"] == "warning"] == [why]


async def test_a_slow_answer_does_not_end_the_process(tmp_path: Path) -> None:
    """The process may take 22 s by its own deadlines; it is ended well after that, and not by a tick before."""
    now, looks = [1000.0], []
    options = {"clock": lambda: now[0], "resident": lambda pid: len(looks.append(pid) or "")}
    async with lane(tmp_path, limits=Limits(rest_s=0.0, longest_wait_s=0.0), **options) as served:
        await served.poll(SOUND)
        slow = asyncio.create_task(served.poll(MUTE))
        await asyncio.sleep(0)
        for waited_s in (LONGEST_S, LONGEST_S + 2.0, DEADLINE_S - 0.1):
            now[0], seen = 1000.0 + waited_s, len(looks)
            await until(lambda seen=seen: len(looks) >= seen + 2)
            assert served.replaced == []
        now[0] = 1000.0 + DEADLINE_S
        (outcome,) = await slow
        assert isinstance(outcome.error, DeadlineError)
        assert served.replaced == ["deadline"]
    assert LONGEST_S >= CONNECT_S + IDENTIFY_S + READ_S + CONNECT_S
    assert DEADLINE_S - LONGEST_S >= 5.0


async def test_what_waits_behind_a_hang_is_asked_of_the_next_process(tmp_path: Path) -> None:
    """The one that hangs fails, once it was asked alone."""
    limits = Limits(deadline_s=3.0, rest_s=0.0, longest_wait_s=0.0)
    async with lane(tmp_path, limits=limits) as served:
        await served.poll(SOUND)
        late = asyncio.create_task(served.poll(HANGS))
        await asyncio.sleep(1.5)
        (sound,) = await served.poll(SOUND)
        (hung,) = await late
        assert is_read(sound)
        assert isinstance(hung.error, DeadlineError)
        assert served.replaced == ["deadline"] * 2


@pytest.mark.parametrize(
    ("why", "options"),
    [
        ("memory", {"resident": lambda _: 10**9}),
        ("age", {"limits": Limits(longest_life_s=0.0, rest_s=0.0)}),
    ],
)
async def test_a_planned_replacement_fails_nobody(tmp_path: Path, why: str, options: dict[str, Any]) -> None:
    """What is in hand is asked of the next process; no warning is logged."""
    async with lane(tmp_path, **options) as served:
        with structlog.testing.capture_logs() as lines:
            while len(served.replaced) < 2:
                assert all(map(is_read, await served.poll(SOUND, SOUND)))
                await asyncio.sleep(0.1)
        assert set(served.replaced) == {why}
        assert [line for line in lines if line["log_level"] == "warning"] == []


@pytest.mark.parametrize(
    "command", [("/absent/python",), (sys.executable, "-c", "print('hello')"), (sys.executable, "-c", "")]
)
async def test_a_program_that_does_not_start_is_one_line(tmp_path: Path, command: tuple[str, ...]) -> None:
    """Each poll fails, each attempt is counted, and the log has one line of them."""
    async with lane(tmp_path, command=command) as served:
        with structlog.testing.capture_logs() as lines:
            for _ in range(4):
                (outcome,) = await served.poll(SOUND)
                assert isinstance(outcome.error, LaneError)
        assert len(served.replaced) >= 2
        assert set(served.replaced) <= set(WHYS)
        assert len(lines) == 1


async def test_after_failures_in_a_row_it_rests(tmp_path: Path) -> None:
    """Polls fail at once meanwhile, and no process is started for them."""
    limits = Limits(rest_s=PATIENT_S, longest_wait_s=PATIENT_S)
    async with lane(tmp_path, limits=limits, command=("/absent/python",)) as served:
        await served.poll(SOUND)
        served.lane._failures = 5
        served.lane._is_down = True
        (outcome,) = await served.poll(SOUND)
        assert "is down" in str(outcome.error)
        assert served.replaced == ["start"]


async def test_closing_forgets_polls_in_flight(tmp_path: Path) -> None:
    """Their outcome is never told."""
    async with lane(tmp_path) as served:
        told: list[object] = []
        for _ in range(3):
            talk = READER.converse("u1", READER.new_memory(), nameplate=PLATE, slow_every=1, wall=lambda: 1.0)
            served.lane.start((f"127.0.0.{HANGS}", 4028), talk, told.append)
        await until(lambda: bool(served.starts))
        served.lane.close()
        await served.lane.closed()
        assert (told, served.lane.is_idle, served.lane.pid) == ([], True, None)


async def test_what_does_not_fit_is_skipped_and_counted() -> None:
    """A unit that waited for a place for a whole interval loses that turn; elsewhere it would only be late."""
    skipped: list[tuple[str, int]] = []
    now = [1000.0]

    class Full:
        def start(self, *_: object) -> None:
            """Hold a place for ever."""

    for is_lane in (True, False):
        poller = Poller(
            client=Full(),
            reader_of=lambda _: READER,
            schedule=Schedule(interval_s=60.0, backoff_max_s=60.0, jitter=lambda: 0.0),
            bounds=Bounds(healthy=1, sick=1),
            slow_every=1,
            on_poll=lambda *_: None,
            on_skipped=lambda *skip: skipped.append(skip),
            clock=lambda: now[0],
            is_lane=is_lane,
        )
        poller.replace_entries([entry(f"u{number}", reader="foreign") for number in range(3)])
        for _ in range(4):
            now[0] += 60.0
            poller.start_due()
    assert ("lane_full", 1) in skipped
    assert skipped.count(("lane_full", 1)) == 6
    assert skipped.count(("busy", 1)) == 6


def test_pyasic_is_imported_nowhere_here() -> None:
    """Not by the whole agent, nor what it brings along."""
    words = "import sys, agent.app, agent.commands.scan; print(*(set(sys.modules) & {'pyasic', 'httpx', 'asyncssh'}))"
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
