"""The poller over loopback units: when each is polled, which polls are skipped, and faults that must not stop it."""

import asyncio
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Generator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

import pytest
import structlog
from capture_files import S21_ASLEEP_STATS, S21_POOLS, S21_STATS, S21_SUMMARY, S21_VERSION
from loopback import Behaviour, answering, hanging, unit, until, unused
from patience import PATIENT_S

from agent.errors import DeadlineError, MisreadReplyError, UnreachableError
from agent.site.ledger.entries import LedgerEntry, Place
from agent.site.poller import Bounds, Poller
from agent.site.schedule import Schedule
from agent.unit import registry
from agent.unit.antminer.conversation import POOLS, STATS_NEW_API, SUMMARY, VERSION
from agent.unit.cgminer.call import Address
from agent.unit.cgminer.client import Client
from agent.unit.nameplate import Nameplate
from agent.unit.reader import AnyReader, Reader
from agent.unit.reading import Poll

pytestmark = pytest.mark.asyncio(loop_factories=["asyncio", "uvloop"])

ANSWERS = {STATS_NEW_API: S21_STATS, SUMMARY: S21_SUMMARY, POOLS: S21_POOLS, VERSION: S21_VERSION}
S21 = Nameplate(model="S21", hashrate_hs=200e12, cooling="air", source="test")
INTERVAL_S = 0.02


def entry(unit_id: str, address: Address) -> LedgerEntry:
    """Return a ledger entry at an address."""
    return LedgerEntry(unit_id=unit_id, nameplate=S21, place=Place(), host=address[0], port=address[1])


class Site:
    """A poller, and every poll and skip that it published."""

    def __init__(
        self,
        *,
        interval_s: float = INTERVAL_S,
        deadline_s: float = PATIENT_S,
        bounds: tuple[int, int] = (100, 100),
        clock: Callable[[], float] = time.monotonic,
        reader: AnyReader = registry.DEFAULT,
    ) -> None:
        self.polls: list[Poll] = []
        self.skipped: Counter[str] = Counter()
        self.news = asyncio.Event()
        self.raises: Exception | None = None
        self.client = Client(connect_timeout_s=deadline_s, deadline_s=deadline_s)
        self.schedule = Schedule(interval_s=interval_s, backoff_max_s=interval_s, jitter=lambda: 1.0)
        self.poller = Poller(
            client=self.client,
            reader_of=lambda _: reader,
            schedule=self.schedule,
            bounds=Bounds(healthy=bounds[0], sick=bounds[1]),
            slow_every=6,
            on_poll=self._on_poll,
            on_skipped=self._on_skipped,
            wall=lambda: 1763674560.0,
            clock=clock,
        )

    def _on_poll(self, poll: Poll, now: float) -> None:
        assert now > 0
        self.polls.append(poll)
        self.news.set()
        if self.raises is not None:
            raise self.raises

    def _on_skipped(self, reason: str, count: int) -> None:
        self.skipped[reason] += count
        self.news.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until polls or skips make a condition true."""
        async with asyncio.timeout(PATIENT_S):
            while not condition():
                self.news.clear()
                await self.news.wait()

    def of(self, unit_id: str) -> list[Poll]:
        """Return the polls of one unit."""
        return [poll for poll in self.polls if poll.unit_id == unit_id]


@asynccontextmanager
async def polling(site: Site, entries: Iterable[LedgerEntry]) -> AsyncIterator[Site]:
    """Run a site's poller over a ledger."""
    site.poller.replace_entries(entries)
    running = asyncio.create_task(site.poller.run(), name="poller")
    try:
        yield site
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        site.client.close()


class Gate:
    """A unit that holds its replies until `opened` is set, and counts the requests that it has not answered."""

    def __init__(self, answers: dict[bytes, bytes] | None = None) -> None:
        self.answers = answers or ANSWERS
        self.opened = asyncio.Event()
        self.asked: list[bytes] = []
        self.present = self.most = 0

    async def behave(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read, wait for the gate, answer, and wait for the client to close."""
        request = await reader.read(4096)
        self.asked.append(request)
        self.present += 1
        self.most = max(self.most, self.present)
        await self.opened.wait()
        # Before the answer: it lets the client ask again, maybe before the end of this connection is noticed here.
        self.present -= 1
        writer.write(self.answers[request] + b"\0")
        await reader.read(1)


async def test_every_unit_is_polled_in_its_turn() -> None:
    """Every unit is polled repeatedly, and each poll reports a whole conversation."""
    async with unit(answering(ANSWERS)) as address:
        entries = [entry(f"u{number}", address) for number in range(5)]
        async with polling(Site(), entries) as site:
            await site.until(lambda: min(len(site.of(one.unit_id)) for one in entries) >= 4)
    first = site.of("u0")[0]
    assert (first.at, first.error, first.requests) == (1763674560.0, None, 4)
    assert first.reading is not None
    assert (first.reading.unit_id, first.reading.hashrate_5s_hs) == ("u0", 206_901.8e9)
    assert site.of("u0")[1].requests == 1
    assert first.took_s > 0


async def test_unit_is_never_polled_twice_at_once() -> None:
    """A poll that falls due while the last is in flight is skipped and counted, never queued."""
    gate = Gate()
    async with unit(gate.behave) as address, polling(Site(), [entry("u1", address)]) as site:
        await site.until(lambda: site.skipped["busy"] >= 5)
        assert (site.polls, gate.present, len(gate.asked)) == ([], 1, 1)
        gate.opened.set()
        await site.until(lambda: len(site.polls) >= 3)
    assert gate.most == 1
    assert site.skipped["no_socket"] == 0


async def test_hanging_units_delay_no_other() -> None:
    """The sound unit is polled twenty times while three others are still in their first poll."""
    async with AsyncExitStack() as stack:
        mute = await stack.enter_async_context(unit(hanging(), host="127.0.0.2"))
        sound = await stack.enter_async_context(unit(answering(ANSWERS), host="127.0.0.3"))
        entries = [entry("sound", sound), *(entry(f"mute{number}", mute) for number in range(3))]
        async with polling(Site(), entries) as site:
            await site.until(lambda: len(site.of("sound")) >= 20)
            assert site.poller.in_flight >= 3
        assert {poll.unit_id for poll in site.polls} == {"sound"}


async def test_sick_units_never_take_the_places_of_the_healthy() -> None:
    """With one place per lane and five dead units, the healthy unit is still polled."""
    async with AsyncExitStack() as stack:
        mute = await stack.enter_async_context(unit(hanging(), host="127.0.0.2"))
        sound = await stack.enter_async_context(unit(answering(ANSWERS), host="127.0.0.3"))
        dead = [entry(f"dead{number}", mute) for number in range(5)]
        # All begin as healthy; a dead unit changes lanes after its first missed deadline.
        async with polling(Site(deadline_s=0.1, bounds=(1, 1)), [entry("sound", sound), *dead]) as site:
            await site.until(lambda: {poll.unit_id for poll in site.polls} == {"sound", *(one.unit_id for one in dead)})
            before = len(site.of("sound"))
            await site.until(lambda: len(site.of("sound")) >= before + 20)
            assert (site.poller._sick.in_flight, site.poller._sick.bound) == (1, 1)
            assert len(site.poller._sick.waiting) > 0
    assert {type(poll.error) for poll in site.polls if poll.unit_id != "sound"} == {DeadlineError}


async def test_failing_receiver_cannot_stop_polling() -> None:
    """An exception in `on_poll` is logged with its traceback, and polling continues."""
    async with unit(answering(ANSWERS)) as address:
        with structlog.testing.capture_logs() as logs:
            site = Site()
            site.raises = ValueError("a bug of ours")
            async with polling(site, [entry("u1", address), entry("u2", address)]):
                await site.until(lambda: len(site.of("u1")) >= 3 and len(site.of("u2")) >= 3)
    assert {(log["event"], log["log_level"], log["exc_info"]) for log in logs} == {("poll not recorded", "error", True)}


async def test_bug_in_reading_is_that_units_failed_poll() -> None:
    """An undeclared exception in a reader fails that unit's poll as unsupported, and is logged."""

    def converse(unit_id: str, *args: Any, **options: Any) -> Generator[bytes, bytes, Any]:
        reading = yield from registry.DEFAULT.converse(unit_id, *args, **options)
        return reading if unit_id == "sound" else 1 / 0

    faulty = Reader(name="faulty", new_memory=registry.DEFAULT.new_memory, converse=converse)
    async with unit(answering(ANSWERS)) as address:
        with structlog.testing.capture_logs() as logs:
            async with polling(Site(reader=faulty), [entry("sound", address), entry("odd", address)]) as site:
                await site.until(lambda: len(site.of("sound")) >= 3 and len(site.of("odd")) >= 3)
    errors = [poll.error for poll in site.of("odd")]
    assert {type(error) for error in errors} == {MisreadReplyError}
    assert str(errors[0]) == "ZeroDivisionError while reading the reply"
    assert {(log["event"], log["unit"]) for log in logs} == {("reply not understood", "odd")}
    assert all(poll.error is None for poll in site.of("sound"))


async def test_unit_that_left_the_ledger_is_not_published() -> None:
    """A poll in flight when its unit leaves is dropped, and its place is freed."""
    gate = Gate()
    async with unit(gate.behave) as address, unit(answering(ANSWERS)) as other:
        site = Site(bounds=(1, 1))
        async with polling(site, [entry("gone", address)]):
            await until(lambda: gate.present == 1)
            site.poller.replace_entries([entry("new", other)])
            await until(lambda: site.poller.waiting == 1)
            gate.opened.set()
            await site.until(lambda: len(site.polls) >= 3)
    assert {poll.unit_id for poll in site.polls} == {"new"}
    assert gate.asked.count(STATS_NEW_API) == 1


async def test_unit_that_left_while_waiting_is_not_polled() -> None:
    """A unit that leaves while waiting for a place is skipped."""
    gate, never = Gate(), Gate()
    async with unit(gate.behave) as address, unit(never.behave) as other:
        site = Site(bounds=(1, 1))
        async with polling(site, [entry("first", address)]):
            await until(lambda: gate.present == 1)
            site.poller.replace_entries([entry("first", address), entry("gone", other)])
            await until(lambda: site.poller.waiting == 1)
            site.poller.replace_entries([entry("first", address)])
            gate.opened.set()
            await site.until(lambda: len(site.polls) >= 3)
    assert never.asked == []


async def test_unit_that_moved_starts_over() -> None:
    """A unit at another address may be another machine: its poll in flight is dropped, its memory is new."""
    gate, moved = Gate(), Gate()
    moved.opened.set()
    async with unit(gate.behave) as address, unit(moved.behave) as other:
        site = Site()
        async with polling(site, [entry("u1", address)]):
            await until(lambda: gate.present == 1)
            site.poller.replace_entries([entry("u1", other)])
            await site.until(lambda: len(site.polls) >= 2)
            count = len(site.polls)
            gate.opened.set()
            await site.until(lambda: len(site.polls) >= count + 3)
    assert moved.asked[:4] == [STATS_NEW_API, VERSION, SUMMARY, POOLS]
    assert [poll.requests for poll in site.polls[:2]] == [4, 1]
    # The poll of the old address is dropped, but its conversation may run to its end.
    assert len(gate.asked) <= 4


async def test_unit_that_stays_keeps_its_memory() -> None:
    """A reloaded ledger does not make its unchanged units be asked for their version again."""
    gate = Gate()
    gate.opened.set()
    async with unit(gate.behave) as address, polling(Site(), [entry("u1", address)]) as site:
        await site.until(lambda: len(site.polls) >= 2)
        site.poller.replace_entries([entry("u1", address), entry("u2", address)])
        await site.until(lambda: len(site.of("u1")) >= 5)
    assert [poll.requests for poll in site.of("u1")][1:5].count(4) == 0
    assert all(poll.reading is not None and poll.reading.identity.api == "3.1" for poll in site.of("u1"))


async def test_process_that_was_held_up_makes_no_burst() -> None:
    """After a delay each unit is polled once, nothing counts as skipped, and the stretch says how late polls are."""
    now = [1000.0]
    async with unit(answering(ANSWERS)) as address:
        site = Site(interval_s=0.1, clock=lambda: now[0])
        async with polling(site, [entry(f"u{number}", address) for number in range(3)]):
            assert site.poller.stretch_ratio == 1.0
            due = min(site.schedule._due.values())
            now[0] = 1010.0
            assert site.poller.stretch_ratio == pytest.approx(1 + (1010.0 - due) / 0.1)
            await site.until(lambda: len(site.polls) >= 3)
            # The clock stands still, so another poll now would be one for a past time.
            following = site.schedule.next_due()
            assert following is not None
            assert following > now[0]
            assert (site.poller.in_flight, site.poller.waiting) == (0, 0)
            assert Counter(poll.unit_id for poll in site.polls) == {"u0": 1, "u1": 1, "u2": 1}
            assert site.poller.stretch_ratio == 1.0
    assert site.skipped == {}


async def test_no_socket_is_a_skipped_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a free descriptor polls are skipped, not failed; once there is one, the unit is polled again."""
    real = socket.socket

    def exhausted(*_: Any) -> socket.socket:
        raise OSError(24, "Too many open files")

    async with unit(answering(ANSWERS)) as address:
        site = Site()
        monkeypatch.setattr("agent.unit.cgminer.client.socket.SocketType", exhausted)
        async with polling(site, [entry("u1", address)]):
            await site.until(lambda: site.skipped["no_socket"] >= 3)
            assert site.polls == []
            assert set(site.skipped) == {"no_socket"}
            monkeypatch.setattr("agent.unit.cgminer.client.socket.SocketType", real)
            await site.until(lambda: len(site.polls) >= 2)
    assert all(poll.error is None for poll in site.polls)


async def test_refused_and_back_again() -> None:
    """A unit that refuses is polled again, fails each time as unreachable, and recovers."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        async with polling(Site(), [entry("u1", holder.getsockname())]) as site:
            await site.until(lambda: len(site.polls) >= 3)
            refused = list(site.polls)
            async with unit(answering(ANSWERS), bound=holder):
                await site.until(lambda: site.polls[-1].error is None)
    assert all(isinstance(poll.error, UnreachableError) and poll.error.is_refusal for poll in refused)
    assert site.polls[-1].reading is not None


async def test_sweep_polls_every_unit_once_within_the_bounds() -> None:
    """A sweep polls sound, slow and absent units once each, and returns when the last poll is done."""
    open_connections: list[int] = []

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_connections.append(site.client.in_flight)
        await answering(ANSWERS)(reader, writer)

    async with AsyncExitStack() as stack:
        gate = Gate()
        sound = await stack.enter_async_context(unit(behave, host="127.0.0.2"))
        slow = await stack.enter_async_context(unit(gate.behave, host="127.0.0.3"))
        absent = stack.enter_context(unused())
        site = Site(bounds=(8, 8))
        entries = [entry(f"u{number:03}", sound) for number in range(100)]
        site.poller.replace_entries([*entries, entry("slow", slow), entry("absent", absent)])
        sweep = asyncio.create_task(site.poller.sweep(), name="sweep")
        await site.until(lambda: len(site.polls) == len(entries) + 1)
        assert not sweep.done()
        gate.opened.set()
        await sweep
        assert Counter(poll.unit_id for poll in site.polls) == Counter(
            [*(one.unit_id for one in entries), "slow", "absent"]
        )
        assert site.polls[-1].unit_id == "slow"
        assert (site.poller.in_flight, site.poller.waiting) == (0, 0)
        assert {poll.unit_id: type(poll.error) for poll in site.polls if poll.error is not None} == {
            "absent": UnreachableError
        }
        assert max(open_connections) == 8
        site.client.close()


async def test_sweep_of_an_empty_ledger_returns_at_once() -> None:
    """A sweep without units polls nothing and returns."""
    site = Site()
    await site.poller.sweep()
    assert site.polls == []
    site.client.close()


async def test_reconfiguring_forgets_what_was_in_flight() -> None:
    """After a change of client every unit is polled again, including one whose poll never ended."""
    gate = Gate()
    async with unit(gate.behave) as address, polling(Site(), [entry("u1", address)]) as site:
        await until(lambda: gate.present == 1)
        old, site.client = site.client, Client(connect_timeout_s=PATIENT_S, deadline_s=PATIENT_S)
        old.close()
        site.poller.reconfigure(
            client=site.client,
            schedule=Schedule(interval_s=INTERVAL_S, backoff_max_s=1.0, jitter=lambda: 1.0),
            bounds=Bounds(healthy=1, sick=1),
            slow_every=6,
        )
        gate.opened.set()
        await site.until(lambda: len(site.polls) >= 2)
    assert all(poll.error is None for poll in site.polls)
    assert gate.most == 1


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        pytest.param(answering(b""), "disconnected", id="closed"),
        pytest.param(answering(b"x\0"), "malformed", id="rubbish"),
        pytest.param(answering(S21_POOLS + b"\0"), "unsupported", id="another report"),
        pytest.param(answering(b'{"STATUS":[{"STATUS":"E","Code":45}]}\0'), "refused", id="denied"),
        pytest.param(answering(S21_ASLEEP_STATS), None, id="asleep"),
    ],
)
async def test_reason_of_a_failed_poll(behaviour: Behaviour, reason: str | None) -> None:
    """Each failure has its own reason, and the unit is polled again at the next interval."""
    async with unit(behaviour) as address, polling(Site(), [entry("u1", address)]) as site:
        await site.until(lambda: len(site.polls) >= 2)
    assert {poll.error.reason if poll.error is not None else None for poll in site.polls} == {reason}
    assert all((poll.reading is None) == (poll.error is not None) for poll in site.polls)
