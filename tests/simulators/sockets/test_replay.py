"""A replayed capture answers as the recorded unit did: bytes, endings, heads, chunks, ports, moments."""

import asyncio
import contextlib
import json
import re
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from paths import CAPTURES, ROOT
from recorded_cases import API, CHALLENGE, CHUNKED, DATA, PAGE, PAGES, make_capture, make_walk
from sim_cases import START
from web_cases import credentials

from agent.hil.capture.form import Ending, Port, RecordedReply
from simulators.captures.folder import CaptureError
from simulators.captures.pages import read_raw
from simulators.firmware.request import read_request, request_name
from simulators.sockets.page_bytes import BEYOND_CAP
from simulators.sockets.replay import read_captures
from simulators.sockets.replaying import Replayed, serve_replay
from simulators.unit.delivery import Delivery

HOST = "127.83.0.1"


@contextlib.asynccontextmanager
async def replayed(*folders: Path, at: float = START, has_pages: bool = True) -> AsyncIterator[Replayed]:
    """Replay captures on free ports."""
    units = read_captures(folders, HOST, start=START)
    async with serve_replay(units, lambda: at, port=0, web_port=0, has_pages=has_pages) as replay:
        yield replay


async def heard(port: int, request: bytes, *, host: str = HOST, size: int = 0) -> tuple[bytes, str]:
    """Send a request; return what came, and how it ended.

    Args:
        port: TCP port.
        request: The bytes.
        host: IPv4 address.
        size: Bytes after which the line is expected to fall silent; 0 to read to the end.
    """
    reader, writer = await asyncio.open_connection(host, port)
    data = b""
    try:
        writer.write(request)
        if size:
            return await reader.readexactly(size), "open" if await _is_quiet(reader) else "more"
        while piece := await reader.read(65536):
            data += piece
    except ConnectionResetError:
        return data, "reset"
    finally:
        writer.close()
    return data, "close"


async def _is_quiet(reader: asyncio.StreamReader) -> bool:
    """Return True if nothing comes and nothing ends within a moment."""
    try:
        async with asyncio.timeout(0.1):
            await reader.read(1)
    except TimeoutError:
        return True
    return False


@pytest.mark.parametrize(
    ("request_bytes", "expected"),
    [
        (b'{"command":"stats"}', (b'{"STATS":[1]}\0', "close")),
        (b'{"command":"summary"}', (b'{"SUMMARY":[3]}\n', "close")),
        (b'{"command":"pools"}', (b'{"POOLS":[', "reset")),
        (b'{"command":"config"}', (b"", "reset")),
        (b'{"command":"devdetails"}', (b"{" * 3000 + BEYOND_CAP, "close")),
        (b'{"command":"healthchipget","parameter":"0"}', (b'{"chips":[]}\0', "close")),
        (b'{"command":"healthchipget","parameter":0}', (b'{"chips":[]}\0', "close")),
        (b"healthchipget|0", (b'{"chips":[]}\0', "close")),
    ],
)
async def test_a_reply_comes_back_with_its_ending(
    tmp_path: Path, request_bytes: bytes, expected: tuple[bytes, str]
) -> None:
    """Bytes, the NUL or none, and close or reset are as in the manifest; a parameter selects its reply."""
    async with replayed(make_capture(tmp_path / "unit")) as replay:
        assert replay.api is not None
        assert await heard(replay.api.port, request_bytes) == expected


@pytest.mark.parametrize(
    ("request_bytes", "expected"),
    [(b'{"command":"stats","new_api":true}', b'{"STATS": [2]}\0'), (b'{"command":"version"}', b'{"VERS')],
)
async def test_a_connection_that_stayed_open_stays_open(tmp_path: Path, request_bytes: bytes, expected: bytes) -> None:
    """After a NUL without a close, and within a reply that stopped, nothing more comes and nothing ends."""
    async with replayed(make_capture(tmp_path / "unit")) as replay:
        assert replay.api is not None
        assert await heard(replay.api.port, request_bytes, size=len(expected)) == (expected, "open")


async def test_a_request_that_got_nothing_gets_nothing(tmp_path: Path) -> None:
    """A reply without a byte that ended in silence: the connection stands, and says nothing."""
    async with replayed(make_capture(tmp_path / "unit")) as replay:
        assert replay.api is not None
        reader, writer = await asyncio.open_connection(HOST, replay.api.port)
        writer.write(b'{"command":"devs"}')
        assert await _is_quiet(reader)
        writer.close()


def page_request(path: str, *, login: bool = True, method: str = "GET", close: bool = True) -> bytes:
    """Return the head of a request for a page."""
    lines = [f"{method} {path} HTTP/1.1", "Host: unit"]
    if login:
        lines.append(f"Authorization: {credentials(path, word='whatever')}")
    if close:
        lines.append("Connection: close")
    return "\r\n".join([*lines, "", ""]).encode()


SYSTEM_INFO = CHUNKED.encode() + b'2\r\n\n\n\r\n5\r\n{"a":\r\n4\r\n\xff0}\n\r\n0\r\n\r\n'


@pytest.mark.parametrize(
    ("request_bytes", "expected", "ending"),
    [
        (page_request(PAGE, login=False), CHALLENGE.encode() + b"denied", "close"),
        (page_request(PAGE), SYSTEM_INFO, "close"),
        (page_request(f"{PAGE}?x=1"), SYSTEM_INFO, "close"),
        (page_request("/summary", login=False), CHALLENGE.encode() + b"denied", "close"),
        (page_request("/summary"), b"HTTP/1.0 200 OK\r\n\r\nto the end", "close"),
        (page_request("/cut"), CHUNKED.encode() + b"4\r\n1234\r\n9\r\n5", "reset"),
        (page_request("/nothing", login=False), CHALLENGE.encode() + b"denied", "close"),
        (page_request(PAGE, method="HEAD"), CHUNKED.encode(), "close"),
    ],
)
async def test_pages_come_back_with_heads_and_chunks(
    tmp_path: Path, request_bytes: bytes, expected: bytes, ending: str
) -> None:
    """Without a login the recorded challenge, with any digest login the page, in the recorded chunks."""
    async with replayed(make_capture(tmp_path / "unit")) as replay:
        assert await heard(replay.places[0].port, request_bytes) == (expected, ending)


async def test_a_page_that_was_not_recorded_is_404(tmp_path: Path) -> None:
    """With a login, as lighttpd says it; or as the unit said it of another page, where that was recorded."""
    async with replayed(make_capture(tmp_path / "unit")) as replay:
        reply, _ = await heard(replay.places[0].port, page_request("/cgi-bin/log.cgi"))
        assert reply.startswith(b"HTTP/1.1 404 Not Found\r\n")
        assert b"Server: lighttpd/1.4.32" in reply
    own = RecordedReply(
        request="GET /x",
        file="http-x.txt",
        ending=Ending.LENGTH,
        status=404,
        head="HTTP/1.1 404 Nope\r\nContent-Length: 2\r\n\r\n",
        has_login=True,
    )
    folder = make_capture(tmp_path / "other", replies=(own,), data={"http-x.txt": b"no"})
    async with replayed(folder) as replay:
        expected = b"HTTP/1.1 404 Nope\r\nContent-Length: 2\r\n\r\nno"
        assert await heard(replay.places[0].port, page_request("/y")) == (expected, "close")


async def test_challenge_and_page_come_over_one_connection(tmp_path: Path) -> None:
    """A client that keeps the connection gets the challenge and then the page on it."""
    async with replayed(make_capture(tmp_path / "unit")) as replay:
        reader, writer = await asyncio.open_connection(HOST, replay.places[0].port)
        challenge = CHALLENGE.encode() + b"denied"
        writer.write(page_request(PAGE, login=False, close=False))
        assert await reader.readexactly(len(challenge)) == challenge
        writer.write(page_request(PAGE))
        assert await reader.read() == SYSTEM_INFO
        writer.close()
        assert replay.journal.writes == 0


async def test_ports_do_what_they_did(tmp_path: Path) -> None:
    """A refused port refuses, a silent one does not answer, an open one of which nothing is known takes and is mute."""
    with contextlib.ExitStack() as stack:
        free = []
        for _ in range(2):
            holder = stack.enter_context(socket.socket())
            holder.bind((HOST, 0))
            free.append(holder.getsockname()[1])
    mute, silent = free
    ports = {"4028": Port.SILENT, "80": Port.REFUSED, str(mute): Port.OPEN, str(silent): Port.SILENT, "1": Port.REFUSED}
    folder = make_capture(tmp_path / "unit", replies=(), data={}, ports=ports)
    async with replayed(folder) as replay:
        assert replay.api is not None
        for number in (replay.api.port, silent):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await asyncio.open_connection(HOST, number)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(HOST, 1)
        reader, writer = await asyncio.open_connection(HOST, mute)
        writer.write(b"hello")
        assert await _is_quiet(reader)
        writer.close()
        assert next((place.recorded, place.port != 0) for place in replay.places) == (80, False)


async def test_what_only_noted_that_nothing_connected_refuses(tmp_path: Path) -> None:
    """A page without file and ending was asked for in vain: the port does what was noted of it."""
    asked = (*API, RecordedReply(request="GET /", has_login=True), RecordedReply(request="coin"))
    data = {name: content for name, content in DATA.items() if name.startswith("tcp4028")}
    folder = make_capture(tmp_path / "unit", replies=asked, data=data, ports={"4028": Port.OPEN, "80": Port.REFUSED})
    async with replayed(folder) as replay:
        assert replay.api is not None
        assert [(place.port, place.state) for place in replay.places] == [(0, Port.REFUSED)]
        assert await heard(replay.api.port, b'{"command":"coin"}') == (b"", "reset")


async def test_an_api_that_refused_refuses(tmp_path: Path) -> None:
    """With an API that refused there is no listening socket at all."""
    folder = make_capture(tmp_path / "unit", replies=PAGES, ports={"4028": Port.REFUSED, "80": Port.OPEN})
    for name in DATA:
        if name.startswith("tcp4028"):
            (folder / name).unlink()
    async with replayed(folder) as replay:
        assert replay.api is None
        assert (await heard(replay.places[0].port, page_request(PAGE)))[0] == SYSTEM_INFO


def stats_of(folder: Path, at: float, **how: Any) -> bytes:
    """Return the reply to `stats` at some seconds of the replay."""
    (unit,) = read_captures([folder], HOST, start=START, **how)
    reply = unit.answer(read_request(b'{"command":"stats"}'), START + at)
    assert isinstance(reply, bytes)
    return reply


def test_a_moment_is_served_over_the_first_replies(tmp_path: Path) -> None:
    """By name or by state; what the moment lacks is as at first; an unknown one is refused with those that are."""
    folder = make_walk(tmp_path / "unit")
    assert [stats_of(folder, 0.0, moment=name) for name in ("01-asleep", "moments/01-asleep", "asleep", "hashing")] == [
        *(b"asleep",) * 3,
        b"awake",
    ]
    (unit,) = read_captures([folder], HOST, moment="asleep")
    assert unit.answer(read_request(b'{"command":"summary"}'), 0.0).reply == DATA["tcp4028-summary.json"]  # type: ignore[union-attr]
    with pytest.raises(CaptureError, match="has no moment 'boot'; its moments: 01-asleep, 02-hashing"):
        read_captures([folder], HOST, moment="boot")


def test_a_replay_walks_through_the_moments(tmp_path: Path) -> None:
    """Each moment begins with the first look of its state after the one before; the last one is the last look."""
    folder = make_walk(tmp_path / "unit")
    seen = [stats_of(folder, at, is_over_time=True) for at in (0.0, 59.0, 60.0, 89.9, 90.0, 9999.0)]
    assert seen == [b'{"STATS":[1]}', b'{"STATS":[1]}', b"asleep", b"asleep", b"awake", b"awake"]
    longer = make_walk(tmp_path / "longer", states=("hashing", "asleep", "hashing", "hashing", "hashing"))
    assert [stats_of(longer, at, is_over_time=True) for at in (30.0, 119.0, 120.0)] == [b"asleep", b"asleep", b"awake"]


def test_a_walk_that_cannot_be_taken_is_refused(tmp_path: Path) -> None:
    """Without moments, without timings, or with timings of another capture."""
    plain = make_capture(tmp_path / "plain")
    wrong = make_walk(tmp_path / "wrong", states=("hashing", "hashing"))
    bare = make_walk(tmp_path / "bare")
    (bare / "timings.json").unlink()
    for folder, message in (
        (plain, "plain: has no moments to walk through"),
        (wrong, "wrong: timings.json has no look in state 'asleep' for moments/01-asleep"),
        (bare, "bare: has no timings.json, so that the times"),
    ):
        with pytest.raises(CaptureError, match=re.escape(message)):
            read_captures([folder], HOST, is_over_time=True)


def test_recorded_delays_are_replayed(tmp_path: Path) -> None:
    """The wait before the first byte, and the pieces up to the last one, in the order in which they were measured."""
    (unit,) = read_captures([make_walk(tmp_path / "unit")], HOST, has_delays=True)
    reply = unit.answer(read_request(b'{"command":"stats"}'), 0.0)
    assert isinstance(reply, Delivery)
    assert (reply.reply, reply.wait_s, reply.piece_bytes) == (DATA["tcp4028-stats.json"] + b"\0", 0.02, 7)
    assert reply.gap_s == pytest.approx(0.03)
    with pytest.raises(CaptureError, match=r"has no timings\.json, so that its delays"):
        read_captures([make_capture(tmp_path / "plain")], HOST, has_delays=True)


async def test_a_folder_without_a_manifest_has_its_pages() -> None:
    """`http-stats.json` is the page stats.cgi behind a login, with lighttpd's head; 4028 answers as before."""
    async with replayed(CAPTURES / "s21-stock-aml-202407") as replay:
        assert replay.api is not None
        body = (CAPTURES / "s21-stock-aml-202407" / "http-stats.json").read_bytes()
        reply, _ = await heard(replay.places[0].port, page_request("/cgi-bin/stats.cgi"))
        assert reply.endswith(b"\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
        refusal, _ = await heard(replay.places[0].port, page_request("/cgi-bin/stats.cgi", login=False))
        assert refusal.startswith(b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Digest realm=")


async def test_pages_that_were_kept_with_their_heads_come_back_as_sent() -> None:
    """The recorded heads with CR LF and the recorded chunks; the challenge stands for every page."""
    folder = ROOT / "tests" / "web_captures" / "s21plus-stock-202503"
    async with replayed(folder) as replay:
        assert replay.api is None
        kept = read_raw((folder / "http-get_system_info.chunked.txt").read_bytes())
        page, _ = await heard(replay.places[0].port, page_request(PAGE))
        assert page.startswith(kept.head.encode() + b"2\r\n\n\n\r\n1f\r\n")
        assert re.findall(rb"(?m)^([0-9a-f]{1,2})\r$", page) == [b"%x" % size for size in (*kept.chunks, 0)]
        challenge, _ = await heard(replay.places[0].port, page_request(PAGE, login=False))
        recorded = (folder / "http-401-root.txt").read_bytes()
        assert challenge.replace(b"\r\n", b"\n") == recorded.rstrip(b"\n") + b"\n"


def test_the_answer_to_an_unknown_command_stands_for_all() -> None:
    """`tcp4028-unknown-command` is what the unit says to every command that was not recorded."""
    (unit,) = read_captures([CAPTURES / "s21pro-vnish-2026"], HOST)
    expected = (CAPTURES / "s21pro-vnish-2026" / "tcp4028-unknown-command.json").read_bytes()
    assert unit.answer(read_request(b'{"command":"version"}'), START) == expected


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b'{"command":"stats","new_api":true}', "stats new_api"),
        (b'{"command":"x","parameter":"0","new_api":true}', "x 0 new_api"),
        (b'{"parameter":true,"command":"x"}', "x"),
        (b"summary+devs", "summary+devs"),
        (b"x|1", "x 1"),
    ],
)
def test_a_request_has_one_name(data: bytes, name: str) -> None:
    """Command, parameter and dialect, in the order of a capture's manifest."""
    assert request_name(read_request(data)) == name


def test_a_capture_of_luxos_joins_its_reports() -> None:
    """As the unit did (O175): each reply as recorded, alone in a list; another is refused in its words."""
    folder = CAPTURES / "s19jpro-luxos-2025"
    (unit,) = read_captures([folder], HOST)
    reply = unit.answer(read_request(b'{"command":"pools+devdetails+power"}'), START)
    assert isinstance(reply, bytes)
    body = json.loads(reply)
    assert list(body) == ["pools", "devdetails", "power", "id"]
    for command in ("pools", "devdetails"):
        assert body[command] == [json.loads((folder / f"tcp4028-{command}.json").read_bytes())]
    refusal = body["power"][0]["STATUS"][0]
    assert (refusal["Code"], refusal["Msg"]) == (14, "Invalid command")
    assert refusal["Description"].startswith("LUXminer")


@pytest.mark.parametrize(
    ("name", "command", "code", "description"),
    [
        ("s19pro-stock-202212", "summary+devs", 14, "cgminer 1.0.0"),
        ("s19xp-vnish-2023", "version", 0, "cgminer "),
        ("other-s9-bosminerplus-2021", "version", 14, "BOSminer "),
    ],
)
def test_what_was_not_recorded_is_refused_in_the_words_of_the_firmware(
    name: str, command: str, code: int, description: str
) -> None:
    """So an agent chooses the reader of the recorded unit; stock firmware and VNish refuse joined commands too."""
    (unit,) = read_captures([CAPTURES / name], HOST)
    reply = unit.answer(read_request(f'{{"command":"{command}"}}'.encode()), START)
    assert isinstance(reply, bytes)
    (status,) = json.loads(reply)["STATUS"]
    assert (status["STATUS"], status["Code"]) == ("E", code)
    assert status["Description"].startswith(description)
