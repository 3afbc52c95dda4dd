"""Two real agents, one broker: one publishes at a time, the broker is a second path, an order is followed once."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from brokers import ROOT, SITE, Consumer, Mosquitto, consumer, mosquitto, open_to_all, payloads
from cut_wire import Wire, wire
from mqtt_agent import section, toml
from programs import Program, agent, farm, get, get_json, until

UNITS = 20
INTERVAL_S = 3.0
PATIENT_S = 120.0
ORDERED = '"event": "curtailment ordered"'

pytestmark = pytest.mark.program("mosquitto")


def _telling(folder: Path, port: int) -> str:
    """Return the configuration of a broker that logs each subscription."""
    return f"{open_to_all(folder, port)}log_type notice\nlog_type subscribe\n"


def runs(seen: Consumer, topic: str = f"{ROOT}/figures") -> list[str]:
    """Return the runs that published on a topic, in the order of their first message."""
    return list(dict.fromkeys(body["boot_id"] for body in payloads(seen.messages, topic)))


def agent_states(seen: Consumer) -> list[str]:
    """Return what the agent's own topic said, in order."""
    return [json.loads(payload)["state"] for topic, payload, _ in seen.messages if topic == f"{ROOT}/agent" and payload]


class Standby:
    """A running standby: what it says of itself, and waiting for that."""

    def __init__(self, running: Program, url: str) -> None:
        self.running, self.url = running, url

    async def role(self) -> str:
        """Return its role; empty while it does not answer."""
        site = await get_json(f"{self.url}/api/v1/site")
        return "" if site is None else str(site["role"])

    async def until_role(self, role: str) -> None:
        """Wait until it has a role."""

        async def has_role() -> bool:
            return await self.role() == role

        await until(has_role, self.running, PATIENT_S)

    async def until_listening(self, broker: Mosquitto) -> None:
        """Wait until it is subscribed to the figures of its primary."""

        async def is_listening() -> bool:
            return any("-witness " in line and line.endswith(f" {ROOT}/figures") for line in broker.said.splitlines())

        await until(is_listening, self.running, PATIENT_S)

    async def until_connected(self) -> None:
        """Wait until its broker takes its messages, and its subscription to orders."""

        async def is_connected() -> bool:
            return 'miner_agent_mqtt_connected{broker="site"} 1.0' in (await get(f"{self.url}/metrics/site"))[1]

        await until(is_connected, self.running, PATIENT_S)


async def more_figures(seen: Consumer, count: int) -> list[str]:
    """Wait for so many more figures; return the run of each."""
    before = len(payloads(seen.messages, f"{ROOT}/figures"))
    await seen.until(lambda messages: len(payloads(messages, f"{ROOT}/figures")) >= before + count, PATIENT_S)
    return [body["boot_id"] for body in payloads(seen.messages, f"{ROOT}/figures")[before:]]


async def kept_apart(seen: Consumer, standby: Standby, path: Wire) -> None:
    """Cut the wire for five intervals, of which two are too long: the primary is heard at the broker instead."""
    (run,) = runs(seen)
    path.is_cut = True
    assert set(await more_figures(seen, 5)) == {run}
    assert await standby.role() == "standby"
    assert "primary does not answer" in standby.running.said
    path.is_cut = False
    path.close_all()


async def replaced(seen: Consumer, standby: Standby, first: Program) -> None:
    """Kill the primary: the standby publishes, is online, and follows an order."""
    first.process.kill()
    await first.process.wait()
    await seen.until(lambda _: len(runs(seen)) == 2, PATIENT_S)
    assert await standby.role() == "active"
    await seen.until(lambda _: agent_states(seen)[-2:] == ["offline", "online"], PATIENT_S)
    await standby.until_connected()
    start = datetime.now(UTC) + timedelta(hours=1)
    order = {"id": "peak", "start": start.isoformat(), "duration_s": 3600, "target_percent": 50}
    seen.publish(f"{ROOT}/curtailment/set", order)
    await seen.until(lambda _: _declared(seen, runs(seen)[1]), PATIENT_S)


async def given_back(seen: Consumer, standby: Standby, third: Program) -> None:
    """Wait for the primary's return: it alone publishes, stays online, and follows the order that waited for it."""

    async def is_followed() -> bool:
        return ORDERED in third.said

    await standby.until_role("standby")
    await seen.until(lambda _: len(runs(seen)) == 3, PATIENT_S)
    await until(is_followed, third, PATIENT_S)
    assert set(await more_figures(seen, 3)) == {runs(seen)[2]}
    assert agent_states(seen)[-1] == "online"
    assert [running.said.count(ORDERED) for running in (standby.running, third)] == [1, 1]


async def test_one_publishes_at_a_time(tmp_path: Path) -> None:
    """A cut between the agents alone changes nothing; a kill does, and the return is silent about the standby's end."""
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    async with (
        farm(tmp_path, units=UNITS, options=("--starting", "0%")),
        mosquitto(tmp_path / "broker", _telling) as broker,
    ):
        for name in ("first", "second"):
            (tmp_path / name / "ledger.csv").write_bytes((tmp_path / "ledger.csv").read_bytes())
        brokers = toml(section(broker.port, curtailment=True))

        def primary(*, is_awaited: bool = True) -> Any:
            return agent(tmp_path / "first", interval_s=INTERVAL_S, site=SITE, more=brokers, is_awaited=is_awaited)

        with consumer(broker.port, f"{ROOT}/#") as seen:
            async with wire("127.0.0.1", 1) as path, primary() as (first, first_url):
                path.target = ("127.0.0.1", urlsplit(first_url).port or 0)
                more = f'{brokers}[standby]\nof = "{path.url}"\n'
                second = agent(tmp_path / "second", interval_s=INTERVAL_S, site=SITE, more=more, is_awaited=False)
                async with second as (running, url):
                    standby = Standby(running, url)
                    await standby.until_role("standby")
                    await standby.until_listening(broker)
                    await kept_apart(seen, standby, path)
                    await replaced(seen, standby, first)
                    # It is to be reached from its start: until its first round it says little at the broker.
                    async with primary(is_awaited=False) as (third, third_url):
                        path.target = ("127.0.0.1", urlsplit(third_url).port or 0)
                        await given_back(seen, standby, third)
            assert [len(_declared(seen, run)) for run in runs(seen)[:2]] == [0, 1]


def _declared(seen: Consumer, run: str) -> list[dict[str, Any]]:
    """Return the events in which a run says that it follows the order."""
    return [
        body
        for body in payloads(seen.messages, f"{ROOT}/events")
        if body["boot_id"] == run and body["event"].get("id") == "peak" and body["event"].get("what") == "declared"
    ]
