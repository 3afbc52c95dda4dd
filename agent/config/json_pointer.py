"""JSON pointers (RFC 6901): where in a JSON value one number stands."""

import re
from typing import Any


def parse_pointer(text: str) -> tuple[str, ...]:
    """Give the names on the way; empty for the whole value.

    Raises:
        ValueError: In plain words.
    """
    if text and not text.startswith("/"):
        raise ValueError("a JSON pointer is expected, such as /em/0/power; empty for the whole")
    if re.search(r"~(?![01])", text):
        raise ValueError("a ~ in a JSON pointer is written ~0, and a / in a name ~1")
    return tuple(name.replace("~1", "/").replace("~0", "~") for name in text.split("/")[1:])


def resolve(value: Any, names: tuple[str, ...]) -> Any:
    """Give what stands at the end of the way.

    Raises:
        LookupError: The way does not go on; the message says where.
    """
    for depth, name in enumerate(names, start=1):
        if isinstance(value, dict) and name in value:
            value = value[name]
        elif isinstance(value, list) and re.fullmatch("0|[1-9][0-9]{0,8}", name) and int(name) < len(value):
            value = value[int(name)]
        else:
            raise LookupError(f"nothing at /{'/'.join(names[:depth])}")
    return value
