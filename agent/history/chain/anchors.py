"""Anchors: files elsewhere that name a head, whose SHA-256 becomes a fact of the chain; requests for that as files.

While an agent writes the history, no other process may. So a request is a small file beside it, which the agent takes
up with its next write and deletes once the fact is on the disk. One that is found twice is one fact.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from agent.files.atomic import sync_folder, temporary_file
from agent.files.regular import open_regular
from agent.history.chain.heads import is_hash
from agent.history.chain.links import Fact, canonical

MOST_NOTE = 500
_MOST_NAME = 200
_MOST_BYTES = 1 << 16
_SUFFIX = ".json"


class Anchor(NamedTuple):
    """One file that names a head.

    Attributes:
        sha256: Of its content, in hexadecimal.
        name: Its name.
        size_bytes: Its size.
        note: An operator's words.
        at: When it was added, Unix time, s.
    """

    sha256: str
    name: str
    size_bytes: int
    note: str
    at: int

    @property
    def fact(self) -> Fact:
        """The fact of the chain."""
        body = {"sha256": self.sha256, "name": self.name, "size_bytes": self.size_bytes, "note": self.note}
        return Fact("anchor", self.at, body)


def anchor_of(content: Any) -> Anchor:
    """Return the anchor of a request's JSON.

    Raises:
        ValueError: It is none.
    """
    try:
        anchor = Anchor(**msgspec.convert(content, dict[str, str | int]))  # type: ignore[arg-type]
        anchor = msgspec.convert(tuple(anchor), Anchor)
    except (msgspec.ValidationError, TypeError) as error:
        raise ValueError(f"no request for an anchor: {error}") from error
    if not is_hash(anchor.sha256) or len(anchor.note) > MOST_NOTE or len(anchor.name) > _MOST_NAME:
        raise ValueError("no request for an anchor: a SHA-256, a name and a note are expected")
    return anchor


def anchors_folder_prefix(history: Path) -> str:
    """Return how the names of requests for a history begin."""
    return f"{history.with_suffix('').name}.anchor-"


def request_anchor(history: Path, anchor: Anchor) -> Path:
    """Write a request beside a history; it is on the disk, whole, when this returns.

    Raises:
        OSError: It could not be written.
    """
    text = canonical(anchor._asdict())
    path = history.with_name(f"{anchors_folder_prefix(history)}{anchor.sha256[:16]}-{anchor.at}{_SUFFIX}")
    with temporary_file(path, text.encode(), like=history) as temporary:
        temporary.replace(path)
    sync_folder(path.parent)
    return path


def requested_anchors(history: Path) -> Iterator[tuple[Path, Anchor | None]]:
    """Yield the requests beside a history; None in the place of what is none.

    Raises:
        OSError: The folder or a request cannot be read.
    """
    prefix = anchors_folder_prefix(history)
    for path in sorted(history.parent.iterdir()):
        if not (path.name.startswith(prefix) and path.name.endswith(_SUFFIX)):
            continue
        anchor = None
        with open_regular(path) as file:
            content = file.read(_MOST_BYTES)
        with suppress(ValueError, RecursionError, msgspec.DecodeError):
            anchor = anchor_of(msgspec.json.decode(content))
        yield path, anchor
