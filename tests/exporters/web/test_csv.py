"""CSV twins and compression: the same figures as the JSON, no formulas, and no byte more than needed."""

import csv
import gzip
import io
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from exporter_cases import entry, reading, status
from web_site import curtailment_api, get_json, served, source

from agent.exporters.web.bodies import Bodies
from agent.exporters.web.compression import LEAST_BYTES, takes_gzip
from agent.exporters.web.csv_answers import columns, csv_text
from agent.exporters.web.csv_text import csv_bytes
from agent.exporters.web.history_api import HistoryRow
from agent.history.export import csv_cell
from agent.site.ledger.entries import Place
from agent.site.status import Cause


async def read_csv(client: aiohttp.ClientSession, path: str, **headers: str) -> list[dict[str, str]]:
    """Return the rows at `path`."""
    async with client.get(path, headers=headers) as response:
        assert (response.status, response.content_type) == (200, "text/csv")
        return list(csv.DictReader(io.StringIO(await response.text())))


async def test_units_are_those_of_the_json() -> None:
    """Rows, order and values are the JSON's, on one page; filters and sorts are taken and refused alike."""
    async with served() as client:
        listed = await get_json(client, "/api/v1/units?sort=-nameplate")
        rows = await read_csv(client, "/api/v1/units.csv?sort=-nameplate")
        assert [row["unit_id"] for row in rows] == [unit["unit_id"] for unit in listed["units"]]
        for row, unit in zip(rows, listed["units"], strict=True):
            assert float(row["nameplate_hs"]) == unit["nameplate_hs"]
            assert (row["state"], row["is_simulated"]) == (unit["state"] or "", str(unit["is_simulated"]).lower())
        one = await read_csv(client, "/api/v1/units.csv?limit=1&offset=1")
        assert [row["unit_id"] for row in one] == ["a2"]
        async with client.get("/api/v1/units.csv?colour=red") as refused:
            assert refused.status == 400


@pytest.mark.parametrize("name", ["discovery", "identity"])
async def test_other_twins_have_the_fields_of_their_rows(name: str) -> None:
    """Without rows there is the header alone."""
    async with served() as client, client.get(f"/api/v1/{name}.csv") as response:
        lines = (await response.text()).splitlines()
    assert len(lines) == 1
    assert "address" in lines[0].split(",")


async def test_curtailments_need_what_the_json_needs(tmp_path: Path) -> None:
    """Without a login or token both are refused."""
    async with served(source(curtailments=curtailment_api(tmp_path))) as client:
        for path in ("/api/v1/curtailments", "/api/v1/curtailments.csv"):
            async with client.get(path) as response:
                assert response.status == 403
        async with client.get("/api/v1/history.csv") as response:
            assert response.status == 404


def test_fields_of_several_values_are_columns() -> None:
    """Each cause of loss has its own column; a missing one is empty, not zero."""
    assert {("losses_hs", cause.value) for cause in Cause} <= set(columns(HistoryRow))


class Row(msgspec.Struct):
    """A row of texts."""

    text: str
    number: float | None = None
    many: list[str] = []
    nested: Any = None


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@a", "\tx", "\rx"])
def test_no_text_is_a_formula(text: str) -> None:
    """A text that a spreadsheet would compute is marked as text; numbers stay numbers, also negative ones."""
    rows = list(csv.DictReader(io.StringIO(csv_text([Row(text, -1.5, [text], {"a": 1})], Row), newline="")))
    assert rows == [{"text": f"'{text}", "number": "-1.5", "many": f"'{text}", "nested": '{"a": 1}'}]


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("x;=1+1", "x;'=1+1"),
        (';"=1+1', ";\"'=1+1"),
        ("spare\n@SUM(A1)", "spare\n'@SUM(A1)"),
        ("\uff1d1+1", "'\uff1d1+1"),
        ("fan 2 at 0 rpm; fan 3 at 0 rpm", "fan 2 at 0 rpm; fan 3 at 0 rpm"),
    ],
)
def test_no_formula_begins_within_a_text(text: str, cell: str) -> None:
    """Where a comma is the decimal mark, spreadsheets split files at semicolons, whatever is quoted inside a field."""
    rows = list(csv.DictReader(io.StringIO(csv_text([Row(text, 1, [], {})], Row), newline="")))
    assert rows[0]["text"] == cell
    assert csv_bytes((), [(text,)]) == f"\r\n{csv_cell(text)}\r\n".encode()


async def test_names_of_the_ledger_stay_text() -> None:
    """A container named like a formula arrives as text."""
    unit = status(entry("a1", place=Place(container="=HYPERLINK(1)")), reading("a1"))
    async with served(source([unit])) as client:
        assert (await read_csv(client, "/api/v1/units.csv"))[0]["container"] == "'=HYPERLINK(1)"


@pytest.mark.parametrize("path", ["/", "/api/v1/units", "/api/v1/units.csv", "/api/v1/schema", "/assets/page.css"])
async def test_large_answers_are_compressed_where_they_may_be(path: str) -> None:
    """With `gzip` taken, the body is smaller and the same; HEAD announces it too; every answer says that it varies."""
    async with served() as client:
        async with client.get(path, headers={"Accept-Encoding": "identity"}) as response:
            plain = await response.read()
            assert (response.headers["Vary"], "Content-Encoding" in response.headers) == ("Accept-Encoding", False)
        assert len(plain) >= LEAST_BYTES
        async with client.get(path, headers={"Accept-Encoding": "br, gzip;q=0.5"}) as response:
            packed = await response.read()
            assert response.headers["Content-Encoding"] == "gzip"
        async with client.head(path, headers={"Accept-Encoding": "gzip"}) as response:
            assert int(response.headers["Content-Length"]) == pytest.approx(len(packed), abs=20)
    assert len(packed) < len(plain)
    assert abs(len(gzip.decompress(packed)) - len(plain)) < 20


async def test_small_answers_and_scrapes_are_left_alone() -> None:
    """A line of text is not worth it; a scrape is compressed by its own exporter, once for all who share it."""
    async with served() as client:
        async with client.get("/healthz", headers={"Accept-Encoding": "gzip"}) as response:
            assert "Content-Encoding" not in response.headers
        async with client.get("/metrics", headers={"Accept-Encoding": "gzip"}) as response:
            assert gzip.decompress(await response.read()).startswith(b"# ")


async def test_a_body_counts_while_it_is_compressed() -> None:
    """Memory has one limit: what waits to be compressed is under way, until it is done or its client has left."""
    bodies = Bodies(lambda: 0.0)
    seen = []

    def pack(body: bytes) -> bytes:
        seen.append(bodies.bytes_under_way)
        return body[:1]

    assert await bodies.packed(b"x" * 1000, pack) == b"x"
    assert (seen, bodies.bytes_under_way) == ([1000], 0)


@pytest.mark.parametrize(
    ("accepted", "is_taken"),
    [
        ("gzip", True),
        ("GZIP", True),
        ("x-gzip", True),
        ("*", True),
        ("deflate, gzip;q=1.0", True),
        ("", False),
        ("identity", False),
        ("br", False),
        ("gzip;q=0", False),
        ("*;q=0", False),
        ("gzip;q=0, *", False),
        ("gzip;q=x", False),
    ],
)
def test_what_takes_gzip(accepted: str, is_taken: bool) -> None:  # noqa: FBT001 - a column of the table.
    """As RFC 9110 has it; an unreadable weight is none."""
    assert takes_gzip(accepted) == is_taken
