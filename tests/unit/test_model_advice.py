"""The row to add for a machine that the catalogue lacks: complete, acceptable, and never another machine."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.unit.model_advice import Machine, missing_text, row_to_add
from agent.unit.model_names import base_key
from agent.unit.models_file import COLUMNS, read_models
from agent.unit.nameplate import Catalogue, shipped_catalogue

SHIPPED = shipped_catalogue()
FULL = f"{','.join(COLUMNS)},coolant_layout"


def with_own(text: str) -> Catalogue:
    """Return the shipped catalogue with a site's own file."""
    return shipped_catalogue(read_models(text, "/site/models.csv"))


def machine(model: str, th: float | None = 100) -> Machine:
    """Return a machine of a ledger."""
    return Machine(model=model, hashrate_hs=None if th is None else th * 1e12, source="here")


@pytest.mark.parametrize(
    ("model", "th", "row"),
    [
        ("Antminer S23 Hyd.", 563, "Antminer S23 Hyd.,563,,,3,84,,0,hydro,here,temp_pic"),
        ("s23 hydro", 563, "Antminer S23 Hyd.,563,,,3,84,,0,hydro,here,temp_pic"),
        ("Antminer S21 XP", 280, "Antminer S21 XP,280,,,3,91,,4,air,here,"),
        ("S99", 1000, "Antminer S99,1000,,,,,,,air,here,"),
        ("S99 Hydro", 1000.5, "Antminer S99 Hydro,1000.5,,,,,,0,hydro,here,"),
        ("S99 Immersion", 1000, "Antminer S99 Immersion,1000,,,,,,0,immersion,here,"),
        ("S99 (Vnish 1.2.7)", 1000, "Antminer S99,1000,,,,,,,air,here,"),
        ("S19j+", 116, "Antminer S19j+,116,,,3,108,,4,air,here,"),
        ("T21 (HEM)", 233, "Antminer T21 (HEM),233,,,3,108,BM1368,4,air,here,"),
        ("U3S21EXPH", 870, "Antminer U3S21EXPH,870,,,,,,,hydro,here,"),
        ("S99, big", 1000, '"Antminer S99, big",1000,,,,,,,air,here,'),
    ],
)
def test_row_to_add(model: str, th: float, row: str) -> None:
    """What other bins of the model, or its name, tell is filled in; what nothing tells stays empty."""
    assert row_to_add(SHIPPED, machine(model, th)) == row


def test_row_of_a_unit_that_was_read() -> None:
    """Boards and chips that a unit lists are filled in where the catalogue does not know the model."""
    seen = Machine(model="Antminer S99", hashrate_hs=900e12, boards=3, chips_per_board=77, source="its own reply")
    assert row_to_add(SHIPPED, seen) == "Antminer S99,900,,,3,77,,,air,its own reply,"


def test_row_has_the_columns_of_the_sites_own_file() -> None:
    """A file without the column of layouts, or with more and other columns, gets a row that fits it."""
    short = with_own(",".join(COLUMNS) + "\n")
    assert row_to_add(short, machine("S23 Hyd.", 563)) == "Antminer S23 Hyd.,563,,,3,84,,0,hydro,here"
    other = with_own(f"note,{','.join(reversed(COLUMNS))}\n")
    assert row_to_add(other, machine("S23 Hyd.", 563)) == ",here,hydro,0,,84,3,,,563,Antminer S23 Hyd."


def test_text_names_the_setting_the_file_and_the_row() -> None:
    """The text names `ledger.models_file`, with the file if there is one and with the header if there is none."""
    assert missing_text(with_own(f"{FULL}\n"), machine("Antminer S99", 7)) == (
        "not in the catalogue; to add it, append this line to ledger.models_file (/site/models.csv):"
        " Antminer S99,7,,,,,,,air,here,"
    )
    assert missing_text(SHIPPED, machine("S23 Hyd", 563)) == (
        "S23 Hyd. comes with 580 TH/s; to add it, name a file in ledger.models_file with the header"
        f" {FULL} and this line: Antminer S23 Hyd.,563,,,3,84,,0,hydro,here,temp_pic"
    )


WORDS = st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF, categories=["L", "N", "P", "S"]), min_size=1)
STRANGERS = st.one_of(
    st.builds("{}{}{}".format, st.sampled_from(["S", "T", "A"]), st.integers(10, 99), WORDS).map(
        lambda name: name[:40]
    ),
    st.sampled_from([f"Antminer {model}" for model in SHIPPED.models()]),
)


@given(model=STRANGERS, th=st.integers(1, 2000), own=st.sampled_from([None, f"{FULL}\n", ",".join(COLUMNS) + "\n"]))
def test_row_that_is_added_is_found(model: str, th: int, own: str | None) -> None:
    """A site that appends the proposed row to its file, or makes a file of header and row, has the machine."""
    catalogue = SHIPPED if own is None else with_own(own)
    if catalogue.find(model, th * 1e12) is not None or not base_key(model):
        return
    text = (own or f"{FULL}\n") + row_to_add(catalogue, machine(model, th)) + "\n"
    found = with_own(text).find(model, th * 1e12)
    assert found is not None
    assert (found.hashrate_hs, found.source) == (th * 1e12, "here")


@given(model=STRANGERS, th=st.integers(1, 2000))
def test_no_other_machine_is_named(model: str, th: int) -> None:
    """Whatever is missing, no model of another family appears in the text."""
    text = missing_text(SHIPPED, machine(model, th)).casefold()
    family = base_key(model)[:3]
    guess = text.partition("did you mean ")[2].partition("?")[0]
    assert not guess or base_key(guess).startswith(family[:1])
    assert "known are" not in text
