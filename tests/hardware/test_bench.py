"""The bench is tested too: a fault breaks exactly the checks that are about it; each check is broken by something.

A fault that is honest breaks none: a unit with a dead board still tells the truth.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
from hardware_targets import FEW_POLLS, NAMES, SETTLED_S, broken
from observed_units import afflicted, observed
from sim_cases import START, make_unit

from agent.hil.capture.form import Capture, Timing
from agent.hil.verify.verdict import Finding
from simulators.faults.vocabulary import FAULTS, read_fault

UNREACHED = ("replies_arrive_whole", "polls_are_answered")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A fault of the vocabulary, and the checks that it must break.

    Attributes:
        name: In the vocabulary.
        breaks: Exactly these.
        values: Its attributes, if not the defaults.
        after_s: How long it has lasted when the unit is looked at.
        build: The unit's firmware build.
    """

    name: str
    breaks: tuple[str, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    after_s: float = 5.0
    build: str = "s21-202410"

    def __str__(self) -> str:
        return "-".join((self.name, *(f"{key}={value}" for key, value in self.values.items())))


TABLE = (
    # Of the unit. What it says is true, so nothing breaks but what it no longer does.
    Fault(name="power_off", breaks=UNREACHED),
    Fault(name="asleep", after_s=SETTLED_S),
    Fault(name="dead_board"),
    Fault(name="dead_board", values={"board": 2, "is_listed": False}),
    Fault(name="missing_chips"),
    Fault(name="bad_chips"),
    Fault(name="no_boards", after_s=SETTLED_S),
    Fault(name="overheat", after_s=SETTLED_S),
    Fault(name="fan_stopped", after_s=SETTLED_S),
    Fault(name="hashrate_drift"),
    Fault(name="frozen", breaks=("uptime_advances",)),
    Fault(name="rebooting", breaks=UNREACHED),
    Fault(name="rebooting", after_s=SETTLED_S),
    Fault(name="restart_loop", breaks=UNREACHED),
    Fault(name="psu_trip", breaks=UNREACHED),
    Fault(name="pool_dead"),
    Fault(name="pool_dead", values={"pools": 2}, after_s=SETTLED_S),
    Fault(name="work_diverted", after_s=SETTLED_S, breaks=("pools_sum_to_the_shares",)),
    Fault(name="fee_turn", after_s=SETTLED_S, breaks=("pools_sum_to_the_shares",)),
    Fault(name="pool_hijacked", after_s=SETTLED_S),
    Fault(name="pool_hijacked", values={"restarts": False}, after_s=SETTLED_S, breaks=("pools_sum_to_the_shares",)),
    Fault(name="firmware_changed", after_s=SETTLED_S),
    # Of the wire.
    Fault(name="down", breaks=UNREACHED),
    Fault(name="latency"),
    Fault(name="latency", values={"wait_s": 6.0}, breaks=("replies_are_prompt",)),
    Fault(name="timeout", breaks=UNREACHED),
    Fault(name="reset_peer", breaks=UNREACHED),
    Fault(name="reset_peer", values={"after_bytes": 100}, breaks=("replies_arrive_whole",)),
    Fault(name="slicer"),
    Fault(name="slicer", values={"gap_s": 0.5}, breaks=("replies_are_prompt",)),
    Fault(name="limit_data", breaks=("replies_arrive_whole",)),
    Fault(name="slow_close", breaks=("the_unit_closes",)),
    Fault(name="bandwidth"),
    Fault(name="bandwidth", values={"bytes_per_s": 200.0}, breaks=("replies_are_prompt",)),
    # Of the text of a reply.
    Fault(name="truncated_json", breaks=("replies_are_json",)),
    Fault(name="missing_nul", breaks=("one_nul_ends_a_reply",)),
    Fault(name="trailing_comma", breaks=("replies_are_json",)),
    Fault(name="joined_objects", breaks=("replies_are_json",)),
    Fault(name="access_denied", breaks=("reports_are_not_refused", "unknown_commands_are_refused")),
    Fault(name="refuses", breaks=("reports_are_not_refused",)),
    Fault(name="not_json", breaks=("replies_are_json",)),
    Fault(name="huge_reply", values={"size_bytes": 200_000}, breaks=("replies_are_small",)),
    Fault(name="large_reply", breaks=("replies_are_small",)),
    Fault(name="brackets", values={"size_bytes": 100_000}, breaks=("replies_are_small",)),
    Fault(name="nans", values={"size_bytes": 100_000}, breaks=("replies_are_small",)),
    Fault(name="commas", values={"size_bytes": 100_000}, breaks=("replies_are_small",)),
    Fault(name="stalls_in_reply", breaks=(*UNREACHED, "replies_are_small")),
    Fault(name="stalls_in_reply", values={"size_bytes": 4000}, breaks=UNREACHED),
    Fault(name="nan_values", breaks=("replies_are_json", "rates_are_told")),
    Fault(name="firmware_each_reply", breaks=("replies_agree_on_identity",)),
    # Of its figures.
    Fault(name="zero_watts", breaks=("power_fits_the_rate",)),
    Fault(name="says_asleep", breaks=("mode_fits_the_rate",)),
    Fault(name="rate_lag"),
    Fault(name="rate_spike", breaks=("boards_sum_to_the_rate", "rate_is_within_the_ideal")),
    Fault(name="rate_spike", values={"are_boards_too": True}, breaks=("rate_is_within_the_ideal",)),
    Fault(
        name="rate_spike",
        values={"are_boards_too": True, "is_longer_too": True},
        breaks=("rate_is_within_the_ideal", "work_fits_the_average"),
    ),
    Fault(name="over_reports", breaks=("work_fits_the_average",)),
    Fault(name="late_shares"),
    Fault(name="total_zero", breaks=("boards_sum_to_the_rate",)),
    Fault(
        name="total_zero", values={"is_longer_too": True}, breaks=("boards_sum_to_the_rate", "work_fits_the_average")
    ),
    Fault(name="board_unit", breaks=("boards_sum_to_the_rate", "ideal_is_chips_times_clock")),
    Fault(name="sensor_stuck", breaks=("sensors_are_plausible", "pcb_and_chip_follow_pic")),
    Fault(name="sensor_stuck", values={"is_null": True}, breaks=("sensors_are_plausible",)),
    Fault(name="fan_null", breaks=("fans_are_told",)),
    # Of other firmware: honest, in other places.
    Fault(name="watts_elsewhere"),
    Fault(name="watts_elsewhere", values={"key": "watt"}),
    Fault(name="rate_in_summary", breaks=("names_model_and_firmware", "reports_hold_their_list")),
    Fault(name="state_words", values={"state": "mining"}, breaks=("reports_are_not_refused",)),
    Fault(name="state_words", values={"state": "stopped"}, after_s=SETTLED_S, breaks=("reports_are_not_refused",)),
    # Of whoever answers instead.
    Fault(name="speaks_http", breaks=("no_stranger_answers",)),
    Fault(name="speaks_tls", breaks=("no_stranger_answers",)),
    Fault(name="speaks_ssh", breaks=("no_stranger_answers",)),
    Fault(name="speaks_stratum", breaks=("no_stranger_answers",)),
    Fault(name="speaks_whatsminer", breaks=("no_stranger_answers",)),
)


def looked_at(fault: Fault) -> Capture:
    """Return what a unit with a fault answers."""
    unit = afflicted(make_unit("S21", build=fault.build), [read_fault(fault.name, fault.values)], START)
    return observed(unit, START + fault.after_s, name=str(fault), polls=FEW_POLLS)


@pytest.mark.parametrize("fault", TABLE, ids=str)
def test_a_fault_breaks_the_checks_that_are_about_it(fault: Fault) -> None:
    """With the fault on, exactly the checks of its row are broken."""
    assert broken(looked_at(fault)) == set(fault.breaks)


def test_no_fault_is_left_out() -> None:
    """Every fault has a row; units at one another's addresses are right each by itself."""
    assert {fault.name for fault in TABLE} | {"address_swapped"} == set(FAULTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """One value of a sound reply, altered, and the checks that this must break.

    Attributes:
        request: Whose reply.
        steps: Where in it.
        value: What stands there instead.
        breaks: Exactly these checks.
    """

    request: str
    steps: tuple[str | int, ...]
    value: Any
    breaks: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.request}-{self.steps[-1]}".replace(" ", "_")


FIGURES = ("STATS", 1)
BOARD = ("STATS", 0, "chain", 1)
UPTIME = ("replies_agree_on_uptime", "uptime_advances")
EDITS = (
    Edit(request="version", steps=("STATUS", 0, "Code"), value=21, breaks=("successes_have_their_codes",)),
    Edit(request="version", steps=("STATUS", 0, "STATUS"), value="W", breaks=("successes_have_their_codes",)),
    Edit(request="version", steps=("VERSION", 0, "Type"), value="Antminer T21", breaks=("replies_agree_on_identity",)),
    Edit(request="stats new_api", steps=("INFO",), value=None, breaks=("dialects_have_their_shape",)),
    Edit(request="stats new_api", steps=("STATS", 0, "elapsed"), value="90000", breaks=("uptime_is_told", *UPTIME)),
    Edit(request="stats new_api", steps=("STATS", 0, "elapsed"), value=90_000, breaks=UPTIME),
    Edit(request="stats new_api", steps=("STATS", 0, "miner-mode"), value=7, breaks=("mode_is_known",)),
    Edit(request="stats new_api", steps=("STATS", 0, "rate_unit"), value="TH/s", breaks=("rate_unit_is_known",)),
    Edit(request="stats new_api", steps=(*BOARD, "index"), value=0, breaks=("slots_are_distinct", "dialects_agree")),
    Edit(
        request="stats new_api",
        steps=(*BOARD, "rate_ideal"),
        value=61_000.0,
        breaks=("ideal_is_chips_times_clock",),
    ),
    Edit(
        request="stats new_api",
        steps=(*BOARD, "asic_num"),
        value=100,
        breaks=("chips_match_their_map", "dialects_agree"),
    ),
    Edit(request="stats new_api", steps=("STATS", 0, "fan_num"), value=3, breaks=("fans_are_told",)),
    Edit(request="stats new_api", steps=(*BOARD, "temp_chip", 3), value=90, breaks=("pcb_and_chip_follow_pic",)),
    Edit(request="stats", steps=(*FIGURES, "temp2_3"), value=40, breaks=("warmest_is_the_maximum",)),
    Edit(request="stats", steps=(*FIGURES, "no_matching_work"), value=7, breaks=("hardware_errors_sum",)),
    Edit(request="stats", steps=(*FIGURES, "total_rateideal"), value=195_000.0, breaks=("dialects_agree",)),
    Edit(request="stats", steps=(*FIGURES, "Mode"), value="x", breaks=("mode_is_known",)),
    Edit(request="summary", steps=("SUMMARY", 0, "Hardware Errors"), value=9000, breaks=("hardware_errors_sum",)),
    Edit(request="summary", steps=("SUMMARY", 0, "Accepted"), value=500_000, breaks=("pools_sum_to_the_shares",)),
    Edit(request="summary", steps=("SUMMARY", 0, "Difficulty Accepted"), value=1e9, breaks=("work_fits_the_average",)),
    Edit(request="summary", steps=("SUMMARY", 0, "GHS 5s"), value=None, breaks=("rates_are_told",)),
    Edit(request="pools", steps=("POOLS", 0, "Status"), value="Zombie", breaks=("pools_are_listed",)),
    Edit(request="pools", steps=("POOLS", 1, "Stratum Active"), value=True, breaks=("pools_are_listed",)),
    Edit(request="devdetails", steps=("STATUS", 0, "STATUS"), value="S", breaks=("unknown_commands_are_refused",)),
)


def sound() -> Capture:
    """Return what a sound unit answers."""
    return observed(make_unit("S21", build="s21-202410"), START, name="sound", polls=FEW_POLLS)


def edited(capture: Capture, request: str, edit: Callable[[Any], Any]) -> Capture:
    """Return a capture in whose first reply to a request something is altered."""
    file = next(reply.file for reply in capture.manifest.replies if reply.request == request)
    assert file is not None
    body = json.dumps(edit(json.loads(capture.data[file]))).encode()
    return msgspec.structs.replace(capture, data={**capture.data, file: body})


@pytest.mark.parametrize("edit", EDITS, ids=str)
def test_one_wrong_value_breaks_the_checks_that_are_about_it(edit: Edit) -> None:
    """With one value of one reply altered, exactly the checks of its row are broken."""

    def apply(body: Any) -> Any:
        parent = body
        for step in edit.steps[:-1]:
            parent = parent[step]
        parent[edit.steps[-1]] = edit.value
        return body

    assert broken(edited(sound(), edit.request, apply)) == set(edit.breaks)


def test_one_dialect_of_two_is_told_apart() -> None:
    """A unit that knows `new_api` of `stats` and not of `summary` breaks the check of that, and no other."""
    capture = sound()
    legacy = json.loads(capture.data["tcp4028-summary.json"])
    assert broken(edited(capture, "summary new_api", lambda _: legacy)) == {"new_api_stands_for_itself"}


@pytest.mark.parametrize(
    ("first_s", "last_s", "breaks"),
    [
        (0.05, 0.05, set()),
        (0.05, 0.19, set()),
        (0.05, 0.21, {"polling_does_not_slow"}),
        (1.0, 2.0, set()),
        (1.0, 2.2, {"polling_does_not_slow"}),
        (2.0, 1.0, set()),
    ],
)
def test_polling_that_slows_a_unit_is_seen(first_s: float, last_s: float, breaks: set[str]) -> None:
    """More than twice and 0.1 s above the first third's median, the last third's breaks the check."""
    capture = sound()
    assert capture.timings is not None
    polls = tuple(
        Timing(request="stats new_api", at_s=10.0 * at, last_byte_s=first_s if at < 30 else last_s) for at in range(60)
    )
    timings = msgspec.structs.replace(capture.timings, replies=polls)
    assert broken(msgspec.structs.replace(capture, timings=timings)) == breaks


def test_every_check_is_broken_by_something() -> None:
    """A check that nothing breaks would not be one."""
    by_fault = {name for fault in TABLE for name in fault.breaks}
    by_edit = {name for edit in EDITS for name in edit.breaks}
    assert by_fault | by_edit | {"new_api_stands_for_itself", "polling_does_not_slow"} == set(NAMES)


def test_a_finding_says_where_what_and_what_was_expected() -> None:
    """One line, for a report."""
    finding = Finding(path="stats: STATS[1].Mode", found="7", expected="one of 0, 1, 2")
    assert str(finding) == "stats: STATS[1].Mode: 7; expected one of 0, 1, 2"
