"""`hashsight statement`: what a calendar period came to, computed from history, checked, or of several sites."""

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import typer

from agent.commands.history_source import opened, usage_error
from agent.commands.terminal import FAILED, err, exit_codes, out
from agent.statement import statement as statements
from agent.statement import text as statement_text
from agent.statement.check import decode
from agent.statement.check import verify as verify_part
from agent.statement.period import Period, parse_period
from agent.statement.statement import Statement

COMMAND = "statement"


def _json(statement: Statement) -> str:
    return msgspec.json.format(msgspec.json.encode(statement), indent=1).decode() + "\n"


FORMATS: Mapping[str, Callable[[Statement], str]] = {
    "table": statement_text.table,
    "markdown": statement_text.markdown,
    "csv": statement_text.csv,
    "json": _json,
}


def statement(
    words: Sequence[str],
    *,
    config: Path | None,
    history: Path | None,
    form: str,
    verify: Path | None,
    publish: bool,
    is_combined: bool,
    now: float,
) -> None:
    """Print a statement, or say whether one holds.

    Args:
        words: The period; with `is_combined` the files, of which the period may stand first.
        config: The site's configuration.
        history: A history file, instead.
        form: A key of `FORMATS`.
        verify: A statement in JSON, to be computed again.
        publish: Refuse what is not fit for publishing.
        is_combined: Make one statement of several.
        now: Unix time, s.
    """
    with exit_codes():
        periods = [word for word in words if re.fullmatch(r"[0-9]{4}(-[0-9Q]{2})?", word)]
        files = [Path(word) for word in words if word not in periods]
        if form not in FORMATS:
            raise usage_error(COMMAND, "--format", form, f"one of {', '.join(FORMATS)} is expected")
        if len(periods) > 1 or (files and not is_combined):
            raise usage_error(COMMAND, "PERIOD", " ".join(words), "one period is expected, such as 2025-10")
        period = periods[0] if periods else None
        if is_combined:
            shown = _combined(files, period=period, now=now, is_draft=not publish)
        elif verify is not None:
            _verify(verify, period=period, config=config, history=history)
            return
        else:
            shown = _stated(period, config=config, history=history, now=now, is_draft=not publish)
        # Byte by byte what a file of it should hold, whatever the terminal's width.
        sys.stdout.write(FORMATS[form](shown))


def _stated(period: str | None, *, config: Path | None, history: Path | None, now: float, is_draft: bool) -> Statement:
    with opened(COMMAND, config=config, history=history) as (reader, zone):
        return statements.state(reader, _period(period, zone), now=now, is_draft=is_draft)


def _combined(files: Sequence[Path], *, period: str | None, now: float, is_draft: bool) -> Statement:
    if not files:
        raise usage_error(COMMAND, "--combine", "", "files with statements in JSON are expected")
    combined = statements.combine((decode(file.read_bytes(), str(file)) for file in files), now=now, is_draft=is_draft)
    _refuse_other(period, combined.period)
    return combined


def _verify(file: Path, *, period: str | None, config: Path | None, history: Path | None) -> None:
    stated = decode(file.read_bytes(), str(file))
    _refuse_other(period, stated.period)
    with opened(COMMAND, config=config, history=history) as (reader, zone):
        wrong = verify_part(stated, reader, _period(stated.period, zone))
        sites = [part.site for part in stated.parts]
        if wrong:
            err.print(f"{file}: does not hold for {reader.site}", markup=False, soft_wrap=True)
            for reason in wrong:
                err.print(f"  {reason}", markup=False, soft_wrap=True)
            raise typer.Exit(FAILED)
        others = [site for site in sites if site != reader.site]
        rest = f"; not looked at here: {', '.join(others)}" if others else ""
        out.print(f"{file}: holds for {reader.site}, {stated.period}{rest}", markup=False, soft_wrap=True)


def _period(text: str | None, zone: ZoneInfo) -> Period:
    if text is None:
        raise usage_error(COMMAND, "PERIOD", "", "a period is expected, such as 2025-10")
    try:
        return parse_period(text, zone)
    except ValueError as error:
        raise usage_error(COMMAND, "PERIOD", text, str(error)) from error


def _refuse_other(asked: str | None, found: str) -> None:
    if asked is not None and asked != found:
        raise usage_error(COMMAND, "PERIOD", asked, f"the statement is of {found}")
