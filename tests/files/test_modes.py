"""Modes of new files: none for others, and none that a stricter umask withholds."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.files.lock import FileLock
from agent.files.modes import create_private, private_opener


@pytest.fixture(autouse=True)
def _umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    """Return the permission bits of a file."""
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize(("umask", "expected"), [(0o000, 0o640), (0o022, 0o640), (0o077, 0o600), (0o007, 0o640)])
def test_a_new_file_is_not_for_others(tmp_path: Path, umask: int, expected: int) -> None:
    """The owner may write, a group may read; a stricter umask keeps the group out as well."""
    os.umask(umask)
    create_private(tmp_path / "a")
    with open(tmp_path / "b", "a+b", opener=private_opener):
        pass
    FileLock(tmp_path / "c").close()
    assert [mode(tmp_path / name) for name in ("a", "b", "c.lock")] == [expected, expected, 0o600]


def test_a_file_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    """Its owner may have had a reason."""
    (tmp_path / "a").write_text("kept", encoding="utf-8")
    (tmp_path / "a").chmod(0o644)
    create_private(tmp_path / "a")
    assert (mode(tmp_path / "a"), (tmp_path / "a").read_text(encoding="utf-8")) == (0o644, "kept")
