"""`docs/supported.md` is what captures, golden readings and catalogue say, and says what they do."""

import pytest
from paths import CAPTURES, ROOT
from supported_models import FIRMWARE, document, fields_of, power_of, recorded

DOCS = ROOT / "docs" / "supported.md"


def test_the_document_is_up_to_date(request: pytest.FixtureRequest) -> None:
    """It is what the captures and the catalogue give, to the byte; `--update-golden` writes it."""
    text = document()
    if request.config.getoption("--update-golden"):
        DOCS.write_text(text, encoding="utf-8")
    assert DOCS.read_text(encoding="utf-8") == text


def test_every_capture_with_a_golden_reading_has_its_row() -> None:
    """One row each, under a firmware of the list."""
    text = document()
    assert [
        path.parent.name for path in CAPTURES.glob("*/golden.json") if text.count(f"| `{path.parent.name}` |") != 1
    ] == []
    assert {each.firmware for each in recorded()} <= set(FIRMWARE.values())


def test_what_is_said_of_known_captures() -> None:
    """Literal rows: a unit that tells watts, one whose watts are refuted, one asleep, one that is not read."""
    by_name = {each.name: each for each in recorded()}
    assert (by_name["s21jxphyd-stock-202605"].model, power_of(by_name["s21jxphyd-stock-202605"].first)) == (
        "S21j XP Hyd.",
        "estimated, 6,124 W",
    )
    assert power_of(by_name["s21xphyd-stock-202601"].first) == "told, and refuted"
    assert power_of(by_name["s21pro-stock-202507"].first) == "not told"
    assert fields_of(by_name["s21pro-stock-202507"].first) == (
        "uptime, mode, rate, 30 min, average, ideal, fans, shares, pools,"
        " 3 boards (rate, chips, bad chips, clock, chip C, board C, errors)"
    )
    assert fields_of(by_name["other-s9-stock-2016"].first).startswith("not read: ")


def test_the_readme_leads_there() -> None:
    """Somebody who asks whether their unit is read finds it."""
    assert "docs/supported.md" in (ROOT / "README.md").read_text(encoding="utf-8")
