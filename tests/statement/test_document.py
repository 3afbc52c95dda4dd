"""The document: its form, its signature, and that nothing in it can be changed unseen."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from document_cases import (
    Chained,
    combined_document,
    history,
    kept_facts,
    key_of,
    ledger_of,
    stated_document,
)
from history_cases import PH, hours
from statement_cases import OCTOBER, stated

from agent.history.chain.links import canonical
from agent.statement.contents import Contents, Software
from agent.statement.definitions import METHODS, TERMS, VERSION
from agent.statement.document import Document, document_of, read_document
from agent.statement.errors import StatementError
from agent.statement.figures import StatementFigures, figures_of
from agent.statement.notes import notes_of
from agent.statement.rest_text import rest_lines
from agent.statement.restating import restated
from agent.statement.signed import document_text, signed
from agent.statement.statement import METHOD

GOLDEN = Path(__file__).parents[1] / "golden" / "statement-document.json"


def read(document: Document) -> Document:
    """Return a document as it is read from its file."""
    return read_document(document.text.encode(), "s.json")


def resigned(content: dict[str, Any]) -> bytes:
    """Return a content signed again, as somebody with a key of theirs would."""
    rest = {name: value for name, value in content.items() if name != "signature"}
    return document_text(signed(rest, key_of(9))).encode()


def test_a_document_is_read_as_it_was_made() -> None:
    """It is one line in canonical form, signed by its key over all of it, and the same input gives the same bytes."""
    document = stated_document(ledger=ledger_of())
    assert document.text == stated_document(ledger=ledger_of()).text
    assert document.text == canonical(json.loads(document.text)) + "\n"
    again = read(document)
    assert (again.statement, again.contents) == (document.statement, document.contents)
    assert again.signer == key_of().public
    assert json.loads(document.text)["signature"]["key_id"] == key_of().public.id


def test_a_golden_document(request: pytest.FixtureRequest) -> None:
    """The bytes of a document are a contract: other programs read and verify them."""
    text = stated_document(ledger=ledger_of()).text
    if request.config.getoption("--update-golden"):
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8")


def test_todays_method_is_that_of_its_definitions() -> None:
    """Another method is another version of the definitions: documents that name the old one go on being read."""
    assert METHODS[VERSION] == METHOD
    assert json.loads(stated_document().text)["definitions"] == {"version": VERSION, "terms": TERMS[VERSION]}


def test_everything_in_a_document_is_defined() -> None:
    """Each figure and each list has a definition, so that nobody has to guess what a name means."""
    names = {*StatementFigures.__struct_fields__, *Contents.__struct_fields__, "documents", "restates", "signature"}
    assert names - TERMS[VERSION].keys() == set()


def test_a_draft_without_a_key_says_so() -> None:
    """It is not signed, and a remark on it says that; taking the remark away is found."""
    source = history()
    draft = stated_document(source, is_draft=True)
    content = json.loads(draft.text)
    unsigned = document_of(draft.statement, software=_software(draft), contents=draft.contents)
    assert unsigned.remarks[0].startswith("NOT SIGNED")
    assert read(unsigned).signer is None
    content["signature"] = None
    with pytest.raises(StatementError, match=r"remarks is .*NOT SIGNED"):
        read_document(document_text(content).encode(), "s.json")


def _software(document: Document) -> Software:
    return msgspec.convert(document.content["software"], Software)


# Edits


def _flip(text: bytes, chance: random.Random) -> bytes:
    place = chance.randrange(len(text))
    return text[:place] + bytes([text[place] ^ 1 << chance.randrange(8)]) + text[place + 1 :]


def _cut(text: bytes, chance: random.Random) -> bytes:
    return text[: chance.randrange(len(text))]


def _doubled(text: bytes, chance: random.Random) -> bytes:
    place = chance.randrange(len(text))
    length = chance.randrange(1, 40)
    return text[: place + length] + text[place:]


def _swapped(text: bytes, chance: random.Random) -> bytes:
    one, other = sorted(chance.sample(range(len(text)), 2))
    cut = text[one : one + 8], text[other : other + 8]
    return text[:one] + cut[1] + text[one + 8 : other] + cut[0] + text[other + 8 :]


def _places(content: Any) -> list[tuple[Any, Any]]:
    """Return every (container, key) of a content."""
    found: list[tuple[Any, Any]] = []
    keys = content.keys() if isinstance(content, dict) else range(len(content)) if isinstance(content, list) else ()
    for key in keys:
        found += [(content, key), *_places(content[key])]
    return found


def _changed(text: bytes, chance: random.Random) -> bytes:
    content = json.loads(text)
    holder, key = chance.choice(_places(content))
    value = holder[key]
    if isinstance(value, bool) or value is None:
        holder[key] = not value
    elif isinstance(value, int | float):
        holder[key] = chance.choice([value + 1, value * 1.0000001 + 1e-9, -value - 1, str(value)])
    else:
        holder[key] = chance.choice([None, 0, f"{value} ", []])
    return document_text(content).encode()


def _keyed(text: bytes, chance: random.Random) -> bytes:
    content = json.loads(text)
    holders = [holder for holder, _ in _places(content) if isinstance(holder, dict)]
    chance.choice(holders)[f"key{chance.randrange(9)}"] = chance.choice([0, "word", None, {}])
    return document_text(content).encode()


def _removed(text: bytes, chance: random.Random) -> bytes:
    content = json.loads(text)
    holder, key = chance.choice(_places(content))
    del holder[key]
    return document_text(content).encode()


def _exchanged(text: bytes, chance: random.Random) -> bytes:
    content = json.loads(text)
    lists = [holder for holder, key in _places(content) if isinstance(holder, list) and key == 1]
    chosen = chance.choice(lists)
    one, other = chance.sample(range(len(chosen)), 2)
    chosen[one], chosen[other] = chosen[other], chosen[one]
    return document_text(content).encode()


def _respelt(text: bytes, chance: random.Random) -> bytes:
    content = json.loads(text)
    return chance.choice(
        [
            json.dumps(content).encode(),
            json.dumps(content, indent=1).encode() + b"\n",
            canonical(content).encode(),
            document_text(content).encode() + b"\n",
            b" " + text,
            json.dumps(dict(reversed(content.items())), separators=(",", ":"), ensure_ascii=False).encode() + b"\n",
            text.replace(b'"days":31', b'"days":31.0'),
            text.replace(b'"days":31', b'"days":30,"days":31'),
            text.replace(b'"alpha"', b'"\\u0061lpha"', 1),
            text.replace(b"5e+16", b"50000000000000000.0", 1),
        ]
    )


EDITS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _flip,
    _cut,
    _doubled,
    _swapped,
    _changed,
    _keyed,
    _removed,
    _exchanged,
    _respelt,
)


@pytest.mark.parametrize("is_combined", [False, True], ids=["one site", "combined"])
@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.__name__.strip("_"))
def test_every_edit_is_found(edit: Callable[[bytes, random.Random], bytes], *, is_combined: bool) -> None:
    """1,200 edits of bytes and content, half of them of a combination: each is refused, and nothing else fails."""
    document = stated_document(ledger=ledger_of())
    if is_combined:
        document = combined_document(document, stated_document(history("beta", operating_hs=45 * PH)), key=key_of(2))
    text, chance = document.text.encode(), random.Random(edit.__name__)
    edits = [edited for edited in (edit(text, chance) for _ in range(70)) if edited != text]
    assert len(edits) > 50
    for edited in edits:
        with pytest.raises(StatementError, match=r"s\.json"):
            read_document(edited, "s.json")


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        (("method",), "Trust us.", "method: it is not that of definitions version 1"),
        (("definitions", "terms", "units"), "All we like.", "definitions: units is not as version 1 defines it"),
        (("definitions", "version"), 2, "definitions of version 2 are not known"),
        (("verdict",), "good", "Object contains unknown field `verdict`"),
        (("figures", "verdict"), "good", "figures.verdict: this format has no such key"),
        (("parts", 0, "mean", "verdict"), "good", "parts[0].mean.verdict: this format has no such key"),
        (("contents", 0, "clock", "verdict"), "good", "contents[0].clock.verdict: this format has no such key"),
        (("figures", "operating_hs"), 47 * PH, "operating_hs is 4.7e+16, its parts give 4.6e+16"),
        (("parts", 0, "mean", "units"), 250, "parts[0].mean.units is 250, 250.0 is expected"),
        (("remarks",), [], "remarks is [], "),
        (("contents", 0, "curtailments"), None, "absent does not name what is absent"),
        (("contents", 0, "absent"), {"chain": "lost"}, "absent does not name what is absent"),
        (("contents", 0, "energy", "outside"), [], "energy does not follow from its part"),
        (("contents", 0, "site"), "beta", "contents: those of its one site are expected"),
        (("contents",), [], "contents: those of its one site are expected"),
        (("contents", 0, "deployed_steps"), [[0.0, 1]], "deployed_steps and the part's ledger_digest do not agree"),
        (("parts", 0, "site"), "alpha\x1b[2J", "site 'alpha\\x1b[2J': at most 64 printable characters are expected"),
        (("parts", 0, "site"), "a" * 65, f"site {'a' * 64!r}: at most 64 printable characters are expected"),
        (("parts", 0, "zone"), "UTC\n# Note", "zone 'UTC\\n# Note': at most 64 printable characters are expected"),
        (("parts", 0, "owner"), "North\u202e", "owner 'North\\u202e': at most 64 printable characters are expected"),
        (("period",), "2025-10\r", "period '2025-10\\r': printable characters are expected"),
        (("format",), 5, "statement format 5, this version reads 4"),
        (("notes",), ["all is well"], "its notes do not match its figures"),
    ],
)
def test_who_signs_again_must_tell_the_truth(path: tuple[str | int, ...], value: object, reason: str) -> None:
    """Somebody who edits and signs with another key still has to hold to the rules; the place is named."""
    content = json.loads(stated_document().text)
    place = content
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    with pytest.raises(StatementError) as caught:
        read_document(resigned(content), "s.json")
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"key_id": "0" * 16}, "key_id is '0000000000000000', its public_key is"),
        ({"public_key": "AAAA"}, "an Ed25519 key and a signature in Base64 are expected"),
        ({"value": "?"}, "an Ed25519 key and a signature in Base64 are expected"),
        ({"value": 7}, "key_id, public_key, value are expected, each a text"),
        ({"more": "x"}, "key_id, public_key, value are expected, each a text"),
    ],
)
def test_signatures_that_are_none(changes: dict[str, Any], reason: str) -> None:
    """A signature has one form; what else is in its place is refused."""
    content = json.loads(stated_document().text)
    content["signature"] |= changes
    with pytest.raises(StatementError) as caught:
        read_document(document_text(content).encode(), "s.json")
    assert reason in str(caught.value)


def test_form_is_named() -> None:
    """A file that was formatted or edited is refused with the place, and a key that is there twice with its name."""
    text = stated_document().text
    for edited, reason in (
        (json.dumps(json.loads(text), indent=1), "not in canonical form, it was edited or formatted: at character 2"),
        (text.replace('"days":31', '"days":31,"days":31'), "the key 'days' is there twice"),
        (text.replace('"days":31', '"days":NaN'), "NaN is no number"),
        (text[:-1], "not in canonical form"),
        ("[]", "not a statement in JSON"),
        ('{"format":4}', "not in canonical form"),
        ('{"format":4}\n', "not a statement in JSON"),
        ("[" * 99999, "not a statement in JSON"),
        ('{"format":[4]}\n', "not a statement in JSON"),
        ('{"format":{},"signature":null}\n', "not a statement in JSON"),
        ('{"a":"\\ud800"}\n', "not a statement in JSON"),
    ):
        with pytest.raises(StatementError) as caught:
            read_document(edited.encode(), "s.json")
        assert reason in str(caught.value), edited[:40]


# Combinations


def test_a_combination_can_be_checked_alone() -> None:
    """Its documents are in it whole, with their signatures and remarks; nothing else is needed to check them."""
    one = stated_document(ledger=ledger_of())
    whole = combined_document(one, stated_document(history("beta", facts=[], operating_hs=45 * PH), key=key_of(3)))
    again = read(whole)
    assert [each.signer for each in again.documents] == [key_of().public, key_of(3).public]
    assert [each.text for each in again.documents] == [each.text for each in whole.documents]
    assert "alpha: the history was restored from a backup 2025-10-08T00:00:00Z." in again.remarks
    assert any(remark.startswith("beta: clock, versions, ledgers") for remark in again.remarks)
    twice = read(combined_document(whole, stated_document(history("gamma", operating_hs=44 * PH)), key=key_of(2)))
    assert [part.site for part in twice.statement.parts] == ["alpha", "beta", "gamma"]


@pytest.mark.parametrize("is_resigned", [False, True])
def test_an_edited_part_is_found(*, is_resigned: bool) -> None:
    """A document within a combination that was changed is named, and so is one that was exchanged."""
    alpha, beta = (
        stated_document(history(site, operating_hs=hs)) for site, hs in (("alpha", 46 * PH), ("beta", 45 * PH))
    )
    content = json.loads(combined_document(alpha, beta).text)
    content["documents"][1]["computed_at"] += 1.0
    text = resigned(content) if is_resigned else document_text(content).encode()
    with pytest.raises(StatementError, match=r"s\.json: document 2: its signature is not of this content"):
        read_document(text, "s.json")
    exchanged = stated_document(history("beta", operating_hs=47 * PH))
    content = json.loads(combined_document(alpha, beta).text)
    content["documents"][1] = exchanged.content
    with pytest.raises(StatementError, match="they are not those of the documents that it combines"):
        read_document(resigned(content), "s.json")


def test_a_document_that_is_there_twice() -> None:
    """Whoever signs a combination cannot count a site twice in it."""
    one, other = stated_document(), stated_document(history("beta", operating_hs=45 * PH))
    parts = tuple(part for each in (one, one, other) for part in each.statement.parts)
    figures = figures_of(parts)
    whole = msgspec.structs.replace(
        other.statement, parts=parts, figures=figures, notes=tuple(notes_of(figures, parts)), is_draft=True
    )
    with pytest.raises(StatementError, match="documents: stated more than once: alpha"):
        document_of(whole, software=Software(version="0", commit=None), documents=[one, one, other], key=key_of())


def test_statements_of_earlier_formats_are_embedded_and_not_signed() -> None:
    """One that was never signed goes into a combination as it is, and a remark says so."""
    content = json.loads(msgspec.json.encode(stated(hours(*OCTOBER))))
    content |= {"format": 3, "method": "As that release put it."}
    old = read_document(json.dumps(content, indent=1).encode(), "old.json")
    assert (old.format, old.signer) == (3, None)
    assert old.statement.method == "As that release put it."
    whole = read(combined_document(old, stated_document(history("beta", operating_hs=45 * PH)), key=key_of(2)))
    assert whole.documents[0].content == content
    assert "alpha: NOT SIGNED: statements of this format were not." in whole.remarks
    edited = json.loads(whole.text)
    edited["documents"][0]["parts"][0]["mean"]["operating_hs"] = 47 * PH
    with pytest.raises(StatementError, match=r"document 1: does not follow from its own parts"):
        read_document(resigned(edited), "s.json")


# Restatements


def test_a_restatement_names_what_it_replaces() -> None:
    """The earlier document by its digest, and each figure that differs; reading keeps it."""
    old = stated_document()
    source = history(operating_hs=45 * PH)
    new = stated_document(source)
    restates = restated(old.statement, new.statement, digest="e" * 64, form=4, key_id=key_of().public.id)
    document = read(stated_document(source, restates=restates))
    assert document.restates == restates
    assert "operating_hs was 4.6e+16, is 4.5e+16" in restates.differences
    assert "losses_hs.underperforming was 1000000000000000.0, is 2000000000000000.0" in restates.differences
    assert any(remark.startswith("RESTATED: it replaces a document computed 2026-01-02") for remark in document.remarks)
    beta = stated(hours(*OCTOBER), site="beta")
    with pytest.raises(StatementError, match="a statement of beta, 2025-10, restates one of the same, not of alpha"):
        restated(old.statement, beta, digest="e" * 64, form=4, key_id=None)


def test_facts_of_every_shape_make_a_document() -> None:
    """Whatever a history has in place of facts, the document is made and read again."""
    chance = random.Random(7)
    values: list[Any] = [None, -1, 1e300, 1e308, 1e39, "word", [], {}, True, "2025", 10**17]
    for _ in range(25):
        facts = [
            fact._replace(
                at=chance.choice([fact.at, fact.at, 0, 10**15, -5]),
                body={
                    name: chance.choice(values) if chance.random() < 0.2 else value for name, value in fact.body.items()
                },
            )
            for fact in kept_facts()
        ]
        document = stated_document(Chained(hours(*OCTOBER), facts))
        assert read(document).contents == document.contents
        assert list(rest_lines(document))
