"""The committed dashboards: generated, complete, and consistent in their handling of missing data."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from dashboard_cases import all_asks
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from paths import GRAFANA, ROOT

from agent.site.status import Cause
from grafana import build
from grafana.dashboards_lint import asks, boards, known_names, panels
from grafana.drawing import parts
from grafana.drawing.colours import CAUSES, OPERATING, STATES
from grafana.drawing.sdk import model
from grafana.rules_lint import metric_names

BOARDS = boards()
UNITS_OF_GRAFANA = {
    *("Hs", "percentunit", "watt", "J/TH", "celsius", "s", "none", "bytes", "rotrpm", "hertz", "cps"),
}

# The parts of a dashboard that Grafana needs, of those we use. The round-trip test below finds unknown keys.
SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["uid", "title", "description", "panels", "templating", "annotations", "schemaVersion", "time"],
    "properties": {
        "uid": {"type": "string", "pattern": "^hashsight-[a-z]{1,30}$"},
        "title": {"type": "string", "minLength": 5},
        "description": {"type": "string", "minLength": 40},
        "schemaVersion": {"const": 42},
        "editable": {"const": False},
        "timezone": {"enum": ["browser", "utc"]},
        "refresh": {"type": "string", "pattern": "^[0-9]+[sm]$"},
        "panels": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["id", "type", "title", "gridPos"],
                "properties": {
                    "id": {"type": "integer", "minimum": 100},
                    "type": {"enum": ["row", "stat", "timeseries", "bargauge", "table", "heatmap", "state-timeline"]},
                    "title": {"type": "string", "minLength": 2},
                    "gridPos": {
                        "type": "object",
                        "required": ["x", "y", "w", "h"],
                        "properties": {
                            "x": {"type": "integer", "minimum": 0, "maximum": 23},
                            "y": {"type": "integer", "minimum": 0},
                            "w": {"type": "integer", "minimum": 2, "maximum": 24},
                            "h": {"type": "integer", "minimum": 1, "maximum": 20},
                        },
                    },
                    "targets": {
                        "type": "array",
                        "minItems": 1,
                        "items": {
                            "type": "object",
                            "required": ["expr", "refId", "datasource"],
                            "properties": {
                                "expr": {"type": "string", "minLength": 2},
                                "refId": {"type": "string", "pattern": "^[A-P]$"},
                                "format": {"enum": ["time_series", "table"]},
                                "datasource": {"const": {"type": "prometheus", "uid": "${datasource}"}},
                            },
                        },
                    },
                },
            },
        },
    },
}


EACH_PANEL = [
    pytest.param(panel, id=f"{name.removesuffix('.json')}-{panel['id']}")
    for name, board in BOARDS.items()
    for panel in panels(board)
]


def test_committed_is_what_is_drawn() -> None:
    """The JSON in the repository matches grafana/drawing, with no other files beside it."""
    assert [path.name for path in build.outdated()] == []


def test_an_edited_dashboard_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """`--check` fails and names an edited file, and a file without a drawing."""
    monkeypatch.setattr(build, "FOLDER", tmp_path)
    assert build.main([]) == 0
    assert build.main(["--check"]) == 0
    (tmp_path / "site.json").write_text("{}", encoding="utf-8")
    (tmp_path / "stray.json").write_text("{}", encoding="utf-8")
    assert build.main(["--check"]) == 1
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["site.json", "stray.json"]


def test_the_dashboards_are_there() -> None:
    """Fleet, Site, NOC, Units, Unit and Agent keep the uids that alerts and bookmarks rely on."""
    assert {name: board["uid"] for name, board in BOARDS.items()} == {
        f"{name}.json": f"hashsight-{name}" for name in ("agent", "fleet", "noc", "site", "unit", "units")
    }


@pytest.mark.parametrize("name", BOARDS)
def test_fits_the_schema(name: str) -> None:
    """Every part that Grafana needs is present and of the right type."""
    jsonschema.validate(BOARDS[name], SCHEMA)


@pytest.mark.parametrize("name", BOARDS)
def test_comes_back_whole_from_the_sdk(name: str) -> None:
    """Grafana's own types read and write every key unchanged, so none is misspelt or misplaced."""
    register_default_plugins()
    again = json.loads(json.dumps(model.Dashboard.from_json(BOARDS[name]), cls=JSONEncoder))
    assert BOARDS[name] == again


@pytest.mark.parametrize("name", BOARDS)
def test_panels_have_places_and_numbers_of_their_own(name: str) -> None:
    """No two panels share an id or a spot on the grid, and none extends past its edge."""
    taken: set[tuple[int, int]] = set()
    for panel in BOARDS[name]["panels"]:
        place = panel["gridPos"]
        spots = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert place["x"] + place["w"] <= 24, panel["title"]
        assert not spots & taken, panel["title"]
        taken |= spots
    numbers = [panel["id"] for panel in BOARDS[name]["panels"]]
    assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize("panel", EACH_PANEL)
def test_panel_says_what_it_shows(panel: dict[str, Any]) -> None:
    """Every panel has a title, a description in sentences, and units that Grafana knows."""
    assert panel["title"].strip() == panel["title"]
    assert len(panel["description"]) > 10
    assert panel["description"].endswith(".")
    defaults, overrides = panel["fieldConfig"]["defaults"], panel["fieldConfig"]["overrides"]
    units = [defaults["unit"]]
    units += [each["value"] for rule in overrides for each in rule["properties"] if each["id"] == "unit"]
    assert set(units) <= UNITS_OF_GRAFANA


@pytest.mark.parametrize("panel", EACH_PANEL)
def test_what_is_missing_never_looks_good(panel: dict[str, Any]) -> None:
    """Missing data is grey and says so, lines end where data ends, and no query turns missing data into a number."""
    defaults = panel["fieldConfig"]["defaults"]
    assert defaults["noValue"] == parts.NO_DATA
    configs = [defaults.get("thresholds")]
    for rule in panel["fieldConfig"]["overrides"]:
        configs += [each["value"] for each in rule["properties"] if each["id"] == "thresholds"]
    for config in filter(None, configs):
        # Grafana gives missing values the colour of the lowest step.
        assert config["steps"][0] == {"value": None, "color": parts.MISSING}
    if panel["type"] == "heatmap":
        # Rows are series, not counts, and zero, the worst value, is not hidden as by default.
        assert panel["options"]["calculate"] is False
        assert panel["options"]["filterValues"] == {"le": -1}
    elif panel["type"] != "timeseries":
        assert {
            "type": "special",
            "options": {"match": "null+nan", "result": {"text": parts.NO_DATA, "color": parts.MISSING, "index": 0}},
        } in defaults["mappings"]
    if panel["type"] in {"stat", "bargauge"}:
        # `lastNotNull` would show the last value of something that is gone.
        assert panel["options"]["reduceOptions"]["calcs"] == ["last"]
    if panel["type"] in {"timeseries", "state-timeline"}:
        assert defaults["custom"]["spanNulls"] is False
    for target in panel["targets"]:
        assert "vector(0)" not in target["expr"].replace(" ", "")
        assert "absent" not in target["expr"]


@pytest.mark.parametrize("name", BOARDS)
def test_links_lead_somewhere(name: str) -> None:
    """A link to another dashboard has a known uid and sets only variables of that dashboard."""
    variables = {board["uid"]: {each["name"] for each in board["templating"]["list"]} for board in BOARDS.values()}
    found = re.findall(r'"(/d/[^"]+)"', json.dumps(BOARDS[name], ensure_ascii=False))
    for link in found:
        uid = link.removeprefix("/d/").split("?")[0]
        assert uid in variables, link
        assert set(re.findall(r"[?&]var-(\w+)=", link)) <= variables[uid], link
        assert "${__url_time_range}" in link
    assert found or name in {"unit.json", "agent.json"}
    (to_all,) = BOARDS[name]["links"]
    assert (to_all["tags"], to_all["keepTime"], to_all["includeVars"]) == (["hashsight"], True, True)


@pytest.mark.parametrize("name", BOARDS)
def test_names_only_metrics_that_exist(name: str) -> None:
    """Every metric in a query is in the contract, recorded by a rule, or Prometheus' own."""
    known = known_names()
    unknown = [
        f"{ask.where}: {metric}"
        for ask in asks(name, BOARDS[name])
        for metric in sorted(metric_names(ask.expr) - known)
    ]
    assert unknown == []


def test_alerts_lead_to_dashboards_that_exist() -> None:
    """An alert links to a known dashboard and sets only variables of it."""
    variables = {board["uid"]: {each["name"] for each in board["templating"]["list"]} for board in BOARDS.values()}
    for path in (GRAFANA / "rules").glob("*.yml"):
        for link in re.findall(r"dashboard_url: \S*?/d/(.*)", path.read_text(encoding="utf-8")):
            uid = re.split(r"[?{]", link)[0]
            assert uid in variables, f"{path.name}: {link}"
            assert set(re.findall(r"[?&]var-(\w+)=", link)) <= variables[uid], f"{path.name}: {link}"


def test_asks_are_many() -> None:
    """There are enough queries for the other tests to mean something."""
    assert len(all_asks()) > 120


def test_colours_are_those_of_the_agents_pages() -> None:
    """A cause has one colour everywhere: the dark form of the pages' style sheet."""
    sheet = (ROOT / "agent/exporters/web/assets/page.css").read_text(encoding="utf-8")
    dark = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", sheet[sheet.index("prefers-color-scheme: dark") :]))
    expected = {cause: dark[cause.replace("_", "-")] for cause in Cause}
    assert expected == CAUSES
    assert OPERATING == dark["operating"] == STATES["hashing"]
    assert {state: colour for state, colour in STATES.items() if state != "hashing"} == {
        state: dark[state] for state in STATES if state != "hashing"
    }


def test_the_wall_needs_no_scrolling() -> None:
    """Kiosk mode at 1920 x 1080 shows 27 rows of the grid, of 38 pixels each."""
    ends = [panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in BOARDS["noc.json"]["panels"]]
    assert max(ends) <= 27


def test_dashboards_can_be_imported_from_elsewhere(tmp_path: Path) -> None:
    """Whoever imports one is asked for the data source, every query uses it, and the schema still holds."""
    assert build.main(["--for-import", str(tmp_path)]) == 0
    assert {path.name for path in tmp_path.iterdir()} == set(BOARDS)
    for path in tmp_path.iterdir():
        text = path.read_text(encoding="utf-8")
        board = json.loads(text)
        assert [each["name"] for each in board["__inputs"]] == ["DS_PROMETHEUS"]
        assert {each["id"] for each in board["__requires"] if each["type"] == "panel"} == {
            panel["type"] for panel in panels(board)
        }
        assert "${datasource}" not in text
        assert {panel["datasource"]["uid"] for panel in panels(board)} == {"${DS_PROMETHEUS}"}
        # Our schema wants the variable, which the provisioned form has.
        jsonschema.validate(json.loads(text.replace("${DS_PROMETHEUS}", "${datasource}")), SCHEMA)
