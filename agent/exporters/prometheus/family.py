"""A metric family of the contract, and the types of its parts."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

Sample = tuple[tuple[str, ...], float | None]
Subject = TypeVar("Subject")


class Kind(StrEnum):
    """What a family is, in OpenMetrics' words."""

    GAUGE = "gauge"
    COUNTER = "counter"
    INFO = "info"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True, kw_only=True)
class Family(Generic[Subject]):
    """One metric.

    Attributes:
        name: As it stands in the text format, with the ``_total`` or ``_info`` that its kind asks for.
        help: For the person who meets the number.
        kind: What it counts as.
        labels: All labels in order, the ones that every family of the same level has first.
        samples: Gives the values of the remaining labels and the number; None for the number gives no series.
    """

    name: str
    help: str
    kind: Kind
    labels: tuple[str, ...]
    samples: Callable[[Subject], Iterable[Sample]]
