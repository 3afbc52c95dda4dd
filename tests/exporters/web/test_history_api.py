"""History over the API: queries, and answers over a real socket."""

import re
from contextlib import closing
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from history_cases import AT, DAY_S, HOUR_S, PH, hours, row, write
from web_site import get_json, served, source
from yarl import URL

from agent.errors import HistoryError, QueryError
from agent.exporters.web.history_api import HistoryQuery, answer_history, parse_history_query
from agent.history.writer import write_history

NOW = AT + DAY_S + 12.5


def query(**changes: Any) -> HistoryQuery:
    """Return the query of one day, minute by minute, with changes."""
    return HistoryQuery(**{"start": AT, "end": AT + DAY_S, "step_s": 60} | changes)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", query(end=AT + DAY_S + 12)),
        ("from=1759276800&to=1759363200", query()),
        ("from=2025-10-01&to=2025-10-02", query()),
        ("from=2025-10-01T02:00:00%2B02:00&to=2025-10-01T19:00:00-05:00", query()),
        # An unescaped +.
        ("from=2025-10-01T02:00:00+02:00&to=2025-10-02T00:00:00Z", query()),
        ("from=1759276830.9&to=1759363200", query()),
        ("from=2025-10-01&to=2025-10-02&step=3600&container=C1", query(step_s=3600, container="C1")),
        ("from=2025-10-01&to=2025-10-02&owner=North", query(owner="North")),
        ("to=2025-10-02", query()),
        # A longer span gets a longer default step.
        ("from=2025-10-01&to=2025-10-31", query(end=AT + 30 * DAY_S, step_s=1800)),
    ],
)
def test_queries(text: str, expected: HistoryQuery) -> None:
    """Times are Unix or ISO 8601, UTC without an offset; the default is a day, minute by minute."""
    assert parse_history_query(pairs(text), now=NOW) == expected


def pairs(text: str) -> list[tuple[str, str]]:
    """Return a query string's names and values as a server decodes them."""
    return list(URL(f"http://unit/?{text}", encoded=True).query.items())


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("colour=1", "unknown parameter 'colour': expected one of from, to, step, container"),
        ("from=1&from=2", "from is given twice"),
        ("container=C1&owner=North", "container or owner is expected, not both"),
        ("container=" + "x" * 129, "container is longer than 128 characters"),
        ("from=yesterday", "from must be a Unix time or ISO 8601"),
        ("to=-5", "to must be a Unix time or ISO 8601"),
        ("to=nan", "to must be a Unix time or ISO 8601"),
        ("from=9999-12-31T23:00:00-23:00", "from must be a time from 1970 to 9999"),
        ("to=999999999999", "to must be a time from 1970 to 9999, not '999999999999'"),
        ("to=253402300800", "to must be a time from 1970 to 9999"),
        ("from=1969-12-31", "from must be a time from 1970 to 9999"),
        ("from=0001-01-01T00:00:00%2B14:00", "from must be a"),
        ("from=2025-10-02&to=2025-10-01", "to must be after from"),
        ("step=0", "step must be a multiple of 60 seconds, not '0'"),
        ("step=90", "step must be a multiple of 60 seconds"),
        ("step=1e3", "step must be a multiple of 60 seconds"),
        ("from=0&to=1759276800&step=60", "29,321,280 steps are too many (at most 11,000); use a longer step"),
    ],
)
def test_bad_queries(text: str, reason: str) -> None:
    """A query that cannot be answered is refused with the reason."""
    with pytest.raises(QueryError, match=re.escape(reason) if "|" not in reason else reason):
        parse_history_query(pairs(text), now=NOW)


async def test_history_is_served(tmp_path: Path) -> None:
    """Rows are means over steps with their coverage; a gap has no row; the answer fits the schema."""
    path = write(tmp_path / "h.sqlite", [*hours(AT, AT + 2 * HOUR_S), row(AT + 5 * HOUR_S, watched_s=30.0)])
    shown = source(history=lambda *asked: answer_history(path, "nd-1", *asked), wall=lambda: NOW)
    async with served(shown) as client:
        answer = await get_json(client, "/api/v1/history?from=2025-10-01&to=2025-10-02&step=3600")
        schema = await get_json(client, "/api/v1/schema")
        nothing = await get_json(client, "/api/v1/history?container=C9")
        async with client.get("/api/v1/history?step=7") as response:
            assert (response.status, (await response.json())["error"][:4]) == (400, "step")
    whole = {**schema["answers"]["/api/v1/history"], "$defs": schema["$defs"]}
    jsonschema.validate(answer, whole)
    first, second, last = answer["rows"]
    assert (first["at"], second["at"], last["at"]) == (
        "2025-10-01T00:00:00Z",
        "2025-10-01T01:00:00Z",
        "2025-10-01T05:00:00Z",
    )
    assert (first["operating_hs"], first["losses_hs"]["unreachable"]) == (46 * PH, 3 * PH)
    assert (first["operational_efficiency_ratio"], first["coverage_ratio"]) == (0.92, 1)
    assert last["coverage_ratio"] == pytest.approx(30 / 3600)
    assert last["joules"]["modelled"] == 30 * 800e3
    assert (last["delivered_hs"], nothing["rows"]) == (None, [])


def test_rows_of_an_owner(tmp_path: Path) -> None:
    """The rows of an owner are that owner's; of an unknown one there are none."""
    path = write(tmp_path / "h.sqlite", [row(AT)])
    with closing(write_history(path)) as file:
        file.write(owners=[("North", row(AT, operating_hs=30 * PH).values())])
    answer = answer_history(path, "alpha", query(owner="North"))
    assert (answer.owner, answer.container, [each.operating_hs for each in answer.rows]) == ("North", None, [30 * PH])
    assert answer_history(path, "alpha", query(owner="South")).rows == []


async def test_no_history_has_a_reason(tmp_path: Path) -> None:
    """An agent without history answers 404; one whose history cannot be read answers 503."""
    async with served(source()) as client, client.get("/api/v1/history") as response:
        assert response.status == 404
        assert "history.keep" in (await response.json())["error"]
    shown = source(history=lambda *asked: answer_history(tmp_path / "h.sqlite", "nd-1", *asked))
    async with served(shown) as client, client.get("/api/v1/history") as response:
        assert response.status == 503
        assert "there is no history yet" in (await response.json())["error"]


def test_reading_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A read that takes too long ends with the reason slow."""
    path = write(tmp_path / "h.sqlite", [row(AT + 60 * number) for number in range(2000)])
    monkeypatch.setattr("agent.exporters.web.history_api.READ_S", -1.0)
    with pytest.raises(HistoryError) as caught:
        answer_history(path, "nd-1", query(end=AT + 30 * DAY_S))
    assert caught.value.reason == "slow"
