"""Received messages under load: no order is lost once the broker has it, and no payload is too long."""

import asyncio
import json
import subprocess
import sys
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import structlog
from brokers import ROOT, consumer, mosquitto, open_to_all, payloads
from mqtt_agent import SmallBook, delivering, exporter, section
from patience import PATIENT_S

from agent.exporters.mqtt import connection as connection_module
from agent.exporters.mqtt.gateway import read_percent
from agent.site.curtailment.events import Event
from agent.site.curtailment.orders import StartOrder
from agent.site.metered import add_up

pytestmark = pytest.mark.program("mosquitto")

PROTOCOLS = ("3.1.1", "5")
ORDERS = f"{ROOT}/curtailment/set"
# A process of its own, so that the payload counts to another memory.
PUBLISH = """
import pathlib, sys
import paho.mqtt.client as paho
client = paho.Client(paho.CallbackAPIVersion.VERSION2)
client.connect("127.0.0.1", int(sys.argv[1]))
client.loop_start()
client.publish(sys.argv[2], pathlib.Path(sys.argv[3]).read_bytes(), qos=1).wait_for_publish(120)
client.disconnect()
"""


def order(name: str) -> dict[str, Any]:
    """Return a start order."""
    return {"target_percent": 0, "id": name, "start": datetime.now(UTC).isoformat(), "source": "grid"}


class HeldBook(SmallBook):
    """A book whose disk hangs until `goes_on` is set; `asked` is set at the first order."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.goes_on = asyncio.Event(), asyncio.Event()

    async def start(self, order: StartOrder, *, source: str, is_state: bool = False) -> tuple[Event, bool]:
        """Follow an order once the disk goes on."""
        self.asked.set()
        await self.goes_on.wait()
        return await super().start(order, source=source, is_state=is_state)


async def until_followed(book: SmallBook, names: list[str]) -> None:
    """Wait until exactly these orders were followed, in this order."""
    async with asyncio.timeout(PATIENT_S):
        while list(book.events) != names:  # noqa: ASYNC110  a table sets no event
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_meter_readings_push_out_no_order(tmp_path: Path, protocol: str) -> None:
    """While a disk hangs, 4,000 readings and 20 orders arrive: each order is followed, and the last reading counts."""
    names = [f"order-{number}" for number in range(20)]
    book = HeldBook()
    async with mosquitto(tmp_path / "broker") as broker:
        with consumer(broker.port, f"{ROOT}/errors") as sender:
            side = exporter(tmp_path, section(broker.port, protocol=protocol, curtailment=True, meters=True), book=book)
            async with delivering(side):
                sender.publish(ORDERS, order(names[0]))
                async with asyncio.timeout(PATIENT_S):
                    await book.asked.wait()
                for number in range(4000):
                    reading = {"watts": number, "time": datetime.now(UTC).isoformat()}
                    sender._client.publish(f"{ROOT}/meter/site", json.dumps(reading), qos=0)
                    if number % 200 == 199 and number < 3800:
                        sender.publish(ORDERS, order(names[1 + number // 200]))
                sender.publish(f"{ROOT}/meter/site", {"watts": 7, "time": datetime.now(UTC).isoformat()})
                async with asyncio.timeout(PATIENT_S):
                    while add_up(side.meter_readings()).site_watts != 7:  # noqa: ASYNC110  a figure sets no event
                        await asyncio.sleep(0.01)
                book.goes_on.set()
                await until_followed(book, names)
                (numbers,) = side.numbers()
    assert numbers.refused == 0
    assert not sender.messages


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_the_broker_keeps_orders_while_the_agent_is_away(tmp_path: Path, protocol: str) -> None:
    """An order sent between two runs is followed by the second, although it was not retained."""
    first, second = SmallBook(), SmallBook()
    options = {"protocol": protocol, "curtailment": True}
    async with mosquitto(tmp_path / "broker") as broker:
        with consumer(broker.port) as sender:
            async with delivering(exporter(tmp_path, section(broker.port, **options), book=first)):
                sender.publish(ORDERS, order("while-here"))
                await until_followed(first, ["while-here"])
            sender.publish(ORDERS, order("while-away"))
            async with delivering(exporter(tmp_path, section(broker.port, **options), book=second)):
                await until_followed(second, ["while-away"])


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_an_order_is_acknowledged_once_it_is_kept(tmp_path: Path, protocol: str) -> None:
    """An agent that ends before an order is on its disk has not acknowledged it; the next one gets it again."""
    first, second = HeldBook(), SmallBook()
    options = {"protocol": protocol, "curtailment": True}
    async with mosquitto(tmp_path / "broker") as broker:
        with consumer(broker.port, f"{ROOT}/errors") as sender:
            async with delivering(exporter(tmp_path, section(broker.port, **options), book=first)):
                sender.publish(ORDERS, order("a"))
                async with asyncio.timeout(PATIENT_S):
                    await first.asked.wait()
                sender.publish(ORDERS, order("b"))
            assert not first.events
            async with delivering(exporter(tmp_path, section(broker.port, **options), book=second)):
                await until_followed(second, ["a", "b"])
    assert not sender.messages


class BrokenBook(SmallBook):
    """A book with a bug."""

    async def start(self, order: StartOrder, *, source: str, is_state: bool = False) -> tuple[Event, bool]:
        """Fail for one order in an unforeseen way."""
        if order.id == "poison":
            raise ZeroDivisionError
        return await super().start(order, source=source, is_state=is_state)


async def test_an_order_that_fails_unforeseen_is_answered_once(tmp_path: Path) -> None:
    """It is acknowledged and answered as failed, so it neither ends the connection nor comes again for ever."""
    book = BrokenBook()
    async with mosquitto(tmp_path / "broker") as broker:
        with consumer(broker.port, f"{ROOT}/errors") as sender:
            async with delivering(exporter(tmp_path, section(broker.port, curtailment=True), book=book)) as side:
                sender.publish(ORDERS, order("poison"))
                sender.publish(ORDERS, order("sound"))
                await until_followed(book, ["sound"])
                await sender.until(lambda got: payloads(got, f"{ROOT}/errors"))
                (numbers,) = side.numbers()
    (answer,) = payloads(sender.messages, f"{ROOT}/errors")
    assert answer["reason"] == "failed"
    assert (numbers.connections, numbers.refused) == (1, 1)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("topic", ["curtailment/set", "meter/site", "agent/canary"])
async def test_a_long_payload_takes_no_memory(tmp_path: Path, protocol: str, topic: str) -> None:
    """Of a payload of 16 MiB the agent never holds 2 MiB, and the order after it is followed."""
    long = tmp_path / "long"
    with long.open("wb") as file:
        file.truncate(16 << 20)
    book = SmallBook()
    async with mosquitto(tmp_path / "broker") as broker:
        with consumer(broker.port) as sender:
            side = exporter(tmp_path, section(broker.port, protocol=protocol, curtailment=True, meters=True), book=book)
            async with delivering(side):
                tracemalloc.start()
                try:
                    command = [sys.executable, "-c", PUBLISH, str(broker.port), f"{ROOT}/{topic}", str(long)]
                    await asyncio.to_thread(subprocess.run, command, check=True)
                    sender.publish(ORDERS, order("after"))
                    await until_followed(book, ["after"])
                    if protocol == "3.1.1" and topic == "meter/site":
                        async with asyncio.timeout(PATIENT_S):
                            while not side.outlets[0].broker.health.refused:  # noqa: ASYNC110  a counter sets no event
                                await asyncio.sleep(0.01)
                    _, peak = tracemalloc.get_traced_memory()
                finally:
                    tracemalloc.stop()
                (numbers,) = side.numbers()
    assert peak < 2 << 20
    # A broker of MQTT 5 keeps to the agent's maximum packet size; one of 3.1.1 has none to keep to.
    refused = int(protocol == "3.1.1" and topic != "agent/canary")
    assert (numbers.connections, numbers.refused) == (1, refused)


@pytest.mark.parametrize("padding", [b" ", b"\n", b"0"])
def test_a_number_has_few_bytes(padding: bytes) -> None:
    """A gateway's number has room for a little white space; anything longer is no number, before it is looked at."""
    assert read_percent(b" 40.5\r\n") == 40.5
    assert read_percent(b"40" + b" " * 20) == 40
    assert read_percent(padding * 100 + b"40" + padding * 100) is None


def all_at_once(folder: Path, port: int) -> str:
    """Return the configuration of a broker that waits for no acknowledgement before it sends more."""
    return f"{open_to_all(folder, port)}max_inflight_messages 0\n"


async def test_what_waits_for_a_disk_stays_with_the_broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 300 orders, of QoS 1 and 0, about 20 wait in the agent; each is followed once the disk goes on."""
    monkeypatch.setattr(connection_module, "MAX_WAITING", 20)
    names = [f"order-{number}" for number in range(300)]
    book = HeldBook()
    async with mosquitto(tmp_path / "broker", all_at_once) as broker:
        with consumer(broker.port) as sender:
            async with delivering(exporter(tmp_path, section(broker.port, curtailment=True), book=book)) as side:
                for number, name in enumerate(names):
                    sender._client.publish(ORDERS, json.dumps(order(name)), qos=number % 2)
                sender.publish(f"{ROOT}/elsewhere", "")
                reception = side.outlets[0].broker.reception
                async with asyncio.timeout(PATIENT_S):
                    await book.asked.wait()
                    while reception._health.taken_in < 20:  # noqa: ASYNC110  a counter sets no event
                        await asyncio.sleep(0.01)
                # A round trip: what the broker had sent before would have arrived by now.
                for _ in range(3):
                    sender.publish(f"{ROOT}/elsewhere", "")
                # The one that the book has, 20 that wait, and no more: one read returns one message.
                assert reception._health.taken_in <= 22
                book.goes_on.set()
                async with asyncio.timeout(PATIENT_S):
                    while len(book.events) < 300:  # noqa: ASYNC110  a table sets no event
                        await asyncio.sleep(0.01)
    # A broker keeps messages of one QoS in order.
    assert sorted(book.events) == sorted(names)


async def test_of_a_gateways_numbers_the_latest_is_followed(tmp_path: Path) -> None:
    """Numbers that waited while the agent was busy are passed over; orders between them are not."""
    book = HeldBook()
    async with mosquitto(tmp_path / "broker") as broker:
        with consumer(broker.port) as sender:
            async with delivering(exporter(tmp_path, section(broker.port, curtailment=True), book=book)) as side:
                sender.publish(ORDERS, order("a"))
                async with asyncio.timeout(PATIENT_S):
                    await book.asked.wait()
                for number in range(5):
                    sender.publish(ORDERS, str(10 * number))
                sender.publish(ORDERS, order("b"))
                async with asyncio.timeout(PATIENT_S):
                    while side.outlets[0].broker.health.taken_in < 7:  # noqa: ASYNC110  a counter sets no event
                        await asyncio.sleep(0.01)
                book.goes_on.set()
                async with asyncio.timeout(PATIENT_S):
                    while "b" not in book.events:  # noqa: ASYNC110  a table sets no event
                        await asyncio.sleep(0.01)
    assert [event.target_ratio for event in book.events.values()] == [0, 0.4, 0]
    assert list(book.events)[::2] == ["a", "b"]


async def test_a_sender_of_nonsense_is_logged_as_often_as_it_is_answered(tmp_path: Path) -> None:
    """Of 100 refused readings 30 are logged and answered in a minute, and all are counted."""
    async with mosquitto(tmp_path / "broker") as broker:
        with consumer(broker.port, f"{ROOT}/errors") as sender:
            async with delivering(exporter(tmp_path, section(broker.port, meters=True))) as side:
                with structlog.testing.capture_logs() as logs:
                    for _ in range(100):
                        sender._client.publish(f"{ROOT}/meter/site", "no reading", qos=1)
                    async with asyncio.timeout(PATIENT_S):
                        while side.outlets[0].broker.health.refused < 100:  # noqa: ASYNC110  a counter sets no event
                            await asyncio.sleep(0.01)
    assert len([line for line in logs if line["event"] == "mqtt message refused"]) == 30
    assert len(payloads(sender.messages, f"{ROOT}/errors")) <= 30
