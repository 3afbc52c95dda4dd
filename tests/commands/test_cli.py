"""The command line: help, completion, exit codes, and one clear message per mistake."""

import io
import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from paths import CAPTURES
from patience import PATIENT_S
from programs import Program, farm, free_port, program, until
from rich.console import Console
from typer.testing import CliRunner

from agent import __version__
from agent.commands.command_line import SUBCOMMANDS, app
from agent.commands.metrics import print_contract
from agent.exporters.prometheus.store import contract

LEDGER_HEADER = "unit_id,model,hashrate_th,host,container,rack,slot,deployed_from,deployed_to,status\n"
GOOD_ROW = "u1,S21,200,127.77.0.1,C1,R1,1,2025-01-01,,deployed\n"
GOOD_CONFIG = '[site]\nname = "alpha"\n[ledger]\nfile = "ledger.csv"\n'

ALL_OFF = (
    "--off=100%",
    *(f"--{trouble}=0%" for trouble in ("asleep", "starting", "missing-board", "missing-chips", "slow")),
)

run = CliRunner().invoke


def _site(folder: Path, *, config: str = GOOD_CONFIG, ledger: str = LEDGER_HEADER + GOOD_ROW) -> str:
    (folder / "site.toml").write_text(config, encoding="utf-8")
    (folder / "ledger.csv").write_text(ledger, encoding="utf-8")
    return str(folder / "site.toml")


def test_version_is_the_package_s() -> None:
    """`hashsight --version` prints the version that the metrics carry."""
    result = run(app, ["--version"])
    assert (result.exit_code, result.stdout) == (0, f"hashsight {__version__}\n")


@pytest.mark.parametrize(("command", "line"), SUBCOMMANDS.items())
def test_a_command_s_own_help_opens_with_its_line_of_the_list(command: str, line: str) -> None:
    """`--help` of each command starts with the line that `hashsight --help` shows for it, and exits with 0."""
    result = run(app, [command, "--help"], prog_name="hashsight", env={"COLUMNS": "200"})
    assert result.exit_code == 0
    usage, first_line = [text.strip() for text in result.stdout.splitlines() if text.strip()][:2]
    assert usage.startswith(f"Usage: hashsight {command} ")
    assert first_line == line


def test_help_lists_every_command_and_the_exit_codes() -> None:
    """`hashsight --help` shows all commands with their lines, and what the exit status means."""
    result = run(app, ["--help"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    for command, line in SUBCOMMANDS.items():
        assert re.search(rf"{command} +{re.escape(line)}", result.stdout)
    assert "Exit status: 0" in result.stdout


def test_a_misspelt_command_is_refused_with_the_nearest() -> None:
    """An unknown command: exit 2, and the command that was probably meant."""
    result = run(app, ["ledgr"])
    assert (result.exit_code, "Did you mean 'ledger'?" in result.stderr) == (2, True)


@pytest.mark.parametrize(
    ("words", "completions"),
    [
        ("hashsight ", list(SUBCOMMANDS)),
        ("hashsight c", ["check", "curtail"]),
        ("hashsight --", ["--version", "--install-completion", "--show-completion", "--help"]),
        ("hashsight run --", ["--config", "--web.config.file", "--help"]),
        ("hashsight ledger ", ["show", "export", "diff", "verify", "check", "set", "import"]),
        ("hashsight ledger set --s", ["--slot", "--status", "--serial", "--simulated", "--swap"]),
        ("hashsight ledger show --format ", ["table", "csv", "json"]),
    ],
)
def test_completion_in_the_shell(words: str, completions: list[str]) -> None:
    """Bash completes commands, subcommands, options and their values."""
    asked = {"_HASHSIGHT_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    result = run(app, [], prog_name="hashsight", env=asked)
    assert (result.exit_code, result.stdout.split()) == (0, completions)


ANSWER_AND_MODULES = """\
import atexit, sys
atexit.register(lambda: print("modules:", *sys.modules))
from agent.__main__ import main
sys.argv = ["hashsight", *sys.argv[1:]]
main()
"""


@pytest.mark.parametrize(
    ("arguments", "environment", "answer"),
    [
        (("--version",), {}, __version__),
        (("--help",), {}, "ledger"),
        ((), {"_HASHSIGHT_COMPLETE": "complete_bash", "COMP_WORDS": "hashsight l", "COMP_CWORD": "1"}, "ledger"),
    ],
)
def test_a_quick_answer_imports_no_subcommand(
    arguments: tuple[str, ...], environment: dict[str, str], answer: str
) -> None:
    """Version, list of commands and completion of a command's name import no subcommand, not even its options."""
    command = (sys.executable, "-c", ANSWER_AND_MODULES, *arguments)
    ended = subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, timeout=PATIENT_S, check=False
    )
    answered, _, modules = ended.stdout.partition("modules: ")
    assert answer in answered, ended.stderr
    loaded = set(modules.split())
    assert {module for module in loaded if module.partition(".")[0] == "agent"} == {
        "agent",
        "agent.__main__",
        "agent.commands",
        "agent.commands.command_line",
        "agent.commands.deferred",
    }
    assert loaded.isdisjoint(("pydantic", "aiohttp", "asyncio", "msgspec", "prometheus_client", "structlog", "paho"))


def test_check_of_a_good_site(tmp_path: Path) -> None:
    """A good site: exit 0, and the deployed hashrate in TH/s."""
    result = run(app, ["check", "--config", _site(tmp_path)])
    assert result.exit_code == 0, result.output
    assert "1 units deployed, 200.00 TH/s" in result.stdout


def test_check_shows_the_configuration_in_force(tmp_path: Path) -> None:
    """`--show` prints the configuration with its defaults."""
    result = run(app, ["check", "--show", "--config", _site(tmp_path)])
    assert result.exit_code == 0
    assert "interval_s = 10.0" in result.stdout


def test_every_mistake_of_the_configuration_at_once(tmp_path: Path) -> None:
    """Three mistakes in one file: exit 2, and three messages with file, key, value and reason."""
    config = _site(tmp_path, config=GOOD_CONFIG + 'colour = "red"\n[poll]\ninterval_s = "soon"\nslow_every = 0\n')
    for command in ("check", "run", "once"):
        result = run(app, [command, "--config", config])
        assert result.exit_code == 2
        lines = result.stderr.strip().splitlines()
        assert len(lines) == 3, result.stderr
        assert all(line.startswith(config) for line in lines)
        assert [key in line for key, line in zip(("colour", "interval_s", "slow_every"), lines, strict=True)] == [
            True
        ] * 3


def test_every_mistake_of_the_ledger_at_once(tmp_path: Path) -> None:
    """Each bad row has its own message, with file, line, column, value and reason."""
    rows = "u2,S99,200,127.77.0.2,C1,R1,2,2025-01-01,,deployed\nu3,S21,200,8.8.8.8,C1,R1,3,2025-13-01,,gone\n"
    result = run(app, ["check", "--config", _site(tmp_path, ledger=LEDGER_HEADER + GOOD_ROW + rows)])
    assert result.exit_code == 2
    for word in ("line 3", "S99", "line 4", "8.8.8.8", "2025-13-01", "gone"):
        assert word in result.stderr


def test_a_missing_configuration_is_one_message(tmp_path: Path) -> None:
    """No traceback: the path and the reason, exit 2."""
    result = run(app, ["run", "--config", str(tmp_path / "none.toml")])
    assert result.exit_code == 2
    assert "none.toml" in result.stderr
    assert "Traceback" not in result.output


def test_a_taken_port_is_one_message(tmp_path: Path) -> None:
    """The HTTP server cannot listen: exit 1 and the reason, no traceback."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        config = _site(tmp_path, config=f'{GOOD_CONFIG}[web]\nlisten = "127.0.0.1:{port}"\n')
        command = [sys.executable, "-m", "agent", "run", "--config", config]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENT_S, check=False)
    assert ended.returncode == 1
    assert f"another program holds 127.0.0.1:{port} (web.listen)" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("host", ["antminer.local", "127.1", "10.0.0.1:99999", "0x7f000001", ""])
def test_read_takes_literal_addresses_only(host: str) -> None:
    """Host names and ambiguous spellings are refused before a socket is opened: exit 2."""
    result = run(app, ["read", host])
    assert result.exit_code == 2
    assert "HOST" in result.stderr


def test_read_without_an_answer_fails() -> None:
    """A refused connection: exit 1, and the address in the message."""
    port = free_port()
    result = run(app, ["read", f"127.0.0.1:{port}"])
    assert result.exit_code == 1
    assert f"127.0.0.1:{port}" in result.stderr
    failure, advice = result.stderr.splitlines()[-2:]
    assert failure.startswith("unreachable: ")
    assert advice.startswith("check first: whether the miner process runs")


async def test_read_of_a_recorded_unit(tmp_path: Path) -> None:
    """A recorded S19 Pro, replayed byte for byte, reads as a table, as JSON and raw."""
    capture = CAPTURES / "s19pro-stock-202212"
    replay = (sys.executable, "-m", "simulators", "replay", str(capture), "--port", "0")
    async with program(*replay, log=tmp_path / "replay.log") as running:
        host = await _replayed_at(running)
        table, as_json, raw = [await _read(tmp_path, host, *options) for options in ((), ("--json",), ("--raw",))]
    assert "Antminer S19 Pro" in table
    assert "110.57 TH/s" in table
    assert "…" not in table
    assert "coolant" not in table
    reading = json.loads(as_json)
    assert reading["hashrate_5s_hs"] == 110_566_890_000_000
    assert [board["chips"] for board in reading["boards"]] == [114, 114, 114]
    assert (reading["reason"], reading["why"], reading["also"]) == ("hashing", "hashing", [])
    assert '> {"command":"stats","new_api":true}' in raw
    assert '"chain_rate1":' in raw


async def _replayed_at(running: Program) -> str:
    async def address() -> str | None:
        found = re.search(r"127[.0-9]+:[0-9]+", running.said)
        return found[0] if found else None

    host = await until(address, running)
    assert isinstance(host, str)
    return host


async def _read(folder: Path, host: str, *options: str) -> str:
    command = (sys.executable, "-m", "agent", "read", host, *options)
    async with program(*command, log=folder / "read.log") as running:
        assert await running.process.wait() == 0, running.said
        return running.said


def test_once_breaks_no_name_of_a_unit(tmp_path: Path) -> None:
    """Unit ids stay whole on a narrow terminal, so that they can be copied and searched for."""
    port = free_port()
    ledger = LEDGER_HEADER + "".join(
        f"container-1-rack-{number},S21,200,127.77.0.{number}:{port},container-1,rack-1,{number},2025-01-01,,deployed\n"
        for number in range(1, 4)
    )
    result = run(app, ["once", "--config", _site(tmp_path, ledger=ledger)], env={"COLUMNS": "60"})
    assert result.exit_code == 1
    assert re.findall(r"container-1-rack-\d", result.stdout) == [f"container-1-rack-{number}" for number in range(1, 4)]


def test_once_says_what_to_check_first(tmp_path: Path) -> None:
    """80 columns: no word is cut or broken, and each reason has its advice once, however many units share it."""
    port = free_port()
    ledger = LEDGER_HEADER + "".join(
        f"C1-R01-0{number},S21,200,127.77.0.{number}:{port},C1,C1-R01,{number},2025-01-01,,deployed\n"
        for number in range(1, 4)
    )
    shown = run(app, ["once", "--config", _site(tmp_path, ledger=ledger)], env={"COLUMNS": "80"}).stdout
    assert max(map(len, shown.splitlines())) <= 80
    assert "…" not in shown
    assert shown.count("connection refused") == 3 + 1
    assert "whether the miner process runs, and whether its API is switched on" in " ".join(shown.split())


def test_metrics_prints_the_whole_contract() -> None:
    """Every family of the contract has a line in the table, at any terminal width, and an entry in the JSON."""
    names = [row.name for row in contract()]
    table = run(app, ["metrics"], env={"COLUMNS": "40"}).stdout.splitlines()
    assert [line.split()[0] for line in table[1:]] == names
    assert [row["name"] for row in json.loads(run(app, ["metrics", "--json"]).stdout)] == names


@pytest.mark.parametrize("width", [40, 100, 139, 140, 250])
def test_no_name_of_a_metric_is_ever_broken(width: int) -> None:
    """A terminal of any width shows each name whole, once, at the start of a line."""
    terminal = Console(file=io.StringIO(), force_terminal=True, width=width, color_system=None, highlight=False)
    print_contract(contract(), terminal)
    assert isinstance(terminal.file, io.StringIO)
    first_words = [line.split()[0] for line in terminal.file.getvalue().splitlines() if line.strip()]
    assert [word for word in first_words if word in {row.name for row in contract()}] == [
        row.name for row in contract()
    ]


async def test_once_fails_if_no_unit_answers(tmp_path: Path) -> None:
    """With all units unreachable the figures are still printed, with exit 1."""
    async with farm(tmp_path, units=3, options=ALL_OFF):
        config = tmp_path / "site.toml"
        config.write_text(GOOD_CONFIG + "[poll]\nconnect_timeout_s = 0.3\n", encoding="utf-8")
        command = (sys.executable, "-m", "agent", "once", "--config", str(config))
        async with program(*command, log=tmp_path / "once.log") as running:
            assert await running.process.wait() == 1
            assert "no unit could be read" in running.said
            assert "unreachable" in running.said


def test_mistakes_are_shown_or_counted(tmp_path: Path) -> None:
    """A ledger with too many mistakes for one report: a hundred messages, and the number of the others."""
    rows = "".join(f"u{number},S21,200,10.0.0.1,C1,R1,{number},,,on\n" for number in range(250))
    result = run(app, ["check", "--config", _site(tmp_path, ledger=LEDGER_HEADER + rows)])
    assert result.exit_code == 2
    lines = result.stderr.splitlines()
    assert len(lines) == 101
    assert lines[-1].endswith("150 more mistakes are not shown")
