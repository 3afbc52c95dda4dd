"""Patterns of pools that match more than their author may mean, said in words for operators."""

from collections.abc import Iterator

from agent.config.pool_patterns import UrlPattern
from agent.config.pools import PoolsSection


def wide_patterns(pools: PoolsSection) -> Iterator[str]:
    """Yield one remark for each pattern under which a stranger's work could pass as the site's."""
    for section, entries in (("allowed", pools.allowed), ("fees", pools.fees)):
        for entry in entries:
            where = f"pools.{section} {entry.name}"
            for pattern in entry.urls:
                why = _too_wide(pattern)
                if why is not None:
                    yield f"{where}: urls {pattern}: {why}"
            if section == "allowed" and any(not account.strip("*") for account in entry.accounts):
                yield f'{where}: accounts "*": work for any account there counts as the site\'s'


def _too_wide(pattern: UrlPattern) -> str | None:
    """Return why a stranger can have a host of that pattern; None if the owner of its domain alone can."""
    _, star, tail = pattern.host.rpartition("*")
    if not star:
        return None
    if not tail:
        return "the * at the end also stands for domains of others"
    domain = tail.partition(".")[2]
    if "." in domain:
        return None
    if tail.startswith("."):
        return f"matches every host under {tail}"
    return f"also matches a stranger's host such as evil{tail}; *.{tail} is the names below it"
