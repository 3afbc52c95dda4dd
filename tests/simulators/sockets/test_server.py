"""A farm on real sockets: addressing, one client at a time, silence, resets, garbage, recorded replies."""

import asyncio
import contextlib
import json
import random
import socket
from pathlib import Path

import pytest
from capture_files import capture
from paths import CAPTURES
from patience import PATIENT_S
from sim_cases import START, ask, make_farm

from simulators.farm.plan import Troubles
from simulators.farm.selection import Selector
from simulators.faults.unit import PowerOff
from simulators.sockets.journal import Journal
from simulators.sockets.listening import ServeError
from simulators.sockets.replay import CaptureError, read_captures
from simulators.sockets.serving import serve_farm, serve_stations, sweep
from simulators.unit.snapshot import Phase

VERSION = b'{"command":"version"}'
on_both_loops = pytest.mark.asyncio(loop_factories=["asyncio", "uvloop"])


@on_both_loops
async def test_the_destination_address_selects_the_unit() -> None:
    """With twenty units behind one socket, each reply carries the serial of the unit at that address."""
    farm = make_farm(20, base="127.77.3.250")
    async with serve_farm(farm, port=0) as server:
        replies = await asyncio.gather(*(ask(unit.identity.host, server.port) for unit in farm.units))
    for unit, reply in zip(farm.units, replies, strict=True):
        chains = json.loads(reply.rstrip(b"\0"))["STATS"][0]["chain"]
        assert chains[0]["sn"] == unit.identity.board_serials[0]
    assert server.replies == 20


async def test_a_reply_ends_with_one_nul_and_the_close() -> None:
    """A reply is one line of JSON and one NUL, then the connection closes."""
    farm = make_farm(1)
    async with serve_farm(farm, port=0) as server:
        reply = await ask(farm.units[0].identity.host, server.port, VERSION)
    assert reply.endswith(b'"id":1}\0')
    assert reply.count(b"\0") == 1
    assert b"\n" not in reply


async def test_an_address_outside_the_farm_resets_connections() -> None:
    """A connection to an address without a unit is reset."""
    async with serve_farm(make_farm(1), port=0) as server:
        with pytest.raises(ConnectionResetError):
            await ask("127.77.9.9", server.port, VERSION)


async def test_a_unit_without_power_is_silent_until_power_returns() -> None:
    """Connecting times out without power; once power is back and the boot is over, the unit answers."""
    farm = make_farm(2, troubles=Troubles(off=0.5, asleep=0, starting=0, missing_board=0, missing_chips=0, slow=0))
    dead = next(unit for unit in farm.units if unit.faults)
    async with serve_farm(farm, port=0) as server:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await ask(dead.identity.host, server.port)
        lit = next(unit for unit in farm.units if unit is not dead)
        assert await ask(lit.identity.host, server.port)
        injection = farm.inject(PowerOff(), Selector(units=(lit.identity.unit_id,)))
        sweep(farm, server)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await ask(lit.identity.host, server.port)
        farm.clear(injection.number)
        farm.clock.advance(5.0)
        sweep(farm, server)
        with pytest.raises(ConnectionResetError):  # The network is up, the miner process is not.
            await ask(lit.identity.host, server.port)
        farm.clock.advance(60.0)
        assert (await ask(lit.identity.host, server.port)).endswith(b"\0")


async def test_a_thousand_silent_units_leave_the_others_alone() -> None:
    """The packet filter drops exactly the silent addresses, the first and the last included."""
    farm = make_farm(1100, containers=2)
    async with serve_farm(farm, port=0) as server:
        farm.inject(PowerOff(), Selector(share=0.9))
        sweep(farm, server)
        lit = [unit for unit in farm.units if not unit.is_silent]
        dead = [unit for unit in farm.units if unit.is_silent]
        assert (len(lit), len(dead)) == (110, 990)
        for unit in lit:
            assert await ask(unit.identity.host, server.port, VERSION)

        async def is_deaf(host: str) -> bool:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.3):
                    await ask(host, server.port, VERSION)
                return False
            return True

        tried = (dead[0], dead[1], dead[494], dead[495], dead[-1])
        assert await asyncio.gather(*(is_deaf(unit.identity.host) for unit in tried)) == [True] * 5


async def test_one_client_is_served_at_a_time_and_others_wait_their_turn() -> None:
    """A client that connects and sends nothing blocks the unit, not its neighbour; once it leaves, the queue moves."""
    farm = make_farm(2)
    one, two = (unit.identity.host for unit in farm.units)
    async with serve_farm(farm, port=0) as server:
        _, silent = await asyncio.open_connection(one, server.port)
        waiting = [asyncio.ensure_future(ask(one, server.port, VERSION)) for _ in range(3)]
        assert await ask(two, server.port, VERSION)
        assert not any(task.done() for task in waiting)
        silent.close()
        async with asyncio.timeout(PATIENT_S):
            replies = await asyncio.gather(*waiting)
    assert len(set(replies)) == 1


async def test_the_hundred_and_first_in_the_queue_is_turned_away() -> None:
    """A unit queues a hundred clients and resets further ones, without serving the queue out of turn."""
    farm = make_farm(1)
    host = farm.units[0].identity.host
    async with serve_farm(farm, port=0) as server:
        async with contextlib.AsyncExitStack() as stack:
            writers = []
            for _ in range(101):
                _, writer = await asyncio.open_connection(host, server.port)
                stack.callback(writer.close)
                writers.append(writer)
            with pytest.raises(ConnectionResetError):
                await ask(host, server.port, VERSION)
        assert server.journal.total == 0


@on_both_loops
async def test_ten_thousand_garbage_requests_do_no_harm() -> None:
    """After random bytes, half requests, early closes and resets, every unit still answers."""
    farm = make_farm(50)
    lot = random.Random(3)
    hosts = [unit.identity.host for unit in farm.units]
    async with serve_farm(farm, port=0) as server:

        def bother() -> None:
            with socket.create_connection((lot.choice(hosts), server.port), timeout=PATIENT_S) as client:
                kind = lot.randrange(5)
                if kind == 0:
                    return
                with contextlib.suppress(OSError):
                    client.sendall(lot.randbytes(lot.randrange(1, 6000)) if kind < 4 else b'{"command":"st')
                    if kind == 1:
                        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                        return
                    while client.recv(65536):
                        pass

        def bother_often() -> None:
            for _ in range(2500):
                bother()

        async with asyncio.timeout(PATIENT_S), asyncio.TaskGroup() as group:
            for _ in range(4):
                group.create_task(asyncio.to_thread(bother_often))
        for host in hosts:
            assert (await ask(host, server.port, VERSION)).endswith(b"\0")
        assert len(server.journal.counts) <= 257


async def test_the_journal_proves_what_was_asked() -> None:
    """Requests are counted by kind; a command that would change something is a write even if it is refused."""
    farm, journal = make_farm(1), Journal(size=3)
    host = farm.units[0].identity.host
    async with serve_farm(farm, port=0, journal=journal) as server:
        for request in (VERSION, b'{"command":"stats","new_api":true}', b'{"command":"sleep"}', b"{"):
            await ask(host, server.port, request)
    assert journal.counts == {"version": 1, "stats new_api": 1, "sleep": 1, "": 1}
    assert (journal.total, journal.writes, len(journal.entries)) == (4, 1, 3)
    assert journal.entries[0] == (START, "C1-R01-01", "stats new_api", False)


async def test_the_sleep_command_puts_a_unit_to_sleep_and_counts_as_a_write() -> None:
    """The unit sleeps a minute later, and the journal has one write."""
    farm = make_farm(1)
    async with serve_farm(farm, port=0) as server:
        await ask(farm.units[0].identity.host, server.port, b'{"command":"sleep","new_api":true}')
        farm.clock.advance(60.0)
        farm.units[0].advance(farm.clock.now())
        assert farm.units[0].phase is Phase.ASLEEP
        assert server.journal.writes == 1


async def test_a_taken_port_is_reported() -> None:
    """The message names the port and the option to change it."""
    async with serve_farm(make_farm(1), port=0) as server:
        with pytest.raises(ServeError, match=f"port {server.port} is taken; choose another with --port"):
            async with serve_farm(make_farm(1), port=server.port):
                pass


async def test_recorded_replies_come_back_byte_for_byte() -> None:
    """Two captures at two addresses reply as recorded plus a NUL; an unrecorded command is invalid."""
    recorded = read_captures([CAPTURES / "s21-stock-aml-202407", CAPTURES / "s19pro-stock-202212"], "127.78.0.1")
    async with serve_stations({0: {unit.host: unit for unit in recorded}}, lambda: START, port=0) as server:
        for host, folder in (("127.78.0.1", "s21-stock-aml-202407"), ("127.78.0.2", "s19pro-stock-202212")):
            for command in ("version", "summary", "pools", "devs"):
                reply = await ask(host, server.port, f'{{"command":"{command}"}}'.encode())
                assert reply == capture(f"{folder}/tcp4028-{command}.json") + b"\0"
        assert b'"Code":14' in await ask("127.78.0.1", server.port, b'{"command":"stats"}')
        recorded_stats = capture("s19pro-stock-202212/tcp4028-stats.json") + b"\0"
        assert await ask("127.78.0.2", server.port, b'{"command":"stats","new_api":true}') == recorded_stats


def test_captures_that_cannot_be_served_are_named(tmp_path: Path) -> None:
    """Missing paths, empty folders, other files and bad addresses are refused by name."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("x")
    for paths, base, message in (
        ([tmp_path / "nowhere"], "127.1.1.1", "nowhere: no such file or directory"),
        ([tmp_path / "empty"], "127.1.1.1", "empty: holds no file named tcp4028-COMMAND.json"),
        ([tmp_path / "notes.txt"], "127.1.1.1", "notes.txt: the name of a recorded reply starts with tcp4028-"),
        ([CAPTURES / "s19pro-stock-202212"], "x", "base 'x' is not an IPv4 address"),
    ):
        with pytest.raises(CaptureError, match=message):
            read_captures(paths, base)


def test_new_api_recordings_answer_new_api_requests(tmp_path: Path) -> None:
    """``tcp4028-stats-new_api.json`` is the reply to the new dialect, ``tcp4028-stats.json`` to the legacy one."""
    (tmp_path / "tcp4028-stats.json").write_bytes(b"legacy")
    (tmp_path / "tcp4028-stats-new_api.json").write_bytes(b"new")
    (unit,) = read_captures([tmp_path], "127.1.1.1")
    assert unit.replies == {"stats": b"legacy", "stats new_api": b"new"}
