"""Single values of a reply: numbers and texts that may be something else than they should.

What was not as it should be is noted by name, in the set of repairs that comes along (see `antminer`).
"""

import math
import re
import sys
from collections.abc import Sequence
from typing import Any, cast


def number(value: Any, repairs: set[str], *, is_text_normal: bool = False) -> float | None:
    """Give a finite number, from a number or from text that is one; note in `repairs` what was not as it should be."""
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        repairs.add("wrong_type")
        return None
    try:
        told = float(value)
    except ValueError:
        repairs.add("wrong_type")
        return None
    except OverflowError:
        # The strict decoder takes an integer of up to 4300 digits.
        told = math.inf
    if not math.isfinite(told):
        repairs.add("out_of_range")
        return None
    if isinstance(value, str) and not is_text_normal:
        repairs.add("number_in_string")
    return told


_DASHES = re.compile(r"(?<=[0-9])-")


def dashed(text: str | None, repairs: set[str]) -> tuple[float, ...]:
    """Read `"54-54-68-68"`; below zero it reads `"-3--4-10-12"`."""
    if not text:
        return ()
    return all_or_none([number(part, repairs, is_text_normal=True) for part in _DASHES.split(text[:100])], repairs)


def all_or_none(numbers: Sequence[float | None], repairs: set[str]) -> tuple[float, ...]:
    """Give the numbers of a list, in which the place says what a number is: with one missing, none can be told."""
    if None in numbers:
        repairs.add("wrong_type")
        return ()
    return cast("tuple[float, ...]", tuple(numbers))


def clean(value: Any) -> str | None:
    """Give a unit's text fit for a label or a terminal: printable, at most 64 characters; None for none."""
    if not isinstance(value, str):
        return None
    text = value[:64]
    if not text.isprintable():
        text = "".join(filter(str.isprintable, text))
    return text.strip() or None


def interned(value: Any) -> str | None:
    """Give a text that many units tell alike as one object for all of them: 0.6 kB less a unit."""
    text = clean(value)
    return None if text is None else sys.intern(text)
