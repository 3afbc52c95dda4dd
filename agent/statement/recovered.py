"""Time that was not watched, and what units' own counters prove of it: from facts that agents wrote at their starts.

Recovered time is counted apart. It is no part of the floor, of the verdict or of any gate: a counter is the unit's own
word, read afterwards, and says nothing of losses and power. Beside the floor stands the floor with it. Pure.
"""

import hashlib
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from agent.history.chain.links import Fact, fact_body
from agent.statement.unseen import Gap

RECOVERED_KIND = "recovered"
_COUNTS = ("units", "of_units", "restarted_units", "unknown_units")
_AMOUNTS = ("from", "until", "hashes", "deployed_hashes")


class Recovered(msgspec.Struct, frozen=True, kw_only=True):
    """What was recovered of a part's listed gaps.

    Attributes:
        seconds: Unwatched time that recovered facts cover, s.
        hashes: Work that counters prove of it.
        deployed: What was deployed in that time, hashes.
        unit_seconds, of_unit_seconds: Units that hashed through times that time, and all units times that time.
        restarted_units, unknown_units: Units that were restarted in a gap, and those of which nothing is known; each
            gap counts its own.
        facts: Number of the facts.
        digest: SHA-256 of their bodies; empty without any.
        known_by: Unix time of the latest of the facts, s; those that were written later are not in it. 0 without any.
    """

    seconds: float = 0.0
    hashes: float = 0.0
    deployed: float = 0.0
    unit_seconds: float = 0.0
    of_unit_seconds: float = 0.0
    restarted_units: int = 0
    unknown_units: int = 0
    facts: int = 0
    digest: str = ""
    known_by: float = 0.0


NOTHING_RECOVERED = Recovered()


class _Share(NamedTuple):
    """One fact, and the share of it that lies within a listed gap."""

    fact: Fact
    seconds: float
    ratio: float


def recovered_of(facts: Iterable[Fact], gaps: Sequence[Gap], *, known_by: float) -> Recovered:
    """Return what facts say of gaps; a fact that reaches beyond a gap counts by its share of time.

    A fact that cannot be is left out: nothing rests on recovered time, and the document names it as malformed.

    Args:
        facts: Facts of the kind `RECOVERED_KIND`, by their times; those of after `known_by` are left out.
        gaps: The gaps, oldest first. Time beside them was watched, and nothing is to be recovered of it.
        known_by: Unix time, s.
    """
    shares = list(_shares([fact for fact in facts if fact.at <= known_by and _is_sound(fact)], gaps))
    if not shares:
        return NOTHING_RECOVERED

    def total(name: str) -> float:
        return math.fsum(share.fact.body[name] * share.ratio for share in shares)

    digest = hashlib.sha256()
    for share in shares:
        digest.update(f"{share.fact.at}|{fact_body(share.fact)}\n".encode())
    return Recovered(
        seconds=math.fsum(share.seconds for share in shares),
        hashes=total("hashes"),
        deployed=total("deployed_hashes"),
        unit_seconds=math.fsum(share.fact.body["units"] * share.seconds for share in shares),
        of_unit_seconds=math.fsum(share.fact.body["of_units"] * share.seconds for share in shares),
        restarted_units=sum(share.fact.body["restarted_units"] for share in shares),
        unknown_units=sum(share.fact.body["unknown_units"] for share in shares),
        facts=len(shares),
        digest=digest.hexdigest(),
        known_by=float(max(share.fact.at for share in shares)),
    )


def _shares(facts: Sequence[Fact], gaps: Sequence[Gap]) -> Iterator[_Share]:
    """Yield what lies within gaps; no time counts twice, the earlier fact has it."""
    taken_until = -math.inf
    for fact in sorted(facts, key=lambda fact: (fact.body["from"], fact.at)):
        start, until = fact.body["from"], fact.body["until"]
        begin = max(start, taken_until)
        seconds = math.fsum(max(0.0, min(until, gap.end) - max(begin, gap.start)) for gap in gaps)
        taken_until = max(taken_until, until)
        if seconds:
            yield _Share(fact, seconds, min(1.0, seconds / (until - start)))


def _is_sound(fact: Fact) -> bool:
    """Return True for a fact that an agent may have written: whole units, a time, and no more work than deployed."""
    amounts: dict[str, Any] = {name: fact.body.get(name) for name in (*_AMOUNTS, *_COUNTS)}
    if not all(map(_is_amount, amounts.values())):
        return False
    units, of_units, restarted, unknown = (amounts[name] for name in _COUNTS)
    return (
        all(isinstance(count, int) for count in (units, of_units, restarted, unknown))
        and units + restarted + unknown <= of_units
        and amounts["from"] < amounts["until"]
        and amounts["hashes"] <= amounts["deployed_hashes"]
    )


def _is_amount(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0
