"""What units say of their own nameplates: by firmware, held against rows, summed over a site."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from epic_units import EpicUnit
from exporter_cases import status
from hypothesis import given
from hypothesis import strategies as st
from paths import CAPTURES
from site_cases import entry, failed, reading

from agent.hil.capture.folder import read_capture
from agent.hil.capture.replayed import reading_of
from agent.history.chain.links import Fact, canonical, fact_body, fact_of
from agent.site.mismatch import BinSource, ReportedBin
from agent.site.nameplates import (
    FACT,
    GROUPS_KEPT,
    UNITS_NAMED,
    Claim,
    NameplateBook,
    Nameplates,
    OwnWord,
    WordSource,
    claim_of,
    nameplates_of,
    own_word,
)
from agent.site.status import UnitStatus
from agent.slices import run_at_once
from agent.unit.model_names import base_key, without_bin
from agent.unit.nameplate import Nameplate, shipped_catalogue
from agent.unit.reading import Identity, Mode, UnitReading

CATALOGUE = shipped_catalogue()
SALE, IDEAL, NAME, MODEL = WordSource
TH = 1e12


def row(model: str, th: float) -> Nameplate:
    """Return the nameplate of a row of the ledger."""
    found = CATALOGUE.find(model, th * TH)
    assert found is not None
    return found


def says(model: str | None, *, sale: float | None = None, ideal: float | None = None, **changes: Any) -> UnitReading:
    """Return a reading of a unit with its model, the bin it was sold as, and its ideal rate in TH/s."""
    return reading(
        identity=Identity(model=model),
        hashrate_sale_hs=None if sale is None else sale * TH,
        hashrate_ideal_hs=None if ideal is None else ideal * TH,
        **changes,
    )


BY_CAPTURE = {
    # Stock firmware of 2026 tells the bin it was sold as; its ideal rate of 507.154 is the boards' sum.
    "s21jxphyd-stock-202605": (495.0, BinSource.RATE_SALE),
    # Stock firmware before has the sticker as its ideal rate.
    "s19pro-stock-202212": (110.0, BinSource.RATE_IDEAL),
    "s21-stock-aml-202407": (200.0, BinSource.RATE_IDEAL),
    "s21pro-stock-202507": (245.0, BinSource.RATE_IDEAL),
    "s21proplus-stock-202604": (245.0, BinSource.RATE_IDEAL),
    "s21xphyd-stock-202601": (473.0, BinSource.RATE_IDEAL),
    # Asleep it tells none.
    "s21-stock-202410-sleep": None,
    "t21-stock-202501-sleep": None,
    # Firmware of other makers: what the running profile should give.
    "s19jpro-luxos-2025": None,
    "s19kpro-luxos-2025": None,
    "s19xp-vnish-2023": None,
    "s21pro-vnish-2026": None,
    "other-bmm100-braiins-2026": None,
    "other-s9-bosminerplus-2020": None,
    "other-s9-braiins-2025": None,
    "other-s9-hiveon-2020": None,
    "other-s9-vnish-2020": None,
    "other-s9pro-rwglr-2020": None,
    # No whole TH/s, or none at all.
    "other-ks7-stock-202602": None,
    "other-s9-asicseer-2020": None,
    "other-z15-stock-202007": None,
}


def test_every_capture_that_is_read_is_in_the_table() -> None:
    """A new capture must say which of its fields is its own word."""
    read = {
        path.parent.name for path in CAPTURES.glob("*/golden.json") if "reader" in str(json.loads(path.read_text()))
    }
    assert set(BY_CAPTURE) == read


@pytest.mark.parametrize("folder", BY_CAPTURE)
def test_the_word_of_each_recorded_unit(folder: str) -> None:
    """What counts is what the firmware says of the label, and never a target of a profile or mode."""
    found = reading_of(read_capture(CAPTURES / folder))
    assert isinstance(found, UnitReading)
    told = claim_of(found).bin
    expected = BY_CAPTURE[folder]
    assert told == (None if expected is None else ReportedBin(expected[0] * TH, expected[1]))


def test_epic_tells_no_bin() -> None:
    """Its boards tell shares of what their clocks should give."""
    found = EpicUnit().poll()
    assert found.hashrate_ideal_hs is not None
    assert claim_of(found).bin is None


@pytest.mark.parametrize(
    ("nameplate", "latest", "word"),
    [
        (row("S21", 151), says("Antminer S21", ideal=200), OwnWord(200 * TH, IDEAL)),
        (row("S21", 151), says("Antminer S21", sale=200, ideal=203.1), OwnWord(200 * TH, SALE)),
        (row("S21", 200), says("Antminer S21", ideal=200), OwnWord(200 * TH, IDEAL)),
        (row("S21", 200), says("Antminer S21", sale=200.4), OwnWord(200 * TH, SALE)),
        # A bin behind the name, and a model that is no other for it.
        (row("S21", 151), says("Antminer S21 200T"), OwnWord(200 * TH, NAME)),
        (row("S21", 195), says("S21 (195TH/s)"), OwnWord(195 * TH, NAME)),
        # Sold as one bin and degraded: the word on the label counts, not the boards.
        (row("S21 Pro", 245), says("Antminer S21 Pro", sale=220, ideal=212.3), OwnWord(220 * TH, SALE)),
        # Another mode of the same machine is the row's.
        (row("S21 Imm. (HEM)", 301), says("Antminer S21 Imm.", sale=239), OwnWord(301 * TH, SALE)),
        (row("T21", 190), says("Antminer T21", ideal=233), OwnWord(190 * TH, IDEAL)),
        # Another model, whose bins the row is not among: the nearest of them.
        (row("S21", 200), says("Antminer S21 Pro"), OwnWord(220 * TH, MODEL)),
        (row("S21 Pro", 245), says("Antminer S21 (Vnish 1.2.7)", ideal=231.5), OwnWord(200 * TH, MODEL)),
        (row("S21", 200), says("Antminer S21 Pro", ideal=234), OwnWord(234 * TH, IDEAL)),
        # Nothing is said: other models with such a bin, modes, profiles, boards' sums, boards' names, silence.
        (row("S21 Pro", 234), says("Antminer S21+"), None),
        (row("S21", 200), says("Antminer S21", ideal=151, mode=Mode.LOW), None),
        (row("S21", 200), says("Antminer S21", ideal=151, mode=Mode.SLEEP), None),
        (row("S21", 200), says("Antminer S21", ideal=151, is_profile_ideal=True), None),
        (row("S21", 200), says("Antminer S21", ideal=206), None),
        (row("S21", 200), says("Antminer S21", ideal=194.7), None),
        (row("S21", 200), says("Antminer BHB68601"), None),
        (row("S21", 200), says("Antminer S99"), None),
        (row("S21", 200), says("Antminer S21"), None),
        (row("S21", 200), says(None), None),
    ],
)
def test_word_against_a_row(nameplate: Nameplate, latest: UnitReading, word: OwnWord | None) -> None:
    """A bin that is told counts; a model counts where the row is outside its bins; nothing else does."""
    assert own_word(nameplate, claim_of(latest), CATALOGUE.bins_hs) == word


@pytest.mark.parametrize(
    ("name", "bare", "th"),
    [
        ("Antminer S21 200T", "Antminer S21", 200.0),
        ("S21-195TH/s", "S21", 195.0),
        ("S19j Pro (104 TH)", "S19j Pro", 104.0),
        ("S21 188T (Vnish 1.2.7)", "S21", 188.0),
        ("Antminer R4 8.7T", "Antminer R4", 8.7),
        *((name, name, None) for name in ("Antminer T21", "T21", "S23e U2H", "U3S21EXPH", "200T", "S21 0T", "")),
    ],
)
def test_a_bin_behind_a_name(name: str, bare: str, th: float | None) -> None:
    """Sellers' way to write a bin is told from models that end in T and a number."""
    assert without_bin(name) == (bare, th)


def test_no_model_of_the_catalogue_ends_in_a_bin() -> None:
    """Every name in it stays whole."""
    assert [name for name in CATALOGUE.models() if without_bin(name)[1] is not None] == []


def unit(number: int, nameplate: Nameplate, latest: UnitReading | None) -> UnitStatus:
    """Return the status of a unit in a row."""
    unit_id = f"u{number:05}"
    declared = entry(unit_id, nameplate=nameplate)
    shown = status(declared, latest or reading(unit_id))
    return shown if latest is not None else msgspec.structs.replace(shown, reading=None, error=failed().error)


def looked(*statuses: UnitStatus, book: NameplateBook | None = None) -> Nameplates:
    """Return what a look at these units finds."""
    return run_at_once((book or NameplateBook()).look(statuses, CATALOGUE.bins_hs))


def test_151_for_200() -> None:
    """48 of 96 rows have a bin of 151 TH/s for units that say 200; the sums say how far deployed is off."""
    wrong = [unit(number, row("S21", 151), says("Antminer S21", ideal=200)) for number in range(48)]
    right = [unit(number, row("S21", 200), says("Antminer S21", ideal=200)) for number in range(48, 90)]
    silent = [unit(number, row("S21", 200), None) for number in range(90, 96)]
    found = looked(*wrong, *right, *silent)
    assert (found.units, found.units_checked, found.units_unknown, found.units_differing) == (96, 90, 6, 48)
    assert (found.row_hs, found.own_hs) == (48 * 351 * TH, 96 * 200 * TH)
    (group,) = found.groups
    assert (group.model, group.row_hs, group.own_hs, group.source) == ("S21", 151 * TH, 200 * TH, IDEAL)
    assert (group.units, group.named) == (48, tuple(f"u{number:05}" for number in range(48)))


def test_a_little_off_counts_and_is_not_listed() -> None:
    """195 TH/s for 200 is within the maker's tolerance of each unit, and adds up all the same."""
    found = looked(*(unit(number, row("S21", 195), says("Antminer S21", sale=200)) for number in range(10)))
    assert found.units_differing == 0
    assert (found.own_hs - found.row_hs, found.groups[0].is_listed) == (50 * TH, False)


def test_the_last_word_stands() -> None:
    """Through a sleep, which tells no ideal rate, and silence; not for another model, a lost reading, or a new unit."""
    book, nameplate = NameplateBook(), row("S21", 151)
    awake = says("Antminer S21", ideal=200)
    asleep = says("Antminer S21", mode=Mode.SLEEP)
    assert looked(unit(1, nameplate, asleep), book=book).units_unknown == 1
    assert looked(unit(1, nameplate, awake), book=book).units_differing == 1
    assert looked(unit(1, nameplate, asleep), book=book).units_differing == 1
    assert looked(unit(1, nameplate, says(None, mode=Mode.SLEEP)), book=book).units_differing == 1
    # A silent unit's status has its latest reading.
    silent = msgspec.structs.replace(unit(1, nameplate, asleep), error=failed().error, is_fresh=False)
    assert looked(silent, book=book).units_differing == 1
    assert looked(unit(2, nameplate, asleep), unit(1, row("S21", 200), asleep), book=book).groups == ()
    assert looked(unit(1, nameplate, says("Antminer T21", mode=Mode.SLEEP)), book=book).groups[0].source is MODEL
    assert looked(unit(1, nameplate, None), book=book).units_unknown == 1
    assert looked(unit(1, nameplate, asleep), book=book).units_unknown == 1


SAID = st.builds(
    lambda one, other, sale: (one, Claim(other.model if other is not None else None, sale)),
    st.sampled_from(list(CATALOGUE)),
    st.none() | st.sampled_from(list(CATALOGUE)),
    st.none() | st.builds(ReportedBin, st.floats(1e11, 2e15), st.sampled_from(BinSource)),
)


@given(st.lists(SAID, max_size=150))
def test_groups_add_up(said: Sequence[tuple[Nameplate, Claim]]) -> None:
    """The sums differ by what the groups differ by, units are counted once, and the fact comes back from its JSON."""
    words = [own_word(nameplate, claim_of(_saying(claim)), CATALOGUE.bins_hs) for nameplate, claim in said]
    found = looked(*(unit(number, nameplate, _saying(claim)) for number, (nameplate, claim) in enumerate(said)))
    assert found.units == len(said)
    effect = sum(group.effect_hs for group in found.groups) + found.other_hs
    assert found.own_hs - found.row_hs == pytest.approx(effect, rel=1e-9, abs=1e6)
    assert found.units_checked >= sum(group.units for group in found.groups) + found.other_units
    assert found.units_checked == sum(word is not None for word in words)
    assert [abs(group.effect_hs) for group in found.groups] == sorted(
        (abs(group.effect_hs) for group in found.groups), reverse=True
    )
    assert all(len(group.named) == group.units for group in found.groups)
    assert nameplates_of(fact_of(0, fact_body(Fact(FACT, 0, found.body))).body) == found


def _saying(claim: Claim) -> UnitReading:
    """Return a reading with that claim."""
    name, told = claim.model, claim.bin
    if told is None:
        return says(name)
    if told.source is BinSource.MODEL_NAME:
        return says(f"{name or 'S21'} {told.hashrate_hs / TH:.1f}T")
    key = "hashrate_sale_hs" if told.source is BinSource.RATE_SALE else "hashrate_ideal_hs"
    return msgspec.structs.replace(says(name), **{key: told.hashrate_hs})


def test_a_fact_is_bounded() -> None:
    """Of units that all say something else, the largest effects are kept by group and name; the sums are of all."""
    units = [unit(number, row("S21", 200), says("Antminer S21", sale=300.0 + number)) for number in range(900)]
    same = [unit(number, row("S21", 200), says("Antminer S21", sale=250)) for number in range(1000, 3000)]
    found = looked(*units, *same)
    assert len(found.groups) == GROUPS_KEPT
    assert sum(len(group.named) for group in found.groups) == UNITS_NAMED
    assert (found.groups[0].own_hs, found.groups[0].units) == (250 * TH, 2000)
    assert found.other_units == 900 - (GROUPS_KEPT - 1)
    assert found.units_differing == 2900
    assert found.own_hs - found.row_hs == pytest.approx(sum(100 + n for n in range(900)) * TH + 2000 * 50 * TH)
    assert len(canonical(found.body)) < 40_000
    largest = replace(row("S21", 200), model="S" * 10_000)
    assert len(canonical(looked(unit(1, largest, says("T" * 10_000, sale=300))).body)) < 1000


@pytest.mark.parametrize("body", [{}, {"units": "many"}, {"units": 1, "units_checked": 1, "units_differing": 1}])
def test_what_is_no_such_fact(body: dict[str, Any]) -> None:
    """It is refused, with the key that is wrong."""
    with pytest.raises(ValueError, match="not a fact of nameplates: "):
        nameplates_of(body)


def test_a_look_is_cut_in_slices() -> None:
    """The event loop waits for no more than some hundred units at a time."""
    units: Iterable[UnitStatus] = [unit(number, row("S21", 200), says("Antminer S21")) for number in range(2100)]
    assert len(list(NameplateBook().look(units, CATALOGUE.bins_hs))) == 9


def test_spellings_with_a_bin_are_one_model() -> None:
    """The bare name has the model's key."""
    assert base_key(without_bin("Antminer S21 200T")[0]) == base_key("S21")


def owned(owner: str, number: int, row_th: float, says_th: float | None) -> UnitStatus:
    """Return the status of an owner's S21."""
    latest = says("Antminer S21", sale=says_th) if says_th else says("Antminer S21")
    shown = unit(number, row("S21", row_th), latest)
    return msgspec.structs.replace(shown, entry=msgspec.structs.replace(shown.entry, owner=owner))


def test_owners_add_up_and_see_no_other() -> None:
    """Each owner has its own sums and groups, units without one are a group, and together they are the site's."""
    north = [owned("North", number, 151, 200) for number in range(3)]
    south = [owned("South", number, 200, 200) for number in range(10, 14)]
    south += [owned("South", 14, 151, 200), owned("South", 15, 200, None)]
    nobody = [owned("", 20, 195, 200)]
    found = looked(*north, *south, *nobody)
    assert sorted(found.owners) == ["(no owner)", "North", "South"]
    by_owner = {owner: found.of_owner(owner) for owner in found.owners}
    for name in ("units", "units_checked", "units_differing", "row_hs", "own_hs"):
        assert getattr(found, name) == sum(getattr(each, name) for each in by_owner.values())
    assert [group.named for group in by_owner["North"].groups] == [("u00000", "u00001", "u00002")]
    assert [group.named for group in by_owner["South"].groups] == [("u00014",)]
    assert (by_owner["South"].units_unknown, by_owner["South"].other_hs) == (1, 0.0)
    assert b"North" not in msgspec.json.encode(by_owner["South"])
    assert found.of_owner("East").units == 0
    assert nameplates_of(found.body) == found
    assert looked(*(unit(1, row("S21", 151), says("Antminer S21", sale=200)) for _ in range(2))).owners == {}


def test_an_owner_whose_groups_have_no_room_keeps_its_sum() -> None:
    """Its units are in the site's rest, and their effect is in its own."""
    many = [owned("North", number, 200, 400.0 + number) for number in range(GROUPS_KEPT)]
    found = looked(*many, owned("South", 1000, 195, 200))
    south = found.of_owner("South")
    assert (south.groups, south.other_hs) == ((), 5 * TH)
