"""`hashsight doctor`: what keeps a site from being watched well, one line a finding."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import typer
from rich.text import Text

from agent.commands.agent_client import check_url, own_address
from agent.commands.machine_output import visible, write_json
from agent.commands.site_file import site_file
from agent.commands.terminal import FAILED, exit_codes, out
from agent.config.file import Config, load_config
from agent.doctor import judgements as judge
from agent.doctor import machine, neighbours
from agent.doctor.facts import Load
from agent.doctor.findings import Finding, Level, bad, note, ok
from agent.errors import ConfigError
from agent.runtime.credentials import with_stand_ins
from agent.runtime.kernel_clock import read_clock
from agent.runtime.polling import RESERVED_FILES
from agent.runtime.setup import Setup, load_setup
from agent.site.ledger.entries import LedgerEntry

_STYLES = {Level.OK: "green", Level.NOTE: "yellow", Level.BAD: "bold red"}


def doctor(config: Path | None, *, has_units: bool, prometheus: str, as_json: bool) -> None:
    """Print findings; exit 1 if one is bad."""
    with exit_codes():
        check_url(prometheus, "doctor", "--prometheus")
        findings = list(_findings(site_file(config, "doctor"), has_units=has_units, prometheus=prometheus))
        if as_json:
            write_json([finding._asdict() for finding in findings])
        else:
            for finding in findings:
                _print(finding)
        if any(finding.level is Level.BAD for finding in findings):
            raise typer.Exit(FAILED)


def _print(finding: Finding) -> None:
    line = Text.assemble((f"{finding.level:<5}", _STYLES[finding.level]), f"{finding.check}: {visible(finding.text)}")
    if finding.mend:
        line.append(f" -> {finding.mend}", "bold")
    out.print(line, soft_wrap=True)


def _findings(path: Path, *, has_units: bool, prometheus: str) -> Iterator[Finding]:
    """Yield what is found, what can be looked at without the configuration first."""
    yield from judge.judge_versions(machine.read_versions())
    yield judge.judge_clock(read_clock())
    try:
        config, stand_ins = with_stand_ins(load_config(path), path)
        setup = load_setup(path, config=config)
    except ConfigError as error:
        for mistake in error.mistakes:
            yield bad("configuration", str(mistake), "correct it, then run this again")
        return
    entries = setup.ledger.at(time.time())
    yield ok("configuration", f"{path}: {len(entries):,} units of {setup.config.title} deployed now")
    for each in stand_ins:
        yield note("configuration", str(each), "" if each.instead else "run this as root to look at it")
    networks = machine.read_networks(entries)
    yield from judge.judge_networks(networks)
    yield from judge.judge_limits(machine.read_limits(), _load(setup.config, len(entries)), networks)
    yield from judge.judge_files(machine.read_files(setup))
    yield from judge.judge_disk(machine.read_disks(setup))
    if setup.config.history.keep:
        yield judge.judge_nameplates(machine.read_nameplates(setup))
    yield from asyncio.run(_around(setup, entries, has_units=has_units, prometheus=prometheus))


def _load(config: Config, units: int) -> Load:
    poll = config.poll
    in_flight = max(poll.max_in_flight - poll.max_in_flight_sick, poll.max_in_flight_sick)
    return Load(
        units=units,
        interval_s=poll.interval_s,
        # The main report at every poll; share counters and pools at every so many, and pools more often if judged.
        connections_a_poll=1 + 2 / poll.slow_every + (1 / config.pools_every if config.pools_every else 0),
        files=RESERVED_FILES + config.web.max_connections + 2 * min(in_flight, max(1, units)),
    )


async def _around(setup: Setup, entries: tuple[LedgerEntry, ...], *, has_units: bool, prometheus: str) -> list[Finding]:
    """Return what other programs say, and units if they are asked."""
    config, found = setup.config, list[Finding]()
    host, port = config.web.listen
    url, tls = own_address(config)
    found += judge.judge_port(await neighbours.look_at_port(host, port, url, tls), config.title)
    brokers = await neighbours.try_brokers(setup.mqtt_links)
    found += judge.judge_neighbours("broker", brokers, mend="start it, or correct host and port of [[mqtt]]")
    answer, target = await neighbours.ask_prometheus(prometheus, host, port)
    found.append(judge.judge_prometheus(answer, target, str(config.web.listen)))
    if config.web.alertmanager is not None:
        alertmanager = await neighbours.ask_health("Alertmanager", str(config.web.alertmanager))
        mend = "start it, or correct web.alertmanager"
        found += judge.judge_neighbours("alertmanager", [alertmanager], mend=mend)
    if has_units:
        found.append(judge.judge_answers(await neighbours.try_units(entries)))
    return found
