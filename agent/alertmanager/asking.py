"""Asks Alertmanager, again and again, which alerts fire for this site. It is only read.

Alerts that a silence or another alert mutes are left out, as in what Alertmanager sends.
"""

import asyncio
import time
from collections.abc import Callable
from functools import cached_property
from ssl import SSLContext

import aiohttp
import structlog

from agent.config.mistakes import clip
from agent.errors import AlertmanagerError
from agent.site.firing import Firing, FiringAlert, read_alerts
from agent.tls import client_context

log = structlog.get_logger("agent.alertmanager")

EVERY_S = 15.0
TIMEOUT_S = 5.0
STALE_AFTER_S = 60.0
"""Age at which an answer no longer says what fires."""
MAX_BODY_BYTES = 4 << 20
QUERY = "/api/v2/alerts?active=true&silenced=false&inhibited=false"


class Alertmanager:
    """The alerts that fire for one site.

    Args:
        site: Name of the site.
        url: Returns the address of Alertmanager; None while none is configured.
        clock: Monotonic time, s.
        wall: Unix time, s.
    """

    def __init__(
        self,
        site: str,
        url: Callable[[], str | None],
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._site, self._url = site, url
        self._clock, self._wall = clock, wall
        self._asked: str | None = None
        self._alerts: tuple[FiringAlert, ...] = ()
        self._at: float | None = None
        self._clock_s = 0.0
        self._trouble: str | None = None

    def firing(self) -> Firing | None:
        """Return what is known now; None while no Alertmanager is configured."""
        url = self._url()
        if url is None:
            return None
        if self._asked != url or self._at is None:
            return Firing(alerts=None, at=None, trouble=self._trouble or "it was not asked yet")
        if self._clock() - self._clock_s > STALE_AFTER_S:
            return Firing(alerts=None, at=self._at, trouble=self._trouble or "it was not asked in time")
        return Firing(alerts=self._alerts, at=self._at, trouble=None)

    async def run(self) -> None:
        """Ask until cancelled."""
        async with aiohttp.ClientSession(
            trust_env=False, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
        ) as session:
            while True:
                await self.ask(session)
                await asyncio.sleep(EVERY_S)

    async def ask(self, session: aiohttp.ClientSession) -> None:
        """Ask once; a failure is logged when it begins and when it is over."""
        url = self._url()
        if url is None:
            return
        if url != self._asked:
            self._asked, self._at, self._trouble = url, None, None
        try:
            async with asyncio.timeout(TIMEOUT_S):
                body = await self._body(session, url)
            alerts = read_alerts(body, self._site)
        except TimeoutError:
            self._on_failure(f"no whole answer in {TIMEOUT_S:g} s")
        except (aiohttp.ClientError, OSError) as error:
            self._on_failure(str(error) or type(error).__name__)
        except AlertmanagerError as error:
            self._on_failure(str(error))
        else:
            self._alerts, self._at, self._clock_s = alerts, self._wall(), self._clock()
            if self._trouble is not None:
                log.info("Alertmanager answers again", alerts=len(alerts))
            self._trouble = None

    async def _body(self, session: aiohttp.ClientSession, url: str) -> bytes:
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        checked = self._tls if url.startswith("https:") else True
        address = url.rstrip("/") + QUERY
        async with session.get(address, headers=headers, allow_redirects=False, ssl=checked) as response:
            if response.status != 200:
                raise AlertmanagerError(f"HTTP status {response.status}")
            body = bytearray()
            async for chunk in response.content.iter_chunked(65_536):
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    raise AlertmanagerError(f"an answer longer than {MAX_BODY_BYTES >> 20} MiB")
        return bytes(body)

    @cached_property
    def _tls(self) -> SSLContext:
        return client_context()

    def _on_failure(self, reason: str) -> None:
        if self._trouble is None:
            log.warning("Alertmanager not asked", reason=clip(reason))
        self._trouble = clip(reason)
