"""A document against its history, and against what was exported of it."""

import json
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from document_cases import (
    DIGESTS,
    SOFTWARE,
    TWO,
    Chained,
    chain_text,
    combined_document,
    entry,
    head_of,
    history,
    kept_facts,
    key_of,
    ledger_of,
    rows_text,
    stated_document,
    with_gaps,
)
from history_cases import AT, DAY_S, PH, hours
from statement_cases import LATER, OCTOBER, OCTOBER_PERIOD

from agent.history.chain.links import Fact, LinkKind, canonical, fact_body
from agent.history.minutes import Row
from agent.statement.document import Document, document_of
from agent.statement.errors import StatementError
from agent.statement.gathering import contents_of
from agent.statement.period import parse_period
from agent.statement.statement import state
from agent.statement.verifying import Verified, verify_with_exports, verify_with_history


def exported(document: Document, source: Chained, **more: Any) -> Verified:
    """Verify a document with the rows and the chain of a source."""
    rows, chain = (rows_text(source), "rows.csv"), (chain_text(source, more.pop("heads", ())), "chain.jsonl")
    return verify_with_exports(document, source.site, rows, chain, **more)


def test_a_document_holds_with_its_history() -> None:
    """Figures, contents, ledger and chain are computed again; nothing is left unchecked."""
    document = stated_document(ledger=ledger_of())
    assert verify_with_history(document, history(), OCTOBER_PERIOD, declared=ledger_of()) == Verified([], [])
    without = verify_with_history(document, history(), OCTOBER_PERIOD, declared=None)
    assert without == Verified([], ["the ledger"])


def test_it_holds_after_history_went_on() -> None:
    """Facts and rows that came later change nothing: the document names the link up to which it counts."""
    document = stated_document(ledger=ledger_of())
    source = Chained(hours(*OCTOBER), kept_facts())
    later = Fact("curtailment", AT + DAY_S, {"id": 8, "event": "declared", "from": AT + DAY_S, "until": None})
    source._links.append(source._links[0]._replace(seq=len(source._links) + 1, at=later.at, body=fact_body(later)))
    assert verify_with_history(document, source, OCTOBER_PERIOD, declared=ledger_of()).differences == []
    assert exported(document, source).differences == []


def test_a_month_that_goes_on_holds() -> None:
    """A draft of the month to date goes on to hold while the month goes on."""
    rows = hours(AT, AT + 10 * DAY_S)
    source = Chained(rows, kept_facts())
    stated = state(source, OCTOBER_PERIOD, now=AT + 10 * DAY_S + 70.0)
    document = document_of(
        stated, software=SOFTWARE, contents=[contents_of(source, stated.parts[0], None)], key=key_of()
    )
    whole = Chained(hours(*OCTOBER), kept_facts())
    assert verify_with_history(document, whole, OCTOBER_PERIOD, declared=None).differences == []
    assert exported(document, whole).differences == []


EDITED = AT + 5 * DAY_S


def _edited_row(number: int, **changes: Any) -> Chained:
    rows = hours(*OCTOBER)
    rows[number] = hours(rows[number].at, rows[number].at + 1, **changes)[0]
    source = history()
    source._values = [each.values() for each in rows]
    return source


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"operating_hs": 50 * PH, "losses_hs": {}}, "row of 2025-10-05T04:00:00Z: it is not as it was chained"),
        ({"watts": {}}, "row of 2025-10-05T04:00:00Z: it is not as it was chained"),
    ],
)
def test_an_edited_row_is_named(changes: dict[str, Any], words: str) -> None:
    """A row that was edited to hold in itself is named by its time, with and without the history."""
    document, source = stated_document(), _edited_row(100, **changes)
    for found in (verify_with_history(document, source, OCTOBER_PERIOD, declared=None), exported(document, source)):
        assert words in found.differences
        assert found.differences[0].startswith("digest: stated ")


def test_rows_that_are_missing_or_new() -> None:
    """A deleted row and an inserted one are named by their times."""
    document = stated_document()
    source = history()
    source._values = [*(each for each in source._values if each[0] != EDITED)]
    assert "row of 2025-10-06T00:00:00Z: it is in the chain and no longer in the history" in (
        verify_with_history(document, source, OCTOBER_PERIOD, declared=None).differences
    )
    gap: list[Row] = [each for each in hours(*OCTOBER) if each.at != EDITED]
    document, source = stated_document(Chained(gap, kept_facts())), Chained(gap, kept_facts())
    source._values = [each.values() for each in hours(*OCTOBER)]
    assert "row of 2025-10-06T00:00:00Z: it is not in the chain" in exported(document, source).differences


def test_an_edited_chain_is_found() -> None:
    """A changed fact, an exchanged digest and a link that is missing each break the hash that the document names."""
    document = stated_document()
    seq = next(link.seq for link in history().links() if link.body and "curtailment" in link.body)
    source = history()
    link = next(each for each in source.links() if each.seq == seq)
    source.edit(seq, link._replace(body=(link.body or "").replace("grid", "nobody")))
    found = verify_with_history(document, source, OCTOBER_PERIOD, declared=None).differences
    assert any(each.startswith("chain: link 760 has the hash") for each in found)
    source = history()
    del source._links[seq]
    assert f"chain: link {seq + 1} is missing, the next one is {seq + 2}" in exported(document, source).differences
    source = history()
    del source._links[-1]
    assert "chain: it ends with link 759, the statement names link 760" in exported(document, source).differences


def test_a_removed_curtailment_is_found() -> None:
    """Without the fact the list that the document has no longer follows from the chain."""
    document = stated_document()
    facts = [fact for fact in kept_facts() if fact.kind != "curtailment"]
    found = verify_with_history(document, history(facts=facts), OCTOBER_PERIOD, declared=None).differences
    assert any(each.startswith("curtailments: stated [{") and each.endswith("the chain gives []") for each in found)


def test_removals_dated_back_are_found() -> None:
    """A ledger from which a unit was removed as of the month no longer gives what the document says of it."""
    document = stated_document(ledger=ledger_of())
    removed = ledger_of((TWO[0], entry("u2", None, AT + 2 * DAY_S)), digest=DIGESTS["d"])
    found = verify_with_history(document, history(), OCTOBER_PERIOD, declared=removed).differences
    assert [each.split(":")[0] for each in found] == ["unseen ledger_off", "deployed_steps", "units"]


# Without the history


def test_a_document_holds_with_exports_alone() -> None:
    """Rows, chain and the document are enough for means, bounds, facts and links; the rest is named."""
    document = stated_document(ledger=ledger_of())
    found = exported(document, history(), key=key_of().public)
    assert found.differences == []
    assert found.unchecked == ["credited hashrate", "sums of containers", "reasons of gaps", "the ledger"]
    alone = verify_with_exports(document, "alpha", (rows_text(history()), "rows.csv"), None)
    assert alone.unchecked[-1] == "the chain and its facts"


@pytest.mark.parametrize("has_ledger", [True, False])
def test_bounds_follow_from_exports(*, has_ledger: bool) -> None:
    """Gaps, late starts and units in unknown states give the same floor and ceiling from rows alone."""
    declared = ledger_of((*TWO, entry("u3", AT + 20 * DAY_S))) if has_ledger else None
    document = stated_document(with_gaps(), ledger=declared, is_draft=True)
    assert exported(document, with_gaps()).differences == []
    assert verify_with_history(document, with_gaps(), OCTOBER_PERIOD, declared=declared).differences == []


def test_a_site_that_joined_within_the_month_holds_without_its_ledger() -> None:
    """The document says itself from when on the ledger has units, so that no gap is missed before."""
    rows = hours(AT + 6 * DAY_S, OCTOBER[1])
    source = Chained(rows, kept_facts())
    declared = ledger_of((entry("u1", AT + 6 * DAY_S), entry("u2", AT + 6 * DAY_S)))
    document = stated_document(source, ledger=declared)
    assert document.statement.figures.operational_efficiency_floor_ratio == pytest.approx(0.92)
    assert verify_with_history(document, source, OCTOBER_PERIOD, declared=None).differences == []
    assert exported(document, source).differences == []


def test_heads_are_checked_with_the_key() -> None:
    """A head that another key signed, or that names another hash, is told; without a key heads are left unchecked."""
    document, source = stated_document(), history()
    good = head_of(source, 300)
    assert exported(document, source, heads=[good], key=key_of().public).differences == []
    assert "signatures of the chain's heads" in exported(document, source, heads=[good]).unchecked
    other = exported(document, source, heads=[head_of(source, 300, 2)], key=key_of().public).differences
    assert other == [f"head of 2025-10-01T00:00:00Z: it is not signed by key {key_of().public.id}"]
    wrong = exported(document, source, heads=[head_of(source, 300, hash="0" * 64)], key=key_of().public).differences
    assert wrong == ["head of 2025-10-01T00:00:00Z: its hash is not that of link 300"]


def test_heads_of_a_document_that_an_office_signed() -> None:
    """Heads are signed by the agent, whose key the document names; who signs the document is another matter."""
    office, source = key_of(9), history()
    heads = [head_of(source, 300)]
    document = stated_document(key=office)
    assert exported(document, source, heads=heads, key=office.public).differences == []
    other = exported(document, source, heads=[head_of(source, 300, 2)], key=office.public).differences
    named = f"{office.public.id} or {key_of().public.id}"
    assert other == [f"head of 2025-10-01T00:00:00Z: it is not signed by key {named}"]
    # Facts from before a key was named in the period, and no key at all in a fact.
    late = [Fact("key", LATER, kept_facts()[1].body), Fact("key", LATER, {"public": "no key"})]
    source = history(facts=late)
    document = stated_document(source, key=office)
    assert document.contents[0].keys is None
    assert exported(document, source, heads=[head_of(source, 300)], key=office.public).differences == []
    source = history()
    whole = combined_document(stated_document(), stated_document(history("beta", operating_hs=45 * PH)), key=office)
    assert exported(whole, source, heads=heads, key=office.public).differences == []


def test_heads_behind_the_document_may_be_of_a_later_key() -> None:
    """What came later changes nothing, such as a new key; what the document rests on has a key that it names."""
    document = stated_document()
    end = document.contents[0].chain
    assert end is not None
    later = Chained([*hours(*OCTOBER), *hours(OCTOBER[1], OCTOBER[1] + DAY_S)], kept_facts())
    heads = [head_of(later, end.seq + 5, 2, at=int(LATER) + 3600)]
    assert exported(document, history(), heads=[]).differences == []
    assert (
        verify_with_exports(
            document,
            "alpha",
            (rows_text(history()), "rows.csv"),
            (chain_text(later, heads), "chain.jsonl"),
            key=key_of().public,
        ).differences
        == []
    )


def test_one_site_of_a_combination() -> None:
    """Each site of a combination is held against its own history or exports, from the document within it."""
    beta = history("beta", operating_hs=45 * PH)
    whole = combined_document(stated_document(ledger=ledger_of()), stated_document(beta, key=key_of(2)))
    assert verify_with_history(whole, beta, OCTOBER_PERIOD, declared=None).differences == []
    assert exported(whole, beta).differences == []
    assert verify_with_history(whole, history("beta"), OCTOBER_PERIOD, declared=None).differences != []
    with pytest.raises(StatementError, match="gamma is not in this statement, which covers alpha, beta"):
        verify_with_history(whole, history("gamma"), OCTOBER_PERIOD, declared=None)
    with pytest.raises(StatementError, match="gamma is not in this statement"):
        exported(whole, history("gamma"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "line 1: the header that `hashsight history export` prints is expected"),
        ("time,at\n", "line 1: the header"),
        ("{rows}x\n", "line 746: not as `hashsight history export` prints a row"),
        ("{rows}2025-10-01T00:00:00Z,zero\n", "line 746: not a row of a history: could not convert"),
        ("{endless}", "line 746: not a row of a history: "),
    ],
)
def test_files_that_are_no_rows(text: str, words: str) -> None:
    """A file that `history export` did not print is refused with its line."""
    rows = rows_text(history())
    time, at, _, rest = rows.splitlines()[-1].split(",", 3)
    rows = text.replace("{endless}", f"{{rows}}{time},{at},1e+300,{rest}\n").replace("{rows}", rows)
    with pytest.raises(StatementError, match=r"^rows\.csv: ") as caught:
        verify_with_exports(stated_document(), "alpha", (rows, "rows.csv"), None)
    assert words in str(caught.value)


def test_rows_in_another_spelling_are_refused() -> None:
    """The same numbers written otherwise are not the bytes that the digest is of."""
    rows = rows_text(history()).replace(",5e+16,", ",50000000000000000.0,", 1)
    with pytest.raises(StatementError, match="line 2: not as `hashsight history export` prints a row"):
        verify_with_exports(stated_document(), "alpha", (rows, "rows.csv"), None)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "line 1: not a line of an exported chain"),
        ("{}\n", "line 1: not a line of an exported chain"),
        ('{"base":{"seq":0}}\n', "line 1: not a line of an exported chain"),
        ('{"base":{"seq":0,"hash":"0"}}\n{"seq":1}\n', "line 2: not a line of an exported chain"),
        ('{"base":{"seq":0,"hash":"0"}}\n{"seq":1,"kind":"age","at":0}\n', "line 2: not a line"),
        ('{"base":{"seq":0,"hash":"0"}}\n{"head":7}\n', "line 2: not a line"),
        ('{"base":{"seq":0,"hash":"0"}}\n"head"\n', "line 2: not a line"),
        ("[" * 99999, "line 1: not a line"),
    ],
)
def test_files_that_are_no_chain(text: str, words: str) -> None:
    """A file that is no exported chain is refused with its line."""
    with pytest.raises(StatementError, match=r"^chain\.jsonl: ") as caught:
        verify_with_exports(stated_document(), "alpha", (rows_text(history()), "rows.csv"), (text, "chain.jsonl"))
    assert words in str(caught.value)


def test_a_chain_without_its_first_links() -> None:
    """Links older than the rows may be gone: those that are left are checked from the base on, and that is said."""
    document, source = stated_document(), history()
    lines = chain_text(source).split("\n")
    base = json.loads(lines[20])
    text = "\n".join((canonical({"base": {"seq": base["seq"], "hash": base["hash"]}}), *lines[21:]))
    found = verify_with_exports(document, "alpha", (rows_text(source), "rows.csv"), (text, "chain.jsonl"))
    assert "facts of links up to 20, which are no longer there" in found.unchecked
    assert [each.split(":")[0] for each in found.differences] == [
        "row of 2025-10-01T00",
        "row of 2025-10-01T01",
        "row of 2025-10-01T02",
        "row of 2025-10-01T03",
    ]


def test_a_zone_with_another_calendar() -> None:
    """The period of exported rows is that of the part's own zone."""
    period = parse_period("2025-10", ZoneInfo("America/Chicago"))
    source = Chained(hours(period.start, period.end), kept_facts())
    stated = state(source, period, now=LATER)
    found = contents_of(source, stated.parts[0], None)
    document = document_of(stated, software=SOFTWARE, contents=[found], key=key_of())
    rows = (rows_text(source, period.start, period.end), "rows.csv")
    chain = (chain_text(source), "chain.jsonl")
    assert verify_with_exports(document, "alpha", rows, chain).differences == []
    assert msgspec.to_builtins(found)["chain"]["seq"] == len(list(source.links()))
    assert all(link.kind in {LinkKind.FACT, LinkKind.MINUTE} for link in source.links())
