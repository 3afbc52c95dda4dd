"""The MQTT exporter alone, against a real mosquitto: what it publishes and retains, and what it accepts."""

import asyncio
import signal
import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from brokers import ROOT, consumer, mosquitto, payloads, shipped
from exporter_cases import AT, ENERGY, entry, gone_silent, reading, status
from mqtt_agent import SmallBook, delivering, exporter, figure_times, password, publish_figures, section
from mqtt_messages import check
from patience import PATIENT_S
from programs import free_port

from agent.exporters.mqtt import delivery as delivery_module
from agent.exporters.mqtt import outbox_writer as outbox_writer_module
from agent.exporters.mqtt.changes import AgentHealth
from agent.exporters.mqtt.exporter import MqttExporter
from agent.exporters.mqtt.messages import MeterReading
from agent.exporters.mqtt.meters import MqttMeters
from agent.exporters.mqtt.outbox_file import Kind, Message
from agent.exporters.mqtt.topics import MeterScope
from agent.site.curtailment.events import Event, Scope
from agent.site.curtailment.orders import OrderError, Refusal, StartOrder
from agent.site.ledger.entries import Place
from agent.site.metered import Metered, MeterWatts, add_up
from agent.site.totals import site_figures

pytestmark = pytest.mark.program("mosquitto")


async def test_units_are_published_on_change_and_heartbeat(tmp_path: Path) -> None:
    """A unit's topic has its latest status; small changes are not published, a new state is, with an event."""
    async with mosquitto(tmp_path / "broker") as broker:
        with consumer(broker.port, f"{ROOT}/#") as reader:
            async with delivering(exporter(tmp_path, section(broker.port))) as side:
                side.on_unit(status(latest=reading()))
                side.on_unit(status(latest=reading(hashrate_5s_hs=199e12)))
                side.on_unit(status(latest=reading(hashrate_5s_hs=180e12)))
                side.on_unit(gone_silent("u1"))
                await reader.until(lambda got: payloads(got, f"{ROOT}/events"))
                side.remove_unit("u1")
                await reader.until(lambda got: any(topic.endswith("/units/u1") and not body for topic, body, _ in got))
        with consumer(broker.port, f"{ROOT}/units/#") as late:
            # Retained messages come before what is published now.
            late.publish(f"{ROOT}/units/now", "")
            await late.until(lambda got: got)
            assert late.messages == [(f"{ROOT}/units/now", b"", False)]
    (event,) = [body["event"] for body in payloads(reader.messages, f"{ROOT}/events")]
    assert (event["unit_id"], event["before"], event["state"]) == ("u1", "hashing", "unreachable")
    states = [body["unit"]["state"] for body in payloads(reader.messages, f"{ROOT}/units/u1")]
    assert states[-1] == "unreachable"
    assert len(states) <= 3


async def test_single_units_are_gathered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A unit's topic is delayed to gather others, and leaves early with figures or at the end."""
    monkeypatch.setattr(delivery_module, "GATHER_S", 10 * PATIENT_S)
    monkeypatch.setattr(outbox_writer_module, "IDLE_S", 10 * PATIENT_S)
    async with mosquitto(tmp_path / "broker") as broker:
        with consumer(broker.port, f"{ROOT}/#") as reader:
            async with delivering(exporter(tmp_path, section(broker.port))) as side:
                mine = side.outlets[0].broker
                publish_figures(side, 1)
                async with asyncio.timeout(PATIENT_S):
                    while mine.health.delivered < 1:  # noqa: ASYNC110  a counter sets no event
                        await asyncio.sleep(0.01)
                # After settling, delivery looks for more once; three calls later in the same thread it waits for work.
                for _ in range(3):
                    await mine._writer.kept()
                for percent in range(100, 50, -10):
                    side.on_unit(status(latest=reading(hashrate_5s_hs=percent * 2e12)))
                    await asyncio.sleep(0.02)
                assert not payloads(reader.messages, f"{ROOT}/units/u1")
                publish_figures(side, 1, 1)
                await reader.until(lambda got: payloads(got, f"{ROOT}/units/u1"))
                side.on_unit(status(entry("u2"), reading("u2")))
            await reader.until(lambda got: payloads(got, f"{ROOT}/units/u2"))
    (body,) = payloads(reader.messages, f"{ROOT}/units/u1")
    assert body["unit"]["hashrate_hs"] == 120e12


async def test_leftovers_of_an_earlier_run_are_deleted(tmp_path: Path) -> None:
    """Retained messages of an earlier run that this run does not publish are deleted, once it published all its own."""

    def show(side: MqttExporter, *places: tuple[str, str]) -> None:
        statuses = [status(entry(name, place=Place(container=within)), reading(name)) for name, within in places]
        for one in statuses:
            side.on_unit(one)
        side.on_figures(site_figures(statuses, AT), ENERGY, interval_s=1, simulated_units=lambda: 0)

    async with mosquitto(tmp_path / "broker") as broker:
        home = section(broker.port, home_assistant=True)
        with consumer(broker.port, f"{ROOT}/units/#", f"{ROOT}/containers/#", "homeassistant/#") as reader:
            async with delivering(exporter(tmp_path, home)) as side:
                show(side, ("u1", "C1"), ("u2", "C1"), ("u3", "C2"))
                await reader.until(lambda got: {topic for topic, _, _ in got} >= _topics("u1", "u2", "u3", "C1", "C2"))
            first = {topic for topic, _, _ in reader.messages}
            async with delivering(exporter(tmp_path, home)) as side:
                side.on_unit(status(entry("u1"), reading("u1")))
                await asyncio.sleep(0.5)
                # Nothing is deleted before everything was published: u2 may not have been polled yet.
                assert all(body for _, body, _ in reader.messages)
                show(side, ("u1", "C1"), ("u2", "C1"))
                await reader.until(lambda got: {topic for topic, body, _ in got if not body} >= _topics("u3", "C2"))
        gone = {topic for topic, body, _ in reader.messages if not body}
        assert all("u3" in topic or "C2" in topic for topic in gone)
        with consumer(broker.port, f"{ROOT}/units/#", f"{ROOT}/containers/#", "homeassistant/#") as late:
            late.publish(f"{ROOT}/units/now", "")
            await late.until(lambda got: any(topic.endswith("/now") for topic, _, _ in got))
            assert {topic for topic, _, is_retained in late.messages if is_retained} == first - gone


def _topics(*names: str) -> set[str]:
    return {f"{ROOT}/{'units' if name[0] == 'u' else 'containers'}/{name}" for name in names}


async def test_units_in_batches_are_kept_until_delivered(tmp_path: Path) -> None:
    """With `units = "batches"` 250 units make three messages of at most 100, and no topic of their own."""
    async with mosquitto(tmp_path / "broker") as broker:
        with consumer(broker.port, f"{ROOT}/#") as reader:
            side = exporter(tmp_path, section(broker.port, units="batches"))
            for number in range(250):
                side.on_unit(status(entry(f"u{number}"), reading(f"u{number}")))
            publish_figures(side, 1)
            async with delivering(side):
                await reader.until(lambda got: len(payloads(got, f"{ROOT}/units")) == 3)
    bodies = payloads(reader.messages, f"{ROOT}/units")
    assert [len(body["units"]) for body in bodies] == [100, 100, 50]
    assert [body["previous_seq"] for body in bodies] == [None, bodies[0]["seq"], bodies[1]["seq"]]
    assert not [topic for topic, _, _ in reader.messages if topic.startswith(f"{ROOT}/units/")]


async def test_everything_waits_for_a_broker_that_is_down(tmp_path: Path) -> None:
    """Figures of 360 intervals without a broker arrive in order once it is there, with their original times."""
    async with mosquitto(tmp_path / "broker") as broker:
        broker.stop()
        side = exporter(tmp_path, section(broker.port))
        async with side.running():
            publish_figures(side, 360)
            async with asyncio.timeout(PATIENT_S):
                while side.outlets[0].broker.outbox.health.in_file < 360:  # noqa: ASYNC110  the disk sets no event
                    await asyncio.sleep(0.01)
            broker.start()
            with consumer(broker.port, f"{ROOT}/figures") as reader:
                await reader.until(lambda got: len(payloads(got, f"{ROOT}/figures")) == 360)
    bodies = payloads(reader.messages, f"{ROOT}/figures")
    assert figure_times(reader) == [AT + number for number in range(360)]
    assert [body["previous_seq"] for body in bodies[1:]] == [body["seq"] for body in bodies[:-1]]


async def test_what_waits_for_a_disk_that_hangs_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unit batches are dropped first, events last, the oldest of each; drops are counted and published by kind."""
    monkeypatch.setattr(outbox_writer_module, "MAX_INCOMING", 300)
    side = exporter(tmp_path, section(free_port(), units="batches"))
    # Nothing is written, because the exporter does not run.
    mine = side.outlets[0].broker
    for number in range(200):
        mine.queue(Message(Kind.UNITS, "units", str(number).encode()))
        mine.queue(Message(Kind.FIGURES, "figures", str(number).encode()))
    assert mine.health.dropped == {"units": 100, "figures": 0, "event": 0}
    for number in range(150):
        mine.queue(Message(Kind.EVENT, "events", str(number).encode()))
    assert mine.health.dropped == {"units": 200, "figures": 100, "event": 0}
    assert mine.waiting <= 300
    left = [(message.kind, int(message.payload)) for message in mine.unwritten]
    assert [number for kind, number in left if kind is Kind.EVENT] == list(range(150))
    assert [number for kind, number in left if kind is Kind.FIGURES] == list(range(100, 200))
    side.watch()
    side.watch()
    (numbers,) = side.numbers()
    assert numbers.dropped == {"units": 200, "figures": 100, "event": 0}
    assert numbers.outbox_max_bytes == 64 << 20
    (event,) = (check(message.payload)["event"] for message in list(mine.unwritten)[250:])
    assert (event["subject"], event["is_well"]) == ("outbox_full", False)
    assert event["detail"] == "site: messages dropped for lack of room: 200 units, 100 figures"


async def test_a_disk_that_hangs_does_not_hold_up_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a write hangs and more wait, the exporter still ends within seconds."""
    side = exporter(tmp_path, section(free_port()))
    began, goes_on = threading.Event(), threading.Event()

    def hang(*_: Any) -> None:
        began.set()
        goes_on.wait(PATIENT_S)

    monkeypatch.setattr(side.outlets[0].broker.outbox, "put", hang)
    try:
        async with asyncio.timeout(PATIENT_S), side.running():
            publish_figures(side, 1)
            assert await asyncio.to_thread(began.wait, 5)
            publish_figures(side, 1)
    finally:
        goes_on.set()


async def test_bad_messages_are_answered_and_change_nothing(tmp_path: Path) -> None:
    """A bad message is answered with topic, reason and an excerpt, and changes nothing else."""
    now = datetime.now(UTC).isoformat()
    bad: list[tuple[str, str | bytes, str]] = [
        ("curtailment/set", b"\xff\xfe\x00", "malformed"),
        ("curtailment/set", "101", "malformed"),
        ("curtailment/set", '{"target_percent": 0}', "malformed"),
        ("curtailment/set", '{"target_percent": 0, "id": "a", "start": "2020-01-01T00:00:00Z"}', "malformed"),
        ("curtailment/set", '{"stop": "nothing-of-that-name"}', "unknown"),
        ("curtailment/set", '{"target_percent": 0, "id": "a", "start": "now", "mode": "sleep"}', "malformed"),
        ("curtailment/set", f'{{"target_percent": 0, "id": "a", "start": "{now}", "mode": "sleep"}}', "malformed"),
        ("curtailment/set", "[" * 100_000, "malformed"),
        ("meter/site", '{"watts": 1}', "malformed"),
        ("meter/site", '{"watts": NaN, "time": "2020-01-01T00:00:00Z"}', "malformed"),
        ("meter/site", '{"watts": 1, "time": "2020-01-01T00:00:00Z"}', "stale"),
        ("meter/site", f'{{"watts": 1, "joules": 2, "time": "{now}"}}', "malformed"),
        ("meter/rack/R1", '{"watts": 1, "time": "2020-01-01T00:00:00Z"}', "unknown"),
    ]
    book = SmallBook()
    async with mosquitto(tmp_path / "broker") as broker:
        with consumer(broker.port, f"{ROOT}/errors") as reader:
            side = exporter(tmp_path, section(broker.port, curtailment=True, meters=True), book=book)
            async with delivering(side):
                for topic, payload, _ in bad:
                    reader.publish(f"{ROOT}/{topic}", payload)
                await reader.until(lambda got: len(payloads(got, f"{ROOT}/errors")) == len(bad))
                (numbers,) = side.numbers()
                metered = add_up(side.meter_readings())
    answers = [check(payload) for _, payload, _ in reader.messages]
    # Orders and readings come over connections of their own, so only each kind is in order.
    for kind in ("curtailment/", "meter/"):
        assert [(answer["topic"], answer["reason"]) for answer in answers if kind in answer["topic"]] == [
            (f"{ROOT}/{topic}", reason) for topic, _, reason in bad if topic.startswith(kind)
        ]
    assert (numbers.refused, book.events, metered) == (len(bad), {}, Metered())


async def test_a_gateways_plain_number_is_obeyed_and_its_silence_published(tmp_path: Path) -> None:
    """0 curtails, a repeat changes nothing, 40 replaces it, a silence is published once, and 100 ends it."""
    book = SmallBook()
    topic = f"{ROOT}/curtailment/set"
    async with mosquitto(tmp_path / "broker") as broker:
        with consumer(broker.port, f"{ROOT}/events", f"{ROOT}/errors") as reader:
            options = section(broker.port, curtailment=True, gateway_heartbeat_s=1)
            async with delivering(exporter(tmp_path, options, book=book)):

                async def until_targets(*targets: float) -> None:
                    async with asyncio.timeout(PATIENT_S):
                        while [event.target_ratio for event in book.events.values()] != list(targets):  # noqa: ASYNC110
                            await asyncio.sleep(0.01)

                reader.publish(topic, "0", retain=True)
                await until_targets(0.0)
                (first,) = book.events.values()
                reader.publish(topic, " 0\n", retain=True)
                reader.publish(topic, "40", retain=True)
                await until_targets(0.4)
                assert first.id not in book.events
                await reader.until(lambda got: payloads(got, f"{ROOT}/events"))
                await until_targets(0.4)
                reader.publish(topic, "100", retain=True)
                await until_targets()
                await reader.until(lambda got: len(payloads(got, f"{ROOT}/events")) == 2)
    events = [body["event"] for body in payloads(reader.messages, f"{ROOT}/events")]
    assert [(event["subject"], event["is_well"]) for event in events] == [("gateway", False), ("gateway", True)]
    assert not payloads(reader.messages, f"{ROOT}/errors")


class FullBook(SmallBook):
    """A book whose disk is full after the first order."""

    async def start(self, order: StartOrder, *, source: str, is_state: bool = False) -> tuple[Event, bool]:
        """Follow the first order, refuse the rest."""
        if self.events:
            raise OrderError(Refusal.NOT_KEPT, "the disk is full")
        return await super().start(order, source=source, is_state=is_state)


async def test_a_gateways_value_stays_if_the_next_cannot_be_saved(tmp_path: Path) -> None:
    """If 40 cannot be saved while zero is in force, the refusal is answered and zero stays in force."""
    book = FullBook()
    async with mosquitto(tmp_path / "broker") as broker:
        with consumer(broker.port, f"{ROOT}/errors") as reader:
            reader.publish(f"{ROOT}/curtailment/set", "0", retain=True)
            async with delivering(exporter(tmp_path, section(broker.port, curtailment=True), book=book)):
                async with asyncio.timeout(PATIENT_S):
                    while not book.events:  # noqa: ASYNC110  a table sets no event
                        await asyncio.sleep(0.01)
                reader.publish(f"{ROOT}/curtailment/set", "40", retain=True)
                await reader.until(lambda got: payloads(got, f"{ROOT}/errors"))
    (answer,) = [check(payload) for _, payload, _ in reader.messages]
    assert (answer["reason"], answer["excerpt"]) == ("not_kept", "40")
    assert [event.target_ratio for event in book.events.values()] == [0.0]


async def test_an_order_may_be_called_stop(tmp_path: Path) -> None:
    """`stop` as a value of an order does not make it a stop order; as its key it does."""
    book = SmallBook()
    topic = f"{ROOT}/curtailment/set"
    order = {"target_percent": 0, "id": "stop", "start": datetime.now(UTC).isoformat(), "source": "grid"}
    async with mosquitto(tmp_path / "broker") as broker:
        with consumer(broker.port, f"{ROOT}/errors") as reader:
            reader.publish(topic, order, retain=True)
            async with delivering(exporter(tmp_path, section(broker.port, curtailment=True), book=book)):
                async with asyncio.timeout(PATIENT_S):
                    while not book.events:  # noqa: ASYNC110  a table sets no event
                        await asyncio.sleep(0.01)
                assert set(book.events) == {"stop"}
                reader.publish(topic, ' { "stop" : "stop" } ')
                async with asyncio.timeout(PATIENT_S):
                    while book.events:  # noqa: ASYNC110  a table sets no event
                        await asyncio.sleep(0.01)
    assert not payloads(reader.messages, f"{ROOT}/errors")


async def test_a_retained_order_is_obeyed_and_no_sign_of_life(tmp_path: Path) -> None:
    """A retained value is in force at once, yet the gateway still counts as silent."""
    book = SmallBook()
    async with mosquitto(tmp_path / "broker") as broker:
        with consumer(broker.port, f"{ROOT}/events") as reader:
            reader.publish(f"{ROOT}/curtailment/set", "0", retain=True)
            options = section(broker.port, curtailment=True, gateway_heartbeat_s=1)
            async with delivering(exporter(tmp_path, options, book=book)):
                await reader.until(lambda got: payloads(got, f"{ROOT}/events"))
    assert [event.target_ratio for event in book.events.values()] == [0.0]
    (event,) = [body["event"] for body in payloads(reader.messages, f"{ROOT}/events")]
    assert (event["subject"], event["is_well"]) == ("gateway", False)


async def test_curtailments_are_published_as_they_come_and_go(tmp_path: Path) -> None:
    """Each start, end and stop is published once; an event in force at the start of the agent is not declared again."""
    old = Event(id="old", start=AT - 60, end=AT + 60, target_ratio=0.0, scope=Scope(), source="a")
    new = replace(old, id="new", start=AT + 10, end=AT + 20, scope=Scope(container="C1"))
    async with mosquitto(tmp_path / "broker") as broker:
        with consumer(broker.port, f"{ROOT}/events") as reader:
            async with delivering(exporter(tmp_path, section(broker.port))) as side:
                side.on_curtailments([old], AT)
                side.on_curtailments([old, new], AT + 1)
                side.on_curtailments([old, new], AT + 12)
                side.on_curtailments([replace(old, end=AT + 14, is_stopped=True), new], AT + 15)
                side.on_curtailments([replace(old, end=AT + 14, is_stopped=True), new], AT + 25)
                await reader.until(lambda got: len(payloads(got, f"{ROOT}/events")) == 4)
    events = [check(payload)["event"] for _, payload, _ in reader.messages]
    assert [(event["what"], event["id"]) for event in events] == [
        ("declared", "new"),
        ("started", "new"),
        ("stopped", "old"),
        ("ended", "new"),
    ]
    assert events[0]["scope"] == {"container": "C1", "rack": None, "model": None, "unit": None}


async def test_the_shipped_broker_configuration_loses_nothing(tmp_path: Path, quick_folder: Path) -> None:
    """3,000 messages for an absent consumer arrive in order, though the broker is killed after saving them."""
    async with mosquitto(quick_folder / "broker", shipped) as broker:
        with consumer(broker.port, f"{ROOT}/#", client_id="database", user="consumer"):
            pass
        options = section(broker.port, username="hashsight", password_file=password(tmp_path, "hashsight-secret"))
        side = exporter(tmp_path, options)
        async with delivering(side):
            for number in range(3000):
                side._queue_event(AgentHealth(subject="meter", is_well=True, detail=str(number)))
            async with asyncio.timeout(PATIENT_S):
                while side.outlets[0].broker.health.delivered < 3000:  # noqa: ASYNC110  a counter sets no event
                    await asyncio.sleep(0.02)
        # A broker acknowledges a message a moment before it saves it; a kill leaves only what it saved.
        database = quick_folder / "broker" / "mosquitto.db"
        async with asyncio.timeout(PATIENT_S):
            while b'"detail":"2999"' not in await asyncio.to_thread(database.read_bytes):  # noqa: ASYNC110  a broker's file sets no event
                await asyncio.sleep(0.05)
        await asyncio.to_thread(broker.stop, signal.SIGKILL)
        await asyncio.to_thread(broker.start)
        with consumer(broker.port, f"{ROOT}/#", client_id="database", user="consumer") as reader:
            # The broker repeats messages that the consumer has not acknowledged.
            await reader.until(lambda got: len(payloads(got, f"{ROOT}/events")) >= 3000)
    details = [body["event"]["detail"] for body in payloads(reader.messages, f"{ROOT}/events")]
    assert details == [str(number) for number in range(3000)]


def test_a_counter_of_joules_gives_watts() -> None:
    """Watts are the difference of two readings over their time; a counter that went backwards starts over."""
    meters, scope = MqttMeters(max_age_s=60), MeterScope(container="C1")

    def take(seconds: float, joules: float) -> Metered:
        at = AT + seconds
        meters.take(scope, MeterReading(time=datetime.fromtimestamp(at, UTC), joules=joules), now=at)
        return add_up(meters.readings(at))

    assert take(0, 1000) == Metered()
    assert take(10, 31_000).container_watts == {"C1": 3000.0}
    assert take(20, 500) == Metered()
    assert take(30, 10_500).container_watts == {"C1": 1000.0}
    assert add_up(meters.readings(AT + 91)) == Metered()


def test_meters_of_one_thing_add_up_while_all_of_them_count() -> None:
    """Two feeders add up; if one is too old there is no sum, even with a third meter that the agent polls itself."""
    meters = MqttMeters(max_age_s=60)
    for name, at in (("f1", AT), ("f2", AT + 30)):
        meters.take(MeterScope(), MeterReading(time=datetime.fromtimestamp(at, UTC), watts=500, name=name), now=AT + 30)
    assert add_up(meters.readings(AT + 40)).site_watts == 1000
    assert add_up(meters.readings(AT + 70)).site_watts is None
    assert meters.lapsed(AT + 70) == ["site: f1"]
    configured = (MeterWatts(None, None, 10.0), MeterWatts(None, "u1", 1.0))
    for at, watts in ((AT + 40, 1010.0), (AT + 70, None)):
        together = add_up([*configured, *meters.readings(at)])
        assert (together.site_watts, dict(together.unit_watts)) == (watts, {"u1": 1.0})
