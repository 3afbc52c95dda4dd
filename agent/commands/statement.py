"""`hashsight statement`: a calendar period's statement, computed from history, verified, or combined from sites."""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import typer

from agent.commands.history_source import opened
from agent.commands.ledger_site import LedgerSite
from agent.commands.machine_output import write_text
from agent.commands.site_file import site_file
from agent.commands.terminal import FAILED, err, exit_codes, out, usage_error
from agent.history.reader import HistoryReader
from agent.site.ledger.entries import NO_OWNER, Ledger
from agent.site.ledger.file import ledger_text
from agent.statement import check, text
from agent.statement.combining import shard_of_title
from agent.statement.days import Day, DayBook
from agent.statement.declared import DeployedCourse
from agent.statement.gates import ACKNOWLEDGEABLE
from agent.statement.owner_source import OwnerCourse, OwnerSource
from agent.statement.page import page
from agent.statement.parts import Source, titled
from agent.statement.period import Period, parse_period
from agent.statement.statement import Statement, combine, state
from agent.text.natural import natural_key

COMMAND = "statement"
HTML = "html"
MONTH_TO_DATE = "month-to-date"


def _json(statement: Statement) -> str:
    return msgspec.json.format(msgspec.json.encode(statement), indent=1).decode() + "\n"


FORMATS: Mapping[str, Callable[[Statement], str]] = {
    "table": text.table,
    "markdown": text.markdown,
    HTML: page,
    "csv": text.csv,
    "json": _json,
}


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
) -> None:
    """Print, verify or combine statements."""
    with exit_codes():
        words = period or []
        form = "json" if as_json else form
        asking = _Asking(now=time.time(), is_draft=not publish, acknowledged=tuple(acknowledge or ()))
        periods = [word for word in words if word == MONTH_TO_DATE or re.fullmatch(r"[0-9]{4}(-[0-9Q]{2})?", word)]
        files = [Path(word) for word in words if word not in periods]
        if form not in FORMATS:
            raise usage_error(COMMAND, "--format", form, f"one of {', '.join(FORMATS)} is expected")
        if len(periods) > 1 or (files and not is_combined):
            raise usage_error(COMMAND, "PERIOD", " ".join(words), "one period is expected, such as 2025-10")
        for name in asking.acknowledged:
            if name not in ACKNOWLEDGEABLE:
                raise usage_error(COMMAND, "--acknowledge", name, f"one of {', '.join(ACKNOWLEDGEABLE)} is expected")
        asked = periods[0] if periods else None
        if owner is not None and is_combined:
            raise usage_error(COMMAND, "--owner", owner, "with --combine, statements say whose they are")
        if is_combined:
            shown = _combined(files, period=asked, sites=sites, asking=asking)
        elif verify is not None:
            _verify(verify, period=asked, owner=owner, config=config, history=history)
            return
        else:
            shown, days = _stated(asked, owner=owner, config=config, history=history, asking=asking)
            if form == HTML:
                write_text([page(shown, days)])
                return
        # As bytes: they must depend neither on the terminal's width nor on its encoding.
        write_text([FORMATS[form](shown)])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asking:
    """What is asked of a statement.

    Attributes:
        now: Unix time, s.
        is_draft: False to publish it.
        acknowledged: Names of gates that the publisher opens.
    """

    now: float
    is_draft: bool
    acknowledged: tuple[str, ...]


def _stated(
    period: str | None, *, owner: str | None, config: Path | None, history: Path | None, asking: _Asking
) -> tuple[Statement, list[Day]]:
    """Return a statement, and its figures by day."""
    config = _found(config, history)
    with opened(COMMAND, config=config, history=history) as (reader, zone):
        if period == MONTH_TO_DATE:
            period = datetime.fromtimestamp(asking.now, zone).strftime("%Y-%m")
        ledger = _ledger(config, reader.site, now=asking.now)
        covered = _period(period, zone)
        book = DayBook(covered)
        shown = state(
            _source(reader, owner, ledger),
            covered,
            now=asking.now,
            is_draft=asking.is_draft,
            course=_course(ledger, owner),
            acknowledged=asking.acknowledged,
            taker=book,
        )
        return shown, book.days(shown.parts[0])


def _source(reader: HistoryReader, owner: str | None, ledger: Ledger | None) -> Source:
    """Return the rows of a site, or of an owner that the ledger or history names."""
    if owner is None:
        return reader
    known = {*reader.owners(), *(() if ledger is None else ledger.owners)}
    if known:
        known.add(NO_OWNER)
    if owner not in known:
        names = ", ".join(sorted(known, key=natural_key))
        reason = f"one of {names} is expected" if known else "neither the ledger nor history names an owner"
        raise usage_error(COMMAND, "--owner", owner, reason)
    return OwnerSource(reader, owner)


def _found(config: Path | None, history: Path | None) -> Path | None:
    """Return the configuration, looked for unless a history is given: its ledger says what was deployed."""
    return config if history is not None else site_file(config, COMMAND, instead=", or a history file with --history")


def _course(ledger: Ledger | None, owner: str | None) -> DeployedCourse | None:
    """Return deployed by a ledger, of all units or of an owner's."""
    if ledger is None:
        return None
    if owner is not None:
        return OwnerCourse(ledger.entries, owner, digest=ledger.digest)
    return DeployedCourse(ledger.entries, digest=ledger.digest)


def _ledger(config: Path | None, title: str, *, now: float) -> Ledger | None:
    """Return what the ledger of a configuration says of the site, or of the shard, that a history is of.

    Without a configuration there is no ledger, nor for another site's history. A message says if the file is missing.
    """
    if config is None:
        return None
    site, shard = LedgerSite(config, now), shard_of_title(title)
    if site.name != (title if shard is None else shard.site):
        return None
    written = ledger_text(site.file)
    if not written:
        message = f"{site.file}: no ledger; what was deployed in gaps is taken from the rows beside them"
        err.print(message, markup=False, soft_wrap=True)
        return None
    ledger = site.rules.read(written, str(site.file))
    if shard is not None:
        ledger = ledger.shard(shard.index, shard.count)
    return ledger


def _combined(files: Sequence[Path], *, period: str | None, sites: str, asking: _Asking) -> Statement:
    if not files:
        raise usage_error(COMMAND, "--combine", "", "JSON statement files are expected")
    declared = [name.strip() for name in sites.split(",") if name.strip()]
    parts = [check.decode(file.read_bytes(), str(file)) for file in files]
    if not asking.is_draft and not (declared or all(part.sites for part in parts)):
        raise usage_error(COMMAND, "--sites", sites, "all sites of the fleet are expected, to see that none is missing")
    combined = combine(
        parts, now=asking.now, is_draft=asking.is_draft, sites=declared, acknowledged=asking.acknowledged
    )
    _refuse_other(period, combined.period)
    return combined


def _verify(file: Path, *, period: str | None, owner: str | None, config: Path | None, history: Path | None) -> None:
    stated = check.decode(file.read_bytes(), str(file))
    _refuse_other(period, stated.period)
    stated_owner = stated.parts[0].owner
    if owner is not None and owner != stated_owner:
        whose = "the whole site" if stated_owner is None else f"owner {stated_owner}"
        raise usage_error(COMMAND, "--owner", owner, f"the statement is of {whose}")
    config = _found(config, history)
    with opened(COMMAND, config=config, history=history) as (reader, zone):
        course = _course(_ledger(config, reader.site, now=time.time()), stated_owner)
        source = reader if stated_owner is None else OwnerSource(reader, stated_owner)
        differences = check.verify(stated, source, _period(stated.period, zone), course=course)
        sites = [part.site for part in stated.parts]
        name = titled(reader.site, stated_owner)
        if differences:
            err.print(f"{file}: does not hold for {name}", markup=False, soft_wrap=True)
            for reason in differences:
                err.print(f"  {reason}", markup=False, soft_wrap=True)
            raise typer.Exit(FAILED)
        others = [site for site in sites if site != reader.site]
        rest = f"; not checked here: {', '.join(others)}" if others else ""
        out.print(f"{file}: holds for {name}, {stated.period}{rest}", markup=False, soft_wrap=True)


def _period(period: str | None, zone: ZoneInfo) -> Period:
    if period is None:
        raise usage_error(COMMAND, "PERIOD", "", "a period is expected, such as 2025-10")
    try:
        return parse_period(period, zone)
    except ValueError as error:
        raise usage_error(COMMAND, "PERIOD", period, str(error)) from error


def _refuse_other(asked: str | None, found: str) -> None:
    if asked is not None and asked != found:
        raise usage_error(COMMAND, "PERIOD", asked, f"the statement covers {found}")
