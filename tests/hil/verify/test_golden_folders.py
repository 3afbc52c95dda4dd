"""The golden reading of each shipped capture: what the agent reads of the whole folder, beside its replies."""

import json
from pathlib import Path

import pytest
from paths import CAPTURES

from agent.errors import ConfigError
from agent.hil.capture import form
from agent.hil.capture.folder import read_capture
from agent.hil.capture.golden import golden_of
from agent.hil.verify.alone import held_to_golden

NO_CAPTURE = "other-z9mini-stock-2018"
"""A joined reply alone, which no reader asks for: its folder holds no report."""
FOLDERS = sorted(path for path in CAPTURES.iterdir() if path.is_dir() and path.name != NO_CAPTURE)
FANS = ("6000.0", "5880.0", "5040.0", "5040.0")


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_capture_is_read_as_its_golden_reading(folder: Path, request: pytest.FixtureRequest) -> None:
    """The golden reading is that of today's reader, to the byte; `--update-golden` rewrites it."""
    golden = golden_of(read_capture(folder))
    path = folder / form.GOLDEN
    if request.config.getoption("--update-golden"):
        path.write_bytes(golden)
    assert path.read_bytes() == golden


def test_the_folder_without_a_report_is_no_capture() -> None:
    """It has no golden reading, and says why."""
    with pytest.raises(ConfigError, match=r"holds no capture.json and no file named"):
        read_capture(CAPTURES / NO_CAPTURE)
    assert not (CAPTURES / NO_CAPTURE / form.GOLDEN).exists()


def test_every_figure_of_a_golden_reading_counts() -> None:
    """A figure that differs is named by its path with both values, and changes the meaning; so does a missing one."""
    capture = read_capture(CAPTURES / "s19pro-stock-202212")
    golden = json.loads(golden_of(capture))
    golden["first"]["boards"][1]["chips"] = 113
    del golden["first"]["fan_rpm"]
    found = held_to_golden(capture, golden)
    assert [(each.path, each.first, each.second, each.changes_meaning) for each in found.differences] == [
        ("reading first: boards[1].chips", "113", "114", True),
        *((f"reading first: fan_rpm[{at}]", None, rpm, True) for at, rpm in enumerate(FANS)),
    ]


def test_a_check_that_a_capture_breaks_is_a_note() -> None:
    """Its golden reading was reviewed. Observed (O88): this VNish tells 0 W while it hashes."""
    capture = read_capture(CAPTURES / "s19xp-vnish-2023")
    found = held_to_golden(capture, json.loads(golden_of(capture)))
    assert not found.changes_meaning
    assert [each.path for each in found.differences] == ["power_fits_the_rate: stats: STATS[1].chain_consumption"]
