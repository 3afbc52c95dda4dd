"""The seam for firmware: each unit has its own reader, and the poller knows nothing of its protocol."""

import asyncio
from collections.abc import Callable

import pytest
from loopback import answering, unit
from patience import PATIENT_S

from agent.site.ledger.entries import LedgerEntry, Place
from agent.site.poller import Bounds, Poller
from agent.site.schedule import Schedule
from agent.unit import registry
from agent.unit.cgminer.client import Client
from agent.unit.nameplate import Nameplate
from agent.unit.reader import AnyReader, Conversation, Reader
from agent.unit.reading import Dialect, Poll, UnitReading

AT = 1763674560.0
S21 = Nameplate(model="S21", hashrate_hs=200e12, cooling="air", source="test")


# A complete reader: one request, one number, and the rates so far as its memory.
def converse(
    unit_id: str,
    memory: list[int],
    *,
    nameplate: Nameplate | None = None,
    slow_every: int,
    pools_every: int | None = None,
    wall: Callable[[], float],
) -> Conversation:
    """Ask a toy unit for its rate in H/s; the uptime is the number of polls."""
    assert (slow_every, pools_every, nameplate is not None) == (6, 3, True)
    rate = yield b"rate?"
    memory.append(int(rate.rstrip(b"\0")))
    return UnitReading(
        unit_id=unit_id, at=wall(), dialect=Dialect.LEGACY, hashrate_5s_hs=memory[-1], uptime_s=len(memory), mode=None
    )


TOY: Reader[list[int]] = Reader(name="toy", new_memory=list, converse=converse)


class Polled:
    """Polls of some units, each with the reader that `reader_of` returns."""

    def __init__(self, reader_of: Callable[[LedgerEntry], AnyReader]) -> None:
        self.polls: list[Poll] = []
        self._client = Client(connect_timeout_s=PATIENT_S, deadline_s=PATIENT_S)
        self.poller = Poller(
            client=self._client,
            reader_of=reader_of,
            schedule=Schedule(interval_s=10.0, backoff_max_s=10.0, jitter=lambda: 1.0),
            bounds=Bounds(healthy=4, sick=4),
            slow_every=6,
            pools_every=3,
            on_poll=lambda poll, _: self.polls.append(poll),
            on_skipped=lambda reason, polls: pytest.fail(f"{polls} polls skipped: {reason}"),
            wall=lambda: AT,
        )

    async def sweep(self) -> list[Poll]:
        """Poll every unit once and return the polls, sorted by unit."""
        self.polls.clear()
        async with asyncio.timeout(PATIENT_S):
            await self.poller.sweep()
        return sorted(self.polls, key=lambda poll: poll.unit_id)

    def close(self) -> None:
        """Close every socket."""
        self._client.close()


def entry(unit_id: str, address: tuple[str, int]) -> LedgerEntry:
    """Return a ledger row at an address."""
    return LedgerEntry(unit_id=unit_id, nameplate=S21, place=Place(), host=address[0], port=address[1])


async def test_a_toy_reader_of_ten_lines_polls() -> None:
    """A reader outside the registry reads units, and its memory lasts from poll to poll."""
    async with unit(answering(b"200\0")) as address:
        site = Polled(lambda _: TOY)
        site.poller.replace_entries([entry("toy-1", address)])
        for polls in (1, 2):
            (poll,) = await site.sweep()
            assert poll.error is None
            assert poll.reading is not None
            assert (poll.reading.hashrate_5s_hs, poll.reading.uptime_s) == (200, polls)
        site.close()


async def test_two_readers_side_by_side() -> None:
    """Each unit is read by its own reader; the stock reader rejects the toy unit's reply."""
    async with unit(answering(b"200\0")) as address:
        site = Polled(lambda row: TOY if row.unit_id == "toy" else registry.DEFAULT)
        site.poller.replace_entries([entry("stock", address), entry("toy", address)])
        stock, toy = await site.sweep()
        assert stock.error is not None
        assert toy.error is None
        site.close()


async def test_another_reader_begins_with_an_empty_memory() -> None:
    """A unit whose reader changes gets a new memory."""
    async with unit(answering(b"200\0")) as address:
        chosen: list[AnyReader] = [TOY]
        site = Polled(lambda _: chosen[0])
        site.poller.replace_entries([entry("toy-1", address)])
        await site.sweep()
        chosen[0] = Reader(name="toy 2", new_memory=list, converse=converse)
        site.poller.replace_entries([entry("toy-1", address)])
        (poll,) = await site.sweep()
        assert poll.reading is not None
        assert poll.reading.uptime_s == 1
        site.close()


def test_names_of_readers_are_keys() -> None:
    """The registry's keys are the readers' own names, lower-case identifiers fit for ledgers and labels."""
    assert {name: reader.name for name, reader in registry.READERS.items()} == {name: name for name in registry.READERS}
    assert registry.READERS[registry.DEFAULT.name] is registry.DEFAULT
    assert all(name.isidentifier() and name.islower() for name in registry.READERS)
