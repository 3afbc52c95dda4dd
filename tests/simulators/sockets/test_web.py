"""The units' web server on real sockets: addressing, connections kept and closed, bad clients, the journal."""

import asyncio
import contextlib
import random
import socket
import struct

import pytest
from patience import PATIENT_S
from sim_cases import START, ask, make_farm
from web_cases import credentials, exchange, page, read, request, served, unchunked, until, write

from simulators.farm.selection import Selector
from simulators.faults.unit import AddressSwapped, PowerOff
from simulators.faults.wire import Down
from simulators.firmware.pages.stock_pages import PAGES
from simulators.sockets.listening import ServeError
from simulators.sockets.serving import serve_farm, sweep
from simulators.sockets.web_server import Limits, WebServer, serve_hash_side, serve_web
from simulators.unit.builds import Line

BLINK = "/cgi-bin/get_blink_status.cgi"
REFUSED = b"HTTP/1.1 401 Unauthorized\r\n"


@pytest.mark.asyncio(loop_factories=["asyncio", "uvloop"])
async def test_one_socket_answers_for_every_unit() -> None:
    """The destination address selects the unit, on either event loop."""
    farm = make_farm(5)
    async with served(farm) as site:
        hosts = [(await read(unit, site.web.port, "get_system_info"))["ipaddress"] for unit in farm.units]
        serials = [(await read(unit, site.web.port, "get_system_info"))["serinum"] for unit in farm.units]
    assert hosts == [unit.identity.host for unit in farm.units]
    assert serials == [unit.identity.serial for unit in farm.units]


@pytest.mark.asyncio(loop_factories=["asyncio", "uvloop"])
async def test_an_address_outside_the_farm_resets_connections() -> None:
    """A connection to an address without a unit is reset."""
    async with served(make_farm(1)) as site:
        with pytest.raises(ConnectionError):
            await exchange("127.77.0.200", site.web.port, request(BLINK))


@pytest.mark.parametrize("fault", [PowerOff(), Down()])
async def test_a_unit_that_is_gone_is_gone_on_the_web_too(fault: PowerOff | Down) -> None:
    """Connecting times out until the fault is over."""
    farm = make_farm(2)
    gone, other = farm.units
    async with served(farm) as site:
        injection = farm.inject(fault, Selector(units=(gone.identity.unit_id,)))
        sweep(farm, site.api)
        assert (await read(other, site.web.port, "get_blink_status")) == {"blink": False}
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await exchange(gone.identity.host, site.web.port, request(BLINK))
        farm.clear(injection.number)
        farm.clock.advance(60.0)
        sweep(farm, site.api)
        assert (await read(gone, site.web.port, "get_blink_status")) == {"blink": False}


async def test_a_farm_served_later_is_silent_from_the_start() -> None:
    """The silent addresses of the API's server hold for the pages at once."""
    farm = make_farm(1)
    farm.inject(PowerOff())
    async with served(farm) as site:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await exchange(farm.units[0].identity.host, site.web.port, request(BLINK))


async def test_swapped_addresses_swap_the_pages() -> None:
    """The second unit answers at the first one's address, with its own serial and the first one's address."""
    farm = make_farm(2)
    first, second = farm.units
    farm.inject(AddressSwapped(unit_id=second.identity.unit_id), Selector(units=(first.identity.unit_id,)))
    async with served(farm) as site:
        info = await read(first, site.web.port, "get_system_info")
        await write(first, site.web.port, "blink", b'{"blink":true}')
    assert (info["serinum"], info["ipaddress"]) == (second.identity.serial, first.identity.host)
    assert (first.settings.is_blinking, second.settings.is_blinking) == (False, True)
    assert {entry.unit_id for entry in site.api.journal.entries} == {second.identity.unit_id}


@pytest.mark.asyncio(loop_factories=["asyncio", "uvloop"])
async def test_a_connection_is_kept_for_sixteen_requests() -> None:
    """Pipelined requests are answered in order; the seventeenth is the last, and the eighteenth is not read."""
    farm = make_farm(1)
    async with served(farm) as site:
        reply = await exchange(farm.units[0].identity.host, site.web.port, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 18)
    replies = reply.split(b"HTTP/1.1 401 Unauthorized\r\n")[1:]
    assert len(replies) == 17
    assert [b"\r\nConnection: close\r\nDate: " in part for part in replies] == [False] * 16 + [True]
    assert len(set(replies[:16])) == 16  # Each has a nonce of its own.


async def test_bytes_that_trickle_in_make_the_same_requests() -> None:
    """A POST and a GET sent byte by byte are answered, also with the empty line some clients send between them."""
    farm = make_farm(1)
    host = farm.units[0].identity.host
    data = request("/cgi-bin/blink.cgi", method="POST", body=b'{"blink":true}') + b"\r\n" + request(BLINK)
    async with served(farm) as site:
        reader, writer = await asyncio.open_connection(host, site.web.port)
        for at in range(len(data)):
            writer.write(data[at : at + 1])
            await asyncio.sleep(0)
        writer.write_eof()
        reply = await reader.read()
        writer.close()
    assert reply.count(b"HTTP/1.1 200 OK\r\n") == 2
    assert b'{"code":"B000"}' in reply
    assert b'{"blink":true}' in reply


async def test_a_head_request_gets_a_head() -> None:
    """The head of a page has neither length nor chunks; that of the server's own page has its length."""
    farm = make_farm(1)
    host = farm.units[0].identity.host
    async with served(farm) as site:
        page_head = await exchange(host, site.web.port, request(BLINK, method="HEAD"))
        error_head = await exchange(host, site.web.port, b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n")
    date = b"Date: Thu, 09 Oct 2025 08:53:20 GMT\r\nServer: lighttpd/1.4.32\r\n\r\n"
    assert page_head == b"HTTP/1.1 200 OK\r\n" + date
    assert error_head.startswith(REFUSED)
    assert error_head.endswith(b"\r\nContent-Type: text/html\r\nContent-Length: 351\r\n" + date)


async def test_a_bad_request_closes_the_connection() -> None:
    """After a bad request nothing more is read from that connection."""
    farm = make_farm(1)
    async with served(farm) as site:
        reply = await exchange(farm.units[0].identity.host, site.web.port, b"nonsense\r\n\r\n" + request(BLINK))
    assert reply.startswith(b"HTTP/1.0 400 Bad Request\r\nContent-Type: text/html\r\nContent-Length: 349\r\n")
    assert reply.count(b"HTTP/1.") == 1


@pytest.mark.asyncio(loop_factories=["asyncio", "uvloop"])
async def test_an_endless_head_ends_at_64_kb() -> None:
    """The answer is 414, as for a URI that is too long, and the connection is closed."""
    farm = make_farm(1)
    async with served(farm) as site:
        reader, writer = await asyncio.open_connection(farm.units[0].identity.host, site.web.port)
        writer.write(b"GET / HTTP/1.1\r\nX: " + b"x" * 65_536)
        reply = await reader.read()
        writer.close()
    assert reply.startswith(b"HTTP/1.0 414 Request-URI Too Long\r\n")


@pytest.mark.parametrize("sent", [b"", b"GET / HTT", request(BLINK), request(BLINK, method="POST", body=b"abc")[:-1]])
async def test_connections_of_silent_clients_are_closed(sent: bytes) -> None:
    """A client times out before a request, in its head, in its body, and after a reply."""
    farm = make_farm(1)
    async with served(farm, limits=Limits(idle_s=0.02, read_s=0.03)) as site:
        reader, writer = await asyncio.open_connection(farm.units[0].identity.host, site.web.port)
        writer.write(sent)
        async with asyncio.timeout(PATIENT_S):
            await reader.read()
        writer.close()
        assert site.web.connections == set()


async def connect_slowly(host: str, web: WebServer) -> socket.socket:
    """Connect with the smallest socket buffers on both sides, so that replies stay in the server."""
    web._listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2048)
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    client.setblocking(False)  # noqa: FBT003  the socket module's own signature
    await asyncio.get_running_loop().sock_connect(client, (host, web.port))
    return client


@pytest.mark.asyncio(loop_factories=["asyncio", "uvloop"])
async def test_a_client_that_takes_nothing_is_dropped_in_time() -> None:
    """The server holds back its replies, serves other clients meanwhile, and drops it when its time is up."""
    farm = make_farm(1)
    async with served(farm, limits=Limits(write_s=0.05)) as site:
        with await connect_slowly(farm.units[0].identity.host, site.web) as slow:
            await asyncio.get_running_loop().sock_sendall(slow, request("/cgi-bin/stats.cgi") * 17)
            await until(lambda: site.web.replies > 6)
            assert site.web.replies < 17
            assert (await read(farm.units[0], site.web.port, "get_blink_status")) == {"blink": False}
            await until(lambda: not site.web.connections)


@pytest.mark.asyncio(loop_factories=["asyncio", "uvloop"])
async def test_a_slow_client_gets_everything_in_order() -> None:
    """The server stops reading from it while it does not read, and still answers every request."""
    farm = make_farm(1)
    loop = asyncio.get_running_loop()
    async with served(farm) as site:
        with await connect_slowly(farm.units[0].identity.host, site.web) as slow:
            pages = ["/cgi-bin/stats.cgi", "/cgi-bin/pools.cgi"] * 8
            await loop.sock_sendall(slow, b"".join(map(request, pages)))
            await until(lambda: site.web.replies > 6)
            assert site.web.replies < 16
            reply = b""
            while reply.count(b"\r\n0\r\n\r\n") < 16:
                reply += await loop.sock_recv(slow, 65536)
    assert [b'"Msg": "stats"' in part for part in reply.split(b"HTTP/1.1 200 OK")[1:]] == [True, False] * 8


async def test_connections_are_bounded() -> None:
    """A connection above the limit is reset, and a closed one makes room again."""
    farm = make_farm(1)
    host = farm.units[0].identity.host
    async with served(farm, limits=Limits(connections=2)) as site:
        held = [await asyncio.open_connection(host, site.web.port) for _ in range(2)]
        for _, writer in held:
            writer.write(b"GET / HTTP/1.1\r\n")
        with pytest.raises(ConnectionError):
            await exchange(host, site.web.port, request(BLINK))
        held[0][1].close()
        await held[0][1].wait_closed()
        await until(lambda: len(site.web.connections) == 1)
        assert (await read(farm.units[0], site.web.port, "get_blink_status")) == {"blink": False}
        held[1][1].close()


@pytest.mark.asyncio(loop_factories=["asyncio", "uvloop"])
async def test_a_power_cut_breaks_open_connections() -> None:
    """A request on a connection opened before the power cut gets a reset, not a reply."""
    farm = make_farm(1)
    async with served(farm) as site:
        reader, writer = await asyncio.open_connection(farm.units[0].identity.host, site.web.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert (await reader.readline()) == REFUSED
        farm.inject(PowerOff())
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        with pytest.raises(ConnectionError):
            await reader.read()
        writer.close()


def garbage(rng: random.Random, good: list[bytes]) -> bytes:
    """Return random bytes, or a good request that is cut short, has bytes changed, or has its lines reversed."""
    data = bytearray(rng.choice(good))
    match rng.randrange(4):
        case 0:
            return rng.randbytes(rng.randrange(1, 200))
        case 1:
            return bytes(data[: rng.randrange(1, len(data))])
        case 2:
            for _ in range(rng.randrange(1, 6)):
                data[rng.randrange(len(data))] = rng.randrange(256)
            return bytes(data)
        case _:
            return b"\r\n".join(data.split(b"\r\n")[::-1])


async def annoy(host: str, port: int, data: bytes, *, is_patient: bool) -> None:
    """Send bytes and wait for the end, or reset the connection at once."""
    loop = asyncio.get_running_loop()
    with socket.socket() as client:
        client.setblocking(False)  # noqa: FBT003  the socket module's own signature
        await loop.sock_connect(client, (host, port))
        await loop.sock_sendall(client, data)
        if not is_patient:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return
        client.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):
            while await loop.sock_recv(client, 65536):
                pass


async def test_ten_thousand_bad_requests_do_no_harm() -> None:
    """Garbage, cut requests and resets on both web servers leave no error, no connection and a bounded journal."""
    rng = random.Random(4028)
    farm = make_farm(20)
    good = [request(path, method=method, body=b"{}") for path in PAGES for method in ("POST", "PUT")]
    problems: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: problems.append(context))

    async def annoy_often(port: int) -> None:
        for _ in range(500):
            host = rng.choice(farm.units).identity.host
            await annoy(host, port, garbage(rng, good), is_patient=rng.randrange(4) > 0)

    async with served(farm) as site, serve_hash_side(farm, site.api, Line, port=0) as hash_side:
        async with asyncio.TaskGroup() as group:
            for number in range(20):
                group.create_task(annoy_often(site.web.port), name=f"annoy {number}")
                group.create_task(annoy_often(hash_side.port), name=f"annoy hash side {number}")
        await until(lambda: not site.web.connections and not hash_side.connections)
        # Some garbage is a good request; two hours later every unit it rebooted has finished its boot.
        farm.clock.advance(7200.0)
        for unit in farm.units:
            unit.advance(farm.clock.now())
            assert (await read(unit, site.web.port, "get_system_info"))["serinum"] == unit.identity.serial
    assert problems == []
    assert len(site.api.journal.counts) < 150


async def test_the_journal_distinguishes_reads_from_writes() -> None:
    """One journal holds requests to both ports, refused ones with status; an attempted write counts as a write."""
    farm = make_farm(1)
    unit = farm.units[0]
    host = unit.identity.host
    async with served(farm) as site:
        journal, port = site.api.journal, site.web.port
        await ask(host, site.api.port)
        await page(unit, port, "summary")
        await exchange(host, port, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await exchange(host, port, request("/kaonsu/v1/brief"))
        await exchange(host, port, b"nonsense\r\n\r\n")
        assert (journal.total, journal.writes) == (5, 0)
        await write(unit, port, "set_miner_conf", b'{"miner-mode":0}')
        await page(unit, port, "reboot")
        right, wrong = (credentials("/cgi-bin/blink.cgi", method="POST", word=word) for word in ("root", "admin"))
        attempt = request("/cgi-bin/blink.cgi", method="POST", body=b"{}").replace(right.encode(), wrong.encode())
        await exchange(host, port, attempt)
        await exchange(host, port, request("/cgi-bin/passwd.cgi", method="POST", body=b"{}"))
    assert {entry.unit_id for entry in journal.entries} == {unit.identity.unit_id}
    assert {entry.at for entry in journal.entries} == {START}
    assert [(entry.request, entry.is_write) for entry in journal.entries] == [
        ("stats new_api", False),
        ("GET /cgi-bin/summary.cgi", False),
        ("GET / 401", False),
        ("GET other 404", False),
        ("bad request 400", False),
        ("POST /cgi-bin/set_miner_conf.cgi", True),
        ("GET /cgi-bin/reboot.cgi", True),
        ("POST /cgi-bin/blink.cgi 401", True),
        ("POST other 404", True),
    ]
    assert journal.writes == 4


async def test_another_password() -> None:
    """The factory password is refused and the new one accepted."""
    farm = make_farm(1)
    host = farm.units[0].identity.host
    old = request(BLINK)
    new = old.replace(credentials(BLINK).encode(), credentials(BLINK, word="geheim-ä").encode())
    async with served(farm, word="geheim-ä") as site:
        assert (await exchange(host, site.web.port, old)).startswith(REFUSED)
        assert unchunked(await exchange(host, site.web.port, new)) == b'\n\n{"blink":false}\n'


async def test_the_hash_side_answers_on_the_chosen_lines() -> None:
    """On line A /miner_power returns the true watts without a password, other paths an error; line B is closed."""
    farm = make_farm(20)
    on_a = next(unit for unit in farm.units if unit.build == "s21-202407")
    on_b = next(unit for unit in farm.units if unit.build == "s21-fr")
    ask_power = b"GET /miner_power HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    async with serve_farm(farm, port=0) as api, serve_hash_side(farm, api, [Line.A], port=0) as side:
        host = on_a.identity.host
        power = await exchange(host, side.port, ask_power)
        warning = await exchange(host, side.port, ask_power.replace(b"miner_power", b"warning"))
        unknown = await exchange(host, side.port, ask_power.replace(b"miner_power", b"frobnicate"))
        with pytest.raises(ConnectionError):
            await exchange(on_b.identity.host, side.port, ask_power)
    assert power.endswith(b"\r\n\r\nminer power:%d" % round(on_a.power_watts(START)))
    assert warning.endswith(b'\r\n\r\n{"error_message":"None"}')
    assert unknown.endswith(b"\r\n\r\nerror 6060 cmd")
    assert api.journal.counts == {"6060 /miner_power": 1, "6060 /warning": 1, "6060 other": 1}


async def test_a_taken_port_says_which_option_to_use() -> None:
    """The message names the option of the web pages, not the API's."""
    farm = make_farm(1)
    async with served(farm) as site:
        with pytest.raises(ServeError, match=rf"port {site.web.port} is taken; choose another with --http-port"):
            async with serve_web(farm, site.api, port=site.web.port):
                pass
