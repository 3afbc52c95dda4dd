"""`hashsight ledger verify`: a ledger's journal held against itself, against the ledger, and against history."""

import hashlib
from collections.abc import Iterator
from contextlib import closing

import typer

from agent.commands.ledger_site import LedgerSite
from agent.commands.ledger_text import counted
from agent.commands.machine_output import write_json
from agent.commands.terminal import FAILED, err, out
from agent.history.reader import read_history
from agent.site.ledger.file import journal_end, journal_lines, journal_path, ledger_text
from agent.site.ledger.journal import JournalFault, check


def verify_journal(site: LedgerSite, *, as_json: bool) -> None:
    """Print every place where a ledger's journal is not as it was written.

    Raises:
        typer.Exit: With code 1 if there is one.
    """
    file = journal_path(site.file)
    written = ledger_text(site.file)
    known = dict.fromkeys(_known_hashes(site))
    faults = check(
        journal_lines(site.file),
        ledger_digest=hashlib.sha256(written.encode()).hexdigest() if written else None,
        known_hashes=known,
    )
    end = journal_end(site.file)
    if as_json:
        found = [fault._asdict() for fault in faults]
        write_json({"journal": str(file), **end._asdict(), "kept_hashes": len(known), "faults": found})
    elif faults:
        err.print(f"{file}: not as it was written", markup=False, soft_wrap=True)
        for fault in faults:
            err.print(f"  {_text(fault)}", markup=False, soft_wrap=True)
    elif not end.lines:
        out.print(
            f"{file}: no lines: no command has changed the ledger, as far as is known", markup=False, soft_wrap=True
        )
    else:
        held = f"; hashes kept in history that fit: {len(known)}" if known else ""
        lines = f"{counted(end.lines, 'line')}, {end.chained} with the hash of those before"
        out.print(f"{file}: as it was written: {lines}{held}", markup=False, soft_wrap=True)
    if faults:
        raise typer.Exit(FAILED)


def _known_hashes(site: LedgerSite) -> Iterator[str]:
    """Yield the hashes of the journal that the history's chain kept."""
    if not site.history.exists():
        return
    with closing(read_history(site.history)) as reader:
        for fact in reader.facts(kinds={"ledger"}):
            known = fact.body.get("journal")
            if isinstance(known, str) and known:
                yield known


def _text(fault: JournalFault) -> str:
    place = f"line {fault.line}" if fault.line else "the journal"
    return f"{place}{f' of {fault.at}' if fault.at else ''}: {fault.reason}"
