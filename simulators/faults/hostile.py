"""Units that send what costs a client dear: much of it, text that is slow to repair, or a label that never stays.

The unit hashes on. Nothing here was recorded: firmware that is broken, or a machine that somebody took over, may send
anything. Each docstring says what an agent must conclude.
"""

import re
from dataclasses import dataclass, replace
from typing import Final

from simulators.faults.wire import ReplyFault
from simulators.unit.conditions import require
from simulators.unit.delivery import Delivery, Ending

MAX_SIZE_BYTES: Final = 10_000_000
_HEAD: Final = b'{"STATUS":[{"STATUS":"S","Msg":"x"}],"STATS":['
_COMPILE_TIME: Final = re.compile(rb'("CompileTime": ?")[^"]*')


def _filled(piece: bytes, size_bytes: int) -> bytes:
    return _HEAD + piece * (size_bytes // len(piece)) + b"\0"


def _require_size(size_bytes: int) -> None:
    require(0 <= size_bytes <= MAX_SIZE_BYTES, "size_bytes", size_bytes, f"0 to {MAX_SIZE_BYTES:,}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Brackets(ReplyFault):
    """Every reply is a list of nested brackets without an end.

    An agent must call the unit unreadable, at no cost to other units: it stops reading at its cap, and repairs nothing
    that is no reply by its size or shape.

    Attributes:
        size_bytes: Size of the reply.
        depth: Brackets that are opened, and closed again, one after the other.
    """

    size_bytes: int = 1_000_000
    depth: int = 30

    def __post_init__(self) -> None:
        _require_size(self.size_bytes)
        require(1 <= self.depth <= 1000, "depth", self.depth, "1 to 1,000")

    def spoil(self, delivery: Delivery) -> Delivery:
        """Answer with brackets."""
        return delivery.with_reply(_filled(b"[" * self.depth + b"]" * self.depth + b",", self.size_bytes))


@dataclass(frozen=True, slots=True, kw_only=True)
class Nans(ReplyFault):
    """Every reply is a list of bare ``nan``.

    An agent must conclude the same as from `brackets`.

    Attributes:
        size_bytes: Size of the reply.
    """

    size_bytes: int = 1_000_000

    def __post_init__(self) -> None:
        _require_size(self.size_bytes)

    def spoil(self, delivery: Delivery) -> Delivery:
        """Answer with ``nan``."""
        return delivery.with_reply(_filled(b"nan,", self.size_bytes))


@dataclass(frozen=True, slots=True, kw_only=True)
class Commas(ReplyFault):
    """Every reply is a list of commas.

    An agent must conclude the same as from `brackets`.

    Attributes:
        size_bytes: Size of the reply.
    """

    size_bytes: int = 1_000_000

    def __post_init__(self) -> None:
        _require_size(self.size_bytes)

    def spoil(self, delivery: Delivery) -> Delivery:
        """Answer with commas."""
        return delivery.with_reply(_filled(b",", self.size_bytes))


@dataclass(frozen=True, slots=True, kw_only=True)
class LargeReply(ReplyFault):
    """Every reply is a sound one, with a text in it that makes it larger than any real one.

    An agent must stop at its cap and call the unit unreadable. The reply does parse: what is wrong is its size.

    Attributes:
        size_bytes: Size of the reply.
    """

    size_bytes: int = 100_000

    def __post_init__(self) -> None:
        _require_size(self.size_bytes)

    def spoil(self, delivery: Delivery) -> Delivery:
        """Add a key with a long text to the end of the reply."""
        text = delivery.reply.rstrip(b"\0 \r\n")
        padding = max(0, self.size_bytes - len(text))
        return delivery.with_reply(text[:-1] + b',"padding":"' + b"x" * padding + b'"}\0')


@dataclass(frozen=True, slots=True, kw_only=True)
class StallsInReply(ReplyFault):
    """Much of a reply comes at once, and the rest never does.

    An agent must report the deadline, or end the connection before it if many units do so: what it holds of unfinished
    replies is bounded. Units that hold little must be read meanwhile.

    Attributes:
        size_bytes: How much comes.
    """

    size_bytes: int = 60_000

    def __post_init__(self) -> None:
        _require_size(self.size_bytes)

    def spoil(self, delivery: Delivery) -> Delivery:
        """Send the beginning of a text, and keep the connection."""
        reply = _HEAD + b'{"text":"' + b"x" * max(0, self.size_bytes - len(_HEAD) - 9)
        return replace(delivery, reply=reply[: self.size_bytes], ending=Ending.HANG)


@dataclass(frozen=True, slots=True, kw_only=True)
class FirmwareEachReply(ReplyFault):
    """Every reply names another firmware.

    An agent must read the unit as usual, and must not make a new series, or a new name of any kind, at each poll.
    """

    def spoil(self, delivery: Delivery) -> Delivery:
        """Replace the build date."""
        build = b"build %012d" % int(delivery.draw * 1e12)
        return delivery.with_reply(_COMPILE_TIME.sub(rb"\g<1>" + build, delivery.reply))
