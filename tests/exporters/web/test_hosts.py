"""The names under which the server answers."""

import asyncio
import socket
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st
from web_site import served, source

from agent.exporters.web import server as web
from agent.exporters.web.hosts import own_names, refusal

NAMES = frozenset({"localhost", "gateway-1", "agent.example"})
MISDIRECTED, MALFORMED = 421, 400


@pytest.mark.parametrize(
    ("authority", "status"),
    [
        ("", None),
        ("127.0.0.1", None),
        ("127.0.0.1:9184", None),
        ("192.0.2.7:80", None),
        ("[::1]:9184", None),
        ("[fe80::1%eth0]", None),
        ("localhost", None),
        ("LOCALHOST:9184", None),
        ("gateway-1.", None),
        ("agent.example:443", None),
        ("evil.example", MISDIRECTED),
        ("evil.example:9184", MISDIRECTED),
        ("agent.example.evil.example", MISDIRECTED),
        ("evil-agent.example", MISDIRECTED),
        ("127.0.0.1.evil.example", MISDIRECTED),
        ("localhost.evil.example", MISDIRECTED),
        # Spellings that only C libraries take for addresses; browsers send them as four numbers.
        ("127.1", MISDIRECTED),
        ("2130706433", MISDIRECTED),
        ("127.0.0.1@evil.example", MALFORMED),
        ("evil.example/127.0.0.1", MALFORMED),
        ("127.0.0.1:x", MALFORMED),
        ("127.0.0.1 evil.example", MALFORMED),
        ("127.0.0.1\n", MALFORMED),
        ("[::1", MALFORMED),
        ("::1", MALFORMED),
        ("a:b:c", MALFORMED),
    ],
)
def test_which_hosts_are_served(authority: str, status: int | None) -> None:
    """Addresses and listed names are served with any port; other names and malformed headers are refused."""
    refused = refusal(authority, NAMES)
    assert (None if refused is None else refused[0]) == status


@given(st.text(max_size=300))
def test_any_text_has_an_answer(authority: str) -> None:
    """Any text is served or refused with a reason in ASCII."""
    status, reason = refusal(authority, NAMES) or (200, "")
    assert status in {200, 400, 421}
    assert reason.isascii()


def test_own_names() -> None:
    """The machine's own host name is served, without and with its domain."""
    name = socket.gethostname().lower().rstrip(".")
    assert {"localhost", name, name.partition(".")[0]} == own_names()


@pytest.mark.parametrize("path", ["/", "/metrics", "/healthz", "/api/v1/site", "/assets/page.css", "/nothing"])
async def test_a_page_with_a_name_of_its_own_reads_nothing(path: str) -> None:
    """At every address a foreign name is 421, and the answer names the key that would allow it."""
    async with served() as client, client.get(path, headers={"Host": "rebound.example:9184"}) as response:
        assert response.status == 421
        assert "web.hosts" in await response.text()
        assert response.content_type == ("application/json" if path.startswith("/api/") else "text/plain")


async def test_configured_names_are_served_at_once() -> None:
    """Names come from the configuration in force, in any case, with or without a final dot."""
    names: list[str] = []
    async with served(source(hosts=lambda: names)) as client:

        async def ask(host: str) -> int:
            async with client.get("/healthz", headers={"Host": host}) as response:
                return response.status

        assert await ask("miners.example") == 421
        names.append("Miners.Example.")
        assert [await ask(host) for host in ("miners.example", "MINERS.example.:80")] == [200, 200]


@pytest.mark.parametrize(
    ("target", "status"),
    [("http://evil.example/healthz", 421), ("http://[::1]:80/healthz", 200), ("http://localhost/healthz", 200)],
)
async def test_a_target_with_a_host_of_its_own_is_checked(target: str, status: int) -> None:
    """The host in a request's target is checked like the one in its header."""
    async with web.serve(source(), "127.0.0.1", 0) as (host, port):
        reader, writer = await asyncio.open_connection(host, port)
        with closing(writer):
            writer.write(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
            assert (await reader.readline()).split()[1] == str(status).encode()
