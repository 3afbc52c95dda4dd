"""The period before in one sentence: what it says, and when it says less."""

from collections.abc import Sequence
from dataclasses import replace
from zoneinfo import ZoneInfo

import msgspec
import pytest
from history_cases import AT, DAY_S, EH, HOUR_S, hours, unix
from statement_cases import LATER, OCTOBER, OCTOBER_PERIOD, Kept, course

from agent.history.minutes import Row
from agent.site.status import Cause
from agent.statement import text as statement_text
from agent.statement.check import decode, verify
from agent.statement.errors import StatementError
from agent.statement.period import parse_period
from agent.statement.statement import Statement, combine, state

SEPTEMBER = (unix("2025-09-01"), AT)


def month(span: tuple[int, int], *, deployed: float = 50.0, uplift: float = 0.0, **lost: float) -> list[Row]:
    """Return hours with losses by cause, in shares of deployed."""
    losses_hs = {Cause(cause): share * deployed * EH for cause, share in lost.items()}
    operating_hs = deployed * EH - sum(losses_hs.values()) + uplift * EH
    changed = hours(*span, deployed_hs=deployed * EH, operating_hs=operating_hs, known_hs=deployed * EH)
    return [replace(each, losses_hs=losses_hs, uplift_hs=uplift * EH) for each in changed]


def october(rows: Sequence[Row], *, now: float = LATER, site: str = "alpha") -> Statement:
    """Return October's statement."""
    return state(Kept(rows, site), OCTOBER_PERIOD, now=now)


@pytest.mark.parametrize(
    ("september", "in_october", "expected"),
    [
        (
            {"curtailed": 0.046, "stopped": 0.04},
            {"curtailed": 0.04, "stopped": 0.0382},
            (
                "2025-09: 91.40 % of 50.00 EH/s deployed (floor 91.40 %);"
                " 2025-10 is 0.78 points higher, mostly less curtailed (-0.60 points)."
            ),
        ),
        (
            {"stopped": 0.05},
            {"stopped": 0.05, "unreachable": 0.02, "missing_boards": 0.01},
            (
                "2025-09: 95.00 % of 50.00 EH/s deployed (floor 95.00 %);"
                " 2025-10 is 3.00 points lower, mostly more unreachable (+2.00 points)."
            ),
        ),
        (
            {"missing_boards": 0.06},
            {"missing_boards": 0.01, "stopped": 0.04},
            (
                "2025-09: 94.00 % of 50.00 EH/s deployed (floor 94.00 %);"
                " 2025-10 is 1.00 points higher, mostly fewer missing boards (-5.00 points),"
                " against more stopped (+4.00 points)."
            ),
        ),
        (
            {"stopped": 0.05, "uplift": 1.0},
            {"stopped": 0.05},
            (
                "2025-09: 97.00 % of 50.00 EH/s deployed (floor 97.00 %);"
                " 2025-10 is 2.00 points lower, mostly less uplift (-2.00 points)."
            ),
        ),
        (
            {"stopped": 0.03, "starting": 0.03, "derated": 0.03},
            {"stopped": 0.02, "starting": 0.02, "derated": 0.02},
            (
                "2025-09: 91.00 % of 50.00 EH/s deployed (floor 91.00 %);"
                " 2025-10 is 3.00 points higher, in part less stopped (-1.00 points)."
            ),
        ),
        (
            {"stopped": 0.05, "deployed": 32.0},
            {"stopped": 0.05},
            "2025-09: 95.00 % of 32.00 EH/s deployed (floor 95.00 %); 2025-10 is the same to 0.01 points.",
        ),
    ],
)
def test_the_sentence(september: dict[str, float], in_october: dict[str, float], expected: str) -> None:
    """Ratio, deployed and floor of the month before; by how many points this one differs, and which loss moved it."""
    statement = october([*month(SEPTEMBER, **september), *month(OCTOBER, **in_october)])
    assert statement_text.before(statement) == expected
    assert expected in statement_text.markdown(statement)
    assert expected in " ".join(statement_text.table(statement).split())
    assert b'"before":{"period":"2025-09"' in msgspec.json.encode(statement)


def test_nothing_is_compared_with_what_was_hardly_watched() -> None:
    """Under 95 % of September's time there is no comparison, only the reason; at 95 % there is one."""
    whole = month(SEPTEMBER, stopped=0.05)
    for missing_hours, expected in (
        (37, "2025-09: history shows only 94.86 % of the time, too little to compare with."),
        (36, "2025-09: 95.00 % of 50.00 EH/s deployed (floor 90.25 %); 2025-10 is 1.00 points higher,"),
    ):
        statement = october([*whole[missing_hours:], *month(OCTOBER, stopped=0.04)])
        assert statement_text.before(statement).startswith(expected)


def test_a_month_that_was_hardly_watched_itself_is_not_compared() -> None:
    """October with half its time watched is not held against September."""
    statement = october([*month(SEPTEMBER, stopped=0.05), *month((AT, AT + 15 * DAY_S), stopped=0.04)])
    assert statement_text.before(statement).endswith("; too little of 2025-10 was watched to compare them.")


def test_a_month_that_goes_on() -> None:
    """Month to date is compared so far."""
    now = AT + 10 * DAY_S
    statement = october([*month(SEPTEMBER, stopped=0.05), *month((AT, now), stopped=0.04)], now=now)
    assert "; 2025-10 so far is 1.00 points higher, mostly less stopped" in statement_text.before(statement)


def test_without_rows_there_is_no_sentence() -> None:
    """No rows of September, rows that cannot be, and a last minute that may not be written: nothing is said."""
    rows = month(OCTOBER, stopped=0.05)
    broken = [replace(each, operating_hs=2 * each.deployed_hs) for each in month(SEPTEMBER, stopped=0.05)]
    for statement in (
        october(rows),
        october([*broken, *rows]),
        october([*month(SEPTEMBER, stopped=0.05), *rows[:1]], now=AT + 90.0),
    ):
        assert statement.before is None
        assert statement_text.before(statement) == ""
        assert "2025-09" not in statement_text.table(statement)


def test_simulated_units_and_doubts_are_named() -> None:
    """September with simulated units, or with a ledger that contradicts it, says so."""
    simulated = [replace(each, simulated_units=5.0) for each in month(SEPTEMBER, stopped=0.05)]
    assert "(floor 95.00 %, with simulated units)" in statement_text.before(
        october([*simulated, *month(OCTOBER, stopped=0.05)])
    )
    rows = [*month(SEPTEMBER, stopped=0.05), *month(OCTOBER, stopped=0.05)]
    doubted = state(Kept(rows), OCTOBER_PERIOD, now=LATER, course=course((49.0, None, None)))
    assert "(floor 95.00 %, in doubt: ledger)" in statement_text.before(doubted)


def test_sites_are_combined_by_their_hashrate() -> None:
    """A fleet's September is the sum of its sites; it is left out where one site has none."""
    large = october([*month(SEPTEMBER, stopped=0.02), *month(OCTOBER, stopped=0.02)])
    small = october(
        [*month(SEPTEMBER, deployed=10.0, stopped=0.5), *month(OCTOBER, deployed=10.0, stopped=0.2)], site="beta"
    )
    new = october(month(OCTOBER, deployed=10.0, stopped=0.1), site="gamma")
    both = combine([small, large], now=LATER)
    assert statement_text.before(both) == (
        "2025-09: 90.00 % of 60.00 EH/s deployed (floor 90.00 %);"
        " 2025-10 is 5.00 points higher, mostly less stopped (-5.00 points)."
    )
    assert decode(msgspec.json.encode(both), "both.json") == both
    assert combine([both, new], now=LATER).before is None


def test_a_site_that_was_hardly_watched_is_named() -> None:
    """In a fleet it is said of which site there is too little."""
    sites = [
        october([*month(SEPTEMBER, stopped=0.02)[hours_:], *month(OCTOBER, stopped=0.02, deployed=size)], site=site)
        for site, hours_, size in (("alpha", 0, 50.0), ("beta", 360, 10.0))
    ]
    assert statement_text.before(combine(sites, now=LATER)) == (
        "2025-09: history shows only 50.00 % of the time of beta, too little to compare with."
    )


# Verified

ROWS = [*month(SEPTEMBER, stopped=0.05), *month(OCTOBER, stopped=0.04)]


def test_it_is_recomputed_where_history_has_its_rows() -> None:
    """The same rows verify; a changed row of September is found although October is as it was."""
    statement = october(ROWS)
    assert verify(statement, Kept(ROWS), OCTOBER_PERIOD) == []
    changed = [*month((SEPTEMBER[0], SEPTEMBER[0] + HOUR_S), stopped=0.06), *ROWS[1:]]
    found = verify(statement, Kept(changed), OCTOBER_PERIOD)
    assert [each.partition(":")[0] for each in found] == [
        "2025-09 inputs",
        "2025-09 operating_hs",
        "2025-09 losses_hs",
        "2025-09 floor_hs",
    ]


def test_rows_that_were_deleted_since_leave_it_unchecked() -> None:
    """A history that begins later says nothing of September, neither that it holds nor that it does not."""
    statement = october(ROWS)
    for kept in (ROWS[-31 * 24 :], ROWS[100:]):
        assert verify(statement, Kept(kept), OCTOBER_PERIOD) == []


def test_without_the_ledger_what_it_said_is_left_unchecked() -> None:
    """Gaps of September by the ledger are recomputed with it only."""
    rows = [*ROWS[:100], *ROWS[110:]]
    ledger = course((50.0, None, None))
    statement = state(Kept(rows), OCTOBER_PERIOD, now=LATER, course=ledger)
    assert verify(statement, Kept(rows), OCTOBER_PERIOD, course=ledger) == []
    assert verify(statement, Kept(rows), OCTOBER_PERIOD) == []
    grown = course((50.0, None, None), (5.0, "2025-09-01", "2025-09-30"))
    found = verify(statement, Kept(rows), OCTOBER_PERIOD, course=grown)
    assert any(each.startswith("2025-09 whole_hs") for each in found)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"period": "2025-08"}, "the period before 2025-10 is 2025-09, not 2025-08"),
        ({"parts": ()}, "the sites of 2025-09 are not those of 2025-10"),
    ],
)
def test_a_strange_period_before_is_refused(changes: dict[str, object], reason: str) -> None:
    """It must be the period before, of the same sites."""
    statement = october(ROWS)
    assert statement.before is not None
    edited = msgspec.structs.replace(statement, before=msgspec.structs.replace(statement.before, **changes))
    with pytest.raises(StatementError, match=reason):
        decode(msgspec.json.encode(edited), "october.json")


def test_an_edited_figure_is_found() -> None:
    """A figure of September that was edited does not verify; one that cannot be is refused at once."""
    statement = october(ROWS)
    assert statement.before is not None
    (part,) = statement.before.parts
    edited = msgspec.structs.replace(part, operating_hs=49 * EH)
    whole = msgspec.structs.replace(statement, before=msgspec.structs.replace(statement.before, parts=(edited,)))
    found = verify(decode(msgspec.json.encode(whole), "october.json"), Kept(ROWS), OCTOBER_PERIOD)
    assert found == ["2025-09 operating_hs: stated 4.9e+19, history gives 4.75e+19"]
    text = msgspec.json.encode(statement).replace(b'"watched_s":2592000.0', b'"watched_s":-1.0')
    with pytest.raises(StatementError, match="a figure of alpha in 2025-09 is not a number of 0 or more"):
        decode(text, "october.json")


def test_a_doubt_that_was_left_out_is_found() -> None:
    """Containers that do not add up are a doubt. Once their rows are deleted it cannot be seen any more, and holds."""
    short = hours(*SEPTEMBER, deployed_hs=40 * EH, operating_hs=40 * EH)
    doubted = Kept(ROWS, containers={"C1": short})
    statement = state(doubted, OCTOBER_PERIOD, now=LATER)
    assert "(floor 95.00 %, in doubt: containers)" in statement_text.before(statement)
    assert verify(statement, doubted, OCTOBER_PERIOD) == []
    assert verify(statement, Kept(ROWS), OCTOBER_PERIOD) == []
    assert verify(october(ROWS), doubted, OCTOBER_PERIOD) == ["2025-09 doubts: containers is not stated"]


def test_quarters_and_years_have_theirs() -> None:
    """The quarter before a quarter; a year whose year before is not in history has none."""
    rows = month((unix("2025-04-01"), unix("2025-10-01")), stopped=0.05)
    statement = state(Kept(rows), parse_period("2025-Q3", ZoneInfo("UTC")), now=LATER)
    assert statement_text.before(statement).startswith("2025-Q2: 95.00 % of 50.00 EH/s deployed")
    assert state(Kept(rows), parse_period("2025", ZoneInfo("UTC")), now=LATER).before is None
