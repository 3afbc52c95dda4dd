"""The agent's lateness in words."""

import pytest
from exporter_cases import AT, entry, reading, status

from agent.errors import UnreachableError
from agent.site.lateness import ON_TIME, Lateness, held
from agent.text.lateness import lateness_text, why_text


@pytest.mark.parametrize(
    ("lateness", "words", "is_too_much"),
    [
        (ON_TIME, None, False),
        (Lateness(0, 300, 0.0, 6e16, 0.0), None, False),
        (
            Lateness(15, 300, 3e15, 6e16, 44.9),
            "15 of 300 units (5.0 % of deployed) not looked at for up to 44 s; they count as they were then",
            False,
        ),
        (
            Lateness(2816, 20000, 3.01e15, 6e16, 130.0),
            "2,816 of 20,000 units (5.0 % of deployed) not looked at for up to 2 min; they count as they were then",
            True,
        ),
        (
            Lateness(1, 1, 2e14, 2e14, 31.0),
            "1 of 1 unit (100.0 % of deployed) not looked at for up to 31 s; they count as they were then",
            True,
        ),
    ],
)
def test_how_much_was_not_looked_at(lateness: Lateness, words: str | None, is_too_much: bool) -> None:  # noqa: FBT001
    """How many units, their share of the nameplate, and for how long; too much is more than a twentieth."""
    assert (lateness_text(lateness), lateness.is_too_much) == (words, is_too_much)


def test_why_a_unit_is_in_its_state() -> None:
    """The reason stands; of an overdue unit it also says since when, if it was ever read."""
    one = status(entry(), reading(hashrate_5s_hs=0.0))
    refused = status(entry(), error=UnreachableError("no", is_refusal=True))
    assert [why_text(each, AT + 200) for each in (one, held(one), refused, held(refused))] == [
        "cause unknown",
        "cause unknown; not looked at for 3 min: this agent is late",
        "connection refused",
        "connection refused; not looked at: this agent is late",
    ]
