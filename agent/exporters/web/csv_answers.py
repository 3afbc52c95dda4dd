"""The rows of typed answers as CSV: one column for each field, with its name in JSON.

A field of several values takes several columns, ``losses_hs.stopped``. A text that a spreadsheet would take for a
formula begins with an apostrophe, which spreadsheets do not show.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

import msgspec

from agent.history.export import without_formula

Path = tuple[str, ...]


def csv_text(rows: Iterable[msgspec.Struct], kind: type[msgspec.Struct]) -> str:
    """Return a header and a line for each row; lines end as RFC 4180 has it.

    Args:
        rows: Answers of one type.
        kind: That type.
    """
    paths = columns(kind)
    lines = io.StringIO()
    writer = csv.writer(lines)
    writer.writerow(".".join(path) for path in paths)
    for row in rows:
        values = msgspec.to_builtins(row)
        writer.writerow(_cell(_at(values, path)) for path in paths)
    return lines.getvalue()


@cache
def columns(kind: type[msgspec.Struct]) -> tuple[Path, ...]:
    """Return the path of each column of a type."""
    return tuple(_columns(msgspec.inspect.type_info(kind), ()))


def _columns(kind: msgspec.inspect.Type, path: Path) -> Iterator[Path]:
    if isinstance(kind, msgspec.inspect.UnionType):
        structs = [each for each in kind.types if isinstance(each, msgspec.inspect.StructType)]
        kind = structs[0] if structs else kind
    if isinstance(kind, msgspec.inspect.StructType):
        for field in kind.fields:
            yield from _columns(field.type, (*path, field.encode_name))
    elif isinstance(kind, msgspec.inspect.DictType) and isinstance(kind.key_type, msgspec.inspect.EnumType):
        yield from ((*path, str(name.value)) for name in kind.key_type.cls)
    else:
        yield path


def _at(values: Any, path: Path) -> Any:
    for name in path:
        values = values.get(name) if isinstance(values, Mapping) else None
    return values


def _cell(value: Any) -> str | int | float | None:
    match value:
        case bool():
            return str(value).lower()
        case None | int() | float():
            return value
        case list() if all(isinstance(item, str) for item in value):
            text = "; ".join(value)
        case str():
            text = value
        case _:
            text = json.dumps(value, ensure_ascii=False)
    return without_formula(text)
