"""Changes of state as log lines."""

import structlog
from exporter_cases import entry, reading, status

from agent.errors import UnreachableError
from agent.runtime.change_log import ChangeLog
from agent.site.status import UnitState


def test_a_change_says_why_and_what_to_check_first() -> None:
    """The line of a unit that went silent has its reason from the closed list, and the advice that goes with it."""
    silent = status(entry("u1"), error=UnreachableError("no answer"))
    with structlog.testing.capture_logs() as lines:
        ChangeLog().add(silent, UnitState.HASHING)
    (line,) = lines
    assert (line["event"], line["reason"], line["why"]) == ("unit unreachable", "no_answer", "no answer")
    assert line["check_first"] == "power, then the network cable and the switch"


def test_a_healthy_unit_has_nothing_to_check() -> None:
    """A unit that hashes again is one line without advice."""
    with structlog.testing.capture_logs() as lines:
        ChangeLog().add(status(entry("u1"), reading("u1")), UnitState.STOPPED)
    assert [(line["event"], line["check_first"]) for line in lines] == [("unit hashing", None)]
