r"""Rules from which a unit's container, rack and slot follow. Pure.

    10.20.{container}.{slot}                                     the octets themselves
    10.20.{container-10}.{slot-100}                              the octets, reckoned
    10.20.{c}.{n} -> container=C{c} rack=R{(n-1)//40+1:02} slot={(n-1)%40+1}
    worker:^acme\.(?P<container>C\d+)-(?P<rack>R\d+)-(?P<slot>\d+)$      the worker's name at the pool
    mac:places.csv                                               a list of MAC addresses and places

The first rule that fits a unit places it.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from agent.address import parse_address
from agent.config.mistakes import clip, near_match
from agent.errors import ConfigError, Mistake
from agent.hil.places.expressions import Expression, Template, read_expression, read_template, unknown_names
from agent.hil.places.patterns import Pattern
from agent.site.ledger.cells import parse_label
from agent.site.ledger.entries import Place

PARTS: Final = ("container", "rack", "slot")
WORKER: Final = "worker:"
MAC_FILE: Final = "mac:"
LONGEST_WORKER: Final = 256
_ARROW: Final = "->"
# Blanks may stand in quotes and in braces.
_WORD: Final = re.compile(r'(?:"[^"]*"|\{[^{}]*\}|[^\s"])+')
_FORMS: Final = "10.20.{container}.{slot}, worker:REGEX or mac:FILE.csv"


class Subject(NamedTuple):
    """A unit as rules know it.

    Attributes:
        host: Its address.
        mac: As `agent.address.parse_mac` writes it; None if it is not known.
        workers: The user names at its pools, the one in use first.
    """

    host: str
    mac: str | None = None
    workers: tuple[str, ...] = ()


class Rule(Protocol):
    """One way to a unit's place."""

    def place_of(self, unit: Subject) -> Place | None:
        """Return the unit's place; None if this rule does not fit it."""
        ...


class AddressRule(NamedTuple):
    """Octets of an IPv4 address, as numbers.

    Attributes:
        octets: For each the number that it must have, a name for it, or None for any.
        parts: The texts of the place, by part.
    """

    octets: tuple[int | str | None, ...]
    parts: Mapping[str, Template]

    def place_of(self, unit: Subject) -> Place | None:
        """Return the unit's place; None for an address that the pattern does not fit."""
        octets = unit.host.split(".")
        if len(octets) != len(self.octets):
            return None
        values: dict[str, int | str] = {}
        for octet, wanted in zip(map(int, octets), self.octets, strict=True):
            if isinstance(wanted, int) and wanted != octet:
                return None
            if isinstance(wanted, str) and values.setdefault(wanted, octet) != octet:
                return None
        return _place(self.parts, values)


class WorkerRule(NamedTuple):
    """A regular expression for the user name at a pool.

    Attributes:
        pattern: With named groups; it may match anywhere in the name.
        parts: The texts of the place, by part.
    """

    pattern: Pattern
    parts: Mapping[str, Template]

    def place_of(self, unit: Subject) -> Place | None:
        """Return the unit's place by the first of its worker names that fits; None if none does."""
        for worker in unit.workers:
            found = self.pattern.search(worker[:LONGEST_WORKER])
            if found is not None:
                return _place(self.parts, found)
        return None


class MacRule(NamedTuple):
    """A list of places by MAC address.

    Attributes:
        places: By MAC address as `agent.address.parse_mac` writes it.
    """

    places: Mapping[str, Place]

    def place_of(self, unit: Subject) -> Place | None:
        """Return the unit's place; None if its MAC address is not listed, or not known."""
        return None if unit.mac is None else self.places.get(unit.mac)


def read_rules(texts: Sequence[str], *, read_places: Callable[[str], Mapping[str, Place]], command: str) -> list[Rule]:
    """Return the rules of a command line, in their order.

    Args:
        texts: One for each `--place`.
        read_places: Returns the places of a file, by MAC address.
        command: The command, in messages.

    Raises:
        ConfigError: With every rule that cannot be read, and every mistake of the files they name.
    """
    rules: list[Rule] = []
    mistakes: list[Mistake] = []
    for text in texts:
        try:
            rules.append(_read_rule(text, read_places))
        except ConfigError as error:
            mistakes.extend(error.mistakes)
        except ValueError as error:
            mistakes.append(Mistake(file=command, where="--place", value=clip(text), reason=str(error)))
    if mistakes:
        raise ConfigError(mistakes)
    return rules


def place_of(unit: Subject, rules: Iterable[Rule]) -> Place | None:
    """Return a unit's place by the first rule that fits it; None if none does."""
    places = (rule.place_of(unit) for rule in rules)
    return next((place for place in places if place is not None), None)


def _read_rule(text: str, read_places: Callable[[str], Mapping[str, Place]]) -> Rule:
    if text.startswith(MAC_FILE):
        return MacRule(read_places(text.removeprefix(MAC_FILE)))
    pattern, arrow, assignments = text.partition(_ARROW)
    parts = _read_parts(assignments) if arrow else None
    if text.startswith(WORKER):
        return _worker_rule(pattern.removeprefix(WORKER).strip(), parts)
    return _address_rule(pattern.strip(), parts)


def _address_rule(pattern: str, parts: Mapping[str, Template] | None) -> AddressRule:
    octets = pattern.split(".")
    if len(octets) != 4 or ":" in pattern.partition("{")[0]:
        raise ValueError(f"four octets of an IPv4 address are expected, or another rule: {_FORMS}")
    wanted: list[int | str | None] = []
    reckoned: dict[str, Template] = {}
    for octet in octets:
        if octet == "*":
            wanted.append(None)
        elif octet.startswith("{") and octet.endswith("}"):
            expression = read_expression(octet[1:-1])
            wanted.append(_name_of(expression, octet, is_alone=parts is not None))
            reckoned[expression.names[0]] = Template((expression,))
        else:
            parse_address(f"{octet}.0.0.0")
            wanted.append(int(octet))
    if parts is None:
        foreign = [name for name in reckoned if name not in PARTS]
        if foreign or not reckoned:
            raise ValueError(
                f"octets are named {', '.join(f'{{{part}}}' for part in PARTS)},"
                " or by names of your own that follow -> container=... rack=... slot=..."
            )
        return AddressRule(tuple(wanted), reckoned)
    _check_names(parts, tuple(reckoned))
    return AddressRule(tuple(wanted), parts)


def _name_of(expression: Expression, octet: str, *, is_alone: bool) -> str:
    """Return the one name in an octet of a pattern."""
    if len(expression.names) != 1:
        raise ValueError(f"{octet}: one name is expected, for this octet")
    name = expression.names[0]
    if is_alone and octet[1:-1].strip() != name:
        raise ValueError(f"{octet}: a name alone is expected; reckon on the right of ->")
    return name


def _worker_rule(pattern: str, parts: Mapping[str, Template] | None) -> WorkerRule:
    compiled = Pattern(pattern)
    names = compiled.names
    if parts is None:
        parts = {name: read_template(f"{{{name}}}") for name in names if name in PARTS}
        if not parts:
            raise ValueError(f"named groups are expected, such as (?P<slot>[0-9]+); known are {', '.join(PARTS)}")
    else:
        _check_names(parts, names)
    return WorkerRule(compiled, parts)


def _read_parts(text: str) -> dict[str, Template]:
    if text.count('"') % 2:
        raise ValueError("a quote is opened and not closed")
    parts: dict[str, Template] = {}
    for word in _WORD.findall(text):
        part, equals, template = word.rstrip(",").replace('"', "").partition("=")
        if not equals or part not in PARTS:
            raise ValueError(
                f"{word!r}: container=..., rack=... and slot=... are expected after ->{near_match(part, PARTS)}"
            )
        if part in parts:
            raise ValueError(f"{part} is there twice")
        parts[part] = read_template(template)
    if not parts:
        raise ValueError("container=..., rack=... or slot=... is expected after ->")
    return parts


def _check_names(parts: Mapping[str, Template], known: tuple[str, ...]) -> None:
    for template in parts.values():
        if wrong := unknown_names(template.names, known):
            raise ValueError(wrong)


def _place(parts: Mapping[str, Template], values: Mapping[str, int | str]) -> Place | None:
    """Return the place of these values; None if a part has no value that a ledger takes."""
    texts = {part: template.text(values) for part, template in parts.items()}
    try:
        labels = {part: parse_label(text) for part, text in texts.items() if text is not None}
    except ValueError:
        return None
    return Place(**labels) if len(labels) == len(texts) and any(labels.values()) else None
