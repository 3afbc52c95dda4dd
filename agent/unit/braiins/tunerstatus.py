"""`tunerstatus`: the power that the tuner works out, and a text on each board's tuning.

Observed (O184): boards of 448 W each and 75 W for the rest make 1,419 W of a limit of 1,420: arithmetic, and
no measurement.
Documented (D252): the texts `Stable`, `Testing performance profile` and `Tuning individual chips` are of boards that
hash, and a text with `paused` is of one that does not. Any other says nothing.
"""

from collections.abc import Sequence
from enum import Enum
from functools import lru_cache
from typing import Final, NamedTuple

from agent.errors import UnsupportedReplyError, excerpt
from agent.unit.braiins.reply import present, report_in
from agent.unit.braiins.reports import TUNER_SHAPE

_LONGEST: Final = 80
_HASHING: Final = frozenset({"stable", "testing performance profile", "tuning individual chips"})


class Work(Enum):
    """Meaning of the texts on boards' tuning: OTHER if one is unknown or they differ, UNTOLD if there is none."""

    HASHING = "hashing"
    PAUSED = "paused"
    OTHER = "other"
    UNTOLD = "untold"


class Tuner(NamedTuple):
    """A `tunerstatus` reply: the tuner's estimate of the unit's power, W, and the work that its texts tell of."""

    watts: float | None
    work: Work


def read_tunerstatus(data: bytes, repairs: set[str]) -> Tuner:
    """Read a `tunerstatus` reply. Power of 0 is none.

    Args:
        data: The reply as received.
        repairs: Names of repairs; those needed here are added.

    Raises:
        MalformedReplyError: The bytes are not a reply.
        RefusedError: The unit refused the command.
        UnsupportedReplyError: Another program answers, or the report is missing from the reply.
    """
    rows = present(report_in(TUNER_SHAPE, "tunerstatus", data, repairs).TUNERSTATUS, "tunerstatus", data)
    if not rows:
        raise UnsupportedReplyError(f"tunerstatus: no element in TUNERSTATUS: {excerpt(data)!r}")
    return Tuner(rows[0].watts or None, _work([chain.status for chain in rows[0].chains]))


def _work(texts: Sequence[str | None]) -> Work:
    kinds = {_meaning(text[:_LONGEST]) for text in texts if text is not None}
    if not kinds:
        return Work.UNTOLD
    return kinds.pop() if len(kinds) == 1 else Work.OTHER


@lru_cache(maxsize=256)
def _meaning(text: str) -> Work:
    # A detail may follow in braces.
    words = text.partition("{")[0].strip().casefold()
    if words in _HASHING:
        return Work.HASHING
    told = words.split()
    return Work.PAUSED if "paused" in told and "not" not in told else Work.OTHER
