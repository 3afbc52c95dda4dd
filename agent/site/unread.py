"""Fields that no reader uses, by firmware: which, how often, on how many units. Pure, and bounded whatever units send.

A firmware or field that no unit has any more stays, so that it is news only once, until its place is needed.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from agent.unit.reading import Identity
from agent.unit.unread import MOST_NAMES, Unread, UnreadField

MOST_FIRMWARES: Final = 32
"""Most firmwares kept; the units of others are counted."""


class Firmware(NamedTuple):
    """A firmware of a model, as units tell it; None where they do not."""

    model: str | None
    firmware: str | None


class UnreadName(NamedTuple):
    """A field that no reader uses.

    Attributes:
        field: As first seen.
        units: How many units have it, as of the latest look at each.
        first_seen_at: Unix time, s.
    """

    field: UnreadField
    units: int
    first_seen_at: float


class FirmwareFields(NamedTuple):
    """The unread fields of one firmware.

    Attributes:
        of: The firmware.
        units: How many units have it, as of the latest look at each.
        names: Fields that some of them have, by report and path.
        more: How many more fields one of them has, at most, of which no name is kept.
    """

    of: Firmware
    units: int
    names: tuple[UnreadName, ...]
    more: int


class UnreadFigures(NamedTuple):
    """Every firmware of the site: the one of most units first.

    Attributes:
        firmwares: Those of which fields are kept.
        other_units: Units of firmware beyond `MOST_FIRMWARES`.
    """

    firmwares: tuple[FirmwareFields, ...] = ()
    other_units: int = 0

    @property
    def names(self) -> int:
        """The number of unread fields, each counted once a firmware."""
        return sum(len(each.names) for each in self.firmwares)


class News(NamedTuple):
    """Fields of a firmware that were not seen before."""

    of: Firmware
    fields: tuple[UnreadField, ...]


_Key = tuple[str, str]


@dataclass(slots=True)
class _Name:
    field: UnreadField
    first_seen_at: float
    units: int = 0


@dataclass(slots=True)
class _Kept:
    """One firmware. `shared` is the latest unit's list of fields, which units of one firmware have in common."""

    units: int = 0
    names: dict[_Key, _Name] = field(default_factory=dict)
    shared: tuple[_Key, ...] = ()
    more: int = 0


class UnreadBook:
    """The unread fields of a site's units."""

    def __init__(self) -> None:
        self._firmwares: dict[Firmware, _Kept] = {}
        self._units: dict[str, tuple[Firmware, tuple[_Key, ...]] | None] = {}

    def note(self, unit_id: str, identity: Identity, unread: Unread, *, at: float) -> News | None:
        """Take in what a look at one unit's replies found.

        Args:
            unit_id: The ledger's name for it.
            identity: As it reports it.
            unread: The fields that no reader uses.
            at: Unix time, s.

        Returns:
            The fields that are news of its firmware; None if there are none.
        """
        firmware = Firmware(identity.model, identity.firmware)
        self.forget((unit_id,))
        kept = self._kept(firmware)
        if kept is None:
            self._units[unit_id] = None
            return None
        kept.units += 1
        news = []
        names: list[_Key] = []
        for found in unread.fields[:MOST_NAMES]:
            key = (found.report, found.path)
            name = kept.names.get(key)
            if name is None:
                if not _has_room(kept.names):
                    continue
                name = kept.names[key] = _Name(found, at)
                news.append(found)
            name.units += 1
            names.append(key)
        kept.more = max(kept.more, unread.more + len(unread.fields) - len(names))
        listed = tuple(names)
        if listed == kept.shared:
            listed = kept.shared
        else:
            kept.shared = listed
        self._units[unit_id] = (firmware, listed)
        return News(firmware, tuple(news)) if news else None

    def forget(self, unit_ids: Iterable[str]) -> None:
        """Count units no longer."""
        for unit_id in unit_ids:
            counted = self._units.pop(unit_id, None)
            kept = None if counted is None else self._firmwares.get(counted[0])
            if counted is None or kept is None:
                continue
            kept.units -= 1
            for key in counted[1]:
                kept.names[key].units -= 1

    def figures(self) -> UnreadFigures:
        """Return every firmware that units have now."""
        firmwares = [
            FirmwareFields(
                firmware,
                kept.units,
                tuple(
                    UnreadName(name.field, name.units, name.first_seen_at)
                    for _, name in sorted(kept.names.items())
                    if name.units
                ),
                kept.more,
            )
            for firmware, kept in self._firmwares.items()
            if kept.units
        ]
        firmwares.sort(key=lambda each: (-each.units, each.of.model or "", each.of.firmware or ""))
        return UnreadFigures(tuple(firmwares), sum(1 for counted in self._units.values() if counted is None))

    def _kept(self, firmware: Firmware) -> _Kept | None:
        """Return what is kept of a firmware; None if there is no place for it."""
        kept = self._firmwares.get(firmware)
        if kept is not None:
            return kept
        if len(self._firmwares) >= MOST_FIRMWARES:
            gone = next((each for each, of in self._firmwares.items() if not of.units), None)
            if gone is None:
                return None
            del self._firmwares[gone]
        kept = self._firmwares[firmware] = _Kept()
        return kept


def _has_room(names: dict[_Key, _Name]) -> bool:
    """Return True if another name can be kept, after dropping one that no unit has any more."""
    if len(names) >= MOST_NAMES:
        gone = next((key for key, name in names.items() if not name.units), None)
        if gone is None:
            return False
        del names[gone]
    return True
