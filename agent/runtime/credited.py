"""Credited hashrate in the running agent: pools' accounts beside what units reported and delivered."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import structlog

from agent.config.pool_accounts import PoolAccountSection
from agent.errors import HistoryError
from agent.history.reader import read_history
from agent.pool_accounts.accounts import PoolAccounts
from agent.site.credited.account import AccountCredit, AccountState
from agent.site.credited.rejects import RejectsBook
from agent.site.credited.reported import KEPT_S, SITE, STEP_S, Over, Past, ReportedBook, own_hs
from agent.site.credited.verdict import LEAST_WATCHED_RATIO, compare
from agent.site.credited.windows import DAY_S, HOUR_S
from agent.site.energy import longest_gap_s
from agent.site.pools.destinations import account_of, is_hidden
from agent.site.pools.judgement import ALIVE
from agent.site.status import UnitStatus
from agent.site.totals import SiteFigures
from agent.slices import Slices

log = structlog.get_logger("agent.pool_accounts")

ACCOUNTS_EVERY_S = 60.0
"""Interval at which units are summed by account, where there are several: a unit rarely changes its account."""

UNITS_PER_SLICE = 500
READ_S = 10.0

NOBODY = ""
"""An account that no pool has."""

UNTOLD = Over(None, 0.0)


class Credited:
    """Credited hashrate, compared each round.

    Args:
        accounts: The accounts that are read.
        statuses: Returns the statuses of the units that count.
        interval_s: Time from one round of figures to the next.
    """

    def __init__(
        self, accounts: PoolAccounts, *, statuses: Callable[[], Iterable[UnitStatus]], interval_s: float
    ) -> None:
        self.accounts = accounts
        self._statuses = statuses
        self._reported = ReportedBook(longest_gap_s=longest_gap_s(interval_s))
        self._rejects = RejectsBook()
        self._by_account_hs: dict[str, float] = {}
        self._accounts: frozenset[str] = frozenset()
        self._summed_at = float("-inf")
        self._seed_wanted = asyncio.Event()

    def replace(self, sections: Iterable[PoolAccountSection]) -> None:
        """Use another configuration of accounts."""
        had_none = not len(self.accounts)
        self.accounts.replace(sections)
        if had_none and len(self.accounts):
            self._seed_wanted.set()

    def set_interval(self, interval_s: float) -> None:
        """Go by another interval, s."""
        self._reported.longest_gap_s = longest_gap_s(interval_s)

    def record(self, status: UnitStatus) -> None:
        """Record a unit's status after a poll."""
        if len(self.accounts):
            self._rejects.record(status)

    def forget(self, unit_ids: Iterable[str]) -> None:
        """Forget these units; unknown ones are ignored."""
        self._rejects.forget(tuple(unit_ids))

    def pause(self) -> None:
        """Begin a gap: there are no figures until the next round that is whole."""
        self._reported.pause()

    async def run(self, history: Path | None) -> None:
        """Take the last day from history, if any is kept, and read accounts until cancelled."""
        if len(self.accounts):
            self._seed_wanted.set()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.accounts.run(), name="pools' accounts")
            while history is not None:
                await self._seed_wanted.wait()
                self._seed_wanted.clear()
                await self._seed(history)

    async def _seed(self, history: Path) -> None:
        try:
            past = await asyncio.to_thread(_read_past, history, time.time())
        except HistoryError as error:
            if error.reason != "absent":
                log.info("reported hashrate of the last day not read", reason=error.reason)
            return
        self._reported.seed(past)

    def round(self, figures: SiteFigures, *, is_whole: bool) -> Slices[tuple[AccountCredit, ...]]:
        """Take the figures of a round, and return what each account's pool says beside them.

        Args:
            figures: As of now.
            is_whole: True if they may be shown.
        """
        if not len(self.accounts):
            return ()
        states = tuple(self.accounts.states())
        if is_whole:
            accounts = frozenset(state.account for state in states if state.account is not None)
            is_due = accounts != self._accounts or not 0 <= figures.at - self._summed_at < ACCOUNTS_EVERY_S
            if len(states) > 1 and is_due:
                yield from self._sum_by_account(accounts)
                self._summed_at, self._accounts = figures.at, accounts
            by_account_hs = self._by_account_hs if len(states) > 1 else {}
            # What works for somewhere else is reported, and no pool of the site can credit it.
            own_hs = figures.site.operating_hs - (figures.site.diverted_hs or 0.0)
            self._reported.add(figures.at, {SITE: own_hs, **by_account_hs})
        else:
            self.pause()
        times = Counter(state.account for state in states)
        return tuple(
            self._credit(state, figures, is_only=len(states) == 1, is_shared=times[state.account] > 1)
            for state in states
        )

    def _credit(self, state: AccountState, figures: SiteFigures, *, is_only: bool, is_shared: bool) -> AccountCredit:
        end = figures.at if state.at is None else min(state.at, figures.at)
        compared = []
        for window_s, delivered_hs, coverage in (
            (HOUR_S, figures.delivered_1h_hs, figures.delivered_1h_coverage_ratio),
            (DAY_S, figures.delivered_24h_hs, figures.delivered_24h_coverage_ratio),
        ):
            over = (
                UNTOLD if is_shared else self._reported.over(SITE if is_only else state.account or SITE, end, window_s)
            )
            # Counters are of the whole site: they say nothing of one account among several.
            is_known = is_only and delivered_hs is not None and coverage and coverage >= LEAST_WATCHED_RATIO
            compared.append(
                compare(
                    window_s,
                    credited_hs=state.rates_hs.get(window_s),
                    reported_hs=over.mean_hs,
                    watched_ratio=over.watched_ratio,
                    delivered_hs=delivered_hs / coverage
                    if is_known and delivered_hs is not None and coverage
                    else None,
                    rejects_ratio=self._rejects.ratio(end, window_s),
                    is_stale=state.is_stale,
                )
            )
        return AccountCredit(
            name=state.name,
            pool=state.pool,
            at=state.at,
            age_s=state.age_s,
            hour=compared[0],
            day=compared[1],
            trouble=state.trouble,
        )

    def _sum_by_account(self, accounts: frozenset[str]) -> Slices[None]:
        """Sum units by the account in front of the first dot of the user that they work as.

        There are no sums while units do not tell for whom they do more than a twentieth of the work: it could be for
        any of these accounts.
        """
        sums_hs = dict.fromkeys(accounts, 0.0)
        all_hs = untold_hs = 0.0
        for number, status in enumerate(self._statuses(), start=1):
            rate_hs = status.hashrate_hs or 0.0
            account = _account(status) if rate_hs else NOBODY
            all_hs += rate_hs
            if account is None:
                untold_hs += rate_hs
            elif account in sums_hs:
                sums_hs[account] += rate_hs
            if not number % UNITS_PER_SLICE:
                yield
        self._by_account_hs = sums_hs if untold_hs <= (1 - LEAST_WATCHED_RATIO) * all_hs else {}


def _account(status: UnitStatus) -> str | None:
    """Return the account that a unit works for; `NOBODY` while it works for none of the site's, None if not told."""
    if status.work is not None and status.work.is_diverted:
        return NOBODY
    pools = () if status.reading is None else status.reading.pools
    if not pools:
        return None
    owners = [pool for pool in pools if not pool.is_fee]
    active = next((pool for pool in owners if pool.is_active), None)
    if active is None and all(pool.is_active is None for pool in pools):
        # Firmware that does not say which: the first living one works.
        active = next((pool for pool in owners if pool.status == ALIVE), None)
    if active is None:
        return NOBODY
    return account_of(active.user) if active.user and not is_hidden(active.user) else None


def _read_past(history: Path, now: float) -> list[Past]:
    end = int(now) // STEP_S * STEP_S
    reader = read_history(history)
    try:
        reader.interrupt_after(READ_S)
        return [
            Past(row.at, row.watched_s, own_hs(row.operating_hs, row.watched_s, row.diverted_hs, row.judged_s))
            for row in reader.rows(end - KEPT_S, end, STEP_S)
        ]
    finally:
        reader.close()
