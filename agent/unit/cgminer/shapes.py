"""Replies by a declared shape: one typed decode in C, or field by field where that fails.

A shape is a msgspec struct whose fields may be absent, with its bounds as annotations. The strict decode takes a reply
in which every field has its type and is within bounds. Any other reply is read field by field: what does not fit is
absent, and counts a repair. Both make the same value of the same reply.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Final, Generic, TypeVar, cast

import msgspec
from msgspec import Meta, inspect

from agent.unit.cgminer import wire
from agent.unit.cgminer.fields import number

T = TypeVar("T", bound=msgspec.Struct)

_Take = Callable[[Any, set[str]], Any]
MAX_ITEMS: Final = 64


class Status(msgspec.Struct, frozen=True, gc=False):
    """The STATUS of a reply or of one part of a joined reply: one letter, a code and the program's name."""

    STATUS: str | None = None
    Code: float | None = None
    Msg: str | None = None
    Description: str | None = None


class Report(msgspec.Struct, frozen=True, gc=False):
    """A reply to one command; a subclass adds its sections. All of it may be absent."""

    STATUS: Annotated[tuple[Status, ...], Meta(max_length=4)] = ()

    @property
    def is_refused(self) -> bool:
        """True if the unit refused the command."""
        return bool(self.STATUS) and self.STATUS[0].STATUS in wire.REFUSALS


class Shape(Generic[T]):
    """Reads replies of one shape.

    Args:
        struct: The whole reply: a `Report`, or for a joined reply a struct with a tuple of reports for each command.
        is_text_normal: Numeric text is the firmware's normal form of a number, and no repair.
    """

    def __init__(self, struct: type[T], *, is_text_normal: bool = False) -> None:
        self._struct, self._is_text_normal = struct, is_text_normal
        self._decode = msgspec.json.Decoder(struct).decode

    def strictly(self, data: bytes) -> T | None:
        """Return a reply in which every field fits; None if one does not, or if it is longer than any real one."""
        if len(data) > wire.MAX_REPAIRED_BYTES:
            return None
        try:
            return self._decode(data[:-1] if data.endswith(b"\0") else data)
        except (ValueError, RecursionError):
            return None

    def read(self, data: bytes) -> tuple[T, tuple[str, ...]]:
        """Return a reply, refusals included, and the names of the repairs it took.

        Raises:
            MalformedReplyError: The bytes are no JSON object, even after the repairs of `wire`.
        """
        strict = self.strictly(data)
        if strict is not None:
            return strict, ()
        body, needed = wire.decode_object(data)
        repairs = set(needed)
        return self.convert(body, repairs), tuple(sorted(repairs))

    def convert(self, body: Any, repairs: set[str]) -> T:
        """Return decoded JSON in this shape, field by field; the names of the repairs are added to `repairs`."""
        return cast("T", _taker(self._struct, self._is_text_normal)(body, repairs))


def raise_for_refusal(report: Report, command: str) -> None:
    """Raise the error of a command that was refused.

    Raises:
        RefusedError: STATUS is E or F.
    """
    if report.is_refused:
        status = report.STATUS[0]
        code = None if status.Code is None else int(status.Code)
        raise wire.refusal(command, code, status.Msg or "", status.Description or "")


@cache
def _taker(struct: type[msgspec.Struct], is_text_normal: bool) -> _Take:  # noqa: FBT001 - Part of a cache's key.
    return _Taking(is_text_normal).of(inspect.type_info(struct))


@dataclass(frozen=True, slots=True)
class _Taking:
    """Makes conversions of declared types; a value that does not fit becomes None, or an empty tuple.

    Attributes:
        is_text_normal: As of `Shape`.
    """

    is_text_normal: bool

    def of(self, info: inspect.Type) -> _Take:
        """Return the conversion to one declared type."""
        take: _Take
        match info:
            case inspect.UnionType():
                take = self.of(next(part for part in info.types if not isinstance(part, inspect.NoneType)))
            case inspect.FloatType():
                take = _numbers(info.ge, info.le, is_text_normal=self.is_text_normal)
            case inspect.IntType():
                take_number = _numbers(info.ge, info.le, is_text_normal=self.is_text_normal)
                take = _whole(take_number, is_exact=info.multiple_of is not None)
            case inspect.BoolType():
                take = _instance_of(bool)
            case inspect.StrType():
                take = _texts(info.max_length)
            case inspect.VarTupleType():
                take = _items(self.of(info.item_type), info.max_length or MAX_ITEMS)
            case inspect.StructType():
                takes = [(field.name, field.encode_name, self.of(field.type), field.default) for field in info.fields]
                take = _fields(info.cls, takes)
            case inspect.AnyType():
                take = _anything
            case _:
                raise TypeError(f"no shape may have {info}")
        return take


def _anything(value: Any, _repairs: set[str]) -> Any:
    return value


def _numbers(low: float | None, high: float | None, *, is_text_normal: bool) -> _Take:
    def take(value: Any, repairs: set[str]) -> float | None:
        found = number(value, repairs, is_text_normal=is_text_normal)
        if found is None or ((low is None or found >= low) and (high is None or found <= high)):
            return found
        repairs.add("implausible")
        return None

    return take


def _whole(take_number: _Take, *, is_exact: bool) -> _Take:
    """Return the conversion to a whole number; a fraction is cut off or, of one that must be exact, no value."""

    def take(value: Any, repairs: set[str]) -> int | None:
        found = take_number(value, repairs)
        if is_exact and found is not None and not found.is_integer():
            repairs.add("wrong_type")
            return None
        return None if found is None else int(found)

    return take


def _instance_of(kind: type) -> _Take:
    def take(value: Any, repairs: set[str]) -> Any:
        if isinstance(value, kind):
            return value
        repairs.add("wrong_type")
        return None

    return take


def _texts(most: int | None) -> _Take:
    """Return the conversion to text; a longer one than any real one is cut."""
    take_text = _instance_of(str)
    if most is None:
        return take_text

    def take(value: Any, repairs: set[str]) -> str | None:
        text: str | None = take_text(value, repairs)
        return None if text is None else text[:most]

    return take


def _items(of_item: _Take, most: int) -> _Take:
    def take(value: Any, repairs: set[str]) -> tuple[Any, ...]:
        if not isinstance(value, list):
            repairs.add("wrong_type")
            return ()
        if len(value) > most:
            # A longer list is not a list of hardware.
            repairs.add("implausible")
            return ()
        return tuple([of_item(item, repairs) for item in value])

    return take


def _fields(struct: type[msgspec.Struct], takes: Sequence[tuple[str, str, _Take, Any]]) -> _Take:
    def take(value: Any, repairs: set[str]) -> msgspec.Struct:
        if not isinstance(value, dict):
            repairs.add("wrong_type")
            return struct()
        found = {}
        for name, key, take_field, absent in takes:
            item = value.get(key)
            if item is not None:
                # An empty list and a value that does not fit are absent alike.
                taken = take_field(item, repairs)
                found[name] = absent if taken is None else taken
        return struct(**found)

    return take
