"""The metric contract holds to its own rules, and the lint sees what breaks them."""

import pytest

from agent.exporters.prometheus.store import ContractRow
from agent.exporters.prometheus.unit_families import SERIES_PER_UNIT
from grafana import contract

GOOD = ContractRow(
    name="mining_site_deployed_hashrate_hashes_per_second",
    kind="gauge",
    labels=("site",),
    help="Sum of the nameplates of the units deployed now.",
)


def only(row: ContractRow) -> list[str]:
    """Return the mistakes of one family, without unneeded exceptions: a contract of one row needs none."""
    return [mistake for mistake in contract.lint([row]) if "an unneeded exception" not in mistake]


def test_the_contract_keeps_its_rules() -> None:
    """The exported contract has no mistakes in names, units, help, labels or series, and no unneeded exceptions."""
    assert contract.lint(contract.families()) == []


def test_a_good_family_has_no_mistakes() -> None:
    """The row that the cases below change has no mistakes itself."""
    assert only(GOOD) == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mining_site_hashrate_terahashes", "'terahashes' is not a base unit"),
        ("mining_site_hashrate_ths", "'ths' is not a base unit"),
        ("mining_site_coverage_percent", "'percent' is not a base unit"),
        ("miner_agent_poll_duration_milliseconds", "'milliseconds' is not a base unit"),
        ("mining_site_power_kilowatts", "'kilowatts' is not a base unit"),
        ("mining_site_energy_kwh", "'kwh' is not a base unit"),
        ("mining_site_efficiency_ratio", "'efficiency' is not a base unit, or is ambiguous"),
        ("mining_site_deployed", "a name ends in a base unit"),
        ("mining_site_units_by_state_units", "labels say what it is split by, not the name"),
        ("mining_site_Deployed_watts", "lower-case words"),
        ("mining_site__deployed_watts", "lower-case words"),
        ("mining_site:deployed_watts", "lower-case words"),
        ("farm_deployed_watts", "a name begins with one of: mining_site_"),
        ("mining_site_polls_total", "ends in _total exactly when its kind is counter; this is a gauge"),
        ("mining_site_build_info", "ends in _info exactly when its kind is info; this is a gauge"),
        ("mining_site_timestamp_reading_seconds", "a timestamp ends in _timestamp_seconds"),
    ],
)
def test_names(name: str, expected: str) -> None:
    """A name with a wrong unit, no unit, an unknown prefix or the suffix of another kind is refused with a reason."""
    row = GOOD._replace(name=name, labels=() if name.startswith("miner_agent_") else GOOD.labels)
    assert any(mistake.startswith(f"{name}: ") and expected in mistake for mistake in only(row)), only(row)


def test_counters_need_their_suffix() -> None:
    """A counter needs _total: without it OpenMetrics and the text format would name different series."""
    row = ContractRow("miner_agent_polls", "counter", ("result",), "Polls by what came of them.")
    assert only(row) == ["miner_agent_polls: a name ends in _total exactly when its kind is counter; this is a counter"]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ((), "its labels begin with site"),
        (("cause", "site"), "its labels begin with site"),
        (("site", "type"), "label 'type' is not in the list"),
        (("site", "url"), "label 'url' is not in the list"),
        (("site", "firmware"), "label 'firmware' is not in the list"),
        (("site", "cause", "cause"), "a label is repeated"),
    ],
)
def test_labels(labels: tuple[str, ...], expected: str) -> None:
    """Each level begins with its own labels; addresses, firmware and other unbounded labels belong to info metrics."""
    assert any(expected in mistake for mistake in only(GOOD._replace(labels=labels)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hashrate.", "help has 20 to 260 characters; this has 9"),
        (f"Sum of {'very ' * 60}much.", "help has 20 to 260 characters"),
        ("sum of the nameplates of all units.", "help is a sentence"),
        ("Sum of the nameplates of all units", "help is a sentence"),
        ("Sum of the nameplates\nof all units.", "help is one line"),
    ],
)
def test_help(text: str, expected: str) -> None:
    """Help is one sentence of at least 20 characters."""
    assert any(expected in mistake for mistake in only(GOOD._replace(help=text)))


def test_duplicates_are_mistakes() -> None:
    """Two families with the same name or help text are a mistake."""
    mistakes = contract.lint([GOOD, GOOD])
    assert f"{GOOD.name}: declared twice" in mistakes
    assert f"help used twice: {GOOD.help}" in mistakes


def test_the_series_of_a_unit_are_within_budget() -> None:
    """The most series per unit and per group, counted from labels and closed lists, are within their budgets."""
    budgets = contract.series_budgets(contract.families())
    assert budgets["miner_"] <= SERIES_PER_UNIT
    assert max(budgets.values()) <= contract.SERIES_PER_GROUP


def test_a_family_too_many_is_seen() -> None:
    """One more family with a series per board exceeds the budget of a unit."""
    more = ContractRow(
        "miner_board_voltage_ratio", "gauge", ("site", "container", "unit", "board"), "Voltage over what is set."
    )
    mistakes = contract.lint([*contract.families(), more])
    assert [mistake for mistake in mistakes if mistake.startswith("miner_*: up to ")]


def test_the_page_shows_every_family() -> None:
    """METRICS.md has one row for each family, with its labels."""
    page = contract.page()
    for row in contract.families():
        assert page.count(f"| `{row.name}` | {row.kind} | {' '.join(row.labels)} |") == 1
