"""Every check, and the verdicts of all of them over one capture."""

from collections.abc import Sequence
from typing import Final

from agent.hil.capture.form import Capture
from agent.hil.verify.checks import epic, framing, identity, reports, sensors, sums
from agent.hil.verify.observed import Observed, looks_of
from agent.hil.verify.verdict import Check, Verdict, joined, judge

CHECKS: Final[tuple[Check[Observed], ...]] = (
    Check(run=framing.replies_arrive_whole, is_essential=True),
    Check(run=framing.one_nul_ends_a_reply, is_essential=False),
    Check(run=framing.the_unit_closes, is_essential=False),
    Check(run=framing.replies_are_small, is_essential=True),
    Check(run=framing.replies_are_prompt, is_essential=True),
    Check(run=framing.polls_are_answered, is_essential=True),
    Check(run=framing.polling_does_not_slow, is_essential=False),
    Check(run=reports.replies_are_json, is_essential=False),
    Check(run=reports.no_stranger_answers, is_essential=True),
    Check(run=reports.reports_are_not_refused, is_essential=True),
    Check(run=reports.reports_hold_their_list, is_essential=True),
    Check(run=reports.successes_have_their_codes, is_essential=False),
    Check(run=reports.dialects_have_their_shape, is_essential=True),
    Check(run=reports.new_api_stands_for_itself, is_essential=False),
    Check(run=reports.unknown_commands_are_refused, is_essential=False),
    Check(run=identity.names_model_and_firmware, is_essential=False),
    Check(run=identity.replies_agree_on_identity, is_essential=False),
    Check(run=identity.uptime_is_told, is_essential=False),
    Check(run=identity.replies_agree_on_uptime, is_essential=False),
    Check(run=identity.mode_is_known, is_essential=False),
    Check(run=identity.mode_fits_the_rate, is_essential=True),
    Check(run=identity.pools_are_listed, is_essential=False),
    Check(run=sums.rates_are_told, is_essential=True),
    Check(run=sums.rate_unit_is_known, is_essential=True),
    Check(run=sums.slots_are_distinct, is_essential=True),
    Check(run=sums.boards_sum_to_the_rate, is_essential=True),
    Check(run=sums.ideal_is_chips_times_clock, is_essential=False),
    Check(run=sums.rate_is_within_the_ideal, is_essential=True),
    Check(run=sums.chips_match_their_map, is_essential=False),
    Check(run=sums.hardware_errors_sum, is_essential=False),
    Check(run=sums.pools_sum_to_the_shares, is_essential=False),
    Check(run=sums.work_fits_the_average, is_essential=True),
    Check(run=sums.dialects_agree, is_essential=False),
    Check(run=sensors.sensors_are_plausible, is_essential=False),
    Check(run=sensors.pcb_and_chip_follow_pic, is_essential=False),
    Check(run=sensors.warmest_is_the_maximum, is_essential=False),
    Check(run=sensors.fans_are_told, is_essential=False),
    Check(run=sensors.power_fits_the_rate, is_essential=False),
)
"""Checks of one look."""

EPIC_CHECKS: Final[tuple[Check[Observed], ...]] = (
    Check(run=epic.pages_arrive_whole, is_essential=True),
    Check(run=framing.replies_are_small, is_essential=True),
    Check(run=framing.replies_are_prompt, is_essential=True),
    Check(run=framing.polls_are_answered, is_essential=True),
    Check(run=framing.polling_does_not_slow, is_essential=False),
    Check(run=reports.replies_are_json, is_essential=False),
    Check(run=epic.summary_has_its_sections, is_essential=True),
    Check(run=epic.epic_state_is_known, is_essential=False),
    Check(run=epic.running_boards_are_enabled, is_essential=True),
    Check(run=epic.board_rates_fit_their_clocks, is_essential=True),
    Check(run=epic.supply_fits_the_rate, is_essential=False),
)
"""Checks of one look at a unit under ePIC firmware, which has pages instead of reports."""

SERIES: Final[tuple[Check[Sequence[Observed]], ...]] = (Check(run=identity.uptime_advances, is_essential=True),)
"""Checks of a whole recording: they compare its looks."""

ESSENTIAL: Final = frozenset(
    (
        *(check.name for check in (*CHECKS, *EPIC_CHECKS) if check.is_essential),
        *(check.name for check in SERIES if check.is_essential),
    )
)


def verdicts_of(capture: Capture) -> tuple[Verdict, ...]:
    """Return the verdict of every check, in the order of the catalogue: broken if it is at any look."""
    looks = looks_of(capture)
    if any(look.is_epic for look in looks):
        return tuple(joined(judge(check, look) for look in looks) for check in EPIC_CHECKS)
    return (
        *(joined(judge(check, look) for look in looks) for check in CHECKS),
        *(judge(check, looks) for check in SERIES),
    )
