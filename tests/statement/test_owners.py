"""An owner's statement: that owner's units alone, and all owners' statements add up to the site's."""

import math
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec
import pytest
from history_cases import AT, DAY_S, HOUR_S, PH, hour, row, unix
from hypothesis import given, settings
from hypothesis import strategies as st
from statement_cases import LATER, OCTOBER, OCTOBER_PERIOD

from agent.history.export import row_line
from agent.history.minutes import MEANS, Row, Values
from agent.history.reader import read_history
from agent.history.writer import write_history
from agent.site.ledger.entries import NO_OWNER, LedgerEntry, Place
from agent.site.status import Cause, UnitState
from agent.statement import text as statement_text
from agent.statement.check import decode, verify
from agent.statement.declared import DeployedCourse
from agent.statement.errors import StatementError
from agent.statement.owner_source import OwnerCourse, OwnerSource
from agent.statement.period import Period, parse_period
from agent.statement.statement import METHOD, Statement, combine, state
from agent.statement.unseen import GapReason
from agent.unit.nameplate import Nameplate

TH = 1e12
DIGEST = "d" * 64
OWNERS = ("North", "South", "")


class Unit(NamedTuple):
    """One unit of a generated ledger: whose it is, the hours of the period in which it is deployed, and its TH/s."""

    owner: str
    first: int
    last: int
    rate_ths: int


def entries(units: Sequence[Unit], start: int) -> list[LedgerEntry]:
    """Return the ledger of generated units."""
    return [
        LedgerEntry(
            unit_id=f"u{number}",
            nameplate=Nameplate(
                model="S21", hashrate_hs=unit.rate_ths * TH, power_watts=3500.0, cooling="air", source="test"
            ),
            place=Place(),
            host=f"10.0.0.{number}",
            deployed_from=float(start + unit.first * HOUR_S),
            deployed_to=float(start + unit.last * HOUR_S),
            owner=unit.owner,
        )
        for number, unit in enumerate(units, start=1)
    ]


def group(at: int, units: Sequence[Unit], seed: int) -> Row:
    """Return the hour of some units: each hashes, or is stopped, by turns."""
    hashing = [unit for unit in units if (at // HOUR_S * 7 + unit.rate_ths * 13 + seed) % 5]
    deployed_hs, operating_hs = (math.fsum(unit.rate_ths * TH for unit in some) for some in (units, hashing))
    states = {UnitState.HASHING: float(len(hashing)), UnitState.STOPPED: float(len(units) - len(hashing))}
    return hour(
        at,
        units=float(len(units)),
        deployed_hs=deployed_hs,
        operating_hs=operating_hs,
        known_hs=deployed_hs,
        losses_hs={Cause.STOPPED: deployed_hs - operating_hs},
        units_by_state=states,
        watts={},
        efficient_watts=0.0,
        efficient_hs=0.0,
        efficient_deployed_hs=0.0,
    )


def write_owned(path: Path, units: Sequence[Unit], period: Period, gaps: Sequence[tuple[int, int]], seed: int) -> None:
    """Write the watched hours of a site and of its owners, as an agent keeps them."""
    site: list[Values] = []
    owners: list[tuple[str, Values]] = []
    for number, at in enumerate(range(period.start, period.end, HOUR_S)):
        if any(first <= number < first + length for first, length in gaps):
            continue
        there = [unit for unit in units if unit.first <= number < unit.last]
        by_owner = {unit.owner or NO_OWNER: [each for each in there if each.owner == unit.owner] for unit in there}
        site.append(group(at, there, seed).values())
        owners += [(name, group(at, its, seed).values()) for name, its in (by_owner or {NO_OWNER: []}).items()]
    with closing(write_history(path)) as file:
        file.claim(site="alpha", zone=period.zone)
        file.write(site=site, owners=owners)


UNITS = st.builds(
    lambda owner, first, length, rate_ths: Unit(owner, first, first + length, rate_ths),
    st.sampled_from(OWNERS),
    st.integers(-20, 700),
    st.integers(1, 800),
    st.integers(1, 400),
)


@settings(max_examples=25)
@given(
    units=st.lists(UNITS, min_size=1, max_size=9),
    month=st.sampled_from(("2025-03", "2025-10", "2025-11")),
    gaps=st.lists(st.tuples(st.integers(0, 700), st.integers(1, 60)), max_size=3),
    seed=st.integers(0, 4),
    has_ledger=st.booleans(),
)
def test_owners_add_up_to_the_site(
    units: list[Unit], month: str, gaps: list[tuple[int, int]], seed: int, *, has_ledger: bool
) -> None:
    """Units change hands at any hour, months have 743 to 745 of them, and nobody watches some: the sums are the site's.

    Every owner has the site's weight, seconds and gaps. With the ledger, that goes for deployed in gaps too.
    """
    period = parse_period(month, ZoneInfo("America/Chicago"))
    ledger = entries(units, period.start)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "h.sqlite"
        write_owned(path, units, period, gaps, seed)
        with closing(read_history(path)) as reader:
            course = DeployedCourse(ledger, digest=DIGEST) if has_ledger else None
            site = state(reader, period, now=LATER, course=course)
            owners = [
                state(
                    OwnerSource(reader, owner or NO_OWNER),
                    period,
                    now=LATER,
                    course=OwnerCourse(ledger, owner or NO_OWNER, digest=DIGEST) if has_ledger else None,
                )
                for owner in OWNERS
            ]
    (whole,) = site.parts
    for statement in owners:
        (part,) = statement.parts
        assert (part.mean.watched_s, part.weight) == (whole.mean.watched_s, whole.weight)
        # A reason is read off the owner's own rows: a loss of others is no reason of its own.
        assert [(gap.start, gap.end) for gap in part.unseen.gaps] == [(g.start, g.end) for g in whole.unseen.gaps]
    for name in (
        "deployed_hs",
        "operating_hs",
        "lost_hs",
        "uplift_hs",
        "units",
        "deployed_end_hs",
        "operating_floor_hs",
    ):
        assert_sum(site, owners, name)
    assert math.isclose(
        math.fsum(each.figures.losses_hs[Cause.STOPPED] for each in owners),
        site.figures.losses_hs[Cause.STOPPED],
        rel_tol=1e-12,
        abs_tol=1.0,
    )
    if has_ledger:
        assert_sum(site, owners, "deployed_whole_hs")
        assert_sum(site, owners, "operating_ceiling_hs")


def assert_sum(site: Statement, owners: Sequence[Statement], name: str) -> None:
    """Assert that a figure of all owners adds up to the site's: to twelve digits, or to 1 H/s."""
    total = math.fsum(getattr(each.figures, name) for each in owners)
    assert math.isclose(total, getattr(site.figures, name), rel_tol=1e-12, abs_tol=1.0), name


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the history of an October with 30 units of North and 20 of South; South leaves on the 21st."""
    path = tmp_path / "h.sqlite"
    units = [Unit("North", 0, 10_000, 200)] * 30 + [Unit("South", 0, 20 * 24, 100)] * 20
    write_owned(path, units, OCTOBER_PERIOD, [(100, 2)], 0)
    return path


def of_owner(path: Path, owner: str, **options: Any) -> Statement:
    """Return an owner's statement of October."""
    with closing(read_history(path)) as reader:
        return state(OwnerSource(reader, owner), OCTOBER_PERIOD, **{"now": LATER, **options})


def test_a_statement_says_whose_it_is(path: Path) -> None:
    """Title, CSV and JSON name the owner; the method says what is not cut along owners."""
    statement = of_owner(path, "North", is_draft=False)
    assert statement_text.title(statement) == "Statement of alpha, owner North, 2025-10 (31 days, UTC)"
    assert "\nowner,North\n" in statement_text.csv(statement)
    assert statement.parts[0].owner == "North"
    assert statement.method.startswith(METHOD)
    assert "one owner's units alone" in statement.method
    assert decode(msgspec.json.encode(statement), "north.json") == statement


def test_an_owners_statement_shows_no_others_units(tmp_path: Path) -> None:
    """Whatever South's units do, and however many there are, North's statement is the same to the last byte."""
    texts = set()
    for number, (rate_ths, last) in enumerate(((100, 480), (333, 100), (7, 10_000))):
        path = tmp_path / f"{number}.sqlite"
        units = [Unit("North", 24, 10_000, 200)] * 3 + [Unit("South", 0, last, rate_ths)] * (number + 1)
        write_owned(path, units, OCTOBER_PERIOD, [(100, 2)], 0)
        course = OwnerCourse(entries(units, AT), "North", digest=DIGEST)
        statement = of_owner(path, "North", course=course)
        shown = (statement_text.table, statement_text.markdown, statement_text.csv)
        texts.add((*(form(statement) for form in shown), msgspec.json.encode(statement)))
    assert len(texts) == 1
    assert "South" not in str(texts)


def test_an_owner_that_left_has_no_gap(path: Path) -> None:
    """South's units are gone after the 20th: its mean is of the whole month, its end is nothing, no gap is listed."""
    figures = of_owner(path, "South", is_draft=False).figures
    watched, there = 31 * 24 - 2, 20 * 24 - 2
    assert math.isclose(figures.deployed_hs, 20 * 100 * TH * there / watched)
    assert (figures.deployed_end_hs, figures.units_end) == (0.0, 0.0)
    assert figures.watched_ratio == watched / (watched + 2)


def test_an_owner_without_units_in_the_period(path: Path) -> None:
    """An owner whose units come later has a statement of nothing, not an error."""
    statement = of_owner(path, "East")
    assert (statement.figures.deployed_hs, statement.figures.is_above_target) == (0.0, None)


def test_a_site_without_units_is_watched_for_every_owner(tmp_path: Path) -> None:
    """A minute in which the site has no unit is zero for each owner, whether owners were kept then or not."""
    path = tmp_path / "h.sqlite"
    write_owned(path, [Unit("North", 30, 10_000, 200)], OCTOBER_PERIOD, [], 0)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM owners WHERE at < ?", (AT + 30 * HOUR_S,))
    part = of_owner(path, "North").parts[0]
    assert (part.mean.watched_s, part.unseen.gaps) == (31 * DAY_S, ())


def test_history_of_before_has_no_owners(path: Path) -> None:
    """Rows of an earlier version name no owners: that time is not known, and a note says from when it is."""
    begin = AT + 10 * DAY_S
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM owners WHERE at < ?", (begin,))
    statement = of_owner(path, "North")
    assert statement.notes[0] == (
        "alpha: LATE START: owners are in its history from 2025-10-11T00:00:00Z, 10.0 days into the period;"
        " nothing is known of before."
    )
    assert [gap.reason for gap in statement.parts[0].unseen.gaps] == [GapReason.LATE_START]
    with pytest.raises(StatementError, match=r"alpha was watched 67\.74 % of the time"):
        of_owner(path, "North", is_draft=False)
    september = parse_period("2025-09", ZoneInfo("UTC"))
    with closing(read_history(path)) as reader, pytest.raises(StatementError) as caught:
        state(OwnerSource(reader, "North"), september, now=LATER)
    assert str(caught.value) == (
        "the history of alpha has no rows for 2025-09: it holds 2025-10-01T00:00:00Z to 2025-11-01T00:00:00Z"
    )
    with closing(write_history(path)) as file:
        file.write(site=[hour(september.start).values()])
    with closing(read_history(path)) as reader, pytest.raises(StatementError) as caught:
        state(OwnerSource(reader, "North"), september, now=LATER)
    assert str(caught.value) == (
        "the history of alpha has no rows of owners for 2025-09: it holds 2025-10-11T00:00:00Z to 2025-11-01T00:00:00Z"
    )


def test_a_history_without_any_owner(tmp_path: Path) -> None:
    """Where no row of an owner was ever kept, the error says from when they are."""
    path = tmp_path / "h.sqlite"
    with closing(write_history(path)) as file:
        file.claim(site="alpha", zone="UTC")
        file.write(site=[row(AT).values()])
    with pytest.raises(StatementError) as caught:
        of_owner(path, "North")
    assert str(caught.value) == (
        "the history of alpha has no rows of owners for 2025-10:"
        " they are kept from when this version runs and the ledger names owners"
    )


def test_time_in_which_the_ledger_named_no_owner_is_a_gap(path: Path) -> None:
    """The column was empty for a day in between: the site was watched, so it was neither a crash nor a stop."""
    begin, end = AT + 5 * DAY_S, AT + 6 * DAY_S
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM owners WHERE at >= ? AND at < ?", (begin, end))
    gaps = of_owner(path, "North").parts[0].unseen.gaps
    assert [(gap.start, gap.end, gap.reason) for gap in gaps] == [
        (AT + 100 * HOUR_S, AT + 102 * HOUR_S, GapReason.POWER),
        (begin, end, GapReason.UNKNOWN),
    ]


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (
            "UPDATE owners SET operating_hs = operating_hs + 1e15 WHERE at = {at}",
            r"operating is \S+ hashes of all owners, \S+ of the site",
        ),
        ("DELETE FROM owners WHERE at = {at} AND deployed_hs = (SELECT MAX(deployed_hs) FROM owners)", "deployed is"),
        ("DELETE FROM site WHERE at = {at}", "owners have rows, the site has none"),
        ("DELETE FROM site WHERE at >= {at}", "owners have rows, the site has none"),
    ],
)
def test_owners_that_do_not_add_up_are_refused(path: Path, edit: str, reason: str) -> None:
    """A row of an owner, or of the site, that was changed or deleted is found and named by its time."""
    at = AT + 7 * HOUR_S
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(edit.format(at=at))
    with pytest.raises(StatementError, match=rf"owners do not add up to alpha: 2025-10-01T07:00:00Z: {reason}"):
        of_owner(path, "South")


def test_merged_minutes_in_which_an_owner_came(tmp_path: Path) -> None:
    """Two agents' seconds of a minute were merged, and South was there in one's 30 s only: half its rate over 60 s."""
    path = tmp_path / "h.sqlite"
    with closing(write_history(path)) as file:
        file.claim(site="alpha", zone="UTC")
        full, half = row(AT, deployed_hs=10 * PH, operating_hs=10 * PH), row(AT, watched_s=30.0)
        file.write(
            site=[row(AT, deployed_hs=35 * PH, operating_hs=33 * PH).values()],
            owners=[("North", full.values()), ("South", half.values())],
        )
    north, south = (of_owner(path, owner, now=AT + 60.0).parts[0].mean for owner in ("North", "South"))
    assert (north.watched_s, north.deployed_hs) == (60.0, 10 * PH)
    assert (south.watched_s, south.deployed_hs, south.operating_hs) == (60.0, 25 * PH, 23 * PH)


def test_the_ledger_of_today_against_what_was_kept(path: Path) -> None:
    """An owner renamed for the past has rows under the old name: the ledger's gate says so, for both names."""
    renamed = entries([Unit("Nord", 0, 10_000, 200)] * 30 + [Unit("South", 0, 480, 100)] * 20, AT)
    for owner, words in (
        ("Nord", "something deployed where history kept nothing at the time"),
        ("North", "100.00 % less deployed than history kept at the time"),
    ):
        statement = of_owner(path, owner, course=OwnerCourse(renamed, owner, digest=DIGEST))
        assert f"alpha: the ledger now says {words}: it was changed for the past." in statement.notes
        with pytest.raises(StatementError, match="--acknowledge ledger"):
            of_owner(path, owner, course=OwnerCourse(renamed, owner, digest=DIGEST), is_draft=False)


def test_verify_finds_a_changed_row(path: Path) -> None:
    """A statement holds against its history; not against another owner's, nor once a row and the site's changed."""
    statement = of_owner(path, "North")
    with closing(read_history(path)) as reader:
        assert verify(statement, OwnerSource(reader, "North"), OCTOBER_PERIOD) == []
        with pytest.raises(
            StatementError, match="alpha, owner South is not in this statement, which covers alpha, owner N"
        ):
            verify(statement, OwnerSource(reader, "South"), OCTOBER_PERIOD)
        with pytest.raises(StatementError, match="alpha is not in this statement, which covers alpha, owner North"):
            verify(statement, reader, OCTOBER_PERIOD)
    with closing(sqlite3.connect(path)) as connection, connection:
        for table in ("site", "owners"):
            connection.execute(
                f"UPDATE {table} SET operating_hs = operating_hs + 1e14, uplift_hs = uplift_hs + 1e14 WHERE at = ?"  # noqa: S608
                + (" AND owner = (SELECT id FROM names WHERE name = 'North')" if table == "owners" else ""),
                (AT,),
            )
    with closing(read_history(path)) as reader:
        assert any("digest" in each for each in verify(statement, OwnerSource(reader, "North"), OCTOBER_PERIOD))


def test_the_digest_is_of_the_rows_with_zeros_between(path: Path) -> None:
    """An owner's rows as exported, with a row of zeros where the site was watched and the owner had no units."""
    with closing(read_history(path)) as reader:
        rows = [values for chunk in OwnerSource(reader, "South").chunks(*OCTOBER) for values in chunk]
        kept = [values for chunk in reader.chunks(*OCTOBER, owner="South") for values in chunk]
        watched = [values[0] for chunk in reader.chunks(*OCTOBER) for values in chunk]
    assert [values[0] for values in rows] == watched
    assert [values for values in rows if values[3]] == kept
    assert row_line(rows[-1]) == "2025-10-31T23:00:00Z," + ",".join(
        [str(AT + 31 * DAY_S - HOUR_S), "3600", "3600.0", *["0.0"] * (len(MEANS) + 1), "", "0.0", "\n"]
    )


def test_owners_are_combined_over_sites_and_not_with_each_other(path: Path, tmp_path: Path) -> None:
    """One owner's units at two sites are one statement; two owners, or an owner beside a site, are not."""
    north, south = of_owner(path, "North"), of_owner(path, "South")
    other = tmp_path / "beta.sqlite"
    write_owned(other, [Unit("North", 0, 10_000, 50)] * 4, OCTOBER_PERIOD, [], 1)
    with closing(sqlite3.connect(other)) as connection, connection:
        connection.execute("UPDATE facts SET value = 'beta' WHERE name = 'site'")
    both = combine([north, of_owner(other, "North")], now=LATER)
    assert statement_text.title(both) == "Draft statement of alpha, beta, owner North, 2025-10 (31 days, UTC)"
    with closing(read_history(path)) as reader:
        site = state(reader, OCTOBER_PERIOD, now=LATER)
    for some, reason in (
        ([north, south], "statements of owner North and owner South are not combined"),
        ([north, site], "statements of whole sites and owner North are not combined"),
        ([north, north], "stated more than once: alpha"),
    ):
        with pytest.raises(StatementError, match=reason):
            combine(some, now=LATER)


def test_months_before_owners_are_unchanged() -> None:
    """A ledger whose column is empty has no owners, and its course is that of all units."""
    ledger = entries([Unit("", 0, 100, 10), Unit("North", 50, 100, 10)], unix("2025-10-01"))
    assert [OwnerCourse(ledger, owner, digest=DIGEST).hashes(AT, AT + DAY_S) for owner in (NO_OWNER, "North")] == [
        10 * TH * DAY_S,
        0.0,
    ]
