"""Faults between a unit and its client, while the unit hashes on. Each docstring says what an agent must conclude."""

from dataclasses import dataclass, replace

from simulators.unit.conditions import Conditions, require
from simulators.unit.delivery import Delivery, Ending


class ReplyFault:
    """A fault that leaves the unit alone and alters its replies."""

    __slots__ = ()

    def bend(self, conditions: Conditions) -> Conditions:
        """Add this fault to those that alter the replies."""
        return replace(conditions, spoilers=(*conditions.spoilers, self))

    def spoil(self, delivery: Delivery) -> Delivery:
        """Return the delivery unchanged; every fault overrides this."""
        return delivery


@dataclass(frozen=True, slots=True, kw_only=True)
class Down:
    """The network of the unit is gone: nothing comes back, the unit hashes on.

    An agent must call it unreachable after its connect deadline and count its nameplate as lost, although in truth the
    unit hashes.
    """

    def bend(self, conditions: Conditions) -> Conditions:
        """Cut the unit off."""
        return replace(conditions, is_cut_off=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency(ReplyFault):
    """Replies come late.

    An agent with a longer deadline must read the unit as usual; with a shorter one it must report the deadline. In
    neither case may other units wait.

    Attributes:
        wait_s: Real seconds before the first byte.
        jitter_s: Largest random addition to the wait, real seconds.
    """

    wait_s: float = 1.0
    jitter_s: float = 0.0

    def __post_init__(self) -> None:
        require(self.wait_s >= 0.0, "wait_s", self.wait_s, "0 or more")
        require(self.jitter_s >= 0.0, "jitter_s", self.jitter_s, "0 or more")

    def spoil(self, delivery: Delivery) -> Delivery:
        """Delay the reply."""
        return replace(delivery, wait_s=delivery.wait_s + self.wait_s + delivery.draw * self.jitter_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeout(ReplyFault):
    """Requests are accepted and never answered.

    An agent must report the deadline and try again at the next interval.
    """

    def spoil(self, delivery: Delivery) -> Delivery:
        """Send nothing and keep the connection."""
        return replace(delivery, reply=b"", ending=Ending.HANG)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetPeer(ReplyFault):
    """The connection is reset in mid-reply.

    An agent must report a disconnection; the bytes before it are no reading.

    Attributes:
        after_bytes: Number of bytes of the reply sent first.
    """

    after_bytes: int = 0

    def __post_init__(self) -> None:
        require(self.after_bytes >= 0, "after_bytes", self.after_bytes, "0 or more")

    def spoil(self, delivery: Delivery) -> Delivery:
        """Cut the reply and reset."""
        return replace(delivery, reply=delivery.reply[: self.after_bytes], ending=Ending.RESET)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slicer(ReplyFault):
    """The reply comes in small pieces with pauses.

    An agent must join them; if they take longer than its deadline it must report that, however many arrive.

    Attributes:
        piece_bytes: Size of a piece.
        gap_s: Real seconds between two pieces.
    """

    piece_bytes: int = 64
    gap_s: float = 0.02

    def __post_init__(self) -> None:
        require(self.piece_bytes >= 1, "piece_bytes", self.piece_bytes, "1 or more")
        require(self.gap_s >= 0.0, "gap_s", self.gap_s, "0 or more")

    def spoil(self, delivery: Delivery) -> Delivery:
        """Slice the reply."""
        return replace(delivery, piece_bytes=self.piece_bytes, gap_s=self.gap_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitData(ReplyFault):
    """The connection closes, politely, after some bytes.

    An agent must report a disconnection: no NUL came, and the bytes received do not parse.

    Attributes:
        limit_bytes: Number of bytes of the reply that are sent.
    """

    limit_bytes: int = 512

    def __post_init__(self) -> None:
        require(self.limit_bytes >= 0, "limit_bytes", self.limit_bytes, "0 or more")

    def spoil(self, delivery: Delivery) -> Delivery:
        """Cut the reply."""
        return replace(delivery, reply=delivery.reply[: self.limit_bytes])


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowClose(ReplyFault):
    """The reply is complete but the connection stays open.

    An agent must take the NUL for the end and not wait.

    Attributes:
        linger_s: Real seconds until the close.
    """

    linger_s: float = 5.0

    def __post_init__(self) -> None:
        require(self.linger_s >= 0.0, "linger_s", self.linger_s, "0 or more")

    def spoil(self, delivery: Delivery) -> Delivery:
        """Delay the close."""
        return replace(delivery, linger_s=self.linger_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bandwidth(ReplyFault):
    """The connection has little bandwidth.

    An agent must read the unit as long as the reply is complete within its deadline.

    Attributes:
        bytes_per_s: Bandwidth.
    """

    bytes_per_s: float = 2000.0

    def __post_init__(self) -> None:
        require(self.bytes_per_s > 0.0, "bytes_per_s", self.bytes_per_s, "above 0")

    def spoil(self, delivery: Delivery) -> Delivery:
        """Spread the reply over time, twenty pieces a second."""
        piece_bytes = max(1, int(self.bytes_per_s / 20.0))
        return replace(delivery, piece_bytes=piece_bytes, gap_s=piece_bytes / self.bytes_per_s)
