"""The figures in InfluxDB's line protocol: read back by a parser of its documented grammar."""

import re
from datetime import UTC, datetime
from typing import Any, NamedTuple

import aiohttp
import msgspec
import pytest
from exporter_cases import AT, entry, gone_silent, reading, status
from hypothesis import given
from hypothesis import strategies as st
from web_site import get_json, served, source

from agent.exporters.web import influx
from agent.exporters.web.influx import INFLUX, site_lines, unit_lines
from agent.exporters.web.site_answers import site_answer
from agent.exporters.web.unit_answers import unit_row
from agent.site.ledger.entries import Place
from agent.site.totals import site_figures

# Source: docs.influxdata.com, "Line protocol", elements and special characters.
_PLAIN = r"(?:\\[,= \\]|[^,= \\\n]|\\(?![,= \\\n]))+"
_TEXT = r'"(?:\\["\\]|[^"\\])*"'
_FIELD = rf"({_PLAIN})=({_TEXT}|true|false|-?[0-9.]+(?:e[-+]?[0-9]+)?)"
LINE = re.compile(
    rf"(?P<name>{_PLAIN})(?P<tags>(?:,{_PLAIN}={_PLAIN})*) (?P<fields>{_FIELD}(?:,{_FIELD})*) (?P<at>[0-9]{{19}})"
)


class Point(NamedTuple):
    """One line, read back."""

    name: str
    tags: dict[str, str]
    fields: dict[str, Any]
    at: int


def unescaped(text: str) -> str:
    """Return a tag's value as InfluxDB keeps it."""
    return re.sub(r"\\([,= ])", r"\1", text)


def value_of(text: str) -> Any:
    """Return a field's value as InfluxDB keeps it."""
    if text.startswith('"'):
        return re.sub(r'\\(["\\])', r"\1", text[1:-1])
    return {"true": True, "false": False}.get(text) if text in {"true", "false"} else float(text)


def points(body: str) -> list[Point]:
    """Parse every line; a line that does not fit the grammar fails the test."""
    found = []
    assert body.endswith("\n")
    for line in body.removesuffix("\n").split("\n"):
        match = LINE.fullmatch(line)
        assert match is not None, line
        tags = dict(re.findall(rf",({_PLAIN})=({_PLAIN})", match["tags"]))
        fields = {name: value_of(text) for name, text in re.findall(_FIELD, match["fields"])}
        found.append(Point(match["name"], {key: unescaped(tag) for key, tag in tags.items()}, fields, int(match["at"])))
    return found


async def asked(client: aiohttp.ClientSession, query: str = "") -> list[Point]:
    """Return the points that the agent serves."""
    async with client.get(f"{INFLUX}{query}") as response:
        assert (response.status, response.content_type) == (200, "text/plain")
        return points(await response.text())


async def test_the_figures_are_those_of_the_json() -> None:
    """The site, its containers, racks and models; numbers as in the JSON, and nothing where the JSON has null."""
    async with served() as client:
        site = await get_json(client, "/api/v1/site")
        found = await asked(client)
    assert [point.name for point in found] == [
        "hashsight_site",
        *["hashsight_container"] * len(site["containers"]),
        *["hashsight_rack"] * len(site["racks"]),
        *["hashsight_model"] * len(site["models"]),
    ]
    groups = [site["figures"], *(each["figures"] for key in ("containers", "racks", "models") for each in site[key])]
    for point, group in zip(found, groups, strict=True):
        assert point.at == round(datetime.fromisoformat(site["figures_at"]).timestamp() * 1e6) * 1000
        assert point.tags["site"] == site["site"]
        for name, value in group.items():
            if isinstance(value, dict):
                assert {key: point.fields[f"{name}_{key}"] for key in value} == value
            elif value is None:
                assert name not in point.fields
            else:
                assert point.fields[name] == value


def test_owners_have_points_where_the_ledger_names_any() -> None:
    """One for each owner and for the units without one; they add up to the site's."""
    units = [status(entry("u1", owner="North"), reading("u1")), status(entry("u2"), reading("u2"))]
    answer = site_answer(
        "nd-1",
        "1.2.3",
        site_figures(units, AT),
        units,
        unreadiness=None,
        now=AT + 2,
        zone=source().zone(),
        seen_from=AT,
    )
    found = points("".join(f"{line}\n" for line in "".join(site_lines(answer)).splitlines()))
    owners = [point for point in found if point.name == "hashsight_owner"]
    assert [point.tags["owner"] for point in owners] == ["North", "(no owner)"]
    assert sum(point.fields["operating_hs"] for point in owners) == found[0].fields["operating_hs"]


async def test_units_come_if_they_are_asked_for() -> None:
    """A silent unit has its state and no rate."""
    async with served() as client:
        listed = {unit["unit_id"]: unit for unit in (await get_json(client, "/api/v1/units"))["units"]}
        found = [point for point in await asked(client, "?units=yes") if point.name == "hashsight_unit"]
        assert [point for point in await asked(client, "?units=no") if point.name == "hashsight_unit"] == []
        for query in ("?units=1", "?unit=yes", "?units=yes&units=no"):
            async with client.get(f"{INFLUX}{query}") as refused:
                assert refused.status == 400
    assert found
    for point in found:
        unit = listed[point.tags["unit_id"]]
        assert point.fields["state"] == unit["state"]
        assert point.fields.get("hashrate_hs") == unit["hashrate_hs"]
        assert point.fields.get("power_source") == unit["power_source"]


async def test_figures_that_cannot_be_trusted_are_not_stored() -> None:
    """The answer is 503 with the reason, which Telegraf reports as an error and does not write."""
    trouble = "3 units were not looked at for 60 s"
    async with served(source(unreadiness=lambda: trouble)) as client, client.get(INFLUX) as response:
        assert (response.status, await response.json()) == (503, {"error": trouble})


NAMES = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=20)


@given(container=NAMES, rack=NAMES, slot=NAMES)
def test_any_name_of_a_ledger_is_a_tag(container: str, rack: str, slot: str) -> None:
    """Names with commas, equals signs, blanks and backslashes stay within their tag."""
    place = Place(container=container, rack=rack, slot=slot)
    statuses = [
        status(entry("u1", place=place), reading("u1")),
        msgspec.structs.replace(gone_silent("u2"), entry=entry("u2", place=place)),
    ]
    rows = [unit_row(each, AT) for each in statuses]
    body = "".join(unit_lines("alpha", rows, datetime.fromtimestamp(AT, UTC)))
    found = points(body)
    assert [point.tags["unit_id"] for point in found] == ["u1", "u2"]
    for name, text in (("container", container), ("rack", rack), ("slot", slot)):
        expected = f"{text}/" if text.endswith("\\") else text
        assert found[0].tags.get(name, "") == expected


def test_a_line_break_in_a_name_ends_no_line_and_no_tag() -> None:
    """No ledger has one; a tag has a blank in its place."""
    (row,) = [unit_row(status(entry("u1", place=Place(container="a\nb\rc", rack="", slot=""))), AT)]
    row = msgspec.structs.replace(row, state="hashing")
    (point,) = points("".join(unit_lines("alpha", [row], datetime.fromtimestamp(AT, UTC))))
    assert point.tags["container"] == "a b c"


@pytest.mark.parametrize(("value", "text"), [(float("nan"), []), (float("inf"), []), (3, [("a", "3.0")])])
def test_a_number_is_a_finite_float(value: float, text: list[tuple[str, str]]) -> None:
    """A field keeps one type for ever, and InfluxDB takes no number that is not finite."""
    assert list(influx._fields("a", value)) == text
