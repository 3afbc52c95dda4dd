"""Units under ePIC firmware, recorded over HTTP on TCP 4028: what is asked, kept, redacted, read, and served again."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from epic_units import FOLDER
from loopback import Behaviour, unit
from recorded_units import files_of, only, plan, record, written
from sim_cases import make_farm

from agent.errors import DeadlineError, DisconnectedError, ForeignProtocolError
from agent.hil.capture import form
from agent.hil.capture.exchange import Patience
from agent.hil.capture.folder import read_capture
from agent.hil.capture.form import Capture, CapturedUnit, Ending, Manifest, RecordedReply
from agent.hil.capture.golden import golden_of
from agent.hil.capture.replayed import reading_of
from agent.hil.capture.requests import ALLOWED_PAGES, PAGES, Firmware
from agent.hil.capture.states import State
from agent.hil.redaction.redactor import Redactor
from agent.unit.reading import UnitReading
from simulators.faults.unit import Asleep
from simulators.sockets.replay import read_captures
from simulators.sockets.replaying import serve_replay
from simulators.sockets.serving import serve_farm
from simulators.unit.conditions import Change, Verb

HOST = "127.77.0.1"
MIX = "S21:200/epic=100%"
PATHS = tuple(page.removeprefix(form.API_PAGE) for page in PAGES[Firmware.EPIC])


@asynccontextmanager
async def replayed(folder: Path) -> AsyncIterator[tuple[str, int]]:
    """Serve a capture; yields its address and the port of its API."""
    units = read_captures([folder], "127.78.0.1")
    async with serve_replay(units, lambda: 1.8e9, port=0, has_pages=False) as served:
        assert served.api is not None
        yield units[0].host, served.api.port


def by_path(answers: dict[str, bytes], *, waits_for_line: bool = False) -> Behaviour:
    """Answer GETs by path, and 400 to what is no HTTP; a server may wait for a line's end before it says a word."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n") if waits_for_line else await reader.read(4096)
        words = head.split(b"\r\n")[0].split(b" ")
        status, body = b"400 Bad Request", b""
        if words[0] == b"GET":
            body = answers.get(words[1].decode(), b"")
            status = b"200 OK" if body else b"404 Not Found"
        writer.write(b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body))

    return behave


RECORDED = {
    "/summary": (FOLDER / "http4028-summary.json").read_bytes(),
    "/capabilities": (FOLDER / "http4028-capabilities.json").read_bytes(),
    "/network": (FOLDER / "http4028-network.json").read_bytes(),
    "/temps": (FOLDER / "http4028-temps.json").read_bytes(),
}


async def test_pages_are_asked_and_nothing_is_written(tmp_path: Path) -> None:
    """`version` once, then each page once by GET, without a login; later looks ask what moves."""
    farm = make_farm(1, mix=MIX)
    async with serve_farm(farm, port=0) as server:
        recording = only(await record(tmp_path, plan(HOST, server.port, for_s=0.5, every_s=0.3)))
        counts, writes = dict(server.journal.counts), server.journal.writes
    assert writes == 0
    assert counts["version"] == 1
    assert {name.removeprefix("GET ") for name in counts if name != "version"} == set(PATHS)
    assert counts["GET /summary"] == counts["GET /temps"] == 2
    assert counts["GET /capabilities"] == 1
    done = written(recording, tmp_path / "s21-epic-2026")
    assert (done.firmware, done.capture.manifest.unit.reader) == (Firmware.EPIC, "epic")
    assert done.capture.manifest.unit.model == "AntMiner S21"
    summary = next(reply for reply in done.capture.manifest.replies if reply.request == "GET :4028/summary")
    assert (summary.status, summary.ending, summary.file) == (200, Ending.LENGTH, "http4028-summary.json")
    assert summary.head is not None
    golden = json.loads(done.golden)["first"]
    assert (golden["reader"], golden["mode"], len(golden["boards"])) == ("epic", "normal", 3)


async def test_a_recording_of_a_replay_is_the_capture_again(tmp_path: Path) -> None:
    """Byte for byte, heads and redaction included, but for the times; the reading too."""
    farm = make_farm(1, mix=MIX)
    async with serve_farm(farm, port=0) as server:
        first = only(await record(tmp_path, plan(HOST, server.port)))
    written(first, tmp_path / "first" / "a", Redactor())
    async with replayed(tmp_path / "first" / "a") as (host, port):
        again = only(await record(tmp_path, plan(host, port)))
    written(again, tmp_path / "again" / "a", Redactor())
    one, other = files_of(tmp_path / "first" / "a"), files_of(tmp_path / "again" / "a")
    assert one.pop(form.TIMINGS) != other.pop(form.TIMINGS)
    assert one == other


async def test_pages_are_redacted(tmp_path: Path) -> None:
    """Password, account, worker, serials and MAC address go; words and figures stay, and so does the reading."""
    summary = json.loads(RECORDED["/summary"])
    summary["Hostname"] = "miner-1-jonas"
    summary["StratumConfigs"] = [{"login": "jonas.rack7", "password": "hunter2-x", "pool": "stratum+tcp://j.site:3333"}]
    summary["Stratum"]["Current User"] = "jonas.rack7"
    pages = RECORDED | {"/summary": json.dumps(summary, indent=2).encode()}
    async with unit(by_path(pages)) as endpoint:
        recording = only(await record(tmp_path, plan(*endpoint)))
    plain = written(recording, tmp_path / "plain")
    done = written(recording, tmp_path / "redacted", Redactor())
    text = b"\n".join(done.capture.data.values())
    for secret in (b"jonas", b"rack7", b"hunter2", b"j.site", b"02:00:00:00:00:03", b"REDACTED000000001"):
        assert secret not in text
    words = (
        b"PowerPlay-BMS v1.5.13",
        b"VoltageOptimizer",
        b"umcOS",
        b'"Operating State": "Mining"',
        b"AntMiner S19 XP",
    )
    for kept in words:
        assert kept in text
    assert [len(data) for data in done.capture.data.values()] == [len(data) for data in plain.capture.data.values()]
    read, before = reading_of(done.capture), reading_of(plain.capture)
    assert isinstance(read, UnitReading)
    assert isinstance(before, UnitReading)
    assert (read.rate_hs, read.boards, read.power_watts) == (before.rate_hs, before.boards, before.power_watts)


async def test_a_server_that_waits_for_a_line_is_recorded(tmp_path: Path) -> None:
    """It does not answer `version`, and its first page tells what it is."""
    async with unit(by_path(RECORDED, waits_for_line=True)) as endpoint:
        patience = Patience(deadline_s=0.5, close_s=0.1)
        recording = only(await record(tmp_path, plan(*endpoint, patience=patience)))
    done = written(recording, tmp_path / "a")
    version = done.capture.manifest.replies[0]
    assert (version.request, version.ending, version.file) == ("version", Ending.SILENCE, None)
    assert done.firmware is Firmware.EPIC


@pytest.mark.parametrize("page", [b"", b"<!doctype html><title>Printer</title>", b'{"Session":1}'])
async def test_another_web_server_is_refused_by_name(tmp_path: Path, page: bytes) -> None:
    """It was asked for one page, and nothing of it is kept."""
    async with unit(by_path({"/summary": page})) as endpoint:
        (recording,) = await record(tmp_path, plan(*endpoint))
    assert isinstance(recording.error, ForeignProtocolError)
    assert not recording.gathering.is_answered or recording.gathering.looks == []


async def test_a_sleep_is_a_moment(tmp_path: Path) -> None:
    """States are told from the pages alone."""
    farm = make_farm(1, mix=MIX)
    farm.units[0].schedule(Change(farm.clock.now() + 600.0, 1, Verb.INJECT, 1, Asleep()))
    async with serve_farm(farm, port=0) as server:

        def then_sleep(_host: str, _look: object) -> None:
            farm.clock.advance(3600.0)

        recording = only(await record(tmp_path, plan(HOST, server.port, for_s=0.5, every_s=0.3), on_look=then_sleep))
    assert recording.gathering.states == [State.HASHING, State.ASLEEP]
    done = written(recording, tmp_path / "a")
    assert [moment.folder for moment in done.capture.manifest.moments] == ["moments/01-asleep"]
    assert json.loads(done.golden)["moments/01-asleep"]["mode"] == "sleep"


def test_the_public_capture_is_read() -> None:
    """A folder without a manifest is read as it stands: its pages have no heads."""
    capture = read_capture(FOLDER)
    reading = reading_of(capture)
    assert isinstance(reading, UnitReading)
    assert (reading.reader, reading.rate_hs, reading.identity.model) == ("epic", 99_365_848e6, "AntMiner S19 XP")
    assert "02:00:00:00:00:03" in golden_of(capture).decode()


def pages_only(**reply: object) -> Capture:
    """Return a capture of `/summary` that ended in some way."""
    recorded = RecordedReply(request="GET :4028/summary", **reply)  # type: ignore[arg-type]
    manifest = Manifest(
        form=form.FORM, recorded_by="", is_redacted=True, unit=CapturedUnit(), ports={}, replies=(recorded,)
    )
    data = {} if recorded.file is None else {recorded.file: RECORDED["/summary"][:-10]}
    return Capture(name="a", manifest=manifest, data=data)


HEAD = f"HTTP/1.1 200 OK\r\nContent-Length: {len(RECORDED['/summary'])}\r\n"


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        ({"ending": Ending.SILENCE}, DeadlineError),
        ({"ending": Ending.RESET}, DisconnectedError),
        ({"ending": Ending.CLOSE, "head": HEAD, "status": 200, "file": "http4028-summary.json"}, DisconnectedError),
        ({"ending": Ending.SILENCE, "head": HEAD, "status": 200, "file": "http4028-summary.json"}, DeadlineError),
        ({"ending": Ending.RESET, "head": HEAD, "status": 200, "file": "http4028-summary.json"}, DisconnectedError),
    ],
)
def test_a_page_that_ended_early_is_the_clients_error(reply: dict[str, object], error: type) -> None:
    """As the agent's client ends such a poll."""
    assert isinstance(reading_of(pages_only(**reply)), error)


def test_chunks_are_put_together() -> None:
    """A page that came in chunks is read like one with a length."""
    body = RECORDED["/summary"]
    recorded = RecordedReply(
        request="GET :4028/summary",
        file="http4028-summary.json",
        ending=Ending.LENGTH,
        status=200,
        head="HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n",
        chunks=(1000, len(body) - 1000),
    )
    manifest = Manifest(
        form=form.FORM, recorded_by="", is_redacted=True, unit=CapturedUnit(), ports={}, replies=(recorded,)
    )
    reading = reading_of(Capture(name="a", manifest=manifest, data={"http4028-summary.json": body}))
    assert isinstance(reading, UnitReading)
    assert reading.rate_hs == 99_365_848e6


def test_the_whitelist_has_pages_that_tell() -> None:
    """GETs of eight paths, none of which is a path of an order."""
    assert set(PAGES[Firmware.EPIC]) <= ALLOWED_PAGES
    assert len(PATHS) == 8
    assert not {"/miner", "/coin", "/reboot", "/network/"} & set(PATHS)
