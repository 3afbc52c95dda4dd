"""A find as a row of JSON, without what a pool need not be known for. Pure."""

import msgspec

from agent.hil.scan.found import Found
from agent.unit.reading import UnitReading


def as_row(found: Found, *, has_pool_users: bool = False) -> dict[str, object]:
    """Return a find as a row of JSON, in base units; users of pools only if they are asked for."""
    row: dict[str, object] = {
        "host": found.host,
        "port": found.port,
        "at": found.at,
        "kind": found.kind,
        "make": found.make,
        "model": found.model,
        "firmware": found.firmware,
        "firmware_line": found.firmware_line,
        "reader": found.reader,
        "mac": None if found.info is None else found.info.mac,
        "serial": None if found.info is None else found.info.serial,
        "looks_like": found.looks_like,
        "first_bytes": found.first_bytes or None,
        "error": found.error,
        "page_error": found.page_error,
    }
    if found.reading is not None:
        row["reading"] = msgspec.to_builtins(_private(found.reading, has_pool_users=has_pool_users))
    return row


def _private(reading: UnitReading, *, has_pool_users: bool) -> UnitReading:
    pools = tuple(
        msgspec.structs.replace(pool, user=pool.user if has_pool_users else None, url=without_user(pool.url))
        for pool in reading.pools
    )
    return msgspec.structs.replace(reading, pools=pools)


def without_user(url: str | None) -> str | None:
    """Return a pool's URL without a user and password in it."""
    if url is None or "@" not in url:
        return url
    scheme, separator, rest = url.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}" if separator else rest or url.rpartition("@")[2]
