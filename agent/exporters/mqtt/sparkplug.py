"""Sparkplug B payloads: an encoder over the published definition, and the state of one edge node.

Source: Eclipse Sparkplug 3.0, chapters 5 and 6, and the field numbers of sparkplug_b.proto (Eclipse Tahu). Only the
part of that definition that an edge node of plain values needs is declared here; other fields are skipped.

Delivery is not guaranteed: births and data use QoS 0, as the specification demands. A host notices a lost message by
the gap in `seq` and asks for a rebirth. Use the other topics for anything that must arrive.
"""

from collections.abc import Mapping
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError, Message

NAMESPACE = "spBv1.0"
REBIRTH = "Node Control/Rebirth"
INT64, DOUBLE, BOOLEAN, STRING = 4, 10, 11, 12
_SEQUENCE = 256

Value = float | int | bool | str | None


def _definition() -> descriptor_pb2.FileDescriptorProto:
    """Return the part of the definition that is used, with its published field numbers."""
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="hashsight/sparkplug_b.proto", package="hashsight.sparkplug", syntax="proto2"
    )
    payload = file.message_type.add(name="Payload")
    payload.field.add(name="timestamp", number=1, type=field.TYPE_UINT64, label=field.LABEL_OPTIONAL)
    payload.field.add(
        name="metrics",
        number=2,
        type=field.TYPE_MESSAGE,
        type_name=".hashsight.sparkplug.Payload.Metric",
        label=field.LABEL_REPEATED,
    )
    payload.field.add(name="seq", number=3, type=field.TYPE_UINT64, label=field.LABEL_OPTIONAL)
    metric = payload.nested_type.add(name="Metric")
    for name, number, kind in (
        ("name", 1, field.TYPE_STRING),
        ("alias", 2, field.TYPE_UINT64),
        ("timestamp", 3, field.TYPE_UINT64),
        ("datatype", 4, field.TYPE_UINT32),
        ("is_null", 7, field.TYPE_BOOL),
    ):
        metric.field.add(name=name, number=number, type=kind, label=field.LABEL_OPTIONAL)
    metric.oneof_decl.add(name="value")
    for name, number, kind in (
        ("int_value", 10, field.TYPE_UINT32),
        ("long_value", 11, field.TYPE_UINT64),
        ("float_value", 12, field.TYPE_FLOAT),
        ("double_value", 13, field.TYPE_DOUBLE),
        ("boolean_value", 14, field.TYPE_BOOL),
        ("string_value", 15, field.TYPE_STRING),
    ):
        metric.field.add(name=name, number=number, type=kind, label=field.LABEL_OPTIONAL, oneof_index=0)
    return file


_POOL = descriptor_pool.DescriptorPool()
_POOL.Add(_definition())
_Payload: type[Message] = message_factory.GetMessageClass(_POOL.FindMessageTypeByName("hashsight.sparkplug.Payload"))


class EdgeNode:
    """One site as a Sparkplug edge node: its topics, sequence numbers, aliases and last published values.

    Args:
        group: The group's id.
        site: The site's name, which names the node.
    """

    def __init__(self, group: str, site: str) -> None:
        self.birth_topic = f"{NAMESPACE}/{group}/NBIRTH/{site}"
        self.data_topic = f"{NAMESPACE}/{group}/NDATA/{site}"
        self.death_topic = f"{NAMESPACE}/{group}/NDEATH/{site}"
        self.command_topic = f"{NAMESPACE}/{group}/NCMD/{site}"
        self._bd_seq = -1
        self._seq = 0
        self._aliases: dict[str, int] = {}
        self._published: dict[str, Value] = {}

    def death(self, *, at: float) -> bytes:
        """Return the will of the next connection; that connection's births carry the same bdSeq."""
        self._bd_seq = (self._bd_seq + 1) % _SEQUENCE
        return self.goodbye(at=at)

    def goodbye(self, *, at: float) -> bytes:
        """Return the death certificate of this connection, for publishing before an intended disconnect."""
        payload: Any = _Payload(timestamp=_ms(at))
        payload.metrics.add(name="bdSeq", timestamp=_ms(at), datatype=INT64, long_value=self._bd_seq)
        return _bytes(payload)

    def birth(self, values: Mapping[str, Value], *, at: float) -> bytes:
        """Return the birth certificate: every metric with name, alias, type and value."""
        self._seq = 0
        self._aliases = {name: number for number, name in enumerate(values, start=1)}
        self._published = dict(values)
        payload: Any = _Payload(timestamp=_ms(at), seq=0)
        payload.metrics.add(name="bdSeq", timestamp=_ms(at), datatype=INT64, long_value=self._bd_seq)
        payload.metrics.add(name=REBIRTH, timestamp=_ms(at), datatype=BOOLEAN, boolean_value=False)
        for name, value in values.items():
            _set(payload.metrics.add(name=name, alias=self._aliases[name], timestamp=_ms(at)), value, is_birth=True)
        return _bytes(payload)

    def data(self, values: Mapping[str, Value], *, at: float) -> bytes | None:
        """Return the values that changed since the last message, by alias; None if none did.

        Raises:
            KeyError: The birth did not contain this metric: another birth is due.
        """
        changed = {name: value for name, value in values.items() if self._published[name] != value}
        if not changed:
            return None
        self._published |= changed
        self._seq = (self._seq + 1) % _SEQUENCE
        payload: Any = _Payload(timestamp=_ms(at), seq=self._seq)
        for name, value in changed.items():
            _set(payload.metrics.add(alias=self._aliases[name], timestamp=_ms(at)), value, is_birth=False)
        return _bytes(payload)


def asks_for_rebirth(data: bytes) -> bool:
    """Return True if a command asks for a birth; False also if it cannot be read."""
    payload: Any = _Payload()
    try:
        payload.ParseFromString(data)
    except DecodeError:
        return False
    return any(metric.name == REBIRTH and metric.boolean_value for metric in payload.metrics)


def _set(metric: Any, value: Value, *, is_birth: bool) -> None:
    """Set a value and, in a birth, its type; an unknown value is null, never zero."""
    if is_birth:
        metric.datatype = STRING if isinstance(value, str) else DOUBLE
    if value is None:
        metric.is_null = True
    elif isinstance(value, str):
        metric.string_value = value
    else:
        metric.double_value = float(value)


def _bytes(payload: Message) -> bytes:
    return payload.SerializeToString()


def _ms(at: float) -> int:
    return round(at * 1000)
