"""The committed dashboards as tests look at them: their panels, their questions, and what Grafana makes of those."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from grafana import rules_lint

GRAFANA = Path(__file__).parent.parent / "grafana"
FOLDER = GRAFANA / "dashboards"
RULES = GRAFANA / "rules"

# What Prometheus and its client library write themselves, beside what we declare.
OTHERS_METRICS = frozenset(
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


def boards() -> dict[str, dict[str, Any]]:
    """Give every committed dashboard by its file's name."""
    return {path.name: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))}


def panels(board: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Give the panels, rows aside."""
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def asks(name: str, board: Mapping[str, Any]) -> Iterator[Ask]:
    """Give the questions of panels, annotations and variables."""
    for panel in panels(board):
        for target in panel["targets"]:
            where = f"{name}: {panel['id']} {panel['title']!r} {target['refId']}"
            yield Ask(where, target["expr"], bool(target.get("range")))
    for mark in board["annotations"]["list"]:
        yield Ask(f"{name}: annotation {mark['name']!r}", mark["target"]["expr"], is_range=True)
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            found = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["query"]["query"])
            assert found, f"{name}: variable {variable['name']}: not label_values(metric, label)"
            yield Ask(f"{name}: variable {variable['name']!r}", f"count by ({found[2]}) ({found[1]})", is_range=False)


def filled(expr: str, values: Mapping[str, str]) -> str:
    """Put values in the place of Grafana's variables, longest name first."""
    for name in sorted(values, key=len, reverse=True):
        expr = expr.replace(f"${{{name}}}", values[name]).replace(f"${name}", values[name])
    return expr


def known_names() -> set[str]:
    """Give every metric that a query may name."""
    return rules_lint.known_names(rules_lint.rules()) | OTHERS_METRICS


def all_asks(of: Iterable[str] | None = None) -> list[Ask]:
    """Give every question of every dashboard, or of those named."""
    return [ask for name, board in boards().items() if of is None or name in of for ask in asks(name, board)]
