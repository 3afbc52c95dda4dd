"""Strict reading of TOML files: every mistake comes with its file, key, value and reason."""

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

MAX_BYTES = 1 << 20
# tomllib's time grows with the square of a key's dots, and it recurses into brackets.
_MAX_DOTS_IN_LINE = 256
_MAX_MISTAKES = 50
_SHOWN_CHARACTERS = 80

_REASONS = {
    "missing": "this key is needed",
    "bool_type": "true or false is expected",
    "float_type": "a number is expected",
    "finite_number": "a finite number is expected",
    "int_type": "a whole number is expected",
    "string_type": "a text in quotes is expected",
    "dict_type": "a table is expected",
    "datetime_type": "a date and time is expected, such as 2025-10-01T00:00:00Z",
    "timezone_aware": "a date and time with its offset is expected, such as 2025-10-01T00:00:00Z",
    "tuple_type": "a list is expected; sections of a list each begin with [[...]]",
    "model_type": "a section or table is expected",
}

_Model = TypeVar("_Model", bound=BaseModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """One thing wrong in a file.

    Attributes:
        file: Name of the file.
        key: Key, as in ``event[2].for``.
        value: Value of the key, clipped; empty if there is none.
        reason: What is expected.
    """

    file: str
    key: str
    value: str
    reason: str

    def __str__(self) -> str:
        return f"{self.file}: {self.key}{f' = {self.value!r}' if self.value else ''}: {self.reason}"


class TomlError(ValueError):
    """A file that cannot be used; lists every mistake in file order."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__("\n".join(str(mistake) for mistake in self.mistakes))


def load_toml(path: Path, model: type[_Model]) -> _Model:
    """Read a file as `model`.

    Raises:
        TomlError: The file cannot be read, or it is wrong.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        text = data.decode("utf-8")
    except OSError as error:
        raise TomlError([_of_file(str(path), (error.strerror or str(error)).lower())]) from error
    except UnicodeDecodeError as error:
        raise TomlError([_of_file(str(path), f"not UTF-8 at byte {error.start}")]) from error
    return read_toml(text, model, file=str(path))


def read_toml(text: str, model: type[_Model], *, file: str) -> _Model:
    """Read a text as `model`; `file` is its name in messages.

    Raises:
        TomlError: The text is wrong.
    """
    if len(text) > MAX_BYTES:
        raise TomlError([_of_file(file, f"larger than {MAX_BYTES} bytes")])
    for number, line in enumerate(text.splitlines(), start=1):
        if line.count(".") > _MAX_DOTS_IN_LINE:
            raise TomlError([_of_file(file, f"more than {_MAX_DOTS_IN_LINE} dots in line {number}")])
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise TomlError([_of_file(file, f"not TOML: {str(error)[:_SHOWN_CHARACTERS]}")]) from error
    except (RecursionError, ValueError) as error:
        # A plain ValueError comes from a number with thousands of digits.
        raise TomlError([_of_file(file, "not TOML: nested too deeply, or a number too long")]) from error
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        found = error.errors(include_url=False)
        mistakes = [_mistake(item, file, model) for item in found[:_MAX_MISTAKES]]
        if len(found) > _MAX_MISTAKES:
            mistakes.append(_of_file(file, f"{len(found) - _MAX_MISTAKES} more mistakes are not shown"))
        raise TomlError(mistakes) from error


def clip(value: object) -> str:
    """Return a value as text for a message, clipped; empty for tables and lists."""
    if isinstance(value, dict | list) or value is None:
        return ""
    if isinstance(value, int) and value.bit_length() > 256:  # Python refuses to print very long numbers in decimal.
        return f"{value:#x}"[:_SHOWN_CHARACTERS]
    shown = str(value).lower() if isinstance(value, bool) else str(value)
    return shown if len(shown) <= _SHOWN_CHARACTERS else f"{shown[: _SHOWN_CHARACTERS - 3]}..."


def _of_file(file: str, reason: str) -> Mistake:
    return Mistake(file=file, key="file", value="", reason=reason)


def _mistake(error: ErrorDetails, file: str, model: type[BaseModel]) -> Mistake:
    key = ""
    for part in error["loc"]:
        if isinstance(part, int):
            key += f"[{part}]"
        else:
            key += f".{part}" if re.fullmatch("[A-Za-z0-9_-]{1,64}", part) else f".{clip(part)!r}"
    context: dict[str, Any] = error.get("ctx", {})
    match error["type"]:
        case "value_error":
            reason = str(context["error"])
        case "extra_forbidden":
            reason = f"unknown key; known are {', '.join(_known_keys(error['loc'], model))}"
        case kind:
            reason = _REASONS.get(kind, error["msg"])
    value = "" if error["type"] == "missing" else clip(error["input"])
    return Mistake(file=file, key=key.removeprefix(".") or "file", value=value, reason=reason)


def _known_keys(location: tuple[int | str, ...], model: type[BaseModel]) -> list[str]:
    """Return the keys of the section that holds the last part of `location`."""
    for part in location[:-1]:
        if isinstance(part, str):
            kind: Any = next(
                field for name, field in model.model_fields.items() if part in {name, field.alias}
            ).annotation
            model = get_args(kind)[0] if get_origin(kind) is tuple else kind
    return [field.alias or name for name, field in model.model_fields.items()]
