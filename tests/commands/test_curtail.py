"""`hashsight curtail` against a simulated site and a running agent, and its error messages."""

import asyncio
import json
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from patience import PATIENT_S
from programs import Program, farm, free_port, get, get_json, program, until
from typer.testing import CliRunner

from agent.commands.command_line import app
from agent.commands.site_summary import curtailment_line
from agent.site.totals import site_figures

BEARER = "s3cr3t-0123456789"
CONFIG = """\
[site]
name = "alpha"
zone = "America/Chicago"
count_simulated = true
[ledger]
file = "ledger.csv"
[poll]
interval_s = 1
connect_timeout_s = 2
deadline_s = 2
[web]
listen = "127.0.0.1:{port}"
[api]
token_file = "api.token"
"""


class Ended(NamedTuple):
    """Exit status and output of a command."""

    status: int
    text: str


class Site(NamedTuple):
    """A running agent over a simulated site."""

    folder: Path
    url: str
    running: Program


@asynccontextmanager
async def site(folder: Path, extra: str = "", port: int = 0) -> AsyncIterator[Site]:
    """Run the agent over `ledger.csv` in `folder` until the block ends."""
    port = port or free_port()
    (folder / "api.token").write_text(BEARER, encoding="utf-8")
    (folder / "api.token").chmod(0o600)
    (folder / "site.toml").write_text(CONFIG.format(port=port) + extra, encoding="utf-8")
    url = f"http://127.0.0.1:{port}"
    command = (sys.executable, "-m", "agent", "run", "--config", str(folder / "site.toml"))
    async with program(*command, log=folder / "agent.log") as running:

        async def is_ready() -> bool:
            return (await get(f"{url}/readyz"))[0] == 200

        await until(is_ready, running)
        yield Site(folder, url, running)


async def curtail(folder: Path, *arguments: str) -> Ended:
    """Run `hashsight curtail` to its end."""
    command = (sys.executable, "-m", "agent", "curtail", *arguments)
    async with program(*command, log=folder / "curtail.log") as running:
        async with asyncio.timeout(PATIENT_S):
            status = await running.process.wait()
        return Ended(status, running.said)


async def invoked(*arguments: str) -> Ended:
    """Run `hashsight curtail` in this process; what it does not catch is raised here."""
    ended = await asyncio.to_thread(CliRunner().invoke, app, ["curtail", *arguments], catch_exceptions=False)
    return Ended(ended.exit_code, ended.output)


async def states(running: Site) -> dict[str, int]:
    """Return the number of units in each state, without the empty ones."""
    answer = await get_json(f"{running.url}/api/v1/site")
    return {state: units for state, units in answer["figures"]["units_by_state"].items() if units}


async def test_declaring_turns_stopped_into_curtailed_and_survives_sigkill(tmp_path: Path) -> None:
    """Sleeping units count as curtailed, also after a SIGKILL; hashing ones are stragglers; no unit is written to."""
    async with farm(tmp_path, units=20, options=("--asleep", "50%")) as control:
        port = free_port()
        config = ("--config", str(tmp_path / "site.toml"))
        async with site(tmp_path, port=port) as one:
            before = await states(one)
            # A process of its own, as an operator starts it; the others run here, which is quicker.
            started = await curtail(
                tmp_path, "start", *config, "--for", "2h", "--source", "ERCOT 4CP", "--id", "call-7"
            )
            assert (started.status, started.text.splitlines()[0].split(" from ")[0]) == (
                0,
                "call-7: the whole site to 0 %,",
            )

            async def is_renamed() -> bool:
                return (await states(one)).get("curtailed") == before["stopped"]

            await until(is_renamed, one.running)
            metrics = (await get(f"{one.url}/metrics/site"))[1]
            assert 'mining_site_curtailment_active{site="alpha"} 1' in metrics
            one.running.process.send_signal(signal.SIGKILL)
            await one.running.process.wait()
        async with site(tmp_path, port=port) as one:
            after = await states(one)
            assert (after.get("curtailed"), after.get("stopped")) == (before["stopped"], None)
            listed = await invoked("list", *config, "--json")
            (event,) = json.loads(listed.text)["curtailments"]
            facts = (event["id"], event["phase"], event["source"], event["units"], event["units_asleep"])
            assert facts == ("call-7", "active", "ERCOT 4CP", 20, before["stopped"])
            assert event["stragglers"] == before["hashing"] == len(event["straggler_units"])
            stopped = await invoked("stop", *config, "--all")
            assert (stopped.status, stopped.text.split(",")[0]) == (0, "call-7: restoring")
            shown = await invoked("list", *config)
            assert shown.status == 0
            assert re.match(
                r"call-7: restoring, the whole site to 0 %, from .* C[DS]T to .* C[DS]T, by ERCOT 4CP\n", shown.text
            )
            assert f"\n  {before['stopped']} asleep, 0 not back\n" in shown.text
            again = await invoked("stop", *config, "--all")
            assert (again.status, again.text) == (0, "nothing to stop\n")
            events = [json.loads(line)["event"] for line in one.running.said.splitlines()]
            assert {"curtailment began", "curtailment stopped"} <= set(events)
        requests = await get_json(f"{control}/requests")
    assert requests["writes"] == 0


async def test_the_schedule_is_in_force_and_changes_at_sighup(tmp_path: Path) -> None:
    """A 24-hour window curtails sleeping units from the start; removed and reloaded, it is restoring."""
    window = '[[curtailment]]\nname = "always"\nstart = "00:00"\nend = "00:00"\n'
    async with farm(tmp_path, units=10, options=("--asleep", "50%")), site(tmp_path, window) as one:
        assert "stopped" not in await states(one)
        config = tmp_path / "site.toml"
        text = config.read_text(encoding="utf-8")
        config.write_text(text.replace(window, ""), encoding="utf-8")
        one.running.process.send_signal(signal.SIGHUP)

        async def phases() -> Any:
            listed = await invoked("list", "--config", str(config), "--json")
            return "restoring" in {event["phase"] for event in json.loads(listed.text)["curtailments"]}

        await until(phases, one.running)
        assert (await states(one)).get("curtailed")
        config.write_text(text.replace('start = "00:00"', 'start = "00:00"\ncontainer = "C9"'), encoding="utf-8")
        one.running.process.send_signal(signal.SIGHUP)

        async def is_refused() -> bool:
            return "no unit of the ledger is in container C9" in one.running.said

        await until(is_refused, one.running)


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("list",), 2, "or an agent with --url and --token-file"),
        (("list", "--url", "ftp://x", "--token-file", "{token}"), 2, "an address such as http://127.0.0.1:9184"),
        (
            ("list", "--url", "http://a..b:9184", "--token-file", "{token}"),
            2,
            "an address such as http://127.0.0.1:9184",
        ),
        (("list", "--url", "http://127.0.0.1:1", "--token-file", "{open}"), 2, "others may read or change this secret"),
        (("list", "--url", "http://127.0.0.1:1", "--token-file", "{token}"), 1, "no answer from http://127.0.0.1:1"),
        (("stop", "--url", "http://127.0.0.1:1", "--token-file", "{token}"), 2, "the id of an event is expected"),
        (
            ("stop", "a", "--all", "--url", "http://127.0.0.1:1", "--token-file", "{token}"),
            2,
            "the id of an event is expected, or --all",
        ),
        (
            ("start", "--for", "2 hours", "--url", "http://127.0.0.1:1", "--token-file", "{token}"),
            2,
            "a duration above zero is expected, such as 90m, 2h or 1d",
        ),
        (
            ("start", "--start", "16:00", "--url", "http://127.0.0.1:1", "--token-file", "{token}"),
            2,
            "an ISO date, or date and time, is expected",
        ),
        (("start", "--target", "100", "--url", "http://127.0.0.1:1", "--token-file", "{token}"), 2, "--target"),
    ],
)
async def test_a_mistake_is_one_message(tmp_path: Path, arguments: tuple[str, ...], status: int, words: str) -> None:
    """Exit 2 for a bad command line or file, 1 for an agent that does not answer; the token is never printed."""
    for name, mode in (("token", 0o600), ("open", 0o644)):
        (tmp_path / name).write_text(BEARER, encoding="utf-8")
        (tmp_path / name).chmod(mode)
    given = [argument.format(token=tmp_path / "token", open=tmp_path / "open") for argument in arguments]
    ended = await invoked(*given)
    assert ended.status == status, ended.text
    assert words in ended.text
    assert BEARER not in ended.text


ESCAPE = "\\u001b[31m"
STEERING = f"""{{"site": "a", "now": "2026-11-30T00:00:00Z", "curtailments": [{{"id": "{ESCAPE}", "phase": "active",
 "scope": {{"unit": "{ESCAPE}"}}, "target_percent": 5, "start": "2026-11-30T00:00:00Z", "end": null,
 "source": "{ESCAPE}", "is_stopped": false, "units": 1, "nameplate_hs": 1.0, "operating_hs": 1.0, "units_asleep": 1,
 "stragglers": 1, "straggler_units": ["{ESCAPE}"], "not_restored": 0, "not_restored_units": []}}]}}"""


@pytest.mark.parametrize(
    ("status", "body", "code", "words"),
    [
        ("200 OK", STEERING, 0, "\\x1b[31m: active, unit \\x1b[31m to 5 %"),
        ("400 Bad Request", f'{{"error": "{ESCAPE}"}}', 1, "refused (400): \\x1b[31m"),
        ("200 OK", '{"a":' + "[" * 99_999, 1, "answered 200 without JSON; is it hashsight?"),
        ("200 OK", '{"site": 5}', 1, "does not fit this version of hashsight"),
    ],
    ids=["a list", "an error", "nested", "another form"],
)
async def test_what_answers_cannot_steer_the_terminal(
    tmp_path: Path, status: str, body: str, code: int, words: str
) -> None:
    """Something else may stand at the address; its bytes are shown, never obeyed, and nothing ends in a traceback."""
    (tmp_path / "token").write_text(BEARER, encoding="utf-8")
    (tmp_path / "token").chmod(0o600)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        ended = await invoked("list", "--url", url, "--token-file", str(tmp_path / "token"))
    assert ended.status == code, ended.text
    assert words in ended.text
    assert "\x1b[31m" not in ended.text


async def test_an_agent_that_refuses_is_quoted(tmp_path: Path) -> None:
    """The agent's refusal of a token, event or container is printed, exit 1; local times are in the site's zone."""
    async with farm(tmp_path, units=3), site(tmp_path) as one:
        wrong = tmp_path / "wrong"
        wrong.write_text("another-0123456789", encoding="utf-8")
        wrong.chmod(0o600)
        config = ("--config", str(tmp_path / "site.toml"))
        refused = await invoked("list", *config, "--token-file", str(wrong))
        assert (refused.status, "refused (401): the token is wrong" in refused.text) == (1, True)
        unknown = await invoked("stop", "nothing", *config)
        assert (unknown.status, "refused (404): there is no such event" in unknown.text) == (1, True)
        unmatched = await invoked("start", *config, "--container", "C99")
        assert (unmatched.status, "no unit of the ledger is in container C99" in unmatched.text) == (1, True)
        late = await invoked("start", *config, "--end", "2025-01-01T00:00")
        assert (late.status, "refused (400): end: a time after the start" in late.text) == (1, True)
        dst = await invoked("start", *config, "--end", "2030-11-03T01:30")
        assert (dst.status, "show this time twice" in dst.text) == (2, True)
        assert (await get(f"{one.url}/api/v1/curtailments"))[0] == 401


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, ""),
        ({"curtailment_nameplate_hs": 4e15}, "curtailment: 4.00 PH/s inside events"),
        (
            {"curtailment_nameplate_hs": 4e15, "curtailment_target_hs": 2.4e15},
            "curtailment: 4.00 PH/s inside events, 2.40 PH/s left to hash",
        ),
        (
            {"stragglers": 5, "unrestored": 1200},
            "curtailment: 5 stragglers still hashing; 1,200 units did not come back",
        ),
    ],
)
def test_the_terminal_shows_curtailment_in_a_line(changes: dict[str, float], line: str) -> None:
    """Curtailed hashrate, stragglers and units that did not come back; empty if there are none."""
    assert str(curtailment_line(replace(site_figures((), 0.0).site, **changes))) == line  # type: ignore[arg-type]
