"""The statement of a calendar period: deployed, operating, and losses by cause. Pure.

A statement has one part for each site: time-weighted means of the site's history over the seconds that were watched.
Every figure follows from the parts, and none is a sum of rounded values. A statement can therefore be checked twice
(`agent.statement.check`): its figures against its parts, and its parts against the site's history.

    deployed - losses + uplift = operating

Beside the figure over the watched time stand its floor and its ceiling over the whole time: unwatched time and units in
unknown states count as nothing, and as full. Only the floor decides whether it is above 90 %.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from agent.statement.before import SETTLED_AFTER_S, Before, before_of, combined
from agent.statement.combining import refuse_double, refuse_incomplete
from agent.statement.declared import DeployedCourse
from agent.statement.errors import StatementError
from agent.statement.figures import StatementFigures, figures_of
from agent.statement.gates import doubts_of, refuse_unfit
from agent.statement.notes import notes_of
from agent.statement.parts import Part, Source, part_of
from agent.statement.period import Period
from agent.statement.unseen import RowTaker

FORMAT = 4

METHOD = (
    "Every unit of the site's dated ledger counts as deployed with its nameplate hashrate, whether it answers or not."
    " Operating hashrate is the sum of what units report in readings fresh enough to be believed; a unit that could"
    " not be read counts as nothing. Both are averaged over the time that was watched, weighted by time, not by days"
    " or rows. Operational efficiency is average operating over average deployed; curtailed time counts against it,"
    " and the ratio without curtailed hashrate stands beside it. Its floor counts time that was not watched and units"
    " in unknown states as nothing, its ceiling counts both as full nameplate; deployed in that time is by the ledger,"
    " or without one by the rows beside it. Above 90 % means that the floor is. Recovered is the work that units' own"
    " share counters prove of gaps, read before and after them; it is counted apart, in no other figure than the floor"
    " with recovered time, which decides nothing. Hashrate above nameplate is in these"
    " figures (netted); the capped ratio counts no unit with more than its nameplate. Each unit's shortfall is"
    " attributed to one or more causes, so that deployed minus losses plus uplift is operating. Coverage is the share"
    " of deployed nameplate, over the whole period, whose state was known: time without an agent lowers coverage and"
    " the floor. Power is metered, measured by units' power supplies, estimated by their firmware, or modelled from"
    " the nameplate, in this order of trust; the maker states +-5 % for power. Energy is of the time that was watched,"
    " J/TH of units with both figures. Delivered is the work that units' own counters say pools accepted. Credited is"
    " what pools themselves say, averaged over the hours or days of UTC that were kept of it. Diverted is measured"
    " hashrate whose work went to a destination that is not in the site's allow-list, over the time in which that was"
    " judged; it is part of operating and of no loss. Reach uptime is the share of unit time in which units answered,"
    " hashing uptime that in which they answered and hashed. Sums are of unrounded values. The digest is the SHA-256"
    " of the history rows as `hashsight history export` writes them."
)
OWNER_METHOD = (
    " This statement is of one owner's units alone, by the ledger's column `owner` at the time. It has the time in"
    " which the site was watched, as those of all owners, so that they add up to the site's; where the owner had no"
    " units, its rows are zeros. What pools credit to the site's accounts and what meters read is not cut along owners."
)


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """The statement of one period for one site or several.

    Attributes:
        format: Version of this structure.
        period: ``2025-10``, ``2025-Q3`` or ``2025``.
        days: Calendar days in the period.
        is_draft: True if it was not requested for publishing.
        computed_at: Unix time, s.
        notes: Warnings to read before the figures, the most important first.
        figures: The figures, all derived from `parts`.
        parts: One part for each site, by name.
        acknowledged: The doubts that the publisher acknowledged, by the names of their gates.
        sites: The sites that the fleet declared to have; empty if it declared none.
        before: The figures of the period before; None if history shows nothing of it, and if one of several sites
            has none.
        method: The method of computation, in words.
    """

    format: int = FORMAT
    period: str
    days: int
    is_draft: bool
    computed_at: float
    notes: tuple[str, ...]
    figures: StatementFigures
    parts: tuple[Part, ...]
    acknowledged: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()
    before: Before | None = None
    method: str = METHOD


def state(
    source: Source,
    period: Period,
    *,
    now: float,
    is_draft: bool = True,
    course: DeployedCourse | None = None,
    acknowledged: Iterable[str] = (),
    taker: RowTaker | None = None,
) -> Statement:
    """Compute one site's statement.

    Args:
        source: The site's history.
        period: The period.
        now: Unix time, s; if the period is not over, the statement covers its elapsed part.
        is_draft: False to require that it is fit for publishing.
        course: Deployed by the site's ledger; None without one.
        acknowledged: Names of the gates that the publisher opens by acknowledging their doubts.
        taker: Receiver of the same rows and gaps, such as a `DayBook`; None for none.

    Raises:
        StatementError: If history has no rows for the period, or the statement is not fit for publishing.
    """
    is_over = now >= period.end + SETTLED_AFTER_S
    elapsed_s = float(period.seconds if is_over else min(max(now - period.start, 0.0), period.seconds))
    part = part_of(
        source,
        period,
        until=period.end,
        elapsed_s=elapsed_s,
        is_over=is_over,
        known_by=now,
        recovered_by=now,
        course=course,
        taker=taker,
    )
    before = before_of(source, period, now=now, course=course)
    blank = Blank(period=period.name, days=period.days, computed_at=now, is_draft=is_draft, before=before)
    return _statement(blank, [part], acknowledged=acknowledged)


def combine(
    statements: Iterable[Statement],
    *,
    now: float,
    is_draft: bool = True,
    sites: Iterable[str] = (),
    acknowledged: Iterable[str] = (),
) -> Statement:
    """Combine the statements of several sites, or of all shards of one, for one period.

    Each site weighs by the time from its first deployed day. Notes and gates of every part stay.

    Args:
        statements: The statements.
        now: Unix time, s.
        is_draft: False to require that the result is fit for publishing.
        sites: The declared list of sites; empty for any.
        acknowledged: As of `state`, beside what the statements acknowledge.

    Raises:
        StatementError: If the periods differ, if anything is there twice or missing, or if the result is not fit for
            publishing.
    """
    statements = list(statements)
    periods = sorted({each.period for each in statements})
    if len(periods) != 1:
        raise StatementError(f"statements of one period are expected, not of {', '.join(periods) or 'none'}")
    parts = sorted((part for each in statements for part in each.parts), key=lambda part: part.site)
    refuse_double(parts)
    declared = tuple(sorted(set(sites) | {site for each in statements for site in each.sites if not sites}))
    refuse_incomplete(parts, declared)
    known = {name for each in statements for name in each.acknowledged} | set(acknowledged)
    before = combined(each.before for each in statements)
    blank = Blank(period=periods[0], days=statements[0].days, computed_at=now, is_draft=is_draft, before=before)
    return _statement(blank, parts, sites=declared, acknowledged=known)


class Blank(NamedTuple):
    """What a statement says beside its parts.

    Attributes:
        period, days, computed_at, is_draft, before: As in `Statement`.
    """

    period: str
    days: int
    computed_at: float
    is_draft: bool
    before: Before | None = None


def _statement(
    blank: Blank, parts: Sequence[Part], *, sites: tuple[str, ...] = (), acknowledged: Iterable[str] = ()
) -> Statement:
    figures = figures_of(parts)
    doubts = {doubt.name for part in parts for doubt in doubts_of(part)}
    seen = tuple(sorted(doubts & set(acknowledged)))
    if not blank.is_draft:
        refuse_unfit(figures, parts, seen)
        refuse_incomplete(parts, sites)
    return Statement(
        period=blank.period,
        days=blank.days,
        is_draft=blank.is_draft,
        computed_at=blank.computed_at,
        notes=tuple(notes_of(figures, parts, seen)),
        figures=figures,
        parts=tuple(parts),
        acknowledged=seen,
        sites=sites,
        before=blank.before,
        method=METHOD if parts[0].owner is None else METHOD + OWNER_METHOD,
    )
