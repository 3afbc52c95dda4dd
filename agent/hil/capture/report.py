"""The result of a recording, as a document for machines and for the screen at its end. Pure."""

from collections.abc import Iterable, Sequence
from statistics import median
from typing import Final

import msgspec

from agent.errors import PollError
from agent.hil.capture import form
from agent.hil.capture.finishing import Finished
from agent.hil.capture.form import Capture, RecordedReply, Timing
from agent.hil.capture.gathering import Gathering
from agent.hil.capture.golden import told
from agent.hil.capture.replayed import reading_of
from agent.hil.redaction.redactor import Redactor
from agent.unit.cgminer import wire

NOTHING: Final = "nothing"
"""The ending of a request that no byte and no close answered: there was no connection."""


def as_document(gathering: Gathering, done: Finished, redactor: Redactor | None) -> dict[str, object]:
    """Return what was recorded, in base units.

    Args:
        gathering: The recording.
        done: The capture made of it.
        redactor: What redacted it; None if nothing did.
    """
    capture = done.capture
    manifest = capture.manifest
    first = next((look for look in gathering.looks if look.answered), None)
    return {
        "unit": msgspec.to_builtins(manifest.unit),
        "firmware": done.firmware,
        "is_redacted": manifest.is_redacted,
        "files": len(capture.data),
        "bytes": sum(map(len, capture.data.values())),
        "looks": len(gathering.looks),
        "states": [
            {
                "state": state,
                "first_at_s": round(next(look.at_s for look in gathering.looks if look.state is state), 3),
                "looks": sum(look.state is state for look in gathering.looks),
            }
            for state in gathering.states
        ],
        "first_look": None if first is None else {"asked": first.asked, "answered": first.answered},
        "moments": [moment.folder for moment in manifest.moments],
        "ports": dict(manifest.ports),
        "endings": _endings(manifest.replies),
        "refused": _refused(capture),
        "times": _times(() if capture.timings is None else capture.timings.replies),
        "reading": told(reading_of(capture)),
        "replaced": [] if redactor is None else [msgspec.to_builtins(each) for each in redactor.replaced],
        "kept": [] if redactor is None else [msgspec.to_builtins(each) for each in redactor.kept],
    }


def _endings(replies: Iterable[RecordedReply]) -> dict[str, list[str]]:
    """Return the requests by the ending of their replies, in the order in which they were asked."""
    found: dict[str, list[str]] = {}
    for reply in replies:
        name = f"{reply.request} (without login)" if _is_challenge(reply) else reply.request
        found.setdefault(reply.ending or NOTHING, []).append(name)
    return found


def _is_challenge(reply: RecordedReply) -> bool:
    return not form.is_on_api_port(reply.request) and not reply.has_login


def _refused(capture: Capture) -> list[str]:
    """Return the requests on TCP 4028 that the unit refused by STATUS, and the pages by an HTTP status from 400 on."""
    return [reply.request for reply in capture.manifest.replies if _is_refused(capture, reply)]


def _is_refused(capture: Capture, reply: RecordedReply) -> bool:
    if reply.request.startswith("GET "):
        is_meant = reply.has_login or form.is_on_api_port(reply.request)
        return is_meant and reply.status is not None and reply.status >= 400
    try:
        return reply.file is not None and wire.decode_reply(capture.data[reply.file], "").status in wire.REFUSALS
    except PollError:
        return False


def _times(timings: Sequence[Timing]) -> dict[str, dict[str, float]]:
    """Return least, median and greatest of each time, s; without times that no exchange has."""
    found = {}
    for name in ("connect_s", "first_byte_s", "last_byte_s"):
        values = sorted(value for each in timings if (value := getattr(each, name)) is not None)
        if values:
            found[name] = {"least": values[0], "median": median(values), "greatest": values[-1]}
    return found
