"""Places in words and in the order in which people walk."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.site.ledger.entries import Place
from agent.text.natural import natural_key
from agent.text.places import NO_PLACE, place_key, place_text


@pytest.mark.parametrize(
    ("place", "words"),
    [
        (Place(container="C3", rack="R05", slot="12"), "C3, rack R05, slot 12"),
        (Place(rack="R05"), "rack R05"),
        (Place(container="C3", rack="C3-R05", slot="12"), "C3, rack R05, slot 12"),
        (Place(container="C3", rack="C30-R05"), "C3, rack C30-R05"),
        (Place(container="C3", rack="C3"), "C3, rack C3"),
        (Place(container="C3", rack="C3-"), "C3, rack C3-"),
        (Place(), NO_PLACE),
    ],
)
def test_a_place_in_words(place: Place, words: str) -> None:
    """Only what is named is said."""
    assert place_text(place) == words


def test_names_sort_as_people_do() -> None:
    """Numbers inside names count as numbers, and case does not count."""
    names = ["R10", "r2", "R2b", "R1", "10", "9", "R", ""]
    assert sorted(names, key=natural_key) == ["", "9", "10", "R", "R1", "r2", "R2b", "R10"]


def test_slots_come_in_order_within_their_rack() -> None:
    """Container first, then rack, then slot."""
    places = [
        Place(container="C2", rack="R1", slot="10"),
        Place(container="C2", rack="R1", slot="9"),
        Place(container="C1"),
    ]
    assert [place.slot for place in sorted(places, key=place_key)] == ["", "9", "10"]


@given(st.lists(st.text()))
def test_any_names_can_be_sorted(names: list[str]) -> None:
    """No two names refuse to be compared."""
    assert len(sorted(names, key=natural_key)) == len(names)
