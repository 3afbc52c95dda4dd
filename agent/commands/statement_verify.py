"""`hashsight statement --verify`: a document against a history, or against what was exported of one."""

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

import typer

from agent.commands.history_source import opened
from agent.commands.machine_output import visible
from agent.commands.statement_key import COMMAND, key_file, known_key
from agent.commands.statement_ledger import dated_ledger, found_config, of_owner
from agent.commands.terminal import FAILED, err, out, usage_error
from agent.files.regular import read_bounded
from agent.files.signing import PublicKey
from agent.history.chain.findings import FindingKind
from agent.history.reader import HistoryReader
from agent.statement.document import Document, read_document
from agent.statement.errors import StatementError
from agent.statement.omitted import early_end
from agent.statement.owner_source import OwnerSource
from agent.statement.parts import titled
from agent.statement.period import Period, parse_period
from agent.statement.verifying import Verified, document_of_site, verify_with_exports, verify_with_history

MOST_DOCUMENT = 64 << 20
# Some years of minutes and their links; more than a machine may have memory for is refused before it is taken.
_MOST_EXPORT = 512 << 20
_LISTED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Against:
    """Sources that a document is verified against.

    Attributes:
        config, history: A site's configuration, or its history file.
        rows, chain: Exports, in the place of a history.
        key: A public key.
        appendix: The appendix of units.
        site: The site, of several, that exported rows are of; empty for the only one.
        owner: The owner that it has to be of; None for any.
    """

    config: Path | None
    history: Path | None
    rows: Path | None
    chain: Path | None
    key: Path | None
    appendix: Path | None
    site: str
    owner: str | None


def verify(file: Path, *, period: str | None, against: Against) -> None:
    """Verify a document, print what was found, and exit with 1 if it does not hold."""
    document = read_document(read_bounded(file, max_bytes=MOST_DOCUMENT), str(file))
    stated = document.statement
    if period is not None and period != stated.period:
        raise usage_error(COMMAND, "PERIOD", period, f"the statement covers {stated.period}")
    owner = stated.parts[0].owner
    if against.owner is not None and against.owner != owner:
        whose = "the whole site" if owner is None else f"owner {owner}"
        raise usage_error(COMMAND, "--owner", against.owner, f"the statement is of {whose}")
    if against.rows is not None and owner is not None:
        reason = "an owner's rows are made of the whole history: it is verified with that"
        raise usage_error(COMMAND, "--rows", str(against.rows), reason)
    if against.chain is not None and against.rows is None:
        raise usage_error(COMMAND, "--chain", str(against.chain), "--rows is expected with it")
    site, agents, found = _exported(document, against) if against.rows is not None else _history(document, against)
    name = titled(site, owner)
    differences = [*found.differences, *_appendix(document, site, against.appendix)]
    signed, wrong = _signature(document, known_key(against.key, agents), is_given=against.key is not None)
    differences += wrong
    if differences:
        err.print(visible(f"{file}: does not hold for {name}"), markup=False, soft_wrap=True)
        for reason in differences:
            err.print(visible(f"  {reason}"), markup=False, soft_wrap=True)
        raise typer.Exit(FAILED)
    unchecked = [*(part.site for part in stated.parts if part.site != site), *found.unchecked]
    rest = f"; not checked here: {', '.join(unchecked)}" if unchecked else ""
    out.print(visible(f"{file}: holds for {name}, {stated.period}; {signed}{rest}"), markup=False, soft_wrap=True)


def _history(document: Document, against: Against) -> tuple[str, Path, Verified]:
    config = found_config(against.config, against.history)
    with opened(COMMAND, config=config, history=against.history) as (reader, zone):
        period = parse_period(document.statement.period, zone)
        owner = document.statement.parts[0].owner
        declared = of_owner(dated_ledger(config, reader.site, now=time.time()), owner)
        rows = None if owner is None else OwnerSource(reader, owner)
        found = verify_with_history(document, reader, period, declared=declared, rows=rows)
        agents = key_file(config, reader.path)
        own = document_of_site(document, reader.site)
        for contents in own.contents:
            found.differences.extend(early_end(own.statement, contents, reader.heads()))
        # The site's rows were held against the links that a whole site's document names.
        is_held = owner is None and any(contents.chain is not None for contents in own.contents)
        found.differences.extend(_kept_otherwise(reader, period, known_key(None, agents), is_held=is_held))
        return reader.site, agents, found


def _kept_otherwise(reader: HistoryReader, period: Period, key: PublicKey | None, *, is_held: bool) -> list[str]:
    """Return what in the period is not as the history's chain has it; without the site's rows if these were held."""
    verdict = reader.verify(keys=() if key is None else (key,), start=period.start, end=period.end)
    found = [
        each
        for each in verdict.findings
        if not (is_held and each.table == "site") and each.kind is not FindingKind.UNSIGNED
    ]
    shown = [f"history: {each.text(ZoneInfo(period.zone))}" for each in found[:_LISTED]]
    return [*shown, f"and {len(found) - _LISTED} more; see hashsight history verify"] if found[_LISTED:] else shown


def _exported(document: Document, against: Against) -> tuple[str, None, Verified]:
    sites = [part.site for part in document.statement.parts]
    site = against.site or sites[0]
    if len(sites) > 1 and not against.site:
        reason = f"--rows are of one of {', '.join(sites)}: name it"
        raise usage_error(COMMAND, "--sites", "", reason)
    rows, chain = _read(against.rows), _read(against.chain)
    if rows is None:
        raise usage_error(COMMAND, "--rows", "", "a file is expected")
    key = known_key(against.key, None)
    return site, None, verify_with_exports(document, site, rows, chain, key=key)


def _read(file: Path | None) -> tuple[str, str] | None:
    if file is None:
        return None
    try:
        return read_bounded(file, max_bytes=_MOST_EXPORT).decode(), str(file)
    except UnicodeDecodeError as error:
        raise StatementError(f"{file}: not UTF-8, at byte {error.start + 1}") from error


def _appendix(document: Document, site: str, appendix: Path | None) -> list[str]:
    if appendix is None:
        return []
    with appendix.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    for contents in document_of_site(document, site).contents:
        if contents.units is not None and contents.units.appendix_digest == digest:
            return []
    return [f"{appendix}: it is not the appendix of this statement: its sha256 is {digest}"]


def _signature(document: Document, key: PublicKey | None, *, is_given: bool) -> tuple[str, list[str]]:
    """Return whose signature a document has, in words, and what is wrong with it."""
    signer = document.signer
    if signer is None:
        return "not signed", ["it is not signed"] if is_given else []
    if key is None:
        return f"signed by key {signer.id}, which was compared with none of yours (--key)", []
    if key == signer:
        return f"signed by key {signer.id}", []
    if document.documents and not is_given:
        return f"signed by key {signer.id}, which is not this site's", []
    whose = "the one that was given" if is_given else "this site's; if another one is right, give it with --key"
    return "", [f"it is signed by key {signer.id}, not by {key.id}, {whose}"]
