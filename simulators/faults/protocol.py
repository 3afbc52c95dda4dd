"""Faults in the text of a reply, while the unit hashes on. Each docstring says what an agent must conclude."""

import re
from dataclasses import dataclass, replace

from simulators.faults.wire import ReplyFault
from simulators.unit.conditions import require
from simulators.unit.delivery import Delivery


@dataclass(frozen=True, slots=True, kw_only=True)
class TruncatedJson(ReplyFault):
    """The reply stops in the middle but has its NUL: the unit's own buffer was too short.

    An agent must report a malformed reply, and take no number from it.

    Attributes:
        ratio: Share of the reply that is sent.
    """

    ratio: float = 0.6

    def __post_init__(self) -> None:
        require(0.0 <= self.ratio < 1.0, "ratio", self.ratio, "0 to below 1")

    def spoil(self, delivery: Delivery) -> Delivery:
        """Cut the text and close it properly."""
        return replace(delivery, reply=delivery.reply[: int(len(delivery.reply) * self.ratio)] + b"\0")


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingNul(ReplyFault):
    """The reply ends with the close alone, without a NUL.

    An agent must read the unit as usual.
    """

    def spoil(self, delivery: Delivery) -> Delivery:
        """Drop the NUL."""
        return replace(delivery, reply=delivery.reply.rstrip(b"\0"))


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailingComma(ReplyFault):
    """A comma stands before a closing brace, as on older stock firmware.

    An agent must repair it, count the repair, and read the unit as usual.
    """

    def spoil(self, delivery: Delivery) -> Delivery:
        """Insert a comma before the second-to-last brace."""
        at = delivery.reply.rfind(b"}]")
        if at < 0:
            return delivery
        return replace(delivery, reply=delivery.reply[:at] + b"," + delivery.reply[at:])


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinedObjects(ReplyFault):
    """No comma between two objects: ``}{``. Observed (O73): other-s9-stock-2018, tcp4028-stats.

    An agent must repair it, count the repair, and read the unit as usual.
    """

    def spoil(self, delivery: Delivery) -> Delivery:
        """Drop the comma between objects."""
        return replace(delivery, reply=delivery.reply.replace(b"},{", b"}{").replace(b"}, {", b"}{"))


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessDenied(ReplyFault):
    """The unit refuses: E/45. Observed (O04): other firmware, other-s9-stock-2016, other-s19jpro-hiveon-2024.

    An agent must report the refusal, tell the operator, and show no reading.
    """

    def spoil(self, delivery: Delivery) -> Delivery:
        """Answer with a refusal."""
        text = (
            '{"STATUS":[{"STATUS":"E","When":0,"Code":45,"Msg":"Access denied to '
            f'\'{delivery.command}\' command","Description":"cgminer 1.0.0"}}],"id":1}}'
        )
        return replace(delivery, reply=text.encode("ascii", "replace") + b"\0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Refuses(ReplyFault):
    """The unit refuses every command, reports included. Observed (O03): code 14, s19pro-stock-2023-issue50.

    An agent must report the refusal. Nothing is known of what the unit hashes: it counts as not covered, its state is
    unreadable.

    Attributes:
        code: Code of the refusal.
        message: Its text.
    """

    code: int = 14
    message: str = "Invalid command"

    def __post_init__(self) -> None:
        require(self.message.isascii() and '"' not in self.message, "message", self.message, "ASCII without quotes")

    def spoil(self, delivery: Delivery) -> Delivery:
        """Answer with a refusal."""
        text = (
            f'{{"STATUS":[{{"STATUS":"E","When":0,"Code":{self.code},"Msg":"{self.message}",'
            '"Description":"cgminer 1.0.0"}],"id":1}'
        )
        return replace(delivery, reply=text.encode("ascii") + b"\0")


@dataclass(frozen=True, slots=True, kw_only=True)
class NotJson(ReplyFault):
    """Something else answers on the port. Documented (D57): what the pages print while the API is down.

    An agent must report a malformed reply with the excerpt.

    Attributes:
        text: The answer.
    """

    text: str = "Socket connect failed: Connection refused"

    def spoil(self, delivery: Delivery) -> Delivery:
        """Answer with the text."""
        return replace(delivery, reply=self.text.encode() + b"\0")


@dataclass(frozen=True, slots=True, kw_only=True)
class HugeReply(ReplyFault):
    """The reply does not end: blanks follow until it is far larger than any real reply.

    An agent must stop at its cap, report that the reply is too large, and keep none of it.

    Attributes:
        size_bytes: Size of the reply.
    """

    size_bytes: int = 10_000_000

    def __post_init__(self) -> None:
        require(0 <= self.size_bytes <= 100_000_000, "size_bytes", self.size_bytes, "0 to 100,000,000")

    def spoil(self, delivery: Delivery) -> Delivery:
        """Pad the reply with blanks before its last brace."""
        text = delivery.reply.rstrip(b"\0")
        padding = max(0, self.size_bytes - len(text))
        return replace(delivery, reply=text[:-1] + b" " * padding + text[-1:] + b"\0")


@dataclass(frozen=True, slots=True, kw_only=True)
class NanValues(ReplyFault):
    """Rates are printed as a bare ``nan``, which is not JSON.

    An agent must show no rate; never zero, never NaN.
    """

    def spoil(self, delivery: Delivery) -> Delivery:
        """Replace the rates."""
        return replace(delivery, reply=_RATE.sub(rb"\1nan", delivery.reply))


_RATE = re.compile(rb'("(?:GHS [^"]+|rate_[^"]+|total rate)": ?)[0-9.]+')
