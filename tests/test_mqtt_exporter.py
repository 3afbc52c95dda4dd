"""The MQTT side alone, against a real mosquitto: what is told when, what is taken in, and how what goes wrong shows."""

import asyncio
import contextlib
import signal
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from brokers import ROOT, Consumer, consumer, mosquitto, payloads, shipped
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from exporter_cases import AT, entry, gone_silent, reading, status
from mqtt_agent import SmallBook, exporter, section
from programs import free_port
from test_mqtt_messages import check

from agent.exporters.mqtt import broker as broker_module
from agent.exporters.mqtt import connection as connection_module
from agent.exporters.mqtt.exporter import MqttExporter
from agent.exporters.mqtt.messages import AgentHealth, MeterReading
from agent.exporters.mqtt.meters import MqttMeters
from agent.exporters.mqtt.outbox_file import Kind, Message
from agent.exporters.mqtt.topics import MeterScope
from agent.site.curtailment import Event, Scope
from agent.site.curtailment_order import OrderError, Refusal, StartOrder
from agent.site.power import Metered, MeterWatts, add_up
from agent.site.totals import site_figures

pytestmark = pytest.mark.program("mosquitto")


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take an answer that does not come for missing after one second, not four: for what waits for none."""
    monkeypatch.setattr(connection_module, "ANSWER_S", 1.0)
    monkeypatch.setattr(broker_module, "CANARY_S", 1.0)


def test_waits_add_up_to_no_more_than_ten_seconds() -> None:
    """Whatever is wrong is told after looking up the name, connecting, and one answer that does not come."""
    assert 2 * connection_module.CONNECT_S + max(connection_module.ANSWER_S, broker_module.CANARY_S) <= 10


@contextlib.asynccontextmanager
async def delivering(side: MqttExporter) -> AsyncIterator[MqttExporter]:
    """Run the MQTT side once its first broker is connected."""
    connected = asyncio.Event()
    broker = side.outlets[0].broker
    broker.on_connected = connected.set
    async with side.running():
        async with asyncio.timeout(10):
            await connected.wait()
        yield side


def tell(side: MqttExporter, count: int, start: int = 0) -> None:
    """Have figures of one unit told `count` times."""
    told = status(told=reading())
    for number in range(start, start + count):
        side.on_figures(site_figures([told], AT + number), interval_s=1, simulated_units=lambda: 0)


async def test_units_are_told_on_change_and_heartbeat(tmp_path: Path) -> None:
    """A unit's topic has the latest; what differs little is not told again, another state is, with an event."""
    async with mosquitto(tmp_path / "broker") as broker:
        with consumer(broker.port, f"{ROOT}/#") as reader:
            async with delivering(exporter(tmp_path, section(broker.port))) as side:
                side.on_unit(status(told=reading()))
                side.on_unit(status(told=reading(hashrate_5s_hs=199e12)))
                side.on_unit(status(told=reading(hashrate_5s_hs=180e12)))
                side.on_unit(gone_silent("u1"))
                await reader.until(lambda got: payloads(got, f"{ROOT}/events"))
                side.remove_unit("u1")
                await reader.until(lambda got: any(topic.endswith("/units/u1") and not body for topic, body, _ in got))
        with consumer(broker.port, f"{ROOT}/units/#") as late:
            await asyncio.sleep(0.1)
            assert late.messages == []
    (event,) = [body["event"] for body in payloads(reader.messages, f"{ROOT}/events")]
    assert (event["unit_id"], event["before"], event["state"]) == ("u1", "hashing", "unreachable")
    states = [body["unit"]["state"] for body in payloads(reader.messages, f"{ROOT}/units/u1")]
    assert states[-1] == "unreachable"
    assert len(states) <= 3


async def test_units_in_batches_are_kept_until_delivered(tmp_path: Path) -> None:
    """With `units = "batches"` 250 units make three messages of at most 100, and no topic of their own."""
    async with mosquitto(tmp_path / "broker") as broker:
        with consumer(broker.port, f"{ROOT}/#") as reader:
            side = exporter(tmp_path, section(broker.port, units="batches"))
            for number in range(250):
                side.on_unit(status(entry(f"u{number}"), reading(f"u{number}")))
            tell(side, 1)
            async with delivering(side):
                await reader.until(lambda got: len(payloads(got, f"{ROOT}/units")) == 3)
    bodies = payloads(reader.messages, f"{ROOT}/units")
    assert [len(body["units"]) for body in bodies] == [100, 100, 50]
    assert [body["previous_seq"] for body in bodies] == [None, bodies[0]["seq"], bodies[1]["seq"]]
    assert not [topic for topic, _, _ in reader.messages if topic.startswith(f"{ROOT}/units/")]


async def test_everything_waits_for_a_broker_that_is_down(tmp_path: Path) -> None:
    """360 intervals without a broker: all of them arrive in order once it is there, with the times they had."""
    async with mosquitto(tmp_path / "broker") as broker:
        broker.stop()
        side = exporter(tmp_path, section(broker.port))
        async with side.running():
            tell(side, 360)
            async with asyncio.timeout(10):
                while side.outlets[0].broker.outbox.health.in_file < 360:  # noqa: ASYNC110  the disk sets no event
                    await asyncio.sleep(0.01)
            broker.start()
            with consumer(broker.port, f"{ROOT}/figures") as reader:
                await reader.until(lambda got: len(payloads(got, f"{ROOT}/figures")) == 360, 60)
    bodies = payloads(reader.messages, f"{ROOT}/figures")
    assert told_at(reader) == [AT + number for number in range(360)]
    assert [body["previous_seq"] for body in bodies[1:]] == [body["seq"] for body in bodies[:-1]]


async def test_what_waits_for_a_disk_that_hangs_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of units go first, events last, the oldest of each; every one given up is counted and told by kind."""
    monkeypatch.setattr(broker_module, "MAX_INCOMING", 300)
    side = exporter(tmp_path, section(free_port(), units="batches"))
    # Nothing is written: the side does not run.
    mine = side.outlets[0].broker
    for number in range(200):
        mine.queue(Message(Kind.UNITS, "units", str(number).encode()))
        mine.queue(Message(Kind.FIGURES, "figures", str(number).encode()))
    assert mine.health.dropped == {"units": 100, "figures": 0, "event": 0}
    for number in range(150):
        mine.queue(Message(Kind.EVENT, "events", str(number).encode()))
    assert mine.health.dropped == {"units": 200, "figures": 100, "event": 0}
    assert mine.waiting <= 300
    left = [(message.kind, int(message.payload)) for message in mine._incoming]
    assert [number for kind, number in left if kind is Kind.EVENT] == list(range(150))
    assert [number for kind, number in left if kind is Kind.FIGURES] == list(range(100, 200))
    side.watch()
    side.watch()
    (numbers,) = side.numbers()
    assert numbers.dropped == {"units": 200, "figures": 100, "event": 0}
    assert numbers.outbox_max_bytes == 64 << 20
    (event,) = (check(message.payload)["event"] for message in list(mine._incoming)[250:])
    assert (event["subject"], event["is_well"]) == ("outbox_full", False)
    assert event["detail"] == "site: messages that found no room: 200 units, 100 figures"


async def test_a_disk_that_hangs_does_not_hold_up_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a write that does not return, and more to write, the side ends within seconds all the same."""
    side = exporter(tmp_path, section(free_port()))
    began, goes_on = threading.Event(), threading.Event()

    def hang(_: Any) -> None:
        began.set()
        goes_on.wait(30)

    monkeypatch.setattr(side.outlets[0].broker.outbox, "put", hang)
    try:
        async with asyncio.timeout(10), side.running():
            tell(side, 1)
            assert await asyncio.to_thread(began.wait, 5)
            tell(side, 1)
    finally:
        goes_on.set()


@pytest.mark.usefixtures("hasty")
async def test_a_broker_that_is_killed_or_frozen_is_left_and_found_again(tmp_path: Path) -> None:
    """SIGKILL, restart, SIGSTOP: what was told meanwhile arrives in order, in both versions of the protocol."""

    async def go_through_it(protocol: str) -> None:
        folder = tmp_path / protocol
        async with mosquitto(folder) as broker:
            side = exporter(folder, section(broker.port, protocol=protocol, keepalive_s=2))
            with consumer(broker.port, f"{ROOT}/figures", client_id="keeper") as reader:
                async with delivering(side):
                    tell(side, 50)
                    await reader.until(lambda got: len(payloads(got, f"{ROOT}/figures")) == 50)
                    await asyncio.to_thread(broker.stop, signal.SIGKILL)
                    tell(side, 50, 50)
                    await asyncio.to_thread(broker.start)
                    await reader.until(lambda got: len(payloads(got, f"{ROOT}/figures")) == 100, 30)
                    broker.send(signal.SIGSTOP)
                    tell(side, 50, 100)
                    lost = asyncio.Event()
                    side.outlets[0].broker.on_state = lambda is_connected, _: None if is_connected else lost.set()
                    async with asyncio.timeout(10):
                        await lost.wait()
                    broker.send(signal.SIGCONT)
                    await reader.until(lambda got: len(payloads(got, f"{ROOT}/figures")) == 150, 30)
        assert told_at(reader) == [AT + number for number in range(150)]

    async with asyncio.TaskGroup() as tasks:
        for protocol in ("3.1.1", "5"):
            tasks.create_task(go_through_it(protocol))


def told_at(reader: Consumer) -> list[float]:
    """Give the times of all figures that arrived, in order of arrival."""
    bodies = payloads(reader.messages, f"{ROOT}/figures")
    return [datetime.fromisoformat(body["time"]).timestamp() for body in bodies]


async def test_bad_messages_are_answered_and_change_nothing(tmp_path: Path) -> None:
    """Each is answered with topic, reason and how it began; the agent goes on as if nothing had come."""
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
                await asyncio.sleep(0.2)
                for topic, payload, _ in bad:
                    reader.publish(f"{ROOT}/{topic}", payload)
                await reader.until(lambda got: len(payloads(got, f"{ROOT}/errors")) == len(bad))
                (numbers,) = side.numbers()
                metered = add_up(side.meter_readings())
    answers = [check(payload) for _, payload, _ in reader.messages]
    assert [(answer["topic"], answer["reason"]) for answer in answers] == [
        (f"{ROOT}/{topic}", reason) for topic, _, reason in bad
    ]
    assert (numbers.refused, book.events, metered) == (len(bad), {}, Metered())


async def test_a_gateways_plain_number_is_obeyed_and_its_silence_told(tmp_path: Path) -> None:
    """0 curtails, repeated changes nothing, 40 replaces it, silence is told once and keeps it, 100 ends it."""
    book = SmallBook()
    topic = f"{ROOT}/curtailment/set"
    async with mosquitto(tmp_path / "broker") as broker:
        with consumer(broker.port, f"{ROOT}/events", f"{ROOT}/errors") as reader:
            options = section(broker.port, curtailment=True, gateway_heartbeat_s=1)
            async with delivering(exporter(tmp_path, options, book=book)):

                async def until_targets(*targets: float) -> None:
                    async with asyncio.timeout(5):
                        while [event.target_ratio for event in book.events.values()] != list(targets):  # noqa: ASYNC110
                            await asyncio.sleep(0.01)

                await asyncio.sleep(0.2)
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
    told = [body["event"] for body in payloads(reader.messages, f"{ROOT}/events")]
    assert [(event["subject"], event["is_well"]) for event in told] == [("gateway", False), ("gateway", True)]
    assert not payloads(reader.messages, f"{ROOT}/errors")


class FullBook(SmallBook):
    """A book on a disk that is full after the first order."""

    async def start(self, order: StartOrder, *, source: str) -> tuple[Event, bool]:
        """Follow the first order only."""
        if self.events:
            raise OrderError(Refusal.NOT_KEPT, "the disk is full")
        return await super().start(order, source=source)


async def test_what_a_gateway_said_stays_where_the_new_cannot_be_kept(tmp_path: Path) -> None:
    """Zero is in force; 40 cannot be written: that is answered, and zero stays in force and not nothing."""
    book = FullBook()
    async with mosquitto(tmp_path / "broker") as broker:
        with consumer(broker.port, f"{ROOT}/errors") as reader:
            reader.publish(f"{ROOT}/curtailment/set", "0", retain=True)
            async with delivering(exporter(tmp_path, section(broker.port, curtailment=True), book=book)):
                async with asyncio.timeout(5):
                    while not book.events:  # noqa: ASYNC110  a table sets no event
                        await asyncio.sleep(0.01)
                reader.publish(f"{ROOT}/curtailment/set", "40", retain=True)
                await reader.until(lambda got: payloads(got, f"{ROOT}/errors"))
    (answer,) = [check(payload) for _, payload, _ in reader.messages]
    assert (answer["reason"], answer["excerpt"]) == ("not_kept", "40")
    assert [event.target_ratio for event in book.events.values()] == [0.0]


async def test_an_order_may_be_called_stop(tmp_path: Path) -> None:
    """The word among an order's values does not make it an order to stop; as its key it does."""
    book = SmallBook()
    topic = f"{ROOT}/curtailment/set"
    order = {"target_percent": 0, "id": "stop", "start": datetime.now(UTC).isoformat(), "source": "grid"}
    async with mosquitto(tmp_path / "broker") as broker:
        with consumer(broker.port, f"{ROOT}/errors") as reader:
            reader.publish(topic, order, retain=True)
            async with delivering(exporter(tmp_path, section(broker.port, curtailment=True), book=book)):
                async with asyncio.timeout(5):
                    while not book.events:  # noqa: ASYNC110  a table sets no event
                        await asyncio.sleep(0.01)
                assert set(book.events) == {"stop"}
                reader.publish(topic, ' { "stop" : "stop" } ')
                async with asyncio.timeout(5):
                    while book.events:  # noqa: ASYNC110  a table sets no event
                        await asyncio.sleep(0.01)
    assert not payloads(reader.messages, f"{ROOT}/errors")


async def test_a_kept_order_is_obeyed_and_no_sign_of_life(tmp_path: Path) -> None:
    """What the broker kept from before is in force at once, and the gateway counts as silent all the same."""
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


async def test_curtailments_are_told_as_they_come_and_go(tmp_path: Path) -> None:
    """Declared, started, ended or stopped, each once; what was going on when the agent started is not told again."""
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
    told = [check(payload)["event"] for _, payload, _ in reader.messages]
    assert [(event["what"], event["id"]) for event in told] == [
        ("declared", "new"),
        ("started", "new"),
        ("stopped", "old"),
        ("ended", "new"),
    ]
    assert told[0]["scope"] == {"container": "C1", "rack": None, "model": None, "unit": None}


@pytest.mark.usefixtures("hasty")
async def test_one_dead_broker_does_not_hold_up_another(tmp_path: Path) -> None:
    """Beside one that refuses, one without a name and one that is frozen, the fourth gets everything at once."""
    async with mosquitto(tmp_path / "broker") as broker, mosquitto(tmp_path / "frozen") as frozen:
        frozen.send(signal.SIGSTOP)
        others = [
            section(free_port(), name="dead"),
            section(9, name="nowhere", host="no-such-host.invalid"),
            section(frozen.port, name="frozen"),
        ]
        with consumer(broker.port, f"{ROOT}/#") as reader:
            async with delivering(exporter(tmp_path, section(broker.port), *others)) as side:
                tell(side, 20)
                await reader.until(lambda got: len(payloads(got, f"{ROOT}/figures")) == 20)

                def about(got: Any) -> set[str]:
                    return {body["event"]["detail"].partition(":")[0] for body in payloads(got, f"{ROOT}/events")}

                await reader.until(lambda got: about(got) == {"dead", "nowhere", "frozen"})
                numbers = {each.name: each for each in side.numbers()}
        frozen.send(signal.SIGCONT)
    for name, reason in (("dead", "refused"), ("nowhere", "unresolved"), ("frozen", "timeout")):
        assert numbers[name].errors[reason] > 0, numbers[name]
    assert numbers["dead"].waiting >= 20


async def fault(folder: Path, **options: Any) -> tuple[str, str]:
    """Give reason and words of the first failure to connect, within ten seconds."""
    side = exporter(folder, section(**options))
    told = asyncio.Event()
    broker = side.outlets[0].broker
    broker.on_state = lambda _is_connected, _detail: told.set()
    async with side.running():
        async with asyncio.timeout(10):
            await told.wait()
        trouble = broker.health.trouble or "connected"
        return next((reason for reason, count in broker.health.errors.items() if count), ""), trouble


def password(folder: Path, text: str) -> Path:
    """Give a file with a password."""
    folder.mkdir(exist_ok=True)
    path = folder / "password"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return path


@pytest.mark.usefixtures("hasty")
async def test_what_is_wrong_with_user_and_rights_is_found(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Wrong password, and an access list that lets nobody see what we publish, each within 10 s in one clear line."""
    async with mosquitto(tmp_path / "broker", shipped) as broker:

        async def try_all(protocol: str) -> None:
            folder = tmp_path / protocol
            wrong = {
                "port": broker.port,
                "protocol": protocol,
                "username": "hashsight",
                "password_file": password(folder, "no-such-secret"),
                "client_id": f"agent-{protocol}",
            }
            reason, told = await fault(folder, **wrong)
            assert (reason, told) == (
                "credentials",
                f"127.0.0.1:{broker.port}: the broker refuses user hashsight: wrong user or password, or not allowed",
            )
            password(folder, "stranger-secret")
            reason, told = await fault(folder, **wrong | {"username": "stranger"})
            assert reason == "acl"
            assert told.endswith("did not come back: its access list must let stranger read and write it")
            password(folder, "hashsight-secret")
            assert await fault(folder, **wrong) == ("", "connected")

        async with asyncio.TaskGroup() as tasks:
            for protocol in ("3.1.1", "5"):
                tasks.create_task(try_all(protocol))
    said = caplog.text + "".join(capfd.readouterr())
    assert "no-such-secret" not in said
    assert "stranger-secret" not in said


def certificates(folder: Path) -> None:
    """Make an authority, a broker's certificate, one that expired, and an authority nobody knows."""
    now = datetime.now(UTC)

    def save(name: str, cert: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        (folder / f"{name}.pem").write_bytes(cert.public_bytes(serialization.Encoding.PEM))
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (folder / f"{name}.key").write_bytes(private)

    def name(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])

    def make(who: str, issuer: x509.Name, signer: ec.EllipticCurvePrivateKey | None, days: tuple[int, int]) -> Any:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (
            x509.CertificateBuilder()
            .subject_name(name(who))
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + timedelta(days=days[0]))
            .not_valid_after(now + timedelta(days=days[1]))
            .add_extension(x509.BasicConstraints(ca=signer is None, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key((signer or key).public_key()), critical=False
            )
        )
        if signer is not None:
            names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
            builder = builder.add_extension(names, critical=False)
        cert = builder.sign(signer or key, hashes.SHA256())
        save(who, cert, key)
        return key

    authority = make("ca", name("ca"), None, (-10, 10))
    make("other-ca", name("other-ca"), None, (-10, 10))
    make("broker", name("ca"), authority, (-1, 10))
    make("expired", name("ca"), authority, (-5, -1))
    make("agent", name("ca"), authority, (-1, 10))


def encrypted(certificate: str, *, more: str = "") -> Any:
    """Give the configuration of a broker with a TLS port."""

    def config(folder: Path, port: int) -> str:
        certs = folder.parent
        files = f"cafile {certs}/ca.pem\ncertfile {certs}/{certificate}.pem\nkeyfile {certs}/{certificate}.key\n"
        return f"user root\nlistener {port} 127.0.0.1\nallow_anonymous true\n{files}{more}"

    return config


@pytest.mark.usefixtures("hasty")
async def test_what_is_wrong_with_encryption_is_found(tmp_path: Path) -> None:
    """Unknown authority, expired certificate, wrong name, plain to a TLS port and the reverse, no certificate."""
    certificates(tmp_path)
    good = {"host": "localhost", "tls": True, "ca_file": tmp_path / "ca.pem"}
    own = {"cert_file": tmp_path / "agent.pem", "key_file": tmp_path / "agent.key"}
    async with (
        mosquitto(tmp_path / "tls", encrypted("broker")) as encrypting,
        mosquitto(tmp_path / "expired", encrypted("expired")) as expired,
        mosquitto(tmp_path / "plain") as plain,
        mosquitto(tmp_path / "mutual", encrypted("broker", more="require_certificate true\n")) as mutual,
    ):
        port = encrypting.port
        cases: list[tuple[dict[str, Any], set[str], str]] = [
            ({"port": port, **good}, {""}, "connected"),
            ({"port": port, **good, "ca_file": tmp_path / "other-ca.pem"}, {"tls"}, "certificate is not accepted: "),
            ({"port": port, **good, "host": "127.0.0.1"}, {"tls"}, "IP address mismatch"),
            ({"port": port}, {"timeout"}, "; is this a TLS port?"),
            ({"port": expired.port, **good}, {"tls"}, "not accepted: certificate has expired"),
            ({"port": plain.port, **good}, {"tls"}, "; is this a plain port?"),
            ({"port": mutual.port, **good}, {"tls", "timeout"}, ""),
            ({"port": mutual.port, **good, **own}, {""}, "connected"),
        ]

        async def try_one(number: int, options: dict[str, Any], reasons: set[str], words: str) -> None:
            folder = tmp_path / str(number)
            folder.mkdir()
            reason, told = await fault(folder, client_id=f"agent-{number}", **options)
            assert reason in reasons, told
            assert words in told

        async with asyncio.TaskGroup() as tasks:
            for number, case in enumerate(cases):
                tasks.create_task(try_one(number, *case))


async def test_the_shipped_broker_configuration_loses_nothing(tmp_path: Path, quick_folder: Path) -> None:
    """A consumer that is away, 3,000 messages, the broker killed once it wrote them: all arrive, in order."""
    async with mosquitto(quick_folder / "broker", shipped) as broker:
        with consumer(broker.port, f"{ROOT}/#", client_id="database", user="consumer"):
            pass
        options = section(broker.port, username="hashsight", password_file=password(tmp_path, "hashsight-secret"))
        side = exporter(tmp_path, options)
        async with delivering(side):
            for number in range(3000):
                side._queue_event(AgentHealth(subject="meter", is_well=True, detail=str(number)))
            async with asyncio.timeout(60):
                while side.outlets[0].broker.health.delivered < 3000:  # noqa: ASYNC110  a counter sets no event
                    await asyncio.sleep(0.02)
        # A broker acknowledges a message a moment before it writes it: what it has written is what a kill leaves.
        database = quick_folder / "broker" / "mosquitto.db"
        async with asyncio.timeout(30):
            while b'"detail":"2999"' not in await asyncio.to_thread(database.read_bytes):  # noqa: ASYNC110  a broker's file sets no event
                await asyncio.sleep(0.05)
        await asyncio.to_thread(broker.stop, signal.SIGKILL)
        await asyncio.to_thread(broker.start)
        with consumer(broker.port, f"{ROOT}/#", client_id="database", user="consumer") as reader:
            # What the broker had sent and did not know to be taken, it sends twice.
            await reader.until(lambda got: len(payloads(got, f"{ROOT}/events")) >= 3000, 30)
    told = [body["event"]["detail"] for body in payloads(reader.messages, f"{ROOT}/events")]
    assert told == [str(number) for number in range(3000)]


def test_a_counter_of_joules_gives_watts() -> None:
    """Watts are the difference of two readings over their time; one that went backwards begins anew."""
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
    """Two feeders are a sum; when one is too old, half a sum is none, also with a third that the agent reads itself."""
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
