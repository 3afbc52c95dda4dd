"""The ledger on disk: replaced whole or unchanged on any failure, with a backup and a journal beside it."""

import errno
import fcntl
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO
from zoneinfo import ZoneInfo

import pytest

from agent.config.sections import DEFAULT_NETWORKS
from agent.errors import ConfigError
from agent.site.ledger.edit import Draft, Edited, Rules
from agent.site.ledger.file import LedgerFileError, backup_path, held, journal_path, read_journal
from agent.unit.nameplate import shipped_catalogue

RULES = Rules(catalogue=shipped_catalogue(), zone=ZoneInfo("UTC"), networks=DEFAULT_NETWORKS)
TEXT = (
    "unit_id,model,hashrate_th,host,container,rack,slot,deployed_from,deployed_to,status\n"
    "u1,S21,200,10.0.0.1,C1,R1,1,2025-01-01,,deployed\n"
)
AT = 1763674560.0  # 2025-11-20 21:36:00 UTC


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """Return a ledger in a folder of its own."""
    path = tmp_path / "ledger.csv"
    path.write_text(TEXT, encoding="utf-8")
    return path


def moved(text: str, slot: str) -> Edited:
    """Return the ledger with u1 in another slot."""
    draft = Draft(text, "ledger.csv", RULES)
    draft.set_cells("u1", {"slot": slot}, f"2025-0{slot}-01")
    return draft.finish()


def change(path: Path, slot: str = "7") -> str:
    """Move u1 to another slot; return the text that was written."""
    with held(path) as file:
        edited = moved(file.text, slot)
        file.commit(edited, command=["set", "u1", f"--slot={slot}"], at=AT)
    return edited.text


def test_a_change_leaves_file_backup_and_journal(ledger: Path) -> None:
    """A change leaves the new ledger, the one before, and a journal line with time and rows; no other file."""
    text = change(ledger)
    assert ledger.read_text(encoding="utf-8") == text
    assert backup_path(ledger).read_text(encoding="utf-8") == TEXT
    [line] = journal_path(ledger).read_text(encoding="utf-8").splitlines()
    entry = json.loads(line)
    assert entry["at"] == "2025-11-20T21:36:00+00:00"
    assert entry["command"] == ["set", "u1", "--slot=7"]
    assert [(row["before"] is None, row["after"]["slot"]) for row in entry["rows"]] == [(False, "1"), (True, "7")]
    assert entry["digest_after"] == RULES.read(text, "ledger.csv").digest
    assert sorted(path.name for path in ledger.parent.iterdir()) == [
        "ledger.csv",
        "ledger.csv.bak",
        "ledger.csv.journal.jsonl",
    ]


def test_the_first_change_creates_the_ledger(tmp_path: Path) -> None:
    """A ledger that does not exist yet is created whole, readable for a service's user, with its journal."""
    path = tmp_path / "ledger.csv"
    with pytest.raises(ConfigError, match="no such unit"), held(path) as file:
        Draft(file.text, "ledger.csv", RULES).set_cells("u1", {"slot": "7"}, "2025-07-01")
    assert list(tmp_path.iterdir()) == []
    with held(path) as file:
        draft = Draft(file.text, "ledger.csv", RULES)
        draft.add("u1", {"model": "S21", "hashrate_th": "200T", "host": "10.0.0.1"}, "2025-07-01")
        file.commit(draft.finish(), command=["set", "u1", "--new"], at=AT)
    assert path.stat().st_mode & 0o777 == 0o644
    assert RULES.read(path.read_text(encoding="utf-8"), "ledger.csv").unit_ids == ("u1",)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["ledger.csv", "ledger.csv.journal.jsonl"]
    with held(path) as file:
        draft = Draft(file.text, "ledger.csv", RULES)
        draft.set_cells("u1", {"slot": "8"}, "2025-08-01")
        file.commit(draft.finish(), command=["set", "u1", "--slot=8"], at=AT)
    assert [entry.change for entry in read_journal(path)] == ["made", "made"]


def test_a_ledger_that_appears_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    """Two first changes at once: the file of the other one stays."""
    path = tmp_path / "ledger.csv"
    with held(path) as file:
        draft = Draft(file.text, "ledger.csv", RULES)
        draft.add("u1", {"model": "S21", "hashrate_th": "200", "host": "10.0.0.1"}, "2025-07-01")
        path.write_text(TEXT, encoding="utf-8")
        with pytest.raises(LedgerFileError, match="changed by another program"):
            file.commit(draft.finish(), command=["set", "u1", "--new"], at=AT)
    assert path.read_text(encoding="utf-8") == TEXT


def test_the_journal_only_grows(ledger: Path) -> None:
    """Each change adds a journal line, in order; together they hold every row that ever existed."""
    change(ledger, "7")
    first = journal_path(ledger).read_bytes()
    change(ledger, "8")
    assert journal_path(ledger).read_bytes().startswith(first)
    assert [entry.command[-1] for entry in read_journal(ledger)] == ["--slot=7", "--slot=8"]
    assert [entry.change for entry in read_journal(ledger)] == ["made", "made"]


def test_owner_mode_and_links_stay(ledger: Path) -> None:
    """A change keeps the file's mode and owner, and a symbolic link to it stays a link."""
    ledger.chmod(0o640)
    link = ledger.with_name("link.csv")
    link.symlink_to(ledger)
    change(link)
    assert link.is_symlink()
    assert (ledger.stat().st_mode & 0o7777, backup_path(ledger).stat().st_mode & 0o7777) == (0o640, 0o640)
    assert len(list(read_journal(link))) == 1


def test_edits_by_hand_are_put_down(ledger: Path) -> None:
    """A change made by hand is found by the next command, by its digest."""
    change(ledger, "7")
    by_hand = ledger.read_text(encoding="utf-8").replace("C1", "C2")
    ledger.write_text(by_hand, encoding="utf-8")
    change(ledger, "8")
    entries = list(read_journal(ledger))
    assert [entry.change for entry in entries] == ["made", "found", "made"]
    assert entries[1].digest == RULES.read(by_hand, "ledger.csv").digest


def test_a_crash_before_the_last_step_is_found(ledger: Path) -> None:
    """Power lost between journal and ledger: the ledger is as it was, and the next change says so."""
    with held(ledger) as file:
        edited = moved(file.text, "7")
        entry = {"at": "2025-11-20T21:36:00+00:00", "change": "made", "digest_after": edited.ledger.digest}
    journal_path(ledger).write_text(json.dumps(entry) + '\n{"at":"2025-11-2', encoding="utf-8")
    change(ledger, "8")
    entries = list(read_journal(ledger))
    assert [entry.change for entry in entries] == ["made", "found", "made"]
    assert entries[1].digest == RULES.read(TEXT, "ledger.csv").digest


def fail(error: int) -> Callable[..., None]:
    """Return a system call that fails."""

    def call(*_: object) -> None:
        raise OSError(error, os.strerror(error))

    return call


@pytest.mark.parametrize(
    ("name", "error"), [("fsync", errno.ENOSPC), ("fsync", errno.EIO), ("fchmod", errno.EPERM), ("fchown", errno.EPERM)]
)
def test_a_disk_that_fails_changes_nothing(
    ledger: Path, monkeypatch: pytest.MonkeyPatch, name: str, error: int
) -> None:
    """On a full, broken or forbidden disk, ledger and journal are unchanged and the reason is reported."""
    change(ledger, "7")
    before = {path.name: path.read_bytes() for path in ledger.parent.iterdir()}
    if name == "fchown":
        monkeypatch.setattr(os, "fstat", lambda _: os.stat_result((0o100600, 0, 0, 1, 12345, 12345, 0, 0, 0, 0)))
    monkeypatch.setattr(os, name, fail(error))
    with pytest.raises(LedgerFileError, match=f"was not changed: {os.strerror(error)}"):
        change(ledger, "8")
    assert {path.name: path.read_bytes() for path in ledger.parent.iterdir()} == before


def test_a_rename_that_fails_changes_nothing(ledger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the last step fails, the journal line is taken back."""
    replace = Path.replace

    def refuse(path: Path, target: Path) -> Path:
        if target.name == "ledger.csv":
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(LedgerFileError, match="Read-only file system"):
        change(ledger)
    assert ledger.read_text(encoding="utf-8") == TEXT
    assert list(read_journal(ledger)) == []


def test_somebody_elses_edit_is_not_overwritten(ledger: Path) -> None:
    """A file saved by an editor while a command runs is not overwritten."""
    with held(ledger) as file:
        edited = moved(file.text, "7")
        ledger.write_text(TEXT.replace("C1", "C2"), encoding="utf-8")
        with pytest.raises(LedgerFileError, match="changed by another program"):
            file.commit(edited, command=["set"], at=AT)
    assert ledger.read_text(encoding="utf-8") == TEXT.replace("C1", "C2")
    assert list(read_journal(ledger)) == []


def test_two_changes_at_once_are_one_and_a_refusal(ledger: Path) -> None:
    """A second change at the same time is refused without waiting, and loses nothing."""
    with held(ledger), pytest.raises(LedgerFileError, match=r"another change of .* is under way"), held(ledger):
        pass
    change(ledger)


def test_a_lock_that_cannot_be_had_is_an_error(ledger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a network drive without locks nothing is changed."""
    monkeypatch.setattr(fcntl, "flock", fail(errno.ENOLCK))
    with pytest.raises(LedgerFileError, match="cannot be locked"), held(ledger):
        pass


def test_a_change_that_fails_leaves_no_journal(ledger: Path) -> None:
    """No empty file beside a ledger that was never changed; one with lines stays."""
    with pytest.raises(ConfigError, match="no such unit"), held(ledger) as file:
        Draft(file.text, "ledger.csv", RULES).set_cells("nobody", {"slot": "7"}, "2025-07-01")
    assert not journal_path(ledger).exists()
    change(ledger, "7")
    before = journal_path(ledger).read_bytes()
    with pytest.raises(ConfigError, match="no such unit"), held(ledger) as file:
        Draft(file.text, "ledger.csv", RULES).set_cells("nobody", {"slot": "7"}, "2025-07-01")
    assert journal_path(ledger).read_bytes() == before


def test_a_journal_that_another_change_removed_is_no_lock(ledger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two changes at once, of which the first fails: the second does not go on beside a third."""
    real = fcntl.flock

    def late(file: BinaryIO, operation: int) -> None:
        real(file, operation)
        journal_path(ledger).unlink()

    monkeypatch.setattr("agent.site.ledger.file.fcntl.flock", late)
    with pytest.raises(LedgerFileError, match=r"another change of .* was under way; try again"), held(ledger):
        pytest.fail("held without a lock")


def test_what_is_no_ledger_is_not_held(tmp_path: Path) -> None:
    """A file of another kind is refused before its journal exists; an unwritable journal is reported."""
    (tmp_path / "book.csv").write_bytes(b"PK\x03\x04and more")
    with pytest.raises(ConfigError, match="a workbook"), held(tmp_path / "book.csv"):
        pass
    with pytest.raises(LedgerFileError, match="cannot be written: No such file"), held(tmp_path / "no" / "ledger.csv"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["book.csv"]
    (tmp_path / "ledger.csv").write_text(TEXT, encoding="utf-8")
    journal_path(tmp_path / "ledger.csv").mkdir()
    with pytest.raises(LedgerFileError, match="cannot be written: Is a directory"), held(tmp_path / "ledger.csv"):
        pass


def test_a_journal_of_any_bytes_is_read(ledger: Path) -> None:
    """Malformed journal lines are skipped."""
    assert list(read_journal(ledger)) == []
    journal_path(ledger).write_bytes(b'\xff\n[]\n{"at":1}\n{"at":"x","change":"made"}\n\n{')
    assert [entry.at for entry in read_journal(ledger)] == ["x"]
