"""The garbage collector: paused during start and reload; cycles of any age are found; no step walks a large heap."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from agent.runtime import garbage


class Link:
    """One end of a cycle."""

    def __init__(self) -> None:
        self.other: Link | None = None


def cycle() -> "weakref.ref[Link]":
    """Return a reference to a cycle that nothing else holds."""
    one, other = Link(), Link()
    one.other, other.other = other, one
    return weakref.ref(one)


@pytest.fixture(autouse=True)
def _own_collector() -> Iterator[None]:
    """Run each test with everything older frozen, and no collection but its own."""
    thresholds = gc.get_threshold()
    # A start that was refused in this process leaves the collector off.
    gc.enable()
    gc.collect()
    gc.freeze()
    gc.set_threshold(0)
    yield
    gc.set_threshold(*thresholds)
    gc.unfreeze()
    gc.enable()


def test_a_young_cycle_goes_with_the_next_look() -> None:
    """A cycle that nothing holds is gone after one look."""
    left = cycle()
    garbage.Collector().look()
    assert left() is None


@pytest.mark.parametrize(("age", "looks"), [(1, garbage.MIDDLE_EVERY), (2, garbage.OLD_EVERY)])
def test_a_cycle_that_grew_old_is_found_as_well(age: int, looks: int) -> None:
    """A cycle that was let go only in an older generation is gone once that generation had its turn."""
    one, other = Link(), Link()
    one.other, other.other = other, one
    for generation in range(age):
        gc.collect(generation)
    left = weakref.ref(one)
    del one, other
    collector = garbage.Collector()
    for _ in range(looks - 1):
        collector.look()
    assert left() is not None
    collector.look()
    assert left() is None


def test_a_large_generation_is_frozen_and_not_walked() -> None:
    """With more objects than one step may walk, the step freezes them; each is still freed with its last reference."""
    many = [Link() for _ in range(garbage.MOST_OBJECTS + 1)]
    gc.collect(0)
    first = weakref.ref(many[0])
    before = gc.get_freeze_count()
    collector = garbage.Collector()
    for _ in range(garbage.MIDDLE_EVERY):
        collector.look()
    assert gc.get_freeze_count() - before >= garbage.MOST_OBJECTS
    many.clear()
    assert first() is None


def test_while_switched_off_nothing_is_collected() -> None:
    """A look does nothing while the collector is paused, as at a start."""
    left = cycle()
    gc.disable()
    try:
        garbage.Collector().look()
        assert left() is not None
    finally:
        gc.enable()


def test_a_start_pauses_the_collector_until_it_is_settled() -> None:
    """After the start, existing objects are frozen and collections run at the rarer thresholds."""
    garbage.pause()
    assert not gc.isenabled()
    garbage.settle()
    assert gc.isenabled()
    assert gc.get_threshold() == garbage.THRESHOLDS
    assert gc.get_freeze_count() > 0


def test_the_collector_works_again_after_a_refused_reload() -> None:
    """An error inside the pause enables the collector again and freezes the block's objects."""
    gc.unfreeze()
    with pytest.raises(ValueError, match="refused"):
        _refused()
    assert gc.isenabled()
    assert gc.get_freeze_count() > 0


def _refused() -> None:
    with garbage.paused():
        assert not gc.isenabled()
        raise ValueError("refused")
