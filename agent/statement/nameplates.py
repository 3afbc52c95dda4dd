"""What units said of their own nameplates in a period, and what the ratio would be by their word. Pure.

An agent keeps it as facts in history: what held at a moment, until the next one. Each counts with the time for which it
held, so that a ledger that is set right on the last day does not make the month right. Time before the first fact
counts like the time after it. A difference that held for a moment only is still one to acknowledge.
"""

import math
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Protocol

import msgspec

from agent.history.chain.links import Fact
from agent.site.nameplates import (
    FACT,
    GROUPS_KEPT,
    UNITS_NAMED,
    Group,
    Nameplates,
    WordSource,
    differs,
    nameplates_of,
)
from agent.statement.errors import StatementError
from agent.statement.period import utc_text
from agent.text.nameplates import nameplate_text
from agent.text.numbers import ratio_text

LOOK_BACK_S = 26 * 3600
"""A running agent writes a fact once a day; one that is older says nothing of a period's beginning."""
SINCE_FORMAT = 4
"""The statement format from which every part says whether nameplates were checked."""

_UNITS_SHOWN = 5


class HeldGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Units of one model and bin that say the same of themselves, over a period; fields as in `Group`.

    Attributes:
        units: The most at once.
        unit_s: Their number times the time for which they said so, s.
        named: Their ids, as far as there is room.
    """

    model: str
    row_hs: float
    own_model: str | None = None
    own_hs: float
    source: WordSource
    units: int
    unit_s: float
    named: tuple[str, ...] = ()

    @property
    def is_listed(self) -> bool:
        """True if the difference is beyond the maker's tolerance."""
        return differs(self.row_hs, self.own_hs)

    @property
    def effect(self) -> float:
        """What they said less what their rows said, hashes."""
        return (self.own_hs - self.row_hs) * self.unit_s


class CheckedNameplates(msgspec.Struct, frozen=True, kw_only=True):
    """What a site's units said of their nameplates in a period.

    Attributes:
        checked_s: The time for which there is a fact, s; 0 where nothing was checked.
        units, units_unknown: Units at the end of that time, and those of them that say nothing of their nameplate.
        units_differing: The most at once whose row was off by more than the maker's tolerance.
        row, own: Deployed by the rows, and by the units' own word, over that time, hashes.
        groups: The units that differed, the largest effect first.
        other: The effect of units for which there was no room in the groups, hashes.
    """

    checked_s: float = 0.0
    units: int = 0
    units_unknown: int = 0
    units_differing: int = 0
    row: float = 0.0
    own: float = 0.0
    groups: tuple[HeldGroup, ...] = ()
    other: float = 0.0

    @property
    def factor(self) -> float:
        """What deployed would be by the units' own word, of deployed by the rows; exactly 1 if nothing differs."""
        return self.own / self.row if self.row > 0 else 1.0

    @property
    def is_doubtful(self) -> bool:
        """True if a row was off by more than the maker's tolerance at any time."""
        return self.units_differing > 0 or any(group.is_listed for group in self.groups)


class FactSource(Protocol):
    """A source of facts: an open history."""

    site: str

    def facts(self, start: float, end: float, *, kinds: Sequence[str]) -> Iterable[Fact]:
        """Return the facts of these kinds in [start, end), oldest first."""


def checked_nameplates(source: FactSource, start: int, end: float, *, owner: str | None = None) -> CheckedNameplates:
    """Return what units said of their nameplates in [start, end).

    Args:
        source: The site's history.
        start: Unix time, s.
        end: Unix time, s.
        owner: The owner whose units alone count; None for all.

    Raises:
        StatementError: A fact is not one.
    """
    held: list[tuple[float, Nameplates]] = []
    for at, found in _facts(source, start - LOOK_BACK_S, end):
        if at <= start:
            held.clear()
        held.append((max(float(start), float(at)), found if owner is None else found.of_owner(owner)))
    spans = [(until - at, found) for (at, found), (until, _) in pairwise([*held, (end, None)]) if found is not None]
    return _over(spans)


def _over(spans: Sequence[tuple[float, Nameplates]]) -> CheckedNameplates:
    if not spans:
        return CheckedNameplates()
    unit_s: dict[tuple[object, ...], list[float]] = defaultdict(list)
    seen: dict[tuple[object, ...], list[Group]] = defaultdict(list)
    for seconds, found in spans:
        for group in found.groups:
            key = (group.model, group.row_hs, group.own_model, group.own_hs, group.source)
            unit_s[key].append(group.units * seconds)
            seen[key].append(group)
    groups = [_held(seen[key], math.fsum(unit_s[key])) for key in seen]
    groups.sort(key=lambda group: (-abs(group.effect), group.model, group.row_hs, group.own_hs, str(group)))
    last = spans[-1][1]
    others = [found.other_hs * seconds for seconds, found in spans]
    return CheckedNameplates(
        checked_s=math.fsum(seconds for seconds, _ in spans),
        units=last.units,
        units_unknown=last.units_unknown,
        units_differing=max(found.units_differing for _, found in spans),
        row=math.fsum(found.row_hs * seconds for seconds, found in spans),
        own=math.fsum(found.own_hs * seconds for seconds, found in spans),
        groups=tuple(_named(groups[:GROUPS_KEPT])),
        other=math.fsum((*others, *(group.effect for group in groups[GROUPS_KEPT:]))),
    )


def _held(groups: Sequence[Group], unit_s: float) -> HeldGroup:
    one = groups[0]
    return HeldGroup(
        model=one.model,
        row_hs=one.row_hs,
        own_model=one.own_model,
        own_hs=one.own_hs,
        source=one.source,
        units=max(group.units for group in groups),
        unit_s=unit_s,
        named=tuple(sorted({unit_id for group in groups for unit_id in group.named})),
    )


def _named(groups: Iterable[HeldGroup]) -> Iterator[HeldGroup]:
    room = UNITS_NAMED
    for group in groups:
        named = group.named[:room]
        room -= len(named)
        yield msgspec.structs.replace(group, named=named)


def latest_nameplates(source: FactSource) -> tuple[int, Nameplates] | None:
    """Return the Unix time of the latest fact, s, and what units said then; None if there is none.

    Raises:
        StatementError: It is not one.
    """
    latest = deque(_facts(source, -math.inf, math.inf), maxlen=1)
    return latest[0] if latest else None


def _facts(source: FactSource, start: float, end: float) -> Iterator[tuple[int, Nameplates]]:
    """Yield the facts of [start, end) with their Unix times, s, oldest first."""
    at = None
    try:
        for fact in source.facts(start, end, kinds=(FACT,)):
            at = fact.at
            yield at, nameplates_of(fact.body)
    except ValueError as error:
        where = "" if at is None else f" from {utc_text(at)} on"
        raise StatementError(f"the history of {source.site}: facts{where}: {error}") from error


def doubt_of(site: str, checked: CheckedNameplates | None, ratio: float | None) -> str | None:
    """Return what a publisher must acknowledge of a site's nameplates, in words; None if it is nothing.

    Args:
        site: The site's name.
        checked: What its units said; None in a statement of an earlier format.
        ratio: Its gross ratio as stated.
    """
    if checked is None or not checked.is_doubtful:
        return None
    by_word = ratio_text(None if ratio is None else ratio / checked.factor)
    listed = [_group_text(group) for group in checked.groups if group.is_listed]
    kinds = f", and {len(listed) - 1:,} more kinds" if len(listed) > 1 else ""
    largest = f" ({listed[0]}{kinds})" if listed else ""
    number = checked.units_differing
    rows = "the row of 1 unit is" if number == 1 else f"the rows of {number:,} units are"
    return (
        f"{site}: {rows} more than 3 % off what the unit itself says{largest}: the ratio is {ratio_text(ratio)} by the"
        f" rows, {by_word} by the units' own word"
    )


def note_of(site: str, checked: CheckedNameplates | None) -> str | None:
    """Return what is to be read of a site's nameplates before its figures; None if it is nothing."""
    if checked is None:
        return None
    if not checked.checked_s:
        return f"{site}: nameplates were not checked: history has nothing of what units say of theirs."
    if checked.units_unknown:
        return f"{site}: {checked.units_unknown:,} of {checked.units:,} units say nothing of their nameplate."
    return None


def _group_text(group: HeldGroup) -> str:
    """Return ``48 units: S21 of 151 TH/s in the ledger, 200 TH/s by their own word (rate_sale)``."""
    if group.units == 1:
        return f"1 unit: {nameplate_text(group)}"
    return f"{group.units:,} units: {nameplate_text(group, 'their')}"


def nameplate_lines(site: str, checked: CheckedNameplates | None) -> Iterator[str]:
    """Yield a line for each group of units whose rows are off, with the units as far as there is room."""
    if checked is None:
        return
    for group in checked.groups:
        if group.is_listed:
            shown = ", ".join(group.named[:_UNITS_SHOWN])
            more = group.units - min(_UNITS_SHOWN, len(group.named))
            names = f": {shown}{f' and {more:,} more' if more > 0 else ''}" if shown else ""
            yield f"{site}: {_group_text(group)}, over {group.unit_s / 86_400:,.1f} unit days{names}"


def is_missing(told_format: object, checked: Iterable[CheckedNameplates | None]) -> bool:
    """Return True if a part of a statement lacks what its format has: it was taken out.

    Args:
        told_format: The format as the JSON has it, before any upgrade.
        checked: What each part says.
    """
    return isinstance(told_format, int) and told_format >= SINCE_FORMAT and any(each is None for each in checked)
