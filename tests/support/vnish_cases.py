"""Cases for the tests of VNish's reader: recorded replies as one unit's answers, and replies with other figures."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from capture_files import capture

from agent.errors import PollError
from agent.unit.nameplate import Nameplate, shipped_catalogue
from agent.unit.reader import AnyReader
from agent.unit.reading import UnitReading
from agent.unit.vnish.conversation import POOLS, STATS
from agent.unit.vnish.reader import READER
from agent.unit.vnish.stats import Known, read_stats

AT = 1763674560.0
S21_PRO = shipped_catalogue().find("S21 Pro", 234e12)
NEW_STATS, NEW_POOLS = capture("s21pro-vnish-2026/tcp4028-stats.json"), capture("s21pro-vnish-2026/tcp4028-pools.json")
NEW_VERSION = capture("s21pro-vnish-2026/tcp4028-unknown-command.json")
OLD_STATS, OLD_POOLS = capture("s19xp-vnish-2023/tcp4028-stats.json"), capture("s19xp-vnish-2023/tcp4028-pools.json")
S9_STATS = capture("other-s9-vnish-2020/tcp4028-stats.malformed.txt")
S9_POOLS = capture("other-s9-vnish-2020/tcp4028-pools.json")
S9_VERSION = capture("other-s9-vnish-2020/tcp4028-version.json")
NEW: Mapping[bytes, bytes] = {STATS: NEW_STATS, POOLS: NEW_POOLS}
OLD: Mapping[bytes, bytes] = {STATS: OLD_STATS, POOLS: OLD_POOLS}

Answer = bytes | PollError


def polled(
    answers: Mapping[bytes, Answer],
    memory: Any = None,
    *,
    reader: AnyReader = READER,
    nameplate: Nameplate | None = S21_PRO,
    slow_every: int = 6,
    at: float = AT,
) -> tuple[UnitReading, list[bytes]]:
    """Return the reading of one poll of a unit that answers so, and the requests it was sent."""
    memory = reader.new_memory() if memory is None else memory
    conversation = reader.converse("u1", memory, nameplate=nameplate, slow_every=slow_every, wall=lambda: at)
    asked: list[bytes] = []
    request = next(conversation)
    try:
        while True:
            asked.append(request)
            answer = answers[request]
            request = conversation.throw(answer) if isinstance(answer, PollError) else conversation.send(answer)
    except StopIteration as over:
        return over.value, asked


def stats_with(*, without: tuple[str, ...] = (), data: bytes = NEW_STATS, **figures: Any) -> bytes:
    """Return a recorded `stats` with other figures; a name's double underscore stands for a blank."""
    body = json.loads(data)
    body["STATS"][1] |= {name.replace("__", " "): value for name, value in figures.items()}
    for name in without:
        body["STATS"][1].pop(name.replace("__", " "), None)
    return json.dumps(body).encode()


def read(data: bytes, nameplate: Nameplate | None = S21_PRO) -> UnitReading:
    """Return the reading of a `stats` reply of unit u1."""
    return read_stats(data, Known("u1", AT, nameplate=nameplate))[0]


def pools_with(change: Callable[[list[dict[str, Any]]], None], data: bytes = NEW_POOLS) -> bytes:
    """Return recorded `pools` after a change to its rows."""
    body = json.loads(data)
    change(body["POOLS"])
    return json.dumps(body).encode()
