"""What the committed dashboards ask, and what is wrong with it: files edited by hand, metrics that nobody exports.

Every mistake is one line with the file and the panel. `python -m grafana.check` prints them.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from grafana import build, rules_lint
from grafana.source import UnreadableError, read_json, required

HERE = Path(__file__).parent

# What Prometheus and its client library write themselves, beside what we declare.
_OTHERS = frozenset(
    {
        *("up", "ALERTS", "scrape_duration_seconds", "scrape_samples_scraped"),
        *("process_cpu_seconds_total", "process_resident_memory_bytes"),
    }
)


class Ask(NamedTuple):
    """One question that a dashboard asks Prometheus.

    Attributes:
        where: File, panel and letter, for people.
        expr: With Grafana's variables.
        is_range: Whether it is asked over the dashboard's time.
    """

    where: str
    expr: str
    is_range: bool


def boards(folder: Path = HERE) -> dict[str, dict[str, Any]]:
    """Give every committed dashboard by its file's name."""
    return {path.name: read_json(path, f"dashboards/{path.name}") for path in sorted(folder.glob("dashboards/*.json"))}


def panels(board: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Give the panels, rows aside."""
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def asks(name: str, board: Mapping[str, Any]) -> Iterator[Ask]:
    """Give the questions of panels, annotations and variables.

    Raises:
        UnreadableError: A part that every dashboard of ours has is missing, or not as ours are.
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
    """Give every metric that a query may name."""
    return rules_lint.known_names(rules_lint.rules(folder)) | _OTHERS


def lint(folder: Path = HERE) -> list[str]:
    """Give every mistake, each with its file; a file that cannot be read is one, and those after it wait."""
    stale = build.outdated(folder / "dashboards")
    mistakes = [f"dashboards/{path.name}: not what `python -m grafana.build` gives" for path in stale]
    try:
        known = known_names(folder)
        for name, board in boards(folder).items():
            for ask in asks(f"dashboards/{name}", board):
                unknown = sorted(rules_lint.metric_names(ask.expr) - known)
                mistakes += [f"{ask.where}: nobody exports or records {metric}" for metric in unknown]
    except UnreadableError as error:
        mistakes.append(str(error))
    return mistakes
