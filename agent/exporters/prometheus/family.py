"""A metric family of the contract, and the types of its parts."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

Sample = tuple[tuple[str, ...], float | None]
Subject = TypeVar("Subject")


class Kind(StrEnum):
    """The type of a metric, in OpenMetrics' words."""

    GAUGE = "gauge"
    COUNTER = "counter"
    INFO = "info"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True, kw_only=True)
class Family(Generic[Subject]):
    """One metric.

    Attributes:
        name: As in the text format, with the ``_total`` or ``_info`` that its kind requires.
        help: One sentence for a reader of the number.
        kind: Its type.
        labels: All labels in order; those that every family of the same level has come first.
        samples: Returns the values of the remaining labels with each number; a number of None gives no series.
    """

    name: str
    help: str
    kind: Kind
    labels: tuple[str, ...]
    samples: Callable[[Subject], Iterable[Sample]]
