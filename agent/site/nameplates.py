"""What a site's units say of their own nameplates, held against the rows of its ledger. Pure.

The ledger stays the denominator of every figure. This says how far that denominator may be off: a row with a bin too
low makes the ratio too good, and nobody would see it in the figures themselves.

| Firmware | Counts as the unit's own word | Does not |
|---|---|---|
| stock of 2026 | `rate_sale`, the bin it was sold as, in every work mode (D84) | `rate_ideal`: the boards' sum |
| stock before | `rate_ideal`, the sticker (O30): whole TH/s, a known bin, normal mode | the same in another work mode |
| LuxOS | the model | `NameplateTHS`: chips times clock (O179); `Nominal MHS`: the profile (O97) |
| Braiins OS | the model | `Nominal MHS`: the profile (O147) |
| VNish, Hiveon | the model | `total_rateideal`: the profile (O97) |
| ePIC | the model | presets and shares of them (O194) |
| through pyasic | the model, but a Whatsminer's | `expected_*`: the profile, or made of the rate (D260) |
| any | a bin behind the model's name (A230) | |

A model alone names no bin. It contradicts a row all the same if the row is outside its bins; the nearest of them
stands for its word then, which is the least that the row is off.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from agent.site.ledger.entries import NO_OWNER, LedgerEntry
from agent.site.mismatch import ReportedBin, is_of_row, is_other_bin, reported_bin, told_model
from agent.site.status import UnitStatus
from agent.slices import Slices
from agent.unit.model_names import base_key, plain_model
from agent.unit.nameplate import Nameplate
from agent.unit.reading import UnitReading

FACT = "nameplates"
"""The kind of the fact in history's chain."""
DIFFERS_RATIO = 0.03
"""A difference beyond this share of the row is listed. Documented (D60): the maker's own tolerance is +-3 %."""
GROUPS_KEPT = 100
UNITS_NAMED = 500
# A look at 10,000 units takes 70 ms.
UNITS_PER_SLICE = 250

Bins = Callable[[str], tuple[float, ...]]


class WordSource(StrEnum):
    """Where a unit's word on its nameplate stands; the first three as `BinSource`."""

    RATE_SALE = "rate_sale"
    RATE_IDEAL = "rate_ideal"
    MODEL_NAME = "model_name"
    MODEL = "model"


class Claim(NamedTuple):
    """What a unit says it is, whatever its row says.

    Attributes:
        model: The model that it answers as; None if it names none.
        bin: Its word on its bin; None if it has none.
    """

    model: str | None
    bin: ReportedBin | None


class OwnWord(NamedTuple):
    """A unit's word on its nameplate, as far as its row leaves it open.

    Attributes:
        hashrate_hs: Its bin, H/s; the row's if they agree.
        source: Where it stands.
    """

    hashrate_hs: float
    source: WordSource


def claim_of(reading: UnitReading) -> Claim:
    """Return what a unit says it is."""
    return Claim(told_model(reading), reported_bin(reading))


def own_word(nameplate: Nameplate, claim: Claim, bins_of: Bins) -> OwnWord | None:
    """Return a unit's word on its nameplate; None if it says nothing that can be held against its row.

    Args:
        nameplate: The row's.
        claim: What the unit says.
        bins_of: Returns the known bins of a model, H/s.
    """
    model, reported = claim.model or nameplate.model, claim.bin
    if reported is not None:
        source = WordSource(reported.source)
        if is_of_row(reported, nameplate):
            return OwnWord(nameplate.hashrate_hs, source)
        if is_other_bin(reported, nameplate, bins_of(model)):
            return OwnWord(reported.hashrate_hs, source)
    bins_hs = () if base_key(model) == base_key(nameplate.model) else bins_of(model)
    if not bins_hs:
        return None
    nearest_hs = min(max(nameplate.hashrate_hs, min(bins_hs)), max(bins_hs))
    return OwnWord(nearest_hs, WordSource.MODEL) if differs(nameplate.hashrate_hs, nearest_hs) else None


def differs(row_hs: float, own_hs: float) -> bool:
    """Return True if a row is further from the unit's own word than the maker's tolerance."""
    return abs(own_hs - row_hs) > DIFFERS_RATIO * row_hs


class Group(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Units of one owner, model and bin that say the same of themselves.

    Attributes:
        owner: Whose they are; empty at a site whose ledger names no owner.
        model, row_hs: Model and bin of their rows, H/s.
        own_model: The model that they answer as, if it is another one.
        own_hs: Their own word, H/s a unit.
        source: Where it stands.
        units: How many they are.
        named: Their ids, as far as there is room; `UNITS_NAMED` over all groups.
    """

    owner: str = ""
    model: str
    row_hs: float
    own_model: str | None = None
    own_hs: float
    source: WordSource
    units: int
    named: tuple[str, ...] = ()

    @property
    def is_listed(self) -> bool:
        """True if the difference is beyond the maker's tolerance."""
        return differs(self.row_hs, self.own_hs)

    @property
    def effect_hs(self) -> float:
        """What all of them say less what their rows say, H/s."""
        return (self.own_hs - self.row_hs) * self.units


class Sums(msgspec.Struct, frozen=True, kw_only=True):
    """What one owner's units say of their nameplates; fields as in `Nameplates`."""

    units: int
    units_checked: int
    units_differing: int
    row_hs: float
    own_hs: float


class Nameplates(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a site's units say of their nameplates at one moment: the body of the fact.

    Attributes:
        units: Units deployed.
        units_checked: Those that say what can be held against their row.
        units_differing: Those whose row is off by more than the maker's tolerance.
        row_hs: The sum of all rows: deployed, H/s.
        own_hs: The same with the units' own word where it differs, be it little.
        groups: The units that differ, the largest effect first; at most `GROUPS_KEPT`.
        other_units, other_hs: Units that differ and are in no group for want of room, and their effect, H/s.
        owners: The sums of each owner's units; empty at a site whose ledger names none.
    """

    units: int
    units_checked: int
    units_differing: int
    row_hs: float
    own_hs: float
    groups: tuple[Group, ...] = ()
    other_units: int = 0
    other_hs: float = 0.0
    owners: dict[str, Sums] = {}

    def of_owner(self, owner: str) -> "Nameplates":
        """Return what one owner's units say, and nothing of any other's."""
        sums = self.owners.get(owner)
        if sums is None:
            return Nameplates(units=0, units_checked=0, units_differing=0, row_hs=0.0, own_hs=0.0)
        groups = tuple(group for group in self.groups if group.owner == owner)
        listed_hs = math.fsum(group.effect_hs for group in groups)
        other_hs = sums.own_hs - sums.row_hs - listed_hs if self.other_units else 0.0
        return Nameplates(**msgspec.structs.asdict(sums), groups=groups, other_hs=other_hs)

    @property
    def units_unknown(self) -> int:
        """Units that say nothing of their nameplate."""
        return self.units - self.units_checked

    @property
    def body(self) -> dict[str, Any]:
        """The fact's fields, JSON's types only."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        return found


def nameplates_of(body: Mapping[str, Any]) -> Nameplates:
    """Return the nameplates of a fact's fields.

    Raises:
        ValueError: They are not such a fact's.
    """
    try:
        return msgspec.convert(dict(body), Nameplates)
    except msgspec.ValidationError as error:
        raise ValueError(f"not a fact of nameplates: {error}") from error


class _Key(NamedTuple):
    owner: str
    model: str
    row_hs: float
    own_model: str | None
    own_hs: float
    source: WordSource


class _Counted:
    """The units of one owner that were looked at."""

    __slots__ = ("checked", "rows_hs")

    def __init__(self) -> None:
        self.checked = 0
        self.rows_hs: list[float] = []


class NameplateBook:
    """What units last said of themselves, whether or not they answer now.

    A silent unit's latest reading stands. One that sleeps tells no ideal rate: its last one stands until it is another
    machine. Nothing is kept of units that left.
    """

    def __init__(self) -> None:
        self._claims: dict[str, Claim] = {}

    def look(self, statuses: Iterable[UnitStatus], bins_of: Bins) -> Slices[Nameplates]:
        """Hold every unit against its row.

        Args:
            statuses: Of all units that are deployed.
            bins_of: Returns the known bins of a model, H/s.
        """
        claims: dict[str, Claim] = {}
        same: dict[Claim, Claim] = {}
        found: dict[_Key, list[str]] = {}
        owners: dict[str, _Counted] = {}
        for number, status in enumerate(statuses, start=1):
            entry, nameplate = status.entry, status.entry.nameplate
            counted = owners.get(entry.owner)
            if counted is None:
                counted = owners[entry.owner] = _Counted()
            counted.rows_hs.append(nameplate.hashrate_hs)
            claim = _latest(self._claims.get(entry.unit_id), status.reading)
            if claim is not None:
                claims[entry.unit_id] = same.setdefault(claim, claim)
                word = own_word(nameplate, claim, bins_of)
                counted.checked += word is not None
                if word is not None and word.hashrate_hs != nameplate.hashrate_hs:
                    found.setdefault(_key(entry, claim, word), []).append(entry.unit_id)
            if not number % UNITS_PER_SLICE:
                yield
        yield
        self._claims = claims
        return _summed(found, owners)


def _latest(before: Claim | None, reading: UnitReading | None) -> Claim | None:
    """Return what a unit said last; a bin that it does not say now stands while its model is the same.

    Without a reading nothing stands: the latest was another machine's, or of another address.
    """
    if reading is None:
        return None
    claim = claim_of(reading)
    if claim.bin is None and before is not None and claim.model in {None, before.model}:
        return before
    return claim


def _key(entry: LedgerEntry, claim: Claim, word: OwnWord) -> _Key:
    nameplate = entry.nameplate
    is_other = claim.model is not None and base_key(claim.model) != base_key(nameplate.model)
    own_model = plain_model(claim.model)[:40] if is_other and claim.model is not None else None
    return _Key(entry.owner, nameplate.model[:40], nameplate.hashrate_hs, own_model, word.hashrate_hs, word.source)


def _summed(found: Mapping[_Key, Sequence[str]], owners: Mapping[str, _Counted]) -> Nameplates:
    def effect_hs(key: _Key) -> float:
        return (key.own_hs - key.row_hs) * len(found[key])

    keys = sorted(found, key=lambda key: (-abs(effect_hs(key)), str(key)))
    has_owners = any(owners)
    groups, room = [], UNITS_NAMED
    for key in keys[:GROUPS_KEPT]:
        named = tuple(sorted(found[key])[:room])
        room -= len(named)
        fields = key._asdict() | {"owner": (key.owner or NO_OWNER) if has_owners else ""}
        groups.append(Group(**fields, units=len(found[key]), named=named))

    def sums(of: Sequence[_Key], counted: Sequence[_Counted]) -> Sums:
        row_hs = math.fsum(hashrate_hs for each in counted for hashrate_hs in each.rows_hs)
        return Sums(
            units=sum(len(each.rows_hs) for each in counted),
            units_checked=sum(each.checked for each in counted),
            units_differing=sum(len(found[key]) for key in of if differs(key.row_hs, key.own_hs)),
            row_hs=row_hs,
            own_hs=math.fsum((row_hs, *map(effect_hs, of))),
        )

    by_owner = {
        owner or NO_OWNER: sums([key for key in keys if key.owner == owner], [counted])
        for owner, counted in sorted(owners.items())
        if has_owners
    }
    return Nameplates(
        **msgspec.structs.asdict(sums(keys, list(owners.values()))),
        groups=tuple(groups),
        other_units=sum(len(found[key]) for key in keys[GROUPS_KEPT:]),
        other_hs=math.fsum(map(effect_hs, keys[GROUPS_KEPT:])),
        owners=by_owner,
    )
