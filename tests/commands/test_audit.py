"""An audit from outside, by the command line: lies signed again with the right key, and random edits of every file."""

import copy
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from audited_site import AUDITED, call, copied, write_site

from agent.files.signing import read_signing_key
from agent.statement.contents import Contents
from agent.statement.figures import figures_of
from agent.statement.gathering import absent_of
from agent.statement.notes import notes_of
from agent.statement.parts import Part
from agent.statement.remarks import remarks_of
from agent.statement.signed import document_text, signed

SCRIPT = Path(__file__).parents[2] / "docs" / "verify" / "verify_statement.py"
BY_EXPORTS = ("--rows", "rows.csv", "--chain", "chain.jsonl", "--key", "site.history.key.pub")


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site with October's signed documents and what a machine without its history is handed."""
    folder = tmp_path_factory.mktemp("audited")
    write_site(folder)
    before = Path.cwd()
    os.chdir(folder)
    try:
        for name, words in AUDITED.items():
            done = call(*words)
            assert done.exit_code == 0, done.stderr
            Path(name).write_text(done.stdout, encoding="utf-8")
    finally:
        os.chdir(before)
    return folder


@pytest.fixture
def site(audited: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, as the working folder."""
    folder = copied(audited, tmp_path / "site")
    monkeypatch.chdir(folder)
    return folder


# Lies of a publisher who holds the key


def resigned(content: dict[str, Any]) -> None:
    """Write a changed document, with figures, notes and remarks that follow from it, signed by the site's key."""
    parts = msgspec.convert(content["parts"], tuple[Part, ...])
    figures = figures_of(parts)
    contents = msgspec.convert(content["contents"], tuple[Contents, ...])
    content |= {
        "figures": msgspec.to_builtins(figures),
        "notes": [*notes_of(figures, parts, content["acknowledged"])],
        "remarks": [*remarks_of(contents, parts, (), restates=None, is_signed=True)],
    }
    content = json.loads(json.dumps({name: value for name, value in content.items() if name != "signature"}))
    key = read_signing_key(Path("site.history.key"), where="test")
    Path("lie.json").write_text(document_text(signed(content, key)), encoding="utf-8")


def _renamed(content: dict[str, Any]) -> None:
    content["parts"][0]["site"] = content["contents"][0]["site"] = "beta"
    content["before"] = None


def _without_chain(content: dict[str, Any]) -> None:
    contents = content["contents"][0]
    absent = absent_of(has_facts=False, has_chain=False, has_ledger=True, is_owners=False)
    contents |= dict.fromkeys(absent) | {"absent": absent}


def _of_an_earlier_link(content: dict[str, Any]) -> None:
    lines = Path("chain.jsonl").read_text(encoding="utf-8").splitlines()
    link = next(found for found in map(json.loads, lines) if found.get("seq") == 1000)
    content["contents"][0]["chain"] |= {"seq": 1000, "hash": link["hash"]}


def _without_pools(content: dict[str, Any]) -> None:
    content["parts"][0] |= {"credited": [], "credited_union_s": 0.0, "credits_known_by": 0.0}


def _part(content: dict[str, Any], **changes: Any) -> None:
    content["parts"][0] |= changes


def _unseen(content: dict[str, Any], **changes: Any) -> None:
    content["parts"][0]["unseen"] |= changes


def _whole(content: dict[str, Any], **changes: Any) -> None:
    content |= changes


IN_ITSELF, BY_HISTORY, BY_CHAIN = "in itself", "by history", "by history and exported chain"
LIES: dict[str, tuple[Callable[[dict[str, Any]], None], str, str]] = {
    "acknowledges what is no doubt": (
        partial(_whole, acknowledged=["ledger"]),
        IN_ITSELF,
        "acknowledged: it names what is in no doubt",
    ),
    "computed before the period was over": (
        partial(_whole, computed_at=1760000000.0),
        IN_ITSELF,
        "computed_at: it is before the end of a period that is said to be over (alpha)",
    ),
    "method": (partial(_whole, method="Trust us."), IN_ITSELF, "method: it is not that of definitions version 1"),
    "no nameplates": (partial(_part, nameplates=None), IN_ITSELF, "does not say whether nameplates were checked"),
    "no gaps": (partial(_unseen, gaps=[], unwatched=0.0), BY_CHAIN, "unseen gaps: stated 0 in all"),
    "another site": (_renamed, BY_CHAIN, "alpha"),
    "no chain": (_without_chain, BY_CHAIN, "chain: stated nothing, history has one since 2025-09-30T18:00:00Z"),
    "an earlier link": (_of_an_earlier_link, BY_CHAIN, "chain: stated up to link 1000, it had link "),
    "no pools": (_without_pools, BY_HISTORY, "credited: stated without what pools had said by "),
    "nothing of the month before": (
        partial(_whole, before=None),
        BY_HISTORY,
        "before: stated nothing, history has 2025-09",
    ),
}


@pytest.mark.parametrize("lie", LIES)
def test_what_the_key_signs_is_held_against_history(site: Path, lie: str) -> None:
    """A lie is found with the history at hand, and with exports where they can tell."""
    change, found_by, words = LIES[lie]
    content = json.loads((site / "october.json").read_text(encoding="utf-8"))
    whole = copy.deepcopy(content)
    change(content)
    assert content != whole
    resigned(content)
    verified = call("statement", "--verify", "lie.json")
    assert verified.exit_code != 0
    assert words in verified.stderr
    by_exports = call("statement", "--verify", "lie.json", *BY_EXPORTS)
    assert (by_exports.exit_code != 0) is (found_by != BY_HISTORY), by_exports.stderr + by_exports.stdout


def test_the_same_document_signed_again_holds(site: Path) -> None:
    """What is not changed is no lie, by any verifier."""
    resigned(json.loads((site / "october.json").read_text(encoding="utf-8")))
    assert Path("lie.json").read_bytes() == Path("october.json").read_bytes()
    assert call("statement", "--verify", "lie.json").exit_code == 0
    assert call("statement", "--verify", "lie.json", *BY_EXPORTS).exit_code == 0
    script = [sys.executable, "-I", str(SCRIPT), "lie.json", *BY_EXPORTS]
    assert subprocess.run(script, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("is_changed", [False, True])
def test_a_statement_without_the_ledger_does_not_hide_what_it_says(site: Path, *, is_changed: bool) -> None:
    """Published from the history alone it holds; not if the ledger contradicts what history kept."""
    ledger = site / "ledger.csv"
    if is_changed:
        text = ledger.read_text(encoding="utf-8")
        ledger.write_text(text.replace("u2,S21,200", "u2,S21,188", 1), encoding="utf-8")
        assert call("statement", "2025-10", "--publish", "--json").exit_code == 1
    alone = call("statement", "2025-10", "--publish", "--json", "--history", "site.history.sqlite")
    Path("alone.json").write_text(alone.stdout, encoding="utf-8")
    verified = call("statement", "--verify", "alone.json")
    assert verified.exit_code == (1 if is_changed else 0)
    words = "ledger: stated without one" if is_changed else "not checked here: the ledger, on which it does not rest"
    assert words in verified.stderr + verified.stdout


@pytest.mark.parametrize("words", [(), ("--owner", "North")], ids=["site", "owner"])
def test_a_statement_of_rows_that_were_edited_before_does_not_hold(site: Path, words: tuple[str, ...]) -> None:
    """Rows that were edited before a statement was made are found when it is verified, also by an owner's."""
    with closing(sqlite3.connect(site / "site.history.sqlite")) as history:
        history.execute("DELETE FROM site WHERE at % 10800 = 0 AND at > 1760700000")
        history.execute("DELETE FROM owners WHERE at % 10800 = 0 AND at > 1760700000")
        history.commit()
    made = call("statement", "2025-10", "--json", *words)
    assert made.exit_code == 0, made.stderr
    Path("made.json").write_text(made.stdout, encoding="utf-8")
    verified = call("statement", "--verify", "made.json")
    assert verified.exit_code == 1
    assert "2025-10-1" in verified.stderr
    assert "deleted" in verified.stderr or "no longer in the history" in verified.stderr
