"""The recorder against simulated units: what it sends, what it keeps, and that a replay gives the same again."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from capture_files import S21_POOLS, S21_STATS, S21_SUMMARY, capture
from loopback import Behaviour, answering, hanging, resetting, unit
from patience import PATIENT_S
from recorded_units import LOGIN, files_of, only, plan, record, written
from sim_cases import make_farm
from web_cases import served

from agent.address import Endpoint
from agent.hil.capture import form
from agent.hil.capture.exchange import Patience
from agent.hil.capture.folder import read_capture
from agent.hil.capture.form import Ending
from agent.hil.capture.gathering import Look
from agent.hil.capture.golden import told
from agent.hil.capture.recorder import WEB_PORT
from agent.hil.capture.replayed import AT, UNIT_ID, reading_of
from agent.hil.capture.requests import ALLOWED, ALLOWED_PAGES, PAGES, REPORTS, Firmware
from agent.hil.capture.session import Recording
from agent.hil.capture.states import State
from agent.unit import registry
from agent.unit.cgminer.client import Client
from agent.unit.consistency.alone import held_alone
from agent.unit.login import Login
from agent.unit.nameplate import shipped_catalogue
from simulators.farm.farm import Farm
from simulators.sockets.replay import read_captures
from simulators.sockets.replaying import serve_replay
from simulators.unit.work_modes import WORK_MODE_NORMAL, WORK_MODE_SLEEP

HOST = "127.77.0.1"


@asynccontextmanager
async def replayed(folder: Path) -> AsyncIterator[tuple[str, int, int]]:
    """Serve a capture; yields its address, the port of its API, and that of its pages."""
    units = read_captures([folder], "127.78.0.1")
    async with serve_replay(units, lambda: 1.8e9, port=0) as served_again:
        assert served_again.api is not None
        web = next((place.port for place in served_again.places if place.recorded == WEB_PORT), 0)
        yield units[0].host, served_again.api.port, web


async def recorded_farm(farm: Farm, folder: Path) -> Path:
    """Record the first unit of a farm with its pages and return the capture's folder."""
    async with served(farm) as site:
        recording = only(await record(folder, plan(HOST, site.api.port, web_port=site.web.port, login=LOGIN)))
    written(recording, folder / "first" / "s21-stock-202407")
    return folder / "first" / "s21-stock-202407"


async def test_only_what_tells_is_sent(tmp_path: Path) -> None:
    """Each report once, each page once without and once with a login, all of them on the whitelist; no write."""
    farm = make_farm(1)
    async with served(farm) as site:
        await record(tmp_path, plan(HOST, site.api.port, web_port=site.web.port, login=LOGIN))
        counts, writes = dict(site.api.journal.counts), site.api.journal.writes
    assert writes == 0
    pages = {f"{page}": 1 for page in PAGES[Firmware.STOCK]} | {f"{page} 401": 1 for page in PAGES[Firmware.STOCK]}
    assert counts == {"version": 1, **dict.fromkeys(REPORTS, 1), **pages}
    assert {name for name in counts if not name.startswith("GET ")} <= ALLOWED
    assert {name.removesuffix(" 401") for name in counts if name.startswith("GET ")} <= ALLOWED_PAGES


async def test_without_a_login_no_page_is_asked(tmp_path: Path) -> None:
    """The port of the pages gets a connection and no byte."""
    farm = make_farm(1)
    async with served(farm) as site:
        recording = only(await record(tmp_path, plan(HOST, site.api.port, web_port=site.web.port)))
        counts = dict(site.api.journal.counts)
    assert not any(name.startswith("GET ") for name in counts)
    assert recording.gathering.ports == {"4028": "open", "80": "open"}


async def test_wrong_login_is_tried_once(tmp_path: Path) -> None:
    """After one refused login the pages are left alone, and both answers are kept."""
    farm = make_farm(1)
    async with served(farm, word="other") as site:
        recording = only(await record(tmp_path, plan(HOST, site.api.port, web_port=site.web.port, login=LOGIN)))
        counts = dict(site.api.journal.counts)
    assert recording.is_login_refused
    assert sum(count for name, count in counts.items() if name.startswith("GET ")) == 2
    done = written(recording, tmp_path / "a")
    pages = [reply for reply in done.capture.manifest.replies if reply.request.startswith("GET ")]
    assert [(reply.status, reply.has_login) for reply in pages] == [(401, False), (401, True)]


@pytest.mark.parametrize("model", ["S21", "T21", "S21 XP Hyd."])
async def test_replayed_capture_gives_the_same_bytes_and_readings(tmp_path: Path, model: str) -> None:
    """Every reply and page of the replay equals the recorded one, and the agent reads the same from both."""
    folder = await recorded_farm(make_farm(1, mix=f"{model}=100%"), tmp_path)
    first = read_capture(folder)
    async with replayed(folder) as (host, port, web_port):
        recording = only(await record(tmp_path, plan(host, port, web_port=web_port, login=LOGIN)))
        client = Client(connect_timeout_s=PATIENT_S, deadline_s=PATIENT_S)
        reader = registry.DEFAULT
        try:
            talk = reader.converse(UNIT_ID, reader.new_memory(), slow_every=1, wall=lambda: AT)
            polled = held_alone(await client.run(Endpoint(host, port), talk), shipped_catalogue())
        finally:
            client.close()
    second = written(recording, tmp_path / "second" / folder.name).capture
    assert second.data == first.data
    assert set(second.manifest.replies) == set(first.manifest.replies)
    read = [json.loads(json.dumps(told(each))) for each in (polled, reading_of(first))]
    assert read == [json.loads((folder / form.GOLDEN).read_bytes())["first"]] * 2


async def test_recording_a_replay_gives_the_capture_again(tmp_path: Path) -> None:
    """A fixpoint: every file is the same but for the times."""
    folder = await recorded_farm(make_farm(1), tmp_path)
    async with replayed(folder) as (host, port, web_port):
        recording = only(await record(tmp_path, plan(host, port, web_port=web_port, login=LOGIN)))
    again = tmp_path / "second" / folder.name
    written(recording, again)
    first, second = files_of(folder), files_of(again)
    del first[form.TIMINGS], second[form.TIMINGS]
    assert second == first


async def test_every_ending_comes_back(tmp_path: Path) -> None:
    """Replies without a NUL, left open, reset, cut and silent, and bytes behind a NUL: the replay ends each alike."""
    version = capture("s21-stock-aml-202407/tcp4028-version.json")
    by_name: dict[str, Behaviour] = {
        "version": answering(version + b"\0"),
        "stats": answering(S21_STATS),
        "summary": hanging(S21_SUMMARY + b"\0"),
        "pools": resetting(S21_POOLS[:300]),
        "devs": hanging(version[:40]),
        "rate": hanging(),
        "warning": answering(version + b"\0\0 "),
    }

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.read(4096)
        ahead = asyncio.StreamReader()
        ahead.feed_data(request)
        await by_name[json.loads(request)["command"]](_Both(ahead, reader), writer)

    patience = Patience(deadline_s=1.0, close_s=0.2)
    async with unit(behave, HOST) as address:
        recording = only(await record(tmp_path, plan(*address, patience=patience)))
    folder = tmp_path / "first" / "s21"
    first = written(recording, folder)
    endings = {reply.request: str(reply.ending) for reply in first.capture.manifest.replies}
    assert {endings[name] for name in endings} == {"nul_close", "close", "nul", "reset", "silence"}
    async with replayed(folder) as (host, port, _):
        recording = only(await record(tmp_path, plan(host, port, patience=patience)))
    written(recording, tmp_path / "second" / "s21")
    files = [files_of(tmp_path / each / "s21") for each in ("first", "second")]
    for each in files:
        del each[form.TIMINGS]
    assert files[1] == files[0]


class _Both(asyncio.StreamReader):
    """What was read ahead, then the connection itself."""

    def __init__(self, ahead: asyncio.StreamReader, then: asyncio.StreamReader) -> None:
        super().__init__()
        self._ahead: asyncio.StreamReader | None = ahead
        self._then = then

    async def read(self, n: int = -1) -> bytes:
        ahead, self._ahead = self._ahead, None
        return await (self._then if ahead is None else ahead).read(n)


async def test_sleep_is_gone_through(tmp_path: Path) -> None:
    """Each state is a moment, with what is new in it; the recording ends when the state was left."""
    farm = make_farm(1)
    looks: list[Look] = []

    def drive(_: str, look: Look) -> None:
        looks.append(look)
        if look.number in {1, 4}:
            farm.set_work_mode(farm.units[0], WORK_MODE_SLEEP if look.number == 1 else WORK_MODE_NORMAL)
        farm.clock.advance(60.0)

    async with served(farm) as site:
        through = plan(HOST, site.api.port, for_s=PATIENT_S, every_s=0.0, through=State.ASLEEP)
        recording = only(await record(tmp_path, through, on_look=drive))
    states = [look.state for look in looks]
    assert states[:2] == [State.HASHING, State.HASHING]
    assert State.ASLEEP in states
    assert states[-1] is not State.ASLEEP
    done = written(recording, tmp_path / "a")
    moments = done.capture.manifest.moments
    assert [moment.folder for moment in moments][:1] == ["moments/01-asleep"]
    assert moments[-1].state == states[-1]
    golden = json.loads((tmp_path / "a" / form.GOLDEN).read_bytes())
    assert (golden["first"]["reason"], golden["moments/01-asleep"]["reason"]) == ("hashing", "asleep")
    assert read_capture(tmp_path / "a") == done.capture
    timings = done.capture.timings
    assert timings is not None
    assert {each.state for each in timings.replies} == set(states)


async def test_replay_over_time_gives_the_moments_again(tmp_path: Path) -> None:
    """A fixpoint over time too: each moment is recorded again, at its time, and nothing else."""
    farm = make_farm(1)
    times: list[float] = []

    def drive(_: str, look: Look) -> None:
        times.append(look.at_s)
        if look.number in {1, 4}:
            farm.set_work_mode(farm.units[0], WORK_MODE_SLEEP if look.number == 1 else WORK_MODE_NORMAL)
        farm.clock.advance(60.0)
        if look.number == 9:
            raise OSError(28, "enough")

    async with served(farm) as site:
        options = {"web_port": site.web.port, "login": LOGIN, "for_s": PATIENT_S, "every_s": 0.0}
        (recording,) = await record(tmp_path, plan(HOST, site.api.port, **options), on_look=drive)
    folder = tmp_path / "first" / "s21"
    first = written(recording, folder)
    assert len(first.capture.manifest.moments) >= 3
    now = 0.0

    def follow(_: str, look: Look) -> None:
        nonlocal now
        if look.number == len(times) - 1:
            raise OSError(28, "enough")
        now = times[look.number + 1] + 1e-3

    units = read_captures([folder], "127.78.0.1", is_over_time=True, start=0.0)
    async with serve_replay(units, lambda: now, port=0) as again:
        assert again.api is not None
        options["web_port"] = next(place.port for place in again.places if place.recorded == WEB_PORT)
        (recording,) = await record(tmp_path, plan("127.78.0.1", again.api.port, **options), on_look=follow)
    written(recording, tmp_path / "second" / "s21")
    files = [files_of(tmp_path / each / "s21") for each in ("first", "second")]
    for each in files:
        del each[form.TIMINGS]
    assert list(files[1]) == list(files[0])
    assert files[1] == files[0]


async def test_looks_without_anything_new_are_not_kept(tmp_path: Path) -> None:
    """Of ten looks at a unit that hashes, the first and the last stay; the times of all do."""
    farm = make_farm(1)
    looks: list[Look] = []

    def drive(_: str, look: Look) -> None:
        looks.append(look)
        farm.clock.advance(30.0)
        if len(looks) == 10:
            raise OSError(28, "enough")

    async with served(farm) as site:
        endless = plan(HOST, site.api.port, for_s=PATIENT_S, every_s=0.0)
        (recording,) = await record(tmp_path, endless, on_look=drive)
    assert len(looks) == 10
    done = written(recording, tmp_path / "a")
    assert len(done.capture.manifest.moments) <= 3
    assert done.capture.manifest.moments[-1].state == "hashing"
    timings = done.capture.timings
    assert timings is not None
    assert len(timings.replies) == 10 * (1 + len(REPORTS))


async def test_units_are_recorded_side_by_side(tmp_path: Path) -> None:
    """Each has a spool and a capture of its own; one that fails does not stop the others."""
    farm = make_farm(3)
    async with served(farm) as site:
        plans = [plan(f"127.77.0.{number}", site.api.port) for number in (1, 2, 3)]
        recordings = await record(tmp_path, *plans, plan("127.77.0.9", 1))
    failed = [recording for recording in recordings if recording.error is not None]
    assert [recording.begun.host for recording in failed] == ["127.77.0.9:1"]
    names = {recording.path.name for recording in recordings}
    assert len(names) == 4
    for number, recording in enumerate(recordings):
        if recording.error is None:
            assert written(recording, tmp_path / f"unit{number}").capture.manifest.unit.model == "Antminer S21"


async def test_ending_of_a_page_port_that_resets(tmp_path: Path) -> None:
    """Pages of a port that refuses or resets are recorded as such, and reports are not touched by it."""
    farm = make_farm(1)
    async with served(farm) as site, unit(resetting(), HOST) as (_, web_port):
        recording = only(await record(tmp_path, plan(HOST, site.api.port, web_port=web_port, login=LOGIN)))
    done = written(recording, tmp_path / "a")
    pages = [reply for reply in done.capture.manifest.replies if reply.request.startswith("GET ")]
    assert {(reply.ending, reply.file) for reply in pages} == {(Ending.RESET, None)}
    assert len(pages) == len(PAGES[Firmware.STOCK])


def test_login_is_in_no_file(tmp_path: Path) -> None:
    """Neither the spool nor the capture has user or password, or what was computed from them."""
    word = "correct-horse-battery"

    async def run() -> Recording:
        async with served(make_farm(1), word=word) as site:
            login = Login(user="root", password=word)
            return only(await record(tmp_path, plan(HOST, site.api.port, web_port=site.web.port, login=login)))

    recording = asyncio.run(run())
    written(recording, tmp_path / "a")
    assert len([reply for reply in recording.gathering.looks if reply.answered == reply.asked]) == 1
    for name, data in files_of(tmp_path).items():
        assert word.encode() not in data, name
        assert b"Authorization" not in data, name
