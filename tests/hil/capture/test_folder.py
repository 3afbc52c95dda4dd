"""A capture's folder: what was written is read again; what is wrong in it is named."""

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from capture_files import FOLDERS
from paths import CAPTURES

from agent.errors import ConfigError
from agent.hil.capture import form
from agent.hil.capture.folder import read_capture, write_capture
from agent.hil.capture.form import (
    Capture,
    CapturedUnit,
    Ending,
    Manifest,
    Moment,
    Port,
    RecordedReply,
    Timing,
    Timings,
)

NAMES = {
    "stats": "tcp4028-stats",
    "stats new_api": "tcp4028-stats-new_api",
    "healthchipget 0": "tcp4028-healthchipget_0",
    "GET /cgi-bin/get_system_info.cgi": "http-get_system_info",
    "GET /": "http-root",
}


def _capture(*, is_redacted: bool = True) -> Capture:
    page = "GET /cgi-bin/get_system_info.cgi"
    return Capture(
        name="s21-stock-202407",
        manifest=Manifest(
            form=form.FORM,
            recorded_by="hashsight 0.1.0",
            is_redacted=is_redacted,
            unit=CapturedUnit(model="Antminer S21", firmware="Thu Jul 11 17:01:13 CST 2024", reader="antminer"),
            ports={"4028": Port.OPEN, "6060": Port.REFUSED},
            replies=(
                RecordedReply(request="stats new_api", file="tcp4028-stats-new_api.json", ending=Ending.NUL_CLOSE),
                RecordedReply(
                    request=page, file="http-get_system_info.401.txt", status=401, head="HTTP/1.1 401 No\r\n"
                ),
                RecordedReply(
                    request=page, file="http-get_system_info.json", status=200, head="", chunks=(2, 8), has_login=True
                ),
                RecordedReply(request="devs", ending=Ending.SILENCE),
            ),
            moments=(
                Moment(
                    folder="moments/01-hashing",
                    state="hashing",
                    replies=(RecordedReply(request="stats", file="tcp4028-stats.txt", ending=Ending.RESET),),
                ),
            ),
        ),
        data={
            "tcp4028-stats-new_api.json": b'{"a":1}',
            "http-get_system_info.401.txt": b"<html>",
            "http-get_system_info.json": b"\n\n{}",
            "moments/01-hashing/tcp4028-stats.txt": b'{"a":',
        },
        timings=Timings(recorded_at="2026-11-30T16:00:00Z", replies=(Timing(request="stats", at_s=0.5, reads=(7,)),)),
    )


def _written(folder: Path, **options: bool) -> Path:
    write_capture(folder, _capture(**options), golden=b"{}\n", sources="# Sources\n")
    return folder


@pytest.mark.parametrize(("request_name", "stem"), NAMES.items())
def test_names_and_requests_say_the_same(request_name: str, stem: str) -> None:
    """A file's name comes from its request, and gives it back."""
    assert form.file_stem(request_name) == stem
    assert form.request_of(f"{stem}.json") == request_name


@pytest.mark.parametrize("name", ["SOURCES.md", "capture.json", "bundle.json", "tcp4028-.json", "http-../x.json"])
def test_other_files_are_no_replies(name: str) -> None:
    """Only names of replies have a request."""
    assert form.request_of(name) is None


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    """A capture comes back whole, and a second one in another folder has the same bytes."""
    first, second = _written(tmp_path / "s21-stock-202407"), _written(tmp_path / "other" / "s21-stock-202407")
    assert read_capture(first) == _capture()
    names = sorted(path.relative_to(first) for path in first.rglob("*") if path.is_file())
    assert len(names) == 8
    assert all((first / name).read_bytes() == (second / name).read_bytes() for name in names)


def test_replies_are_the_last_answers(tmp_path: Path) -> None:
    """A page's answer with a login stands for the page; a request that was not answered is absent."""
    capture = read_capture(_written(tmp_path / "a"))
    assert capture.replies() == {
        "stats new_api": b'{"a":1}',
        "GET /cgi-bin/get_system_info.cgi": b"\n\n{}",
    }
    assert capture.replies(capture.manifest.moments[0]) == {"stats": b'{"a":'}


def test_private_captures_are_their_owners(tmp_path: Path) -> None:
    """Without redaction only the owner reads the files; with it, the umask decides."""
    private, shown = _written(tmp_path / "private", is_redacted=False), _written(tmp_path / "shown")
    assert {path.stat().st_mode & 0o077 for path in (private, *private.rglob("*.json"))} == {0}
    mask = os.umask(0o022)
    os.umask(mask)
    assert (shown / form.MANIFEST).stat().st_mode & 0o777 == 0o666 & ~mask


@pytest.mark.parametrize(
    "folder", [folder for folder in FOLDERS if "z9mini" not in folder.name], ids=lambda folder: folder.name
)
def test_folders_of_replies_are_captures(folder: Path) -> None:
    """The published captures have no manifest; their names say what they answer."""
    capture = read_capture(folder)
    assert not capture.has_manifest
    assert set(capture.data.values()) <= {path.read_bytes() for path in folder.iterdir()}
    assert capture.replies()


def test_no_folder_is_replaced(tmp_path: Path) -> None:
    """A folder that holds anything stays as it is."""
    folder = _written(tmp_path / "s21-stock-202407")
    with pytest.raises(ConfigError, match=r"202407: folder = .*: exists already and is not empty"):
        _written(folder)
    assert read_capture(folder) == _capture()


def test_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When a file cannot be written, nothing remains, and the error names the folder."""

    def fsync(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OSError, match="No space left") as raised:
        _written(tmp_path / "a")
    assert raised.value.filename == str(tmp_path / "a")
    assert not list(tmp_path.iterdir())


def _without(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def _with(name: str, text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text(text)


def _changed(**values: object) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        manifest = msgspec.json.decode((folder / form.MANIFEST).read_bytes())
        (folder / form.MANIFEST).write_bytes(msgspec.json.encode(manifest | values))

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_without("tcp4028-stats-new_api.json"), r"replies\[0\].file = 'tcp4028-stats-new_api.json': is missing"),
        (_with("tcp4028-pools.json", "{}"), r"tcp4028-pools.json'?: is not named in capture.json"),
        (_with(form.MANIFEST, "{"), r"capture.json: file: is not JSON: "),
        (_with(form.TIMINGS, '{"recorded_at": 5}'), r"timings.json: recorded_at: expected `str`, got `int`"),
        (_changed(form=2), r"form = '2': is of a newer version; this one reads up to 1"),
        (_changed(colour="blue"), r"capture.json: file: object contains unknown field `colour`"),
        (_changed(ports={"80": "ajar"}), r"capture.json: ports\[...\]: invalid enum value 'ajar'"),
        (
            _changed(replies=[{"request": "stats", "file": "../../etc/passwd"}]),
            r"replies\[0\].file = '../../etc/passwd': is no name of a reply",
        ),
        (
            _changed(moments=[{"folder": "/etc", "state": "hashing", "replies": []}]),
            r"moments\[0\].folder = '/etc': is not moments/NN-STATE",
        ),
    ],
)
def test_mistakes_are_named(tmp_path: Path, change: Callable[[Path], object], message: str) -> None:
    """A folder edited by hand, or from a newer version, gets one message with file, key, value and reason."""
    folder = _written(tmp_path / "a")
    change(folder)
    with pytest.raises(ConfigError, match=message):
        read_capture(folder)


def test_folders_without_replies_are_none(tmp_path: Path) -> None:
    """An empty folder, one with a joined reply alone and nothing at all are no captures."""
    joined = CAPTURES / "other-z9mini-stock-2018"
    for path, message in (
        (joined, "holds"),
        (tmp_path, "holds no capture.json and no file"),
        (tmp_path / "no", "does not exist"),
    ):
        with pytest.raises(ConfigError, match=message):
            read_capture(path)
    _written(tmp_path / "s21-stock-2026")
    with pytest.raises(ConfigError, match="it holds captures, such as s21-stock-2026: name one"):
        read_capture(tmp_path)
