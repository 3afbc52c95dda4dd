"""Checks of what units say they are: builds, models, kernels, and how pages are printed."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

from agent.hil.assumptions.check import Check, Observation, seen
from agent.hil.assumptions.view import View
from agent.unit.model_names import base_key

_DATE: Final = re.compile(r"[A-Z][a-z]{2} +([A-Z][a-z]{2}) +(\d{1,2}) (\d\d:\d\d:\d\d) [A-Z]{3,4} (\d{4})\d?")
_RELEASE_DAY: Final = re.compile(r"\((\d{6})-")
_UART: Final = "uart_trans.1.3"
_AMLOGIC: Final = "Linux 4.9.113"
_MINUTES: Final = (20, 32)
# Assumed (A11): the time of day. Documented (D21): the day.
IMAGES: Final[Mapping[str, str]] = {
    "S21 Hyd.": "Wed Apr 16 11:02:27 CST 2025",
    "S21+ Hyd.": "Wed Feb 19 07:30:20 CST 2025",
    "S21 XP Hyd.": "Fri Oct 11 16:43:05 CST 2024",
    "S21e XP Hyd.": "Mon Jan  6 15:07:41 CST 2025",
    "S21e Hyd.": "Tue May 20 10:14:09 CST 2025",
}
# Assumed (A12): models without a readable image are taken for line A.
UNREAD_MODELS: Final = ("S21 Pro", "S21 XP", "S21 Imm.", "S21 XP Imm.", "S21 XP+ Hyd.", "U3S21EXPH")
# Assumed (A15): boards and chips of the nearest relative.
RELATIVES: Final[Mapping[str, tuple[int, int]]] = {
    "S21 XP+ Hyd.": (3, 160),
    "U3S21EXPH": (3, 320),
    "S21 Imm.": (3, 108),
    "S21 XP Imm.": (3, 91),
}


def built_at(text: str) -> datetime | None:
    """Return the time in a build date, in its own zone; None if it is none. Observed (O16): a year of five digits."""
    match = _DATE.search(text)
    if match is None:
        return None
    month, day, clock, year = match.groups()
    try:
        return datetime.strptime(f"{month} {day} {clock} {year}", "%b %d %H:%M:%S %Y")  # noqa: DTZ007  A zone word.
    except ValueError:
        return None


def _date_of_release(view: View) -> Iterator[Observation]:
    day = _RELEASE_DAY.search(view.identity.get("release", ""))
    if view.line != "B" or day is None:
        return
    for row in view.rows("version", is_new_api=False):
        text = row.text("CompileTime") or ""
        built = built_at(text)
        yield seen(row, "CompileTime", text, holds=built is not None and f"{built:%y%m%d}" == day[1])


def _time_of_image(view: View) -> Iterator[Observation]:
    for model, text in IMAGES.items():
        if base_key(model) != view.model:
            continue
        assumed = built_at(text)
        for row in view.rows("version", is_new_api=False):
            told = built_at(row.text("CompileTime") or "")
            if told is not None and assumed is not None and told.date() == assumed.date():
                yield seen(row, "CompileTime", f"{told:%H:%M:%S}", holds=told == assumed)


def _line_of_model(view: View) -> Iterator[Observation]:
    if view.model in {base_key(model) for model in UNREAD_MODELS} and view.line is not None:
        for row in view.rows("version", is_new_api=False):
            # Documented (D85): builds of 2026 are no part of it.
            built = built_at(row.text("CompileTime") or "")
            if built is not None and built.year < 2026:
                yield seen(row, "API", f"line {view.line}", holds=view.line == "A")


def _uart(view: View) -> Iterator[Observation]:
    for row in view.rows("version", is_new_api=False):
        text = row.text("Miner")
        if text:
            yield seen(row, "Miner", text, holds=text == _UART)
    for answers in view.answers.values():
        for answer in answers:
            info = answer.body.get("INFO")
            text = info.get("miner_version") if isinstance(info, dict) else None
            if isinstance(text, str):
                shown = text[:60] if text.isprintable() else ascii(text[:60])
                yield Observation(text == _UART, f"{answer.report} INFO.miner_version", shown, answer.exchange.at_s)


def _mode_in_type(view: View) -> Iterator[Observation]:
    text = view.identity.get("type", "")
    if "imm" in text.casefold():
        named = [word for word in ("NEM", "HEM", "LPM") if word in text.upper()]
        yield Observation(not named, "Type", ", ".join(named) or "no mode", 0.0)


def _hardware(view: View) -> Iterator[Observation]:
    for model, (boards, chips) in RELATIVES.items():
        if base_key(model) != view.model:
            continue
        for sample in view.samples:
            counts = [board.chips for board in sample.boards if board.chips]
            if counts and not sample.is_asleep and sample.rate_ghs:
                told = f"{len(counts)} x {max(counts):g}"
                yield seen(sample.row, "", told, holds=(len(counts), max(counts)) == (boards, chips))


def _kernel(view: View) -> Iterator[Observation]:
    page = view.page("get_system_info")
    kernel = page.text("system_kernel_version") if page is not None else None
    built = built_at(view.identity.get("compile_time", ""))
    if page is None or not kernel or not kernel.startswith(_AMLOGIC) or built is None:
        return
    kernel_built = built_at(kernel)
    if kernel_built is not None:
        minutes = (kernel_built - built).total_seconds() / 60
        yield seen(page, "system_kernel_version", f"{minutes:.0f} min", holds=_MINUTES[0] <= minutes <= _MINUTES[1])


def _subtype(view: View) -> Iterator[Observation]:
    page, info = view.page("miner_type"), view.page("get_system_info")
    kernel = info.text("system_kernel_version") if info is not None else None
    if page is not None and kernel is not None and kernel.startswith(_AMLOGIC):
        text = page.text("subtype") or ""
        is_other = text.startswith("CVCtrl")
        if not is_other:
            yield seen(page, "subtype", text, holds=re.fullmatch(r"AMLCtrl_[A-Z0-9]*HB[0-9X]{5}", text) is not None)


def _one_key_a_line(view: View) -> Iterator[Observation]:
    page = view.page("get_network_info")
    if page is None or not view.recorded.is_raw:
        return
    lines = [line for line in page.exchange.reply.splitlines() if line.strip() not in {b"", b"{", b"}"}]
    keys = [line.count(b'":') for line in lines]
    has_blanks = any(b'": ' in line for line in lines)
    yield seen(page, "", f"{len(lines)} lines", holds=set(keys) == {1} and not has_blanks)


CHECKS: Final = (
    Check("A10", "`version` and get_system_info of a unit of line B", _date_of_release),
    Check("A11", "`version` of a hydro unit with a published image", _time_of_image),
    Check("A12", "`version` of a model without a readable image", _line_of_model),
    Check("A13", "`version`, or INFO of any reply", _uart),
    Check("A14", "any reply of an immersed unit", _mode_in_type),
    Check("A15", "`stats` of a bin whose chips no source tells", _hardware),
    Check("A52", "get_system_info of an Amlogic board", _kernel),
    Check("A53", "miner_type and get_system_info of an Amlogic board", _subtype),
    Check("A54", "get_network_info byte for byte", _one_key_a_line),
)
