"""Which keys of each report are known: those that a reader takes, and those in `not_read`.

What is read is derived: from the schema of `stats`, from the tables of keys that the other readers use, and from
`elsewhere` in the cases in which it reads a reply.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any, Final, get_args

import msgspec

from agent.unit.antminer import not_read, webpage
from agent.unit.antminer.elsewhere import reads_of_board, reads_of_slot, reads_of_unit
from agent.unit.antminer.legacy import SLOTS
from agent.unit.antminer.stats_schema import BothStats, Chain, Info, NewApiStats, Stats, Status
from agent.unit.cgminer import pools, summary, version
from agent.unit.cgminer.rates import is_rate

_NUMBERED: Final = re.compile(r"(.*?\D)(\d{1,6})")
_NONE: Final = type(None)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shape:
    """The known keys of one object.

    Attributes:
        names: Keys that are read.
        reads: Returns True for a key that is read by a rule.
        aside: Folded keys that are deliberately not read.
        inner: Shapes of objects under a key, or in a list under it.
    """

    names: frozenset[str] = frozenset()
    reads: Callable[[str], bool] | None = None
    aside: frozenset[str] = frozenset()
    inner: Mapping[str, "Shape"] = field(default_factory=dict)

    def is_known(self, key: str) -> bool:
        """Return True if a key is read, or deliberately not read."""
        if key in self.names or key in self.inner:
            return True
        return folded(key) in self.aside or (self.reads is not None and self.reads(key))

    def unread(self, keys: tuple[str, ...]) -> tuple[str, ...]:
        """Return the unknown ones of an object's keys; objects of one firmware have the same keys, so they are kept."""
        if len(keys) <= _MOST_KEPT_KEYS:
            return _unread(self, keys)
        return tuple(key for key in keys if not self.is_known(key))

    def name_of(self, key: str) -> str:
        """Return an unknown key folded: its number as ``#``, or as ``#5+`` where numbers up to 4 are read."""
        match = _NUMBERED.fullmatch(key)
        if match is None:
            return key
        highest = _highest_read(self).get(match[1]) or _highest_by_rule(self, match[1])
        if highest is None:
            return f"{match[1]}#"
        return f"{match[1]}#{highest + 1}+" if int(match[2]) > highest else key


# 256 tuples of the keys of a reply of `MAX_REPAIRED_BYTES`, at worst: 6 MB.
_MOST_KEPT_KEYS: Final = 160


@lru_cache(maxsize=256)
def _unread(shape: Shape, keys: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(key for key in keys if not shape.is_known(key))


@cache
def _highest_read(shape: Shape) -> Mapping[str, int]:
    """Return the highest number that is read of each numbered key."""
    numbered = [match for name in shape.names if (match := _NUMBERED.fullmatch(name)) is not None]
    return {match[1]: max(int(other[2]) for other in numbered if other[1] == match[1]) for match in numbered}


def _highest_by_rule(shape: Shape, stem: str) -> int | None:
    """Return the highest number behind a stem that is read by a rule: such a key stands in one of the slots."""
    reads = shape.reads
    return None if reads is None else max((int(slot) for slot in SLOTS if reads(f"{stem}{slot}")), default=None)


def folded(key: str) -> str:
    """Return a key with ``#`` for the number at its end."""
    match = _NUMBERED.fullmatch(key)
    return key if match is None else f"{match[1]}#"


@cache
def stats_shape(*, is_new_api: bool, is_elsewhere: bool, has_rate: bool) -> Shape:
    """Return what is known of a `stats` reply.

    Args:
        is_new_api: Its dialect.
        is_elsewhere: `elsewhere` reads it: the strict decode failed, or it has no 5 s rate.
        has_rate: It has a 5 s rate under its own key, so others are not looked for.
    """
    typed, others = _names(NewApiStats), frozenset[str]()
    if not is_new_api:
        typed = _names(Stats) - (typed - _names(BothStats))
        others = _names(Stats, of_none=True)
    else:
        others = frozenset(name for name in _names(Stats, of_none=True) if reads_of_unit(name))

    def reads(key: str) -> bool:
        if is_elsewhere or key in others:
            if reads_of_unit(key) or (not is_new_api and reads_of_slot(key, SLOTS)):
                return True
            return is_elsewhere and not has_rate and is_rate(key)
        return False

    boards = _names(Chain, of_none=True)
    chain = Shape(names=_names(Chain), reads=lambda key: (is_elsewhere or key in boards) and reads_of_board(key))
    row = Shape(names=typed, reads=reads, inner={"chain": chain} if is_new_api else {})
    inner = {"STATUS": Shape(names=_names(Status)), "STATS": row}
    if is_new_api:
        inner["INFO"] = Shape(names=_names(Info))
    return _with_aside(Shape(inner=inner), not_read.NEW_API_STATS if is_new_api else not_read.STATS)


def _names(struct: type[msgspec.Struct], *, of_none: bool = False) -> frozenset[str]:
    """Return the keys of a schema; `of_none` those of other firmware, which make `elsewhere` read the reply."""
    return frozenset(
        item.encode_name
        for item in msgspec.structs.fields(struct)
        if (item.type is _NONE) == of_none and _is_leaf(item)
    )


def _is_leaf(item: Any) -> bool:
    """Return False for a list of structs, whose keys have a shape of their own."""

    def structs(kind: Any) -> bool:
        return (isinstance(kind, type) and issubclass(kind, msgspec.Struct)) or any(map(structs, get_args(kind)))

    return not structs(item.type)


def _report(name: str, keys: Iterable[str], reads: Callable[[str], bool] | None = None, **inner: Shape) -> Shape:
    envelope = Shape(names=_names(Status))
    return Shape(inner={"STATUS": envelope, name: Shape(names=frozenset(keys), reads=reads, inner=inner)})


def _with_aside(shape: Shape, paths: Iterable[str]) -> Shape:
    """Return a shape that also knows the paths of a table of `not_read`."""
    own: set[str] = set()
    below: dict[str, list[str]] = {}
    for path in paths:
        name, _, rest = path.partition(".")
        if rest:
            below.setdefault(name.removesuffix("[]"), []).append(rest)
        else:
            own.add(name)
    inner = {name: _with_aside(each, below.pop(name, ())) for name, each in shape.inner.items()}
    inner.update((name, _with_aside(Shape(), rest)) for name, rest in below.items())
    return Shape(names=shape.names, reads=shape.reads, aside=frozenset(own), inner=inner)


SHAPES: Final[Mapping[str, Shape]] = {
    "summary": _with_aside(_report("SUMMARY", summary.LEGACY_KEYS_READ, is_rate), not_read.SUMMARY),
    "summary new_api": _with_aside(
        _report("SUMMARY", summary.NEW_API_KEYS_READ, status=Shape(names=summary.FAULT_KEYS_READ)),
        not_read.NEW_API_SUMMARY,
    ),
    "pools": _with_aside(_report("POOLS", pools.KEYS_READ), not_read.POOLS),
    "version": _with_aside(_report("VERSION", version.KEYS_READ), not_read.VERSION),
    "page get_system_info": _with_aside(Shape(names=webpage.KEYS_READ), not_read.SYSTEM_INFO),
}
"""Known fields of every report but `stats`, by its name. Of `pools` only the legacy dialect is asked."""
