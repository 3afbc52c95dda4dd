"""`hashsight verify`: folders, units and a simulated unit held against each other; exit status, text and JSON."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from loopback import unused
from paths import CAPTURES
from sim_cases import make_farm
from typer.testing import CliRunner, Result

from agent.commands.command_line import app
from simulators.farm.farm import Farm
from simulators.faults.vocabulary import read_fault
from simulators.sockets.serving import serve_farm

S21 = CAPTURES / "s21-stock-aml-202407"
S19 = CAPTURES / "s19pro-stock-202212"
ASLEEP = CAPTURES / "s21-stock-202410-sleep"


def verify(*arguments: object) -> Result:
    """Run the command."""
    return CliRunner().invoke(app, ["verify", *map(str, arguments)], env={"COLUMNS": "200"})


async def verify_beside(*arguments: object) -> Result:
    """Run the command beside units of this event loop."""
    return await asyncio.to_thread(verify, *arguments)


@asynccontextmanager
async def farm_of(units: int, *, mix: str = "S21=100%") -> AsyncIterator[tuple[Farm, list[str]]]:
    """Serve simulated units; yields them with their addresses."""
    farm = make_farm(units, mix=mix, base="127.85.0.1")
    async with serve_farm(farm, port=0) as server:
        yield farm, [f"{unit.identity.host}:{server.port}" for unit in farm.units]
        assert server.journal.writes == 0


def test_a_folder_with_its_golden_reading() -> None:
    """Nothing differs: exit status 0, and the checks that it does not answer are listed."""
    result = verify(S21)
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("s21-stock-aml-202407, held against golden reading of s21-stock-aml-202407\n")
    assert "no difference changes what is read\n" in result.stdout
    assert "  dialects_agree is not answered: stats was not asked\n" in result.stdout


def test_a_figure_that_is_read_otherwise(tmp_path: Path) -> None:
    """It is named by path with both values; exit status 1."""
    folder = tmp_path / "s21"
    shutil.copytree(S21, folder)
    golden = json.loads((folder / "golden.json").read_bytes())
    golden["first"]["boards"][1]["chips"] = 107
    (folder / "golden.json").write_text(json.dumps(golden))
    result = verify(folder)
    assert result.exit_code == 1
    assert (
        "  figure: reading first: boards[1].chips\n      107 -> 108 (the same bytes read otherwise)\n" in result.stdout
    )
    assert result.stdout.endswith("1 of 1 differences change what is read\n")


def test_a_folder_without_a_golden_reading(tmp_path: Path) -> None:
    """It is held to the checks alone, and says so."""
    folder = tmp_path / "s21"
    shutil.copytree(S21, folder)
    (folder / "golden.json").unlink()
    result = verify(folder)
    assert result.exit_code == 0
    assert "not compared: there is no golden.json: only its replies were checked\n" in result.stdout


def test_machine_output() -> None:
    """JSON has every difference with its kind, path, values and meaning, the verdicts, and the answer."""
    result = verify(S19, "--against", S21, "--json")
    assert result.exit_code == 1
    found = json.loads(result.stdout)
    assert (found["first"], found["second"], found["changes_meaning"]) == (S21.name, S19.name, True)
    model = next(each for each in found["differences"] if each["path"] == "version: VERSION[0].Type")
    assert model == {
        "kind": "text",
        "path": "version: VERSION[0].Type",
        "first": "Antminer S21",
        "second": "Antminer S19 Pro",
        "changes_meaning": True,
        "why": "changes identity.model",
    }
    assert {each["outcome"] for each in found["verdicts"]} == {"holds", "unanswered"}


@pytest.mark.parametrize(("fault", "exit_code"), [("", 0), ("missing_nul", 0), ("rate_spike", 1), ("timeout", 1)])
async def test_a_unit_alone(fault: str, exit_code: int) -> None:
    """A unit is held to what every unit must do; a fault on which figures rest is exit status 1, any other a note."""
    async with farm_of(1) as (farm, [address]):
        if fault:
            farm.inject(read_fault(fault, {}))
        result = await verify_beside(address, "--timeout", "0.3" if fault == "timeout" else "60")
    assert result.exit_code == exit_code, result.output
    assert result.stdout.startswith(f"{address}, held against what a unit must do\n")
    if fault == "rate_spike":
        assert "  check: boards_sum_to_the_rate: stats new_api: STATS[0].rate_5s\n" in result.stdout


async def test_two_units_alike_and_unlike() -> None:
    """Two units of one build mean the same; one that cannot be read has no look like one that hashes."""
    async with farm_of(2, mix="T21=100%") as (farm, [first, second]):
        alike = await verify_beside(first, "--against", second, "--timeout", "60")
        farm.inject(read_fault("truncated_json", {}))
        unread = await verify_beside(first, "--against", S19, "--timeout", "60")
    assert alike.exit_code == 0, alike.output
    assert unread.exit_code == 1
    assert "  state: state\n      hashing -> malformed" in unread.stdout


def test_numbers_that_move_are_counted_or_listed() -> None:
    """A line says how many there are; --all lists them. Boards and sensors that differ alike are one line."""
    vnish = CAPTURES / "s21pro-vnish-2026"
    brief, whole = verify(vnish, "--against", S21), verify(vnish, "--against", S21, "--all")
    assert "18 numbers differ as two moments do (--all lists them)\n" in brief.stdout
    assert "  number: summary: SUMMARY[0].Elapsed\n      59129 -> 4423" in whole.stdout
    assert "  number: " not in brief.stdout


async def test_the_capture_is_the_reference_on_either_side() -> None:
    """`HOST --against DIR` and `DIR --against HOST` say the same."""
    async with farm_of(1) as (_, [address]):
        results = [await verify_beside(address, "--against", S21), await verify_beside(S21, "--against", address)]
    for result in results:
        assert result.stdout.startswith(f"{address}, held against {S21.name}\n")


async def test_a_unit_is_polled_between_two_looks() -> None:
    """With --polls: one report a poll, and everything at the beginning and at the end."""
    farm = make_farm(1, base="127.85.0.1")
    async with serve_farm(farm, port=0) as server:
        address = f"{farm.units[0].identity.host}:{server.port}"
        result = await verify_beside(address, "--polls", "1", "--every", "1", "--timeout", "60")
        counts = server.journal.counts
    assert result.exit_code == 0, result.output
    assert (counts["stats new_api"], counts["stats"], counts["devdetails"]) == (3, 2, 2)


def test_a_capture_against_a_simulated_unit_of_its_build() -> None:
    """It is started as a program of its own, asleep as the captured one; all that differs is what was left out."""
    result = verify(ASLEEP, "--against", "simulator", "--timeout", "60", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["compared"][0].startswith("asleep: s21-stock-202410-sleep with simulator at 127.10.77.1:")
    assert {each["kind"] for each in found["differences"]} <= {"key", "white space", "reply"}


def test_a_capture_that_the_simulator_has_no_model_for() -> None:
    """One clear line, and exit status 2."""
    result = verify(S19, "--against", "simulator")
    assert result.exit_code == 2
    assert result.stderr.startswith("verify: --against = 'simulator': hashsight-sim: unknown model 'S19 Pro'")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["203.0.113.9"], "verify: DIR|HOST = '203.0.113.9': not a private address"),
        ([S21, "--against", "203.0.113.9"], "verify: --against = '203.0.113.9': not a private address"),
        (["no-such-place"], "verify: DIR|HOST = 'no-such-place': a literal IP address is expected"),
        ([S21.parent / "none"], "does not exist"),
        ([S21.parent / "other-z9mini-stock-2018"], "holds no capture.json"),
    ],
)
def test_mistakes(arguments: list[object], message: str) -> None:
    """Each is one line that names what was given; exit status 2, before anything is sent."""
    result = verify(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("text", ["[1]", "{", '{"first": 3}'])
def test_a_golden_reading_that_is_none(text: str, tmp_path: Path) -> None:
    """It names the file; exit status 2."""
    folder = tmp_path / "s21"
    shutil.copytree(S21, folder)
    (folder / "golden.json").write_text(text)
    result = verify(folder)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"{folder}/golden.json: file: is no golden reading: ")


async def test_nothing_listens() -> None:
    """A unit that does not accept breaks the first check; it is asked once."""
    with unused() as (host, port):
        result = await verify_beside(f"{host}:{port}", "--json")
    assert result.exit_code == 1
    [broken] = [each for each in json.loads(result.stdout)["differences"] if each["changes_meaning"]]
    assert broken["path"] == "replies_arrive_whole: version"
