"""`hashsight record`: a capture from the command line, one clear message per mistake, and nothing lost."""

import asyncio
import json
import os
import re
import signal
import sys
from pathlib import Path

import pytest
from capture_files import capture
from loopback import answering, hanging, resetting, unit
from patience import PATIENT_S
from recorded_units import files_of
from sim_cases import make_farm
from typer.testing import CliRunner, Result
from web_cases import Served, served, until

from agent.commands import record_captures
from agent.commands.command_line import app
from agent.files.lock import FileLock
from agent.hil.capture import form
from agent.hil.capture.folder import read_capture
from agent.hil.capture.recorder import WEB_PORT
from simulators.sockets.replay import read_captures
from simulators.sockets.replaying import serve_replay

HOST = "127.77.0.1"
NAME = "s21-stock-202410"
WORD = "correct-horse-battery"


async def record(*words: str, stdin: str | None = None) -> Result:
    """Run the command."""
    return await asyncio.to_thread(
        CliRunner().invoke, app, ["record", *words], input=stdin, env={"COLUMNS": "80"}, catch_exceptions=False
    )


def at(site: Served, host: str = HOST) -> tuple[str, ...]:
    """Return the words that lead to a unit of a served farm."""
    return f"{host}:{site.api.port}", "--web-port", str(site.web.port)


def login_file(folder: Path, word: str = "root") -> str:
    """Return a file with the login of all loopback addresses."""
    path = folder / "logins"
    path.write_text(f"127.0.0.0/8 root {word}\n")
    path.chmod(0o600)
    return str(path)


def spools(folder: Path) -> list[str]:
    """Return the unfinished recordings in a folder."""
    return [str(folder / name) for name in files_of(folder) if name.endswith(".partial")]


async def test_a_unit_becomes_a_capture(tmp_path: Path) -> None:
    """One folder with replies, pages, manifest, golden reading and a row of sources; the screen fits 80 columns."""
    farm = make_farm(1)
    async with served(farm) as site:
        result = await record(*at(site), "-o", str(tmp_path / "out"), "--logins", login_file(tmp_path))
        writes = site.api.journal.writes
    assert (result.exit_code, writes) == (0, 0)
    assert max(len(line) for line in result.stdout.splitlines() if str(tmp_path) not in line) <= 80
    assert re.search(r"^unit +Antminer S21, 200 TH/s at 127\.77\.0\.1:", result.stdout, re.MULTILINE)
    assert re.search(r"^firmware +stock, Fri Oct 11 16:34:48 CST 2024$", result.stdout, re.MULTILINE)
    assert re.search(r"^boards +3 of 108 chips$", result.stdout, re.MULTILINE)
    assert re.search(r"^framing +12 x NUL, then it closes; 22 x at the announced length$", result.stdout, re.MULTILINE)
    assert re.search(r"^times +connect median [0-9.]+ ms, at most [0-9]+ ms; first byte ", result.stdout, re.MULTILINE)
    assert re.search(r"^unread +no field", result.stdout, re.MULTILINE)
    assert re.search(r"^confirmed +A01 ", result.stdout, re.MULTILINE)
    written = read_capture(tmp_path / "out" / NAME)
    assert written.manifest.is_redacted
    assert len(written.data) == 34
    identity = farm.units[0].identity
    everything = b"".join(files_of(tmp_path / "out" / NAME).values())
    for secret in (identity.serial, identity.mac, identity.miner_id):
        assert secret.encode() not in everything
        assert secret.lower().encode() not in everything
        assert secret not in result.output
    assert "Replaced:\n  serial number: " in result.stderr
    assert "Kept:\n" in result.stderr
    assert max(map(len, result.stderr.splitlines())) <= 80
    assert spools(tmp_path / "out") == []


async def test_recording_a_replay_gives_the_redacted_capture_again(tmp_path: Path) -> None:
    """A fixpoint from the command line, pages and redaction included: all files but the times are the same."""
    async with served(make_farm(1)) as site:
        first = await record(*at(site), "-o", str(tmp_path / "a"), "--logins", login_file(tmp_path))
    assert first.exit_code == 0
    units = read_captures([tmp_path / "a" / NAME], "127.78.0.1")
    async with serve_replay(units, lambda: 1.8e9, port=0) as replayed:
        assert replayed.api is not None
        web_port = next(place.port for place in replayed.places if place.recorded == WEB_PORT)
        words = (f"127.78.0.1:{replayed.api.port}", "--web-port", str(web_port))
        second = await record(*words, "-o", str(tmp_path / "b"), "--logins", login_file(tmp_path))
    assert second.exit_code == 0
    files = [files_of(tmp_path / folder / NAME) for folder in ("a", "b")]
    for each in files:
        del each[form.TIMINGS]
    assert files[0] == files[1]


async def test_second_capture_of_a_kind_gets_a_number(tmp_path: Path) -> None:
    """No capture is replaced."""
    async with served(make_farm(1)) as site:
        results = [await record(*at(site), "-o", str(tmp_path)) for _ in range(2)]
    assert [result.exit_code for result in results] == [0, 0]
    assert {name.partition("/")[0] for name in files_of(tmp_path)} == {NAME, f"{NAME}-2", ".record.lock"}
    assert read_capture(tmp_path / f"{NAME}-2").name == f"{NAME}-2"
    assert f"`{NAME}-2`" in (tmp_path / f"{NAME}-2" / form.SOURCES).read_text()


async def test_json_tells_what_was_recorded(tmp_path: Path) -> None:
    """One document, in base units: folder, unit, endings, times, what was replaced, and the reading."""
    async with served(make_farm(1)) as site:
        result = await record(*at(site), "-o", str(tmp_path), "--json")
        host = at(site)[0]
    (told,) = json.loads(result.stdout)["captures"]
    assert (told["host"], told["folder"]) == (host, str(tmp_path / NAME))
    assert (told["unit"]["model"], told["firmware"], told["is_redacted"]) == ("Antminer S21", "stock", True)
    assert told["reading"]["hashrate_5s_hs"] > 1e14
    assert told["ports"] == {"80": "open", "4028": "open"}
    assert told["states"] == [{"state": "hashing", "first_at_s": told["states"][0]["first_at_s"], "looks": 1}]
    assert len(told["endings"]["nul_close"]) == 12
    assert all(each["least"] <= each["median"] <= each["greatest"] for each in told["times"].values())
    assert {each["kind"] for each in told["replaced"]} >= {"serial number"}
    verdicts = {each["id"]: each["verdict"] for each in told["assumptions"]}
    assert (verdicts["A01"], verdicts["A34"]) == ("confirmed", "not_shown")
    assert told["unread"] == {"fields": [], "more": 0}


async def test_fields_that_nobody_reads_are_named(tmp_path: Path) -> None:
    """A field of new firmware is on the screen and in the JSON by its own name, also if the capture replaces it."""
    version = b'{"STATUS":[{"STATUS":"S","Description":"cgminer 1.0.0"}],"VERSION":[{"Type":"Antminer S21"}],"id":1}\0'
    stats = capture("s21-stock-aml-202407/http-stats.json").replace(b'"fan_num"', b'"quantum_flux":17.5,"fan_num"', 1)

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(stats.rstrip(b"\0") + b"\0" if b'"stats"' in await reader.read(4096) else version)

    async with unit(behave, HOST) as (host, port):
        result = await record(f"{host}:{port}", "-o", str(tmp_path))
        as_json = await record(f"{host}:{port}", "-o", str(tmp_path), "--json")
    assert "stats new_api: STATS[].quantum_flux x2 (number, 17.5)" in result.stdout
    (told,) = json.loads(as_json.stdout)["captures"]
    assert ("STATS[].quantum_flux", "17.5") in {(each["path"], each["example"]) for each in told["unread"]["fields"]}


async def test_private_captures_say_so(tmp_path: Path) -> None:
    """Without redaction the manifest says it, the folder is its owner's alone, and the screen warns."""
    async with served(make_farm(1)) as site:
        result = await record(*at(site), "-o", str(tmp_path), "--no-redact")
    assert result.exit_code == 0
    assert "NOT redacted: private" in result.stdout
    assert not read_capture(tmp_path / NAME).manifest.is_redacted
    assert {path.stat().st_mode & 0o077 for path in (tmp_path / NAME).rglob("*")} == {0}
    assert "**private**" in (tmp_path / NAME / form.SOURCES).read_text()


async def test_a_terminal_is_asked_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is replaced is shown; "n" writes nothing and loses nothing."""
    farm = make_farm(1)
    asked: list[str] = []

    def answer(text: str, **_: object) -> bool:
        asked.append(text)
        return False

    monkeypatch.setattr(record_captures, "_has_terminal", lambda: True)
    monkeypatch.setattr(record_captures.typer, "confirm", answer)
    async with served(farm) as site:
        declined = await record(*at(site), "-o", str(tmp_path))
        agreed = await record(*at(site), "-o", str(tmp_path), "--yes")
    assert (declined.exit_code, len(asked), agreed.exit_code) == (1, 1, 0)
    assert NAME in asked[0]
    (spool,) = spools(tmp_path)
    finished = await record("--finish", spool, "--yes")
    assert finished.exit_code == 0
    assert read_capture(tmp_path / f"{NAME}-2").manifest.replies == read_capture(tmp_path / NAME).manifest.replies
    assert spools(tmp_path) == []


MISTAKES: dict[str, tuple[tuple[str, ...], str]] = {
    "no host": ((), "HOST: name a unit"),
    "a name": (("miner.example",), "a literal IP address is expected"),
    "public": (("203.0.113.9",), "not a private address"),
    "twice": (("127.0.0.1", "127.0.0.1:4028"), "stands twice"),
    "no time": (("127.0.0.1", "--for", "soon"), "--for = 'soon': a time is expected"),
    "too long": (("127.0.0.1", "--for", "25h"), "a time from 0s to 24h is expected"),
    "too often": (("127.0.0.1", "--every", "1s"), "a time from 5s to 24h is expected"),
    "half a login": (("127.0.0.1", "--user", "root"), "goes together with --password-file"),
    "two tasks": (("127.0.0.1", "--finish", "x.partial"), "is given alone"),
    "too many": (tuple(f"127.0.1.{number}" for number in range(65)), "at most 64"),
    "no spool": (("--finish", "/nowhere/x.partial"), "No such file"),
}


@pytest.mark.parametrize(("words", "message"), MISTAKES.values(), ids=MISTAKES)
async def test_mistakes_are_named(tmp_path: Path, words: tuple[str, ...], message: str) -> None:
    """Exit 2, one clear message, and nothing is sent or written."""
    result = await record(*words, *(() if "--finish" in words else ("-o", str(tmp_path))))
    assert result.exit_code == 2
    assert message in result.stderr
    assert files_of(tmp_path) == {}


async def test_spool_that_is_none(tmp_path: Path) -> None:
    """A file that no recorder wrote, or a newer one, or one that was edited: line and reason."""
    begun = b'{"line":"begun","spool":%d,"host":"h","recorded_by":"","recorded_at":""}\n'
    cases = {
        b"": "line 1: is no unfinished recording",
        b'{"a": 1}\n': "line 1: is no line of a recording",
        begun % 9: "spool = '9': is of a newer version",
        b'{"line":"begun","spool":9,"unit":"x"}\n': "spool = '9': is of a newer version",
        begun % 1 + b"{}\n" + begun % 1: "line 2: is no line of a recording",
    }
    for data, message in cases.items():
        path = tmp_path / "x.partial"
        path.write_bytes(data)
        result = await record("--finish", str(path))
        assert (result.exit_code, message in result.stderr) == (2, True), result.stderr
        assert path.read_bytes() == data


async def test_spool_without_a_reply_is_kept_back(tmp_path: Path) -> None:
    """A recording that was stopped before its first reply has nothing to finish."""
    path = tmp_path / "x.partial"
    path.write_bytes(b'{"line":"begun","spool":1,"host":"h","recorded_by":"","recorded_at":""}\n')
    result = await record("--finish", str(path))
    assert result.exit_code == 1
    assert "nothing answered while it was recorded" in result.stderr
    assert path.exists()


async def test_two_recorders_in_one_folder(tmp_path: Path) -> None:
    """The second is refused, and so is finishing what the first still writes."""
    lock = FileLock(tmp_path / ".record")
    try:
        for words in (("127.0.0.1", "-o", str(tmp_path)), ("--finish", str(tmp_path / "127.0.0.1.partial"))):
            result = await record(*words)
            assert result.exit_code == 2
            assert "another `hashsight record` writes into this folder" in result.stderr
    finally:
        lock.close()


async def test_host_that_is_no_unit(tmp_path: Path) -> None:
    """What it is, and where to look; exit 1 and no capture."""
    async with unit(answering(b'{"STATUS":"E","When":1,"Code":14,"Msg":"invalid cmd"}\0'), HOST) as (host, port):
        result = await record(f"{host}:{port}", "-o", str(tmp_path))
    assert result.exit_code == 1
    assert "this is a Whatsminer, which hashsight does not read" in result.stderr
    async with unit(hanging(), HOST) as (host, port):
        result = await record(f"{host}:{port}", "-o", str(tmp_path), "--timeout", "0.2")
    assert result.exit_code == 1
    assert "deadline: " in result.stderr
    assert "answers neither version nor stats" in result.stderr
    async with unit(resetting(), HOST) as (host, port):
        result = await record(f"{host}:{port}", "-o", str(tmp_path))
    assert result.exit_code == 1
    assert "disconnected: " in result.stderr
    assert "answers neither version nor stats: it resets them" in result.stderr
    assert list(files_of(tmp_path)) == [".record.lock"]


async def test_password_is_in_no_file(tmp_path: Path) -> None:
    """Neither --password-file nor --logins leaves its password in a capture or on the screen."""
    word = tmp_path / "word"
    word.write_text(f"{WORD}\n")
    word.chmod(0o600)
    async with served(make_farm(1), word=WORD) as site:
        words = ("--user", "root", "--password-file", str(word), "--no-redact")
        result = await record(*at(site), "-o", str(tmp_path / "out"), *words)
    assert result.exit_code == 0
    assert "http-stats.json" in files_of(tmp_path / "out" / NAME)
    assert WORD not in result.output
    assert all(WORD.encode() not in data for data in files_of(tmp_path / "out").values())


async def test_unit_outside_the_ledger_s_networks_gets_no_login(tmp_path: Path) -> None:
    """It is recorded without its pages, and that is said."""
    config = tmp_path / "site.toml"
    config.write_text('[site]\nname = "a"\n[ledger]\nfile = "l.csv"\nnetworks = ["10.0.0.0/8"]\n', encoding="utf-8")
    async with served(make_farm(1)) as site:
        words = ("--logins", login_file(tmp_path), "--config", str(config))
        result = await record(*at(site), "-o", str(tmp_path / "out"), *words)
        asked = [each for each in site.api.journal.counts if each.startswith("GET")]
    assert (result.exit_code, asked) == (0, [])
    assert f"note: {HOST} gets no login, so its pages are not read: " in result.output


async def test_known_password_is_replaced_wherever_the_unit_says_it(tmp_path: Path) -> None:
    """A unit that repeats its own login does not publish it, even if the password looks like a word of its firmware."""
    word = "temperature-alarm"
    said = f'{{"STATUS":[{{"STATUS":"S","Msg":"{word}","Description":"cgminer 1.0.0"}}],"id":1}}'.encode()
    async with unit(answering(said + b"\0"), HOST) as (host, port):
        words = (f"{host}:{port}", "--web-port", str(port))
        plain = await record(*words, "-o", str(tmp_path / "plain"))
        known = await record(*words, "-o", str(tmp_path / "known"), "--logins", login_file(tmp_path, word))
    assert (plain.exit_code, known.exit_code) == (0, 0)
    has_word = [
        {word.encode() in data for name, data in files_of(tmp_path / folder).items() if "tcp4028-" in name}
        for folder in ("plain", "known")
    ]
    assert has_word == [{True}, {False}]


async def _started(site: Served, folder: Path, *words: str) -> asyncio.subprocess.Process:
    """Start a recording of an hour as a process and wait for its first look."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "agent", "record", f"{HOST}:{site.api.port}", "-o", str(folder), *words),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "COLUMNS": "80"},
    )
    await until(lambda: site.api.journal.counts["warning new_api"] >= 1)
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_signal_ends_a_recording_and_keeps_it(tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl-C and SIGTERM: what was recorded until then becomes a capture."""
    async with served(make_farm(1)) as site:
        process = await _started(site, tmp_path, "--for", "1h")
        async with asyncio.timeout(PATIENT_S):
            assert process.stderr is not None
            while b"hashing" not in await process.stderr.readline():
                pass
        process.send_signal(number)
        async with asyncio.timeout(PATIENT_S):
            _, errors = await process.communicate()
    assert process.returncode == 0
    assert b"stopped before its end" in errors
    assert len(read_capture(tmp_path / NAME).data) == 12
    assert spools(tmp_path) == []


async def test_state_that_did_not_come_is_told(tmp_path: Path) -> None:
    """A recording through sleep that never saw it ends at --for, and says so."""
    async with served(make_farm(1)) as site:
        result = await record(*at(site), "-o", str(tmp_path), "--through", "sleep", "--for", "0s")
    assert result.exit_code == 0
    assert "asleep was not seen until the recording ended; seen: hashing" in result.stderr


async def test_killed_recording_can_be_finished(tmp_path: Path) -> None:
    """A kill leaves the spool; the next recording points to it, and --finish makes the capture."""
    farm = make_farm(1)
    async with served(farm) as site:
        process = await _started(site, tmp_path, "--for", "1h")
        process.kill()
        async with asyncio.timeout(PATIENT_S):
            await process.communicate()
        (spool,) = spools(tmp_path)
        following = await record(*at(site), "-o", str(tmp_path))
    assert f"hashsight record --finish {spool}" in following.stderr
    finished = await record("--finish", spool)
    assert finished.exit_code == 0
    assert len(read_capture(tmp_path / f"{NAME}-2").data) >= 11


async def test_full_disk_at_the_end_keeps_the_spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The capture cannot be written: nothing of it is left, the spool is, and the message says how to go on."""

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", str(tmp_path / NAME))

    async with served(make_farm(1)) as site:
        with monkeypatch.context() as patched:
            patched.setattr(record_captures, "write_capture", full)
            result = await record(*at(site), "-o", str(tmp_path))
    assert result.exit_code == 1
    assert "No space left on device" in result.stderr
    (spool,) = spools(tmp_path)
    assert f"hashsight record --finish {spool}" in result.stderr
    assert (await record("--finish", spool)).exit_code == 0
    assert len(read_capture(tmp_path / NAME).data) == 12
