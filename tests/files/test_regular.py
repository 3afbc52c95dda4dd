"""Regular files alone are opened, and names that lead nowhere are no reason to end."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from agent.files.regular import open_regular, refuse_irregular, resolved


def test_a_file_and_a_link_to_it_are_read(tmp_path: Path) -> None:
    """Links are the operator's way to put a file elsewhere."""
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("file")
    for name in ("file", "link"):
        with open_regular(tmp_path / name) as file:
            assert file.read() == b"content"


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (os.mkfifo, "a regular file is expected"),
        (Path.mkdir, "a regular file is expected"),
        (lambda path: path.symlink_to("/dev/zero"), "a regular file is expected"),
        (lambda path: path.symlink_to(path), "Too many levels of symbolic links"),
        (lambda _: None, "No such file or directory"),
    ],
    ids=["a pipe", "a folder", "a device", "a loop of links", "nothing"],
)
def test_anything_else_is_an_error_at_once(tmp_path: Path, make: Callable[[Path], object], reason: str) -> None:
    """A pipe without a writer would hold the start for ever, a device would be read without end."""
    path = tmp_path / "file"
    make(path)
    with pytest.raises(OSError, match="file") as refused:
        refuse_irregular(path)
    assert refused.value.strerror == reason


def test_a_loop_of_links_has_a_path(tmp_path: Path) -> None:
    """Two files are compared by their paths before either is opened."""
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    (tmp_path / "link").symlink_to("file")
    assert resolved(tmp_path / "link") == resolved(tmp_path / "file")
    assert resolved(tmp_path / "a").name in {"a", "b"}
