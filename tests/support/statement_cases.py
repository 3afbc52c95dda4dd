"""Statements for tests: a history in memory, and what its statement shows."""

from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from zoneinfo import ZoneInfo

from history_cases import AT, DAY_S, EH, HOUR_S, unix

from agent.history.chain.links import Fact
from agent.history.credits import PoolCredit
from agent.history.minutes import Row, Values
from agent.site.ledger.entries import LedgerEntry, Place
from agent.statement import text as statement_text
from agent.statement.declared import DeployedCourse
from agent.statement.period import parse_period
from agent.statement.statement import Statement, state
from agent.unit.nameplate import Nameplate

LATER = unix("2026-01-01") + DAY_S
OCTOBER = (AT, unix("2025-11-01"))
OCTOBER_PERIOD = parse_period("2025-10", ZoneInfo("UTC"))


class Kept:
    """A history in memory."""

    def __init__(
        self,
        rows: Sequence[Row],
        site: str = "alpha",
        credits_: Sequence[PoolCredit] = (),
        containers: Mapping[str, Sequence[Row]] = MappingProxyType({}),
    ) -> None:
        self.asides: tuple[float, ...] = ()
        self.kept_facts: tuple[Fact, ...] = ()
        self.site, self._credits, self._containers = site, credits_, containers
        self._values = [each.values() for each in rows]

    def chunks(self, start: float, end: float) -> list[list[Values]]:
        """Return the rows of a span of time, in one chunk."""
        chunk = [values for values in self._values if start <= (values[0] or 0) < end]
        return [chunk] if chunk else []

    def set_aside_times(self) -> tuple[float, ...]:
        """Return when rows of a wrong clock were set aside."""
        return self.asides

    def container_sums(self, start: int, end: int) -> list[tuple[int, float, float]]:
        """Return the containers' sums by hour."""
        sums: dict[int, list[float]] = {}
        for each in (row for rows in self._containers.values() for row in rows if start <= row.at < end):
            hour = sums.setdefault((each.at - start) // HOUR_S, [0.0, 0.0])
            hour[0] += each.deployed_hs * each.watched_s
            hour[1] += each.operating_hs * each.watched_s
        return [(hour, deployed, operating) for hour, (deployed, operating) in sorted(sums.items())]

    def pool_credits(self, start: float, end: float, *, known_by: float) -> list[PoolCredit]:
        """Return the windows of pools that touch a span of time."""
        return [
            each
            for each in self._credits
            if each.window.start < end and each.window.end > start and each.fetched <= known_by
        ]

    def facts(self, start: float, end: float, *, kinds: Collection[str]) -> list[Fact]:
        """Return the facts of a span of time."""
        return [fact for fact in self.kept_facts if start <= fact.at < end and fact.kind in kinds]

    def span(self) -> tuple[int, int] | None:
        """Return the starts of the first row and of the last."""
        return (int(self._values[0][0] or 0), int(self._values[-1][0] or 0)) if self._values else None


def stated(
    rows: Sequence[Row], period: str = "2025-10", *, site: str = "alpha", zone: str = "UTC", now: float = LATER
) -> Statement:
    """Return the statement of `rows`."""
    return state(Kept(rows, site), parse_period(period, ZoneInfo(zone)), now=now)


def shown(statement: Statement) -> dict[str, tuple[str, str, str]]:
    """Return value, share and note of each line of the table, by name."""
    return {line.name.strip(): (line.value, line.share, line.note) for line in statement_text.lines(statement)}


def course(*spans: tuple[float, str | None, str | None]) -> DeployedCourse:
    """Return the course of a ledger: hashrate in EH/s, and the days from and to which it is deployed."""
    entries = [
        LedgerEntry(
            unit_id=f"u{number}",
            nameplate=Nameplate(
                model="S21", hashrate_hs=hashrate * EH, power_watts=3500.0, cooling="air", source="test"
            ),
            place=Place(),
            host="10.0.0.1",
            deployed_from=None if begin is None else float(unix(begin)),
            deployed_to=None if end is None else float(unix(end)),
        )
        for number, (hashrate, begin, end) in enumerate(spans)
    ]
    return DeployedCourse(entries, digest="d" * 64)


def published(
    rows: list[Row], *, ledger: DeployedCourse | None = None, acknowledged: tuple[str, ...] = ()
) -> Statement:
    """Return the published statement of October."""
    return state(Kept(rows), OCTOBER_PERIOD, now=LATER, is_draft=False, course=ledger, acknowledged=acknowledged)
