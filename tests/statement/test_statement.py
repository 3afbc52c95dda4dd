"""Statements: published months from known history, and sums that must stay exact."""

import hashlib
import math
from contextlib import closing
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest
from history_cases import AT, DAY_S, EH, HOUR_S, PH, hours, operating, row, unix, write
from hypothesis import given
from hypothesis import strategies as st
from statement_cases import LATER, OCTOBER, Kept, shown, stated

from agent.history.export import site_lines
from agent.history.minutes import Totals
from agent.history.reader import read_history
from agent.history.writer import write_history
from agent.site.power import PowerSource
from agent.site.status import Cause, UnitState
from agent.statement import text as statement_text
from agent.statement.check import decode, verify
from agent.statement.errors import StatementError
from agent.statement.figures import StatementFigures, figures_of
from agent.statement.parts import Part
from agent.statement.period import parse_period
from agent.statement.statement import combine, state

# The published months


@pytest.mark.parametrize(
    ("month", "days", "deployed", "average", "percent", "is_above"),
    [
        ("2025-03", 31, 32, 30.30, "94.69 %", True),
        ("2025-04", 30, 32, 29.90, "93.44 %", True),
        ("2025-08", 31, 50, 43.74, "87.48 %", False),
        ("2025-09", 30, 50, 44.85, "89.70 %", False),
        ("2025-10", 31, 50, 46.09, "92.18 %", True),
    ],
)
def test_published_months(
    month: str, days: int, deployed: int, average: float, percent: str, *, is_above: bool
) -> None:
    """History reproduces an operator's published months to the last digit; 89.70 % is not above 90 %."""
    period = parse_period(month, ZoneInfo("UTC"))
    statement = stated(operating(period.start, period.end, deployed_hs=deployed * EH, operating_hs=average * EH), month)
    lines = shown(statement)
    assert statement.days == days
    assert lines["Deployed at the end"][0] == lines["Deployed, mean"][0] == f"{deployed:.2f} EH/s"
    assert lines["Average operating"][:2] == (f"{average:.2f} EH/s", percent)
    verdict = f"{'above' if is_above else 'not above'} the 90 % line by the floor, uplift netted"
    assert lines["Operational efficiency"] == (percent, "", verdict)
    # Nothing was unseen, so there is nothing between the bounds, to the last bit.
    figures = statement.figures
    assert lines["floor"][0] == lines["ceiling"][0] == lines["capped per unit"][0] == percent
    assert figures.operating_floor_hs == figures.operating_ceiling_hs == figures.operating_hs
    assert figures.operational_efficiency_floor_ratio == figures.operational_efficiency_ratio
    assert figures.deployed_whole_hs == figures.deployed_hs
    assert lines["Lost"][0] == lines["stopped"][0] == f"{deployed - average:.2f} EH/s"
    assert statement.figures.is_above_target is is_above
    assert statement.notes == ()


def test_octobers_losses_by_cause() -> None:
    """October's unrounded losses sum to 3.91 EH/s; their shares and the efficiency sum to 100 %."""
    losses_hs = {
        Cause.CURTAILED: 1.604 * EH,
        Cause.UNREACHABLE: 0.804 * EH,
        Cause.MISSING_BOARDS: 0.804 * EH,
        Cause.UNDERPERFORMING: 0.698 * EH,
    }
    statement = stated(
        hours(*OCTOBER, deployed_hs=50 * EH, operating_hs=46.09 * EH, known_hs=50 * EH, losses_hs=losses_hs)
    )
    figures, lines = statement.figures, shown(statement)
    assert lines["Lost"][:2] == ("3.91 EH/s", "7.82 %")
    # 1.60 + 0.80 + 0.80 + 0.70 is 3.90: the rounded values do not add up, the unrounded ones do.
    assert [lines[cause][0] for cause in ("curtailed", "unreachable", "missing boards", "underperforming")] == [
        "1.60 EH/s",
        "0.80 EH/s",
        "0.80 EH/s",
        "0.70 EH/s",
    ]
    assert math.isclose(figures.deployed_hs - figures.lost_hs + figures.uplift_hs, figures.operating_hs, rel_tol=1e-12)
    assert figures.lost_ratio is not None
    assert figures.operational_efficiency_ratio is not None
    assert math.isclose(figures.lost_ratio + figures.operational_efficiency_ratio, 1, rel_tol=1e-12)
    assert lines["excluding curtailment"][0] == "95.24 %"  # 46.09 / (50 - 1.604)


def test_july_grows() -> None:
    """A fleet that grew within the month operated at 82 % of deployed at the end, and at 99 % of mean deployed."""
    start, end = unix("2025-07-01"), unix("2025-08-01")
    grown = unix("2025-07-16")
    rows = [
        *operating(start, grown, deployed_hs=32 * EH, operating_hs=30.5 * EH),
        *operating(grown, end, deployed_hs=50 * EH, operating_hs=(40.92 * 31 - 30.5 * 15) / 16 * EH),
    ]
    lines = shown(stated(rows, "2025-07"))
    assert lines["Deployed at the end"][0] == "50.00 EH/s"
    assert lines["Deployed, mean"][0] == "41.29 EH/s"  # (32 * 15 + 50 * 16) / 31
    assert lines["Average operating"][0] == "40.92 EH/s"
    assert lines["over deployed at the end"][0] == "81.84 %"
    assert lines["Operational efficiency"][0] == "99.10 %"


def test_the_quarter_is_weighted_by_time() -> None:
    """The third quarter of 2025 averages 43.15 EH/s, weighted by time, not 43.17, the mean of its months' means."""
    months = (
        ("2025-07-01", "2025-08-01", 40.92),
        ("2025-08-01", "2025-09-01", 43.74),
        ("2025-09-01", "2025-10-01", 44.85),
    )
    rows = [
        each
        for start, end, average in months
        for each in operating(unix(start), unix(end), deployed_hs=50 * EH, operating_hs=average * EH)
    ]
    assert shown(stated(rows, "2025-Q3"))["Average operating"][0] == "43.15 EH/s"
    assert round(sum(average for _, _, average in months) / 3, 2) == 43.17


def test_almost_ninety_is_not_above_ninety() -> None:
    """A ratio just below 90 % is shown as 90.00 % and is not above the line; nor is 90 % itself."""
    for average, expected in ((44.9996, "not above"), (45.0, "not above"), (45.0004, "above")):
        lines = shown(stated(operating(*OCTOBER, deployed_hs=50 * EH, operating_hs=average * EH)))
        assert lines["Operational efficiency"] == (
            "90.00 %",
            "",
            f"{expected} the 90 % line by the floor, uplift netted",
        )


def test_sites_are_added_before_rounding() -> None:
    """Three sites that each show 15.36 of 16.67 are together 46.09 of 50.00, not 46.08 of 50.01."""
    sites = [
        stated(operating(*OCTOBER, deployed_hs=50 / 3 * EH, operating_hs=(46.09 / 3 + off) * EH), site=site)
        for site, off in (("gamma", 0.0), ("alpha", 1e-6), ("beta", 2e-6))
    ]
    assert {shown(each)["Average operating"][0] for each in sites} == {"15.36 EH/s"}
    whole = combine(sites, now=LATER)
    assert shown(whole)["Average operating"][:2] == ("46.09 EH/s", "92.18 %")
    assert shown(whole)["Deployed at the end"][0] == "50.00 EH/s"
    assert [part.site for part in whole.parts] == ["alpha", "beta", "gamma"]
    assert combine([whole], now=LATER).figures == whole.figures


# Gaps, holes, and months that are not over


def test_a_gap_lowers_coverage_and_the_floor() -> None:
    """Three days without an agent do not count as zero: averages stay, coverage and floor show the missing time."""
    rows = operating(AT, AT + 28 * DAY_S, deployed_hs=50 * PH, operating_hs=46 * PH)
    statement = stated(rows)
    lines = shown(statement)
    assert lines["Average operating"][:2] == ("46.00 PH/s", "92.00 %")
    assert lines["Coverage"] == ("90.32 %", "", "watched 90.32 % of the time")
    assert lines["floor"][0] == "83.10 %"  # 46 * 28 / (50 * 31)
    assert lines["ceiling"][0] == "92.77 %"  # (46 * 28 + 50 * 3) / (50 * 31)
    assert statement.notes == (
        "alpha: WATCHED ONLY 90.32 % of the time: too little for these figures to be published (95 % is needed).",
        "NOT ABOVE 90 %: 92.00 % is of the time that was watched; the floor over the whole time is 83.10 %.",
        "alpha: gaps over 5 minutes: 1 crash (3.0 days).",
        "alpha: the end of the period was not watched; what is of its end is of 2025-10-29T00:00:00Z.",
    )
    with pytest.raises(StatementError, match=r"alpha was watched 90\.32 % of the time, 95 % is needed"):
        state(Kept(rows), parse_period("2025-10", ZoneInfo("UTC")), now=LATER, is_draft=False)


def test_what_is_not_known_lowers_coverage() -> None:
    """Units in an unknown state count as deployed, and lower coverage."""
    statement = stated(hours(*OCTOBER, known_hs=47 * PH))
    assert statement.figures.coverage_ratio == pytest.approx(0.94)
    assert statement.figures.watched_ratio == 1


def test_seconds_weigh() -> None:
    """An hour that was watched for half its time weighs half."""
    rows = [*hours(AT, AT + HOUR_S, operating_hs=40 * PH, watched_s=1800.0), *hours(AT + HOUR_S, AT + 2 * HOUR_S)]
    assert stated(rows).figures.operating_hs == pytest.approx(44 * PH)


def test_a_month_that_is_not_over() -> None:
    """A statement of an unfinished month says so, covers the elapsed time, and is not fit for publishing."""
    now = AT + 10 * DAY_S
    rows = hours(AT, now)
    statement = stated(rows, now=now)
    passed = "history has 10.0 days of the 10.0 days that have passed of its 31.0 days"
    assert statement.notes == (f"alpha: the period is not over; {passed}.",)
    assert statement.figures.coverage_ratio == 1
    with pytest.raises(StatementError, match=r"the period is not over \(alpha\)"):
        state(Kept(rows), parse_period("2025-10", ZoneInfo("UTC")), now=now, is_draft=False)


def test_nothing_of_the_month() -> None:
    """A month without rows has no statement; the message says which time history covers."""
    with pytest.raises(StatementError, match=r"no rows for 2025-09: it holds 2025-10-01T00:00:00Z to"):
        stated(hours(*OCTOBER), "2025-09")
    with pytest.raises(StatementError, match="it is empty"):
        stated([])


def test_a_month_is_the_sites_own() -> None:
    """The same history gives another October in another zone, by the hours between the midnights."""
    rows = [
        *operating(AT - DAY_S, AT + 5 * HOUR_S, deployed_hs=50 * PH, operating_hs=10 * PH),
        *operating(AT + 5 * HOUR_S, OCTOBER[1] + DAY_S, deployed_hs=50 * PH, operating_hs=46 * PH),
    ]
    chicago, utc = (stated(rows, zone=zone) for zone in ("America/Chicago", "UTC"))
    assert shown(chicago)["Average operating"][0] == "46.00 PH/s"
    assert shown(utc)["Average operating"][0] == "45.76 PH/s"
    assert chicago.parts[0].inputs.rows == 31 * 24
    assert stated(rows, zone="Europe/Berlin").parts[0].inputs.rows == 31 * 24 + 1
    assert "2025-11-01 00:00 -0500" in shown(chicago)["Deployed at the end"][2]


def test_nothing_deployed() -> None:
    """The statement of a site without units has no ratio."""
    zeros = {
        "units": 0.0,
        "deployed_hs": 0.0,
        "operating_hs": 0.0,
        "known_hs": 0.0,
        "losses_hs": {},
        "units_by_state": {},
    }
    statement = stated(hours(*OCTOBER, **zeros, efficient_watts=0.0, efficient_hs=0.0, efficient_deployed_hs=0.0))
    assert shown(statement)["Operational efficiency"] == ("-", "", "nothing was deployed")
    assert statement.figures.is_above_target is None


def test_simulated_units_are_named_on_top() -> None:
    """Simulated hashrate cannot pass for real: every format names it before the first figure."""
    statement = stated(hours(*OCTOBER, simulated_units=5.0))
    for text in (statement_text.table(statement), statement_text.markdown(statement)):
        assert text.index("SIMULATED: 5 of 250 units") < text.index("Deployed")
    assert "note,SIMULATED: 5 of 250 units" in statement_text.csv(statement)


# The other figures


def test_energy_delivered_and_uptimes() -> None:
    """Energy is watts times the watched time; J/TH and delivered show their share of deployed."""
    states = {UnitState.HASHING: 200.0, UnitState.CURTAILED: 20.0, UnitState.STOPPED: 5.0, UnitState.UNREACHABLE: 25.0}
    statement = stated(
        hours(
            AT,
            AT + 10 * HOUR_S,
            units_by_state=states,
            watts={PowerSource.METERED: 100e3, PowerSource.MODELLED: 300e3},
            efficient_watts=350e3,
            efficient_hs=20 * PH,
            efficient_deployed_hs=25 * PH,
            delivered_hs=45 * PH,
            delivered_s=1800.0,
            delivered_deployed_hs=48 * PH,
        ),
        now=AT + 10 * HOUR_S,
    )
    figures, lines = statement.figures, shown(statement)
    assert figures.joules_by_source == {
        PowerSource.METERED: 3.6e9,
        PowerSource.MEASURED: 0.0,
        PowerSource.ESTIMATED: 0.0,
        PowerSource.MODELLED: 10.8e9,
    }
    assert lines["Energy"][0] == "4.00 MWh"
    assert lines["metered"][:2] == ("1.00 MWh", "25.00 %")
    assert lines["Energy efficiency"] == ("17.50 J/TH", "", "over 50.00 % of deployed")
    assert lines["Delivered to pools"] == ("45.00 PH/s", "", "over 96.00 % of deployed")
    assert (figures.reach_uptime_ratio, figures.hashing_uptime_ratio) == (0.9, 0.8)


def test_uplift_stands_beside_losses() -> None:
    """Losses and uplift are shown apart; their difference is deployed minus operating."""
    losses_hs = {Cause.UNREACHABLE: 4.59 * PH}
    rows = hours(*OCTOBER, deployed_hs=50 * PH, operating_hs=46.09 * PH, losses_hs=losses_hs, uplift_hs=0.68 * PH)
    lines = shown(stated(rows))
    assert lines["Lost"][:2] == ("4.59 PH/s", "9.18 %")
    assert lines["Uplift above nameplate"][:2] == ("0.68 PH/s", "1.36 %")
    assert lines["Lost, less uplift"] == ("3.91 PH/s", "7.82 %", "deployed - operating")


def test_unknown_energy_is_no_zero() -> None:
    """Without any power figure there is a dash, not 0 kWh."""
    rows = hours(*OCTOBER, watts={}, efficient_watts=0.0, efficient_hs=0.0, efficient_deployed_hs=0.0)
    assert (shown(stated(rows))["Energy"][0], shown(stated(rows))["Energy efficiency"][0]) == ("-", "-")


def test_small_sites_have_readable_units() -> None:
    """A site of a few machines is not shown as 0.00 EH/s, and all its hashrates are in one unit."""
    lines = shown(
        stated(hours(*OCTOBER, deployed_hs=0.8 * PH, operating_hs=0.7 * PH, losses_hs={Cause.STOPPED: 0.1 * PH}))
    )
    assert (lines["Deployed, mean"][0], lines["Lost"][0]) == ("800.00 TH/s", "100.00 TH/s")
    # A value that would be shown as 1000.00 PH/s is shown as 1.00 EH/s.
    lines = shown(stated(hours(*OCTOBER, deployed_hs=0.999_999_9 * EH)))
    assert lines["Deployed, mean"][0] == "1.00 EH/s"


@given(
    st.lists(
        st.tuples(
            st.floats(1.0, 60.0),
            st.lists(st.floats(0, 1e16), min_size=len(Cause), max_size=len(Cause)),
            st.floats(0, 1e15),
            st.floats(1e16, 1e20),
        ),
        min_size=1,
        max_size=30,
    )
)
def test_the_identity_survives_averaging(minutes: list[tuple[float, list[float], float, float]]) -> None:
    """Deployed minus losses plus uplift is operating, in means over any minutes as in each minute."""
    rows = [
        row(
            AT + 60 * number,
            watched_s=watched_s,
            deployed_hs=1e17 + operating_hs,
            operating_hs=1e17 + operating_hs - math.fsum(losses) + uplift_hs,
            losses_hs=dict(zip(Cause, losses, strict=True)),
            uplift_hs=uplift_hs,
        )
        for number, (watched_s, losses, uplift_hs, operating_hs) in enumerate(minutes)
    ]
    figures = stated(rows).figures
    whole = figures.deployed_hs - figures.lost_hs + figures.uplift_hs
    assert math.isclose(whole, figures.operating_hs, rel_tol=1e-9)


def test_chunks_do_not_change_a_bit(tmp_path: Path) -> None:
    """The same rows give the same statement from a file as from memory, and the same again a day later."""
    rows = [row(AT + 60 * number, operating_hs=46 * PH / (1 + number % 7)) for number in range(10_000)]
    with closing(read_history(write(tmp_path / "h.sqlite", rows))) as reader:
        period = parse_period("2025-10", ZoneInfo("UTC"))
        first, second = (state(reader, period, now=now) for now in (LATER, LATER + DAY_S))
    assert first.parts == second.parts
    assert first.parts[0].inputs == stated(rows).parts[0].inputs
    assert first.figures.operating_hs == pytest.approx(stated(rows).figures.operating_hs, rel=1e-15)
    assert Totals().rows == 0


# Checking


def test_a_statement_survives_its_json() -> None:
    """A statement written as JSON decodes equal, and follows from its parts."""
    statement = stated(hours(*OCTOBER, delivered_hs=PH / 3, delivered_s=7.5, uplift_hs=0.1))
    assert decode(msgspec.json.encode(statement), "s.json") == statement


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        (("figures", "operating_hs"), 47 * PH, "operating_hs is 4.7e"),
        (("figures", "is_above_target"), False, "is_above_target is False, its parts give True"),
        (("parts", 0, "mean", "operating_hs"), 47 * PH, "operational_efficiency_ratio is 0.92, its parts give 0.94"),
        (("parts", 0, "last", "deployed_hs"), 47 * PH, "deployed_end_hs"),
        (("notes",), ["all is well"], "its notes do not match its figures"),
        (("parts",), [], "names no site"),
        (("format",), 5, "statement format 5, this version reads 4"),
        (("parts", 0, "inputs", "digest_format"), 4, "digest format 4 of alpha is unknown"),
        (("period",), 7, "not a statement in JSON"),
    ],
)
def test_a_changed_statement_contradicts_itself(path: tuple[str | int, ...], value: object, reason: str) -> None:
    """A changed figure that does not follow from the parts is refused, without any history."""
    content = msgspec.json.decode(msgspec.json.encode(stated(hours(*OCTOBER))))
    place = content
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(StatementError) as caught:
        decode(msgspec.json.encode(content), "s.json")
    assert reason in str(caught.value)


def test_a_draft_does_not_pass_for_a_statement() -> None:
    """Removing the draft mark from a statement that must not be published is refused."""
    draft = stated(operating(AT, AT + 28 * DAY_S, deployed_hs=50 * PH, operating_hs=46 * PH))
    assert decode(msgspec.json.encode(draft), "s.json") == draft
    with pytest.raises(StatementError, match=r"not to be published: alpha was watched 90\.32 %"):
        decode(msgspec.json.encode(msgspec.structs.replace(draft, is_draft=False)), "s.json")


@pytest.mark.parametrize(
    "text",
    [b"", b"{}", b"not json", b"[1]", b"\xff\xfe", b'{"period": "2025-10"}', b'"\xff"', b"[" * 99999],
    ids=["empty", "no keys", "words", "a list", "UTF-16", "a period alone", "no UTF-8", "nested"],
)
def test_other_files_are_no_statements(text: bytes) -> None:
    """Any other file is refused, and the message names it."""
    with pytest.raises(StatementError, match=r"s\.json: not a statement"):
        decode(text, "s.json")


def test_verify_holds_until_history_changes() -> None:
    """A statement holds against its own history; one changed row shows in the digest and in a figure."""
    rows, period = hours(*OCTOBER), parse_period("2025-10", ZoneInfo("UTC"))
    statement = stated(rows)
    assert verify(statement, Kept(rows), period) == []
    rows[100] = hours(rows[100].at, rows[100].at + 1, operating_hs=46.1 * PH)[0]
    wrong = verify(statement, Kept(rows), period)
    assert [each.split(":")[0] for each in wrong] == ["digest", "mean operating_hs", "mean losses_hs"]
    assert [each.split(":")[0] for each in verify(statement, Kept(rows[1:]), period)] == [
        "digest",
        "rows",
        "first_at",
        "mean watched_s",
        "mean operating_hs",
        "mean losses_hs",
        "unseen unwatched",
        "unseen gaps",
    ]


def test_verify_a_month_that_goes_on() -> None:
    """A statement of an unfinished month still holds after history has grown."""
    now, period = AT + 10 * DAY_S + 7, parse_period("2025-10", ZoneInfo("UTC"))
    statement = stated(hours(AT, AT + 10 * DAY_S), now=now)
    assert verify(statement, Kept(hours(*OCTOBER)), period) == []
    inflated = msgspec.structs.replace(
        statement, parts=(msgspec.structs.replace(statement.parts[0], elapsed_s=9.0 * DAY_S),)
    )
    assert "elapsed_s: stated 777600, at least 864000 had passed" in verify(inflated, Kept(hours(*OCTOBER)), period)


def test_verify_a_month_right_after_a_stop() -> None:
    """An agent that stops writes the minute that is open; a statement of the same minute holds all the same."""
    rows = [*hours(AT, AT + DAY_S), row(AT + DAY_S, watched_s=12.0)]
    statement = stated(rows, now=AT + DAY_S + 20.0)
    assert statement.parts[0].elapsed_s == DAY_S + 60
    assert verify(statement, Kept(rows), parse_period("2025-10", ZoneInfo("UTC"))) == []


def test_a_statement_of_the_first_release_still_holds() -> None:
    """One recorded source for all reported watts became estimated; figures and the digest of the rows still hold."""
    text = (Path(__file__).parent / "statement-of-the-first-release.json").read_bytes()
    watts = {PowerSource.METERED: 100e3, PowerSource.ESTIMATED: 200e3 / 3, PowerSource.MODELLED: 300e3}
    rows = hours(*OCTOBER, watts=watts, uplift_hs=0.1)
    old = decode(text, "s.json")
    assert verify(old, Kept(rows), parse_period("2025-10", ZoneInfo("UTC"))) == []
    assert old.figures == stated(rows).figures
    with pytest.raises(StatementError, match="alpha and beta have the same rows"):
        combine([old, stated(rows, site="beta")], now=LATER)
    combined = combine([old, stated(hours(*OCTOBER), site="beta")], now=LATER)
    assert [part.inputs.digest_format for part in combined.parts] == [1, 3]
    rows[7] = hours(rows[7].at, rows[7].at + 1, watts=watts)[0]
    wrong = verify(old, Kept(rows), parse_period("2025-10", ZoneInfo("UTC")))
    assert [each.split(":")[0] for each in wrong] == ["digest", "mean uplift_hs"]


def test_a_changed_statement_of_the_first_release_contradicts_itself() -> None:
    """The older format is checked as strictly as today's."""
    text = (Path(__file__).parent / "statement-of-the-first-release.json").read_bytes()
    for before, after, reason in (
        (b'"reported": 178560000000.0', b'"reported": 178560000001.0', "joules_by_source"),
        (b'"reported": 178560000000.0', b'"told": 178560000000.0', "not a statement in JSON"),
        (b'"watts"', b'"volts"', "not a statement in JSON"),
        (b'"parts": [', b'"parts": [7, ', "not a statement in JSON"),
        (b'"parts": [', b'"parts": 7, "rest": [', "not a statement in JSON"),
    ):
        with pytest.raises(StatementError) as caught:
            decode(text.replace(before, after), "s.json")
        assert reason in str(caught.value)


def test_verify_wants_the_right_calendar() -> None:
    """A statement for another time zone, or with another number of days, does not hold."""
    rows, berlin = hours(AT - DAY_S, OCTOBER[1] + DAY_S), parse_period("2025-10", ZoneInfo("Europe/Berlin"))
    wrong = verify(stated(rows), Kept(rows), berlin)
    assert "zone: stated UTC, the calendar of Europe/Berlin gives Europe/Berlin" in wrong
    days = msgspec.structs.replace(stated(rows, zone="Europe/Berlin"), days=30)
    assert verify(days, Kept(rows), berlin) == ["days: stated 30, the calendar gives 31"]
    with pytest.raises(StatementError, match="beta is not in this statement, which covers alpha"):
        verify(stated(rows), Kept(rows, "beta"), berlin)


def test_the_digest_is_that_of_the_export() -> None:
    """The digest is the sha256sum of the exported rows."""
    rows = hours(*OCTOBER)
    exported = "".join(site_lines(Kept(rows).chunks(*OCTOBER)))
    assert stated(rows).parts[0].inputs.digest == hashlib.sha256(exported.encode()).hexdigest()
    header, first, *_ = exported.splitlines()
    assert header.startswith("time,at,span_s,watched_s,units,deployed_hs,operating_hs,uplift_hs,loss_curtailed_hs")
    assert first.startswith("2025-10-01T00:00:00Z,1759276800,3600,3600.0,250.0,5e+16,4.6e+16,0.0,0.0,")
    assert first.endswith(",0.0,")


# Combining


def test_what_cannot_be_combined() -> None:
    """Statements of different periods, or two of one site, are refused."""
    october, november = stated(hours(*OCTOBER)), stated(hours(OCTOBER[1], OCTOBER[1] + DAY_S), "2025-11")
    with pytest.raises(StatementError, match="of one period are expected, not of 2025-10, 2025-11"):
        combine([october, november], now=LATER)
    with pytest.raises(StatementError, match="stated more than once: alpha"):
        combine([october, october], now=LATER)
    with pytest.raises(StatementError, match="not of none"):
        combine([], now=LATER)


def test_combined_ratios_are_weighted() -> None:
    """Combined ratios are ratios of sums; a small site that was hardly watched is not published among large ones."""
    large = stated(hours(*OCTOBER), site="large")
    small = stated(
        hours(AT, AT + 15 * DAY_S, deployed_hs=PH, operating_hs=0.1 * PH, known_hs=PH, units=10.0), site="small"
    )
    with pytest.raises(StatementError, match=r"small was watched 48\.39 % of the time"):
        combine([large, small], now=LATER, is_draft=False)
    whole = combine([large, small], now=LATER)
    assert whole.figures.operational_efficiency_ratio == pytest.approx(46.1 / 51)
    assert whole.figures.coverage_ratio == pytest.approx((50 * 31 + 15) / (51 * 31))
    assert whole.figures.units == 260
    assert whole.figures.operational_efficiency_floor_ratio == pytest.approx((46 * 31 + 0.1 * 15) / (51 * 31))


def test_combined_zones_are_named() -> None:
    """Sites in several time zones are added by their own calendars, and a note says so."""
    rows = hours(AT - DAY_S, OCTOBER[1] + DAY_S)
    chicago = stated(rows[1:], site="beta", zone="America/Chicago")
    whole = combine([stated(rows), chicago], now=LATER)
    assert whole.notes == (
        "Sites keep different zones (America/Chicago, UTC); each one's period is its own calendar's.",
    )


def test_formats() -> None:
    """Each format has title, figures, method and digest; CSV has every figure in base units, unrounded."""
    statement = stated(hours(*OCTOBER))
    digest = statement.parts[0].inputs.digest
    table, markdown, csv = (
        form(statement) for form in (statement_text.table, statement_text.markdown, statement_text.csv)
    )
    assert table.startswith("Draft statement of alpha, 2025-10 (31 days, UTC)\n")
    assert "Average operating 46.00 PH/s 92.00 %" in " ".join(table.split())
    assert "| Average operating | 46.00 PH/s | 92.00 % |" in markdown
    for text in (table, markdown, csv):
        assert digest in text
    assert "\noperating_hs,4.6e+16\n" in csv
    assert "\nlosses_hs.unreachable,3000000000000000.0\n" in csv
    assert all(f"\n{name}" in csv for name in StatementFigures.__struct_fields__)
    assert "dated ledger" in " ".join(table.split())
    assert "*Method.*" in markdown


def test_diverted_hashrate_has_a_line_where_it_was_judged() -> None:
    """Its mean is over the judged time, its share of operating; it is no loss, and the line says for how long."""
    days = 31
    quiet = hours(AT, AT + 21 * DAY_S)
    judged = hours(AT + 21 * DAY_S, AT + days * DAY_S, judged_s=3600.0, diverted_hs=2.3 * PH)
    statement = stated([*quiet, *judged])
    figures = statement.figures
    assert (figures.diverted_hs, figures.diverted_ratio) == (2.3 * PH, pytest.approx(0.05))
    assert figures.judged_ratio == pytest.approx(10 / days)
    assert figures.deployed_hs - figures.lost_hs + figures.uplift_hs == pytest.approx(figures.operating_hs)
    assert shown(statement)["Diverted to other pools"] == (
        "2.30 PH/s",
        "5.00 %",
        "of operating; judged 14,400 minutes, 32.26 % of the time watched",
    )
    assert "Diverted to other pools" not in shown(stated(hours(*OCTOBER)))
    assert stated(hours(*OCTOBER)).figures.diverted_hs is None


def test_a_combination_takes_the_share_of_the_sites_that_judged() -> None:
    """A site without an allow-list says nothing of where its work went, and does not thin out the other's share."""
    one = stated(hours(*OCTOBER, judged_s=3600.0, diverted_hs=4.6 * PH))
    both = combine([one, stated(hours(*OCTOBER), site="beta")], now=LATER)
    assert (both.figures.diverted_hs, both.figures.diverted_ratio) == (4.6 * PH, pytest.approx(0.1))
    assert both.figures.judged_ratio == pytest.approx(0.5)


def test_every_figure_follows_from_the_parts() -> None:
    """All figures can be recomputed from the parts alone."""
    statement = stated(hours(*OCTOBER))
    again = msgspec.json.decode(msgspec.json.encode(list(statement.parts)), type=list[Part])
    assert figures_of(again) == statement.figures


def test_a_leap_month(tmp_path: Path) -> None:
    """February 2028 includes its 29th day, to the last minute."""
    path = tmp_path / "h.sqlite"
    with closing(write_history(path)) as file:
        file.write(site=[each.values() for each in hours(unix("2028-02-01"), unix("2028-03-01"))])
        statement = state(file, parse_period("2028-02", ZoneInfo("UTC")), now=unix("2028-04-01"), is_draft=False)
    assert (statement.days, statement.parts[0].inputs.rows) == (29, 29 * 24)
