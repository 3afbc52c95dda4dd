"""The garbage collector: paused during start and reload, and running again afterwards."""

import gc
from collections.abc import Iterator

import pytest

from agent.runtime import garbage


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    """Restore the garbage collector's settings after each test."""
    thresholds = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)
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
