"""Pools as units tell them, and the allow-list of an invented site."""

from typing import Any

from agent.config.pool_patterns import parse_url_pattern
from agent.site.pools.allow import AllowEntry, AllowList
from agent.unit.reading import PoolReading

OWN, BACKUP, STRANGE = (
    "stratum+tcp://stratum.pool.example:3333",
    "backup.pool.example:443",
    "pool.stranger.example:3333",
)


def pool(index: int = 0, url: str | None = OWN, user: str | None = "site.rig1", **facts: Any) -> PoolReading:
    """Return one pool; alive, and in use if it is the first."""
    values: dict[str, Any] = {"status": "Alive", "is_active": index == 0, "accepted": 100} | facts
    return PoolReading(index=index, url=url, user=user, **values)


def entry(name: str = "own", *urls: str, accounts: tuple[str, ...] = ("site",), **facts: Any) -> AllowEntry:
    """Return an entry; by default the site's account at two hosts of its pool."""
    patterns = tuple(map(parse_url_pattern, urls or ("*.pool.example",)))
    return AllowEntry(name=name, urls=patterns, accounts=accounts, **facts)


def allow_list(*entries: AllowEntry, **facts: Any) -> AllowList:
    """Return an allow-list; by default of the site's own pool alone."""
    return AllowList(entries or (entry(),), **facts)
