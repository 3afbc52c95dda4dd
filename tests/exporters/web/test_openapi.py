"""The description of the API: valid OpenAPI 3.1, with every address that the server has and no other."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from listed_repairs import FAN, Listed
from web_site import curtailment_api, get_json, served, source

from agent.exporters.web import server as web
from agent.exporters.web.openapi import parameters
from agent.exporters.web.openapi.operations import OPERATIONS
from agent.exporters.web.page_routes import PAGES
from agent.exporters.web.repair_query import _NAMES
from agent.exporters.web.unit_query import _PARSERS

OPENAPI = "/api/v1/openapi.json"
HTTP_METHODS = {"get", "post", "delete", "put", "patch"}


async def reload() -> str | None:
    """Reload nothing."""
    return None


async def document() -> Any:
    """Return the document that a server gives."""
    async with served() as client:
        return await get_json(client, OPENAPI)


def test_every_route_is_described_and_no_other(tmp_path: Path) -> None:
    """Methods and paths of the document are those of the server, but for pages and the files that they load."""
    shown = source(curtailments=curtailment_api(tmp_path), repairs=Listed(FAN).api, reload=reload)
    app = web._application(shown)
    served_routes = {
        (route.method.lower(), route.resource.canonical)
        for route in app.router.routes()
        if route.resource is not None and route.method != "HEAD"
    }
    pages = {("get", path) for path, _ in PAGES} | {("get", "/assets/{name}")}
    assert {(each.method, each.path) for each in OPERATIONS} == served_routes - pages


async def test_the_document_is_sound() -> None:
    """References lead somewhere, identifiers are unique, parameters of paths are described, schemas are JSON Schema."""
    described = await document()
    assert described["openapi"].startswith("3.1.")
    schemas = described["components"]["schemas"]
    references = set(re.findall(r'"\$ref": "([^"]+)"', json.dumps(described)))
    assert references <= {f"#/components/schemas/{name}" for name in schemas}
    names = []
    for path, methods in described["paths"].items():
        assert methods.keys() <= HTTP_METHODS
        for operation in methods.values():
            names.append(operation["operationId"])
            in_path = {each["name"] for each in operation["parameters"] if each["in"] == "path"}
            assert in_path == set(re.findall(r"{(\w+)}", path))
            assert {"401", "429"} <= operation["responses"].keys()
    assert len(names) == len(set(names))
    for name, schema in schemas.items():
        assert re.fullmatch(r"[A-Za-z0-9._-]+", name)
        jsonschema.Draft202012Validator.check_schema(schema)
    assert set(described["components"]["securitySchemes"]) == {"password", "token"}


@pytest.mark.parametrize("path", ["/api/v1/site", "/api/v1/units", "/api/v1/units/a1", "/api/v1/identity"])
async def test_answers_match_the_document(path: str) -> None:
    """A real answer is valid under the schema that the document has for its address."""
    async with served() as client:
        described, answer = await get_json(client, OPENAPI), await get_json(client, path)
    operation = described["paths"][path.replace("a1", "{unit_id}")]["get"]
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    jsonschema.validate(answer, {**schema, "components": described["components"]}, jsonschema.Draft202012Validator)


async def test_only_changes_ask_for_an_operator() -> None:
    """Methods that change something name both logins; the others may be used without one where no users are set."""
    for methods in (await document())["paths"].values():
        for method, operation in methods.items():
            assert ("security" in operation) == (method != "get")


def test_parameters_are_those_that_are_taken() -> None:
    """No parameter of a list of units or of the walk list is left out, and none is made up."""
    assert {each["name"] for each in parameters.UNITS} == set(_PARSERS)
    assert {each["name"] for each in parameters.REPAIRS} == set(_NAMES)
