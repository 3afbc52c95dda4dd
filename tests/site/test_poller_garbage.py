"""A failed poll leaves nothing behind: everything it made is freed by reference counting, without a collection."""

import gc
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager

import pytest
import structlog
from capture_files import S21_STATS
from loopback import Behaviour, answering, hanging, resetting, unit, until, unused
from patience import PATIENT_S

from agent.site.ledger.entries import LedgerEntry, Place
from agent.site.poller import Bounds, Poller
from agent.site.schedule import Schedule
from agent.unit import registry
from agent.unit.cgminer.call import Address
from agent.unit.cgminer.client import Client
from agent.unit.nameplate import Nameplate
from agent.unit.reader import Conversation, Reader
from agent.unit.reading import Poll

S21 = Nameplate(model="S21", hashrate_hs=200e12, cooling="air", source="test")
UNITS = 20
SWEEPS = 25
SHORT_S = 0.1


def breaking(
    unit_id: str,
    memory: object,
    *,
    nameplate: Nameplate | None = None,
    slow_every: int,
    pools_every: int | None = None,
    wall: Callable[[], float],
) -> Conversation:
    """Ask once and fail by a bug, with the reply in a local of the frame."""
    reply = yield b"x"
    raise ZeroDivisionError(unit_id, memory, nameplate, slow_every, pools_every, wall, reply)


BROKEN = Reader(name="broken", new_memory=list, converse=breaking)


@asynccontextmanager
async def address_of(behaviour: Behaviour | None) -> AsyncIterator[Address]:
    """Listen with a behaviour; without one, yield an address that refuses."""
    async with AsyncExitStack() as stack:
        if behaviour is None:
            yield stack.enter_context(unused())
        else:
            yield await stack.enter_async_context(unit(behaviour))


@contextmanager
def nothing_collected() -> Iterator[None]:
    """Hold that the block leaves no object that only the garbage collector can free."""
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        yield
        gc.collect()
        left = Counter(type(one).__name__ for one in gc.garbage)
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    # A few objects of the loop itself are allowed, none for each of the polls.
    assert sum(left.values()) < UNITS * SWEEPS / 10, left.most_common(8)


@pytest.mark.parametrize(
    ("behaviour", "reader", "deadline_s"),
    [
        pytest.param(None, registry.DEFAULT, PATIENT_S, id="refused"),
        pytest.param(resetting(), registry.DEFAULT, PATIENT_S, id="reset"),
        pytest.param(answering(b""), registry.DEFAULT, PATIENT_S, id="closed"),
        pytest.param(answering(S21_STATS[:500]), registry.DEFAULT, PATIENT_S, id="cut"),
        pytest.param(
            answering(b'{"STATUS":[{"STATUS":"E","Code":45}]}\0'), registry.DEFAULT, PATIENT_S, id="access denied"
        ),
        pytest.param(answering(b"[[[[nan,,}\0"), registry.DEFAULT, PATIENT_S, id="malformed"),
        pytest.param(hanging(), registry.DEFAULT, SHORT_S, id="deadline"),
        pytest.param(answering(b"x\0"), BROKEN, PATIENT_S, id="bug of ours"),
    ],
)
async def test_a_failed_poll_leaves_nothing_to_collect(
    behaviour: Behaviour | None, reader: Reader[list[int]], deadline_s: float
) -> None:
    """Five hundred failed polls of each kind, then no more objects than before, without a single collection."""
    polls: list[str] = []
    # Five hundred tracebacks on the terminal would be most of the work.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))

    def on_poll(poll: Poll, _: float) -> None:
        assert poll.error is not None
        assert poll.error.__traceback__ is None
        polls.append(poll.error.reason)

    async with address_of(behaviour) as address:
        client = Client(connect_timeout_s=deadline_s, deadline_s=deadline_s)
        poller = Poller(
            client=client,
            reader_of=lambda _: reader,
            schedule=Schedule(interval_s=1.0, backoff_max_s=1.0, jitter=lambda: 1.0),
            bounds=Bounds(healthy=UNITS, sick=UNITS),
            slow_every=6,
            on_poll=on_poll,
            on_skipped=lambda reason, count: pytest.fail(f"{count} polls skipped: {reason}"),
        )
        entries = [
            LedgerEntry(unit_id=f"u{number}", nameplate=S21, place=Place(), host=address[0], port=address[1])
            for number in range(UNITS)
        ]
        poller.replace_entries(entries)
        await poller.sweep()
        await until(lambda: not client._connecting and not client._talking)
        with nothing_collected():
            for _ in range(SWEEPS):
                await poller.sweep()
        client.close()
    assert len(polls) == UNITS * (SWEEPS + 1)
    assert len(set(polls)) == 1
