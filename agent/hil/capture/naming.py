"""The name of a capture's folder, and the row that is drafted for the list of sources. Pure."""

import re
from datetime import datetime
from typing import Final

from agent.hil.capture.form import Capture, CapturedUnit
from agent.hil.capture.requests import Firmware

_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
# Observed (O12, O16): `Thu Jul 11 16:38:25 CST 2024`; the new dialect may add a digit to the year.
_COMPILED: Final = re.compile(r"\b([A-Z][a-z]{2}) +[0-9]{1,2} [0-9:]+ [A-Z]+ (20[0-9]{2})[0-9]?\b")
# Documented (D19): `FR-1.12(251009-S21)`.
_FR: Final = re.compile(r"FR-[0-9.]+\((2[0-9])([01][0-9])[0-9]{2}-")
_LONGEST: Final = 24


def folder_name(unit: CapturedUnit, firmware: Firmware, recorded_at: str) -> str:
    """Return a name such as ``s21pro-stock-202507``: model, firmware, and a date.

    Six digits are the month in which the firmware was built, four the year of the recording, as in
    `tests/captures/SOURCES.md`.

    Args:
        unit: What the unit says it is.
        firmware: Which firmware answers.
        recorded_at: Date of the recording, ISO 8601.
    """
    return f"{_slug(unit.model)}-{firmware}-{_built(unit.firmware) or recorded_at[:4]}"


def _slug(model: str | None) -> str:
    """Return a model's name in letters and digits: ``Antminer S21+ Hyd.`` is ``s21plushyd``."""
    name = re.sub(r"\(.*\)", "", (model or "").casefold()).replace("antminer", "").replace("+", "plus")
    return re.sub(r"[^a-z0-9]", "", name)[:_LONGEST] or "unknown"


def _built(firmware: str | None) -> str | None:
    text = firmware or ""
    if (named := _FR.search(text)) is not None:
        return f"20{named[1]}{named[2]}"
    compiled = _COMPILED.search(text)
    if compiled is None or compiled[1].casefold() not in _MONTHS:
        return None
    return f"{compiled[2]}{_MONTHS.index(compiled[1].casefold()) + 1:02d}"


def sources_row(capture: Capture, firmware: Firmware) -> str:
    """Return the content of `SOURCES.md`: the table's head, and one row that a person completes."""
    unit = capture.manifest.unit
    bin_text = "" if unit.bin_hs is None else f", {unit.bin_hs / 1e12:g} TH/s"
    what = f"{_cell(unit.model or 'model not told')}{bin_text}; {firmware}, {_cell(unit.firmware or 'build not told')}"
    how = f"recorded by {capture.manifest.recorded_by}, at the time in `timings.json`"
    redacted = "by `hashsight record`" if capture.manifest.is_redacted else "nothing: **private**, do not publish"
    return (
        "| Folder | Unit and firmware | Origin | Grade | Redacted |\n"
        "|---|---|---|---|---|\n"
        f"| `{capture.name}` | {what} | {how} | verbatim | {redacted} |\n"
    )


def _cell(text: str) -> str:
    """Return a unit's text as part of one cell."""
    printable = "".join(each if each.isprintable() else " " for each in text)
    return printable.replace("|", "\\|").replace("`", "'")


def utc_text(at: datetime) -> str:
    """Return a time as a capture has it: ``2026-11-30T16:00:00Z``."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
