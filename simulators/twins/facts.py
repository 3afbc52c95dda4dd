"""Facts that a capture tells of its unit: firmware texts, boards, chips, fans, clock, rate and power."""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from simulators.twins.stages import Replies, decoded, number, rows_of

MAX_BOARDS = 4
"""Boards that the simulated physics tell apart."""

_FIVE_S = ("GHS 5s", "rate_5s", "MHS 5s")
_AVERAGE = ("GHS av", "rate_avg", "MHS av", *_FIVE_S)
# Assumed (A155): what a rate is counted in is plain from its size; no bin lies between 1 GH/s and 1 PH/s otherwise.
_LEAST_GHS, _MOST_GHS = 1_000.0, 2_000_000.0


class Texts(NamedTuple):
    """Texts of the firmware, as it sends them; empty where it does not.

    Attributes:
        type: Model in the unit's own words.
        miner: Version of the hash side.
        compile_time: Date of the build.
        api: Version of the API.
        program: Name and version of the program, from STATUS.
    """

    type: str = ""
    miner: str = ""
    compile_time: str = ""
    api: str = ""
    program: str = ""


class Hardware(NamedTuple):
    """Hardware and figures in a reply to `stats`.

    Attributes:
        boards: Positions of the boards with chips, from 0.
        chips: Chips of the fullest board.
        fans: Fans.
        clock_mhz: Mean clock of the boards; 0 if it is not told.
        average_ghs: Average rate, GH/s.
        ideal_ghs: The rate that it calls ideal, GH/s; 0 if it is not told.
        sale_ghs: The bin that it was sold as, GH/s; 0 if it is not told.
        watts: Power; 0 if it is not told.
        elapsed_s: Uptime of the miner process.
        has_board_ideal: The ideal is the sum of its boards'.
    """

    boards: tuple[int, ...]
    chips: int
    fans: int
    clock_mhz: float
    average_ghs: float
    ideal_ghs: float
    sale_ghs: float
    watts: float
    elapsed_s: float
    has_board_ideal: bool


def texts_of(every: list[Replies]) -> Texts:
    """Return the firmware's texts, from whichever reply has them."""
    found: dict[str, str] = {}
    for replies in every:
        for data in (*replies.api.values(), *replies.pages.values()):
            body = decoded(data) or {}
            for row in _objects(body):
                for name, keys in (
                    ("type", ("Type", "type", "minertype", "miner_type")),
                    ("miner", ("Miner", "miner_version")),
                    ("compile_time", ("CompileTime", "system_filesystem_version", "fw_version")),
                    ("api", ("API",)),
                    ("program", ("Description",)),
                ):
                    text = next((row[key] for key in keys if isinstance(row.get(key), str) and row[key]), None)
                    # A summary has `type` in its list of complaints.
                    if text is not None and not (name == "type" and not re.match(r"(?i)antminer\b", text)):
                        found.setdefault(name, text)
    return Texts(**found)


def hardware_of(replies: Replies) -> Hardware | None:
    """Return what `stats` tells of the hardware, in whichever dialect it does; None without rates or boards."""
    for row in rows_of(replies, "stats new_api"):
        found = _of_chain(row) if isinstance(row.get("chain"), list) else None
        if found is not None:
            return found
    for row in rows_of(replies, "stats"):
        found = _of_columns(row)
        if found is not None:
            return found
    return None


def ghs(value: object) -> float | None:
    """Return a rate in GH/s, whether it was sent in MH/s, GH/s or TH/s; None if it is none."""
    rate = number(value)
    if rate is None or rate <= 0.0:
        return None
    for factor in (1.0, 1e-3, 1e3):
        if _LEAST_GHS <= rate * factor <= _MOST_GHS:
            return rate * factor
    return None


def _of_chain(row: Mapping[str, Any]) -> Hardware | None:
    chain = [board for board in row["chain"] if isinstance(board, dict)]
    average = next((rate for key in _AVERAGE if (rate := ghs(row.get(key))) is not None), None)
    chips = [int(number(board.get("asic_num")) or 0) for board in chain]
    if average is None or not any(chips):
        return None
    places = [at if (index := number(board.get("index"))) is None else int(index) for at, board in enumerate(chain)]
    clocks = [number(board.get("freq_avg")) or 0.0 for board in chain]
    ideals = [number(board.get("rate_ideal")) or 0.0 for board in chain]
    fans = row.get("fan")
    return Hardware(
        boards=tuple(place for place, count in zip(places, chips, strict=True) if count),
        chips=max(chips),
        fans=len(fans) if isinstance(fans, list) else 0,
        clock_mhz=_mean(clocks),
        average_ghs=average,
        ideal_ghs=ghs(row.get("rate_ideal")) or 0.0,
        sale_ghs=ghs(row.get("rate_sale")) or 0.0,
        watts=number(row.get("watt")) or 0.0,
        elapsed_s=number(row.get("elapsed")) or 0.0,
        has_board_ideal=_is_near(sum(ideals), ghs(row.get("rate_ideal")) or 0.0),
    )


def _of_columns(row: Mapping[str, Any]) -> Hardware | None:
    average = next((rate for key in _AVERAGE if (rate := ghs(row.get(key))) is not None), None)
    chips = {at: int(number(row.get(f"chain_acn{at + 1}")) or 0) for at in range(16)}
    boards = tuple(at for at, count in chips.items() if count)
    if average is None or not boards:
        return None
    clocks = [number(row.get(f"freq{at + 1}")) or number(row.get(f"freq_avg{at + 1}")) or 0.0 for at in boards]
    ideals = [number(row.get(f"chain_rateideal{at + 1}")) or 0.0 for at in boards]
    ideal = ghs(row.get("total_rateideal")) or 0.0
    return Hardware(
        boards=boards,
        chips=max(chips.values()),
        fans=sum(1 for at in range(1, 9) if f"fan{at}" in row),
        clock_mhz=_mean(clocks) or number(row.get("frequency")) or 0.0,
        average_ghs=average,
        ideal_ghs=ideal,
        sale_ghs=0.0,
        watts=number(row.get("watt")) or sum(number(row.get(f"chain_consumption{at + 1}")) or 0.0 for at in boards),
        elapsed_s=number(row.get("Elapsed")) or 0.0,
        has_board_ideal=_is_near(sum(ideals), ideal),
    )


def _objects(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the body itself and the objects that lie in it or in its lists."""
    rows: list[Mapping[str, Any]] = [body]
    for value in body.values():
        rows += [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, dict)]
    return rows


def _mean(values: list[float]) -> float:
    known = [value for value in values if value > 0.0]
    return sum(known) / len(known) if known else 0.0


def _is_near(first: float, second: float) -> bool:
    return second > 0.0 and abs(first - second) <= 0.001 * second
