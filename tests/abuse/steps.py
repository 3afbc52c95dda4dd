"""One step of an abuse run: what it measures, and how long it may take."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from figures import Figure
from sites import Run


class Step(NamedTuple):
    """One line of the run, or several that share a site.

    Attributes:
        name: ``part.figure``.
        done: What it does, in a few words.
        measure: Does it.
        most_s: Time that it may take at full length, s.
        several: The names of its figures, if it makes several; then `name` is their part.
    """

    name: str
    done: str
    measure: Callable[[Run], Awaitable[Figure | list[Figure]]]
    most_s: float = 120.0
    several: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its figures."""
        return self.several or (self.name,)


class RefusedHereError(Exception):
    """This machine does not allow what a step needs."""
