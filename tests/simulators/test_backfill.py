"""Simulated months as OpenMetrics, and the published figures that rules and dashboards show from them.

Published (Cango, unaudited): 44.85 of 50 EH/s in September 2025, 46.09 of 50 in October; the months are 1:1000. No
test feeds a figure in: scenarios are played, their truth is loaded, and the shipped rules run over it.
"""

import asyncio
import json
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from dashboard_cases import boards, filled
from live_prometheus import prometheus
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from typer.testing import CliRunner

from agent.exporters.prometheus.store import contract
from agent.site.status import Cause, UnitState
from grafana.rules_lint import Rule, metric_names, rules
from simulators.__main__ import app
from simulators.backfill import CAUSES, STATES, Month, find_months, write_months
from simulators.scenario.scenario import read_scenario

HS = "hashrate_hashes_per_second"
DAY_S = 86_400
SEPTEMBER, OCTOBER, NOVEMBER = 1_756_684_800, 1_759_276_800, 1_761_955_200

# A container without power, a curtailment with stragglers and units not restored, one unit put to sleep by hand.
HAPPENINGS = """\
about = "a test"
start = 2025-10-14T00:00:00Z
duration = "6h"
[farm]
units = 40
containers = 2
mix = { "S21:200" = "100%" }
[[event]]
at = "1h"
for = "1h"
fault = "power_off"
who = { container = "C2" }
[[event]]
at = "30m"
fault = "asleep"
who = { container = "C1", share = "5%" }
[[curtailment]]
at = "3h"
for = "1h"
container = "C1"
stragglers = "10%"
unrestored = "20%"
unrestored_for = "2h"
"""

Series = dict[tuple[str, str], dict[float, float]]


def written(*months: Month, step_s: float = 300.0, has_containers: bool = True) -> str:
    """Return the OpenMetrics text of some months."""
    out = StringIO()
    write_months(months, out, site="alpha", step_s=step_s, has_containers=has_containers)
    return out.getvalue()


def read(text: str) -> Series:
    """Read OpenMetrics with its own strict parser; keys are the family and the labels other than the site's."""
    found: Series = defaultdict(dict)
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            assert sample.labels["site"] == "alpha"
            own = ",".join(value for name, value in sorted(sample.labels.items()) if name != "site")
            found[sample.name, own][float(sample.timestamp)] = sample.value
    return found


@pytest.fixture(scope="module")
def day() -> Series:
    """Six hours in which everything happens, sampled each minute."""
    scenario = read_scenario(HAPPENINGS, file="test.toml")
    return read(written(Month("test", scenario), step_s=60.0))


def at(series: Series, name: str, own: str = "", *, minute: float) -> float:
    """Return a sample by its minute since the scenario's start."""
    times = series[f"mining_{name}", own]
    return times[min(times) + 60 * minute]


def test_every_name_and_label_is_of_the_contract(day: Series) -> None:
    """Families, kinds, label names and their closed lists are the ones an agent publishes."""
    known = {row.name: row for row in contract()}
    for family in text_string_to_metric_families(written(*find_months(["quiet-day"], ""))):
        assert family.type == known[family.name].kind == "gauge"
        assert {tuple(sample.labels) for sample in family.samples} == {tuple(known[family.name].labels)}
    assert set(CAUSES) == set(Cause)
    assert set(STATES) == set(UnitState)
    assert {own for name, own in day if name == f"mining_site_loss_{HS}"} == set(CAUSES)


def test_samples_of_a_series_stand_together_and_are_half_open_in_time(day: Series) -> None:
    """Six hours at one sample a minute are 360 samples a series: the first moment is in, the end is not."""
    assert {len(times) for times in day.values()} == {360}
    assert all(list(times) == sorted(times) for times in day.values())
    assert {max(times) - min(times) for times in day.values()} == {359 * 60.0}


def test_deployed_less_losses_and_uplift_is_operating_everywhere(day: Series) -> None:
    """This holds at every moment for the site and each container, and the containers add up to the site."""
    lost: dict[tuple[str, float], float] = defaultdict(float)
    for (name, own), times in day.items():
        if f"_loss_{HS}" in name:
            group = own.split(",")[1] if "," in own else ""
            for moment, value in times.items():
                lost[group, moment] += value
    for (group, moment), lost_hs in lost.items():
        level = "container" if group else "site"
        deployed, operating, uplift = (
            day[f"mining_{level}_{what}_{HS}", group][moment] for what in ("deployed", "operating", "uplift")
        )
        assert deployed - lost_hs + uplift == pytest.approx(operating, abs=1e-6 * deployed)
    for what in (f"operating_{HS}", "power_watts", "curtailment_stragglers"):
        own = ("metered",) if what == "power_watts" else ()
        for moment, value in day[f"mining_site_{what}", ",".join(own)].items():
            parts = [day[f"mining_container_{what}", ",".join((name, *own))][moment] for name in ("C1", "C2")]
            assert math.fsum(parts) == pytest.approx(value)


def test_a_container_without_power_is_unreachable_and_unknown(day: Series) -> None:
    """Half the units are off for an hour: state, nameplate, loss and coverage show it, and then all are back."""
    assert at(day, "container_units", "C2,unreachable", minute=90) == 20
    assert at(day, f"container_operating_{HS}", "C2", minute=90) == 0
    deployed = at(day, f"container_deployed_{HS}", "C2", minute=90)
    assert at(day, f"site_loss_{HS}", "unreachable", minute=90) == deployed
    assert at(day, f"site_state_nameplate_{HS}", "unreachable", minute=90) == deployed
    assert at(day, "site_coverage_ratio", minute=90) == 0.5
    assert at(day, "container_units", "C2,starting", minute=122) == 20
    assert at(day, "container_units", "C2,hashing", minute=179) == 20
    assert at(day, "site_coverage_ratio", minute=179) == 1


def test_a_curtailment_counts_stragglers_and_units_not_restored(day: Series) -> None:
    """Two of twenty units hash on; three sleepers are not restored, which counts from 15 minutes after the end."""
    deployed = at(day, f"container_deployed_{HS}", "C1", minute=200)
    assert [at(day, "site_curtailment_active", minute=minute) for minute in (179, 180, 239, 240)] == [0, 1, 1, 0]
    assert at(day, f"site_curtailment_nameplate_{HS}", minute=200) == deployed
    assert at(day, f"site_curtailment_target_{HS}", minute=200) == 0
    assert at(day, "container_curtailment_active", "C2", minute=200) == 0
    assert at(day, "site_curtailment_stragglers", minute=200) == 2
    # One unit slept before, outside any curtailment: it is curtailed inside the event and stopped afterwards.
    assert [at(day, "site_units", "stopped", minute=minute) for minute in (31, 200, 256)] == [1, 0, 4]
    assert at(day, "site_units", "curtailed", minute=200) == 18
    assert [at(day, "site_units_not_restored", minute=minute) for minute in (254, 256)] == [0, 3]


def test_months_are_found_by_what_they_are() -> None:
    """Two months come in order of time and once each, by name or by calendar month."""
    assert [month.name for month in find_months([], "2025-10, 2025-09")] == ["september-2025", "october-2025"]
    assert [month.name for month in find_months(["october-2025"], "2025-09,2025-10")] == [
        "september-2025",
        "october-2025",
    ]
    september, october = find_months([], "2025-09,2025-10")
    assert (september.begin, september.end, october.begin, october.end) == (SEPTEMBER, OCTOBER, OCTOBER, NOVEMBER)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "--scenario or --months is needed"),
        (("--months", "2025-13"), "--months '2025-13': no scenario covers that month; the months are 2025-09, 2025-10"),
        (("--months", "2025-10", "--every", "10m"), "--every '10m': 15s to 5m are expected"),
        (("--months", "2025-10", "--every", "often"), "--every 'often': a length of time is expected"),
        (("--scenario", "november"), "no scenario of that name"),
        (("--scenario", "october-2025", "--scenario", "pool-outage"), "pool-outage begins before october-2025 is over"),
    ],
)
def test_what_cannot_be_written_is_refused(arguments: tuple[str, ...], message: str) -> None:
    """One line names the option, the value and the reason; the exit status is 2 and nothing is written."""
    result = CliRunner().invoke(app, ["backfill", *arguments])
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""


def test_the_command_writes_to_a_file_or_to_standard_output(tmp_path: Path) -> None:
    """The bytes are the same either way, and a line for people goes to standard error."""
    arguments = ["backfill", "--scenario", "pool-outage", "--site", 'al"pha', "--site-only"]
    shown = CliRunner().invoke(app, arguments)
    kept = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / "months.om")])
    assert (shown.exit_code, kept.exit_code) == (0, 0)
    assert (tmp_path / "months.om").read_text(encoding="utf-8") == shown.stdout
    assert kept.stderr.startswith("pool-outage: ")
    assert 'site="al\\"pha"' in shown.stdout
    assert "mining_container_" not in shown.stdout
    assert shown.stdout.endswith("\n# EOF\n")


class Full(StringIO):
    """A file on a disk that fills up after some lines."""

    def write(self, text: str) -> int:
        """Write a little, then fail."""
        if self.tell() > 1000:
            raise OSError(28, "No space left on device")
        return super().write(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write line after line."""
        for line in lines:
            self.write(line)


def test_a_full_disk_is_reported_as_such() -> None:
    """The output's own error is raised, not one from closing the temporary file."""
    (month,) = find_months(["pool-outage"], "")
    with pytest.raises(OSError, match="No space left"):
        write_months([month], Full(), site="alpha", step_s=300.0)


def layers(exprs: Iterable[str]) -> Iterator[list[Rule]]:
    """Yield the recording rules that queries need, in layers, dependencies first."""
    recorded = {rule.name: rule for rule in rules() if not rule.is_alert}
    depths: dict[str, int] = {}

    def depth_of(name: str) -> int:
        if name not in depths:
            depths[name] = 0  # One rule depends on its own past.
            needs = metric_names(recorded[name].expr) & recorded.keys()
            depths[name] = 1 + max(map(depth_of, needs), default=0)
        return depths[name]

    for expr in exprs:
        for name in metric_names(expr) & recorded.keys():
            depth_of(name)
    for depth in sorted(set(depths.values())):
        yield [recorded[name] for name in sorted(depths) if depths[name] == depth]


async def promtool(*arguments: str) -> None:
    """Create blocks with promtool."""
    command = ("promtool", "tsdb", "create-blocks-from", *arguments)
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()


async def record(folder: Path, found: list[Rule]) -> None:
    """Run rules over the past in `folder`, as a Prometheus would have done at the time.

    Rules run every five minutes, like the samples; the month to date only in the last minutes of each month.
    """
    async with prometheus(folder, [], []) as (_, url):
        for name, spans in (("mtd", ((OCTOBER - 300, OCTOBER), (NOVEMBER - 300, NOVEMBER))), ("", None)):
            chosen = [rule.body for rule in found if ("mtd" in rule.name) == bool(name)]
            if not chosen:
                continue
            file = folder / "layer.json"
            group = {"name": "past", "interval": "5m", "rules": chosen}
            file.write_text(json.dumps({"groups": [group]}), encoding="utf-8")
            for start, end in spans or ((SEPTEMBER, NOVEMBER),):
                options = (f"--url={url}", f"--start={start}", f"--end={end}", f"--output-dir={folder / 'tsdb'}")
                await promtool("--max-block-duration=486h", "rules", *options, str(file))


async def ask(url: str, how: str, expr: str, **parameters: str) -> list[Any]:
    """Query Prometheus and return the series of its answer."""
    asked = {"query": filled(expr, {"site": ".*"}), **parameters}
    async with aiohttp.ClientSession() as session, session.post(f"{url}/api/v1/{how}", data=asked) as response:
        answer = await response.json()
    assert answer["status"] == "success", answer
    found: list[Any] = answer["data"]["result"]
    return found


def panel(file: str, number: int) -> dict[str, Any]:
    """Return a panel of a committed dashboard."""
    return next(each for each in boards()[file]["panels"] if each["id"] == number)


def colour(steps: list[dict[str, Any]], value: float) -> str:
    """Return the colour in which Grafana shows a value."""
    return [step["color"] for step in steps if step["value"] is None or step["value"] <= value][-1]


@pytest.mark.program("promtool", "prometheus")
async def test_the_dashboards_give_the_published_months(tmp_path: Path) -> None:
    """October is 46.09 of 50, 92.18 %; September is 44.85, 89.70 %, which stays below 90 however it is rounded."""
    file = tmp_path / "months.om"
    with file.open("w", encoding="utf-8") as out:
        write_months(find_months([], "2025-09,2025-10"), out, site="alpha", step_s=300.0, has_containers=False)
    await promtool("--max-block-duration=486h", "openmetrics", str(file), str(tmp_path / "tsdb"))
    file.unlink()
    months, to_date = panel("fleet.json", 301), (panel("fleet.json", 101), panel("site.json", 104))
    exprs = [target["expr"] for each in (months, *to_date) for target in each["targets"]]
    for found in layers(exprs):
        await record(tmp_path, found)
    span = {"start": "2025-08-25T00:00:00Z", "end": "2025-11-20T00:00:00Z", "step": str(DAY_S)}
    async with prometheus(tmp_path, [], []) as (_, url):
        columns = {}
        for target in months["targets"]:
            series = await ask(url, "query_range", target["expr"], **span)
            columns[target["refId"]] = {
                one["metric"]["month"]: [float(value) for _, value in one["values"]] for one in series
            }
        so_far = {}
        for place, each in enumerate(to_date):
            for end in (OCTOBER, NOVEMBER):
                (one,) = await ask(url, "query", each["targets"][0]["expr"], time=str(end))
                so_far[place, end] = float(one["value"][1])
    print(columns, so_far)  # noqa: T201 - the figures belong in the report
    assert {name: set(column) for name, column in columns.items()} == {key: {"202509", "202510"} for key in "ABCDEF"}

    def shown(column: str, scale: float, decimals: int) -> list[float]:
        return [round(columns[column][month][0] * scale, decimals) for month in ("202509", "202510")]

    assert shown("A", 1e-15, 2) == [50.0, 50.0]
    assert shown("B", 1e-15, 2) == [50.0, 50.0]
    assert shown("C", 1e-15, 2) == [44.85, 46.09]
    assert shown("D", 100, 2) == [89.70, 92.18]
    assert shown("F", 100, 0) == [100, 100]
    by_name = {one["matcher"]["options"]: one["properties"] for one in months["fieldConfig"]["overrides"]}
    steps = next(one["value"]["steps"] for one in by_name["Operational efficiency"] if one["id"] == "thresholds")
    assert [colour(steps, ratio) for ratio in (columns["D"]["202509"][0], columns["D"]["202510"][0])] == [
        "orange",
        "green",
    ]
    # "This month" in its last minutes: the current hour is not in it yet.
    assert list(so_far.values()) == [pytest.approx(ratio, abs=0.0002) for ratio in (0.8970, 0.9218) * 2]
    for place, each in enumerate(to_date):
        steps = each["fieldConfig"]["defaults"]["thresholds"]["steps"]
        ends = [colour(steps, so_far[place, end]) for end in (OCTOBER, NOVEMBER)]
        assert ends == ["orange", "green"]
