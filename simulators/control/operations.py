"""The row that describes one operation of the control API, and the OpenAPI 3.1 document built from the rows."""

import inspect
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

import msgspec

from simulators.control.answers import Refusal
from simulators.control.questions import NoQuery, Question

_REFERENCE = "#/components/schemas/{name}"


class RefusedError(Exception):
    """A request that is refused; the message says why.

    Attributes:
        status: HTTP status.
    """

    def __init__(self, status: int, reason: str) -> None:
        self.status = status
        super().__init__(reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A decoded request.

    Attributes:
        named: The name in the path.
        query: The query.
        body: The body; None if the operation takes none.
    """

    named: Any
    query: Any
    body: Any


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the API.

    Attributes:
        method: HTTP method.
        path: Path with at most one name in braces.
        do: The coroutine; the first line of its docstring is the summary.
        result: Type of the reply.
        query: Type of the query.
        body: Type of the body; None if there is none.
        status: HTTP status of success.
        named: Type of the name in the path.
        refusals: Statuses of refusals, other than 400, each with its reason.
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


def next_offset(offset: int, given: int, total: int) -> int | None:
    """Return the offset of the page after one of `given` items; None if it was the last page."""
    after = offset + given
    return after if given and after < total else None


def describe(operations: Sequence[Operation], *, title: str, version: str, about: str) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document."""
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
    for status, reason in ((400, "The request is invalid."), *operation.refusals):
        responses[str(status)] = _json_of({"$ref": _REFERENCE.format(name="Refusal")}, reason)
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
    """Move the docstring's line about each attribute to the attribute's own schema."""
    about, _, rest = inspect.cleandoc(schema.get("description", "")).partition("\n\nAttributes:\n")
    if about:
        schema["description"] = about
    for name, about_it in re.findall(r"^    (\w+): (.+(?:\n {6,}.+)*)", rest, re.MULTILINE):
        attribute = schema.get("properties", {}).get(name)
        if attribute is not None:
            attribute["description"] = " ".join(about_it.split())
