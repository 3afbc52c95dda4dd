"""What is told of declared events: each thing once, in every order of looks, and over a restart."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.site.curtailment.events import Event, Scope
from agent.site.curtailment.occurrences import FORGOTTEN_S, Happening, OccurrenceBook, Told

AT = 1_000_000.0
EVENT = Event(id="dr-1", start=AT + 100.0, end=AT + 1000.0, target_ratio=0.0, scope=Scope(), source="grid")
WINDOW = replace(EVENT, id="schedule:peak:2026-01-01", source="schedule")
CALLED_OFF = replace(EVENT, end=AT + 50.0, is_stopped=True)
STOPPED = replace(EVENT, end=AT + 500.0, is_stopped=True, is_started=True)
LONGER = replace(EVENT, end=AT + 2000.0)

DECLARED, CHANGED, WITHDRAWN, ENDED = Happening


@pytest.mark.parametrize(
    ("looks", "told"),
    [
        pytest.param([(0.0, EVENT), (200.0, EVENT), (1000.0, EVENT)], [DECLARED, ENDED], id="ordered"),
        pytest.param([(0.0, EVENT), (50.0, CALLED_OFF), (60.0, CALLED_OFF)], [DECLARED, WITHDRAWN], id="called off"),
        pytest.param([(0.0, EVENT), (500.0, STOPPED), (999.0, STOPPED)], [DECLARED, ENDED], id="stopped"),
        pytest.param([(0.0, EVENT), (200.0, LONGER), (300.0, LONGER)], [DECLARED, CHANGED], id="extended"),
        pytest.param([(0.0, EVENT), (1000.0, LONGER), (2000.0, LONGER)], [DECLARED, CHANGED, ENDED], id="in time"),
        pytest.param([(5000.0, EVENT)], [DECLARED, ENDED], id="first seen after its end"),
        pytest.param([(2000.0 + FORGOTTEN_S, EVENT)], [], id="over for a week when first seen"),
        pytest.param([(0.0, WINDOW), (99.0, WINDOW)], [], id="a window that has not begun"),
        pytest.param([(100.0, WINDOW), (1000.0, WINDOW), (1001.0, WINDOW)], [DECLARED, ENDED], id="a window"),
        pytest.param([(1000.0, WINDOW)], [], id="a window that was over before the first look"),
    ],
)
def test_what_is_told(looks: list[tuple[float, Event]], told: list[Happening]) -> None:
    """Each thing is told by the first look that can see it, and not again."""
    book = OccurrenceBook({})
    found = [each.happening for after_s, event in looks for each in book.look([event], AT + after_s)]
    assert found == told


@pytest.mark.parametrize(
    ("before", "event", "told"),
    [
        (Told(DECLARED, EVENT.start, EVENT.end), EVENT, []),
        (Told(DECLARED, EVENT.start, None), EVENT, [CHANGED]),
        (Told(DECLARED, STOPPED.start, EVENT.end), STOPPED, [ENDED]),
        (Told(ENDED, STOPPED.start, STOPPED.end), STOPPED, []),
        (Told(WITHDRAWN, EVENT.start, CALLED_OFF.end), CALLED_OFF, []),
    ],
)
def test_a_restart_goes_on(before: Told, event: Event, told: list[Happening]) -> None:
    """What an earlier process told is not told again, and what happened meanwhile is."""
    book = OccurrenceBook({"dr-1": before})
    assert [each.happening for each in book.look([event], AT + 600.0)] == told


@given(st.lists(st.tuples(st.floats(0, 3000), st.sampled_from([EVENT, LONGER, STOPPED, CALLED_OFF])), max_size=12))
def test_an_end_is_told_once(looks: list[tuple[float, Event]]) -> None:
    """However looks and changes come, declared is first, one end is last, and nothing follows it."""
    book = OccurrenceBook({})
    found = [
        each.happening
        for after_s, event in sorted(looks, key=lambda look: look[0])
        for each in book.look([event], AT + after_s)
    ]
    assert found[:1] in ([], [DECLARED])
    assert found.count(DECLARED) <= 1
    ends = [place for place, each in enumerate(found) if each in {ENDED, WITHDRAWN}]
    assert ends in ([], [len(found) - 1])


def test_events_that_are_gone_are_forgotten() -> None:
    """Ids of the schedule name their day; those that ended leave with their event, so nothing piles up."""
    book = OccurrenceBook({})
    for day in range(50):
        event = replace(WINDOW, id=f"schedule:peak:{day}")
        book.look([event], AT + 200.0)
        book.look([event], AT + 1000.0)
    assert len(book._told) <= 1
