"""A capture's reading: what the agent reads from recorded replies, and the errors that their endings stand for."""

import json
from pathlib import Path

import msgspec
import pytest
from capture_files import FOLDERS, S19_STATS, S21_POOLS, S21_STATS, S21_SUMMARY, S21_VERSION
from paths import CAPTURES

from agent.errors import MisreadReplyError, PollError
from agent.hil.capture import form
from agent.hil.capture.folder import read_capture
from agent.hil.capture.form import Capture, CapturedUnit, Ending, Manifest, Moment, RecordedReply
from agent.hil.capture.golden import golden_of
from agent.hil.capture.replayed import name_of, reading_of
from agent.unit import registry
from agent.unit.reader import Conversation, Reader
from agent.unit.reading import Mode, UnitReading


def _capture(endings: dict[str, tuple[bytes | None, Ending | None]], moments: tuple[Moment, ...] = ()) -> Capture:
    replies, data = [], {}
    for name, (answer, ending) in endings.items():
        file = None if answer is None else f"{form.file_stem(name)}.json"
        if file is not None and answer is not None:
            data[file] = answer
        replies.append(RecordedReply(request=name, file=file, ending=ending))
    manifest = Manifest(
        form=1,
        recorded_by="",
        is_redacted=True,
        unit=CapturedUnit(),
        ports={},
        replies=tuple(replies),
        moments=moments,
    )
    return Capture(name="s21", manifest=manifest, data=data)


def test_whole_capture_is_read_like_a_unit() -> None:
    """All reports of an S21 give its rates, boards, identity, shares and pools."""
    end = Ending.NUL_CLOSE
    reading = reading_of(
        _capture(
            {
                "stats new_api": (S21_STATS, end),
                "summary": (S21_SUMMARY, end),
                "pools": (S21_POOLS, end),
                "version": (S21_VERSION, end),
            }
        )
    )
    assert isinstance(reading, UnitReading)
    assert (reading.hashrate_5s_hs, len(reading.boards), reading.identity.api) == (206_901.8e9, 3, "3.1")
    assert (reading.unit_id, reading.at, len(reading.pools)) == ("recorded", 0.0, 3)
    assert reading.shares is not None
    assert reading.shares.accepted == 11_187


@pytest.mark.parametrize(
    ("data", "ending", "reason"),
    [
        (None, None, "unreachable"),
        (None, Ending.SILENCE, "deadline"),
        (None, Ending.RESET, "disconnected"),
        (None, Ending.CLOSE, "disconnected"),
        (S21_STATS[:900], Ending.RESET, "disconnected"),
        (S21_STATS[:900], Ending.CLOSE, "disconnected"),
        (S21_STATS[:900], Ending.SILENCE, "deadline"),
        (S21_STATS[:900], Ending.NUL, "malformed"),
        (b"{" + b" " * 70_000, Ending.TOO_LARGE, "too_large"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", Ending.SILENCE, "foreign"),
    ],
)
def test_endings_are_errors(data: bytes | None, ending: Ending | None, reason: str) -> None:
    """A reply that was cut, silent or refused fails as the poll would have failed."""
    read = reading_of(_capture({"stats new_api": (data, ending)}))
    assert isinstance(read, PollError)
    assert read.reason == reason


@pytest.mark.parametrize("ending", [Ending.NUL, Ending.NUL_CLOSE, Ending.CLOSE, None])
def test_whole_replies_are_read(ending: Ending | None) -> None:
    """A whole reply is read with a NUL, and without one if the unit closed."""
    read = reading_of(_capture({"stats new_api": (S21_STATS, ending)}))
    assert isinstance(read, UnitReading)
    assert read.hashrate_5s_hs == 206_901.8e9


def test_bytes_behind_the_nul_are_no_part() -> None:
    """A NUL inside ends the reply, as it does for the agent's client."""
    read = reading_of(_capture({"stats new_api": (S21_STATS.rstrip(b"\0") + b"\0tail", Ending.CLOSE)}))
    assert isinstance(read, UnitReading)


def test_new_dialect_falls_back_to_legacy() -> None:
    """A capture with legacy replies alone reads like a unit that does not know new_api."""
    read = reading_of(_capture({"stats": (S19_STATS, Ending.NUL_CLOSE)}))
    assert isinstance(read, UnitReading)
    assert (read.dialect, read.hashrate_5s_hs) == ("legacy", 110_566.89e9)


def test_moment_has_its_own_replies() -> None:
    """A moment reads its own replies, and takes the rest from the first look."""
    moment = Moment(
        folder="moments/01-hashing",
        state="hashing",
        replies=(RecordedReply(request="stats new_api", file="tcp4028-stats-new_api.json", ending=Ending.NUL_CLOSE),),
    )
    end = Ending.NUL_CLOSE
    capture = _capture({"stats new_api": (None, Ending.SILENCE), "version": (S21_VERSION, end)}, (moment,))
    capture = msgspec.structs.replace(
        capture, data={**capture.data, "moments/01-hashing/tcp4028-stats-new_api.json": S21_STATS}
    )
    read = reading_of(capture, moment)
    assert isinstance(read, UnitReading)
    assert (read.hashrate_5s_hs, read.identity.api) == (206_901.8e9, "3.1")
    golden = json.loads(golden_of(capture))
    assert list(golden) == ["first", "moments/01-hashing"]
    assert golden["first"]["error"] == "deadline"
    assert golden["moments/01-hashing"]["reason"] == "hashing"


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("s21-stock-aml-202407", 206_901.8e9),
        ("s19pro-stock-202212", 110_566.89e9),
        ("s19kpro-luxos-2025", None),
        ("s21-stock-202410-sleep", Mode.SLEEP),
        ("t21-stock-202501-sleep", Mode.SLEEP),
    ],
)
def test_captures_without_manifest_are_read(folder: str, expected: float | Mode | None) -> None:
    """The published captures give the readings of their reports; a page stands for the report that it prints."""
    read = reading_of(read_capture(CAPTURES / folder))
    assert isinstance(read, UnitReading)
    if isinstance(expected, Mode):
        assert read.mode is expected
    elif expected is not None:
        assert read.hashrate_5s_hs == expected


def test_a_bug_of_ours_fails_the_reading_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reply that breaks a reader is recorded all the same, and its golden reading says what broke."""

    def broken(*_: object, **__: object) -> Conversation:
        yield b'{"command":"version"}'
        raise ZeroDivisionError

    monkeypatch.setattr(registry, "CHOOSING", Reader(name="broken", new_memory=dict, converse=broken))
    read = reading_of(_capture({"version": (S21_VERSION, Ending.NUL_CLOSE)}))
    assert isinstance(read, MisreadReplyError)
    assert str(read) == "ZeroDivisionError while reading the reply"


def test_requests_have_names() -> None:
    """A request's name has its command, its parameter and its dialect."""
    assert name_of(b'{"command":"stats","new_api":true}') == "stats new_api"
    assert name_of(b'{"command":"healthchipget","parameter":"0"}') == "healthchipget 0"


READ = [path for path in FOLDERS if any(form.request_of(file.name) for file in path.iterdir())]


@pytest.mark.parametrize("folder", READ, ids=lambda path: path.name)
def test_every_capture_is_read_or_says_why(folder: Path) -> None:
    """No published capture makes the reader raise anything but its declared error."""
    assert isinstance(reading_of(read_capture(folder)), UnitReading | PollError)
