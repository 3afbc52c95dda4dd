"""Power of a profile: an estimate only while the unit runs that profile."""

import pytest

from agent.unit.consistency.watts import profile_watts


@pytest.mark.parametrize(
    ("rate", "profile_rate", "expected"),
    [
        (200.0, 200.0, 3500.0),
        (174.0, 196.5, 3500.0),
        (150.0, 200.0, 3500.0),
        (149.9, 200.0, None),
        (0.0, 200.0, None),
        (None, 200.0, None),
        (0.0, None, None),
        (10.0, None, 3500.0),
        (10.0, 0.0, 3500.0),
    ],
)
def test_below_three_quarters_of_the_profile_it_says_nothing(
    rate: float | None, profile_rate: float | None, expected: float | None
) -> None:
    """A unit that tunes close to its profile keeps it; where the profile's rate is not known, so does any."""
    assert profile_watts(3500.0, rate, profile_rate) == expected
    assert profile_watts(None, rate, profile_rate) is None
