"""Single values of a reply: numbers and texts, which firmware may send as another type.

Every deviation is added by name to the set of repairs passed in; the names are listed in `agent.unit.repairs`.
"""

import math
import re
import sys
from functools import lru_cache
from typing import Any, Final

from agent.unit.limits import HZ_PER_MHZ, MIN_FREQUENCY_HZ

LONGEST_KEY: Final = 64
"""Characters of a key that count. What is remembered of a reply is never as long as a unit likes."""


def number(value: Any, repairs: set[str], *, is_text_normal: bool = False) -> float | None:
    """Return a finite number from a JSON number or numeric text; None if there is none, with its reason in `repairs`.

    Args:
        value: The JSON value; None and empty text are absent, without a repair.
        repairs: Names of repairs; deviations are added.
        is_text_normal: Numeric text is the firmware's normal form, not a deviation.
    """
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        repairs.add("wrong_type")
        return None
    try:
        parsed = float(value) if not isinstance(value, str) or _is_plain(value) else None
    except ValueError:
        parsed = None
    except OverflowError:
        # The strict decoder accepts integers of up to 4300 digits.
        parsed = math.inf
    if parsed is None:
        repairs.add("wrong_type")
        return None
    if not math.isfinite(parsed):
        repairs.add("out_of_range")
        return None
    if isinstance(value, str) and not is_text_normal:
        repairs.add("number_in_string")
    return parsed


def _is_plain(text: str) -> bool:
    # Python also takes `2_0`, and digits and blanks of other scripts, for numbers. No firmware writes them.
    return text.isascii() and "_" not in text


def spelled(key: str) -> str:
    """Return a key without case, blanks and signs: ``PSU Power`` and ``psu_power`` are both ``psupower``."""
    # Cut before it is looked up: what is remembered must not be as long as a unit likes.
    return _spelled(key if len(key) <= LONGEST_KEY else key[:LONGEST_KEY])


@lru_cache(maxsize=2048)
def _spelled(key: str) -> str:
    return "".join(filter(str.isalnum, key.casefold()))


def clock_hz(mhz: float | None, repairs: set[str]) -> float | None:
    """Return a clock in Hz; None for 0, which is that of a board that does not run, and for one too low to be in MHz.

    Args:
        mhz: As told.
        repairs: Names of repairs; one is added for a clock that is too low.
    """
    if not mhz:
        return None
    hz = mhz * HZ_PER_MHZ
    if hz >= MIN_FREQUENCY_HZ:
        return hz
    repairs.add("implausible")
    return None


_DASHES = re.compile(r"(?<=[^-])-")


def dashed(text: str | None, repairs: set[str]) -> tuple[float | None, ...]:
    """Return the numbers of `"54-54-68-68"`, each in its place; below zero the text is `"-3--4-10-12"`."""
    if not text:
        return ()
    values, needed = _read_dashed(text[:100])
    repairs.update(needed)
    return values


# Temperatures are whole degrees, so the same texts come again: looking one up costs a tenth of reading it.
@lru_cache(maxsize=8192)
def _read_dashed(text: str) -> tuple[tuple[float | None, ...], frozenset[str]]:
    repairs: set[str] = set()
    values = tuple([number(part, repairs, is_text_normal=True) for part in _DASHES.split(text)])
    return values, frozenset(repairs)


def clean(value: Any) -> str | None:
    """Return a unit's text fit for a label or a terminal: printable, at most 64 characters; None if nothing is left."""
    if not isinstance(value, str):
        return None
    text = value[:64]
    if not text.isprintable():
        text = "".join(filter(str.isprintable, text))
    return text.strip() or None


def interned(value: Any) -> str | None:
    """Return `clean` text interned: one object for all units that report the same text, not one a unit."""
    text = clean(value)
    return None if text is None else sys.intern(text)
