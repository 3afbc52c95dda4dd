"""Checks of figures and keys: cadence, chip maps, pools, rates of boards, temperatures, builds of 2026."""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Final

from agent.hil.assumptions.check import Check, Observation, seen
from agent.hil.assumptions.identity import built_at
from agent.hil.assumptions.view import Row, View
from agent.unit.cgminer.fields import spelled
from agent.unit.model_names import base_key

_FROZEN_S: Final = 15.0
_POOL_KEYS: Final = frozenset(
    (
        *("index", "url", "user", "status", "priority", "getworks", "accepted", "rejected", "discarded", "stale"),
        *("diff", "diff1", "diffa", "diffr", "diffs", "lsdiff", "lstime"),
    )
)
_GHS_PER_CHIP_MHZ: Final = 2.04
_HASHES_PER_NONCE: Final = 1280 * 2**32
_LEAST_ERRORS: Final = 20
_POWER_KEYS: Final = frozenset(("watt", "jt"))
_SALE_KEYS: Final = frozenset(("rate_sale", "ambient_temp", "freq-level-mode", "freq-level-min"))
_HYDRO_OF_OTHER_LAYOUTS: Final = ("S21 Hyd.", "S21+ Hyd.", "S21e Hyd.", "S21 XP Hyd.", "S21j XP Hyd.", "S23 Hyd.")
_ARRAYS: Final = ("temp_pic", "temp_pcb", "temp_chip")


def _renewed(view: View) -> Iterator[Observation]:
    awake = [each for each in view.samples if not each.is_asleep and each.rate_ghs]
    still_since = None
    for before, after in pairwise(awake):
        gap_s = after.at_s - before.at_s
        if (before.elapsed_s, before.rate_ghs) != (after.elapsed_s, after.rate_ghs):
            still_since = None
            if 0 < gap_s <= _FROZEN_S:
                yield seen(after.row, "", f"renewed within {gap_s:g} s", holds=True)
            continue
        still_since = before.at_s if still_since is None else still_since
        still_s = after.at_s - still_since
        if still_s >= _FROZEN_S:
            yield seen(after.row, "", f"unchanged for {still_s:g} s", holds=False)


def _maps(view: View) -> Iterator[tuple[Row, str, str]]:
    for row in view.rows("stats", is_new_api=True):
        for board in row.below("chain"):
            if isinstance(text := board.values.get("asic"), str) and text.strip():
                yield board, "asic", text[:2048]
    for row in view.rows("stats", is_new_api=False):
        for slot in range(1, 5):
            key = f"chain_acs{slot}"
            if isinstance(text := row.values.get(key), str) and text.strip():
                yield row, key, text[:2048]


def _chip_maps(view: View) -> Iterator[Observation]:
    for row, key, text in _maps(view):
        groups = text.split()
        sizes = {len(group) for group in groups[:-1]} or {len(groups[0])}
        is_bad_last = re.fullmatch(r"o*[x-]*", "".join(groups)) is not None
        shown = f"groups of {', '.join(map(str, sorted(sizes)))}{'' if is_bad_last else ', bad chips not last'}"
        yield seen(row, key, shown, holds=sizes == {3} and is_bad_last)


def _pool_keys(view: View) -> Iterator[Observation]:
    for row in view.rows("pools", is_new_api=True):
        odd = sorted(_POOL_KEYS.symmetric_difference(row.values))[:4]
        yield seen(row, "", f"differs in {', '.join(odd)}" if odd else "17 keys", holds=not odd)


def _third_pool(view: View) -> Iterator[Observation]:
    pools = list(view.rows("pools", is_new_api=False))
    for row in pools:
        if row.where.endswith("[2]"):
            accepted = row.number("Accepted")
            dead = [
                each.values.get("Status") in {"Dead", "Disabled"}
                for each in pools
                if each.exchange is row.exchange and each.where.endswith(("[0]", "[1]"))
            ]
            if accepted or row.values.get("Stratum Active") is True:
                yield seen(row, "Accepted", accepted or 0.0, holds=False)
            elif dead == [True, True] and row.values.get("Status") == "Alive":
                yield seen(row, "Accepted", 0.0, holds=True)


def _chip_rate(view: View) -> Iterator[Observation]:
    if view.model not in {base_key("S21+"), base_key("S21 XP")}:
        return
    for row in view.rows("stats", is_new_api=True):
        for board in row.below("chain"):
            ideal, chips, clock = (board.number(key) for key in ("rate_ideal", "asic_num", "freq_avg"))
            if ideal and chips and clock:
                rate = ideal / chips / clock
                yield seen(
                    board,
                    "rate_ideal",
                    f"{rate:.3f} GH/s a chip and MHz",
                    holds=abs(rate / _GHS_PER_CHIP_MHZ - 1) < 0.01,
                )


def _hwp(view: View) -> Iterator[Observation]:
    for row in view.rows("stats", is_new_api=True):
        told, rate, elapsed = row.number("hwp_total"), row.number("rate_avg"), row.number("elapsed")
        errors = sum(board.number("hw") or 0 for board in row.below("chain"))
        if told and rate and elapsed and errors >= _LEAST_ERRORS:
            assumed = 100 * errors / (rate * 1e9 * elapsed / _HASHES_PER_NONCE)
            yield seen(row, "hwp_total", f"{told:g}, {assumed:.4g} by the rule", holds=abs(told / assumed - 1) < 0.05)


def _rate_report(view: View) -> Iterator[Observation]:
    for row in view.rows("rate", is_new_api=True):
        missing = sorted({"unit", "xAxis", "series"} - row.values.keys())
        is_series = all(isinstance(each.values.get("data"), list) for each in row.below("series"))
        yield seen(row, "", f"lacks {', '.join(missing)}" if missing else "3 keys", holds=not missing and is_series)


def _warning_report(view: View) -> Iterator[Observation]:
    for answer in view.answers.get("warning", ()):
        listed = answer.body.get("WARNING")
        for item in listed[:16] if isinstance(listed, list) else ():
            holds = isinstance(item, dict) and isinstance(item.get("code"), str)
            yield Observation(holds, f"{answer.report} WARNING[]", "code" if holds else "no code", answer.exchange.at_s)


def _build_of_2026(view: View) -> Iterator[Observation]:
    built = built_at(view.identity.get("compile_time", ""))
    if built is None or built.year < 2026 or view.model not in {base_key("S21"), base_key("S23 Hyd.")}:
        return
    is_s21 = view.model == base_key("S21")
    for row in view.rows("stats", is_new_api=True):
        wanted, unwanted = (_POWER_KEYS, _SALE_KEYS) if is_s21 else (_POWER_KEYS | _SALE_KEYS, frozenset[str]())
        odd = sorted((wanted - row.values.keys()) | (unwanted & row.values.keys()))
        has_tpl = all("tpl" in board.values for board in row.below("chain"))
        yield seen(row, "", f"differs in {', '.join(odd)}" if odd else "keys as assumed", holds=not odd and has_tpl)


def _coolant(view: View) -> Iterator[Observation]:
    for row in view.rows("stats", is_new_api=True):
        for board in row.below("chain"):
            coolant = [value for key in ("temp_in", "temp_out") for value in board.numbers(key)[:1] if value]
            for key in _ARRAYS:
                values = [value for value in board.numbers(key) if value]
                if not coolant or len(values) <= 2:
                    continue
                over = max(values) - max(coolant)
                # Two sensors as warm as the coolant, and one of them is another: the reply does not say which.
                if over > 0 or (over == 0 and values.count(max(values)) == 1):
                    yield seen(board, key, f"hottest {over:g} over the coolant", holds=over > 0)


def _other_layouts(view: View) -> Iterator[Observation]:
    text = view.identity.get("type", "").casefold()
    is_hydro = "hyd" in text and view.model not in set(map(base_key, _HYDRO_OF_OTHER_LAYOUTS))
    is_immersed = "imm" in text
    for row in view.rows("stats", is_new_api=True):
        for board in row.below("chain"):
            pic, pcb, chip = (board.numbers(key) for key in _ARRAYS)
            if is_hydro and len(pic) == 4 and any(pic) and chip:
                yield seen(board, "temp_chip", list(chip), holds=not any(chip))
            elif is_immersed and pic and any(pic) and len(pic) == len(pcb):
                steps = {b - a for a, b in zip(pic, pcb, strict=True)}
                yield seen(
                    board,
                    "temp_pcb",
                    f"temp_pic and {', '.join(f'{step:g}' for step in sorted(steps))}",
                    holds=steps == {10.0},
                )


def _psu_power(view: View) -> Iterator[Observation]:
    for row in (*view.rows("stats", is_new_api=True), *view.rows("stats", is_new_api=False)):
        for key, value in list(row.values.items())[:512]:
            if spelled(key) == "psupower" and _is_power(value):
                yield seen(row, "PSU Power", "there", holds=True)


def _is_power(value: Any) -> bool:
    return isinstance(value, int | float | str) and not isinstance(value, bool) and value != ""


CHECKS: Final = (
    Check("A16", "`stats` every 15 s or oftener while it hashes", _renewed, is_of_time=True),
    Check("A17", "a chip map", _chip_maps),
    Check("A18", "`pools` in the new dialect", _pool_keys),
    Check("A19", "`pools` with the first two dead, or shares at the third", _third_pool),
    Check("A20", "new-dialect `stats` of an S21+ or S21 XP", _chip_rate),
    Check("A21", "new-dialect `stats` with 20 hardware errors or more", _hwp),
    Check("A22", "`rate`, or the page chart", _rate_report),
    Check("A23", "`warning` of a unit with a fault", _warning_report),
    Check("A26", "new-dialect `stats` of a hydro or immersed unit of another layout", _other_layouts),
    Check("A70", "`temp_in` and `temp_out` beside the arrays", _coolant),
    Check("A97", "new-dialect `stats` of an S21 or S23 Hyd. of 2026", _build_of_2026),
    Check("A99", "a key `PSU Power`", _psu_power),
)
