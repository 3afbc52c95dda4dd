"""Spellings of models: which are one model, and which slip of a finger is worth a proposal."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.unit.model_names import (
    base_key,
    is_board_name,
    is_hydro_name,
    make_in,
    model_key,
    near_model,
    plain_model,
    short_model,
    without_mode,
)
from agent.unit.nameplate import Nameplate, shipped_catalogue

CATALOGUE = shipped_catalogue()
MODELS = CATALOGUE.models()


@pytest.mark.parametrize(
    ("spellings", "key"),
    [
        (("S21 Hyd.", "Antminer S21 Hyd", "ANTMINER S21 HYDRO", "Bitmain Antminer s21hyd.", "S21_Hydro"), "s21hyd"),
        (("S19 Pro Hyd.", "Antminer S19 PRO HYDRO", "S19ProHyd"), "s19prohyd"),
        (("S21+ Hyd.", "S21 Plus Hydro", "S21 + hyd"), "s21+hyd"),
        (("S21 XP Imm.", "S21 XP Immersion", "S21XP IMM"), "s21xpimm"),
        (("S21 Imm. (HEM)", "S21 Immersion (hem)", "Antminer S21 Imm. (Vnish 1.2.7) (HEM)"), "s21imm(hem)"),
        (("T21", "Antminer T21 (7Miners 1.2.6-rc1)", "Antminer T21 (Vnish 1.2.0)", "T21 [custom]"), "t21"),
        (("S19j Pro", "Antminer S19JPRO Hiveon", "S19j-Pro"), "s19jpro"),
        (("U3S21EXPH", "U3S21EXPH (S21e XP Hyd. 3U)"), "u3s21exph"),
        (("", "Antminer", "Bitmain Antminer ", " . ", "MicroBT Whatsminer"), ""),
        (("Whatsminer M50S", "M50S", "MicroBT WhatsMiner M50S", "M50S_VH50", "whatsminer m50svh50"), "m50s"),
        (("Whatsminer M60S++", "M60S Plus Plus", "M60S++_VLA0", "M60S++ VL80"), "m60s++"),
        (("Whatsminer M30S+", "M30S+_V100", "M30S+VE40"), "m30s+"),
        (("Avalon A1466", "AvalonMiner 1466", "Canaan Avalon 1466", "avalonminer a1466"), "avalona1466"),
        (("Avalon Nano 3S", "AvalonMiner Nano3s"), "avalonnano3s"),
        (("SealMiner A2 Hyd.", "Bitdeer SEALMINER A2 Hydro"), "sealminera2hyd"),
        (("Teraflux AT2880", "Auradine AT2880"), "at2880"),
    ],
)
def test_spellings_of_one_model(spellings: tuple[str, ...], key: str) -> None:
    """Case, maker, blanks, dots, long and short words and a firmware's name at the end make no other model."""
    assert {model_key(spelling) for spelling in spellings} == {key}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        *(("S21", "S21+"), ("S21+", "S21++"), ("S21", "S21e"), ("S19k Pro", "S19j Pro"), ("S19", "S19L")),
        *(("Whatsminer M50S", "Whatsminer M50S+"), ("Whatsminer M50", "M50S"), ("Avalon A15", "SealMiner A2")),
        *(("S21 XP", "S21 XP+"), ("S21 Hyd.", "S21 Imm."), ("S21", "T21"), ("S21 Imm. (NEM)", "S21 Imm. (HEM)")),
    ],
)
def test_models_that_differ_by_a_letter(one: str, other: str) -> None:
    """A letter or a plus is another machine."""
    assert model_key(one) != model_key(other)


def test_shipped_models_have_keys_of_their_own() -> None:
    """No two models of the catalogue share a key."""
    assert len({model_key(model) for model in MODELS}) == len(MODELS)


MAKERS = st.sampled_from(["", "Antminer ", "ANTMINER ", "Bitmain Antminer ", "antminer"])
TAILS = st.sampled_from(["", " ", " (Vnish 1.2.7)", " (7Miners 1.2.6-rc1)", " [x]", " Hiveon"])


def respelled(model: str, hydro: str, immersion: str) -> str:
    """Return a model of the catalogue with other words for its cooling."""
    return model.replace("Hyd.", hydro).replace("Imm.", immersion)


@given(
    nameplate=st.sampled_from(list(CATALOGUE)),
    maker=MAKERS,
    tail=TAILS,
    cooling=st.sampled_from([("Hyd", "Imm"), ("Hyd.", "Imm."), ("Hydro", "Immersion"), ("HYDRO", "IMMERSION")]),
    fold=st.sampled_from([str, str.upper, str.lower]),
)
def test_every_bin_is_found_in_every_spelling(
    nameplate: Nameplate, maker: str, tail: str, cooling: tuple[str, str], fold: Callable[[str], str]
) -> None:
    """A maker before, a bracket behind, other words for the cooling, and upper or lower case find the same bin."""
    name = fold(maker + respelled(nameplate.model, *cooling) + tail)
    assert CATALOGUE.find(name, nameplate.hashrate_hs) is nameplate


def test_name_without_a_work_mode_has_the_bins_of_all_modes() -> None:
    """A ledger that says `S21 Immersion` means the mode that its bin belongs to."""
    high, normal = CATALOGUE.find("S21 Immersion", 301e12), CATALOGUE.find("Antminer S21 Imm", 239e12)
    assert (high and high.model, normal and normal.model) == ("S21 Imm. (HEM)", "S21 Imm. (NEM)")
    assert CATALOGUE.bins_hs("S21 Immersion") == (301e12, 239e12, 227e12, 220e12, 215e12)
    assert CATALOGUE.find("S21 Imm. (HEM)", 239e12) is None


@pytest.mark.parametrize(
    ("name", "plain", "bare"),
    [
        ("Antminer T21 (7Miners 1.2.6-rc1)", "T21", "T21"),
        ("S21 Imm. (HEM)", "S21 Imm. (HEM)", "S21 Imm."),
        ("Bitmain Antminer S23  Hyd.", "S23 Hyd.", "S23 Hyd."),
    ],
)
def test_names_as_written(name: str, plain: str, bare: str) -> None:
    """A name can be shown without its maker, and with or without brackets."""
    assert (plain_model(name), without_mode(name)) == (plain, bare)


@pytest.mark.parametrize("name", ["Antminer BHB68601", "Antminer HHB68XXX", "H6HB70701", "A3HB70601"])
def test_board_names(name: str) -> None:
    """A hashboard's name is no model."""
    assert is_board_name(name)
    assert not any(map(is_board_name, MODELS))


@pytest.mark.parametrize("name", ["Antminer S99 Hydro", "S23 Hyd. 3U", "U3S19XP+H", "S23e U2H", "Antminer HHB68XXX"])
def test_names_of_hydro_machines(name: str) -> None:
    """A name can tell that water runs through the machine."""
    assert is_hydro_name(name)


@pytest.mark.parametrize("name", ["S21", "S21 XP Imm.", "T21", "Antminer BHB68601", "S19 XP"])
def test_names_of_other_machines(name: str) -> None:
    """No other name does."""
    assert not is_hydro_name(name)


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("S21 Por", "S21 Pro"),
        ("S21 Pr", "S21 Pro"),
        ("S21 Proo", "S21 Pro"),
        ("S21 Prp", "S21 Pro"),
        ("S21 Px", "S21 XP"),
        ("Antminer S2l", "S21"),
        ("S21 Hydr", "S21 Hyd."),
        ("S23 Hud.", "S23 Hyd."),
    ],
)
def test_slip_of_a_finger_is_understood(name: str, near: str) -> None:
    """One wrong, missing, additional or exchanged letter is proposed within the family."""
    assert near_model(name, MODELS) == near


@pytest.mark.parametrize(
    "name",
    [
        *("S19k Pro", "S21 Pro+", "S21j XP Hyd.", "S22", "S23", "S23 Hyd.", "S19 XP+ Hyd.", "S21e", "S21 XP+", "M50"),
        *("SealMiner A4", "SealMiner A4 Hyd.", "Whatsminer M50T", "Whatsminer M52S", "Avalon A1467", "Teraflux AT2881"),
        *("S19z Pro", "T19 Pro", "Whatsminer M60S", "S2", "S", ""),
    ],
)
def test_no_machine_of_another_family_is_proposed(name: str) -> None:
    """A letter behind the number, a plus or a word more is another machine, even if it is nearly spelt alike."""
    others = [model for model in MODELS if base_key(model) != base_key(name)]
    assert near_model(name, others) is None


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("Whatsminer M50S", "MicroBT"),
        ("AVALON Q", "Canaan"),
        ("SealMiner A2", "Bitdeer"),
        ("Auradine AT2880", "Auradine"),
        ("Antminer S21", "Bitmain"),
        *(("S21", None), ("Proto Rig", None), ("", None)),
    ],
)
def test_make_in_a_name(name: str, make: str | None) -> None:
    """A maker's or a brand's name at the beginning tells the make."""
    assert make_in(name) == make


@given(st.text(max_size=200))
def test_any_text_has_a_key(text: str) -> None:
    """No name breaks anything, and a key is a spelling of itself."""
    assert base_key(base_key(text)) == base_key(text)
    assert isinstance(short_model(text), str)
    assert near_model(text, MODELS) in {None, *MODELS}
