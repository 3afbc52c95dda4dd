"""The figures in a pool's answer: any bytes end in figures or in a `PoolAccountError`.

A figure that is not there is unknown, never 0. Zero is the pool's word that nothing was credited.
"""

import json
import math
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import Any, NamedTuple

from agent.config.json_pointer import number_in, parse_pointer, resolve
from agent.errors import PoolAccountError
from agent.pool_accounts.plan import Figure, Past, Reading
from agent.site.credited.windows import Window

MAX_HS = 3e21
"""About three times what all miners of the world hashed in 2026: no account has it, whatever the unit of the figure."""

AHEAD_S = 600.0
"""A pool's clock may be so far ahead. A later time is not believed, and the figures count from when they were read."""

MAX_ROWS = 5000

_UNITS = {"": 1.0, "k": 1e3, "m": 1e6, "g": 1e9, "t": 1e12, "p": 1e15, "e": 1e18}
# From here on a time is in milliseconds: as seconds it would be the year 5138.
_MILLISECONDS_FROM = 1e11


class Credited(NamedTuple):
    """A pool's figures of now.

    Attributes:
        at: Unix time at which its windows end, s.
        rates_hs: Credited hashrate by length of the window in seconds; windows that it does not tell are absent.
    """

    at: float
    rates_hs: Mapping[int, float]


def read_credited(data: bytes, reading: Reading, *, now: float) -> Credited:
    """Return the figures of an answer that was received at Unix time `now`, s.

    Raises:
        PoolAccountError: It holds none, or one that no account can have.
    """
    answer = _decoded(data)
    _refuse_undone(answer, reading.done_pointer)
    rates_hs = {}
    for figure in reading.figures:
        rate_hs = _rate_hs(answer, figure)
        if rate_hs is not None:
            rates_hs[figure.window_s] = rate_hs
    if not rates_hs:
        raise PoolAccountError("missing", "the answer has none of the figures")
    at = None if reading.at_pointer is None else _moment(_at(answer, reading.at_pointer))
    return Credited(now if at is None or at > now + AHEAD_S else min(at, now), rates_hs)


def read_past(data: bytes, past: Past, *, now: float) -> list[Window]:
    """Return the closed hours or days of an answer, in order; rows that cannot be read, or are not over, are left out.

    Raises:
        PoolAccountError: It holds no list, or one figure that no account can have.
    """
    answer = _decoded(data)
    _refuse_undone(answer, past.done_pointer)
    rows = _at(answer, past.rows_pointer)
    if not isinstance(rows, list):
        raise PoolAccountError("malformed", "the answer has no list of hours or days")
    if len(rows) > MAX_ROWS:
        raise PoolAccountError("too_large", f"the answer lists more than {MAX_ROWS} hours or days")
    length_s, found = past.figure.window_s, {}
    for row in rows:
        start, rate_hs = _moment(_at(row, past.start_pointer)), _rate_hs(row, past.figure)
        if start is None or rate_hs is None:
            continue
        begin = int(start)
        # A row that begins elsewhere is of another grain, or of a day in the pool's own zone.
        if begin % length_s == 0 and begin + length_s <= now:
            found[begin] = Window(begin, length_s, rate_hs)
    return [found[begin] for begin in sorted(found)]


def _decoded(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        kind = "a page in HTML" if data[:256].lstrip()[:1] == b"<" else "not JSON"
        raise PoolAccountError("malformed", f"the answer is {kind}") from error


def _at(value: Any, pointer: str) -> Any:
    try:
        return resolve(value, parse_pointer(pointer))
    except LookupError:
        return None


def _refuse_undone(answer: Any, pointer: str | None) -> None:
    if pointer is None:
        return
    code = number_in(_at(answer, pointer))
    if code is None:
        raise PoolAccountError("malformed", "the answer has no code")
    if code != 0:
        shown = f" with code {int(code)}" if math.isfinite(code) and abs(code) < 1e6 else ""
        raise PoolAccountError("denied", f"the pool declined{shown}")


def _rate_hs(value: Any, figure: Figure) -> float | None:
    """Return a figure in H/s; None if it is not there."""
    number = number_in(_at(value, figure.pointer))
    if number is None:
        return None
    scale = figure.scale if figure.unit_pointer is None else _unit(_at(value, figure.unit_pointer))
    try:
        rate_hs = float(number * scale)
    except OverflowError:
        rate_hs = math.inf
    if not 0 <= rate_hs <= MAX_HS:
        raise PoolAccountError("implausible", "a figure is negative, or more than any account can have")
    return rate_hs


def _unit(text: Any) -> float:
    """Return the H/s of a unit as pools spell it: ``Gh/s``, ``TH/s``."""
    match = re.fullmatch(r"\s*([kmgtpe]?)h(?:ash)?/s\s*", text[:16].lower()) if isinstance(text, str) else None
    if match is None:
        raise PoolAccountError("malformed", "a figure has no unit that is known")
    return _UNITS[match[1]]


def _moment(value: Any) -> float | None:
    """Return a Unix time, s: from seconds, milliseconds, a date (UTC) or ISO 8601 with an offset; None for others."""
    number = number_in(value)
    if number is not None:
        seconds = number / 1000 if number >= _MILLISECONDS_FROM else float(number)
        return seconds if 0 <= seconds < _MILLISECONDS_FROM else None
    if not isinstance(value, str) or len(value) > 40:
        return None
    try:
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
            return datetime.combine(date.fromisoformat(value), time(), UTC).timestamp()
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    # Without an offset its zone is not known.
    return None if moment.tzinfo is None else moment.timestamp()
