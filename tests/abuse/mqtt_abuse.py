"""MQTT under load, with a real mosquitto: floods of readings, payloads without end, and a broker that is killed."""

import asyncio
import json
import shutil
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from brokers import ROOT, Consumer, Mosquitto, consumer, mosquitto, payloads
from figures import Figure, Measure, lost
from http_abuse import poll_losses
from mqtt_agent import section, toml
from mqtt_arrivals import TOPICS, arrived_in
from sites import SOUND_S21, Run, Site, watched
from steps import RefusedHereError, Step

UNITS = 100
READINGS_PER_S = 2000
ORDERS = 20
PUBLISHER = str(Path(__file__).with_name("publisher.py"))
# The largest payload that MQTT has: 268,435,455 bytes are left after the first two of a packet, topic included.
LONGEST = (256 << 20) - 1 - 2 - len(f"{ROOT}/curtailment/set") - 2
KILLS = 6
# Ten containers, for ten meters.
OPTIONS = (*SOUND_S21, "--containers", "10")


@asynccontextmanager
async def site_with_broker(
    run: Run, name: str, *topics: str, **options: Any
) -> AsyncIterator[tuple[Site, Mosquitto, Consumer]]:
    """Run a broker, a consumer of some topics with a session, a farm, and an agent that takes orders and readings."""
    if shutil.which("mosquitto") is None:
        raise RefusedHereError("mosquitto is not installed")
    folder = run.room(name)
    async with mosquitto(folder / "broker") as broker:
        more = toml(section(broker.port, curtailment=True, meters=True, meter_max_age_s=600, **options))
        with consumer(broker.port, *(f"{ROOT}/{topic}" for topic in topics), client_id="database") as reader:
            async with watched(run, folder, units=UNITS, options=OPTIONS, more=more) as site:
                yield site, broker, reader


def order(name: str) -> dict[str, Any]:
    """Return an order that curtails no unit of the site: it is for a container that does not exist in time."""
    begin = datetime.now(UTC).replace(year=datetime.now(UTC).year + 1)
    return {"id": name, "start": begin.isoformat(), "target_percent": 0, "source": "abuse"}


def kept_orders(site: Site) -> list[str]:
    """Return the orders on the agent's disk."""
    state = site.folder / "site.curtailments.json"
    if not state.exists():
        return []
    return [event["id"] for event in json.loads(state.read_text(encoding="utf-8"))["events"]]


async def publish(port: int, *words: str) -> int:
    """Run the publisher; return how many messages it sent."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, PUBLISHER, str(port), *words, stdout=asyncio.subprocess.PIPE
    )
    try:
        output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, f"the publisher ended with {process.returncode}"
    return int(output)


async def taken(condition: Callable[[], Awaitable[bool]], within_s: float = 30) -> bool:
    """Wait until a condition is true; return True if it became so."""
    until_s = time.monotonic() + within_s
    while time.monotonic() < until_s:
        if await condition():
            return True
        await asyncio.sleep(0.2)
    return False


async def flood(run: Run) -> Figure:
    """Send 2,000 readings a second beside 20 orders."""
    length_s = run.seconds(30, least_s=4)
    async with site_with_broker(run, "mqtt.flood") as (site, broker, sender), site.compared() as compared:
        await site.probe()
        before, polls, cpu_s = site.memory_mb(), await site.polls(), site.cpu_s()
        site.forget_peak()
        sending = asyncio.create_task(publish(broker.port, "readings", str(READINGS_PER_S), str(length_s)))
        for number in range(ORDERS):
            await asyncio.to_thread(sender.publish, f"{ROOT}/curtailment/set", order(f"order-{number}"))
            await asyncio.sleep(length_s / (ORDERS + 2))
        sent = await sending

        async def is_followed() -> bool:
            return len(kept_orders(site)) >= ORDERS

        await taken(is_followed)
        # Per container, the last reading that was sent to it.
        last_watts = sum(range(sent - min(sent, 10), sent))

        async def is_latest() -> bool:
            return abs(await metered(site) - last_watts) < 0.5

        is_kept = await taken(is_latest)
        followed, probe = kept_orders(site), await site.probe()
        done_polls = await site.polls() - polls
        return Figure(
            name="mqtt.flood",
            done=f"readings at {READINGS_PER_S:,}/s with QoS 0 beside {ORDERS} orders with QoS 1",
            times=sent,
            losses=(
                lost("orders", ORDERS - len(set(followed)), ORDERS),
                lost("orders-followed-twice", len(followed) - len(set(followed))),
                lost("latest-readings", 0 if is_kept else 1, 1),
                *poll_losses(done_polls),
                *compared.losses(),
            ),
            costs=(
                Measure(name="memory", value=site.peak_mb() - before, most=30, unit="MB", digits=1),
                Measure(name="cpu-per-reading", value=(site.cpu_s() - cpu_s) / sent * 1e6, unit="us"),
                *probe.costs(),
            ),
        )


async def metered(site: Site) -> float:
    """Return the power of all containers' meters, W."""
    figures: Any = await site.shown()
    return float(figures["watts_by_source"]["metered"]) if figures else 0.0


class Payload(NamedTuple):
    """A long payload.

    Attributes:
        name: Of its figure.
        done: What it is, in words.
        topic: Below the site's.
        length: Bytes.
        byte: All of them.
    """

    name: str
    done: str
    topic: str
    length: int
    byte: int


PAYLOADS = (
    Payload("mqtt.longest", "a payload of 256 MiB, the most that MQTT has, to a meter", "meter/site", LONGEST, 0x30),
    Payload("mqtt.blank", "a payload of 50 MB of blanks to the gateway's topic", "curtailment/set", 50_000_000, 0x20),
)


async def payload(long: Payload, run: Run) -> Figure:
    """Send one payload as long as the broker takes, and an order after it."""
    times = run.count(2)
    async with site_with_broker(run, long.name) as (site, broker, sender), site.compared() as compared:
        await site.probe()
        before, polls = site.memory_mb(), await site.polls()
        site.forget_peak()
        for _ in range(times):
            await publish(broker.port, "payload", f"{ROOT}/{long.topic}", str(long.length), str(long.byte))
        await asyncio.to_thread(sender.publish, f"{ROOT}/curtailment/set", order("after"))

        async def is_followed() -> bool:
            return "after" in kept_orders(site)

        is_kept = await taken(is_followed, 60)
        probe = await site.probe()
        return Figure(
            name=long.name,
            done=long.done,
            times=times,
            losses=(
                lost("orders-after-it", 0 if is_kept else 1, 1),
                *poll_losses(await site.polls() - polls),
                *compared.losses(),
            ),
            costs=(
                Measure(name="peak-memory", value=site.peak_mb() - before, most=8, unit="MB", digits=1),
                *probe.costs(),
            ),
        )


async def broker_killed(run: Run) -> Figure:
    """Kill and start the broker again and again while units change their state; then count what arrived."""
    kills = run.count(KILLS, least=2)
    options = {"units": "batches", "unit_heartbeat_s": 5, "keepalive_s": 2}
    async with site_with_broker(run, "mqtt.broker-killed", *TOPICS, **options) as (site, broker, reader):
        polls = await site.polls()
        for number in range(kills):
            await site.inject("hashrate_drift", ratio=0.5)
            await asyncio.sleep(1.5)
            await asyncio.to_thread(broker.stop, signal.SIGKILL)
            await site.clear()
            await asyncio.sleep(1.5)
            await asyncio.to_thread(broker.start)
            with consumer(broker.port) as sender:
                # Twice: a gateway repeats an order that was not acknowledged.
                for _ in range(2):
                    await asyncio.to_thread(sender.publish, f"{ROOT}/curtailment/set", order(f"order-{number}"))
        done_polls = await site.polls() - polls
        waiting = await drained(site, reader)
        numbers, wrong = arrived_in(reader.messages)
        twice = len(reader.messages) - sum(len(payloads(reader.messages, f"{ROOT}/{topic}")) for topic in TOPICS)
        followed = kept_orders(site)
    return Figure(
        name="mqtt.broker-killed",
        done="SIGKILLs of the broker between messages with QoS 1",
        times=kills,
        losses=(
            lost("messages-missing-doubled-or-out-of-order", len(wrong), len(numbers)),
            lost("messages-undelivered", waiting),
            lost("orders", kills - len(set(followed)), kills),
            lost("orders-followed-twice", len(followed) - len(set(followed))),
            *poll_losses(done_polls),
        ),
        costs=(Measure(name="delivered-again", value=twice, of=len(reader.messages)),),
    )


async def drained(site: Site, reader: Consumer) -> float:
    """Wait until the outbox is empty and the consumer got it; return what waits then."""

    async def is_empty() -> bool:
        return not await site.count("miner_agent_mqtt_outbox_messages")

    # Figures come every second, so it is empty between two of them.
    is_drained = await taken(is_empty, 60)
    count = len(reader.messages)
    await reader.until(lambda got: len(got) > count)
    return 0.0 if is_drained else await site.count("miner_agent_mqtt_outbox_messages")


STEPS = (
    Step("mqtt.flood", "readings beside orders", flood),
    *(Step(long.name, long.done, partial(payload, long)) for long in PAYLOADS),
    Step("mqtt.broker-killed", "SIGKILLs of the broker", broker_killed),
)
