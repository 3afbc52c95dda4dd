"""A poll that met errors on its way and went on leaves nothing that only the garbage collector can free."""

import gc
from collections import Counter
from collections.abc import Mapping

import pytest
from capture_files import INVALID_COMMAND, S21_STATS

from agent.errors import DisconnectedError, PollError, drop_frames
from agent.site.cpu_budget import CpuAccount
from agent.unit import registry
from agent.unit.antminer.conversation import POOLS, STATS, STATS_NEW_API, SUMMARY, SUMMARY_NEW_API, VERSION
from agent.unit.reader import AnyReader

AT = 1763674560.0
POLLS = 100
WITHOUT_FIGURES = b'{"STATUS":{"STATUS":"S"},"INFO":{"type":"Antminer S21"},"STATS":[]}'
DENIED = b'{"STATUS":[{"STATUS":"E","Code":45,"Msg":"Access denied"}],"id":1}'
# What a unit says to everything of which its table says nothing; None is a connection that ends.
ANSWERS: Mapping[str, bytes | None] = {
    "ends": None,
    "denies": DENIED,
    "does not know": INVALID_COMMAND,
    "has no figures": WITHOUT_FIGURES,
    "garbage": b"[[nan,,",
    "another protocol": b"HTTP/1.1 400 Bad Request\r\n\r\n",
}
STATS_ANSWERS: Mapping[str, bytes | None] = {**ANSWERS, "healthy": S21_STATS}


def _poll(reader: AnyReader, unit: Mapping[bytes, bytes | None], *, is_metered: bool) -> None:
    """Hold a unit's first conversation as the client does; its result or error is dropped."""
    talk = reader.converse("u1", reader.new_memory(), nameplate=None, slow_every=1, wall=lambda: AT)
    if is_metered:
        talk = CpuAccount(lambda: 0.0, 0.0).metered(talk)
    try:
        request = next(talk)
        while True:
            answer = unit[request]
            request = talk.throw(DisconnectedError("reset after 0 bytes")) if answer is None else talk.send(answer)
    except StopIteration:
        return
    except PollError as error:
        drop_frames(error)
    finally:
        talk.close()


@pytest.mark.parametrize("reader", registry.READERS)
@pytest.mark.parametrize("is_metered", [False, True], ids=["", "metered"])
@pytest.mark.parametrize("first", STATS_ANSWERS)
@pytest.mark.parametrize("others", ANSWERS)
def test_nothing_is_left_to_collect(reader: str, first: str, others: str, *, is_metered: bool) -> None:
    """Whatever a unit says to its first request and to the others, reference counting frees all of the poll."""
    unit = dict.fromkeys((STATS, SUMMARY, SUMMARY_NEW_API, POOLS, VERSION), ANSWERS[others])
    unit[STATS_NEW_API] = STATS_ANSWERS[first]
    chosen = registry.READERS[reader]
    _poll(chosen, unit, is_metered=is_metered)
    gc.disable()
    # What others left is looked at neither before nor after.
    gc.freeze()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        for _ in range(POLLS):
            _poll(chosen, unit, is_metered=is_metered)
        gc.collect()
        left = Counter(type(one).__name__ for one in gc.garbage)
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.unfreeze()
        gc.enable()
    assert sum(left.values()) < POLLS / 10, left.most_common(8)
