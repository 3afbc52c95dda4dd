"""A real mosquitto on a free loopback port, and consumers written with plain paho, without the project's code."""

import asyncio
import contextlib
import json
import signal
import socket
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paths import DEPLOY
from patience import PATIENT_S
from programs import free_port

SITE = "alpha"
ROOT = f"hashsight/v1/{SITE}"

KEEPING = """\
persistence true
persistence_location {folder}/
autosave_on_changes true
autosave_interval 1
max_queued_messages 0
"""


def open_to_all(folder: Path, port: int) -> str:
    """Return a configuration that saves everything and admits every client."""
    return f"listener {port} 127.0.0.1\nallow_anonymous true\nuser root\n{KEEPING.format(folder=folder)}"


def shipped(folder: Path, port: int) -> str:
    """Return the broker configuration that the project ships, with this test's paths and port."""
    text = (DEPLOY / "mosquitto.conf").read_text(encoding="utf-8")
    acl = (DEPLOY / "mosquitto.acl").read_text(encoding="utf-8").replace("example-1", SITE)
    (folder / "acl").write_text(acl, encoding="utf-8")
    (folder / "passwords").touch(mode=0o600)
    for user in ("hashsight", "consumer", "gateway", "meters", "homeassistant", "scada", "stranger"):
        subprocess.run(
            ["mosquitto_passwd", "-b", str(folder / "passwords"), user, f"{user}-secret"],
            check=True,
            capture_output=True,
        )
    for path in (folder, folder / "passwords", folder / "acl"):
        path.chmod(0o777 if path == folder else 0o644)
    return (
        text.replace("listener 1883 127.0.0.1", f"listener {port} 127.0.0.1\nuser root")
        .replace("/etc/mosquitto", str(folder))
        .replace("/var/lib/mosquitto", str(folder))
    )


class Mosquitto:
    """A broker that can be killed, frozen and started again.

    Args:
        folder: Folder of its files.
        config: Returns its configuration for a folder and a port.
    """

    def __init__(self, folder: Path, config: Callable[[Path, int], str] = open_to_all) -> None:
        self.port = free_port()
        self.folder = folder
        folder.mkdir(exist_ok=True)
        (folder / "mosquitto.conf").write_text(config(folder, self.port), encoding="utf-8")
        self._process: subprocess.Popen[bytes] | None = None
        self.log = folder / "mosquitto.log"

    @property
    def said(self) -> str:
        """Its whole log."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def start(self) -> None:
        """Start the broker unless it runs, and wait until it listens."""
        if self._process is not None:
            return
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                ["mosquitto", "-c", str(self.folder / "mosquitto.conf")],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        for _ in range(1000):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            assert self._process.poll() is None, self.said
            time.sleep(0.01)
        raise AssertionError(self.said)

    def send(self, number: signal.Signals) -> None:
        """Send the broker a signal."""
        if self._process is not None:
            self._process.send_signal(number)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End the broker and wait for its end."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGCONT)
        process.send_signal(number)
        try:
            process.wait(PATIENT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.asynccontextmanager
async def mosquitto(folder: Path, config: Callable[[Path, int], str] = open_to_all) -> AsyncIterator[Mosquitto]:
    """Run a broker while the block runs."""
    broker = await asyncio.to_thread(Mosquitto, folder, config)
    await asyncio.to_thread(broker.start)
    try:
        yield broker
    finally:
        await asyncio.to_thread(broker.stop)


class Consumer:
    """A client that reads and may publish: paho alone, in paho's own thread.

    Args:
        port: The broker's port.
        topics: Subscribed to with QoS 1.
        client_id: With an id, the broker keeps the session while the client is away.
        user: User name; the password is ``<user>-secret``.
        on_message: Replaces the recording of messages.
    """

    def __init__(
        self, port: int, *topics: str, client_id: str = "", user: str | None = None, on_message: Any = None
    ) -> None:
        self.messages: list[tuple[str, bytes, bool]] = []
        self.connected = threading.Event()
        self._arrived = threading.Condition()
        self._client = paho.Client(
            CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=not client_id, reconnect_on_failure=True
        )
        if user is not None:
            self._client.username_pw_set(user, f"{user}-secret")
        self._client.reconnect_delay_set(0.05, 0.2)
        self._topics = topics
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = lambda *_: self.connected.set()
        self._client.on_message = on_message or self._on_message
        self._client.connect("127.0.0.1", port, keepalive=5)
        self._client.loop_start()

    def _on_connect(self, client: paho.Client, *_: Any) -> None:
        if self._topics:
            client.subscribe([(topic, 1) for topic in self._topics])
        else:
            self.connected.set()

    def _on_message(self, _client: Any, _userdata: Any, message: paho.MQTTMessage) -> None:
        with self._arrived:
            self.messages.append((message.topic, message.payload, message.retain))
            self._arrived.notify_all()

    def publish(self, topic: str, payload: Any, *, retain: bool = False) -> None:
        """Publish with QoS 1 and wait until the broker has it."""
        body = payload if isinstance(payload, bytes | str) else json.dumps(payload)
        self._client.publish(topic, body, qos=1, retain=retain).wait_for_publish(PATIENT_S)

    async def until(
        self, condition: Callable[[list[tuple[str, bytes, bool]]], Any], within_s: float = PATIENT_S
    ) -> Any:
        """Wait until `condition` of the messages so far is true; returns its result."""

        def wait() -> Any:
            with self._arrived:
                self._arrived.wait_for(lambda: condition(self.messages), timeout=within_s)
                return condition(self.messages)

        found = await asyncio.to_thread(wait)
        assert found, f"not within {within_s} s; the last of {len(self.messages)}: {self.messages[-3:]}"
        return found

    def close(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()
        # paho leaves the two ends of its wake-up pipe to the garbage collector.
        self._client._reset_sockets()


@contextlib.contextmanager
def consumer(port: int, *topics: str, **options: Any) -> Iterator[Consumer]:
    """Run a subscribed consumer while the block runs."""
    one = Consumer(port, *topics, **options)
    try:
        assert one.connected.wait(PATIENT_S)
        yield one
    finally:
        one.close()


def payloads(messages: list[tuple[str, bytes, bool]], topic: str) -> list[dict[str, Any]]:
    """Return the messages on a topic in order of arrival, without duplicates by (boot_id, seq)."""
    seen: dict[tuple[str, int], dict[str, Any]] = {}
    for name, payload, _ in messages:
        if name == topic and payload:
            body = json.loads(payload)
            seen.setdefault((body["boot_id"], body["seq"]), body)
    return list(seen.values())
