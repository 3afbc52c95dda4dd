"""What promtool does not see in rules: metrics that nobody exports, alerts without a runbook or tests, loose links.

Every mistake is one line with the file and the name. `python -m grafana.check` prints them.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from agent.exporters.metrics import contract

HERE = Path(__file__).parent
RUNBOOKS_AT = "file:///usr/share/doc/hashsight/runbooks/"
GRAFANA_AT = "http://127.0.0.1:3000/d/"
SEVERITIES = frozenset({"critical", "warning"})
HEADINGS = ("Meaning", "Impact", "Diagnosis", "Mitigation")

# What Prometheus and the client library write themselves.
_OTHERS = frozenset({"up", "ALERTS"})
_WORDS = frozenset(
    {
        *("and", "or", "unless", "on", "ignoring", "group_left", "group_right", "by", "without", "bool", "offset"),
        *("inf", "nan", "start", "end"),
    }
)


class Rule(NamedTuple):
    """One rule, and where it stands."""

    file: str
    name: str
    is_alert: bool
    expr: str
    body: Mapping[str, Any]


class Check(NamedTuple):
    """One thing a unit test says of an alert.

    Attributes:
        file, test: Where it says so.
        alert: Which alert it is about.
        fires: Whether the alert is expected at that time.
        is_curtailed: Whether the test's series hold a curtailment.
    """

    file: str
    test: str
    alert: str
    fires: bool
    is_curtailed: bool


def _read(path: Path) -> Any:
    # PyYAML's own C loader is ten times as fast, where it was built with it.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(path.read_text(encoding="utf-8"), Loader=loader)  # noqa: S506 - both loaders are safe ones


def rules(folder: Path = HERE) -> list[Rule]:
    """Give every rule under ``rules/``."""
    found = []
    for path in sorted((folder / "rules").glob("*.yml")):
        for group in _read(path)["groups"]:
            for body in group["rules"]:
                name = body.get("record") or body["alert"]
                found.append(Rule(f"rules/{path.name}", name, "alert" in body, str(body["expr"]), body))
    return found


def checks(folder: Path = HERE) -> list[Check]:
    """Give what the unit tests under ``rules/tests/`` say of alerts."""
    found = []
    for path in sorted((folder / "rules/tests").glob("*.yml")):
        for test in _read(path)["tests"]:
            is_curtailed = any(_is_curtailment(one["series"], str(one["values"])) for one in test["input_series"])
            found += [
                Check(f"rules/tests/{path.name}", test["name"], one["alertname"], bool(one["exp_alerts"]), is_curtailed)
                for one in test.get("alert_rule_test", ())
            ]
    return found


def _is_curtailment(series: str, values: str) -> bool:
    return "curtail" in series and any(float(value) > 0 for value in re.findall(r"[\d.]+(?:e\d+)?(?=\+|\s|$)", values))


def metric_names(expr: str) -> set[str]:
    """Give the metrics that a PromQL expression names: what is left of it without texts, labels and functions."""
    bare = re.sub(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'', '""', expr)
    bare = re.sub(r"\{[^{}]*\}|\[[^\[\]]*\]", "", bare)
    bare = re.sub(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^()]*\)", " ", bare)
    words = re.findall(r"(?<![\w:.])([A-Za-z_:][\w:]*)(?!\s*\()(?![\w:])", bare)
    return {word for word in words if word.lower() not in _WORDS and not re.fullmatch(r"e\d+", word)}


def known_names(found: list[Rule]) -> set[str]:
    """Give every metric that a rule may name: the contract's, the recorded ones, and Prometheus' own."""
    names = {rule.name for rule in found if not rule.is_alert} | _OTHERS
    for row in contract():
        names.add(row.name)
        if row.kind == "histogram":
            names |= {f"{row.name}{suffix}" for suffix in ("_bucket", "_sum", "_count")}
    return names


def lint(folder: Path = HERE) -> list[str]:
    """Give every mistake, each with its file and the name of the rule."""
    found = rules(folder)
    known = known_names(found)
    mistakes = [
        f"{rule.file}: {rule.name}: nobody exports or records {name}"
        for rule in found
        for name in sorted(metric_names(rule.expr) - known)
    ]
    alerts = [rule for rule in found if rule.is_alert]
    mistakes += [f"{alert.file}: {alert.name}: {what}" for alert in alerts for what in _alert_mistakes(alert, folder)]
    mistakes += _query_mistakes(alerts, known)
    mistakes += _test_mistakes(alerts, folder)
    mistakes += _input_mistakes(folder, known)
    mistakes += _runbook_mistakes(alerts, folder, known)
    return mistakes


def _alert_mistakes(alert: Rule, folder: Path) -> Iterator[str]:
    body, texts = alert.body, alert.body.get("annotations", {})
    if not re.fullmatch(r"Mining([A-Z][a-z]+)+", alert.name):
        yield "an alert is called Mining..., in capitals and small letters"
    if body.get("labels", {}).get("severity") not in SEVERITIES:
        yield f"its severity is one of {', '.join(sorted(SEVERITIES))}"
    if "for" not in body:
        yield "it says for how long (for)"
    if "keep_firing_for" in body:
        yield "keep_firing_for is not known to every program that reads these rules"
    summary = texts.get("summary", "")
    if not summary.endswith(".") or "{{" in summary:
        yield "its summary is a sentence that is always the same"
    if not re.search(r"\$labels\.(site|instance)\b", texts.get("description", "")):
        yield "its description names the scope: $labels.site or $labels.instance"
    if texts.get("runbook_url") != f"{RUNBOOKS_AT}{alert.name}.md":
        yield f"its runbook_url is {RUNBOOKS_AT}{alert.name}.md"
    link = texts.get("dashboard_url", "")
    uid = re.match(rf"{re.escape(GRAFANA_AT)}([a-z-]+)", link)
    if uid is None or uid[1] not in _dashboards(folder):
        yield f"its dashboard_url begins with {GRAFANA_AT} and one of our dashboards"


def _dashboards(folder: Path) -> set[str]:
    return {json.loads(path.read_text(encoding="utf-8"))["uid"] for path in (folder / "dashboards").glob("*.json")}


def _query_mistakes(alerts: list[Rule], known: set[str]) -> Iterator[str]:
    """Hold the queries inside annotations to the same list."""
    for alert in alerts:
        for query in re.findall(r'printf "((?:[^"\\]|\\.)*)"', " ".join(alert.body.get("annotations", {}).values())):
            for name in sorted(metric_names(query.replace("%q", '""')) - known):
                yield f"{alert.file}: {alert.name}: nobody exports or records {name}"


def _test_mistakes(alerts: list[Rule], folder: Path) -> Iterator[str]:
    said = defaultdict(list)
    for check in checks(folder):
        said[check.alert].append(check)
    for alert in alerts:
        told = said.pop(alert.name, [])
        if not any(check.fires for check in told):
            yield f"{alert.file}: {alert.name}: no unit test in which it fires"
        if all(check.fires for check in told):
            yield f"{alert.file}: {alert.name}: no unit test in which it is silent"
        if not any(check.is_curtailed and not check.fires for check in told):
            yield f"{alert.file}: {alert.name}: no unit test in which it lives through a curtailment"
    for name, told in said.items():
        yield f"{told[0].file}: {name}: there is no such alert"


def _input_mistakes(folder: Path, known: set[str]) -> Iterator[str]:
    for path in sorted((folder / "rules/tests").glob("*.yml")):
        for test in _read(path)["tests"]:
            for series in test["input_series"]:
                for name in sorted(metric_names(series["series"]) - known):
                    yield f"rules/tests/{path.name}: {test['name']}: nobody exports or records {name}"


def _runbook_mistakes(alerts: list[Rule], folder: Path, known: set[str]) -> Iterator[str]:
    names = {alert.name for alert in alerts}
    pages = {path.stem: path for path in sorted((folder / "runbooks").glob("*.md"))}
    for name in sorted(names - pages.keys()):
        yield f"runbooks/{name}.md: {name}: not there"
    for name, path in pages.items():
        if name not in names:
            yield f"runbooks/{path.name}: {name}: there is no such alert"
            continue
        text = path.read_text(encoding="utf-8")
        chapters = re.split(r"^## (.*)$", text, flags=re.MULTILINE)
        if chapters[0].strip() != f"# {name}" or tuple(chapters[1::2]) != HEADINGS:
            yield f"runbooks/{path.name}: {name}: its headings are its name, then {', '.join(HEADINGS)}"
        elif not all(chapter.strip() for chapter in chapters[2::2]):
            yield f"runbooks/{path.name}: {name}: an empty chapter"
        for query in re.findall(r"promtool query instant \S+ '([^']*)'", text):
            for metric in sorted(metric_names(query) - known):
                yield f"runbooks/{path.name}: {name}: nobody exports or records {metric}"
