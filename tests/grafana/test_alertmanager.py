"""The shipped Alertmanager configuration: who is called, and what is held back by what."""

import re
import subprocess
from collections.abc import Iterator
from graphlib import TopologicalSorter
from typing import Any

import pytest
import yaml
from paths import DEPLOY

from grafana import rules_lint

CONFIG = DEPLOY / "alertmanager.yml"
ALERTS = {rule.name: rule.body for rule in rules_lint.rules() if rule.is_alert}


def inhibitions() -> list[dict[str, Any]]:
    """Give the inhibition rules."""
    rules: list[dict[str, Any]] = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))["inhibit_rules"]
    return rules


def matched(matchers: list[str]) -> set[str]:
    """Give the alerts that all of some matchers on alertname take."""
    names = set(ALERTS)
    for matcher in matchers:
        found = re.fullmatch(r'alertname(=~|!=|=)"([^"]*)"', matcher)
        assert found, f"{matcher}: only alertname is matched here"
        sign, text = found.groups()
        pattern = text if sign == "=~" else re.escape(text)
        names = {name for name in names if (re.fullmatch(pattern, name) is None) == (sign == "!=")}
    return names


def held_back() -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Give every pair of what speaks and what it silences, and the labels that have to agree."""
    for rule in inhibitions():
        for source in matched(rule["source_matchers"]):
            for target in matched(rule["target_matchers"]):
                yield source, target, tuple(rule["equal"])


@pytest.mark.program("amtool")
def test_amtool_takes_it() -> None:
    """Alertmanager's own check finds no mistake."""
    done = subprocess.run(
        ["amtool", "check-config", str(CONFIG)], capture_output=True, text=True, check=False, timeout=30
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.program("amtool")
@pytest.mark.parametrize(("severity", "receiver"), [("critical", "pager"), ("warning", "tickets")])
def test_who_is_told(severity: str, receiver: str) -> None:
    """Critical calls somebody; warning writes a ticket and calls nobody."""
    labels = [f"severity={severity}", "alertname=MiningSiteDark", "site=alpha"]
    done = subprocess.run(
        ["amtool", "config", "routes", "test", f"--config.file={CONFIG}", *labels],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.stdout.split() == [receiver]


def test_every_word_of_an_inhibition_is_an_alert() -> None:
    """A misspelt alert in a matcher would silence nothing, and nobody would notice."""
    for rule in inhibitions():
        for matcher in (*rule["source_matchers"], *rule["target_matchers"]):
            text = matcher.split('"')[1]
            for word in _alternatives(text):
                assert matched([f'alertname=~"{word}"']), f"{matcher}: {word} is no alert"


def _alternatives(pattern: str) -> list[str]:
    """Give a pattern once for each of its alternatives."""
    group = re.search(r"\(([^()]*)\)", pattern)
    if group is None:
        return pattern.split("|")
    return [pattern.replace(group[0], word) for word in group[1].split("|")]


def test_no_two_alerts_silence_each_other() -> None:
    """Of two that hold each other back nobody would hear; Alertmanager would not mind."""
    graph: dict[str, set[str]] = {}
    for source, target, _ in held_back():
        graph.setdefault(target, set()).add(source)
    assert list(TopologicalSorter(graph).static_order())


def test_an_agent_that_is_down_speaks_for_its_site() -> None:
    """Everything else of the same site is held back while its agent is down; that alert itself is never held back."""
    pairs = {(source, target): equal for source, target, equal in held_back()}
    others = set(ALERTS) - {"MiningAgentDown"}
    assert {target for source, target in pairs if source == "MiningAgentDown"} == others
    assert not [pair for pair in pairs if pair[1] == "MiningAgentDown"]
    assert {pairs["MiningAgentDown", target] for target in others} == {("site",)}


def test_a_dark_container_is_one_page() -> None:
    """Of what a dead container sets off, all that would page is held back, and all that is said of its units."""
    pairs = {(source, target): equal for source, target, equal in held_back()}
    dark = {target: equal for (source, target), equal in pairs.items() if source == "MiningContainerDark"}
    assert dark["MiningSiteEfficiencyVeryLow"] == ("site",)
    assert dark["MiningSiteCoverageLow"] == ("site",)
    assert dark["MiningUnitsOverheating"] == ("site", "container")
    # The drop of a site leaves dark containers out by itself, so that a drop of the others is still heard.
    assert "MiningSiteHashrateDrop" not in dark
    assert ("MiningSiteDark", "MiningContainerDark") in pairs


def test_causes_speak_before_their_consequences_are_sent() -> None:
    """What holds others back fires no later than they do, within what Alertmanager waits before it sends."""
    wait_s = _seconds(yaml.safe_load(CONFIG.read_text(encoding="utf-8"))["route"]["group_wait"])
    for source, target in (
        ("MiningSiteDark", "MiningContainerDark"),
        ("MiningSiteDark", "MiningSiteHashrateDrop"),
        ("MiningContainerDark", "MiningSiteEfficiencyVeryLow"),
        ("MiningSiteHashrateDrop", "MiningSiteEfficiencyVeryLow"),
        ("MiningSiteEfficiencyVeryLow", "MiningSiteEfficiencyLow"),
    ):
        assert _seconds(ALERTS[source]["for"]) <= _seconds(ALERTS[target]["for"]) + wait_s


def test_forgotten_curtailments_are_told_of_in_a_dark_site() -> None:
    """Forgotten orders may be why a site looks dark, and a refused reload, too: neither is held back by that."""
    silenced = {target for source, target, _ in held_back() if source != "MiningAgentDown"}
    assert not silenced & {"MiningOrdersNotKept", "MiningReloadRefused"}


def _seconds(duration: str) -> float:
    return float(duration[:-1]) * {"s": 1, "m": 60, "h": 3600}[duration[-1]]
