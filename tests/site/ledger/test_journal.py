"""A ledger's journal is a chain: no line can be changed, added, removed or moved unnoticed."""

import hashlib
import random
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest

from agent.config.sections import DEFAULT_NETWORKS
from agent.site.ledger.edit import Draft, Rules
from agent.site.ledger.file import held, journal_end, journal_lines, journal_path
from agent.site.ledger.journal import JournalEntry, check, end_of, next_hash
from agent.unit.nameplate import shipped_catalogue

RULES = Rules(catalogue=shipped_catalogue(), zone=ZoneInfo("UTC"), networks=DEFAULT_NETWORKS)
HEADER = "unit_id,model,hashrate_th,host,container,rack,slot,deployed_from,deployed_to,status\n"


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """Return a ledger that six commands changed."""
    path = tmp_path / "ledger.csv"
    path.write_text(f"{HEADER}u1,S21,200,10.0.0.1,C1,R1,1,2025-01-01,,deployed\n", encoding="utf-8")
    for slot in range(2, 8):
        with held(path) as file:
            draft = Draft(file.text, "ledger.csv", RULES)
            draft.set_cells("u1", {"slot": str(slot)}, f"2025-0{slot}-01")
            file.commit(draft.finish(), command=["set", "u1", f"--slot={slot}"], at=1.7e9 + slot)
    return path


def digest(path: Path) -> str:
    """Return the ledger's digest."""
    return RULES.read(path.read_text(encoding="utf-8"), "ledger.csv").digest


def test_a_sound_journal_has_no_fault(ledger: Path) -> None:
    """All six lines are chained, and the ledger is the last one's."""
    end = journal_end(ledger)
    assert (end.lines, end.chained, end.digest) == (6, 6, digest(ledger))
    assert check(journal_lines(ledger), ledger_digest=digest(ledger), known_hashes=[end.hash]) == []


@pytest.mark.parametrize(
    ("change", "line", "reason"),
    [
        (
            lambda lines: [*lines[:2], lines[2].replace(b"slot=4", b"slot=9"), *lines[3:]],
            4,
            "before it was changed",
        ),
        (lambda lines: [*lines[:2], *lines[3:]], 3, "before it was changed"),
        (lambda lines: [lines[0], lines[2], lines[1], *lines[3:]], 2, "before it was changed"),
        (lambda lines: [*lines[:3], lines[1], *lines[3:]], 4, "before it was changed"),
        (lambda lines: lines[1:], 1, "before it was changed"),
        (lambda lines: [*lines[:4], b"{", *lines[4:]], 5, "not a line of a journal"),
    ],
)
def test_a_changed_journal_is_named_by_line(ledger: Path, change: object, line: int, reason: str) -> None:
    """Edited, deleted, swapped, repeated and foreign lines are found at the line that follows."""
    assert callable(change)
    (fault, *_) = check(change(list(journal_lines(ledger))), ledger_digest=digest(ledger))
    assert fault.line == line
    assert reason in fault.reason


def test_a_journal_cut_off_is_found_by_ledger_and_history(ledger: Path) -> None:
    """The end needs another witness: the ledger's digest, or a hash that history keeps."""
    lines, end = list(journal_lines(ledger)), journal_end(ledger)
    (fault,) = check(lines[:-1], ledger_digest=digest(ledger))
    assert "not by a command" in fault.reason
    older = end_of(lines[:-1]).digest
    assert check(lines[:-1], ledger_digest=older) == []
    (fault,) = check(lines[:-1], ledger_digest=older, known_hashes=[end.hash])
    assert "after none of these lines" in fault.reason


def test_lines_of_earlier_versions_are_covered_by_the_first_that_is_chained(ledger: Path) -> None:
    """A journal begun before lines were chained stays sound, and its old lines are sealed as they were found."""
    entries = [msgspec.json.decode(line, type=JournalEntry) for line in journal_lines(ledger)]
    old = [msgspec.json.encode(msgspec.structs.replace(entry, previous=None)) for entry in entries[:3]]
    journal_path(ledger).write_bytes(b"\n".join(old) + b"\n")
    with held(ledger) as file:
        draft = Draft(file.text, "ledger.csv", RULES)
        draft.set_cells("u1", {"slot": "9"}, "2025-09-01")
        file.commit(draft.finish(), command=["set"], at=1.7e9)
    lines = list(journal_lines(ledger))
    assert [fault.reason for fault in check(lines, ledger_digest=digest(ledger))] == []
    edited = [lines[0], lines[1].replace(b"u1", b"u2"), *lines[2:]]
    assert [fault.line for fault in check(edited, ledger_digest=digest(ledger))] == [4]


def test_a_line_that_a_crash_cut_short_is_no_fault_once_another_follows(ledger: Path) -> None:
    """The next command names the torn line's hash like any other's."""
    with journal_path(ledger).open("ab") as file:
        file.write(b'{"at":"2025-')
    (fault,) = check(journal_lines(ledger), ledger_digest=digest(ledger))
    assert (fault.line, fault.reason[:23]) == (7, "not a line of a journal")
    with held(ledger) as held_file:
        draft = Draft(held_file.text, "ledger.csv", RULES)
        draft.set_cells("u1", {"slot": "9"}, "2025-09-01")
        held_file.commit(draft.finish(), command=["set"], at=1.7e9)
    assert check(journal_lines(ledger), ledger_digest=digest(ledger)) == []


def test_every_random_edit_is_found(ledger: Path) -> None:
    """500 flipped bytes, in any place: each is found, and with the last hash known even those of the last line."""
    lines, end, now = list(journal_lines(ledger)), journal_end(ledger), digest(ledger)
    text = b"\n".join(lines)
    chance = random.Random(22)
    for _ in range(500):
        place = chance.randrange(len(text))
        changed = text[:place] + bytes([text[place] ^ (1 << chance.randrange(8))]) + text[place + 1 :]
        assert check(changed.split(b"\n"), ledger_digest=now, known_hashes=[end.hash]), place


def test_hash_is_what_is_documented() -> None:
    """The hash of the first line is of a newline and the line."""
    assert next_hash("", b"{}\n") == hashlib.sha256(b"\n{}").hexdigest()
    assert next_hash("ab", b"{}") == hashlib.sha256(b"ab\n{}").hexdigest()
