"""Recorded units under Braiins OS, by request, and polls of them without a socket."""

from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from capture_files import FILES
from paths import CAPTURES

from agent.errors import PollError
from agent.unit.braiins import conversation as braiins
from agent.unit.braiins.memory import Memory
from agent.unit.nameplate import Nameplate
from agent.unit.reading import UnitReading

AT = 1788757342.0
BRAIINS: Sequence[Path] = [path for path in FILES if "braiins" in path.parent.name or "bosminer" in path.parent.name]
UNKNOWN = (
    b'{"STATUS":[{"STATUS":"E","When":1788757342,"Code":14,"Msg":"Invalid command",'
    b'"Description":"BOSer boser-openwrt 0.1.0-fc9fe388"}],"id":1}\0'
)
COMMANDS = ("summary", "devs", "devdetails", "pools", "tunerstatus", "temps", "fans")
NAMES = dict(zip(braiins.REQUESTS, COMMANDS, strict=True))


def reply_in(folder: str, name: str) -> bytes:
    """Return one recorded reply, with the NUL that ends it on the wire."""
    return (CAPTURES / folder / f"tcp4028-{name}.json").read_bytes() + b"\0"


def unit_in(*folders: str) -> dict[bytes, bytes]:
    """Return a unit that answers what was recorded in the first of these folders that has it, and E/14 otherwise."""
    unit = {}
    for request, name in NAMES.items():
        found = (CAPTURES / folder / f"tcp4028-{name}.json" for folder in folders)
        path = next((path for path in found if path.exists()), None)
        unit[request] = UNKNOWN if path is None else path.read_bytes() + b"\0"
    return unit


def changed(data: bytes, key: str, **fields: Any) -> bytes:
    """Return a reply with these fields changed in every row of a report; `...` deletes one."""
    body = msgspec.json.decode(data.rstrip(b"\0"))
    for row in body[key]:
        for name, value in fields.items():
            spelled = name.replace("_", " ")
            if value is ...:
                row.pop(spelled, None)
            else:
                row[spelled] = value
    return msgspec.json.encode(body) + b"\0"


def rows_changed(data: bytes, key: str, rows: Sequence[Mapping[str, Any] | None]) -> bytes:
    """Return a reply with each row of a report changed by its own fields; None leaves the row out."""
    body = msgspec.json.decode(data.rstrip(b"\0"))
    kept = zip(body[key], rows, strict=True)
    body[key] = [{**row, **fields} for row, fields in kept if fields is not None]
    return msgspec.json.encode(body) + b"\0"


BMM = unit_in("other-bmm100-braiins-2026")
# No S9 was recorded whole: these are reports of three. The rates of `summary` are sums of `devs`, 55 s after a start.
S9 = unit_in("other-s9-bosminerplus-2020-tuning", "other-s9-bosminerplus-2020", "other-s9-bosminerplus-2021")
S9_MINUTE_MHS = 3591737.9840682694 + 3752083.429785603 + 3623807.073211736
S9[braiins.SUMMARY] = changed(
    S9[braiins.SUMMARY],
    "SUMMARY",
    Elapsed=55,
    MHS_5s=13_584_082.87,
    MHS_1m=S9_MINUTE_MHS,
    MHS_5m=2_193_525.83,
    MHS_15m=731_175.28,
    MHS_24h=7_616.41,
    MHS_av=9_671_366.77,
)


def poll(
    unit: Mapping[bytes, bytes | PollError],
    memory: Memory,
    nameplate: Nameplate | None = None,
    *,
    at: float = AT,
    slow_every: int = 6,
) -> tuple[list[str], UnitReading]:
    """Return the requests of one poll, by name, and its reading."""
    conversation = braiins.converse("u1", memory, nameplate=nameplate, slow_every=slow_every, wall=lambda: at)
    return driven(conversation, unit)


def driven(
    conversation: Generator[bytes, bytes, UnitReading], unit: Mapping[bytes, bytes | PollError]
) -> tuple[list[str], UnitReading]:
    """Drive a conversation from a table of replies."""
    asked = []
    try:
        request = next(conversation)
        while True:
            asked.append(NAMES.get(request, request.decode()))
            answer = unit[request]
            request = conversation.throw(answer) if isinstance(answer, PollError) else conversation.send(answer)
    except StopIteration as over:
        return asked, over.value


def polls(
    unit: Mapping[bytes, bytes | PollError], count: int, nameplate: Nameplate | None = None, *, slow_every: int = 6
) -> list[tuple[list[str], UnitReading]]:
    """Return requests and reading of as many polls in a row, ten seconds apart."""
    memory = Memory()
    return [poll(unit, memory, nameplate, at=AT + 10 * turn, slow_every=slow_every) for turn in range(count)]


def rated(
    hashrate_hs: float = 14e12, *, boards: int = 3, fans: int = 4, chips: int = 63, model: str = "S9"
) -> Nameplate:
    """Return a nameplate for a recorded unit."""
    return Nameplate(
        model=model,
        hashrate_hs=hashrate_hs,
        power_watts=1400.0,
        boards=boards,
        chips_per_board=chips,
        fans=fans,
        cooling="air",
        source="test",
    )
