"""The picture of a statement: one column for each day, or for each site, as two SVG drawings. Pure.

Above, operating stands against deployed, with floor, ceiling and the 90 % line. Below, the losses are stacked by cause.
The width of a column is its time: unwatched time is hatched, and time still to come is white.

Colours are never the only sign: each cause has a pattern of its own, and their shades differ in grey.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from agent.history.minutes import Row
from agent.site.status import Cause
from agent.statement.days import Day
from agent.statement.figures import Bounds, bounds_of
from agent.statement.markup import text
from agent.statement.parts import Part
from agent.text.numbers import TARGET_RATIO

WIDTH, HEIGHT = 640, 200
"""About the size on paper, px, so that patterns keep their shape there; on a screen the drawings are stretched."""

_MARGIN = 0.07
MOST_BARS = 62
"""Up to so many columns there is some white between them."""

_LEAST_SEEN_PX = 0.2
_HASHRATE_STEPS = (1.0, 1.2, 1.6, 2.0, 2.4, 2.8, 3.2, 4.0, 4.8, 5.6, 6.4, 7.2, 8.0, 10.0)
"""Upper edges whose quarters are round."""
_HEADROOM = 1.01
_LOSS_STEPS = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)

_SHADES = {
    Cause.CURTAILED: ("#4b3d9e", "#fff", '<circle cx="2" cy="2" r="1.1"/><circle cx="6" cy="6" r="1.1"/>'),
    Cause.MAINTENANCE: ("#a9c7e8", "#1d3f66", '<path d="M0 4h8M4 0v8"/>'),
    Cause.UNREACHABLE: ("#8f1d14", "#fff", '<path d="M0 0l8 8M8 0l-8 8"/>'),
    Cause.UNREADABLE: ("#f2b5ae", "#7a1a12", '<path d="M2 0v8M6 0v8"/>'),
    Cause.STOPPED: ("#9a5b00", "#fff", '<path d="M-2 2l4-4M0 8l8-8M6 10l4-4"/>'),
    Cause.STARTING: ("#f3dc86", "#5f4c00", '<path d="M0 2h8M0 6h8"/>'),
    Cause.MISSING_BOARDS: ("#74265f", "#fff", '<path d="M-2 6l4 4M0 0l8 8M6-2l4 4"/>'),
    Cause.MISSING_CHIPS: ("#e3b7d8", "#5c1b4b", '<circle cx="4" cy="4" r="1.2"/>'),
    Cause.DERATED: ("#3f6b26", "#fff", '<path d="M0 4q2-4 4 0t4 0"/>'),
    Cause.UNDERPERFORMING: ("#c3cbd1", "#2b353c", '<path d="M0 2h4M4 6h4"/>'),
}
"""Ground, ink and pattern of each cause; dark and light grounds take turns."""

DEFINITIONS = (
    '<svg class="patterns" width="0" height="0" aria-hidden="true" focusable="false"><defs>'
    + "".join(
        f'<pattern id="loss-{cause}" width="8" height="8" patternUnits="userSpaceOnUse"><rect width="8" height="8"'
        f' fill="{ground}"/><g fill="none" stroke="{ink}" stroke-width="1.1">{lines}</g></pattern>'
        for cause, (ground, ink, lines) in _SHADES.items()
    )
    + '<pattern id="unwatched" width="7" height="7" patternUnits="userSpaceOnUse"><rect width="7" height="7"'
    ' fill="#fff"/><path d="M-1.75 1.75l3.5-3.5M0 7l7-7M5.25 8.75l3.5-3.5" stroke="#111" stroke-width="1.3"/></pattern>'
    "</defs></svg>"
)
"""The patterns of all causes and of unwatched time, as HTML."""


class Column(NamedTuple):
    """One day, or one site.

    Attributes:
        name: As the table names it.
        mean: Means over the time that was watched.
        bounds: Deployed, floor and ceiling over the whole of its time.
        begins: Share of its width before units were deployed.
        passed: Share of its width in which units were deployed, as far as it has passed.
        watched: The watched share of that.
    """

    name: str
    mean: Row
    bounds: Bounds
    begins: float
    passed: float
    watched: float

    @property
    def ratio(self) -> float | None:
        """Operating over deployed while it was watched; None if it was not, or nothing was deployed."""
        return self.mean.operating_hs / self.mean.deployed_hs if self.watched and self.mean.deployed_hs else None

    def share(self, hashrate_hs: float) -> float | None:
        """Return a bound as a share of deployed; None if nothing was deployed."""
        return hashrate_hs / self.bounds.whole_hs if self.bounds.whole_hs else None


def column_of_day(day: Day) -> Column:
    """Return a day's column."""
    seconds = day.end - day.start
    return Column(
        name=day.date,
        mean=day.mean,
        bounds=day.bounds,
        begins=(day.unseen.since - day.start) / seconds if seconds and day.unseen.deployed_s else 0.0,
        passed=day.unseen.deployed_s / seconds if seconds else 0.0,
        watched=day.watched_share,
    )


def column_of_site(part: Part) -> Column:
    """Return a site's column."""
    return Column(
        name=part.site,
        mean=part.mean,
        bounds=bounds_of(part.mean, part.unseen),
        begins=max(0.0, 1.0 - part.weight),
        passed=min(1.0, part.weight),
        watched=part.watched_share,
    )


class _Drawing:
    """Shapes on a ground of `WIDTH` by `HEIGHT`, cut into columns, up to `most`.

    Args:
        columns: How many.
        most: The figure at the upper edge.
    """

    def __init__(self, columns: int, most: float) -> None:
        self.slot = WIDTH / max(columns, 1)
        self._margin = 0.0 if columns > MOST_BARS else self.slot * _MARGIN
        self._most = most or 1.0

    def y(self, figure: float) -> float:
        return HEIGHT * (1 - min(max(figure / self._most, 0.0), 1.0))

    def spans(self, number: int, column: Column) -> tuple[tuple[float, float], tuple[float, float]]:
        """Return from where to where the watched part of a column goes, and the part that was not watched."""
        width = self.slot - 2 * self._margin
        left = self.slot * number + self._margin + width * column.begins
        right = left + width * column.passed
        middle = left + (right - left) * min(column.watched, 1.0)
        return (left, middle), (middle, right)

    def box(self, span: tuple[float, float], low: float, high: float) -> str:
        """Return a rectangle from one figure to another as part of a path; nothing if it is too thin to see."""
        top, bottom = self.y(high), self.y(low)
        width, height = span[1] - span[0], bottom - top
        if min(width, height) < _LEAST_SEEN_PX:
            return ""
        return f"M{span[0]:.2f} {top:.2f}h{width:.2f}v{height:.2f}h{-width:.2f}z"

    def steps(self, levels: Iterable[tuple[tuple[float, float], float]], name: str, *, is_joined: bool = False) -> str:
        """Return a level line over each span.

        Args:
            levels: Spans with their figures, from left to right.
            name: Class of the line.
            is_joined: True for one line over neighbouring spans.
        """
        path, before = "", -math.inf
        for (start, end), level in levels:
            y = self.y(level)
            is_next = is_joined and start - before <= 2 * self._margin + _LEAST_SEEN_PX
            path += f"H{start:.2f}V{y:.2f}" if is_next else f"M{start:.2f} {y:.2f}"
            path += f"H{end:.2f}"
            before = end
        return f'<path class="{name}" d="{path}"/>' if path else ""

    def svg(self, shapes: Iterable[str], *, kind: str, title: str, description: str) -> str:
        look = "" if self._margin else " dense"
        grid = "".join(f'<path class="grid" d="M0 {HEIGHT * each / 4:g}H{WIDTH}"/>' for each in range(1, 4))
        return (
            f'<svg class="{kind}{look}" viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img"'
            f' aria-labelledby="{kind}-title {kind}-text"><title id="{kind}-title">{text(title)}</title>'
            f'<desc id="{kind}-text">{text(description)}</desc>{grid}{"".join(shapes)}</svg>'
        )


def hashrate_top(columns: Sequence[Column]) -> float:
    """Return the hashrate at the upper edge of the upper drawing, H/s: a round one."""
    most = max(
        (max(each.bounds.whole_hs, each.bounds.ceiling_hs, each.mean.operating_hs) for each in columns), default=0.0
    )
    if most <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(most))
    return power * next((step for step in _HASHRATE_STEPS if _HEADROOM * most <= step * power), 12.0)


def loss_top(columns: Sequence[Column]) -> float:
    """Return the share of deployed at the upper edge of the lower drawing: a round one."""
    most = max((_lost(each) for each in columns), default=0.0)
    return next((step for step in _LOSS_STEPS if most <= step), 1.0)


def _lost(column: Column) -> float:
    deployed_hs = column.mean.deployed_hs
    return sum(column.mean.losses_hs.values()) / deployed_hs if deployed_hs else 0.0


def operating(columns: Sequence[Column], *, title: str, description: str, is_over_time: bool) -> str:
    """Return the upper drawing: operating against deployed, with floor, ceiling and the 90 % line.

    Args:
        columns: The columns, in their order.
        title: Its title.
        description: What it shows, in words.
        is_over_time: True if a column follows the one before in time, so that deployed is one line.
    """
    drawing = _Drawing(len(columns), hashrate_top(columns))
    bars: list[str] = []
    hatched: list[str] = []
    whole: list[tuple[tuple[float, float], Bounds]] = []
    for number, column in enumerate(columns):
        watched, unwatched = drawing.spans(number, column)
        bars.append(drawing.box(watched, 0.0, column.mean.operating_hs))
        hatched.append(drawing.box(unwatched, 0.0, column.bounds.whole_hs))
        if column.passed and column.bounds.whole_hs:
            whole.append(((watched[0], unwatched[1]), column.bounds))
    shapes = [
        _path(bars, 'class="operating"'),
        _path(hatched, 'fill="url(#unwatched)"'),
        drawing.steps(((span, each.whole_hs) for span, each in whole), "deployed", is_joined=is_over_time),
        drawing.steps(((span, each.whole_hs * TARGET_RATIO) for span, each in whole), "target", is_joined=is_over_time),
        drawing.steps(((span, each.ceiling_hs) for span, each in whole), "ceiling"),
        drawing.steps(((span, each.floor_hs) for span, each in whole), "floor"),
    ]
    return drawing.svg(shapes, kind="operating-picture", title=title, description=description)


def losses(columns: Sequence[Column], causes: Sequence[Cause], *, title: str, description: str) -> str:
    """Return the lower drawing: losses by cause, stacked, as shares of deployed while it was watched.

    Args:
        columns: The columns, in their order.
        causes: The causes from the bottom up.
        title: Its title.
        description: What it shows, in words.
    """
    top = loss_top(columns)
    drawing = _Drawing(len(columns), top)
    stacked: dict[Cause, list[str]] = {cause: [] for cause in causes}
    hatched: list[str] = []
    for number, column in enumerate(columns):
        watched, unwatched = drawing.spans(number, column)
        for cause, low, high in _stack(column, causes):
            stacked[cause].append(drawing.box(watched, low, high))
        hatched.append(drawing.box(unwatched, 0.0, top))
    shapes = [_path(boxes, f'class="loss" fill="url(#loss-{cause})"') for cause, boxes in stacked.items()]
    shapes.append(_path(hatched, 'fill="url(#unwatched)"'))
    return drawing.svg(shapes, kind="losses-picture", title=title, description=description)


def _stack(column: Column, causes: Sequence[Cause]) -> Iterator[tuple[Cause, float, float]]:
    """Yield each cause with the shares of deployed from which to which it lies."""
    deployed_hs = column.mean.deployed_hs
    low = 0.0
    for cause in causes if deployed_hs else ():
        high = low + column.mean.losses_hs.get(cause, 0.0) / deployed_hs
        yield cause, low, high
        low = high


def _path(boxes: Iterable[str], look: str) -> str:
    """Return boxes of one look as one shape: a browser prints a pattern once for each shape that has it."""
    path = "".join(boxes)
    return f'<path {look} d="{path}"/>' if path else ""


def swatch(look: str) -> str:
    """Return a small sample for the legend: of a class, or of a fill such as ``fill="url(#unwatched)"``."""
    return f'<svg viewBox="0 0 22 12" width="22" height="12" aria-hidden="true" focusable="false">{look}</svg>'
