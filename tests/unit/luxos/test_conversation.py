"""What a poll of a LuxOS unit asks, and what it does not believe."""

import json
from itertools import pairwise
from typing import Any

import pytest
from capture_files import S21_SUMMARY
from luxos_unit import AT, UNKNOWN, LuxosUnit, recorded, refused

from agent.errors import (
    DeadlineError,
    MalformedReplyError,
    PollError,
    RefusedError,
    UnreachableError,
    UnsupportedReplyError,
)
from agent.unit import registry
from agent.unit.luxos.requests import COMMANDS, REQUESTS
from agent.unit.nameplate import Nameplate
from agent.unit.reading import Fault, IdentitySource, Mode, PowerKind

FOLDER = "s19kpro-luxos-2025"
NAMEPLATE = Nameplate(
    model="S19k Pro",
    hashrate_hs=120e12,
    power_watts=2760,
    boards=3,
    chips_per_board=77,
    cooling="air",
    source="a test",
)
STATE, SLOW = "power+temps+fans+config", "pools+devdetails+events"
# Documented (D241, D242): commands of LuxOS that act. The last line: those of other firmware.
ACTING_WITHOUT_LOGIN = {
    *("addpool", "removepool", "switchpool", "enablepool", "disablepool", "pooloptsset"),
    *("addgroup", "removegroup", "groupquota"),
    *("logset", "kill", "updatecheck", "logon"),
}
ACTING_IN_A_SESSION = {"curtail", "rebootdevice", "resetminer", "profileset", "ledset"}
ACTING_ELSEWHERE = {"pause", "resume", "restart", "quit", "save", "zero", "reload", "sleep", "network"}
ACTING = ACTING_WITHOUT_LOGIN | ACTING_IN_A_SESSION | ACTING_ELSEWHERE


def unit(*, is_joining: bool = True) -> LuxosUnit:
    """Return the recorded S19k Pro."""
    return LuxosUnit(recorded(FOLDER), is_joining=is_joining)


def asleep(*, is_off: bool = True, ghs: float = 0.0) -> LuxosUnit:
    """Return a unit that says that it sleeps."""
    sleeper = unit()
    sleeper.says("CONFIG", "config", CurtailMode="Sleep", IsPowerSupplyOn=not is_off)
    sleeper.says("SUMMARY", "summary", **{"GHS 5s": ghs})
    for row in sleeper.replies["devs"]["DEVS"]:
        row["MHS 5s"] = ghs * 1000 / 3
    return sleeper


def test_requests_are_reports() -> None:
    """Every request is a report on the whitelist, without a parameter; none of them is a command that acts."""
    bodies = [json.loads(request) for request in REQUESTS]
    assert all(body.keys() == {"command"} for body in bodies)
    assert {command for body in bodies for command in body["command"].split("+")} == set(COMMANDS)
    assert ACTING.isdisjoint(COMMANDS)


def test_three_requests_a_poll_and_four_on_slow_ones() -> None:
    """The slow reports are asked for at the first poll, then every `slow_every` polls in the unit's own turn."""
    healthy = unit()
    healthy.polls(14, slow_every=6)
    assert healthy.asked[0] == ["summary", "devs", STATE, SLOW]
    slow = [number for number, asked in enumerate(healthy.asked) if SLOW in asked]
    assert len(slow) >= 3
    assert [later - before for before, later in pairwise(slow[1:])] == [6] * (len(slow) - 2)
    assert all(asked == ["summary", "devs", STATE] for asked in healthy.asked if SLOW not in asked)


@pytest.mark.parametrize(
    ("command", "figure", "absent"),
    [("power", "power_watts", None), ("fans", "fan_rpm", ()), ("config", "mode", None)],
)
def test_a_report_that_is_not_answered_has_no_figures(command: str, figure: str, absent: object) -> None:
    """Those of an earlier poll are not carried on, of a unit that does not join either."""
    single = unit(is_joining=False)
    assert getattr(single.polls(5), figure) != absent
    single.replies[command] = DeadlineError("late")
    assert getattr(single.polls(4), figure) == absent
    single.replies[command] = recorded(FOLDER)[command]
    assert getattr(single.polls(4), figure) != absent


def test_a_total_that_stands_still_does_not_wake_a_unit() -> None:
    """It says that it sleeps, with its supply on, and each of its boards says 0."""
    sleeper = asleep(is_off=False)
    sleeper.says("SUMMARY", "summary", GHS__5s=59756.06)
    reading = sleeper.poll(nameplate=NAMEPLATE)
    assert (reading.mode, reading.rate_hs, reading.repairs) == (Mode.SLEEP, None, ("rate_after_sleep",))


def test_more_events_than_are_read_still_name_a_fault() -> None:
    """The first of them count."""
    noisy = unit()
    events = [{"Code": "FAN_FAILURE", "Target": "MINER"}, *[{"Code": "SLEEP", "Target": "MINER"}] * 100]
    noisy.replies["events"] = {"STATUS": [{"STATUS": "S"}], "EVENTS": events}
    reading = noisy.poll()
    assert (reading.faults, reading.repairs) == ((Fault.FAN,), ("implausible",))


def test_boards_that_cannot_be_told_apart_are_not_absent() -> None:
    """Rows without a number, or no `devs` at all, are no fault of the boards that the unit names."""
    numberless = unit()
    for row in numberless.replies["devs"]["DEVS"]:
        del row["ID"]
    assert numberless.poll().faults == ()
    silent = unit()
    silent.replies |= {"devs": DeadlineError("late"), "temps": UNKNOWN}
    silent.says("SUMMARY", "summary", GHS__5s=0.0)
    silent.poll()
    assert silent.poll(nameplate=NAMEPLATE).faults == ()


def test_a_unit_that_does_not_join_is_asked_one_by_one() -> None:
    """At most five requests a poll, `config` at each; after a few polls nothing is missing."""
    single = unit(is_joining=False)
    last = single.polls(5)
    assert single.asked[0][:3] == ["summary", "devs", STATE]
    assert all(len(asked) <= 5 and "config" in asked for asked in single.asked)
    assert not any("+" in command for asked in single.asked[1:] for command in asked)
    # The chips of boards were not recorded.
    assert last == unit().poll()


def test_silence_is_taken_for_a_refusal_only_in_a_row() -> None:
    """Twice may be the network; after a third time it is asked one by one. An answer starts the count anew."""
    mute = unit()
    mute.replies[STATE] = DeadlineError("late")
    mute.polls(2)
    assert mute.asked[-1][-1] == STATE
    del mute.replies[STATE]
    mute.poll()
    mute.replies[STATE] = DeadlineError("late")
    mute.polls(3)
    mute.poll()
    assert STATE in mute.asked[-2]
    assert STATE not in mute.asked[-1]


def test_joined_requests_are_tried_again_after_a_restart() -> None:
    """A miner process that started anew may be another version."""
    single = unit(is_joining=False)
    single.polls(2)
    single.is_joining = True
    single.says("SUMMARY", "summary", Elapsed=30)
    single.poll()
    assert single.asked[-1] == ["summary", "devs", STATE, SLOW]


@pytest.mark.parametrize("error", [DeadlineError("late"), MalformedReplyError("cut"), b"nonsense", UNKNOWN])
def test_only_summary_is_essential(error: PollError | bytes) -> None:
    """Without `devs` and the joined reports there is still a rate; boards and state are absent, not nought."""
    poor = unit()
    for command in ("devs", STATE, SLOW):
        poor.replies[command] = error
    for command in ("power", "temps", "fans", "config", "pools", "devdetails", "events"):
        poor.replies[command] = error
    reading = poor.poll(nameplate=NAMEPLATE)
    assert reading.hashrate_5s_hs == 59_756.06e9
    assert (reading.boards, reading.power_watts, reading.mode, reading.faults) == ((), None, None, ())


def test_a_refused_part_costs_its_own_figures() -> None:
    """Errors stand inside a joined reply; the other parts are read, and joined requests go on."""
    poor = unit()
    poor.replies["power"] = refused(305, "not available")
    reading = poor.polls(2)
    assert (reading.power_watts, reading.power_kind) == (None, None)
    assert (len(reading.fan_rpm), reading.mode) == (4, Mode.NORMAL)
    assert poor.asked[-1] == ["summary", "devs", STATE]


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (UnreachableError("gone", is_refusal=True), UnreachableError),
        (b"{", MalformedReplyError),
        (refused(45, "Access denied"), RefusedError),
        (UNKNOWN, RefusedError),
        (json.loads(S21_SUMMARY), UnsupportedReplyError),
    ],
)
def test_summary_is_essential(reply: object, error: type[PollError]) -> None:
    """Its error is that of the poll; a reply of other firmware is no reply of this one."""
    broken = unit()
    broken.replies["summary"] = reply
    with pytest.raises(error):
        broken.poll()


def test_asleep_with_its_supply_off() -> None:
    """`Sleep` and no power: it sleeps, and its boards' rates and its profile are no fault."""
    reading = asleep().poll(nameplate=NAMEPLATE)
    assert (reading.mode, reading.hashrate_5s_hs, reading.is_starting) == (Mode.SLEEP, 0, False)


def test_asleep_without_a_rate() -> None:
    """Assumed (A175): a unit that sleeps may refuse `summary`; with its supply off it is not unreadable."""
    sleeper = asleep()
    sleeper.replies["summary"] = UNKNOWN
    assert (sleeper.poll().mode, sleeper.poll().uptime_s) == (Mode.SLEEP, None)


def test_a_stale_sleep_is_not_believed() -> None:
    """`Sleep` with the supply on and a rate is stale: the unit hashes, and is credited at once."""
    reading = asleep(is_off=False, ghs=60_000).poll(nameplate=NAMEPLATE)
    assert (reading.mode, reading.hashrate_5s_hs) == (None, 60e12)
    assert reading.repairs == ("mode_refuted",)


def test_sleep_with_the_supply_on_and_a_rate_of_nought() -> None:
    """It sleeps: nothing hashes."""
    assert asleep(is_off=False).poll(nameplate=NAMEPLATE).mode is Mode.SLEEP


def test_sleep_beside_a_missing_rate_is_no_state() -> None:
    """A rate that is missing is not nought: unread, the word may be stale. Boards that all tell nought do tell."""
    silent = asleep(is_off=False)
    silent.says("SUMMARY", "summary", **{"GHS 5s": ..., "GHS 1m": ..., "GHS 5m": ..., "GHS 15m": ..., "GHS 30m": ...})
    assert silent.poll(nameplate=NAMEPLATE).mode is Mode.SLEEP
    for row in silent.replies["devs"]["DEVS"]:
        row["MHS 5s"] = None
    assert silent.poll(nameplate=NAMEPLATE).mode is None
    silent.replies["devs"] = UNKNOWN
    assert silent.poll(nameplate=NAMEPLATE).mode is None
    silent.replies["summary"] = UNKNOWN
    with pytest.raises(RefusedError):
        silent.poll(nameplate=NAMEPLATE)


def test_a_rate_that_outlasts_the_supply() -> None:
    """For two minutes the 5 s rate is the one before; one that stays for longer refutes the word."""
    sleeper = asleep(ghs=60_000)
    for at in (AT, AT + 60, AT + 120):
        reading = sleeper.poll(at=at, nameplate=NAMEPLATE)
        assert (reading.mode, reading.rate_hs, reading.repairs) == (Mode.SLEEP, None, ("rate_after_sleep",))
    reading = sleeper.poll(at=AT + 130, nameplate=NAMEPLATE)
    assert (reading.mode, reading.rate_hs, "mode_refuted" in reading.repairs) == (None, 60e12, True)


def test_waking_starts() -> None:
    """`WakeUp` is awake, hashes nothing yet, and starts by its own word although its process is old."""
    waking = asleep(is_off=False)
    waking.says("CONFIG", "config", CurtailMode="WakeUp")
    reading = waking.poll(nameplate=NAMEPLATE)
    assert (reading.mode, reading.is_starting) == (None, True)


def test_a_failure_never_sleeps() -> None:
    """Not curtailed and without power: awake, with the fault that its events name."""
    failed = asleep()
    failed.says("CONFIG", "config", CurtailMode="None")
    failed.replies["events"] = {"EVENTS": [{"Code": "PSU_PANIC", "Target": "MINER"}], "STATUS": [{"STATUS": "S"}]}
    reading = failed.poll(nameplate=NAMEPLATE)
    assert (reading.mode, reading.faults) == (Mode.NORMAL, (Fault.SUPPLY,))


def test_what_stops_a_unit_is_asked_at_once_and_vanishes_when_cured() -> None:
    """A unit that hashes nothing is asked for pools and events at every poll."""
    stopped = unit()
    stopped.poll()
    events = {"EVENTS": [{"Code": "FAN_FAILURE", "Target": "MINER"}, {"Code": "IDLE"}], "STATUS": [{"STATUS": "S"}]}
    stopped.replies["events"] = events
    stopped.says("SUMMARY", "summary", **{"GHS 5s": 0})
    for row in stopped.replies["devs"]["DEVS"]:
        row["MHS 5s"] = 0
    assert stopped.poll(nameplate=NAMEPLATE).faults == (Fault.FAN,)
    stopped.replies["events"] = {"EVENTS": [], "STATUS": [{"STATUS": "S"}]}
    assert stopped.poll(nameplate=NAMEPLATE).faults == ()


def test_a_missing_board_is_missing_at_its_slot() -> None:
    """What is not listed is not there; the others keep their slots, whatever their order."""
    short = unit()
    short.replies["devs"]["DEVS"] = [row for row in short.replies["devs"]["DEVS"] if row["ID"] != 1]
    reading = short.poll(nameplate=NAMEPLATE)
    assert [board.slot for board in reading.boards] == [0, 2]
    assert [board.pcb_celsius[0] for board in reading.boards] == [34, 34]


MAC = "02:11:22:33:44:55"


@pytest.mark.parametrize("is_joining", [True, False])
def test_mac_and_serial_are_told_by_the_poll_that_read_them(is_joining: bool) -> None:  # noqa: FBT001
    """With their source; a `config` of an earlier poll may be another unit's, so it is not told again."""
    teller = unit(is_joining=is_joining)
    teller.says("CONFIG", "config", MACAddr=MAC.upper(), SerialNumber="SMTT00X")
    info = teller.polls(3).system_info
    assert info is not None
    assert (info.mac, info.serial, info.source) == (MAC, "SMTT00X", IdentitySource.CONFIG)
    assert info.model == "Antminer S19k Pro"
    assert teller.poll().system_info is info
    teller.replies["config"] = refused(305, "not available")
    assert teller.poll().system_info is None


@pytest.mark.parametrize(
    ("mac", "serial", "expected"),
    [
        (MAC, "", (MAC, None)),
        (MAC, "N/A", (MAC, None)),
        ("unknown", "S1", (None, "S1")),
        ("00:00:00:00:00:00", "unknown", None),
        (5, [], None),
        (..., ..., None),
    ],
)
def test_what_is_no_identity_is_not_told(mac: Any, serial: Any, expected: tuple[str | None, str | None] | None) -> None:
    """Placeholders, zeros and other types."""
    teller = unit()
    teller.says("CONFIG", "config", MACAddr=mac, SerialNumber=serial)
    info = teller.poll().system_info
    assert (None if info is None else (info.mac, info.serial)) == expected


def test_no_board_at_all() -> None:
    """`temps` is refused with 426, the list is empty and the model is unknown: the boards are the fault."""
    bare = unit()
    bare.poll()
    bare.replies["temps"] = refused(426, "No boards")
    bare.replies["devs"]["DEVS"] = []
    bare.says("CONFIG", "config", Model="Unknown")
    bare.says("SUMMARY", "summary", **{"GHS 5s": 0})
    reading = bare.poll(nameplate=NAMEPLATE)
    assert (reading.boards, reading.faults, reading.identity.model) == ((), (Fault.BOARD,), "Antminer S19k Pro")


@pytest.mark.parametrize(
    ("watts", "is_told", "expected"),
    [(1051, False, (1051, PowerKind.ESTIMATED)), (1051, True, (1051, PowerKind.MEASURED)), (0, False, (None, None))],
)
def test_power_and_its_source(watts: float, is_told: bool, expected: tuple[float | None, PowerKind | None]) -> None:  # noqa: FBT001
    """Only with `PSU` true did the supply measure the watts; nought is no value."""
    told = unit()
    told.says("POWER", "power", Watts=watts, PSU=is_told)
    reading = told.poll()
    assert (reading.power_watts, reading.power_kind) == expected


@pytest.mark.parametrize(("elapsed", "boards_s"), [(900, 900), (22_202, 748)])
def test_a_window_longer_than_the_run_is_left_out(elapsed: int, boards_s: int) -> None:
    """`GHS 30m` of boards that run for a quarter of an hour is the mean of that; the process may be older."""
    young = unit()
    young.says("SUMMARY", "summary", Elapsed=elapsed)
    for row in young.replies["devs"]["DEVS"]:
        row["Device Elapsed"] = boards_s
    reading = young.poll()
    assert (reading.hashrate_30m_hs, reading.hashrate_avg_hs, reading.uptime_s) == (None, 56_917.91e9, elapsed)


def test_the_day_stands_in_for_nothing() -> None:
    """Without `GHS 5s` the shortest full window stands in; `24h` never, however long the unit runs."""
    told = unit()
    told.replies["devs"] = UNKNOWN
    told.says("SUMMARY", "summary", **{"GHS 5s": "nan"})
    reading = told.poll()
    assert (reading.rate_hs, reading.rate_window_s) == (60_829.48e9, 60)
    longer = {f"GHS {window}": ... for window in ("1m", "5m", "15m", "30m", "av")}
    told.says("SUMMARY", "summary", Elapsed=500_000, **longer)
    assert told.poll().rate_hs is None


def test_the_boards_stand_in_for_a_total() -> None:
    """Without `GHS 5s` the boards' own 5 s rates say what it would be."""
    told = unit()
    told.says("SUMMARY", "summary", **{"GHS 5s": ...})
    assert told.poll().hashrate_5s_hs == pytest.approx(59_756.06e9, rel=1e-6)


def test_total_mh_is_no_total() -> None:
    """It is the average, in MH/s: no figure comes from it."""
    before = unit().poll()
    told = unit()
    told.says("SUMMARY", "summary", **{"Total MH": 1.0})
    assert told.poll() == before


def test_a_restart_forgets_the_process() -> None:
    """Pools and counters of the old process are not carried over, and `version` is asked anew by the choice."""
    restarted = LuxosUnit(recorded(FOLDER), reader=registry.CHOOSING)
    restarted.polls(2)
    restarted.says("SUMMARY", "summary", Elapsed=30, Accepted=1)
    del restarted.replies["pools"]
    reading = restarted.poll()
    assert (reading.pools, reading.shares and reading.shares.accepted) == ((), 1)
    restarted.poll()
    assert restarted.asked[-1][0] == "version"
    assert all(len(asked) <= 5 for asked in restarted.asked)


def test_an_identity_is_one_object() -> None:
    """What a unit says of itself is kept once, and changes with its program."""
    told = unit()
    first, second = told.poll().identity, told.poll().identity
    assert first is second
    for command in told.replies:
        told.replies[command]["STATUS"][0]["Description"] = "LUXminer 2026.1.15.120000-00000000"
    third = told.poll().identity
    assert (third.firmware, third.miner) == ("LUXminer 2026.1.15.120000-00000000", "2026.1.15.120000")
    assert third.model is first.model


@pytest.mark.parametrize(
    ("ghs", "is_from_supply", "watts"),
    [(61_000.0, False, 1051.0), (30_000.0, False, None), (0.0, False, None), (0.0, True, 1051.0)],
)
def test_the_tuners_watts_are_those_of_a_unit_that_hashes(
    ghs: float,
    is_from_supply: bool,  # noqa: FBT001
    watts: float | None,
) -> None:
    """An estimate for the profile says nothing of a unit that stands or hashes little; the supply's word counts."""
    unit = LuxosUnit(recorded("s19kpro-luxos-2025"))
    unit.says("SUMMARY", "summary", **{"GHS 5s": ghs})
    for row in unit.replies["devs"]["DEVS"]:
        row["MHS 5s"] = ghs * 1000 / len(unit.replies["devs"]["DEVS"])
    unit.says("POWER", "power", PSU=is_from_supply)
    reading = unit.poll()
    assert (reading.power_watts, reading.power_kind is None) == (watts, watts is None)
