"""What a document says of its history: facts of the chain, the dated ledger, simulated units, energy."""

from typing import Any

import msgspec
import pytest
from document_cases import (
    DIGESTS,
    TWO,
    Chained,
    contents,
    entry,
    history,
    kept_facts,
    key_of,
    ledger_of,
    stated_document,
)
from history_cases import AT, DAY_S, hours
from statement_cases import LATER, OCTOBER, OCTOBER_PERIOD

from agent.history.chain.links import Fact
from agent.site.power import PowerSource
from agent.statement import text as statement_text
from agent.statement.gathering import BY_FACTS, BY_LEDGER, contents_of
from agent.statement.rest_text import rest_lines
from agent.statement.statement import state
from agent.statement.units import Simulated, appendix_csv, changes_of, events_of, simulated_of


def test_facts_are_listed() -> None:
    """Versions, clock, files in force, ledger changes, curtailments, gaps and repairs of the period."""
    found = contents(kept_facts())
    assert found.facts_since == AT - DAY_S
    assert [(run.version, run.since, run.starts) for run in found.agents or ()] == [("1.0.0", AT - DAY_S, 2)]
    assert [(each.key_id, each.since) for each in found.keys or ()] == [(key_of().public.id, AT - DAY_S)]
    assert found.clock is not None
    # The look before the period holds into it.
    assert (found.clock.worst_s, found.clock.worst_at, found.clock.looks) == (0.502, AT - DAY_S, 3)
    assert [(each.digest, each.since) for each in found.configs or ()] == [
        (DIGESTS["c"], AT - DAY_S),
        (DIGESTS["d"], AT + 5 * DAY_S),
    ]
    assert [(each.digest, each.since) for each in found.ledgers or ()] == [
        (DIGESTS["b"], AT - DAY_S),
        (DIGESTS["a"], AT + 3600),
    ]
    (change,) = found.ledger_changes or ()
    assert (change.at, change.added, change.added_count) == (AT + 3600, ("u2",), 1)
    (event,) = found.curtailments or ()
    assert (event.event, event.hours, event.energy_j, event.declared_by) == ("ended", 2.0, 3.6e10, "grid")
    assert event.is_modelled
    assert found.gaps is not None
    assert (found.gaps.count, found.gaps.seconds, found.gaps.listed[0].reason) == (1, 600.0, "crash")
    assert found.repairs == {"rate_capped": 4}
    assert [each.kind for each in found.chain_events] == ["restored"]
    assert found.absent.keys() == set(BY_LEDGER)


def test_what_is_not_kept_is_absent() -> None:
    """A history without facts says that they are not kept, and nothing of it is zero."""
    found = contents([])
    assert [getattr(found, name) for name in (*BY_FACTS, *BY_LEDGER)] == [None] * len((*BY_FACTS, *BY_LEDGER))
    assert found.absent["clock"] == "not kept: this history has no facts, or is of a version before them"
    assert found.absent["units"] == "no ledger was given"
    assert "alpha: clock, versions, ledgers in force and curtailments are not kept by this history." in (
        stated_document(history(facts=[])).remarks
    )


def test_facts_from_the_middle_of_the_period_on() -> None:
    """A history that keeps facts since the middle of the month says since when, and lists nothing as if it were all."""
    found = stated_document(history(facts=[Fact("start", AT + DAY_S, {"version": "1.0.0"})]))
    assert found.contents[0].curtailments == ()
    assert any("are kept from 2025-10-02T00:00:00Z on" in remark for remark in found.remarks)


@pytest.mark.parametrize(
    ("fact", "words"),
    [
        (Fact("clock", AT, {"offset_s": "late"}), "clock of 2025-10-01T00:00:00Z: Expected `float | null`"),
        (Fact("ledger", AT, {}), "ledger of 2025-10-01T00:00:00Z: Object missing required field `digest`"),
        (Fact("curtailment", AT, {"id": 1, "event": "begun"}), "Invalid enum value 'begun'"),
        (Fact("curtailment", AT, {"event": "ended"}), "Object missing required field `id`"),
        (Fact("gap", 10**15, {}), "gap: its time is 1000000000000000"),
        (Fact("key", AT, {"public": "AAAA"}), "key of 2025-10-01T00:00:00Z: Expected `bytes` of length >= 32"),
    ],
)
def test_a_malformed_fact_breaks_nothing(fact: Fact, words: str) -> None:
    """It is left out and named, in the contents and in a remark."""
    document = stated_document(history(facts=[*kept_facts(), fact]))
    (malformed,) = document.contents[0].malformed
    assert words in malformed
    assert any("alpha: 1 facts could not be read" in remark for remark in document.remarks)


def test_facts_of_later_versions_are_counted() -> None:
    """A kind of fact that this version does not know is counted and named."""
    document = stated_document(history(facts=[*kept_facts(), Fact("weather", AT, {"wind": 3})]))
    assert document.contents[0].unknown_facts == {"weather": 1}
    assert "alpha: facts that this version does not know are left out: weather." in document.remarks


def test_removals_dated_back_are_listed() -> None:
    """30 units removed in December as of October are a change of the ledger that the document names."""
    december = OCTOBER[1] + 40 * DAY_S
    change = {"digest": DIGESTS["c"], "before": DIGESTS["a"], "removed": [f"u{n}" for n in range(30)]}
    fact = Fact("ledger", december, change | {"removed_count": 30, "units": 0, "deployed_hs": 0.0})
    document = stated_document(history(facts=[*kept_facts(), fact]), ledger=ledger_of(digest=DIGESTS["c"]))
    last = (document.contents[0].ledger_changes or ())[-1]
    assert (last.at, last.removed_count, len(last.removed)) == (december, 30, 30)
    assert "alpha: the ledger was changed 1 times after the period, last 2025-12-11T00:00:00Z." in document.remarks


def test_a_ledger_that_the_agent_never_had() -> None:
    """A statement by a ledger that was never in force says so; one by the ledger in force does not."""
    words = "alpha: the ledger that this rests on was never in force at the agent"
    strange = stated_document(ledger=ledger_of(digest="e" * 64)).remarks
    assert any(remark.startswith(words) for remark in strange)
    assert not any(remark.startswith(words) for remark in stated_document(ledger=ledger_of()).remarks)


def test_a_clock_that_was_not_synchronized() -> None:
    """Looks that found the clock free-running, or could not tell, are counted in a remark."""
    loose = Fact("clock", AT + DAY_S, {"source": None, "is_synchronized": None, "offset_s": None, "error_s": None})
    found = stated_document(history(facts=[Fact("start", AT - 1, {"version": "1"}), loose]))
    assert "alpha: the clock was not known to be synchronized at 1 of 1 looks." in found.remarks
    assert found.contents[0].clock is not None
    assert found.contents[0].clock.worst_s is None


@pytest.mark.parametrize(
    ("changes", "is_listed"),
    [
        ({"from": OCTOBER[0] - 7200, "until": OCTOBER[0]}, False),
        ({"from": OCTOBER[0] - 7200, "until": OCTOBER[0] + 1}, True),
        ({"from": OCTOBER[1] - 1, "until": None}, True),
        ({"from": OCTOBER[1], "until": None}, False),
        ({"from": None, "until": None}, True),
    ],
)
def test_curtailments_that_touch_the_period(changes: dict[str, Any], *, is_listed: bool) -> None:
    """An event counts in the period that it touches; one that ends with its first second does not."""
    start = Fact("start", AT - DAY_S, {"version": "1"})
    event = Fact("curtailment", AT, {"id": "e1", "event": "declared", **changes})
    assert bool(contents([start, event]).curtailments) is is_listed


def test_what_is_said_last_of_a_curtailment_counts() -> None:
    """An end that was called off is none any more; who declared it and why stay."""
    start = Fact("start", AT - DAY_S, {"version": "1"})
    said = {"id": "e1", "from": AT, "declared_by": "grid", "reason": "price"}
    first = Fact("curtailment", AT, {**said, "event": "declared", "until": AT + 7200, "hours": 2.0})
    changed = Fact("curtailment", AT + 60, {"id": "e1", "from": AT, "event": "changed", "until": None, "hours": None})
    (event,) = contents([start, first, changed]).curtailments or ()
    assert (event.event, event.until, event.hours, event.declared_by) == ("changed", None, None, "grid")


def test_a_change_of_the_ledger_that_was_not_seen() -> None:
    """An agent that starts with another ledger and does not know the rows before says so, and never nought."""
    fact = Fact("ledger", AT + 60, {"digest": DIGESTS["d"], "before": DIGESTS["a"], "added": None, "added_count": None})
    document = stated_document(history(facts=[*kept_facts(), fact]))
    change = (document.contents[0].ledger_changes or ())[0]
    assert (change.at, change.added, change.added_count) == (AT + 60, None, None)
    assert "alpha: ledger changed 2025-10-01T00:01:00Z: what is not known" in list(rest_lines(document))


def test_an_owner_is_told_nothing_of_other_owners_units() -> None:
    """Changes of the ledger and curtailments have their times; units, scopes and counts of the whole site do not."""
    source = history()
    part = state(source, OCTOBER_PERIOD, now=LATER).parts[0]
    owners = msgspec.structs.replace(part, owner="Customer")
    found = contents_of(source, owners, ledger_of((entry("u1", None),)))
    (change,), (event,) = found.ledger_changes or (), found.curtailments or ()
    assert (change.at, change.added, change.added_count, change.units) == (AT + 3600, None, None, None)
    assert (event.scope, event.energy_j, event.curtailed_hashes, event.hours) == (None, None, None, 2.0)
    assert found.repairs is None
    assert found.absent.keys() == {"repairs"}
    assert "'u2'" not in str(found)


# The ledger


def test_units_by_the_dated_ledger() -> None:
    """Entered, left and in maintenance, each within the period; a unit whose rows follow on each other did neither."""
    entries = (
        entry("always", None),
        entry("new", AT + DAY_S),
        entry("first", OCTOBER[0]),
        entry("later", OCTOBER[1]),
        entry("gone", None, AT + 2 * DAY_S),
        entry("gone-before", None, OCTOBER[0]),
        entry("moved", None, AT + 3 * DAY_S),
        entry("moved", AT + 3 * DAY_S),
        entry("mended", None, AT + 4 * DAY_S),
        entry("mended", AT + 4 * DAY_S, AT + 5 * DAY_S, is_in_maintenance=True),
        entry("mended", AT + 5 * DAY_S),
    )
    assert appendix_csv(events_of(entries, *OCTOBER)) == (
        "unit,event,at,until,model,hashrate_hs\n"
        "first,entered,2025-10-01T00:00:00Z,,S21,2.5e+16\n"
        "gone,left,2025-10-03T00:00:00Z,,S21,2.5e+16\n"
        "gone-before,left,2025-10-01T00:00:00Z,,S21,2.5e+16\n"
        "mended,maintenance,2025-10-05T00:00:00Z,2025-10-06T00:00:00Z,S21,2.5e+16\n"
        "new,entered,2025-10-02T00:00:00Z,,S21,2.5e+16\n"
    )
    units = changes_of(events_of(entries, *OCTOBER))
    assert (units.entered, units.left, units.in_maintenance, units.appendix_rows) == (2, 2, 1, 5)


def test_deployed_by_the_ledger_at_every_moment() -> None:
    """The document has deployed in steps, from which a course gives the same work to the last bit."""
    declared = ledger_of((entry("u1", None), entry("u2", AT + DAY_S, AT + 3 * DAY_S), entry("u3", OCTOBER[1] + 5)))
    steps = declared.course.steps(*OCTOBER)
    assert steps == ((float(AT), 25 * 10**15), (AT + float(DAY_S), 50 * 10**15), (AT + 3.0 * DAY_S, 25 * 10**15))
    again = type(declared.course).of_steps(steps, digest="x")
    for begin, end in ((AT, OCTOBER[1]), (AT + 7, AT + 2 * DAY_S + 9), (AT + 3 * DAY_S, AT + 3 * DAY_S + 60)):
        assert again.hashes(begin, end) == declared.course.hashes(begin, end)
    late = ledger_of((entry("u1", AT + 2 * DAY_S),)).course
    stepped = type(late).of_steps(late.steps(*OCTOBER), digest="x")
    assert stepped.first_deployed_at(*OCTOBER) == late.first_deployed_at(*OCTOBER) == AT + 2 * DAY_S


@pytest.mark.parametrize(
    "changes",
    [{"host": "127.0.0.9"}, {"host": "::1"}, {"serial": "SIMABCDEFGHJ00001"}, {"is_simulated": True}],
    ids=["loopback", "loopback 6", "serial", "marked"],
)
def test_simulated_units_are_recognised(changes: dict[str, Any]) -> None:
    """By address, serial number or mark, although history counted them as real; the note stands before all else."""
    declared = ledger_of((entry("u1", None), entry("s1", None, **changes)))
    document = stated_document(ledger=declared)
    assert document.contents[0].simulated == Simulated(units=1, of_units=2, ids=("s1",))
    assert document.statement.figures.simulated_units == 0
    words = (
        "SIMULATED: alpha: 1 of 2 units of the ledger are simulated, by mark, loopback address or serial number: s1."
    )
    assert document.remarks[0] == words
    for form in (statement_text.table, statement_text.markdown):
        text = form(document.statement, remarks=document.remarks, rest=list(rest_lines(document)))
        assert text.index("SIMULATED") < text.index("Deployed")


def test_many_simulated_units_are_a_bounded_list() -> None:
    """The list has at most 200 ids; the count is of all."""
    many = simulated_of([entry(f"s{number:04}", None, is_simulated=True) for number in range(300)], *OCTOBER)
    assert (many.units, len(many.ids)) == (300, 200)
    past = simulated_of([*TWO, entry("s1", None, AT, is_simulated=True)], *OCTOBER)
    assert (past.units, past.of_units) == (0, 2)


def test_what_the_ledger_says_of_the_future_is_left_out() -> None:
    """A statement of the month to date counts no unit that enters or leaves later in the month."""
    rows = hours(AT, AT + 10 * DAY_S)
    source = Chained(rows, kept_facts())
    declared = ledger_of((*TWO, entry("u3", AT + 5 * DAY_S), entry("u4", AT + 20 * DAY_S)))
    stated = state(source, OCTOBER_PERIOD, now=AT + 10 * DAY_S + 70.0, course=declared.course)
    found = contents_of(source, stated.parts[0], declared)
    assert found.units is not None
    assert (found.units.entered, len(found.deployed_steps or ())) == (1, 2)


# Energy and words


def test_energy_has_its_error_and_says_what_it_leaves_out() -> None:
    """The maker's tolerance counts for what rests on firmware or nameplate, and for no instrument."""
    watts = {PowerSource.METERED: 100e3, PowerSource.MODELLED: 300e3}
    energy = stated_document(history(watts=watts)).contents[0].energy
    assert {source: each.error_ratio for source, each in energy.by_source.items()} == {
        PowerSource.METERED: None,
        PowerSource.MEASURED: None,
        PowerSource.ESTIMATED: 0.05,
        PowerSource.MODELLED: 0.05,
    }
    assert energy.by_source[PowerSource.METERED].joules == pytest.approx(100e3 * 31 * DAY_S)
    assert energy.unread_units_ratio == pytest.approx(15 / 250)
    assert any("cooling" in words for words in energy.outside)


def test_the_rest_in_words() -> None:
    """A table has below its figures what they rest on."""
    document = stated_document(ledger=ledger_of())
    lines = list(rest_lines(document))
    assert "alpha: clock by chrony, at worst 0.502 s off at 2025-09-30T00:00:00Z" in lines
    assert f"alpha: ledger sha256 {DIGESTS['a']}, from 2025-10-01T01:00:00Z" in lines
    assert "alpha: ledger changed 2025-10-01T01:00:00Z: 1 added (u2)" in lines
    curtailed = "2.00 h, 10.00 MWh modelled from nameplates, ended, by grid"
    assert f"alpha: curtailment 2025-10-01T12:00:00Z to 2025-10-01T14:00:00Z, {curtailed}" in lines
    assert "alpha: repairs and caps that touched figures: rate_capped 4" in lines
    assert any(
        line.startswith("alpha: kept by hashsight 1.0.0, commit ffffffffffff, from 2025-09-30") for line in lines
    )
    table = statement_text.table(document.statement, remarks=document.remarks, rest=lines)
    assert "! alpha: the history was restored from a backup 2025-10-08T00:00:00Z." in table
    assert "rests_on," in statement_text.csv(document.statement, rest=lines)
