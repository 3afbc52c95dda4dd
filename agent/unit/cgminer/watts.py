"""Power as firmware writes it: a number, or a text with thousands and a unit."""

import re
from typing import Any, Final

_WATTS: Final = re.compile(r"\s*(-?[0-9]{1,9}+(?:[,.][0-9]{1,9}+)*+)(?!_)\s*([A-Za-z]*)")
_THOUSANDS: Final = re.compile(r"-?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?")


def read_watts(value: Any, *, is_kilo: bool = False) -> float | None:
    """Return W from a number or a text such as ``3250 W``, ``3,499`` or ``3.5 kW``; None if there is none.

    Args:
        value: The JSON value.
        is_kilo: The key says kW; otherwise only the text can.
    """
    kilo = 1000.0 if is_kilo else 1.0
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value) * kilo if abs(value) < 1e15 else None
    match = _WATTS.match(value[:40]) if isinstance(value, str) else None
    if match is None:
        return None
    digits, unit = match.groups()
    # A comma separates thousands, or is the decimal point of another country.
    digits = digits.replace(",", "") if _THOUSANDS.fullmatch(digits) else digits.replace(",", ".")
    try:
        watts = float(digits)
    except ValueError:
        return None
    return watts * (1000.0 if unit.casefold().startswith(("kw", "kilo")) else kilo)
