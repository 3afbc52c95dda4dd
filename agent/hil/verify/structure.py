"""Two JSON documents side by side: where keys, types, lengths, texts and order differ. Values are equal or not."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple, TypeAlias

from agent.hil.verify.differences import Kind

Steps: TypeAlias = tuple[str | int, ...]
"""Keys and positions from the top of a document."""

MISSING: Final[Any] = object()
"""Stands for a value that one side has not."""
_NUMBERS: Final = re.compile(r"-?[0-9]+(?:\.[0-9]*)?(?:--?[0-9]+(?:\.[0-9]+)?)*")
"""A number as text, or sensors joined by dashes."""

_TYPES: Final = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "text",
    list: "list",
    dict: "object",
}


class Apart(NamedTuple):
    """One place at which two documents differ.

    Attributes:
        kind: KEY, TYPE, LENGTH, TEXT, NUMBER or ORDER.
        steps: Where.
        first, second: The values; `MISSING` where a side has none. Of lists, the lists; of an order, the keys.
    """

    kind: Kind
    steps: Steps
    first: Any
    second: Any


def differences_of(first: Any, second: Any, steps: Steps = ()) -> Iterator[Apart]:
    """Yield where two documents differ, top down, in the order of the first."""
    if isinstance(first, dict) and isinstance(second, dict):
        yield from _of_objects(first, second, steps)
    elif isinstance(first, list) and isinstance(second, list):
        if len(first) != len(second):
            yield Apart(Kind.LENGTH, steps, first, second)
        for at, (one, other) in enumerate(zip(first, second, strict=False)):
            yield from differences_of(one, other, (*steps, at))
    elif type_of(first) != type_of(second):
        yield Apart(Kind.TYPE, steps, first, second)
    elif first != second:
        yield Apart(Kind.TEXT if _is_words(first) or _is_words(second) else Kind.NUMBER, steps, first, second)


def type_of(value: Any) -> str:
    """Return a value's type in the words of JSON; whole numbers are a type of their own."""
    return _TYPES.get(type(value), "null")


def path_text(steps: Steps) -> str:
    """Return ``STATS[0].chain[1].rate_real``."""
    text = ""
    for step in steps:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def applied(document: Any, apart: Apart) -> Any:
    """Return a copy of the first document in which this one place is as in the second; of a number, its type alone."""
    changed: Any = json.loads(json.dumps(document))
    if not apart.steps:
        return apart.second
    parent: Any = changed
    for step in apart.steps[:-1]:
        parent = parent[step]
    key: Any = apart.steps[-1]
    match apart.kind:
        case Kind.ORDER:
            here = parent[key]
            parent[key] = {name: here[name] for name in (*apart.second, *here) if name in here}
        case Kind.LENGTH:
            here = parent[key]
            parent[key] = here[: len(apart.second)] + apart.second[len(here) :]
        case Kind.TYPE:
            parent[key] = _retyped(parent[key], apart.second)
        case _ if apart.second is MISSING:
            del parent[key]
        case _:
            parent[key] = apart.second
    return changed


def layout_of(data: bytes) -> str:
    """Return how a reply is printed: with blanks, without, or over several lines."""
    text = data.strip()
    if b"\n" in text or b"\t" in text:
        return "several lines"
    # Between a key and its value, where a text of a reply cannot be.
    return "blanks after separators" if re.search(rb'"\s*:\s+["\[{0-9]', text) else "no blanks"


def _of_objects(first: dict[str, Any], second: dict[str, Any], steps: Steps) -> Iterator[Apart]:
    for key, value in first.items():
        if key not in second:
            yield Apart(Kind.KEY, (*steps, key), value, MISSING)
        else:
            yield from differences_of(value, second[key], (*steps, key))
    for key, value in second.items():
        if key not in first:
            yield Apart(Kind.KEY, (*steps, key), MISSING, value)
    order = [key for key in first if key in second]
    other = [key for key in second if key in first]
    if order != other and steps:
        yield Apart(Kind.ORDER, steps, order, other)


def _is_words(value: Any) -> bool:
    """Return True for a value that names something rather than counts it."""
    if isinstance(value, str):
        return _NUMBERS.fullmatch(value) is None
    return isinstance(value, bool) or value is None


def _retyped(value: Any, like: Any) -> Any:
    """Return a number in the type of another value; that value itself where there is no such number."""
    try:
        match like, value:
            case (int() | float(), str() | int() | float()) if not isinstance(like, bool):
                return float(value) if isinstance(like, float) else int(float(value))
            case (str(), int() | float()) if _NUMBERS.fullmatch(like) and "-" not in like[1:]:
                return str(value)
    except (ValueError, OverflowError):
        return like
    return like
