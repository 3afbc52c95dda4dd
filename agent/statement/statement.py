"""The statement of a calendar period: deployed, operating, and losses by cause. Pure.

A statement has one part for each site: time-weighted means of the site's history over the seconds that were watched.
Every figure follows from the parts, and none is a sum of rounded values. A statement can therefore be checked twice
(`agent.statement.check`): its figures against its parts, and its parts against the site's history.

    deployed - losses + uplift = operating
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Protocol

import msgspec

from agent.errors import AgentError
from agent.history.credits import PoolCredit
from agent.history.export import FORMAT as DIGEST_FORMAT
from agent.history.export import Digest
from agent.history.minutes import Row, Totals, Values, row_from
from agent.site.credited.windows import mean_over
from agent.site.power import PowerSource
from agent.site.status import Cause, UnitState
from agent.statement.period import Period, utc_text
from agent.text.numbers import TARGET_RATIO, ratio_text
from agent.unit.limits import HS_PER_THS

FORMAT = 3
PUBLISHED_COVERAGE_RATIO = 0.95
# Time after a period's end by which its last minute is on the disk, s.
SETTLED_AFTER_S = 120

REACHED = (UnitState.HASHING, UnitState.STARTING, UnitState.STOPPED, UnitState.CURTAILED)
"""The states of a unit that answers. A unit in maintenance may or may not answer, so it does not count."""

METHOD = (
    "Every unit of the site's dated ledger counts as deployed with its nameplate hashrate, whether it answers or not."
    " Operating hashrate is the sum of what units report in readings fresh enough to be believed; a unit that could not"
    " be read counts as nothing. Both are averaged over the time that was watched, weighted by time, not by days or"
    " rows. Operational efficiency is average operating over average deployed; curtailed time counts against it, and"
    " the ratio without curtailed hashrate stands beside it. Each unit's shortfall is attributed to one or more causes,"
    " so that deployed minus losses plus uplift is operating. Coverage is the share of deployed nameplate, over the"
    " whole period, whose state was known: time without an agent lowers coverage and nothing else. Power is metered,"
    " measured by units' power supplies, estimated by their firmware, or modelled from the nameplate, in this order of"
    " trust; the maker states +-5 % for power. Energy is of the time that was watched, J/TH of units with both figures."
    " Delivered is the work that units' own counters say pools accepted. Credited is what pools themselves say,"
    " averaged over the hours or days of UTC that were kept of it. Diverted is measured hashrate whose"
    " work went to a destination that is not in the site's allow-list, over the time in which that was judged; it is"
    " part of operating and of no loss. Reach uptime is the share of unit time in which units answered,"
    " hashing uptime that in which they answered and hashed. Sums are of unrounded values. The digest is the SHA-256 of"
    " the history rows as `hashsight history export` writes them."
)


class StatementError(AgentError):
    """A statement cannot be computed, combined or accepted."""


class Inputs(msgspec.Struct, frozen=True, kw_only=True):
    """The history rows behind a part.

    Attributes:
        digest: SHA-256 of the rows as CSV.
        digest_format: Version of that CSV.
        rows: Number of rows.
        first_at, last_at: Unix times at which the rows begin and end, s.
    """

    digest: str
    digest_format: int = DIGEST_FORMAT
    rows: int
    first_at: int
    last_at: int


class CreditedAccount(msgspec.Struct, frozen=True, kw_only=True):
    """What a pool credited to one account, by the closed hours and days that were kept of it.

    Attributes:
        name: The account's name in the configuration.
        credited_hs: Mean over the time that these cover, H/s.
        covered_s: How much of the period they cover, s.
    """

    name: str
    credited_hs: float
    covered_s: float


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One site's part of a statement.

    Attributes:
        site: The site's name.
        zone: The site's time zone, by IANA name.
        start, end: The period's bounds in that zone, as Unix times, s.
        elapsed_s: How much of the period had passed, s; all of it once it is over.
        is_over: True if the period was over.
        mean: Means over the `mean.watched_s` seconds that were watched.
        last: The last row: the end of the period.
        inputs: The rows it was computed from.
        credited: What pools credited, by account; empty where nothing was kept of it.
        credited_union_s: How much of the period is covered of at least one account, s.
        credits_known_by: Unix time, s; what was read of pools later is not in it. 0 without any.
    """

    site: str
    zone: str
    start: int
    end: int
    elapsed_s: float
    is_over: bool
    mean: Row
    last: Row
    inputs: Inputs
    credited: tuple[CreditedAccount, ...] = ()
    credited_union_s: float = 0.0
    credits_known_by: float = 0.0


class StatementFigures(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of a statement: unrounded sums over its parts.

    Attributes:
        deployed_end_hs, operating_end_hs, units_end: In each site's last row; snapshots, not averages.
        deployed_hs, operating_hs, uplift_hs, lost_hs, losses_hs, units, simulated_units: Means.
        losses_ratio, lost_ratio, uplift_ratio: Ratios to mean deployed.
        operational_efficiency_ratio: Gross: mean operating over mean deployed.
        operational_efficiency_end_ratio: Over deployed at the end instead, as the trade publishes it.
        operational_efficiency_excluding_curtailment_ratio: Over mean deployed less curtailed.
        is_above_target: True if the unrounded gross ratio is above 90 %; None if nothing was deployed.
        coverage_ratio: Coverage of the whole period, or of its elapsed part.
        watched_ratio: Share of the period for which there are figures.
        joules, joules_by_source: Energy over the time that was watched, J.
        energy_efficiency_j_per_th, energy_coverage_ratio: Over units with both power and hashrate, and their share of
            deployed.
        delivered_hs, delivered_coverage_ratio: Hashrate delivered by units' own counters, and the share of deployed
            behind it.
        reach_uptime_ratio, hashing_uptime_ratio: Shares of unit time.
        diverted_hs: Hashrate that worked for a destination that is not the site's, mean over the time in which that was
            judged; None where it was never judged.
        diverted_ratio: Its share of the mean operating hashrate of the sites that judged it.
        judged_ratio: Share of the watched time in which it was judged.
        credited_hs: What pools say that they credited, all accounts together, over the time in which any of them is
            known; None where no account was read, and if one of several sites has none.
        credited_covered_ratio: Share of the period, over all accounts, that is covered.
    """

    deployed_end_hs: float
    operating_end_hs: float
    units_end: float
    deployed_hs: float
    operating_hs: float
    uplift_hs: float
    lost_hs: float
    losses_hs: dict[Cause, float]
    units: float
    simulated_units: float
    losses_ratio: dict[Cause, float | None]
    lost_ratio: float | None
    uplift_ratio: float | None
    operational_efficiency_ratio: float | None
    operational_efficiency_end_ratio: float | None
    operational_efficiency_excluding_curtailment_ratio: float | None
    is_above_target: bool | None
    coverage_ratio: float | None
    watched_ratio: float
    joules: float
    joules_by_source: dict[PowerSource, float]
    energy_efficiency_j_per_th: float | None
    energy_coverage_ratio: float | None
    delivered_hs: float | None
    delivered_coverage_ratio: float | None
    reach_uptime_ratio: float | None
    hashing_uptime_ratio: float | None
    diverted_hs: float | None
    diverted_ratio: float | None
    judged_ratio: float
    credited_hs: float | None
    credited_covered_ratio: float | None


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
    method: str = METHOD


class Source(Protocol):
    """A source of rows: an open history."""

    site: str

    def chunks(self, start: float, end: float) -> Iterable[Sequence[Values]]:
        """Return the site's rows that begin in [start, end), oldest first, in chunks."""

    def span(self) -> tuple[int, int] | None:
        """Return the Unix times at which its rows begin and end, s; None if there are no rows."""

    def pool_credits(self, start: float, end: float, *, known_by: float) -> Sequence[PoolCredit]:
        """Return the windows of pools that touch [start, end) and were fetched by Unix time `known_by`, s."""


def state(source: Source, period: Period, *, now: float, is_draft: bool = True) -> Statement:
    """Compute one site's statement.

    Args:
        source: The site's history.
        period: The period.
        now: Unix time, s; if the period is not over, the statement covers its elapsed part.
        is_draft: False to require that it is fit for publishing.

    Raises:
        StatementError: If history has no rows for the period, or the statement is not fit for publishing.
    """
    is_over = now >= period.end + SETTLED_AFTER_S
    elapsed_s = float(period.seconds if is_over else min(max(now - period.start, 0.0), period.seconds))
    part = part_of(source, period, until=period.end, elapsed_s=elapsed_s, is_over=is_over, known_by=now)
    return _statement(period.name, period.days, [part], computed_at=now, is_draft=is_draft)


def part_of(
    source: Source,
    period: Period,
    *,
    until: int,
    elapsed_s: float,
    is_over: bool,
    known_by: float,
    digest_format: int = DIGEST_FORMAT,
) -> Part:
    """Compute one site's part from its rows that begin before `until`, with a digest of that version of the CSV.

    Windows of pools that were fetched after Unix time `known_by` are left out.

    Raises:
        StatementError: If history has no rows for the period.
    """
    totals, digest = Totals(), Digest(digest_format)
    first: Values | None = None
    last: Values | None = None
    for chunk in source.chunks(period.start, until):
        first, last = first or chunk[0], chunk[-1]
        totals.add(chunk)
        digest.add(chunk)
    mean = totals.values(at=period.start, span_s=period.seconds)
    if first is None or last is None or mean is None:
        span = source.span()
        held = f"it holds {utc_text(span[0])} to {utc_text(span[1])}" if span else "it is empty"
        raise StatementError(f"the history of {source.site} has no rows for {period.name}: {held}")
    first_row, last_row = row_from(first), row_from(last)
    found = source.pool_credits(period.start, period.end, known_by=known_by)
    return Part(
        site=source.site,
        zone=period.zone,
        start=period.start,
        end=period.end,
        elapsed_s=elapsed_s,
        is_over=is_over,
        mean=row_from(mean),
        last=last_row,
        inputs=Inputs(
            digest=digest.hexdigest(),
            digest_format=digest_format,
            rows=totals.rows,
            first_at=first_row.at,
            last_at=last_row.at + last_row.span_s,
        ),
        credited=tuple(_credited(found, period)),
        credited_union_s=float(mean_over((each.window for each in found), period.start, period.end).covered_s),
        credits_known_by=known_by if found else 0.0,
    )


def _credited(found: Sequence[PoolCredit], period: Period) -> Iterator[CreditedAccount]:
    for name, credits_ in groupby(found, key=lambda credit: credit.account):
        mean = mean_over((credit.window for credit in credits_), period.start, period.end)
        if mean.credited_hs is not None:
            yield CreditedAccount(name=name, credited_hs=mean.credited_hs, covered_s=float(mean.covered_s))


def combine(statements: Iterable[Statement], *, now: float, is_draft: bool = True) -> Statement:
    """Combine the statements of several sites for one period into one.

    Raises:
        StatementError: If the periods differ, if a site occurs twice, or if the result is not fit for publishing.
    """
    statements = list(statements)
    periods = sorted({each.period for each in statements})
    if len(periods) != 1:
        raise StatementError(f"statements of one period are expected, not of {', '.join(periods) or 'none'}")
    parts = sorted((part for each in statements for part in each.parts), key=lambda part: part.site)
    sites = [part.site for part in parts]
    twice = sorted({site for site in sites if sites.count(site) > 1})
    if twice:
        raise StatementError(f"stated more than once: {', '.join(twice)}")
    return _statement(periods[0], statements[0].days, parts, computed_at=now, is_draft=is_draft)


def _statement(period: str, days: int, parts: Sequence[Part], *, computed_at: float, is_draft: bool) -> Statement:
    figures = figures_of(parts)
    if not is_draft:
        refuse_unfit(figures, parts)
    return Statement(
        period=period,
        days=days,
        is_draft=is_draft,
        computed_at=computed_at,
        notes=tuple(notes_of(figures, parts)),
        figures=figures,
        parts=tuple(parts),
    )


def refuse_unfit(figures: StatementFigures, parts: Sequence[Part]) -> None:
    """Refuse figures that must not be published.

    Raises:
        StatementError: If coverage is too low, or the period is not over.
    """
    early = [part.site for part in parts if not part.is_over]
    if early:
        raise StatementError(f"not to be published: the period is not over ({', '.join(early)})")
    if figures.coverage_ratio is None or figures.coverage_ratio < PUBLISHED_COVERAGE_RATIO:
        raise StatementError(
            f"not to be published: coverage is {ratio_text(figures.coverage_ratio)},"
            f" less than {ratio_text(PUBLISHED_COVERAGE_RATIO, 0)}"
        )


def notes_of(figures: StatementFigures, parts: Sequence[Part]) -> Iterable[str]:
    """Yield the warnings to read before the figures.

    Their wording is part of `FORMAT`: `agent.statement.check` compares the notes of a saved statement with these.
    """
    if figures.coverage_ratio is None or figures.coverage_ratio < PUBLISHED_COVERAGE_RATIO:
        yield (
            f"COVERAGE IS ONLY {ratio_text(figures.coverage_ratio)}: too little is known for these figures"
            f" to be published ({ratio_text(PUBLISHED_COVERAGE_RATIO, 0)} is needed)."
        )
    if figures.simulated_units:
        yield (
            f"SIMULATED: {figures.simulated_units:,.0f} of {figures.units:,.0f} units are simulated;"
            " these are not a site's real figures."
        )
    for part in parts:
        if not part.is_over:
            days, of = part.elapsed_s / 86400, (part.end - part.start) / 86400
            yield f"{part.site}: the period is not over; these are {days:.1f} of its {of:.1f} days."
        if part.is_over and part.inputs.last_at < part.end:
            last = utc_text(part.inputs.last_at)
            yield f"{part.site}: the end of the period was not watched; what is of its end is of {last}."
    zones = sorted({part.zone for part in parts})
    if len(zones) > 1:
        yield f"Sites keep different zones ({', '.join(zones)}); each one's period is its own calendar's."


def figures_of(parts: Sequence[Part]) -> StatementFigures:
    """Return all figures that follow from `parts`."""

    def total(value: Callable[[Part], float]) -> float:
        return math.fsum(value(part) for part in parts)

    deployed_hs = total(lambda part: part.mean.deployed_hs)
    operating_hs = total(lambda part: part.mean.operating_hs)
    uplift_hs = total(lambda part: part.mean.uplift_hs)
    deployed_end_hs = total(lambda part: part.last.deployed_hs)
    losses_hs = {cause: total(lambda part, cause=cause: part.mean.losses_hs.get(cause, 0.0)) for cause in Cause}  # type: ignore[misc]
    lost_hs = math.fsum(losses_hs.values())
    ratio = _ratio(operating_hs, deployed_hs)
    # Over all the elapsed time, watched or not.
    deployed = total(lambda part: part.mean.deployed_hs * part.elapsed_s)
    known = total(lambda part: part.mean.known_hs * part.mean.watched_s)
    joules = {
        source: total(lambda part, source=source: part.mean.watts.get(source, 0.0) * part.mean.watched_s)  # type: ignore[misc]
        for source in PowerSource
    }
    efficient_hs = total(lambda part: part.mean.efficient_hs)
    efficient_watts = total(lambda part: part.mean.efficient_watts)
    delivered = [part.mean.delivered_hs for part in parts if part.mean.delivered_hs is not None]
    units = total(lambda part: part.mean.units)
    is_credited = bool(parts) and all(part.credited for part in parts)
    credited_hs = total(_credited_hs) if is_credited else None
    covered = total(lambda part: math.fsum(each.covered_s for each in part.credited))
    covered_ratio = _ratio(covered, total(lambda part: part.elapsed_s * len(part.credited))) if is_credited else None
    diverted = [(part.mean.diverted_hs, part.mean) for part in parts if part.mean.diverted_hs is not None]
    diverted_hs = math.fsum(hs for hs, _ in diverted)

    def share_of_units(states: Iterable[UnitState]) -> float | None:
        return _ratio(total(lambda part: math.fsum(part.mean.units_by_state.get(each, 0.0) for each in states)), units)

    return StatementFigures(
        deployed_end_hs=deployed_end_hs,
        operating_end_hs=total(lambda part: part.last.operating_hs),
        units_end=total(lambda part: part.last.units),
        deployed_hs=deployed_hs,
        operating_hs=operating_hs,
        uplift_hs=uplift_hs,
        lost_hs=lost_hs,
        losses_hs=losses_hs,
        units=units,
        simulated_units=total(lambda part: part.mean.simulated_units),
        losses_ratio={cause: _ratio(loss_hs, deployed_hs) for cause, loss_hs in losses_hs.items()},
        lost_ratio=_ratio(lost_hs, deployed_hs),
        uplift_ratio=_ratio(uplift_hs, deployed_hs),
        operational_efficiency_ratio=ratio,
        operational_efficiency_end_ratio=_ratio(operating_hs, deployed_end_hs),
        operational_efficiency_excluding_curtailment_ratio=_ratio(
            operating_hs, deployed_hs - losses_hs[Cause.CURTAILED]
        ),
        is_above_target=None if ratio is None else ratio > TARGET_RATIO,
        coverage_ratio=_ratio(known, deployed),
        watched_ratio=_ratio(total(lambda part: part.mean.watched_s), total(lambda part: part.elapsed_s)) or 0.0,
        joules=math.fsum(joules.values()),
        joules_by_source=joules,
        energy_efficiency_j_per_th=_ratio(efficient_watts, efficient_hs / HS_PER_THS),
        energy_coverage_ratio=_ratio(total(lambda part: part.mean.efficient_deployed_hs), deployed_hs),
        delivered_hs=math.fsum(delivered) if delivered else None,
        delivered_coverage_ratio=_ratio(
            total(lambda part: part.mean.delivered_deployed_hs * part.mean.watched_s), deployed
        ),
        reach_uptime_ratio=share_of_units(REACHED),
        hashing_uptime_ratio=share_of_units((UnitState.HASHING,)),
        credited_hs=credited_hs,
        credited_covered_ratio=covered_ratio,
        diverted_hs=diverted_hs if diverted else None,
        diverted_ratio=_ratio(diverted_hs, math.fsum(mean.operating_hs for _, mean in diverted)) if diverted else None,
        judged_ratio=_ratio(total(lambda part: part.mean.judged_s), total(lambda part: part.mean.watched_s)) or 0.0,
    )


def _credited_hs(part: Part) -> float:
    """Return what all accounts of a site were credited with, over the time in which any of them is known.

    An account that took another one's place in the middle of the period adds its half, not its mean.
    """
    return math.fsum(each.credited_hs * each.covered_s for each in part.credited) / part.credited_union_s


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole > 0 else None
