"""All accounts of the configuration, each read at its own pace."""

import asyncio
import random
import ssl
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from pathlib import Path

import aiohttp
import structlog

from agent.config.pool_accounts import PoolAccountSection
from agent.errors import ConfigError, Mistake, PoolAccountError
from agent.files.regular import refuse_irregular
from agent.http_client import new_session
from agent.pool_accounts.account import Account, Surroundings
from agent.pool_accounts.archive import Archive
from agent.pool_accounts.gate import Gate
from agent.pool_accounts.keys import read_keys
from agent.site.credited.account import AccountState
from agent.tls import client_context

log = structlog.get_logger("agent.pool_accounts")


class PoolAccounts:
    """All accounts whose credited hashrate is read.

    Args:
        sections: Their configuration.
        archive: Where closed windows are kept; None where no history is.
        clock: Monotonic time, s.
        wall: Unix time, s.
        sleep: Waits for some seconds.
        luck: Returns numbers in [0, 1).
        is_active: Returns True if this agent is the one to ask: of two, one does.
    """

    def __init__(
        self,
        sections: Iterable[PoolAccountSection],
        *,
        archive: Archive | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        luck: Callable[[], float] = random.random,
        is_active: Callable[[], bool] = lambda: True,
    ) -> None:
        self._archive, self._is_active = archive, is_active
        self._clock, self._wall, self._sleep, self._luck = clock, wall, sleep, luck
        self._accounts: tuple[Account, ...] = ()
        self._gates: dict[str, Gate] = {}
        self._contexts: dict[Path | None, ssl.SSLContext] = {}
        self._replaced = asyncio.Event()
        self.replace(sections)

    def __len__(self) -> int:
        return len(self._accounts)

    def replace(self, sections: Iterable[PoolAccountSection]) -> None:
        """Use another configuration; an unchanged account keeps what it knows."""
        sections = tuple(sections)
        before = {account.section.name: account for account in self._accounts}
        if sections == tuple(account.section for account in self._accounts):
            return
        self._contexts.clear()
        self._accounts = tuple(
            kept
            if (kept := before.get(section.name)) is not None and kept.section == section
            else Account(section, where=f"pool_account[{number}]", clock=self._clock)
            for number, section in enumerate(sections)
        )
        self._replaced.set()

    def states(self) -> Iterator[AccountState]:
        """Yield what is known of each account."""
        for account in self._accounts:
            yield account.state

    async def run(self) -> None:
        """Read accounts until cancelled."""
        async with new_session() as session:
            around = self._around(session)
            while True:
                self._replaced.clear()
                async with asyncio.TaskGroup() as tasks:
                    running = [
                        tasks.create_task(self._run(account, around), name=f"pool account {account.section.name}")
                        for account in self._accounts
                    ]
                    await self._replaced.wait()
                    for task in running:
                        task.cancel()

    async def read_once(self) -> None:
        """Read every account once; failures are counted."""
        async with new_session() as session, asyncio.TaskGroup() as tasks:
            around = self._around(session)
            for account in self._accounts:
                tasks.create_task(account.read(around), name=f"pool account {account.section.name}")

    def _around(self, session: aiohttp.ClientSession) -> Surroundings:
        return Surroundings(
            session=session,
            tls=self._tls,
            gate=self._gate,
            archive=self._archive,
            clock=self._clock,
            wall=self._wall,
            sleep=self._sleep,
            luck=self._luck,
            is_active=self._is_active,
        )

    def _gate(self, base: str) -> Gate:
        gate = self._gates.get(base)
        if gate is None:
            gate = self._gates[base] = Gate(clock=self._clock, sleep=self._sleep)
        return gate

    def _tls(self, section: PoolAccountSection) -> ssl.SSLContext:
        context = self._contexts.get(section.ca_file)
        if context is None:
            try:
                context = client_context(section.ca_file)
            except OSError as error:  # ssl.SSLError is one.
                raise PoolAccountError("tls", "ca_file cannot be used") from error
            self._contexts[section.ca_file] = context
        return context

    async def _run(self, account: Account, around: Surroundings) -> None:
        while True:
            try:
                await account.run(around)
            except Exception as error:  # noqa: BLE001 - one account must not stop the agent.
                # Without a traceback: a library's message may have the address, and with it the account.
                log.error(  # noqa: TRY400
                    "pool account failed", pool_account=account.section.name, error=type(error).__name__
                )
                await self._sleep(account.section.every_s)


def check_pool_accounts(sections: Iterable[PoolAccountSection], file: str) -> Iterator[Mistake]:
    """Yield the mistakes in the files that the sections name.

    Args:
        sections: The accounts of the configuration.
        file: Name of the configuration in messages.
    """
    for number, section in enumerate(sections):
        where = f"pool_account[{number}]"
        if section.key_file is not None:
            try:
                read_keys(section.key_file, where=f"{where}.key_file", has_secret=section.kind == "antpool")
            except ConfigError as error:
                yield from error.mistakes
        if section.ca_file is not None:
            reason = _unusable(section.ca_file)
            if reason is not None:
                yield Mistake(file=file, where=f"{where}.ca_file", value=str(section.ca_file), reason=reason)


def _unusable(ca_file: Path) -> str | None:
    try:
        refuse_irregular(ca_file)
        client_context(ca_file)
    except ssl.SSLError:
        return "contains no certificate"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return None
