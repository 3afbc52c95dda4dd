"""The dated list of deployed units: declared, and independent of telemetry."""

import hashlib
from bisect import bisect_right
from dataclasses import dataclass, field

import msgspec

from agent.unit.model_names import BITMAIN
from agent.unit.nameplate import Nameplate

FOREIGN = "foreign"
"""The reader of units of other makes, which are polled in a lane of their own."""

NO_OWNER = "(no owner)"
"""The group of units that the ledger gives no owner, where others have one. No owner may have this name."""


class Place(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The place of a unit at the site.

    Attributes:
        container, rack: Names as painted on them; empty when the site has none.
        slot: Position in the rack; empty if not given.
    """

    container: str = ""
    rack: str = ""
    slot: str = ""


class LedgerEntry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One unit over one span of time.

    Attributes:
        unit_id: The site's own name for the unit; its history is kept under it.
        nameplate: Model and bin.
        place: Container, rack and slot.
        host, port: Where its API listens; an attribute, not an identity. The host is a literal IP address.
        deployed_from, deployed_to: Unix time, s; the span is half open. None means always, or until further notice.
        is_in_maintenance: True if the ledger has it out for repair in this span; it stays deployed.
        is_simulated: True if a simulator answers at `host`, by the ledger's column or as `simulated` detects it.
        serial, mac: Identity, as far as declared.
        web_port: The port of its web pages; None for the site's `identity.web_port`.
        reader: The ledger's column: name of the reader that reads it; empty to go by its make, then by what it says.
        owner: Whose unit it is, at a site that hosts units of others; empty for the site's own.
    """

    unit_id: str
    nameplate: Nameplate
    place: Place
    host: str
    port: int = 4028
    deployed_from: float | None = None
    deployed_to: float | None = None
    is_in_maintenance: bool = False
    is_simulated: bool = False
    serial: str | None = None
    mac: str | None = None
    web_port: int | None = None
    reader: str = ""
    owner: str = ""

    @property
    def is_foreign(self) -> bool:
        """True for a unit that is polled through pyasic, at an interval of its own: by its reader or else its make."""
        return self.reader == FOREIGN or (not self.reader and self.nameplate.make != BITMAIN)

    @property
    def owner_name(self) -> str:
        """The owner, or `NO_OWNER`."""
        return self.owner or NO_OWNER

    @property
    def reader_name(self) -> str:
        """The name of the reader that reads it; empty to choose it by what the unit says."""
        return FOREIGN if self.is_foreign else self.reader

    def is_deployed_at(self, at: float) -> bool:
        """Return True if Unix time `at` falls in this entry's span."""
        return (self.deployed_from is None or self.deployed_from <= at) and (
            self.deployed_to is None or at < self.deployed_to
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """All entries of a ledger; no two with the same unit, address, place or identity overlap in time.

    Attributes:
        entries: In file order.
        digest: SHA-256 of the file, hexadecimal, so that figures can name the ledger they were computed from.
        owners: Every owner of the whole site's ledger, whenever, sorted; a shard's are those of the site.
        unit_ids: Every unit that ever appears, once, in file order.
    """

    entries: tuple[LedgerEntry, ...]
    digest: str
    owners: tuple[str, ...] = field(default=(), repr=False, compare=False)
    unit_ids: tuple[str, ...] = field(init=False, repr=False, compare=False)
    _changes: tuple[float, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        moments = {entry.deployed_from for entry in self.entries} | {entry.deployed_to for entry in self.entries}
        owners = self.owners or tuple(sorted({entry.owner for entry in self.entries} - {""}))
        object.__setattr__(self, "owners", owners)
        object.__setattr__(self, "unit_ids", tuple(dict.fromkeys(entry.unit_id for entry in self.entries)))
        object.__setattr__(self, "_changes", tuple(sorted(moment for moment in moments if moment is not None)))

    def at(self, t: float) -> tuple[LedgerEntry, ...]:
        """Return the entries in force at Unix time `t`, one per unit, in file order."""
        return tuple(entry for entry in self.entries if entry.is_deployed_at(t))

    def shard(self, index: int, count: int) -> "Ledger":
        """Return shard `index` of `count`: units by a hash of their ids, the same in every process."""
        if count == 1:
            return self
        mine = {unit_id for unit_id in self.unit_ids if shard_of(unit_id, count) == index}
        entries = tuple(entry for entry in self.entries if entry.unit_id in mine)
        return Ledger(entries=entries, digest=self.digest, owners=self.owners)

    def next_change_after(self, t: float) -> float | None:
        """Return the first Unix time after `t` at which `at` may differ, or None if there is none."""
        place = bisect_right(self._changes, t)
        return self._changes[place] if place < len(self._changes) else None


def shard_of(unit_id: str, count: int) -> int:
    """Return a unit's shard, 0 to `count` - 1; its poll times come from another hash."""
    return int.from_bytes(hashlib.blake2b(unit_id.encode(), digest_size=8).digest(), "big") % count
