"""The catalogue: every rated row is found, and mistakes in a site's own file are reported by line and column."""

import csv
import json
from collections import Counter
from importlib.resources import files

import pytest
from capture_files import S21_STATS

from agent.errors import ConfigError
from agent.unit.model_names import make_in, short_model
from agent.unit.models_file import COLUMNS, read_models
from agent.unit.nameplate import HASHES_PER_CYCLE, Catalogue, Nameplate, RatedMode, shipped_catalogue

TEXT = files("agent.unit").joinpath("models.csv").read_text(encoding="utf-8")
ROWS = list(csv.DictReader(TEXT.splitlines()))
RATED = [row for row in ROWS if row["hashrate_th_s"]]
HEADER = ",".join(COLUMNS)
GOOD = "Antminer S21,200,3500,17.5,3,108,BM1368,4,air,somewhere"


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    """Return the catalogue shipped with the agent."""
    return shipped_catalogue()


@pytest.mark.parametrize("row", RATED, ids=lambda row: f"{row['model']} {row['hashrate_th_s']}")
def test_every_rated_row_is_found(catalogue: Catalogue, row: dict[str, str]) -> None:
    """A row is found by bin and by either spelling of its model, and every cell is kept."""
    hashrate_hs = float(row["hashrate_th_s"]) * 1e12
    found = catalogue.find(row["model"], hashrate_hs)
    assert found is not None
    assert catalogue.find(short_model(row["model"]).upper(), hashrate_hs) is found
    assert (found.model, found.hashrate_hs) == (row["model"].removeprefix("Antminer "), hashrate_hs)
    assert found.power_watts == (float(row["power_w"]) if row["power_w"] else None)
    assert found.boards == (int(row["hashboards"]) if row["hashboards"] else None)
    assert found.chips_per_board == (int(row["chips_per_board"]) if row["chips_per_board"] else None)
    assert found.fans == (int(row["fans"]) if row["fans"] else None)
    assert (found.cooling, found.source, found.chip or "") == (row["cooling"], row["source"], row["chip"])
    assert (found.coolant_layout or "") == row["coolant_layout"]
    assert found.make == row["make"] == (make_in(row["model"]) or "Bitmain")
    assert not found.is_declared


@pytest.mark.parametrize("row", [row for row in RATED if row["efficiency_j_per_th"] and row["power_w"]])
def test_power_and_energy_efficiency_of_a_row_agree(row: dict[str, str]) -> None:
    """W = J/TH x TH/s, apart from the maker's rounding."""
    power_watts = float(row["efficiency_j_per_th"]) * float(row["hashrate_th_s"])
    assert float(row["power_w"]) == pytest.approx(power_watts, rel=0.005)


def test_catalogue_holds_the_rated_rows_and_no_other(catalogue: Catalogue) -> None:
    """Rows without a hashrate are left out."""
    assert len(list(catalogue)) == len(RATED)
    unrated = {short_model(row["model"]) for row in ROWS} - {short_model(row["model"]) for row in RATED}
    assert unrated
    assert not unrated & set(catalogue.models())
    assert catalogue.find(unrated.pop(), 0) is None


def test_modes_are_ratings_of_one_machine_and_bins_are_not(catalogue: Catalogue) -> None:
    """Each bin of an S21 Imm. has the same high energy mode; bins of an S21 are other machines."""
    high = RatedMode(hashrate_hs=301e12, power_watts=5569.0)
    for bin_ths in (239, 227, 220, 215):
        assert found(catalogue, "S21 Imm. (NEM)", bin_ths).modes == (high,)
    slower = found(catalogue, "S21 Imm. (HEM)", 301).modes
    assert [(mode.hashrate_hs, mode.power_watts) for mode in slower] == [
        (215e12, 3440),
        (220e12, 3520),
        (227e12, 3632),
        (239e12, 3824),
    ]
    assert found(catalogue, "T21", 190).modes == (RatedMode(hashrate_hs=233e12, power_watts=5126.0),)
    assert found(catalogue, "S21", 200).modes == ()


def test_a_sites_own_file_adds_modes() -> None:
    """A row with a mode in brackets is another mode of the machine, in any file; one without watts is no mode."""
    text = f"{HEADER}\nM1,100,2000,20,,,,,air,x\nM1,90,,,,,,,air,x\nm1 (hem),120,2640,22,,,,,air,x\n"
    own = Catalogue(read_models(text, "own.csv"))
    assert found(own, "M1", 100).modes == (RatedMode(hashrate_hs=120e12, power_watts=2640.0),)
    assert found(own, "M1 (HEM)", 120).modes == (RatedMode(hashrate_hs=100e12, power_watts=2000.0),)


def found(catalogue: Catalogue, model: str, bin_ths: float) -> Nameplate:
    """Return a nameplate that must be there."""
    nameplate = catalogue.find(model, bin_ths * 1e12)
    assert nameplate is not None
    return nameplate


MAKES = {"Bitmain": 118, "MicroBT": 40, "Canaan": 18, "Auradine": 6, "Bitdeer": 10}


def test_makes_of_the_catalogue() -> None:
    """Five makes; every row has a source, and a secondary rating says so."""
    assert Counter(row["make"] for row in ROWS) == MAKES
    assert all(row["source"] for row in ROWS)
    for row in ROWS:
        assert row["make"] == "Bitmain" or not row["chip"]


def test_make_of_a_sites_own_row() -> None:
    """The cell, else the brand in the model's name, else Bitmain; known makes are spelt alike."""
    rows = (
        "M99,1,,,,,,,air,x,microbt",
        "Whatsminer M98,1,,,,,,,air,x,",
        "Rig,1,,,,,,,air,x,Proto",
        "S99,1,,,,,,,air,x,",
    )
    text = "\n".join([f"{HEADER},make", *rows])
    own = Catalogue(read_models(text, "own.csv"))
    makes = ("MicroBT", "MicroBT", "Proto", "Bitmain")
    assert tuple(found(own, model, 1).make for model in ("M99", "M98", "Rig", "S99")) == makes


def test_bins_of_a_model(catalogue: Catalogue) -> None:
    """Bins are in H/s, largest first; an unknown model has none."""
    assert catalogue.bins_hs("Antminer S21") == (200e12, 195e12, 188e12, 175e12, 151e12)
    assert catalogue.bins_hs("t21") == (233e12, 190e12, 186e12, 180e12)
    assert catalogue.bins_hs("S22") == ()


@pytest.mark.parametrize(("model", "hashrate_hs"), [("S21", 201e12), ("S22", 200e12), ("", 200e12), ("S21", 200.1e12)])
def test_bin_that_is_not_sold_is_not_found(catalogue: Catalogue, model: str, hashrate_hs: float) -> None:
    """The nearest bin is not substituted."""
    assert catalogue.find(model, hashrate_hs) is None


def test_bin_is_found_through_rounding(catalogue: Catalogue) -> None:
    """A rounding error in the hashrate still finds the bin."""
    assert catalogue.find("S21", 200e12 * (1 + 1e-12)) is catalogue.find("S21", 200e12)


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("Antminer S21", "S21"),
        ("antminer  S21  Hyd.", "S21 Hyd."),
        ("S21", "S21"),
        (" S21+ ", "S21+"),
        ("Antminer", ""),
        ("", ""),
    ],
)
def test_short_model(name: str, model: str) -> None:
    """The maker's name and extra blanks are removed."""
    assert short_model(name) == model


def test_hashrate_of_an_s21_at_490_mhz(catalogue: Catalogue) -> None:
    """108 chips x 1276 hashes per cycle x 490 MHz is a board's `rate_ideal` in the recorded reply."""
    hashrate_hs = 108 * HASHES_PER_CYCLE["BM1368"] * 490e6
    assert hashrate_hs == pytest.approx(67_525.92e9)
    boards = json.loads(S21_STATS)["STATS"][0]["chain"]
    assert [board["rate_ideal"] for board in boards] == [int(hashrate_hs / 1e9)] * 3
    found = catalogue.find("S21", 200e12)
    assert found is not None
    # The recorded unit's clock is 1.3 % above the clock of its nameplate.
    assert found.frequency_hz == pytest.approx(483.8e6, rel=1e-4)


def test_frequency_needs_the_hashes_per_cycle(catalogue: Catalogue) -> None:
    """Only chips with a source for their hashes per cycle get a frequency."""
    assert {nameplate.chip for nameplate in catalogue if nameplate.frequency_hz is not None} == {"BM1366", "BM1368"}


def test_row_of_a_site_replaces_the_shipped_one() -> None:
    """A site's row replaces the shipped bin; other bins of the model stay."""
    own = read_models(f"{HEADER}\nS21,200,3600,18,3,108,BM1368,4,air,measured here\n", "own.csv")
    catalogue = shipped_catalogue(own)
    found = catalogue.find("Antminer S21", 200e12)
    assert found is not None
    assert (found.power_watts, found.source) == (3600, "measured here")
    assert len(catalogue.bins_hs("S21")) == 5


@pytest.mark.parametrize(
    "text",
    [
        f"{HEADER}\n{GOOD}",
        f"\ufeff{HEADER}\r\n{GOOD}\r\n\r\n",
        f"note,{HEADER}\nx,{GOOD}\n",
        f"{HEADER}\n{GOOD.replace('somewhere', chr(34) + 'here, and' + chr(10) + 'there' + chr(34))}\n",
    ],
    ids=["plain", "as a spreadsheet saves it", "with a column more", "with a cell of two lines"],
)
def test_ways_to_write_a_row(text: str) -> None:
    """Any line end, a byte order mark, extra columns and quoted cells are accepted."""
    (row,) = read_models(text, "own.csv").rows
    assert (row.hardware.model, row.hashrate_hs, row.hardware.boards) == ("S21", 200e12, 3)


@pytest.mark.parametrize(
    ("row", "mistake"),
    [
        ("S21,many,3500,,3,108,BM1368,4,air,x", "line 2, column hashrate_th_s = 'many': a number above 0 is expected"),
        ("S21,-200,3500,,3,108,BM1368,4,air,x", "line 2, column hashrate_th_s = '-200': a number above 0"),
        ("S21,2_0,3500,,3,108,BM1368,4,air,x", "line 2, column hashrate_th_s = '2_0': a number above 0 is expected"),
        ("S21,\uff12,3500,,3,108,BM1368,4,air,x", "line 2, column hashrate_th_s = '\uff12': a number above 0"),
        ("S21,200,3500,x,3,108,BM1368,4,air,x", "line 2, column efficiency_j_per_th = 'x': a number above 0"),
        ("S2\x1b[31m,200,3500,,3,108,BM1368,4,air,x", "line 2, column model = 'S2\\x1b[31m': at most 64 printable"),
        ("\u202eS21,200,3500,,3,108,BM1368,4,air,x", "line 2, column model = '\\u202eS21': at most 64 printable"),
        (f"{'S' * 65},200,3500,,3,108,BM1368,4,air,x", f"line 2, column model = '{'S' * 65}': at most 64 printable"),
        (f"S21,200,3500,,3,108,{'B' * 65},4,air,x", f"line 2, column chip = '{'B' * 65}': at most 64 printable"),
        ("S21,0,3500,,3,108,BM1368,4,air,x", "line 2, column hashrate_th_s = '0': a number above 0"),
        ("S21,nan,3500,,3,108,BM1368,4,air,x", "line 2, column hashrate_th_s = 'nan': a number above 0"),
        (
            "S21,1e300,3500,,3,108,BM1368,4,air,x",
            "column hashrate_th_s = '1e300': a number above 0 is expected, at most",
        ),
        ("S21,200,inf,,3,108,BM1368,4,air,x", "line 2, column power_w = 'inf': a number above 0"),
        ("S21,200,3500,,3.0,108,BM1368,4,air,x", "line 2, column hashboards = '3.0': a whole number is expected"),
        ("S21,200,3500,,3,\u0663,BM1368,4,air,x", "line 2, column chips_per_board = '\u0663': a whole number"),
        ("S21,200,3500,,3,108,BM1368,-4,air,x", "line 2, column fans = '-4': a whole number is expected"),
        (f"S21,200,3500,,3,108,BM1368,{'4' * 5000},air,x", f"line 2, column fans = '{'4' * 80}': a whole number"),
        ("S21,200,3500,,3,108,BM1368,4,wind,x", "line 2, column cooling = 'wind': one of air, hydro, immersion"),
        (",200,3500,,3,108,BM1368,4,air,x", "line 2, column model: a model needs a name"),
        ("Antminer,200,3500,,3,108,BM1368,4,air,x", "line 2, column model = 'Antminer': a model needs a name"),
        ("S21,200,3500", "line 2: 3 cells where the header has 10"),
        ("S21,200,3500,,3,108,BM1368,4,air,x,y", "line 2: 11 cells where the header has 10; a comma inside a cell"),
        ('S21,200,3500,,3,108,BM1368,4,air,"x', "line 2: not CSV from here on: unexpected end of data"),
        (f"{GOOD}\n{GOOD}", "line 3, column hashrate_th_s = '200': S21 has a row of this hashrate already"),
        (f"{GOOD}\ns21,200.0,,,,,,,air,", "line 3, column hashrate_th_s = '200.0': s21 has a row of this hashrate"),
    ],
)
def test_bad_row_is_named_by_line_and_column(row: str, mistake: str) -> None:
    """A mistake has file, line, column, value and the expected form."""
    with pytest.raises(ConfigError) as caught:
        read_models(f"{HEADER}\n{row}\n", "own.csv")
    (found,) = caught.value.mistakes
    assert mistake in str(found)
    assert str(caught.value).startswith("own.csv: line ")


def test_every_mistake_of_a_file_is_reported() -> None:
    """Three bad rows with six mistakes give six mistakes, in order."""
    rows = ["S21,x,y,,3,108,BM1368,4,air,s", GOOD, ",200,,,a,,,,,", "S21,200"]
    with pytest.raises(ConfigError) as caught:
        read_models("\n".join([HEADER, *rows]), "own.csv")
    assert [mistake.where for mistake in caught.value.mistakes] == [
        "line 2, column hashrate_th_s",
        "line 2, column power_w",
        "line 4, column hashboards",
        "line 4, column cooling",
        "line 4, column model",
        "line 5",
    ]


@pytest.mark.parametrize("text", ["", "\n", "model;hashrate_th_s\nS21;200\n", "model,hashrate_th_s\nS21,200\n", "\0"])
def test_file_without_its_columns(text: str) -> None:
    """Missing columns are named."""
    with pytest.raises(ConfigError, match=r"own\.csv: line 1: columns missing: .*cooling, source"):
        read_models(text, "own.csv")
