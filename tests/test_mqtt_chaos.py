"""Nothing lost: agent and broker are killed, frozen and restarted at random while messages go on."""

import asyncio
import contextlib
import gc
import json
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from brokers import ROOT, Consumer, Mosquitto, consumer, mosquitto
from mqtt_agent import exporter, section

pytestmark = pytest.mark.program("mosquitto")

PER_BATCH = 10


class Writer:
    """The agent's MQTT side in a process of its own, killed and started again; knows what is on its disk."""

    def __init__(self, folder: Path, port: int) -> None:
        self._folder, self._port = folder, port
        self._runs = 0
        self.accepted: list[tuple[int, int]] = []
        self._process: subprocess.Popen[bytes]
        self._reader: threading.Thread
        self._last = 0

    def start(self) -> None:
        """Begin another run."""
        self._runs += 1
        self._last = 0
        program = Path(__file__).with_name("mqtt_writer.py")
        with (self._folder / "writer.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, program, self._folder, str(self._port), str(self._runs), str(PER_BATCH)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, "PYTHONPATH": f"{program.parents[1]}:{program.parent}"},
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._last = int(line)

    @property
    def total(self) -> int:
        """How many events were put on the disk by all runs."""
        return sum(count for _, count in self.accepted) + self._last

    @property
    def has_written(self) -> bool:
        """Whether this run put anything on the disk."""
        return self._last > 0 or self._process.poll() is not None

    def _end(self) -> int:
        status = self._process.wait(60)
        self._reader.join()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self.accepted.append((self._runs, self._last))
        self._last = 0
        return status

    def kill(self) -> None:
        """SIGKILL; the outbox has to be sound afterwards."""
        self._process.kill()
        self._end()
        path = self._folder / "site.mqtt-site.sqlite"
        if path.exists():
            with contextlib.closing(sqlite3.connect(path)) as file:
                assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)

    def finish(self) -> None:
        """Have it deliver everything and end."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        assert self._end() == 0, (self._folder / "writer.log").read_text(encoding="utf-8")[-3000:]


KINDS = ("kill agent", "kill agent", "kill broker", "restart broker", "freeze broker")


def disturb(what: str, rng: random.Random, writer: Writer, broker: Mosquitto, pause: Any) -> None:
    """Do one bad thing."""
    match what:
        case "kill agent":
            while not writer.has_written:
                pause(0.02)
            writer.kill()
            writer.start()
        case "kill broker" | "restart broker":
            broker.stop(signal.SIGKILL if what == "kill broker" else signal.SIGTERM)
            pause(rng.uniform(0, 0.4))
            broker.start()
        case _:
            broker.send(signal.SIGSTOP)
            pause(rng.uniform(0.1, 1.0))
            broker.send(signal.SIGCONT)


def chaos(folder: Path, reader: Consumer, broker: Mosquitto, *, seed: int, events: int, least: int) -> str:
    """Disturb until enough happened and enough was written; check what arrived, and give the figures."""
    rng, pause = random.Random(seed), threading.Event().wait
    writer = Writer(folder, broker.port)
    writer.start()
    done: Counter[str] = Counter()
    while sum(done.values()) < events or writer.total < least:
        for what in rng.sample(KINDS, len(KINDS)):
            pause(rng.uniform(0.3, 1.2))
            disturb(what, rng, writer, broker, pause)
            done[what] += 1
    writer.finish()
    expected = {f"{run}:{number}" for run, count in writer.accepted for number in range(1, count + 1)}

    def arrived() -> set[str]:
        return {json.loads(payload)["event"]["detail"] for _, payload, _ in reader.messages}

    for _ in range(600):
        if expected <= arrived():
            break
        pause(0.1)
    seen: dict[tuple[str, int], str] = {}
    for _, payload, _ in reader.messages:
        body = json.loads(payload)
        seen.setdefault((body["boot_id"], body["seq"]), body["event"]["detail"])
    # Beside ours are the agent's own about a broker that was gone.
    contents = [detail for detail in seen.values() if detail[0].isdigit()]
    by_boot: dict[str, list[int]] = {}
    for boot_id, seq in seen:
        by_boot.setdefault(boot_id, []).append(seq)
    lost = expected - set(contents)
    doubled = len(contents) - len(set(contents))
    unordered = [boot_id for boot_id, numbers in by_boot.items() if numbers != sorted(numbers)]
    told = (
        f"seed {seed}: {len(expected)} messages, {sum(done.values())} disturbances {dict(done)}: lost {len(lost)}, "
        f"doubled {doubled}, out of order {len(unordered)}, delivered twice {len(reader.messages) - len(seen)}"
    )
    assert not lost, f"{told}; {sorted(lost)[:10]}"
    assert (doubled, unordered) == (0, []), told
    return told


@pytest.fixture
def quick_folder(tmp_path: Path) -> Iterator[Path]:
    """Give a folder in memory for a broker that saves at each message."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else tmp_path) as folder:  # noqa: S108
        yield Path(folder)


@pytest.mark.parametrize(
    ("events", "least"),
    [pytest.param(5, 500, id="short"), pytest.param(50, 20_000, id="long", marks=pytest.mark.slow)],
)
async def test_nothing_is_lost(
    tmp_path: Path, quick_folder: Path, capsys: pytest.CaptureFixture[str], events: int, least: int
) -> None:
    """Random SIGKILLs of the agent, SIGKILLs, restarts and freezes of the broker: lost 0, doubled 0, order kept."""
    async with mosquitto(quick_folder / "broker") as broker:
        with consumer(broker.port, f"{ROOT}/events", client_id="database") as reader:
            told = await asyncio.to_thread(chaos, tmp_path, reader, broker, seed=20251120, events=events, least=least)
    with capsys.disabled():
        print(f"\n{told}")  # noqa: T201  the figures are what this test is run for


def take_over(port: int, client_id: str) -> None:
    """Connect under the name of another client, whose connection the broker ends for it; then leave."""
    name = client_id.encode()
    # Documented: MQTT 3.1.1, 3.1: protocol name and level, clean session, keepalive 60 s, client id.
    body = b"\x00\x04MQTT\x04\x02\x00\x3c" + len(name).to_bytes(2) + name
    with socket.create_connection(("127.0.0.1", port), timeout=5) as other:
        other.sendall(b"\x10" + len(body).to_bytes(1) + body)
        assert other.recv(4) == b"\x20\x02\x00\x00"


@pytest.mark.parametrize("times", [40, pytest.param(1500, marks=pytest.mark.slow)])
async def test_reconnecting_leaves_nothing_behind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], times: int
) -> None:
    """The broker ends the connection again and again: descriptors stay the same, memory stays flat."""
    async with mosquitto(tmp_path / "broker") as broker:
        side = exporter(tmp_path, section(broker.port, client_id="agent"))
        mine = side.outlets[0].broker
        mine._rhythm = type(mine._rhythm)(random=lambda: 0.0, first_s=0.002, longest_s=0.002)
        connected = asyncio.Event()
        mine.on_connected = connected.set
        process = psutil.Process()
        measured = []
        async with side.running():
            for number in range(times + 1):
                async with asyncio.timeout(10):
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
