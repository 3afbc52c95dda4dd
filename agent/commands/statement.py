"""`hashsight statement`: a calendar period's statement, computed from history, verified, or combined from sites."""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import typer

from agent.commands.history_source import opened
from agent.commands.machine_output import write_text
from agent.commands.terminal import FAILED, err, exit_codes, out, usage_error
from agent.statement import check, text
from agent.statement.period import Period, parse_period
from agent.statement.statement import Statement, combine, state

COMMAND = "statement"


def _json(statement: Statement) -> str:
    return msgspec.json.format(msgspec.json.encode(statement), indent=1).decode() + "\n"


FORMATS: Mapping[str, Callable[[Statement], str]] = {
    "table": text.table,
    "markdown": text.markdown,
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
) -> None:
    """Print, verify or combine statements."""
    with exit_codes():
        words = period or []
        form = "json" if as_json else form
        now = time.time()
        periods = [word for word in words if re.fullmatch(r"[0-9]{4}(-[0-9Q]{2})?", word)]
        files = [Path(word) for word in words if word not in periods]
        if form not in FORMATS:
            raise usage_error(COMMAND, "--format", form, f"one of {', '.join(FORMATS)} is expected")
        if len(periods) > 1 or (files and not is_combined):
            raise usage_error(COMMAND, "PERIOD", " ".join(words), "one period is expected, such as 2025-10")
        asked = periods[0] if periods else None
        if is_combined:
            shown = _combined(files, period=asked, now=now, is_draft=not publish)
        elif verify is not None:
            _verify(verify, period=asked, config=config, history=history)
            return
        else:
            shown = _stated(asked, config=config, history=history, now=now, is_draft=not publish)
        # As bytes: they must depend neither on the terminal's width nor on its encoding.
        write_text([FORMATS[form](shown)])


def _stated(period: str | None, *, config: Path | None, history: Path | None, now: float, is_draft: bool) -> Statement:
    with opened(COMMAND, config=config, history=history) as (reader, zone):
        return state(reader, _period(period, zone), now=now, is_draft=is_draft)


def _combined(files: Sequence[Path], *, period: str | None, now: float, is_draft: bool) -> Statement:
    if not files:
        raise usage_error(COMMAND, "--combine", "", "JSON statement files are expected")
    parts = (check.decode(file.read_bytes(), str(file)) for file in files)
    combined = combine(parts, now=now, is_draft=is_draft)
    _refuse_other(period, combined.period)
    return combined


def _verify(file: Path, *, period: str | None, config: Path | None, history: Path | None) -> None:
    stated = check.decode(file.read_bytes(), str(file))
    _refuse_other(period, stated.period)
    with opened(COMMAND, config=config, history=history) as (reader, zone):
        differences = check.verify(stated, reader, _period(stated.period, zone))
        sites = [part.site for part in stated.parts]
        if differences:
            err.print(f"{file}: does not hold for {reader.site}", markup=False, soft_wrap=True)
            for reason in differences:
                err.print(f"  {reason}", markup=False, soft_wrap=True)
            raise typer.Exit(FAILED)
        others = [site for site in sites if site != reader.site]
        rest = f"; not checked here: {', '.join(others)}" if others else ""
        out.print(f"{file}: holds for {reader.site}, {stated.period}{rest}", markup=False, soft_wrap=True)


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
