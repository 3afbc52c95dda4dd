"""Pools on loopback over TLS, accounts at them, and clocks that stand still."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web
from certificates import Authority

from agent.config.pool_accounts import PoolAccountSection
from agent.pool_accounts.accounts import PoolAccounts
from agent.site.credited.windows import Window

NOW = 1_764_547_200.0
"""2025-12-01T00:00:00Z."""

KEYED = {"antpool", "braiins", "foundry", "luxor", "viabtc"}
KINDS = ("antpool", "braiins", "f2pool", "foundry", "luxor", "ocean", "viabtc")
ACCOUNT, KEY, SECRET = "canaryacct", "canary-key-5f2b", "canary-secret-77"


class Time:
    """Both clocks of a test; sleeping moves them, and every sleep is kept."""

    def __init__(self, now: float = NOW) -> None:
        self.now = now
        self.slept: list[float] = []

    def __call__(self) -> float:
        """Return the time, s."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Move the clocks at once."""
        self.slept.append(seconds)
        self.now += max(0.0, seconds)
        await asyncio.sleep(0)


class Kept:
    """An archive in memory."""

    def __init__(self) -> None:
        self.windows: dict[tuple[str, int, int], Window] = {}

    def known(self, account: str, window_s: int, start: int) -> set[int]:
        """Return the beginnings of the kept windows."""
        return {begin for name, span, begin in self.windows if (name, span) == (account, window_s) and begin >= start}

    def keep(self, account: str, windows: Iterable[Window], fetched: float) -> None:
        """Keep windows; the first of each stays."""
        assert fetched > 0
        for window in windows:
            self.windows.setdefault((account, window.window_s, window.start), window)


def key_file(folder: Path, text: str, mode: int = 0o600) -> Path:
    """Write a key file and return it."""
    path = folder / "pool.key"
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def section(kind: str, folder: Path, **keys: Any) -> PoolAccountSection:
    """Return the section of an account, with its key file written."""
    given: dict[str, Any] = {"name": "main", "kind": kind, "account": ACCOUNT} | keys
    if kind in KEYED and "key_file" not in given:
        given["key_file"] = key_file(folder, f"{KEY}\n{SECRET}\n" if kind == "antpool" else f"{KEY}\n")
    return PoolAccountSection(**given)


def reader(sections: Iterable[PoolAccountSection], time: Time, **more: Any) -> PoolAccounts:
    """Return the reader of some accounts, whose clocks are the test's and whose luck is none."""
    return PoolAccounts(sections, clock=time, wall=time, sleep=time.sleep, luck=lambda: 0.0, **more)


class Certified:
    """An authority of the test, and the context of servers that it vouches for."""

    def __init__(self, folder: Path) -> None:
        authority = Authority(folder, "pools")
        authority.sign("pool", address="127.0.0.1")
        self.ca_file = authority.pem
        self.server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.server.load_cert_chain(folder / "pool.pem", folder / "pool.key")


Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def answering(answer: Answer, tls: ssl.SSLContext | None) -> AsyncIterator[str]:
    """Serve one answer to everything on loopback; yield the address."""
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        yield f"{'https' if tls else 'http'}://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def saying(body: bytes, status: int = 200, **headers: str) -> Answer:
    """Return a handler that always answers the same."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(
            body=body, status=status, headers={name.replace("_", "-"): text for name, text in headers.items()}
        )

    return answer
