"""Checks that `/summary` of ePIC firmware is as its reader expects: sections, boards, rates, power, state."""

from collections.abc import Iterator
from typing import Any, Final

from agent.hil.capture.form import API_PAGE
from agent.hil.capture.requests import EPIC_SUMMARY
from agent.hil.verify.observed import Observed, number, shown
from agent.hil.verify.verdict import Finding, UnansweredError

_SECTIONS: Final = {"HBs": list, "HBStatus": list, "Session": dict, "Status": dict}
# Observed (O190): the first. Documented (D274): the others.
_STATES: Final = ("Mining", "Idling", "Initializing", "PreInitCooldown", "Stopping")
_APART: Final = 0.03
_J_PER_TH: Final = (8.0, 120.0)
"""Energy of a hash, J/TH, of any machine since 2017 at any clock."""


def pages_arrive_whole(look: Observed) -> Iterator[Finding]:
    """Each page on TCP 4028 comes whole: to its length, to its last chunk, or to the close."""
    _require(look)
    for reply in look.replies.values():
        if not reply.request.startswith(API_PAGE):
            continue
        if reply.data is None:
            yield Finding(path=reply.request, found=f"no byte ({reply.ending or 'no connection'})", expected="a page")
        elif not reply.is_whole:
            yield Finding(path=reply.request, found=f"{len(reply.data):,} bytes, then {reply.ending}", expected="all")


def summary_has_its_sections(look: Observed) -> Iterator[Finding]:
    """`/summary` has boards, their states, the session and the status. Observed (O190)."""
    page = _summary(look)
    for key, kind in _SECTIONS.items():
        # Assumed (A199): a unit that idles may have null for its boards.
        if not isinstance(page.get(key), kind) and not (key == "HBs" and page.get(key) is None and key in page):
            yield Finding(path=f"{EPIC_SUMMARY}: {key}", found=shown(page.get(key)), expected=f"a {kind.__name__}")


def epic_state_is_known(look: Observed) -> Iterator[Finding]:
    """`Operating State` is a word whose meaning is known. Observed (O190), documented (D274)."""
    state = _section(look, "Status").get("Operating State")
    if state not in _STATES:
        path = f"{EPIC_SUMMARY}: Status.Operating State"
        yield Finding(path=path, found=shown(state), expected=", ".join(_STATES))


def running_boards_are_enabled(look: Observed) -> Iterator[Finding]:
    """Boards in `HBs` are enabled in `HBStatus`, as many as the session counts. Observed (O190)."""
    boards = _running(look)
    enabled = {row.get("Index") for row in _rows(look, "HBStatus") if row.get("Enabled") is True}
    for at, board in enumerate(boards):
        if board.get("Index") not in enabled:
            path = f"{EPIC_SUMMARY}: HBs[{at}].Index"
            yield Finding(path=path, found=shown(board.get("Index")), expected=f"one of {sorted(enabled, key=str)}")
    counted = number(_section(look, "Session").get("Active HBs"))
    if counted is not None and counted != len(boards):
        path = f"{EPIC_SUMMARY}: Session.Active HBs"
        yield Finding(path=path, found=f"{counted:g}", expected=f"{len(boards)}, those in HBs")


def board_rates_fit_their_clocks(look: Observed) -> Iterator[Finding]:
    """`Hashrate` is MH/s and their share of what the clock gives: alike on boards of one clock. Observed (O191)."""
    found: list[tuple[int, float]] = []
    for at, board in enumerate(_running(look)):
        rate, clock = board.get("Hashrate"), number(board.get("Core Clock Avg"))
        values = [number(value) for value in rate[:2]] if isinstance(rate, list) else []
        if len(values) < 2 or not values[0] or not values[1] or not clock:
            yield Finding(path=f"{EPIC_SUMMARY}: HBs[{at}]", found=shown(rate), expected="MH/s and percent at a clock")
            continue
        found.append((at, values[0] / values[1] / clock))
    if not found:
        return
    first = found[0][1]
    for at, ratio in found[1:]:
        if abs(ratio / first - 1.0) > _APART:
            path = f"{EPIC_SUMMARY}: HBs[{at}].Hashrate"
            yield Finding(path=path, found=f"{ratio / first:.3f} of the first board's ideal", expected="the same ideal")


def supply_fits_the_rate(look: Observed) -> Iterator[Finding]:
    """The supply's `Input Power` fits the boards' rates. Observed (O192)."""
    rates = [board.get("Hashrate") for board in _running(look)]
    rate_mhs = sum(number(rate[0]) or 0.0 for rate in rates if isinstance(rate, list) and rate)
    watts = number(_section(look, "Power Supply Stats").get("Input Power"))
    if not rate_mhs:
        raise UnansweredError("no board tells a rate")
    rate_th = rate_mhs / 1e6
    if watts is None or not _J_PER_TH[0] <= watts / rate_th <= _J_PER_TH[1]:
        yield Finding(
            path=f"{EPIC_SUMMARY}: Power Supply Stats.Input Power",
            found=f"{shown(watts)} W at {rate_th:,.0f} TH/s",
            expected=f"{_J_PER_TH[0]:g} to {_J_PER_TH[1]:g} J/TH",
        )


def _require(look: Observed) -> None:
    """Refuse a unit under other firmware.

    Raises:
        UnansweredError: It has no page of ePIC firmware.
    """
    if not look.is_epic:
        raise UnansweredError("no page of ePIC firmware on TCP 4028")


def _summary(look: Observed) -> dict[str, Any]:
    """Return `/summary`.

    Raises:
        UnansweredError: There is none, or it is no object.
    """
    _require(look)
    page = look.page(EPIC_SUMMARY)
    if not isinstance(page, dict):
        raise UnansweredError(f"{EPIC_SUMMARY} is no object")
    return page


def _section(look: Observed, key: str) -> dict[str, Any]:
    section = _summary(look).get(key)
    return section if isinstance(section, dict) else {}


def _rows(look: Observed, key: str) -> list[dict[str, Any]]:
    rows = _summary(look).get(key)
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _running(look: Observed) -> list[dict[str, Any]]:
    """Return the boards that run.

    Raises:
        UnansweredError: None does.
    """
    boards = _rows(look, "HBs")
    if not boards:
        raise UnansweredError("no board runs")
    return boards
