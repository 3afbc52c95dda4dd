"""Checks of how replies arrive: whole, with one NUL, soon, and as soon at the sixtieth poll as at the first."""

from collections.abc import Iterator
from statistics import median
from typing import Final

from agent.hil.capture.form import Ending, Timing
from agent.hil.verify.observed import Observed
from agent.hil.verify.reply import Reply
from agent.hil.verify.verdict import Finding, UnansweredError
from agent.unit.cgminer import wire

PROMPT_S: Final = 5.0
"""Assumed (A05): a busy unit answers within five seconds. It is also the agent's default deadline."""
LEAST_POLLS: Final = 12
MOST_LOOKS: Final = 2
"""Requests of one kind without any polls: one a look."""
SLOWER: Final = 2.0
"""Factor on the median reply time of a series above which polling has slowed the unit."""
SLOWER_S: Final = 0.1
"""Added to it, s: the scatter of replies that take milliseconds."""

_WITH_NUL: Final = frozenset({Ending.NUL_CLOSE, Ending.NUL})


def replies_arrive_whole(look: Observed) -> Iterator[Finding]:
    """Each request on TCP 4028 gets a reply that is not cut by a reset, a close or silence."""
    for reply in _ended(look):
        if reply.data is None:
            yield Finding(path=reply.request, found=f"no byte ({reply.ending or 'no connection'})", expected="a reply")
        elif not reply.is_whole and reply.ending is not Ending.TOO_LARGE:
            found = f"{len(reply.data):,} bytes, then {reply.ending}"
            yield Finding(path=reply.request, found=found, expected="a whole reply")


def one_nul_ends_a_reply(look: Observed) -> Iterator[Finding]:
    """Each whole reply on TCP 4028 ends with one NUL. Documented (D02), assumed of an S21 (A01)."""
    for reply in _ended(look):
        if not reply.is_whole:
            continue
        if reply.ending not in _WITH_NUL:
            yield Finding(path=reply.request, found=f"{reply.ending} without a NUL", expected="one NUL at its end")
        elif b"\0" in (reply.data or b""):
            yield Finding(path=reply.request, found="a NUL within the reply", expected="one NUL at its end")


def the_unit_closes(look: Observed) -> Iterator[Finding]:
    """The unit closes the connection after its reply. Documented (D02)."""
    for reply in _ended(look):
        if reply.ending is Ending.NUL:
            yield Finding(path=reply.request, found="left open after the reply", expected="closed by the unit")


def replies_are_small(look: Observed) -> Iterator[Finding]:
    """No reply is larger than the agent reads. Assumed (A100): none has nine times the largest recorded size."""
    is_any = False
    for reply in look.replies.values():
        if reply.data is None:
            continue
        is_any = True
        cap = wire.REPLY_CAPS.get(reply.request.partition(" ")[0], wire.MAX_REPLY_BYTES)
        if reply.ending is Ending.TOO_LARGE or len(reply.data) + 1 > cap:
            yield Finding(path=reply.request, found=f"{len(reply.data):,} bytes", expected=f"at most {cap:,}")
    if not is_any:
        raise UnansweredError("no reply was recorded")


def replies_are_prompt(look: Observed) -> Iterator[Finding]:
    """Each whole reply comes within five seconds. Assumed (A05)."""
    whole = [timing for timing in look.timings if timing.last_byte_s is not None]
    if not whole:
        raise UnansweredError("no reply was timed")
    for timing in whole:
        if (timing.last_byte_s or 0.0) > PROMPT_S:
            yield Finding(
                path=f"{timing.request} at {timing.at_s:.0f} s",
                found=f"last byte after {timing.last_byte_s:.2f} s",
                expected=f"within {PROMPT_S:g} s",
            )


def polls_are_answered(look: Observed) -> Iterator[Finding]:
    """Each poll of a series gets a reply."""
    series = _series(look)
    failed = [timing for timing in series if timing.last_byte_s is None]
    if failed:
        yield Finding(
            path=f"{series[0].request} over {series[-1].at_s - series[0].at_s:.0f} s",
            found=f"{len(failed)} of {len(series)} polls without a reply, the first at {failed[0].at_s:.0f} s",
            expected="a reply to each",
        )


def polling_does_not_slow(look: Observed) -> Iterator[Finding]:
    """Polled again and again, a unit answers at the end as soon as at the beginning."""
    took = [timing.last_byte_s for timing in _series(look) if timing.last_byte_s is not None]
    if len(took) < LEAST_POLLS:
        raise UnansweredError(f"{len(took)} polls were answered, too few to compare")
    third = len(took) // 3
    first, last = median(took[:third]), median(took[-third:])
    if last > SLOWER * first + SLOWER_S:
        yield Finding(
            path=f"{_series(look)[0].request}, {len(took)} polls",
            found=f"median {last:.3f} s in the last third",
            expected=f"at most {SLOWER * first + SLOWER_S:.3f} s; it was {first:.3f} s in the first",
        )


def _series(look: Observed) -> list[Timing]:
    """Return the exchanges of the request that was made most often.

    Raises:
        UnansweredError: It was made less than `LEAST_POLLS` times.
    """
    by_request: dict[str, list[Timing]] = {}
    for timing in look.timings:
        by_request.setdefault(timing.request, []).append(timing)
    series = max(by_request.values(), key=len, default=[])
    if len(series) < LEAST_POLLS:
        few = f"{len(series)} requests of one kind were timed; a series has {LEAST_POLLS}"
        raise UnansweredError(few if len(series) > MOST_LOOKS else "no series of polls was timed")
    return series


def _ended(look: Observed) -> list[Reply]:
    """Return the unit's own replies, and the requests that got none.

    Raises:
        UnansweredError: How they ended was not recorded, or there are none.
    """
    known = [reply for reply in look.of_unit if reply.ending is not None or reply.data is None]
    if not known:
        raise UnansweredError("how the replies ended was not recorded")
    return known
