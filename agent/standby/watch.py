"""Questions of a standby to its primary, over HTTP: is it there, has it figures, what was declared, how late is it?"""

import ssl
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import aiohttp
import msgspec

from agent.errors import AgentError, ConfigError, Mistake, excerpt
from agent.files.regular import refuse_irregular
from agent.tls import client_context

MAX_ANSWER_BYTES = 4 << 20
CURTAILMENTS = "/api/v1/curtailments"
SITE_HEADER = "Hashsight-Site"
"""Names the site in an agent's answer to ``/readyz``: a proxy in front of a dead agent answers 503 as well."""
ROLE_HEADER = "Hashsight-Role"
LEDGER_HEADER = "Hashsight-Ledger"
MAX_REASON_CHARS = 200
# Malformed, unknown, in conflict: as the API of curtailments answers them.
_REFUSALS = frozenset({400, 404, 409, 413, 415})


def read_authority(path: Path | None, *, where: str) -> ssl.SSLContext | None:
    """Return a context that trusts the certificates in a file; None without a file.

    Args:
        path: The file.
        where: The configuration key that names it, for messages.

    Raises:
        ConfigError: It cannot be read, or holds no certificate.
    """
    if path is None:
        return None
    reason = "contains no certificate"
    try:
        refuse_irregular(path)
        return client_context(path)
    except ssl.SSLError as error:
        cause: Exception = error
    except OSError as error:
        cause, reason = error, f"cannot be read: {error.strerror}"
    raise ConfigError([Mistake(file=str(path), where=where, value="", reason=reason)]) from cause


class PrimaryError(AgentError):
    """The primary did not answer, or not as an agent does; the message says how."""


class RefusedOrderError(PrimaryError):
    """The primary refused an order for what it is; sending it again changes nothing."""


class Answer(NamedTuple):
    """The primary's report of itself.

    Attributes:
        has_figures: True if its figures may be believed.
        words: Its words, such as why they may not.
        is_standby: True if it stands by for another agent itself, which may be this one.
        ledger: The digest of its ledger; None if it did not say.
        clock_offset_s: Its wall clock minus ours, s, to a second; None if it did not say.
    """

    has_figures: bool
    words: str
    clock_offset_s: float | None
    is_standby: bool = False
    ledger: str | None = None


class Primary:
    """The primary, as its standby reaches it.

    Args:
        url: ``http://HOST:PORT`` or ``https://...``, without a path at the end.
        site: Name of its site, as in its configuration.
        token: Its bearer token; None if it has none.
        tls: For ``https``; None for the system's certificates.
        wall: Returns Unix time, s.
    """

    def __init__(
        self,
        url: str,
        *,
        site: str,
        token: str | None = None,
        tls: ssl.SSLContext | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.url = url.rstrip("/")
        self._site = site
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._tls = tls or True
        self._wall = wall

    async def ask(self, *, within_s: float) -> Answer:
        """Ask if it is ready.

        Raises:
            PrimaryError: There was no answer of this site's agent within this time.
        """
        status, body, head = await self._request("GET", "/readyz", within_s=within_s)
        if status not in {200, 503}:
            raise PrimaryError(f"{self.url}/readyz: HTTP {status}")
        site = head.get(SITE_HEADER)
        if site is None:
            raise PrimaryError(f"{self.url}/readyz: HTTP {status} of something else than an agent: {excerpt(body)!r}")
        if site != self._site:
            raise PrimaryError(f"{self.url}/readyz: the agent of site {site[:80]!r} answers, not of {self._site!r}")
        is_standby = head.get(ROLE_HEADER) == "standby"
        return Answer(
            status == 200, excerpt(body), self._offset_s(head.get("Date")), is_standby, head.get(LEDGER_HEADER)
        )

    def _offset_s(self, date: str | None) -> float | None:
        if date is None:
            return None
        try:
            return parsedate_to_datetime(date).timestamp() - self._wall()
        except (ValueError, OverflowError):
            # A year or an offset of many digits overflows.
            return None

    async def curtailments(self, *, within_s: float) -> bytes:
        """Return its list of curtailments as JSON.

        Raises:
            PrimaryError: It did not give it.
        """
        status, body, _ = await self._request("GET", CURTAILMENTS, within_s=within_s)
        if status != 200:
            raise PrimaryError(f"{self.url}{CURTAILMENTS}: HTTP {status}: {excerpt(body)}")
        return body

    async def start(self, order: dict[str, object], *, within_s: float) -> None:
        """Order a curtailment there.

        Raises:
            RefusedOrderError: It was refused for what it is.
            PrimaryError: It was not followed.
        """
        await self._order("POST", CURTAILMENTS, within_s=within_s, order=order)

    async def stop(self, event_id: str, *, within_s: float) -> None:
        """Stop a curtailment there.

        Raises:
            RefusedOrderError: It was refused for what it is.
            PrimaryError: It was not followed.
        """
        await self._order("DELETE", f"{CURTAILMENTS}/{quote(event_id, safe='')}", within_s=within_s)

    async def _order(self, method: str, path: str, *, within_s: float, order: dict[str, object] | None = None) -> None:
        status, body, _ = await self._request(method, path, within_s=within_s, order=order)
        if status not in {200, 201}:
            kind = RefusedOrderError if status in _REFUSALS else PrimaryError
            raise kind(f"{self.url}{path}: HTTP {status}: {excerpt(body)}")

    async def _request(
        self, method: str, path: str, *, within_s: float, order: dict[str, object] | None = None
    ) -> tuple[int, bytes, Mapping[str, str]]:
        data: Any = None if order is None else msgspec.json.encode(order)
        headers = {**self._headers, "Accept-Encoding": "identity"}
        if data is not None:
            headers["Content-Type"] = "application/json"
        # A connection of its own for each question: one that a partition left half open would hide that it ended.
        connector = aiohttp.TCPConnector(force_close=True, ssl=self._tls)
        timeout = aiohttp.ClientTimeout(total=within_s)
        try:
            async with (
                # Nothing is unpacked, so an answer is never longer than what was sent.
                aiohttp.ClientSession(
                    connector=connector, timeout=timeout, trust_env=False, auto_decompress=False
                ) as session,
                session.request(method, self.url + path, headers=headers, data=data, allow_redirects=False) as response,
            ):
                body = bytearray()
                async for chunk in response.content.iter_any():
                    body += chunk
                    if len(body) > MAX_ANSWER_BYTES:
                        raise PrimaryError(f"{self.url}{path}: an answer of more than {MAX_ANSWER_BYTES >> 20} MiB")
                return response.status, bytes(body), response.headers
        except TimeoutError as error:
            raise PrimaryError(f"{self.url}{path}: no answer within {within_s:.1f} s") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            reason = " ".join(str(error).split())[:MAX_REASON_CHARS] or type(error).__name__
            raise PrimaryError(f"{self.url}{path}: {reason}") from error
