"""The deep stage: a child process that identifies with pyasic, and what happens when it fails."""

import sys
import textwrap
from contextlib import aclosing
from pathlib import Path

import pytest
from loopback import answering, unit, unused

from agent.hil.scan.deep import TOUCHED_PORTS, DeepError, identify_deep, notice, with_pages
from agent.hil.scan.found import Found, Kind
from agent.hil.scan.proposal import propose
from agent.unit.foreign.process import is_available
from agent.unit.nameplate import shipped_catalogue


def child(folder: Path, body: str) -> tuple[str, ...]:
    """Return the command of a program that answers for pyasic."""
    path = folder / "child.py"
    path.write_text(f"import json, os, sys\n{STARTED}\n" + textwrap.dedent(body), encoding="utf-8")
    return (sys.executable, "-I", str(path))


async def found(hosts: list[str], command: tuple[str, ...]) -> list[Found]:
    """Return what a child identifies."""
    async with aclosing(identify_deep(hosts, at=1.0, command=command)) as finds:
        return [each async for each in finds]


STARTED = 'print(json.dumps({"id": 0}), flush=True)'
ANSWERING = """
for line in sys.stdin:
    asked = json.loads(line)
    host = asked["host"]
    answer = {"id": asked["id"], "make": "MicroBT", "model": "M50S\\x1b[2J", "firmware": None}
    if host.endswith(".2"):
        answer = {"id": asked["id"], "make": None}
    if host.endswith(".3"):
        answer = {"id": asked["id"], "error": "failed", "text": "APIError: no"}
    print(json.dumps(answer), flush=True)
"""


async def test_what_pyasic_names_is_identified(tmp_path: Path) -> None:
    """What it does not name, or fails on, is left out; a row says that this agent does not read it."""
    finds = await found([f"127.0.0.{last}" for last in range(1, 4)], child(tmp_path, ANSWERING))
    (only,) = finds
    assert (only.host, only.kind, only.reader, only.make, only.model) == (
        "127.0.0.1",
        Kind.IDENTIFIED,
        "pyasic",
        "MicroBT",
        "M50S [2J",
    )
    (row,) = propose(finds, shipped_catalogue()).rows
    assert "it is read through pyasic" in row.note


async def test_many_addresses_go_through_one_child(tmp_path: Path) -> None:
    """More than it has in hand at once."""
    hosts = [f"127.1.{third}.1" for third in range(200)]
    assert {each.host for each in await found(hosts, child(tmp_path, ANSWERING))} == set(hosts)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        # It is noticed at the end of its pipe, or when the next line is written to it.
        ("sys.exit(3)", "pyasic's process (ended|cannot be used)"),
        ("print('no JSON', flush=True); sys.stdin.read()", "wrote b'no JSON"),
    ],
)
async def test_a_child_that_ends_or_babbles_is_one_error(tmp_path: Path, body: str, message: str) -> None:
    """The scan's finds are the caller's to keep."""
    with pytest.raises(DeepError, match=message):
        await found(["127.0.0.1"], child(tmp_path, body))


async def test_a_child_sees_no_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Secrets of this process stay here."""
    monkeypatch.setenv("HASHSIGHT_SECRET", "hunter2")
    body = 'sys.stdin.readline(); print(json.dumps({"id": 1, "make": ",".join(sorted(os.environ))}), flush=True)'
    (only,) = await found(["127.0.0.1"], child(tmp_path, body))
    assert "HASHSIGHT_SECRET" not in (only.make or "")


async def test_the_real_child_answers_for_an_address_that_refuses() -> None:
    """pyasic, a development dependency, finds nothing there, and the child ends."""
    assert is_available()
    async with aclosing(identify_deep(["127.77.99.9"], at=1.0)) as finds:
        assert [each async for each in finds] == []


async def test_only_addresses_with_pages_are_tried() -> None:
    """One that refuses is not given to pyasic."""
    async with unit(answering(b"")) as (host, port):
        with unused("127.0.0.2"):
            hosts = [host, "127.0.0.2"]
            assert await with_pages(hosts.__getitem__, range(2), port=port, rate_per_s=1e4, most_open=10) == [0]


def test_the_notice_names_the_ports() -> None:
    """Before anything is sent."""
    assert all(str(port) in notice() for port in TOUCHED_PORTS)
