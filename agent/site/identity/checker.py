"""Asks units who they are, beside the polls and never in their way: few at a time, at a bounded rate.

What is to be asked, and what an answer means, is the `IdentityBook`'s business; here is only when and how many.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

import structlog

from agent.address import Endpoint
from agent.errors import LocalResourceError, PollError, UnsupportedReplyError
from agent.site.identity.book import IdentityBook
from agent.site.identity.whereabouts import Finding
from agent.unit.reading import SystemInfo

log = structlog.get_logger(__name__)

NAP_S = 0.25


class Checker:
    """Works through the agenda of an `IdentityBook`.

    Args:
        book: What is to be asked, and who takes the answers in.
        fetch: Asks one address who is there; raises `PollError` or `LocalResourceError`, within its own deadline.
        checks_per_s: At most so many are begun in a second.
        max_in_flight: At most so many are open at once.
        on_checked: Called with ``ok`` or the reason of each failure.
        on_findings: Called with what an answer changed.
        wall: Unix time, s.
        clock: Monotonic time, s.
        sleep: Waits so many seconds.
    """

    def __init__(
        self,
        book: IdentityBook,
        fetch: Callable[[Endpoint], Coroutine[Any, Any, SystemInfo]],
        *,
        checks_per_s: float,
        max_in_flight: int,
        on_checked: Callable[[str], None],
        on_findings: Callable[[Iterable[Finding]], None],
        wall: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Coroutine[Any, Any, None]] = asyncio.sleep,
    ) -> None:
        self._book = book
        self._fetch = fetch
        self._pace_s = 1.0 / checks_per_s
        self._free = asyncio.Semaphore(max_in_flight)
        self._on_checked = on_checked
        self._on_findings = on_findings
        self._wall = wall
        self._clock = clock
        self._sleep = sleep

    async def run(self) -> None:
        """Ask until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                await self._free.acquire()
                while (endpoint := self._book.inquiries.take(self._clock())) is None:
                    await self._sleep(NAP_S)
                tasks.create_task(self._check(endpoint), name=f"identity of {endpoint}")
                await self._sleep(self._pace_s)

    async def _check(self, endpoint: Endpoint) -> None:
        try:
            self._on_findings(await self._ask(endpoint))
        except asyncio.CancelledError:
            self._book.on_failed(endpoint, None, clock_s=self._clock())
            raise
        except Exception as error:
            # A bug of ours, met with one unit's page: the others carry on.
            log.exception("identity not taken in", host=endpoint.host)
            bug = UnsupportedReplyError(f"{type(error).__name__} while reading the page")
            self._book.on_failed(endpoint, bug, clock_s=self._clock())
        finally:
            self._free.release()

    async def _ask(self, endpoint: Endpoint) -> Iterable[Finding]:
        try:
            info = await self._fetch(endpoint)
        except LocalResourceError:
            self._on_checked("no_socket")
            return self._book.on_failed(endpoint, None, clock_s=self._clock())
        except PollError as error:
            self._on_checked(error.reason)
            return self._book.on_failed(endpoint, error, clock_s=self._clock())
        self._on_checked("ok")
        return self._book.on_seen(endpoint, info, at=self._wall(), clock_s=self._clock())
