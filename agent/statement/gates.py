"""What keeps figures from being published. Pure."""

import math
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from agent.site.status import Cause
from agent.statement.errors import StatementError
from agent.statement.figures import StatementFigures
from agent.statement.nameplates import doubt_of
from agent.statement.parts import Part
from agent.statement.period import utc_text
from agent.text.numbers import ratio_text

PUBLISHED_WATCHED_RATIO = 0.95
"""The share of the time that must have been watched, at each site."""
LEDGER_OFF_RATIO = 0.001
"""What today's ledger may differ from deployed as history kept it: a unit is entered minutes after it is racked."""
DELIVERED_BAND = (0.95, 1.05)
"""The alert `MiningDeliveredDiverges` has the same limits."""
# Shares are luck over less than a day.
_DELIVERED_LEAST_S = 86_400.0

DELIVERED, LEDGER, CONTAINERS, NAMEPLATES = "delivered", "ledger", "containers", "nameplates"
ACKNOWLEDGEABLE = (DELIVERED, LEDGER, CONTAINERS, NAMEPLATES)
"""Names of the gates that a publisher may open by acknowledging what they say."""


class ClosedGate(NamedTuple):
    """One reason not to publish.

    Attributes:
        name: One of `ACKNOWLEDGEABLE`; empty if it cannot be acknowledged.
        reason: In words.
    """

    name: str
    reason: str


def _is_delivered_off(part: Part) -> bool:
    """Return True if delivered and operating cannot both be right; never with less than a day of delivered.

    `delivered_deployed_hs` is a mean over the watched time and zero where nothing is known of delivered, so it is
    scaled to the time in which there is a figure. Of the units without a counter, silent ones hash nothing; the others
    may hash all that they can, or nothing.
    """
    mean = part.mean
    if mean.delivered_hs is None or mean.delivered_s < _DELIVERED_LEAST_S:
        return False
    counted_hs = mean.delivered_deployed_hs * mean.watched_s / mean.delivered_s
    silent_hs = math.fsum(mean.losses_hs.get(cause, 0.0) for cause in (Cause.UNREACHABLE, Cause.UNREADABLE))
    uncounted_hs = max(0.0, mean.deployed_hs - counted_hs - silent_hs)
    least, most = DELIVERED_BAND
    return not least * (mean.operating_hs - uncounted_hs) <= mean.delivered_hs <= most * mean.operating_hs


def is_off(part: Part) -> bool:
    """Return True if the ledger of today contradicts deployed as history kept it."""
    deployed = part.mean.deployed_hs * part.mean.watched_s
    return abs(part.unseen.ledger_off) > LEDGER_OFF_RATIO * deployed


def doubts_of(part: Part) -> Iterator[ClosedGate]:
    """Yield what a publisher must acknowledge of a part."""
    if _is_delivered_off(part):
        least, most = (ratio_text(limit, 0) for limit in DELIVERED_BAND)
        ratio = (part.mean.delivered_hs or 0.0) / part.mean.operating_hs if part.mean.operating_hs else None
        yield ClosedGate(
            DELIVERED,
            f"{part.site}: delivered is {ratio_text(ratio)} of operating, {least} to {most} is expected:"
            " one of the two is wrong",
        )
    if is_off(part):
        deployed, off = part.mean.deployed_hs * part.mean.watched_s, part.unseen.ledger_off
        share = f"{ratio_text(abs(off) / deployed)} {'more' if off > 0 else 'less'}" if deployed else "something"
        kept = "than history kept at the time" if deployed else "where history kept nothing at the time"
        yield ClosedGate(
            LEDGER, f"{part.site}: the ledger now says {share} deployed {kept}: it was changed for the past"
        )
    if part.apart_hours:
        yield ClosedGate(
            CONTAINERS,
            f"{part.site}: containers do not add up to the site in {len(part.apart_hours)} of its hours, the first from"
            f" {utc_text(part.apart_hours[0])} on: rows were changed or lost",
        )
    stated_ratio = part.mean.operating_hs / part.mean.deployed_hs if part.mean.deployed_hs else None
    nameplates = doubt_of(part.site, part.nameplates, stated_ratio)
    if nameplates is not None:
        yield ClosedGate(NAMEPLATES, nameplates)


def closed_gates(figures: StatementFigures, parts: Sequence[Part]) -> Iterator[ClosedGate]:
    """Yield every reason not to publish these figures."""
    early = [part.site for part in parts if not part.is_over]
    if early:
        yield ClosedGate("", f"the period is not over ({', '.join(early)})")
    for part in parts:
        if part.watched_share < PUBLISHED_WATCHED_RATIO:
            yield ClosedGate(
                "",
                f"{part.site} was watched {ratio_text(part.watched_share)} of the time,"
                f" {ratio_text(PUBLISHED_WATCHED_RATIO, 0)} is needed"
                f" (the floor is {ratio_text(figures.operational_efficiency_floor_ratio)})",
            )
    for part in parts:
        yield from doubts_of(part)


def refuse_unfit(figures: StatementFigures, parts: Sequence[Part], acknowledged: Collection[str] = ()) -> None:
    """Refuse figures that must not be published.

    Units in unknown states close no gate: they make the figure a lower bound, which is marked as one.

    Raises:
        StatementError: For the gates that are closed and not acknowledged.
    """
    closed = [gate for gate in closed_gates(figures, parts) if not gate.name or gate.name not in acknowledged]
    if closed:
        names = sorted({gate.name for gate in closed if gate.name})
        hint = f" (to publish all the same: {' '.join(f'--acknowledge {name}' for name in names)})" if names else ""
        raise StatementError(f"not to be published: {'; '.join(gate.reason for gate in closed)}{hint}")
