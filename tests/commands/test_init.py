"""`hashsight init`: a site from a farm, questions at a terminal, and nothing half-written."""

import asyncio
import csv
import errno
import os
import shlex
import signal
import stat
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from loopback import answering, unit
from sim_cases import HEALTHY_FARM, make_farm
from typer.testing import CliRunner, Result
from web_cases import Served, served

from agent.address import PRIVATE_NETWORKS
from agent.commands import init as command
from agent.commands import init_scan
from agent.commands.command_line import app
from agent.config.file import load_config
from agent.hil.scan.ranges import parse_targets
from agent.hil.scan.scanner import ScanOptions
from agent.hil.scan.unfinished import Unfinished
from agent.runtime.setup import load_setup
from agent.unit.registry import FACTORY_LOGIN

NETWORK = "127.77.0.0/28"
UNITS = "127.77.0.1-127.77.0.6"
SITE = ("--name", "alpha", "--zone", "Europe/Berlin")


async def init(folder: Path, *words: str) -> Result:
    """Run the command."""
    return await asyncio.to_thread(CliRunner().invoke, app, ["init", str(folder), *words], env={"COLUMNS": "80"})


def of(site: Served) -> tuple[str, ...]:
    """Return the options that lead to a farm's ports."""
    return ("--network", NETWORK, "--port", str(site.api.port), "--web-port", str(site.web.port))


def files_in(folder: Path) -> list[str]:
    """Return the names of the files in a folder, hidden ones included."""
    return sorted(each.name for each in folder.iterdir())


async def test_a_farm_becomes_a_site(tmp_path: Path) -> None:
    """Configuration, ledger and proposal are written, accepted by the agent, and the next command is named."""
    folder = tmp_path / "alpha"
    farm = make_farm(6, mix="S21=50%,T21=50%")
    async with served(farm) as site:
        result = await init(folder, *SITE, *of(site), "--place", "127.77.{c}.{n} -> container=C{c + 1} slot={n:02}")
        writes = site.api.journal.writes
    assert (result.exit_code, result.stderr, writes) == (0, "", 0)
    setup = load_setup(folder / "site.toml")
    assert (setup.config.site.name, setup.config.site.zone.key) == ("alpha", "Europe/Berlin")
    assert [(each.host, each.serial, each.nameplate.model) for each in setup.ledger.entries] == [
        (each.identity.host, each.identity.serial, each.identity.model.name) for each in farm.units
    ]
    assert [(each.place.container, each.place.slot) for each in setup.ledger.entries] == [
        ("C1", f"{number:02}") for number in range(1, 7)
    ]
    assert files_in(folder) == ["ledger.csv", "proposal.csv", "site.toml"]
    assert files_in(tmp_path) == ["alpha"]
    assert {stat.S_IMODE(each.stat().st_mode) for each in folder.iterdir()} == {0o644}
    assert f"6 units, {1.17} PH/s in {folder / 'ledger.csv'}" in result.stdout
    assert result.stdout.splitlines()[-1] == f"next: hashsight once --config {folder / 'site.toml'}"


async def test_the_next_command_works(tmp_path: Path) -> None:
    """What `init` says to type polls every unit of the new ledger."""
    async with served(make_farm(3)) as site:
        await init(tmp_path, *SITE, *of(site))
        words = ["once", "--config", str(tmp_path / "site.toml")]
        once = await asyncio.to_thread(CliRunner().invoke, app, words, env={"COLUMNS": "80"})
    assert once.exit_code == 0
    assert "units, worst first (3 in all)" in once.stdout


async def test_a_public_network_is_not_scanned(tmp_path: Path) -> None:
    """The network of the command line does not vouch for itself; nothing is sent and nothing is written."""
    result = await init(tmp_path / "alpha", *SITE, "--network", "203.0.113.0/30")
    assert result.exit_code == 2
    assert "203.0.113.0/30" in result.stderr
    assert "not a private address" in " ".join(result.stderr.split())
    assert files_in(tmp_path) == []


async def test_a_site_without_units(tmp_path: Path) -> None:
    """`--no-scan` writes a ledger with its header; the first units can be imported into it."""
    result = await init(tmp_path, *SITE, "--network", "10.20.0.0/16", "--no-scan", "--service")
    assert result.exit_code == 0
    assert files_in(tmp_path) == ["ledger.csv", "site.toml"]
    config = load_config(tmp_path / "site.toml")
    assert str(config.ledger.networks[0]) == "10.20.0.0/16"
    assert config.history.file == Path("/var/lib/hashsight/history.sqlite")
    words = ["set", "u1", "--new", "--model=S21", "--hashrate-th=200", "--host=10.20.0.11"]
    added = await asyncio.to_thread(
        CliRunner().invoke, app, ["ledger", words[0], "--config", str(tmp_path / "site.toml"), *words[1:]]
    )
    assert added.exit_code == 0
    assert len(load_setup(tmp_path / "site.toml").ledger.entries) == 1


async def test_a_network_where_nothing_answers_writes_nothing(tmp_path: Path) -> None:
    """The folder is not even made."""
    async with unit(answering(b"")) as (_, port):
        result = await init(tmp_path / "alpha", *SITE, "--network", "127.0.0.4/30", "--port", str(port))
    assert result.exit_code == 1
    assert "no unit answered, so nothing was written" in result.stderr
    assert files_in(tmp_path) == []


async def test_a_network_of_strangers_is_said_to_answer(tmp_path: Path) -> None:
    """The first of them is named, with what it is."""
    async with unit(answering(b"")) as (_, port):
        result = await init(tmp_path / "alpha", *SITE, "--network", "127.0.0.0/30", "--port", str(port))
    assert result.exit_code == 1
    assert result.stderr.startswith("no unit answered, so nothing was written")
    assert f"1 addresses answer and were not identified, such as 127.0.0.1:{port} (" in result.stderr
    assert files_in(tmp_path) == []


async def test_a_strict_umask_does_not_lock_the_service_out(tmp_path: Path) -> None:
    """The folder can be entered and the files read by any account."""
    before = os.umask(0o077)
    try:
        result = await init(tmp_path / "alpha", *SITE, "--network", NETWORK, "--no-scan", "--service")
    finally:
        os.umask(before)
    assert result.exit_code == 0
    made = (tmp_path / "alpha", tmp_path / "alpha" / "site.toml", tmp_path / "alpha" / "ledger.csv")
    assert [stat.S_IMODE(each.stat().st_mode) for each in made] == [0o755, 0o644, 0o644]


async def test_a_full_disk_is_one_message_with_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is left in the folder; what was scanned is kept beside it, and the second try begins from there."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    async with served(make_farm(1)) as site:
        words = (*SITE, *of(site), "--range", "127.77.0.1")
        with monkeypatch.context() as context:
            context.setattr(command, "write_proposal", full)
            result = await init(tmp_path / "alpha", *words)
        assert result.exit_code == 1
        kept, failure = result.stderr.splitlines()
        assert kept.startswith(
            f"1 find kept; to continue: hashsight init {tmp_path}/alpha --name alpha --zone Europe/Berlin"
        )
        assert kept.endswith(" --resume")
        assert failure == f"{tmp_path / 'alpha'}: No space left on device"
        assert files_in(tmp_path) == ["alpha.resume"]
        asked = site.api.journal.counts["version"]
        again = shlex.split(kept.partition("to continue: hashsight init ")[2])
        assert (await init(Path(again[0]), *again[1:])).exit_code == 0
        assert site.api.journal.counts["version"] == asked
    assert files_in(tmp_path) == ["alpha"]


async def test_a_stopped_init_keeps_its_finds_and_is_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After Ctrl-C there is no site; the command that is printed finds the rest and asks no unit a second time."""
    take = Unfinished.take

    def stopping(self: Unfinished, *words: object) -> None:
        take(self, *words)  # type: ignore[arg-type]
        if len(self.found) == 3:
            os.kill(os.getpid(), signal.SIGINT)

    async with served(make_farm(6)) as site:
        # One at a time, in the main thread, which alone can take signals.
        options = ScanOptions(port=site.api.port, web_port=site.web.port, workers=1)
        targets = parse_targets([UNITS], allowed=PRIVATE_NETWORKS)
        scan = init_scan.SiteScan(
            targets=targets,
            login_of=lambda _: FACTORY_LOGIN,
            options=options,
            state=init_scan.begun(targets, site.api.port, tmp_path / "alpha.resume", is_resumed=False),
            file=tmp_path / "alpha.resume",
            again="the same",
        )
        with monkeypatch.context() as context:
            context.setattr(Unfinished, "take", stopping)
            with pytest.raises(typer.Exit):
                await scan.run()
        assert files_in(tmp_path) == ["alpha.resume"]
        assert (tmp_path / "alpha.resume").stat().st_mode & 0o077 == 0
        words = (*SITE, *of(site), "--range", UNITS)
        refused = await init(tmp_path / "alpha", *words)
        assert refused.exit_code == 2
        assert "alpha.resume has a scan that was not finished; --resume continues it" in refused.stderr
        kept = len(scan.state.found)
        before = site.api.journal.counts["version"]
        result = await init(tmp_path / "alpha", *words, "--resume")
        asked = site.api.journal.counts["version"] - before
    assert result.exit_code == 0
    assert asked <= 6 - kept + 1
    assert len(load_setup(tmp_path / "alpha" / "site.toml").ledger.entries) == 6
    assert files_in(tmp_path) == ["alpha"]


async def test_there_is_nothing_to_continue(tmp_path: Path) -> None:
    """One message, and the file that it looked for."""
    result = await init(tmp_path / "alpha", *SITE, "--network", NETWORK, "--resume")
    assert result.exit_code == 2
    assert f"{tmp_path}/alpha.resume: --resume: there is no such file" in result.stderr


async def test_a_unit_that_is_off_is_missing_from_what_is_deployed_and_that_is_said(tmp_path: Path) -> None:
    """Only a person knows whether a machine stands at an address that is silent."""
    async with served(make_farm(3, troubles=replace(HEALTHY_FARM, off=0.34))) as site:
        result = await init(tmp_path, *SITE, *of(site), "--range", "127.77.0.1-127.77.0.3")
    assert result.exit_code == 0
    assert "did not answer: 1 addresses; a unit that is off now is not in the ledger" in result.stdout


async def test_what_the_catalogue_lacks_is_left_out_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other units are a site; the proposal keeps every row, and the line to add is printed."""
    whole = command.propose

    def propose(found: object, catalogue: object) -> object:
        proposal = whole(found, catalogue)  # type: ignore[arg-type]
        first = proposal.rows[0]._replace(model="S99", hashrate_th="990")
        return proposal._replace(rows=(first, *proposal.rows[1:]), missing_models=("S99: not in the catalogue",))

    monkeypatch.setattr(command, "propose", propose)
    async with served(make_farm(3)) as site:
        result = await init(tmp_path, *SITE, *of(site), "--range", "127.77.0.1-127.77.0.4")
    assert result.exit_code == 0
    assert "not in the ledger: 127.77.0.1" in result.stdout
    # An address without a unit, where the simulators' socket accepts and resets.
    assert f"answer and were not identified: 1, at the end of {tmp_path / 'proposal.csv'}" in result.stdout
    assert "S99: not in the catalogue" in result.stdout
    assert len(load_setup(tmp_path / "site.toml").ledger.entries) == 2
    assert len(list(csv.DictReader((tmp_path / "proposal.csv").read_text(encoding="utf-8").splitlines()))) == 4


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ([], "init: --name: needed, because there is no terminal to ask at"),
        (["--name", "alpha"], "init: --network: needed, because there is no terminal to ask at"),
        (["--name", "al pha", "--network", "10.0.0.0/24"], "init: site.name = 'al pha': "),
        (["--name", "alpha", "--zone", "Mars", "--network", "10.0.0.0/24"], "init: site.zone = 'Mars': "),
        (["--name", "alpha", "--network", "10.0.0.0/24", "--network", "here"], "init: ledger.networks[1] = 'here': "),
        (["--name", "alpha", "--network", "10.0.0.0/8"], "init: RANGE = '10.0.0.0/8': "),
        (["--name", "alpha", "--network", "10.0.0.0/24", "--place", "x"], "init: --place = 'x': four octets"),
        (
            ["--name", "alpha", "--network", "10.0.0.0/24", "--range", "10.0.1.9"],
            "init: --range = '10.0.1.9': outside the networks of the site, --network",
        ),
        (
            ["--name", "alpha", "--network", "10.0.0.0/24", "--range", "8.8.8.8"],
            "init: RANGE = '8.8.8.8': not a private",
        ),
    ],
)
async def test_a_bad_answer_is_one_message(words: list[str], reason: str, tmp_path: Path) -> None:
    """Before anything is scanned or written."""
    result = await init(tmp_path / "alpha", *words)
    assert result.exit_code == 2
    assert result.stderr.startswith(reason)
    assert files_in(tmp_path) == []


@pytest.mark.parametrize("name", ["site.toml", "ledger.csv", "proposal.csv"])
async def test_a_site_is_never_replaced(name: str, tmp_path: Path) -> None:
    """A folder with one of the files is refused."""
    (tmp_path / name).write_text("mine", encoding="utf-8")
    result = await init(tmp_path, *SITE, "--network", "10.0.0.0/24", "--no-scan")
    assert result.exit_code == 2
    assert f"{tmp_path / name} exists, and no file is replaced; set name and networks in {tmp_path}" in result.stderr
    assert files_in(tmp_path) == [name]


async def test_a_folder_without_a_parent_is_refused(tmp_path: Path) -> None:
    """The message names the folder."""
    result = await init(tmp_path / "no" / "alpha", *SITE, "--network", "10.0.0.0/24", "--no-scan")
    assert result.exit_code == 2
    assert "the folder above it does not exist" in result.stderr


def test_a_terminal_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Name, zone with this machine's as the default, and several networks in one answer."""
    answers = iter(["alpha", "", "10.20.0.0/22 10.30.0.0/22"])
    asked: list[str] = []

    def prompt(question: str, *, default: str | None) -> str:
        asked.append(f"{question} [{default}]")
        return next(answers) or default or ""

    monkeypatch.setattr(command.typer, "prompt", prompt)
    monkeypatch.setattr(command, "_ZONE_FILES", (tmp_path / "none", Path("/usr/share/zoneinfo/Asia/Almaty")))
    monkeypatch.setattr(command.sys.stdin, "isatty", lambda: True)
    command.init(
        tmp_path / "alpha",
        name=None,
        zone=None,
        network=None,
        ranges=None,
        place=None,
        logins=None,
        port=4028,
        web_port=80,
        has_scan=False,
        is_resumed=False,
        is_service=False,
    )
    config = load_config(tmp_path / "alpha" / "site.toml")
    assert (config.site.name, config.site.zone.key) == ("alpha", "Asia/Almaty")
    assert list(map(str, config.ledger.networks)) == ["10.20.0.0/22", "10.30.0.0/22"]
    assert asked[1] == "its time zone [Asia/Almaty]"
