"""States of a unit in one look, from its own replies alone."""

import msgspec
import pytest

from agent.errors import DeadlineError, DisconnectedError, PollError
from agent.hil.capture.exchanged import Exchange
from agent.hil.capture.form import Port
from agent.hil.capture.states import State, state_of
from agent.unit.reading import BoardReading, Dialect, Fault, Mode, UnitReading

HASHING = UnitReading(
    unit_id="u",
    at=0.0,
    dialect=Dialect.NEW_API,
    mode=Mode.NORMAL,
    uptime_s=5000.0,
    hashrate_5s_hs=200e12,
    hashrate_ideal_hs=200e12,
    boards=tuple(BoardReading(slot=slot, hashrate_hs=66e12, chips=108) for slot in range(3)),
    fan_rpm=(5000.0,) * 4,
)


def reading(**fields: object) -> UnitReading:
    """Return a hashing unit's reading with other fields."""
    return msgspec.structs.replace(HASHING, **fields)


READ: dict[str, tuple[UnitReading | PollError, State]] = {
    "hashing": (HASHING, State.HASHING),
    "little, but not young": (reading(hashrate_5s_hs=50e12), State.HASHING),
    "young and full": (reading(uptime_s=300.0), State.HASHING),
    "young and rising": (reading(uptime_s=300.0, hashrate_5s_hs=50e12), State.RAMP),
    "young without rate": (reading(uptime_s=30.0, hashrate_5s_hs=0.0), State.BOOT),
    "asleep": (reading(mode=Mode.SLEEP, hashrate_5s_hs=None), State.ASLEEP),
    "a fault it names": (reading(hashrate_5s_hs=0.0, faults=(Fault.FAN,)), State.FAULT),
    "no chips": (
        reading(hashrate_5s_hs=0.0, boards=(BoardReading(slot=0, hashrate_hs=0.0, chips=0),)),
        State.FAULT,
    ),
    "nothing explains it": (reading(hashrate_5s_hs=0.0), State.STOPPED),
    "no rate at all": (reading(hashrate_5s_hs=None), State.UNREADABLE),
    "silent": (DeadlineError("x"), State.UNREADABLE),
    "resets": (DisconnectedError("x", is_reset=True), State.BOOT),
    "closes": (DisconnectedError("x"), State.UNREADABLE),
}


@pytest.mark.parametrize(("read", "state"), READ.values(), ids=READ)
def test_state_by_what_was_read(read: UnitReading | PollError, state: State) -> None:
    """The port is open; the reading decides."""
    assert state_of([Exchange(look=0, request="stats", at_s=0.0, port=Port.OPEN)], read) is state


@pytest.mark.parametrize(
    ("ports", "state"),
    [
        ([Port.SILENT], State.OFF),
        ([Port.NO_ROUTE], State.OFF),
        ([Port.REFUSED], State.BOOT),
        ([Port.SILENT, Port.REFUSED], State.BOOT),
        ([Port.REFUSED, Port.OPEN], State.HASHING),
    ],
)
def test_state_without_a_connection(ports: list[Port], state: State) -> None:
    """A host that refuses is up; one that is silent is off. One connection is enough to read."""
    look = [Exchange(look=0, request="stats", at_s=0.0, port=port) for port in ports]
    assert state_of(look, HASHING) is state
