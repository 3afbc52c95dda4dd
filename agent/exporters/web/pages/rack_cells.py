"""The cells of the map: what fills one, what borders it, and what it is called."""

from collections.abc import Mapping
from html import escape
from typing import NamedTuple

from agent.site.status import UnitState, UnitStatus
from agent.text.numbers import ratio_text

RATE_STEPS = (("f0", 0.01, "nothing"), ("f1", 0.5, "under 50 %"), ("f2", 0.8, "under 80 %"), ("f3", 0.9, "under 90 %"))
RATE_TOP = ("f4", "90 % or more")
HEAT_STEPS = (("h0", 50.0, "under 50 °C"), ("h1", 65.0, "under 65 °C"), ("h2", 75.0, "under 75 °C"))
HEAT_STEPS_HIGH = (("h3", 85.0, "under 85 °C"),)
HEAT_TOP = ("h4", "85 °C or more")
UNKNOWN = "n"
"""Fill of a unit without a figure."""

FILL_WORDS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "rate": (*((name, words) for name, _, words in RATE_STEPS), RATE_TOP, (UNKNOWN, "not known")),
    "heat": (
        *((name, words) for name, _, words in (*HEAT_STEPS, *HEAT_STEPS_HIGH)),
        HEAT_TOP,
        (UNKNOWN, "not known"),
    ),
}
"""Every fill with its words, by what fills the map."""

STATE_CLASS: Mapping[UnitState, str] = {
    UnitState.HASHING: "s0",
    UnitState.STARTING: "s1",
    UnitState.STOPPED: "s2",
    UnitState.CURTAILED: "s3",
    UnitState.MAINTENANCE: "s4",
    UnitState.UNREACHABLE: "s5",
    UnitState.UNREADABLE: "s6",
}
"""Border by state: its colour, its width and its dashes."""

STATE_MARK: Mapping[UnitState, str] = {
    UnitState.STARTING: "M4 9L7 5L10 9",
    UnitState.STOPPED: "M5 5h4v4h-4z",
    UnitState.CURTAILED: "M5 4v6M9 4v6",
    UnitState.MAINTENANCE: "M7 4v6M4 7h6",
    UnitState.UNREACHABLE: "M4 4L10 10M10 4L4 10",
    UnitState.UNREADABLE: "M5 5q2-2 4 0q0 1-2 2M7 9v1",
}
"""A mark in the middle of a cell, for every state but hashing."""


class Cell(NamedTuple):
    """One unit's cell.

    Attributes:
        fill: Class of the fill; `UNKNOWN` without a figure.
        state: The unit's state; None before it was looked at.
        words: State and figure in words, escaped.
    """

    fill: str
    state: UnitState | None
    words: str


def rate_cell(status: UnitStatus) -> Cell:
    """Return a unit's cell filled by operating over nameplate."""
    if not status.is_looked_at:
        return Cell(UNKNOWN, None, "not looked at yet")
    rate_hs = status.hashrate_hs
    if rate_hs is None:
        return Cell(UNKNOWN, status.state, f"{status.state}: {escape(status.why)}")
    ratio = rate_hs / status.entry.nameplate.hashrate_hs
    fill = next((name for name, below, _ in RATE_STEPS if ratio < below), RATE_TOP[0])
    words = "" if status.why == status.state else f": {escape(status.why)}"
    return Cell(fill, status.state, f"{status.state} {ratio_text(ratio, 0)}{words}")


def heat_cell(status: UnitStatus) -> Cell:
    """Return a unit's cell filled by its hottest chip."""
    if not status.is_looked_at:
        return Cell(UNKNOWN, None, "not looked at yet")
    reading = status.reading if status.is_fresh or status.is_overdue else None
    celsius = None if reading is None else reading.hottest_chip_celsius
    if reading is None or celsius is None:
        return Cell(UNKNOWN, status.state, f"{status.state}, no chip temperature")
    fill = next((name for name, below, _ in (*HEAT_STEPS, *HEAT_STEPS_HIGH) if celsius < below), HEAT_TOP[0])
    computed = ", worked out by its firmware" if reading.is_chip_computed else ""
    return Cell(fill, status.state, f"{status.state} {celsius:.0f} °C{computed}")


_LINES = {
    "f0": "M0 0l5 5M5 0l-5 5",
    "f1": "M0 5l5-5M-1 1l2-2M4 6l2-2",
    "f2": "M0 2.5h5",
    "f3": "M2.5 1v1",
    "f4": "",
    "h0": "M2.5 0v5",
    "h1": "M2.5 1v1",
    "h2": "",
    "h3": "M0 5l5-5M-1 1l2-2M4 6l2-2",
    "h4": "M0 0l5 5M5 0l-5 5",
    "n": "M0 0l5 5M-1 4l2 2M4-1l2 2",
    "e": "",
}

FILL_PATTERNS = (
    '<svg class="fills" width="0" height="0" aria-hidden="true" focusable="false"><defs>'
    + "".join(
        f'<pattern id="{name}" class="{name}" width="5" height="5" patternUnits="userSpaceOnUse">'
        f'<rect class="{name}" width="5" height="5"/>{f"""<path d="{lines}"/>""" if lines else ""}</pattern>'
        for name, lines in _LINES.items()
    )
    + "</defs></svg>"
)
"""The definitions of all fills, as HTML; once on the page."""
