"""Messages in JSON that change something: decoded to their type, and refused if an object has a key twice.

Decoders keep the last of two values without a word. A sender that wrote both may have meant either, and a program on
the way may have read the first.
"""

import json
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")


def decode_strictly(data: bytes, kind: type[T]) -> T:
    """Return the message of a type. Costs twice the decoding, so the caller bounds the length of `data`.

    Raises:
        msgspec.DecodeError: It is not JSON, not of that type, or an object in it has a key twice.
        UnicodeDecodeError: It is not UTF-8.
        RecursionError: It is nested too deeply.
    """
    message = msgspec.json.decode(data, type=kind)
    json.loads(data, object_pairs_hook=_once)
    return message


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise msgspec.ValidationError(f"Object has the key `{key[:64]}` twice")
        found[key] = value
    return found
