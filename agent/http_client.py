"""HTTP towards servers that are only read: no proxy, no cookie, nothing decompressed, and a bound on every answer."""

import aiohttp

CHUNK_BYTES = 8192


def new_session() -> aiohttp.ClientSession:
    """Return a session without proxies from the environment and without cookies.

    It decompresses nothing: a compressed answer can expand a thousandfold.
    """
    return aiohttp.ClientSession(trust_env=False, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar())


async def bounded_body(response: aiohttp.ClientResponse, most_bytes: int) -> bytes | None:
    """Return the body of an answer; None if it is longer than `most_bytes`, and the rest is not read."""
    body = bytearray()
    async for chunk in response.content.iter_chunked(CHUNK_BYTES):
        body += chunk
        if len(body) > most_bytes:
            return None
    return bytes(body)
