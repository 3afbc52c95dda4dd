"""Figures that have to agree: boards with their total, chips with their clock, counters with each other."""

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final, NamedTuple

from agent.hil.verify.observed import (
    POOLS,
    STATS,
    STATS_NEW_API,
    SUMMARY,
    SUMMARY_NEW_API,
    Observed,
    is_new_dialect,
    number,
    shown,
)
from agent.hil.verify.verdict import Finding, UnansweredError
from agent.unit.cgminer.firmware import is_luxos
from agent.unit.nameplate import shipped_catalogue

GHS_PER_CHIP_MHZ: Final = {"BM1366": 0.894, "BM1368": 1.276, "BM1370": 2.04}
"""Hashes per clock of a chip, thousands. Observed (O84, O51), documented (D33, D34, D35)."""
# The same of a chip that no source names. Documented (D81): of an S21j XP Hyd.
_KNOWN: Final = (*GHS_PER_CHIP_MHZ.values(), 6.928)
_LEAST_PER_CHIP, _MOST_PER_CHIP = 0.1, 20.0
SUM_APART: Final = 0.01
IDEAL_APART: Final = 0.005
ABOVE_IDEAL: Final = 1.25
"""Most that the 5 s rate of whole boards is above their ideal. Observed (O25, O52): 2.2 % on an S21."""
WORK_APART: Final = 0.02
"""Observed (O21, O161): work is within 1 % of the average; five deviations of the shares' chance come on top."""
_RAMP: Final = 0.001
"""Share of the ideal by which the rate of a unit that starts may grow from one request to the next. Assumed (A36)."""
LEAST_SHARES: Final = 100
_HASHES_PER_SHARE: Final = 2.0**32
SLOTS: Final = range(1, 5)
_UNITS: Final = ("GH", "GH/s")


class Board(NamedTuple):
    """One board's figures, by its path; None where it has none."""

    path: str
    slot: int
    rate: float | None
    ideal: float | None
    chips: float | None
    mhz: float | None
    chip_map: str | None
    hw: float | None


def boards_of(path: str, figures: dict[str, Any]) -> list[Board]:
    """Return the boards of a `stats`, in either dialect; slots without chips and rate are left out."""
    chain = figures.get("chain")
    if isinstance(chain, list):
        return [
            Board(
                f"{path}.chain[{at}]",
                int(number(row.get("index")) or 0) if "index" in row else at,
                number(row.get("rate_real")),
                number(row.get("rate_ideal")),
                number(row.get("asic_num")),
                number(row.get("freq_avg")),
                row["asic"] if isinstance(row.get("asic"), str) else None,
                number(row.get("hw")),
            )
            for at, row in enumerate(chain[:16])
            if isinstance(row, dict)
        ]
    boards = [
        Board(
            path,
            slot - 1,
            number(figures.get(f"chain_rate{slot}")),
            number(figures.get(f"chain_rateideal{slot}")),
            number(figures.get(f"chain_acn{slot}")),
            number(figures.get(f"freq{slot}", figures.get(f"freq_avg{slot}"))),
            figures[f"chain_acs{slot}"] if isinstance(figures.get(f"chain_acs{slot}"), str) else None,
            number(figures.get(f"chain_hw{slot}")),
        )
        for slot in SLOTS
    ]
    return [board for board in boards if board.chips or board.rate]


def rates_are_told(look: Observed) -> Iterator[Finding]:
    """A unit that answers `stats` or `summary` tells its 5 s rate as a number."""
    for path, figures in look.each_figures(STATS_NEW_API, STATS, SUMMARY):
        key = next((key for key in ("rate_5s", "GHS 5s", "MHS 5s") if key in figures), None)
        if key is None or number(figures[key]) is None:
            yield Finding(path=f"{path}.{key or '5s'}", found=shown(figures.get(key or "")), expected="a rate")


def rate_unit_is_known(look: Observed) -> Iterator[Finding]:
    """Rates of `stats` are in GH/s. Observed (O10, O26): `rate_unit` is `GH` or `GH/s`."""
    is_any = False
    for path, figures in look.each_figures(STATS_NEW_API, STATS):
        if "rate_unit" in figures:
            is_any = True
            if figures["rate_unit"] not in _UNITS:
                yield Finding(path=f"{path}.rate_unit", found=shown(figures["rate_unit"]), expected="GH or GH/s")
    if not is_any:
        raise UnansweredError("no rate_unit is reported")


def slots_are_distinct(look: Observed) -> Iterator[Finding]:
    """Each listed board has a slot of its own. Observed (O46)."""
    path, figures = look.figures(STATS_NEW_API)
    slots = [board.slot for board in boards_of(path, figures)]
    if not slots:
        raise UnansweredError("no board is listed")
    if len(set(slots)) < len(slots):
        yield Finding(path=f"{path}.chain", found=f"slots {shown(slots)}", expected="each once")


def boards_sum_to_the_rate(look: Observed) -> Iterator[Finding]:
    """The boards' rates sum to the 5 s rate; on LuxOS to the average. Observed (O29, O49, O83)."""
    is_any = False
    is_average = is_luxos(*look.descriptions)
    for path, figures in look.each_figures(STATS_NEW_API, STATS):
        key = "rate_5s" if "rate_5s" in figures else "GHS av" if is_average else "GHS 5s"
        rates = [board.rate for board in boards_of(path, figures)]
        known = [rate for rate in rates if rate is not None]
        total = number(figures.get(key))
        if total is None or not known or (not total and not any(known)):
            continue
        is_any = True
        if not math.isclose(total, sum(known), rel_tol=SUM_APART):
            yield Finding(path=f"{path}.{key}", found=f"{total:,.2f}", expected=f"{sum(known):,.2f}, the boards' sum")
    if not is_any:
        raise UnansweredError("no boards with rates beside a total")


def ideal_is_chips_times_clock(look: Observed) -> Iterator[Finding]:
    """A board's ideal rate is chips x hashes per cycle of the chip x clock. Observed (O51, O84), documented (D34)."""
    constant = _constant_of(look.model)
    is_any = False
    for path, figures in look.each_figures(STATS_NEW_API, STATS):
        boards = boards_of(path, figures)
        # A board counts the chips that answer; its ideal is that of a whole one.
        whole = max((board.chips or 0.0 for board in boards), default=0.0)
        for board in boards:
            if not board.ideal or not board.mhz or not whole:
                continue
            per_chip = board.ideal / (whole * board.mhz)
            known = _nearest(per_chip) if constant is None else constant
            if known is None and _LEAST_PER_CHIP < per_chip < _MOST_PER_CHIP:
                # A chip whose constant no source tells: nothing to hold it against.
                continue
            is_any = True
            if known is None or not math.isclose(per_chip, known, rel_tol=IDEAL_APART):
                chips = f"{whole:.0f} chips at {board.mhz:g} MHz"
                expected = (
                    f"{known * whole * board.mhz:,.0f}: {chips}" if known else f"0.1 to 20 GH/s per MHz of {chips}"
                )
                yield Finding(path=f"{board.path}.rate_ideal", found=f"{board.ideal:,.2f}", expected=expected)
    if not is_any:
        raise UnansweredError("no board with an ideal, chips and a clock, of a chip whose constant is known")


def rate_is_within_the_ideal(look: Observed) -> Iterator[Finding]:
    """The 5 s rate is not far above what all boards' chips do at their clock. Observed (O25, O52)."""
    is_any = False
    for path, figures in look.each_figures(STATS_NEW_API, STATS):
        boards = boards_of(path, figures)
        chip = _constant_of(look.model)
        ideals = [board.ideal if chip is None else (board.chips or 0.0) * (board.mhz or 0.0) * chip for board in boards]
        rate = number(figures.get("rate_5s", figures.get("GHS 5s")))
        if rate is None or not ideals or None in ideals:
            continue
        ideal = sum(each for each in ideals if each is not None)
        if not ideal:
            # Clocks of 0: the boards hash nothing, or have just begun to.
            continue
        is_any = True
        if rate > ABOVE_IDEAL * ideal:
            yield Finding(
                path=f"{path}.{'rate_5s' if 'rate_5s' in figures else 'GHS 5s'}",
                found=f"{rate:,.0f}",
                expected=f"at most {ABOVE_IDEAL:g} x {ideal:,.0f}",
            )
    if not is_any:
        raise UnansweredError("no rate beside boards whose ideal is known")


def chips_match_their_map(look: Observed) -> Iterator[Finding]:
    """A board counts at least its map's good chips, and at most all marks. Observed (O32), documented (D30)."""
    is_any = False
    for path, figures in look.each_figures(STATS_NEW_API, STATS):
        for board in boards_of(path, figures):
            if not board.chip_map or board.chips is None:
                continue
            is_any = True
            marks = board.chip_map.casefold()
            good, bad = marks.count("o"), marks.count("x")
            if not good <= board.chips <= good + bad:
                yield Finding(
                    path=f"{board.path} slot {board.slot}",
                    found=f"{board.chips:.0f} chips",
                    expected=f"{good} to {good + bad}, by the map",
                )
    if not is_any:
        raise UnansweredError("no chip map beside a count")


def hardware_errors_sum(look: Observed) -> Iterator[Finding]:
    """The boards' hardware errors sum to the unit's, in `stats` and in `summary`. Observed (O29)."""
    is_any = False
    for request, other, key in ((STATS, SUMMARY, "Hardware Errors"), (STATS_NEW_API, SUMMARY_NEW_API, "hw_all")):
        try:
            path, figures = look.figures(request)
        except UnansweredError:
            continue
        known = [board.hw for board in boards_of(path, figures) if board.hw is not None]
        if not known:
            continue
        told = number(figures.get("no_matching_work"))
        if told is not None and "chain_hw1" in figures:
            is_any = True
            if told != sum(known):
                yield Finding(path=f"{path}.no_matching_work", found=f"{told:.0f}", expected=f"{sum(known):.0f}")
        try:
            is_close, (whole_path, whole) = look.is_close(request, other), look.figures(other)
        except UnansweredError:
            continue
        all_errors = number(whole.get(key))
        if is_close and all_errors is not None:
            is_any = True
            # The boards go on erring between the two requests.
            if abs(all_errors - sum(known)) > max(5.0, 0.02 * sum(known)):
                yield Finding(
                    path=f"{whole_path}.{key}", found=f"{all_errors:.0f}", expected=f"{sum(known):.0f}, as {path}"
                )
    if not is_any:
        raise UnansweredError("no hardware errors of boards beside the unit's, told in one minute")


def pools_sum_to_the_shares(look: Observed) -> Iterator[Finding]:
    """The pools' accepted shares sum to those of `summary`. Observed (O160)."""
    path, figures = look.figures(SUMMARY)
    total = number(figures.get("Accepted"))
    of_pools = [number(row.get("Accepted")) for row in look.rows(POOLS)]
    if total is None or not of_pools or None in of_pools or not look.is_close(SUMMARY, POOLS):
        raise UnansweredError("no accepted shares of pools and unit, told in one minute")
    summed = sum(each for each in of_pools if each is not None)
    if abs(total - summed) > 10:
        yield Finding(path=f"{path}.Accepted", found=f"{total:.0f}", expected=f"{summed:.0f}, the pools' sum")


def work_fits_the_average(look: Observed) -> Iterator[Finding]:
    """Difficulty x 2^32 over the uptime is the average rate, but for the shares' chance. Observed (O21)."""
    path, figures = look.figures(SUMMARY)
    shares, elapsed = number(figures.get("Accepted")), number(figures.get("Elapsed"))
    sums = [number(figures.get(f"Difficulty {each}")) for each in ("Accepted", "Rejected", "Stale")]
    key, average = next(
        (
            (key, rate * factor)
            for key, factor in (("GHS av", 1e9), ("MHS av", 1e6))
            if (rate := number(figures.get(key))) is not None
        ),
        ("", None),
    )
    if shares is None or shares < LEAST_SHARES or not elapsed or average is None or sums[0] is None:
        raise UnansweredError(f"fewer than {LEAST_SHARES} accepted shares beside an average rate")
    work_hs = sum(each for each in sums if each is not None) * _HASHES_PER_SHARE / elapsed
    if abs(work_hs - average) > (WORK_APART + 5.0 / math.sqrt(shares)) * work_hs:
        yield Finding(
            path=f"{path}.{key}",
            found=f"{average / 1e9:,.0f} GH/s",
            expected=f"{work_hs / 1e9:,.0f} GH/s, by its shares",
        )


def dialects_agree(look: Observed) -> Iterator[Finding]:
    """Asked in one minute, `stats` says the same in both dialects: boards, chips, rate and ideal. Documented (D83)."""
    new_path, new = look.figures(STATS_NEW_API)
    path, old = look.figures(STATS)
    if not is_new_dialect(look.body(STATS_NEW_API)) or not look.is_close(STATS, STATS_NEW_API):
        raise UnansweredError("stats was not answered in both dialects within one minute")
    listed = {board.slot: board.chips for board in boards_of(new_path, new) if board.chips}
    legacy = {board.slot: board.chips for board in boards_of(path, old) if board.chips}
    if listed != legacy:
        yield Finding(path=f"{path}.chain_acn", found=shown(legacy), expected=f"{shown(listed)}, as {new_path}")
    for key, other, apart in (
        ("total_rateideal", "rate_ideal", 0.001),
        ("GHS 5s", "rate_5s", 0.1),
        ("GHS av", "rate_avg", 0.01),
    ):
        first, second = number(old.get(key)), number(new.get(other))
        # Documented (D84): builds with `rate_sale` tell the boards' sum as the ideal.
        if first is None or second is None or (other == "rate_ideal" and "rate_sale" in new):
            continue
        if not math.isclose(first, second, rel_tol=apart, abs_tol=_RAMP * abs(number(new.get("rate_ideal")) or 0.0)):
            yield Finding(path=f"{path}.{key}", found=f"{first:,.2f}", expected=f"{second:,.2f}, as {new_path}.{other}")


@lru_cache(maxsize=256)
def _constant_of(model: str | None) -> float | None:
    """Return the GH/s per chip and MHz of a model's chip; None if no source tells the chip or its constant."""
    hardware = shipped_catalogue().hardware(model or "")
    return None if hardware is None or hardware.chip is None else GHS_PER_CHIP_MHZ.get(hardware.chip)


def _nearest(per_chip: float) -> float | None:
    return next((known for known in _KNOWN if math.isclose(per_chip, known, rel_tol=IDEAL_APART)), None)
