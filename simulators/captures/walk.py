"""Times of the moments of a recording, for a replay that walks through them."""

from collections.abc import Mapping
from itertools import pairwise
from typing import NamedTuple

from simulators.captures.folder import CaptureError
from simulators.captures.form import Recording, Timing


class Step(NamedTuple):
    """A moment and its time.

    Attributes:
        at_s: Since the recording began, s.
        moment: Position of the moment in the recording.
    """

    at_s: float
    moment: int


class Look(NamedTuple):
    """One round of requests, as far as the timings tell.

    Attributes:
        at_s: Since the recording began, s.
        state: State of the unit in it; None if it was not noted.
    """

    at_s: float
    state: str | None


def walk_of(recording: Recording) -> tuple[Step, ...]:
    """Return the moments of a recording with their times, in order.

    A moment came with the first look of its state after the moment before it; the last one with the last look, which
    every recording keeps.

    Raises:
        CaptureError: It has no moments, no timings, or no look that a moment could be of.
    """
    if not recording.moments:
        raise CaptureError(f"{recording.name}: has no moments to walk through")
    if recording.timings is None:
        raise CaptureError(f"{recording.name}: has no timings.json, so that the times of its moments are not known")
    looks = looks_of(recording.timings.replies)
    steps: list[Step] = []
    at = 0 if _is_first_look(recording) else 1
    for position, moment in enumerate(recording.moments):
        if position == len(recording.moments) - 1 and at < len(looks) and looks[-1].state == moment.state:
            at = len(looks) - 1
        while at < len(looks) and looks[at].state != moment.state:
            at += 1
        if at == len(looks):
            raise CaptureError(
                f"{recording.name}: timings.json has no look in state {moment.state!r} for {moment.folder}"
                f"{f' after {steps[-1].at_s:g} s' if steps else ''}"
            )
        steps.append(Step(looks[at].at_s, position))
        at += 1
    return tuple(steps)


def looks_of(timings: tuple[Timing, ...]) -> tuple[Look, ...]:
    """Return the rounds of requests; each begins with the request that the recording began with."""
    if not timings:
        return ()
    in_order = sorted(timings, key=lambda timing: timing.at_s)
    first = in_order[0]
    looks = [Look(first.at_s, first.state)]
    for before, timing in pairwise(in_order):
        # A page is asked for twice in a row: without a login, then with one.
        if timing.request == first.request and before.request != first.request:
            looks.append(Look(timing.at_s, timing.state))
    return tuple(looks)


def _is_first_look(recording: Recording) -> bool:
    """Return True if the first moment holds the very replies that the recording began with."""
    first: Mapping[tuple[str, bool], bytes] = {
        (answer.reply.request, answer.reply.has_login): answer.data for answer in recording.answers
    }
    answers = recording.moments[0].answers
    return bool(answers) and all(
        first.get((answer.reply.request, answer.reply.has_login)) == answer.data for answer in answers
    )
