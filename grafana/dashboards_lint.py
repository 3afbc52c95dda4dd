"""The queries of the committed dashboards, and a lint of them: files edited by hand, metrics that do not exist.

Every mistake is one line with the file and the panel. `python -m grafana.check` prints them.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from grafana import build, rules_lint
from grafana.source import UnreadableError, read_json, required

HERE = Path(__file__).parent

# Series of Prometheus and its client library, beside the contract's.
_OTHERS = frozenset(
    {
        *("up", "ALERTS", "ALERTS_FOR_STATE", "scrape_duration_seconds", "scrape_samples_scraped"),
        *("process_cpu_seconds_total", "process_resident_memory_bytes"),
    }
)


class Ask(NamedTuple):
    """One query of a dashboard.

    Attributes:
        where: File, panel and letter, for messages.
        expr: PromQL, with Grafana's variables.
        is_range: True if it is asked over the dashboard's time range.
    """

    where: str
    expr: str
    is_range: bool


def boards(folder: Path = HERE) -> dict[str, dict[str, Any]]:
    """Return every committed dashboard by file name."""
    return {path.name: read_json(path, f"dashboards/{path.name}") for path in sorted(folder.glob("dashboards/*.json"))}


def panels(board: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the panels without the rows."""
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def asks(name: str, board: Mapping[str, Any]) -> Iterator[Ask]:
    """Yield the queries of panels, annotations and variables.

    Raises:
        UnreadableError: A part that every dashboard here has is missing or malformed.
    """
    for panel in required(name, board, "panels"):
        if required(name, panel, "type") == "row":
            continue
        of = f"{name}: {required(name, panel, 'id')} {required(name, panel, 'title')!r}"
        for target in required(of, panel, "targets"):
            where = f"{of} {required(of, target, 'refId')}"
            yield Ask(where, required(where, target, "expr"), bool(target.get("range")))
    for mark in required(name, required(name, board, "annotations"), "list"):
        where = f"{name}: annotation {required(name, mark, 'name')!r}"
        yield Ask(where, required(where, required(where, mark, "target"), "expr"), is_range=True)
    for variable in required(name, required(name, board, "templating"), "list"):
        where = f"{name}: variable {required(name, variable, 'name')!r}"
        if required(where, variable, "type") == "query":
            query = required(where, required(where, variable, "query"), "query")
            found = re.fullmatch(r"label_values\((.*), (\w+)\)", query)
            if found is None:
                raise UnreadableError(f"{where}: not label_values(metric, label)")
            yield Ask(where, f"count by ({found[2]}) ({found[1]})", is_range=False)


def known_names(folder: Path = HERE) -> set[str]:
    """Return every metric that a query may name."""
    return rules_lint.known_names(rules_lint.rules(folder)) | _OTHERS


def lint(folder: Path = HERE) -> list[str]:
    """Return every mistake, each with its file; an unreadable file is a mistake and ends the check."""
    stale = build.outdated(folder / "dashboards")
    mistakes = [f"dashboards/{path.name}: differs from the output of `python -m grafana.build`" for path in stale]
    try:
        known = known_names(folder)
        for name, board in boards(folder).items():
            for ask in asks(f"dashboards/{name}", board):
                unknown = sorted(rules_lint.metric_names(ask.expr) - known)
                mistakes += [f"{ask.where}: no such metric: {metric}" for metric in unknown]
    except UnreadableError as error:
        mistakes.append(str(error))
    return mistakes
