"""Readings that hashsight makes of a capture, as the document `golden.json`. Pure."""

import msgspec

from agent.errors import PollError
from agent.hil.capture.folder import encoded
from agent.hil.capture.form import Capture
from agent.hil.capture.replayed import reading_of
from agent.site.evidence import alone_findings
from agent.site.reasons import REASONS
from agent.unit.reading import UnitReading

FIRST = "first"
"""The key of the reading of the first replies; a moment's is its folder."""


def golden_of(capture: Capture) -> bytes:
    """Return the content of `golden.json`: the reading of the first replies and of each moment."""
    readings = {FIRST: told(reading_of(capture))}
    for moment in capture.manifest.moments:
        readings[moment.folder] = told(reading_of(capture, moment))
    return encoded(readings)


def told(read: UnitReading | PollError) -> dict[str, object]:
    """Return a reading as `hashsight read --json` prints it; of a failed poll `error` and `message`."""
    if isinstance(read, PollError):
        return {"error": read.reason, "message": str(read)}
    figures = msgspec.to_builtins(read)
    if read.system_info is None:
        # Told by few units; a document of any other has no key for it.
        del figures["system_info"]
    return {**figures, **findings_of(read)}


def findings_of(reading: UnitReading) -> dict[str, object]:
    """Return what a reading shows by itself: the reason, its words, the other findings, and what to check first."""
    first, *others = alone_findings(reading)
    return {
        "reason": first.reason,
        "why": first.why,
        "also": [finding.why for finding in others],
        "check_first": REASONS[first.reason].check_first,
    }
