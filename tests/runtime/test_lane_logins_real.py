"""Logins in the lane, with pyasic itself before stand-ins that record every byte they receive.

As `test_lane_real`: TCP 4028 and 8080 of their loopback addresses have to be free, or these tests skip.
"""

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

import pytest
import structlog
from patience import PATIENT_S

from agent.runtime.lane import Lane
from agent.unit.cgminer.call import Address
from agent.unit.foreign.protocol import MakeLogin
from agent.unit.foreign.reader import READER
from agent.unit.reading import UnitReading
from simulators.strangers.recorded import reply_of
from simulators.strangers.surroundings import Make

AURADINE, OTHER, VNISH, BRAIINS, LYING = (f"127.91.8.{last}" for last in range(1, 6))
LOGIN = MakeLogin("Auradine", "admin", "blue{bird}")
REPORTS: Mapping[str, object] = {
    "/ipreport": {"IPReport": [{"mac": "02:00:00:00:00:07", "version": "2.3", "HBSerialNo": ["b1", "b2", "b3"]}]},
    "/psu": {"PSU": [{"PowerIn": "3421.5W"}]},
    "/fan": {"Fan": [{"ID": 1, "Speed": 4100}, {"ID": 2, "Speed": 4200}]},
}
VNISH_VERSION = b'{"STATUS":[{"STATUS":"S","Description":"vnish 1.2"}],"VERSION":[{"Type":"Antminer S19"}],"id":1}\0'
BRAIINS_VERSION = b'{"STATUS":[{"STATUS":"S","Description":"BOSer"}],"VERSION":[{"BOSer":"boser 1"}],"id":1}\0'


class StandIn:
    """Machines at addresses of their own; `got` has every byte that each port of them received.

    Attributes:
        password: The one that Auradine's page takes.
        tokens: Those given out.
    """

    def __init__(self) -> None:
        self.got: dict[Address, bytearray] = {}
        self.password, self.tokens = LOGIN.password, 0

    @asynccontextmanager
    async def standing(self) -> AsyncIterator[None]:
        """Serve them all, or skip."""
        async with AsyncExitStack() as stack:
            for host in (AURADINE, OTHER, VNISH, BRAIINS, LYING):
                for port in (4028, 80, 8080, 50051):
                    self.got[host, port] = bytearray()
                    try:
                        server = await asyncio.start_server(partial(self._talk, host, port), host, port)
                    except OSError as error:
                        if os.environ.get("CI") == "true":
                            pytest.fail(str(error), pytrace=False)
                        pytest.skip(str(error))
                    stack.callback(server.close)
            yield

    async def _talk(self, host: str, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        data = await reader.read(4096)
        length = re.search(rb"(?i)content-length: (\d+)", data)
        if length is not None:
            body = data.partition(b"\r\n\r\n")[2]
            data += await reader.readexactly(int(length[1]) - len(body))
        self.got[host, port] += data
        if data:
            writer.write(self._answer(host, port, data))
            await writer.drain()
        writer.close()

    def _answer(self, host: str, port: int, data: bytes) -> bytes:
        if port == 4028:
            if host in {VNISH, BRAIINS}:
                return VNISH_VERSION if host == VNISH else BRAIINS_VERSION
            make = Make.WHATSMINER if host == LYING else Make.AURADINE
            return reply_of(make, 1, json.loads(data)["command"]) + b"\0"
        if port != 8080:
            return http("404 Not Found", {})
        head, _, body = data.partition(b"\r\n\r\n")
        method, path = head.split(b" ", 2)[:2]
        if (method, path) == (b"POST", b"/token"):
            if json.loads(body)["password"] != self.password:
                return http("401 Unauthorized", {"STATUS": [{"STATUS": "E"}]})
            self.tokens += 1
            return http("200 OK", {"Token": [{"Token": f"t{self.tokens}"}]})
        is_known = f"token: t{self.tokens}".encode() in head.lower() and self.tokens > 0
        status = {"STATUS": [{"STATUS": "S" if is_known else "E"}]}
        return http("200 OK", status | (REPORTS[path.decode()] if is_known else {}))  # type: ignore[operator]

    def secrets(self) -> set[Address]:
        """Return the ports that received a user, a password, a token or any login's page."""
        words = (b"bird", b"password", b"passwd", b"admin", b"root", b"authorization", b"cookie", b"/token", b"unlock")
        return {address for address, got in self.got.items() if any(word in bytes(got).lower() for word in words)}


def http(status: str, body: object) -> bytes:
    """Return an answer over HTTP."""
    data = json.dumps(body).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(data)}\r\n"
    return f"{head}Connection: close\r\n\r\n".encode() + data


async def read(lane: Lane, host: str) -> UnitReading | None:
    """Return the reading of one poll; None for an error."""
    future = asyncio.get_running_loop().create_future()
    talk = READER.converse("u1", READER.new_memory(), nameplate=None, slow_every=1, wall=lambda: 1.0)
    lane.start((host, 4028), talk, future.set_result)
    async with asyncio.timeout(PATIENT_S):
        return (await future).result  # type: ignore[no-any-return]


@asynccontextmanager
async def a_lane(logins: Mapping[str, MakeLogin]) -> AsyncIterator[Lane]:
    """Serve a lane with these logins by address."""
    lane = Lane(on_replaced=lambda _: None, login_of=lambda address: logins.get(address[0]))
    try:
        yield lane
    finally:
        lane.close()
        await lane.closed()


async def test_without_configuration_no_login_leaves() -> None:
    """Not to the makes that pyasic logs in to by itself: VNish, Braiins OS, Auradine."""
    stand_in = StandIn()
    async with stand_in.standing(), a_lane({}) as lane:
        for host in (AURADINE, VNISH, BRAIINS, LYING):
            reading = await read(lane, host)
            assert (reading is None) is (host in {VNISH, BRAIINS})
        auradine = await read(lane, AURADINE)
    assert auradine is not None
    assert (auradine.power_watts, auradine.identity.firmware) == (None, "Stock")
    assert stand_in.secrets() == set()
    # Their ports of logins are not even connected to.
    assert all(not got for (_, port), got in stand_in.got.items() if port in {8080, 50051})


async def test_with_it_that_unit_alone_is_logged_in_to() -> None:
    """Once, with reports behind it; not a unit that says it is of another make, whatever the ledger says."""
    stand_in = StandIn()
    given = dict.fromkeys((AURADINE, VNISH, BRAIINS, LYING), LOGIN)
    async with stand_in.standing(), a_lane(given) as lane:
        for host in (OTHER, VNISH, BRAIINS, LYING):
            await read(lane, host)
        for _ in range(3):
            reading = await read(lane, AURADINE)
            assert reading is not None
            assert (reading.power_watts, reading.identity.firmware) == (3421.0, "2.3")
        stand_in.tokens += 1  # As after a restart of the unit: its token is no longer known.
        await read(lane, AURADINE)
        assert await read(lane, AURADINE) == reading
    assert stand_in.secrets() == {(AURADINE, 8080)}
    sent = bytes(stand_in.got[AURADINE, 8080])
    assert (sent.count(b"POST "), sent.count(LOGIN.password.encode())) == (2, 2)
    assert {line.split()[1] for line in sent.splitlines() if line.startswith(b"GET ")} == {
        b"/ipreport",
        b"/psu",
        b"/fan",
    }


async def test_a_refused_login_is_not_tried_again_at_once() -> None:
    """Its other reports are read, one line is logged, and the password is in none."""
    stand_in = StandIn()
    stand_in.password = "another"  # noqa: S105 - Of a stand-in.
    with structlog.testing.capture_logs() as lines:
        async with stand_in.standing(), a_lane({AURADINE: LOGIN}) as lane:
            for _ in range(3):
                reading = await read(lane, AURADINE)
                assert reading is not None
                assert (reading.hashrate_5s_hs or reading.stand_in_hs or 0.0) > 0.0
    assert bytes(stand_in.got[AURADINE, 8080]).count(b"POST ") == 1
    assert [line["event"] for line in lines] == ["login refused by a unit of another make"]
    assert "bird" not in repr(lines)


async def test_the_password_is_in_no_list_of_processes() -> None:
    """Neither in the arguments nor in the environment of pyasic's process."""
    stand_in = StandIn()
    async with stand_in.standing(), a_lane({AURADINE: LOGIN}) as lane:
        await read(lane, AURADINE)
        for file in ("cmdline", "environ"):
            with open(f"/proc/{lane.pid}/{file}", "rb") as opened:  # noqa: ASYNC230, PTH123 - Of the kernel.
                assert b"bird" not in opened.read()
