"""Packed files: written whole, read whole or refused, and nothing of a killed writer is left."""

import gzip
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.files.snapshot import read_packed, remove_unfinished, write_packed

DATA = bytes(range(256)) * 300


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a packed file with `DATA`, written under the umask of a login."""
    before = os.umask(0o022)
    try:
        write_packed(tmp_path / "site.snapshot", DATA)
    finally:
        os.umask(before)
    return tmp_path / "site.snapshot"


def test_data_comes_back_and_others_may_not_read_it(path: Path) -> None:
    """The file is smaller than its data, has mode 0640, and is alone in its folder."""
    assert read_packed(path) == DATA
    assert path.stat().st_size < len(DATA) / 2
    assert path.stat().st_mode & 0o7777 == 0o640
    assert [each.name for each in path.parent.iterdir()] == ["site.snapshot"]


def test_a_stricter_mode_is_kept(path: Path) -> None:
    """An operator's chmod outlasts the next write."""
    path.chmod(0o600)
    write_packed(path, DATA)
    assert path.stat().st_mode & 0o7777 == 0o600


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/null"), os.mkdir])
def test_only_a_regular_file_is_replaced(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """A new file would have the mode of a device: for everybody to write. What is there stays as it is."""
    path = tmp_path / "site.snapshot"
    make(path)
    before = path.stat()
    with pytest.raises(OSError, match="a regular file is expected"):
        write_packed(path, DATA)
    assert path.stat().st_ino == before.st_ino
    assert [each.name for each in tmp_path.iterdir()] == ["site.snapshot"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda packed: packed[: len(packed) // 2],
        lambda packed: packed[:-1],
        lambda packed: packed + b"\0",
        lambda packed: packed[:-6] + bytes([packed[-6] ^ 1]) + packed[-5:],
        lambda packed: b"\0" * len(packed),
        lambda _: b"{}",
    ],
    ids=["half", "a byte short", "a byte long", "a wrong checksum", "zeros", "something else"],
)
def test_damage_is_refused(path: Path, damage: Callable[[bytes], bytes]) -> None:
    """A file that is not exactly what was written is refused whole."""
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match="damaged"):
        read_packed(path)


def test_a_file_that_claims_to_be_huge_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more than the limit is read, and no more than the limit is unpacked."""
    path.write_bytes(gzip.compress(b"\0" * 50_000))
    monkeypatch.setattr("agent.files.snapshot.MAX_DATA_BYTES", 10_000)
    with pytest.raises(ValueError, match="damaged"):
        read_packed(path)
    monkeypatch.setattr("agent.files.snapshot.MAX_FILE_BYTES", 10)
    with pytest.raises(ValueError, match="longer than"):
        read_packed(path)


@pytest.mark.parametrize("is_there", [False, True], ids=["absent", "empty"])
def test_a_file_that_was_never_written_holds_nothing(tmp_path: Path, is_there: bool) -> None:  # noqa: FBT001
    """Absent, and empty because the first writing was killed, are no damage."""
    path = tmp_path / "site.snapshot"
    if is_there:
        path.touch()
    assert read_packed(path) is None


def test_what_killed_writers_left_is_removed(path: Path) -> None:
    """Unfinished files of this name go; the file, its lock and other names stay."""
    for name in (".site.snapshot.abc123", ".site.snapshot.zzz", ".other.snapshot.abc", "site.snapshot.lock"):
        (path.parent / name).touch()
    remove_unfinished(path)
    assert sorted(each.name for each in path.parent.iterdir()) == [
        ".other.snapshot.abc",
        "site.snapshot",
        "site.snapshot.lock",
    ]
