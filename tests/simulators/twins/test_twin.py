"""What a capture tells of its unit, and captures that cannot be a template."""

import json
import re
from pathlib import Path

import pytest
from paths import CAPTURES
from recorded_cases import make_capture, moment
from twin_cases import LUXOS, S19_PRO, S21, T21_ASLEEP, VNISH_PRO, make_twins

from agent.hil.capture.form import Ending, RecordedReply
from simulators.captures.folder import CaptureError
from simulators.farm.plan import FarmError, read_likes, read_mix
from simulators.twins.stages import Stage
from simulators.twins.twin import read_twin


@pytest.mark.parametrize(
    ("like", "model", "th", "boards", "chips", "fans", "mhz"),
    [
        (S19_PRO, "S19 Pro", 110.0, 3, 114, 4, 525),
        (S21, "S21", 200.0, 3, 108, 4, 490),
        (T21_ASLEEP, "T21", 190.0, 3, 108, 4, 465),
        (LUXOS, "S19k Pro", 115.0, 3, 77, 4, 300),
        (VNISH_PRO, "S21 Pro", 234.0, 3, 65, 4, 495),
    ],
)
def test_a_capture_tells_model_and_hardware(
    like: str, model: str, th: float, *, boards: int, chips: int, fans: int, mhz: int
) -> None:
    """Name, bin, boards, chips, fans and clock; the bin by hand where no reply tells it."""
    found = read_twin(like).model
    assert (found.name, found.hashrate_th, found.boards, found.chips_per_board, found.fans, found.frequency_mhz) == (
        model,
        th,
        boards,
        chips,
        fans,
        mhz,
    )


def test_firmware_texts_are_the_recorded_ones() -> None:
    """They hold for replies of simulated firmware as well, which stand in for those that were not recorded."""
    build = read_twin(T21_ASLEEP).build
    assert (build.compile_time, build.api) == ("Sun Jan 26 18:50:43 CST 2025", "3.1")


@pytest.mark.parametrize(
    ("like", "message"),
    [
        ("other-s9-stock-2018", "no reply names an Antminer model"),
        ("other-bmm100-braiins-2026", "no reply names an Antminer model"),
        ("other-s19jpro-hiveon-2024", "no whole reply to stats has rates and boards, and"),
        ("s21pro-vnish-2026", "no reply tells the bin it was sold as; give it in TH/s as s21pro-vnish-2026@TH"),
        ("t21-stock-202501-sleep@333", "no whole reply to stats, and no simulated T21 of 333 TH/s"),
        ("nowhere", "nowhere: no such file or directory"),
    ],
)
def test_a_capture_that_cannot_be_a_template_is_refused_with_the_reason(like: str, message: str) -> None:
    """The folder is named, and what would help."""
    with pytest.raises(CaptureError, match=re.escape(message)):
        read_twin(str(CAPTURES / like))


def test_what_is_not_recorded_is_said() -> None:
    """The stages without a reply, the power without a source, the bin that nobody told."""
    assert read_twin(S19_PRO).notes == (
        "power: not told; 3300 W are assumed (30 J/TH); give it as s19pro-stock-202212@110:W",
        "not recorded: asleep, starting, fault; shaped like the nearest simulated stock firmware",
    )
    assert read_twin(T21_ASLEEP).notes[0] == "bin: not told; 190 TH/s, the first of the catalogue"
    assert "its hashing reply with rates of zero" in read_twin(LUXOS).notes[-1]


def test_a_power_by_hand_is_the_models() -> None:
    """Watts after the bin; without them the catalogue's, scaled to the bin."""
    assert read_twin(f"{S19_PRO}@110:3250").model.power_watts == 3250.0
    assert read_twin(f"{S21}@100").model.power_watts == pytest.approx(1750.0)


@pytest.mark.parametrize(
    ("stats", "stage"),
    [
        ('{"STATS":[{"Type":"Antminer S21"}]}', Stage.ASLEEP),
        ('{"STATS":[{"Type":"Antminer S21"},{"Elapsed":30,"GHS 5s":0.0}]}', Stage.STARTING),
        ('{"STATS":[{"Type":"Antminer S21"},{"Elapsed":1,"GHS 5s":0.0}]}', Stage.ASLEEP),
        ('{"STATS":[{"Type":"Antminer S21"},{"Elapsed":9,"GHS 5s":0.0,"Mode":1}]}', Stage.ASLEEP),
        ('{"STATS":[{"Type":"Antminer S21"},{"Elapsed":99,"GHS 5s":200000.0}]}', Stage.HASHING),
    ],
)
def test_figures_tell_the_stage_where_no_manifest_does(tmp_path: Path, stats: str, stage: Stage) -> None:
    """A header alone is sleep; no rate is sleep or a start."""
    reply = RecordedReply(request="stats", file="tcp4028-stats.json", ending=Ending.NUL_CLOSE)
    folder = make_capture(tmp_path / "unit", replies=(reply,), data={"tcp4028-stats.json": stats.encode()})
    assert list(read_twin(str(folder)).stages) == [stage]


def test_the_manifests_word_for_a_state_wins_over_the_figures(tmp_path: Path) -> None:
    """A unit that stopped shows the rates of one that starts; nothing is taken from a unit that was off."""
    stats = {"Elapsed": 500, "GHS 5s": 0.0}
    text = json.dumps({"STATS": [{"Type": "Antminer S21"}, stats]})
    looks = [moment("01-stopped", "stopped", text), moment("02-off", "off", text.replace("500", "1"))]
    folder = make_capture(
        tmp_path / "unit",
        replies=(),
        data={name: content for _, data in looks for name, content in data.items()},
        moments=tuple(look for look, _ in looks),
    )
    assert list(read_twin(str(folder)).stages) == [Stage.FAULT]


def test_weights_share_out_a_farm() -> None:
    """Captures without a weight count as one; percent signs are weights too."""
    assert list(read_likes([f"{S21}=3", S19_PRO]).values()) == [0.75, 0.25]
    assert list(read_likes([f"{S21}=30%", f"{S19_PRO}=30%"]).values()) == [0.5, 0.5]
    for weight in ("0", "x", "-1", "inf"):
        with pytest.raises(FarmError, match="is not a number above 0"):
            read_likes([f"{S21}={weight}"])


def test_twins_stand_beside_other_models_in_a_mix() -> None:
    """`like:CAPTURE` is one more kind in the list of shares."""
    mix = read_mix(f"like:{S19_PRO}=25%,S21:200=75%")
    assert list(mix.values()) == [0.25, 0.75]
    with pytest.raises(CaptureError, match="no such file"):
        read_mix("like:nowhere=100%")


def test_twins_are_told_apart_and_known_as_simulated() -> None:
    """Serials, MAC addresses, chip ids and workers are each unit's own; the truth names the capture."""
    farm = make_twins(S21, S19_PRO, units=40)
    identities = [unit.identity for unit in farm.units]
    for values in ([i.serial for i in identities], [i.mac for i in identities], [i.miner_id for i in identities]):
        assert len(set(values)) == 40
    assert {identity.like for identity in identities} == {"s21-stock-aml-202407", "s19pro-stock-202212"}
    assert all(identity.mac.startswith("02:") and identity.serial.startswith("SIM") for identity in identities)
