"""Trial of whether a difference changes the meaning: it alone is put into a capture, which is read again."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from agent.errors import PollError
from agent.hil.capture.form import Ending
from agent.hil.capture.golden import told
from agent.hil.capture.replayed import reading_of
from agent.hil.verify.observed import Observed
from agent.unit.reading import UnitReading

_NO_FIGURES: Final = frozenset({"unit_id", "at", "repairs", "why", "also", "check_first", "message"})
"""Parts of a reading that are words, or notes on how it was made."""
PRIVATE: Final = frozenset({"serial", "mac", "url", "user"})
"""Figures that redaction replaces."""


class Trial:
    """A look whose replies can be altered one at a time.

    Args:
        look: The first look of a capture.

    Attributes:
        meant: Its reading, as `meaning_of`.
        explained: The figures that a trial has changed so far.
    """

    def __init__(self, look: Observed) -> None:
        self._look = look
        self.meant = meaning_of(look.reading)
        self.explained: set[str] = set()

    def changed_by_body(self, request: str, body: Any) -> list[str]:
        """Return the figures that change if the reply to a request has another body; both are printed alike."""
        reply = self._look.reply(request)
        plain = self._read(reply.file, json.dumps(self._look.document(request)).encode())
        return self._noted(plain, self._read(reply.file, json.dumps(body).encode()))

    def changed_by_bytes(self, request: str, data: bytes) -> list[str]:
        """Return the figures that change if a request gets these bytes; their values are those of other times."""
        return self._noted(self.meant, self._read(self._look.reply(request).file, data))

    def changed_by_ending(self, request: str, ending: Ending | None) -> list[str]:
        """Return the figures that change if a reply ends otherwise."""
        capture = self._look.capture
        replies = tuple(
            msgspec.structs.replace(reply, ending=ending) if reply.request == request else reply
            for reply in capture.manifest.replies
        )
        manifest = msgspec.structs.replace(capture.manifest, replies=replies)
        return self._noted(self.meant, meaning_of(reading_of(msgspec.structs.replace(capture, manifest=manifest))))

    def _read(self, file: str, data: bytes) -> dict[str, Any]:
        capture = self._look.capture
        return meaning_of(reading_of(msgspec.structs.replace(capture, data={**capture.data, file: data})))

    def _noted(self, first: Mapping[str, Any], second: Mapping[str, Any]) -> list[str]:
        changed = changes(first, second)
        self.explained.update(changed)
        return changed


def meaning_of(read: UnitReading | PollError) -> dict[str, Any]:
    """Return a reading's figures by path; of a failed poll its reason alone."""
    return {path: value for path, value in flat(told(read)) if path.partition("[")[0] not in _NO_FIGURES}


def changes(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[str]:
    """Return the paths at which two readings differ, in order."""
    return [path for path in dict.fromkeys((*first, *second)) if first.get(path) != second.get(path)]


def flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the leaves of a JSON document by path; an empty list or object is a leaf."""
    if isinstance(value, dict) and value:
        for key, each in value.items():
            yield from flat(each, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list | tuple) and value:
        for at, each in enumerate(value):
            yield from flat(each, f"{path}[{at}]")
    else:
        yield path, value


def is_private(path: str) -> bool:
    """Return True for a figure that redaction replaces."""
    return path.rpartition(".")[2] in PRIVATE
