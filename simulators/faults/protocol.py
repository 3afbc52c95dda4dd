"""What can go wrong in the text of a reply; the unit hashes on. Each docstring says what an agent must conclude."""

import re
from dataclasses import dataclass, replace

from simulators.faults.wire import Spoiling
from simulators.unit.conditions import require
from simulators.unit.delivery import Delivery


@dataclass(frozen=True, slots=True, kw_only=True)
class TruncatedJson(Spoiling):
    """The reply stops in the middle, with its NUL: the unit's own buffer was too short.

    An agent must report a malformed reply, and take no number from it.

    Attributes:
        ratio: How much of it is sent.
    """

    ratio: float = 0.6

    def __post_init__(self) -> None:
        require(0.0 <= self.ratio < 1.0, "ratio", self.ratio, "0 to below 1")

    def spoil(self, delivery: Delivery) -> Delivery:
        """Cut the text and close it properly."""
        return replace(delivery, reply=delivery.reply[: int(len(delivery.reply) * self.ratio)] + b"\0")


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingNul(Spoiling):
    """The reply ends with the close alone.

    An agent must read the unit as ever.
    """

    def spoil(self, delivery: Delivery) -> Delivery:
        """Drop the NUL."""
        return replace(delivery, reply=delivery.reply.rstrip(b"\0"))


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailingComma(Spoiling):
    """A comma stands before a closing brace, as on older stock firmware.

    An agent must repair it, count the repair, and read the unit as ever.
    """

    def spoil(self, delivery: Delivery) -> Delivery:
        """Put a comma before the last brace but one."""
        at = delivery.reply.rfind(b"}]")
        return replace(delivery, reply=delivery.reply[:at] + b"," + delivery.reply[at:] if at >= 0 else delivery.reply)


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinedObjects(Spoiling):
    """No comma between two objects: ``}{``. Observed (O73): other-s9-stock-2018, tcp4028-stats.

    An agent must repair it, count the repair, and read the unit as ever.
    """

    def spoil(self, delivery: Delivery) -> Delivery:
        """Drop the comma between objects."""
        return replace(delivery, reply=delivery.reply.replace(b"},{", b"}{").replace(b"}, {", b"}{"))


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessDenied(Spoiling):
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
class NotJson(Spoiling):
    """Something else answers on the port. Documented (D57): what the pages print while the API is down.

    An agent must report a malformed reply with the excerpt.

    Attributes:
        text: What it says.
    """

    text: str = "Socket connect failed: Connection refused"

    def spoil(self, delivery: Delivery) -> Delivery:
        """Answer with the text."""
        return replace(delivery, reply=self.text.encode() + b"\0")


@dataclass(frozen=True, slots=True, kw_only=True)
class HugeReply(Spoiling):
    """The reply does not end: blanks follow until it is far larger than any reply is.

    An agent must stop at its cap, report a malformed reply, and keep none of it.

    Attributes:
        size_bytes: How large.
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
class NanValues(Spoiling):
    """Rates are printed as a bare ``nan``, which is no JSON.

    An agent must show no rate; never zero, never NaN.
    """

    def spoil(self, delivery: Delivery) -> Delivery:
        """Replace the rates."""
        return replace(delivery, reply=_RATE.sub(rb"\1nan", delivery.reply))


_RATE = re.compile(rb'("(?:GHS [^"]+|rate_[^"]+|total rate)": ?)[0-9.]+')
