"""Ordered curtailments on disk: a small JSON file, always replaced as a whole."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from agent.errors import AgentError, ConfigError, Mistake
from agent.files.atomic import replace_file
from agent.files.regular import open_regular
from agent.site.curtailment.events import Event, Scope

VERSION = 1
MAX_FILE_BYTES = 4 << 20
"""Longest file that is read."""
MAX_WRITTEN_BYTES = MAX_FILE_BYTES // 2
"""Length from which nothing is added to a file; it leaves room to note the end of every event."""
LAST_MOMENT = 253402300800.0
"""The year 10000, which `datetime` cannot show; Unix time, s."""


class StateError(AgentError):
    """The file cannot be read, or is damaged; its events are unknown."""


class _KeptEvent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One event in the file; fields as in `Event`."""

    id: str
    start: float
    end: float | None
    target_ratio: float
    scope: dict[str, str]
    source: str
    is_started: bool
    is_stopped: bool


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    """The file.

    Attributes:
        version: Version of the format.
        site: The site that the events belong to.
        events: In the order in which they were ordered.
        unnamed, spent, mirrored: As in `KeptOrders`; left out by agents of an earlier version.
    """

    version: int
    site: str
    events: list[_KeptEvent]
    unnamed: list[str] = []
    spent: dict[str, float] = {}
    mirrored: list[str] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptOrders:
    """The content of the file.

    Attributes:
        events: In the order in which they were ordered.
        unnamed: Ids of those events that the agent named itself, so that no order can repeat them.
        spent: Ids of events that are no longer listed, and the Unix time, s, until which an order may repeat each.
        mirrored: Ids of those events that came from another agent's list, not by an order to this one.
    """

    events: tuple[Event, ...] = ()
    unnamed: frozenset[str] = frozenset()
    spent: Mapping[str, float] = field(default_factory=dict)
    mirrored: frozenset[str] = frozenset()

    def is_spent(self, event_id: str, at: float) -> bool:
        """Return True for an event that is over and no longer listed, but whose order may still be repeated."""
        return at < self.spent.get(event_id, 0.0)


def read_orders(path: Path, *, site: str) -> KeptOrders:
    """Return what is kept; nothing before the file exists.

    Raises:
        ConfigError: The file is another site's, or of another version: two agents or versions must not share one.
        StateError: The file cannot be read or is damaged.
    """
    try:
        with open_regular(path) as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        return KeptOrders()
    except OSError as error:
        raise StateError(f"cannot be read: {error.strerror}") from error
    if len(data) > MAX_FILE_BYTES:
        raise StateError(f"longer than {MAX_FILE_BYTES >> 20} MiB")
    try:
        kept = msgspec.json.decode(data, type=_Kept)
        events = {event.id: _event(event) for event in kept.events}
    except (msgspec.MsgspecError, ValueError, TypeError, RecursionError) as error:
        raise StateError(f"damaged: {error}") from error
    if (kept.version, kept.site) != (VERSION, site):
        reason = f"belongs to site {kept.site!r} in version {kept.version}, not to {site!r} in version {VERSION}"
        raise ConfigError([Mistake(file=str(path), where="api.state_file", value="", reason=reason)])
    unnamed = frozenset(kept.unnamed) & events.keys()
    mirrored = frozenset(kept.mirrored) & events.keys()
    return KeptOrders(events=tuple(events.values()), unnamed=unnamed, spent=kept.spent, mirrored=mirrored)


def _event(kept: _KeptEvent) -> Event:
    event = Event(
        id=kept.id,
        start=kept.start,
        end=kept.end,
        target_ratio=kept.target_ratio,
        scope=Scope(**kept.scope),
        source=kept.source,
        is_started=kept.is_started,
        is_stopped=kept.is_stopped,
    )
    return checked(event)


def checked(event: Event) -> Event:
    """Return an event that was declared elsewhere, once it is known to be one that this file can keep.

    Raises:
        ValueError: Its times or its target cannot be.
    """
    moments = [moment for moment in (event.start, event.end) if moment is not None]
    is_dated = all(math.isfinite(moment) and 0 <= moment < LAST_MOMENT for moment in moments)
    if not is_dated or not 0 <= event.target_ratio < 1 or (event.is_stopped and event.end is None):
        raise ValueError(f"event {event.id[:80]!r} contradicts itself")
    return event


def encode_orders(orders: KeptOrders, *, site: str) -> bytes:
    """Return the file's content."""
    kept = _Kept(
        version=VERSION,
        site=site,
        events=[
            _KeptEvent(
                id=event.id,
                start=event.start,
                end=event.end,
                target_ratio=event.target_ratio,
                scope=event.scope.names(),
                source=event.source,
                is_started=event.is_started,
                is_stopped=event.is_stopped,
            )
            for event in orders.events
        ],
        unnamed=sorted(orders.unnamed),
        spent=dict(orders.spent),
        mirrored=sorted(orders.mirrored),
    )
    return msgspec.json.format(msgspec.json.encode(kept), indent=1) + b"\n"


def write_orders(path: Path, orders: KeptOrders, *, site: str) -> None:
    """Replace the file; once this returns, `orders` survive a loss of power.

    Raises:
        OSError: They could not be written; the file is as it was.
    """
    replace_file(path, encode_orders(orders, site=site))
