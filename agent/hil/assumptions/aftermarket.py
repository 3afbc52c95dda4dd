"""Checks of what VNish, LuxOS, Braiins OS and ePIC firmware are assumed to say."""

from collections.abc import Iterator
from typing import Final

import msgspec

from agent.hil.assumptions.check import Check, Observation, seen
from agent.hil.assumptions.view import STARTING_WORDS, Row, View, number

_EPIC_PAGE: Final = "page :4028/"
_SLOTS: Final = range(1, 5)
_ADDED_CELSIUS: Final = 15.0
_SAME_CELSIUS: Final = 0.05
_FAMILIES: Final = ("S19", "S21")


def _is_vnish(view: View) -> bool:
    """Observed (O86): the model that it reports ends in its name and version, in brackets."""
    return "(vnish" in view.identity.get("type", "").casefold()


def _is_luxos(view: View) -> bool:
    """Observed (O83): `version` has a key of its name."""
    return any("LUXminer" in row.values for row in view.rows("version", is_new_api=False))


def _is_braiins_of_the_families(view: View) -> bool:
    """Observed (O82): `version` has a key of its name. Observed (O146): `devdetails` tells the model."""
    if not any(key.startswith("BOS") for row in view.rows("version", is_new_api=False) for key in row.values):
        return False
    models = [row.text("Model") or "" for row in view.rows("devdetails", is_new_api=False)]
    return any(family in model for model in models for family in _FAMILIES)


def _rate(row: Row) -> float:
    """Return the rate of a row, which may be a text; 0 without one."""
    value = row.values.get("GHS 5s")
    try:
        return number(float(value[:24]) if isinstance(value, str) else value) or 0.0
    except ValueError:
        return 0.0


def _nul_of_vnish(view: View) -> Iterator[Observation]:
    if not _is_vnish(view):
        return
    for exchange in view.recorded.exchanges:
        if exchange.reply and exchange.has_nul is not None and not exchange.request.startswith("page "):
            shown = "a NUL" if exchange.has_nul else "no NUL"
            yield Observation(exchange.has_nul, exchange.request, shown, exchange.at_s)


def _failed(view: View) -> Iterator[Observation]:
    if _is_vnish(view):
        for row in view.rows("stats", is_new_api=False):
            if row.text("state") == "failure":
                rate_ghs = _rate(row)
                yield seen(row, "GHS 5s", rate_ghs, holds=rate_ghs == 0.0)


def _disconnected(view: View) -> Iterator[Observation]:
    if not _is_vnish(view):
        return
    for row in view.rows("stats", is_new_api=False):
        chips = {slot: row.number(f"chain_acn{slot}") for slot in _SLOTS}
        lost = {slot for slot in _SLOTS if row.text(f"chain_state{slot}") == "disconnected"}
        design = max((told for slot, told in chips.items() if told and slot not in lost), default=None)
        for slot in sorted(lost):
            told = chips[slot]
            if told and design:
                yield seen(row, f"chain_acn{slot}", told, holds=told == design)


def _config_asleep(view: View) -> Iterator[Observation]:
    if not _is_luxos(view):
        return
    answered = {id(answer.exchange) for answer in view.answers.get("config", ())}
    for exchange in view.recorded.exchanges:
        if exchange.request == "config" and view.is_asleep(exchange):
            holds = id(exchange) in answered
            yield Observation(holds, "config", "answered" if holds else "not answered", exchange.at_s)


def _status_of_a_start(view: View) -> Iterator[Observation]:
    if _is_luxos(view):
        for row in view.rows("config", is_new_api=False):
            status = row.text("SystemStatus")
            if status and row.exchange.state in STARTING_WORDS:
                yield seen(row, "SystemStatus", status, holds=status.casefold().startswith("init"))


def _board_numbers(view: View) -> Iterator[Observation]:
    if _is_braiins_of_the_families(view):
        for row in view.rows("devs", is_new_api=False):
            place = row.number("ID")
            if place is not None:
                yield seen(row, "ID", place, holds=place >= 1.0)


def _added_celsius(view: View) -> Iterator[Observation]:
    if _is_braiins_of_the_families(view):
        for row in view.rows("temps", is_new_api=False):
            board, chip = row.number("Board"), row.number("Chip")
            if board and chip:
                yield seen(row, "Chip", chip, holds=abs(chip - board - _ADDED_CELSIUS) <= _SAME_CELSIUS)


def _whole_pages(view: View) -> Iterator[Observation]:
    for exchange in view.recorded.exchanges:
        if exchange.request.startswith(_EPIC_PAGE) and exchange.reply:
            try:
                msgspec.json.decode(exchange.reply)
            except (ValueError, RecursionError):
                yield Observation(False, exchange.request, "no JSON", exchange.at_s)  # noqa: FBT003 - As in its fields.
            else:
                yield Observation(True, exchange.request, f"{len(exchange.reply)} bytes", exchange.at_s)  # noqa: FBT003


CHECKS: Final = (
    Check("A170", "raw replies of a unit under VNish", _nul_of_vnish),
    Check("A171", "`stats` of a unit under VNish that failed", _failed),
    Check("A172", "`stats` of a unit under VNish with a board that is disconnected", _disconnected),
    Check("A175", "`config` of a unit under LuxOS that sleeps", _config_asleep),
    Check("A178", "`config` of a unit under LuxOS that starts", _status_of_a_start),
    Check("A182", "`devs` of an S19 or S21 under Braiins OS", _board_numbers),
    Check("A183", "`temps` of an S19 or S21 under Braiins OS", _added_celsius),
    Check("A198", "pages of a unit under ePIC firmware", _whole_pages),
)
