"""Checks of modes and sleep: shapes of replies asleep, clocks by mode, and how a rate stops."""

from collections.abc import Iterator
from statistics import median
from typing import Final

from agent.hil.assumptions.check import Check, Observation, seen
from agent.hil.assumptions.view import STARTING_WORDS, Sample, View

_RATES: Final = ("rate_5s", "rate_30m", "rate_avg")
_CLOCK_OF_MODE: Final = {2: 1.08, 3: 0.8}
_CLOCK_TOLERANCE: Final = 0.02
_AMLOGIC_RESTART_S: Final = 13.0
_WIDEST_S: Final = 20.0
_LAG_S: Final = 120.0


def _header_alone(view: View) -> Iterator[Observation]:
    for rows in view.legacy_stats():
        first = rows[0]
        if len(rows) > 1 or "Type" not in first.values or "Elapsed" in first.values:
            continue
        state = first.exchange.state
        if view.is_asleep(first.exchange):
            yield seen(first, "", "header alone, asleep", holds=True)
        elif state is not None or view.sleeping_at:
            yield seen(first, "", f"header alone, {state or 'awake'}", holds=False)


def _sleep_of_line_b(view: View) -> Iterator[Observation]:
    if view.line != "B":
        return
    for rows in view.legacy_stats():
        if view.is_asleep(rows[0].exchange):
            yield seen(rows[0], "", "header alone" if len(rows) == 1 else f"{len(rows)} elements", holds=len(rows) == 1)


def _new_api_asleep(view: View) -> Iterator[Observation]:
    elapsed_asleep = {"A": 1.0, "B": 1.0, "C": 0.0}.get(view.line or "")
    for row in view.rows("stats", is_new_api=True):
        if not view.is_asleep(row.exchange) and row.number("miner-mode") != 1:
            continue
        for key in _RATES:
            rate = row.number(key)
            if rate is not None:
                yield seen(row, key, rate, holds=rate == 0)
        elapsed, boards = row.number("elapsed"), len(list(row.below("chain")))
        if elapsed is not None and elapsed_asleep is not None:
            yield seen(row, "elapsed", elapsed, holds=elapsed == elapsed_asleep)
        if view.line is not None:
            yield seen(row, "chain", f"{boards} boards", holds=(boards > 0) == (view.line == "C"))


def _without_figures(view: View) -> Iterator[Observation]:
    for answer in view.answers.get("stats", ()):
        listed = answer.body.get("STATS")
        if not answer.is_new_api or not view.is_asleep(answer.exchange):
            continue
        first = listed[0] if isinstance(listed, list) and listed else None
        if not isinstance(first, dict) or "rate_5s" not in first:
            yield Observation(True, f"{answer.report} STATS", "no rate", answer.exchange.at_s)  # noqa: FBT003  The verdict.


def _clock_mhz(sample: Sample) -> float | None:
    clocks = [board.clock_mhz for board in sample.boards if board.clock_mhz]
    return median(clocks) if clocks else None


def _clocks_of_modes(view: View) -> Iterator[Observation]:
    by_mode: dict[float, list[tuple[float, Sample]]] = {}
    for sample in view.samples:
        mode, clock = sample.row.number("miner-mode"), _clock_mhz(sample)
        if mode is not None and clock is not None and sample.rate_ghs:
            by_mode.setdefault(mode, []).append((clock, sample))
    normal = max((clock for clock, _ in by_mode.get(0.0, ())), default=None)
    for mode, ratio in _CLOCK_OF_MODE.items():
        if normal is None or mode not in by_mode:
            continue
        # The highest: a ramp is below it.
        clock, sample = max(by_mode[mode], key=lambda each: each[0])
        told = clock / normal
        holds = abs(told - ratio) <= _CLOCK_TOLERANCE
        yield seen(sample.row, "chain[].freq_avg", f"{told:.3f} of normal in mode {mode}", holds=holds)


def _restart_of_amlogic(view: View) -> Iterator[Observation]:
    """Hold each pause of the API against 13 s: it is bounded by the replies around it and the failures within."""
    subtype = view.page("miner_type")
    if subtype is None or not (subtype.text("subtype") or "").startswith("AMLCtrl_"):
        return
    failed: list[float] = []
    before: Sample | None = None
    samples = {id(sample.row.exchange): sample for sample in view.samples}
    for exchange in view.recorded.exchanges:
        if exchange.request.startswith("page "):
            continue
        if not exchange.reply:
            failed.append(exchange.at_s)
            continue
        sample = samples.get(id(exchange))
        if sample is None:
            continue
        if before is not None and failed and _is_restart(before, sample):
            least, most = failed[-1] - failed[0], sample.at_s - before.at_s
            if most - least <= _WIDEST_S or most < _AMLOGIC_RESTART_S or least > _AMLOGIC_RESTART_S:
                holds = least <= _AMLOGIC_RESTART_S <= most
                yield seen(sample.row, "", f"away for {least:g} to {most:g} s", holds=holds)
        before, failed = sample, []


def _is_restart(before: Sample, after: Sample) -> bool:
    return before.is_asleep != after.is_asleep or (
        before.elapsed_s is not None and after.elapsed_s is not None and after.elapsed_s < before.elapsed_s
    )


def _rate_after_sleep(view: View) -> Iterator[Observation]:
    began: float | None = None
    for sample in view.samples:
        if not sample.is_asleep:
            began = None
            continue
        began = sample.at_s if began is None else began
        if sample.rate_ghs:
            lasted_s = sample.at_s - began
            yield seen(sample.row, "", f"a rate {lasted_s:g} s after the order", holds=lasted_s <= _LAG_S)


def _rate_while_starting(view: View) -> Iterator[Observation]:
    for rows in view.legacy_stats():
        state = rows[0].exchange.state
        if state in STARTING_WORDS and len(rows) > 1:
            yield seen(rows[-1], "", f"figures while {state}", holds=True)


def _alone_or_starting(view: View) -> Iterator[Observation]:
    yield from _header_alone(view)
    yield from _rate_while_starting(view)


CHECKS: Final = (
    Check("A29", "`stats` in normal, and in high or low mode", _clocks_of_modes),
    Check("A30", "legacy `stats` asleep, or through a start", _alone_or_starting),
    Check("A31", "legacy `stats` of a sleeping unit of line B", _sleep_of_line_b),
    Check("A33", "new-dialect `stats` asleep, and `version`", _new_api_asleep),
    Check("A34", "new-dialect `stats` asleep", _without_figures),
    Check("A35", "a change of mode, asked every few seconds, and miner_type", _restart_of_amlogic, is_of_time=True),
    Check("A96", "`stats` from the order to sleep on", _rate_after_sleep, is_of_time=True),
)
