"""Recordings of strange units, and recordings that end early: what is refused, what is kept, and where."""

import asyncio
import json
import os
import socket
from pathlib import Path

import pytest
from capture_files import capture
from loopback import Behaviour, answering, hanging, resetting, unit
from patience import PATIENT_S
from recorded_units import LOGIN, NO_PAUSE, REFUSED, by_table, files_of, only, plan, record, written
from sim_cases import make_farm
from web_cases import served

from agent.errors import AgentError
from agent.hil.capture.exchange import Patience
from agent.hil.capture.gathering import Look
from agent.hil.capture.requests import REPORTS, Firmware
from agent.hil.capture.session import spooled
from agent.hil.capture.spool import SUFFIX
from agent.hil.capture.states import State

HOST = "127.77.0.1"


async def test_luxos_is_asked_for_what_it_has(tmp_path: Path) -> None:
    """Its own reports, and each listed board by itself; with the pause that its requests get."""
    folder = "s19kpro-luxos-2025"
    answers = {name: capture(f"{folder}/tcp4028-{name}.json") for name in ("version", "stats", "summary")}
    answers["devs"] = b'{"STATUS":[{"STATUS":"S","Code":9}],"DEVS":[{"ASC":0,"ID":1},{"ASC":1,"ID":2},{"ID":0}],"id":1}'
    heard: list[bytes] = []
    pauses = NO_PAUSE | {Firmware.LUXOS: 1e-6}
    async with unit(by_table(answers, heard), HOST) as address:
        recording = only(await record(tmp_path, plan(*address, pauses_s=pauses)))
    sent = [json.loads(request) for request in heard]
    boards = [each["parameter"] for each in sent if each["command"] == "healthchipget"]
    assert boards == ["0", "1", "2"]
    assert {"config", "power", "temps", "fans", "events"} <= {each["command"] for each in sent}
    done = written(recording, tmp_path / "a")
    assert (done.firmware, done.capture.manifest.unit.model) == (Firmware.LUXOS, "Antminer S19k Pro")
    assert "tcp4028-healthchipget_2.json" in done.capture.data


NO_UNITS: dict[str, tuple[Behaviour, str, int]] = {
    "http": (answering(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"), "foreign", 2),
    "whatsminer": (answering(b'{"STATUS":"E","When":1,"Code":14,"Msg":"invalid cmd"}\0'), "foreign", 1),
    "silent": (hanging(), "deadline", 3),
    "closes": (answering(b""), "disconnected", 2),
    "resets": (resetting(), "disconnected", 2),
    "babbles": (answering(b"hello, who is there?\n"), "malformed", 2),
}


@pytest.mark.parametrize(("behaviour", "reason", "most"), NO_UNITS.values(), ids=NO_UNITS)
async def test_no_unit_is_asked_no_more(tmp_path: Path, behaviour: Behaviour, reason: str, most: int) -> None:
    """Another protocol, another make, or nothing of sense: an error that says what it is, after one or two requests.

    What speaks HTTP, or says nothing, is asked for the first page of ePIC firmware besides.
    """
    connections = 0

    async def counted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await behaviour(reader, writer)

    patience = Patience(connect_s=0.5, deadline_s=0.2, close_s=0.05)
    async with unit(counted, HOST) as address:
        (recording,) = await record(tmp_path, plan(*address, patience=patience))
    assert isinstance(recording.error, AgentError)
    assert getattr(recording.error, "reason", "") == reason
    assert connections == most


async def test_address_without_a_listener_is_unreachable(tmp_path: Path) -> None:
    """The host refuses: nothing is waited for."""
    with socket.socket() as bound:
        bound.bind((HOST, 0))
        (recording,) = await record(tmp_path, plan(*bound.getsockname(), for_s=PATIENT_S))
    assert getattr(recording.error, "reason", "") == "unreachable"


async def test_unreadable_unit_is_recorded(tmp_path: Path) -> None:
    """A reply that no reader reads, but that has a STATUS, is what a capture is for."""
    heard: list[bytes] = []
    async with unit(
        by_table({"version": b'{"STATUS":[{"STATUS":"S"}],"VERSION":[{"New', "stats": b""}, heard)
    ) as address:
        recording = only(await record(tmp_path, plan(*address)))
    done = written(recording, tmp_path / "a")
    assert done.capture.data["tcp4028-version.txt"].endswith(b"New")
    assert json.loads(done.golden)["first"]["error"]


async def test_unit_that_dies_leaves_what_it_said(tmp_path: Path) -> None:
    """After three answers its listener is gone: those are in the capture, and what was not answered says so."""
    answers = {"version": capture("s21-stock-aml-202407/tcp4028-version.json")}
    answers["stats"] = capture("s21-stock-aml-202407/http-stats.json")
    server: asyncio.Server | None = None
    count = 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        count += 1
        request = await reader.read(4096)
        if count == 3 and server is not None:
            server.close()
        writer.write(answers.get(json.loads(request)["command"], REFUSED) + b"\0")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(handle, HOST, 0)
    recording = only(await record(tmp_path, plan(*server.sockets[0].getsockname())))
    done = written(recording, tmp_path / "a")
    replies = done.capture.manifest.replies
    assert [reply.request for reply in replies if reply.file] == ["version", "stats new_api", "stats"]
    assert all(reply.ending is None for reply in replies if not reply.file)
    assert len(replies) == 1 + len(REPORTS)
    assert done.capture.manifest.unit.model == "Antminer S21"


async def test_boot_is_waited_for(tmp_path: Path) -> None:
    """A unit without power is waited for if its boot is what is recorded; then all is asked."""
    with socket.socket() as bound:
        bound.bind((HOST, 0))
        port = bound.getsockname()[1]
    looks: list[Look] = []
    waiting = plan(HOST, port, for_s=PATIENT_S, every_s=0.02, through=State.BOOT)
    recording_now = asyncio.ensure_future(record(tmp_path, waiting, on_look=lambda _, look: looks.append(look)))
    async with asyncio.timeout(PATIENT_S):
        while not looks:  # noqa: ASYNC110 - looks publish no event.
            await asyncio.sleep(0.01)
        answers = {"version": capture("s21-stock-aml-202407/tcp4028-version.json")}
        answers["stats"] = capture("s21-stock-aml-202407/http-stats.json")
        bound = socket.socket()
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((HOST, port))
        async with unit(by_table(answers, []), bound=bound):
            recording = only(await recording_now)
    assert recording.gathering.states == [State.BOOT, State.HASHING]
    done = written(recording, tmp_path / "a")
    assert {reply.request for reply in done.capture.manifest.replies} == {"version", *REPORTS}
    assert done.capture.manifest.ports == {"4028": "open"}


async def test_spool_gives_the_same_capture(tmp_path: Path) -> None:
    """What is on the disk while recording is enough for the capture; a last line that was cut is left out."""
    farm = make_farm(1)
    async with served(farm) as site:
        recording = only(await record(tmp_path, plan(HOST, site.api.port, web_port=site.web.port, login=LOGIN)))
    done = written(recording, tmp_path / "a" / "s21")
    again = written(spooled(recording.path), tmp_path / "b" / "s21")
    assert files_of(tmp_path / "a") == files_of(tmp_path / "b")
    assert again == done
    assert recording.path.stat().st_mode & 0o777 == 0o600
    data = recording.path.read_bytes()
    cut = tmp_path / f"cut{SUFFIX}"
    cut.write_bytes(data[: len(data) * 2 // 3])
    shorter = written(spooled(cut), tmp_path / "c")
    assert shorter.capture.data.items() <= done.capture.data.items()
    assert len(shorter.capture.data) < len(done.capture.data)


async def test_cancelled_recording_keeps_what_it_has(tmp_path: Path) -> None:
    """A recording that is stopped in mid-look can be written, and its spool too."""
    answers = {"version": capture("s21-stock-aml-202407/tcp4028-version.json")}
    heard: list[bytes] = []
    behave = by_table(answers, heard)

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(heard) >= 4:
            await asyncio.sleep(PATIENT_S)
        await behave(reader, writer)

    patience = Patience(deadline_s=PATIENT_S, close_s=0.05)
    async with unit(slow, HOST) as address:
        task = asyncio.ensure_future(record(tmp_path, plan(*address, patience=patience)))
        async with asyncio.timeout(PATIENT_S):
            while len(heard) < 4:  # noqa: ASYNC110 - the unit publishes no event.
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    (spool,) = (name for name in files_of(tmp_path) if name.endswith(SUFFIX))
    done = written(spooled(tmp_path / spool), tmp_path / "a")
    assert len(done.capture.data) == 4


async def test_full_disk_ends_a_recording_and_keeps_its_spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exchange that cannot be written is the end; what was written before it is there."""
    farm = make_farm(1)
    total = 0
    really = os.write

    def write(descriptor: int, data: bytes) -> int:
        nonlocal total
        if total + len(data) > 9000:
            raise OSError(28, "No space left on device")
        total += len(data)
        return int(really(descriptor, data))

    monkeypatch.setattr("agent.hil.capture.spool.os.write", write)
    async with served(farm) as site:
        (recording,) = await record(tmp_path, plan(HOST, site.api.port))
    assert isinstance(recording.error, OSError)
    assert (recording.error.errno, recording.error.filename) == (28, str(recording.path))
    monkeypatch.undo()
    assert spooled(recording.path).gathering.is_answered
