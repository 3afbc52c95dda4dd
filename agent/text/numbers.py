"""Figures scaled for people: hashrates, watts, durations and ratios.

Only terminals, pages and statements scale. Everything else stays in base units.
"""

ABSENT = "-"
"""Shown where there is no figure; never means zero."""

TARGET_RATIO = 0.90
"""The trade's ">90 %" of deployed. Met only if the unrounded ratio is above it."""

SURE_COVERAGE_RATIO = 0.95
"""Below this coverage too little is known to call a figure good or bad."""

_PREFIXES = ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def hashrate_text(hashrate_hs: float | None, digits: int = 2) -> str:
    """Return ``46.09 EH/s``; a dash for None."""
    return ABSENT if hashrate_hs is None else _scaled(hashrate_hs, "H/s", digits)


def watts_text(watts: float | None, digits: int = 2) -> str:
    """Return ``3.50 kW``; a dash for None."""
    return ABSENT if watts is None else _scaled(watts, "W", digits)


def _scaled(value: float, unit: str, digits: int) -> str:
    for factor, prefix in _PREFIXES:
        # A value that would round up to 1000 is shown as 1 with the next prefix.
        if abs(value) >= factor * (1 - 0.5 * 10 ** -(digits + 3)):
            return f"{value / factor:.{digits}f} {prefix}{unit}"
    return f"{value:.{0 if value == 0 else digits}f} {unit}"


def ratio_text(ratio: float | None, digits: int = 2) -> str:
    """Return ``92.18 %``; a dash for None."""
    return ABSENT if ratio is None else f"{ratio * 100:.{digits}f} %"


def duration_text(seconds: float | None) -> str:
    """Return ``12 s``, ``4 min``, ``3 h 05 min`` or ``6 d 04 h``; a dash for None."""
    if seconds is None:
        return ABSENT
    whole = int(seconds)
    if whole < 120:
        return f"{whole} s"
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if hours < 2:
        return f"{minutes} min"
    if days < 2:
        return f"{hours} h {minutes % 60:02d} min"
    return f"{days} d {hours % 24:02d} h"
