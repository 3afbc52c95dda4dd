"""Sensors of hydro units: chip, board and coolant are told apart by model, and a coolant never counts as a board."""

import json
from typing import Any

import pytest
from capture_files import S21_STATS
from hypothesis import given
from hypothesis import strategies as st

from agent.unit.antminer.stats import read_stats
from agent.unit.coolant import CoolantLayout
from agent.unit.models_file import COLUMNS, read_models
from agent.unit.nameplate import Nameplate, shipped_catalogue
from agent.unit.reading import Identity, Places, UnitReading

SHIPPED = shipped_catalogue()
UNTOLD = "Antminer S21 XP Hyd."
E21 = SHIPPED.find("S21e Hyd.", 310e12)
_ = None


def read(body: Any, *, known: str | None = None, nameplate: Nameplate | None = None) -> UnitReading:
    """Read a `stats` reply of a unit whose model is known from before."""
    identity = Identity(model=known)
    return read_stats(json.dumps(body).encode(), unit_id="u1", at=1.0, identity=identity, nameplate=nameplate)


def new_api(model: str | None, *, arrays: dict[str, Any], **stats: Any) -> Any:
    """Return a reply in the new dialect with one board."""
    chain = {"index": 0, "rate_real": 100_000.0, "asic_num": 95, "temp_pic": [], "temp_pcb": [], "temp_chip": []}
    rates = {"rate_5s": 335_000.0, "rate_unit": "GH/s", "miner-mode": 0}
    return {
        "STATUS": {"STATUS": "S", "when": 1, "Msg": "stats", "api_version": "1.0.0"},
        "INFO": {"miner_version": "m", "CompileTime": "c"} | ({} if model is None else {"type": model}),
        "STATS": [rates | {"fan_num": 4, "fan": [0] * 4, "chain": [chain | arrays]} | stats],
    }


def legacy(model: str, arrays: dict[str, list[int]]) -> Any:
    """Return a reply in the legacy dialect with one board, and with the same sensors as texts."""
    texts = {f"{name}1": "-".join(map(str, values)) for name, values in arrays.items()}
    return {
        "STATUS": [{"STATUS": "S", "When": 1, "Code": 70, "Msg": "CGMiner stats", "Description": "cgminer 1.0.0"}],
        "STATS": [
            {"BMMiner": "1.0.0", "Miner": "m", "CompileTime": "c", "Type": model},
            {"Elapsed": 9000, "GHS 5s": 335_000.0, "miner_count": 1, "chain_acn1": 95, "chain_rate1": "1"} | texts,
        ],
    }


def sorted_of(reading: UnitReading) -> tuple[Places, Places, Places]:
    """Return chips, board and coolant of the one board."""
    (board,) = reading.boards
    return board.chip_celsius, board.pcb_celsius, board.coolant_celsius


S21E = {"temp_pic": [58, 47, 43, 47], "temp_pcb": [33, 41, 40, 48], "temp_chip": [0, 0, 0, 0]}
S23 = {"temp_pic": [34, 34, 42, 42], "temp_pcb": [44, 44, 52, 52], "temp_chip": [44, 44, 56, 56]}
S23_KEYS = S23 | {"temp_in": [34, 44], "temp_out": [42, 56]}
S21J = {"temp_pic": [35, 35, 40, 40], "temp_pcb": [45, 45, 50, 50], "temp_chip": [59, 59, 59, 59]}
S21XP = {"temp_pic": [54, 47, 53, 49], "temp_pcb": [38, 48, 47, 52], "temp_chip": [63, 59, 56, 61]}
# Observed (O59): s19proplus-hyd-stock-202303, its first board.
S19PRO_PLUS = {"temp_pic": [63, 42, 50, 0], "temp_pcb": [63, 42, 50, 57], "temp_chip": [63, 42, 50, 66]}

TOLD: list[tuple[str, dict[str, list[int]], Places, Places, Places]] = [
    (
        "Antminer S21 Hyd.",
        {"temp_pic": [41, 42, 51, 52], "temp_pcb": [43, 44, 53, 54], "temp_chip": [35, 48, 0, 0]},
        (),
        (43, 44, 53, 54),
        (35, 48),
    ),
    (
        "Antminer S19 XP+ Hyd.",
        {"temp_pcb": [43, 44, 53, 54], "temp_chip": [35, 48, 0, 0]},
        (),
        (43, 44, 53, 54),
        (35, 48),
    ),
    (
        "Antminer S19 XP+ Hyd",
        {"temp_pcb": [43, 44, 53, 54], "temp_chip": [35, 48, 60, 62]},
        (_, _, 60, 62),
        (43, 44, 53, 54),
        (35, 48),
    ),
    ("Antminer S21e Hyd.", S21E, (58,), (47, 43, 47, 41, 48), (33, 40)),
    ("Antminer S21+ Hyd.", S21E, (58,), (47, 43, 47, 41, 48), (33, 40)),
    ("Antminer S21+ HYDRO (Vnish 1.2.7)", S21E, (58,), (47, 43, 47, 41, 48), (33, 40)),
    ("Antminer S23 Hyd.", S23, (44, 44, 56, 56), (44, 44, 52, 52), (34, 42)),
    ("Antminer S21j XP Hyd.", S21J, (59, 59, 59, 59), (45, 45, 50, 50), ()),
    # An inlet of 0 or 250 is a missing sensor; the outlet keeps its place.
    ("Antminer S21 Hyd.", {"temp_chip": [0, 48, 0, 0]}, (), (), (_, 48)),
    ("Antminer S21 Hyd.", {"temp_chip": [250, 48, 0, 0]}, (), (), (_, 48)),
    ("Antminer S21+ Hyd.", S21E | {"temp_pcb": [0, 41, 40, 48]}, (58,), (47, 43, 47, 41, 48), (_, 40)),
    # Shorter than the layout: ignored, rather than read into the wrong place.
    ("Antminer S21 Hyd.", {"temp_chip": [35]}, (), (), ()),
    ("Antminer S21+ Hyd.", {"temp_pic": [62, 50, 51], "temp_pcb": [34, 53, 46, 54]}, (), (), ()),
    ("Antminer S23 Hyd.", S23 | {"temp_pic": [34, 34]}, (44, 44, 56, 56), (44, 44, 52, 52), ()),
    ("Antminer S21+ Hyd.", {}, (), (), ()),
]


@pytest.mark.parametrize(("model", "arrays", "chips", "board", "coolant"), TOLD)
def test_layouts(model: str, arrays: dict[str, list[int]], chips: Places, board: Places, coolant: Places) -> None:
    """Each layout has its chips, board and coolant, in both dialects."""
    assert sorted_of(read(new_api(model, arrays=arrays))) == (chips, board, coolant)
    assert sorted_of(read(legacy(model, arrays))) == (chips, board, coolant)


@pytest.mark.parametrize(
    ("model", "arrays", "chips", "board"),
    [
        (UNTOLD, S21XP, (63, _, _, _), (_, _, _, 52)),
        ("Antminer S19 Pro+ Hyd.", S19PRO_PLUS, (_, _, _, 66), (63, _, _, _)),
        ("Antminer S99 Hyd.", S21E, (), (_, _, _, 48)),
        ("Antminer S99 Hydro", {"temp_chip": [35, 48, 0, 0], "temp_pcb": [43, 44, 53, 54]}, (), (_, _, _, 54)),
        ("U3S99XPH", {"temp_chip": [35, 48], "temp_pcb": [33, 0, 40, 0]}, (), ()),
    ],
)
def test_untold_layout(model: str, arrays: dict[str, list[int]], chips: Places, board: Places) -> None:
    """Without a layout there is no coolant, and of an array only the hottest of three or more sensors is shown."""
    for body in (new_api(model, arrays=arrays), legacy(model, arrays)):
        reading = read(body)
        assert sorted_of(reading) == (chips, board, ())
        assert reading.coolant_layout is CoolantLayout.UNKNOWN


@pytest.mark.parametrize(
    ("model", "arrays", "chips", "board", "coolant"),
    [
        ("Antminer S23 Hyd.", S23_KEYS, (44, 44, 56, 56), (44, 44, 52, 52), (34, 42)),
        ("Antminer S21 Hyd.", S23_KEYS, (_, _, 56, 56), (44, 44, 52, 52), (34, 42)),
        (
            "Antminer S21e Hyd.",
            S21E | {"temp_in": [31, 50], "temp_out": [39, 57]},
            (58,),
            (47, 43, 47, 41, 48),
            (31, 39),
        ),
        (
            "Antminer S21j XP Hyd.",
            S21J | {"temp_in": [35, 58], "temp_out": [40]},
            (59,) * 4,
            (45, 45, 50, 50),
            (35, 40),
        ),
        ("Antminer S21j XP Hyd.", S21J | {"temp_in": [], "temp_out": [40, 60]}, (59,) * 4, (45, 45, 50, 50), (_, 40)),
        (UNTOLD, S21XP | {"temp_in": [38, 60], "temp_out": [47, 62]}, (60, 62), (_, _, _, 52), (38, 47)),
        ("Antminer S24 Hyd.", {"temp_in": [34, 44], "temp_out": [42, 56]}, (44, 56), (), (34, 42)),
        ("Antminer S24", S23_KEYS, (44, 44, 56, 56), (44, 44, 52, 52), (34, 42)),
        ("Antminer S21", S23_KEYS, (44, 44, 56, 56), (44, 44, 52, 52), (34, 42)),
        ("Antminer S21", S23 | {"temp_in": [0, 0], "temp_out": [0, 0]}, (44, 44, 56, 56), (44, 44, 52, 52), ()),
        (None, S23_KEYS, (44, 44, 56, 56), (44, 44, 52, 52), (34, 42)),
    ],
)
def test_keys_of_the_coolants_own_win(
    model: str | None, arrays: dict[str, Any], chips: Places, board: Places, coolant: Places
) -> None:
    """`temp_in` and `temp_out` are coolant and chip, whatever the model and its layout."""
    for known in (None, model):
        assert sorted_of(read(new_api(model, arrays=arrays), known=known)) == (chips, board, coolant)


def test_layout_that_the_reply_refutes_is_not_followed() -> None:
    """A coolant hotter than every chip and board is none: an S21 Hyd. that fills `temp_chip` has another layout."""
    reading = read(new_api("Antminer S21 Hyd.", arrays={"temp_chip": [63, 59, 56, 61], "temp_pcb": [38, 48, 47, 52]}))
    assert sorted_of(reading) == ((63, _, _, _), (_, _, _, 52), ())


@pytest.mark.parametrize("known", ["Antminer S21e Hyd.", None])
def test_reply_without_a_model(known: str | None) -> None:
    """A reply that names no model has the layout of the model known before, or else of the ledger's row."""
    body = new_api(None, arrays=S21E)
    assert sorted_of(read(body, known=known, nameplate=E21)) == ((58,), (47, 43, 47, 41, 48), (33, 40))
    del body["INFO"]
    assert sorted_of(read(body, known=known, nameplate=E21)) == ((58,), (47, 43, 47, 41, 48), (33, 40))


def test_reply_outranks_the_ledger() -> None:
    """A unit that answers as another model is read by its own layout, in a row of air or of water."""
    of_air = SHIPPED.find("S21", 200e12)
    assert sorted_of(read(new_api("Antminer S21e Hyd.", arrays=S21E), nameplate=of_air))[2] == (33, 40)
    plain = {"temp_pcb": [54, 54, 68, 68], "temp_chip": [59, 59, 73, 73]}
    read_as = sorted_of(read(new_api("Antminer S21", arrays=plain), nameplate=E21))
    assert read_as == ((59, 59, 73, 73), (54, 54, 68, 68), ())


def test_layout_of_a_sites_own_file() -> None:
    """A layout in `ledger.models_file` counts for every unit that answers as that model, whatever its row says."""
    own = read_models(f"{','.join(COLUMNS)},coolant_layout\nS21 XP Hyd.,,,,,,,,hydro,seen,temp_pcb\n", "models.csv")
    catalogue = shipped_catalogue(own)
    data = json.dumps(new_api(UNTOLD, arrays=S21E)).encode()
    for nameplate in (None, E21, catalogue.find("S21 XP Hyd.", 473e12)):
        reading = read_stats(data, unit_id="u1", at=1.0, nameplate=nameplate, layouts=catalogue.layouts)
        assert sorted_of(reading)[2] == (33, 40)


@given(
    model=st.sampled_from([f"Antminer {one}" for one in SHIPPED.models()] + ["Antminer S99 Hyd.", "x", None]),
    known=st.booleans(),
    nameplate=st.none() | st.sampled_from(list(SHIPPED)),
    arrays=st.dictionaries(
        st.sampled_from(["temp_chip", "temp_pcb", "temp_pic", "temp_in", "temp_out"]),
        st.none() | st.lists(st.none() | st.integers(-80, 260), max_size=6),
    ),
)
def test_any_sensors(model: str | None, known: bool, nameplate: Nameplate | None, arrays: dict[str, Any]) -> None:  # noqa: FBT001 - Hypothesis passes it by name.
    """Whatever stands where: coolant has two places, is never hotter than all else, and the paths agree."""
    body = new_api(model, arrays=arrays)
    reading = read(body, known=model if known else None, nameplate=nameplate)
    chips, board, coolant = sorted_of(reading)
    assert len(coolant) in {0, 2}
    warm = [value for value in (*chips, *board) if value is not None]
    cool = [value for value in coolant if value is not None]
    assert not (warm and cool) or max(cool) <= max(warm)
    if reading.coolant_layout is CoolantLayout.UNKNOWN and not (arrays.get("temp_in") or arrays.get("temp_out")):
        assert cool == []
    # A reply that names its model for the first time takes the slow path.
    named = Identity(model=model, firmware="c", miner="m")
    again = read_stats(json.dumps(body).encode(), unit_id="u1", at=1.0, identity=named, nameplate=nameplate)
    assert (*sorted_of(again), again.coolant_layout) == (chips, board, coolant, reading.coolant_layout)


def test_bin_that_the_unit_was_sold_as() -> None:
    """`rate_sale` is read in the reply's unit, by both paths; nothing and 0 are no bin."""
    named = Identity(model="Antminer S21", firmware="c", miner="m")
    for known in (Identity(), named):
        for rate_sale, sold_hs in ((495_000, 495e12), (0, None), (None, None)):
            body = new_api("Antminer S21", arrays={}, rate_sale=rate_sale)
            reading = read_stats(json.dumps(body).encode(), unit_id="u1", at=1.0, identity=known)
            assert reading.hashrate_sale_hs == sold_hs
    body = new_api("Antminer S21", arrays={}, rate_sale=495.0, rate_5s=480.0, rate_unit="TH/s")
    assert read(body).hashrate_sale_hs == 495e12
    assert read(json.loads(S21_STATS)).hashrate_sale_hs is None
