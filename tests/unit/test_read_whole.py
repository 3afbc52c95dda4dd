"""A unit that is asked once: every report, in as many polls as its reader needs, and nothing of it is lost."""

from collections.abc import Callable, Mapping

import pytest
from braiins_units import BMM, NAMES, S9, driven
from epic_units import EpicUnit
from luxos_unit import LuxosUnit, recorded

from agent.errors import DeadlineError, PollError
from agent.unit import registry
from agent.unit.braiins.conversation import DEVS, FANS, SUMMARY, TEMPS
from agent.unit.reader import MOST_POLLS, AnyReader, Conversation, read_whole
from agent.unit.reading import UnitReading

LUXOS = registry.READERS["luxos"]
BRAIINS = registry.READERS["braiins"]


def whole(reader: AnyReader = BRAIINS) -> Conversation:
    """Return the conversation."""
    return read_whole(reader, "u1", wall=lambda: 1e9)


def held(conversation: Conversation, answer: Callable[[bytes], bytes | PollError]) -> UnitReading:
    """Drive a conversation."""
    try:
        request = next(conversation)
        while True:
            reply = answer(request)
            request = conversation.throw(reply) if isinstance(reply, PollError) else conversation.send(reply)
    except StopIteration as over:
        reading: UnitReading = over.value
        return reading


@pytest.mark.parametrize("unit", [BMM, S9], ids=["BMM 100", "S9"])
def test_braiins_is_read_whole_in_two_polls(unit: Mapping[bytes, bytes]) -> None:
    """Power, sensors and fans come with the second; pools and details with the first, and once."""
    asked, reading = driven(whole(), unit)
    assert set(asked) == set(NAMES.values())
    assert asked.count("summary") == 2
    assert [asked.count(name) for name in ("pools", "devdetails", "temps", "fans")] == [1, 1, 1, 1]
    assert reading.fan_rpm
    assert all(board.pcb_celsius and board.chips for board in reading.boards)
    assert reading.pools
    assert reading.shares is not None


def test_a_report_that_never_comes_ends_the_polls() -> None:
    """What is late costs its own figures; so does a unit that is gone after its first poll."""
    asked, reading = driven(whole(), {**S9, TEMPS: DeadlineError("late")})
    assert asked.count("summary") <= MOST_POLLS
    assert reading.rate_hs is not None
    replies = [S9[SUMMARY], S9[DEVS]]

    def gone(_request: bytes) -> bytes | PollError:
        return replies.pop(0) if replies else DeadlineError("late")

    assert held(whole(), gone).rate_hs is not None


def test_a_first_poll_that_fails_is_the_error() -> None:
    """There is nothing to show."""
    with pytest.raises(DeadlineError):
        driven(whole(), {**S9, SUMMARY: DeadlineError("late")})


def test_luxos_without_joined_requests_is_read_whole_too() -> None:
    """Reports that are asked for by turn are all there; a unit that joins needs one poll."""
    readings = []
    for is_joining in (True, False):
        unit = LuxosUnit(recorded("s19kpro-luxos-2025"), is_joining=is_joining)
        unit.asked.append([])
        readings.append(held(whole(LUXOS), unit.answer))
        assert unit.asked[0].count("summary") == 1 if is_joining else 2 <= unit.asked[0].count("summary") <= MOST_POLLS
    assert readings[0] == readings[1]
    assert readings[0].power_watts
    assert readings[0].pools


def test_other_readers_need_one_poll() -> None:
    """VNish and ePIC, and the choice with them."""
    unit = EpicUnit()
    unit.asked.append([])
    reading = held(whole(registry.CHOOSING), unit._answer)
    assert unit.asked[0] == ["version", "/summary", "/capabilities", "/network"]
    assert reading.system_info is not None
    assert registry.READERS["vnish"].is_whole(registry.READERS["vnish"].new_memory())
    assert not BRAIINS.is_whole(BRAIINS.new_memory())
    assert FANS in NAMES
