"""The vocabulary of faults, by name: in a unit, on the wire, in the text of a reply."""

import inspect
import math
import re
from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

import msgspec

from simulators.faults import figures, firmware, foreign, hostile, protocol, unit, wire
from simulators.unit.conditions import Condition, FaultError

Fault = Condition

UNIT_FAULTS: tuple[type[Fault], ...] = (
    unit.PowerOff,
    unit.Asleep,
    unit.DeadBoard,
    unit.MissingChips,
    unit.BadChips,
    unit.NoBoards,
    unit.Overheat,
    unit.FanStopped,
    unit.HashrateDrift,
    unit.Frozen,
    unit.Rebooting,
    unit.RestartLoop,
    unit.PsuTrip,
    unit.PoolDead,
    unit.WorkDiverted,
    unit.FeeTurn,
    unit.PoolHijacked,
    unit.FirmwareChanged,
    unit.AddressSwapped,
)
WIRE_FAULTS: tuple[type[Fault], ...] = (
    wire.Down,
    wire.Latency,
    wire.Timeout,
    wire.ResetPeer,
    wire.Slicer,
    wire.LimitData,
    wire.SlowClose,
    wire.Bandwidth,
)
PROTOCOL_FAULTS: tuple[type[Fault], ...] = (
    protocol.TruncatedJson,
    protocol.MissingNul,
    protocol.TrailingComma,
    protocol.JoinedObjects,
    protocol.AccessDenied,
    protocol.Refuses,
    protocol.NotJson,
    protocol.HugeReply,
    protocol.NanValues,
    figures.ZeroWatts,
    figures.SaysAsleep,
    figures.RateLag,
    figures.RateSpike,
    figures.OverReports,
    figures.LateShares,
    figures.TotalZero,
    figures.BoardUnit,
    figures.SensorStuck,
    figures.FanNull,
    firmware.WattsElsewhere,
    firmware.RateInSummary,
    firmware.StateWords,
    foreign.SpeaksHttp,
    foreign.SpeaksTls,
    foreign.SpeaksSsh,
    foreign.SpeaksStratum,
    foreign.SpeaksWhatsminer,
    hostile.Brackets,
    hostile.Nans,
    hostile.Commas,
    hostile.LargeReply,
    hostile.StallsInReply,
    hostile.FirmwareEachReply,
)


def fault_name(fault: type[Fault]) -> str:
    """Return the name of a fault in files and in the control API: ``dead_board`` for ``DeadBoard``."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", fault.__name__).lower()


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One word of the vocabulary.

    Attributes:
        name: Name in files and in the control API.
        kind: ``unit``, ``wire`` or ``protocol``.
        values: Attributes with their defaults; None for a required one.
        about: What the fault does.
        agent_must: What an agent must conclude from it.
    """

    name: str
    kind: str
    values: dict[str, Any]
    about: str
    agent_must: str


def vocabulary() -> list[Entry]:
    """Return every fault with the text of its docstring."""
    entries = []
    for kind, kind_faults in (("unit", UNIT_FAULTS), ("wire", WIRE_FAULTS), ("protocol", PROTOCOL_FAULTS)):
        for fault in kind_faults:
            text = inspect.cleandoc(fault.__doc__ or "").split("\n\nAttributes:", 1)[0]
            about, _, rest = text.partition("\n\n")
            values: dict[str, Any] = {}
            for item in fields(fault):  # type: ignore[arg-type]  # Every fault is a dataclass.
                default = None if item.default is MISSING else item.default
                values[item.name] = "inf" if default == math.inf else default
            entries.append(
                Entry(
                    name=fault_name(fault),
                    kind=kind,
                    values=values,
                    about=" ".join(about.split()),
                    agent_must=" ".join(rest.split()),
                )
            )
    return entries


FAULTS = {fault_name(fault): fault for fault in (*UNIT_FAULTS, *WIRE_FAULTS, *PROTOCOL_FAULTS)}


def read_fault(name: str, values: Mapping[str, object]) -> Fault:
    """Return the fault `name` with the values of its attributes.

    Raises:
        FaultError: Unknown name or attribute, or a value out of range or of the wrong type.
    """
    fault = FAULTS.get(name)
    if fault is None:
        raise FaultError(f"unknown fault {name!r}; known: {', '.join(FAULTS)}")
    known = fault.__dataclass_fields__  # type: ignore[attr-defined]  # Every fault is a dataclass.
    for key in values:
        if key not in known:
            raise FaultError(f"fault {name} has no attribute {key!r}; it has: {', '.join(known) or 'none'}")
    try:
        return msgspec.convert(dict(values), fault)
    except (msgspec.ValidationError, ValueError) as error:
        raise FaultError(f"fault {name}: {error}") from error
