"""Dead, frozen and refusing brokers, passwords, certificates: found soon, explained in a line, blocking nothing."""

import asyncio
import signal
from pathlib import Path
from typing import Any

import pytest
from brokers import ROOT, consumer, mosquitto, payloads, shipped
from certificates import Authority
from exporter_cases import AT
from mqtt_agent import delivering, exporter, figure_times, password, publish_figures, section
from patience import PATIENT_S
from programs import free_port

from agent.exporters.mqtt import broker as broker_module
from agent.exporters.mqtt import connection as connection_module
from agent.exporters.mqtt.backoff import Backoff

pytestmark = pytest.mark.program("mosquitto")


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time out after one second instead of four, for tests in which no answer comes."""
    monkeypatch.setattr(connection_module, "ANSWER_S", 1.0)
    monkeypatch.setattr(broker_module, "CANARY_S", 1.0)


def forgetful(_: Path, port: int) -> str:
    """Return the configuration of a broker that saves nothing to disk."""
    return f"user root\nlistener {port} 127.0.0.1\nallow_anonymous true\n"


def test_waits_add_up_to_no_more_than_ten_seconds() -> None:
    """Every failure shows after a name lookup, a connect and one missing answer: within ten seconds."""
    assert 2 * connection_module.CONNECT_S + max(connection_module.ANSWER_S, broker_module.CANARY_S) <= 10


@pytest.mark.usefixtures("hasty")
async def test_a_broker_that_is_killed_or_frozen_is_left_and_found_again(tmp_path: Path) -> None:
    """Figures published during SIGKILL, restart and SIGSTOP arrive in order, in both protocol versions."""

    async def go_through_it(protocol: str) -> None:
        folder = tmp_path / protocol
        async with mosquitto(folder) as broker:
            side = exporter(folder, section(broker.port, protocol=protocol, keepalive_s=2))
            with consumer(broker.port, f"{ROOT}/figures", client_id="keeper") as reader:
                async with delivering(side):
                    publish_figures(side, 50)
                    await reader.until(lambda got: len(payloads(got, f"{ROOT}/figures")) == 50)
                    await asyncio.to_thread(broker.stop, signal.SIGKILL)
                    publish_figures(side, 50, 50)
                    await asyncio.to_thread(broker.start)
                    await reader.until(lambda got: len(payloads(got, f"{ROOT}/figures")) == 100)
                    broker.send(signal.SIGSTOP)
                    publish_figures(side, 50, 100)
                    lost = asyncio.Event()
                    side.outlets[0].broker.on_state = lambda is_connected, _: None if is_connected else lost.set()
                    async with asyncio.timeout(PATIENT_S):
                        await lost.wait()
                    broker.send(signal.SIGCONT)
                    await reader.until(lambda got: len(payloads(got, f"{ROOT}/figures")) == 150)
        assert figure_times(reader) == [AT + number for number in range(150)]

    async with asyncio.TaskGroup() as tasks:
        for protocol in ("3.1.1", "5"):
            tasks.create_task(go_through_it(protocol))


async def test_what_a_killed_broker_took_with_it_is_sent_again(tmp_path: Path) -> None:
    """Figures that a broker acknowledged and lost in a SIGKILL arrive after its return."""
    async with mosquitto(tmp_path / "broker", forgetful) as broker:
        side = exporter(tmp_path, section(broker.port))
        mine = side.outlets[0].broker
        # Wait long enough for the consumer to connect first.
        mine._backoff = Backoff(random=lambda: 1.0, first_s=1.5, longest_s=1.5)
        async with delivering(side):
            publish_figures(side, 20)
            async with asyncio.timeout(PATIENT_S):
                while mine.health.delivered < 20:  # noqa: ASYNC110  a counter sets no event
                    await asyncio.sleep(0.01)
            await asyncio.to_thread(broker.stop, signal.SIGKILL)
            await asyncio.to_thread(broker.start)
            with consumer(broker.port, f"{ROOT}/figures") as reader:
                await reader.until(lambda got: len(payloads(got, f"{ROOT}/figures")) == 20)
    assert figure_times(reader) == [AT + number for number in range(20)]


@pytest.mark.usefixtures("hasty")
async def test_one_dead_broker_does_not_hold_up_another(tmp_path: Path) -> None:
    """Beside a refusing, an unresolvable and a frozen broker, the fourth gets everything at once."""
    async with mosquitto(tmp_path / "broker") as broker, mosquitto(tmp_path / "frozen") as frozen:
        frozen.send(signal.SIGSTOP)
        others = [
            section(free_port(), name="dead"),
            section(9, name="nowhere", host="no-such-host.invalid"),
            section(frozen.port, name="frozen"),
        ]
        with consumer(broker.port, f"{ROOT}/#") as reader:
            async with delivering(exporter(tmp_path, section(broker.port), *others)) as side:
                publish_figures(side, 20)
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
    """Return reason and message of the first failure to connect."""
    side = exporter(folder, section(**options))
    reported = asyncio.Event()
    broker = side.outlets[0].broker
    broker.on_state = lambda _is_connected, _detail: reported.set()
    async with side.running():
        async with asyncio.timeout(PATIENT_S):
            await reported.wait()
        trouble = broker.health.trouble or "connected"
        return next((reason for reason, count in broker.health.errors.items() if count), ""), trouble


@pytest.mark.usefixtures("hasty")
async def test_what_is_wrong_with_user_and_rights_is_found(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """A wrong password and a hiding access list are each found and explained in one line."""
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
            reason, message = await fault(folder, **wrong)
            assert (reason, message) == (
                "credentials",
                f"127.0.0.1:{broker.port}: the broker refuses user hashsight: wrong user or password, or not allowed",
            )
            password(folder, "stranger-secret")
            reason, message = await fault(folder, **wrong | {"username": "stranger"})
            assert reason == "acl"
            assert message.endswith("did not come back: its access list must let stranger read and write it")
            password(folder, "hashsight-secret")
            assert await fault(folder, **wrong) == ("", "connected")

        async with asyncio.TaskGroup() as tasks:
            for protocol in ("3.1.1", "5"):
                tasks.create_task(try_all(protocol))
    said = caplog.text + "".join(capfd.readouterr())
    assert "no-such-secret" not in said
    assert "stranger-secret" not in said


def encrypted(certificate: str, *, more: str = "") -> Any:
    """Return a function that makes the configuration of a broker with a TLS port."""

    def config(folder: Path, port: int) -> str:
        certs = folder.parent
        files = f"cafile {certs}/ca.pem\ncertfile {certs}/{certificate}.pem\nkeyfile {certs}/{certificate}.key\n"
        return f"user root\nlistener {port} 127.0.0.1\nallow_anonymous true\n{files}{more}"

    return config


@pytest.mark.usefixtures("hasty")
async def test_what_is_wrong_with_encryption_is_found(tmp_path: Path) -> None:
    """Unknown authority, expired or missing certificate, wrong name, plain to TLS and the reverse: each is found."""
    authority = Authority(tmp_path, "ca")
    Authority(tmp_path, "other-ca")
    authority.sign("broker")
    authority.sign("agent")
    authority.sign("expired", days=(-5, -1))
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
            reason, message = await fault(folder, client_id=f"agent-{number}", **options)
            assert reason in reasons, message
            assert words in message

        async with asyncio.TaskGroup() as tasks:
            for number, case in enumerate(cases):
                tasks.create_task(try_one(number, *case))
