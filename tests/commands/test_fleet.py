"""`hashsight fleet`: a fleet printed once, its exit status, and mistakes in its file."""

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from fleet_cases import answering, figures, report, site, stand_in
from loopback import unused
from typer.testing import CliRunner

from agent.commands.command_line import app

run = CliRunner().invoke


@pytest.fixture(scope="module")
def agents() -> Iterator[tuple[str, str, str]]:
    """Yield the addresses of three agents: of site a, of a site without figures, and of one with diverted work."""
    ready, is_over = threading.Event(), threading.Event()
    urls: list[str] = []

    async def serve() -> None:
        first = msgspec.json.encode(report("a", figures(100, 95, losses_phs={"stopped": 3, "unreachable": 2})))
        second = msgspec.json.encode(report("starting"))
        third = msgspec.json.encode(report("robbed", figures(100, 95, diverted_units=6, diverted_phs=1.2)))
        async with (
            stand_in(answering(first)) as one,
            stand_in(answering(second)) as two,
            stand_in(answering(third)) as three,
        ):
            urls.extend((one.url, two.url, three.url))
            ready.set()
            await asyncio.to_thread(is_over.wait)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert ready.wait(60)
    yield urls[0], urls[1], urls[2]
    is_over.set()
    thread.join()


def _file(folder: Path, *sites: str) -> str:
    path = folder / "fleet.toml"
    path.write_text('[fleet]\nname = "west"\n' + "".join(sites), encoding="utf-8")
    return str(path)


def test_a_whole_fleet_is_printed_in_80_columns(tmp_path: Path, agents: tuple[str, str, str]) -> None:
    """One row a site, then the totals; exit status 0."""
    result = run(app, ["fleet", "--sites", _file(tmp_path, site("a", agents[0])), "--once"], env={"COLUMNS": "80"})
    assert result.exit_code == 0, result.output
    assert [line.rstrip() for line in result.stdout.splitlines()] == [
        "sites, worst first",
        "site           operating    deployed efficiency coverage largest loss",
        "a             95.00 PH/s 100.00 PH/s    95.00 % 100.00 % stopped 3.0 %",
        "",
        "west: 95.00 PH/s of 100.00 PH/s operating, 95.00 %; above the 90 % line",
        "coverage 100.00 %; 1 of 1 site with current figures",
        "    3.00 PH/s stopped",
        "    2.00 PH/s unreachable",
    ]


def test_a_silent_site_is_named_and_is_a_failure(tmp_path: Path, agents: tuple[str, str, str]) -> None:
    """Its reason goes to standard error; nothing is invented for it."""
    with unused() as (host, port):
        sites = (site("a", agents[0]), site("b", f"http://{host}:{port}"), site("starting", agents[1]))
        result = run(app, ["fleet", "-s", _file(tmp_path, *sites), "--once"], env={"COLUMNS": "80"})
    assert result.exit_code == 1
    assert "b                      -           -          -        - no usable answer so" in result.stdout
    assert "west: 95.00 PH/s of at least 200.00 PH/s operating, efficiency not known" in result.stdout
    assert "1 site without a usable answer: every total is too small" in result.stdout
    assert result.stderr.splitlines() == [
        "b: no usable answer so far: unreachable: Connection refused",
        "starting: answers without figures: the agent has just started",
    ]


def test_diverted_work_has_a_line(tmp_path: Path, agents: tuple[str, str, str]) -> None:
    """Only sites with diverted work are named."""
    sites = (site("a", agents[0]), site("robbed", agents[2]))
    result = run(app, ["fleet", "-s", _file(tmp_path, *sites), "--once"], env={"COLUMNS": "80"})
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-1] == "robbed: 1.20 PH/s of 6 units works for addresses that are not yours"


def test_json_is_the_servers_answer(tmp_path: Path, agents: tuple[str, str, str]) -> None:
    """The same fields as /api/v1/fleet."""
    result = run(app, ["fleet", "--sites", _file(tmp_path, site("a", agents[0])), "--once", "--json"])
    answer = json.loads(result.stdout)
    assert result.exit_code == 0
    assert (answer["fleet"], answer["totals"]["operational_efficiency_ratio"]) == ("west", 0.95)
    assert [each["site"] for each in answer["sites"]] == ["a"]


def test_mistakes_end_with_status_2(tmp_path: Path) -> None:
    """In the file and on the command line, before anything is asked."""
    path = _file(tmp_path, site("a", "ftp://agent"))
    result = run(app, ["fleet", "--sites", path, "--once"])
    assert result.exit_code == 2
    assert result.stderr.startswith(f"{path}: site[0].url = 'ftp://agent': the address of an agent is expected")
    result = run(app, ["fleet", "--sites", _file(tmp_path, site("a", "http://agent")), "--json"])
    assert result.exit_code == 2
    assert result.stderr.startswith("fleet: --json: --once is needed with it")


def test_a_check_asks_no_site(tmp_path: Path) -> None:
    """A sound file gives the number of its sites; a mistake in it ends with status 2, and so does --once beside it."""
    with unused() as (host, port):
        path = _file(tmp_path, site("a", f"http://{host}:{port}"), site("b", f"http://{host}:{port}/b"))
        result = run(app, ["fleet", "--sites", path, "--check"])
    assert (result.exit_code, result.stdout, result.stderr) == (0, "west: 2 sites; ok\n", "")
    result = run(app, ["fleet", "--sites", path, "--check", "--once"])
    assert result.exit_code == 2
    assert result.stderr.startswith("fleet: --check: not together with --once")
    result = run(app, ["fleet", "--sites", _file(tmp_path, site("a", "ftp://agent")), "--check"])
    assert result.exit_code == 2
    assert "site[0].url = 'ftp://agent'" in result.stderr
