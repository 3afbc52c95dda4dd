"""Rows of numbers match the families, whatever a unit reports."""

from collections.abc import Iterator
from typing import Any

import pytest
from exporter_cases import AT, board, entry, gone_silent, reading, status
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from agent.errors import UnreachableError
from agent.exporters.prometheus.text_format import Lines
from agent.exporters.prometheus.unit_families import FAMILIES, SECTIONS, UNIT_LABELS
from agent.exporters.prometheus.unit_rows import SLOTS, UNITS_AT_ONCE, Snapshot, UnitRows, texts_by_family
from agent.site.ledger.entries import Place
from agent.site.power import Power, PowerSource
from agent.site.status import Cause, Loss, UnitState, UnitStatus
from agent.unit.reading import Dialect, Identity, PoolReading, ShareReading

SITE = 'site="nd-1"'


def shown(*statuses: UnitStatus) -> dict[str, float]:
    """Return every series rendered from these units' rows; a series that comes twice fails the test."""
    rows = UnitRows(SITE)
    for one in statuses:
        rows.put(one)
    return series(text for _, text in texts_by_family(rows.snapshot()))


def by_families(*statuses: UnitStatus) -> dict[str, float]:
    """Return every series as rendered from the contract's own `samples`, one at a time."""
    texts = []
    for one in statuses:
        base = f'{SITE},container="{one.entry.place.container}",unit="{one.entry.unit_id}"'
        for section in SECTIONS:
            part = section.part(one)
            if part is not None:
                texts += [Lines(family, len(UNIT_LABELS)).render(base, part).encode() for family in section.families]
    return series(iter(texts))


def series(texts: Iterator[bytes]) -> dict[str, float]:
    """Return the number of each series."""
    found: dict[str, float] = {}
    for text in texts:
        for line in text.decode().splitlines():
            name, _, number = line.rpartition(" ")
            assert name not in found
            found[name] = float(number)
    return found


_number = st.none() | st.floats() | st.integers(-(2**70), 2**70)
_count = st.none() | st.integers(0, 2**70)
_celsius = st.lists(st.floats(-60, 200), max_size=3).map(tuple)
_board = st.builds(
    board,
    st.integers(0, 5),
    hashrate_hs=_number,
    chips=_count,
    hw_errors=_count,
    frequency_hz=_number,
    chip_celsius=_celsius,
    pcb_celsius=_celsius,
)
_in_order = st.lists(_board, max_size=5).map(
    lambda boards: tuple(structs.replace(one, slot=place) for place, one in enumerate(boards))
)
_readings: dict[str, st.SearchStrategy[Any]] = {
    "uptime_s": _number,
    "hashrate_30m_hs": _number,
    "fan_rpm": st.lists(st.floats() | st.integers(0, 9000), max_size=6).map(tuple),
    "boards": _in_order | st.lists(_board, max_size=5).map(tuple),
    "pools": st.lists(
        st.builds(
            PoolReading, index=st.just(0), status=st.none() | st.sampled_from(["Alive", "Dead"]), is_active=st.none()
        ),
        max_size=3,
    ).map(tuple),
    "shares": st.none()
    | st.builds(ShareReading, at=st.just(AT), accepted=_count, stale=_count, difficulty_accepted=_number),
}


@st.composite
def _statuses(draw: st.DrawFn, unit_id: str = "u1") -> UnitStatus:
    read = reading(unit_id, **draw(st.fixed_dictionaries({}, optional=_readings))) if draw(st.booleans()) else None
    error = UnreachableError("no answer") if draw(st.booleans()) else None
    is_fresh = read is not None and draw(st.booleans())
    one = status(
        entry(unit_id, is_in_maintenance=draw(st.booleans()), place=Place(container="C1")),
        read,
        error=error,
        is_fresh=is_fresh,
    )
    changes = {
        "state": draw(st.sampled_from(UnitState)),
        "losses": tuple(draw(st.lists(st.builds(Loss, st.sampled_from(Cause), st.floats()), max_size=4))),
        "power": draw(st.none() | st.builds(Power, st.floats(), st.sampled_from(PowerSource))),
    }
    return structs.replace(one, **changes)


@given(_statuses())
def test_a_row_says_what_the_families_say(one: UnitStatus) -> None:
    """A unit has the series of its families, number for number, even if it does not fit a row."""
    assert shown(one) == by_families(one)


@given(_statuses("u1"), _statuses("u1"), _statuses("u2"))
def test_nothing_stays_of_what_a_unit_was(before: UnitStatus, now: UnitStatus, other: UnitStatus) -> None:
    """A unit that was written before shows its current series and nothing else."""
    assert shown(before, other, now) == by_families(other, now)


def test_every_series_has_one_slot() -> None:
    """Each family has distinct slots, with one value for each of its own labels, except two that are whole lines."""
    assert len(set(SLOTS)) == len(SLOTS)
    assert {slot.family for slot in SLOTS} | {"miner_info", "miner_reason"} == {family.name for family in FAMILIES}
    labels = {family.name: len(family.labels) - len(UNIT_LABELS) for family in FAMILIES}
    assert all(len(slot.values) == labels[slot.family] for slot in SLOTS)


@pytest.mark.parametrize(
    "boards",
    [
        (board(0), board(0, chips=1)),
        (board(1), board(0)),
        (board(0), board(7)),
        tuple(board(slot) for slot in range(6)),
        (board(0, hw_errors=2**64),),
    ],
    ids=["listed twice", "out of order", "a far slot", "six boards", "a count beyond 64 bits"],
)
def test_what_does_not_fit_is_not_lost(boards: tuple[Any, ...]) -> None:
    """Boards that do not fit a row are rendered from the families, and from the row again once they fit."""
    odd, sound = status(latest=reading(boards=boards)), status(latest=reading())
    assert any("board_chips" in name for name in shown(odd))
    assert shown(odd) == by_families(odd)
    assert shown(odd, sound) == by_families(sound)


def test_units_beyond_one_piece() -> None:
    """Units rendered in several pieces, some silent, some that do not fit a row, appear once each."""
    many = [
        gone_silent(f"u{number}") if number % 7 == 0 else status(entry(f"u{number}"), reading(f"u{number}"))
        for number in range(2 * UNITS_AT_ONCE + 3)
    ]
    many[5] = status(entry("u5"), reading("u5", boards=(board(9),)))
    assert shown(*many) == by_families(*many)


def lines(snapshot: Snapshot) -> str:
    """Return all lines of a snapshot."""
    return b"".join(text for _, text in texts_by_family(snapshot)).decode()


def test_labels_are_those_of_the_status() -> None:
    """A unit that moves or reports its firmware has new labels from then on; an earlier snapshot keeps the old."""
    rows = UnitRows(SITE)
    rows.put(status(entry("u1", place=Place(container="C1")), reading("u1")))
    before = rows.snapshot()
    assert 'container="C1"' in lines(before)
    read = reading("u1", identity=Identity(firmware="FR-1.23"), dialect=Dialect.LEGACY)
    rows.put(status(entry("u1", place=Place(container="C2")), read))
    assert 'container="C1"' not in lines(rows.snapshot())
    assert 'firmware="FR-1.23"' in lines(rows.snapshot())
    assert 'dialect="legacy"' in lines(rows.snapshot())
    assert 'container="C2"' not in lines(before)


def test_a_temperature_that_firmware_computes_is_no_series() -> None:
    """An alert would take it for a sensor's; the boards' own sensors stay."""
    hot = board(0, chip_celsius=(96.0,), pcb_celsius=(81.0,))
    for is_computed in (False, True):
        rows = UnitRows(SITE)
        given = status(entry(), reading(boards=(hot,), is_chip_computed=is_computed))
        rows.put(given)
        text = lines(rows.snapshot())
        assert ("\nminer_board_chip_temperature_celsius{" in text) is not is_computed
        assert "\nminer_pcb_temperature_celsius{" in text
        assert shown(given) == by_families(given)


def test_a_cell_that_another_unit_takes() -> None:
    """A snapshot shows the unit that was in a cell; a later one shows its successor, in any order of rendering."""
    rows = UnitRows(SITE)
    rows.put(status(entry("u1"), reading("u1")))
    before = rows.snapshot()
    rows.remove("u1")
    rows.put(status(entry("u2"), reading("u2")))
    for snapshot, there, gone in ((rows.snapshot(), "u2", "u1"), (before, "u1", "u2"), (rows.snapshot(), "u2", "u1")):
        text = lines(snapshot)
        assert f'unit="{there}"' in text
        assert f'unit="{gone}"' not in text


def _firmware_shown(rows: UnitRows) -> str:
    """Return the firmware label of the one unit in `rows`."""
    (text,) = [text.decode() for family, text in texts_by_family(rows.snapshot()) if family.name == "miner_info"]
    return text.partition('firmware="')[2].partition('"')[0]


def test_a_name_that_differs_at_each_poll_makes_one_series_in_ten_minutes() -> None:
    """The first change of firmware shows at once, and later ones once the latest has stood for ten minutes."""
    rows, declared = UnitRows(SITE), entry()
    shown_names = set()
    for poll in range(360):
        read = reading("u1", at=AT + 10 * poll, identity=Identity(firmware=f"FR-{poll}"))
        rows.put(status(declared, read))
        shown_names.add(_firmware_shown(rows))
        assert poll > 1 or _firmware_shown(rows) == f"FR-{poll}"
    # Two at the start, then one in each of the ten minutes that follow.
    assert len(shown_names) == 2 + 5


def test_a_name_that_comes_and_goes_is_bounded_as_well() -> None:
    """A reading that is taken back takes its firmware along at once, and brings it back after ten minutes."""
    rows, declared = UnitRows(SITE), entry()
    names = []
    for poll in range(120):
        read = reading("u1", at=AT + 10 * poll, identity=Identity(firmware=f"FR-{poll}"))
        rows.put(status(declared, read))
        names.append(_firmware_shown(rows))
        rows.put(status(declared, error=UnreachableError("other")))
        assert _firmware_shown(rows) == ""
    assert len({name for name in names if name}) <= 1 + 1200 // 600
