"""`hashsight mqtt`: watch published messages, and test the broker connection."""

import asyncio
import json
import secrets
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import typer
from rich.markup import escape

from agent.commands.machine_output import visible, write_json, write_lines
from agent.commands.site_file import site_file
from agent.commands.terminal import FAILED, err, exit_codes, note, out, usage_error
from agent.config.file import load_config
from agent.errors import BrokerError, ConfigError, Mistake
from agent.exporters.mqtt.checkup import Finding, examine
from agent.exporters.mqtt.composer import printable
from agent.exporters.mqtt.connection import Received, connect
from agent.exporters.mqtt.links import Link
from agent.exporters.mqtt.topics import Topics
from agent.files.secret import read_password
from agent.runtime.credentials import with_stand_ins
from agent.runtime.setup import Setup, load_setup
from agent.text.numbers import hashrate_text, ratio_text

SHOWN_CHARS = 160
SILENT_S = 15.0
# The agent publishes nothing larger.
MAX_SHOWN_BYTES = 1 << 20


def check(config: Path | None, *, broker: str | None, as_json: bool) -> None:
    """Test the brokers; exit 1 if a finding is bad."""
    with exit_codes():
        setup = _setup(config, "mqtt check", needed={"mqtt"})
        findings = asyncio.run(_check(setup, _chosen(setup, broker), is_shown=not as_json))
        if as_json:
            write_json([{"broker": name, **finding._asdict()} for name, finding in findings])
        if not all(finding.is_well for _, finding in findings):
            raise typer.Exit(FAILED)


def _setup(config: Path | None, command: str, *, needed: Container[str]) -> Setup:
    """Return the setup, without the secrets of other sections that only the service can read."""
    path = site_file(config, command)
    settings, _ = with_stand_ins(load_config(path), path, needed=needed)
    return load_setup(path, config=settings)


async def _check(setup: Setup, links: Sequence[Link], *, is_shown: bool) -> list[tuple[str, Finding]]:
    """Test brokers; return each broker's findings, printed as they come if `is_shown`."""
    topics = Topics(setup.config.site.name)
    findings: list[tuple[str, Finding]] = []
    sections = {section.name: section for section in setup.config.mqtt}
    for link in links:
        section = sections[link.name]
        taken_in = topics.taken_in(curtailment=section.curtailment, meters=section.meters)
        async for finding in examine(link, canary=topics.canary, taken_in=taken_in, nonce=secrets.token_hex(8)):
            findings.append((link.name, finding))
            if is_shown:
                sign = "[green]ok[/]  " if finding.is_well else "[red]bad[/] "
                out.print(f"{sign} {link.name}: {escape(finding.text)}", soft_wrap=True)
    return findings


def tail(
    config: Path | None,
    *,
    broker: str | None,
    username: str | None,
    password_file: Path | None,
    raw: bool,
    seconds: float | None,
    as_json: bool,
) -> None:
    """Print messages as they arrive."""
    with exit_codes():
        if raw and as_json:
            raise usage_error("mqtt tail", "--raw", "", "not together with --json")
        setup = _setup(config, "mqtt tail", needed={"mqtt"} if username is None else ())
        link = _chosen(setup, broker)[0]
        if username is not None:
            password = None if password_file is None else read_password(password_file, where="--password-file")
            link = replace(link, username=username, password=password)
        link = replace(link, client_id=f"{link.client_id[:40]}-tail-{secrets.token_hex(4)}")
        topics = Topics(setup.config.site.name)
        try:
            line = _json_line if as_json else partial(_line, topics=topics, raw=raw)
            asyncio.run(_tail(link, topics, line, seconds=seconds))
        except KeyboardInterrupt:
            err.print("")


async def _tail(link: Link, topics: Topics, line: Callable[[Received], str], *, seconds: float | None) -> None:
    loop = asyncio.get_running_loop()
    silence = loop.call_later(SILENT_S, _say_silent, link, topics)
    try:
        async with asyncio.timeout(seconds), connect(link, max_packet_bytes=MAX_SHOWN_BYTES) as connection:
            await connection.subscribe(f"{topics.root}/#")
            async for received in connection.messages():
                silence.cancel()
                write_lines([visible(line(received))])
    except TimeoutError:
        if seconds is None:
            raise BrokerError("timeout", f"{link}: no answer") from None
    finally:
        silence.cancel()


def _say_silent(link: Link, topics: Topics) -> None:
    """Say why nothing may have come: a broker grants a subscription and keeps back what its access list forbids."""
    user = f"user {link.username}" if link.username else "an anonymous client"
    note(
        f"nothing arrived from {link} in {SILENT_S:g} s, not even the agent's last words, which the broker keeps:"
        f" either no agent ever published for this site there, or its access list does not let {user} read"
        f" {topics.root}/#; --username and --password-file name another user"
    )


def _json_line(received: Received) -> str:
    """Return a message as a JSON object; what is no JSON stands there as text."""
    try:
        payload = json.loads(received.payload)
    except (ValueError, RecursionError):
        payload = printable(received.payload, len(received.payload))
    return json.dumps({"topic": received.topic, "is_retained": received.is_retained, "payload": payload})


def _chosen(setup: Setup, broker: str | None) -> Sequence[Link]:
    """Return the links to the chosen broker, or to all brokers.

    Raises:
        ConfigError: No broker is configured, or none has this name.
    """
    links = [link for link in setup.mqtt_links if broker in {None, link.name}]
    if not links:
        known = ", ".join(link.name for link in setup.mqtt_links)
        reason = f"there is no broker with this name; known are {known}" if known else "no broker is configured"
        raise ConfigError([Mistake(file=str(setup.path), where="mqtt", value=broker or "", reason=reason)])
    return links


def _line(received: Received, topics: Topics, *, raw: bool) -> str:
    topic = received.topic if raw else received.topic.removeprefix(f"{topics.root}/")
    kept = " (kept)" if received.is_retained else ""
    payload = received.payload
    if raw:
        return f"{topic}{kept} {printable(payload, len(payload))}"
    try:
        body = json.loads(payload)
        text = f"{body['time'][11:19]} {_words(body)}" if "schema" in body else printable(payload, SHOWN_CHARS)
    except (ValueError, LookupError, TypeError, AttributeError):
        text = printable(payload, SHOWN_CHARS) or "deleted"
    return f"{topic}{kept} {text}"


def _words(body: dict[str, Any]) -> str:
    """Return a message in words, or its JSON if its schema is unknown."""
    words = _WORDS.get(body["schema"])
    return json.dumps(body)[:SHOWN_CHARS] if words is None else words(body)


def _figures(body: dict[str, Any]) -> str:
    figures = body["figures"]
    operating, deployed = hashrate_text(figures["operating_hs"]), hashrate_text(figures["deployed_hs"])
    losses = sorted(figures["losses_hs"].items(), key=lambda item: -item[1])
    lost = ", ".join(f"{hashrate_text(hs)} {cause.replace('_', ' ')}" for cause, hs in losses[:3] if hs > 0)
    ratio = ratio_text(figures["operational_efficiency_ratio"])
    return f"{operating} of {deployed} = {ratio}; {lost or 'nothing lost'}"


def _unit(body: dict[str, Any]) -> str:
    unit = body["unit"]
    return f"{unit['state']} ({unit['why']}), {hashrate_text(unit['hashrate_hs'])}"


def _event(body: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in body["event"].items() if value is not None)


_WORDS: Mapping[str, Callable[[dict[str, Any]], str]] = {
    "hashsight.figures.v1": _figures,
    "hashsight.container.v1": _figures,
    "hashsight.unit.v1": _unit,
    "hashsight.units.v1": lambda body: f"{len(body['units'])} units",
    "hashsight.event.v1": _event,
    "hashsight.agent.v1": lambda body: f"{body['state']}, version {body['version']}, run {body['boot_id'][:8]}",
    "hashsight.canary.v1": lambda body: f"the agent tests its own round trip, run {body['boot_id'][:8]}",
    "hashsight.error.v1": lambda body: f"{body['reason']}: {body['detail']} ({body['topic']}: {body['excerpt']})",
}
