"""The committed dashboards as tests look at them: their panels, their questions, and what Grafana makes of those."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from agent.exporters.metrics import contract

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

_WORDS = frozenset(
    {
        *("and", "or", "unless", "on", "ignoring", "group_left", "group_right", "by", "without", "bool", "offset"),
        *("inf", "nan"),
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


def metric_names(expr: str) -> set[str]:
    """Give the metrics that a PromQL expression names: what is left of it without strings, labels and functions."""
    bare = re.sub(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'', '""', expr)
    bare = re.sub(r"\{[^{}]*\}", "{}", bare)
    bare = re.sub(r"\[[^\[\]]*\]", "", bare)
    bare = re.sub(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^()]*\)", " ", bare)
    found = re.findall(r"(?<![\w:.$])([A-Za-z_:][\w:]*)(?!\s*\()(?![\w:])", bare)
    return {name for name in found if name.lower() not in _WORDS and not re.fullmatch(r"[smhdwy]|e\d*", name)}


def recorded_names() -> set[str]:
    """Give the names that recording rules write."""
    texts = (path.read_text(encoding="utf-8") for path in RULES.glob("*.yml"))
    return {name for text in texts for name in re.findall(r"^\s*-? *record: (\S+)$", text, flags=re.MULTILINE)}


def known_names() -> set[str]:
    """Give every metric that a query may name."""
    names = set(OTHERS_METRICS) | recorded_names()
    for row in contract():
        names.add(row.name)
        if row.kind == "histogram":
            names |= {f"{row.name}{suffix}" for suffix in ("_bucket", "_sum", "_count")}
    return names


def all_asks(of: Iterable[str] | None = None) -> list[Ask]:
    """Give every question of every dashboard, or of those named."""
    return [ask for name, board in boards().items() if of is None or name in of for ask in asks(name, board)]
