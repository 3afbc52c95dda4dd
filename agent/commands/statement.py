"""`hashsight statement`: a calendar period's statement, computed from history, verified, or combined from sites."""

import hashlib
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

from agent import __version__
from agent.built import built_commit
from agent.commands.history_source import opened
from agent.commands.machine_output import visible, write_text
from agent.commands.statement_key import key_file, signing_key
from agent.commands.statement_ledger import dated_ledger, found_config, of_owner
from agent.commands.statement_verify import MOST_DOCUMENT, Against
from agent.commands.statement_verify import verify as verify_document
from agent.commands.terminal import exit_codes, usage_error
from agent.files.atomic import replace_file
from agent.files.regular import read_bounded
from agent.files.signing import SigningKey
from agent.history.reader import HistoryReader
from agent.runtime.revision import commit as checked_out_commit
from agent.site.ledger.entries import NO_OWNER
from agent.statement import text
from agent.statement.contents import Contents, Software
from agent.statement.days import Day, DayBook
from agent.statement.document import Document, document_of, read_document
from agent.statement.gates import ACKNOWLEDGEABLE
from agent.statement.gathering import Declared, contents_of, events_within
from agent.statement.owner_source import OwnerSource
from agent.statement.page import page
from agent.statement.parts import Source
from agent.statement.period import Period, parse_period
from agent.statement.remarks import NOT_SIGNED
from agent.statement.rest_text import rest_lines
from agent.statement.restating import Restates, restated
from agent.statement.statement import Statement, combine, state
from agent.statement.units import appendix_csv
from agent.text.natural import natural_key

COMMAND = "statement"
HTML = "html"
MONTH_TO_DATE = "month-to-date"
JSON = "json"

FORMATS: Mapping[str, Callable[..., str]] = {
    "table": text.table,
    "markdown": text.markdown,
    "csv": text.csv,
}
FORM_NAMES = ("table", "markdown", HTML, "csv", JSON)


def statement(
    period: list[str] | None,
    *,
    config: Path | None,
    history: Path | None,
    form: str,
    verify: Path | None,
    publish: bool,
    is_combined: bool,
    as_json: bool,
    sites: str,
    acknowledge: list[str] | None,
    owner: str | None,
    key: Path | None,
    appendix: Path | None,
    restates: Path | None,
    rows: Path | None,
    chain: Path | None,
) -> None:
    """Print, verify or combine statements."""
    with exit_codes():
        words = period or []
        form = JSON if as_json else form
        asking = _Asking(
            now=time.time(),
            is_draft=not publish,
            acknowledged=tuple(acknowledge or ()),
            is_json=form == JSON,
            key=key,
            appendix=appendix,
            restates=restates,
        )
        periods = [word for word in words if word == MONTH_TO_DATE or re.fullmatch(r"[0-9]{4}(-[0-9Q]{2})?", word)]
        files = [Path(word) for word in words if word not in periods]
        if form not in FORM_NAMES:
            raise usage_error(COMMAND, "--format", form, f"one of {', '.join(FORM_NAMES)} is expected")
        if len(periods) > 1 or (files and not is_combined):
            raise usage_error(COMMAND, "PERIOD", " ".join(words), "one period is expected, such as 2025-10")
        for name in asking.acknowledged:
            if name not in ACKNOWLEDGEABLE:
                raise usage_error(COMMAND, "--acknowledge", name, f"one of {', '.join(ACKNOWLEDGEABLE)} is expected")
        _refuse_without_verify(verify, {"--rows": rows, "--chain": chain})
        asked = periods[0] if periods else None
        if owner is not None and is_combined:
            raise usage_error(COMMAND, "--owner", owner, "with --combine, statements say whose they are")
        days: list[Day] = []
        if is_combined:
            document = _combined(files, period=asked, sites=sites, asking=asking)
        elif verify is not None:
            against = Against(
                config=config,
                history=history,
                rows=rows,
                chain=chain,
                key=key,
                appendix=appendix,
                site=sites.strip(),
                owner=owner,
            )
            verify_document(verify, period=asked, against=against)
            return
        else:
            document, days = _stated(asked, owner=owner, config=config, history=history, asking=asking)
        # As bytes: they must depend neither on the terminal's width nor on its encoding.
        if form == HTML:
            write_text([_text(document, partial(page, days=days))])
            return
        write_text([document.text if form == JSON else _text(document, FORMATS[form])])


def _refuse_without_verify(verify: Path | None, options: Mapping[str, Path | None]) -> None:
    for name, value in options.items():
        if value is not None and verify is None:
            raise usage_error(COMMAND, name, str(value), "this is for --verify alone")


def _text(document: Document, form: Callable[..., str]) -> str:
    # A signature is of the JSON form; a table has none in any case.
    remarks = [visible(remark) for remark in document.remarks if not remark.startswith(NOT_SIGNED)]
    return form(document.statement, remarks=remarks, rest=[visible(line) for line in rest_lines(document)])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asking:
    """Options of one request for a statement.

    Attributes:
        now: Unix time, s.
        is_draft: False to publish it.
        acknowledged: Names of gates that the publisher opens.
        is_json: True for the form that is signed.
        key: The key to sign it with, instead of the agent's.
        appendix: Where its appendix of units goes.
        restates: The file of the document that it replaces.
    """

    now: float
    is_draft: bool
    acknowledged: tuple[str, ...]
    is_json: bool
    key: Path | None
    appendix: Path | None
    restates: Path | None


def _stated(
    period: str | None, *, owner: str | None, config: Path | None, history: Path | None, asking: _Asking
) -> tuple[Document, list[Day]]:
    """Return a statement's document, and its figures by day."""
    config = found_config(config, history)
    with opened(COMMAND, config=config, history=history) as (reader, zone):
        if period == MONTH_TO_DATE:
            period = datetime.fromtimestamp(asking.now, zone).strftime("%Y-%m")
        covered = _period(period, zone)
        declared = dated_ledger(config, reader.site, now=asking.now)
        if asking.appendix is not None and declared is None:
            raise usage_error(COMMAND, "--appendix", str(asking.appendix), "the site's ledger is needed for it")
        source = _source(reader, owner, declared)
        declared = of_owner(declared, owner)
        book = DayBook(covered)
        stated = state(
            source,
            covered,
            now=asking.now,
            is_draft=asking.is_draft,
            course=None if declared is None else declared.course,
            acknowledged=asking.acknowledged,
            taker=book,
        )
        contents = contents_of(reader, stated.parts[0], declared)
        document = _document(stated, asking, contents=[contents], key=_key(asking, key_file(config, reader.path)))
        if asking.appendix is not None and declared is not None:
            replace_file(asking.appendix, appendix_csv(events_within(stated.parts[0], declared)).encode())
        return document, book.days(stated.parts[0])


def _source(reader: HistoryReader, owner: str | None, declared: Declared | None) -> Source:
    """Return the rows of a site, or of an owner that the ledger or history names."""
    if owner is None:
        return reader
    entries = () if declared is None else declared.entries
    known = {*reader.owners(), *(entry.owner for entry in entries if entry.owner)}
    if known:
        known.add(NO_OWNER)
    if owner not in known:
        names = ", ".join(sorted(known, key=natural_key))
        reason = f"one of {names} is expected" if known else "neither the ledger nor history names an owner"
        raise usage_error(COMMAND, "--owner", owner, reason)
    return OwnerSource(reader, owner)


def _key(asking: _Asking, agents: Path | None) -> SigningKey | None:
    """Return the key to sign with. A draft in another form than JSON needs none, so nothing is said of its absence."""
    if asking.is_draft and not asking.is_json and asking.key is None:
        return None
    return signing_key(asking.key, agents, is_draft=asking.is_draft)


def _document(
    stated: Statement,
    asking: _Asking,
    *,
    key: SigningKey | None,
    contents: Sequence[Contents] = (),
    documents: Sequence[Document] = (),
) -> Document:
    return document_of(
        stated,
        software=Software(version=__version__, commit=built_commit() or checked_out_commit()),
        contents=contents,
        documents=documents,
        restates=None if asking.restates is None else _restated(asking.restates, stated),
        key=key,
    )


def _restated(file: Path, new: Statement) -> Restates:
    written = read_bounded(file, max_bytes=MOST_DOCUMENT)
    old = read_document(written, str(file))
    return restated(
        old.statement,
        new,
        digest=hashlib.sha256(written).hexdigest(),
        form=old.format,
        key_id=None if old.signer is None else old.signer.id,
    )


def _combined(files: Sequence[Path], *, period: str | None, sites: str, asking: _Asking) -> Document:
    if not files:
        raise usage_error(COMMAND, "--combine", "", "JSON statement files are expected")
    if asking.appendix is not None:
        raise usage_error(COMMAND, "--appendix", str(asking.appendix), "each site's statement has its own")
    declared = [name.strip() for name in sites.split(",") if name.strip()]
    documents = [read_document(read_bounded(file, max_bytes=MOST_DOCUMENT), str(file)) for file in files]
    parts = [each.statement for each in documents]
    if not asking.is_draft and not (declared or all(part.sites for part in parts)):
        raise usage_error(COMMAND, "--sites", sites, "all sites of the fleet are expected, to see that none is missing")
    combined = combine(
        parts, now=asking.now, is_draft=asking.is_draft, sites=declared, acknowledged=asking.acknowledged
    )
    if period is not None and period != combined.period:
        raise usage_error(COMMAND, "PERIOD", period, f"the statement covers {combined.period}")
    return _document(combined, asking, documents=documents, key=_key(asking, None))


def _period(period: str | None, zone: ZoneInfo) -> Period:
    if period is None:
        raise usage_error(COMMAND, "PERIOD", "", "a period is expected, such as 2025-10")
    try:
        return parse_period(period, zone)
    except ValueError as error:
        raise usage_error(COMMAND, "PERIOD", period, str(error)) from error
