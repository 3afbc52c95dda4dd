"""A port of the rules of Grafana's dashboard-linter, a Go program.

The rules and their names are those of github.com/grafana/dashboard-linter, docs/index.md. Two differ on purpose. Where
a mixin's dashboards select by `job` and `instance`, ours select by `site`, because several agents may watch one site.
Only the Agent dashboard, which shows processes, selects by job and instance.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from grafana.dashboards_lint import panels

_COUNTER = re.compile(r"\b(\w+_total)\b")
_GROUPINGS = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^()]*\)")
ABOUT_PROCESSES = "hashsight-agent"


def lint(board: Mapping[str, Any]) -> Iterator[str]:
    """Yield the linter's findings in a dashboard: the rule and the place."""
    yield from _of_dashboard(board)
    for panel in panels(board):
        for rule in _of_panel(board, panel):
            yield f"{rule}: panel {panel['id']} {panel['title']!r}"


def _of_dashboard(board: Mapping[str, Any]) -> Iterator[str]:
    variables = {each["name"]: each for each in board["templating"]["list"]}
    source = variables.get("datasource")
    if source is None or (source["type"], source["query"]) != ("datasource", "prometheus"):
        yield "template-datasource-rule"
    for name in ("job", "instance") if board["uid"] == ABOUT_PROCESSES else ("site",):
        if name not in variables:
            yield f"template-{name}-rule"
    for name, variable in variables.items():
        if variable["type"] != "query":
            continue
        if variable["datasource"] != {"type": "prometheus", "uid": "${datasource}"}:
            yield f"template-datasource-rule: variable {name}"
        # 2 is "when the time range changes".
        if variable["refresh"] != 2:
            yield f"template-on-time-change-reload-rule: variable {name}"
        if not re.fullmatch(r"label_values\([\w:]+(?:\{[^{}]*\})?, \w+\)", variable["query"]["query"]):
            yield f"template-label-promql-rule: variable {name}"
    if board.get("editable", True):
        yield "uneditable-dashboard-rule"


def _of_panel(board: Mapping[str, Any], panel: Mapping[str, Any]) -> Iterator[str]:
    if not panel["title"] or not panel.get("description"):
        yield "panel-title-description-rule"
    if (panel.get("datasource") or {}).get("uid") != "${datasource}":
        yield "panel-datasource-rule"
    if not panel["fieldConfig"]["defaults"].get("unit"):
        yield "panel-units-rule"
    targets = panel.get("targets") or []
    if not targets:
        yield "panel-no-targets-rule"
    for target in targets:
        yield from _of_query(board, target["expr"])


def _of_query(board: Mapping[str, Any], expr: str) -> Iterator[str]:
    chosen = ("job", "instance") if board["uid"] == ABOUT_PROCESSES else ("site",)
    matched = re.findall(r"\{([^{}]*)\}", expr)
    for name in chosen:
        if not any(f'{name}=~"${name}"' in matchers for matchers in matched) and not expr.startswith("max(fleet:"):
            yield f"target-{name}-rule"
    for interval in re.findall(r"\b(?:rate|irate|increase)\([^\[\]]*\[([^\[\]]+)\]", expr):
        # A fixed range is one that the panel's title or description names.
        if interval != "$__rate_interval" and not re.fullmatch(r"5m|10m|1h", interval):
            yield f"target-rate-interval-rule [{interval}]"
    for counter in set(_COUNTER.findall(_GROUPINGS.sub("", expr))):
        if not re.search(rf"\b(?:rate|irate|increase)\({counter}\{{", expr):
            yield f"target-counter-agg-rule {counter}"
