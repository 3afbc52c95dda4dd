"""`tunerstatus`: the power that the tuner works out, and a text on each board's tuning.

Observed (O184): boards of 448 W each and 75 W for the rest make 1,419 W of a limit of 1,420: arithmetic, and
no measurement.
Documented (D252): the texts `Stable`, `Testing performance profile` and `Tuning individual chips` are of boards that
hash, and a text with `paused` is of one that does not. Any other says nothing.
"""

from enum import Enum
from functools import lru_cache
from typing import Annotated, Any, Final, NamedTuple

import msgspec
from msgspec import Meta

from agent.errors import UnsupportedReplyError, excerpt
from agent.unit.braiins.reply import Statuses, regular, rows_of
from agent.unit.cgminer.rows import Row
from agent.unit.limits import MAX_BOARDS, MAX_WATTS

_LONGEST: Final = 80
_HASHING: Final = frozenset({"stable", "testing performance profile", "tuning individual chips"})


class Work(Enum):
    """What the texts on the boards' tuning tell: OTHER if one is not known, or they differ; UNTOLD if there is none."""

    HASHING = "hashing"
    PAUSED = "paused"
    OTHER = "other"
    UNTOLD = "untold"


class Tuner(NamedTuple):
    """A `tunerstatus` reply: the tuner's estimate of the unit's power, W, and the work that its texts tell of."""

    watts: float | None
    work: Work


class _Chain(msgspec.Struct, frozen=True, gc=False):
    Status: str | None = None


_KEYS: Final = {"watts": "ApproximateMinerPowerConsumption", "chains": "TunerChainStatus"}


class _Row(msgspec.Struct, frozen=True, gc=False, rename=_KEYS):
    watts: Annotated[float, Meta(ge=0, le=MAX_WATTS)] | None = None
    chains: Annotated[tuple[_Chain, ...], Meta(max_length=MAX_BOARDS)] = ()


class _Reply(msgspec.Struct, frozen=True, gc=False):
    STATUS: Statuses
    TUNERSTATUS: Annotated[tuple[_Row, ...], Meta(min_length=1, max_length=1)]


_decode: Final = msgspec.json.Decoder(_Reply).decode


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
    reply = regular(data, _decode)
    if reply is not None:
        row = reply.TUNERSTATUS[0]
        return Tuner(row.watts or None, _work([chain.Status for chain in row.chains]))
    rows = rows_of(data, "tunerstatus", "TUNERSTATUS", repairs, most=1)
    if not rows:
        raise UnsupportedReplyError(f"tunerstatus: no element in TUNERSTATUS: {excerpt(data)!r}")
    chains = rows[0].get("TunerChainStatus")
    rows_of_boards = chains[:MAX_BOARDS] if isinstance(chains, list) else []
    texts = [chain.get("Status") for chain in rows_of_boards if isinstance(chain, dict)]
    return Tuner(Row(rows[0], repairs).number(_KEYS["watts"], MAX_WATTS) or None, _work(texts))


def _work(texts: list[Any]) -> Work:
    kinds = {_meaning(text[:_LONGEST]) for text in texts if isinstance(text, str)}
    if not kinds:
        return Work.UNTOLD
    return kinds.pop() if len(kinds) == 1 else Work.OTHER


@lru_cache(maxsize=256)
def _meaning(text: str) -> Work:
    # A detail may follow in braces.
    words = text.partition("{")[0].strip().casefold()
    if words in _HASHING:
        return Work.HASHING
    return Work.PAUSED if "paused" in words else Work.OTHER
