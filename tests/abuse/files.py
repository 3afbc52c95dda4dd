"""Copies of an agent's databases, so that a look at them changes nothing."""

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path


@contextmanager
def copied(path: Path) -> Iterator[Path]:
    """Yield the path of a copy of a database with its log; it may not exist."""
    with tempfile.TemporaryDirectory() as aside:
        for each in path.parent.glob(f"{path.name}*"):
            shutil.copy(each, aside)
        yield Path(aside, path.name)


def is_sound(path: Path) -> bool:
    """Return True if a database is sound; one that does not exist is not."""
    with copied(path) as copy:
        if not copy.exists():
            return False
        with closing(sqlite3.connect(copy)) as file:
            return bool(file.execute("PRAGMA integrity_check").fetchall() == [("ok",)])
