"""The committed rules and runbooks have no mistakes, and the lint names each kind of mistake."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from patience import PATIENT_S

from grafana import check, dashboards_lint, generated, rules_lint

GRAFANA = Path(rules_lint.__file__).parent


def test_everything_committed_is_as_it_should_be() -> None:
    """The check of `make lint` finds nothing: generated files are current, names exist, alerts are complete."""
    assert check.mistakes() == []


def test_the_check_is_a_command() -> None:
    """`python -m grafana.check` exits with 0; the writer exits with 2 on wrong arguments."""
    checked = subprocess.run(
        [sys.executable, "-m", "grafana.check"], capture_output=True, check=False, timeout=PATIENT_S
    )
    assert (checked.returncode, checked.stderr) == (0, b"")
    assert generated.main([]) == 2


def test_a_file_edited_by_hand_is_rewritten(tmp_path: Path) -> None:
    """An edited or removed generated file is named and restored."""
    for name in generated.FILES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
    assert generated.write(tmp_path) == list(generated.FILES)
    (tmp_path / "METRICS.md").write_text("edited", encoding="utf-8")
    (tmp_path / "rules/fleet.yml").unlink()
    assert generated.stale(tmp_path) == ["METRICS.md", "rules/fleet.yml"]
    generated.write(tmp_path)
    assert generated.stale(tmp_path) == []


@pytest.mark.parametrize(
    ("file", "before", "after", "expected"),
    [
        (
            "rules/site.yml",
            "(mining_site_known_hashrate_hashes_per_second ",
            "(mining_site_knwon_hashrate_hashes_per_second ",
            "per_second:sum: no such metric: mining_site_knwon_hashrate_hashes_per_second",
        ),
        (
            "rules/alerts.yml",
            "expr: site:mining_dark_hashrate_hashes_per_second:sum > 0",
            "expr: site:mining_dark:sum > 0",
            "rules/alerts.yml: MiningSiteDark: no such metric: site:mining_dark:sum",
        ),
        (
            "rules/alerts.yml",
            'topk(3, site:mining_units:sum{site=%q} > 0))" $labels.site',
            'topk(3, site:mining_unit:sum{site=%q} > 0))" $labels.site',
            "rules/alerts.yml: MiningSiteDark: no such metric: site:mining_unit:sum",
        ),
        (
            "rules/alerts.yml",
            "- alert: MiningSiteDark",
            "- alert: MiningSitePitchDark",
            "rules/alerts.yml: MiningSitePitchDark: no unit test in which it fires",
        ),
        (
            "rules/alerts.yml",
            "- alert: MiningSiteDark",
            "- alert: MiningSitePitchDark",
            "runbooks/MiningSitePitchDark.md: MiningSitePitchDark: missing",
        ),
        (
            "rules/alerts.yml",
            "- alert: MiningSiteDark",
            "- alert: MiningSitePitchDark",
            "runbooks/MiningSiteDark.md: MiningSiteDark: there is no such alert",
        ),
        (
            "rules/alerts.yml",
            "{{ $labels.site }}: whole site dark",
            "Whole site dark",
            "must begin with the site and end without a full stop: SITE: PLACE WHAT, HOW MUCH",
        ),
        (
            "rules/alerts.yml",
            "First: Ask whether the site has grid power",
            "Ask whether the site has grid power",
            "rules/alerts.yml: MiningSiteDark: its description must end with what to do: First: ... .",
        ),
        (
            "rules/alerts.yml",
            "hashsight/MiningSiteDark.md",
            "hashsight/Dark.md",
            "MiningSiteDark: its runbook_url must be https://runbooks.example/hashsight/MiningSiteDark.md",
        ),
        (
            "rules/alerts.yml",
            "https://runbooks.example/hashsight/MiningSiteDark.md",
            "file:///usr/share/doc/MiningSiteDark.md",
            "file:///usr/share/doc/MiningSiteDark.md: https is expected: a phone cannot open a file of this machine",
        ),
        (
            "rules/alerts.yml",
            "https://grafana.example/d/hashsight-agent",
            "http://grafana.example/d/hashsight-agent",
            "https is expected: links of alerts are opened from anywhere",
        ),
        (
            "rules/site.yml",
            "# Sums",
            "# https://localhost:3000 has the sums. Sums",
            "a loopback address is refused: it leads to the machine of the one who reads the alert",
        ),
        (
            "rules/alerts.yml",
            "https://grafana.example/d/hashsight-agent?var-site={{ $labels.site }}",
            "https://grafana.example/d/hashsight-agents?var-site={{ $labels.site }}",
            "its dashboard_url must begin with https://grafana.example/d/ and the uid of a dashboard",
        ),
        (
            "rules/tests/alerts_units.test.yml",
            "miner_fan_speed_rpm{",
            "miner_fan_speed{",
            "no such metric: miner_fan_speed",
        ),
        (
            "rules/tests/alerts_units.test.yml",
            "mining_site_curtailment_active{",
            "mining_site_unknown_units{",
            "rules/alerts.yml: MiningFansStopped: no unit test in which it stays silent through a curtailment",
        ),
        (
            "runbooks/MiningSiteDark.md",
            "## Impact",
            "## Effect",
            "MiningSiteDark: its headings must be its name, then Meaning, Impact, Diagnosis, Mitigation",
        ),
        (
            "runbooks/MiningSiteDark.md",
            "site:mining_units:sum",
            "site:mining_machines:sum",
            "runbooks/MiningSiteDark.md: MiningSiteDark: no such metric: site:mining_machines:sum",
        ),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, file: str, before: str, after: str, expected: str) -> None:
    """The check names the file and the rule or alert of a mistake."""
    for folder in ("rules", "runbooks", "dashboards"):
        shutil.copytree(GRAFANA / folder, tmp_path / folder)
    text = (tmp_path / file).read_text(encoding="utf-8")
    assert before in text
    (tmp_path / file).write_text(text.replace(before, after), encoding="utf-8")
    assert [mistake for mistake in rules_lint.lint(tmp_path) if mistake.endswith(expected)], rules_lint.lint(tmp_path)


@pytest.mark.parametrize(
    ("file", "before", "after", "expected"),
    [
        ("rules/alerts.yml", "  - name: ", "  - name: [", "rules/alerts.yml: line "),
        ("rules/alerts.yml", "- alert: MiningSiteDark", "- alrt: MiningSiteDark", "-site: 'record' is missing"),
        ("rules/alerts.yml", "        expr: ", "        query: ", "rules/alerts.yml: Mining"),
        ("rules/tests/alerts_slow.test.yml", "exp_alerts:", "expected:", "'exp_alerts' is missing"),
        ("dashboards/site.json", "{", "{{", "dashboards/site.json: line 1: "),
        (
            "dashboards/site.json",
            '"title": "Coverage"',
            '"name": "Coverage"',
            "dashboards/site.json: 'title' is missing",
        ),
        ("dashboards/site.json", '"expr": ', '"query": ', "'expr' is missing"),
        ("dashboards/site.json", "label_values(", "label_value(", "not label_values(metric, label)"),
        (
            "dashboards/site.json",
            "(container:mining_operating_per_deployed:ratio{",
            "(container:mining_operating:ratio{",
            "dashboards/site.json: 301 'Containers' A: no such metric: container:mining_operating:ratio",
        ),
        (
            "dashboards/site.json",
            '"refresh": "1m"',
            '"refresh": "2m"',
            "dashboards/site.json: differs from the output of `python -m",
        ),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, file: str, before: str, after: str, expected: str) -> None:
    """A malformed rule, test or dashboard is reported in one line with its file, without a traceback."""
    for folder in ("rules", "runbooks", "dashboards"):
        shutil.copytree(GRAFANA / folder, tmp_path / folder)
    text = (tmp_path / file).read_text(encoding="utf-8")
    assert before in text
    (tmp_path / file).write_text(text.replace(before, after), encoding="utf-8")
    mistakes = [*rules_lint.lint(tmp_path), *dashboards_lint.lint(tmp_path)]
    assert [mistake for mistake in mistakes if expected in mistake and mistake.startswith(file)], mistakes


@pytest.mark.parametrize(
    ("expr", "expected"),
    [
        ("sum by (site, cause) (mining_site_units{state='x y'}[5m] offset 1h)", {"mining_site_units"}),
        (
            'a:b:sum * on (job) group_left (site) label_replace(c_d, "e", "f", "", "") > bool 1e12',
            {"a:b:sum", "c_d"},
        ),
        ('avg_over_time((x_y and on () vector(time()))[31d:1h]) == +Inf or absent(up{job="z"})', {"x_y", "up"}),
    ],
)
def test_metric_names(expr: str, expected: set[str]) -> None:
    """Functions, labels, strings, durations and numbers are not metrics."""
    assert rules_lint.metric_names(expr) == expected


def test_summaries_fit_a_phone() -> None:
    """Each summary that promtool expects names its site first, is whole, and has at most 120 characters."""
    tests = [
        test
        for path in sorted((GRAFANA / "rules/tests").glob("*.yml"))
        for test in rules_lint.read_yaml(path, path.name)["tests"]
    ]
    seen = set()
    for each in (each for test in tests for each in test.get("alert_rule_test", ())):
        for expected in each["exp_alerts"]:
            summary, site = expected["exp_annotations"]["summary"], expected["exp_labels"].get("site")
            assert len(summary) <= 120, summary
            assert site is None or summary.startswith(f"{site}: "), summary
            assert not re.search(r"no value|NaN|error|  |[ ,:]$", summary), summary
            seen.add(each["alertname"])
    assert seen == {rule.name for rule in rules_lint.rules() if rule.is_alert}


@pytest.mark.parametrize("level", ["site", "container", "rack", "model", "fleet"])
def test_every_level_records_the_same(level: str) -> None:
    """Each level has the same sums, averages and ratios over each period."""
    names = {rule.name for rule in rules_lint.rules()}
    now = ("deployed", "operating", "known", "uplift", "loss", "energy_efficiency")
    over = (*now, "delivered", "delivered_nameplate")
    expected = {f"{level}:mining_{what}_hashrate_hashes_per_second:sum" for what in now}
    expected |= {f"{level}:mining_power_watts:sum", f"{level}:mining_energy_efficiency_power_watts:sum"}
    for window in ("1h", "1d", "7d", "30d", "mtd"):
        expected |= {f"{level}:mining_{what}_hashrate_hashes_per_second:avg{window}" for what in over}
        expected |= {
            f"{level}:mining_power_watts:avg{window}",
            f"{level}:mining_delivered_per_operating:ratio{window}",
            f"{level}:mining_operating_per_uncurtailed:ratio{window}",
        }
    for window in ("", "1h", "1d", "7d", "30d", "mtd"):
        expected |= {
            f"{level}:mining_{what}:ratio{window}"
            for what in ("operating_per_deployed", "known_per_deployed", "energy_efficiency_j_per_th")
        }
    assert expected - names == set()


def test_owners_are_recorded_now_and_over_the_periods_they_are_shown_for() -> None:
    """Owners have the sums of every level, and ratios of an hour, a day and the month to date."""
    names = {rule.name for rule in rules_lint.rules()}
    now = ("deployed", "operating", "known", "uplift", "loss", "energy_efficiency")
    expected = {f"owner:mining_{what}_hashrate_hashes_per_second:sum" for what in now}
    expected |= {f"owner:mining_operating_per_deployed:ratio{window}" for window in ("", "1h", "1d", "mtd")}
    assert expected - names == set()
    assert not [name for name in names if name.startswith("owner:mining_delivered")]
