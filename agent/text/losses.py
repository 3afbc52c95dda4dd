"""Losses in words: how much, the cause, the container, the number of units, and since when. Pure.

3.10 PH/s unreachable: container C2, 16 units since 14:02
0.57 PH/s stopped (2 no pool alive; 1 asleep): container C1, 3 units
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from agent.site.reasons import REASONS, Reason
from agent.site.status import Cause, UnitStatus
from agent.site.totals import Figures
from agent.text.numbers import hashrate_text

CAUSE_WORDS = {
    Cause.CURTAILED: "curtailed on purpose",
    Cause.MAINTENANCE: "in maintenance",
    Cause.UNREACHABLE: "unreachable",
    Cause.UNREADABLE: "unreadable",
    Cause.STOPPED: "stopped",
    Cause.STARTING: "starting",
    Cause.MISSING_BOARDS: "missing boards",
    Cause.MISSING_CHIPS: "missing chips",
    Cause.DERATED: "derated clocks",
    Cause.UNDERPERFORMING: "underperforming",
}

# A unit's state names these; what stopped it, or kept it from being read, is its reason.
EXPLAINED = frozenset({Cause.STOPPED, Cause.UNREADABLE})
REASONS_NAMED = 3
PLACES_NAMED = 3
# Units of one event are noticed one after another: each at its own poll, and after three missed intervals.
TOGETHER_S = 300.0


class LossPlace(NamedTuple):
    """The units of one container that lost hashrate to one cause.

    Attributes:
        container: The container's name; empty for units without one.
        units: Number of units.
        first, last: Unix times at which the first and the last of them entered their state, as far as the agent has
            seen, s; None if the cause is not a state, because its start is not recorded.
    """

    container: str
    units: int
    first: float | None
    last: float | None


class LossLine(NamedTuple):
    """The loss by one cause.

    Attributes:
        cause: The cause.
        hashrate_hs: The loss in the site's figures, H/s.
        places: The containers, most units first; empty if the units had recovered since the figures were computed.
        where: The places in words.
        reasons: The units' reasons with their numbers of units, most units first; empty if the cause is not a state.
        mismatched: Units that report another model or bin than their row, if the cause is not a state.
    """

    cause: Cause
    hashrate_hs: float
    places: tuple[LossPlace, ...]
    where: str
    reasons: tuple[tuple[Reason, int], ...] = ()
    mismatched: int = 0

    @property
    def units(self) -> int:
        """Number of units affected."""
        return sum(place.units for place in self.places)

    @property
    def words(self) -> str:
        """The cause, with the reasons that explain it: ``stopped (2 no pool alive; 1 asleep)``."""
        explained = _reasons_text(self.reasons) if self.cause in EXPLAINED else ""
        if self.mismatched:
            explained = f"{self.mismatched:,} not the model or bin of their row"
        return f"{CAUSE_WORDS[self.cause]} ({explained})" if explained else CAUSE_WORDS[self.cause]

    @property
    def sentence(self) -> str:
        """The whole line as text."""
        return f"{hashrate_text(self.hashrate_hs)} {self.words}: {self.where}"


def largest_losses(sums: Figures) -> list[tuple[Cause, float]]:
    """Return the causes that took hashrate from a group, largest first, H/s."""
    return sorted(((cause, hs) for cause, hs in sums.losses_hs.items() if hs > 0), key=lambda item: -item[1])


def loss_lines(
    site: Figures, statuses: Iterable[UnitStatus], *, now: float, zone: ZoneInfo, seen_from: float | None
) -> list[LossLine]:
    """Return one line for each cause of loss, largest first.

    Args:
        site: The site's figures.
        statuses: Statuses of the units in the figures.
        now: Unix time, s; times of the same day are shown without their date.
        zone: Time zone of the times.
        seen_from: Unix time when every unit had been polled once, s. A state that began earlier is shown as "since
            before" this time. None to show no times.
    """
    entered: dict[Cause, dict[str, list[float | None]]] = defaultdict(lambda: defaultdict(list))
    reasons: dict[Cause, Counter[Reason]] = defaultdict(Counter)
    mismatched: Counter[Cause] = Counter()
    for status in statuses:
        for loss in status.losses:
            # The cause of a hashing unit's loss is not a state, so its start is not recorded.
            is_state = status.state.value == loss.cause.value
            if is_state:
                reasons[loss.cause][status.reason] += 1
            elif status.mismatch is not None:
                mismatched[loss.cause] += 1
            since = status.since if is_state and seen_from is not None else None
            entered[loss.cause][status.entry.place.container].append(since)
    clock = _Clock(now, zone, seen_from)
    lines = []
    for cause, hashrate_hs in largest_losses(site):
        places = tuple(
            _place(container, times)
            for container, times in sorted(entered[cause].items(), key=lambda item: (-len(item[1]), item[0]))
        )
        by_reason = sorted(reasons[cause].items(), key=lambda item: (-item[1], item[0]))
        where = _where(places, clock)
        lines.append(LossLine(cause, hashrate_hs, places, where, tuple(by_reason), mismatched[cause]))
    return lines


def _reasons_text(reasons: tuple[tuple[Reason, int], ...]) -> str:
    """Return ``asleep``, or ``2 no pool alive; 1 asleep`` where the units differ."""
    if len(reasons) == 1:
        return REASONS[reasons[0][0]].words
    named = [f"{units:,} {REASONS[reason].words}" for reason, units in reasons[:REASONS_NAMED]]
    more = sum(units for _, units in reasons[REASONS_NAMED:])
    return "; ".join([*named, f"{more:,} for other reasons"] if more else named)


def _place(container: str, times: list[float | None]) -> LossPlace:
    known = [at for at in times if at is not None]
    if len(known) < len(times):
        return LossPlace(container, len(times), None, None)
    return LossPlace(container, len(times), min(known), max(known))


class _Clock(NamedTuple):
    """Formats times relative to now."""

    now: float
    zone: ZoneInfo
    seen_from: float | None

    def text(self, at: float) -> str:
        """Return a local time, without its date if that is today."""
        local, today = (datetime.fromtimestamp(moment, self.zone) for moment in (at, self.now))
        return f"{local:%H:%M}" if local.date() == today.date() else f"{local:%Y-%m-%d %H:%M}"

    def since(self, place: LossPlace) -> str:
        """Return `` since 14:02``, or the time of the last unit if they did not change together."""
        if place.first is None or place.last is None or self.seen_from is None:
            return ""
        if place.last <= self.seen_from:
            return f" since before {self.text(self.seen_from)}"
        if place.first > self.seen_from and place.last - place.first <= TOGETHER_S:
            return f" since {self.text(place.first)}"
        return f", the last since {self.text(place.last)}"


def _where(places: tuple[LossPlace, ...], clock: _Clock) -> str:
    """Return ``container C2, 16 units since 14:02``, or several containers, most units first."""
    if not places:
        return "units that changed since these figures"
    if len(places) == 1:
        (place,) = places
        named = f"container {place.container}, " if place.container else ""
        return f"{named}{units_text(place.units)}{clock.since(place)}"
    named_places = [
        f"{place.container or 'no container'} ({place.units:,}{clock.since(place)})" for place in places[:PLACES_NAMED]
    ]
    more = len(places) - len(named_places)
    rest = f" and {more:,} more" if more else ""
    return f"{units_text(sum(place.units for place in places))} in containers {', '.join(named_places)}{rest}"


def units_text(units: int) -> str:
    """Return ``1 unit`` or ``16 units``."""
    return "1 unit" if units == 1 else f"{units:,} units"
