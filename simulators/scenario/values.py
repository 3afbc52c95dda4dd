"""The values in a scenario file: lengths of time, moments, names, shares, times of day."""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, PlainValidator, Strict

from simulators.farm.plan import read_share
from simulators.scenario.durations import read_duration


def _from_text(read: Callable[[str], object]) -> PlainValidator:
    def validate(value: object) -> object:
        if not isinstance(value, str):
            raise ValueError("a text in quotes is expected")  # noqa: TRY004  pydantic collects only ValueErrors
        return read(value)

    return PlainValidator(validate)


def _read_moment(value: object) -> float | datetime:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("a date and time with its offset is expected, such as 2025-10-01T00:00:00Z")
        return value
    if not isinstance(value, str):
        raise ValueError("a length of time since the start or a date and time is expected, such as 2h30m")  # noqa: TRY004  as above
    return read_duration(value)


def _read_names(value: object) -> tuple[str, ...]:
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not names or not all(isinstance(name, str) and name for name in names):
        raise ValueError("a name or a list of names is expected")
    return tuple(names)


def _read_share_or_number(value: object) -> float:
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        raise ValueError("a share is expected, such as 3% or 0.03")  # noqa: TRY004  as above
    return read_share(str(value))


def _read_time_of_day(text: str) -> float:
    found = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)", text, re.ASCII)
    if found is None:
        raise ValueError("a time of day in UTC is expected, such as 15:00")
    return int(found[1]) * 3600.0 + int(found[2]) * 60.0


def _positive(value: float) -> float:
    if value <= 0.0:
        raise ValueError("more than 0 s is expected")
    return value


Length = Annotated[float, _from_text(read_duration)]
PositiveLength = Annotated[float, _from_text(read_duration), AfterValidator(_positive)]
Moment = Annotated[float | datetime, PlainValidator(_read_moment)]
Names = Annotated[tuple[str, ...], PlainValidator(_read_names)]
Share = Annotated[float, PlainValidator(_read_share_or_number)]
TimeOfDay = Annotated[float, _from_text(_read_time_of_day)]
LOOSE = Strict(strict=False)  # A list in TOML, a tuple here.
