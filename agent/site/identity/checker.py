"""The identity checker: reads units' pages beside the polls, a few at a time and at a limited rate.

The `IdentityBook` decides which page is next and what an answer means. This module only paces the requests.
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
        book: Names the next address and takes the answers.
        fetch: Reads the page at one address within a deadline of its own; raises `PollError` or `LocalResourceError`.
        checks_per_s: Rate limit: requests begun per second.
        max_in_flight: Requests open at once.
        on_checked: Called with ``ok`` or the reason of each failure.
        on_findings: Called with the changes that follow from an answer.
        wall: Unix time, s.
        clock: Monotonic time, s.
        sleep: Waits for a number of seconds.
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
        """Check identities until cancelled."""
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
            # A bug of ours, triggered by one unit's page: the checks of the others go on.
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
