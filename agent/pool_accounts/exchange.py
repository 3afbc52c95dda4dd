"""One request to a pool and its answer, with every failure as a `PoolAccountError` that names nothing secret."""

import asyncio
import ssl

import aiohttp

from agent.errors import PoolAccountError
from agent.http_client import bounded_body
from agent.pool_accounts.gate import retry_after
from agent.pool_accounts.request import Prepared

MAX_REPLY_BYTES = 1 << 20


async def exchange(
    session: aiohttp.ClientSession,
    base: str,
    prepared: Prepared,
    *,
    tls: ssl.SSLContext,
    timeout_s: float,
    now: float,
) -> bytes:
    """Send a request and return the body of its answer.

    Args:
        session: Of `new_session`.
        base: The pool's address, in front of the path.
        prepared: The request. A redirect is not followed: it would take the key elsewhere.
        tls: Checks the pool's certificate.
        timeout_s: Deadline for all of it, s.
        now: Unix time, s.

    Raises:
        PoolAccountError: The message has neither address nor account nor key: it goes to the log.
    """
    try:
        async with (
            asyncio.timeout(timeout_s),
            session.request(
                prepared.method,
                base + prepared.path,
                data=prepared.body,
                headers=prepared.headers,
                allow_redirects=False,
                ssl=tls if base.startswith("https:") else True,
            ) as response,
        ):
            _refuse_status(response, now)
            body = await bounded_body(response, MAX_REPLY_BYTES)
    except TimeoutError as error:
        raise PoolAccountError("timeout", f"no whole answer in {timeout_s:g} s") from error
    except (aiohttp.ClientSSLError, ssl.SSLError) as error:
        raise PoolAccountError("tls", "the pool's certificate is not trusted, or TLS failed") from error
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise PoolAccountError("unreachable", "no connection, or it ended too early") from error
    if body is None:
        raise PoolAccountError("too_large", f"an answer longer than {MAX_REPLY_BYTES >> 20} MiB")
    return body


def _refuse_status(response: aiohttp.ClientResponse, now: float) -> None:
    status = response.status
    if status == 200:
        return
    wait_s = retry_after(response.headers.get("Retry-After"), now=now)
    if status in {401, 403}:
        reason, words = "refused", "the key is wrong, or may not read this account"
    elif status == 404:
        reason, words = "not_found", "the pool does not know this account"
    elif status == 429:
        reason, words = "limited", "the pool was asked too often"
    elif 300 <= status < 400:
        reason, words = "redirected", "a redirect is not followed with a key"
    elif status >= 500:
        reason, words = "server", "the pool has a fault of its own"
    else:
        reason, words = "status", "the pool did not take the request"
    raise PoolAccountError(reason, f"HTTP status {status}: {words}", retry_after_s=wait_s)
