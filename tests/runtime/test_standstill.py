"""Standstills of the process, as two clocks show them."""

import time

import pytest

from agent.runtime.standstill import Clocks, Standstill, read_clocks


@pytest.mark.parametrize(
    ("monotonic_s", "boot_s", "stood_s"),
    [
        (0.25, 0.25, 0.0),
        (30.0, 30.0, 0.0),
        # A stopped process: both clocks went on.
        (120.0, 120.0, 120.0),
        # A suspended machine: the monotonic clock stood still.
        (0.25, 120.0, 120.0),
    ],
)
def test_a_standstill_is_seen_by_either_clock(monotonic_s: float, boot_s: float, stood_s: float) -> None:
    """Longer than readings may be believed, by the clock that went on; it is noticed once."""
    moment = Clocks(1000.0, 5000.0)
    standstill = Standstill(longest_s=lambda: 30.0, clocks=lambda: moment)
    standstill.begin()
    moment = Clocks(1000.0 + monotonic_s, 5000.0 + boot_s)
    assert [standstill.look(), standstill.look()] == [stood_s, 0.0]


def test_nothing_is_noticed_before_the_beginning() -> None:
    """A single round over a large site may take longer than readings are believed, with nobody looking meanwhile."""
    moment = Clocks(0.0, 0.0)
    standstill = Standstill(longest_s=lambda: 30.0, clocks=lambda: moment)
    moment = Clocks(500.0, 500.0)
    assert standstill.look() == 0.0


def test_a_wall_clock_that_is_set_is_no_standstill(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wall clock jumps by a year, forward and back: the clocks that are read do not."""
    standstill = Standstill(longest_s=lambda: 30.0)
    standstill.begin()
    wall = time.time
    for jump_s in (3e7, -3e7):
        monkeypatch.setattr(time, "time", lambda jump_s=jump_s: wall() + jump_s)
        assert standstill.look() == 0.0


def test_a_system_without_a_boot_clock_has_one_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without CLOCK_BOOTTIME, the monotonic clock stands for both."""
    monkeypatch.delattr(time, "CLOCK_BOOTTIME")
    clocks = read_clocks()
    assert clocks.monotonic_s == clocks.boot_s
