"""The verifier in docs/verify, run as an auditor runs it: over documents of the program, and over edited ones."""

import ast
import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from document_cases import (
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
    write_key,
)
from history_cases import AT, DAY_S, PH, hours
from statement_cases import OCTOBER

from agent.history.chain.heads import SignedHead
from agent.site.power import PowerSource
from agent.statement.document import Document
from agent.statement.signed import document_text, signed

SCRIPT = Path(__file__).parents[2] / "docs" / "verify" / "verify_statement.py"


class Desk:
    """An auditor's folder: the script, and what it was handed.

    Args:
        folder: The folder.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = write_key(folder / "site.key.pub")

    def run(self, text: bytes, source: Chained | None = None, *words: str, heads: tuple[SignedHead, ...] = ()) -> str:
        """Return what the script prints of a document and the exports of a history, its status first."""
        document = self.folder / "s.json"
        document.write_bytes(text)
        files = [str(document), "--key", str(self.key)]
        if source is not None:
            rows, chain = self.folder / "rows.csv", self.folder / "chain.jsonl"
            rows.write_text(rows_text(source), encoding="utf-8")
            chain.write_text(chain_text(source, heads), encoding="utf-8")
            files += ["--rows", str(rows), "--chain", str(chain)]
        # Isolated: nothing of ours can be imported.
        command = [sys.executable, "-I", str(SCRIPT), *files, *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=self.folder)
        return f"{done.returncode}\n{done.stdout}{done.stderr}"


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """An auditor's folder."""
    return Desk(tmp_path)


def wrong(output: str) -> list[str]:
    """Return the checks that failed."""
    return [line.removeprefix("WRONG").strip() for line in output.splitlines() if line.startswith("WRONG")]


def test_it_is_small_and_its_own() -> None:
    """At most 200 lines, of the standard library and one package, without anything of ours."""
    text = SCRIPT.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 200
    names = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(str(node.module).split(".")[0])
    assert names - sys.stdlib_module_names == {"cryptography"}


def _uplifted() -> Chained:
    rows = hours(*OCTOBER, operating_hs=51.3 * PH, watts={PowerSource.METERED: 1e5, PowerSource.ESTIMATED: 7e5 / 3})
    return Chained(rows, kept_facts())


GREW = (*TWO, entry("u3", AT + 20 * DAY_S))


@pytest.mark.parametrize(
    ("source", "entries"),
    [(history(), TWO), (_uplifted(), TWO), (with_gaps(), GREW), (with_gaps(), None)],
    ids=["a month", "uplift and metered power", "gaps and a ledger", "gaps without a ledger"],
)
def test_documents_hold(source: Chained, entries: Any, desk: Desk) -> None:
    """Form, signature, figures, rows, bounds by the ledger's steps, links and heads: it agrees with the program."""
    declared = None if entries is None else ledger_of(entries)
    document = stated_document(source, ledger=declared, is_draft=True)
    output = desk.run(document.text.encode(), source, heads=(head_of(source, 200),))
    assert output.startswith("0\n"), output
    assert output.endswith("everything holds\n")
    assert f"ok      statement of alpha: signed by key {key_of().public.id}\n" in output
    assert "ok      statement of alpha: its key is the one that was given\n" in output


def test_a_combination_and_one_of_its_sites(desk: Desk) -> None:
    """The documents in a combination are checked with it; rows are those of the site that is named."""
    beta = history("beta", operating_hs=45 * PH)
    whole = combined_document(stated_document(ledger=ledger_of()), stated_document(beta, key=key_of(2)), key=key_of())
    output = desk.run(whole.text.encode(), beta, "--site", "beta")
    assert output.startswith("0\n"), output
    content = json.loads(whole.text)
    content["documents"][1]["parts"][0]["mean"]["operating_hs"] = 47 * PH
    text = document_text(signed({**content, "signature": None}, key_of())).encode()
    assert wrong(desk.run(text)) == [
        f"statement of beta: signed by key {key_of(2).public.id}",
        "statement of alpha, beta: its parts are those of the documents in it",
    ]


def _resigned(document: Document, path: tuple[str | int, ...], value: object, number: int = 1) -> bytes:
    content = json.loads(document.text)
    place = content
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    rest = {name: each for name, each in content.items() if name != "signature"}
    return document_text(signed(rest, key_of(number))).encode()


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (
            ("figures", "operational_efficiency_ratio"),
            0.93,
            "ratios, operational_efficiency_ratio: the document says 0.93",
        ),
        (("figures", "operational_efficiency_floor_ratio"), 0.93, "ratios, operational_efficiency_floor_ratio"),
        (("figures", "coverage_ratio"), 1.01, "ratios, coverage_ratio"),
        (("figures", "is_above_target"), False, "above 90 % is said of the floor"),
        (("figures", "losses_hs", "unreachable"), 0.0, "losses, unreachable"),
        (("figures", "joules_by_source", "modelled"), 1.0, "energy, J, modelled"),
        (("figures", "operating_hs"), 47 * PH, "means, operating_hs"),
        (("parts", 0, "mean", "known_hs"), 49 * PH, "means of the rows, known_hs"),
        (("parts", 0, "mean", "watched_s"), 2678399.0, "time of the rows, watched_s"),
        (("parts", 0, "mean", "watts", "modelled"), 800001.0, "watts of the rows, modelled"),
        (("parts", 0, "mean", "losses_hs", "derated"), 1e12, "losses of the rows, derated"),
        (("parts", 0, "unseen", "unwatched"), 1e19, "unseen, hashes, unwatched"),
        (("parts", 0, "inputs", "digest"), "0" * 64, "the rows have the SHA-256 of the document"),
        (("contents", 0, "chain", "hash"), "0" * 64, "has the hash that the document names"),
    ],
)
def test_a_key_does_not_make_figures_true(path: tuple[str | int, ...], value: object, words: str, desk: Desk) -> None:
    """A document that its own site signed over wrong figures is found by figures, rows and links."""
    text = _resigned(stated_document(ledger=ledger_of()), path, value)
    assert any(words in line for line in wrong(desk.run(text, history())))


def test_another_key_and_no_key(desk: Desk) -> None:
    """A signature of a key that is not the one that was given is wrong, and so is none."""
    document = stated_document()
    text = _resigned(document, ("computed_at",), 1e9, number=5)
    assert wrong(desk.run(text)) == ["statement of alpha: its key is the one that was given"]
    unsigned = document_text({**json.loads(document.text), "signature": None}).encode()
    assert wrong(desk.run(unsigned)) == ["statement of alpha: not signed"]


def test_heads_of_a_document_that_an_office_signed(desk: Desk) -> None:
    """Heads are held against the keys that the document names as the agent's, also within a combination."""
    office, heads = key_of(9), (head_of(history(), 50),)
    write_key(desk.key, 9)
    beta = stated_document(history("beta", operating_hs=45 * PH))
    for document in (stated_document(key=office), combined_document(stated_document(), beta, key=office)):
        output = desk.run(document.text.encode(), history(), heads=heads)
        assert output.startswith("0\n"), output
        assert "ok      signed by the site\n" in output


def test_an_owners_rows_are_not_held_against_the_sites(desk: Desk) -> None:
    """An owner's statement has rows of its own, which no export alone gives: they are skipped, not called wrong."""
    text = _resigned(stated_document(ledger=ledger_of()), ("parts", 0, "owner"), "North")
    output = desk.run(text, history())
    assert output.startswith("0\n"), output
    assert "skipped an owner's rows follow from the whole history" in output


def test_a_file_that_is_not_there(desk: Desk) -> None:
    """A missing file is named in one line, without a traceback."""
    output = desk.run(stated_document().text.encode(), None, "--rows", "nowhere.csv")
    assert output.splitlines()[-1].startswith("WRONG   not what it should be: FileNotFoundError")
    assert "nowhere.csv" in output
    assert "Traceback" not in output


def test_edits_are_found(desk: Desk) -> None:
    """Bytes that were flipped, cut or spelt otherwise, edited rows, and heads of another key."""
    document, chance = stated_document(ledger=ledger_of()), random.Random(3)
    text = document.text.encode()
    for _ in range(12):
        place = chance.randrange(len(text))
        edited = text[:place] + bytes([text[place] ^ 1 << chance.randrange(8)]) + text[place + 1 :]
        assert desk.run(edited).startswith("1\n"), place
    spelt = json.loads(text)
    for edited in (
        text[:-1],
        text[:5000],
        json.dumps(spelt).encode(),
        text.replace(b'"days":31', b'"days":31.0'),
        b"[]",
    ):
        assert desk.run(edited).startswith("1\n"), edited[:40]
    padded = spelt["signature"]["value"].replace("==", "= =")
    assert desk.run(document_text(spelt | {"signature": {**spelt["signature"], "value": padded}}).encode())[0] == "1"
    source = history()
    rows = hours(*OCTOBER)
    rows[100] = hours(rows[100].at, rows[100].at + 1, watts={})[0]
    source._values = [each.values() for each in rows]
    found = wrong(desk.run(text, source))
    assert f"744 rows are as they were chained; not at {rows[100].at}" in found
    heads = (head_of(history(), 50, 2),)
    assert wrong(desk.run(text, history(), heads=heads)) == ["signed by the site"]
