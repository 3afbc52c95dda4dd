"""One row for each thing the control API does, and the OpenAPI 3.1 document made of the rows and their types."""

import inspect
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

import msgspec

from simulators.control.answers import Refusal
from simulators.control.questions import NoQuery, Question

_REFERENCE = "#/components/schemas/{name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request, read.

    Attributes:
        named: What stands in the path.
        query: What stands after it.
        body: What was sent; None where nothing is wanted.
    """

    named: Any
    query: Any
    body: Any


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing the API does.

    Attributes:
        method: Of HTTP.
        path: With at most one name in braces.
        do: Does it; the first line of its docstring says what.
        result: Type of what it gives.
        query: Type of the query.
        body: Type of the body; None where nothing is sent.
        status: Of success.
        named: Type of the name in the path.
        refusals: Statuses it can refuse with, beside 400, and why.
    """

    method: str
    path: str
    do: Callable[[Asked], Awaitable[Any]]
    result: Any
    _: KW_ONLY
    query: type[Question] = NoQuery
    body: type[Question] | None = None
    status: int = 200
    named: type[str | int] = str
    refusals: tuple[tuple[int, str], ...] = ()


def describe(operations: Sequence[Operation], *, title: str, version: str, about: str) -> dict[str, Any]:
    """Give the OpenAPI 3.1 document."""
    types = [operation.result for operation in operations]
    types += [operation.query for operation in operations]
    types += [operation.body for operation in operations if operation.body is not None]
    references, components = msgspec.json.schema_components([*types, Refusal], ref_template=_REFERENCE)
    results = references[: len(operations)]
    bodies = iter(references[2 * len(operations) :])
    for schema in components.values():
        _describe_schema(schema)
    queries = {operation.query.__name__: components[operation.query.__name__] for operation in operations}
    paths: dict[str, dict[str, Any]] = {}
    for operation, result in zip(operations, results, strict=True):
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(
            operation,
            result=result,
            body=next(bodies) if operation.body is not None else None,
            query=queries[operation.query.__name__],
        )
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version, "summary": about, "license": {"name": "Apache-2.0"}},
        "paths": paths,
        "components": {"schemas": {name: schema for name, schema in components.items() if name not in queries}},
    }


def _operation(
    operation: Operation, *, result: dict[str, Any], body: dict[str, Any] | None, query: dict[str, Any]
) -> dict[str, Any]:
    parameters = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "integer" if operation.named is int else "string"},
        }
        for name in re.findall(r"{(\w+)}", operation.path)
    ]
    for name, schema in query["properties"].items():
        parameters.append(
            {"name": name, "in": "query", "required": name in query.get("required", ()), "schema": schema}
        )
    responses = {str(operation.status): _json_of(result, "Done.")}
    for status, why in ((400, "What was asked cannot be."), *operation.refusals):
        responses[str(status)] = _json_of({"$ref": _REFERENCE.format(name="Refusal")}, why)
    described: dict[str, Any] = {
        "operationId": operation.do.__name__.strip("_"),
        "summary": (operation.do.__doc__ or "").partition("\n")[0].rstrip("."),
        "parameters": parameters,
        "responses": responses,
    }
    if body is not None:
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    return described


def _json_of(schema: dict[str, Any], about: str) -> dict[str, Any]:
    return {"description": about, "content": {"application/json": {"schema": schema}}}


def _describe_schema(schema: dict[str, Any]) -> None:
    """Put what a docstring says about each attribute where the attribute is."""
    about, _, rest = inspect.cleandoc(schema.get("description", "")).partition("\n\nAttributes:\n")
    if about:
        schema["description"] = about
    for name, told in re.findall(r"^    (\w+): (.+(?:\n {6,}.+)*)", rest, re.MULTILINE):
        attribute = schema.get("properties", {}).get(name)
        if attribute is not None:
            attribute["description"] = " ".join(told.split())
