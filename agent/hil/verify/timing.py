"""Times of replies in two recordings: a note where one takes clearly longer. It never changes a meaning."""

from collections.abc import Iterator, Sequence
from statistics import quantiles
from typing import Final

from agent.hil.capture.form import Timing, Timings
from agent.hil.verify.differences import Difference, Kind

LONGER: Final = 2.0
LONGER_S: Final = 0.05
"""The scatter of a unit that answers within 30 to 150 ms. Assumed (A06)."""


def differences_of_timings(first: Timings | None, second: Timings | None) -> Iterator[Difference]:
    """Yield the requests whose middle half of reply times lies apart in the two recordings."""
    if first is None or second is None:
        return
    slower = _by_request(second.replies)
    for request, took in _by_request(first.replies).items():
        others = slower.get(request)
        if not others:
            continue
        (low, middle, high), (other_low, other_middle, other_high) = _quartiles(took), _quartiles(others)
        if _is_longer(low, other_high) or _is_longer(other_low, high):
            yield Difference(
                kind=Kind.TIMING,
                path=f"{request}: last byte",
                first=f"median {middle:.3f} s of {len(took)}",
                second=f"median {other_middle:.3f} s of {len(others)}",
                changes_meaning=False,
                why="jitter, load or network; no figure depends on it",
            )


def _is_longer(low: float, high: float) -> bool:
    """Return True if the lower quartile of one lies clearly above the upper one of the other."""
    return low > LONGER * high + LONGER_S


def _by_request(timings: Sequence[Timing]) -> dict[str, list[float]]:
    by_request: dict[str, list[float]] = {}
    for timing in timings:
        if timing.last_byte_s is not None:
            by_request.setdefault(timing.request, []).append(timing.last_byte_s)
    return by_request


def _quartiles(values: list[float]) -> tuple[float, float, float]:
    if len(values) == 1:
        return values[0], values[0], values[0]
    low, middle, high = quantiles(values, n=4, method="inclusive")
    return low, middle, high
