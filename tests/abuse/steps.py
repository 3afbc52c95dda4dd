"""One step of an abuse run: what it measures, and how long it may take."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from figures import Figure
from sites import Run


class Step(NamedTuple):
    """One line of the run.

    Attributes:
        name: ``part.figure``.
        done: What it does, in a few words.
        measure: Does it.
        most_s: Time that it may take at full length, s.
    """

    name: str
    done: str
    measure: Callable[[Run], Awaitable[Figure]]
    most_s: float = 120.0


class RefusedHereError(Exception):
    """This machine does not allow what a step needs."""
