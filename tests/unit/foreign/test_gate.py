"""What may leave pyasic's process."""

import asyncio
import contextvars
from collections.abc import AsyncIterator

import httpx
import pytest

from agent.unit.foreign import gate
from agent.unit.foreign.protocol import MakeLogin

ACTING = (
    *("restart", "reboot", "quit", "addpool", "removepool", "switchpool", "enablepool", "disablepool", "poolpriority"),
    *("ascset", "ascenable", "ascdisable", "setconfig", "privileged", "pause", "resume", "power_off", "power_on"),
    *("set_led", "set_low_power", "update_pools", "factory_reset", "update_pwd", "frequencyset", "curtail", "kill"),
    *("set.miner.power", "set.system.reboot", "fanset", "profileset", "logon", "save", "zero", "debug"),
)
NO_WAY_IN = "{} is not read with a query, a login in the address or a cookie"


@pytest.mark.parametrize("command", sorted(gate.COMMANDS))
def test_reports_leave(command: str) -> None:
    """Alone, joined, and behind a length."""
    line = b'{"command": "%s"}' % command.encode()
    assert gate.is_report(line)
    assert gate.is_report(b'{"cmd": "%s"}' % command.encode())
    assert gate.is_report(b'{"command": "version+%s"}' % command.encode())
    assert gate.is_report(len(line).to_bytes(4, "little") + line)


@pytest.mark.parametrize("command", ACTING)
def test_no_acting_command_leaves(command: str) -> None:
    """Not alone, and not joined to a report."""
    assert not gate.is_report(b'{"command": "%s", "parameter": "0"}' % command.encode())
    assert not gate.is_report(b'{"command": "version+%s"}' % command.encode())
    assert command not in gate.COMMANDS


@pytest.mark.parametrize(
    "data",
    [
        *(b"", b"version", b'["version"]', b'{"command": 1}', b'{"command": ""}', b"\x50\0\0\x01", b"{" * 5000),
        b'{"command": "version", "enc": 1, "data": "x"}',
        b'{"command": "version", "token": "x"}',
    ],
)
def test_nothing_else_leaves(data: bytes) -> None:
    """No other shape, no encrypted command, no token."""
    assert not gate.is_report(data)


@pytest.mark.parametrize(
    ("method", "url", "headers", "why"),
    [
        ("GET", "http://127.0.0.1/", {}, None),
        ("GET", "http://127.0.0.1:4028/summary", {}, None),
        ("GET", "http://127.0.0.1/api/system/info", {}, None),
        ("POST", "http://127.0.0.1/api/v1/unlock", {}, "POST is not sent"),
        ("PATCH", "http://127.0.0.1/api/system", {}, "PATCH is not sent"),
        ("GET", "http://127.0.0.1/kaonsu/v1/brief", {"authorization": "Digest x"}, "no login is sent"),
        ("GET", "http://root:root@127.0.0.1/", {}, NO_WAY_IN.format("/")),
        ("GET", "http://127.0.0.1/", {"cookie": "auth=x"}, NO_WAY_IN.format("/")),
        ("GET", "http://127.0.0.1:8080/psu", {"token": "x"}, "no login is sent"),
        ("POST", "http://127.0.0.1:8080/token", {}, "POST is not sent"),
        (
            *("GET", "http://127.0.0.1/user/login?username=admin&password=123456789", {}),
            NO_WAY_IN.format("/user/login"),
        ),
        ("GET", "http://127.0.0.1/?password=x", {}, NO_WAY_IN.format("/")),
        ("GET", "http://127.0.0.1/cgi-bin/reboot.cgi", {}, "/cgi-bin/reboot.cgi is not read"),
    ],
)
def test_pages_are_got_without_a_login(method: str, url: str, headers: dict[str, str], why: str | None) -> None:
    """A list of pages, GET alone, no query."""
    assert gate.refusal(method, httpx.URL(url), httpx.Headers(headers)) == why


AURADINE = MakeLogin("Auradine", "admin", "bl{u}e")
INNOSILICON = MakeLogin("Innosilicon", "admin", "bl{u}e")
GOOD = b'{"command": "token", "user": "admin", "password": "bl{u}e"}'


@pytest.mark.parametrize(
    ("login", "method", "url", "body"),
    [
        (AURADINE, "POST", "http://10.0.0.1:8080/token", GOOD),
        (AURADINE, "GET", "http://10.0.0.1:8080/ipreport", b""),
        (AURADINE, "GET", "http://10.0.0.1:8080/psu", b""),
        (INNOSILICON, "POST", "http://10.0.0.1/api/auth", b"username=admin&password=bl%7Bu%7De"),
        (INNOSILICON, "POST", "http://10.0.0.1/api/getAll", b"{}"),
        (INNOSILICON, "POST", "http://10.0.0.1/api/overview", b""),
    ],
)
def test_with_a_login_its_reports_are_read(login: MakeLogin, method: str, url: str, body: bytes) -> None:
    """The login itself, word for word, and the reports behind it; for another make's unit, neither."""
    headers = httpx.Headers({"token": "t", "authorization": "Bearer t"})
    for given, is_sent in ((login, True), (None, False), (AURADINE if login is INNOSILICON else INNOSILICON, False)):
        context = contextvars.copy_context()
        context.run(gate.LOGIN.set, given)
        refused = context.run(gate.refusal, method, httpx.URL(url), headers, body)
        assert (refused is None) is is_sent


@pytest.mark.parametrize(
    ("method", "url", "body"),
    [
        ("POST", "http://10.0.0.1:8080/token", b'{"command": "token", "user": "admin", "password": "admin"}'),
        ("POST", "http://10.0.0.1:8080/token", b'{"command": "token", "user": "admin", "password": ""}'),
        ("POST", "http://10.0.0.1:8080/token", GOOD[:-1] + b', "new": "x"}'),
        ("POST", "http://10.0.0.1:8080/token", b"{" * 5000),
        ("POST", "http://10.0.0.1:80/token", GOOD),
        ("PUT", "http://10.0.0.1:8080/token", GOOD),
        ("POST", "http://10.0.0.1:8080/password", GOOD),
        ("POST", "http://10.0.0.1:8080/mode", b'{"command": "mode", "sleep": "on"}'),
        ("POST", "http://10.0.0.1:8080/psu", b""),
        ("POST", "http://10.0.0.1:8080/fan", b'{"command": "fan", "index": 0, "percentage": 0}'),
        ("GET", "http://10.0.0.1:8080/restart", b""),
        ("GET", "http://10.0.0.1:8080/reboot", b""),
        ("GET", "http://10.0.0.1:8080/fan?index=0", b""),
        ("GET", "http://10.0.0.1:8080/fan", b'{"command": "fan", "percentage": 0}'),
    ],
)
def test_a_login_opens_nothing_else(method: str, url: str, body: bytes) -> None:
    """No other user or password, no write, no page that is no report."""
    context = contextvars.copy_context()
    context.run(gate.LOGIN.set, AURADINE)
    assert context.run(gate.refusal, method, httpx.URL(url), httpx.Headers({"token": "t"}), body) is not None


class Pages(httpx.AsyncByteStream):
    """A body of so many kB."""

    def __init__(self, kilobytes: int) -> None:
        self.kilobytes, self.given, self.is_closed = kilobytes, 0, False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while self.given < self.kilobytes:
            self.given += 1
            yield b"a" * 1024

    async def aclose(self) -> None:
        """Note it."""
        self.is_closed = True


@pytest.mark.parametrize(("kilobytes", "given"), [(1024, None), (1025, 1025), (10_000, 1025)])
def test_a_page_is_read_up_to_a_bound(kilobytes: int, given: int | None) -> None:
    """Httpx alone reads a page whole, and a unit may send one without end."""
    pages = Pages(kilobytes)

    async def read() -> bytes:
        return await (await gate.bounded(httpx.Response(200, stream=pages))).aread()

    if given is None:
        assert len(asyncio.run(read())) == kilobytes * 1024
        return
    with pytest.raises(httpx.ReadError, match="page too large"):
        asyncio.run(read())
    assert pages.given == given


def test_a_compressed_page_is_not_read() -> None:
    """A few hundred kB of it can be gigabytes; it was not asked for."""
    pages = Pages(1)
    response = httpx.Response(200, headers={"Content-Encoding": "gzip"}, stream=pages)
    with pytest.raises(httpx.ReadError, match="compressed page"):
        asyncio.run(gate.bounded(response))
    assert (pages.given, pages.is_closed) == (0, True)


def test_only_the_asked_unit_is_connected_to() -> None:
    """No other address, no other port, no datagram; nothing is sent in any of these."""

    async def attempts() -> None:
        loop = asyncio.get_running_loop()
        for host, port, asked in (
            ("127.0.0.1", 4028, ""),
            ("127.0.0.2", 4028, "127.0.0.1"),
            ("127.0.0.1", 22, "127.0.0.1"),
            ("127.0.0.1", 50051, "127.0.0.1"),
        ):
            gate.ASKED.set(asked)
            with pytest.raises(ConnectionRefusedError, match="is not asked"):
                await loop.create_connection(asyncio.Protocol, host, port)
        with pytest.raises(ConnectionRefusedError, match="no datagrams"):
            await loop.create_datagram_endpoint(asyncio.DatagramProtocol, remote_addr=("127.0.0.1", 1))

    with asyncio.Runner(loop_factory=gate.Loop) as runner:
        runner.run(attempts())
