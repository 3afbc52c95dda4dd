"""The rate of a process that has just started: it was carried over from the one before."""

from typing import Any

import msgspec
import pytest

from agent.unit.consistency.rules import hold_together, is_sound
from agent.unit.nameplate import Nameplate
from agent.unit.reading import BoardReading, Dialect, Mode, UnitReading
from agent.unit.repairs import REPAIRS

TH = 1e12
S21 = Nameplate(model="S21", hashrate_hs=200 * TH, power_watts=3500, boards=3, cooling="air", source="test")


class Memory:
    """A unit's memory between polls."""

    sleep_doubted_at: float | None = None
    young_uptime: tuple[float, float] | None = None


def reading_of(**changes: Any) -> UnitReading:
    """Return a sound reading at the full rate."""
    boards = tuple(BoardReading(slot=slot, hashrate_hs=67 * TH, chips=108) for slot in range(3))
    given = {"mode": Mode.NORMAL, "hashrate_5s_hs": 201 * TH, "boards": boards, **changes}
    return UnitReading(unit_id="u1", at=0.0, dialect=Dialect.NEW_API, **given)


@pytest.mark.parametrize(
    ("changes", "rate_hs"),
    [
        ({"uptime_s": 0.0}, None),
        ({"uptime_s": 9.9}, None),
        ({"uptime_s": 10.0}, 201 * TH),
        ({"uptime_s": None}, 201 * TH),
        ({"uptime_s": 86400.0}, 201 * TH),
        ({"uptime_s": 3.0, "hashrate_5s_hs": 0.0, "boards": ()}, 0.0),
        ({"uptime_s": 1.0, "mode": Mode.SLEEP, "hashrate_5s_hs": 0.0, "boards": ()}, 0.0),
    ],
)
@pytest.mark.parametrize("nameplate", [S21, None])
def test_a_rate_carried_over_a_restart_is_left_out(
    changes: dict[str, Any], rate_hs: float | None, nameplate: Nameplate | None
) -> None:
    """A process of a few seconds has hashed nothing: its full rate is the one before the restart, and no zero."""
    read = hold_together(reading_of(**changes), nameplate, Memory())
    assert read.rate_hs == rate_hs
    is_carried = rate_hs is None
    assert ("carried_over" in read.repairs) is is_carried
    assert "carried_over" in REPAIRS
    if nameplate is not None and read.mode is not Mode.SLEEP:
        assert is_sound(reading_of(**changes), nameplate) is not is_carried


@pytest.mark.parametrize(
    ("uptimes_s", "is_believed"),
    [
        ([0.0] * 8, False),
        ([5.0] * 8, False),
        ([0.0] * 6, True),
        ([0.0, 5.0] * 4, True),
        ([0.0] * 4 + [20.0] + [0.0] * 3, True),
    ],
)
def test_an_uptime_that_stands_still_is_none(uptimes_s: list[float], is_believed: bool) -> None:  # noqa: FBT001
    """After a minute at the same few seconds the uptime is false, and not the rate."""
    memory = Memory()
    for number, uptime_s in enumerate(uptimes_s):
        reading = msgspec.structs.replace(reading_of(uptime_s=uptime_s), at=10.0 * number)
        last = hold_together(reading, S21, memory)
    assert (last.uptime_s, last.rate_hs) == ((uptimes_s[-1], None) if is_believed else (None, 201 * TH))
    assert ("uptime_refuted" in last.repairs) is not is_believed
