"""The probe: open, refused and silent addresses, looks at the silent ones, rates, and answers at the last moment."""

import asyncio
import errno
import select
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from loopback import blackhole, unit, until, unused
from patience import PATIENT_S

from agent.errors import LocalResourceError
from agent.hil.scan.probe import FIRST_PATIENCE_S, LINGER_S, MOST_LOOKS, Prober, Tally, _Probe


class Scripted(Prober):
    """A probe without sockets: what comes of each look stands in a table, and what is not in it stays silent.

    Args:
        outcomes: The error number by index and look; 0 accepts.
    """

    def __init__(self, outcomes: dict[tuple[int, int], int]) -> None:
        self.tally, self.opened, self.silent, self.looks = Tally(), [], [], []
        super().__init__(
            str,
            port=1,
            rate_per_s=1e6,
            most_open=100,
            tally=self.tally,
            on_open=self.opened.append,
            on_silent=self.silent.append,
        )
        self._outcomes = outcomes
        self.opened: list[int]
        self.silent: list[int]
        self.looks: list[tuple[int, int]]

    def _open(self, index: int, look: int, now: float) -> bool:
        self.looks.append((index, look))
        probe = _Probe(index, look, now, None)  # type: ignore[arg-type]
        self._decide(probe, self._outcomes.get((index, look), errno.ETIMEDOUT))
        return True


async def scripted(count: int, outcomes: dict[tuple[int, int], int]) -> Scripted:
    """Run a scripted probe over some addresses."""
    prober = Scripted(outcomes)
    try:
        await prober.run(range(count))
    finally:
        prober.close()
    return prober


async def test_each_silent_address_is_looked_at_twice() -> None:
    """One that accepts or refuses, once."""
    prober = await scripted(3, {(0, 1): 0, (1, 1): errno.ECONNREFUSED})
    assert prober.looks == [(0, 1), (1, 1), (2, 1), (2, 2)]
    assert (prober.opened, prober.silent) == ([0], [1, 2])
    assert (prober.tally.open, prober.tally.refused, prober.tally.silent, prober.tally.looked) == (1, 1, 1, 3)


async def test_a_second_look_that_finds_something_calls_for_another() -> None:
    """Silence proves little on such a network."""
    prober = await scripted(2, {(0, 2): 0})
    assert prober.looks == [(0, 1), (1, 1), (0, 2), (1, 2), (1, 3)]


@pytest.mark.parametrize(("at_third", "looks"), [(0, 3), (1, 3), (2, 4)])
async def test_a_steep_decline_of_finds_ends_the_looks(at_third: int, looks: int) -> None:
    """After 40 at the second look, one more promises a fortieth of a unit, and two a tenth."""
    outcomes = {(index, 2): 0 for index in range(40)} | {(40 + index, 3): 0 for index in range(at_third)}
    prober = await scripted(50, outcomes)
    assert max(look for _, look in prober.looks) == looks


async def test_looks_end() -> None:
    """However much every look finds."""
    prober = await scripted(MOST_LOOKS + 1, {(index, index + 1): 0 for index in range(MOST_LOOKS)})
    assert max(look for _, look in prober.looks) == MOST_LOOKS
    assert prober.silent == [MOST_LOOKS]


async def test_a_router_s_word_is_silence() -> None:
    """No host and no route may change at the second look; the last is counted."""
    prober = await scripted(2, {(0, 1): errno.EHOSTUNREACH, (0, 2): 0, (1, 1): errno.ENETUNREACH})
    assert (prober.opened, prober.tally.silent, prober.tally.no_route) == ([0], 1, 1)


@contextmanager
def probing(hosts: list[str], port: int, clock: list[float], **options: float) -> Iterator[tuple[Prober, Tally]]:
    """Yield a probe of hosts whose clock stands still until the test moves it."""
    tally = Tally()
    prober = Prober(
        hosts.__getitem__,
        port=port,
        rate_per_s=options.get("rate_per_s", 1e6),
        most_open=int(options.get("most_open", 100)),
        tally=tally,
        on_open=lambda _: None,
        on_silent=lambda _: None,
        clock=lambda: clock[0],
    )
    try:
        yield prober, tally
    finally:
        prober.close()


class Door:
    """A unit that accepts, and notes that it saw the end of the connection."""

    def __init__(self) -> None:
        self.is_left = asyncio.Event()

    async def __call__(self, reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        """Serve one connection: nothing is sent over it."""
        assert await reader.read() == b""
        self.is_left.set()


async def test_open_and_refused() -> None:
    """Over sockets: one accepts and is sent nothing, one refuses."""
    door = Door()
    async with asyncio.timeout(PATIENT_S), unit(door) as (host, port):
        clock = [0.0]
        with probing([host, "127.0.0.2"], port, clock) as (prober, tally):
            async with asyncio.TaskGroup() as tasks:
                task = tasks.create_task(prober.run(range(2)))
                while not task.done():
                    clock[0] += 0.001
                    await asyncio.sleep(0.001)
        await door.is_left.wait()
    assert (tally.open, tally.refused, tally.silent) == (1, 1, 0)


async def test_silence_takes_the_patience_of_both_looks() -> None:
    """An address whose queue is full drops the packet: it is silent when both deadlines have passed, not before."""
    with blackhole() as (host, port):
        clock = [1.0]
        with probing([host], port, clock) as (prober, tally):
            task = asyncio.create_task(prober.run(range(1)))
            await asyncio.sleep(0)
            clock[0] += 0.01
            await until(lambda: tally.probes == 1)
            clock[0] += 0.5
            await until(lambda: tally.probes == 2)
            clock[0] += 1.5
            for _ in range(10):
                await asyncio.sleep(0.01)
            assert not task.done()
            clock[0] += 0.2
            async with asyncio.timeout(PATIENT_S):
                await task
    assert (tally.silent, tally.looked) == (1, 1)


@pytest.mark.parametrize(("most_open", "lasts_s"), [(2000, LINGER_S), (2, FIRST_PATIENCE_S)])
async def test_a_look_lingers_while_others_wait_and_there_is_room(most_open: int, lasts_s: float) -> None:
    """The kernel sends its packet again meanwhile; neither a scan nor its bound on sockets is stretched by it."""
    with blackhole() as (host, port):
        clock = [0.0]
        with probing([host] * 1000, port, clock, rate_per_s=1.0, most_open=most_open) as (prober, tally):
            task = asyncio.create_task(prober.run(range(1000)))
            await asyncio.sleep(0)
            clock[0] = 1.0
            await until(lambda: tally.probes == 1)
            clock[0] = 1.0 + lasts_s - 0.1
            for _ in range(10):
                await asyncio.sleep(0.01)
            assert tally.looked == 0
            clock[0] = 1.0 + lasts_s
            await until(lambda: tally.looked == 1)
            task.cancel()


async def test_a_third_look_is_made_for_a_thousandth_of_a_unit() -> None:
    """Of 10,000 units of which the second look found three, hardly one is left; of 100, perhaps."""
    for units, looks in ((10_000, 2), (100, 3)):
        found = {(index, 1): 0 for index in range(units - 3)} | {(index, 2): 0 for index in range(units - 3, units)}
        prober = await scripted(units + 1, found)
        assert max(look for _, look in prober.looks) == looks


async def test_an_answer_at_the_deadline_is_not_lost() -> None:
    """The deadline passed before the process looked; the socket had accepted by then."""
    door = Door()
    async with asyncio.timeout(PATIENT_S), unit(door) as (host, port):
        with probing([host], port, [0.0]) as (prober, tally):
            assert prober._open(0, 1, 0.0)
            (probe,) = prober._by_fd.values()
            assert probe.socket is not None
            waiting = select.poll()
            waiting.register(probe.socket, select.POLLOUT)
            assert waiting.poll(PATIENT_S * 1000)
            prober._expire(1e9)
        await door.is_left.wait()
    assert (tally.open, tally.silent) == (1, 0)


async def test_a_pause_makes_no_burst() -> None:
    """After 100 s in which the process did not run, a tenth of a second's probes are begun at once."""
    with unused() as (host, port):
        clock = [0.0]
        with probing([host] * 1000, port, clock, rate_per_s=1000.0, most_open=1000) as (prober, tally):
            task = asyncio.create_task(prober.run(range(1000)))
            await asyncio.sleep(0)
            assert tally.probes == 0
            clock[0] = 100.0
            await until(lambda: tally.probes > 0)
            assert tally.probes == 100
            task.cancel()


async def test_few_sockets_are_open_at_once() -> None:
    """The rest waits for its turn."""
    with blackhole() as (host, port):
        clock = [0.0]
        with probing([host] * 100, port, clock, most_open=10) as (prober, tally):
            task = asyncio.create_task(prober.run(range(100)))
            await asyncio.sleep(0)
            clock[0] += 0.1
            await until(lambda: tally.probes == 10)
            for _ in range(10):
                await asyncio.sleep(0.01)
            assert tally.probes == 10
            task.cancel()


async def test_a_process_without_a_single_socket_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not wait for ever."""

    def none(*_: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    with probing(["127.0.0.1"], 1, [0.0]) as (prober, _):
        monkeypatch.setattr("socket.SocketType", none)
        with pytest.raises(LocalResourceError, match="no socket to scan with: EMFILE"):
            prober._open(0, 1, 0.0)
