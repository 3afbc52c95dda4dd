"""A unit that reports another model or bin than its row: found, and never by mistake."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from site_cases import AT, answered, entry, failed, reading

from agent.errors import OtherUnitError
from agent.site.ledger.delta import LedgerDelta
from agent.site.mismatch import BinSource, Mismatch, ReportedBin, mismatch_of, reported_bin, with_mismatch
from agent.site.reasons import MAX_WHY, PLAIN, Finding, Reason
from agent.site.status import UnitStatus
from agent.site.tracker import Tracker
from agent.text.unit_notes import coolant_text, mismatch_text, unit_notes
from agent.unit.coolant import CoolantLayout
from agent.unit.nameplate import Nameplate, shipped_catalogue
from agent.unit.reading import BoardReading, Identity, Mode, UnitReading

CATALOGUE = shipped_catalogue()
SALE, IDEAL = BinSource.RATE_SALE, BinSource.RATE_IDEAL


def row(model: str, th: float) -> Nameplate:
    """Return the nameplate of a row of the ledger."""
    found = CATALOGUE.find(model, th * 1e12)
    assert found is not None
    return found


def says(model: str | None, *, sale: float | None = None, ideal: float | None = None, **changes: Any) -> UnitReading:
    """Return a reading of a unit that reports its model, the bin it was sold as, and its ideal rate in TH/s."""
    return reading(
        identity=Identity(model=model),
        hashrate_sale_hs=None if sale is None else sale * 1e12,
        hashrate_ideal_hs=None if ideal is None else ideal * 1e12,
        **changes,
    )


@pytest.mark.parametrize(
    ("nameplate", "latest"),
    [
        (row("S21", 200), says("Antminer S21", ideal=200)),
        (row("S21", 200), says(None, ideal=200)),
        (row("S21", 200), says("Antminer S21 (Vnish 1.2.7)", ideal=231.5)),
        (row("S21 Hyd.", 335), says("ANTMINER S21 HYDRO", sale=335)),
        (row("S21 Imm. (HEM)", 301), says("Antminer S21 Imm.", ideal=301)),
        (row("S19j Pro", 104), says("Antminer S19JPRO Hiveon")),
        (row("S19j", 90), says("Antminer S19J88NOPIC", ideal=90)),
        (row("U3S21EXPH", 860), says("Antminer U3S21EXPH", sale=860)),
        # A hashboard's name is no model.
        (row("S21", 200), says("Antminer BHB68601", ideal=200)),
        (row("S21 Hyd.", 335), says("Antminer HHB68XXX")),
        (row("S21", 200), says("Antminer")),
        # A bin behind the name.
        (row("S21", 200), says("Antminer S21 200T")),
        # Rounding, and noughts.
        (row("S21j XP Hyd.", 495), says("Antminer S21j XP Hyd.", sale=495.4, ideal=507.154)),
        (row("S21", 200), says("Antminer S21", ideal=0)),
        # An ideal rate that is no bin of the model, or in another work mode, says nothing.
        (row("S21", 200), says("Antminer S21", ideal=206)),
        (row("S21", 200), says("Antminer S21", ideal=188, mode=Mode.LOW)),
        (row("S21 Imm. (NEM)", 239), says("Antminer S21 Imm.", ideal=301, mode=Mode.HIGH)),
        # Nor is the rating of another work mode another bin.
        (row("S21 Imm. (NEM)", 239), says("Antminer S21 Imm.", ideal=301)),
        (row("T21", 190), says("Antminer T21", ideal=233)),
    ],
)
def test_unit_in_its_row(nameplate: Nameplate, latest: UnitReading) -> None:
    """Other spellings, silence, rounding and a tuned or throttled unit are no mismatch."""
    assert mismatch_of(nameplate, latest, CATALOGUE.bins_hs) is None


@pytest.mark.parametrize(
    ("nameplate", "latest", "mismatch", "text"),
    [
        (
            row("S21", 200),
            says("Antminer S21 Pro"),
            Mismatch("S21 Pro", None),
            "answers as S21 Pro; the ledger says S21 of 200 TH/s",
        ),
        (
            row("S21 XP Hyd.", 473),
            says("Antminer S21j XP Hyd.", sale=495),
            Mismatch("S21j XP Hyd.", ReportedBin(495e12, SALE)),
            (
                "answers as S21j XP Hyd. and says it was sold as 495 TH/s (rate_sale);"
                " the ledger says S21 XP Hyd. of 473 TH/s"
            ),
        ),
        (
            row("S23 Hyd.", 580),
            says("Antminer S23 Hyd.", sale=563, ideal=581.9727),
            Mismatch(None, ReportedBin(563e12, SALE)),
            "says it was sold as 563 TH/s (rate_sale); the ledger says S23 Hyd. of 580 TH/s",
        ),
        (
            row("S21 Pro+", 234),
            says("Antminer S21 Pro+", ideal=245),
            Mismatch(None, ReportedBin(245e12, IDEAL)),
            "reports an ideal rate of 245 TH/s (rate_ideal); the ledger says S21 Pro+ of 234 TH/s",
        ),
        (
            row("S19 XP", 140),
            says("Antminer S19 XP", sale=141),
            Mismatch(None, ReportedBin(141e12, SALE)),
            "says it was sold as 141 TH/s (rate_sale); the ledger says S19 XP of 140 TH/s",
        ),
        (
            row("S21", 200),
            says(None, sale=188),
            Mismatch(None, ReportedBin(188e12, SALE)),
            "says it was sold as 188 TH/s (rate_sale); the ledger says S21 of 200 TH/s",
        ),
        (
            row("S21", 200),
            says("Antminer BHB68601", ideal=188),
            Mismatch(None, ReportedBin(188e12, IDEAL)),
            "reports an ideal rate of 188 TH/s (rate_ideal); the ledger says S21 of 200 TH/s",
        ),
        (
            row("S21", 151),
            says("Antminer S21 200T"),
            Mismatch(None, ReportedBin(200e12, BinSource.MODEL_NAME)),
            "has in its model's name 200 TH/s (model_name); the ledger says S21 of 151 TH/s",
        ),
        (
            row("S21", 200),
            says("Whatsminer M60S (x)", ideal=186),
            Mismatch("Whatsminer M60S", None),
            "answers as Whatsminer M60S; the ledger says S21 of 200 TH/s",
        ),
    ],
)
def test_unit_in_another_row(nameplate: Nameplate, latest: UnitReading, mismatch: Mismatch, text: str) -> None:
    """Another model is found whatever its bin; another bin by `rate_sale`, or by a sticker that is a bin."""
    assert mismatch_of(nameplate, latest, CATALOGUE.bins_hs) == mismatch
    assert mismatch_text(entry(nameplate=nameplate), mismatch) == text


@given(one=st.sampled_from(list(CATALOGUE)), other=st.sampled_from(list(CATALOGUE)))
def test_every_pair_of_bins(one: Nameplate, other: Nameplate) -> None:
    """A unit of one bin in the row of another is found exactly if the two are not the same machine."""
    latest = says(f"Antminer {other.model}", sale=other.hashrate_hs / 1e12)
    is_same = one.hashrate_hs == other.hashrate_hs and one.model.split(" (")[0] == other.model.split(" (")[0]
    assert (mismatch_of(one, latest, CATALOGUE.bins_hs) is None) is is_same


def test_word_on_the_bin() -> None:
    """`rate_sale` comes first; an ideal rate counts if it is whole and the unit is in its normal mode."""
    assert reported_bin(says("S21", sale=495, ideal=507.154)) == ReportedBin(495e12, SALE)
    assert reported_bin(says("S21", ideal=200)) == ReportedBin(200e12, IDEAL)
    assert reported_bin(says("S21", ideal=507.154)) is None
    assert reported_bin(says("S21", ideal=200, mode=Mode.LOW)) is None
    assert reported_bin(says("S21")) is None


def tracked(nameplate: Nameplate) -> Tracker:
    """Return a tracker of one unit in a row."""
    return Tracker([entry(nameplate=nameplate)], stale_after_s=30, at=AT, bins_of=CATALOGUE.bins_hs)


def recorded(tracker: Tracker, latest: UnitReading) -> UnitStatus:
    """Return the unit's status after a poll."""
    poll = structs.replace(answered(), reading=latest)
    status = tracker.record(poll, clock_s=0.0)
    assert status is not None
    return status[0]


def test_status_carries_the_mismatch_and_changes_nothing_else() -> None:
    """The nameplate stays the ledger's, and state and losses are as without the mismatch."""
    nameplate = row("S21", 200)
    right, wrong = (recorded(tracked(nameplate), says(f"Antminer {model}")) for model in ("S21", "S21 Pro"))
    assert right.mismatch is None
    assert wrong.mismatch == Mismatch("S21 Pro", None)
    assert (wrong.reason, wrong.why) == (Reason.WRONG_ROW, "reports S21 Pro; its row says S21 of 200 TH/s")
    told = {"mismatch": None, "reading": right.reading, "reason": right.reason, "why": right.why}
    assert structs.replace(wrong, **told) == right


CLOCK, BOARD = (Finding(reason, reason.value) for reason in (Reason.CLOCK_LOW, Reason.BOARD_ABSENT))
BY_BIN = Mismatch(None, ReportedBin(188e12, IDEAL))
BY_MODEL = Mismatch("T21", ReportedBin(190e12, IDEAL))


@pytest.mark.parametrize(
    ("mismatch", "finding", "order"),
    [
        (BY_BIN, PLAIN[Reason.HASHING], [Reason.WRONG_ROW]),
        (BY_BIN, CLOCK, [Reason.WRONG_ROW, Reason.CLOCK_LOW]),
        (BY_BIN, BOARD, [Reason.BOARD_ABSENT, Reason.WRONG_ROW]),
        (BY_MODEL, BOARD, [Reason.WRONG_ROW, Reason.BOARD_ABSENT]),
        (BY_MODEL, PLAIN[Reason.HELD_BACK], [Reason.HELD_BACK, Reason.WRONG_ROW]),
    ],
)
def test_a_wrong_row_comes_before_what_it_explains(mismatch: Mismatch, finding: Finding, order: list[Reason]) -> None:
    """A shortfall against another machine's nameplate is none; of the same model a dead board still is."""
    first, others = with_mismatch(row("S21", 200), mismatch, finding, ())
    assert [first.reason, *(each.reason for each in others)] == order


def test_a_unit_that_does_not_hash_keeps_its_reason() -> None:
    """What stopped it matters before what it is."""
    status = recorded(tracked(row("S21", 200)), says("Antminer T21", mode=Mode.SLEEP))
    assert (status.reason, status.mismatch) == (Reason.ASLEEP, Mismatch("T21", None))


def test_the_words_of_a_wrong_row_are_bounded() -> None:
    """A model of ten kilobytes does not come into them."""
    first, _ = with_mismatch(row("S21", 200), Mismatch("T" * 10_000, None), PLAIN[Reason.HASHING], ())
    assert len(first.why) <= MAX_WHY


def test_mismatch_lasts_until_the_unit_the_row_or_the_catalogue_changes() -> None:
    """It goes on through failed polls, and ends with another answer, another row, or a withdrawn reading."""
    tracker = tracked(row("S21", 200))
    latest = says("Antminer S21", ideal=195)
    assert recorded(tracker, latest).mismatch == Mismatch(None, ReportedBin(195e12, IDEAL))
    silent = tracker.record(failed(), clock_s=100.0)
    assert silent is not None
    assert silent[0].mismatch is not None
    assert recorded(tracker, says("Antminer S21", ideal=200)).mismatch is None
    assert recorded(tracker, latest).mismatch is not None
    (moved,) = tracker.take_over(LedgerDelta((entry(nameplate=row("S21", 195)),), ()), at=AT)
    assert moved.mismatch is None
    assert recorded(tracker, says("Antminer S21", ideal=188)).mismatch is not None
    tracker.bins_of = lambda _: ()
    assert recorded(tracker, says("Antminer S21", ideal=188)).mismatch is None
    assert recorded(tracker, says("Antminer T21")).mismatch is not None
    taken_back = tracker.discredit("u1", OtherUnitError("another unit answers"), at=AT)
    assert taken_back is not None
    assert taken_back[0].mismatch is None


BARE = BoardReading(slot=0, hashrate_hs=1e12, chips=3)
COOLED = structs.replace(BARE, coolant_celsius=(33.0, None))


@pytest.mark.parametrize(
    ("layout", "boards", "text"),
    [
        (CoolantLayout.NONE, (BARE,), None),
        (CoolantLayout.TEMP_PCB, (COOLED,), None),
        (CoolantLayout.UNKNOWN, (BARE, COOLED), None),
        (CoolantLayout.UNKNOWN, (), None),
        (CoolantLayout.TEMP_IN_OUT, (BARE,), "not reported"),
        (
            CoolantLayout.UNKNOWN,
            (BARE,),
            (
                "not shown: no source tells which sensors of S21 XP Hyd. are in the coolant;"
                " a row with coolant_layout in ledger.models_file does"
            ),
        ),
    ],
)
def test_missing_coolant_is_explained(
    layout: CoolantLayout, boards: tuple[BoardReading, ...], text: str | None
) -> None:
    """A hydro unit without a coolant says why, and no other unit says anything."""
    latest = says("Antminer S21 XP Hyd.", coolant_layout=layout, boards=boards)
    assert coolant_text(latest) == text


def test_notes_of_a_unit() -> None:
    """All remarks on a unit stand in one list, in words."""
    latest = says("Antminer S21 XP Hyd.", coolant_layout=CoolantLayout.TEMP_IN_OUT, boards=(BARE,))
    status = recorded(tracked(row("S21", 200)), latest)
    assert unit_notes(status) == [
        "answers as S21 XP Hyd.; the ledger says S21 of 200 TH/s",
        "coolant not reported",
    ]
    assert unit_notes(tracked(row("S21", 200)).status("u1") or status) == []
