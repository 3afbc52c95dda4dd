"""Rows of owners: every owner in every minute, kept as long as the site's, and adding up to it."""

import math
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from exporter_cases import entry, reading, status
from history_cases import AT, DAY_S, HOUR_S, PH, row
from hypothesis import given
from hypothesis import strategies as st

from agent.history.keeper import History
from agent.history.merging import merge_histories
from agent.history.minutes import COLUMNS, Minute, MinuteBook, Row
from agent.history.reader import read_history
from agent.history.recorder import Recorder
from agent.history.schema import MIGRATIONS
from agent.history.writer import MINUTES_KEPT_DAYS, move_aside, write_history
from agent.site.delivered import Delivered
from agent.site.ledger.entries import NO_OWNER
from agent.site.pools.work import PoolClass, UnitWork
from agent.site.status import UnitStatus
from agent.site.totals import SiteFigures, Sums
from agent.slices import run_at_once

ADDED = [name for name in COLUMNS if name.endswith("_hs") and not name.startswith("deliver")] + ["units"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a path for a new history."""
    return tmp_path / "site.history.sqlite"


def unit(number: int, owner: str, rate_ths: float = 190.0, *, is_diverted: bool = False) -> UnitStatus:
    """Return a unit that hashes; its work is judged."""
    declared = entry(f"u{number}", owner=owner)
    work = UnitWork(pool_class=PoolClass.DIVERTED if is_diverted else PoolClass.LISTED, entry=None, since=AT)
    hashing = status(declared, reading(f"u{number}", hashrate_5s_hs=rate_ths * 1e12))
    return msgspec.structs.replace(hashing, work=work)


def figures(at: float, units: Sequence[UnitStatus], *, names_owners: bool = True) -> SiteFigures:
    """Return the figures of some units, of a ledger that names owners."""
    sums = Sums()
    sums.add(units)
    return sums.figures(at, names_owners=names_owners)


def minutes(moments: Sequence[tuple[float, SiteFigures]]) -> list[Minute]:
    """Return the minutes of figures at seconds after AT, including the unfinished last one."""
    book = MinuteBook(longest_gap_s=30.0)
    made = [each for at, now in moments for each in book.advance(now, simulated_units=0, clock_s=at)]
    return [*made, *book.close()]


def assert_sum(minute: Minute) -> None:
    """Assert that the owners of a minute add up to the site, over the same seconds."""
    for name in ADDED:
        place = COLUMNS.index(name)
        whole = minute.site.values()[place]
        parts = [each.values()[place] or 0.0 for each in minute.owners.values()]
        assert math.isclose(math.fsum(parts), whole or 0.0, rel_tol=1e-12, abs_tol=1.0), name
    seconds = {(each.watched_s, each.judged_s) for each in minute.owners.values()}
    assert seconds == {(minute.site.watched_s, minute.site.judged_s)}


def test_without_owners_there_is_no_row() -> None:
    """A ledger whose column is empty makes no rows of owners, nor figures."""
    now = figures(AT, [unit(1, "")], names_owners=False)
    assert now.by_owner == {}
    assert minutes([(0.0, now), (10.0, replace(now, at=AT + 10))])[0].owners == {}


def test_a_site_of_which_every_unit_left_is_known_to_be_empty() -> None:
    """The ledger names owners of other days: nothing is deployed, and that is known of each of them."""
    now = figures(AT, [])
    assert {name: sums.deployed_hs for name, sums in now.by_owner.items()} == {NO_OWNER: 0.0}
    own = figures(AT, [unit(1, "")])
    assert {name: sums.units for name, sums in own.by_owner.items()} == {NO_OWNER: 1}


def test_an_owner_that_comes_within_a_minute_has_the_whole_of_it() -> None:
    """For 20 of 60 seconds a unit is South's: a third of its hashrate, over the minute; the rest was nothing."""
    before, after = [unit(1, "North"), unit(2, "North")], [unit(1, "North"), unit(2, "South", is_diverted=True)]
    moments = [(float(s), figures(AT + s, before if s < 40 else after)) for s in range(0, 70, 10)]
    (minute,) = minutes(moments)[:1]
    assert_sum(minute)
    assert {name: (each.watched_s, round(each.operating_hs / 1e12, 9)) for name, each in minute.owners.items()} == {
        "North": (60.0, round(190 + 190 * 2 / 3, 9)),
        "South": (60.0, round(190 / 3, 9)),
    }
    assert minute.owners["South"].diverted_hs == pytest.approx(190e12 / 3)


def test_what_was_delivered_is_the_owners() -> None:
    """An owner's delivered hashrate is of its own units' counters; one without counters has none."""
    now = replace(
        figures(AT, [unit(1, "North"), unit(2, "South")]),
        delivered_by_owner={"North": Delivered(180e12, 200e12, None, 0.0)},
    )
    (minute,) = minutes([(0.0, now), (30.0, replace(now, at=AT + 30))])
    north, south = minute.owners["North"], minute.owners["South"]
    assert (north.delivered_hs, north.delivered_s, north.delivered_deployed_hs) == (180e12, 30.0, 200e12)
    assert (south.delivered_hs, south.delivered_s, south.delivered_deployed_hs) == (None, 0.0, 0.0)


@given(
    rounds=st.lists(
        st.tuples(
            st.floats(0.5, 35.0),
            st.lists(st.tuples(st.sampled_from(("", "North", "South")), st.floats(0.0, 260.0)), max_size=5),
        ),
        min_size=2,
        max_size=20,
    )
)
def test_owners_add_up_in_every_minute(rounds: list[tuple[float, list[tuple[str, float]]]]) -> None:
    """Units come, go and change hands at any second, and some time is not watched: each minute adds up."""
    at, moments = float(AT), []
    for seconds, units in rounds:
        at += seconds
        owned = [unit(number, owner, rate) for number, (owner, rate) in enumerate(units)]
        moments.append((at, figures(at, owned)))
    for minute in minutes(moments):
        assert_sum(minute)


def test_simulated_units_are_their_owners(path: Path) -> None:
    """The recorder tells whose units are simulated; so an owner's statement says so, and nobody else's does."""
    kept = History(path, site="alpha", zone="UTC", wall=lambda: AT + DAY_S)
    recorder = Recorder(kept, interval_s=10.0)
    units = [unit(1, "North"), unit(2, "South")]
    units[0] = msgspec.structs.replace(units[0], entry=msgspec.structs.replace(units[0].entry, is_simulated=True))
    for at in range(0, 80, 10):
        now = figures(float(AT + at), units)
        run_at_once(
            recorder.on_site(
                now,
                statuses=lambda: units,
                is_there=lambda _: True,
                simulated_units=lambda: 1,
                clock_s=float(at),
            )
        )
    assert kept.flush()
    with closing(read_history(path)) as reader:
        found = {owner: reader.rows(AT, AT + 60, 60, owner=owner)[0].simulated_units for owner in reader.owners()}
        assert reader.rows(AT, AT + 60, 60)[0].simulated_units == 1.0
    kept.close()
    assert found == {"North": 1.0, "South": 0.0}


def write(path: Path, rows: Sequence[Row], owners: Sequence[str] = ("North", "South")) -> Path:
    """Write rows of a site and the same of each owner and of a container."""
    values = [each.values() for each in rows]
    with closing(write_history(path)) as file:
        file.claim(site="alpha", zone="UTC")
        named = [(owner, each) for each in values for owner in owners]
        file.write(site=values, owners=named, containers=[("North", each) for each in values])
    return path


def owned(path: Path, owner: str) -> list[int]:
    """Return where an owner's rows begin, in minutes after AT."""
    with closing(read_history(path)) as reader:
        return [(int(values[0] or 0) - AT) // 60 for chunk in reader.chunks(0, 1e12, owner=owner) for values in chunk]


def test_an_owner_may_have_a_containers_name(path: Path) -> None:
    """Rows of owners and of containers are apart, whatever they are called; an unknown owner has none."""
    write(path, [row()], ("North",))
    with closing(read_history(path)) as reader:
        assert (reader.owners(), reader.containers()) == (("North",), ("North",))
        assert list(reader.chunks(0, 1e12, owner="North")) == [[row().values()]]
        assert list(reader.chunks(0, 1e12, owner="West")) == []
        assert reader.owners_begin() == AT
        (sums,) = reader.owner_sums(0, 1e12)
    assert sums == (AT, 60.0, 50 * PH * 60, 46 * PH * 60)


def test_owners_rows_are_neither_compacted_nor_deleted_for_size(path: Path) -> None:
    """Old rows of containers become quarters of an hour, and go first; those of owners stay with the site's."""
    rows = [row(AT + 60 * number) for number in range(240)]
    write(path, rows)
    with closing(write_history(path)) as file:
        now = AT + (MINUTES_KEPT_DAYS + 1) * DAY_S
        file.write(site=[row(int(now) - HOUR_S + 60 * number).values() for number in range(60)])
        for _ in range(5):
            file.tidy(now=now, keep_days=400, max_bytes=1)
        assert [chunk for chunk in file.chunks(0, 1e12, "North") if chunk] == []
    assert owned(path, "North") == list(range(240))


def test_owners_rows_are_deleted_with_the_sites(path: Path) -> None:
    """After `keep_days`, rows of owners go as the site's go."""
    rows = [row(AT + 60 * number) for number in range(30)]
    write(path, rows)
    with closing(write_history(path)) as file:
        now = AT + 10 * DAY_S
        file.write(site=[row(now - HOUR_S + 60 * number).values() for number in range(60)])
        for _ in range(5):
            file.tidy(now=now, keep_days=9, max_bytes=1 << 30)
        assert [values[0] for chunk in file.chunks(0, now - DAY_S) for values in chunk] == []
    assert owned(path, "North") == owned(path, "South") == []


def test_a_wrong_clocks_rows_of_owners_are_set_aside_and_come_back(path: Path) -> None:
    """A minute of another decade is set aside with the site's, counted, and back once the clock has passed it."""
    write(path, [row(AT + 60 * number) for number in range(10)])
    ahead = AT + 3 * HOUR_S
    with closing(write_history(path)) as file:
        file.write(site=[row(ahead).values()], owners=[("North", row(ahead).values())])
        aside = file.tidy(now=float(AT + 600), keep_days=400, max_bytes=1 << 30)
        assert (aside.rows, owned(path, "North")) == (2, list(range(10)))
        assert file.tidy(now=float(ahead + 60), keep_days=400, max_bytes=1 << 30).returned == 2
    assert owned(path, "North") == [*range(10), 180]


def test_rows_set_aside_by_an_earlier_version_come_back(path: Path) -> None:
    """An earlier version made no table for owners that were set aside; what it set aside comes back all the same."""
    write_history(path, migrations=MIGRATIONS[:4]).close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE aside_changes AS SELECT 0.0 AS aside_at, * FROM changes WHERE FALSE")
        names = ", ".join(COLUMNS)
        places = ", ".join("?" * len(COLUMNS))
        connection.execute(
            f"INSERT INTO aside_site (aside_at, {names}) VALUES (?, {places})",  # noqa: S608
            (float(AT), *row(AT + 7200).values()),
        )
    with closing(write_history(path)) as file:
        file.claim(site="alpha", zone="UTC")
        assert file.tidy(now=float(AT + 7300), keep_days=400, max_bytes=1 << 30).returned == 1
        assert [values[0] for chunk in file.chunks(0, 1e12) for values in chunk] == [AT + 7200]


def test_owners_of_a_damaged_file_are_salvaged(path: Path) -> None:
    """The readable rows of owners are taken over under their names."""
    write(path, [row(AT + 60 * number) for number in range(5)])
    aside = move_aside(path, now=AT)
    with closing(write_history(path)) as file:
        file.claim(site="alpha", zone="UTC")
        assert file.salvage(aside) == 5 * 4
    assert owned(path, "North") == owned(path, "South") == list(range(5))


def test_owners_are_merged_once_however_often(tmp_path: Path) -> None:
    """Seconds of two agents are put together; merged again with one of its sources, the file stays as it is."""
    write(tmp_path / "first", [row(AT), row(AT + 60, watched_s=20.0)])
    write(tmp_path / "second", [row(AT + 60, watched_s=30.0, operating_hs=45 * PH), row(AT + 120)], ("South",))
    merge(tmp_path, "first", "second", into="whole")
    merge(tmp_path, "whole", "second", into="again")
    for name in ("whole", "again"):
        assert owned(tmp_path / name, "North") == [0, 1]
        assert owned(tmp_path / name, "South") == [0, 1, 2]
        with closing(read_history(tmp_path / name)) as reader:
            site, south = (reader.rows(AT + 60, AT + 120, 60, owner=owner)[0] for owner in (None, "South"))
        assert south == site
        assert south.watched_s == 50.0


def merge(folder: Path, first: str, second: str, *, into: str) -> None:
    """Merge two histories of a folder into a third."""
    with (
        closing(read_history(folder / first)) as one,
        closing(read_history(folder / second)) as other,
        closing(write_history(folder / into)) as whole,
    ):
        merge_histories(one, other, whole)
        whole.claim(site="alpha", zone="UTC")
