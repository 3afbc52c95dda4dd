"""Figures by the minute: which minute gets which seconds, under any clock changes."""

import math
from collections.abc import Iterable

import pytest
from exporter_cases import AT as STATUS_AT
from exporter_cases import entry, gone_silent, reading, status
from history_cases import AT, PH, row
from hypothesis import given
from hypothesis import strategies as st

from agent.history.minutes import (
    COLUMNS,
    MEANS,
    MINUTE_S,
    Minute,
    MinuteBook,
    Row,
    Totals,
    mean_values,
    merge,
    row_from,
)
from agent.site.ledger.entries import Place
from agent.site.status import Cause, UnitState
from agent.site.totals import SiteFigures, site_figures


def figures(at: float, rate_hs: float = 200e12) -> SiteFigures:
    """Return the figures of two units in two containers: one hashes at `rate_hs`, the other is unreachable."""
    hashing = status(entry("u1"), reading("u1", hashrate_5s_hs=rate_hs))
    return site_figures([hashing, status(entry("u2", place=Place(container="C2")), reading("u2"), is_fresh=False)], at)


def minutes(moments: Iterable[tuple[float, float, float]], *, longest_gap_s: float = 30.0) -> list[Minute]:
    """Return the minutes of figures at (wall, monotonic, rate in TH/s), including the unfinished last one."""
    book = MinuteBook(longest_gap_s=longest_gap_s)
    made: list[Minute] = []
    for at, clock_s, rate_ths in moments:
        made += book.advance(figures(at, rate_ths * 1e12), simulated_units=0, clock_s=clock_s)
    return [*made, *book.close()]


def watched(made: Iterable[Minute]) -> list[tuple[int, float, float]]:
    """Return (seconds after AT, watched seconds, operating TH/s) of each minute."""
    return [(each.site.at - AT, each.site.watched_s, round(each.site.operating_hs / 1e12, 6)) for each in made]


def test_figures_hold_until_the_next() -> None:
    """Each second is credited with the figures in force when it passed; the latest are not credited yet."""
    made = minutes((AT + 10.0 * step, 10.0 * step, 100 if step < 3 else 200) for step in range(13))
    assert watched(made) == [(0, 60.0, 150.0), (60, 60.0, 200.0)]


def test_every_group_has_a_row() -> None:
    """A minute holds the sums of the site and of each container, with losses and states."""
    ((site, containers, _),) = minutes([(AT, 0.0, 190), (AT + 10, 10.0, 190)])
    assert site.losses_hs[Cause.UNDERPERFORMING] == 10e12
    assert site.losses_hs[Cause.UNREACHABLE] == 200e12
    assert site.units_by_state[UnitState.HASHING] == site.units_by_state[UnitState.UNREACHABLE] == 1
    assert (site.units, site.deployed_hs, site.operating_hs, site.known_hs) == (2, 400e12, 190e12, 200e12)
    assert {name: each.operating_hs for name, each in containers.items()} == {"C1": 190e12, "C2": 0.0}


@pytest.mark.parametrize(
    ("moments", "expected"),
    [
        pytest.param([(0, 0, 100)], [], id="one look is no time"),
        pytest.param([(0, 0, 100), (10, 10, 0), (45, 45, 0), (55, 55, 0)], [(0, 20, 50)], id="a gap is no zero"),
        pytest.param([(0, 0, 100), (30, 30, 100)], [(0, 30, 100)], id="three intervals are no gap yet"),
        pytest.param([(55, 0, 100), (65, 10, 0)], [(0, 5, 100), (60, 5, 100)], id="over the edge of a minute"),
        # NTP: the wall clock moves and the monotonic one does not.
        pytest.param(
            [(0, 0, 100), (10, 10, 100), (25, 20, 100), (35, 30, 100)], [(0, 30, 100)], id="forward leaves a hole"
        ),
        pytest.param(
            [(0, 0, 100), (10, 10, 100), (3600, 20, 100), (3610, 30, 100)],
            [(0, 10, 100), (3540, 10, 100), (3600, 10, 100)],
            id="an hour forward",
        ),
        pytest.param(
            [(60, 0, 100), (70, 10, 100), (15, 20, 100), (25, 30, 100)],
            [(60, 10, 100), (0, 20, 100)],
            id="back to an earlier minute",
        ),
        # CLOCK_MONOTONIC stands still while a machine is suspended.
        pytest.param(
            [(0, 0, 100), (10, 10, 100), (7200, 15, 100), (7210, 25, 100)],
            [(0, 10, 100), (7140, 5, 100), (7200, 10, 100)],
            id="a suspended machine",
        ),
        pytest.param([(0, 10, 100), (10, 10, 100), (20, 5, 100)], [], id="no time passed"),
    ],
)
def test_clocks(moments: list[tuple[int, int, int]], expected: list[tuple[int, float, float]]) -> None:
    """The monotonic clock says how much time passed, the wall clock where it belongs."""
    assert watched(minutes((AT + at, float(clock_s), rate) for at, clock_s, rate in moments)) == expected


def test_no_minute_has_more_than_sixty_seconds() -> None:
    """A wall clock that stands still fills its minute once, however much time passes."""
    made = minutes((AT + 20.0, 10.0 * step, 100) for step in range(30))
    assert watched(made) == [(0, 60.0, 100.0)]


@given(st.lists(st.tuples(st.integers(-90, 400), st.integers(-1, 40)), max_size=40), st.integers(0, 59))
def test_any_clocks(steps: list[tuple[int, int]], offset: int) -> None:
    """Under any clock changes, no row has more than 60 s, and no more is credited than passed."""
    at, clock_s, moments = AT + offset, 0, []
    for wall, passed in steps:
        at, clock_s = at + wall, clock_s + passed
        moments.append((float(at), float(clock_s), 123))
    made = minutes(moments)
    assert all(0 < each.site.watched_s <= MINUTE_S and each.site.at % MINUTE_S == 0 for each in made)
    assert sum(each.site.watched_s for each in made) <= sum(max(0, passed) for _, passed in steps)
    assert all(math.isclose(each.site.operating_hs, 123e12) for each in made)


@given(st.lists(st.floats(0.001, 29), min_size=1, max_size=50), st.floats(0, 60))
def test_what_stands_still_is_its_own_mean(steps: list[float], offset: float) -> None:
    """A constant figure is exactly the same in every minute and in the mean of all minutes."""
    clocks = [offset + sum(steps[:number]) for number in range(len(steps) + 1)]
    made = minutes((AT + clock, clock, 123.456789) for clock in clocks)
    assert {each.site.operating_hs for each in made} <= {123.456789 * 1e12}
    totals = Totals()
    for each in made:
        totals.add([each.site.values()])
    mean = totals.values(at=AT, span_s=60)
    assert mean is None or row_from(mean).operating_hs == 123.456789 * 1e12


def test_no_unit_and_no_container() -> None:
    """A site with nothing deployed has minutes too: it was watched, and its figures are zero."""
    book = MinuteBook(longest_gap_s=30.0)
    book.advance(site_figures([], AT), simulated_units=0, clock_s=0.0)
    book.advance(site_figures([], AT + 10), simulated_units=0, clock_s=10.0)
    ((site, containers, _),) = book.close()
    assert (site.watched_s, site.units, site.deployed_hs, containers) == (10.0, 0, 0, {})


def test_rows_keep_the_identity() -> None:
    """In every minute deployed minus losses plus uplift is operating."""
    statuses = [
        status(entry(f"u{number}"), reading(f"u{number}", hashrate_5s_hs=1e12 * rate))
        for number, rate in enumerate((5, 140, 198, 210))
    ]
    book = MinuteBook(longest_gap_s=30.0)
    for step in range(14):
        book_figures = site_figures([*statuses[step % 4 :], gone_silent()], STATUS_AT + 10 * step)
        for each in book.advance(book_figures, simulated_units=0, clock_s=10.0 * step):
            site = each.site
            assert math.isclose(site.deployed_hs - sum(site.losses_hs.values()) + site.uplift_hs, site.operating_hs)


def test_a_row_reads_back() -> None:
    """A row converts to values in the order of the columns, and back."""
    whole = row(
        delivered_hs=45 * PH,
        delivered_s=30.0,
        delivered_deployed_hs=47 * PH,
        simulated_units=3.0,
        uplift_hs=1e12,
        diverted_hs=2 * PH,
        judged_s=20.0,
    )
    read = row_from(whole.values())
    assert read.values() == whole.values()
    assert dict(zip(COLUMNS, whole.values(), strict=True))["units_unreachable"] == 15.0
    assert len(set(COLUMNS)) == len(COLUMNS) == len(MEANS) + 7


def test_means_are_weighted_by_time() -> None:
    """Half a minute counts half; delivered hashrate is weighted by the seconds with a figure."""
    first = row(operating_hs=40 * PH, delivered_hs=30 * PH, delivered_s=60.0).values()
    second = row(AT + 60, watched_s=30.0, operating_hs=46 * PH).values()
    mean = mean_values([first, second], at=AT, span_s=120)
    assert mean is not None
    read = row_from(mean)
    assert (read.watched_s, read.operating_hs, read.delivered_hs, read.delivered_s) == (90.0, 42 * PH, 30 * PH, 60.0)
    assert mean_values([row(watched_s=0.0).values()], at=AT, span_s=60) is None
    assert Totals().values(at=AT, span_s=60) is None


@pytest.mark.parametrize(
    ("before", "new", "expected"),
    [
        ((20.0, 40), (40.0, 46), (60.0, 44)),
        ((20.0, 40), (60.0, 46), (60.0, 44)),
        ((60.0, 40), (60.0, 46), (60.0, 40)),
        ((60.0, 40), (1.0, 46), (60.0, 40)),
        ((30.0, 40), (30.0, 46), (60.0, 43)),
    ],
)
def test_what_was_there_stays(before: tuple[float, int], new: tuple[float, int], expected: tuple[float, int]) -> None:
    """A minute that is watched twice gains the seconds it lacks, and never exceeds 60."""

    def minute(watched: tuple[float, int]) -> Row:
        watched_s, operating_phs = watched
        return row(watched_s=watched_s, operating_hs=operating_phs * PH)

    merged = row_from(merge(minute(before).values(), minute(new).values()))
    assert (merged.watched_s, merged.operating_hs / PH) == pytest.approx(expected)
