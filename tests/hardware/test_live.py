"""Real units, named with ``--units``: read-only, check by check. `make hil UNITS=10.20.0.11,10.20.0.12` runs this."""

import pytest
from hardware_targets import NAMES

from agent.address import Endpoint
from agent.hil.verify.verdict import Outcome, Verdict


@pytest.mark.parametrize("check", NAMES)
def test_a_unit_does_what_the_agent_rests_on(
    endpoint: Endpoint, check: str, recorded: dict[Endpoint, dict[str, Verdict]]
) -> None:
    """The check holds; one that this unit cannot answer is skipped, with the reason."""
    verdict = recorded[endpoint][check]
    if verdict.outcome is Outcome.UNANSWERED:
        pytest.skip(verdict.why)
    assert [str(finding) for finding in verdict.findings] == []
