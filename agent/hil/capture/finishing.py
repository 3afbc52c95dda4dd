"""From what was gathered to a whole capture: redacted, named, and with its golden reading. Pure."""

from collections.abc import Mapping
from typing import Final, NamedTuple, Protocol

import msgspec

from agent.errors import PollError
from agent.hil.capture.form import Capture, CapturedUnit, RecordedReply
from agent.hil.capture.gathering import Gathering
from agent.hil.capture.golden import golden_of
from agent.hil.capture.naming import folder_name, sources_row
from agent.hil.capture.replayed import reading_of
from agent.hil.capture.requests import EPIC_SUMMARY, STATS, VERSION, Firmware, firmware_said
from agent.hil.capture.spool import Begun
from agent.site.mismatch import reported_bin

_HEAD: Final = "#head"


class Redacts(Protocol):
    """Replacement of names, serials and addresses by pseudonyms of the same length."""

    def survey(self, name: str, data: bytes) -> None:
        """Learn what is private in one reply."""

    def redact(self, name: str, data: bytes) -> bytes:
        """Return a reply of the same length with pseudonyms; all replies were surveyed before."""


class Finished(NamedTuple):
    """A capture, ready to be written.

    Attributes:
        capture: Redacted, unless `redactor` was None.
        golden: Content of `golden.json`.
        sources: Content of `SOURCES.md`.
        firmware: Which firmware answered.
    """

    capture: Capture
    golden: bytes
    sources: str
    firmware: Firmware


def finished(gathering: Gathering, begun: Begun, redactor: Redacts | None) -> Finished:
    """Return the capture of a recording.

    Args:
        gathering: At least one reply.
        begun: The first line of its spool.
        redactor: None to leave everything as the unit said it.
    """
    capture = gathering.capture(name="", recorded_by=begun.recorded_by, recorded_at=begun.recorded_at)
    if redactor is not None:
        capture = redacted(capture, redactor)
    replies = capture.replies()
    stats = replies.get(STATS, b"") + replies.get("stats", b"")
    firmware = firmware_said(replies.get(VERSION, b""), stats, replies.get(EPIC_SUMMARY, b""))
    unit = _unit(capture)
    name = folder_name(unit, firmware, begun.recorded_at)
    capture = msgspec.structs.replace(capture, name=name, manifest=msgspec.structs.replace(capture.manifest, unit=unit))
    return Finished(capture, golden_of(capture), sources_row(capture, firmware), firmware)


def named(done: Finished, name: str) -> Finished:
    """Return the capture under another name."""
    capture = msgspec.structs.replace(done.capture, name=name)
    return done._replace(capture=capture, sources=sources_row(capture, done.firmware))


def redacted(capture: Capture, redactor: Redacts) -> Capture:
    """Return a capture with pseudonyms in all its replies and heads."""
    texts = {**capture.data, **_heads(capture)}
    for name, text in texts.items():
        redactor.survey(name, text)
    shared = {name: redactor.redact(name, text) for name, text in texts.items()}

    def shown(prefix: str, reply: RecordedReply) -> RecordedReply:
        if reply.head is None:
            return reply
        return msgspec.structs.replace(reply, head=shared[f"{prefix}{reply.file}{_HEAD}"].decode("latin-1"))

    manifest = capture.manifest
    manifest = msgspec.structs.replace(
        manifest,
        is_redacted=True,
        replies=tuple(shown("", reply) for reply in manifest.replies),
        moments=tuple(
            msgspec.structs.replace(
                moment, replies=tuple(shown(f"{moment.folder}/", reply) for reply in moment.replies)
            )
            for moment in manifest.moments
        ),
    )
    data = {name: shared[name] for name in capture.data}
    return msgspec.structs.replace(capture, manifest=manifest, data=data)


def _heads(capture: Capture) -> Mapping[str, bytes]:
    looks = [("", capture.manifest.replies)]
    looks += [(f"{moment.folder}/", moment.replies) for moment in capture.manifest.moments]
    return {
        f"{prefix}{reply.file}{_HEAD}": reply.head.encode("latin-1")
        for prefix, replies in looks
        for reply in replies
        if reply.head is not None
    }


def _unit(capture: Capture) -> CapturedUnit:
    """Return what the unit says it is, from the first moment that can be read."""
    for moment in (None, *capture.manifest.moments):
        reading = reading_of(capture, moment)
        if not isinstance(reading, PollError):
            bin_hs = reported_bin(reading)
            return CapturedUnit(
                model=reading.identity.model,
                firmware=reading.identity.firmware,
                reader=reading.reader,
                bin_hs=None if bin_hs is None else bin_hs.hashrate_hs,
            )
    return CapturedUnit()
