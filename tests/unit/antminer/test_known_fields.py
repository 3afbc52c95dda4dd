"""What counts as read is what the readers read: held against them by changing replies and reading them again."""

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from capture_files import CAPTURES_TEXT, INVALID_COMMAND, S21_POOLS, S21_STATS, S21_SUMMARY, S21_VERSION
from paths import ROOT
from sim_cases import START, make_unit

from agent.errors import PollError
from agent.unit.antminer import not_read
from agent.unit.antminer.known_fields import SHAPES, Shape, folded, stats_shape
from agent.unit.antminer.stats import read_stats
from agent.unit.antminer.unread_fields import unread_fields
from agent.unit.antminer.webpage import read_system_info
from agent.unit.cgminer import wire
from agent.unit.cgminer.pools import read_pools
from agent.unit.cgminer.summary import read_summary
from agent.unit.cgminer.version import read_version
from simulators.firmware.antminer import api_program

Path_ = tuple[str | int, ...]
NEW_STATS, OLD_STATS = b'{"command":"stats","new_api":true}', b'{"command":"stats"}'
READERS: dict[str, Callable[[bytes], Any]] = {
    "stats": lambda data: read_stats(data, unit_id="u1", at=START),
    "summary": lambda data: read_summary(data, at=START),
    "pools": read_pools,
    "version": read_version,
    "page": read_system_info,
}


def simulated(model: str, request: bytes, build: str = "", at: float = START) -> bytes:
    """Return the reply of a simulated unit."""
    unit = make_unit(model, build=build)
    return api_program.answer(unit, api_program.read_request(request), at)


NEW_REFUSAL = b'{"STATUS": {"STATUS": "E", "when": 1, "Msg": "Invalid command"}}'
NEW_FAULTS = (
    b'{"STATUS": {"STATUS": "S"}, "SUMMARY": [{"elapsed": 5, "status": [{"type": "fans", "status": "e", "msg": ""},'
    b' {"type": "temp", "status": "e", "msg": "P:1"}]}]}'
)
BARE_VERSION = b'{"STATUS": [{"STATUS": "S"}], "VERSION": [{"API": "3.7"}]}'


def replies() -> dict[str, list[bytes]]:
    """Return whole replies by report, captured and simulated, of both dialects."""
    found: dict[str, list[bytes]] = {
        "stats": [
            S21_STATS,
            INVALID_COMMAND,
            NEW_REFUSAL,
            simulated("S21 Pro", NEW_STATS),
            simulated("S21", NEW_STATS, "s21-202604"),
            simulated("S21+ Hyd.", NEW_STATS),
            simulated("S23 Hyd.", NEW_STATS),
            simulated("S21", OLD_STATS),
            simulated("S21+ Hyd.", OLD_STATS),
        ],
        "summary": [S21_SUMMARY, INVALID_COMMAND, NEW_REFUSAL, NEW_FAULTS],
        "pools": [S21_POOLS, INVALID_COMMAND],
        "version": [S21_VERSION, INVALID_COMMAND, BARE_VERSION],
        "page": [(ROOT / "tests/web_captures/s21-stock-aml-202407/http-get_system_info.json").read_bytes()],
    }
    for name, data in CAPTURES_TEXT.items():
        for report, listed in found.items():
            if f"-{report}." in name and Path(name).suffix == ".json":
                listed.append(data)
    return found


REPLIES = replies()
# What is put in the place of a value; with one of them, everything that is read changes a reading.
OTHERS: tuple[Any, ...] = (None, 0, 1, 2, 7.5, 3000, "", "x", "1", "LUXminer 1", "stopped", "TH/s", "J1:2", "oox", True)
OTHERS += ("91-92-93-94", [81.0, 82, 83, 84], [3, 4], "e", "12:34:56:78:9a:bc")


def outcome(report: str, body: Any) -> Any:
    """Return what a reader makes of a reply, or the error."""
    try:
        return READERS[report](json.dumps(body).encode())
    except PollError as error:
        return type(error), str(error)[:60], getattr(error, "code", None)


def places(value: Any, path: Path_ = ()) -> Iterator[Path_]:
    """Yield where every value stands that is in an object."""
    if isinstance(value, dict):
        for key, below in value.items():
            yield (*path, key)
            yield from places(below, (*path, key))
    elif isinstance(value, list):
        for index, below in enumerate(value[:4]):
            yield from places(below, (*path, index))


def changed(body: Any, path: Path_, value: Any) -> Any:
    """Return a reply with another value at a place."""
    other = copy.deepcopy(body)
    at = other
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return other


def as_path(path: Path_) -> str:
    """Return a place folded, as in `not_read`."""
    steps: list[str] = []
    for step in path:
        if isinstance(step, int):
            steps[-1] += "[]"
        else:
            steps.append(step)
    return ".".join((*steps[:-1], folded(steps[-1])))


def aside(report: str, body: Any) -> set[str]:
    """Return the paths that are left alone in a reply."""
    if report == "page":
        return {*not_read.SYSTEM_INFO}
    if isinstance(body.get("STATUS"), dict):
        return {*{"stats": not_read.NEW_API_STATS, "summary": not_read.NEW_API_SUMMARY}[report]}
    legacy = {"stats": not_read.STATS, "summary": not_read.SUMMARY, "pools": not_read.POOLS}
    return {*legacy.get(report, not_read.VERSION)}


def test_whatever_changes_a_reading_counts_as_read() -> None:
    """No field that a reader takes is called unread, or is in a list of those left alone."""
    checked = 0
    for report, listed in REPLIES.items():
        for data in listed:
            body = json.loads(data.rstrip(b"\0"))
            name = "page get_system_info" if report == "page" else report
            left = {field.path for field in unread_fields([(name, data)]).fields} | aside(report, body)
            sound = outcome(report, body)
            for path in places(body):
                if any(outcome(report, changed(body, path, other)) != sound for other in (None, 7.5, "x")):
                    checked += 1
                    assert as_path(path) not in left, (report, path)
    assert checked > 500


def rows(report: str, shape: Shape) -> Iterator[tuple[str, Path_]]:
    """Yield every key that a shape reads by name, and the place of its object."""
    for key in shape.names:
        yield key, ()
    for name, inner in shape.inner.items():
        for key, path in rows(report, inner):
            yield key, (name, *path)


def objects(body: Any, path: Path_) -> Iterator[Path_]:
    """Yield the places of the objects at a path without indices."""
    if not path:
        if isinstance(body, dict):
            yield ()
        return
    below = body.get(path[0]) if isinstance(body, dict) else None
    if isinstance(below, list):
        for index, item in enumerate(below[:4]):
            for rest in objects(item, path[1:]):
                yield (path[0], index, *rest)
    elif below is not None:
        for rest in objects(below, path[1:]):
            yield (path[0], *rest)


def is_read(report: str, key: str, path: Path_, bodies: list[Any]) -> bool:
    """Return True if some value of a key changes what is read of some reply."""
    for body in bodies:
        for place in objects(body, path):
            sound = outcome(report, body)
            if any(outcome(report, changed(body, (*place, key), other)) != sound for other in OTHERS):
                return True
    return False


STATS_SHAPES = {
    "stats": stats_shape(is_new_api=False, is_elsewhere=False, has_rate=True),
    "stats new_api": stats_shape(is_new_api=True, is_elsewhere=False, has_rate=True),
}


@pytest.mark.parametrize("name", [*SHAPES, *STATS_SHAPES])
def test_whatever_counts_as_read_changes_a_reading(name: str) -> None:
    """Every key that is called read is taken by its reader, from some reply, in that dialect."""
    report = name.split(maxsplit=1)[0]
    bodies = [json.loads(data.rstrip(b"\0")) for data in REPLIES[report]]
    if report != "page":
        is_new = name.endswith("new_api")
        bodies = [body for body in bodies if isinstance(body.get("STATUS"), dict) == is_new]
    shape = STATS_SHAPES.get(name) or SHAPES[name]
    unused = [(key, path) for key, path in rows(report, shape) if not is_read(report, key, path, bodies)]
    assert unused == []


def test_every_field_left_alone_is_in_a_reply() -> None:
    """The lists have no field that no capture and no simulated build has."""
    seen = {
        as_path(path)
        for listed in REPLIES.values()
        for data in listed
        for path in places(json.loads(data.rstrip(b"\0")))
    }
    tables = (not_read.STATS, not_read.NEW_API_STATS, not_read.SUMMARY, not_read.NEW_API_SUMMARY, not_read.POOLS)
    listed_paths = {path for table in (*tables, not_read.VERSION, not_read.SYSTEM_INFO) for path in table}
    assert listed_paths - seen == set()


def test_a_reply_is_told_by_its_own_dialect() -> None:
    """A unit that answers legacy to new_api is held against the legacy keys."""
    data = simulated("S21", OLD_STATS)
    assert unread_fields([("stats new_api", data)]) == unread_fields([("stats", data)])
    assert wire.decode_reply(data, "stats").code == 70
