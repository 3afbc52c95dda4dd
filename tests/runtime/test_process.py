"""This process: the garbage collector paused during start and reload, and no core dumps."""

import gc
import subprocess
import sys
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


NO_CORE = """
import ctypes, resource
from agent.runtime.process import forbid_core_dumps
forbid_core_dumps()
PR_GET_DUMPABLE = 3
print(resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(PR_GET_DUMPABLE, 0, 0, 0, 0))
"""


def test_a_crash_leaves_no_core() -> None:
    """Neither a file nor a program that cores are piped to gets the memory, with the passwords in it."""
    ended = subprocess.run([sys.executable, "-c", NO_CORE], capture_output=True, text=True, check=True)
    assert ended.stdout == "(0, 0) 0\n"
