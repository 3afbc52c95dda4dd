"""A capture as a recording: the first replies, then those of each moment."""

import re
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from agent.hil.assumptions.recorded import Exchange, Recorded
from agent.hil.capture.form import API_PAGE, Capture, Ending, RecordedReply, Timing
from agent.unit import registry
from agent.unit.unread import Unread

_PAGE: Final = "page "
_HTTP: Final = b"HTTP/"
_READ_PAGE: Final = "page get_system_info"
_SCRIPT: Final = re.compile(r"GET /(?:cgi-bin/)?([A-Za-z0-9_]+)\.cgi")
# Moments are apart in time, and the replies of one belong together.
_APART_S: Final = 1000.0
_Key = tuple[str, str | None]


def recorded_of(capture: Capture) -> Recorded:
    """Return a capture as a recording.

    A capture keeps a reply when its shape or the unit's state was new, and not when exactly it came, so nothing is told
    of cadence and durations. The bytes of a folder without a manifest were often printed anew, and tell nothing either.
    """
    manifest = capture.manifest
    times: dict[_Key, Timing] = {}
    for timing in capture.timings.replies if capture.timings is not None else ():
        if timing.last_byte_s is not None:
            times.setdefault((timing.request, timing.state), timing)
            times.setdefault((timing.request, None), timing)
    exchanges = list(_exchanges(capture, manifest.replies, "", _Moment(0, None), times))
    for at, moment in enumerate(manifest.moments, start=1):
        exchanges += _exchanges(capture, moment.replies, f"{moment.folder}/", _Moment(at, moment.state), times)
    ports = {int(port): word.value for port, word in manifest.ports.items() if port.isdecimal()}
    return Recorded(exchanges=tuple(exchanges), ports=ports, is_raw=capture.has_manifest, is_timed=False)


def unread_of(capture: Capture) -> Unread:
    """Return the fields of all replies of a capture that no reader reads, each once a report.

    The agent asks for one page alone, so every field of the others is unread, and that is known.
    """
    exchanges = recorded_of(capture).exchanges
    asked = (each for each in exchanges if each.request == _READ_PAGE or not each.request.startswith((_PAGE, "GET ")))
    return registry.unread_in((exchange.request, exchange.reply) for exchange in asked)


def request_name(request: str) -> str:
    """Return ``page NAME`` for a GET of a script, ``page :4028/PATH`` for one on TCP 4028, anything else as it is."""
    if request.startswith(API_PAGE):
        return f"{_PAGE}{request.removeprefix('GET ')}"
    match = _SCRIPT.fullmatch(request)
    return request if match is None else f"page {match[1]}"


class _Moment(NamedTuple):
    """The number of a moment, 0 for the first replies, and the unit's state."""

    at: int
    state: str | None


def _exchanges(
    capture: Capture, replies: tuple[RecordedReply, ...], prefix: str, moment: _Moment, times: Mapping[_Key, Timing]
) -> Iterator[Exchange]:
    at, state = moment
    for reply in replies:
        if reply.file is None or (reply.status is not None and reply.status != 200):
            continue
        timing = times.get((reply.request, state))
        is_api = not reply.request.startswith("GET ")
        if is_api and capture.data[prefix + reply.file].startswith(_HTTP):
            # Documented (D161): ePIC firmware has no API, and says so in HTTP.
            continue
        yield Exchange(
            request=request_name(reply.request),
            reply=capture.data[prefix + reply.file],
            at_s=_APART_S * at,
            state=state or (None if timing is None else timing.state),
            has_nul=None if reply.ending is None or not is_api else reply.ending in {Ending.NUL, Ending.NUL_CLOSE},
            took_s=None if timing is None else timing.last_byte_s,
        )
