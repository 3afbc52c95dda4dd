"""Scrapers that share bodies, also when making one takes longer than the time for which bodies are shared."""

import asyncio

import pytest

from agent.exporters.prometheus.sharing import SharedBodies


class Maker:
    """Makes numbered bodies, each when it is allowed to, by a clock that stands still."""

    def __init__(self) -> None:
        self.now = 0.0
        self.made = self.at_once = self.most_at_once = 0
        self.gate = asyncio.Event()
        self.fails = False

    async def make(self) -> bytes:
        """Wait for the gate and return the next body."""
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.gate.wait()
            if self.fails:
                raise RuntimeError("no body")
            self.made += 1
            return str(self.made).encode()
        finally:
            self.at_once -= 1

    async def come(self, bodies: SharedBodies[str], scrapers: int, key: str = "all") -> list[asyncio.Task[bytes]]:
        """Let some scrapers come and wait."""
        tasks = [asyncio.create_task(bodies.get(key, self.make)) for _ in range(scrapers)]
        for _ in range(3):
            await asyncio.sleep(0)
        return tasks

    def shared(self) -> SharedBodies[str]:
        """Return bodies that are shared for a second by this clock."""
        return SharedBodies(lambda: self.now, share_s=1.0)


async def test_scrapers_that_come_while_a_slow_body_is_made_share_it() -> None:
    """Making takes five seconds and sharing one: ten scrapers, and those that come later meanwhile, get one body."""
    maker = Maker()
    bodies = maker.shared()
    tasks = await maker.come(bodies, 10)
    maker.now = 4.5
    tasks += await maker.come(bodies, 10)
    maker.now = 5.0
    maker.gate.set()
    assert set(await asyncio.gather(*tasks)) == {b"1"}


async def test_a_body_that_took_long_is_shared_for_as_long() -> None:
    """A body that took five seconds serves for five more, and then no longer."""
    maker = Maker()
    bodies = maker.shared()
    first = await maker.come(bodies, 1)
    maker.now = 5.0
    maker.gate.set()
    await asyncio.gather(*first)
    seen = []
    for now in (5.5, 9.9, 10.0, 10.9, 11.0):
        maker.now = now
        seen.append(await bodies.get("all", maker.make))
    # The second is made at once, so it serves for a second.
    assert seen == [b"1", b"1", b"2", b"2", b"3"]


async def test_kinds_are_made_one_after_another() -> None:
    """Whatever scrapers ask for, one body at a time is in the making."""
    maker = Maker()
    bodies = maker.shared()
    tasks = [task for key in ("text", "gzip", "site", "openmetrics") for task in await maker.come(bodies, 5, key)]
    assert maker.most_at_once == 1
    maker.gate.set()
    assert sorted(set(await asyncio.gather(*tasks))) == [b"1", b"2", b"3", b"4"]
    assert maker.most_at_once == 1


async def test_scrapers_that_leave_change_nothing_for_the_others() -> None:
    """The first scraper leaves, then all of them do: the body is made once, and serves those that come after it."""
    maker = Maker()
    bodies = maker.shared()
    first, second, third = await maker.come(bodies, 3)
    first.cancel()
    second.cancel()
    maker.gate.set()
    assert await third == b"1"
    maker.now, maker.gate = 10.0, asyncio.Event()
    for task in await maker.come(bodies, 3):
        task.cancel()
    maker.gate.set()
    assert await asyncio.gather(*await maker.come(bodies, 2)) == [b"2", b"2"]


async def test_a_failure_reaches_all_that_wait_and_nobody_after() -> None:
    """A body that cannot be made fails its scrapers; the next scraper has it made again."""
    maker = Maker()
    maker.fails = True
    bodies = maker.shared()
    tasks = await maker.come(bodies, 2)
    maker.gate.set()
    for task in tasks:
        with pytest.raises(RuntimeError):
            await task
    maker.fails = False
    assert await bodies.get("all", maker.make) == b"1"


async def test_dropped_bodies_serve_nobody_that_comes_later() -> None:
    """After a drop, also of a body in the making, the next scraper gets a new one."""
    maker = Maker()
    bodies = maker.shared()
    tasks = await maker.come(bodies, 1)
    bodies.drop_all()
    later = await maker.come(bodies, 1)
    maker.gate.set()
    assert await asyncio.gather(*tasks, *later) == [b"1", b"2"]
    assert await bodies.get("all", maker.make) == b"2"
    bodies.drop_all()
    assert await bodies.get("all", maker.make) == b"3"
