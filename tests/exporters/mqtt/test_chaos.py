"""Nothing is lost while whole agents and their broker are killed, frozen and restarted at random."""

import asyncio
import contextlib
import gc
import json
import random
import shutil
import signal
import socket
import sqlite3
import tempfile
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import NamedTuple

import aiohttp
import psutil
import pytest
from agent_counts import counted
from brokers import ROOT, Mosquitto, consumer, mosquitto
from mqtt_agent import exporter, mqtt_agent, section
from mqtt_arrivals import TOPICS, Number, arrived_in
from patience import PATIENT_S
from programs import farm, until

pytestmark = pytest.mark.program("mosquitto")

UNITS = 200
TO_THE_BROKER = ("kill broker", "restart broker", "freeze broker")


class Extent(NamedTuple):
    """The length of a test run.

    Attributes:
        kills: SIGKILLs of the agent.
        others: Minimum and maximum number of disturbances of the broker in an agent's life.
        longest_s: Longest time between disturbances, s.
        messages: Number of messages that must arrive before the run ends.
    """

    kills: int
    others: tuple[int, int]
    longest_s: float
    messages: int


@contextlib.contextmanager
def copied(folder: Path, name: str) -> Iterator[sqlite3.Connection | None]:
    """Open a copy of a killed agent's file, which must be sound; None before there is one.

    The file itself is not touched: the next agent recovers it.
    """
    with tempfile.TemporaryDirectory() as aside:
        for path in folder.glob(f"{name}*"):
            shutil.copy(path, aside)
        if not (Path(aside) / name).exists():
            yield None
            return
        with contextlib.closing(sqlite3.connect(Path(aside) / name)) as file:
            assert file.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            yield file


def kept(folder: Path) -> set[Number]:
    """Return the numbers of the messages in a killed agent's outbox; it and the history must be sound."""
    with copied(folder, "site.history.sqlite"):
        pass
    with copied(folder, "site.mqtt-site.sqlite") as file:
        if file is None or not file.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()[0]:
            return set()
        bodies = [json.loads(payload) for (payload,) in file.execute("SELECT payload FROM messages")]
    return {(body["boot_id"], body["seq"]) for body in bodies}


@contextlib.asynccontextmanager
async def switching(control: str) -> AsyncIterator[None]:
    """Stop all simulated units for one second in two while the block runs; each change makes an event."""
    fault = {"fault": "hashrate_drift", "values": {"ratio": 0.0}, "duration_s": 1}

    async def switch() -> None:
        async with aiohttp.ClientSession() as session:
            while True:
                async with session.post(f"{control}/faults", json=fault) as answer:
                    assert answer.status == 201
                await asyncio.sleep(2)

    task = asyncio.create_task(switch(), name="switch units")
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def disturb(what: str, rng: random.Random, broker: Mosquitto) -> None:
    """Kill, restart or freeze the broker."""
    if what == "freeze broker":
        broker.send(signal.SIGSTOP)
        await asyncio.sleep(rng.uniform(0.1, 1.0))
        broker.send(signal.SIGCONT)
        return
    await asyncio.to_thread(broker.stop, signal.SIGKILL if what == "kill broker" else signal.SIGTERM)
    await asyncio.sleep(rng.uniform(0, 0.4))
    await asyncio.to_thread(broker.start)


async def live(
    folder: Path, broker: Mosquitto, rng: random.Random, extent: Extent, *, is_awaited: bool
) -> Counter[str]:
    """Run an agent until it is killed, and disturb its broker meanwhile; returns the disturbances.

    Args:
        folder: Its files.
        broker: Its broker.
        rng: Chance.
        extent: How much happens.
        is_awaited: True to let it get ready first.
    """
    done: Counter[str] = Counter()
    options = section(broker.port, units="batches", unit_heartbeat_s=5, keepalive_s=2)
    async with mqtt_agent(folder, options, is_awaited=is_awaited) as (running, _):
        for what in rng.sample(TO_THE_BROKER, rng.randint(*extent.others)):
            await asyncio.sleep(rng.uniform(0.3, extent.longest_s))
            await disturb(what, rng, broker)
            done[what] += 1
        await asyncio.sleep(rng.uniform(0.3, extent.longest_s))
        is_alone = rng.random() < 0.5
        if is_alone:
            await asyncio.to_thread(broker.stop, rng.choice((signal.SIGKILL, signal.SIGTERM)))
            await asyncio.sleep(rng.uniform(0, extent.longest_s))
        assert running.process.returncode is None, running.said
        running.process.kill()
        await running.process.wait()
    done["kill agent without its broker" if is_alone else "kill agent"] += 1
    return done


async def finish(folder: Path, broker: Mosquitto) -> None:
    """Run an agent until everything is delivered, and stop it."""
    async with mqtt_agent(folder, section(broker.port, units="batches")) as (running, url):

        async def is_drained() -> bool:
            return not (await counted(url))[0]["waiting"]

        await until(is_drained, running, 120)
        running.process.send_signal(signal.SIGTERM)
        assert await running.ended() == 0
    assert kept(folder) == set()


@pytest.mark.parametrize(
    "extent",
    [
        pytest.param(Extent(kills=1, others=(3, 3), longest_s=1.5, messages=200), id="short"),
        pytest.param(
            Extent(kills=50, others=(0, 2), longest_s=6.0, messages=20_000), id="long", marks=pytest.mark.slow
        ),
    ],
)
async def test_nothing_is_lost(
    tmp_path: Path, quick_folder: Path, capsys: pytest.CaptureFixture[str], extent: Extent
) -> None:
    """Random SIGKILLs of whole agents, with a broker and without, and SIGKILLs, restarts and freezes of the broker.

    Every message on an agent's disk arrives; none is missing or published twice; the order on each topic is kept.
    """
    rng = random.Random(20251120)
    done: Counter[str] = Counter()
    waited: set[Number] = set()
    async with mosquitto(quick_folder / "broker") as broker, farm(tmp_path, units=UNITS) as control:
        with consumer(broker.port, *(f"{ROOT}/{name}" for name in TOPICS), client_id="database") as reader:
            async with switching(control):
                kills, arrived, is_awaited = 0, 0, False
                while kills < extent.kills or arrived < extent.messages:
                    done += await live(tmp_path, broker, rng, extent, is_awaited=is_awaited)
                    kills += 1
                    waited |= kept(tmp_path)
                    await asyncio.to_thread(broker.start)
                    before, arrived = arrived, len(arrived_in(reader.messages)[0])
                    # A slow machine would kill every agent before it published anything.
                    is_awaited = arrived == before
            await finish(tmp_path, broker)
            await reader.until(lambda got: arrived_in(got)[0] >= waited)
        numbers, wrong = arrived_in(reader.messages)
    with capsys.disabled():
        print(  # noqa: T201  the printed figures are the purpose of this test
            f"\n{len(numbers)} messages of {len({boot for boot, _ in numbers})} runs, {done.total()} disturbances "
            f"{dict(done)}: lost {len(waited - numbers)} of {len(waited)} that waited on the disk; left out, doubled "
            f"or out of order {len(wrong)}; delivered twice {len(reader.messages) - len(numbers)}"
        )
    assert not wrong, wrong[:10]


def take_over(port: int, client_id: str) -> None:
    """Connect under another client's id, which makes the broker end that client's connection; then leave."""
    name = client_id.encode()
    # MQTT 3.1.1, 3.1: protocol name and level, clean session, keepalive 60 s, client id.
    body = b"\x00\x04MQTT\x04\x02\x00\x3c" + len(name).to_bytes(2) + name
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENT_S) as other:
        other.sendall(b"\x10" + len(body).to_bytes(1) + body)
        assert other.recv(4) == b"\x20\x02\x00\x00"


@pytest.mark.parametrize("times", [40, pytest.param(1500, marks=pytest.mark.slow)])
async def test_reconnecting_leaves_nothing_behind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], times: int
) -> None:
    """After many lost connections, the number of descriptors and the memory stay the same."""
    async with mosquitto(tmp_path / "broker") as broker:
        side = exporter(tmp_path, section(broker.port, client_id="agent"))
        mine = side.outlets[0].broker
        mine._backoff = type(mine._backoff)(random=lambda: 0.0, first_s=0.002, longest_s=0.002)
        connected = asyncio.Event()
        mine.on_connected = connected.set
        process = psutil.Process()
        measured = []
        async with side.running():
            for number in range(times + 1):
                async with asyncio.timeout(PATIENT_S):
                    await connected.wait()
                connected.clear()
                if number in {times // 3, times}:
                    gc.collect()
                    measured.append((process.num_fds(), process.memory_info().rss, threading.active_count()))
                if number < times:
                    await asyncio.to_thread(take_over, broker.port, "agent")
    (fds, rss, threads), (last_fds, last_rss, last_threads) = measured
    with capsys.disabled():
        print(f"\n{times} reconnects: descriptors {fds} -> {last_fds}, RSS {(last_rss - rss) / 1e6:+.1f} MB")  # noqa: T201
    assert abs(last_fds - fds) <= 2
    assert last_rss - rss < 5e6
    assert abs(last_threads - threads) <= 2
