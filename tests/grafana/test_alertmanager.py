"""The shipped Alertmanager configuration: routing, and inhibition as a table; `test_inhibition` asks the real one."""

import re
import subprocess
from collections.abc import Iterator
from graphlib import TopologicalSorter
from typing import Any

import pytest
import yaml
from paths import DEPLOY
from patience import PATIENT_S

from grafana import rules_lint

CONFIG = DEPLOY / "alertmanager.yml"
ALERTS = {rule.name: rule.body for rule in rules_lint.rules() if rule.is_alert}


def inhibitions() -> list[dict[str, Any]]:
    """Return the inhibition rules."""
    rules: list[dict[str, Any]] = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))["inhibit_rules"]
    return rules


def matched(matchers: list[str]) -> set[str]:
    """Return the alerts that match all matchers on alertname."""
    names = set(ALERTS)
    for matcher in matchers:
        found = re.fullmatch(r'alertname(=~|!=|=)"([^"]*)"', matcher)
        assert found, f"{matcher}: only alertname is supported here"
        sign, text = found.groups()
        pattern = text if sign == "=~" else re.escape(text)
        names = {name for name in names if (re.fullmatch(pattern, name) is None) == (sign == "!=")}
    return names


def held_back() -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yield every pair of an alert and one it inhibits, and the labels that must agree."""
    for rule in inhibitions():
        for source in matched(rule["source_matchers"]):
            for target in matched(rule["target_matchers"]):
                yield source, target, tuple(rule["equal"])


@pytest.mark.program("amtool")
def test_amtool_takes_it() -> None:
    """Alertmanager's own check finds no mistake."""
    done = subprocess.run(
        ["amtool", "check-config", str(CONFIG)], capture_output=True, text=True, check=False, timeout=PATIENT_S
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.program("amtool")
@pytest.mark.parametrize(("severity", "receiver"), [("critical", "pager"), ("warning", "tickets")])
def test_severity_chooses_the_receiver(severity: str, receiver: str) -> None:
    """Critical pages; warning only writes a ticket."""
    labels = [f"severity={severity}", "alertname=MiningSiteDark", "site=alpha"]
    done = subprocess.run(
        ["amtool", "config", "routes", "test", f"--config.file={CONFIG}", *labels],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENT_S,
    )
    assert done.stdout.split() == [receiver]


def test_every_word_of_an_inhibition_is_an_alert() -> None:
    """Every alert named in a matcher exists: a misspelt one would inhibit nothing."""
    for rule in inhibitions():
        for matcher in (*rule["source_matchers"], *rule["target_matchers"]):
            text = matcher.split('"')[1]
            for word in _alternatives(text):
                assert matched([f'alertname=~"{word}"']), f"{matcher}: {word} is not an alert"


def _alternatives(pattern: str) -> list[str]:
    """Return a pattern once for each of its alternatives."""
    group = re.search(r"\(([^()]*)\)", pattern)
    if group is None:
        return pattern.split("|")
    return [pattern.replace(group[0], word) for word in group[1].split("|")]


def test_no_two_alerts_silence_each_other() -> None:
    """Inhibition has no cycles: two alerts that inhibit each other would both be lost."""
    graph: dict[str, set[str]] = {}
    for source, target, _ in held_back():
        graph.setdefault(target, set()).add(source)
    assert list(TopologicalSorter(graph).static_order())


def test_causes_speak_before_their_consequences_are_sent() -> None:
    """An inhibiting alert fires before the others are sent, given Alertmanager's group wait."""
    wait_s = _seconds(yaml.safe_load(CONFIG.read_text(encoding="utf-8"))["route"]["group_wait"])
    for source, target in (
        ("MiningSiteDark", "MiningContainerDark"),
        ("MiningSiteDark", "MiningSiteHashrateDrop"),
        ("MiningContainerDark", "MiningSiteEfficiencyVeryLow"),
        ("MiningSiteHashrateDrop", "MiningSiteEfficiencyVeryLow"),
        ("MiningSiteEfficiencyVeryLow", "MiningSiteEfficiencyLow"),
    ):
        assert _seconds(ALERTS[source]["for"]) <= _seconds(ALERTS[target]["for"]) + wait_s


def _seconds(duration: str) -> float:
    return float(duration[:-1]) * {"s": 1, "m": 60, "h": 3600}[duration[-1]]
