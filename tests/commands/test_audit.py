"""An audit from outside, by the command line: lies signed again with the right key, and random edits of every file."""

# ruff: noqa: S608 - statements are this module's own.

import copy
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from audited_site import AUDITED, call, copied, write_site
from typer.testing import Result

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


# Random edits of every file

DATABASE, JOURNAL, HEADS = "site.history.sqlite", "ledger.csv.journal.jsonl", "site.history.heads.jsonl"
TABLES = ("site", "containers", "owners", "changes", "pool_credits", "facts", "names", "chain")
SHIFTS = (-3600, -60, 60, 3600)


def kept(*more: str) -> object:
    """Return all that figures and names are taken from, and more tables; None if it cannot be read.

    Heads are not: a head that is taken for another key's, as an earlier key's are, is covered by the next one.
    """
    try:
        with closing(sqlite3.connect(DATABASE)) as history:
            found = {table: history.execute(f"SELECT * FROM {table}").fetchall() for table in (*TABLES, *more)}
    except sqlite3.Error:
        return None
    return found | {"facts": [fact for fact in found["facts"] if fact[0] in {"chain", "site", "zone"}]}


def changed(value: Any, rng: random.Random) -> Any:
    """Return another value of the same kind, or one of a kind that no agent writes."""
    match value:
        case int():
            return value + rng.choice((-1, 1, 60))
        case float():
            return rng.choice((value * 1.01 + 1.0, -value - 1.0, float("inf")))
        case bytes():
            return bytes([value[0] ^ 1]) + value[1:]
        case str():
            return value[:-1] + chr(ord(value[-1]) ^ 1)
        case _:
            return rng.choice((1.5, "text"))


def edit_rows(rng: random.Random) -> str:
    """Change one row, exchange two, set its clock, double its hashrate, delete it, or delete the last day."""
    table = rng.choice((*TABLES, "heads"))
    with closing(sqlite3.connect(DATABASE)) as history:
        names = [name for _, name, *_ in history.execute(f"PRAGMA table_info({table})")]
        rows = history.execute(f"SELECT * FROM {table}").fetchall()
        row, where = rng.choice(rows), " AND ".join(f"{name} IS ?" for name in names)
        how = rng.choice(("value", "delete", "clock", "swap", "double", "last day"))
        if how == "clock" and "at" in names:
            history.execute(f"UPDATE OR REPLACE {table} SET at = at + ? WHERE {where}", (rng.choice(SHIFTS), *row))
        elif how == "last day" and table in {"site", "containers", "owners"}:
            history.execute(f"DELETE FROM {table} WHERE at >= (SELECT MAX(at) FROM {table}) - 86400")
        elif how == "double" and "operating_hs" in names:
            sets = ", ".join(f"{name} = 2 * {name}" for name in names if name.endswith("_hs"))
            history.execute(f"UPDATE {table} SET {sets} WHERE {where}", row)
        elif how == "swap":
            other, sets = rng.choice(rows), ", ".join(f"{name} = ?" for name in names[1:])
            for target, source in ((row, other), (other, row)):
                found = f"UPDATE OR REPLACE {table} SET {sets} WHERE {names[0]} IS ? AND {names[1]} IS ?"
                history.execute(found, (*source[1:], *target[:2]))
        elif how == "delete" and table != "heads":
            history.execute(f"DELETE FROM {table} WHERE {where}", row)
        else:
            name = rng.choice(names)
            value = changed(row[names.index(name)], rng)
            with suppress(sqlite3.Error):
                history.execute(f"UPDATE OR REPLACE {table} SET {name} = ? WHERE {where}", (value, *row))
        history.commit()
    return f"{table}, {how}: {row[:3]}"


def edit_bytes(file: str, rng: random.Random) -> str:
    """Flip a bit of a file, or cut it."""
    content = bytearray(Path(file).read_bytes())
    place = rng.randrange(len(content))
    if rng.random() < 0.8:
        content[place] ^= 1 << rng.randrange(8)
    else:
        del content[place:]
    Path(file).write_bytes(content)
    return f"{file}, byte {place}"


def stated(*words: str) -> object:
    """Return what a statement shows, without when it was computed; None if it is refused."""
    done = audit("statement", "2025-10", "--format", "csv", *words)
    lines = [line for line in done.stdout.splitlines() if not line.startswith("computed_at,")]
    return "\n".join(lines) if done.exit_code == 0 else None


def audit(*words: str) -> Result:
    """Call the command line, which ends in an orderly way whatever it reads."""
    done = call(*words)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done


def is_undamaged() -> bool:
    """Return True if SQLite finds nothing wrong with the file: a flipped bit may damage a page and hide no row."""
    with closing(sqlite3.connect(DATABASE)) as history:
        return history.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def attack(seed: int, audited: Path, site: Path) -> None:
    """Edit one file in one way: what changes a figure is found, and what changes nothing is not."""
    rng = random.Random(seed)
    for path in audited.iterdir():
        shutil.copy2(path, site / path.name)
    before, whole, shown, own = kept(), kept("heads"), stated(), stated("--owner", "North")
    file = rng.choice((DATABASE, DATABASE, DATABASE, JOURNAL, HEADS, "ledger.csv", "october.json", "north.json"))
    what = edit_rows(rng) if file == DATABASE and rng.random() < 0.75 else edit_bytes(file, rng)
    after = kept()
    history, journal = audit("history", "verify"), audit("ledger", "verify")
    october, north = (audit("statement", "--verify", name) for name in ("october.json", "north.json"))
    if file == DATABASE and after != before:
        assert history.exit_code == 1, what
        assert history.output.strip(), what
    if (found := stated()) not in {shown, None}:
        assert history.exit_code == 1 or october.exit_code == 1 or journal.exit_code == 1, what
    if (found := stated("--owner", "North")) not in {own, None}:
        assert history.exit_code == 1 or north.exit_code == 1 or journal.exit_code == 1, what
    if file == DATABASE and kept("heads") == whole and is_undamaged():
        assert (october.exit_code, north.exit_code, journal.exit_code) == (0, 0, 0), (what, found)
    if file == "ledger.csv":
        assert journal.exit_code != 0, what
    if file.endswith(".json"):
        assert (october if file == "october.json" else north).exit_code == 1, what


@pytest.mark.parametrize("seed", range(12))
def test_random_edits_are_found(audited: Path, site: Path, seed: int) -> None:
    """Rows, names, links, heads, journal, ledger and documents: no edit changes a figure and is not found."""
    attack(seed, audited, site)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 600))
def test_five_hundred_random_edits_are_found(audited: Path, site: Path, seed: int) -> None:
    """The same, as long as an audit takes."""
    attack(seed, audited, site)
