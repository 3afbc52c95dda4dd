"""`hashsight history`: the history file as CSV, and two agents' files put together."""

import os
from collections.abc import Generator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

from agent.commands.history_proof import seal, verify
from agent.commands.history_source import opened
from agent.commands.machine_output import write_json, write_json_rows, write_text
from agent.commands.terminal import exit_codes, out, usage_error
from agent.errors import HistoryError
from agent.files.atomic import sync_folder
from agent.history.chain.lines import chain_lines
from agent.history.export import (
    CHANGE_HEADER,
    CONTAINER_HEADER,
    OWNER_HEADER,
    change_line,
    container_line,
    site_lines,
)
from agent.history.merging import Merged, merge_histories
from agent.history.minutes import COLUMNS, Values
from agent.history.reader import HistoryReader, read_history
from agent.history.schema import HISTORY
from agent.history.writer import write_history
from agent.statement.period import parse_period

__all__ = ["export", "merge", "seal", "verify"]

COMMAND = "history export"
CHAIN = "chain"
KINDS = ("site", "containers", "owners", "changes", CHAIN)


def export(
    period: str | None,
    *,
    config: Path | None,
    history: Path | None,
    start: str | None,
    end: str | None,
    kind: str,
    as_json: bool,
) -> None:
    """Print history as CSV or JSON."""
    with exit_codes():
        if kind not in KINDS:
            raise usage_error(COMMAND, "--what", kind, f"one of {', '.join(KINDS)} is expected")
        if period is not None and (start, end) != (None, None):
            raise usage_error(COMMAND, "PERIOD", period, "a period or --from and --to are expected, not both")
        with opened(COMMAND, config=config, history=history) as (reader, zone):
            bounds = (_moment("--from", start, zone, 0.0), _moment("--to", end, zone, 1e12))
            if period is not None:
                try:
                    whole = parse_period(period, zone)
                except ValueError as error:
                    raise usage_error(COMMAND, "PERIOD", period, str(error)) from error
                bounds = (whole.start, whole.end)
            # Closed before the file is, if writing fails.
            if kind == CHAIN:
                whole_chain = period is None and start is None
                with closing(chain_lines(reader, None if whole_chain else bounds[0])) as lines:
                    write_text(lines)
                return
            if as_json:
                with closing(_rows(reader, kind, *bounds)) as rows:
                    write_json_rows(rows)
                return
            with closing(_pieces(reader, kind, *bounds)) as pieces:
                write_text(pieces)


def merge(first: Path, second: Path, *, into: Path, as_json: bool) -> None:
    """Put two agents' histories of one site together in a new file."""
    with exit_codes():
        if into.exists():
            raise usage_error("history merge", "--into", str(into), "a file that does not exist yet is expected")
        with closing(read_history(first)) as one, closing(read_history(second)) as other:
            if one.site != other.site:
                raise HistoryError("foreign", f"{second}: the history of site {other.site}, not of {one.site}")
            merged = _merge_into(into, one, other)
        if as_json:
            write_json({f"minutes_{name}": minutes for name, minutes in merged._asdict().items()})
            return
        for minutes, words in (
            (merged.first, f"of {first} alone"),
            (merged.second, f"of {second} alone"),
            (merged.completed, f"of {first}, with seconds of {second}"),
            (merged.repeated, f"in both, counted once, as in {first}"),
        ):
            out.print(f"{minutes:>9,} minutes {words}", markup=False, soft_wrap=True)


def _merge_into(into: Path, one: HistoryReader, other: HistoryReader) -> Merged:
    """Write both into a new file, which appears when it is whole.

    Raises:
        HistoryError: There is no such file then.
    """
    with HISTORY.translated(into), TemporaryDirectory(dir=into.parent, prefix=f".{into.name}.") as folder:
        unfinished = Path(folder) / into.name
        try:
            with closing(write_history(unfinished)) as whole:
                merged = merge_histories(one, other, whole)
                whole.claim(site=one.site, zone=one.zone)
        except HistoryError as error:
            # The file that was asked for, not the temporary one.
            raise HistoryError(error.reason, str(error).replace(str(unfinished), str(into))) from error
        # Unlike a renamed file, a linked one replaces none that came meanwhile.
        os.link(unfinished, into)
        sync_folder(into.parent)
    return merged


def _moment(option: str, text: str | None, zone: ZoneInfo, default: float) -> float:
    if text is None:
        return default
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        reason = "a date or time in ISO 8601 is expected, such as 2025-10-07 or 2025-10-07T16:00"
        raise usage_error(COMMAND, option, text, reason) from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp()


def _pieces(reader: HistoryReader, kind: str, start: float, end: float) -> Generator[str, None, None]:
    if kind == "site":
        yield from site_lines(reader.chunks(start, end))
    elif kind == "containers":
        yield CONTAINER_HEADER
        for container in reader.containers():
            for chunk in reader.chunks(start, end, container):
                yield "".join(container_line(container, values) for values in chunk)
    elif kind == "owners":
        yield OWNER_HEADER
        for owner in reader.owners():
            for chunk in reader.chunks(start, end, owner=owner):
                yield "".join(container_line(owner, values) for values in chunk)
    else:
        yield CHANGE_HEADER
        yield from map(change_line, reader.changes(start, end))


def _rows(reader: HistoryReader, kind: str, start: float, end: float) -> Generator[Mapping[str, object], None, None]:
    """Yield the same rows for JSON, with the columns of the CSV."""
    if kind == "site":
        for chunk in reader.chunks(start, end):
            yield from map(_fields, chunk)
    elif kind == "containers":
        for container in reader.containers():
            for chunk in reader.chunks(start, end, container):
                yield from ({"container": container, **_fields(values)} for values in chunk)
    elif kind == "owners":
        for owner in reader.owners():
            for chunk in reader.chunks(start, end, owner=owner):
                yield from ({"owner": owner, **_fields(values)} for values in chunk)
    else:
        for change in reader.changes(start, end):
            seconds = None if change.until is None else change.until - change.since
            times = {"since": change.since, "until": change.until, "seconds": seconds}
            yield {"unit": change.unit_id, "state": change.state, "why": change.why, **times}


def _fields(values: Values) -> dict[str, object]:
    time = datetime.fromtimestamp(values[0] or 0, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"time": time, **dict(zip(COLUMNS, values, strict=True))}
