"""Names of captures: model, firmware and a date; the drafted row of sources is one row."""

import pytest

from agent.hil.capture.form import Capture, CapturedUnit, Manifest
from agent.hil.capture.naming import folder_name, sources_row
from agent.hil.capture.requests import Firmware

AT = "2026-11-30T16:00:00Z"
STOCK, LUXOS, OTHER = Firmware.STOCK, Firmware.LUXOS, Firmware.OTHER


@pytest.mark.parametrize(
    ("model", "build", "firmware", "name"),
    [
        ("Antminer S21", "Thu Jul 11 16:38:25 CST 2024", STOCK, "s21-stock-202407"),
        ("Antminer S21+", "Wed Mar 12 15:03:54 CST 2025", STOCK, "s21plus-stock-202503"),
        ("Antminer S21j XP Hyd.", "Thu May  7 15:44:15 CST 20266", STOCK, "s21jxphyd-stock-202605"),
        ("Antminer S21", "FR-1.12(251009-S21)", STOCK, "s21-stock-202510"),
        ("Antminer S19k Pro", "Tue Apr  8 22:05:35 UTC 2025", LUXOS, "s19kpro-luxos-202504"),
        ("Antminer S21 Pro (Vnish 1.3.4)", None, Firmware.VNISH, "s21pro-vnish-2026"),
        (None, None, OTHER, "unknown-other-2026"),
        ("../../etc/passwd\n", "x", OTHER, "etcpasswd-other-2026"),
        ("Q" * 200, "Abc 99 99:99:99 CST 2024", OTHER, f"{'q' * 24}-other-2026"),
    ],
)
def test_folder_name(model: str | None, build: str | None, firmware: Firmware, name: str) -> None:
    """The build's month if the unit tells it, else the year of the recording; never a path."""
    assert folder_name(CapturedUnit(model=model, firmware=build), firmware, AT) == name


def test_sources_row_is_one_row() -> None:
    """Whatever the unit says, it stays within its cell."""
    unit = CapturedUnit(model="S21 | `x`\n| y", firmware=None, bin_hs=200e12)
    manifest = Manifest(form=1, recorded_by="hashsight 1", is_redacted=True, unit=unit, ports={}, replies=())
    lines = sources_row(Capture(name="s21", manifest=manifest, data={}), STOCK).splitlines()
    assert len(lines) == 3
    assert lines[2].startswith("| `s21` | S21 \\| 'x' \\| y, 200 TH/s; stock, build not told | recorded by hashsight 1")
    assert lines[2].replace("\\|", "").count("|") == 6
