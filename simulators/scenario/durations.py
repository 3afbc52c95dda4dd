"""Lengths of time as people write them: ``90s``, ``2h30m``, ``31d``."""

import re

_UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}
_PART = r"(\d{1,9}(?:\.\d{1,3})?)([dhms])"


def read_duration(text: str) -> float:
    """Read a length of time, in seconds.

    Raises:
        ValueError: The text is malformed.
    """
    if not re.fullmatch(f"(?:{_PART})+", text, re.ASCII):
        raise ValueError("a length of time is expected, such as 90s, 40m, 2h30m or 31d")
    return sum(float(number) * _UNITS[unit] for number, unit in re.findall(_PART, text))


def show_duration(seconds: float) -> str:
    """Return a length of time as text, in whole seconds."""
    left = round(seconds)
    shown = ""
    for unit, length in _UNITS.items():
        number, left = divmod(left, int(length))
        shown += f"{number}{unit}" if number else ""
    return shown or "0s"
