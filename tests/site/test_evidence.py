"""Reasons read off readings, as tables: what explains a stop, and what a hashing unit lacks."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from site_cases import FLOATS, MHZ, PLATE, TH, board, entry, nameplates, reading, readings

from agent.site.evidence import alone_findings, stop_findings
from agent.site.hardware import absent_slots, capacity_hs, visible_faults
from agent.site.losses import attribute, is_noise, shortfall_finding
from agent.site.reasons import MAX_WHY, REASONS, Finding, Reason
from agent.site.status import UnitState, judge
from agent.unit.nameplate import Nameplate
from agent.unit.reading import BoardReading, Dialect, Fault, Mode, PoolReading, UnitReading

IDLE = {"hashrate_5s_hs": 0 * TH}
HYDRO = replace(PLATE, cooling="hydro", fans=0)
THREE = (board(0), board(1), board(2))
LEVEL = (62, 62, 63, 62)


def pools(*words: str | None) -> tuple[PoolReading, ...]:
    """Return configured pools with these states."""
    return tuple(PoolReading(index=index, status=word, is_active=False) for index, word in enumerate(words))


def dead(*slots: int) -> tuple[BoardReading, ...]:
    """Return three boards of which these have no chips."""
    return tuple(board(slot, chips=0, hashrate_hs=0) if slot in slots else board(slot) for slot in range(3))


NO_BOARDS = (Reason.NO_BOARDS, "no boards at all")
# What the reply of an awake unit without hashrate holds, and what explains its stop, the most severe first.
STOPS: list[tuple[str, dict[str, Any], list[tuple[Reason, str]]]] = [
    ("nothing", {}, []),
    ("a fan", {"fan_rpm": (7000, 0, 7000, 7000)}, [(Reason.FAN_STOPPED, "fan 2 at 0 rpm")]),
    ("two fans", {"fan_rpm": (0, 7000, 0, 7000)}, [(Reason.FAN_STOPPED, "fans 1 and 3 at 0 rpm")]),
    ("three fans", {"fan_rpm": (0, 0, 0, 900)}, [(Reason.FAN_STOPPED, "fans 1, 2 and 3 at 0 rpm")]),
    ("a fan without a value", {"fan_rpm": (7000, None, 7000, 7000)}, []),
    ("all fans", {"fan_rpm": (0, 0, 0, 0)}, [(Reason.FAN_STOPPED, "all 4 fans at 0 rpm")]),
    (
        "a hot chip",
        {"boards": (board(0, chip_celsius=(80, 66, 97, 87)), *THREE[1:])},
        [(Reason.TOO_HOT, "chip at 97 °C")],
    ),
    ("a hot board", {"boards": (*THREE[:2], board(2, pcb_celsius=(60, 82)))}, [(Reason.TOO_HOT, "board at 82 °C")]),
    ("a warm chip", {"boards": (*THREE[:2], board(2, chip_celsius=(84.4, None)))}, []),
    (
        "boards in hot air",
        {"boards": (*THREE[:2], board(2, pcb_celsius=LEVEL))},
        [(Reason.TOO_HOT, "board at 63 °C without load")],
    ),
    ("boards that just stopped", {"boards": (*THREE[:2], board(2, pcb_celsius=(54, 54, 68, 68)))}, []),
    ("no board listed", {"boards": ()}, [NO_BOARDS]),
    ("no board listed, in legacy", {"boards": (), "dialect": Dialect.LEGACY, "fan_rpm": (6000,)}, [NO_BOARDS]),
    ("a reply that lists nothing", {"boards": (), "dialect": Dialect.LEGACY}, []),
    ("no board up", {"boards": dead(0, 1, 2)}, [(Reason.NO_BOARDS, "no chips on any of 3 boards")]),
    ("boards that tell no chips", {"boards": tuple(board(slot, chips=None, hashrate_hs=0) for slot in range(3))}, []),
    ("a dead pool", {"pools": pools("Dead")}, [(Reason.NO_POOL_ALIVE, "no pool alive")]),
    ("dead pools", {"pools": pools("Dead", "Rejecting", "Deed")}, [(Reason.NO_POOL_ALIVE, "no pool alive")]),
    (
        "a dead pool by its code too",
        {"pools": pools("Dead"), "faults": (Fault.POOLS,)},
        [(Reason.NO_POOL_ALIVE, "no pool alive")],
    ),
    ("a supply, by its code", {"faults": (Fault.SUPPLY,)}, [(Reason.POWER_SUPPLY, "power supply fault reported")]),
    ("a fan, by its code", {"faults": (Fault.FAN,)}, [(Reason.FAN_STOPPED, "fan fault reported")]),
    ("a fan, seen too", {"faults": (Fault.FAN,), "fan_rpm": (0, 900)}, [(Reason.FAN_STOPPED, "fan 1 at 0 rpm")]),
    ("heat, by its code", {"faults": (Fault.TOO_HOT,)}, [(Reason.TOO_HOT, "too hot, by its own word")]),
    ("a board, by its code", {"faults": (Fault.BOARD,)}, [(Reason.BOARD_FAULT, "board fault reported")]),
    ("cold, by its code", {"faults": (Fault.TOO_COLD,)}, [(Reason.TOO_COLD, "too cold")]),
    ("a failure, by its word", {"faults": (Fault.UNNAMED,)}, [(Reason.FAILURE, "failure reported, cause not named")]),
    ("a low rate, by its code", {"faults": (Fault.LOW_RATE,)}, []),
    ("one pool of two", {"pools": pools("Dead", "Alive")}, []),
    ("pools without a state", {"pools": pools(None, None)}, []),
    ("a board absent", {"boards": dead(1)}, [(Reason.BOARD_ABSENT, "board 1 absent")]),
    ("boards absent", {"boards": (board(1),)}, [(Reason.BOARD_ABSENT, "boards 0 and 2 absent")]),
    ("some bad chips", {"boards": (*THREE[:2], board(2, bad_chips=12))}, []),
    (
        "a board of bad chips",
        {"boards": (*THREE[:2], board(2, bad_chips=98))},
        [(Reason.CHIPS_BAD, "98 of 98 chips bad on board 2")],
    ),
    (
        "a fan and no pool",
        {"fan_rpm": (0, 900), "pools": pools("Dead")},
        [(Reason.FAN_STOPPED, "fan 1 at 0 rpm"), (Reason.NO_POOL_ALIVE, "no pool alive")],
    ),
    (
        "all fans and no pool",
        {"fan_rpm": (0, 0), "pools": pools("Dead")},
        [(Reason.NO_POOL_ALIVE, "no pool alive"), (Reason.FAN_STOPPED, "all 2 fans at 0 rpm")],
    ),
    (
        "a board absent and hot chips",
        {"boards": (board(0), board(1, chip_celsius=(90,)))},
        [(Reason.TOO_HOT, "chip at 90 °C"), (Reason.BOARD_ABSENT, "board 2 absent")],
    ),
]


@pytest.mark.parametrize(("changes", "expected"), [row[1:] for row in STOPS], ids=[row[0] for row in STOPS])
def test_a_stop_is_explained_by_what_the_reply_shows(
    changes: dict[str, Any], expected: list[tuple[Reason, str]]
) -> None:
    """Each visible cause of a stop is named with its numbers, and what explains nothing is not."""
    read = reading(**IDLE, **changes)
    assert stop_findings(read, PLATE) == expected
    verdict = judge(entry(), read, None, is_fresh=True)
    assert verdict.state is UnitState.STOPPED
    assert [verdict.finding, *verdict.also] == (expected or [(Reason.STOPPED_UNKNOWN, "cause unknown")])
    assert (verdict.finding.reason is Reason.STOPPED_UNKNOWN) is (not expected)


def test_four_fans_at_zero_are_no_fault_without_fans() -> None:
    """Hydro units list four fans at 0 rpm; the nameplate says that there are none."""
    read = reading(**IDLE, fan_rpm=(0, 0, 0, 0))
    assert stop_findings(read, HYDRO) == stop_findings(read, None) == []


@pytest.mark.parametrize(
    ("changes", "whys"),
    [
        ({}, ["hashing"]),
        ({"mode": Mode.SLEEP, **IDLE}, ["asleep"]),
        ({"hashrate_5s_hs": None}, ["reports no hashrate"]),
        ({**IDLE}, ["cause unknown"]),
        ({**IDLE, "fan_rpm": (0, 900), "pools": pools("Dead")}, ["fan 1 at 0 rpm", "no pool alive"]),
        ({"boards": dead(1), "fan_rpm": (900, 0)}, ["board 1 absent", "fan 2 at 0 rpm"]),
    ],
)
def test_a_reading_speaks_for_itself(changes: dict[str, Any], whys: list[str]) -> None:
    """`hashsight read` has no ledger: what needs no nameplate is said all the same."""
    assert [finding.why for finding in alone_findings(reading(**changes))] == whys


@pytest.mark.parametrize(("uptime_s", "reason"), [(60.0, Reason.BOOTING), (180.0, Reason.FAN_STOPPED)])
def test_a_start_that_does_not_end_is_explained(uptime_s: float, reason: Reason) -> None:
    """In the first three minutes fans and pools are not up yet; after them they explain why nothing hashes."""
    read = reading(**IDLE, uptime_s=uptime_s, fan_rpm=(7000, 0))
    verdict = judge(entry(), read, None, is_fresh=True)
    assert (verdict.state, verdict.finding.reason) == (UnitState.STARTING, reason)


# Rate in TH/s, what the reply shows, the reason and its words, and what else is wrong.
SHORT: list[tuple[str, int, dict[str, Any], Reason, str, list[str]]] = [
    ("noise", 284, {}, Reason.HASHING, "hashing", []),
    ("slow", 279, {}, Reason.SLOW, "slow without a visible reason", []),
    ("a board", 196, {"boards": THREE[:2]}, Reason.BOARD_ABSENT, "board 2 absent", []),
    ("two boards", 98, {"boards": dead(0, 2)}, Reason.BOARD_ABSENT, "boards 0 and 2 absent", []),
    (
        "chips missing",
        270,
        {"boards": (board(0, chips=74), board(1), board(2))},
        Reason.CHIPS_MISSING,
        "24 of 98 chips missing on board 0",
        [],
    ),
    (
        "chips bad on two boards",
        278,
        {"boards": (board(0, bad_chips=4), board(1), board(2, bad_chips=12))},
        Reason.CHIPS_BAD,
        "12 of 98 chips bad on board 2, 4 on others",
        [],
    ),
    (
        "one bad chip",
        292,
        {"boards": (board(0, bad_chips=1), *THREE[1:])},
        Reason.CHIPS_BAD,
        "1 of 98 chips bad on board 0",
        [],
    ),
    (
        "low clocks",
        228,
        {"boards": tuple(board(slot, frequency_hz=380 * MHZ) for slot in range(3))},
        Reason.CLOCK_LOW,
        "clock 380 of 490 MHz",
        [],
    ),
    (
        "low power, no clocks",
        200,
        {"mode": Mode.LOW, "boards": tuple(board(slot, frequency_hz=None) for slot in range(3))},
        Reason.CLOCK_LOW,
        "low-power mode",
        [],
    ),
    (
        "a board that is up and hashes nothing",
        196,
        {"boards": (board(0), board(1, hashrate_hs=0 * TH), board(2))},
        Reason.SLOW,
        "no hashrate on board 1",
        [],
    ),
    (
        "all boards at nought",
        196,
        {"boards": tuple(board(slot, hashrate_hs=0 * TH) for slot in range(3))},
        Reason.SLOW,
        "slow without a visible reason",
        [],
    ),
    (
        "a board, a slow clock and a fan",
        150,
        {"boards": (board(0, frequency_hz=392 * MHZ), board(1, frequency_hz=392 * MHZ)), "fan_rpm": (0, 6000)},
        Reason.BOARD_ABSENT,
        "board 2 absent",
        ["clock 392 of 490 MHz", "fan 1 at 0 rpm"],
    ),
]


@pytest.mark.parametrize(
    ("rate_th", "changes", "reason", "why", "also"), [row[1:] for row in SHORT], ids=[row[0] for row in SHORT]
)
def test_a_unit_that_hashes_has_a_reason_for_its_largest_loss(
    rate_th: int, changes: dict[str, Any], reason: Reason, why: str, also: list[str]
) -> None:
    """Visible faults are named however small; a low clock and an unexplained shortfall only beyond noise."""
    read = reading(hashrate_5s_hs=rate_th * TH, **changes)
    losses, _ = attribute(entry(), UnitState.HASHING, read, rate_th * TH)
    finding, others = shortfall_finding(PLATE, read, losses)
    assert (finding.reason, finding.why, [other.why for other in others]) == (reason, why, also)
    assert is_noise(PLATE, losses) is (reason is Reason.HASHING)


def test_a_straggler_that_loses_nothing_is_a_straggler_first() -> None:
    """A list with one board only takes nothing from a full rate; a board that is missed comes first."""
    for rate_th, first in ((294, Reason.STRAGGLING), (98, Reason.BOARD_ABSENT)):
        read = reading(hashrate_5s_hs=rate_th * TH, boards=(board(0),))
        losses, _ = attribute(entry(), UnitState.HASHING, read, rate_th * TH, target_ratio=0)
        found = _whole(shortfall_finding(PLATE, read, losses, target_ratio=0, is_straggler=True))
        assert found[0].reason is first
        assert {finding.reason for finding in found} == {Reason.STRAGGLING, Reason.BOARD_ABSENT}


def _whole(found: tuple[Finding, tuple[Finding, ...]]) -> list[Finding]:
    return [found[0], *found[1]]


@given(nameplates(FLOATS), readings(FLOATS))
def test_words_are_bounded_and_the_list_is_closed(nameplate: Nameplate, read: UnitReading) -> None:
    """Whatever a reply holds: reasons of the list, one line within its bound, the same for the same reading."""
    losses, _ = attribute(entry(nameplate=nameplate), UnitState.HASHING, read, read.rate_hs)
    first, others = shortfall_finding(nameplate, read, losses)
    found = [*stop_findings(read, nameplate), first, *others]
    for finding in found:
        assert finding.reason in REASONS
        assert 0 < len(finding.why) <= MAX_WHY
        assert finding.why.isprintable()
    assert [*stop_findings(read, nameplate), *_whole(shortfall_finding(nameplate, read, losses))] == found


@given(nameplates(FLOATS), readings(FLOATS))
def test_no_more_boards_are_absent_than_there_are(nameplate: Nameplate, read: UnitReading) -> None:
    """Capacity lies between nothing and the nameplate, and absent boards are slots, each named once."""
    faults = visible_faults(nameplate, read)
    assert -1e-6 * nameplate.hashrate_hs <= capacity_hs(nameplate, faults) <= nameplate.hashrate_hs
    slots = absent_slots(nameplate, read)
    assert len(set(slots)) == len(slots)
    if nameplate.boards is not None:
        assert len(slots) <= nameplate.boards


@pytest.mark.parametrize("bad", [0, 1, 12, 98, 120])
@given(chips=st.none() | st.integers(1, 98))
def test_bad_chips_count_as_missing(bad: int, chips: int | None) -> None:
    """A chip that its own map marks takes its share of the nameplate, like one that did not answer."""
    read = reading(boards=(board(0, chips=chips, bad_chips=bad), board(1), board(2)))
    answered = 98 if chips is None else chips
    assert visible_faults(PLATE, read).chips_hs == (98 - max(0, answered - bad)) * TH
