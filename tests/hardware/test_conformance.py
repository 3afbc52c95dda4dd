"""What a unit must do for the agent to be right: every simulated build and every recorded unit, check by check.

`not-holding.json` lists each check that does not hold, with the reason. A check that a capture cannot answer stands
there by name: it neither passes in silence nor is it skipped.
"""

import json
from pathlib import Path

import pytest
from hardware_targets import NAMES, RECORDED, SIMULATED, TARGETS, Target, broken, simulated, verdicts_by_check
from observed_units import POLLS

from agent.hil.verify.verdict import Outcome
from simulators.unit.builds import BUILDS

LISTING = Path(__file__).parent / "not-holding.json"

# Checks that a target breaks, with the fact that says so.
KNOWN = {
    ("simulated S21 XP Hyd. s21xphyd-202601 hashing", "power_fits_the_rate"): "O187",
    ("recorded s21xphyd-stock-202601", "power_fits_the_rate"): "O187",
    ("recorded s19xp-vnish-2023", "power_fits_the_rate"): "O88",
    ("recorded other-s9-hiveon-2020", "power_fits_the_rate"): "D163",
    ("recorded other-s9pro-rwglr-2020", "pools_are_listed"): "O188",
    ("recorded other-z15-stock-202007", "boards_sum_to_the_rate"): "O188",
    ("recorded other-ks7-stock-202602", "boards_sum_to_the_rate"): "O188",
    ("recorded other-bmm100-braiins-2026", "names_model_and_firmware"): "O82",
    ("recorded other-s9-bosminerplus-2020", "names_model_and_firmware"): "O82",
}


def not_holding(target: Target) -> dict[str, str]:
    """Return the checks that do not hold, each with its reason."""
    listed = {}
    for name, verdict in verdicts_by_check(target).items():
        if verdict.outcome is Outcome.UNANSWERED:
            listed[name] = f"not answered: {verdict.why}"
        elif verdict.outcome is Outcome.BROKEN:
            listed[name] = f"broken, {KNOWN.get((target.name, name), 'unknown')}: {verdict.findings[0]}"
    return listed


@pytest.fixture(scope="module")
def listing(request: pytest.FixtureRequest) -> dict[str, dict[str, str]]:
    """Return the reviewed listing; `--update-golden` rewrites it."""
    if request.config.getoption("--update-golden"):
        text = json.dumps({target.name: not_holding(target) for target in TARGETS}, indent=1) + "\n"
        LISTING.write_text(text, encoding="utf-8")
    listed: dict[str, dict[str, str]] = json.loads(LISTING.read_text(encoding="utf-8"))
    return listed


@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_a_unit_does_what_the_agent_rests_on(target: Target, listing: dict[str, dict[str, str]]) -> None:
    """Every check holds but those listed, each for the reason listed; what is broken is a known fact."""
    assert not_holding(target) == listing[target.name]
    is_broken = {name for name, verdict in verdicts_by_check(target).items() if verdict.outcome is Outcome.BROKEN}
    assert is_broken == {name for unit, name in KNOWN if unit == target.name}


def test_the_listing_is_of_these_targets(listing: dict[str, dict[str, str]]) -> None:
    """No target is listed that is gone, and no check."""
    assert set(listing) == {target.name for target in TARGETS}
    assert {name for checks in listing.values() for name in checks} <= set(NAMES)


def test_every_firmware_build_is_a_target() -> None:
    """Each build of the simulators is checked, on a model that runs it."""
    assert {build for build in BUILDS if any(f" {build} " in target.name for target in SIMULATED)} == set(BUILDS)


def test_a_hashing_unit_answers_every_check() -> None:
    """A simulated S21 of 2026 leaves none unanswered; recorded units together only those about time and framing."""
    answered = {name for name, verdict in verdicts_by_check(SIMULATED[-4]).items() if verdict.outcome is Outcome.HOLDS}
    assert SIMULATED[-4].name == "simulated S21 s21-202604 hashing"
    assert answered == set(NAMES)
    recorded = {
        name
        for target in RECORDED
        for name, verdict in verdicts_by_check(target).items()
        if verdict.outcome is not Outcome.UNANSWERED
    }
    assert set(NAMES) - recorded == {
        "replies_arrive_whole",
        "one_nul_ends_a_reply",
        "the_unit_closes",
        "replies_are_prompt",
        "polls_are_answered",
        "polling_does_not_slow",
        "unknown_commands_are_refused",
        "uptime_advances",
    }


def test_ten_minutes_of_polls() -> None:
    """Polled every 10 s for ten minutes, a simulated unit breaks no check."""
    assert broken(simulated("S21", "s21-202410", polls=POLLS)) == set()
