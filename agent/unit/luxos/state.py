"""`power`, `temps`, `fans` and `config`: one joined reply, or one at a time from a unit that does not join."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from agent.errors import UnsupportedReplyError
from agent.unit.cgminer.shapes import raise_for_refusal
from agent.unit.luxos.reports import (
    CONFIG_SHAPE,
    FANS_SHAPE,
    POWER_SHAPE,
    STATE_SHAPE,
    TEMPS_SHAPE,
    ConfigReport,
    ConfigRow,
    PowerReport,
)
from agent.unit.luxos.sensors import NO_BOARDS, BoardSensors, fans_by_name, sensors_by_slot
from agent.unit.reading import Places, PowerKind

Repairs = tuple[str, ...]


class State(msgspec.Struct, frozen=True, gc=False):
    """The unit's words about its state; each figure is absent if its report could not be read.

    Attributes:
        watts, power_kind: Power, W, and how the unit knows it. Observed (O176): `PSU` is false on every recorded unit,
            and the watts follow the profile: an estimate. Assumed (A177): with `PSU` true the supply measured them.
        sensors: The boards' temperatures, by slot.
        fan_rpm: In the order of the fans' names.
        config: The unit's words.
    """

    watts: float | None = None
    power_kind: PowerKind | None = None
    sensors: Mapping[int, BoardSensors] = NO_BOARDS
    fan_rpm: Places = ()
    config: ConfigRow | None = None


UNKNOWN: Final = State()


def read_joined(data: bytes) -> tuple[State, Repairs]:
    """Return the state in a joined reply, and the repairs that reading it took. A part that was refused is absent.

    Raises:
        MalformedReplyError: The bytes are not a reply.
        RefusedError: The unit refused the request as a whole.
        UnsupportedReplyError: The reply has none of the parts.
    """
    reply, repairs = STATE_SHAPE.read(data)
    raise_for_refusal(reply, "joined reports")
    if not (reply.power or reply.temps or reply.fans or reply.config):
        raise UnsupportedReplyError("joined reports: none of them is in the reply")
    watts, kind = _watts(reply.power[0]) if reply.power else (None, None)
    state = State(
        watts=watts,
        power_kind=kind,
        sensors=sensors_by_slot(reply.temps[0]) if reply.temps else NO_BOARDS,
        fan_rpm=fans_by_name(reply.fans[0]) if reply.fans else (),
        config=_config(reply.config[0]) if reply.config else None,
    )
    return state, repairs


def read_single(command: str, data: bytes, before: State) -> tuple[State, Repairs]:
    """Return `before` with what one report of its own says, and the repairs that reading it took.

    Raises:
        MalformedReplyError: The bytes are not a reply.
        RefusedError: The unit refused the command.
    """
    return _SINGLE[command](data, before)


def without(command: str, before: State) -> State:
    """Return `before` without the figures of a report that was not answered: they are of an earlier poll."""
    return msgspec.structs.replace(before, **_FIGURES[command])


def _power(data: bytes, before: State) -> tuple[State, Repairs]:
    report, repairs = POWER_SHAPE.read(data)
    raise_for_refusal(report, "power")
    watts, kind = _watts(report)
    return msgspec.structs.replace(before, watts=watts, power_kind=kind), repairs


def _temps(data: bytes, before: State) -> tuple[State, Repairs]:
    report, repairs = TEMPS_SHAPE.read(data)
    raise_for_refusal(report, "temps")
    return msgspec.structs.replace(before, sensors=sensors_by_slot(report)), repairs


def _fans(data: bytes, before: State) -> tuple[State, Repairs]:
    report, repairs = FANS_SHAPE.read(data)
    raise_for_refusal(report, "fans")
    return msgspec.structs.replace(before, fan_rpm=fans_by_name(report)), repairs


def _config_alone(data: bytes, before: State) -> tuple[State, Repairs]:
    report, repairs = CONFIG_SHAPE.read(data)
    raise_for_refusal(report, "config")
    config = _config(report)
    if before.config is not None and config is not None and _is_other_state(before.config, config):
        # Watts, fans and temperatures of the state before say nothing about this one.
        before = UNKNOWN
    return msgspec.structs.replace(before, config=config), repairs


_SINGLE: Final[Mapping[str, Callable[[bytes, State], tuple[State, Repairs]]]] = {
    "power": _power,
    "temps": _temps,
    "fans": _fans,
    "config": _config_alone,
}


_FIGURES: Final[Mapping[str, Mapping[str, Any]]] = {
    "power": {"watts": None, "power_kind": None},
    "temps": {"sensors": NO_BOARDS},
    "fans": {"fan_rpm": ()},
    "config": {"config": None},
}
"""Content of each report by the fields of `State`, as of a unit that told nothing."""


def _watts(report: PowerReport) -> tuple[float | None, PowerKind | None]:
    # Whether two figures are parts of one, or one twice, is not told.
    row = report.POWER[0] if len(report.POWER) == 1 else None
    if row is None or not row.Watts:
        # Nought watts are no value: the control board alone takes some.
        return None, None
    return row.Watts, PowerKind.MEASURED if row.PSU else PowerKind.ESTIMATED


def _config(report: ConfigReport) -> ConfigRow | None:
    return report.CONFIG[0] if report.CONFIG else None


def _is_other_state(before: ConfigRow, now: ConfigRow) -> bool:
    return (before.CurtailMode, before.IsPowerSupplyOn) != (now.CurtailMode, now.IsPowerSupplyOn)
