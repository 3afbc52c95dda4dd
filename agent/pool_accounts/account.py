"""One account: read again and again, and its closed hours kept."""

import asyncio
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import aiohttp
import structlog

from agent.config.pool_accounts import PoolAccountSection
from agent.errors import ConfigError, HistoryError, PoolAccountError
from agent.pool_accounts.archive import Archive, PastBook, rolling_hour
from agent.pool_accounts.exchange import exchange
from agent.pool_accounts.gate import Gate, rest_s
from agent.pool_accounts.keys import KeyFile
from agent.pool_accounts.plan import Call, Plan
from agent.pool_accounts.presets import plan_of
from agent.pool_accounts.reply import Credited, read_credited, read_past
from agent.pool_accounts.request import Keys, Nonces, prepare
from agent.site.credited.account import AccountState

log = structlog.get_logger("agent.pool_accounts")

LEAST_MAX_AGE_S = 1800.0
"""A reading counts at least so long; a window of a day is hardly another one by then."""

STANDBY_LOOK_S = 5.0

LOOK_S = 30.0
"""Interval at which a key file is read again while its key is refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Settings that all accounts share.

    Attributes:
        session: For requests; of `new_session`.
        tls: Returns the context for a section's certificates.
        gate: Returns the gate of a pool by its address.
        archive: Where closed windows are kept; None where no history is.
        clock: Monotonic time, s.
        wall: Unix time, s.
        sleep: Waits for some seconds.
        luck: Returns numbers in [0, 1).
        is_active: Returns True if this agent is the one to ask: of two, one does.
    """

    session: aiohttp.ClientSession
    tls: Callable[[PoolAccountSection], ssl.SSLContext]
    gate: Callable[[str], Gate]
    archive: Archive | None
    clock: Callable[[], float]
    wall: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    luck: Callable[[], float]
    is_active: Callable[[], bool] = lambda: True


class Account:
    """One account of the configuration.

    Args:
        section: Its section.
        where: The section's place in the configuration, for messages.
        clock: Monotonic time, s.
    """

    def __init__(self, section: PoolAccountSection, *, where: str, clock: Callable[[], float]) -> None:
        self.section = section
        self.plan: Plan = plan_of(section)
        self._clock = clock
        self._key_file = (
            None
            if section.key_file is None
            else KeyFile(section.key_file, where=f"{where}.key_file", has_secret=section.kind == "antpool")
        )
        self._nonces = Nonces()
        self._past = None if self.plan.past is None else PastBook(self.plan.past)
        self._kept_hour = 0
        self._latest: Credited | None = None
        # When its windows ended, on the monotonic clock: a wall clock that is set does not make it younger.
        self._ended_s = 0.0
        self._due_s = float("-inf")
        self._reads = 0
        self._failures: Counter[str] = Counter()
        self._failed = 0
        self._is_key_wrong = False
        self._trouble: str | None = None

    @property
    def state(self) -> AccountState:
        """Current knowledge of the account."""
        latest = self._latest
        age_s = None if latest is None else max(0.0, self._clock() - self._ended_s)
        return AccountState(
            name=self.section.name,
            pool=self.plan.title,
            account=self.section.account,
            at=None if latest is None else latest.at,
            age_s=age_s,
            rates_hs={} if latest is None else latest.rates_hs,
            is_stale=age_s is not None and age_s > max(LEAST_MAX_AGE_S, 3 * self.section.every_s),
            reads=self._reads,
            failures=dict(self._failures),
            trouble=self._trouble,
        )

    async def run(self, around: Surroundings) -> None:
        """Read until cancelled; a reload begins this anew, and shortens no wait that a pool has asked for."""
        # Accounts of one pool, and agents of many sites, do not begin together.
        first_s = around.luck() * min(10.0, self.section.every_s)
        # The reload may come with the key that was missing.
        left_s = 0.0 if self._is_key_wrong else self._due_s - around.clock()
        await around.sleep(max(first_s, left_s))
        while True:
            if around.is_active():
                await self._rest(await self.read(around), around)
            else:
                await around.sleep(STANDBY_LOOK_S)

    async def read(self, around: Surroundings) -> float:
        """Read once, and ask for one span of the past if some is missing; return the time until the next reading, s."""
        retry_after_s = None
        try:
            await self._read_now(around)
        except PoolAccountError as error:
            retry_after_s = error.retry_after_s
            self._on_failure(error)
        else:
            self._on_success()
            try:
                await self._keep(around)
            except PoolAccountError as error:
                # The figures of now are known; only the past is not, and is asked for again.
                self._failures[error.reason] += 1
                retry_after_s = error.retry_after_s
                log.info("pool's past not read", pool_account=self.section.name, reason=error.reason)
            except HistoryError as error:
                log.info("pool's past not kept", pool_account=self.section.name, reason=error.reason)
        return rest_s(self.section.every_s, self._failed, retry_after_s=retry_after_s, luck=around.luck())

    async def _read_now(self, around: Surroundings) -> None:
        reading = self.plan.reading
        data = await self._ask(reading.call, around)
        now, clock_s = around.wall(), around.clock()
        self._latest = read_credited(data, reading, now=now)
        self._ended_s = clock_s - (now - self._latest.at)

    async def _keep(self, around: Surroundings) -> None:
        """Keep closed windows: those that the pool lists, or the rolling hour just after the clock's."""
        archive, past, book, name = around.archive, self.plan.past, self._past, self.section.name
        if archive is None:
            return
        now = around.wall()
        if past is None or book is None:
            hour = None if self._latest is None else rolling_hour(self._latest)
            if hour is not None and hour.start != self._kept_hour:
                await asyncio.to_thread(archive.keep, name, [hour], now)
                self._kept_hour = hour.start
            return
        if not book.is_due(now):
            return
        known = await asyncio.to_thread(archive.known, name, past.figure.window_s, book.oldest(now))
        wanted = book.wanted(known, now)
        if wanted is None:
            return
        data = await self._ask(past.call, around, span=wanted)
        windows = book.take(wanted, read_past(data, past, now=around.wall()))
        await asyncio.to_thread(archive.keep, name, windows, around.wall())

    async def _ask(self, call: Call, around: Surroundings, *, span: tuple[int, int] | None = None) -> bytes:
        section, base = self.section, self.section.url or self.plan.base
        async with around.gate(base).turn(self.plan.between_s):
            now = around.wall()
            prepared = prepare(call, section.account, self._keys(), nonce=self._nonces.next(now), span=span)
            return await exchange(
                around.session, base, prepared, tls=around.tls(section), timeout_s=section.timeout_s, now=now
            )

    def _keys(self) -> Keys:
        try:
            return Keys() if self._key_file is None else self._key_file.keys()
        except ConfigError as error:
            raise PoolAccountError("key_file", error.mistakes[0].reason) from error

    async def _rest(self, wait_s: float, around: Surroundings) -> None:
        """Wait; a new key is tried at once where the old one was refused."""
        until_s = self._due_s = around.clock() + wait_s
        watched = self._key_file if self._is_key_wrong else None
        before = None if watched is None else watched.stamp()
        while (left_s := until_s - around.clock()) > 0:
            await around.sleep(left_s if watched is None else min(LOOK_S, left_s))
            if watched is not None and watched.stamp() != before:
                return

    def _on_success(self) -> None:
        self._reads += 1
        self._failed, self._is_key_wrong = 0, False
        if self._trouble is not None:
            log.info("pool account read again", pool_account=self.section.name)
        self._trouble = None

    def _on_failure(self, error: PoolAccountError) -> None:
        self._failures[error.reason] += 1
        self._failed += 1
        self._is_key_wrong = error.reason in {"refused", "key_file", "denied"}
        words = str(error)
        if self._trouble != words:
            log.warning("pool account not read", pool_account=self.section.name, reason=error.reason, why=words)
        self._trouble = words
