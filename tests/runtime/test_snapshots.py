"""An agent that starts again over its own files: what it shows, what it refuses, and what the log says."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog
from site_cases import AT, TH, reading

from agent.app import Agent
from agent.exporters.web.site_answers import site_answer
from agent.exporters.web.unit_answers import unit_row
from agent.files.snapshot import read_packed, write_packed
from agent.runtime.packed_file import PackedFile
from agent.runtime.setup import load_setup
from agent.runtime.snapshots import Snapshots
from agent.runtime.standstill import Clocks
from agent.slices import run_at_once
from agent.unit.reading import Poll

CONFIG = """\
[site]
name = "alpha"
[ledger]
file = "ledger.csv"
[history]
keep = false
"""
HEADER = "unit_id,model,hashrate_th,host,container,rack,slot,deployed_from,deployed_to,status\n"
UNIT_IDS = [f"u{number:03}" for number in range(20)]


class Process:
    """One process of an agent without sockets, whose clocks go by the test.

    Args:
        folder: With its files.
        now: Seconds since `AT`. The monotonic clock is 1,000 s ahead, and counts from this boot.
        boot_id: The boot of its machine.
    """

    def __init__(self, folder: Path, *, now: float = 0.0, boot_id: str = "b1") -> None:
        self.now = now
        self.agent = Agent(load_setup(folder / "site.toml"))
        self.agent._standstill._clocks = lambda: Clocks(self.monotonic(), self.monotonic())
        self.agent.snapshots = Snapshots(
            lambda: self.agent.setup,
            self.agent._parts,
            wall=self.time,
            clock=self.monotonic,
            boot_s=self.monotonic,
            boot_id=boot_id,
        )

    def monotonic(self) -> float:
        """Return the monotonic clock, s."""
        return 1000.0 + self.now

    def time(self) -> float:
        """Return Unix time, s."""
        return AT + self.now

    def poll(self, *unit_ids: str, **changes: Any) -> None:
        """Record a good poll of 190 of 200 TH/s of these units, or of all."""
        for unit_id in unit_ids or UNIT_IDS:
            answer = reading(unit_id, at=self.time(), **({"hashrate_5s_hs": float(190 * TH), "boards": ()} | changes))
            self.agent._on_poll(Poll(unit_id=unit_id, at=self.time(), took_s=0.02, reading=answer), self.monotonic())

    async def write(self) -> None:
        """Write a snapshot, as once an interval."""
        assert self.agent.snapshots._file is not None
        await self.agent.snapshots._write(self.agent.snapshots._file)

    def kill(self) -> None:
        """Let go of what the end of a process lets go of."""
        if self.agent.snapshots._file is not None:
            self.agent.snapshots._file.release()

    def efficiency(self) -> float | None:
        """Make a round and return operating over deployed as `/metrics` shows it; None if it shows none."""
        self.agent.sum_up()
        text = self.agent.metrics._figure_texts.get("mining_site_operational_efficiency_ratio")
        return None if text is None else float(text.split()[-1])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a configuration and a ledger of twenty units of 200 TH/s."""
    (tmp_path / "site.toml").write_text(CONFIG, encoding="utf-8")
    rows = (
        f"{unit_id},S21,200,127.77.0.{number + 1},C1,R1,{number},2025-01-01,,deployed"
        for number, unit_id in enumerate(UNIT_IDS)
    )
    (tmp_path / "ledger.csv").write_text(HEADER + "\n".join(rows) + "\n", encoding="utf-8")
    return tmp_path


@asynccontextmanager
async def running(process: Process) -> AsyncIterator[Process]:
    """Let the clocks of rounds be this process' inside the block."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("agent.runtime.rounds.time", process)
        async with process.agent.polling():
            process.agent._standstill.begin()
            yield process


async def killed(folder: Path, *, whole: bool = True) -> None:
    """Leave the files of an agent that polled every unit, made a round, wrote a snapshot and was killed."""
    first = Process(folder)
    async with running(first):
        first.poll(*([] if whole else UNIT_IDS[:10]))
        first.efficiency()
        await first.write()
        first.kill()


async def test_figures_are_there_at_once_and_not_ready(folder: Path) -> None:
    """After a kill: the figures of before, restored and not covered, until this process has asked all but 5 %."""
    await killed(folder)
    second = Process(folder, now=13.0)
    async with running(second):
        with structlog.testing.capture_logs() as logs:
            assert second.agent.snapshots.restore() == 20
        assert [(log["event"], log["units"], log["age_s"]) for log in logs] == [("statuses restored", 20, 13.0)]
        rounds = second.agent.rounds
        assert rounds.unreadiness == "first round under way: 20 of 20 units not looked at yet"
        assert second.efficiency() == 0.95
        assert rounds.figures is not None
        assert rounds.figures.site.coverage_ratio == 0.0
        assert second.agent.metrics.own.restored_units() == 20
        assert rounds.unreadiness == (
            "this agent was restarted: 20 of 20 units (100.0 % of deployed) not looked at for up to 13 s,"
            " 20 of them since before this start; they count as they were then"
        )
        second.now += 5.0
        second.poll(*UNIT_IDS[:18], hashrate_5s_hs=float(100 * TH))
        assert second.efficiency() == pytest.approx((18 * 0.5 + 2 * 0.95) / 20)
        assert "2 of 20 units (10.0 % of deployed) not looked at for up to 18 s, 2 of them" in str(rounds.unreadiness)
        second.poll(UNIT_IDS[18])
        second.efficiency()
        assert rounds.unreadiness is None
        assert second.agent.metrics.own.restored_units() == 1


async def test_page_and_json_show_what_is_restored(folder: Path) -> None:
    """Each restored unit is marked, with the age of its reading; the site says how many there are."""
    await killed(folder)
    second = Process(folder, now=13.0)
    async with running(second):
        second.agent.snapshots.restore()
        second.efficiency()
        second.poll("u000")
        asked, restored = (
            unit_row(second.agent.tracker.status(unit_id), second.time()) for unit_id in ("u000", "u001")
        )
        assert (asked.is_restored, restored.is_restored, restored.is_fresh) == (False, True, False)
        assert (restored.reading_age_s, restored.why) == (
            13.0,
            "slow without a visible reason; not looked at for 13 s: restored from before this agent's start",
        )
        answer = site_answer(
            "alpha",
            "1",
            second.agent.rounds.figures,
            second.agent.tracker.statuses(),
            unreadiness=second.agent.rounds.unreadiness,
            now=second.time(),
            zone=second.agent.config.site.zone,
            seen_from=second.agent.rounds.whole_at,
        )
        assert (answer.restored_units, answer.is_ready) == (19, False)
        assert answer.watched_from is not None
        assert answer.watched_from.timestamp() == AT


async def test_an_absence_longer_than_readings_live_is_a_standstill(folder: Path) -> None:
    """Away for 31 s of 30: statuses are shown, and there are no figures until every unit was asked."""
    await killed(folder)
    second = Process(folder, now=31.0)
    async with running(second):
        assert second.agent.snapshots.restore() == 20
        assert second.efficiency() is None
        assert second.agent.rounds.unreadiness == "this agent was away for 31 s: 20 of 20 units not looked at since"
        assert second.agent.tracker.status("u000").is_restored
        second.poll(*UNIT_IDS[:19])
        assert second.efficiency() is None
        second.poll(UNIT_IDS[19])
        assert second.efficiency() == 0.95
        assert second.agent.rounds.unreadiness is None
        assert second.agent.rounds.whole_at == AT + 31


async def test_half_a_snapshot_makes_no_figures(folder: Path) -> None:
    """An agent killed in its first round: what it knew is shown, and figures wait for the others."""
    await killed(folder, whole=False)
    second = Process(folder, now=5.0)
    async with running(second):
        assert second.agent.snapshots.restore() == 10
        assert second.efficiency() is None
        second.poll(*UNIT_IDS[10:])
        assert second.efficiency() == 0.95
        assert second.agent.rounds.unreadiness is not None


def repacked(folder: Path, change: Callable[[list[Any]], Any]) -> None:
    """Change the decoded content of the snapshot and write it again."""
    path = folder / "site.snapshot"
    data = read_packed(path)
    assert data is not None
    mark, _, packed = data.partition(b"\n")
    body = msgspec.msgpack.decode(packed)
    write_packed(path, mark + b"\n" + msgspec.msgpack.encode(change(body)))


def header(**changes: Any) -> Callable[[list[Any]], Any]:
    """Return a change of the header."""
    return lambda body: [body[0] | changes, *body[1:]]


def replace_unit(body: list[Any], place: int, value: Any) -> list[Any]:
    """Put a wrong value into the last unit."""
    body[1][-1][-1][place] = value
    return body


def replace_in_reading(body: list[Any], place: int, value: Any) -> list[Any]:
    """Put a wrong value into the reading of the last unit."""
    body[1][-1][-1][8][place] = value
    return body


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (header(version=3), "it is of version 3; this program reads versions 1 to 2"),
        (header(site="beta"), "it is of site 'beta', not of 'alpha'"),
        (header(ledger="0" * 64), "the ledger was changed since"),
        (header(at=AT + 7200), "the clock was set by -7200 s since"),
        (header(at=AT + 7200, boot_id="b0"), "it is from the future, by 7195 s"),
        (header(at=AT - 200, boot_id="b0"), "it is too old: 3 min; the limit is 2 min"),
        (header(at="now"), "Expected `float`, got `str`"),
        (lambda body: replace_unit(body, 4, -1.0), "Expected `float` >= 0.0"),
        (lambda body: replace_unit(body, 1, float("nan")), "Expected `float`"),
        (header(at=float("nan")), "Expected `float`"),
        (header(boot_s=float("nan")), "Expected `float`"),
        (lambda body: replace_in_reading(body, 8, float("nan")), "Expected `float`"),
        (lambda body: replace_in_reading(body, 8, 1e300), "Expected `float` <= 1e+17"),
        (lambda body: replace_in_reading(body, 8, -1.0), "Expected `float` >= 0.0"),
        (lambda body: replace_in_reading(body, 16, float("inf")), "Expected `float` <= 1000000.0"),
        (lambda body: replace_unit(body, 8, ["no", "reading"]), "Expected `array` of at least length 23, got 2"),
        (lambda body: body[:1], "Expected `array` of at least length 2, got 1"),
        (lambda _: {"version": 1}, "Expected `array`, got `object`"),
    ],
    ids=[
        *("version", "site", "ledger", "clock set", "future", "too old", "header", "since", "age"),
        *("at no time", "of no boot", "rate NaN", "rate too high", "rate below zero", "infinite watts", "reading"),
        *("no units", "another form"),
    ],
)
async def test_a_snapshot_that_is_not_fit_is_left_whole(
    folder: Path, change: Callable[[list[Any]], Any], reason: str
) -> None:
    """One clear line in the log, an empty start, and no unit of it anywhere."""
    await killed(folder)
    repacked(folder, change)
    await refused(folder, reason)


async def refused(folder: Path, reason: str) -> None:
    """Start a second process and see it begin empty, with one line that gives the reason."""
    second = Process(folder, now=5.0)
    async with running(second):
        with structlog.testing.capture_logs() as logs:
            assert second.agent.snapshots.restore() == 0
        assert [(log["event"], log["log_level"]) for log in logs] == [("statuses not restored", "warning")]
        assert reason in logs[0]["reason"]
        assert logs[0]["file"] == str(folder / "site.snapshot")
        assert not any(status.is_polled for status in second.agent.tracker.statuses())
        assert second.efficiency() is None
        second.poll()
        assert second.efficiency() == 0.95
        await second.write()
        second.kill()


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"\x1f\x8b" + b"\0" * 200, "damaged"), (None, "damaged"), (b"a note of mine", "damaged")],
    ids=["zeros", "cut", "text"],
)
async def test_a_damaged_file_is_left_whole(folder: Path, content: bytes | None, reason: str) -> None:
    """A power cut in the disk's own cache, or another program's file; the next write replaces it."""
    await killed(folder)
    path = folder / "site.snapshot"
    path.write_bytes(path.read_bytes()[:-20] if content is None else content)
    await refused(folder, reason)
    third = Process(folder, now=6.0)
    async with running(third):
        assert third.agent.snapshots.restore() == 20
        third.kill()


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (os.mkfifo, "it cannot be read: a regular file is expected"),
        (lambda path: path.symlink_to(path), "it cannot be read: Too many levels of symbolic links"),
        (lambda path: path.symlink_to("/dev/zero"), "it cannot be read: a regular file is expected"),
        (Path.mkdir, "it cannot be read: a regular file is expected"),
    ],
    ids=["a pipe", "a loop of links", "a device", "a folder"],
)
async def test_a_file_of_another_kind_does_not_hold_the_start(
    folder: Path, make: Callable[[Path], object], reason: str
) -> None:
    """The configuration is accepted and the agent starts empty: opening a pipe would wait for ever."""
    make(folder / "site.snapshot")
    process = Process(folder)
    with structlog.testing.capture_logs() as logs:
        assert process.agent.snapshots.restore() == 0
    assert [log["reason"] for log in logs] == [reason]
    process.kill()


async def test_a_dated_change_of_the_ledger_is_another_ledger(folder: Path) -> None:
    """A row that ends between snapshot and start: the same file says something else today."""
    ledger = folder / "ledger.csv"
    text = ledger.read_text(encoding="utf-8")
    ledger.write_text(text.replace("2025-01-01,,deployed", "2025-01-01,2025-11-21,deployed", 1), encoding="utf-8")
    await killed(folder)
    second = Process(folder, now=3 * 3600.0)
    async with running(second):
        second.agent.tracker.stale_after_s = 86400.0
        with structlog.testing.capture_logs() as logs:
            assert second.agent.snapshots.restore() == 0
        assert logs[0]["reason"] == "the ledger was changed since"


async def test_one_agent_at_a_time_reads_and_writes(folder: Path) -> None:
    """A second agent on the same files neither takes over nor replaces a living agent's snapshot."""
    first = Process(folder)
    async with running(first):
        first.poll()
        await first.write()
    before = (folder / "site.snapshot").read_bytes()
    second = Process(folder, now=3.0)
    with structlog.testing.capture_logs() as logs:
        assert second.agent.snapshots.restore() == 0
        await second.write()
    assert [(log["event"], log["reason"]) for log in logs] == [
        ("snapshot not written", "another agent is writing it"),
    ]
    assert second.agent.metrics.own.snapshot_errors == 2
    assert (folder / "site.snapshot").read_bytes() == before
    first.kill()


async def test_failed_writes_are_counted_and_said_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is logged when it begins and when it ends; the old snapshot stays as it was."""
    process = Process(folder)
    own = process.agent.metrics.own
    async with running(process):
        process.poll()
        await process.write()
        before = (folder / "site.snapshot").read_bytes()
        assert (own.snapshot_at, own.snapshot_errors) == (AT, 0)
        with structlog.testing.capture_logs() as logs:
            with monkeypatch.context() as broken:
                broken.setattr("agent.files.snapshot.temporary_file", _no_space)
                await process.write()
                await process.write()
            await process.write()
        assert [(log["event"], log["log_level"]) for log in logs] == [
            ("snapshot not written", "error"),
            ("snapshot is written", "info"),
        ]
        assert own.snapshot_errors == 2
        assert (folder / "site.snapshot").read_bytes() != b""
        assert len(before) > 100
        process.kill()


def _no_space(*_: object, **__: object) -> None:
    raise OSError(28, "No space left on device")


async def test_a_stop_writes_a_last_snapshot_and_lets_go(folder: Path) -> None:
    """After an orderly stop the next process may read and write at once."""
    first = Process(folder)
    async with running(first):
        first.poll()
        assert first.agent.snapshots.restore() == 0
        await first.agent.snapshots.close()
    second = Process(folder, now=2.0)
    async with running(second):
        assert second.agent.snapshots.restore() == 20
        second.kill()


async def test_a_link_is_followed_and_stays(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """An operator links the file into memory, to spare a flash card: it is written there from the first time on."""
    elsewhere = tmp_path_factory.mktemp("memory") / "kept"
    (folder / "site.snapshot").symlink_to(elsewhere)
    await killed(folder)
    assert (folder / "site.snapshot").is_symlink()
    assert elsewhere.stat().st_size > 0
    async with running(Process(folder, now=5.0)) as second:
        assert second.agent.snapshots.restore() == len(UNIT_IDS)


async def test_polls_go_on_while_a_snapshot_is_packed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Units are packed in slices; a unit that leaves in between does no harm."""
    monkeypatch.setattr("agent.runtime.snapshots.UNITS_PER_SLICE", 5)
    process = Process(folder)
    async with running(process):
        process.poll()
        steps, slices = process.agent.snapshots.packed(), 0
        while True:
            try:
                next(steps)
            except StopIteration as done:
                data, _ = done.value
                break
            process.poll("u019")
            slices += 1
        assert slices == 4
        assert data == run_at_once(process.agent.snapshots.packed())[0]


async def test_the_next_write_waits_for_fifty_times_the_work(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that took 1 s of CPU is followed by 50 s of rest, a quick one by an interval."""
    process, waits = Process(folder), []

    async def wait(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            raise asyncio.CancelledError

    async def write(_: PackedFile) -> float:
        return 0.01 if len(waits) == 2 else 1.0

    monkeypatch.setattr("agent.runtime.snapshots.asyncio.sleep", wait)
    monkeypatch.setattr(process.agent.snapshots, "_write", write)
    with pytest.raises(asyncio.CancelledError):
        await process.agent.snapshots.run()
    assert waits == [10.0, 50.0, 10.0]


def test_without_keeping_nothing_is_written(folder: Path) -> None:
    """`keep = false` leaves no file and no lock."""
    config = folder / "site.toml"
    config.write_text(config.read_text(encoding="utf-8") + "[snapshot]\nkeep = false\n", encoding="utf-8")
    process = Process(folder)
    assert process.agent.snapshots.restore() == 0
    asyncio.run(process.agent.snapshots.run())
    asyncio.run(process.agent.snapshots.close())
    assert sorted(path.name for path in folder.iterdir()) == ["ledger.csv", "site.toml"]
