"""The history file survives kills, full disks, damage, wrong clocks, second agents and other versions."""

import asyncio
import errno
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from exporter_cases import entry, gone_silent, reading, status
from history_cases import AT, DAY_S, HOUR_S, PH, hour, row, write
from paths import SUPPORT
from patience import PATIENT_S
from structlog.testing import capture_logs

from agent.errors import HISTORY_REASONS, HistoryError, UnreachableError
from agent.history import keeper as history_module
from agent.history.health import WRITE_REASONS
from agent.history.keeper import CHECK_EVERY, History
from agent.history.minutes import COLUMNS, Minute, Row, row_from
from agent.history.reader import read_history
from agent.history.recorder import Recorder
from agent.history.schema import EARLIER_COLUMNS, HISTORY, MIGRATIONS
from agent.history.state_changes import Change, ChangeBook
from agent.history.writer import (
    ASIDE_KEPT,
    MINUTES_KEPT_DAYS,
    TIDY_SPAN_S,
    HistoryWriter,
    move_aside,
    write_history,
)
from agent.site.power import PowerSource
from agent.site.status import Cause
from agent.site.totals import site_figures
from agent.slices import run_at_once
from agent.unit.reading import PoolReading

GARBAGE = b"this is no database at all, and long enough to be taken for a page of one " * 100


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a path for a new history."""
    return tmp_path / "site.history.sqlite"


def history(path: Path, *, site: str = "alpha", now: float = AT + DAY_S, keep_days: float = 400) -> History:
    """Return a history whose thread is not started; `flush` writes."""
    return History(path, site=site, zone="America/Chicago", keep_days=keep_days, wall=lambda: now)


def operating(path: Path) -> dict[int, float]:
    """Return PH/s operating by row start, in seconds after AT."""
    with closing(read_history(path)) as reader:
        return {int(values[0] or 0) - AT: (values[5] or 0) / PH for chunk in reader.chunks(0, 1e12) for values in chunk}


def reason(path: Path) -> str:
    """Return the reason why a history cannot be opened for writing."""
    with pytest.raises(HistoryError) as caught:
        write_history(path).close()
    assert str(path) in str(caught.value)
    return caught.value.reason


# What is written is there


def test_columns_are_the_rows() -> None:
    """The tables have exactly the columns of a row, and the write reasons are a prefix of all reasons."""
    connection = sqlite3.connect(":memory:")
    with closing(connection):
        for statements in MIGRATIONS:
            for statement in statements:
                connection.execute(statement)
        columns = {
            table: {name for _, name, *_ in connection.execute(f"PRAGMA table_info({table})")}
            for table in ("site", "containers")
        }
    assert columns == {"site": set(COLUMNS), "containers": {*COLUMNS, "container"}}
    assert HISTORY_REASONS[: len(WRITE_REASONS)] == WRITE_REASONS


def test_rows_come_back_as_they_were(path: Path) -> None:
    """Every value of the site's and a container's rows reads back to the last bit."""
    site = row(uplift_hs=PH / 3, delivered_hs=45 * PH / 7, delivered_s=59.5, delivered_deployed_hs=1 / 3)
    kept = history(path)
    kept.record([Minute(site, {"C1": row(operating_hs=PH / 7), "": row(operating_hs=PH)})])
    assert kept.flush()
    with closing(read_history(path)) as reader:
        assert list(reader.chunks(AT, AT + 60)) == [[site.values()]]
        assert list(reader.chunks(AT, AT + 60, "C1")) == [[row(operating_hs=PH / 7).values()]]
        assert list(reader.chunks(AT, AT + 60, "C9")) == []
        assert reader.containers() == ("", "C1")
        assert (reader.site, reader.zone) == ("alpha", "America/Chicago")
        assert reader.span() == (AT, AT + 60)
    assert (kept.health.is_writing, kept.health.written, kept.health.pending) == (True, 3, 0)
    kept.close()


def test_steps_are_means_of_what_was_watched(path: Path) -> None:
    """A step's mean is weighted by the watched seconds; a step without any is left out."""
    rows = [row(AT, operating_hs=40 * PH), row(AT + 60, watched_s=30.0, operating_hs=46 * PH), row(AT + 3 * HOUR_S)]
    with closing(read_history(write(path, rows))) as reader:
        first, last = reader.rows(AT, AT + DAY_S, HOUR_S)
    assert (first.at, first.span_s, first.watched_s, first.operating_hs) == (AT, HOUR_S, 90.0, 42 * PH)
    assert (last.at, last.watched_s, last.losses_hs[Cause.UNREACHABLE]) == (AT + 3 * HOUR_S, 60.0, 3 * PH)
    assert first.delivered_hs is None


def test_a_minute_in_two_parts_is_one(path: Path) -> None:
    """A restart within a minute, or a clock set back, completes the minute and overwrites nothing."""
    write(path, [row(watched_s=20.0, operating_hs=40 * PH)])
    write(path, [row(watched_s=60.0, operating_hs=46 * PH)])
    assert operating(path) == {0: pytest.approx(44)}
    write(path, [row(watched_s=60.0, operating_hs=1 * PH)])
    assert operating(path) == {0: pytest.approx(44)}


def test_a_name_of_a_write_that_failed_is_written_again(path: Path) -> None:
    """A name's id goes with the transaction that made it, so the next write gives the name another."""
    good = row().values()
    with closing(write_history(path)) as writer:
        with pytest.raises(HistoryError):
            writer.write(containers=[("C1", good), ("C2", (None, *good[1:]))])
        writer.write(containers=[("C3", good), ("C1", good)])
    with closing(read_history(path)) as reader:
        assert reader.containers() == ("C1", "C3")


def test_units_changes(path: Path) -> None:
    """A state is stored when it begins, with its reason, and updated when it ends."""
    down = Change(unit_id="u1", state="unreachable", why="no answer", since=AT + 5.5)
    kept = history(path)
    kept.record_change(down)
    assert kept.flush()
    with closing(read_history(path)) as reader:
        assert list(reader.changes(AT, AT + 60)) == [down]
    kept.record_change(replace(down, until=AT + 65.5))
    kept.record_change(Change(unit_id="u1", state="hashing", why="hashing", since=AT + 65.5))
    assert kept.flush()
    kept.close()
    with closing(read_history(path)) as reader:
        assert list(reader.changes(AT, AT + 60)) == [replace(down, until=AT + 65.5)]
        assert [each.state for each in reader.changes(AT, AT + 66)] == ["unreachable", "hashing"]
        assert [each.state for each in reader.changes(AT + 65.5, AT + 66, "u1")] == ["hashing"]
        assert list(reader.changes(AT, AT + 66, "u2")) == []


def test_what_a_killed_agent_left_open_ends_with_its_watch(path: Path) -> None:
    """A state that a killed agent left open ends with the last recorded minute."""
    with closing(write_history(path)) as file:
        file.claim(site="alpha", zone="UTC")
        file.write(site=[row().values()], changes=[Change(unit_id="u1", state="stopped", why="asleep", since=AT + 9.0)])
    with closing(write_history(path)) as file:
        file.claim(site="alpha", zone="UTC")
        assert [(each.since, each.until) for each in file.changes(0, 1e12)] == [(AT + 9.0, AT + 60.0)]


def test_changes_are_reported_once() -> None:
    """Each change ends one state and begins another; a unit has none before its first poll, and a removal ends it."""
    book = ChangeBook()
    unseen, seen = status(entry("u1")), status(entry("u1"), reading("u1"), since=10.0)
    assert book.observe(unseen) == []
    assert [(each.state, each.until) for each in book.observe(seen)] == [("hashing", None)]
    assert book.observe(seen) == run_at_once(book.end_missing({"u1"}.__contains__, at=15.0)) == []
    gone = msgspec.structs.replace(gone_silent("u1"), since=20.0)
    assert [(each.state, each.since, each.until) for each in book.observe(gone)] == [
        ("hashing", 10.0, 20.0),
        ("unreachable", 20.0, None),
    ]
    ended = run_at_once(book.end_missing(set().__contains__, at=30.0))
    assert [(each.state, each.until) for each in ended] == [("unreachable", 30.0)]
    assert run_at_once(book.end_missing(set().__contains__, at=31.0)) == []


def test_a_state_gets_a_better_reason_once_there_is_one() -> None:
    """A stop whose cause shows only at a later poll is kept with that cause; numbers that change are no news."""
    book = ChangeBook()
    changes = (
        {"fan_rpm": (6000,)},
        {"pools": (PoolReading(index=0, status="Dead", is_active=False),)},
        {"fan_rpm": (0, 6000)},
        {"fan_rpm": (6000,)},
    )
    kept = [
        [(each.why, each.since, each.until) for each in book.observe(one)]
        for one in (status(entry("u1"), reading("u1", hashrate_5s_hs=0.0, **each), since=10.0) for each in changes)
    ]
    assert kept == [[("cause unknown", 10.0, None)], [("no pool alive", 10.0, None)], [], []]
    slow = [status(entry("u1"), reading("u1", hashrate_5s_hs=rate_hs), since=20.0) for rate_hs in (200e12, 100e12)]
    assert [len(book.observe(one)) for one in slow] == [2, 0]


def test_a_clock_set_back_ends_no_state_before_it_began() -> None:
    """Durations are never negative."""
    book = ChangeBook()
    book.observe(status(entry("u1"), reading("u1"), since=100.0))
    ended, begun = book.observe(status(entry("u1"), error=UnreachableError("no route"), since=50.0))
    assert (ended.since, ended.until, begun.since) == (100.0, 100.0, 100.0)


def test_what_comes_while_it_writes_is_written_before_it_stops(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row queued just before a stop is written although the thread was busy with the disk."""
    is_writing, go_on = threading.Event(), threading.Event()
    write_rows = HistoryWriter.write

    def slow_write(*args: Any, **kwargs: Any) -> None:
        is_writing.set()
        assert go_on.wait(PATIENT_S)
        write_rows(*args, **kwargs)

    monkeypatch.setattr(HistoryWriter, "write", slow_write)
    kept = history(path)
    kept.start()
    assert is_writing.wait(PATIENT_S)
    kept.record_site(row())
    stopping = threading.Thread(target=kept.stop, args=(10.0,))
    stopping.start()
    assert kept._wanted.wait(PATIENT_S)
    go_on.set()
    stopping.join(10)
    assert operating(path) == {0: 46.0}


def test_recorder_makes_history_of_figures(path: Path) -> None:
    """Figures become minutes and statuses become changes; stopping writes the current minute."""
    kept = history(path)
    recorder = Recorder(kept, interval_s=10.0)
    statuses = [status(entry("u1"), reading("u1"), since=AT), gone_silent("u2")]
    recorder.start()
    for step in range(10):
        slices = recorder.on_site(
            site_figures(statuses, AT + 10.0 * step),
            statuses=lambda: statuses,
            is_there={"u1", "u2"}.__contains__,
            simulated_units=lambda: 2,
            clock_s=10.0 * step,
        )
        run_at_once(slices)
    recorder.on_status(gone_silent("u1"))
    recorder.stop()
    assert recorder.health.is_writing
    with closing(read_history(path)) as reader:
        first, second = (row_from(values) for chunk in reader.chunks(0, 1e12) for values in chunk)
        assert (first.watched_s, second.watched_s, first.simulated_units, first.units) == (60.0, 30.0, 2.0, 2.0)
        assert [len(chunk) for chunk in reader.chunks(0, 1e12, "C1")] == [2]
        assert {(each.unit_id, each.state) for each in reader.changes(0, 1e12)} == {
            ("u1", "hashing"),
            ("u1", "unreachable"),
            ("u2", "unreachable"),
        }


# Killed


WRITER = """
import sys
from contextlib import closing
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from history_cases import AT, row
from agent.history.writer import write_history
with closing(write_history(Path(sys.argv[1]))) as file:
    file.claim(site="alpha", zone="UTC")
    for number in range(100000):
        values = row(AT + 60 * number, operating_hs=float(number)).values()
        file.write(site=[values], containers=[(f"C{each}", values) for each in range(4)])
        file.tidy(now=AT + 60 * number, keep_days=400, max_bytes=1 << 30)
        print(number, flush=True)
"""


@pytest.mark.parametrize("after", [1, 2, 40, 150])
async def test_sigkill_loses_nothing_that_was_written(path: Path, after: int) -> None:
    """A process killed while writing leaves every finished minute whole, and no lock."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WRITER, str(path), str(SUPPORT), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    reported = [int(await process.stdout.readline()) for _ in range(after)]
    process.send_signal(signal.SIGKILL)
    reported += [int(line) for line in (await process.stdout.read()).split(b"\n")[:-1]]
    assert await process.wait() == -signal.SIGKILL
    with closing(write_history(path)) as file:
        rows = [row_from(values) for chunk in file.chunks(0, 1e12) for values in chunk]
        containers = [len(chunk) for chunk in file.chunks(0, 1e12, "C3")]
    # The write in progress may have been committed too, with all its containers or not at all.
    assert len(reported) <= len(rows) <= len(reported) + 1
    assert [each.operating_hs for each in rows] == [float(number) for number in range(len(rows))]
    assert sum(containers) == len(rows)


# Two agents


def test_one_file_has_one_writer(path: Path) -> None:
    """A second agent on the same file writes nothing and logs it once; it takes over when the first one ends."""
    first, second = history(path), history(path)
    first.record_site(row())
    assert first.flush()
    second.record_site(row(AT + 60))
    with capture_logs() as logs:
        assert not second.flush()
        assert not second.flush()
    assert [(each["event"], each["reason"]) for each in logs] == [("history cannot be written", "in_use")]
    assert (second.health.is_writing, second.health.errors["in_use"], second.health.pending) == (False, 2, 1)
    assert operating(path) == {0: 46}
    first.close()
    with capture_logs() as logs:
        assert second.flush()
    assert [each["event"] for each in logs] == ["history is written"]
    second.close()
    assert operating(path) == {0: 46, 60: 46}


def test_another_sites_history_is_not_touched(path: Path) -> None:
    """A file belongs to one site; another site's agent does not change it."""
    before = write(path, [row()], site="beta").read_bytes()
    kept = history(path)
    kept.record_site(row(AT + 60))
    assert not kept.flush()
    assert kept.health.errors["foreign"] == 1
    assert kept.health.trouble is not None
    assert "the history of site beta, not of alpha" in kept.health.trouble
    assert path.read_bytes() == before


def test_reading_while_it_is_written(path: Path) -> None:
    """A reader sees a committed snapshot while the agent goes on writing."""
    with closing(write_history(path)) as file:
        file.claim(site="alpha", zone="UTC")
        file.write(site=[row().values()])
        with closing(read_history(path)) as reader:
            pieces = reader.chunks(0, 1e12)
            assert len(next(pieces)) == 1
            file.write(site=[row(AT + 60).values()])
            assert list(pieces) == []
            assert [len(chunk) for chunk in reader.chunks(0, 1e12)] == [2]


# A full disk


@contextmanager
def files_at_most(size: int) -> Iterator[None]:
    """Limit every file of this process to `size` bytes, which looks like a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_delays_history_and_loses_none(path: Path) -> None:
    """Rows wait in memory while the disk is full; once there is room, all of them are written."""
    kept = history(path)
    kept.record_site(row())
    assert kept.flush()
    with capture_logs() as logs, files_at_most(path.stat().st_size):
        for number in range(1, 300):
            kept.record([Minute(row(AT + 60 * number), {})])
            if number % 100 == 0:
                assert not kept.flush()
    assert {each["event"] for each in logs} == {"history cannot be written"}
    assert (kept.health.is_writing, kept.health.pending, kept.health.dropped) == (False, 299, 0)
    assert kept.health.errors["full"] + kept.health.errors["unwritable"] == 2
    assert kept.flush()
    kept.close()
    assert list(operating(path)) == [60 * number for number in range(300)]


def test_what_waits_is_bounded(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When too many rows are pending, the oldest are dropped and counted."""
    monkeypatch.setattr(history_module, "MAX_PENDING", 10)
    kept = history(path.parent / "not there" / "h.sqlite")
    for number in range(15):
        kept.record_site(row(AT + 60 * number))
    assert not kept.flush()
    assert (kept.health.pending, kept.health.dropped, kept.health.errors["unwritable"]) == (10, 5, 1)
    path.parent.joinpath("not there").mkdir()
    assert kept.flush()
    kept.close()
    assert min(operating(path.parent / "not there" / "h.sqlite")) == 5 * 60


def test_sqlite_says_full() -> None:
    """Both SQLite's and the operating system's error for a full disk become the reason ``full``."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("PRAGMA max_page_count = 1")
        with pytest.raises(HistoryError) as caught, HISTORY.translated(Path("h.sqlite")):
            connection.execute("CREATE TABLE more_than_a_page (x)")
    assert caught.value.reason == "full"
    with pytest.raises(HistoryError) as caught, HISTORY.translated(Path("h.sqlite")):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert caught.value.reason == "full"


def test_a_file_moved_away_is_begun_anew(path: Path) -> None:
    """After the file is moved away under a running agent, a new one is created at its path."""
    kept = history(path)
    kept.record_site(row())
    assert kept.flush()
    path.rename(path.with_name("kept.sqlite"))
    kept.record_site(row(AT + 60))
    with capture_logs() as logs:
        assert kept.flush()
    kept.close()
    assert "history file was moved away" in [each["event"] for each in logs]
    assert operating(path) == {60: 46}


# Damage


def damaged(path: Path, kind: str) -> None:
    """Write 2,000 minutes, then damage the file in one way."""
    write(path, [row(AT + 60 * number, operating_hs=number * PH) for number in range(2000)])
    size = path.stat().st_size
    if kind == "garbage":
        path.write_bytes(GARBAGE)
    elif kind == "cut":
        os.truncate(path, size // 2)
    elif kind == "header":
        with path.open("r+b") as file:
            file.write(b"\0" * 100)
    elif kind == "page":
        with path.open("r+b") as file:
            file.seek(size // 2 // 4096 * 4096)
            file.write(GARBAGE[:4096])
    elif kind == "empty":
        os.truncate(path, 0)


@pytest.mark.parametrize(
    ("kind", "taken_over"), [("garbage", 0), ("cut", 700), ("header", 0), ("page", 1900), ("empty", None)]
)
def test_a_damaged_file_is_kept_aside_and_begun_anew(path: Path, kind: str, taken_over: int | None) -> None:
    """A damaged file is kept under another name, and its readable rows are copied into a new one."""
    damaged(path, kind)
    kept = history(path)
    kept.record_site(row(AT - 60))
    with capture_logs() as logs:
        assert kept.flush()
    kept.close()
    aside = [each.name for each in path.parent.iterdir() if ".damaged-" in each.name]
    found = operating(path)
    assert found.pop(-60) == 46
    assert all(at == 60 * number for at, number in found.items())
    if taken_over is None:
        # A crash during creation leaves an empty file, which held no rows.
        assert (aside, kept.health.errors["damaged"]) == ([], 0)
        return
    assert aside == [f"{path.name}.damaged-{AT + DAY_S}"]
    assert kept.health.errors["damaged"] == 1
    assert [each["event"] for each in logs if each["log_level"] == "error"] == ["history was damaged and begins anew"]
    assert taken_over <= len(found) < 2000


def test_damage_under_a_running_agent(path: Path) -> None:
    """A file overwritten between two openings is detected and replaced at the next write."""
    kept = history(path)
    kept.record([Minute(row(AT + 60 * number), {}) for number in range(500)])
    assert kept.flush()
    kept.close()
    path.write_bytes(GARBAGE)
    kept.record_site(row(AT + DAY_S))
    assert kept.flush()
    kept.close()
    assert operating(path) == {DAY_S: 46}


def test_damage_that_this_process_does_not_see_is_looked_for(path: Path) -> None:
    """The page cache hides damage on disk; an hourly check over a fresh connection finds it."""
    kept = history(path)
    for number in range(CHECK_EVERY - 1):
        kept.record_site(row(AT + 60 * number))
        assert kept.flush()
    for part in (path, path.with_name(f"{path.name}-wal")):
        with part.open("r+b") as file:
            file.seek(4096)
            file.write(GARBAGE * (1 + (part.stat().st_size - 4096) // len(GARBAGE)))
    kept.record_site(row(AT + HOUR_S))
    assert not kept.flush()
    assert (kept.health.errors["damaged"], kept.health.is_writing) == (1, False)
    kept.record_site(row(AT + DAY_S))
    assert kept.flush()
    assert kept.health.is_writing
    kept.close()
    assert operating(path)[DAY_S] == 46


def test_damaged_files_do_not_pile_up(path: Path) -> None:
    """Once `ASIDE_KEPT` damaged files are kept, history stops until an operator removes some; polling goes on."""
    for number in range(ASIDE_KEPT):
        path.write_bytes(GARBAGE)
        move_aside(path, now=AT + number)
    path.write_bytes(GARBAGE)
    kept = history(path)
    assert not kept.flush()
    assert kept.health.trouble is not None
    assert "3 damaged files are already kept beside it" in kept.health.trouble
    assert path.read_bytes() == GARBAGE


def test_reading_damage_says_so(path: Path) -> None:
    """Reading a damaged file raises a reason and returns no rows."""
    path.write_bytes(GARBAGE)
    with pytest.raises(HistoryError, match="file is not a database") as caught:
        read_history(path)
    assert caught.value.reason == "damaged"


# Versions


NEXT = (*MIGRATIONS, ("ALTER TABLE site ADD COLUMN note TEXT", "UPDATE site SET note = 'old'"))


def test_an_older_file_is_brought_up_to_date(path: Path) -> None:
    """A newer version applies its migrations and keeps every row."""
    write(path, [row()])
    with closing(write_history(path, migrations=NEXT)) as file:
        assert list(file.chunks(0, 1e12)) == [[row().values()]]
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT note FROM site").fetchall() == [("old",)]
        assert connection.execute("PRAGMA user_version").fetchone() == (len(NEXT),)


def test_a_newer_file_is_left_alone(path: Path) -> None:
    """A file of a later version is neither read nor written nor moved; the message names its version."""
    write(path, [row()])
    write_history(path, migrations=NEXT).close()
    before = path.read_bytes()
    assert reason(path) == "newer"
    with pytest.raises(HistoryError, match=f"schema {len(NEXT)}, here up to {len(MIGRATIONS)}"):
        read_history(path)
    assert path.read_bytes() == before


def test_a_migration_that_fails_changes_nothing(path: Path) -> None:
    """A file is at one version or the next, never between."""
    write(path, [row()])
    broken = (*MIGRATIONS, ("ALTER TABLE site ADD COLUMN note TEXT", "UPDATE nothing SET note = 1"))
    with pytest.raises(HistoryError):
        write_history(path, migrations=broken)
    with closing(write_history(path)) as file:
        assert list(file.chunks(0, 1e12)) == [[row().values()]]


def test_an_older_file_is_not_read_before_it_is_brought_up_to_date(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader does not upgrade an older file; its message says how to."""
    write(path, [row()])
    monkeypatch.setattr("agent.history.reader.MIGRATIONS", NEXT)
    with pytest.raises(HistoryError, match="this version's agent upgrades it") as caught:
        read_history(path)
    assert caught.value.reason == "older"


# Version 1 had one column for all watts that units reported.


def first_version(path: Path, watts: float = 700e3, minutes: int = 2) -> Row:
    """Write minutes of site and container C1 as the first release did; return the first minute as it is today."""
    now = row(
        watts={PowerSource.METERED: 1.0, PowerSource.ESTIMATED: watts, PowerSource.MODELLED: 800e3}, uplift_hs=PH / 3
    )
    then = {EARLIER_COLUMNS[1].get(name, name): value for name, value in zip(COLUMNS, now.values(), strict=True)}
    assert (then.pop("0.0"), then.pop("NULL")) == (0.0, None)
    write_history(path, migrations=MIGRATIONS[:1]).close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("INSERT INTO names VALUES (1, 'C1')")
        for number in range(minutes):
            values = then | {"at": AT + 60 * number}
            for table, key in (("site", {}), ("containers", {"container": 1})):
                each = values | key
                places = ", ".join("?" * len(each))
                insert = f"INSERT INTO {table} ({', '.join(each)}) VALUES ({places})"  # noqa: S608  our own names
                connection.execute(insert, tuple(each.values()))
        connection.commit()
    return now


def test_what_units_reported_becomes_estimated(path: Path) -> None:
    """A file of the first release is upgraded without losing a bit: reported watts are estimated, none is measured."""
    expected = first_version(path)
    write_history(path).close()
    with closing(read_history(path)) as reader:
        for container in (None, "C1"):
            (chunk,) = reader.chunks(AT, AT + 120, container)
            assert chunk == [expected.values(), replace(expected, at=AT + 60).values()]
        (mean,) = reader.rows(AT, AT + 120, 120)
    assert mean.watts == {
        PowerSource.METERED: 1.0,
        PowerSource.MEASURED: 0.0,
        PowerSource.ESTIMATED: 700e3,
        PowerSource.MODELLED: 800e3,
    }


def test_an_upgraded_file_is_written_on(path: Path) -> None:
    """Measured watts have their own column from the next minute on, also within a minute that an upgrade cut in two."""
    before = first_version(path, minutes=1)
    later = replace(before, at=AT + 60, watts={PowerSource.MEASURED: 5e5})
    with closing(write_history(path)) as file:
        file.claim(site="alpha", zone="UTC")
        file.write(site=[later.values(), hour(AT + DAY_S).values()], containers=[("C1", later.values())])
        file.tidy(now=AT + MINUTES_KEPT_DAYS * DAY_S + 900, keep_days=400, max_bytes=1 << 40)
        (quarter,) = [row_from(values) for chunk in file.chunks(AT, AT + 900, "C1") for values in chunk]
    assert quarter.watts[PowerSource.MEASURED] == 2.5e5
    assert quarter.watts[PowerSource.ESTIMATED] == 3.5e5


def third_version(path: Path) -> Row:
    """Write a minute as the release before judgement did, and one that a wrong clock dated ahead; return the first."""
    now = row(uplift_hs=PH / 3, delivered_hs=45 * PH, delivered_s=30.0)
    write_history(path, migrations=MIGRATIONS[:3]).close()
    then = {name: value for name, value in zip(COLUMNS, now.values(), strict=True) if name not in EARLIER_COLUMNS[3]}
    names, places = ", ".join(then), ", ".join("?" * len(then))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"INSERT INTO site ({names}) VALUES ({places})", tuple(then.values()))  # noqa: S608
        connection.execute("INSERT INTO facts VALUES ('site', 'alpha')")
        connection.execute(f"CREATE TABLE aside_site AS SELECT 0.0 AS aside_at, {names} FROM site WHERE FALSE")  # noqa: S608
        connection.execute(
            f"CREATE TABLE aside_containers AS SELECT 0.0 AS aside_at, {names}, container FROM containers WHERE FALSE"  # noqa: S608
        )
        connection.execute("CREATE TABLE aside_changes AS SELECT 0.0 AS aside_at, * FROM changes WHERE FALSE")
        ahead = then | {"at": AT + DAY_S}
        insert = f"INSERT INTO aside_site VALUES ({AT}, {places})"  # noqa: S608
        connection.execute(insert, tuple(ahead.values()))
        connection.commit()
    return now


def test_minutes_of_before_were_not_judged(path: Path) -> None:
    """The upgrade keeps every bit; an earlier minute says nothing of diverted work, and what was aside comes back."""
    expected = third_version(path)
    with closing(write_history(path)) as file:
        assert [list(chunk) for chunk in file.chunks(AT, AT + 60)] == [[expected.values()]]
        judged = replace(expected, at=AT + 60, judged_s=60.0, diverted_hs=PH)
        file.claim(site="alpha", zone="UTC")
        file.write(site=[judged.values()], containers=[("C1", judged.values())])
        file.tidy(now=AT + DAY_S + 60, keep_days=400, max_bytes=1 << 40)
        (mean,) = file.rows(AT, AT + 120, 120)
        assert (mean.judged_s, mean.diverted_hs) == (60.0, PH)
        (back,) = [row_from(values) for chunk in file.chunks(AT + DAY_S, 1e12) for values in chunk]
        assert back.values() == replace(expected, at=AT + DAY_S).values()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("INSERT INTO pool_credits VALUES ('own', 0, 3600, 1e15, 3700)")
        assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)


def test_a_damaged_file_of_the_first_release_is_salvaged(path: Path) -> None:
    """The readable rows of a damaged older file are taken over with their watts, although it cannot be upgraded."""
    expected = first_version(path, minutes=2000)
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 2 // 4096 * 4096)
        file.write(GARBAGE[:4096])
    kept = history(path)
    kept.record_site(row(AT - 60))
    assert kept.flush()
    kept.close()
    with closing(read_history(path)) as reader:
        rows = [values for chunk in reader.chunks(AT, 1e12) for values in chunk]
    assert len(rows) > 1000
    assert rows[0] == expected.values()


def test_another_programs_database_is_left_alone(path: Path) -> None:
    """Another program's SQLite file is refused and not changed."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE precious (x)")
        connection.commit()
    before = path.read_bytes()
    assert reason(path) == "foreign"
    assert path.read_bytes() == before


def test_no_history_yet(path: Path) -> None:
    """Reading a missing history creates no file."""
    with pytest.raises(HistoryError, match="there is no history yet") as caught:
        read_history(path)
    assert (caught.value.reason, path.exists()) == ("absent", False)


# How much is kept


@contextmanager
def tidied(path: Path, *, now: float, times: int = 1, max_bytes: int = 1 << 40) -> Iterator[HistoryWriter]:
    """Yield the file after `times` calls of `tidy` at `now`, with an hour watched just before that."""
    with closing(write_history(path)) as file:
        file.claim(site="alpha", zone="UTC")
        file.write(site=[hour(recent(now)).values()])
        for _ in range(times):
            file.tidy(now=now, keep_days=400, max_bytes=max_bytes)
        yield file


def recent(now: float) -> int:
    """Return the start of the hour that `tidied` adds."""
    return int(now) // 60 * 60 - HOUR_S


def test_four_hundred_days_are_kept(path: Path) -> None:
    """Rows are deleted after 400 days, ten minutes at a time; a state that still lasts is kept at any age."""
    write(path, [row(AT), row(AT + 540), row(AT + 600)])
    lasting = Change(unit_id="u1", state="hashing", why="hashing", since=AT)
    with tidied(path, now=AT + 400 * DAY_S + 599) as file:
        assert min(each[0] for chunk in file.chunks(0, 1e12) for each in chunk) == AT
    with tidied(path, now=AT + 400 * DAY_S + 600) as file:
        assert min(each[0] for chunk in file.chunks(0, 1e12) for each in chunk) == AT + 600
        file.write(changes=[lasting, Change(unit_id="u2", state="stopped", why="asleep", since=AT, until=AT + 1.0)])
        file.tidy(now=AT + 401 * DAY_S, keep_days=400, max_bytes=1 << 40)
        assert list(file.changes(0, 1e12)) == [lasting]


def test_a_clock_years_ahead_does_not_empty_the_history(path: Path) -> None:
    """An hour under a clock that is a year fast deletes nothing, and every further one deletes hours, not years."""
    write(path, [row(AT + 60 * number) for number in range(3000)])
    now = AT + 800 * DAY_S
    with closing(write_history(path)) as file:
        for minute in range(120):
            file.write(site=[row(now + 60 * minute).values()], containers=[("C1", row(now + 60 * minute).values())])
            file.tidy(now=now + 60 * minute + 60, keep_days=400, max_bytes=1 << 40)
            kept = min(each[0] for chunk in file.chunks(0, 1e12) for each in chunk) - AT
            assert kept == max(0, minute - 58) * TIDY_SPAN_S


def test_a_clock_years_ahead_compacts_nothing(path: Path) -> None:
    """Minutes of containers stay minutes until an hour of later ones was watched."""
    write(path, [row(AT + 60 * number) for number in range(120)])
    now = AT + 70 * DAY_S
    with closing(write_history(path)) as file:
        file.write(containers=[("C1", row(AT + 60 * number).values()) for number in range(120)])
        for minute in range(59):
            file.write(site=[row(now + 60 * minute).values()])
            file.tidy(now=now + 60 * minute + 60, keep_days=400, max_bytes=1 << 40)
        assert sum(len(chunk) for chunk in file.chunks(0, 1e12, "C1")) == 120
        file.write(site=[row(now + 60 * 59).values()])
        file.tidy(now=now + HOUR_S, keep_days=400, max_bytes=1 << 40)
        assert sum(len(chunk) for chunk in file.chunks(0, 1e12, "C1")) == 8


def test_old_container_rows_become_quarters_of_an_hour(path: Path) -> None:
    """After 62 days a container's minutes become quarter-hour means with the same totals; site rows stay."""
    rows = [
        row(AT + 60 * number, operating_hs=number * PH, watched_s=60.0 if number % 7 else 30.0) for number in range(60)
    ]
    with closing(write_history(path)) as file:
        file.write(
            site=[each.values() for each in rows],
            containers=[(name, each.values()) for name in ("C1", "C2") for each in rows],
        )
        (before,) = file.rows(AT, AT + HOUR_S, HOUR_S, "C1")
    with tidied(path, now=AT + MINUTES_KEPT_DAYS * DAY_S + 1800 + 300, times=5) as file:
        old = [row_from(values) for chunk in file.chunks(AT, AT + HOUR_S, "C2") for values in chunk]
        (after,) = file.rows(AT, AT + HOUR_S, HOUR_S, "C1")
        assert sum(len(chunk) for chunk in file.chunks(AT, AT + HOUR_S)) == 60
    assert [(each.at - AT, each.span_s) for each in old[:3]] == [(0, 900), (900, 900), (1800, 60)]
    assert len(old) == 2 + 30
    assert after.watched_s == before.watched_s
    assert after.operating_hs == pytest.approx(before.operating_hs, rel=1e-12)


def test_a_file_that_grows_too_large_gives_up_changes_first(path: Path) -> None:
    """Above the size limit the oldest changes and container rows are deleted, and never a row of the site."""
    rows = [row(AT + 60 * number).values() for number in range(1000)]
    with closing(write_history(path)) as file:
        file.write(
            site=rows,
            containers=[("C1", values) for values in rows],
            changes=[
                Change(unit_id="u1", state="stopped", why="asleep", since=float(number), until=number + 1.0)
                for number in range(5000)
            ],
        )
    with tidied(path, now=AT + DAY_S, times=10, max_bytes=100_000) as file:
        assert list(file.changes(0, 1e12)) == []
        assert list(file.chunks(0, 1e12, "C1")) == []
        assert sum(len(chunk) for chunk in file.chunks(0, 1e12)) == 1001


# Threads


def test_a_disk_that_hangs_blocks_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Recording returns at once while a write hangs, and stopping gives up after its time."""
    entered, release = threading.Event(), threading.Event()

    def hang(*_: object, **__: object) -> None:
        entered.set()
        release.wait()

    monkeypatch.setattr(HistoryWriter, "write", hang)
    kept = history(path)
    kept.start()
    try:
        assert entered.wait(PATIENT_S)
        kept.record([Minute(row(), {})])
        with capture_logs() as logs:
            kept.stop(timeout_s=0.01)
        assert [each["event"] for each in logs] == ["history not closed in time"]
    finally:
        release.set()
        kept.stop(timeout_s=10)


def test_an_unexpected_failure_is_a_failure_of_history_alone(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug in writing is logged with its traceback and counted, and the pending rows are kept."""

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("our own mistake")

    kept = history(path)
    with monkeypatch.context() as patched, capture_logs() as logs:
        patched.setattr(HistoryWriter, "write", fail)
        kept.record_site(row())
        assert not kept.flush()
    assert [each["event"] for each in logs] == ["history failed", "history cannot be written"]
    assert kept.flush()
    kept.close()
    assert operating(path) == {0: 46}


def test_read_only_folder(path: Path) -> None:
    """A history in a read-only folder can be read by a user who cannot create a log beside it."""
    write(path, [row()])
    path.chmod(0o444)
    path.parent.chmod(0o555)
    try:
        script = (
            "import os, sys; from pathlib import Path; os.setgid(65534); os.setuid(65534);"
            "from agent.history.reader import read_history; print(read_history(Path(sys.argv[1])).span())"
        )
        if os.getuid() != 0:
            script = script.replace("os.setgid(65534); os.setuid(65534);", "")
        done = subprocess.run(
            [sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=False, timeout=PATIENT_S
        )
        assert done.stdout.strip() in {f"({AT}, {AT + 60})", ""}, done.stderr
    finally:
        path.parent.chmod(0o755)


# Wrong clocks

YEARS_S = 10 * 365 * DAY_S
replaced = msgspec.structs.replace


def run_for(path: Path, *spans: tuple[float, int], wall: float | None = None, units: int = 0) -> None:
    """Let an agent watch spans of minutes, with units that change their state in each, and be killed: no state ends."""
    clock = [0.0]
    kept = History(path, site="alpha", zone="UTC", wall=lambda: clock[0])
    book = ChangeBook()
    for number, (start, minutes) in enumerate(spans):
        clock[0] = start + 60 * minutes if wall is None else wall
        for unit in range(units):
            one = status(entry(f"u{unit}"), reading(f"u{unit}"), since=start + 0.25)
            for change in book.observe(
                one if number % 2 == 0 else replaced(gone_silent(f"u{unit}"), since=start + 0.25)
            ):
                kept.record_change(change)
        rows = [row(int(start) + 60 * minute) for minute in range(minutes)]
        kept.record([Minute(each, {"C1": each}) for each in rows])
        assert kept.flush()
    kept.close()


def test_a_minute_in_another_decade_is_set_aside_at_the_next_start(path: Path) -> None:
    """States end with the last minute before the clock went wrong; what is of 2036 is kept aside and logged."""
    run_for(path, (AT, 60), (AT + YEARS_S, 2), units=300)
    with capture_logs() as lines:
        run_for(path, (AT + 4200, 1))
    (line,) = [line for line in lines if line["event"] == "history from the future"]
    assert (line["rows"], line["changes"], line["closed"], line["returned"]) == (4, 300, 300, 0)
    assert max(operating(path)) == 4200
    with closing(read_history(path)) as reader:
        assert {(each.since, each.until) for each in reader.changes(0, 1e12)} == {(AT + 0.25, AT + 3600.0)}
        assert reader.span() == (AT, AT + 4260)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT COUNT(*) FROM aside_site").fetchone() == (2,)
        assert connection.execute("SELECT COUNT(*) FROM aside_changes").fetchone() == (300,)


def test_a_minute_in_another_decade_is_set_aside_while_the_agent_runs(path: Path) -> None:
    """When the clock is right again, states go on from that moment, and what follows is dated by it."""
    clock, passed_s = [0.0], 0.0
    kept = History(path, site="alpha", zone="UTC", wall=lambda: clock[0])
    recorder = Recorder(kept, interval_s=10.0)
    well, down = status(entry("u1"), reading("u1"), since=AT), replaced(gone_silent("u1"), since=AT + YEARS_S + 5)
    back = replaced(well, since=AT + 4920)
    for start, rounds, one in ((AT, 420, well), (AT + YEARS_S, 12, down), (AT + 4320, 60, down), (AT + 4920, 60, back)):
        for step in range(rounds):
            clock[0] = start + 10.0 * step
            slices = recorder.on_site(
                site_figures([one], clock[0]),
                statuses=lambda one=one: [one],
                is_there={"u1"}.__contains__,
                simulated_units=lambda: 0,
                clock_s=passed_s,
            )
            run_at_once(slices)
            if step % 6 == 1:
                kept.flush()
            passed_s += 10.0
    recorder.stop()
    assert kept.health.set_aside > 0
    with closing(read_history(path)) as reader:
        found = [(each.state, each.since - AT, each.until and each.until - AT) for each in reader.changes(0, 1e12)]
    assert [state for state, _, _ in found] == ["hashing", "unreachable", "hashing"]
    assert 4140 <= found[0][2] <= 4320
    assert found[1][1:] == (4320, 4920)
    assert found[2][1:] == (4920, None)
    assert max(operating(path)) <= 5520


@pytest.mark.parametrize(
    ("minutes", "wall", "rows"),
    [
        pytest.param(1, -AT + 60, 601, id="1970"),
        pytest.param(60, -7200.0, 600, id="two hours ago"),
        pytest.param(1, 600 * 60 + 600.0, 601, id="right"),
    ],
)
def test_a_clock_that_is_behind_sets_nothing_aside(path: Path, minutes: int, wall: float, rows: int) -> None:
    """A gateway without a battery, which starts in 1970 or at its last shutdown, does not doubt its history."""
    run_for(path, (AT, 600), units=3)
    with capture_logs() as lines:
        run_for(path, (AT + wall, minutes), wall=AT + wall + 60)
    assert [line for line in lines if line["event"] == "history from the future"] == []
    assert len(operating(path)) >= rows


def test_what_was_set_aside_by_mistake_comes_back(path: Path) -> None:
    """If the clock was behind after all, rows and states come back once it has passed them, and nothing is doubled."""
    run_for(path, (AT, 60), (AT + 4 * HOUR_S, 30), units=2)
    run_for(path, (AT + HOUR_S, 5))
    assert len(operating(path)) == 65
    run_for(path, (AT + 5 * HOUR_S, 1))
    assert len(operating(path)) == 65 + 30 + 1
    with closing(read_history(path)) as reader:
        assert len(list(reader.changes(0, 1e12))) == 4
        assert sum(len(chunk) for chunk in reader.chunks(0, 1e12, "C1")) == 96
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT COUNT(*) FROM aside_site").fetchone() == (0,)


def test_what_was_set_aside_is_deleted_in_its_time(path: Path) -> None:
    """It is kept as long as other rows, and does not come back when its year does."""
    run_for(path, (AT, 60), (AT + YEARS_S, 2), (AT + HOUR_S, 3))
    run_for(path, (AT + 401 * DAY_S, 1))
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT COUNT(*) FROM aside_site").fetchone() == (0,)
    assert max(operating(path)) == 401 * DAY_S
