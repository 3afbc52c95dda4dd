"""Simulated units as captures, without a socket: looked at, polled, and looked at again, in simulated time.

The wire's half of a delivery (pieces, delays, endings) is worked out here as the recorder's sockets would meet it;
`tests/hardware/test_targets.py` holds the two to each other.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from simulated_wire import Alone

from agent.hil.capture import form
from agent.hil.capture.form import Capture, CapturedUnit, Ending, Manifest, Moment, Port, RecordedReply, Timing, Timings
from agent.hil.capture.requests import encoded
from agent.hil.verify.observed import LOOK, POLLED
from agent.unit.cgminer import wire
from simulators.firmware.antminer import api_program
from simulators.sockets.station import LiveUnit
from simulators.unit import delivery
from simulators.unit.conditions import Change, Condition, Verb
from simulators.unit.delivery import Delivery
from simulators.unit.unit import Unit

PATIENCE_S: Final = 30.0
REPLY_S: Final = 0.05  # Assumed (A06): 30 to 150 ms.
POLLS: Final = 60
EVERY_S: Final = 10.0
MORE_BYTES: Final = 1024
_ALONE: Final = Alone()


def afflicted(unit: Unit, faults: Iterable[Condition], at: float) -> Unit:
    """Return a unit into which faults are injected at `at`."""
    for number, fault in enumerate(faults, start=1):
        unit.schedule(Change(at, 2 * number, Verb.INJECT, number, fault))
    return unit


def observed(unit: Unit, at: float, *, name: str, polls: int = POLLS) -> Capture:
    """Return the capture of a simulated unit: a look, a series of polls every 10 s, and a second look."""
    recording = _Recording(unit, at)
    first = tuple(recording.look(at))
    recording.timings += [recording.exchange(POLLED, at + poll * EVERY_S)[2] for poll in range(1, polls + 1)]
    later = at + (polls + 1) * EVERY_S
    folder = f"{form.MOMENTS}/01-later"
    second = tuple(recording.look(later, f"{folder}/"))
    manifest = Manifest(
        form=form.FORM,
        recorded_by="tests",
        is_redacted=True,
        unit=CapturedUnit(),
        ports={"4028": Port.OPEN},
        replies=first,
        moments=(Moment(folder=folder, state="later", replies=second),),
    )
    timed = Timings(recorded_at="2025-10-09T08:53:20Z", replies=tuple(recording.timings))
    return Capture(name=name, manifest=manifest, data=recording.data, timings=timed)


class _Recording:
    """What is kept of a simulated unit from `began` on, Unix s."""

    def __init__(self, unit: Unit, began: float) -> None:
        self._station = LiveUnit(_ALONE, unit)  # type: ignore[arg-type]
        self._began = began
        self.data: dict[str, bytes] = {}
        self.timings: list[Timing] = []

    def look(self, at: float, prefix: str = "") -> Iterator[RecordedReply]:
        """Ask for everything once, one request after the other."""
        for request in LOOK:
            reply, ending, timing = self.exchange(request, at)
            self.timings.append(timing)
            at += timing.last_byte_s or REPLY_S
            file = None
            if reply:
                file = f"{form.file_stem(request)}.json"
                self.data[prefix + file] = reply
            yield RecordedReply(request=request, file=file, ending=ending)

    def exchange(self, request: str, at: float) -> tuple[bytes | None, Ending | None, Timing]:
        """Return what comes of one request, how it ends, and when."""
        sent = encoded(request)
        when = at - self._began
        if not self._station.is_online(at):
            return None, Ending.RESET, Timing(request=request, at_s=when, connect_s=REPLY_S)
        answer = self._station.answer(api_program.read_request(sent), at)
        if isinstance(answer, bytes):
            answer = Delivery(command=request, reply=answer + api_program.NUL)
        reply, ending, took_s = _received(answer, wire.cap_of(sent) + MORE_BYTES)
        timing = Timing(
            request=request,
            at_s=when,
            connect_s=0.0,
            first_byte_s=REPLY_S + answer.wait_s if reply else None,
            last_byte_s=took_s if reply and ending is not Ending.SILENCE else None,
        )
        return reply or None, ending, timing


def _received(answer: Delivery, most_bytes: int) -> tuple[bytes, Ending, float]:
    """Return the bytes before the NUL, the ending, and the seconds until the last byte."""
    piece = answer.piece_bytes or max(1, len(answer.reply))
    wanted, nul, _ = answer.reply.partition(b"\0")
    wanted = wanted[:most_bytes]
    pieces = -(-(len(wanted) + len(nul)) // piece)
    took_s = REPLY_S + answer.wait_s + max(0, pieces - 1) * answer.gap_s
    if took_s > PATIENCE_S:
        came = (
            0
            if answer.wait_s > PATIENCE_S
            else int((PATIENCE_S - answer.wait_s) / (answer.gap_s or PATIENCE_S)) * piece
        )
        return wanted[:came], Ending.SILENCE, PATIENCE_S
    if len(wanted) >= most_bytes:
        return wanted, Ending.TOO_LARGE, took_s
    if answer.ending is delivery.Ending.RESET:
        return wanted, Ending.RESET, took_s
    if nul:
        is_left_open = answer.ending is delivery.Ending.HANG or answer.linger_s > 0.0
        return wanted, Ending.NUL if is_left_open else Ending.NUL_CLOSE, took_s
    return wanted, Ending.SILENCE if answer.ending is delivery.Ending.HANG else Ending.CLOSE, took_s
