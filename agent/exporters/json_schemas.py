"""JSON Schema of the types that exporters publish, the same under every version of Python."""

import inspect
from collections.abc import Iterable
from typing import Any

import msgspec


def schema_components(
    types: Iterable[Any], *, under: str = "#/$defs/"
) -> tuple[tuple[dict[str, Any], ...], dict[str, Any]]:
    """Return a schema for each of `types`, which refers to `under` and a name, and the definitions by name.

    Descriptions are docstrings without their indentation. Python 3.13 removes it when it compiles; older ones keep it,
    and msgspec copies the docstring as it is.
    """
    references, definitions = msgspec.json.schema_components(types, ref_template=under + "{name}")
    for definition in definitions.values():
        if "description" in definition:
            definition["description"] = inspect.cleandoc(definition["description"])
    return references, definitions
