"""The lane with pyasic itself, before recorded units of other makes and simulated ones of ours.

pyasic's port is fixed, so these tests need TCP 4028 of their loopback addresses free, or they skip with the reason (and
fail where CI=true).
"""

import asyncio
import json
import os
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from patience import PATIENT_S

from agent.errors import PollError, UnreachableError, UnsupportedReplyError
from agent.runtime.lane import Lane
from agent.unit.cgminer.call import Outcome
from agent.unit.foreign.gate import COMMANDS
from agent.unit.foreign.reader import READER
from agent.unit.nameplate import Nameplate
from agent.unit.reading import UnitReading
from simulators.strangers.recorded import page_of, reply_of
from simulators.strangers.surroundings import Make

HOSTS = {make: f"127.91.7.{place}" for place, make in enumerate(Make, start=1)}
NOBODY = "127.91.7.200"
LUXOS = (
    b'{"STATUS":[{"STATUS":"S","Code":22,"Description":"LUXminer 2025.1"}],"VERSION":[{"LUXminer":"2025.1"}],"id":1}'
)
VNISH = b'{"STATUS":[{"STATUS":"S","Code":22,"Description":"vnish 1.2"}],"VERSION":[{"Type":"Antminer S19"}],"id":1}'
DIGEST = (
    b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n"
    b'WWW-Authenticate: Digest realm="antMiner Configuration", nonce="1", qop="auth"\r\n\r\n'
)
STOCK = b'{"STATUS":[{"STATUS":"S","Code":22}],"VERSION":[{"Type":"Antminer S21","CompileTime":"x"}],"id":1}'


class Machines:
    """Machines on loopback, and what each was sent."""

    def __init__(self) -> None:
        self.sent: Counter[bytes] = Counter()

    @asynccontextmanager
    async def standing(self, machines: dict[tuple[str, int], Make | bytes]) -> AsyncIterator[None]:
        """Serve machines by address: a recorded make, or one that says the same to everything; or skip."""
        async with AsyncExitStack() as stack:
            for (host, port), machine in machines.items():
                try:
                    server = await asyncio.start_server(self._behaviour(machine), host, port)
                except OSError as error:
                    if os.environ.get("CI") == "true":
                        pytest.fail(str(error), pytrace=False)
                    pytest.skip(str(error))
                stack.callback(server.close)
            yield

    def _behaviour(self, machine: Make | bytes):  # noqa: ANN202 - A callback of asyncio.
        async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            data = await reader.read(4096)
            if data:
                self.sent[data] += 1
                writer.write(self._answer(machine, data))
                await writer.drain()
            writer.close()

        return behave

    def _answer(self, machine: Make | bytes, data: bytes) -> bytes:
        if isinstance(machine, bytes):
            return machine if machine is DIGEST else machine + b"\0"
        if data.startswith(b"GET"):
            return page_of(machine, 1, data)
        return reply_of(machine, 1, json.loads(data)["command"]) + b"\0"

    def commands(self) -> set[str]:
        """Return the commands that were sent to TCP 4028."""
        return {json.loads(data)["command"] for data in self.sent if data.startswith(b"{")}


async def polled(lane: Lane, host: str, plate: Nameplate | None = None) -> Outcome[UnitReading]:
    """Return the outcome of one poll."""
    future = asyncio.get_running_loop().create_future()
    talk = READER.converse("u1", READER.new_memory(), nameplate=plate, slow_every=1, wall=lambda: 1.0)
    lane.start((host, 4028), talk, future.set_result)
    async with asyncio.timeout(PATIENT_S):
        outcome: Outcome[UnitReading] = await future
    return outcome


@asynccontextmanager
async def a_lane() -> AsyncIterator[Lane]:
    """Serve a lane with pyasic, which is never replaced meanwhile."""
    replaced: list[str] = []
    lane = Lane(on_replaced=replaced.append)
    try:
        yield lane
    finally:
        lane.close()
        await lane.closed()
    assert replaced == []


def told(outcome: Outcome[UnitReading]) -> UnitReading:
    """Return the reading."""
    assert outcome.result is not None, outcome.error
    return outcome.result


def failed(outcome: Outcome[UnitReading]) -> PollError:
    """Return the error."""
    assert isinstance(outcome.error, PollError)
    return outcome.error


async def test_recorded_units_of_other_makes() -> None:
    """Each as its recording says, with report commands alone; what pyasic does not know stays unreadable."""
    machines = Machines()
    makes = (Make.WHATSMINER, Make.AVALON, Make.AURADINE, Make.SEALMINER, Make.EPIC)
    async with machines.standing({(HOSTS[make], 4028): make for make in makes}), a_lane() as lane:
        whatsminer = told(await polled(lane, HOSTS[Make.WHATSMINER]))
        # Its `summary`: HS RT 124,500,000 MH/s, 3,200 W; it refuses joined commands.
        assert whatsminer.rate_hs == pytest.approx(124.5e12)
        assert (whatsminer.power_watts, whatsminer.rate_window_s) == (3200.0, None)
        assert (whatsminer.identity.miner, len(whatsminer.pools)) == ("WhatsMiner", 3)
        avalon = told(await polled(lane, HOSTS[Make.AVALON]))
        # It is idle: its `devs` has 0.00 for the last minute.
        assert (avalon.rate_hs, avalon.uptime_s, avalon.identity.miner) == (None, None, "AvalonMiner")
        auradine = told(await polled(lane, HOSTS[Make.AURADINE]))
        assert auradine.rate_hs == pytest.approx(20.6e12, rel=1e-3)
        for make in (Make.SEALMINER, Make.EPIC):
            assert isinstance(failed(await polled(lane, HOSTS[make])), UnsupportedReplyError)
        nobody = failed(await polled(lane, NOBODY))
        assert isinstance(nobody, UnreachableError)
        assert nobody.is_refusal
        again = told(await polled(lane, HOSTS[Make.WHATSMINER]))
        assert again.rate_hs == whatsminer.rate_hs
    assert machines.commands() <= COMMANDS
    assert max(Counter(machines.sent).values()) < 12


async def test_our_own_firmware_gets_no_login_and_no_figures() -> None:
    """By itself, pyasic sends factory passwords to VNish and to what looks like stock: here, reports alone arrive."""
    machines = Machines()
    hosts: dict[tuple[str, int], Make | bytes] = {}
    for last, word in enumerate((LUXOS, VNISH, STOCK), start=101):
        hosts[f"127.91.7.{last}", 4028], hosts[f"127.91.7.{last}", 80] = word, DIGEST
    # Nothing on 4028: its page alone says what it is.
    hosts["127.91.7.104", 80] = DIGEST
    async with machines.standing(hosts), a_lane() as lane:
        for host in sorted({host for host, _ in hosts}):
            assert "leave its column `reader` empty" in str(failed(await polled(lane, host)))
    assert machines.commands() <= COMMANDS
    assert any(data.startswith(b"GET / ") for data in machines.sent)
    assert not any(b"uthorization" in data or b"password" in data or data.startswith(b"POST") for data in machines.sent)
