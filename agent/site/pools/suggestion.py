"""A proposed allow-list: the destinations that units use now, counted, as TOML for the configuration. Pure.

Counted by destination and account; workers are left out. What few units use is proposed as a comment, be it an account
or one more destination of an account: a unit that works for a stranger is among the few, and an allow-list that is
copied from a hijacked site would hide it. A proxy that takes work away is shown the site's own account.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from agent.site.pools.destinations import account_of, destination_of
from agent.site.pools.judgement import in_use
from agent.unit.reading import PoolReading

FEW_RATIO: Final = 0.1
"""An account or destination that a smaller share of the site's or its owner's units uses is proposed as a comment."""
MOST_ENTRIES: Final = 64
_ESCAPED: Final = '"\\'


class Use(NamedTuple):
    """One combination of destination and account.

    Attributes:
        url: The destination.
        account: The account there, without the worker.
        owner: The owner of the units that have it; None if they have several or none.
        units: Units that have it among their pools.
        active: Units whose work goes there.
        is_fee: Their firmware marks it as its own.
    """

    url: str
    account: str
    owner: str | None
    units: int
    active: int
    is_fee: bool


class Uses(NamedTuple):
    """The combinations of a site, most units first.

    Attributes:
        uses: Those with an address.
        units: Units of the site.
        silent: Units that did not tell their pools.
        hidden_fees: Units with a pool of their firmware's own that shows no address.
        owned: Units of each owner of the ledger.
    """

    uses: tuple[Use, ...]
    units: int
    silent: int
    hidden_fees: int
    owned: dict[str, int]


def uses_of(units: Iterable[tuple[tuple[PoolReading, ...], str]]) -> Uses:
    """Return the combinations that units use, each unit given by its pools and its owner."""
    having: Counter[tuple[str, str, bool]] = Counter()
    active: Counter[tuple[str, str, bool]] = Counter()
    owners: dict[tuple[str, str, bool], set[str]] = {}
    owned: Counter[str] = Counter()
    silent = hidden = 0
    for pools, owner in units:
        owned[owner] += 1
        working = {id(pool) for pool in in_use(pools)}
        found: dict[tuple[str, str, bool], bool] = {}
        is_hidden = False
        for pool in pools:
            destination = destination_of(pool.url or "")
            if destination is None:
                is_hidden |= pool.is_fee
                continue
            key = (str(destination), account_of(pool.user or ""), pool.is_fee)
            found[key] = found.get(key, False) or id(pool) in working
        silent += not found
        hidden += is_hidden
        for key, is_active in found.items():
            having[key] += 1
            active[key] += is_active
            owners.setdefault(key, set()).add(owner)
    uses = [
        Use(url, account, _only(owners[url, account, is_fee]), units_, active[url, account, is_fee], is_fee)
        for (url, account, is_fee), units_ in having.items()
    ]
    uses.sort(key=lambda use: (-use.units, -use.active, use.url, use.account))
    count = owned.total()
    del owned[""]
    return Uses(tuple(uses), count, silent, hidden, dict(owned))


def _only(owners: set[str]) -> str | None:
    return next(iter(owners)) or None if len(owners) == 1 else None


class _Entry(NamedTuple):
    """An entry to propose: an account, for an owner, and the destinations at which it is used."""

    account: str
    owner: str | None
    uses: tuple[Use, ...]

    @property
    def units(self) -> int:
        return max(use.units for use in self.uses)


def suggestion(found: Uses) -> Iterator[str]:
    """Yield the lines of a proposed section of the configuration."""
    yield f"# Where the work of {found.units:,} units goes now. Read every line: it allows what stands here."
    yield "# Backups are listed too, because work goes there in a failover. Workers are left out."
    if found.silent:
        yield f"# Did not tell their pools: {_units(found.silent)}."
    if found.hidden_fees:
        yield f"# Have a pool of their firmware's own that shows no address: {_units(found.hidden_fees)}."
        yield "# tolerate_firmware_fees, which is the default, is for these."
    names: set[str] = set()
    entries = _entries(use for use in found.uses if not use.is_fee)
    for number, entry in enumerate(entries):
        of = found.units if entry.owner is None else found.owned[entry.owner]
        is_rare = entry.units < FEW_RATIO * of
        # As a pattern, a * in a unit's user would allow the accounts of others.
        is_wide = not entry.account or "*" in entry.account
        if number == MOST_ENTRIES:
            yield f"# {len(entries) - MOST_ENTRIES:,} more accounts are left out: at most {MOST_ENTRIES} entries fit."
            break
        yield ""
        if is_rare:
            yield "# Few units use this one. Is it yours? Take the leading # away if it is."
        if is_wide:
            yield "# It would allow any account there. Write the account, or take the leading # away if you mean that."
        few = 0.0 if is_rare else FEW_RATIO * of
        yield from (f"# {line}" if is_rare or is_wide else line for line in _lines("allowed", entry, names, few=few))
    for entry in _entries(use for use in found.uses if use.is_fee):
        yield ""
        yield "# Marked by its firmware as its own, with an address. Take the leading # away if you know it."
        yield from (f"# {line}" for line in _lines("fees", entry._replace(owner=None), names))


def _entries(uses: Iterable[Use]) -> list[_Entry]:
    grouped: dict[tuple[str, str | None], list[Use]] = {}
    for use in uses:
        grouped.setdefault((use.account, use.owner), []).append(use)
    entries = [_Entry(account, owner, tuple(some)) for (account, owner), some in grouped.items()]
    return sorted(entries, key=lambda entry: -entry.units)


def _lines(section: str, entry: _Entry, names: set[str], *, few: float = 0.0) -> Iterator[str]:
    """Yield the lines of an entry; a destination of fewer units than `few` is a comment."""
    yield f"[[pools.{section}]]"
    yield f"name = {_text(_name(entry, names))}"
    yield "urls = ["
    for use in entry.uses:
        mark, question = ("# ", ". Is it yours?") if use.units < few else ("", "")
        yield f"    {mark}{_text(use.url)},  # of {_units(use.units)}; {use.active:,} work there now{question}"
    yield "]"
    # Without an account in its user, a pool pays by the address or by nothing; any account is all there is to say.
    yield f"accounts = [{_text(entry.account or '*')}]"
    if entry.owner is not None:
        yield f"owner = {_text(entry.owner)}"


def _name(entry: _Entry, names: set[str]) -> str:
    """Return a name that is none yet, made of the first destination's host: it becomes a label, so no account in it."""
    host = entry.uses[0].url.partition("://")[2].rpartition(":")[0].strip("[]") or "pool"
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", host)[:48].strip("-.") or "pool"
    name, number = plain, 1
    while name in names:
        number += 1
        name = f"{plain}-{number}"
    names.add(name)
    return name


def _units(count: int) -> str:
    return f"{count:,} unit" if count == 1 else f"{count:,} units"


def _text(text: str) -> str:
    """Return a text as a TOML string in ASCII."""
    return f'"{"".join(char if " " <= char <= "~" and char not in _ESCAPED else _escape(char) for char in text)}"'


def _escape(char: str) -> str:
    return f"\\u{ord(char):04X}" if ord(char) < 0x10000 else f"\\U{ord(char):08X}"
