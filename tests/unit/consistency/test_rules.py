"""The rules that hold a reading against itself: a table of contradictions, and what is left of each."""

from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from agent.errors import CONTRADICTIONS, ContradictoryReplyError
from agent.unit.consistency.rules import hold_together, is_sound
from agent.unit.nameplate import Nameplate
from agent.unit.reading import BoardReading, Dialect, Mode, UnitReading
from agent.unit.repairs import REPAIRS

TH = 1e12
DAY_S = 86_400.0
AT = 1_763_674_560.0
S21 = Nameplate(
    model="S21",
    hashrate_hs=200 * TH,
    power_watts=3500,
    boards=3,
    chips_per_board=108,
    fans=4,
    cooling="air",
    source="test",
)


@dataclass
class Memory:
    """A unit's memory between polls."""

    sleep_doubted_at: float | None = None
    young_uptime: tuple[float, float] | None = None


def boards_of(*rates_th: float | None, chips: int | None = 108, is_average: bool = False) -> tuple[BoardReading, ...]:
    """Return boards with these rates, in slots from 0."""
    return tuple(
        BoardReading(slot=slot, hashrate_hs=None if th is None else th * TH, chips=chips, is_average=is_average)
        for slot, th in enumerate(rates_th)
    )


def reading_of(total_th: float | None, *rates_th: float | None, **figures: Any) -> UnitReading:
    """Return a reading of a day's uptime; rates in TH/s, those of boards after the total."""
    hs = {f"hashrate_{name}_hs": figures.pop(name, None) for name in ("30m", "avg", "ideal")}
    given = {
        "boards": boards_of(*rates_th),
        "uptime_s": DAY_S,
        "mode": Mode.NORMAL,
        **{name: None if th is None else th * TH for name, th in hs.items()},
        **figures,
    }
    return UnitReading(
        unit_id="u1",
        at=AT,
        dialect=Dialect.NEW_API,
        hashrate_5s_hs=None if total_th is None else total_th * TH,
        **given,
    )


def held(reading: UnitReading, nameplate: Nameplate | None = S21, memory: Memory | None = None) -> UnitReading:
    """Return what the rules leave of a reading."""
    return hold_together(reading, nameplate, memory or Memory())


def rates_th(reading: UnitReading) -> list[float | None]:
    """Return the boards' rates, TH/s."""
    return [None if board.hashrate_hs is None else board.hashrate_hs / TH for board in reading.boards]


THIRDS = (66.0, 67.0, 68.0)

SOUND = [
    pytest.param(reading_of(201.0, *THIRDS), id="total and boards agree"),
    pytest.param(reading_of(201.0), id="no boards listed"),
    pytest.param(reading_of(201.0, 60.0, 60.0, 60.0), id="boards 10 % below the total"),
    pytest.param(reading_of(0.0), id="stopped, no boards"),
    pytest.param(reading_of(0.0, 0.0, 0.0, 0.0), id="stopped, boards at 0"),
    pytest.param(reading_of(3.0, 0.0, 0.0, 0.0), id="within 2 % of the rating"),
    pytest.param(reading_of(245.0, 81.0, 82.0, 82.0), id="a factory mode above the bin"),
    pytest.param(reading_of(201.0, *THIRDS, power_watts=3500.0), id="rated power"),
    pytest.param(reading_of(101.0, *(33.0,) * 3, power_watts=520.0), id="good power at half rate"),
    pytest.param(reading_of(0.0, power_watts=18.0), id="standby power, stopped"),
    pytest.param(reading_of(0.0, mode=Mode.SLEEP, uptime_s=1.0), id="asleep"),
    pytest.param(reading_of(None, mode=Mode.SLEEP), id="asleep without a rate"),
    pytest.param(reading_of(1.9, mode=Mode.SLEEP), id="asleep, below a hundredth"),
    pytest.param(reading_of(0.0, mode=Mode.SLEEP, power_watts=0.0), id="asleep at 0 W"),
    pytest.param(reading_of(0.0, mode=Mode.SLEEP, power_watts=1750.0), id="asleep at half the rated power"),
    pytest.param(reading_of(280.0, 93.0, 93.0, 94.0, **{"30m": 281.0}), id="overclocked, boards and 30 min agree"),
    pytest.param(reading_of(280.0, **{"30m": 281.0}), id="overclocked, 30 min agrees, no boards listed"),
    pytest.param(
        reading_of(280.0, 93.0, 93.0, 94.0, uptime_s=120.0, avg=150.0, ideal=285.0),
        id="overclocked, just started, ideal and boards agree",
    ),
    pytest.param(reading_of(201.0, 67.0), id="two boards left out of the list, the third at its share"),
    pytest.param(reading_of(200.0, 200.0), id="one board with the whole rate"),
    pytest.param(
        reading_of(201.0, boards=boards_of(30.0, 30.0, 30.0, is_average=True)), id="boards tell their average"
    ),
    pytest.param(reading_of(201.0, 67.0, None, 67.0), id="one board without a rate"),
    pytest.param(reading_of(201.0, boards=boards_of(0.0, 0.0, 0.0, chips=0)), id="empty slots alone"),
]


@pytest.mark.parametrize("reading", SOUND)
def test_a_sound_reading_passes_as_it_is(reading: UnitReading) -> None:
    """No rule touches it."""
    assert held(reading) is reading


@pytest.mark.parametrize(
    "reading", [case for case in SOUND if case.id != "two boards left out of the list, the third at its share"]
)
def test_a_sound_reading_needs_no_nameplate(reading: UnitReading) -> None:
    """Without a rating the figures are held against each other alone; only the list's length cannot be known."""
    assert held(reading, None) is reading


# Reading, the 5 s rate that is left, the boards' rates that are left (None: as they were), the repairs.
REPAIRED = [
    pytest.param(reading_of(1900.0, *THIRDS), 201.0, None, ["total_from_boards"], id="9.5 times the rating"),
    pytest.param(reading_of(300.0, *THIRDS), 201.0, None, ["total_from_boards"], id="1.5 times the rating"),
    pytest.param(reading_of(0.0, *THIRDS), 201.0, None, ["total_from_boards"], id="none, but boards hash"),
    pytest.param(reading_of(None, *THIRDS), 201.0, None, ["total_from_boards"], id="absent, but boards hash"),
    pytest.param(reading_of(None, 0.0, 0.0, 0.0, avg=200.0), 0.0, None, ["total_from_boards"], id="boards say none"),
    pytest.param(reading_of(0.201, *THIRDS), 201.0, None, ["total_unit"], id="total in another unit"),
    pytest.param(reading_of(201_000.0, *THIRDS), 201.0, None, ["total_unit"], id="total in MH/s"),
    pytest.param(
        reading_of(201_000.0, **{"30m": 200.0}), 201.0, None, ["total_unit"], id="total in MH/s, as over 30 min"
    ),
    pytest.param(
        reading_of(0.1, 33.0, 33.0, 84.0, **{"30m": 101.0}),
        100.0,
        [None] * 3,
        ["boards_refuted", "total_unit"],
        id="total in another unit, as over 30 min, boards above both",
    ),
    pytest.param(
        reading_of(0.0, 33.0, 33.0, 84.0, **{"30m": 101.0}),
        None,
        [None] * 3,
        ["boards_refuted", "longer_rate"],
        id="none, boards far above 30 min",
    ),
    pytest.param(
        reading_of(201.0, 0.066, 0.067, 0.068), 201.0, [66.0, 67.0, 68.0], ["board_unit"], id="boards in TH/s"
    ),
    pytest.param(
        reading_of(201.0, 66_000.0, 67_000.0, 68_000.0), 201.0, [66.0, 67.0, 68.0], ["board_unit"], id="in MH/s"
    ),
    pytest.param(
        reading_of(201.0, 66.0, 67.0, 0.068), 201.0, [66.0, 67.0, 68.0], ["board_unit"], id="one board in TH/s"
    ),
    pytest.param(reading_of(201.0, 66.0, 600.0, 68.0), 201.0, [66.0, None, 68.0], ["implausible"], id="one board"),
    pytest.param(
        reading_of(734.0, 66.0, 600.0, 68.0, **{"30m": 201.0}),
        None,
        [66.0, None, 68.0],
        ["implausible", "longer_rate"],
        id="one board, and the total with it",
    ),
    pytest.param(
        reading_of(734.0, 66.0, 600.0, 68.0),
        134.0,
        [66.0, None, 68.0],
        ["implausible", "total_from_boards"],
        id="one board and the total, no longer rate: the other boards",
    ),
    pytest.param(
        reading_of(200.0, 33.0, 33.0, 34.0, **{"30m": 201.0}), 200.0, [None] * 3, ["boards_refuted"], id="30 min: total"
    ),
    pytest.param(reading_of(100.0, *THIRDS, **{"30m": 201.0}), 201.0, None, ["total_from_boards"], id="30 min: boards"),
    pytest.param(
        reading_of(200.0, 33.0, 33.0, 34.0, **{"30m": 100.0}), 100.0, None, ["total_from_boards"], id="30 min: lower"
    ),
    pytest.param(reading_of(200.0, 33.0, 33.0, 34.0), 100.0, None, ["total_from_boards"], id="lower boards"),
    pytest.param(reading_of(100.0, *THIRDS), 100.0, [None] * 3, ["boards_refuted"], id="lower total"),
    pytest.param(reading_of(0.0, *THIRDS, avg=1.0), 201.0, None, ["total_from_boards"], id="none, as on average"),
    pytest.param(
        reading_of(200.0, 0.0, 0.0, 0.0, avg=199.0), 200.0, [None] * 3, ["boards_refuted"], id="boards at 0, average"
    ),
    pytest.param(
        reading_of(200.0, 0.0, 0.0, 0.0, ideal=200.0), 200.0, [None] * 3, ["boards_refuted"], id="boards at 0, ideal"
    ),
    pytest.param(reading_of(200.0, 66.0, 0.0, 0.0), 66.0, None, ["total_from_boards"], id="two boards at 0"),
    pytest.param(reading_of(1900.0, **{"30m": 200.0}), None, None, ["longer_rate"], id="no boards, 30 min"),
    pytest.param(reading_of(1900.0, uptime_s=240.0, avg=180.0), None, None, ["longer_rate"], id="no boards, average"),
    pytest.param(reading_of(None, **{"30m": 200.0}), None, None, ["longer_rate"], id="absent, 30 min"),
    pytest.param(
        reading_of(300.0, 100.0, 100.0, 100.0, **{"30m": 200.0}),
        None,
        [None] * 3,
        ["boards_refuted", "longer_rate"],
        id="above the rating, boards too, 30 min refutes both",
    ),
    pytest.param(reading_of(201.0, *THIRDS, **{"30m": 999.0}), 201.0, None, ["implausible"], id="30 min beyond"),
    pytest.param(reading_of(201.0, *THIRDS, avg=999.0, ideal=999.0), 201.0, None, ["implausible"], id="average, ideal"),
    pytest.param(
        reading_of(201.0, boards=boards_of(*THIRDS, chips=999)), 201.0, None, ["implausible"], id="chips beyond"
    ),
]


@pytest.mark.parametrize(("reading", "total_th", "boards_th", "repairs"), REPAIRED)
def test_a_contradiction_is_repaired_by_name(
    reading: UnitReading, total_th: float | None, boards_th: list[float | None] | None, repairs: list[str]
) -> None:
    """The better supported rate is left, and the repair is counted."""
    after = held(reading)
    assert after.hashrate_5s_hs == (None if total_th is None else pytest.approx(total_th * TH))
    assert rates_th(after) == pytest.approx(rates_th(reading) if boards_th is None else boards_th)
    assert list(after.repairs) == repairs
    assert set(after.repairs) <= REPAIRS.keys()
    assert held(after) == after


@pytest.mark.parametrize(
    ("reading", "stand_in_th", "window_s"),
    [
        pytest.param(reading_of(1900.0, **{"30m": 200.0, "avg": 150.0}), 200.0, 1800.0, id="full 30 min"),
        pytest.param(reading_of(1900.0, uptime_s=240.0, **{"30m": 200.0}), 200.0, 240.0, id="30 min, not full"),
        pytest.param(reading_of(1900.0, uptime_s=900.0, **{"30m": 90.0, "avg": 180.0}), 180.0, 900.0, id="average"),
        pytest.param(reading_of(1900.0, uptime_s=None, **{"30m": 200.0}), 200.0, 1800.0, id="uptime unknown"),
        pytest.param(reading_of(1900.0, avg=300.0, **{"30m": 200.0}), 200.0, 1800.0, id="average too high"),
    ],
)
def test_a_longer_rate_stands_in_with_its_window(reading: UnitReading, stand_in_th: float, window_s: float) -> None:
    """It is credited, and never called a 5 s rate."""
    after = held(reading)
    assert after.hashrate_5s_hs is None
    assert (after.stand_in_hs, after.stand_in_window_s) == (stand_in_th * TH, window_s)
    assert after.rate_hs == stand_in_th * TH


@pytest.mark.parametrize(
    ("reading", "rule"),
    [
        pytest.param(reading_of(1900.0), "over_limit", id="alone"),
        pytest.param(reading_of(1900.0, **{"30m": 1900.0}), "over_limit", id="30 min says the same"),
        pytest.param(reading_of(473.0, 157.0, 158.0, 158.0, **{"30m": 473.0}), "over_limit", id="a larger machine"),
        pytest.param(reading_of(300.0), "unsupported_rate", id="above the rating, alone"),
        pytest.param(reading_of(300.0, 100.0, 100.0, 100.0), "unsupported_rate", id="above the rating, with boards"),
        pytest.param(reading_of(300.0, avg=290.0, uptime_s=60.0), "unsupported_rate", id="window not full"),
        pytest.param(reading_of(200.0, 0.0, 0.0, 0.0), "silent_boards", id="boards at 0"),
        pytest.param(reading_of(200.0, 0.0, 0.0, 0.0, avg=90.0), "silent_boards", id="boards at 0, average far below"),
        pytest.param(reading_of(1900.0, 0.0, 0.0, 0.0, avg=200.0), "silent_boards", id="beyond, boards at 0"),
    ],
)
def test_a_rate_without_support_is_contradictory(reading: UnitReading, rule: str) -> None:
    """The unit cannot be read; the error shows the figures."""
    with pytest.raises(ContradictoryReplyError, match=r"TH/s") as caught:
        held(reading)
    assert caught.value.rule == rule
    assert rule in CONTRADICTIONS


def test_without_a_nameplate_the_ideal_rate_is_the_rating() -> None:
    """A spike alone is refused; an ideal rate that boards refute is not used."""
    with pytest.raises(ContradictoryReplyError):
        held(reading_of(1900.0, ideal=200.0), None)
    assert held(reading_of(1900.0, *THIRDS, ideal=200.0), None).hashrate_5s_hs == 201 * TH
    wrong_ideal = reading_of(201.0, *THIRDS, ideal=0.2)
    assert held(wrong_ideal, None) is wrong_ideal


@pytest.mark.parametrize(
    "reading",
    [
        pytest.param(reading_of(None, avg=200.0), id="average"),
        pytest.param(reading_of(None, **{"30m": 200.0}), id="30 min"),
        pytest.param(reading_of(None, stand_in_hs=200 * TH, stand_in_window_s=60.0), id="a minute"),
    ],
)
def test_no_longer_rate_stands_in_while_a_unit_starts(reading: UnitReading) -> None:
    """It is the rate of before the stop; one that does not say that it starts is credited with it."""
    assert held(reading).rate_hs == 200 * TH
    starting = held(msgspec.structs.replace(reading, is_starting=True))
    assert (starting.rate_hs, starting.rate_window_s, starting.repairs) == (None, None, ())


def asleep(total_th: float | None, *rates: float | None, **figures: Any) -> UnitReading:
    """Return a reading that says sleep."""
    return reading_of(total_th, *rates, mode=Mode.SLEEP, **figures)


@pytest.mark.parametrize(
    "reading",
    [
        pytest.param(asleep(200.0), id="no boards"),
        pytest.param(asleep(200.0, *THIRDS), id="boards"),
        pytest.param(asleep(None, *THIRDS), id="boards alone"),
        pytest.param(asleep(2.0), id="a hundredth"),
        pytest.param(asleep(200.0, uptime_s=121.0), id="up for two minutes"),
    ],
)
def test_the_word_sleep_is_refuted_by_a_rate(reading: UnitReading) -> None:
    """A unit that has run for longer than the rate can lag is hashing."""
    after = held(reading)
    assert after.mode is None
    assert after.rate_hs
    assert "mode_refuted" in after.repairs


def test_a_total_alone_does_not_wake_a_unit() -> None:
    """The word and every board say that nothing hashes; an average that supports the total is the past."""
    memory = Memory()
    for second in (0, 3600):
        frozen = asleep(200.0, 0.0, 0.0, 0.0, avg=200.0)
        after = held(msgspec.structs.replace(frozen, at=AT + second), memory=memory)
        assert (after.mode, after.rate_hs, after.repairs) == (Mode.SLEEP, None, ("rate_after_sleep",))


@pytest.mark.parametrize("uptime_s", [None, 0.0, 1.0, 120.0])
def test_the_word_sleep_holds_for_two_minutes(uptime_s: float | None) -> None:
    """The rate may lag behind the word, and is not credited; after that the word is refuted, until the rate drops."""
    memory, hot = Memory(), asleep(200.0, uptime_s=uptime_s)
    seen = []
    for second in (0, 30, 120, 121, 600):
        after = held(msgspec.structs.replace(hot, at=AT + second), memory=memory)
        seen.append((after.mode, after.rate_hs, after.repairs))
    lag = (Mode.SLEEP, None, ("rate_after_sleep",))
    refuted = (None, 200 * TH, ("mode_refuted",))
    assert seen == [lag, lag, lag, refuted, refuted]
    cold = asleep(0.0, uptime_s=uptime_s)
    assert held(cold, memory=memory) is cold
    assert held(hot, memory=memory).repairs == ("rate_after_sleep",)


def test_one_unlucky_poll_does_not_wake_a_sleeping_unit() -> None:
    """A rate told once is forgotten with the next poll without one, so two of them far apart refute nothing."""
    memory = Memory()
    for second in (0, 3600, 7200):
        hot = msgspec.structs.replace(asleep(200.0, uptime_s=1.0), at=AT + second)
        assert held(hot, memory=memory).mode is Mode.SLEEP
        cold = msgspec.structs.replace(asleep(0.0, uptime_s=1.0), at=AT + second + 30)
        assert held(cold, memory=memory) is cold


def test_an_awake_unit_clears_the_doubt() -> None:
    """The two minutes begin with the word."""
    memory = Memory()
    held(asleep(200.0, uptime_s=1.0), memory=memory)
    held(reading_of(200.0), memory=memory)
    assert memory.sleep_doubted_at is None


@pytest.mark.parametrize(
    ("reading", "repairs"),
    [
        pytest.param(asleep(0.0, *THIRDS), ("boards_refuted",), id="boards say that it hashes"),
        pytest.param(asleep(1900.0), ("implausible",), id="a rate that cannot be"),
        pytest.param(asleep(0.0, power_watts=1800.0), ("watts_refuted",), id="power of a hashing unit"),
    ],
)
def test_a_sleeping_unit_keeps_its_word(reading: UnitReading, repairs: tuple[str, ...]) -> None:
    """What contradicts the word and the rate is dropped."""
    after = held(reading)
    assert after.mode is Mode.SLEEP
    assert not after.rate_hs
    assert rates_th(after) == [None] * len(after.boards)
    assert after.power_watts is None
    assert after.repairs == repairs


def test_a_rate_of_the_past_does_not_wake_a_sleeping_unit() -> None:
    """A longer window stands in for nothing while the unit sleeps."""
    after = held(asleep(None, stand_in_hs=200 * TH, stand_in_window_s=900.0))
    assert (after.mode, after.rate_hs, after.repairs) == (Mode.SLEEP, None, ())


@pytest.mark.parametrize(
    ("watts", "total_th"),
    [
        pytest.param(0.0, 200.0, id="none"),
        pytest.param(18.0, 3.0, id="the control board alone"),
        pytest.param(3.5, 200.0, id="kW"),
        pytest.param(900.0, 200.0, id="4.5 J/TH"),
        pytest.param(10_501.0, 200.0, id="three times the rated power"),
        pytest.param(10_501.0, 0.0, id="the same, stopped"),
    ],
)
def test_watts_that_cannot_be_are_dropped(watts: float, total_th: float) -> None:
    """No figure is left, and none is guessed here."""
    after = held(reading_of(total_th, power_watts=watts))
    assert (after.power_watts, after.power_kind) == (None, None)
    assert after.repairs == ("watts_refuted",)


@pytest.mark.parametrize("total_th", [250.001, 1900.0, None])
def test_the_quick_test_refuses_what_it_cannot_see(total_th: float | None) -> None:
    """Anything but an ordinary reading is looked at by the rules."""
    assert not is_sound(reading_of(total_th), S21)


@pytest.mark.parametrize(
    ("reading", "total_th"),
    [
        (reading_of(0.2, avg=0.199), 200),
        (reading_of(0.2, 0.066, 0.067, 0.067), 200),
        (reading_of(0.2, 0.066, 0.067, 0.067, **{"30m": 0.198, "avg": 0.197}), 200),
        # Nothing supports it, the process is young, other figures are in the right unit, or it is not a thousandth.
        (reading_of(0.2), 0.2),
        (reading_of(0.2, avg=0.2, uptime_s=60.0), 0.2),
        (reading_of(0.2, 0.066, 0.067, 0.067, avg=198.0), 0.2),
        (reading_of(0.02, avg=0.02), 0.02),
        (reading_of(0.0, 0.0, 0.0, 0.0, avg=0.0), 0),
    ],
)
def test_a_whole_reply_in_another_unit(reading: UnitReading, total_th: float) -> None:
    """Rates that all agree, and are a thousandth of the rating, are in another unit."""
    found = held(reading)
    assert found.rate_hs == pytest.approx(total_th * TH)
    assert ("total_unit" in found.repairs) is (total_th == 200)
