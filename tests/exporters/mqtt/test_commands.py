"""`hashsight mqtt check` and `tail`, run as commands."""

import asyncio
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from brokers import ROOT, consumer, mosquitto, shipped
from exporter_cases import reading, status
from mqtt_agent import delivering, exporter, password, publish_figures, section, toml
from patience import PATIENT_S
from programs import free_port
from typer.testing import CliRunner

from agent.commands.command_line import app
from agent.commands.mqtt import _line
from agent.exporters.mqtt.checkup import WILL_S
from agent.exporters.mqtt.connection import Received
from agent.exporters.mqtt.topics import Topics

pytestmark = pytest.mark.program("mosquitto")

LEDGER = """\
unit_id,model,hashrate_th,host,container,rack,slot,deployed_from,deployed_to,status
u1,S21,200,127.0.0.2,C1,R1,1,,,deployed
"""


async def invoked(*arguments: object) -> tuple[int, list[str]]:
    """Run the command in this process; returns its exit status and the printed lines."""
    done = await asyncio.to_thread(CliRunner().invoke, app, [*map(str, arguments)], catch_exceptions=False)
    return done.exit_code, done.output.splitlines()


def site(folder: Path, *sections: Any) -> Path:
    """Write a configuration with these brokers; returns its path."""
    (folder / "ledger.csv").write_text(LEDGER, encoding="utf-8")
    path = folder / "site.toml"
    text = f'[site]\nname = "alpha"\ncount_simulated = true\n[ledger]\nfile = "ledger.csv"\n{toml(*sections)}'
    path.write_text(text, encoding="utf-8")
    return path


async def hashsight(*arguments: object) -> tuple[int, list[str]]:
    """Run the command; returns its exit status and the printed lines."""
    command = [sys.executable, "-m", "agent", *map(str, arguments)]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, timeout=PATIENT_S, check=False)
    return done.returncode, (done.stdout + done.stderr).decode().splitlines()


async def test_check_finds_that_all_is_well(tmp_path: Path) -> None:
    """`check` prints a line a test and exits with 0; consumers see only the canary."""
    async with mosquitto(tmp_path / "broker", shipped) as broker:
        secret = password(tmp_path, "hashsight-secret")
        config = site(
            tmp_path,
            section(broker.port, username="hashsight", password_file=str(secret), curtailment=True, protocol="5"),
        )
        with consumer(broker.port, f"{ROOT}/#", user="consumer") as reader:
            status, lines = await hashsight("mqtt", "check", "--config", config)
        assert {topic for topic, _, _ in reader.messages} == {f"{ROOT}/agent/canary"}
    assert status == 0, lines
    assert [line.split(":", 1)[0] for line in lines] == ["ok   site"] * 4
    assert lines[0].startswith(f"ok   site: connected to 127.0.0.1:{broker.port} as hashsight, MQTT 5, not encrypted")
    assert f"a message to {ROOT}/agent/canary came back after" in lines[1]
    took = re.fullmatch(r"ok   site: the will of a broken connection was published after (\d+) ms", lines[2])
    assert took is not None
    # The time to close the broken connection is not included.
    assert int(took[1]) <= 1000 * WILL_S
    assert lines[3] == f"ok   site: may subscribe to {ROOT}/curtailment/set"


async def test_check_finds_what_is_wrong(tmp_path: Path) -> None:
    """A dead broker and a user without rights each get one line with the remedy, exit status 1, and no secret."""
    async with mosquitto(tmp_path / "broker", shipped) as broker:
        secret = password(tmp_path, "stranger-secret")
        port = free_port()
        config = site(
            tmp_path,
            section(port, name="gone"),
            section(broker.port, username="stranger", password_file=str(secret)),
        )
        status, lines = await invoked("mqtt", "check", "--config", config)
        other_status, other_lines = await invoked("mqtt", "check", "--config", config, "--broker", "other")
        assert status == 1
        assert lines[0] == f"bad  gone: refused: 127.0.0.1:{port}: nothing listens there"
        assert lines[-1].startswith("bad  site: acl: a message to ")
        assert lines[-1].endswith("the access list must let stranger read and write it")
        assert "stranger-secret" not in "".join(lines)
        assert (other_status, other_lines) == (
            2,
            [f"{config}: mqtt = 'other': there is no broker with this name; known are gone, site"],
        )


async def test_tail_prints_what_is_published(tmp_path: Path) -> None:
    """As another user, `tail` prints retained messages in words; `--seconds` ends it."""
    async with mosquitto(tmp_path / "broker", shipped) as broker:
        agent_secret = password(tmp_path, "hashsight-secret")
        options = section(broker.port, username="hashsight", password_file=agent_secret)
        async with delivering(exporter(tmp_path, options)) as side:
            side.on_unit(status(latest=reading()))
            publish_figures(side, 1)
            with consumer(broker.port, f"{ROOT}/#", user="consumer") as reader:
                await reader.until(
                    lambda got: {f"{ROOT}/figures", f"{ROOT}/units/u1"} <= {topic for topic, _, _ in got}
                )
        config = site(tmp_path, section(broker.port))
        (tmp_path / "consumer").write_text("consumer-secret", encoding="utf-8")
        (tmp_path / "consumer").chmod(0o600)
        user = ("--username", "consumer", "--password-file", tmp_path / "consumer")
        status_code, lines = await invoked("mqtt", "tail", "--config", config, *user, "--seconds", 1)
    assert status_code == 0, lines
    assert "figures (kept) 21:36:00 198.00 TH/s of 200.00 TH/s = 99.00 %; 2.00 TH/s underperforming" in lines
    assert any(
        line.startswith("units/u1 (kept) ") and line.endswith("hashing (hashing), 198.00 TH/s") for line in lines
    )
    assert any(line.startswith("agent (kept) ") and "stopped, version 1.2.3, run " in line for line in lines)


async def test_tail_works_as_the_agent_with_the_shipped_access_list(tmp_path: Path) -> None:
    """Without any option the agent's own account sees what it publishes; `--json` has a message a line."""
    async with mosquitto(tmp_path / "broker", shipped) as broker:
        secret = password(tmp_path, "hashsight-secret")
        options = section(broker.port, username="hashsight", password_file=str(secret))
        async with delivering(exporter(tmp_path, options)) as side:
            publish_figures(side, 1)
        config = site(tmp_path, options)
        status_code, lines = await invoked("mqtt", "tail", "--config", config, "--seconds", 1, "--json")
    assert status_code == 0, lines
    messages = [json.loads(line) for line in lines]
    figures = [each for each in messages if each["topic"] == f"{ROOT}/figures"]
    assert [(each["is_retained"], each["payload"]["schema"]) for each in figures] == [(True, "hashsight.figures.v1")]


async def test_tail_says_that_nothing_may_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker grants the subscription and keeps the messages back: after a while one note names user and topic."""
    monkeypatch.setattr("agent.commands.mqtt.SILENT_S", 0.2)
    async with mosquitto(tmp_path / "broker", shipped) as broker:
        secret = password(tmp_path, "stranger-secret")
        config = site(tmp_path, section(broker.port, username="stranger", password_file=str(secret)))
        status_code, lines = await invoked("mqtt", "tail", "--config", config, "--seconds", 2)
    assert status_code == 0
    (line,) = lines
    assert line.startswith(f"note: nothing arrived from 127.0.0.1:{broker.port} in 0.2 s")
    assert f"does not let user stranger read {ROOT}/#" in line


async def test_tail_says_why_there_is_nothing_to_print(tmp_path: Path) -> None:
    """A dead broker or a wrong password gets one sentence and exit status 1, with and without `--seconds`."""
    async with mosquitto(tmp_path / "broker", shipped) as broker:
        port, wrong = free_port(), password(tmp_path, "another-secret")
        config = site(
            tmp_path,
            section(port, name="gone"),
            section(broker.port, username="hashsight", password_file=str(wrong)),
        )
        results = [
            await invoked("mqtt", "tail", "--config", config),
            await invoked("mqtt", "tail", "--config", config, "--seconds", 5),
            await invoked("mqtt", "tail", "--config", config, "--broker", "site"),
        ]
    dead = (1, [f"127.0.0.1:{port}: nothing listens there"])
    reason = "the broker refuses user hashsight: wrong user or password, or not allowed"
    assert results == [dead, dead, (1, [f"127.0.0.1:{broker.port}: {reason}"])]


@pytest.mark.parametrize(
    ("payload", "line"),
    [
        (b"", "x deleted"),
        (
            b'{"schema": "hashsight.canary.v1", "time": "2025-11-20T21:36:00Z", "boot_id": "b00t"}',
            "x 21:36:00 the agent tests its own round trip, run b00t",
        ),
        (b"\x1b[31mred", "x \ufffd[31mred"),
        (b'{"schema": "hashsight.figures.v1", "time": 3}', 'x {"schema": "hashsight.figures.v1", "time": 3}'),
        (b'{"schema": "other.v9", "time": "2025-11-20T21:36:00Z"}', "x 21:36:00 "),
        (b"[1]", "x [1]"),
        (b"100", "x 100"),
    ],
)
def test_tail_survives_any_payload(payload: bytes, line: str) -> None:
    """Unknown payloads are printed as they are, without control characters."""
    assert _line(Received(f"{ROOT}/x", payload, is_retained=False), Topics("alpha"), raw=False).startswith(line)
