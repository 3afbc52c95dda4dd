"""Every pair of shipped alerts at a real Alertmanager: which source inhibits which target, within what scope.

`INHIBITED` is the whole list. All alerts of a test fire at once; Alertmanager itself says what is inhibited by what.
"""

import itertools
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import aiohttp
import pytest
import pytest_asyncio
from alert_chain import alertmanager
from programs import Program, until

from grafana import rules_lint

pytestmark = [pytest.mark.program("prometheus-alertmanager"), pytest.mark.asyncio(loop_scope="module")]

ALERTS = {rule.name: rule.body for rule in rules_lint.rules() if rule.is_alert}

SITE, CONTAINER, AGENT = ("site",), ("site", "container"), ("site", "job", "instance")

# Figures of a whole site, which need all its agents.
OF_A_SITE = (
    "MiningBoardsMissing",
    "MiningContainerDark",
    "MiningCurtailmentStragglers",
    "MiningDeliveredDiverges",
    "MiningPowerModelDrifting",
    "MiningSiteCoverageLow",
    "MiningSiteDark",
    "MiningSiteEfficiencyLow",
    "MiningSiteEfficiencyVeryLow",
    "MiningSiteHashrateDrop",
    "MiningUnitsNotRestored",
)
OF_AN_AGENT = (
    "MiningAgentClockWrong",
    "MiningAgentLate",
    "MiningGatewaySilent",
    "MiningHistoryDoubted",
    "MiningHistoryNotWritten",
    "MiningHistoryUnsigned",
    "MiningMqttDisconnected",
    "MiningMqttFiguresDropped",
    "MiningMqttOutboxFilling",
    "MiningMqttOutboxNotWritten",
    "MiningMqttRefused",
    "MiningMqttUnitsDropped",
    "MiningOrdersNotKept",
    "MiningPollsLate",
    "MiningReloadRefused",
    "MiningSimulatedUnitsCounted",
    "MiningWebConfigRefused",
)
IN_A_DARK_SITE = (
    "MiningBoardsMissing",
    "MiningContainerDark",
    "MiningCurtailmentStragglers",
    "MiningFansStopped",
    "MiningRejectsHigh",
    "MiningSiteCoverageLow",
    "MiningSiteEfficiencyLow",
    "MiningSiteEfficiencyVeryLow",
    "MiningSiteHashrateDrop",
    "MiningStaleWorkHigh",
    "MiningUnitsNotRestored",
    "MiningUnitsOverheating",
)

INHIBITED: dict[tuple[str, str], tuple[str, ...]] = {
    **{("MiningAgentDown", target): SITE for target in OF_A_SITE},
    **{("MiningAgentDown", target): AGENT for target in OF_AN_AGENT},
    ("MiningAgentLate", "MiningPollsLate"): AGENT,
    **{("MiningSiteDark", target): SITE for target in IN_A_DARK_SITE},
    ("MiningContainerDark", "MiningUnitsOverheating"): CONTAINER,
    ("MiningContainerDark", "MiningFansStopped"): CONTAINER,
    ("MiningContainerDark", "MiningBoardsMissing"): CONTAINER,
    ("MiningSiteHashrateDrop", "MiningSiteEfficiencyLow"): SITE,
    ("MiningSiteHashrateDrop", "MiningSiteEfficiencyVeryLow"): SITE,
    ("MiningSiteEfficiencyVeryLow", "MiningSiteEfficiencyLow"): SITE,
}

# No other alert says the same, so nothing may keep these from being sent.
NEVER_INHIBITED = {
    "MiningAgentDown",
    "MiningCreditedDiverges",
    # Theft is nobody's consequence, and silences nothing either.
    "MiningHashrateDiverted",
    "MiningLedgerDiffers",
    "MiningPoolAccountUnread",
    "MiningPoolsDead",
    "MiningStandbyActive",
    "MiningStandbyDown",
    "MiningTwoAgentsActive",
    "MiningUnitsWithoutPool",
    "MiningUnknownUnits",
}


class Place(NamedTuple):
    """Where an alert fires; a real one has those of these labels that its rule gives it."""

    site: str
    container: str = "C1"
    job: str = "hashsight"
    instance: str = "10.0.0.5:9184"


class Asked:
    """A real Alertmanager with the shipped configuration, asked what it inhibits."""

    def __init__(self, url: str, running: Program) -> None:
        self._url, self._running = url, running

    async def post(self, alerts: Iterable[dict[str, str]]) -> None:
        """Have alerts fire."""
        now = datetime.now(UTC)
        body = [
            {"labels": labels, "startsAt": now.isoformat(), "endsAt": (now + timedelta(hours=1)).isoformat()}
            for labels in alerts
        ]
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self._url}/api/v2/alerts", json=body) as response,
        ):
            assert response.status == 200, await response.text()

    async def inhibited(self, sites: str, expected: int) -> dict[tuple[str, str], set[str]]:
        """Return, by alert and place of the target, the alerts that inhibit it, once all `expected` are known.

        Args:
            sites: The beginning of the names of the sites to look at.
            expected: How many alerts were posted there.
        """

        async def all_known() -> list[dict[str, Any]] | None:
            async with aiohttp.ClientSession() as session, session.get(f"{self._url}/api/v2/alerts") as response:
                listed = [each for each in await response.json() if each["labels"]["site"].startswith(sites)]
            return listed if len(listed) == expected else None

        listed = await until(all_known, self._running)
        names = {each["fingerprint"]: each["labels"]["alertname"] for each in listed}
        return {
            (each["labels"]["alertname"], _place(each["labels"])): {
                names[one] for one in each["status"]["inhibitedBy"] if one in names
            }
            for each in listed
        }


def _place(labels: dict[str, str]) -> str:
    return "/".join(labels.get(name, "") for name in Place._fields)


def fires(alert: str, place: Place) -> dict[str, str]:
    """Return the labels of an alert that fires at a place."""
    return {"alertname": alert, "severity": ALERTS[alert]["labels"]["severity"], **place._asdict()}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def asked(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Asked]:
    """Run one Alertmanager for all pairs, which sends nothing before the tests are over."""
    folder = tmp_path_factory.mktemp("inhibition")
    async with alertmanager(folder, "127.0.0.1:1", wait="1h") as (address, running):
        yield Asked(f"http://{address}", running)


async def test_every_alert_is_inhibited_by_something_or_by_nothing() -> None:
    """Every alert is on one of the two lists, so that a new one is decided about, and no two inhibit each other."""
    targets = {target for _, target in INHIBITED}
    assert targets | NEVER_INHIBITED == set(ALERTS)
    assert not targets & NEVER_INHIBITED
    assert not [pair for pair in INHIBITED if pair[::-1] in INHIBITED]
    assert not [pair for pair in INHIBITED if pair[0] in {"MiningPoolsDead", "MiningHashrateDiverted"}]


async def test_every_pair_at_one_place(asked: Asked) -> None:
    """Both at once at one place: the target is inhibited exactly where the list says so, of all pairs that exist."""
    pairs = list(itertools.permutations(sorted(ALERTS), 2))
    sites = {pair: f"same-{number}" for number, pair in enumerate(pairs)}
    await asked.post(fires(alert, Place(site)) for pair, site in sites.items() for alert in pair)
    found = await asked.inhibited("same-", 2 * len(pairs))
    wrong = {
        pair: found[pair[1], "/".join(Place(site))]
        for pair, site in sites.items()
        if found[pair[1], "/".join(Place(site))] != ({pair[0]} if pair in INHIBITED else set())
    }
    assert wrong == {}


async def test_no_pair_reaches_beyond_its_scope(asked: Asked) -> None:
    """Both at once, and one label of the scope differs: another container, agent or site is never inhibited."""
    elsewhere = {"site": "{}-other", "container": "C2", "job": "other", "instance": "10.0.0.6:9184"}
    posted, targets = [], {}
    for number, ((source, target), scope) in enumerate(INHIBITED.items()):
        for label in scope:
            here = Place(f"apart-{number}-{label}")
            there = here._replace(**{label: elsewhere[label].format(here.site)})
            posted += [fires(source, here), fires(target, there)]
            targets[target, "/".join(there)] = source
    await asked.post(posted)
    found = await asked.inhibited("apart-", len(posted))
    assert {key: found[key] for key in targets if found[key]} == {}


async def test_all_alerts_of_two_containers_at_once(asked: Asked) -> None:
    """A site where everything fires: only what has a reason of its own is sent, and both containers are."""
    alerts = sorted(set(ALERTS) - {"MiningAgentDown", "MiningSiteDark"})
    places = [Place("whole", "C1"), Place("whole", "C2", instance="10.0.0.6:9184")]
    await asked.post(fires(alert, place) for alert in alerts for place in places)
    found = await asked.inhibited("whole", len(alerts) * len(places))
    dark = {target for source, target in INHIBITED if source == "MiningContainerDark"}
    for place in places:
        sent = {alert for alert in alerts if not found[alert, "/".join(place)]}
        efficiency = {"MiningSiteEfficiencyLow", "MiningSiteEfficiencyVeryLow"}
        assert sent == set(alerts) - dark - efficiency - {"MiningPollsLate"}


async def test_dead_pools_hide_no_power_cut(asked: Asked) -> None:
    """Dead pools in a container, and in its whole site, beside a power cut in either: both are sent."""
    cases = {
        ("MiningPoolsDead", "C1"): [("MiningContainerDark", "C1"), ("MiningContainerDark", "C2")],
        ("MiningContainerDark", "C2"): [("MiningPoolsDead", "C2"), ("MiningSiteHashrateDrop", "")],
    }
    posted = []
    for number, ((alert, container), others) in enumerate(cases.items()):
        site = f"pools-{number}"
        posted += [fires(alert, Place(site, container)), *(fires(each, Place(site, where)) for each, where in others)]
    await asked.post(posted)
    found = await asked.inhibited("pools-", len(posted))
    assert not any(found.values())
