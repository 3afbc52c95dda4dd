"""A lint of rules beyond promtool: unknown metrics, alerts without runbook or tests, links that lead nowhere.

Every mistake is one line with the file and the name. `python -m grafana.check` prints them.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from agent.commands.alert_links import GRAFANA, RUNBOOKS, production_refusal
from agent.exporters.prometheus.store import contract
from grafana.source import UnreadableError, read_json, read_yaml, required

HERE = Path(__file__).parent
DEPLOY = HERE.parent / "deploy"
RUNBOOKS_AT = f"{RUNBOOKS}/"
GRAFANA_AT = f"{GRAFANA}/d/"
SEVERITIES = frozenset({"critical", "warning"})
HEADINGS = ("Meaning", "Impact", "Diagnosis", "Mitigation")

# An alert on an agent that was never seen knows no site.
_SITE_FIRST = ("{{ $labels.site }}: ", "{{ with $labels.site }}{{ . }}: {{ end }}")

# Prometheus' own series.
_OTHERS = frozenset({"up", "ALERTS", "process_start_time_seconds"})
_WORDS = frozenset(
    {
        *("and", "or", "unless", "on", "ignoring", "group_left", "group_right", "by", "without", "bool", "offset"),
        *("inf", "nan", "start", "end"),
    }
)


class Rule(NamedTuple):
    """One rule and its file."""

    file: str
    name: str
    is_alert: bool
    expr: str
    body: Mapping[str, Any]


class Check(NamedTuple):
    """One expectation of a unit test about an alert.

    Attributes:
        file, test: File and test name.
        alert: Name of the alert.
        fires: True if the alert is expected to fire.
        is_curtailed: True if the test's series include a curtailment.
    """

    file: str
    test: str
    alert: str
    fires: bool
    is_curtailed: bool


def rules(folder: Path = HERE) -> list[Rule]:
    """Return every rule under ``rules/``.

    Raises:
        UnreadableError: A file is not a rule file.
    """
    found = []
    for path in sorted((folder / "rules").glob("*.yml")):
        file = f"rules/{path.name}"
        for group in required(file, read_yaml(path, file), "groups"):
            where = f"{file}: {required(file, group, 'name')}"
            for body in required(where, group, "rules"):
                is_alert = isinstance(body, Mapping) and "alert" in body
                name = required(where, body, "alert" if is_alert else "record")
                found.append(Rule(file, name, is_alert, str(required(f"{file}: {name}", body, "expr")), body))
    return found


def checks(folder: Path = HERE) -> list[Check]:
    """Return the expectations about alerts in the unit tests under ``rules/tests/``.

    Raises:
        UnreadableError: A file is not a test file.
    """
    found = []
    for file, name, test in _tests(folder):
        where = f"{file}: {name}"
        is_curtailed = any(
            _is_curtailment(required(where, one, "series"), str(required(where, one, "values")))
            for one in required(where, test, "input_series")
        )
        found += [
            Check(file, name, required(where, one, "alertname"), bool(required(where, one, "exp_alerts")), is_curtailed)
            for one in test.get("alert_rule_test", ())
        ]
    return found


def _tests(folder: Path) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Yield the file, the name and the body of every unit test."""
    for path in sorted((folder / "rules/tests").glob("*.yml")):
        file = f"rules/tests/{path.name}"
        for test in required(file, read_yaml(path, file), "tests"):
            yield file, required(file, test, "name"), test


def _is_curtailment(series: str, values: str) -> bool:
    return "curtail" in series and any(float(value) > 0 for value in re.findall(r"[\d.]+(?:e\d+)?(?=\+|\s|$)", values))


def metric_names(expr: str) -> set[str]:
    """Return the metrics in a PromQL expression: its words without strings, labels and functions."""
    bare = re.sub(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'', '""', expr)
    bare = re.sub(r"\{[^{}]*\}|\[[^\[\]]*\]", "", bare)
    bare = re.sub(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^()]*\)", " ", bare)
    words = re.findall(r"(?<![\w:.])([A-Za-z_:][\w:]*)(?!\s*\()(?![\w:])", bare)
    return {word for word in words if word.lower() not in _WORDS and not re.fullmatch(r"e\d+", word)}


def known_names(found: list[Rule]) -> set[str]:
    """Return every metric that a rule may name: the contract's, the recorded ones, and Prometheus' own."""
    names = {rule.name for rule in found if not rule.is_alert} | _OTHERS
    for row in contract():
        names.add(row.name)
        if row.kind == "histogram":
            names |= {f"{row.name}{suffix}" for suffix in ("_bucket", "_sum", "_count")}
    return names


def lint(folder: Path = HERE) -> list[str]:
    """Return every mistake with its file and rule, or a single one for a file that cannot be read."""
    try:
        return list(_mistakes(folder))
    except UnreadableError as error:
        return [str(error)]


def _mistakes(folder: Path) -> Iterator[str]:
    found = rules(folder)
    known = known_names(found)
    for rule in found:
        for name in sorted(metric_names(rule.expr) - known):
            yield f"{rule.file}: {rule.name}: no such metric: {name}"
    alerts = [rule for rule in found if rule.is_alert]
    uids = _dashboards(folder)
    for alert in alerts:
        yield from (f"{alert.file}: {alert.name}: {mistake}" for mistake in _alert_mistakes(alert, uids))
    yield from _query_mistakes(alerts, known)
    yield from _test_mistakes(alerts, folder)
    yield from _input_mistakes(folder, known)
    yield from _runbook_mistakes(alerts, folder, known)
    yield from link_mistakes(folder)


def link_mistakes(folder: Path = HERE, deploy: Path = DEPLOY) -> Iterator[str]:
    """Yield every link in what notifications are made of that a phone cannot open: no https, or loopback."""
    files = {f"rules/{path.name}": path for path in sorted((folder / "rules").glob("*.yml"))}
    files |= {f"../deploy/{path.name}": path for path in sorted(deploy.glob("alertmanager.*"))}
    for name, path in files.items():
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            for link in re.findall(r"\b(?:file:|[a-z][a-z0-9+.-]*://)[^\s'\"`)]*", line):
                reason = production_refusal(link)
                if reason:
                    yield f"{name}: line {number}: {link}: {reason}"


def _alert_mistakes(alert: Rule, uids: set[str]) -> Iterator[str]:
    body, texts = alert.body, alert.body.get("annotations", {})
    if not re.fullmatch(r"Mining([A-Z][a-z]+)+", alert.name):
        yield "an alert is called Mining..., in CamelCase"
    if body.get("labels", {}).get("severity") not in SEVERITIES:
        yield f"its severity must be one of {', '.join(sorted(SEVERITIES))}"
    if "for" not in body:
        yield "`for` is missing"
    if "keep_firing_for" in body:
        yield "keep_firing_for is not supported by Debian's vmalert 1.79"
    summary, description = texts.get("summary", ""), texts.get("description", "")
    if not summary.startswith(_SITE_FIRST) or summary.endswith("."):
        yield "its summary must begin with the site and end without a full stop: SITE: PLACE WHAT, HOW MUCH"
    if not re.search(r"\$labels\.(site|instance)\b", description):
        yield "its description must name $labels.site or $labels.instance"
    if not re.search(r" First: \S.*\.$", description):
        yield "its description must end with what to do: First: ... ."
    if texts.get("runbook_url") != f"{RUNBOOKS_AT}{alert.name}.md":
        yield f"its runbook_url must be {RUNBOOKS_AT}{alert.name}.md"
    link = texts.get("dashboard_url", "")
    uid = re.match(rf"{re.escape(GRAFANA_AT)}([a-z-]+)", link)
    if uid is None or uid[1] not in uids:
        yield f"its dashboard_url must begin with {GRAFANA_AT} and the uid of a dashboard"


def _dashboards(folder: Path) -> set[str]:
    files = {f"dashboards/{path.name}": path for path in (folder / "dashboards").glob("*.json")}
    return {required(file, read_json(path, file), "uid") for file, path in files.items()}


def _query_mistakes(alerts: list[Rule], known: set[str]) -> Iterator[str]:
    """Check the queries inside annotations against the same list."""
    for alert in alerts:
        for query in re.findall(r'printf "((?:[^"\\]|\\.)*)"', " ".join(alert.body.get("annotations", {}).values())):
            for name in sorted(metric_names(query.replace("%q", '""').replace("%v", "1")) - known):
                yield f"{alert.file}: {alert.name}: no such metric: {name}"


def _test_mistakes(alerts: list[Rule], folder: Path) -> Iterator[str]:
    by_alert = defaultdict(list)
    for check in checks(folder):
        by_alert[check.alert].append(check)
    for alert in alerts:
        expected = by_alert.pop(alert.name, [])
        if not any(check.fires for check in expected):
            yield f"{alert.file}: {alert.name}: no unit test in which it fires"
        if all(check.fires for check in expected):
            yield f"{alert.file}: {alert.name}: no unit test in which it is silent"
        if not any(check.is_curtailed and not check.fires for check in expected):
            yield f"{alert.file}: {alert.name}: no unit test in which it stays silent through a curtailment"
    for name, expected in by_alert.items():
        yield f"{expected[0].file}: {name}: there is no such alert"


def _input_mistakes(folder: Path, known: set[str]) -> Iterator[str]:
    for file, test, body in _tests(folder):
        for series in body["input_series"]:
            for name in sorted(metric_names(series["series"]) - known):
                yield f"{file}: {test}: no such metric: {name}"


def _runbook_mistakes(alerts: list[Rule], folder: Path, known: set[str]) -> Iterator[str]:
    names = {alert.name for alert in alerts}
    pages = {path.stem: path for path in sorted((folder / "runbooks").glob("*.md")) if path.name != "README.md"}
    for name in sorted(names - pages.keys()):
        yield f"runbooks/{name}.md: {name}: missing"
    for name, path in pages.items():
        if name not in names:
            yield f"runbooks/{path.name}: {name}: there is no such alert"
            continue
        text = path.read_text(encoding="utf-8")
        sections = re.split(r"^## (.*)$", text, flags=re.MULTILINE)
        if sections[0].strip() != f"# {name}" or tuple(sections[1::2]) != HEADINGS:
            yield f"runbooks/{path.name}: {name}: its headings must be its name, then {', '.join(HEADINGS)}"
        elif not all(section.strip() for section in sections[2::2]):
            yield f"runbooks/{path.name}: {name}: an empty section"
        for query in re.findall(r"promtool query instant \S+ '([^']*)'", text):
            for metric in sorted(metric_names(query) - known):
                yield f"runbooks/{path.name}: {name}: no such metric: {metric}"
