"""One site's part of a statement: computed from its history, row by row. Pure."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import groupby
from math import inf
from typing import Protocol

import msgspec

from agent.history.chain.links import Fact
from agent.history.credits import PoolCredit
from agent.history.export import FORMAT as DIGEST_FORMAT
from agent.history.export import Digest
from agent.history.minutes import Row, Totals, Values, row_from
from agent.site.credited.windows import mean_over
from agent.statement.declared import DeployedCourse
from agent.statement.errors import StatementError
from agent.statement.nameplates import CheckedNameplates, FactSource, checked_nameplates
from agent.statement.owner_source import OwnerSource
from agent.statement.period import Period, utc_text
from agent.statement.recovered import NOTHING_RECOVERED, RECOVERED_KIND, Recovered, recovered_of
from agent.statement.rows import GroupSums, HourSums, refuse_unsound
from agent.statement.unseen import LISTED_GAP_S, RUN_KINDS, RowTaker, Runs, Unseen, UnseenBook

HOUR_S = 3600


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
        apart_hours: Unix times of hours in which the containers do not add up to the site, s.
        unseen: What its history does not show.
        nameplates: What units said of their own nameplates; None in statements of earlier formats.
        recovered: What units' counters prove of time that was not watched.
        owner: The owner whose units alone it is of; None for the whole site.
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
    apart_hours: tuple[int, ...] = ()
    unseen: Unseen
    nameplates: CheckedNameplates | None = None
    recovered: Recovered = NOTHING_RECOVERED
    owner: str | None = None

    @property
    def watched_share(self) -> float:
        """Share of the time in which units were deployed for which there are figures; exactly 1 without a gap."""
        return self.unseen.watched_share(self.mean.watched_s)

    @property
    def weight(self) -> float:
        """Share of the period, or of what passed of it, in which the site had units: what its means weigh."""
        return self.unseen.deployed_s / self.elapsed_s if self.elapsed_s else 1.0

    @property
    def whole_hs(self) -> float:
        """Deployed as a mean over that time, watched or not, H/s."""
        return self.unseen.whole_hs(self.mean.deployed_hs, self.mean.watched_s)


def titled(site: str, owner: str | None) -> str:
    """Return what a statement is called after: ``example-1``, or ``example-1, owner North``."""
    return site if owner is None else f"{site}, owner {owner}"


class Source(FactSource, Protocol):
    """A source of rows: an open history."""

    site: str

    def chunks(self, start: float, end: float) -> Iterable[Sequence[Values]]:
        """Return the site's rows that begin in [start, end), oldest first, in chunks."""

    def span(self) -> tuple[int, int] | None:
        """Return the Unix times at which its rows begin and end, s; None if there are no rows."""

    def container_sums(self, start: int, end: int) -> Iterable[tuple[int, float, float]]:
        """Return, for each hour from `start` on with rows of containers, its number and their deployed and operating.

        Both are hashrate times watched time, hashes, over all rows of containers that begin in [start, end).
        """

    def set_aside_times(self) -> Sequence[float]:
        """Return the Unix times at which rows that a wrong clock dated ahead were set aside, s."""

    def pool_credits(self, start: float, end: float, *, known_by: float) -> Sequence[PoolCredit]:
        """Return the windows of pools that touch [start, end) and were fetched by Unix time `known_by`, s."""

    def facts(self, start: float, end: float, *, kinds: Collection[str]) -> Iterable[Fact]:
        """Return the chain's facts of [start, end) of these kinds, by their Unix times, s."""


def part_of(
    source: Source,
    period: Period,
    *,
    until: int,
    elapsed_s: float,
    is_over: bool,
    known_by: float,
    recovered_by: float,
    course: DeployedCourse | None = None,
    digest_format: int = DIGEST_FORMAT,
    taker: RowTaker | None = None,
) -> Part:
    """Compute one site's part from its rows that begin before `until`, with a digest of that version of the CSV.

    Windows of pools that were fetched after Unix time `known_by` are left out, and so is what was recovered after
    `recovered_by`, s. Without `course`, deployed by the
    ledger, what was deployed in a gap is that of its edges. A period that goes on ends with its last row, unless that
    is longer ago than a gap. `taker` is given the same rows and gaps, once they were checked.

    Raises:
        StatementError: If history has no rows for the period, or one that cannot be.
    """
    owner = source.owner if isinstance(source, OwnerSource) else None
    totals, digest, hours = Totals(), Digest(digest_format), HourSums(period.start)
    span = source.span()
    unseen = UnseenBook(
        period.start,
        course=course,
        set_aside_at=source.set_aside_times(),
        is_first=span is None or span[0] >= period.start,
        taker=taker,
        # By the time that had passed, not by the last row: a gap at the end has its reason from what came after it.
        runs=Runs.of(source.facts(period.start - LISTED_GAP_S, period.start + elapsed_s, kinds=RUN_KINDS)),
        is_site_watched=source.is_site_watched if isinstance(source, OwnerSource) else None,
    )
    first: Values | None = None
    last: Values | None = None
    after = period.start
    for chunk in source.chunks(period.start, until):
        after = refuse_unsound(chunk, site=source.site, after=after)
        first, last = first or chunk[0], chunk[-1]
        hours.add(chunk)
        unseen.add(chunk)
        totals.add(chunk)
        digest.add(chunk)
    mean = totals.values(at=period.start, span_s=period.seconds)
    if first is None or last is None or mean is None:
        raise StatementError(_absence(source, period, span))
    first_row, last_row = row_from(first), row_from(last)
    last_at = last_row.at + last_row.span_s
    # The last row may end ahead of now: a stop writes the minute that is open.
    if not is_over and period.start + elapsed_s - last_at <= LISTED_GAP_S:
        elapsed_s = float(last_at - period.start)
    seen = unseen.unseen(period.start + elapsed_s)
    recovered = NOTHING_RECOVERED
    if recovered_by:
        facts = source.facts(period.start, inf, kinds=(RECOVERED_KIND,))
        recovered = recovered_of(facts, seen.gaps, known_by=recovered_by)
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
            last_at=last_at,
        ),
        credited=tuple(_credited(found, period)),
        credited_union_s=float(mean_over((each.window for each in found), period.start, period.end).covered_s),
        credits_known_by=known_by if found else 0.0,
        apart_hours=_apart_hours(source, hours, period.start, last_at),
        unseen=seen,
        recovered=recovered,
        nameplates=checked_nameplates(source, period.start, period.start + elapsed_s, owner=owner),
        owner=owner,
    )


def _apart_hours(source: Source, hours: HourSums, start: int, until: int) -> tuple[int, ...]:
    """Return the hours in which containers do not add up, without one that is not over: it may be compacted later."""
    whole_until = start + (until - start) // HOUR_S * HOUR_S
    sums = {
        hour: GroupSums(deployed, operating) for hour, deployed, operating in source.container_sums(start, whole_until)
    }
    return tuple(hours.apart(sums))


def _absence(source: Source, period: Period, span: tuple[int, int] | None) -> str:
    rows, held = "rows", "it is empty"
    if isinstance(source, OwnerSource):
        if source.is_site_watched(period.start, period.end):
            rows, held = "rows of owners", "they are kept from when this version runs and the ledger names owners"
        else:
            span = source.site_span()
    if span is not None:
        held = f"it holds {utc_text(span[0])} to {utc_text(span[1])}"
    return f"the history of {source.site} has no {rows} for {period.name}: {held}"


def _credited(found: Sequence[PoolCredit], period: Period) -> Iterator[CreditedAccount]:
    for name, credits_ in groupby(found, key=lambda credit: credit.account):
        mean = mean_over((credit.window for credit in credits_), period.start, period.end)
        if mean.credited_hs is not None:
            yield CreditedAccount(name=name, credited_hs=mean.credited_hs, covered_s=float(mean.covered_s))
