"""The identity checker: bounds, rate limit, and failures that do not stop the other checks."""

import asyncio
from collections.abc import Iterable

import pytest
import structlog
from patience import PATIENT_S
from site_cases import answered, entry
from web_cases import until

from agent.address import Endpoint
from agent.errors import DeadlineError, LocalResourceError
from agent.site.identity.book import IdentityBook
from agent.site.identity.checker import Checker
from agent.site.identity.whereabouts import Finding, Move, Standing
from agent.unit.reading import SystemInfo


class Desk:
    """A book of units that all answered a poll, a checker over it, and a clock that only its sleeps move."""

    def __init__(self, units: int, *, max_in_flight: int = 4, checks_per_s: float = 10.0) -> None:
        rows = [entry(f"u{number}", host=f"127.0.0.{number}", serial=f"SN{number}") for number in range(1, units + 1)]
        self.book = IdentityBook(rows, spacing_s=0.0)
        for row in rows:
            self.book.credit(answered(row.unit_id), clock_s=0.0)
        self.now = 0.0
        self.begun: list[tuple[float, str]] = []
        self.open = self.most_open = 0
        self.gate = asyncio.Event()
        self.all_begun = asyncio.Event()
        self.results: list[str] = []
        self.findings: list[Finding] = []
        self.answers: dict[str, Exception] = {}
        self.checker = Checker(
            self.book,
            self.fetch,
            checks_per_s=checks_per_s,
            max_in_flight=max_in_flight,
            on_checked=self.results.append,
            on_findings=self.take,
            wall=lambda: self.now,
            clock=lambda: self.now,
            sleep=self.sleep,
        )

    def take(self, findings: Iterable[Finding]) -> None:
        """Keep the findings."""
        self.findings.extend(findings)

    async def sleep(self, seconds: float) -> None:
        """Move the clock, and give every other task a turn."""
        self.now += seconds
        for _ in range(3):
            await asyncio.sleep(0)

    async def fetch(self, endpoint: Endpoint) -> SystemInfo:
        """Answer once the gate is open."""
        self.begun.append((round(self.now, 3), endpoint.host))
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            await self.gate.wait()
        finally:
            self.open -= 1
        if endpoint.host in self.answers:
            raise self.answers[endpoint.host]
        return SystemInfo(serial=f"SN{endpoint.host.rpartition('.')[2]}")

    async def run_until(self, checks: int) -> None:
        """Run the checker until it took in `checks` answers."""
        async with asyncio.timeout(PATIENT_S), asyncio.TaskGroup() as tasks:
            running = tasks.create_task(self.checker.run())
            await until(lambda: len(self.results) >= checks)
            running.cancel()


async def test_checks_keep_their_pace() -> None:
    """At ten a second, checks begin a tenth of a second apart, in the order in which they were wanted."""
    desk = Desk(5)
    desk.gate.set()
    await desk.run_until(5)
    assert desk.begun == [(round(0.1 * number, 3), f"127.0.0.{number}") for number in range(1, 6)]
    assert desk.results == ["ok"] * 5
    assert [move.now.standing for move in desk.findings if isinstance(move, Move)] == [Standing.VERIFIED] * 5


async def test_no_more_are_open_than_allowed() -> None:
    """However slow the units are, the bound on open requests holds."""
    desk = Desk(9, max_in_flight=3, checks_per_s=1000.0)
    async with asyncio.timeout(PATIENT_S), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(desk.checker.run())
        for _ in range(100):
            await asyncio.sleep(0)
        assert (desk.open, len(desk.begun)) == (3, 3)
        desk.gate.set()
        await until(lambda: len(desk.results) >= 9)
        running.cancel()
    assert desk.most_open == 3


async def test_failures_are_counted_and_do_not_stop_the_others() -> None:
    """A deadline, a lack of sockets and a bug of ours each cost one unit's answer."""
    desk = Desk(4)
    desk.gate.set()
    desk.answers = {
        "127.0.0.1": DeadlineError("slow"),
        "127.0.0.2": LocalResourceError("EMFILE"),
        "127.0.0.3": ZeroDivisionError(),
    }
    with structlog.testing.capture_logs() as lines:
        await desk.run_until(3)
    assert desk.results[:3] == ["deadline", "no_socket", "ok"]
    assert [(line["event"], line["host"]) for line in lines] == [("identity not taken in", "127.0.0.3")]
    assert desk.book.counts()[Standing.VERIFIED] == 1


async def test_a_cancelled_check_is_asked_again() -> None:
    """A checker that is cancelled, as for a new configuration, puts its open checks back on the agenda."""
    desk = Desk(2)
    running = asyncio.create_task(desk.checker.run())
    await until(lambda: len(desk.begun) >= 2)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert {desk.book.inquiries.take(desk.now), desk.book.inquiries.take(desk.now)} == {
        Endpoint("127.0.0.1", 4028),
        Endpoint("127.0.0.2", 4028),
    }
