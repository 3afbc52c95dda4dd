"""Recovered time in a statement: beside the floor, never in it; bound to the facts it comes from; checked again."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from history_cases import AT, DAY_S, HOUR_S, PH, hours, row, write
from statement_cases import LATER, OCTOBER, OCTOBER_PERIOD, Kept, shown

from agent.history.chain.links import Fact
from agent.history.reader import read_history
from agent.history.writer import write_history
from agent.site.status import Cause
from agent.statement import check
from agent.statement import text as statement_text
from agent.statement.errors import StatementError
from agent.statement.recovered import NOTHING_RECOVERED
from agent.statement.statement import Statement, state

CUT = AT + 9 * DAY_S
BACK = CUT + 36 * HOUR_S
DEPLOYED_HS = 50 * PH


def rows(begin: int = CUT, end: int = BACK) -> list[Any]:
    """Return October at 92 % without the time in between."""
    return [each for each in hours(*OCTOBER) if not begin <= each.at < end]


def fact(begin: int = CUT, end: int = BACK, *, share: float = 0.9, at: int | None = None, **changes: Any) -> Fact:
    """Return a recovered fact of a share of deployed."""
    deployed = DEPLOYED_HS * (end - begin)
    body = {
        "from": begin,
        "until": end,
        "units": 230,
        "of_units": 250,
        "restarted_units": 12,
        "still_units": 0,
        "unknown_units": 8,
        "hashes": share * deployed,
        "excess_hashes": 0.0,
        "deployed_hashes": deployed,
        "method": "counters",
    }
    return Fact("recovered", end + 600 if at is None else at, body | changes)


def stated(*facts: Fact, begin: int = CUT, end: int = BACK) -> Statement:
    """Return October's statement with these facts."""
    kept = Kept(rows(begin, end))
    kept.kept_facts = facts
    return state(kept, OCTOBER_PERIOD, now=LATER)


def test_recovered_time_stands_beside_the_floor() -> None:
    """36 hours of gap, nine tenths recovered: the floor stays, and the floor with it is its own line in each form."""
    plain, statement = stated(), stated(fact())
    floor = 0.92 * (31 * 24 - 36) / (31 * 24)
    figures = statement.figures
    assert figures.operational_efficiency_floor_ratio == plain.figures.operational_efficiency_floor_ratio
    assert figures.operational_efficiency_floor_ratio == pytest.approx(floor)
    with_recovered = floor + 0.9 * 36 / (31 * 24)
    assert figures.operational_efficiency_floor_recovered_ratio == pytest.approx(with_recovered)
    assert (figures.is_above_target, statement.notes) == (plain.figures.is_above_target, plain.notes)
    lines = shown(statement)
    assert lines["floor with recovered time"][0] == "91.90 %"
    assert lines["Recovered after gaps"] == (
        "45.00 PH/s",
        "90.00 %",
        "over 36.0 hours of gaps, by units' own counters; 230 of 250 units hashed through; not in the floor",
    )
    assert "Recovered after gaps" not in shown(plain)
    for form in (statement_text.table, statement_text.markdown):
        assert "floor with recovered time" in form(statement)
    text = statement_text.csv(statement)
    assert "\nrecovered.alpha.restarted_units,12\n" in text
    assert f"\nrecovered.alpha.digest,{statement.parts[0].recovered.digest}\n" in text


@pytest.mark.parametrize(("share", "with_recovered"), [(0.0, "87.55 %"), (1.0, "92.39 %")])
def test_recovered_time_decides_nothing(share: float, with_recovered: str) -> None:
    """Even a gap that is recovered in full leaves the verdict with the floor: it is not above the line."""
    statement = stated(fact(share=share))
    assert shown(statement)["floor with recovered time"][0] == with_recovered
    assert shown(statement)["floor"][0] == "87.55 %"
    assert statement.figures.is_above_target is False
    assert shown(statement)["Operational efficiency"][2].startswith("not above the 90 % line by the floor")


@pytest.mark.parametrize(
    ("begin", "end", "share"),
    [
        pytest.param(CUT, BACK, 1.0, id="the gap"),
        pytest.param(CUT - 36 * HOUR_S, BACK, 0.5, id="half of it was watched by another agent"),
        pytest.param(CUT + 9 * HOUR_S, BACK + 9 * HOUR_S, 0.75, id="and at the other end"),
        pytest.param(BACK + DAY_S, BACK + 2 * DAY_S, 0.0, id="all of it was watched"),
    ],
)
def test_only_unwatched_time_is_recovered(begin: int, end: int, share: float) -> None:
    """A fact counts by the share of its time that lies within gaps."""
    recovered = stated(fact(begin, end)).parts[0].recovered
    assert recovered.hashes == pytest.approx(share * 0.9 * DEPLOYED_HS * (end - begin))
    assert recovered.facts == (1 if share else 0)
    assert recovered.seconds == share * (end - begin)


def test_no_time_is_recovered_twice() -> None:
    """Two agents' facts of one gap, or one written twice, count once."""
    once = stated(fact()).parts[0].recovered
    twice = stated(fact(), fact(at=BACK + 900)).parts[0].recovered
    assert twice == once
    halves = stated(fact(CUT, CUT + 24 * HOUR_S), fact(CUT + 12 * HOUR_S, BACK)).parts[0].recovered
    assert (halves.seconds, halves.hashes) == (once.seconds, pytest.approx(once.hashes))


def test_a_gap_over_the_end_of_a_month_counts_by_its_part() -> None:
    """October has the hour before midnight, by the fact that November's start wrote."""
    end = OCTOBER[1]
    statement = stated(fact(end - HOUR_S, end + HOUR_S), begin=end - HOUR_S, end=end)
    recovered = statement.parts[0].recovered
    assert recovered.seconds == HOUR_S
    assert recovered.hashes == pytest.approx(0.9 * DEPLOYED_HS * HOUR_S)


@pytest.mark.parametrize(
    "changes",
    [
        {"hashes": 1e30},
        {"hashes": float("inf")},
        {"hashes": None},
        {"units": 2.5},
        {"units": 245},
        {"units": -1},
        {"until": CUT},
        {"from": "yesterday"},
    ],
)
def test_a_fact_that_cannot_be_recovers_nothing(changes: dict[str, Any]) -> None:
    """A fact with more work than was deployed, no number or no time is left out; the statement stands without it."""
    assert stated(fact(**changes)).parts[0].recovered == NOTHING_RECOVERED


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a history file of October with the gap and its fact."""
    path = write(tmp_path / "h.sqlite", rows())
    with closing(write_history(path)) as writer:
        writer.claim(site="alpha", zone="UTC")
        writer.write(facts=[fact()])
    return path


def test_verifying_computes_it_again(file: Path) -> None:
    """It holds for its history; a fact that was written later changes nothing, one that is missing is told."""
    with closing(read_history(file)) as reader:
        statement = state(reader, OCTOBER_PERIOD, now=LATER)
        later = state(reader, OCTOBER_PERIOD, now=LATER + DAY_S)
        assert later.parts == statement.parts
        decoded = check.decode(msgspec.json.encode(statement), "october.json")
        assert check.verify(decoded, reader, OCTOBER_PERIOD) == []
    with closing(write_history(file)) as writer:
        writer.write(facts=[fact(at=int(LATER))])
    with closing(read_history(file)) as reader:
        assert check.verify(decoded, reader, OCTOBER_PERIOD) == []
    other = Kept(rows())
    wrong = check.verify(decoded, other, OCTOBER_PERIOD)
    assert any(line.startswith("recovered hashes: stated") for line in wrong)
    assert any(line.startswith("recovered digest: stated") for line in wrong)


def test_an_edit_of_the_figure_is_found(file: Path) -> None:
    """More recovered in a part does not fit its figures; more in both does not fit history."""
    with closing(read_history(file)) as reader:
        content = json.loads(msgspec.json.encode(state(reader, OCTOBER_PERIOD, now=LATER)))
        content["parts"][0]["recovered"]["hashes"] *= 1.05
        with pytest.raises(StatementError, match="recovered_hs is"):
            check.decode(json.dumps(content).encode(), "october.json")


def test_a_statement_without_it_is_read() -> None:
    """A statement saved before there was recovered time holds, and has none."""
    content = json.loads(msgspec.json.encode(stated()))
    for part in content["parts"]:
        del part["recovered"]
    for name in ("recovered_hs", "operating_floor_recovered_hs", "operational_efficiency_floor_recovered_ratio"):
        del content["figures"][name]
    statement = check.decode(json.dumps(content).encode(), "october.json")
    assert statement.figures.recovered_hs is None
    kept = Kept(rows())
    kept.kept_facts = (fact(),)
    assert check.verify(statement, kept, OCTOBER_PERIOD) == []


def run(kind: str, at: int) -> Fact:
    """Return a start or a stop."""
    return Fact(kind, at, {})


def test_an_open_gap_keeps_its_reason() -> None:
    """Month to date, ten minutes after an orderly stop: it holds also once the agent is back."""
    begin = AT + 40 * 60
    kept = Kept([row(at) for at in range(AT, begin, 60)])
    kept.kept_facts = (run("start", AT), run("stop", begin))
    statement = state(kept, OCTOBER_PERIOD, now=begin + 600)
    assert [gap.reason for gap in statement.parts[0].unseen.gaps] == ["planned stop"]
    kept.kept_facts += (run("start", begin + 700), run("start", begin + 5000))
    assert check.verify(statement, kept, OCTOBER_PERIOD) == []


_DARK = {"operating_hs": 20 * PH, "losses_hs": {Cause.UNREACHABLE: 30 * PH}}


@pytest.mark.parametrize(
    ("before", "after", "facts", "reason"),
    [
        pytest.param({}, {}, [("start", 1790)], "crash", id="a start alone"),
        pytest.param({}, {}, [("stop", 0), ("start", 1790)], "planned stop", id="a full minute, and a stop"),
        pytest.param({"watched_s": 31.0}, {}, [("start", 1790)], "crash", id="a minute that was written, and no stop"),
        pytest.param({"watched_s": 31.0}, {}, [("stop", -29), ("start", 1790)], "planned stop", id="both agree"),
        pytest.param({"watched_s": 31.0}, {}, [("stop", -30), ("start", 1790)], "planned stop", id="the second before"),
        pytest.param({"watched_s": 31.0}, {}, [], "planned stop", id="no facts: by the minute"),
        pytest.param({}, {}, [], "crash", id="no facts: a lost minute"),
        pytest.param(_DARK, {}, [("stop", 0), ("start", 1790)], "power", id="a UPS that asked for the stop"),
        pytest.param({}, _DARK, [("start", 1790)], "power", id="power was lost meanwhile"),
        pytest.param({}, _DARK, [("stop", 0), ("start", 1790)], "planned stop", id="a planned stop, and dark after it"),
        pytest.param(
            {}, {}, [("stop", 0), ("start", 1700), ("start", 1790)], "planned stop", id="a crash as it came back"
        ),
        pytest.param(
            {}, {}, [("stop", 0), ("start", 60), ("start", 1790)], "crash", id="it came back, and crashed for long"
        ),
    ],
)
def test_starts_and_stops_make_reasons_exact(
    before: dict[str, Any], after: dict[str, Any], facts: list[tuple[str, int]], reason: str
) -> None:
    """The longest part of a gap decides: before a start nothing ran, and a stop before it was planned."""
    begin, end = AT + 10 * 60, AT + 40 * 60
    kept = Kept([*(row(at) for at in range(AT, begin - 60, 60)), row(begin - 60, **before), row(end, **after)])
    kept.kept_facts = (run("start", AT), *(run(kind, begin + after_s) for kind, after_s in facts))
    (gap,) = state(kept, OCTOBER_PERIOD, now=end + 60).parts[0].unseen.gaps
    assert gap.reason == reason
