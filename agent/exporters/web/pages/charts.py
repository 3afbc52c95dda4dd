"""Charts as SVG, drawn on the server. A gap is a gap: no line goes through a moment without a figure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 720, 160

Points = Sequence[tuple[float, float | None]]
"""Moments, s, and figures; None where there is none. Evenly spaced, oldest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Where moments and figures stand in a chart.

    Attributes:
        first, last: Moments at the left and right edges, s.
        low, high: Figures at the bottom and the top.
        step_s: Distance of two points, s; further apart they are not joined.
    """

    first: float
    last: float
    low: float
    high: float
    step_s: float

    def x(self, at: float) -> float:
        """Return the place of a moment."""
        return (at - self.first) / (self.last - self.first) * WIDTH

    def moments(self, count: int) -> list[float]:
        """Return so many evenly spaced moments from edge to edge, s."""
        return [self.first + (self.last - self.first) * index / (count - 1) for index in range(count)]

    def y(self, figure: float) -> float:
        """Return the place of a figure; one beyond the scale stands at its edge."""
        share = (figure - self.low) / (self.high - self.low)
        return (1 - min(max(share, 0.0), 1.0)) * HEIGHT


def runs(points: Points, step_s: float) -> list[list[tuple[float, float]]]:
    """Return the points in runs without a gap."""
    found: list[list[tuple[float, float]]] = []
    before: float | None = None
    for at, figure in points:
        if figure is None:
            before = None
            continue
        if before is None or at - before > 1.5 * step_s:
            found.append([])
        found[-1].append((at, figure))
        before = at
    return found


def line(points: Points, scale: Scale, name: str) -> str:
    """Return a line through points, with a dot for one that stands alone."""
    drawn = []
    for run in runs(points, scale.step_s):
        places = [f"{scale.x(at):.0f} {scale.y(figure):.0f}" for at, figure in run]
        # A point alone would have no length and not be seen.
        drawn.append(f"M{places[0]}h1" if len(places) == 1 else f"M{'L'.join(_thinned(places))}")
    return f'<path class="line {name}" d="{"".join(drawn)}"/>' if drawn else ""


def area(lower: Points, upper: Points, scale: Scale, shape: str) -> str:
    """Return the area between two lines that have the same points.

    Args:
        lower: The line below.
        upper: The line above; where one has no figure, neither has.
        scale: The scale.
        shape: Attributes of the path.
    """
    under = dict(lower)
    drawn = []
    for run in runs(upper, scale.step_s):
        top = [f"{scale.x(at):.0f} {scale.y(figure):.0f}" for at, figure in run]
        bottom = [f"{scale.x(at):.0f} {scale.y(under[at] or 0.0):.0f}" for at, _ in reversed(run)]
        drawn.append(f"M{'L'.join([*_thinned(top), *_thinned(bottom)])}z")
    return f'<path {shape} d="{"".join(drawn)}"/>' if drawn else ""


def _thinned(places: Sequence[str]) -> list[str]:
    """Return places without those inside a level stretch."""
    kept = []
    for index, place in enumerate(places):
        level = place.partition(" ")[2]
        if 0 < index < len(places) - 1 and (
            level == places[index - 1].partition(" ")[2] == places[index + 1].partition(" ")[2]
        ):
            continue
        kept.append(place)
    return kept


def mark(figure: float, scale: Scale, name: str) -> str:
    """Return a level line across the chart."""
    y = f"{scale.y(figure):.0f}"
    return f'<path class="level {name}" d="M0 {y}H{WIDTH}"/>'


def chart(parts: Iterable[str], scale: Scale, *, words: str, high: str, low: str, moments: Sequence[str]) -> str:
    """Return a chart with its scale.

    Args:
        parts: Its shapes.
        scale: Their scale.
        words: What it shows, in words: all that a screen reader says of it.
        high: The figure at the top.
        low: The figure at the bottom.
        moments: Evenly spaced moments from the left edge to the right one.
    """
    drawn = "".join(f'<path class="tick" d="M{scale.x(at):.0f} 0V{HEIGHT}"/>' for at in scale.moments(len(moments)))
    labels = "".join(f"<span>{escape(moment)}</span>" for moment in moments)
    return (
        f'<div class="plot"><span aria-hidden="true">{escape(low)} to {escape(high)}</span>'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img" aria-label="{escape(words)}">'
        f"{drawn}{''.join(parts)}</svg>"
        f'<div class="ticks" aria-hidden="true">{labels}</div></div>'
    )


def gaps_text(points: Points) -> str:
    """Return how many gaps lie between figures: ``, 2 gaps``; empty without any."""
    gaps = max(len(runs(points, float("inf"))) - 1, 0)
    return f", {gaps} gap{'s' if gaps > 1 else ''}" if gaps else ""
