"""Fields of a reply that no reader uses, as values: bounded in number and length, without any text of the unit's."""

from collections.abc import Callable
from typing import Any, Final, TypeAlias

import msgspec

from agent.unit.reading import Identity

MOST_NAMES: Final = 64
"""Most names kept of one unit's replies; more are counted."""
MAX_PATH: Final = 96
"""Longest path, characters."""
_MAX_NAME: Final = 48
_MAX_EXAMPLE: Final = 40
_LISTED: Final = 4


class UnreadField(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One field, folded: elements of a list, and keys that differ in a number at their end, are one field.

    Attributes:
        report: The report that has it, such as ``stats new_api``.
        path: Where, such as ``STATS[].chain[].tpl`` or ``STATS[].chain_vol#``. ``fan#5+`` stands for the numbered keys
            from 5 on, where those before are read.
        times: How often it stands in the reply.
        form: Such as ``number``, ``text of 12``, ``true or false``, ``null``, ``object``, or ``list of 4 numbers``.
        example: A number or truth value as sent; of a text its form alone, such as ``A9:A9``, because it may be a
            serial number or an account. None for what has neither.
    """

    report: str
    path: str
    times: int
    form: str
    example: str | None = None


class Unread(msgspec.Struct, frozen=True, gc=False):
    """The unread fields of one unit's replies, by report and path, and how many more there were."""

    fields: tuple[UnreadField, ...] = ()
    more: int = 0


OnUnread: TypeAlias = Callable[[str, Identity, Unread], None]
"""Takes a unit's id, its identity, and the fields of its replies that no reader uses; it never raises."""


def shown_name(name: str) -> str:
    """Return a key fit for a log: printable, and clipped."""
    clipped = name if len(name) <= _MAX_NAME else f"{name[:_MAX_NAME]}…"
    return clipped if clipped.isprintable() else clipped.encode("unicode_escape").decode("ascii")[: 2 * _MAX_NAME]


def form_of(value: Any) -> str:
    """Return the form of a JSON value."""
    if isinstance(value, str):
        return f"text of {len(value)}"
    if not isinstance(value, list):
        return _FORMS.get(type(value), "null")
    kinds = {_KINDS.get(type(item), "nulls") for item in value[:64]}
    return f"list of {len(value)} {kinds.pop()}" if len(kinds) == 1 else f"list of {len(value)}"


_FORMS: Final = {bool: "true or false", int: "number", float: "number", dict: "object"}
_KINDS: Final = {bool: "truth values", int: "numbers", float: "numbers", str: "texts", dict: "objects", list: "lists"}


def example_of(value: Any, *, with_text: bool = False) -> str | None:
    """Return an example of a JSON value; of a text its form alone, unless the text itself is asked for."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return _number(value)
        case str():
            return (shown_text(value) if with_text else text_form(value)) if value else None
        case list() if value and all(isinstance(item, int | float) for item in value[:_LISTED]):
            first = ", ".join(_number(item) for item in value[:_LISTED])
            return f"[{first}, …]" if len(value) > _LISTED else f"[{first}]"
    return None


def _number(value: float) -> str:
    try:
        text = repr(value)
    except ValueError:
        # Python refuses to print integers of more than 4300 digits.
        return "a number of more than 4300 digits"
    return text if len(text) <= _MAX_EXAMPLE else f"{text[:_MAX_EXAMPLE]}…"


def shown_text(text: str) -> str:
    """Return a text in quotes as one printable line, clipped."""
    clipped = text if len(text) <= _MAX_EXAMPLE else f"{text[:_MAX_EXAMPLE]}…"
    if not clipped.isprintable():
        clipped = clipped.encode("unicode_escape").decode("ascii")
    return f'"{clipped}"'


def text_form(text: str) -> str:
    """Return the form of a text: a run of letters is ``A`` or ``a``, one of digits ``9``; signs stay; clipped."""
    form: list[str] = []
    for character in text[: 4 * _MAX_EXAMPLE]:
        if character.isdigit():
            sign = "9"
        elif character.isalpha():
            sign = "A" if character.isupper() else "a"
        else:
            sign = character if character.isascii() and character.isprintable() else "?"
        if sign not in "9Aa?" or not form or form[-1] != sign:
            form.append(sign)
        if len(form) >= _MAX_EXAMPLE:
            return f"{''.join(form)}…"
    return "".join(form)
