"""Combining: sites weigh by their time, and nothing is there twice, in pieces, or left out."""

from zoneinfo import ZoneInfo

import msgspec
import pytest
from history_cases import EH, PH, hours, operating, unix
from statement_cases import LATER, OCTOBER, Kept, course, shown, stated

from agent.site.status import Cause
from agent.statement.check import decode
from agent.statement.errors import StatementError
from agent.statement.period import parse_period
from agent.statement.statement import Statement, combine, state


def site(name: str, month: str, *, since: str, deployed: float, operating_of_it: float) -> Statement:
    """Return the published statement of a site, in EH/s, whose ledger and history begin on the day `since`."""
    period = parse_period(month, ZoneInfo("UTC"))
    rows = operating(unix(since), period.end, deployed_hs=deployed * EH, operating_hs=operating_of_it * EH)
    ledger = course((deployed, since, None))
    return state(Kept(rows, name), period, now=period.end + 9999, is_draft=False, course=ledger)


@pytest.mark.parametrize(
    ("month", "since", "old", "new", "expected"),
    [
        # Kentucky joined on the 24th: 15.53 EH/s weighted by time, published as 15.5; added up it would be 16.20.
        ("2024-07", "2024-07-24", (17.0, 15.30), (1.0, 0.90), ("17.26 EH/s", "15.53 EH/s")),
        # A site from the 16th: 37.75 of 41.80, where sums of means would be 39.50 of 43.60.
        ("2024-09", "2024-09-16", (40.0, 36.0), (3.6, 3.5), ("41.80 EH/s", "37.75 EH/s")),
    ],
)
def test_a_site_weighs_from_its_first_deployed_day(
    month: str, since: str, old: tuple[float, float], new: tuple[float, float], expected: tuple[str, str]
) -> None:
    """A site that joined within the month adds its hashrate for its days, not for the month; a note says since when."""
    parts = [
        site("texas", month, since=f"{month}-01", deployed=old[0], operating_of_it=old[1]),
        site("kentucky", month, since=since, deployed=new[0], operating_of_it=new[1]),
    ]
    whole = combine(parts, now=LATER, is_draft=False, sites=("texas", "kentucky"))
    lines = shown(whole)
    assert (lines["Deployed, mean"][0], lines["Average operating"][0]) == expected
    figures = whole.figures
    assert figures.operational_efficiency_floor_ratio == pytest.approx(figures.operational_efficiency_ratio)
    assert figures.deployed_hs - figures.lost_hs + figures.uplift_hs == pytest.approx(figures.operating_hs)
    assert whole.notes == parts[1].notes
    assert whole.notes[0].startswith(f"kentucky: it had no units before {since}T00:00:00Z; it counts with ")
    assert decode(msgspec.json.encode(whole), "s.json") == whole


def test_without_a_ledger_nothing_says_that_a_site_joined_late() -> None:
    """Then it may as well be an agent that was installed late: its gate stays closed in the combination too."""
    rows = operating(unix("2025-10-16"), OCTOBER[1], deployed_hs=3.6 * EH, operating_hs=3.5 * EH)
    late = stated(rows, site="late")
    assert late.notes[0].startswith("late: LATE START")
    with pytest.raises(StatementError, match=r"late was watched 51\.61 % of the time"):
        combine([stated(hours(*OCTOBER)), late], now=LATER, is_draft=False)


def test_notes_and_gates_of_every_part_survive() -> None:
    """A small site's gap, its doubts and what it acknowledged stand in the combination as they stood alone."""
    small_site = {"deployed_hs": PH, "operating_hs": 0.9 * PH, "delivered_deployed_hs": PH}
    doubtful = hours(*OCTOBER, delivered_hs=0.5 * PH, delivered_s=3600.0, **small_site)
    small = state(
        Kept(doubtful[:-3], "small"),
        parse_period("2025-10", ZoneInfo("UTC")),
        now=LATER,
        is_draft=False,
        acknowledged=("delivered",),
    )
    assert [note.split(":")[1].strip() for note in small.notes][:1] == [
        "delivered is 55.56 % of operating, 95 % to 105 % is expected"
    ]
    large = stated(hours(*OCTOBER, deployed_hs=1000 * PH, operating_hs=950 * PH), site="large")
    whole = combine([large, small], now=LATER, is_draft=False)
    assert set(small.notes) <= set(whole.notes)
    assert whole.acknowledged == ("delivered",)
    forgotten = msgspec.structs.replace(small, acknowledged=())
    with pytest.raises(StatementError, match=r"small: delivered is 55\.56 % of operating"):
        combine([large, forgotten], now=LATER, is_draft=False)


def _month(name: str, off: float = 0.0, cause: Cause = Cause.STOPPED) -> Statement:
    """Return a month of a site; `off` PH/s less tells its rows from another's."""
    return stated(hours(*OCTOBER, operating_hs=(46 - off) * PH, losses_hs={cause: (4 + off) * PH}), site=name)


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (("alpha", "alpha"), "stated more than once: alpha"),
        (("alpha", "alpha (shard 0 of 2)"), r"alpha \(shard 0 of 2\) is a part of alpha"),
        (("alpha (shard 0 of 2)",), "alpha is not whole: shard 1 of 2 is missing"),
        (("alpha (shard 0 of 3)", "alpha (shard 2 of 3)"), "alpha is not whole: shard 1 of 3 is missing"),
        (("alpha (shard 0 of 2)", "alpha (shard 1 of 3)"), "alpha is cut into shards of 2 and of 3"),
    ],
)
def test_what_is_there_twice_or_in_pieces(names: tuple[str, ...], reason: str) -> None:
    """A site beside one of its own shards, or shards that are not all there, are no fleet."""
    with pytest.raises(StatementError, match=reason):
        combine([_month(name, number / 10) for number, name in enumerate(names)], now=LATER)


def test_the_same_rows_under_two_names() -> None:
    """A copy of a site's history under another name is refused, however many sites are between them."""
    with pytest.raises(StatementError, match="alpha and gamma have the same rows"):
        combine([_month("alpha"), _month("beta", 0.1), _month("gamma")], now=LATER)


def test_all_shards_are_their_site() -> None:
    """Shards add up to their site, are declared by its name, and one alone is not published."""
    shards = [_month(f"alpha (shard {index} of 2)", index / 10) for index in range(2)]
    whole = combine([*shards, _month("beta", 0.5)], now=LATER, is_draft=False, sites=("alpha", "beta"))
    assert whole.figures.deployed_hs == 150 * PH
    assert whole.sites == ("alpha", "beta")
    rows = hours(*OCTOBER)
    with pytest.raises(StatementError, match="alpha is not whole: shard 0 of 2 is missing"):
        state(Kept(rows, "alpha (shard 1 of 2)"), parse_period("2025-10", ZoneInfo("UTC")), now=LATER, is_draft=False)


def test_a_declared_fleet_is_whole() -> None:
    """A site of the list that is left out, or one that is not on it, is refused; so is a list with one taken off."""
    parts = [_month("alpha"), _month("beta", 0.1)]
    with pytest.raises(StatementError, match="declared and not stated: gamma"):
        combine(parts, now=LATER, sites=("alpha", "beta", "gamma"))
    with pytest.raises(StatementError, match="stated and not declared: beta"):
        combine(parts, now=LATER, sites=("alpha",))
    whole = combine(parts, now=LATER, is_draft=False, sites=("alpha", "beta"))
    with pytest.raises(StatementError, match="stated and not declared: beta"):
        decode(msgspec.json.encode(msgspec.structs.replace(whole, sites=("alpha",))), "s.json")
