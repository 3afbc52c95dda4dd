"""Statuses kept over a restart: what comes back is held, with its age, and ends like all that is held."""

from typing import Any

import msgspec
import pytest
from site_cases import AT, ERRORS, NO_ANSWER, REFUSAL, STALE_AFTER_S, TH, answered, entry, failed, reading

from agent.errors import ContradictoryReplyError, DisconnectedError, ForeignProtocolError, PollError
from agent.site.reasons import Reason
from agent.site.remembered import KeptReading, Remembered, kept_error, kept_reading, restored_error, restored_reading
from agent.site.snapshot import Header, gap_since, memories, restore
from agent.site.status import UnitState, UnitStatus
from agent.site.totals import site_figures
from agent.site.tracker import Tracker
from agent.unit.reading import (
    Fault,
    Identity,
    Mode,
    Poll,
    PoolReading,
    PowerKind,
    UnitReading,
)

BEGAN_S = 5000.0
"""The monotonic clock of the second process when it restores."""


def tracker(*unit_ids: str) -> Tracker:
    """Return a tracker of these units, or of u1."""
    return Tracker([entry(unit_id) for unit_id in unit_ids or ("u1",)], stale_after_s=STALE_AFTER_S, at=AT)


def over_disk(before: Tracker, *, at: float, clock_s: float) -> list[Remembered]:
    """Return what is kept of a tracker, as it comes back from its bytes."""
    kept = [each for some in memories(before, at=at, clock_s=clock_s, at_once=2) for each in some]
    return msgspec.msgpack.decode(msgspec.msgpack.encode(kept, enc_hook=float), type=list[Remembered])


def restarted(before: Tracker, *, after_s: float, gap_s: float) -> Tracker:
    """Return a second process' tracker: the first ended `after_s` after its start, and was away for `gap_s`."""
    kept = over_disk(before, at=AT + after_s, clock_s=after_s)
    after = tracker(*before.units)
    restore(after, kept, at=AT + after_s + gap_s, clock_s=BEGAN_S, gap_s=gap_s)
    return after


def seen(one: Tracker, unit_id: str = "u1") -> UnitStatus:
    """Return the status of a unit that must be there."""
    status = one.status(unit_id)
    assert status is not None
    return status


def measured(unit_id: str = "u1", **changes: Any) -> UnitReading:
    """Return a reading with a value in every field that is kept, in floats as a decoder makes them."""
    plain = reading(
        unit_id,
        mode=Mode.HIGH,
        identity=Identity(model="M294", firmware="2025", api="3.1", miner="1"),
        uptime_s=86400.0,
        hashrate_5s_hs=float(290 * TH),
        hashrate_30m_hs=2.8e14,
        hashrate_avg_hs=2.7e14,
        hashrate_ideal_hs=3e14,
        hashrate_sale_hs=2.94e14,
        stand_in_hs=2.81e14,
        stand_in_window_s=1800.0,
        is_profile_ideal=True,
        power_watts=3500.0,
        power_kind=PowerKind.MEASURED,
        faults=(Fault.FAN,),
        fan_rpm=(6000.0, None, 6100.0),
        pools=(PoolReading(index=0, status="Alive", is_active=True),),
        reader="braiins",
        short_window_s=60.0,
        is_chip_computed=True,
        is_starting=True,
    )
    boards = tuple(
        msgspec.structs.replace(
            each,
            hashrate_hs=9.7e13,
            frequency_hz=490e6,
            chip_celsius=(60.0, None),
            coolant_celsius=(30.0,),
            bad_chips=1,
        )
        for each in plain.boards
    )
    return msgspec.structs.replace(plain, boards=boards, **changes)


def test_a_reading_comes_back_whole() -> None:
    """Every field that figures and reasons are made of survives; addresses, users and counters of pools do not."""
    pool = PoolReading(index=1, status="Dead", is_active=False, url="stratum+tcp://x", user="me", accepted=7)
    before = measured(pools=(pool,))
    packed = msgspec.msgpack.encode(kept_reading(before))
    after = restored_reading("u1", msgspec.msgpack.decode(packed, type=KeptReading))
    assert after == msgspec.structs.replace(before, pools=(PoolReading(index=1, status="Dead", is_active=False),))


def test_the_form_of_version_1_is_read() -> None:
    """It ends before the reader: what wrote it read stock firmware alone."""
    packed = msgspec.msgpack.decode(msgspec.msgpack.encode(kept_reading(measured())))[:-4]
    after = restored_reading("u1", msgspec.msgpack.decode(msgspec.msgpack.encode(packed), type=KeptReading))
    assert (after.reader, after.rate_window_s, after.is_chip_computed) == ("antminer", 5.0, False)
    assert after.boards == measured().boards


@pytest.mark.parametrize(
    "error",
    [
        *ERRORS,
        DisconnectedError("reset", is_reset=True),
        ForeignProtocolError("HTTP: ...", speaker="HTTP"),
        ContradictoryReplyError("too much", rule="over_limit"),
    ],
    ids=lambda error: f"{type(error).__name__} {error}",
)
def test_an_error_comes_back_as_what_it_was(error: PollError) -> None:
    """Class, words and detail survive, so that the unit gets the same state and reason."""
    after = restored_error(kept_error(error))
    assert (type(after), str(after), vars(after)) == (type(error), str(error), vars(error))


def test_an_error_of_another_version_is_a_failed_poll() -> None:
    """A class that this program does not know is no reason not to start."""
    assert restored_error(replace_name(kept_error(REFUSAL), "LaterError")).reason == "error"


def replace_name(kept: Any, name: str) -> Any:
    """Return a kept error of another class."""
    return msgspec.structs.replace(kept, name=name)


def test_a_restored_unit_is_held_and_never_fresh() -> None:
    """State, rate, losses and beginning are those of before; it is overdue, restored and not known."""
    before = tracker()
    before.record(Poll(unit_id="u1", at=AT + 1, took_s=0.1, reading=measured(at=AT + 1)), clock_s=1.0)
    was = seen(before)
    assert was.is_fresh
    now = seen(restarted(before, after_s=6.0, gap_s=4.0))
    assert (now.state, now.reason, now.since) == (was.state, was.reason, was.since)
    assert (now.hashrate_hs, now.losses, now.power) == (was.hashrate_hs, was.losses, was.power)
    assert (now.is_fresh, now.is_known, now.is_overdue, now.is_restored) == (False, False, True, True)


def test_restored_units_do_not_count_as_looked_at() -> None:
    """Operating is held, coverage is zero, and the time since the poll counts the time away."""
    before = tracker("u1", "u2", "u3")
    for unit_id in before.units:
        before.record(Poll(unit_id=unit_id, at=AT, took_s=0.1, reading=measured(unit_id)), clock_s=0.0)
    after = restarted(before, after_s=6.0, gap_s=4.0)
    figures = site_figures(after.statuses(), AT + 10).site
    assert figures.operating_hs == 3 * 2.9e14
    assert (figures.coverage_ratio, figures.overdue_units) == (0.0, 3)
    parts = list(after.look_over(at=AT + 10, clock_s=BEGAN_S))
    assert [(part.longest_s, part.restored, part.unseen) for part in parts] == [(10.0, 3, [])]


def test_the_first_poll_replaces_what_was_restored() -> None:
    """A good poll makes a unit fresh; a refused one ends the held rate, and one failed poll is enough."""
    before = tracker("u1", "u2")
    for unit_id in before.units:
        before.record(Poll(unit_id=unit_id, at=AT, took_s=0.1, reading=measured(unit_id)), clock_s=0.0)
    after = restarted(before, after_s=6.0, gap_s=4.0)
    again = measured(at=AT + 11, uptime_s=86411.0)
    after.record(Poll(unit_id="u1", at=AT + 11, took_s=0.1, reading=again), clock_s=BEGAN_S + 1)
    after.record(failed(NO_ANSWER, "u2", at=AT + 11), clock_s=BEGAN_S + 1)
    assert (seen(after).is_fresh, seen(after).is_restored, seen(after).is_overdue) == (True, False, False)
    gone = seen(after, "u2")
    assert (gone.state, gone.hashrate_hs, gone.is_restored) == (UnitState.UNREACHABLE, None, False)


def test_a_held_figure_ends_by_its_poll_not_by_the_restart() -> None:
    """Four times `stale_after_s` after its poll it is unseen; older ones do not come back at all."""
    before = tracker("u1", "u2")
    before.record(answered("u1", at=AT), clock_s=0.0)
    before.record(answered("u2", at=AT + 100), clock_s=100.0)
    before.refresh(at=AT + 101, clock_s=101.0)
    after = restarted(before, after_s=101.0, gap_s=18.9)
    assert (seen(after, "u1").is_restored, seen(after, "u2").is_restored) == (True, True)
    (part,) = after.look_over(at=AT + 121, clock_s=BEGAN_S + 0.2)
    assert [status.entry.unit_id for status in part.unseen] == ["u1"]
    again = restarted(before, after_s=101.0, gap_s=19.1)
    assert (seen(again, "u1").is_polled, seen(again, "u2").is_restored) == (False, True)


def test_a_second_restart_makes_nothing_younger() -> None:
    """What no process asked again keeps the age of its poll over any number of restarts."""
    before = tracker()
    before.record(answered(at=AT), clock_s=0.0)
    once = restarted(before, after_s=20.0, gap_s=10.0)
    (kept,) = over_disk(once, at=AT + 60, clock_s=BEGAN_S + 30)
    assert kept.asked_ago_s == 60.0


def test_after_a_long_absence_every_unit_is_unseen() -> None:
    """Away for longer than `stale_after_s`: a standstill. Statuses are shown, and none of them makes figures."""
    before = tracker("u1", "u2")
    for unit_id in before.units:
        before.record(answered(unit_id), clock_s=0.0)
    after = restarted(before, after_s=5.0, gap_s=STALE_AFTER_S + 1)
    (part,) = after.look_over(at=AT + 40, clock_s=BEGAN_S + 1)
    assert (len(part.unseen), part.restored) == (2, 2)
    assert seen(after).hashrate_hs == 294 * TH


def test_a_silent_poll_settles_nothing_on_the_way() -> None:
    """A reading that still counted beside a failure comes back as old as the reading, without the failure."""
    before = tracker()
    before.record(answered(at=AT), clock_s=0.0)
    before.record(failed(NO_ANSWER, at=AT + 10), clock_s=10.0)
    assert seen(before).is_fresh
    (kept,) = over_disk(before, at=AT + 12, clock_s=12.0)
    assert (kept.is_counted, kept.error, kept.failures, kept.asked_ago_s) == (True, None, 0, 12.0)


def test_a_unit_that_was_known_to_be_off_stays_off() -> None:
    """A refusal comes back as unreachable, with its words and its failures, not covered and without a rate."""
    before = tracker()
    before.record(answered(at=AT), clock_s=0.0)
    before.record(failed(REFUSAL, at=AT + 10), clock_s=10.0)
    now = seen(restarted(before, after_s=12.0, gap_s=3.0))
    assert (now.state, now.reason, now.since) == (UnitState.UNREACHABLE, Reason.CONNECTION_REFUSED, AT + 10)
    assert (now.hashrate_hs, now.failures, now.is_known, now.is_restored) == (None, 1, False, True)
    assert str(now.error) == "connection refused"


def test_a_frozen_unit_is_not_kept() -> None:
    """Figures that a hung program repeats are no knowledge; they must not be credited after a restart."""
    before = tracker()
    for clock_s in (0.0, 10.0, 20.0):
        before.record(answered(at=AT + clock_s, uptime_s=500.0), clock_s=clock_s)
    assert seen(before).reason is Reason.STANDS_STILL
    assert over_disk(before, at=AT + 21, clock_s=21.0) == []


def test_a_unit_that_repeats_its_uptime_over_the_restart_stands_still() -> None:
    """The uptime of before is compared with that of the first poll after."""
    before = tracker()
    before.record(answered(at=AT, uptime_s=5000.0), clock_s=0.0)
    after = restarted(before, after_s=5.0, gap_s=5.0)
    after.record(answered(at=AT + 16, uptime_s=5000.0), clock_s=BEGAN_S + 6)
    assert seen(after).reason is Reason.STANDS_STILL
    moving = restarted(before, after_s=5.0, gap_s=5.0)
    moving.record(answered(at=AT + 16, uptime_s=5016.0), clock_s=BEGAN_S + 6)
    assert seen(moving).state is UnitState.HASHING


def test_units_never_asked_and_units_that_left_are_left_out() -> None:
    """A snapshot holds what is known, and puts it into units that are deployed now."""
    before = tracker("u1", "u2")
    before.record(answered("u1"), clock_s=0.0)
    kept = over_disk(before, at=AT + 1, clock_s=1.0)
    assert [each.unit_id for each in kept] == ["u1"]
    other = tracker("u2")
    assert restore(other, kept, at=AT + 2, clock_s=BEGAN_S, gap_s=1.0) == 0
    assert not seen(other, "u2").is_polled


HEADER = Header(version=1, site="alpha", ledger="d", at=AT, boot_id="b1", boot_s=100.0, whole_at=None)


@pytest.mark.parametrize(
    ("passed_s", "boot_id", "boot_s", "expected"),
    [
        (4.0, "b1", 104.0, (4.0, None)),
        (4.5, "b1", 104.0, (4.0, None)),
        (3604.0, "b1", 104.0, (4.0, "the clock was set by +3600 s since")),
        (-596.0, "b1", 104.0, (4.0, "the clock was set by -600 s since")),
        (40.0, "b2", 12.0, (40.0, None)),
        (40.0, "", 12.0, (40.0, None)),
        (-1.0, "b2", 12.0, (-1.0, "it is from the future, by 1 s")),
        (-86400.0, "", 12.0, (-86400.0, "it is from the future, by 86400 s")),
    ],
    ids=["same boot", "drift", "set ahead", "set back", "reboot", "no boot id", "future", "far future"],
)
def test_the_time_away(passed_s: float, boot_id: str, boot_s: float, expected: tuple[float, str | None]) -> None:
    """The boot clock says it within a boot, the wall clock after a reboot; a clock that was set is trouble."""
    assert gap_since(HEADER, at=AT + passed_s, boot_id=boot_id, boot_s=boot_s) == expected
