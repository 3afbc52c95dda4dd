"""OpenAPI 3.1 from the table of operations and the types of the answers."""

import inspect
import re
from collections.abc import Iterable
from typing import Any

from agent.exporters.json_schemas import schema_components
from agent.exporters.web.openapi.operations import COMMON, JSON, REFUSALS, TEXT, Operation
from agent.exporters.web.responses import ErrorAnswer

_UNDER = "#/components/schemas/"
_SECURITY = {
    "password": {"type": "http", "scheme": "basic", "description": "A user of the web configuration file."},
    "token": {"type": "http", "scheme": "bearer", "description": "The token of operators, or of viewers."},
}


def describe(operations: Iterable[Operation], *, version: str) -> dict[str, Any]:
    """Return the document."""
    listed = tuple(operations)
    types = dict.fromkeys(kind for each in listed for kind in (each.answer, each.body) if kind is not None)
    references, schemas = schema_components([*types, ErrorAnswer], under=_UNDER)
    refs = dict(zip((*types, ErrorAnswer), references, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for each in listed:
        answer = {} if each.answer is None else refs[each.answer]
        body = None if each.body is None else refs[each.body]
        paths.setdefault(each.path, {})[each.method] = _operation(each, answer, body, refs[ErrorAnswer])
    for schema in schemas.values():
        _describe(schema)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "hashsight",
            "version": version,
            "summary": "What a Bitcoin mining site has deployed, what of it is operating, and where the rest went",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        # Everyone may read while the web configuration file has no users.
        "security": [{}, *({name: []} for name in _SECURITY)],
        "paths": paths,
        "components": {"schemas": schemas, "securitySchemes": _SECURITY},
    }


def _operation(
    operation: Operation, answer: dict[str, Any], body: dict[str, Any] | None, error: dict[str, Any]
) -> dict[str, Any]:
    schema = answer if operation.media == JSON else {"type": "string"}
    responses: dict[str, Any] = {
        str(status): {"description": words, "content": {operation.media: {"schema": schema}}}
        for status, words in operation.statuses.items()
    }
    is_api = operation.path.startswith("/api/")
    refusal = {JSON: {"schema": error}} if is_api else {TEXT: {"schema": {"type": "string"}}}
    for status in sorted({*COMMON, *operation.refusals}):
        responses[str(status)] = {"description": REFUSALS[status], "content": refusal}
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.about,
        "parameters": list(operation.parameters),
        "responses": responses,
    }
    if operation.for_operators:
        described["security"] = [{name: []} for name in _SECURITY]
    if body is not None:
        described["requestBody"] = {"required": True, "content": {JSON: {"schema": body}}}
    return described


def _describe(schema: dict[str, Any]) -> None:
    """Move the docstring's lines about attributes to the attributes, and write patterns as ECMAScript does."""
    about, _, rest = inspect.cleandoc(schema.get("description", "")).partition("\n\nAttributes:\n")
    if about:
        schema["description"] = about
    attributes = schema.get("properties", {})
    for names, words in re.findall(r"^    (\w+(?:, \w+)*): (.+(?:\n {6,}.+)*)", rest, re.MULTILINE):
        for name in names.split(", "):
            if name in attributes:
                attributes[name]["description"] = " ".join(words.split())
    for attribute in attributes.values():
        for part in (attribute, *attribute.get("anyOf", ())):
            if "pattern" in part:
                part["pattern"] = part["pattern"].replace(r"\A", "^").replace(r"\Z", "$")
