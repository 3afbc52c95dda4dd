"""What keeps parts from being one statement: sites that are there twice, in pieces, or not at all. Pure."""

import re
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from agent.statement.errors import StatementError
from agent.statement.parts import Part

_SHARD = re.compile(r"(?P<site>.+) \(shard (?P<index>[0-9]+) of (?P<count>[0-9]+)\)")


@dataclass(frozen=True, slots=True)
class Shard:
    """One agent's share of a site's units.

    Attributes:
        site: The site's name without the shard.
        index, count: This one, from 0, of how many.
    """

    site: str
    index: int
    count: int


def shard_of_title(title: str) -> Shard | None:
    """Return the shard that a site's title names, such as ``example-1 (shard 0 of 2)``; None for a whole site."""
    found = _SHARD.fullmatch(title)
    return None if found is None else Shard(found["site"], int(found["index"]), int(found["count"]))


def refuse_double(parts: Sequence[Part]) -> None:
    """Refuse parts that count anything twice.

    Raises:
        StatementError: If a site occurs twice, beside one of its own shards, or its rows under another name; or if an
            owner's part is beside a whole site's or another owner's.
    """
    _refuse_other_owners(parts)
    sites = [part.site for part in parts]
    twice = sorted({site for site in sites if sites.count(site) > 1})
    if twice:
        raise StatementError(f"stated more than once: {', '.join(twice)}")
    for site in sites:
        shard = shard_of_title(site)
        if shard is not None and shard.site in sites:
            raise StatementError(f"stated more than once: {site} is a part of {shard.site}")
    counts = defaultdict(set)
    for shard in filter(None, map(shard_of_title, sites)):
        counts[shard.site].add(shard.count)
    for site, found in sorted(counts.items()):
        if len(found) > 1:
            shown = " and of ".join(map(str, sorted(found)))
            raise StatementError(f"stated more than once: {site} is cut into shards of {shown}")
    for number, part in enumerate(parts):
        for other in parts[:number]:
            if part.mean.deployed_hs and _is_same(part, other):
                raise StatementError(f"stated more than once: {other.site} and {part.site} have the same rows")


def _refuse_other_owners(parts: Sequence[Part]) -> None:
    owners = sorted({"" if part.owner is None else part.owner for part in parts})
    if len(owners) > 1:
        shown = " and ".join(f"owner {owner}" if owner else "whole sites" for owner in owners)
        raise StatementError(f"statements of {shown} are not combined: state the site itself, or combine one owner's")


def _is_same(one: Part, other: Part) -> bool:
    if one.inputs.digest_format == other.inputs.digest_format:
        return one.inputs.digest == other.inputs.digest
    return (one.mean, one.last, one.inputs.rows) == (other.mean, other.last, other.inputs.rows)


def refuse_incomplete(parts: Sequence[Part], sites: Collection[str] = ()) -> None:
    """Refuse parts that are not all of what they stand for.

    Args:
        parts: The parts.
        sites: The declared list of sites, without shards; empty if there is none.

    Raises:
        StatementError: If a shard is missing, a declared site is, or there is one that was not declared.
    """
    shards = [shard for shard in (shard_of_title(part.site) for part in parts) if shard is not None]
    for shard in shards:
        there = {each.index for each in shards if each.site == shard.site}
        missing = [str(index) for index in range(shard.count) if index not in there]
        if missing:
            raise StatementError(f"{shard.site} is not whole: shard {', '.join(missing)} of {shard.count} is missing")
    if not sites:
        return
    stated = {(shard.site if shard else part.site) for part in parts for shard in (shard_of_title(part.site),)}
    left_out, undeclared = sorted(set(sites) - stated), sorted(stated - set(sites))
    if left_out:
        raise StatementError(f"declared and not stated: {', '.join(left_out)}")
    if undeclared:
        raise StatementError(f"stated and not declared: {', '.join(undeclared)}")
