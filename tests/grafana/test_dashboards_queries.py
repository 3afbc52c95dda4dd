"""The queries of the dashboards keep dashboard-linter's rules and parse in promtool."""

import copy
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from dashboard_cases import all_asks, boards, filled
from dashboard_lint import lint
from patience import PATIENT_S

from grafana.sums import HOTTEST_CHIPS

BOARDS = boards()

# Values for parsing only; the live test uses the site's own.
ANY = {
    "datasource": "prometheus",
    **dict.fromkeys(("site", "container", "model", "make", "reader", "firmware", "state", "cause"), "x"),
    **dict.fromkeys(("unit", "job", "instance", "search"), "x"),
    "__rate_interval": "5m",
    "__range": "1h",
    "__interval": "1m",
}


@pytest.mark.parametrize("name", BOARDS)
def test_keeps_the_linters_rules(name: str) -> None:
    """Our port of dashboard-linter finds nothing."""
    assert list(lint(BOARDS[name])) == []


@pytest.mark.parametrize(
    ("rule", "spoil"),
    [
        ("template-datasource-rule", lambda board: board["templating"]["list"].pop(0)),
        ("template-site-rule", lambda board: board["templating"]["list"].pop(1)),
        ("template-on-time-change-reload-rule", lambda board: board["templating"]["list"][1].update(refresh=1)),
        ("template-label-promql-rule", lambda board: board["templating"]["list"][1]["query"].update(query="x(")),
        ("uneditable-dashboard-rule", lambda board: board.update(editable=True)),
        ("panel-title-description-rule", lambda board: board["panels"][1].update(description="")),
        ("panel-datasource-rule", lambda board: board["panels"][1].update(datasource={"uid": "abc"})),
        ("panel-units-rule", lambda board: board["panels"][1]["fieldConfig"]["defaults"].pop("unit")),
        ("panel-no-targets-rule", lambda board: board["panels"][1].update(targets=[])),
        ("target-site-rule", lambda board: board["panels"][1]["targets"][0].update(expr="sum(x)")),
        (
            "target-rate-interval-rule",
            lambda board: board["panels"][1]["targets"][0].update(expr='rate(x_total{site=~"$site"}[7m])'),
        ),
        (
            "target-counter-agg-rule",
            lambda board: board["panels"][1]["targets"][0].update(expr='sum(x_total{site=~"$site"})'),
        ),
    ],
)
def test_the_port_finds_what_is_wrong(rule: str, spoil: Any) -> None:
    """Each rule reports its violation."""
    board = copy.deepcopy(BOARDS["site.json"])
    spoil(board)
    assert any(said.startswith(rule) for said in lint(board))


@pytest.mark.program("promtool")
def test_every_query_parses(tmp_path: Path) -> None:
    """Promtool accepts every query as a recording rule; a broken one is named by file and panel."""
    asks = list(all_asks())
    rules = [{"record": f"ask:{number}", "expr": filled(ask.expr, ANY)} for number, ask in enumerate(asks)]
    assert not any("$" in rule["expr"] for rule in rules)
    path = tmp_path / "asks.yml"
    path.write_text(json.dumps({"groups": [{"name": "dashboards", "rules": rules}]}), encoding="utf-8")
    checked = subprocess.run(
        ["promtool", "check", "rules", str(path)], capture_output=True, text=True, timeout=PATIENT_S, check=False
    )
    broken = [asks[int(number)].where for number in re.findall(r'"ask:(\d+)"', checked.stderr)]
    assert checked.returncode == 0, f"{broken}\n{checked.stderr}"


@pytest.mark.program("promtool")
def test_a_units_page_is_on_its_own_sites_agent(tmp_path: Path) -> None:
    """Of units of several sites each links to its site's address; of a site with two agents one address is taken."""
    (panel,) = (each for each in BOARDS["units.json"]["panels"] if each["title"] == "Hottest chips")
    links = next(
        each["value"]
        for override in panel["fieldConfig"]["overrides"]
        for each in override["properties"]
        if each["id"] == "links"
    )
    assert links[1]["url"] == "${__data.fields.url}/units/${__data.fields.unit}"
    everything = dict.fromkeys(("container", "model", "make", "reader", "firmware", "state"), ".*")
    expr = filled(panel["targets"][1]["expr"], {**ANY, **everything, "site": ".*", "search": ""})
    series = {
        'miner_agent_web_info{site="n",url="https://n"}': 1,
        'miner_agent_web_info{site="s",url="https://s",instance="a"}': 1,
        'miner_agent_web_info{site="s",url="https://s",instance="b"}': 1,
        **{f'{HOTTEST_CHIPS}{{site="{site}",container="C1",unit="u1",host="h"}}': 70 for site in "ns"},
    }
    expected = [
        {"labels": f'{{site="{site}",container="C1",unit="u1",url="https://{site}"}}', "value": 70} for site in "ns"
    ]
    path = tmp_path / "test.yml"
    check = {
        "tests": [
            {
                "input_series": [{"series": name, "values": f"{value}x5"} for name, value in series.items()],
                "promql_expr_test": [{"expr": expr, "eval_time": "1m", "exp_samples": expected}],
            }
        ]
    }
    path.write_text(json.dumps(check), encoding="utf-8")
    done = subprocess.run(
        ["promtool", "test", "rules", str(path)], capture_output=True, text=True, timeout=PATIENT_S, check=False
    )
    assert done.returncode == 0, done.stderr + done.stdout
