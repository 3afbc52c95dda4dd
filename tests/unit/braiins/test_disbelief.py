"""What a careful agent does not believe of Braiins OS, one test each."""

import math
from typing import Any

import pytest
from braiins_units import AT, BMM, S9, S9_MINUTE_MHS, UNKNOWN, changed, poll, polls, rated, rows_changed

from agent.errors import DeadlineError, PollError
from agent.unit.braiins.boards import first_number
from agent.unit.braiins.conversation import DEVDETAILS, DEVS, FANS, POOLS, SUMMARY, TEMPS, TUNERSTATUS
from agent.unit.braiins.memory import Memory
from agent.unit.braiins.temps import Sensors, Temps
from agent.unit.nameplate import Nameplate
from agent.unit.reading import Mode, PowerKind, UnitReading

NOT_READY = (
    b'{"STATUS":[{"STATUS":"E","When":1,"Code":201,"Msg":"Not ready",'
    b'"Description":"BOSer boser-buildroot 0.1.0-45f356ea"}],"id":1}\0'
)
PLATE = rated(14e12, fans=2)
IDLE = [{"Nominal MHS": 0.0, "MHS 5s": 0.0}] * 3


def settled(unit: dict[bytes, bytes | PollError], nameplate: Nameplate | None = PLATE) -> UnitReading:
    """Return the reading after every report was asked for."""
    return polls(unit, 4, nameplate)[-1][1]


def tuner_says(*texts: str) -> bytes:
    """Return a `tunerstatus` reply with a text for each board."""
    chains = ",".join(f'{{"HashchainIndex":{6 + place},"Status":"{text}"}}' for place, text in enumerate(texts))
    return (
        b'{"STATUS":[{"STATUS":"S","When":1,"Code":203,"Msg":"Tuner Status","Description":"BOSminer+ 0.2.0"}],'
        b'"TUNERSTATUS":[{"ApproximateMinerPowerConsumption":75,"TunerChainStatus":[%s]}],"id":1}\0' % chains.encode()
    )


# 1. Any field called nominal as the nameplate.
def test_nominal_is_the_profile() -> None:
    """A lowered power target lowers it; it is the profile's, and denies no bin."""
    lowered = {**S9, DEVS: changed(S9[DEVS], "DEVS", Nominal_MHS=4_000_000.0)}
    reading = settled(lowered)
    assert (reading.hashrate_ideal_hs, reading.is_profile_ideal, reading.hashrate_sale_hs) == (12e12, True, None)


# 2. Any watt as power at the wall.
def test_watts_are_an_estimate() -> None:
    """Three times 448 and 75 are 1,419: the tuner's arithmetic."""
    reading = settled(S9)
    assert (reading.power_watts, reading.power_kind) == (1419, PowerKind.ESTIMATED)


@pytest.mark.parametrize("watts", ["0", "-1", '"N/A"', "null", "1e9"])
def test_no_power_is_none(watts: str) -> None:
    """Zero, minus one and text are no power, and have no source."""
    unit = {**S9, TUNERSTATUS: S9[TUNERSTATUS].replace(b"1419", watts.encode())}
    reading = settled(unit)
    assert (reading.power_watts, reading.power_kind) == (None, None)


# 3. A chip temperature that is the board's and 15.
@pytest.mark.parametrize(
    ("model", "sensors", "is_computed"),
    [
        ("S21 Pro", [(60.0, 75.0), (61.5, 76.5), (59.25, 74.25)], True),
        ("S19J88NoPic", [(60.0, 75.0), (0.0, 0.0)], True),
        (None, [(60.0, 75.0)], True),
        ("S21 Pro", [(48.1, 63.1), (61.7, 76.7)], True),
        ("S21 Pro", [(0.0, 90.0)], True),
        ("S9", [(0.0, 90.0)], False),
        ("S21 Pro", [(60.0, 75.0), (61.0, 76.5)], False),
        ("S9", [(60.0, 75.0)], False),
        ("Braiins Mini Miner BMM 100", [(60.0, 75.0)], False),
        ("S21+", [(60.0, 0.0)], False),
        (None, [], False),
    ],
)
def test_chips_that_are_computed(model: str | None, sensors: list[tuple[float, float]], *, is_computed: bool) -> None:
    """All boards of a unit agree to the last digit, on models without a sensor of their own on the chips."""
    rows = {number: Sensors(board or None, chip or None) for number, (board, chip) in enumerate(sensors, 1)}
    assert Temps(rows).is_chip_computed(model) is is_computed


def test_computed_chips_are_marked_in_the_reading() -> None:
    """The values stay; the mark goes when a later reply measures."""
    details = S9[DEVDETAILS].replace(b"Bitmain Antminer S9", b"Antminer S21 Pro")
    rows = [{"Board": 60.0 + place, "Chip": 75.0 + place} for place in range(3)]
    unit = {**S9, DEVDETAILS: details, TEMPS: rows_changed(S9[TEMPS], "TEMPS", rows)}
    reading = settled(unit)
    assert (reading.is_chip_computed, reading.hottest_chip_celsius) == (True, 77)
    assert not settled({**unit, TEMPS: S9[TEMPS]}).is_chip_computed


# 4. Windows longer than the uptime.
@pytest.mark.parametrize("elapsed_s", [12, 30, 55, 59, 60, 61, 299, 3600])
def test_a_rate_is_never_flattering(elapsed_s: int) -> None:
    """A unit that hashes 14 TH/s since its first second shows at most that, and all of it once a minute is full."""
    true_mhs = 14e6
    windows = {"5s": 5, "1m": 60, "5m": 300, "15m": 900, "24h": 86_400}
    shown = {f"MHS_{name}": true_mhs * min(elapsed_s, window_s) / window_s for name, window_s in windows.items()}
    summary = changed(S9[SUMMARY], "SUMMARY", Elapsed=elapsed_s, MHS_av=true_mhs, **shown)
    boards = {name: value / 3 for name, value in shown.items() if name != "MHS_24h"}
    _, reading = poll({**S9, SUMMARY: summary, DEVS: changed(S9[DEVS], "DEVS", **boards)}, Memory(), PLATE)
    assert reading.rate_window_s == 60
    assert reading.rate_hs is not None
    assert reading.rate_hs <= 14e12 * (1 + 1e-9)
    assert reading.rate_hs == pytest.approx(14e12 * min(1, elapsed_s / 60))
    assert math.isclose(sum(board.hashrate_hs or 0 for board in reading.boards), reading.rate_hs)
    assert reading.repairs == ()


# 5. A total of another report than the one that says now.
def test_the_total_is_that_of_one_minute() -> None:
    """Not 5 s, which scatters, nor the average, nor the day, which counts from a full day only."""
    reading = settled(S9)
    assert (reading.hashrate_5s_hs, reading.hashrate_30m_hs) == (S9_MINUTE_MHS * 1e6, None)


# 6. Alive, Enabled and Stratum Active as proof of work.
def test_constants_prove_nothing() -> None:
    """A unit whose boards stand still is not hashing, whatever `Enabled`, `Status` and the pools say."""
    nothing = {"MHS_5s": 0.0, "MHS_1m": 0.0}
    unit = {
        **S9,
        SUMMARY: changed(S9[SUMMARY], "SUMMARY", Elapsed=9000, **nothing),
        DEVS: changed(S9[DEVS], "DEVS", Nominal_MHS=0.0, **nothing),
        TUNERSTATUS: UNKNOWN,
    }
    reading = settled(unit)
    assert b'"Alive"' in unit[DEVS]
    assert b'"Alive"' in unit[POOLS]
    assert (reading.hashrate_5s_hs, reading.mode, reading.hashrate_ideal_hs) == (0, None, None)
    # Paused, or failed: nobody knows how many chips there are.
    assert [board.chips for board in reading.boards] == [None, None, None]


# 7. A missing board as a healthy unit of fewer boards.
@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_board_that_was_not_found_is_missing_at_its_slot(missing: int) -> None:
    """It is not listed; the others keep their slots."""
    kept = [None if place == missing else {} for place in range(3)]
    unit = {
        **S9,
        DEVS: rows_changed(S9[DEVS], "DEVS", kept),
        DEVDETAILS: rows_changed(S9[DEVDETAILS], "DEVDETAILS", kept),
    }
    total_mhs = sum(value for place, value in enumerate((3591737.98, 3752083.43, 3623807.07)) if place != missing)
    unit[SUMMARY] = changed(S9[SUMMARY], "SUMMARY", MHS_1m=total_mhs)
    reading = settled(unit)
    assert [board.slot for board in reading.boards] == [place for place in range(3) if place != missing]
    assert reading.repairs == ()


@pytest.mark.parametrize("stopped", [0, 1, 2])
def test_a_board_that_was_found_and_stopped_has_no_chips(stopped: int) -> None:
    """Nominal 0 beside others that run; its last minute may still hold work."""
    rows = [IDLE[0] if place == stopped else {} for place in range(3)]
    temps = [None if place == stopped else {} for place in range(3)]
    unit = {
        **S9,
        DEVS: rows_changed(S9[DEVS], "DEVS", rows),
        TEMPS: rows_changed(S9[TEMPS], "TEMPS", temps),
        DEVDETAILS: rows_changed(
            S9[DEVDETAILS], "DEVDETAILS", [{"Chips": 0} if place == stopped else {} for place in range(3)]
        ),
    }
    reading = settled(unit)
    assert [board.chips for board in reading.boards] == [0 if place == stopped else 63 for place in range(3)]
    board = reading.boards[stopped]
    assert (board.frequency_hz, board.chip_celsius, board.pcb_celsius) == (None, (), ())


@pytest.mark.parametrize(
    ("numbers", "first"),
    [
        ([6, 7, 8], 6),
        ([7, 8], 6),
        ([8], 6),
        ([1, 2, 3], 1),
        ([2, 3], 1),
        ([3], 1),
        ([0, 1, 2], 0),
        ([0, 2], 0),
        ([], 1),
    ],
)
def test_slots_follow_from_the_numbers(numbers: list[int], first: int) -> None:
    """An S9 counts from 6, others from 1; any board may be missing."""
    assert first_number(numbers) == first


def test_a_unit_that_counts_from_nought_keeps_its_slots() -> None:
    """Once its board 0 was seen, the others stay where they are without it."""
    memory = Memory()
    whole = {**S9, DEVS: rows_changed(S9[DEVS], "DEVS", [{"ID": 0}, {"ID": 1}, {"ID": 2}])}
    assert [board.slot for board in poll(whole, memory)[1].boards] == [0, 1, 2]
    part = {**whole, DEVS: rows_changed(whole[DEVS], "DEVS", [None, {}, {}])}
    assert [board.slot for board in poll(part, memory, at=AT + 10)[1].boards] == [1, 2]


def test_boards_come_by_slot_whatever_their_order() -> None:
    """Rows are not in order, nor once each, on every firmware."""
    rows = [{"ID": 8}, {"ID": 6}, {"ID": 7}]
    _, reading = poll({**S9, DEVS: rows_changed(S9[DEVS], "DEVS", rows)}, Memory())
    assert [board.slot for board in reading.boards] == [0, 1, 2]
    twice = {**S9, DEVS: rows_changed(S9[DEVS], "DEVS", [{}, {"ID": 6}, {}])}
    _, reading = poll(twice, Memory())
    assert [board.slot for board in reading.boards] == [0, 2]
    assert "implausible" in reading.repairs


# 8. Zeros where nothing is measured.
def test_a_fan_that_turned_and_stands_is_stopped() -> None:
    """It is remembered."""
    memory = Memory()
    for turn in range(2):
        poll(S9, memory, at=AT + 10 * turn)
    stopped = {**S9, FANS: rows_changed(S9[FANS], "FANS", [{"RPM": 0}, {}, {}, {}])}
    readings = [poll(stopped, memory, at=AT + 10 * turn)[1] for turn in range(2, 4)]
    assert readings[-1].fan_rpm == (0, 4620, None, None)


def test_a_chip_beside_a_board_of_nought_is_no_temperature() -> None:
    """15 C is what the firmware works out of nothing."""
    rows: list[dict[str, Any]] = [{"Board": 0.0, "Chip": 15.0}, {}, {}]
    reading = settled({**S9, TEMPS: rows_changed(S9[TEMPS], "TEMPS", rows)})
    assert (reading.boards[0].chip_celsius, reading.boards[0].pcb_celsius) == ((), ())
    assert reading.boards[1].chip_celsius


@pytest.mark.parametrize("number", [None, 7.5, 99, "six"])
def test_a_list_that_does_not_place_a_board_makes_none_missing(number: Any) -> None:
    """Which boards there are is then not known, nor what they should give; the total stays."""
    rows: list[dict[str, Any]] = [{"ID": number}, {}, {}]
    sound, reading = settled(S9), settled({**S9, DEVS: rows_changed(S9[DEVS], "DEVS", rows)})
    assert (reading.boards, reading.rate_hs, reading.hashrate_ideal_hs) == ((), sound.rate_hs, None)


def test_a_unit_whose_boards_all_stand_does_not_draw_its_limit() -> None:
    """The tuner's figure is that of its profile."""
    data = changed(S9[SUMMARY], "SUMMARY", Elapsed=9000, MHS_5s=0.0, MHS_1m=0.0)
    boards = changed(S9[DEVS], "DEVS", Nominal_MHS=0.0, MHS_5s=0.0, MHS_1m=0.0)
    reading = settled({**S9, SUMMARY: data, DEVS: boards})
    assert (reading.mode, reading.rate_hs, reading.power_watts) == (None, 0, None)


@pytest.mark.parametrize("clock", [0.6, 6.0])
def test_a_clock_between_units_is_none(clock: float) -> None:
    """MHz and Hz are known (O182); what else was meant is not told."""
    reading = settled({**S9, DEVDETAILS: changed(S9[DEVDETAILS], "DEVDETAILS", Frequency=clock)})
    assert {board.frequency_hz for board in reading.boards} == {None}


# The work mode.
@pytest.mark.parametrize(
    ("texts", "mode"),
    [
        (("Stable", "Stable", "Tuning individual chips"), Mode.NORMAL),
        (("Testing performance profile",), Mode.NORMAL),
        (("Stable { iteration: 3 }",), Mode.NORMAL),
        (("Stable", "Something else"), None),
        (("Stable", "paused"), None),
        (("Waiting",), None),
        (("Unpaused",), None),
        (("not paused",), None),
        ((), None),
    ],
)
def test_words_of_the_tuner(texts: tuple[str, ...], mode: Mode | None) -> None:
    """Known words of all boards say that it hashes; anything else says nothing."""
    assert settled({**S9, TUNERSTATUS: tuner_says(*texts)}).mode is mode


def paused_unit(now_mhs: float = 0.0, *, elapsed_s: int = 9000, **reports: bytes) -> dict[bytes, bytes | PollError]:
    """Return a unit whose boards all stand, with a last minute that still holds work."""
    return {
        **S9,
        SUMMARY: changed(S9[SUMMARY], "SUMMARY", Elapsed=elapsed_s, MHS_5s=now_mhs, MHS_1m=7e6),
        DEVS: changed(S9[DEVS], "DEVS", Nominal_MHS=0.0, MHS_5s=now_mhs / 3, MHS_1m=7e6 / 3),
        TUNERSTATUS: reports.get("tunerstatus", UNKNOWN),
        TEMPS: reports.get("temps", NOT_READY),
    }


@pytest.mark.parametrize("text", ["paused", "Paused", "Tuning paused", "paused { by: user }"])
def test_a_pause_in_its_own_words(text: str) -> None:
    """It sleeps, and hashes nothing now, although its last minute holds work."""
    reading = settled(paused_unit(tunerstatus=tuner_says(text, text, text), temps=S9[TEMPS]))
    assert (reading.mode, reading.rate_hs, reading.rate_window_s) == (Mode.SLEEP, 0, 5)
    assert [board.hashrate_hs for board in reading.boards] == [0, 0, 0]
    assert reading.repairs == ()


def test_a_unit_that_says_it_is_paused_and_hashes_is_not_believed() -> None:
    """Its rate over 5 s is credited."""
    reading = settled({**S9, SUMMARY: changed(S9[SUMMARY], "SUMMARY", Elapsed=9000), TUNERSTATUS: tuner_says("paused")})
    assert (reading.mode, reading.rate_window_s, reading.repairs) == (None, 5, ("mode_refuted",))
    assert reading.rate_hs == pytest.approx(13.584e12, rel=1e-3)


@pytest.mark.parametrize(
    ("elapsed_s", "tunerstatus", "temps", "mode"),
    [
        (9000, UNKNOWN, NOT_READY, Mode.SLEEP),
        (9000, tuner_says("Stable", "Stable", "Stable"), NOT_READY, Mode.SLEEP),
        (9000, tuner_says("Failed to start"), NOT_READY, None),
        (9000, UNKNOWN, S9[TEMPS], None),
        (9000, UNKNOWN, UNKNOWN, None),
        (9000, DeadlineError("no answer"), NOT_READY, None),
        (60, UNKNOWN, NOT_READY, None),
    ],
    ids=["not ready", "tuner never stops", "failure", "ready", "no temps", "tuner not heard", "starting"],
)
def test_boards_that_all_stand(elapsed_s: int, tunerstatus: Any, temps: bytes, mode: Mode | None) -> None:
    """A unit that is not ready long after its start is paused; without that word, or with a failure's, it is not."""
    reading = settled(paused_unit(elapsed_s=elapsed_s, tunerstatus=tunerstatus, temps=temps))
    assert reading.mode is mode
    assert reading.rate_window_s == (5 if mode else 60)


def test_a_pause_is_not_refuted_by_the_minute_before_it() -> None:
    """Without a rate over 5 s a paused unit has none; its last minute is of the time before."""
    unit = paused_unit(tunerstatus=tuner_says("paused"))
    unit[SUMMARY] = changed(S9[SUMMARY], "SUMMARY", Elapsed=9000, MHS_5s=None)
    reading = settled(unit)
    assert (reading.mode, reading.rate_hs, reading.repairs) == (Mode.SLEEP, None, ())


def test_not_ready_beside_boards_that_run_is_no_pause() -> None:
    """The word is of the sensors then."""
    reading = settled({**S9, SUMMARY: changed(S9[SUMMARY], "SUMMARY", Elapsed=9000), TEMPS: NOT_READY})
    assert (reading.mode, reading.rate_hs) == (Mode.NORMAL, S9_MINUTE_MHS * 1e6)


def test_a_unit_whose_boards_stand_is_asked_for_temps_at_every_poll() -> None:
    """They tell a pause."""
    asked = [requests for requests, _ in polls(paused_unit(), 6, PLATE, slow_every=100)]
    assert all("temps" in requests for requests in asked[1:])
    assert all(len(requests) <= 5 for requests in asked)


def test_pools_have_no_fee_and_no_share_of_it() -> None:
    """The list is counted, whatever `Msg` says, and the counters are those of `summary`."""
    unit = {**BMM, POOLS: BMM[POOLS].replace(b"3 Pool(s)", b"6 Pool(s)")}
    reading = settled(unit, None)
    assert [pool.is_fee for pool in reading.pools] == [False, False, False]
    assert reading.shares is not None
    assert reading.shares.difficulty_accepted == sum(pool.difficulty_accepted or 0 for pool in reading.pools)
