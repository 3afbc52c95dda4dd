"""Selectors of units: by id, model, container, rack and owner, and a share of the matching units."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from zlib import crc32

from simulators.farm.plan import FarmError, read_share
from simulators.unit import chance
from simulators.unit.unit import Unit

_BRIEF = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """Units that match every given filter; an empty tuple is no filter.

    Attributes:
        units: Unit ids.
        models: Model names, without the maker.
        containers: Containers.
        racks: Racks.
        owners: Owners.
        share: Share of the matching units, drawn by the farm's seed and the selector.
        draw: Another number draws other units for the same share.
    """

    units: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    containers: tuple[str, ...] = ()
    racks: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    share: float = 1.0
    draw: int = 0

    def __str__(self) -> str:
        filters = [
            f"{item.name}={'|'.join(value)}"
            for item in fields(self)
            if isinstance(value := getattr(self, item.name), tuple) and value
        ]
        if self.share != 1.0:
            filters.append(f"share={self.share * 100.0:.6g}%")
        if self.draw:
            filters.append(f"draw={self.draw}")
        return ",".join(filters) or "everything"

    @property
    def brief(self) -> str:
        """The selector in words, short enough for one line."""
        text = str(self)
        return text if len(text) <= _BRIEF else f"{text[:_BRIEF]}... ({len(self.units)} units named)"


EVERYTHING = Selector()

_WORDS = {"unit": "units", "model": "models", "container": "containers", "rack": "racks", "owner": "owners"}


def read_selector(text: str) -> Selector:
    """Read ``container=C2,model=S21|T21,share=10%``; an empty text selects everything.

    Raises:
        FarmError: The text is malformed, or a share is not between 0 and 100 %.
    """
    named: dict[str, tuple[str, ...]] = {}
    share, draw = 1.0, 0
    for part in filter(None, (part.strip() for part in text.split(","))):
        word, equals, value = part.partition("=")
        if word == "share" and equals:
            share = read_share(value)
            continue
        if word == "draw" and value.isdecimal() and len(value) <= 9:
            draw = int(value)
            continue
        name = _WORDS.get(word.removesuffix("s"))
        if name is None or not equals or not value:
            raise FarmError(
                f"selector part {part!r} is none of {', '.join(f'{word}=...' for word in (*_WORDS, 'share', 'draw'))}"
            )
        named[name] = (*named.get(name, ()), *value.split("|"))
    return Selector(share=share, draw=draw, **named)


def select(units: Sequence[Unit], selector: Selector, seed: int) -> list[Unit]:
    """Return the units that match, in farm order.

    Raises:
        FarmError: The share is not between 0 and 1.
    """
    if not 0.0 <= selector.share <= 1.0:
        raise FarmError(f"share must be 0 to 1, not {selector.share!r}")
    names = frozenset(selector.units)  # Thousands may be named; searching a tuple would be quadratic.
    fitting = [unit for unit in units if (not names or unit.identity.unit_id in names) and _fits(unit, selector)]
    if selector.share == 1.0:
        return fitting
    key = chance.word(seed, crc32(str(selector).encode()))
    drawn = sorted(fitting, key=lambda unit: chance.word(key, unit.identity.index))
    chosen = {unit.identity.index for unit in drawn[: round(selector.share * len(fitting))]}
    return [unit for unit in fitting if unit.identity.index in chosen]


def _fits(unit: Unit, selector: Selector) -> bool:
    identity = unit.identity
    return (
        (not selector.models or identity.model.name in selector.models)
        and (not selector.containers or identity.container in selector.containers)
        and (not selector.racks or identity.rack in selector.racks)
        and (not selector.owners or identity.owner in selector.owners)
    )
