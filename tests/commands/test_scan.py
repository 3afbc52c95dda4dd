"""`hashsight scan`: a farm found and proposed, a stopped scan continued, and one clear message per mistake."""

import asyncio
import csv
import io
import json
import os
import re
import signal
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest
from loopback import answering, unit
from rich.console import Console
from sim_cases import make_farm
from typer.testing import CliRunner, Result
from web_cases import Served, served

from agent.address import PRIVATE_NETWORKS
from agent.commands import scan as command
from agent.commands import scan_progress
from agent.commands.command_line import app
from agent.commands.scan_units import together
from agent.hil.review.reading import read_proposed
from agent.hil.scan.deep import DeepError
from agent.hil.scan.found import Found, Kind
from agent.hil.scan.logins import login_finder
from agent.hil.scan.probe import Tally
from agent.hil.scan.proposal import Proposed, propose
from agent.hil.scan.ranges import parse_targets
from agent.hil.scan.scanner import ScanOptions
from agent.hil.scan.scanner import scan as scan_targets
from agent.hil.scan.unfinished import Unfinished, digest_of, read_unfinished
from agent.unit.nameplate import shipped_catalogue
from agent.unit.reading import BoardReading, Dialect, PoolReading, UnitReading

ALL = "127.77.0.1-127.77.0.6"


async def scan(*words: str) -> Result:
    """Run the command."""
    return await asyncio.to_thread(CliRunner().invoke, app, ["scan", *words], env={"COLUMNS": "80"})


def rows_of(path: Path) -> tuple[Proposed, ...]:
    """Return the rows of a proposal."""
    return read_proposed(path.read_text(encoding="utf-8"), str(path))


def files_in(folder: Path) -> list[str]:
    """Return the names of the files in a folder."""
    return sorted(each.name for each in folder.iterdir())


def of(site: Served) -> tuple[str, ...]:
    """Return the options that lead to a farm's ports."""
    return ("--port", str(site.api.port), "--web-port", str(site.web.port))


async def test_a_farm_becomes_a_proposal(tmp_path: Path) -> None:
    """The summary counts its units by model and bin, and the proposal has a row for each."""
    farm = make_farm(6, mix="S21=50%,T21=50%")
    async with served(farm) as site:
        result = await scan(ALL, *of(site), "--out", str(tmp_path / "proposal.csv"))
        writes = site.api.journal.writes
    assert (result.exit_code, result.stderr, writes) == (0, "", 0)
    models = [each.identity.model.name for each in farm.units]
    for model, bin_th in (("S21", 200), ("T21", 190)):
        assert re.search(rf"^ +{models.count(model)} +{model} +{bin_th} \(guessed\)", result.stdout, re.MULTILINE)
    assert "guessed: the bin of 6 units, from the firmware's ideal rate" in result.stdout
    assert re.search(r"^6 addresses in [0-9.]+ s: 6 identified, 0 answer and are not", result.stdout, re.MULTILINE)
    rows = rows_of(tmp_path / "proposal.csv")
    assert [row.serial for row in rows] == [each.identity.serial for each in farm.units]
    assert [row.model for row in rows] == models
    assert files_in(tmp_path) == ["proposal.csv"]


async def test_all_lists_every_unit_with_what_it_is_and_does() -> None:
    """Address, model, bin, MAC and serial; rates, boards, chips, power and uptime; firmware and reader; pools."""
    farm = make_farm(2)
    async with served(farm) as site:
        port = site.api.port
        result = await scan("127.77.0.1-127.77.0.2", *of(site), "--all")
    pools = r"    pools: stratum\+tcp://[^ ]+ \(Alive, in use\).*"
    for each in farm.units:
        identity = each.identity
        head = f"{identity.host}:{port}  S21 of 200 TH/s (guessed)  {identity.mac.lower()}  {identity.serial}"
        figures = (
            r"    [0-9.]+ TH/s now, [0-9.]+ TH/s since its start; 3 boards with 108/108/108 chips; power [^;]+; up .+"
        )
        firmware = r"    Bitmain, stock [ABC], .+; read by antminer"
        block = "\n".join((re.escape(head), figures, firmware, pools))
        assert re.search(f"^{block}$", result.stdout, re.MULTILINE), result.stdout


async def test_units_together_are_summed_in_one_line() -> None:
    """Without --all too."""
    async with served(make_farm(2)) as site:
        result = await scan("127.77.0.1-127.77.0.2", *of(site))
    assert re.search(
        r"^together: 4[0-9]{2}\.[0-9]{2} TH/s now, 6 boards with 648 chips, ([0-9.]+ kW, )?[12] pools? in use$",
        result.stdout,
        re.MULTILINE,
    )


def told(
    host: str, rate_hs: float | None, watts: float | None, *chips: int | None, pools: tuple[str, ...] = ()
) -> Found:
    """Return a find whose unit reports these figures."""
    reading = UnitReading(
        unit_id=host,
        at=7.0,
        dialect=Dialect.LEGACY,
        mode=None,
        hashrate_5s_hs=rate_hs,
        power_watts=watts,
        boards=tuple(BoardReading(slot=slot, hashrate_hs=None, chips=each) for slot, each in enumerate(chips)),
        pools=tuple(PoolReading(index=0, status="Alive", is_active=True, url=url) for url in pools),
    )
    return Found(host=host, port=4028, web_port=80, at=7.0, kind=Kind.IDENTIFIED, reading=reading)


PAGE_ONLY = Found(host="10.0.0.9", port=4028, web_port=80, at=7.0, kind=Kind.IDENTIFIED)
WHOLE = told("10.0.0.1", 200e12, 3500.0, 108, 108, pools=("stratum+tcp://a.example:1",))


@pytest.mark.parametrize(
    ("units", "line"),
    [
        ([], ""),
        ([PAGE_ONLY], ""),
        ([WHOLE], "together: 200.00 TH/s now, 2 boards with 216 chips, 3.50 kW, 1 pool in use"),
        (
            [WHOLE, told("10.0.0.2", 0.0, 20.0, 0, 0, pools=("stratum+tcp://b.example:1",))],
            "together: 200.00 TH/s now, 4 boards with 216 chips, 3.52 kW, 2 pools in use",
        ),
        (
            [WHOLE, told("10.0.0.2", None, None, 108, None)],
            (
                "together: 200.00 TH/s now (reported by 1 of 2 units),"
                " 4 boards with 324 chips (reported by 3 of 4 boards),"
                " 3.50 kW (reported by 1 of 2 units), 1 pool in use (reported by 1 of 2 units)"
            ),
        ),
        (
            [WHOLE, PAGE_ONLY],
            (
                "together: 200.00 TH/s now (reported by 1 of 2 units), 2 boards with 216 chips,"
                " 3.50 kW (reported by 1 of 2 units), 1 pool in use (reported by 1 of 2 units)"
            ),
        ),
        (
            [told("10.0.0.2", None, None, None)],
            "together: - now (reported by 0 of 1 unit), 1 board with - chips (reported by 0 of 1 board)",
        ),
    ],
)
def test_a_missing_figure_is_not_a_zero(units: list[Found], line: str) -> None:
    """A sum says how many units report it unless all do; a measured zero is reported."""
    assert together(units) == line


async def test_a_narrow_terminal_breaks_no_address() -> None:
    """What is not identified gets two lines each on a phone."""
    async with unit(answering(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as (host, port):
        words = ["scan", host, "--port", str(port), "--no-pages"]
        result = await asyncio.to_thread(CliRunner().invoke, app, words, env={"COLUMNS": "40"})
    assert f"{host}:{port} HTTP\n  HTTP/1.1 400 Bad Request\\x0d" in result.stdout


async def test_json_has_base_units_and_no_pool_user() -> None:
    """One document: the counts, then a find a line."""
    farm = make_farm(2)
    async with served(farm) as site:
        shown = json.loads((await scan("127.77.0.1-127.77.0.2", *of(site), "--json")).stdout)
        users = json.loads((await scan("127.77.0.1-127.77.0.2", *of(site), "--json", "--pool-users")).stdout)
    assert (shown["identified"], shown["is_whole"], len(shown["found"])) == (2, True, 2)
    first = shown["found"][0]
    assert (first["host"], first["kind"], first["make"], first["model"], first["reader"]) == (
        "127.77.0.1",
        "identified",
        "Bitmain",
        "S21",
        "antminer",
    )
    assert first["reading"]["hashrate_5s_hs"] > 1e14
    assert {pool["user"] for pool in first["reading"]["pools"]} == {None}
    assert any(pool["user"] for pool in users["found"][0]["reading"]["pools"])


async def test_progress_is_shown_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """How far it is, and what was found so far; nothing at all into a file."""
    shown = {}
    for is_terminal in (True, False):
        file = io.StringIO()
        monkeypatch.setattr(scan_progress, "err", Console(file=file, force_terminal=is_terminal, width=100))
        async with scan_progress.progress(Tally(addresses=10, looked=4, open=3, identified=2)):
            await asyncio.sleep(0)
        shown[is_terminal] = file.getvalue()
    assert "4 of 10" in shown[True]
    assert "3 answer, 2 identified" in shown[True]
    assert shown[False] == ""


async def test_what_is_not_identified_is_listed() -> None:
    """With what it looks like; the proposal stays empty."""
    async with unit(answering(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as (host, port):
        result = await scan(host, "--port", str(port), "--no-pages")
    assert result.exit_code == 0
    assert re.search(rf"{host}:{port} +HTTP +HTTP/1\.1 400 Bad Request", result.stdout)


async def test_nothing_that_answers_is_a_failure() -> None:
    """A script notices; the count says what came instead."""
    async with unit(answering(b"")) as (_, port):
        result = await scan("127.0.0.2", "--port", str(port))
    assert result.exit_code == 1
    assert "1 refuse, 0 silent" in result.stdout
    assert "no unit answered" in result.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("10.0.0.0/30", "--rate", "1e9"),
            "scan: --rate = '1000000000': 1 to 20,000 connections a second; more would flood",
        ),
        (("10.0.0.0/30", "--rate", "nan"), "scan: --rate = 'nan': 1 to 20,000"),
        (("10.0.0.0/30", "--rate", "0"), "scan: --rate = '0': 1 to 20,000"),
        (("8.8.8.8",), "scan: RANGE = '8.8.8.8': not a private address, nor in ledger.networks of --config"),
        (("10.0.0.0/30", "--resume"), "scan: --resume: a scan is resumed by the --out of the stopped one"),
        (("10.0.0.0/30", "--out", "absent/p.csv"), "scan: --out = 'absent/p.csv': its folder does not exist"),
        (("10.0.0.0/30", "--out", "p.xlsx"), "scan: --out = 'p.xlsx': a proposal is CSV, which a spreadsheet opens"),
        (("10.0.0.0/30", "--out", "there.csv"), "scan: --out = 'there.csv': exists already"),
        (("10.0.0.0/30", "--logins", "logins"), "others may read or change this secret (mode 0644); chmod 600 it"),
        (("10.0.0.0/30", "--out", "p.csv", "--resume"), "p.csv.resume: --resume: there is no such file, so no scan"),
        (("10.0.0.0/30", "--deep", "--any-address"), "scan: --deep: pyasic is used at private addresses only"),
    ],
)
def test_one_message_a_mistake_before_a_packet_is_sent(
    words: tuple[str, ...], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 2, the option and its value; no scan begins."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.csv").touch()
    (tmp_path / "logins").write_text("10.0.0.0/8 root secret\n", encoding="utf-8")
    (tmp_path / "logins").chmod(0o644)

    def never(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr(command, "_run", never)
    result = CliRunner().invoke(app, ["scan", *words], env={"COLUMNS": "80"})
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert message in line


def test_pyasic_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the words to install it."""
    monkeypatch.setattr("agent.unit.foreign.process.find_spec", lambda _: None)
    result = CliRunner().invoke(app, ["scan", "127.0.0.1", "--deep"])
    assert result.exit_code == 2
    assert "pyasic is not installed here: pip install 'pyasic>=" in result.stderr


def plan(site: Served, out_file: Path, state: Unfinished | None = None) -> command._Plan:
    """Return the plan to scan a farm."""
    targets = parse_targets([ALL], allowed=PRIVATE_NETWORKS)
    options = ScanOptions(port=site.api.port, web_port=site.web.port, workers=1)
    return command._Plan(
        targets=targets,
        catalogue=shipped_catalogue(),
        login_of=login_finder((), PRIVATE_NETWORKS),
        options=options,
        out_file=out_file,
        state=state
        or Unfinished(targets=digest_of(targets, site.api.port), start=3, tally=Tally(addresses=len(targets))),
    )


async def test_a_stopped_scan_keeps_its_finds_and_is_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After Ctrl-C at the third find, another run finds the rest, and asks none of the three a second time."""
    taken = []
    take = Unfinished.take

    def stopping(self: Unfinished, *words: object) -> None:
        take(self, *words)  # type: ignore[arg-type]
        taken.append(len(self.found))
        if len(taken) == 3:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Unfinished, "take", stopping)
    async with served(make_farm(6)) as site:
        first = plan(site, tmp_path / "p.csv")
        assert await command._run(first, is_deep=False) == (False, None)
        kept = {each.host for each in first.state.found}
        assert 3 <= len(kept) < 6
        assert command._kept(first, propose(first.state.found, first.catalogue), is_whole=False) is None
        assert {row.host.partition(":")[0] for row in rows_of(tmp_path / "p.csv")} == kept
        state_file = tmp_path / "p.csv.resume"
        assert state_file.stat().st_mode & 0o077 == 0
        before = site.api.journal.counts["version"]
        state = read_unfinished(state_file, targets=first.state.targets)
        second = plan(site, tmp_path / "p.csv", state)
        assert await command._run(second, is_deep=False) == (True, None)
        asked = site.api.journal.counts["version"] - before
    assert asked <= 6 - len(kept) + 1
    assert sorted(each.host for each in second.state.found) == [f"127.77.0.{last}" for last in range(1, 7)]
    assert second.state.tally.is_whole
    assert command._kept(second, propose(second.state.found, second.catalogue), is_whole=True) is None
    assert files_in(tmp_path) == ["p.csv"]


async def test_a_killed_scan_has_kept_its_state(tmp_path: Path) -> None:
    """The file is written while the scan runs; another run continues from it, however the first one ended."""
    path = tmp_path / "p.csv.resume"
    async with served(make_farm(6)) as site:
        first = plan(site, tmp_path / "p.csv")
        finds = scan_targets(
            first.targets,
            catalogue=first.catalogue,
            login_of=first.login_of,
            options=first.options,
            indices=first.state.rest(first.targets),
            tally=first.state.tally,
            on_silent=first.state.undecided.discard,
        )
        async with scan_progress.kept(first.state, path, every_s=0.001), aclosing(finds):
            async for found in finds:
                first.state.take(found, first.targets)
                if len(first.state.found) == 3:
                    while not path.exists() or len(read_unfinished(path, targets=first.state.targets).found) < 3:  # noqa: ASYNC110 - A file has no event.
                        await asyncio.sleep(0.001)
                    as_killed = path.read_bytes()
        path.write_bytes(as_killed)
        refused = await scan(ALL, *of(site), "--out", str(tmp_path / "p.csv"))
        assert refused.exit_code == 2
        assert f"{path} has a scan that was not finished; --resume continues it" in refused.stderr
        before = site.api.journal.counts["version"]
        result = await scan(ALL, *of(site), "--out", str(tmp_path / "p.csv"), "--resume")
        assert site.api.journal.counts["version"] - before == 3
    assert result.exit_code == 0
    assert "6 identified" in result.stdout
    assert files_in(tmp_path) == ["p.csv"]


async def test_a_state_that_cannot_be_kept_does_not_stop_a_scan(tmp_path: Path) -> None:
    """It is told once."""
    state = Unfinished(targets="x", start=0)
    told = io.StringIO()
    with pytest.MonkeyPatch.context() as context:
        context.setattr(scan_progress, "err", Console(file=told, width=200))
        async with scan_progress.kept(state, tmp_path / "absent" / "p.csv.resume", every_s=0.001):
            while not told.getvalue():  # noqa: ASYNC110 - A console has no event.
                await asyncio.sleep(0.001)
            await asyncio.sleep(0.01)
    assert told.getvalue().count("note: a killed scan could not be continued") == 1


async def test_a_proposal_that_was_filled_in_is_not_replaced_by_a_resumed_scan(tmp_path: Path) -> None:
    """Work of a person is refused, not lost; once the file is moved away the scan goes on."""
    path = tmp_path / "p.csv"
    async with served(make_farm(2)) as site:
        first = plan(site, path)
        assert command._kept(first, propose((), first.catalogue), is_whole=False) is None
        words = (ALL, *of(site), "--out", str(path), "--resume")
        path.write_text(path.read_text(encoding="utf-8") + "by hand", encoding="utf-8")
        refused = await scan(*words)
        assert refused.exit_code == 2
        assert refused.stderr.startswith(f"scan: --out = '{path}': was changed since its scan stopped")
        path.rename(tmp_path / "mine.csv")
        assert (await scan(*words)).exit_code == 0
    assert sum(bool(row.model) for row in rows_of(path)) == 2


async def test_the_state_of_other_addresses_is_refused(tmp_path: Path) -> None:
    """A scan of other ranges is not continued by it."""
    (tmp_path / "p.csv.resume").write_bytes(b'{"targets":"x","start":0}')
    result = await scan("127.0.0.1", "--out", str(tmp_path / "p.csv"), "--resume")
    assert result.exit_code == 2
    assert "the state of a scan of other addresses" in result.stderr


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b'{"targets":1}', b'{"targets":"x","start":0,"format":9}'])
async def test_a_file_that_is_no_state_is_refused(tmp_path: Path, content: bytes) -> None:
    """One message, whatever its bytes."""
    (tmp_path / "p.csv.resume").write_bytes(content)
    result = await scan("127.0.0.1", "--out", str(tmp_path / "p.csv"), "--resume")
    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)
    assert "the state of a scan" in result.stderr


async def test_a_stopped_scan_says_how_to_continue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 1, after what was found."""

    async def stopped(*_: object, **__: object) -> tuple[bool, None]:
        return False, None

    monkeypatch.setattr(command, "_run", stopped)
    result = await scan("127.0.0.1", "--out", str(tmp_path / "p.csv"))
    assert result.exit_code == 1
    assert f"stopped before its end; --resume continues it ({tmp_path}/p.csv.resume)" in result.stderr


async def test_a_failure_of_pyasic_keeps_the_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The proposal is written and the finds are shown; then the failure ends the command."""

    async def failing(*_: object) -> None:
        raise DeepError("pyasic's process ended")

    monkeypatch.setattr(command, "_identify_deep", failing)
    async with served(make_farm(1)) as site:
        result = await scan("127.77.0.1", *of(site), "--deep", "--out", str(tmp_path / "p.csv"))
    assert result.exit_code == 1
    assert "1 identified" in result.stdout
    notice, failure = result.stderr.splitlines()
    assert "4028, 80, 443, 4433" in notice
    assert failure == "pyasic's process ended"
    assert len(rows_of(tmp_path / "p.csv")) == 1


async def test_a_full_disk_is_one_error_after_the_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was found is shown nevertheless, and no file is left half-written."""

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    async with served(make_farm(1)) as site:
        monkeypatch.setattr("os.fsync", full)
        result = await scan("127.77.0.1", *of(site), "--out", str(tmp_path / "p.csv"))
    assert result.exit_code == 1
    assert "1 identified" in result.stdout
    assert result.stderr == f"{tmp_path}/p.csv: No space left on device\n"
    assert files_in(tmp_path) == []


async def test_a_site_s_configuration_adds_its_networks(tmp_path: Path) -> None:
    """A network in `ledger.networks` may be scanned and read, another public one not."""
    config = tmp_path / "site.toml"
    config.write_text(
        '[site]\nname = "a"\n[ledger]\nfile = "ledger.csv"\nnetworks = ["203.0.113.0/24"]\n', encoding="utf-8"
    )
    networks = command._Site(config).networks
    assert len(parse_targets(["203.0.113.9"], allowed=networks)) == 1
    result = await scan("198.51.100.1", "--config", str(config))
    assert (result.exit_code, "not a private address" in result.stderr) == (2, True)
    result = await asyncio.to_thread(CliRunner().invoke, app, ["read", "198.51.100.1", "--config", str(config)])
    assert (result.exit_code, "not a private address" in result.stderr) == (2, True)


async def test_units_outside_the_ledger_s_networks_get_no_login(tmp_path: Path) -> None:
    """They are identified without a page; the ranges are named, and not one GET is sent to them."""
    config = tmp_path / "site.toml"
    config.write_text('[site]\nname = "a"\n[ledger]\nfile = "l.csv"\nnetworks = ["127.77.0.0/30"]\n', encoding="utf-8")
    async with served(make_farm(6)) as site:
        words = ("127.77.0.1-127.77.0.3", "127.77.0.4-127.77.0.6", *of(site), "--config", str(config))
        result = await scan(*words, "--all")
        pages = site.api.journal.counts["GET /cgi-bin/get_system_info.cgi"]
    assert (result.exit_code, pages) == (0, 3)
    assert result.stderr == (
        "note: not wholly in ledger.networks, so no login is sent outside of them and no MAC address is read:"
        " 127.77.0.4-127.77.0.6\n"
    )
    assert len(re.findall(r"^127\.77\.0\.[456]:.* no MAC$", result.stdout, re.MULTILINE)) == 3
    assert "without identity: 3 units" in result.stdout


def test_the_proposal_is_csv_that_spreadsheets_read(tmp_path: Path) -> None:
    """Its header alone, when nothing is identified."""
    targets = parse_targets(["127.0.0.1"], allowed=PRIVATE_NETWORKS)
    empty = command._Plan(
        targets=targets,
        catalogue=shipped_catalogue(),
        login_of=lambda _: None,
        options=ScanOptions(),
        out_file=tmp_path / "p.csv",
        state=Unfinished(targets="", start=0),
    )
    assert command._kept(replace(empty), propose([], empty.catalogue), is_whole=True) is None
    (header,) = csv.reader((tmp_path / "p.csv").read_text(encoding="utf-8").splitlines())
    assert header[:4] == ["unit_id", "model", "hashrate_th", "host"]
