"""MQTT from simulated units to a plain paho consumer, through an agent process and a real mosquitto."""

import asyncio
import json
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from brokers import ROOT, consumer, mosquitto, payloads
from mqtt_agent import mqtt_agent, section
from mqtt_messages import check
from programs import farm, get, until
from prometheus_client.parser import text_string_to_metric_families

Messages = list[tuple[str, bytes, bool]]

pytestmark = pytest.mark.program("mosquitto")


async def metrics(url: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Return every sample of the site's metrics by name and labels, without the `site` label."""
    _, text = await get(f"{url}/metrics/site")
    return {
        (
            sample.name,
            tuple(sorted((key, value) for key, value in sample.labels.items() if key != "site")),
        ): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def rebuilt(containers: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the site's figures as the sum of its containers' messages, as a consumer would compute them."""
    site: dict[str, Any] = {"losses_hs": {}, "units_by_state": {}, "units": 0, "deployed_hs": 0.0, "operating_hs": 0.0}
    for body in containers:
        figures = body["figures"]
        for name in ("units", "deployed_hs", "operating_hs"):
            site[name] += figures[name]
        for name in ("losses_hs", "units_by_state"):
            for key, value in figures[name].items():
                site[name][key] = site[name].get(key, 0) + value
    return site


def latest(messages: list[tuple[str, bytes, bool]], prefix: str) -> dict[str, dict[str, Any]]:
    """Return the latest message of each topic under a prefix."""
    found = {topic: payload for topic, payload, _ in messages if topic.startswith(prefix)}
    return {topic: json.loads(payload) for topic, payload in found.items() if payload}


async def test_a_consumer_rebuilds_the_sites_figures(tmp_path: Path) -> None:
    """The messages alone give the same figures as /metrics; every payload fits its schema."""
    async with mosquitto(tmp_path / "broker") as broker, farm(tmp_path, units=60):
        with consumer(broker.port, f"{ROOT}/#") as reader:
            async with mqtt_agent(tmp_path, section(broker.port)) as (running, url):
                for _ in range(20):
                    seen = len(payloads(reader.messages, f"{ROOT}/figures"))
                    await reader.until(lambda got, seen=seen: len(payloads(got, f"{ROOT}/figures")) > seen)
                    scraped = await metrics(url)
                    await asyncio.sleep(0.2)
                    figures = payloads(reader.messages, f"{ROOT}/figures")[-1]["figures"]
                    if scraped["mining_site_operating_hashrate_hashes_per_second", ()] == figures["operating_hs"]:
                        break
                site = rebuilt(list(latest(reader.messages, f"{ROOT}/containers/").values()))
                units = latest(reader.messages, f"{ROOT}/units/")
                running.process.send_signal(signal.SIGTERM)
                assert await running.ended() == 0
            await reader.until(lambda got: latest(got, f"{ROOT}/agent")[f"{ROOT}/agent"]["state"] == "stopped")
            for topic, payload, _ in reader.messages:
                if topic != f"{ROOT}/agent/canary":
                    assert check(payload)["site"] == "alpha"
    for source in (figures, site):
        assert source["units"] == 60
        for name in ("deployed", "operating"):
            shown = scraped[f"mining_site_{name}_hashrate_hashes_per_second", ()]
            assert source[f"{name}_hs"] == pytest.approx(shown, rel=1e-12)
        for cause, loss_hs in source["losses_hs"].items():
            shown = scraped["mining_site_loss_hashrate_hashes_per_second", (("cause", cause),)]
            assert loss_hs == pytest.approx(shown, rel=1e-9, abs=1e-3)
        for state, count in source["units_by_state"].items():
            assert count == scraped["mining_site_units", (("state", state),)]
    assert len(units) == 60
    assert sum(unit["unit"]["nameplate_hs"] for unit in units.values()) == figures["deployed_hs"]


async def test_the_agents_own_life_is_published(tmp_path: Path) -> None:
    """A refused configuration and its repair are published; so is `offline` after SIGKILL, at once."""

    def states(messages: Messages) -> list[str]:
        return [json.loads(payload)["state"] for topic, payload, _ in messages if topic == f"{ROOT}/agent"]

    def health(messages: Messages) -> list[tuple[str, bool]]:
        events = [body["event"] for body in payloads(messages, f"{ROOT}/events")]
        return [(event["subject"], event["is_well"]) for event in events if event["kind"] == "agent_health"]

    async with mosquitto(tmp_path / "broker") as broker, farm(tmp_path, units=3):
        with consumer(broker.port, f"{ROOT}/agent", f"{ROOT}/events") as reader:
            # The broker would notice a silent agent after 450 s only.
            async with mqtt_agent(tmp_path, section(broker.port, keepalive_s=300)) as (running, _):
                await reader.until(lambda got: states(got) == ["online"])
                config = tmp_path / "site.toml"
                right = config.read_text(encoding="utf-8")
                for text, is_well in ((f"{right}[nonsense]\n", False), (right, True)):
                    config.write_text(text, encoding="utf-8")
                    running.process.send_signal(signal.SIGHUP)
                    change = ("configuration", is_well)
                    await reader.until(lambda got, change=change: change in health(got))
                running.process.kill()
                await reader.until(lambda got: states(got) == ["online", "offline"])
        with consumer(broker.port, f"{ROOT}/agent") as late:
            ((_, payload, is_retained),) = await late.until(lambda got: got)
    assert (check(payload)["state"], is_retained) == ("offline", True)


def share(losses_hs: dict[str, float]) -> float:
    """Return the curtailed share of the losses of sleeping units."""
    return losses_hs["curtailed"] / (losses_hs["curtailed"] + losses_hs["stopped"])


async def stated_losses(folder: Path) -> dict[str, float]:
    """Return the losses by cause in the statement of the month so far."""
    month = datetime.now(UTC).strftime("%Y-%m")
    options = ("--config", str(folder / "site.toml"), "--format", "json")
    statement = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "agent", "statement", month, *options), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await statement.communicate()
    assert statement.returncode == 0, output
    losses_hs: dict[str, float] = json.loads(output)["figures"]["losses_hs"]
    return losses_hs


async def test_curtailment_and_meters_by_mqtt(tmp_path: Path) -> None:
    """An order on the broker moves sleeping units from stopped to curtailed; a meter's watts count while fresh.

    Both take effect within one interval, in messages, metrics and statement alike. Nothing is written to a unit.
    """
    asleep = ("--asleep", "80%")
    async with mosquitto(tmp_path / "broker") as broker, farm(tmp_path, units=12, options=asleep) as control:
        options = section(broker.port, curtailment=True, meters=True, units="off", meter_max_age_s=3)
        with consumer(broker.port, f"{ROOT}/#") as reader:
            async with mqtt_agent(tmp_path, options) as (running, url):

                def last_figures(got: Messages) -> dict[str, Any]:
                    figures: dict[str, Any] = payloads(got, f"{ROOT}/figures")[-1]["figures"]
                    return figures

                async def loss_hs(cause: str) -> float:
                    name = "mining_site_loss_hashrate_hashes_per_second"
                    return (await metrics(url))[name, (("cause", cause),)]

                async def are_asleep() -> bool:
                    scraped = await metrics(url)
                    return scraped["mining_site_units", (("state", "stopped"),)] >= 9

                await until(are_asleep, running)
                stopped_hs = await loss_hs("stopped")
                now = datetime.now(UTC).isoformat()
                order = {"id": "4cp-1", "target_percent": 0, "start": now, "source": "grid"}
                sent = len(payloads(reader.messages, f"{ROOT}/figures"))
                reader.publish(f"{ROOT}/curtailment/set", order, retain=True)
                reader.publish(f"{ROOT}/meter/site", {"watts": 216, "time": now})
                # The figures after the next ones were summed after the order arrived.
                await reader.until(lambda got: len(payloads(got, f"{ROOT}/figures")) >= sent + 2)
                figures = payloads(reader.messages, f"{ROOT}/figures")[sent + 1]["figures"]
                assert figures["losses_hs"]["stopped"] == 0
                assert figures["losses_hs"]["curtailed"] >= stopped_hs
                assert figures["metered_watts"] == 216
                assert await loss_hs("curtailed") == figures["losses_hs"]["curtailed"]
                assert await loss_hs("stopped") == 0
                await reader.until(lambda got: last_figures(got)["metered_watts"] is None)
                # Delivered again, as after a lost connection, the retained order changes nothing.
                reader.publish(f"{ROOT}/curtailment/set", order, retain=True)
                reader.publish(f"{ROOT}/curtailment/set", {"stop": "4cp-1"}, retain=True)

                def happened(got: Messages) -> list[tuple[str, Any]]:
                    events = [body["event"] for body in payloads(got, f"{ROOT}/events")]
                    return [
                        (event.get("what") or event.get("subject"), event.get("id", event.get("is_well")))
                        for event in events
                        if event["kind"] != "unit_changed"
                    ]

                expected = {("declared", "4cp-1"), ("started", "4cp-1"), ("stopped", "4cp-1"), ("meter", False)}
                await reader.until(lambda got: set(happened(got)) >= expected)
                assert len(happened(reader.messages)) == 4
                assert not payloads(reader.messages, f"{ROOT}/errors")
                requests = json.loads((await get(f"{control}/requests"))[1])
                running.process.send_signal(signal.SIGTERM)
                assert await running.ended() == 0
            await reader.until(lambda got: latest(got, f"{ROOT}/agent")[f"{ROOT}/agent"]["state"] == "stopped")
            published = [body["figures"]["losses_hs"] for body in payloads(reader.messages, f"{ROOT}/figures")]
    assert requests["writes"] == 0
    # The statement, made from history, agrees with the figures of each interval.
    stated = await stated_losses(tmp_path)
    assert stated["curtailed"] > 0
    assert stated["stopped"] > 0
    lost_hs = {cause: sum(losses[cause] for losses in published) for cause in ("curtailed", "stopped")}
    assert share(stated) == pytest.approx(share(lost_hs), abs=1.5 / len(published))
