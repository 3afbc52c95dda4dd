"""Figures of an abuse run: what was done, how often, what was lost, what it cost, and the bound of each."""

from collections.abc import Mapping
from dataclasses import dataclass


class BoundError(ValueError):
    """A bound of the command line names no measure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One measured value and its bound.

    Attributes:
        name: Its name within the figure, as `--bound` takes it.
        value: The measured value.
        most: The highest value that is kept; None for none.
        least: The lowest value that is kept; None for none.
        unit: The unit behind the value, such as ``MB``.
        of: For a loss: out of how many.
        digits: Decimal places shown.
    """

    name: str
    value: float
    most: float | None = None
    least: float | None = None
    unit: str = ""
    of: float | None = None
    digits: int = 0

    @property
    def is_kept(self) -> bool:
        """True if the value is within its bound. Not a number is within none."""
        is_low_enough = self.most is None or self.value <= self.most
        is_high_enough = self.least is None or self.value >= self.least
        return is_low_enough and is_high_enough and self.value == self.value

    def __str__(self) -> str:
        """Return name, value and bound; a loss whose bound is 0 needs no word of it."""
        unit = f" {self.unit}" if self.unit and self.unit != "%" else self.unit
        text = f"{self.name.replace('-', ' ')} {self.value:,.{self.digits}f}"
        text += f" of {self.of:,.0f}" if self.of is not None else ""
        bounds = []
        if self.most is not None and (self.most or not self.is_kept):
            bounds.append(f"at most {self.most:,g}")
        if self.least is not None:
            bounds.append(f"at least {self.least:,g}")
        return text + unit + (f" ({', '.join(bounds)})" if bounds else "")


def lost(name: str, value: float, of: float | None = None, *, most: float = 0) -> Measure:
    """Return the measure of a loss; nothing may be lost unless `most` says so."""
    return Measure(name=name, value=value, most=most, of=of)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of an abuse run.

    Attributes:
        name: ``part.figure``, the name in the table and in `--bound`.
        done: What was done.
        times: How often.
        losses: What could have been lost, and how much was.
        costs: What it cost.
        trouble: Why it was not done, or what went wrong; empty if it was done.
        is_refused: True if this machine does not allow it, so that it says nothing about the agent.
    """

    name: str
    done: str
    times: int = 0
    losses: tuple[Measure, ...] = ()
    costs: tuple[Measure, ...] = ()
    trouble: str = ""
    is_refused: bool = False

    @property
    def verdict(self) -> str:
        """``kept``, ``BROKEN`` or ``NOT DONE``."""
        if self.is_refused:
            return "NOT DONE"
        are_kept = all(measure.is_kept for measure in (*self.losses, *self.costs))
        return "kept" if are_kept and not self.trouble else "BROKEN"

    @property
    def lost(self) -> str:
        """The losses in words."""
        return ", ".join(map(str, self.losses)) or "-"

    @property
    def cost(self) -> str:
        """The costs in words."""
        return ", ".join(map(str, self.costs)) or "-"

    def __str__(self) -> str:
        """Return the figure as one line."""
        line = f"{self.verdict:8} {self.name}: {self.done}, {self.times:,} times"
        if self.trouble:
            return f"{line} | {self.trouble}"
        return f"{line} | lost: {self.lost} | cost: {self.cost}"


def not_done(name: str, done: str, reason: str) -> Figure:
    """Return the line of something that this machine does not allow."""
    return Figure(name=name, done=done, trouble=f"not done: {reason}", is_refused=True)


def rebound(figure: Figure, bounds: Mapping[str, float]) -> Figure:
    """Return a figure with the bounds of the command line, by ``part.figure.measure``: `most`, or else `least`."""

    def changed(measure: Measure) -> Measure:
        bound = bounds.get(f"{figure.name}.{measure.name}")
        if bound is None:
            return measure
        is_least = measure.most is None and measure.least is not None
        return Measure(
            name=measure.name,
            value=measure.value,
            most=None if is_least else bound,
            least=bound if is_least else measure.least,
            unit=measure.unit,
            of=measure.of,
            digits=measure.digits,
        )

    return Figure(
        name=figure.name,
        done=figure.done,
        times=figure.times,
        losses=tuple(map(changed, figure.losses)),
        costs=tuple(map(changed, figure.costs)),
        trouble=figure.trouble,
        is_refused=figure.is_refused,
    )


def read_bounds(texts: list[str]) -> dict[str, float]:
    """Return bounds by name, from ``PART.FIGURE.MEASURE=NUMBER``.

    Raises:
        BoundError: A text has another form.
    """
    bounds = {}
    for text in texts:
        name, _, number = text.partition("=")
        try:
            bounds[name] = float(number)
        except ValueError:
            raise BoundError(f"--bound {text!r} is not PART.FIGURE.MEASURE=NUMBER") from None
        if name.count(".") != 2:
            raise BoundError(f"--bound {text!r} is not PART.FIGURE.MEASURE=NUMBER")
    return bounds


def table(figures: list[Figure]) -> str:
    """Return all figures as a table in Markdown."""
    rows = [("", "figure", "done", "times", "lost", "cost")]
    for each in figures:
        loss, cost = (each.trouble.splitlines()[0], "-") if each.trouble else (each.lost, each.cost)
        rows.append((each.verdict, each.name, each.done, f"{each.times:,}", loss, cost))
    lines = [f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows]
    return "\n".join([lines[0], "|---|---|---|--:|---|---|", *lines[1:]])
