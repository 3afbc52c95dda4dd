"""Changes of state as log lines."""

import msgspec
import structlog
from exporter_cases import entry, reading, status

from agent.errors import UnreachableError
from agent.runtime.change_log import MOST_A_UNIT, ChangeLog
from agent.runtime.naming import LINES_AN_INTERVAL, WINDOW_S
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


def test_a_unit_s_first_look_follows_no_state() -> None:
    """Before the first poll nothing is known of a unit: the line says so, and not that it was unreachable."""
    log = ChangeLog()
    with structlog.testing.capture_logs() as lines:
        for number in range(LINES_AN_INTERVAL + 3):
            log.add(status(entry(f"u{number}"), reading(f"u{number}")), None)
        log.close_interval()
    assert {line["before"] for line in lines} == {"not polled yet"}
    assert (lines[0]["event"], lines[-1]["event"], lines[-1]["units"]) == ("unit hashing", "units changed", 3)


def test_units_that_change_all_the_time_leave_lines_to_others() -> None:
    """Thirty units flap in each interval: each is named a few times in ten minutes; a sound one that fails is named."""
    log = ChangeLog()
    named = []
    for number in range(2 * MOST_A_UNIT):
        for unit_id in (f"flaps{unit}" for unit in range(30)):
            flapped = msgspec.structs.replace(status(entry(unit_id), reading(unit_id)), since=1e9 + number)
            with structlog.testing.capture_logs() as lines:
                log.add(flapped, UnitState.STARTING)
            named += [line["unit"] for line in lines]
        with structlog.testing.capture_logs() as lines:
            log.close_interval()
        assert sum(line["units"] for line in lines) >= 10
    assert all(named.count(f"flaps{unit}") <= MOST_A_UNIT for unit in range(30))
    assert len(named) < 2 * MOST_A_UNIT * LINES_AN_INTERVAL
    late = msgspec.structs.replace(status(entry("flaps0"), reading("flaps0")), since=1e9 + WINDOW_S)
    with structlog.testing.capture_logs() as lines:
        log.add(status(entry("sound"), error=UnreachableError("no answer")), UnitState.HASHING)
        log.add(late, UnitState.STARTING)
    assert [line["unit"] for line in lines] == ["sound", "flaps0"]
