"""Who publishes: taken over within two intervals, given back, and never because this agent itself stood still."""

from collections.abc import Callable, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.standby.lease import LOOKS_AN_INTERVAL, PATIENCE_RATIO, Lease

INTERVAL_S = 10.0
LOOK_S = INTERVAL_S / LOOKS_AN_INTERVAL


class Timeline:
    """A lease on a clock of its own, looked at as a standby does.

    Args:
        answers: Returns what the primary answers at a time: True with figures, False without, None for silence.
        figures: Returns True if figures of the primary arrive at the broker at a time.
    """

    def __init__(
        self, answers: Callable[[float], bool | None], figures: Callable[[float], bool] = lambda _: False
    ) -> None:
        self.lease = Lease(interval_s=INTERVAL_S, clock_s=0.0)
        self.now = 0.0
        self.changes: list[tuple[float, bool]] = []
        self._answers, self._figures = answers, figures

    def run(self, until_s: float) -> "Timeline":
        """Look each quarter of an interval until then."""
        while self.now < until_s:
            self.now += LOOK_S
            answer = self._answers(self.now)
            if answer is not None:
                self.lease.hear_answer(self.now, has_figures=answer)
            if self._figures(self.now):
                self.lease.hear_figures(self.now)
            if self.lease.look(self.now):
                self.changes.append((self.now, self.lease.is_active))
        return self


def dead_from(start_s: float, end_s: float = float("inf")) -> Callable[[float], bool | None]:
    """Return answers of a primary that is gone in [start, end), and then has figures."""
    return lambda now: None if start_s <= now < end_s else True


def test_a_living_primary_keeps_the_lease() -> None:
    """Nothing changes while it answers, with figures or without."""
    assert Timeline(lambda _: True).run(1000).changes == []
    assert Timeline(lambda _: False).run(1000).changes == []


@pytest.mark.parametrize("killed_s", [40.0, 41.0, 42.4, 42.6, 49.9])
def test_it_takes_over_within_two_intervals(killed_s: float) -> None:
    """Whenever between two looks the primary dies."""
    ((at, is_active),) = Timeline(dead_from(killed_s)).run(200).changes
    assert is_active
    assert PATIENCE_RATIO * INTERVAL_S - LOOK_S <= at - killed_s < 2 * INTERVAL_S


def test_it_gives_back_after_two_answers_with_figures() -> None:
    """One answer is no return: a primary may be on its way down again."""
    timeline = Timeline(dead_from(40.0, 120.0)).run(300)
    assert timeline.changes == [(52.5, True), (122.5, False)]


def test_a_primary_without_figures_gets_nothing_back() -> None:
    """While it is in its first round the standby goes on."""
    back = Timeline(lambda now: None if 40 <= now < 120 else now < 40 or now >= 150).run(300)
    assert back.changes == [(52.5, True), (152.5, False)]


def test_a_primary_that_comes_and_goes_is_not_followed() -> None:
    """An answer with figures now and then, and one without in between, leave the lease where it is."""
    flapping = Timeline(lambda now: None if 40 <= now < 80 else (now // LOOK_S) % 2 == 0).run(300)
    assert flapping.changes == [(52.5, True)]


def test_a_cut_between_the_two_alone_is_no_takeover() -> None:
    """The primary's figures arrive at the broker each interval: it is there, though it does not answer."""
    timeline = Timeline(dead_from(40.0), figures=lambda now: now % INTERVAL_S == 0).run(500)
    assert timeline.changes == []


def test_figures_at_the_broker_end_a_takeover_too() -> None:
    """Both paths were cut, and the broker's comes back first: the primary publishes, so the standby must not."""
    timeline = Timeline(dead_from(40.0), figures=lambda now: now >= 100 and now % INTERVAL_S == 0).run(300)
    assert timeline.changes == [(52.5, True), (110.0, False)]


def test_a_standby_that_stood_still_listens_first() -> None:
    """Suspended for an hour: the silence was its own, and the primary gets its whole patience."""
    lease = Lease(interval_s=INTERVAL_S, clock_s=0.0)
    lease.hear_answer(2.5, has_figures=True)
    assert not lease.look(2.5)
    assert not lease.look(3600.0)
    lease.hear_answer(3602.5, has_figures=True)
    assert not lease.look(3602.5)
    dead = Lease(interval_s=INTERVAL_S, clock_s=0.0)
    assert not dead.look(3600.0)
    assert not dead.look(3612.5)
    assert dead.look(3615.0)
    assert dead.is_active


def test_a_start_listens_first() -> None:
    """Both agents start together after a power cut: the standby waits its patience before it takes over."""
    slow = Timeline(lambda now: None if now < 12 else False).run(60)
    assert slow.changes == []


@given(
    st.lists(st.sampled_from(["figures", "none", "silence"]), min_size=1, max_size=80),
    st.sampled_from([0.1, 2.5, 7.0]),
)
def test_it_is_active_only_after_silence(answers: Iterable[str], step_s: float) -> None:
    """Whatever is heard: it becomes active only after its patience, and passive only after two signs."""
    lease, now, heard, signs = Lease(interval_s=INTERVAL_S, clock_s=0.0), 0.0, 0.0, 0
    for answer in answers:
        now += step_s
        if answer != "silence":
            lease.hear_answer(now, has_figures=answer == "figures")
            heard, signs = now, signs + 1 if answer == "figures" else 0
        if lease.look(now):
            if lease.is_active:
                assert now - heard >= lease.patience_s
            else:
                assert signs >= 2
            signs = 0
