"""Nameplates in a statement: rows that are off, what the ratio is by the units' own word, and who acknowledged it."""

import math
from typing import Any

import msgspec
import pytest
from history_cases import AT, DAY_S, PH, hours
from hypothesis import given
from hypothesis import strategies as st
from statement_cases import LATER, OCTOBER, OCTOBER_PERIOD, Kept, nameplates_fact, shown

from agent.history.chain.links import Fact
from agent.history.minutes import Row
from agent.site.nameplates import FACT, GROUPS_KEPT, UNITS_NAMED, Group, Sums, WordSource
from agent.statement import text as statement_text
from agent.statement.check import decode, verify
from agent.statement.errors import StatementError
from agent.statement.gates import NAMEPLATES
from agent.statement.nameplates import LOOK_BACK_S, CheckedNameplates, checked_nameplates, is_missing
from agent.statement.statement import Statement, combine, state

TH = 1e12
MONTH_S = 31 * DAY_S
S21 = Group(
    model="S21",
    row_hs=151 * TH,
    own_hs=200 * TH,
    source=WordSource.RATE_IDEAL,
    units=48,
    named=tuple(f"c1-{number:02}" for number in range(48)),
)
WRONG = {
    "units": 96,
    "units_checked": 90,
    "units_differing": 48,
    "row_hs": 48 * 351 * TH,
    "own_hs": 96 * 200 * TH,
    "groups": (S21,),
}
RIGHT = {"units": 96, "units_checked": 96, "row_hs": 96 * 200 * TH, "own_hs": 96 * 200 * TH}


def wrong(at: float = AT, **changes: Any) -> Fact:
    """Return a fact of a site half of whose rows have a bin of 151 TH/s for units that say 200."""
    return nameplates_fact(at, **(WRONG | changes))


def month(deployed_hs: float = 48 * 351 * TH, ratio: float = 0.8407) -> list[Row]:
    """Return October of a site."""
    operating_hs = ratio * 48 * 351 * TH
    return hours(*OCTOBER, deployed_hs=deployed_hs, operating_hs=operating_hs, known_hs=deployed_hs)


def october(*facts: Fact, acknowledged: tuple[str, ...] = (), is_draft: bool = False, site: str = "alpha") -> Statement:
    """Return the statement of October of such a site."""
    kept = Kept(month(), site, facts=facts)
    return state(kept, OCTOBER_PERIOD, now=LATER, is_draft=is_draft, acknowledged=acknowledged)


DOUBT = (
    "alpha: the rows of 48 units are more than 3 % off what the unit itself says (48 units: S21 of 151 TH/s in the"
    " ledger, 200 TH/s by their own word (rate_ideal)):"
    " the ratio is 84.07 % by the rows, 73.77 % by the units' own word"
)


def test_151_for_200_is_not_published_unseen() -> None:
    """It is refused with the effect, and published with the name of the doubt, which stays in the document."""
    with pytest.raises(StatementError) as refused:
        october(wrong())
    assert str(refused.value) == f"not to be published: {DOUBT} (to publish all the same: --acknowledge nameplates)"
    published = october(wrong(), acknowledged=(NAMEPLATES,))
    assert published.acknowledged == (NAMEPLATES,)
    assert published.notes == (
        f"{DOUBT}. Acknowledged by the publisher.",
        "alpha: 6 of 96 units say nothing of their nameplate.",
    )
    assert decode(msgspec.json.encode(published), "s.json") == published
    unacknowledged = msgspec.structs.replace(published, acknowledged=(), notes=(f"{DOUBT}.", published.notes[1]))
    with pytest.raises(StatementError, match="--acknowledge nameplates"):
        decode(msgspec.json.encode(unacknowledged), "s.json")
    assert october(wrong(), is_draft=True).notes[0] == f"{DOUBT}."


def test_the_statement_shows_both_ratios_and_the_units() -> None:
    """In every form: the ratio by the rows, by the units' own word, and which units."""
    statement = october(wrong(), acknowledged=(NAMEPLATES,))
    lines = shown(statement)
    assert lines["Operational efficiency"][0] == "84.07 %"
    assert lines["by units' own word"] == ("73.77 %", "", "of their nameplates, not their rows'; floor 73.77 %")
    assert statement.figures.operational_efficiency_own_ratio == pytest.approx(0.8407 * 351 / 400)
    line = (
        "alpha: 48 units: S21 of 151 TH/s in the ledger, 200 TH/s by their own word (rate_ideal), over 1,488.0 unit"
        " days: c1-00, c1-01, c1-02, c1-03, c1-04 and 43 more"
    )
    assert f"Nameplates of {line}\n" in statement_text.table(statement)
    assert f"- Nameplates of {line}\n" in statement_text.markdown(statement)
    assert f'nameplates,"{line}"\n' in statement_text.csv(statement)
    assert statement.parts[0].nameplates is not None
    assert statement.parts[0].nameplates.groups[0].named == S21.named


def test_the_verdict_says_if_it_rests_on_the_rows() -> None:
    """91 % by the rows is not above the line by the units' own word."""
    kept = Kept(month(ratio=0.91), facts=[wrong()])
    above = state(kept, OCTOBER_PERIOD, now=LATER)
    assert above.figures.is_above_target is True
    verdict = shown(above)["Operational efficiency"][2]
    assert verdict == "above the 90 % line by the floor, uplift netted; not by the units' own word"


def test_units_that_agree_change_nothing() -> None:
    """No line, no note, no figure: what everybody says is what is stated."""
    agreeing = october(nameplates_fact(AT, **RIGHT))
    assert (agreeing.notes, agreeing.acknowledged) == ((), ())
    assert agreeing.figures.operational_efficiency_own_ratio is None
    assert "own word" not in statement_text.table(agreeing)
    assert "Nameplates" not in statement_text.table(agreeing)


def test_a_history_from_before_says_that_nothing_was_checked() -> None:
    """It is a note, closes no gate, and stays apart from a statement that is older than the check."""
    unchecked = october()
    assert unchecked.notes == ("alpha: nameplates were not checked: history has nothing of what units say of theirs.",)
    assert unchecked.parts[0].nameplates == CheckedNameplates()
    older = msgspec.structs.replace(unchecked.parts[0], nameplates=None)
    assert not is_missing(3, [older.nameplates])
    assert is_missing(4, [CheckedNameplates(), older.nameplates])
    assert not is_missing(4, [CheckedNameplates()])


def test_a_little_off_needs_no_acknowledgement() -> None:
    """195 TH/s for 200 on every row is within 3 %, and the ratio by the units' own word is there all the same."""
    group = msgspec.structs.replace(S21, row_hs=195 * TH, units=96)
    statement = october(nameplates_fact(AT, **(RIGHT | {"row_hs": 96 * 195 * TH, "groups": (group,)})))
    assert statement.acknowledged == ()
    assert shown(statement)["by units' own word"][0] == "81.97 %"
    assert "Nameplates" not in statement_text.table(statement)


@pytest.mark.parametrize(
    ("facts", "share"),
    [
        # Put right on the last day: a month is what it was.
        ((wrong(AT), nameplates_fact(AT + 30 * DAY_S, **RIGHT)), 30 / 31),
        ((nameplates_fact(AT, **RIGHT), wrong(AT + 15.5 * DAY_S)), 0.5),
        # One from the day before holds until the next; one from before that says nothing.
        ((wrong(AT - DAY_S), nameplates_fact(AT + DAY_S, **RIGHT)), 1 / 31),
        ((wrong(AT - LOOK_BACK_S - 1), nameplates_fact(AT + DAY_S, **RIGHT)), 0.0),
        ((wrong(AT - 2 * 3600), nameplates_fact(AT - 3600, **RIGHT)), 0.0),
        # Nothing before the first fact: that time counts like the rest.
        ((wrong(AT + 10 * DAY_S),), 1.0),
        # Beyond the end.
        ((nameplates_fact(AT, **RIGHT), wrong(AT + MONTH_S)), 0.0),
    ],
)
def test_each_fact_counts_with_its_time(facts: tuple[Fact, ...], share: float) -> None:
    """Deployed by the units' own word is weighted by how long they said so."""
    found = checked_nameplates(Kept(month(), facts=facts), AT, AT + MONTH_S)
    is_doubtful = share > 0
    assert found.is_doubtful is is_doubtful
    held = sum(group.unit_s for group in found.groups)
    assert held == pytest.approx(48 * found.checked_s * share)
    assert found.own - found.row == pytest.approx(48 * 49 * TH * found.checked_s * share)


def test_growth_is_weighed() -> None:
    """Ten wrong rows of ten for half a month and ten of a hundred for the other half are ten of 55."""
    group = msgspec.structs.replace(S21, units=10, named=())
    facts = [
        wrong(AT, row_hs=10 * 151 * TH, own_hs=10 * 200 * TH, groups=(group,)),
        wrong(AT + MONTH_S / 2, row_hs=100 * 151 * TH, own_hs=(10 * 200 + 90 * 151) * TH, groups=(group,)),
    ]
    found = checked_nameplates(Kept(month(), facts=facts), AT, AT + MONTH_S)
    assert found.factor == pytest.approx(1 + 10 * 49 / (55 * 151))


GROUPS = st.builds(
    lambda model, row_th, own_th, units: Group(
        model=model,
        row_hs=row_th * TH,
        own_hs=own_th * TH,
        source=WordSource.RATE_SALE,
        units=units,
        named=tuple(f"{model}-{row_th}-{own_th}-{number}" for number in range(units)),
    ),
    st.sampled_from(["S21", "T21", "S21 Pro"]),
    st.integers(100, 300),
    st.integers(100, 300),
    st.integers(1, 30),
)


@given(
    st.lists(st.tuples(st.integers(0, MONTH_S - 1), st.lists(GROUPS, max_size=60)), min_size=1, max_size=8),
    st.integers(0, 10**4),
)
def test_groups_sum_to_the_effect(days: list[tuple[int, list[Group]]], rest: int) -> None:
    """Whatever the facts are, groups and the rest are the difference between own word and rows, and are bounded."""
    facts = []
    for at, groups in sorted(days, key=lambda day: day[0]):
        effect_hs = math.fsum(group.effect_hs for group in groups) + rest * TH
        row_hs = 1e6 * TH
        facts.append(wrong(AT + at, groups=tuple(groups), row_hs=row_hs, own_hs=row_hs + effect_hs, other_hs=rest * TH))
    found = checked_nameplates(Kept(month(), facts=facts), AT, AT + MONTH_S)
    total = math.fsum((*(group.effect for group in found.groups), found.other))
    assert total == pytest.approx(found.own - found.row, rel=1e-6, abs=TH)
    assert len(found.groups) <= GROUPS_KEPT
    assert sum(len(group.named) for group in found.groups) <= UNITS_NAMED
    assert found.checked_s == MONTH_S - min(at for at, _ in days)


def test_verify_recomputes_it_from_the_facts() -> None:
    """A changed, deleted or added fact is found, and so is a changed document; history that stayed holds."""
    published = october(wrong(), acknowledged=(NAMEPLATES,))
    assert verify(published, Kept(month(), facts=[wrong()]), OCTOBER_PERIOD) == []
    (deleted, *others) = verify(published, Kept(month(), facts=[]), OCTOBER_PERIOD)
    assert deleted == "nameplates, checked_s: stated 2.6784e+06, history gives 0"
    assert [each.split(":")[0].split(", ")[1] for each in others] == [
        *("units", "units_unknown", "units_differing", "row", "own", "groups"),
    ]
    changed = [wrong(own_hs=96 * 199 * TH)]
    assert [each.split(":")[0] for each in verify(published, Kept(month(), facts=changed), OCTOBER_PERIOD)] == [
        "nameplates, own"
    ]
    added = [wrong(), nameplates_fact(AT + DAY_S, **RIGHT)]
    assert verify(published, Kept(month(), facts=added), OCTOBER_PERIOD)
    nameplates = published.parts[0].nameplates
    assert nameplates is not None
    hidden = CheckedNameplates(checked_s=nameplates.checked_s, units=96, row=nameplates.row, own=nameplates.row)
    part = msgspec.structs.replace(published.parts[0], nameplates=hidden)
    document = msgspec.json.encode(msgspec.structs.replace(published, parts=(part,)))
    with pytest.raises(StatementError, match="operational_efficiency_own_ratio is"):
        decode(document, "s.json")


def test_a_month_under_way_is_verified_as_of_its_end() -> None:
    """Facts that came later are not in it."""
    now = AT + 10 * DAY_S
    rows = [each for each in month() if each.at < now]
    draft = state(Kept(rows, facts=[wrong()]), OCTOBER_PERIOD, now=now + 60.0)
    assert draft.parts[0].nameplates is not None
    assert draft.parts[0].nameplates.checked_s == 10 * DAY_S
    later = [wrong(), nameplates_fact(now + DAY_S, **RIGHT)]
    assert verify(draft, Kept(month(), facts=later), OCTOBER_PERIOD) == []


def test_a_fleet_keeps_the_doubt_of_each_site() -> None:
    """Combined, the ratio by the units' own word weighs sites by what they have deployed; the gate stays."""
    doubtful = october(wrong(), acknowledged=(NAMEPLATES,))
    rows = hours(*OCTOBER, deployed_hs=20 * PH, operating_hs=19 * PH, known_hs=20 * PH)
    sound = state(Kept(rows, "beta"), OCTOBER_PERIOD, now=LATER, is_draft=False)
    fleet = combine([doubtful, sound], now=LATER, is_draft=False)
    assert fleet.acknowledged == (NAMEPLATES,)
    operating_hs = 0.8407 * 48 * 351 * TH + 19 * PH
    assert fleet.figures.operational_efficiency_own_ratio == pytest.approx(operating_hs / (96 * 200 * TH + 20 * PH))
    draft = msgspec.structs.replace(doubtful, acknowledged=(), is_draft=True)
    with pytest.raises(StatementError, match="--acknowledge nameplates"):
        combine([draft, sound], now=LATER, is_draft=False)


def test_a_fact_that_is_none_is_refused_with_its_time() -> None:
    """Anything else under that name."""
    with pytest.raises(
        StatementError, match="the history of alpha: facts from 2025-10-01T00:00:00Z on: not a fact of nameplates"
    ):
        october(Fact(FACT, AT, {"units": "all"}))


def test_an_owner_s_statement_has_its_units_alone() -> None:
    """What another owner's rows say is in none of its figures."""
    north = msgspec.structs.replace(S21, owner="North")
    sums = {
        "North": Sums(units=48, units_checked=48, units_differing=48, row_hs=48 * 151 * TH, own_hs=48 * 200 * TH),
        "South": Sums(units=48, units_checked=42, units_differing=0, row_hs=48 * 200 * TH, own_hs=48 * 200 * TH),
    }
    kept = Kept(month(), facts=[wrong(groups=(north,), owners=sums)])
    of_north, of_south, site = (
        checked_nameplates(kept, AT, AT + MONTH_S, owner=owner) for owner in ("North", "South", None)
    )
    assert (of_north.factor, of_north.groups) == (pytest.approx(200 / 151), site.groups)
    assert (of_south.factor, of_south.groups, of_south.units_unknown) == (1.0, (), 6)
    assert of_north.row + of_south.row == pytest.approx(site.row)


def test_a_statement_of_a_later_format_must_say_whether_it_was_checked() -> None:
    """Taken out of a document, it is missed; a statement of format 3 had nothing of it, and holds."""
    part = msgspec.structs.replace(october(nameplates_fact(AT, **RIGHT)).parts[0], nameplates=None)
    older = october(nameplates_fact(AT, **RIGHT))
    content = msgspec.json.decode(msgspec.json.encode(msgspec.structs.replace(older, parts=(part,))))
    assert decode(msgspec.json.encode(content | {"format": 3}), "s.json").parts == (part,)
    assert is_missing(4, [CheckedNameplates(), None])
    assert not is_missing("4", [None])
