"""Recorded units: every reply as it came, byte for byte and with its ending; each capture is a unit of its own."""

import ipaddress
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import msgspec

from simulators.captures import form
from simulators.captures.folder import CaptureError, read_capture
from simulators.captures.form import Answer, Ending, PortState, Recording
from simulators.captures.walk import walk_of
from simulators.farm.plan import addresses
from simulators.firmware.registry import is_any_write
from simulators.firmware.request import Request, request_name
from simulators.firmware.stand_in import joined, joins_reports, refusal
from simulators.sockets.page_bytes import api_page, http_reply
from simulators.sockets.recorded_delivery import MAX_DELAY_S, Delay, delivered, is_heard
from simulators.unit.delivery import Delivery
from simulators.unit.endpoints import Endpoint

# Ports where the recorded unit's own servers stand.
_SERVED = frozenset({form.API_PORT, form.WEB_PORT})


class Pages(NamedTuple):
    """The pages of a moment by path.

    Attributes:
        open: Answers to a GET without a login.
        behind: Answers to a GET with one.
    """

    open: Mapping[str, Answer]
    behind: Mapping[str, Answer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Answers of a recorded unit from a moment on.

    Attributes:
        at_s: Since the replay began, s.
        name: ``01-hashing``; empty for the first replies.
        api: Answers by request, ``new_api`` last.
        pages: Its pages.
    """

    at_s: float
    name: str
    api: Mapping[str, Answer]
    pages: Pages


class RecordedUnit:
    """A recorded unit at an address.

    Args:
        recording: What was recorded.
        host: IPv4 address it is served at.
        port: TCP port of its own for the API; 0 for the common port.
        scenes: What it answers, in time order; the first from the beginning on.
        delays: Recorded delays by request; empty to answer at once.
        start: When the replay began, Unix seconds of simulated time.
    """

    def __init__(
        self,
        recording: Recording,
        *,
        host: str,
        port: int,
        scenes: Sequence[Scene],
        delays: Mapping[str, Sequence[Delay]],
        start: float,
    ) -> None:
        self.recording = recording
        self.host = host
        self.port = port
        self.scenes = tuple(scenes)
        self._times = [scene.at_s for scene in scenes]
        self._delays = delays
        self._asked: dict[str, int] = {}
        self._start = start

    @property
    def name(self) -> str:
        """Name of the capture."""
        return self.recording.name

    @property
    def replies(self) -> Mapping[str, bytes]:
        """The first replies of its API, without their NUL, by request."""
        return {request: answer.data for request, answer in self.scenes[0].api.items()}

    @property
    def api_state(self) -> PortState:
        """Behaviour of its API port: open if it ever answered; as recorded; refused where nothing is known of it."""
        is_answering = any(is_heard(answer) for scene in self.scenes for answer in scene.api.values())
        return PortState.OPEN if is_answering else self.recording.ports.get(form.API_PORT, PortState.REFUSED)

    @property
    def web_state(self) -> PortState:
        """Behaviour of its port for pages."""
        answers = (each for scene in self.scenes for each in (*scene.pages.open.values(), *scene.pages.behind.values()))
        return (
            PortState.OPEN
            if any(map(is_heard, answers))
            else self.recording.ports.get(form.WEB_PORT, PortState.REFUSED)
        )

    @property
    def other_ports(self) -> Mapping[int, PortState]:
        """Ports that are neither and do not refuse. A host without a route is silent: here is always a route."""
        return {
            number: state
            for number, state in self.recording.ports.items()
            if number not in _SERVED and state is not PortState.REFUSED
        }

    def is_online(self, _t: float) -> bool:
        """Return True: a recorded unit always answers."""
        return True

    def is_write(self, request: Request) -> bool:
        """Return True if the request would change a unit of any firmware."""
        return is_any_write(request)

    def scene(self, t: float) -> Scene:
        """Return what it answers at `t`."""
        return self.scenes[max(0, bisect_right(self._times, t - self._start) - 1)]

    def delay(self, request: str) -> Delay | None:
        """Return the recorded delay of the next reply to a request, one after the other and over again."""
        delays = self._delays.get(request)
        if not delays:
            return None
        number = self._asked.get(request, 0)
        self._asked[request] = number + 1
        return delays[number % len(delays)]

    def answer(self, request: Request, t: float) -> bytes | Delivery:
        """Return the recorded reply.

        The legacy one if the new dialect was not recorded; to a command that was not recorded, what the unit said to an
        unknown one, or else its firmware's refusal. A unit whose firmware joins reports answers a joined request with
        its recorded parts. One with pages on this port answers as a web server does.
        """
        api = self.scene(t).api
        if any(name.startswith(form.API_PAGE) for name in api):
            return self._page(api, request)
        name = request_name(request)
        answer = api.get(name)
        if answer is None and name.endswith(" new_api"):
            answer = api.get(name.removesuffix(" new_api"))
        if answer is None and len(request.commands) > 1 and joins_reports(each.data for each in api.values()):
            unknown = refusal([each.data for each in api.values()], t)
            return joined(request.commands, lambda command: api[command].data if command in api else unknown)
        answer = answer or api.get(form.ANY_COMMAND)
        if answer is None:
            return refusal([each.data for each in api.values()], t)
        return delivered(answer, request.command, self.delay(answer.reply.request))

    def _page(self, api: Mapping[str, Answer], request: Request) -> bytes | Delivery:
        """Return the answer of a unit that serves HTTP on this port.

        Documented (D161): what is no HTTP gets status 400. A page that was not recorded is not found.
        """
        method, _, path = request.command.partition(" ")
        answer = api.get(f"{form.API_PAGE}{path}") if method == "GET" else None
        if answer is None and not path.startswith("/"):
            answer = api.get(request_name(request))
        if answer is None:
            text = http_reply("404 Not Found" if path.startswith("/") else "400 Bad Request")
            return Delivery(command=request.command, reply=text)
        delay = self.delay(answer.reply.request)
        if is_heard(answer):
            data = api_page(answer) if answer.reply.is_page else answer.data
            is_whole = answer.reply.ending in (None, Ending.LENGTH)
            ending = Ending.CLOSE if is_whole else answer.reply.ending
            answer = Answer(reply=msgspec.structs.replace(answer.reply, ending=ending), data=data)
        return delivered(answer, request.command, delay)


def read_captures(
    paths: Sequence[Path],
    base: str,
    endpoints: Sequence[Endpoint] = (),
    *,
    moment: str = "",
    is_over_time: bool = False,
    has_delays: bool = False,
    start: float = 0.0,
) -> list[RecordedUnit]:
    """Read captures: folders, or files of recorded replies. Files of one folder are one unit.

    Each becomes one unit, at `endpoints` or else at `base` and the addresses after it, in the given order.

    Args:
        paths: Folders and files.
        base: First IPv4 address.
        endpoints: Places of the units, instead.
        moment: ``01-hashing`` or a state: serve the replies of that moment over the first ones.
        is_over_time: Walk through the moments at their recorded times.
        has_delays: Answer as late as was recorded.
        start: When the replay begins, Unix seconds of simulated time.

    Raises:
        CaptureError: A path is missing or holds no capture, the base is not an IPv4 address, there are fewer
            endpoints than units, or a capture lacks the moment or the timings.
    """
    try:
        ipaddress.IPv4Address(base)
    except ValueError:
        raise CaptureError(f"base {base!r} is not an IPv4 address") from None
    by_unit: dict[Path, Recording] = {}
    for path in paths:
        recording = read_capture(path)
        folder = path if path.is_dir() else path.parent
        before = by_unit.get(folder)
        if before is not None:
            recording = _joined(before, recording)
        by_unit[folder] = recording
    if endpoints and len(endpoints) < len(by_unit):
        raise CaptureError(f"{len(by_unit)} recorded units, but a list of {len(endpoints)} addresses")
    places = iter(endpoints) if endpoints else map(Endpoint, addresses(base))
    return [
        RecordedUnit(
            recording,
            host=str(ipaddress.IPv4Address(address)),
            port=port,
            scenes=_scenes(recording, moment=moment, is_over_time=is_over_time),
            delays=delays_of(recording) if has_delays else {},
            start=start,
        )
        for recording, (address, port) in zip(by_unit.values(), places, strict=False)
    ]


def _joined(first: Recording, second: Recording) -> Recording:
    """Return a recording with the answers of both."""
    return Recording(
        name=first.name, answers=(*first.answers, *second.answers), ports={}, has_manifest=first.has_manifest
    )


def delays_of(recording: Recording) -> dict[str, list[Delay]]:
    """Return the recorded delays by request, in the order in which they were measured.

    Raises:
        CaptureError: The capture has no timings.
    """
    if recording.timings is None:
        raise CaptureError(f"{recording.name}: has no timings.json, so that its delays are not known")
    delays: dict[str, list[Delay]] = {}
    for timing in sorted(recording.timings.replies, key=lambda each: each.at_s):
        if timing.first_byte_s is not None:
            first_s = min(max(0.0, timing.first_byte_s), MAX_DELAY_S)
            last_s = min(max(first_s, timing.last_byte_s or 0.0), MAX_DELAY_S)
            delay = Delay(first_s, last_s - first_s, max(1, len(timing.reads)))
            delays.setdefault(form.normal_request(timing.request), []).append(delay)
    return delays


def _scenes(recording: Recording, *, moment: str, is_over_time: bool) -> list[Scene]:
    first = _scene(0.0, "", recording.answers, None)
    if is_over_time:
        steps = walk_of(recording)
        return [
            first,
            *[_scene(at_s, recording.moments[at].name, recording.moments[at].answers, first) for at_s, at in steps],
        ]
    if not moment:
        return [first]
    wanted = moment.rstrip("/").rpartition("/")[2]
    found = [each for each in recording.moments if each.name == wanted]
    found = found or [each for each in recording.moments if each.state == wanted]
    if not found:
        names = ", ".join(each.name for each in recording.moments) or "none"
        raise CaptureError(f"{recording.name}: has no moment {moment!r}; its moments: {names}")
    return [_scene(0.0, found[0].name, found[0].answers, first)]


def _scene(at_s: float, name: str, answers: Sequence[Answer], under: Scene | None) -> Scene:
    """Return the scene of some answers; what they lack is as in the scene under them."""
    api: dict[str, Answer] = {}
    without: dict[str, Answer] = {}
    behind: dict[str, Answer] = {}
    for answer in answers:
        request = form.normal_request(answer.reply.request)
        if answer.reply.is_on_api_port:
            api.setdefault(request, answer)
        else:
            group = behind if answer.reply.has_login else without
            group.setdefault(request.removeprefix("GET "), answer)
    if under is None:
        return Scene(at_s=at_s, name=name, api=api, pages=Pages(without, behind))
    pages = Pages({**under.pages.open, **without}, {**under.pages.behind, **behind})
    return Scene(at_s=at_s, name=name, api={**under.api, **api}, pages=pages)
