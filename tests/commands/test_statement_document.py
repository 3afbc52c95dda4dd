"""Documents on the command line: signed or refused, verified with and without a history, restated, with an appendix."""

import csv
import hashlib
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from document_cases import kept_facts
from history_cases import AT, DAY_S, hours, unix, write
from typer.testing import CliRunner, Result

from agent.commands.command_line import app
from agent.files.signing import make_signing_key, read_signing_key
from agent.history.writer import write_history
from agent.statement.signed import document_text

END = unix("2025-11-01")
SCRIPT = Path(__file__).parents[2] / "docs" / "verify" / "verify_statement.py"
LEDGER = """\
unit_id,model,hashrate_th,host,container,rack,slot,deployed_from,deployed_to,status
u1,S21,200,10.0.0.1,C1,R1,1,2025-01-01,,deployed
u2,S21,200,10.0.0.2,C1,R1,2,2025-10-06,,deployed
"""
KEY = "site.history.key"


def call(*words: str | Path) -> Result:
    """Call the command line."""
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A site of two units with October, facts, a ledger and a key, in the working folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "site.toml").write_text('[site]\nname = "alpha"\n[ledger]\nfile = "ledger.csv"\n', encoding="utf-8")
    (tmp_path / "ledger.csv").write_text(LEDGER, encoding="utf-8")
    sixth = AT + 5 * DAY_S
    rows = [
        *hours(AT - DAY_S, sixth, deployed_hs=200e12, operating_hs=184e12),
        *hours(sixth, END + DAY_S, deployed_hs=400e12, operating_hs=384e12),
    ]
    with closing(write_history(tmp_path / "site.history.sqlite")) as file:
        file.claim(site="alpha", zone="UTC")
        file.write(facts=kept_facts())
        file.write(site=[each.values() for each in rows])
    make_signing_key(tmp_path / KEY)
    return tmp_path


def stated(*words: str | Path) -> str:
    """Return October as JSON."""
    done = call("statement", "2025-10", "--json", *words)
    assert done.exit_code == 0, done.stderr
    return done.stdout


def saved(folder: Path, text: str, name: str = "october.json") -> Path:
    """Write a document; return its path."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_published_statement_is_signed_whole(folder: Path) -> None:
    """One line in canonical form with the agent's key, versions and contents; it verifies with its history."""
    text = stated("--publish")
    content = json.loads(text)
    key = read_signing_key(folder / KEY, where="test").public
    assert (text.count("\n"), content["format"], content["signature"]["key_id"]) == (1, 4, key.id)
    assert content["software"]["version"]
    (contents,) = content["contents"]
    assert (contents["curtailments"][0]["declared_by"], contents["units"]["entered"]) == ("grid", 1)
    file = saved(folder, text)
    verified = call("statement", "--verify", file)
    assert verified.stdout == f"{file}: holds for alpha, 2025-10; signed by key {key.id}\n"


def test_everything_in_the_table_of_an_audit_is_found(folder: Path) -> None:
    """A replaced method or time, an added key, and removals dated back in the ledger: none of them holds."""
    content = json.loads(stated("--publish"))
    for name, value in (("method", "Trust us."), ("computed_at", 0.0), ("verdict", "good")):
        edited = saved(folder, document_text({**content, name: value}))
        verified = call("statement", "--verify", edited)
        assert verified.exit_code == 1
        assert "its signature is not of this content: it was changed after it was signed" in verified.stderr
    file = saved(folder, stated("--publish"))
    (folder / "ledger.csv").write_text(LEDGER.replace("2025-10-06,,", "2025-10-06,2025-10-20,"), encoding="utf-8")
    verified = call("statement", "--verify", file)
    assert verified.exit_code == 1
    assert "deployed_steps: stated " in verified.stderr
    assert "units: stated " in verified.stderr


def test_rows_edited_in_sqlite_are_named(folder: Path) -> None:
    """Operating := deployed in one row, so that it holds in itself, is found by digest, row and time."""
    file = saved(folder, stated("--publish"))
    with closing(sqlite3.connect(folder / "site.history.sqlite")) as history:
        history.execute(
            "UPDATE site SET operating_hs = deployed_hs, loss_unreachable_hs = 0, loss_underperforming_hs = 0"
            " WHERE at = ?",
            (AT + 3600,),
        )
        history.commit()
    verified = call("statement", "--verify", file)
    assert verified.exit_code == 1
    assert "row of 2025-10-01T01:00:00Z: it is not as it was chained" in verified.stderr


def test_a_machine_without_a_history(folder: Path) -> None:
    """The document, both exports and the public key are enough, for this command and for the script of an auditor."""
    desk = folder / "desk"
    desk.mkdir()
    file = saved(desk, stated("--publish"))
    rows, chain, key = desk / "rows.csv", desk / "chain.jsonl", desk / "site.key.pub"
    rows.write_text(call("history", "export", "2025-10").stdout, encoding="utf-8")
    chain.write_text(call("history", "export", "--what", "chain").stdout, encoding="utf-8")
    key.write_bytes((folder / f"{KEY}.pub").read_bytes())
    for name in ("site.toml", "ledger.csv", "site.history.sqlite", KEY):
        (folder / name).unlink()
    words: Sequence[str | Path] = ("--rows", rows, "--chain", chain, "--key", key)
    verified = call("statement", "--verify", file, *words)
    assert verified.exit_code == 0, verified.stderr
    rest = "not checked here: credited hashrate, sums of containers, reasons of gaps, the ledger, the period before"
    assert verified.stdout.endswith(f"; {rest}\n")
    script = subprocess.run(
        [sys.executable, "-I", str(SCRIPT), str(file), *map(str, words)], capture_output=True, text=True, check=False
    )
    assert script.stdout.endswith("everything holds\n"), script.stdout
    text = rows.read_text(encoding="utf-8")
    rows.write_text(text.replace(",384000000000000.0,", ",385000000000000.0,", 1), encoding="utf-8")
    refused = call("statement", "--verify", file, *words)
    assert refused.exit_code == 1
    assert "deployed - losses + uplift is 3.84e+14, operating_hs is 3.85e+14" in refused.stderr


# Keys


def test_publishing_without_a_key_is_refused(folder: Path) -> None:
    """One clear reason: the file, the account, and the option; a draft goes without and says so."""
    (folder / KEY).unlink()
    for words in (("--json",), ("--format", "table")):
        refused = call("statement", "2025-10", "--publish", *words)
        assert (refused.exit_code, refused.stdout) == (2, "")
        assert f"{KEY}" in refused.stderr
        assert "cannot be read: No such file or directory; a published statement is signed: the agent" in refused.stderr
        assert "or give a key with --key FILE" in refused.stderr
    draft = call("statement", "2025-10", "--json")
    assert draft.exit_code == 0
    assert "note: not signed:" in draft.stderr
    assert json.loads(draft.stdout)["signature"] is None
    assert json.loads(draft.stdout)["remarks"][0].startswith("NOT SIGNED")
    verified = call("statement", "--verify", saved(folder, draft.stdout))
    assert verified.stdout.endswith(": holds for alpha, 2025-10; not signed\n")
    (folder / KEY).write_text("no key", encoding="utf-8")
    (folder / KEY).chmod(0o600)
    refused = call("statement", "2025-10", "--publish")
    assert "an Ed25519 private key in PEM is expected; a published statement is signed" in refused.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_a_key_of_another_account(folder: Path) -> None:
    """A key that this account may not read is named with the account that may."""
    (folder / KEY).chmod(0)
    refused = call("statement", "2025-10", "--publish")
    assert "cannot be read: Permission denied; a published statement is signed: run this as the user" in refused.stderr


def test_another_key(folder: Path) -> None:
    """A statement signed with a key that is named verifies with its public half, and not with the site's."""
    other = make_signing_key(folder / "office.key")
    file = saved(folder, stated("--publish", "--key", "office.key"))
    assert call("statement", "--verify", file, "--key", "office.key.pub").exit_code == 0
    refused = call("statement", "--verify", file)
    assert refused.exit_code == 1
    assert f"it is signed by key {other.public.id}, not by " in refused.stderr
    assert "if another one is right, give it with --key" in refused.stderr
    refused = call("statement", "--verify", saved(folder, stated("--publish")), "--key", "office.key.pub")
    assert "the one that was given" in refused.stderr
    (folder / f"{KEY}.pub").unlink()
    assert "was compared with none of yours (--key)" in call("statement", "--verify", file).stdout
    assert call("statement", "--verify", file, "--key", "office.key").exit_code == 2
    missing = call("statement", "2025-10", "--json", "--key", "nowhere.key")
    assert (missing.exit_code, missing.stdout) == (2, "")


# Appendix, restatements, combinations


def test_the_appendix(folder: Path) -> None:
    """Units that entered, left or were in maintenance, as CSV whose digest the document names."""
    file = saved(folder, stated("--publish", "--appendix", "units.csv"))
    content = json.loads(file.read_text(encoding="utf-8"))
    written = (folder / "units.csv").read_bytes()
    assert content["contents"][0]["units"]["appendix_digest"] == hashlib.sha256(written).hexdigest()
    rows = list(csv.DictReader(written.decode().splitlines()))
    assert [(each["unit"], each["event"], each["at"]) for each in rows] == [("u2", "entered", "2025-10-06T00:00:00Z")]
    assert call("statement", "--verify", file, "--appendix", "units.csv").exit_code == 0
    (folder / "units.csv").write_bytes(written.replace(b"u2", b"u3"))
    refused = call("statement", "--verify", file, "--appendix", "units.csv")
    assert refused.exit_code == 1
    assert "units.csv: it is not the appendix of this statement" in refused.stderr


def test_a_restatement(folder: Path) -> None:
    """The document names the one that it replaces by the digest of its file, and every figure that differs."""
    old = saved(folder, stated("--publish"), "old.json")
    history = folder / "site.history.sqlite"
    history.unlink()
    write(history, hours(AT, END, deployed_hs=400e12, operating_hs=368e12))
    (folder / "ledger.csv").write_text(LEDGER.replace("2025-10-06", "2025-01-01"), encoding="utf-8")
    text = stated("--publish", "--restates", old)
    restates: dict[str, Any] = json.loads(text)["restates"]
    assert restates["digest"] == hashlib.sha256(old.read_bytes()).hexdigest()
    assert any(each.startswith("operating_hs was ") for each in restates["differences"])
    verified = call("statement", "--verify", saved(folder, text))
    assert verified.exit_code == 0, verified.stderr
    shown = call("statement", "2025-10", "--restates", old).stdout
    assert "! RESTATED: it replaces a document computed" in shown
    assert "Restated: operating_hs was " in shown
    old.write_text(old.read_text(encoding="utf-8").replace("alpha", "gamma"), encoding="utf-8")
    refused = call("statement", "2025-10", "--restates", old)
    assert refused.exit_code == 1
    assert "old.json: its signature is not of this content" in refused.stderr


def test_a_combination_of_signed_statements(folder: Path) -> None:
    """Its documents are in it; it is signed with the key that is named, and an edited one is found in it."""
    write(folder / "beta.sqlite", hours(AT, END, operating_hs=45e15), site="beta")
    make_signing_key(folder / "beta.key")
    office = make_signing_key(folder / "office.key")
    files = [
        saved(folder, stated("--publish"), "alpha.json"),
        saved(folder, call("statement", "2025-10", "--history", "beta.sqlite", "--json").stdout, "beta.json"),
    ]
    words = ("--combine", *files, "--publish", "--sites", "alpha,beta", "--json", "--key", "office.key")
    whole = saved(folder, call("statement", *words).stdout, "whole.json")
    content = json.loads(whole.read_text(encoding="utf-8"))
    assert [json.dumps(each) for each in content["documents"]] == [
        json.dumps(json.loads(file.read_text(encoding="utf-8"))) for file in files
    ]
    verified = call("statement", "--verify", whole)
    assert f"signed by key {office.public.id}, which is not this site's; not checked here: beta" in verified.stdout
    assert call("statement", "--verify", whole, "--key", "office.key.pub").exit_code == 0
    assert call("statement", "--verify", whole, "--key", f"{KEY}.pub").exit_code == 1
    rows = saved(folder, call("history", "export", "2025-10", "--history", "beta.sqlite").stdout, "rows.csv")
    unnamed = call("statement", "--verify", whole, "--rows", rows)
    assert "--rows are of one of alpha, beta: name it" in unnamed.stderr
    assert call("statement", "--verify", whole, "--rows", rows, "--sites", "beta").exit_code == 0
    content["documents"][1]["is_draft"] = False
    edited = saved(folder, document_text(content))
    assert call("statement", "--verify", edited).exit_code == 1


@pytest.mark.parametrize(
    ("words", "status", "reason"),
    [
        (("2025-10", "--rows", "rows.csv"), 2, "--rows = 'rows.csv': this is for --verify alone"),
        (("2025-10", "--chain", "chain.jsonl"), 2, "this is for --verify alone"),
        (("--verify", "october.json", "--chain", "chain.jsonl"), 2, "--rows is expected with it"),
        (("--verify", "october.json", "--rows", "nowhere.csv"), 1, "nowhere.csv: No such file or directory"),
        (
            ("--verify", "october.json", "--rows", "october.json"),
            1,
            "line 1: the header that `hashsight history export`",
        ),
        (("--verify", "october.json", "--rows", KEY, "--key", "nowhere.pub"), 2, "nowhere.pub"),
        (("--combine", "october.json", "--appendix", "units.csv"), 2, "each site's statement has its own"),
        (
            ("2025-10", "--history", "site.history.sqlite", "--appendix", "a.csv"),
            2,
            "the site's ledger is needed for it",
        ),
        (("--verify", "site.toml"), 1, "site.toml: not a statement in JSON"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_refusals(words: tuple[str, ...], status: int, reason: str, folder: Path) -> None:
    """Options that do not belong together, and files that are not what they should be, get one clear error."""
    saved(folder, stated("--publish"))
    refused = call("statement", *words)
    assert (refused.exit_code, refused.stdout) == (status, "")
    assert reason in " ".join(refused.stderr.split())


def test_rows_that_stand_in_no_figure_are_held_against_the_chain(folder: Path) -> None:
    """A container's row that was edited is named by table and time, although no figure rests on it."""
    with closing(write_history(folder / "site.history.sqlite")) as file:
        file.write(containers=[("C1", each.values()) for each in hours(AT, AT + DAY_S, deployed_hs=200e12)])
    document = saved(folder, stated())
    assert call("statement", "--verify", document).exit_code == 0
    with closing(sqlite3.connect(folder / "site.history.sqlite")) as history:
        history.execute("UPDATE containers SET watts_metered = watts_metered + 1 WHERE at = ?", (AT + 3600,))
        history.commit()
    found = call("statement", "--verify", document)
    assert found.exit_code == 1
    assert "history: 2025-10-01 01:00" in found.stderr
    assert "container" in found.stderr


@pytest.mark.parametrize("option", ["document", "--rows", "--combine"])
def test_a_file_without_an_end_is_refused(option: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than any export or document has is not read: memory ends before such a file does."""
    monkeypatch.setattr("agent.commands.statement_verify._MOST_EXPORT", 1 << 20)
    document = saved(folder, stated())
    words: dict[str, tuple[str | Path, ...]] = {
        "document": ("--verify", "/dev/zero"),
        "--rows": ("--verify", document, "--rows", "/dev/zero"),
        "--combine": ("--combine", "/dev/zero"),
    }
    said = call("statement", *words[option])
    assert (said.exit_code, said.stderr) == (1, f"/dev/zero: longer than {1 if option == '--rows' else 64} MiB\n")
