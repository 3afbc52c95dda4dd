"""Checks of starts, stops and faults: a recording over time is held against the times and shapes that are assumed."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Final

from agent.hil.assumptions.check import Check, Observation, seen
from agent.hil.assumptions.recorded import Exchange
from agent.hil.assumptions.view import STARTING_WORDS, Row, Sample, View
from agent.unit.nameplate import shipped_catalogue

_BOOT_S: Final = 45.0
_FULL_RATIO: Final = 0.95
_WHOLE_RATIO: Final = 0.9
_FULL_S: Final = (120.0, 360.0)
_COLD_START_S: Final = 600.0
_WEB_AHEAD_S: Final = 20.0
_YOUNG_S: Final = 300.0
_CARRIED_S: Final = 10.0
_PAUSE_S: Final = 120.0
_SETTLED_S: Final = 600.0
_LOW_RATIO: Final = 0.9
_HOT_CHIP: Final = 85.0
# Observed (O33): fans of one unit turn at different multiples of 30 rpm.
_LEAST_RPM: Final = 1800.0 - 60.0
_NEAR_S: Final = 60.0
_HALF: Final = 0.5


def _starts(view: View) -> Iterator[tuple[Sample, ...]]:
    """Yield the samples of each run of the process that was recorded from its youth to its full rate."""
    run: list[Sample] = []
    for sample in (*view.samples, None):
        is_new = sample is None or (
            bool(run)
            and (sample.is_asleep or (sample.elapsed_s is not None and sample.elapsed_s < (run[-1].elapsed_s or 0.0)))
        )
        if is_new:
            rates = [each.rate_ghs or 0.0 for each in run]
            if run and (run[0].elapsed_s or 0.0) <= _YOUNG_S and rates[0] < _HALF * max(rates):
                yield tuple(run)
            run = []
        if sample is not None and not sample.is_asleep and sample.elapsed_s is not None:
            run.append(sample)


def _full_at(run: tuple[Sample, ...], ratio: float) -> Sample | None:
    full = max(each.rate_ghs or 0.0 for each in run)
    return next((each for each in run if (each.rate_ghs or 0.0) >= ratio * full), None)


def _full_rate(view: View) -> Iterator[Observation]:
    for run in _starts(view):
        full = _full_at(run, _FULL_RATIO)
        if full is not None and full.elapsed_s is not None:
            since_power_s = full.elapsed_s + _BOOT_S
            shown = f"full at Elapsed {full.elapsed_s:g} s"
            yield seen(full.row, "", shown, holds=_FULL_S[0] <= since_power_s <= _FULL_S[1])


def _cold_start(view: View) -> Iterator[Observation]:
    for run in _starts(view):
        whole = _full_at(run, _WHOLE_RATIO)
        if whole is not None and whole.elapsed_s is not None:
            yield seen(whole.row, "", f"over at {whole.elapsed_s:g} s", holds=whole.elapsed_s <= _COLD_START_S)


def _ramp_pauses(view: View) -> Iterator[Observation]:
    for run in _starts(view):
        clocks = [(each, max((board.clock_mhz or 0.0 for board in each.boards), default=0.0)) for each in run]
        top = max(clock for _, clock in clocks)
        rising = [(each, clock) for each, clock in clocks if 0 < clock < top]
        if len(rising) < 2 or any(b[0].at_s - a[0].at_s > _NEAR_S for a, b in pairwise(rising)):
            continue
        since, longest_s, last = rising[0], 0.0, rising[0][0]
        for each in rising[1:]:
            since = since if each[1] == since[1] else each
            longest_s, last = max(longest_s, each[0].at_s - since[0].at_s), each[0]
        yield seen(last.row, "", f"longest pause {longest_s:g} s", holds=longest_s < _PAUSE_S)


def _web_first(view: View) -> Iterator[Observation]:
    """Hold the time between the first page and the first reply after both were away against 20 s."""

    def up(*, is_page: bool) -> tuple[float, float] | None:
        failed: Exchange | None = None
        for each in view.recorded.exchanges:
            if each.request.startswith("page ") != is_page:
                continue
            if each.reply:
                return None if failed is None else (failed.at_s, each.at_s)
            failed = each
        return None

    pages, api = up(is_page=True), up(is_page=False)
    if pages is not None and api is not None:
        least, most = api[0] - pages[1], api[1] - pages[0]
        if most - least <= _WEB_AHEAD_S or not least <= _WEB_AHEAD_S <= most:
            shown = f"{least:g} to {most:g} s before 4028"
            yield Observation(least <= _WEB_AHEAD_S <= most, "TCP 80", shown, pages[1])


def _before_hashing(view: View) -> Iterator[Observation]:
    for sample in view.samples:
        is_young = sample.elapsed_s is not None and sample.elapsed_s <= _YOUNG_S
        is_starting = sample.row.exchange.state in STARTING_WORDS or (is_young and not sample.is_asleep)
        boards = list(sample.row.below("chain"))
        if not is_starting or sample.rate_ghs or not boards or any(board.number("freq_avg") for board in boards):
            continue
        chips = [board.number("asic_num") or 0.0 for board in boards]
        is_cold = not any(
            value for board in boards for key in ("temp_pcb", "temp_chip") for value in board.numbers(key)
        )
        shown = f"{max(chips):g} chips, {len(sample.fans_rpm)} fans{'' if is_cold else ', temperatures'}"
        yield seen(sample.row, "chain", shown, holds=not any(chips) and is_cold and not sample.fans_rpm)


def _first_seconds(view: View) -> Iterator[Observation]:
    before: Sample | None = None
    for sample in view.samples:
        is_first = sample.elapsed_s is not None and sample.elapsed_s < _CARRIED_S and not sample.is_asleep
        if is_first and not sample.rate_ghs:
            yield seen(sample.row, "", f"no rate at {sample.elapsed_s:g} s", holds=True)
        elif (
            is_first
            and before is not None
            and sample.rate_ghs
            and (before.elapsed_s or 0.0) > (sample.elapsed_s or 0.0)
        ):
            is_carried = bool(before.rate_ghs) and abs(sample.rate_ghs / (before.rate_ghs or 1.0) - 1) < 0.1
            yield seen(sample.row, "", "the rate before" if is_carried else "another rate", holds=is_carried)
        before = sample


def _change_of_boards(view: View) -> Iterator[Observation]:
    awake = [sample for sample in view.samples if not sample.is_asleep and sample.elapsed_s is not None]
    for at, (before, after) in enumerate(pairwise(awake)):
        counts = [sum(1 for board in each.boards if board.chips) for each in (before, after)]
        if counts[0] == counts[1] or not before.rate_ghs or not all(counts):
            continue
        near = [each for each in awake[at + 1 :] if each.at_s - after.at_s <= _PAUSE_S]
        clocks = [board.clock_mhz or 0.0 for each in near for board in each.boards]
        was = max(board.clock_mhz or 0.0 for board in before.boards)
        is_again = (after.elapsed_s or 0.0) < (before.elapsed_s or 0.0) or min(clocks, default=was) < _FULL_RATIO * was
        shown = f"{counts[0]} to {counts[1]} boards, {'again from the beginning' if is_again else 'same clock'}"
        yield seen(after.row, "", shown, holds=is_again)


def _dead_boards(view: View) -> Iterator[Observation]:
    hardware = shipped_catalogue().hardware(view.model) if view.model else None
    if hardware is None or hardware.boards is None:
        return
    for sample in view.samples:
        if sample.is_asleep or not sample.rate_ghs or (sample.elapsed_s or 0.0) < _SETTLED_S:
            continue
        without = [board for board in sample.boards if not board.rate_ghs]
        if without:
            is_known = not any(board.chips for board in without)
            yield seen(sample.row, "", f"listed {'without' if is_known else 'with'} chips", holds=is_known)
        elif len(sample.boards) < hardware.boards:
            yield seen(sample.row, "", f"{len(sample.boards)} of {hardware.boards} listed", holds=True)


def _no_boards(view: View) -> Iterator[Observation]:
    for sample in view.samples:
        ideal = sample.row.number("rate_ideal")
        if sample.is_asleep or sample.boards or ideal is None or (sample.elapsed_s or 0.0) < _PAUSE_S:
            continue
        holds = not sample.rate_ghs and not ideal and any(sample.fans_rpm)
        shown = f"rate {sample.rate_ghs or 0:g}, ideal {ideal:g}, {sum(1 for rpm in sample.fans_rpm if rpm)} fans turn"
        yield seen(sample.row, "", shown, holds=holds)


def _codes(view: View) -> Iterator[tuple[Row, str, str, Any]]:
    """Yield each state of a new-dialect `summary`: the reply, its kind, its letter and its message."""
    for row in view.rows("summary", is_new_api=True):
        for item in row.below("status"):
            yield row, item.text("type") or "", item.text("status") or "", item.values.get("msg")


def _near(view: View, at_s: float) -> Sample | None:
    nearest = min(view.samples, key=lambda each: abs(each.at_s - at_s), default=None)
    return nearest if nearest is not None and abs(nearest.at_s - at_s) <= _NEAR_S else None


def _low_rate(view: View) -> Iterator[Observation]:
    for row, kind, letter, _ in _codes(view):
        rate, ideal, elapsed = (row.number(key) for key in ("rate_30m", "rate_ideal", "elapsed"))
        if kind == "rate" and rate is not None and ideal and elapsed is not None:
            is_low = rate < _LOW_RATIO * ideal and elapsed > _SETTLED_S
            shown = f"{letter!r} at {rate / ideal:.2f} of the sticker, {elapsed:g} s"
            if is_low or letter == "e":
                yield seen(row, "status", shown, holds=is_low == (letter == "e"))


def _too_hot(view: View) -> Iterator[tuple[Row, Sample]]:
    for row, _, letter, message in _codes(view):
        if letter == "e" and isinstance(message, str) and "P:1" in message:
            sample = _near(view, row.exchange.at_s)
            if sample is not None and not sample.rate_ghs:
                yield row, sample


def _fans_when_hot(view: View) -> Iterator[Observation]:
    most = max((rpm for sample in view.samples for rpm in sample.fans_rpm), default=0.0)
    for _, sample in _too_hot(view):
        if sample.fans_rpm:
            yield seen(
                sample.row,
                "fan",
                f"{min(sample.fans_rpm):g} rpm",
                holds=min(sample.fans_rpm) >= _WHOLE_RATIO * most > 0,
            )


def _hottest(sample: Sample) -> float | None:
    chips = [value for board in sample.row.below("chain") for value in board.numbers("temp_chip")]
    return max(chips, default=None)


def _chips_when_hot(view: View) -> Iterator[Observation]:
    hot = {id(sample.row.exchange) for _, sample in _too_hot(view)}
    first = True
    for sample in view.samples:
        hottest = _hottest(sample)
        if hottest is None or sample.is_asleep or sample.rate_ghs or (sample.elapsed_s or 0.0) < _SETTLED_S:
            continue
        if id(sample.row.exchange) in hot:
            if first:
                yield seen(
                    sample.row, "chain[].temp_chip", f"{hottest:g} C, stopped by heat", holds=hottest >= _HOT_CHIP
                )
            first = False
        elif hottest >= _HOT_CHIP and hot:
            yield seen(sample.row, "chain[].temp_chip", f"{hottest:g} C, stopped otherwise", holds=False)


def _slowest_fans(view: View) -> Iterator[Observation]:
    for sample in view.samples:
        turning = [rpm for rpm in sample.fans_rpm if rpm]
        if turning and sample.rate_ghs and not sample.is_asleep:
            yield seen(sample.row, "fan", f"{min(turning):g} rpm", holds=min(turning) >= _LEAST_RPM)


CHECKS: Final = (
    Check("A36", "`stats` every few seconds from a start to the full rate", _full_rate),
    Check("A37", "a start, 4028 and a page asked every few seconds", _web_first, is_of_time=True),
    Check("A38", "new-dialect `stats` before boards hash", _before_hashing),
    Check("A39", "`stats` from a start to the full rate", _cold_start),
    Check("A40", "`stats` around the loss of a board", _change_of_boards, is_of_time=True),
    Check("A41", "new-dialect `summary` of a slow unit", _low_rate),
    Check("A43", "`stats` of a unit that lost a board", _dead_boards),
    Check("A45", "`stats` and new-dialect `summary` of a unit that heat stopped", _fans_when_hot),
    Check("A46", "`stats` with fans that turn", _slowest_fans),
    Check("A80", "`stats` and new-dialect `summary` of a unit that heat stopped", _chips_when_hot),
    Check("A82", "`stats` in the first ten seconds of a process", _first_seconds),
    Check("A83", "`stats` every minute or oftener through a start", _ramp_pauses, is_of_time=True),
    Check("A95", "new-dialect `stats` of a unit without boards", _no_boards),
)
