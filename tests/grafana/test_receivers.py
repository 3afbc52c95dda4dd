"""Every receiver of the shipped configuration, uncommented and filled in: what arrives, through a real Alertmanager.

Alerts carry the texts of promtool's unit tests, so the golden files are what a phone shows for the shipped rules.
"""

import asyncio
import functools
import json
import re
import shlex
import shutil
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import pytest
import pytest_asyncio
from alert_chain import run_alertmanager
from notified_services import Services, secrets, services
from paths import DEPLOY, GRAFANA
from programs import Program, until

from grafana import rules_lint

pytestmark = [
    pytest.mark.program("prometheus-alertmanager", "amtool"),
    pytest.mark.asyncio(loop_scope="module"),
]

SERVICES = ("email", "ntfy", "pagerduty", "slack", "telegram", "webhook")
USER, PASSWORD, TOKEN = "alerts@example.com", "of-the-relay", "tk_of_ntfy"
SINCE = datetime(2026, 11, 30, 2, 14, tzinfo=UTC)
LONGEST_NAME = "n" * 64
Golden = Callable[[str, Any], None]


def block(first_key: str, nth: int = 0) -> str:
    """Return one receiver of the shipped file, its comment signs removed as an operator does."""
    text = (DEPLOY / "alertmanager.yml").read_text(encoding="utf-8")
    found = re.findall(rf"^    #: {first_key}:\n(?:    #: .*\n)+", text, re.MULTILINE)
    return re.sub(r"^    #: ", "    ", found[nth], flags=re.MULTILINE)


def filled_in(folder: Path, to: Services) -> str:
    """Return a configuration with one receiver for each service, its addresses those of the stand-ins."""
    receivers = {
        "email": block("email_configs"),
        "ntfy": block("webhook_configs"),
        "pagerduty": block("pagerduty_configs"),
        "slack": block("slack_configs"),
        "telegram": block("telegram_configs"),
        "webhook": "    webhook_configs:\n      - url: https://alerts.example/page\n        send_resolved: true\n",
    }
    changes = {
        "/etc/prometheus/secrets": str(folder / "secrets"),
        "https://ntfy.example.com/YOUR-TOPIC": f"http://{to.http}/ntfy",
        "https://api.telegram.org": f"http://{to.http}",
        "https://alerts.example/page": f"http://{to.http}/webhook",
        "smtp.example.com:587": to.smtp,
        # The relay stands in for one behind STARTTLS.
        "        from: alerts@example.com\n": "        from: alerts@example.com\n        require_tls: false\n",
    }
    text = "".join(f"  - name: {name}\n{body}" for name, body in receivers.items())
    for before, after in changes.items():
        assert before in text, before
        text = text.replace(before, after)
    # PagerDuty's address is Alertmanager's own default.
    head = f"templates: [alertmanager.tmpl]\nglobal: {{pagerduty_url: 'http://{to.http}/pagerduty'}}\n"
    routes = "".join(f"    - {{receiver: {name}, continue: true}}\n" for name in receivers)
    waits = "  group_by: [alertname, site]\n  group_wait: 1s\n  group_interval: 1s\n"
    return f"{head}route:\n  receiver: webhook\n{waits}  routes:\n{routes}receivers:\n{text}"


@functools.cache
def promtool_tests() -> list[dict[str, Any]]:
    """Return promtool's unit tests of alerts."""
    paths = sorted((GRAFANA / "rules/tests").glob("*.yml"))
    return [test for path in paths for test in rules_lint.read_yaml(path, path.name)["tests"]]


def texts_of(alert: str, site: str | None = "north-1") -> list[dict[str, Any]]:
    """Return labels and annotations of the expected alerts of that name and site, or of any, from promtool's tests."""
    return [
        {"labels": {"alertname": alert, **expected["exp_labels"]}, "annotations": expected["exp_annotations"]}
        for test in promtool_tests()
        for check in test.get("alert_rule_test", ())
        if check["alertname"] == alert
        for expected in check["exp_alerts"]
        if site is None or expected["exp_labels"].get("site") == site
    ]


class Notifier(NamedTuple):
    """A running Alertmanager and the stand-ins that it notifies."""

    url: str
    running: Program
    to: Services

    async def post(self, alerts: list[dict[str, Any]], *, ends: datetime | None = None) -> None:
        """Have alerts fire since a fixed time, or end."""
        later = datetime.now(UTC) + timedelta(hours=1)
        body = [{**each, "startsAt": SINCE.isoformat(), "endsAt": (ends or later).isoformat()} for each in alerts]
        async with aiohttp.ClientSession() as session, session.post(f"{self.url}/api/v2/alerts", json=body) as response:
            assert response.status == 200, await response.text()

    async def latest(self, service: str, *words: str) -> dict[str, Any]:
        """Wait until a service got a message with all these words; return the latest such message."""

        async def has() -> dict[str, Any] | None:
            messages = reversed(self.to.arrived.get(service, []))
            return next((each for each in messages if all(word in json.dumps(each) for word in words)), None)

        return await until(has, self.running)

    async def arrived(self, word: str) -> dict[str, dict[str, Any]]:
        """Wait until each service got a message that contains a word; return its latest such message."""

        async def all_have() -> dict[str, dict[str, Any]] | None:
            found = {
                service: next((each for each in reversed(messages) if word in json.dumps(each)), None)
                for service, messages in self.to.arrived.items()
            }
            return found if all(found.get(name) for name in SERVICES) else None

        return await until(all_have, self.running)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def notifier(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Notifier]:
    """Run one Alertmanager with all receivers."""
    folder = tmp_path_factory.mktemp("receivers")
    async with services((USER, PASSWORD), TOKEN) as to:
        key, hook = "0123456789abcdef0123456789abcdef", f"http://{to.http}/slack"
        named = {"pagerduty.key": key, "ntfy.token": TOKEN, "smtp.password": PASSWORD, "slack.url": hook}
        secrets(folder / "secrets", named)
        shutil.copy(DEPLOY / "alertmanager.tmpl", folder)
        (folder / "alertmanager.yml").write_text(filled_in(folder, to), encoding="utf-8")
        async with run_alertmanager(folder, "--web.external-url=https://alertmanager.mine.net") as (address, running):
            yield Notifier(f"http://{address}", running, to)


async def test_one_dark_container(notifier: Notifier, golden: Golden) -> None:
    """One alert: every service shows what, where and how much in its title, and what to do below it."""
    alert = texts_of("MiningContainerDark")[0]
    await notifier.post([alert])
    found = await notifier.arrived("C3 dark")
    for name in SERVICES:
        golden(f"notifications/one.{name}", found[name])
    summary = alert["annotations"]["summary"]
    assert summary == "north-1: container C3 dark, 100 units, 19.6 PH/s"
    titles = {
        "email": found["email"]["subject"],
        "ntfy": found["ntfy"]["title"],
        "pagerduty": found["pagerduty"]["summary"],
        "slack": found["slack"]["attachments"][0]["title"],
        "telegram": found["telegram"]["text"].split("\n")[0],
    }
    assert set(titles.values()) == {summary}
    await notifier.post([alert], ends=SINCE + timedelta(minutes=31))
    over = await notifier.arrived("esolve")
    for name in SERVICES:
        golden(f"notifications/over.{name}", over[name])
    assert notifier.to.refusals == []


async def test_four_containers_without_pools(notifier: Notifier, golden: Golden) -> None:
    """Several alerts of one kind are one message that names each."""
    alerts = [each for each in texts_of("MiningPoolsDead") if "98 of 100" in each["annotations"]["summary"]]
    assert len(alerts) == 4
    await notifier.post(alerts)
    found = await notifier.arrived("C4: no living pool")
    for name in SERVICES:
        golden(f"notifications/four.{name}", found[name])
    for name in set(SERVICES) - {"webhook"}:
        assert all(f"container C{number}:" in json.dumps(found[name]) for number in range(1, 5)), name
    assert notifier.to.refusals == []


async def test_what_still_fires_has_the_title_and_the_links(notifier: Notifier) -> None:
    """Of two dark containers the first has its power again: titles and links are those of the other."""
    text = json.dumps(texts_of("MiningContainerDark")[0]).replace("north-1", "south-2")
    first, second = (json.loads(text.replace("C3", name)) for name in ("A1", "B2"))
    await notifier.post([first, second])
    await notifier.arrived("B2 dark")
    await notifier.post([first], ends=SINCE + timedelta(minutes=31))
    # PagerDuty's and e-mail's word for it is the template's own; ntfy and the webhook have Alertmanager's.
    found = {name: await notifier.latest(name, "A1", "esolved") for name in SERVICES}
    titles = {
        "email": found["email"]["subject"],
        "ntfy": found["ntfy"]["title"].removesuffix(" and more"),
        "pagerduty": found["pagerduty"]["summary"],
        "slack": found["slack"]["attachments"][0]["title"],
        "telegram": found["telegram"]["text"].split("\n")[0],
    }
    assert set(titles.values()) == {"south-2: container B2 dark, 100 units, 19.6 PH/s"}
    links = [found["slack"]["attachments"][0]["title_link"], *(each["href"] for each in found["pagerduty"]["links"])]
    assert all("var-container=B2" in link for link in links if "runbooks" not in link)
    assert "Container B2" in found["ntfy"]["message"]
    assert "Container A1" not in found["ntfy"]["message"]
    assert notifier.to.refusals == []


async def test_the_trial_of_the_installation_guide_arrives(notifier: Notifier) -> None:
    """The alert that deploy/README.md has an operator send is whole enough for every service."""
    guide = (DEPLOY / "README.md").read_text(encoding="utf-8")
    (typed,) = re.findall(r"^    (amtool alert add (?:.*\\\n)*.*)$", guide, re.MULTILINE)
    words = shlex.split(typed.replace("\\\n", " ").replace("http://127.0.0.1:9093", notifier.url))
    done = await asyncio.create_subprocess_exec(*words, stderr=asyncio.subprocess.PIPE)
    _, said = await done.communicate()
    assert done.returncode == 0, said.decode()
    found = await notifier.arrived("trial: container C3 dark")
    assert not [name for name in SERVICES if "no value" in json.dumps(found[name])]
    assert notifier.to.refusals == []


async def test_longest_texts_fit(notifier: Notifier) -> None:
    """Forty alerts with the longest names that a site can have stay within the limits of every service."""
    alert = texts_of("MiningContainerDark")[0]
    alerts = []
    for number in range(40):
        name = f"{number:02}{LONGEST_NAME[2:]}"
        text = json.dumps(alert).replace("north-1", LONGEST_NAME).replace("container C3", f"container {name}")
        named = json.loads(text)
        named["labels"]["container"] = name
        alerts.append(named)
    await notifier.post(alerts)
    await notifier.arrived(LONGEST_NAME)
    assert notifier.to.refusals == []


async def test_every_shipped_alert_can_be_sent(notifier: Notifier) -> None:
    """Every alert's texts as promtool expects them: no field of any service is empty or too long."""
    names = sorted({path.stem for path in (GRAFANA / "runbooks").glob("Mining*.md")})
    alerts = [max(texts_of(name, None), key=lambda alert: len(json.dumps(alert))) for name in names]
    alerts = [{**alert, "labels": {**alert["labels"], "site": "all-of-them"}} for alert in alerts]
    before = {name: len(messages) for name, messages in notifier.to.arrived.items()}
    await notifier.post(alerts)

    async def all_came() -> bool:
        return all(len(notifier.to.arrived[name]) >= before[name] + len(names) for name in SERVICES)

    await until(all_came, notifier.running)
    for service in SERVICES:
        shown = json.dumps(notifier.to.arrived[service][before[service] :])
        assert [name for name in names if f"runbooks.example/hashsight/{name}.md" not in shown] == []
    assert notifier.to.refusals == []
