"""What a process does to itself: the cyclic collector rests while much is made, and works again afterwards."""

import gc
from collections.abc import Iterator

import pytest

from agent.runtime import garbage


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    """Leave the collector as it was."""
    thresholds = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)
    gc.enable()


def test_a_start_pauses_the_collector_until_it_is_settled() -> None:
    """Nothing is collected in between; then it looks at what comes, seldom, and leaves alone what is there."""
    garbage.pause()
    assert not gc.isenabled()
    garbage.settle()
    assert gc.isenabled()
    assert gc.get_threshold() == garbage.THRESHOLDS
    assert gc.get_freeze_count() > 0


def test_the_collector_works_again_after_a_refused_reload() -> None:
    """Whatever comes of the block, and what was made in it is left alone."""
    gc.unfreeze()
    with pytest.raises(ValueError, match="refused"):
        _refused()
    assert gc.isenabled()
    assert gc.get_freeze_count() > 0


def _refused() -> None:
    with garbage.paused():
        assert not gc.isenabled()
        raise ValueError("refused")
