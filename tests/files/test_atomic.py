"""Atomic replacement: the old content or the new, never half, and no temporary file left behind."""

import errno
import os
import resource
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.files.atomic import replace_file, temporary_file

OLD, NEW = b"old", b"new" * 4096


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a file with the old content, alone in its folder."""
    path = tmp_path / "state.json"
    path.write_bytes(OLD)
    return path


def content(path: Path) -> dict[str, bytes]:
    """Return every file of the folder with its content."""
    return {each.name: each.read_bytes() for each in path.parent.iterdir()}


def failing(error: int) -> Callable[..., None]:
    """Return a system call that fails."""

    def call(*_: object) -> None:
        raise OSError(error, os.strerror(error))

    return call


def test_a_file_is_replaced_whole(path: Path) -> None:
    """The new content takes the old one's place, with mode 0600, and nothing else is in the folder."""
    path.chmod(0o644)
    replace_file(path, NEW)
    assert content(path) == {"state.json": NEW}
    assert path.stat().st_mode & 0o7777 == 0o600


def test_a_file_that_does_not_exist_is_created(path: Path) -> None:
    """The first write needs no file, only its folder."""
    path.unlink()
    replace_file(path, NEW)
    assert content(path) == {"state.json": NEW}


def test_a_symbolic_link_is_replaced_and_its_target_is_not(path: Path) -> None:
    """The rename acts on the name it is given; a caller that wants the target resolves the link first."""
    link = path.with_name("link.json")
    link.symlink_to(path)
    replace_file(link, NEW)
    assert not link.is_symlink()
    assert content(path) == {"state.json": OLD, "link.json": NEW}


def test_the_data_is_on_the_disk_before_the_rename_and_the_folder_after(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut at any moment leaves the old file or the new one, because both are flushed in this order."""
    steps: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def noted_fsync(descriptor: int) -> None:
        steps.append(f"fsync {Path(f'/proc/self/fd/{descriptor}').readlink().name[:11]}")
        fsync(descriptor)

    def noted_replace(source: Path, target: Path) -> Path:
        steps.append("rename")
        return replace(source, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "replace", noted_replace)
    replace_file(path, NEW)
    assert steps == ["fsync .state.json", "rename", f"fsync {path.parent.name[:11]}"]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o444])
def test_owner_and_mode_of_another_file(path: Path, mode: int) -> None:
    """A file made like another has its owner and mode before it takes its place."""
    path.chmod(mode)
    before = path.stat()
    with temporary_file(path, NEW, like=path) as temporary:
        after = temporary.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)


@pytest.mark.parametrize(
    ("name", "error"), [("fsync", errno.ENOSPC), ("fsync", errno.EIO), ("fchmod", errno.EPERM), ("fchown", errno.EPERM)]
)
def test_a_failure_in_the_middle_leaves_the_old_file(
    path: Path, monkeypatch: pytest.MonkeyPatch, name: str, error: int
) -> None:
    """A disk that is full or broken, or an owner that cannot be set: the old file stays, no temporary file remains."""
    if name == "fchown":
        monkeypatch.setattr(os, "fstat", lambda _: os.stat_result((0o100600, 0, 0, 1, 12345, 12345, 0, 0, 0, 0)))
    monkeypatch.setattr(os, name, failing(error))
    with pytest.raises(OSError, match=os.strerror(error)) as caught, temporary_file(path, NEW, like=path):
        pytest.fail("a file that could not be written was yielded")
    assert caught.value.errno == error
    assert content(path) == {"state.json": OLD}


def test_a_full_disk_leaves_the_old_file(path: Path) -> None:
    """A write that stops in the middle, here at a limit of one page: the old file stays, no temporary file remains."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.raises(OSError, match="File too large") as caught:
            replace_file(path, NEW)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.filename == str(path)
    assert content(path) == {"state.json": OLD}


def test_a_rename_that_fails_leaves_the_old_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The temporary file goes when it cannot take the other's place."""
    monkeypatch.setattr(Path, "replace", failing(errno.EROFS))
    with pytest.raises(OSError, match="Read-only file system"):
        replace_file(path, NEW)
    assert content(path) == {"state.json": OLD}


def test_a_block_that_does_not_rename_changes_nothing(path: Path) -> None:
    """A temporary file lasts as long as its block, also when the block raises."""

    def change_my_mind() -> None:
        with temporary_file(path, NEW) as temporary:
            assert temporary.read_bytes() == NEW
            raise RuntimeError

    with pytest.raises(RuntimeError):
        change_my_mind()
    with temporary_file(path, NEW):
        pass
    assert content(path) == {"state.json": OLD}
