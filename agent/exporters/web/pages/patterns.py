"""Patterns over the colours of causes, so that colour is never the only sign.

`PATTERNS` stands once at the start of every page. A shape has the colour by its class and, drawn over it, the same
shape with ``fill="url(#pattern-...)"``: the pattern's lines are the ink of the page, half transparent.
"""

from agent.site.status import Cause

PATTERN_OF = {
    Cause.CURTAILED: "dots",
    Cause.MAINTENANCE: "grid",
    Cause.UNREACHABLE: "cross",
    Cause.UNREADABLE: "vertical",
    Cause.STOPPED: "diagonal",
    Cause.STARTING: "horizontal",
    Cause.MISSING_BOARDS: "back",
    Cause.MISSING_CHIPS: "specks",
    Cause.DERATED: "waves",
    Cause.UNDERPERFORMING: "dashes",
}

_LINES = {
    "dots": '<circle cx="2" cy="2" r="1.1"/><circle cx="6" cy="6" r="1.1"/>',
    "specks": '<circle cx="4" cy="4" r="0.9"/>',
    "grid": '<path d="M0 4h8M4 0v8"/>',
    "cross": '<path d="M0 0l8 8M8 0l-8 8"/>',
    "vertical": '<path d="M2 0v8M6 0v8"/>',
    "horizontal": '<path d="M0 2h8M0 6h8"/>',
    "diagonal": '<path d="M-2 2l4-4M0 8l8-8M6 10l4-4"/>',
    "back": '<path d="M-2 6l4 4M0 0l8 8M6-2l4 4"/>',
    "waves": '<path d="M0 4q2-4 4 0t4 0"/>',
    "dashes": '<path d="M0 2h4M4 6h4"/>',
}

PATTERNS = (
    '<svg class="patterns" width="0" height="0" aria-hidden="true" focusable="false"><defs>'
    + "".join(
        f'<pattern id="pattern-{name}" width="8" height="8" patternUnits="userSpaceOnUse">{lines}</pattern>'
        for name, lines in _LINES.items()
    )
    + "</defs></svg>"
)
"""The definitions of all patterns, as HTML."""


def patterned(name: str, cause: Cause | None, shape: str) -> str:
    """Return a shape in a colour, with the pattern of a cause over it.

    Args:
        name: Class of the colour.
        cause: The cause; None for a plain colour.
        shape: Attributes of a rectangle.
    """
    plain = f'<rect class="{name}" {shape}/>'
    return plain if cause is None else f'{plain}<rect fill="url(#pattern-{PATTERN_OF[cause]})" {shape}/>'
