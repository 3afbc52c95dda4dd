"""The vocabulary of what can go wrong, by name: in a unit, on the wire, in the text of a reply."""

import inspect
import math
import re
from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

import msgspec

from simulators.faults import protocol as protocol_faults
from simulators.faults import unit as unit_faults
from simulators.faults import wire as wire_faults
from simulators.unit.conditions import Condition, FaultError

Fault = Condition

UNIT_FAULTS: tuple[type[Fault], ...] = (
    unit_faults.PowerOff,
    unit_faults.Asleep,
    unit_faults.DeadBoard,
    unit_faults.MissingChips,
    unit_faults.Overheat,
    unit_faults.FanStopped,
    unit_faults.HashrateDrift,
    unit_faults.Frozen,
    unit_faults.Rebooting,
    unit_faults.PsuTrip,
    unit_faults.PoolDead,
    unit_faults.FirmwareChanged,
    unit_faults.AddressSwapped,
)
WIRE_FAULTS: tuple[type[Fault], ...] = (
    wire_faults.Down,
    wire_faults.Latency,
    wire_faults.Timeout,
    wire_faults.ResetPeer,
    wire_faults.Slicer,
    wire_faults.LimitData,
    wire_faults.SlowClose,
    wire_faults.Bandwidth,
)
PROTOCOL_FAULTS: tuple[type[Fault], ...] = (
    protocol_faults.TruncatedJson,
    protocol_faults.MissingNul,
    protocol_faults.TrailingComma,
    protocol_faults.JoinedObjects,
    protocol_faults.AccessDenied,
    protocol_faults.NotJson,
    protocol_faults.HugeReply,
    protocol_faults.NanValues,
)


def fault_name(fault: type[Fault]) -> str:
    """Give the name of a fault in files and on the wire: ``DeadBoard`` is ``dead_board``."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", fault.__name__).lower()


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One word of the vocabulary.

    Attributes:
        name: As in files and on the wire.
        kind: ``unit``, ``wire`` or ``protocol``.
        values: What it can be given, with the defaults; None where one must be given.
        about: What happens.
        agent_must: What an agent must conclude.
    """

    name: str
    kind: str
    values: dict[str, Any]
    about: str
    agent_must: str


def vocabulary() -> list[Entry]:
    """Give every fault with what its docstring says."""
    entries = []
    for kind, kind_faults in (("unit", UNIT_FAULTS), ("wire", WIRE_FAULTS), ("protocol", PROTOCOL_FAULTS)):
        for fault in kind_faults:
            told = inspect.cleandoc(fault.__doc__ or "").split("\n\nAttributes:", 1)[0]
            about, _, rest = told.partition("\n\n")
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
    """Give the fault `name` with the values of its attributes.

    Raises:
        FaultError: Unknown name or attribute, or a value that does not fit.
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
