"""JSON pointers (RFC 6901): the path to one value in a JSON value, and the number in it."""

import math
import re
from typing import Any, Final


def parse_pointer(text: str) -> tuple[str, ...]:
    """Return the reference tokens; empty for the whole value.

    Raises:
        ValueError: With a message for operators.
    """
    if text and not text.startswith("/"):
        raise ValueError("a JSON pointer is expected, such as /em/0/power; empty for the whole value")
    if re.search(r"~(?![01])", text):
        raise ValueError("a JSON pointer spells ~ in a name as ~0, and / as ~1")
    return tuple(name.replace("~1", "/").replace("~0", "~") for name in text.split("/")[1:])


def resolve(value: Any, names: tuple[str, ...]) -> Any:
    """Return the value that the tokens in `names` lead to.

    Raises:
        LookupError: A token leads nowhere; the message has the pointer up to it.
    """
    for depth, name in enumerate(names, start=1):
        if isinstance(value, dict) and name in value:
            value = value[name]
        elif isinstance(value, list) and re.fullmatch("0|[1-9][0-9]{0,8}", name) and int(name) < len(value):
            value = value[int(name)]
        else:
            raise LookupError(f"nothing at /{'/'.join(names[:depth])}")
    return value


_MOST_WHOLE: Final = 1 << 1000


def number_in(value: Any) -> int | float | None:
    """Return the number that a JSON value is, or holds as a decimal string; None for anything else.

    Signs are for numbers alone: no meter and no pool writes one into a string. A whole number that is too long for a
    float is infinite.
    """
    if isinstance(value, str):
        is_decimal = re.fullmatch(r"\s*[0-9]{1,40}(\.[0-9]{1,40})?([eE]\+?[0-9]{1,2})?\s*", value) is not None
        return float(value) if is_decimal else None
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    # JSON knows whole numbers of any length; arithmetic with one that no float holds raises.
    if isinstance(value, int) and abs(value) > _MOST_WHOLE:
        return math.inf if value > 0 else -math.inf
    return value
