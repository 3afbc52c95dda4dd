"""Delivered hashrate through reboots, gaps and exchanged machines; then against the simulator's count of hashes."""

import tracemalloc
from collections.abc import Iterable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polled_farm import Polled
from sim_cases import START, make_farm
from site_cases import AT, NO_ANSWER, PLATE, STALE_AFTER_S, answered, entry, failed

from agent.site.delivered import DAY_S, HASHES_PER_DIFFICULTY, HOUR_S, Delivered, DeliveredBook
from agent.site.ledger.entries import NO_OWNER
from agent.site.status import UnitStatus
from agent.site.tracker import Tracker
from agent.slices import run_at_once
from agent.unit.reading import ShareReading

# One difficulty a second, in H/s.
ONE_HS = HASHES_PER_DIFFICULTY
CADENCE_S = 300.0

Moment = tuple[float, float | None, float | None]


def polled(clock_s: float, uptime_s: float | None, counter: float | None, unit_id: str = "u1") -> UnitStatus:
    """Return the status of a poll at `clock_s` that read a new counter, or none."""
    shares = None if counter is None else ShareReading(at=AT + clock_s, difficulty_accepted=counter)
    tracker = Tracker([entry(unit_id)], stale_after_s=STALE_AFTER_S, at=AT)
    tracker.record(answered(unit_id, at=AT + clock_s, uptime_s=uptime_s, shares=shares), clock_s=clock_s)
    status = tracker.status(unit_id)
    assert status is not None
    return status


def book_of(moments: Iterable[Moment]) -> DeliveredBook:
    """Return a book that has seen one unit at `moments`: clock, uptime, and a counter or none."""
    book = DeliveredBook(cadence_s=CADENCE_S)
    for clock_s, uptime_s, counter in moments:
        book.record(polled(clock_s, uptime_s, counter), clock_s=clock_s)
    return book


def running(begin_s: float, end_s: float, *, started_s: float = 0.0, credited: float = 0.0) -> list[Moment]:
    """Return a process credited one difficulty a second, its counter read every five minutes from `begin_s`."""
    moments: list[Moment] = []
    clock_s = begin_s
    while clock_s <= end_s:
        moments.append((clock_s, clock_s - started_s, credited + clock_s - started_s))
        clock_s += CADENCE_S
    return moments


def test_nothing_is_told_before_a_whole_window_is_known() -> None:
    """Half an hour of counters gives no hourly figure."""
    book = book_of(running(0.0, 3300.0))
    assert book.delivered_hs("u1", HOUR_S, 3300.0) is None
    assert book.delivered(3300.0) == Delivered(None, 0, None, 0)


def test_an_hour_of_work() -> None:
    """One difficulty a second over an hour is 2^32 H/s; there is no daily figure yet."""
    book = book_of(running(0.0, 3600.0))
    assert book.delivered_hs("u1", HOUR_S, 3600.0) == ONE_HS
    assert book.delivered_hs("u1", DAY_S, 3600.0) is None
    assert book.delivered(3600.0) == Delivered(ONE_HS, PLATE.hashrate_hs, None, 0)


def test_a_counter_beyond_the_nameplate_is_no_figure() -> None:
    """A counter that says ten times the nameplate is not the site's hashrate; once it runs true for a window, it is."""
    most = PLATE.hashrate_hs / ONE_HS
    book = book_of([*running(0.0, 3600.0), (3900.0, 3900.0, 3600.0 + 10 * most * 4200.0)])
    assert book.delivered_hs("u1", HOUR_S, 3900.0) is None
    assert book.delivered(3900.0) == Delivered(None, 0, None, 0)
    for clock_s, uptime_s, counter in running(4200.0, 8700.0, credited=10 * most * 4200.0):
        book.record(polled(clock_s, uptime_s, counter), clock_s=clock_s)
    assert book.delivered_hs("u1", HOUR_S, 8700.0) == pytest.approx(ONE_HS)


def test_a_day_of_work_and_its_last_hour() -> None:
    """Idle for the last 70 minutes, the hour is 0; the day covers as much as is kept, here 25 h 10 min."""
    work = running(0.0, DAY_S)
    idle = [(DAY_S + 300.0 * step, DAY_S + 300.0 * step, DAY_S) for step in range(1, 15)]
    book = book_of([*work, *idle])
    end_s = idle[-1][0]
    assert book.delivered_hs("u1", HOUR_S, end_s) == 0
    assert book.delivered_hs("u1", DAY_S, end_s) == pytest.approx(ONE_HS * DAY_S / end_s)


def test_what_is_out_of_reach_goes_on_earning() -> None:
    """The same process after two hours without an answer: has a counter that covers them all."""
    book = book_of([*running(0.0, 600.0), *running(7800.0, 7800.0)])
    assert book.delivered_hs("u1", HOUR_S, 7800.0) == ONE_HS


# A process runs from 0, is last counted at 3000 and last seen at 3200; the next one starts at 3500.
REBOOT: list[Moment] = [*running(0.0, 3000.0), (3200.0, 3200.0, None)]


def test_a_reboot_is_nought_from_when_it_was_last_seen_until_it_started() -> None:
    """3000 s of work, 300 s of none, 500 s of work; the 200 s between last counter and end count on neither side."""
    book = book_of([*REBOOT, (3600.0, 100.0, 100.0), (4000.0, 500.0, 500.0)])
    assert book.delivered_hs("u1", HOUR_S, 4000.0) == pytest.approx(ONE_HS * 3500 / 3800)


@pytest.mark.parametrize(
    "found",
    [
        pytest.param((3600.0, 100.0, 100.0), id="at once"),
        pytest.param((3600.0, 100.0, None), id="its counter could not be read at first"),
        pytest.param((4000.0, 500.0, 500.0), id="long after"),
    ],
)
def test_a_reboot_is_the_same_whenever_it_is_found(found: Moment) -> None:
    """The uptime dates the start of a new process, with or without a counter."""
    book = book_of([*REBOOT, found, (4100.0, 600.0, 600.0)])
    assert book.delivered_hs("u1", HOUR_S, 4100.0) == pytest.approx(ONE_HS * 3600 / 3900)


def test_a_reboot_is_seen_although_uptime_and_counter_are_higher() -> None:
    """Three hours unreachable with an uptime of two: nothing was hashed in the first of them."""
    book = book_of([*running(0.0, 600.0), (11400.0, 7200.0, 7200.0)])
    assert book.delivered_hs("u1", HOUR_S, 11400.0) == pytest.approx(ONE_HS * 2 / 3)


@pytest.mark.parametrize(
    "other",
    [
        pytest.param([(3900.0, 90_000.0, 5e9), (4200.0, 90_300.0, 5e9 + 300)], id="up for longer than it can be"),
        pytest.param([(3900.0, 3000.0, 10.0), (4200.0, 3300.0, 310.0)], id="started while the other was seen"),
        pytest.param([(3900.0, 3900.0, 10.0), (4200.0, 4200.0, 310.0)], id="a counter that fell without a restart"),
    ],
)
def test_another_machines_counter_is_nobodys_work(other: list[Moment]) -> None:
    """Another machine at the address: nothing is credited for the change, and the time across it is not counted."""
    book = book_of([*running(0.0, 3600.0), *other])
    assert book.delivered_hs("u1", HOUR_S, 4200.0) == ONE_HS


def test_a_frozen_unit_delivers_nothing() -> None:
    """A unit that repeats uptime and counter delivers nothing while time passes."""
    frozen = [(3600.0 + 10.0 * step, 3600.0, 3600.0) for step in range(1, 361)]
    book = book_of([*running(0.0, 3600.0), *frozen])
    assert book.delivered_hs("u1", HOUR_S, 7200.0) == 0


def test_without_an_uptime_a_counter_alone_tells() -> None:
    """Without uptimes, a rising counter is work and a falling one starts over."""
    moments = [(clock_s, None, counter) for clock_s, _, counter in running(0.0, 3600.0)]
    book = book_of([*moments, (3900.0, None, 20.0), (4200.0, None, 320.0)])
    assert book.delivered_hs("u1", HOUR_S, 4200.0) == ONE_HS


def test_a_counter_not_read_for_three_turns_is_no_figure() -> None:
    """A dead unit has no delivered hashrate, neither its own nor in the site's; after 15 minutes here."""
    book = book_of(running(0.0, 3600.0))
    assert book.delivered_hs("u1", HOUR_S, 4500.0) == ONE_HS
    assert book.delivered_hs("u1", HOUR_S, 4500.1) is None
    assert book.delivered(4500.1) == Delivered(None, 0, None, 0)


def test_polls_that_failed_or_told_no_counter_change_nothing() -> None:
    """A failed poll, firmware without difficulty and a repeated counter add nothing."""
    book = book_of(running(0.0, 3600.0))
    tracker = Tracker([entry()], stale_after_s=STALE_AFTER_S, at=AT)
    tracker.record(failed(NO_ANSWER), clock_s=3610.0)
    status = tracker.status("u1")
    assert status is not None
    book.record(status, clock_s=3610.0)
    silent = ShareReading(at=AT + 3620, accepted=1)
    tracker.record(answered(shares=silent, uptime_s=3620.0), clock_s=3620.0)
    status = tracker.status("u1")
    assert status is not None
    book.record(status, clock_s=3620.0)
    book.record(polled(3600.0, 3630.0, 3600.0), clock_s=3630.0)
    assert book.delivered_hs("u1", HOUR_S, 3630.0) == ONE_HS


def test_the_site_is_the_sum_of_those_that_have_a_figure() -> None:
    """With two units known for an hour and one for half, the hour covers two nameplates."""
    book = DeliveredBook(cadence_s=CADENCE_S)
    for unit_id, begin_s in (("u1", 0.0), ("u2", 0.0), ("u3", 1800.0)):
        for clock_s, uptime_s, counter in running(begin_s, 3600.0):
            book.record(polled(clock_s, uptime_s, counter, unit_id), clock_s=clock_s)
    assert book.delivered(3600.0) == Delivered(2 * ONE_HS, 2 * PLATE.hashrate_hs, None, 0)
    book.forget(["u1", "no such unit"])
    assert book.delivered(3600.0) == Delivered(ONE_HS, PLATE.hashrate_hs, None, 0)
    assert book.delivered_hs("u1", HOUR_S, 3600.0) is None


def test_other_windows_are_refused() -> None:
    """A window other than an hour or a day raises ValueError."""
    with pytest.raises(ValueError, match="1800 s is neither an hour nor a day"):
        DeliveredBook(cadence_s=CADENCE_S).delivered_hs("u1", 1800.0, 0.0)


@given(
    steps=st.lists(
        st.tuples(
            st.floats(0.0, 5000.0),
            st.none() | st.floats(0.0, 1e6),
            st.none() | st.floats(0.0, 1e7),
        ),
        max_size=60,
    )
)
def test_no_counter_makes_a_figure_below_zero_or_more_than_it_rose(steps: list[tuple[float, float, float]]) -> None:
    """For any uptimes and counters, credited work lies between zero and the sum of all rises."""
    book, clock_s, most, last = DeliveredBook(cadence_s=CADENCE_S), 0.0, 0.0, 0.0
    for step_s, uptime_s, counter in steps:
        clock_s += step_s
        book.record(polled(clock_s, uptime_s, counter), clock_s=clock_s)
        if counter is not None:
            most += max(counter - last, counter)
            last = counter
        for window_s in (HOUR_S, DAY_S):
            rate_hs = book.delivered_hs("u1", window_s, clock_s)
            assert rate_hs is None or 0 <= rate_hs <= most * HASHES_PER_DIFFICULTY / window_s * (1 + 1e-9)


def test_a_unit_costs_less_than_a_kilobyte() -> None:
    """After two days of counters the memory is bounded, dictionaries included."""
    units = 50
    statuses = [polled(0.0, 0.0, 0.0, f"u{number}") for number in range(units)]
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        book = DeliveredBook(cadence_s=CADENCE_S)
        for step in range(int(2 * DAY_S / CADENCE_S)):
            clock_s = 1.0 + step * CADENCE_S
            for number, status in enumerate(statuses):
                reading = status.reading
                assert reading is not None
                shares = ShareReading(at=clock_s, difficulty_accepted=clock_s * (1 + number))
                book.record(with_shares(status, shares, clock_s), clock_s=clock_s)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert book.delivered_hs("u0", DAY_S, 2 * DAY_S) is not None
    assert (after - before) / units <= 1024


def with_shares(status: UnitStatus, shares: ShareReading, uptime_s: float) -> UnitStatus:
    """Return the same status with another reading in it."""
    reading = msgspec.structs.replace(status.reading, shares=shares, uptime_s=uptime_s)
    return msgspec.structs.replace(status, reading=reading)


def test_delivered_is_what_the_simulator_hashed() -> None:
    """Six units, two of which reboot three times in the day: units and site agree with the truth within the noise.

    A unit finds about 600 shares an hour, so its figure for a day is off by 0.9 % (one sigma), and the site's by 0.4 %.
    """
    farm = make_farm(6)
    for hour in (4, 11, 19):
        for unit_id in list(farm.by_id)[:2]:
            unit = farm.by_id[unit_id]
            farm.reboot(unit, after_s=hour * 3600.0 + 137.0)
    polled = Polled(farm.units, at=START, slow_every=5)
    book = DeliveredBook(cadence_s=300.0)
    end_s = START + 26 * 3600.0
    at = START
    hashes_then = dict.fromkeys(farm.by_id, 0.0)
    while at <= end_s:
        for unit in polled.units:
            unit_id = unit.identity.unit_id
            recorded = polled.tracker.record(polled.poll(unit, at), clock_s=at)
            assert recorded is not None
            book.record(recorded[0], clock_s=at)
            if at == end_s - DAY_S:
                hashes_then[unit_id] = unit.totals(at).hashes
        at += 60.0
    true_hs = {
        unit.identity.unit_id: (unit.totals(end_s).hashes - hashes_then[unit.identity.unit_id]) / DAY_S
        for unit in farm.units
    }
    for unit_id, unit_hs in true_hs.items():
        assert book.delivered_hs(unit_id, DAY_S, end_s) == pytest.approx(unit_hs, rel=0.03)
    site = book.delivered(end_s)
    assert site.day_hs == pytest.approx(sum(true_hs.values()), rel=0.01)
    assert site.day_deployed_hs == farm.deployed_hs


def test_owners_add_up_to_what_was_delivered() -> None:
    """Each owner's units with a figure, by their own counters; a unit that left is the site's own."""
    book = DeliveredBook(cadence_s=CADENCE_S)
    for unit_id, rate in (("u1", 1.0), ("u2", 2.0), ("u3", 4.0), ("u4", 8.0)):
        for clock_s, uptime_s, counter in running(0.0, 4200.0):
            assert counter is not None
            book.record(polled(clock_s, uptime_s, counter * rate, unit_id), clock_s=clock_s)
    whole = book.delivered(4200.0)
    slices = book.delivered_by_owner({"u1": "North", "u2": "North", "u3": "South", "u9": "East"})
    # What is recorded between two slices changes no sum.
    book.forget(["u1"])
    found = run_at_once(slices)
    assert {owner: each.hour_hs for owner, each in found.items()} == {
        "North": pytest.approx(3 * ONE_HS),
        "South": pytest.approx(4 * ONE_HS),
        NO_OWNER: pytest.approx(8 * ONE_HS),
    }
    assert sum(each.hour_hs or 0.0 for each in found.values()) == pytest.approx(whole.hour_hs)
    assert {each.day_hs for each in found.values()} == {None}
