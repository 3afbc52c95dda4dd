"""The live chain: simulated units, the agent, a real Prometheus with the shipped rules, a real Alertmanager, a webhook.

Rules and configuration are the shipped ones; only their durations are divided by sixty.
"""

import asyncio
import contextlib
import re
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from alert_chain import Notified, Receiver, alertmanager, hurried_rules, receiver, ruling_prometheus
from programs import Program, agent, farm, query, until

pytestmark = [pytest.mark.program("prometheus", "prometheus-alertmanager")]

UNITS = 60
MORE = """\
[api]
token_file = "api.token"
[[pools.allowed]]
name = "main"
urls = ["*.pool.example"]
accounts = ["*"]
"""
HEALTHY = ("--containers", "5", "--off", "0%", "--asleep", "0%", "--starting", "0%", "--missing-board", "0%")
RUNNING = frozenset({"MiningAgentDown"})
"""What cannot be wrong while the agent runs."""
HEALTHY = (*HEALTHY, "--missing-chips", "0%", "--slow", "0%", "--mix", "S21:200=100%")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """All running programs.

    Attributes:
        folder: Folder of their files.
        control: Address of the simulators' control.
        agent, prometheus: The processes.
        server: Address of Prometheus.
        sent: Notifications received from Alertmanager.
    """

    folder: Path
    control: str
    agent: Program
    prometheus: Program
    server: str
    sent: Receiver

    async def value(self, expression: str) -> float | None:
        """Return the one value of a query, or None."""
        found = await query(self.server, expression)
        return found[0][2] if found else None

    async def wait_for(self, condition: str) -> None:
        """Wait until a query has a result."""
        await until(lambda: query(self.server, condition), self.prometheus)

    async def order(self, method: str, path: str, body: dict[str, Any] | None = None) -> None:
        """Send a request to the simulators."""
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, f"{self.control}{path}", json=body) as reply,
        ):
            assert reply.status < 300, await reply.text()

    async def curtail(self, *words: str) -> None:
        """Run `hashsight curtail`."""
        command = (sys.executable, "-m", "agent", "curtail", *words, "--config", str(self.folder / "site.toml"))
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        said, _ = await process.communicate()
        assert process.returncode == 0, said.decode()

    async def pages_until(self, alert: str, status: str) -> None:
        """Wait until an alert has paged with this status."""

        async def has_paged() -> bool:
            return any(each.alert == alert and each.status == status for page in self.sent.pages for each in page)

        await until(has_paged, self.prometheus)

    async def forget_the_start(self) -> None:
        """Wait until pages from the start have resolved: with short durations the first scrape may come too late."""

        async def is_all_over() -> bool:
            open_at_last = {each[1:]: each.status == "firing" for page in self.sent.pages for each in page}
            return not any(open_at_last.values())

        await until(is_all_over, self.prometheus)
        self.sent.clear()


@contextlib.asynccontextmanager
async def stack(folder: Path) -> AsyncIterator[Stack]:
    """Run all programs, and wait until the site has been healthy for a while."""
    token = folder / "api.token"
    token.write_text("a-token-for-this-test-alone-0123456789", encoding="utf-8")
    token.chmod(0o600)
    async with (
        receiver() as sent,
        farm(folder, units=UNITS, options=HEALTHY) as control,
        agent(folder, more=MORE) as (running, url),
        alertmanager(folder, sent.address) as (alerts_to, _),
        ruling_prometheus(folder, url.removeprefix("http://"), alerts_to) as (prometheus, server),
    ):
        whole = Stack(folder=folder, control=control, agent=running, prometheus=prometheus, server=server, sent=sent)
        # A unit takes minutes to start, so simulated time runs sixty times as fast too.
        await whole.order("PUT", "/time", {"speed": 60})
        await whole.wait_for("count_over_time(site:mining_steady_per_deployed:ratio_median1d[1m]) > 5")
        await whole.wait_for('absent(ALERTS{alertname="MiningAgentDown"})')
        await whole.forget_the_start()
        # The shipped two minutes are two seconds here: on a busy machine three scrapes in a row may take longer.
        sent.leaves_out = RUNNING
        yield whole


async def a_drop_is_one_page(at: Stack) -> None:
    """A loss of a fifth in all units pages once, in time, and resolves."""
    await at.order("POST", "/faults", {"fault": "hashrate_drift", "values": {"ratio": 0.78}})
    await at.pages_until("MiningSiteHashrateDrop", "firing")
    # `for` is two evaluations here: more pending ones than that, and two intervals, would be late.
    pending = await at.value('count_over_time(ALERTS{alertname="MiningSiteHashrateDrop",alertstate="pending"}[1m])')
    assert pending is not None
    assert pending <= 2 + 2
    await at.order("DELETE", "/faults")
    await at.pages_until("MiningSiteHashrateDrop", "resolved")
    assert at.sent.pages == [
        [Notified("firing", "MiningSiteHashrateDrop", "")],
        [Notified("resolved", "MiningSiteHashrateDrop", "")],
    ]


async def a_curtailment_of_that_size_is_none(at: Stack) -> None:
    """A fifth of the site asleep during a curtailment, longer than the alert's `for`, does not page."""
    await at.curtail("start", "--container", "C2", "--id", "test")
    await at.order("POST", "/faults", {"fault": "asleep", "who": {"containers": ["C2"]}})
    await at.wait_for("max_over_time(site:mining_operating_per_deployed:ratio[6s]) < 0.85")
    await at.order("DELETE", "/faults")
    await at.curtail("stop", "test")
    await at.wait_for("min_over_time(site:mining_operating_per_deployed:ratio[3s]) > 0.93")
    assert at.sent.pages == []


async def a_dead_container_is_one_page(at: Stack) -> None:
    """A container without power is one page for twelve units, and none for the site."""
    await at.order("POST", "/faults", {"fault": "power_off", "who": {"containers": ["C3"]}})
    await at.pages_until("MiningContainerDark", "firing")
    await at.wait_for("max_over_time(site:mining_operating_per_deployed:ratio[6s]) < 0.85")
    await at.order("DELETE", "/faults")
    await at.pages_until("MiningContainerDark", "resolved")
    assert at.sent.pages == [
        [Notified("firing", "MiningContainerDark", "C3")],
        [Notified("resolved", "MiningContainerDark", "C3")],
    ]
    # A page is sent as soon as a tenth is left, which is 11 or 12 of 12 units with 200 TH/s each.
    assert re.fullmatch(r"alpha: container C3 dark, 1[12] units, 2\.\d+ PH/s", at.sent.summaries[0])


async def three_troubles_at_once_are_two_pages(at: Stack) -> None:
    """One container is curtailed, one loses its power and one its pools: a page for each of the two, by name."""
    await at.curtail("start", "--container", "C3", "--id", "of-three")
    await at.order("POST", "/faults", {"fault": "asleep", "who": {"containers": ["C3"]}})
    await at.wait_for('container:mining_units:sum{container="C3",state="curtailed"} == 12')
    await at.order("POST", "/faults", {"fault": "power_off", "who": {"containers": ["C1"]}})
    await at.pages_until("MiningContainerDark", "firing")
    await at.order("POST", "/faults", {"fault": "pool_dead", "values": {"pools": 2}, "who": {"containers": ["C2"]}})
    await at.pages_until("MiningPoolsDead", "firing")
    # Nothing more for ten minutes of the shipped rules; promtool holds two hours.
    await at.wait_for("sum_over_time(site:mining_poolless_units:sum[10s]) >= 9 * 12")
    assert at.sent.pages == [
        [Notified("firing", "MiningContainerDark", "C1")],
        [Notified("firing", "MiningPoolsDead", "C2")],
    ]
    dark, poolless = at.sent.summaries
    assert re.fullmatch(r"alpha: container C1 dark, 1[12] units, 2\.\d+ PH/s", dark)
    assert re.fullmatch(r"alpha: container C2: no living pool at \d+ of 12 units, [\d.]+ [PT]H/s", poolless)
    await at.order("DELETE", "/faults")
    await at.curtail("stop", "of-three")
    await at.pages_until("MiningContainerDark", "resolved")
    await at.pages_until("MiningPoolsDead", "resolved")
    await at.wait_for("min_over_time(site:mining_operating_per_deployed:ratio[3s]) > 0.93")
    over = {Notified("resolved", "MiningContainerDark", "C1"), Notified("resolved", "MiningPoolsDead", "C2")}
    assert {each for page in at.sent.pages[2:] for each in page} == over
    assert len(at.sent.pages) == 4


async def a_theft_is_one_page(at: Stack) -> None:
    """Units that work for another's account hash as before: no other alert sees it, and it resolves with them."""
    who = {"containers": ["C4"], "share": 0.5}
    await at.order("POST", "/faults", {"fault": "pool_hijacked", "values": {"restarts": False}, "who": who})
    await at.pages_until("MiningHashrateDiverted", "firing")
    await at.order("DELETE", "/faults")
    await at.pages_until("MiningHashrateDiverted", "resolved")
    # A message may repeat what fires: each counts once.
    assert list(dict.fromkeys(each for page in at.sent.pages for each in page)) == [
        Notified("firing", "MiningHashrateDiverted", ""),
        Notified("resolved", "MiningHashrateDiverted", ""),
    ]
    assert re.fullmatch(r"alpha: \d units, [\d.]+ [PT]H/s work for an address that is not yours", at.sent.summaries[0])


async def a_killed_agent_is_one_page(at: Stack) -> None:
    """A killed agent is one page, and the site then has no totals rather than wrong ones."""
    await at.wait_for('absent(ALERTS{alertname="MiningAgentDown",alertstate="firing"})')
    at.sent.leaves_out = frozenset()
    at.sent.clear()
    at.agent.process.kill()
    await at.pages_until("MiningAgentDown", "firing")
    assert at.sent.pages == [[Notified("firing", "MiningAgentDown", "")]]
    assert await at.value("site:mining_operating_hashrate_hashes_per_second:sum") is None


async def test_who_is_called_and_who_is_not(tmp_path: Path) -> None:
    """A drop, a dead container, a theft and a killed agent page once each; a curtailment does not page."""
    async with stack(tmp_path) as at:
        for step in (
            a_drop_is_one_page,
            a_curtailment_of_that_size_is_none,
            a_dead_container_is_one_page,
            a_theft_is_one_page,
            a_killed_agent_is_one_page,
        ):
            await step(at)
            at.sent.clear()


@pytest.mark.slow
async def test_three_troubles_at_once(tmp_path: Path) -> None:
    """A curtailment, a power cut and dead pools at once; `alerts_texts.test.yml` has the same without programs."""
    async with stack(tmp_path) as at:
        await three_troubles_at_once_are_two_pages(at)


def test_hurrying_touches_durations_alone() -> None:
    """Ranges, subqueries, `for` and intervals are divided; window suffixes of names and numbers stay."""
    assert hurried_rules("    for: 2m\n    interval: 1m\n") == "    for: 2s\n    interval: 1s\n"
    assert hurried_rules("avg_over_time(a:b:avg1h[7d:1h]) > 600 and c[15s]") == (
        "avg_over_time(a:b:avg1h[10080s:60s]) > 600 and c[1s]"
    )
