"""Which connectors of a control board have a fan."""

import pytest

from agent.unit.connectors import without_empty
from agent.unit.reading import Places


@pytest.mark.parametrize(
    ("connectors", "fans", "turned", "expected"),
    [
        ((5340, 4620, 0, 0), 2, set(), (5340, 4620)),
        ((5340, 0, 0, 0), 2, set(), (5340, 0)),
        ((0, 5340, 0, 0), 2, {0, 1}, (0, 5340)),
        ((0, 0, 0, 0, 5400, 5880, 0, 0), 2, set(), (5400, 5880)),
        ((3226, 3315, 0, 3255), 4, set(), (3226, 3315, 0, 3255)),
        ((3226, 3315, None, None), 2, set(), (3226, 3315)),
        ((3226, 3315), 4, set(), (3226, 3315)),
        ((5340, 4620, 0, 0), None, set(), (5340, 4620, None, None)),
        ((5340, 0, 0, 0), None, {0, 1}, (5340, 0, None, None)),
        ((0, 0, 0, 0), 0, set(), ()),
        ((0, 0), None, set(), ()),
        ((), 4, set(), ()),
    ],
)
def test_a_connector_without_a_fan_is_no_stopped_fan(
    connectors: Places, fans: int | None, turned: set[int], expected: Places
) -> None:
    """The number of fans tells them apart; without it only what has turned before is a fan."""
    assert without_empty(connectors, fans, frozenset(turned)) == expected
