"""Places of units in words, and their order for walking. Pure."""

from agent.site.ledger.entries import Place
from agent.text.natural import NaturalKey, natural_key

NO_PLACE = "no place given"
_JOINTS = "-_./ "


def rack_name(place: Place) -> str:
    """Return the name of a rack without the container's, which stands beside it: ``R05`` for ``C3-R05`` in C3."""
    container, rack = place.container, place.rack
    rest = rack.removeprefix(container)
    return rest[1:] if container and rest != rack and len(rest) > 1 and rest[0] in _JOINTS else rack


def place_parts(place: Place) -> tuple[str, ...]:
    """Return the named parts of a place: ``("C3", "rack R05", "slot 12")``; empty without any."""
    named = (("", place.container), ("rack ", rack_name(place)), ("slot ", place.slot))
    return tuple(f"{word}{name}" for word, name in named if name)


def place_text(place: Place) -> str:
    """Return ``C3, rack R05, slot 12``, or that no place is given."""
    return ", ".join(place_parts(place)) or NO_PLACE


def place_key(place: Place) -> tuple[NaturalKey, NaturalKey, NaturalKey]:
    """Return a key that sorts units as a person walks: container, rack and slot, each in natural order."""
    return natural_key(place.container), natural_key(place.rack), natural_key(place.slot)
