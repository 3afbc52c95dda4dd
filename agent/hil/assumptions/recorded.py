"""A recording of one unit, as far as the checks look at it. Values only."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request and what came back.

    Attributes:
        request: ``stats``, ``stats new_api`` and the like, or ``page get_system_info`` for a page's script.
        reply: Without framing; empty if none came.
        at_s: When it was asked, since the recording began, s.
        state: The unit's state then, a lower-case word; None if it is not known.
        has_nul: The reply ended with one NUL; None if it is not known.
        took_s: From the request to the last byte, s; None if it was not measured.
    """

    request: str
    reply: bytes = b""
    at_s: float = 0.0
    state: str | None = None
    has_nul: bool | None = None
    took_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A recording.

    Attributes:
        exchanges: In time order, those without a reply as well.
        ports: What TCP ports did: ``open``, ``refused``, ``silent`` or ``no_route``.
        is_raw: Replies are byte for byte as the unit sent them; published ones were often printed anew.
        is_timed: `at_s` is when each was asked; without it only the order and nearness of moments count.
    """

    exchanges: tuple[Exchange, ...]
    ports: Mapping[int, str] = field(default_factory=dict)
    is_raw: bool = True
    is_timed: bool = True
