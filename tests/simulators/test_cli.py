"""`hashsight-sim` as its users start it: its output, its exit status and its refusals."""

import ast
import csv
import inspect
import json
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import get_type_hints

import pytest
from paths import CAPTURES, ROOT
from patience import PATIENT_S
from typer.testing import CliRunner

from agent import __version__ as agent_version
from simulators import __version__
from simulators.__main__ import app
from simulators.commands.command_line import COMMANDS, declaration_of, work_of
from simulators.faults.vocabulary import FAULTS
from simulators.scenario.scenario import load_farm

SIMULATOR = (sys.executable, "-m", "simulators")


@contextmanager
def simulator(*arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """Run the simulator for as long as the context is open, and stop it by its pid."""
    with subprocess.Popen(
        (*SIMULATOR, *arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def lines_until(process: "subprocess.Popen[str]", pattern: str) -> list[str]:
    """Return the lines that the process printed, up to one that matches."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line.rstrip())
        if re.search(pattern, line):
            return lines
    raise AssertionError(f"no {pattern!r} in {lines}: {process.stderr.read() if process.stderr else ''}")


def ask(host: str, port: int, request: bytes) -> bytes:
    """Send one request and return the reply."""
    with closing(socket.create_connection((host, port), timeout=PATIENT_S)) as client:
        client.sendall(request)
        return b"".join(iter(lambda: client.recv(65536), b""))


def test_the_version_is_the_agents() -> None:
    """Both programs ship in one distribution, so `--version` prints the same number."""
    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, result.stdout) == (0, f"hashsight-sim {agent_version}\n")
    assert __version__ == agent_version


@pytest.mark.parametrize("name", COMMANDS)
def test_the_list_shows_the_first_line_of_each_commands_help(name: str) -> None:
    """The list is kept apart from the commands, so that `--help` need not import them."""
    assert COMMANDS[name] == (inspect.getdoc(declaration_of(name)) or "").partition("\n")[0]
    assert f"{name:10} {COMMANDS[name]}" in CliRunner().invoke(app, ["--help"]).stdout
    assert COMMANDS[name] in CliRunner().invoke(app, [name, "--help"]).stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_the_work_takes_the_options_that_are_declared(name: str) -> None:
    """Options and work of a subcommand have the same names and types; only the options have defaults."""
    declaration, work = declaration_of(name), work_of(name)
    assert get_type_hints(declaration) == get_type_hints(work)
    assert {parameter.default for parameter in inspect.signature(work).parameters.values()} <= {inspect.Parameter.empty}


def test_the_version_and_every_help_import_no_work() -> None:
    """`--version` and each `--help` start quickly: rich, pydantic, aiohttp and the simulator itself stay unloaded."""
    code = (
        "import contextlib, sys\nfrom simulators.__main__ import app\n"
        "for words in sys.argv[1:]:\n    with contextlib.suppress(SystemExit):\n        app(args=words.split())\n"
        "print(sorted(sys.modules))"
    )
    asked = ("--version", "--help", *(f"{name} --help" for name in COMMANDS))
    done = subprocess.run((sys.executable, "-c", code, *asked), capture_output=True, text=True, check=True)
    assert all(line in done.stdout for line in COMMANDS.values())
    loaded = set(ast.literal_eval(done.stdout.splitlines()[-1]))
    assert not loaded & {"aiohttp", "asyncio", "msgspec", "pydantic", "rich", "simulators.unit", "simulators.farm"}
    allowed = {f"simulators.commands.options.{name}" for name in ("shared", *COMMANDS)}
    assert {name for name in loaded if name.startswith("simulators.commands.")} == {
        "simulators.commands.command_line",
        "simulators.commands.options",
        *allowed,
    }


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_farm_prints_its_seed_serves_and_ends_cleanly(number: signal.Signals, tmp_path: Path) -> None:
    """It prints seed, addresses and truth, writes a ledger with the real port, and exits 0 on SIGTERM and SIGINT."""
    ledger = tmp_path / "ledger.csv"
    with simulator(
        *("farm", "--units", "12", "--seed", "5", "--base", "127.79.0.1", "--port", "0", "--off", "0%"),
        *("--starting", "0%", "--control", "127.0.0.1:0", "--ledger-out", str(ledger)),
    ) as process:
        printed = lines_until(process, "^true hashrate")
        assert printed[0] == "seed 5"
        port = int(re.fullmatch(r"12 units at 127\.79\.0\.1 to 127\.79\.0\.12, port (\d+)", printed[1])[1])  # type: ignore[index]
        rows = list(csv.DictReader(ledger.read_text().splitlines()))
        assert [row["host"] for row in rows] == [f"127.79.0.{n}:{port}" for n in range(1, 13)]
        assert ask("127.79.0.7", port, b'{"command":"version"}').endswith(b"\0")
        address = next(line for line in printed if line.startswith("control ")).removeprefix("control ")
        with urllib.request.urlopen(address, timeout=PATIENT_S) as reply:  # noqa: S310  loopback address just printed
            truth = json.load(reply)
        assert (truth["seed"], truth["site"]["units"]) == (5, 12)
        process.send_signal(number)
        assert process.wait(PATIENT_S) == 0


def test_one_unit_serves_its_model() -> None:
    """`one --model T21:190` is an Antminer T21."""
    with simulator("one", "--model", "T21:190", "--base", "127.79.1.1", "--port", "0") as process:
        port = int(lines_until(process, "^true hashrate")[1].rsplit(" ", 1)[1])
        assert b'"Type":"Antminer T21"' in ask("127.79.1.1", port, b'{"command":"version"}')


def test_one_unit_runs_a_build_and_sleeps_if_told_so() -> None:
    """`one --build` takes a key or a date as the unit tells it; with `--asleep` its `stats` is a header alone."""
    options = ("--build", "Fri Oct 11 16:34:48 CST 2024", "--asleep", "--base", "127.79.1.1", "--port", "0")
    with simulator("one", "--model", "S21:200", *options) as process:
        port = int(lines_until(process, "^true hashrate")[1].rsplit(" ", 1)[1])
        stats = json.loads(ask("127.79.1.1", port, b'{"command":"stats"}').rstrip(b"\0"))
    assert [row["CompileTime"] for row in stats["STATS"]] == ["Fri Oct 11 16:34:48 CST 2024"]


def test_recorded_replies_are_served_from_the_command_line() -> None:
    """`replay DIR DIR` gives each directory an address and prints the commands it holds."""
    folders = [str(CAPTURES / "s19pro-stock-202212"), str(CAPTURES / "s21-stock-aml-202407")]
    with simulator("replay", *folders, "--base", "127.79.2.1", "--port", "0") as process:
        printed = lines_until(process, "s21-stock-aml-202407")
        port = int(re.search(r":(\d+)", printed[0])[1])  # type: ignore[index]
        assert printed[0] == f"127.79.2.1:{port}  s19pro-stock-202212  devs, pools, stats, summary, version"
        assert b"S19 Pro" in ask("127.79.2.1", port, b'{"command":"version"}')


def test_replay_serves_pages_and_says_that_logins_are_not_checked() -> None:
    """Pages have a port of their own, which is printed with their paths."""
    folder = str(ROOT / "tests" / "web_captures" / "s21plus-stock-202503")
    with simulator("replay", folder, "--base", "127.79.2.9", "--port", "0", "--web-port", "0") as process:
        printed = lines_until(process, "any digest login opens")
        assert printed[0] == "127.79.2.9  s21plus-stock-202503  its API refuses"
        port = re.search(r"^  pages http://127\.79\.2\.9:(\d+)/  /, /cgi-bin/get_system_info\.cgi$", printed[1])
        assert port is not None
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(f"http://127.79.2.9:{port[1]}/", timeout=PATIENT_S)


def test_a_farm_of_twins_says_what_is_not_recorded(tmp_path: Path) -> None:
    """`farm --like` names the capture, its model and bin; the ledger marks every twin as simulated."""
    likes = [f"{CAPTURES / 's19pro-stock-202212'}@110:3250=1", f"{CAPTURES / 's21-stock-aml-202407'}=3"]
    options = [word for like in likes for word in ("--like", like)]
    ledger = tmp_path / "ledger.csv"
    with simulator(
        *("farm", "--units", "8", *options, "--base", "127.79.2.20", "--port", "0", "--no-pages"),
        *("--ledger-out", str(ledger)),
    ) as process:
        printed = lines_until(process, "true hashrate")
        port = int(re.search(r"port (\d+)", printed[1])[1])  # type: ignore[index]
        with ledger.open() as file:
            rows = list(csv.DictReader(file))
        lit = next(row for row in rows if row["model"] == "S19 Pro")
        reply = ask(lit["host"].partition(":")[0], port, b'{"command":"version"}')
    assert printed[2:6] == [
        "2 like s19pro-stock-202212: S19 Pro, 110 TH/s, 3250 W",
        "  not recorded: asleep, starting, fault; shaped like the nearest simulated stock firmware",
        "6 like s21-stock-aml-202407: S21, 200 TH/s, 3500 W",
        "  not recorded: asleep, starting, fault; shaped like the nearest simulated stock firmware",
    ]
    assert {(row["model"], row["simulated"]) for row in rows} == {("S19 Pro", "yes"), ("S21", "yes")}
    assert b"Tue Dec  6 16:12:30 CST 2022" in reply


def test_a_taken_port_is_one_clear_line_and_exit_1() -> None:
    """The line names the address and the option; there is no traceback."""
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run((*SIMULATOR, "one", "--port", str(port)), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.strip()) == (
        1,
        f"hashsight-sim: cannot listen on 0.0.0.0:{port}: port {port} is taken; choose another with --port",
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["farm", "--mix", "S9=100%"], "unknown model 'S9'"),
        (["farm", "--off", "much"], "'much' is not a share"),
        (["farm", "--base", "nowhere"], "base 'nowhere' is not an IPv4 address"),
        (["farm", "--control", "everywhere"], "control address 'everywhere' is not IPV4:PORT"),
        (["replay", "/nowhere"], "/nowhere: no such file or directory"),
        (["replay", "/nowhere", "--no-pages", "--web-port", "1"], "--no-pages and --web-port exclude each other"),
        (["replay", "/nowhere", "--over-time", "--moment", "x"], "--over-time and --moment exclude each other"),
        (["replay", "/nowhere", "--speed", "2"], "--speed needs --over-time"),
        (["farm", "--like", "/nowhere"], "/nowhere: no such file or directory"),
        (["farm", "--like", "/nowhere=much"], "weight 'much' of '/nowhere=much' is not a number above 0"),
        (["farm", "--like", "x", "--mix", "S21=100%"], "--like and --mix exclude each other"),
        (["play", "nowhere"], "nowhere: file: no scenario of that name; there are bad-psu-batch"),
        (["play", "/nowhere.toml"], "/nowhere.toml: file: no such file or directory"),
        (["play", "quiet-day", "--at-once", "--every", "often"], "--every 'often': a length of time is expected"),
        (["play", "quiet-day", "--at-once", "--every", "0s"], "--every '0s': more than a hundred thousand lines"),
        (["play", "quiet-day", "--at-once", "--base", "x"], "base 'x' is not an IPv4 address"),
        (
            ["play", "quiet-day", "--port", "0", "--base", "127.79.8.1", "--speed", "inf"],
            "speed must be 0 or more, not inf",
        ),
        (["farm", "--farm", "/nowhere.toml"], "/nowhere.toml: file: no such file or directory"),
        (["farm", "--addresses", "[b]:100:"], "'[b]:100:' is not IPV4 or IPV4:PORT"),
        (["one", "--model", "T21:much"], "bin 'much' of 'T21:much' is not a number of TH/s"),
        (
            ["one", "--model", "S21/vnish", "--build", "s21-202407"],
            "--build is a build of stock firmware, and --model 'S21/vnish' runs vnish",
        ),
        (["one", "--build", "S9-2016"], "unknown firmware build 'S9-2016'; known: s21-202407 (Thu Jul 11 16:38:25"),
        (["one", "--model", "T21:186"], "model 'T21' has no sourced bin of 186 TH/s; it has: 190"),
    ],
)
def test_bad_input_is_one_clear_line_and_exit_2(arguments: list[str], message: str) -> None:
    """The line names the value and what is expected; there is no traceback."""
    result = CliRunner().invoke(app, arguments)
    assert (result.exit_code, message in result.stderr) == (2, True)
    assert "Traceback" not in result.output


def test_a_scenario_played_at_once_prints_its_outcome() -> None:
    """`play NAME --at-once` prints the programme, the truth every two hours, the average and its causes."""
    arguments = ["play", "container-power-loss", "--at-once", "--every", "2h", "--seed", "3"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0
    printed = result.output.splitlines()
    assert printed[0] == "seed 3"
    assert printed[2].startswith(
        "2025-10-14 02:00:00  breaker of container C2 (power_off: 50 units (containers=C2)), for"
    )
    assert re.fullmatch(r"2025-10-14 02:00:00  29\.\d{3} of 39\.200 PH/s, 7\d\.\d\d%; lost: 9\.\d{3} off", printed[3])
    assert [line[:29] for line in printed[-4:]] == [
        "average 38.678 of 39.200 PH/s",
        "  off                 1.092 P",
        "  starting            0.071 P",
        "  uplift             -0.642 P",
    ]
    assert CliRunner().invoke(app, arguments).output == result.output


def test_a_scenario_on_sockets_ends_by_itself() -> None:
    """Four hours at 14,400 times real time end after a second, with the programme printed and exit 0."""
    with simulator(
        *("play", "network-switch-flap", "--speed", "14400", "--base", "127.79.5.1", "--port", "0", "--no-pages"),
        *("--control", "127.0.0.1:0"),
    ) as process:
        printed = lines_until(process, "^average")
        assert process.wait(PATIENT_S) == 0
    assert printed[0] == "seed 1"
    assert printed[2].startswith("control http://127.0.0.1:")
    assert sum(line.endswith("for 4m") for line in printed) == 6
    assert printed[-1].endswith("PH/s deployed, 101.62%")


def test_a_standing_scenario_is_stepped_over_the_control_api_and_stopped_by_a_signal() -> None:
    """With `--speed 0` only the control API moves time; SIGTERM prints the outcome so far and exits 0."""
    with simulator(
        *("play", "pool-outage", "--speed", "0", "--base", "127.79.6.1", "--port", "0", "--control", "127.0.0.1:0"),
    ) as process:
        address = next(line for line in lines_until(process, "^control") if line.startswith("control"))
        root = address.removeprefix("control ").removesuffix("/truth")
        request = urllib.request.Request(f"{root}/time/advance", data=b'{"seconds":7200}', method="POST")  # noqa: S310  as above
        with urllib.request.urlopen(request, timeout=PATIENT_S) as reply:  # noqa: S310  as above
            assert json.load(reply)["since_start_s"] == 7200.0
        with urllib.request.urlopen(f"{root}/truth?units=false", timeout=PATIENT_S) as reply:  # noqa: S310  as above
            assert json.load(reply)["site"]["hashrate_hs"] == 0.0
        lines_until(process, "second pool as well")
        process.send_signal(signal.SIGTERM)
        assert lines_until(process, "^average")[-1].startswith("average ")
        assert process.wait(PATIENT_S) == 0


def test_the_shipped_scenarios_are_a_table() -> None:
    """`hashsight-sim scenarios` prints name, length, size and one line about each."""
    result = CliRunner().invoke(app, ["scenarios"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    line = next(line for line in result.output.splitlines() if line.startswith("october-2025"))
    assert line.split()[1:3] == ["31d", "250"]
    assert len(result.output.splitlines()) == 16


def test_a_farm_comes_from_a_file(tmp_path: Path) -> None:
    """`farm --farm FILE` takes units and mixture from the file; an option for the same thing is refused."""
    path = tmp_path / "farm.toml"
    path.write_text(
        'seed = 9\n[farm]\nunits = 3\ncontainers = 1\nbase = "127.79.7.1"\nmix = { "S21 XP:270" = "100%" }\n'
    )
    with simulator("farm", "--farm", str(path), "--port", "0") as process:
        printed = lines_until(process, "^true hashrate")
        assert printed[0] == "seed 9"
        port = int(printed[1].rsplit(" ", 1)[1])
        assert b'"Type":"Antminer S21 XP"' in ask("127.79.7.3", port, b'{"command":"version"}')
    result = CliRunner().invoke(app, ["farm", "--farm", str(path), "--units", "5"])
    assert (result.exit_code, result.stderr.strip()) == (
        2,
        "hashsight-sim: --units and --farm exclude each other: the file has a key for it",
    )


def test_the_vocabulary_of_faults_is_a_table() -> None:
    """`hashsight-sim faults` names every fault, however narrow the screen; `--json` adds values and full text."""
    for columns in ("200", "40"):
        result = CliRunner().invoke(app, ["faults"], env={"COLUMNS": columns})
        assert result.exit_code == 0
        assert all(name in result.output for name in FAULTS)
    as_json = json.loads(CliRunner().invoke(app, ["faults", "--json"]).output)
    assert [fault["name"] for fault in as_json] == list(FAULTS)
    assert as_json[2] == {
        "name": "dead_board",
        "kind": "unit",
        "values": {"board": 0, "is_listed": True},
        "about": "A hashboard does not work; the unit goes on with the others.",
        "agent_must": as_json[2]["agent_must"],
    }
    assert as_json[2]["agent_must"].startswith("An agent must show the unit hashing")


def test_pages_are_served_unless_told_otherwise_on_port_80_or_a_printed_one(tmp_path: Path) -> None:
    """Beside a program that holds port 80 the pages are elsewhere, both lines say where, and a page is read there."""
    (tmp_path / "farm.toml").write_text('[farm]\nbase = "127.79.8.1"\nunits = 2\ncontainers = 1\n')
    holder = socket.socket()
    # Port 80 is taken by this test, or not open to this user: pages are elsewhere in both cases.
    with closing(holder):
        with suppress(PermissionError):
            _hold(holder, 80)
        with simulator("farm", "--farm", str(tmp_path / "farm.toml"), "--port", "0") as process:
            printed = lines_until(process, "^true hashrate")
            (line,) = [line for line in printed if line.startswith("web pages ")]
            port = int(line.rstrip("/").rpartition(":")[2])
            assert ask("127.79.8.1", port, b"GET / HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.0 401 ")
            process.send_signal(signal.SIGTERM)
            assert process.stderr is not None
            assert f"web pages are on port {port}: cannot listen on 0.0.0.0:80: " in process.stderr.read()


def _hold(holder: socket.socket, port: int) -> None:
    """Take a port; a program that has it for a moment is waited for, so that nobody finds it free afterwards."""
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    for _ in range(600):
        try:
            holder.bind(("0.0.0.0", port))
            holder.listen()
        except PermissionError:
            raise
        except OSError:
            time.sleep(0.1)
        else:
            return


def test_no_pages_are_served_if_told_so() -> None:
    """Nothing is printed about pages."""
    with simulator("one", "--base", "127.79.8.3", "--port", "0", "--no-pages") as process:
        assert not [line for line in lines_until(process, "^true hashrate") if line.startswith("web pages")]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--no-pages", "--http-port", "0"), "--no-pages and --http-port exclude each other"),
        (("--strangers", "toaster=127.79.9.1"), "'toaster=127.79.9.1' is not MAKE=ADDRESSES"),
        (("--strangers", "mute=127.79.9.9-127.79.9.1"), "holds -7 addresses"),
        (("--elsewhere", "nowhere"), "elsewhere 'nowhere' is none of reset, refuse, silent"),
        (("--loss", "80%"), "loss 0.8 is out of range (0 to 0.5)"),
        (("--latency-ms", "-1"), "latency -0.001 s is out of range (0 to 60)"),
        (("--report-to", "everybody"), "listener 'everybody' is not IPV4 or IPV4:PORT"),
    ],
)
def test_bad_surroundings_are_named_in_one_line(options: tuple[str, ...], reason: str) -> None:
    """Exit status 2, the value and what is expected."""
    result = CliRunner().invoke(app, ["farm", "--units", "3", *options])
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert reason in result.stderr


def test_a_file_describes_what_stands_around_a_farm(tmp_path: Path) -> None:
    """The example of the README of strangers, with a mistake: file, key and what is expected."""
    readme = (ROOT / "simulators" / "strangers" / "README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```toml\n(.*?)```", readme, re.DOTALL)
    path = tmp_path / "farm.toml"
    path.write_text(f"[farm]\nunits = 3\n{example}", encoding="utf-8")
    around = load_farm(path).plan(seed=1).around
    assert (around.elsewhere, around.latency_s, around.loss_ratio) == ("refuse", 0.05, 0.02)
    assert len(list(around.answering())) == 21
    path.write_text(f"[farm]\nunits = 3\n{example}".replace("-127.10.8.20", "-127.10.7.20"), encoding="utf-8")
    result = CliRunner().invoke(app, ["farm", "--farm", str(path)])
    assert result.exit_code == 2
    assert "strangers[0].addresses" in result.stderr
    assert "holds -236 addresses" in result.stderr
