"""The site's figures as text and tables for terminals, and as JSON."""

from collections.abc import Iterable, Mapping

from rich.console import Group
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from agent.site.totals import Figures, SiteFigures
from agent.text.losses import LossLine, units_text
from agent.text.numbers import ABSENT, SURE_COVERAGE_RATIO, TARGET_RATIO, hashrate_text, ratio_text
from agent.text.power import power_line


def headline(name: str, figures: Figures) -> Text:
    """Return the headline: operating of deployed, operational efficiency, coverage."""
    ratio = figures.operational_efficiency_ratio
    text = Text.assemble(
        (name, "bold"),
        f": operating {hashrate_text(figures.operating_hs)} of {hashrate_text(figures.deployed_hs)} deployed = ",
    )
    if not figures.deployed_hs:
        text.append("nothing deployed")
        return text
    coverage = figures.coverage_ratio or 0.0
    if ratio is None:
        text.append("not known", "bold")
    else:
        is_met, is_sure = ratio > TARGET_RATIO, coverage >= SURE_COVERAGE_RATIO
        colour = ("green" if is_met else "red") if is_sure else "yellow"
        text.append(ratio_text(ratio), f"bold {colour}")
        verdict = "above" if is_met else "not above"
        text.append(f" operational efficiency ({verdict} 90 %{'' if is_sure else ', as far as is known'})")
    text.append(f", coverage {ratio_text(coverage, 1)}")
    return text


def curtailment_line(figures: Figures) -> Text:
    """Return curtailed hashrate, stragglers and units that did not come back; empty if there are none."""
    parts = []
    if figures.curtailment_nameplate_hs:
        left = f", {hashrate_text(figures.curtailment_target_hs)} left to hash" if figures.curtailment_target_hs else ""
        parts.append(f"{hashrate_text(figures.curtailment_nameplate_hs)} inside events{left}")
    if figures.stragglers:
        parts.append(f"{figures.stragglers:,} stragglers still hashing")
    if figures.unrestored:
        parts.append(f"{figures.unrestored:,} units did not come back")
    return Text(f"curtailment: {'; '.join(parts)}" if parts else "")


def lateness_lines(figures: Figures) -> list[Text]:
    """Return a line about what was not looked at in time; none if all was."""
    if not figures.overdue_units:
        return []
    share = ratio_text(figures.overdue_hs / figures.deployed_hs, 1)
    words = (
        f"this agent is late: {figures.overdue_units:,} of {units_text(figures.units)} ({share} of deployed) not looked"
        " at lately; they count as they were then"
    )
    return [Text(words, "bold red")]


def loss_table(figures: Figures, lines: Iterable[LossLine]) -> Table:
    """Return the losses by cause, largest first, with their places."""
    table = Table(title="losses by cause", title_justify="left", box=None)
    table.add_column("cause", overflow="fold")
    for column in ("hashrate", "of deployed"):
        table.add_column(column, justify="right", overflow="fold")
    table.add_column("where", overflow="fold")
    for line in lines:
        share = ratio_text(line.hashrate_hs / figures.deployed_hs)
        table.add_row(escape(line.words), hashrate_text(line.hashrate_hs), share, escape(line.where))
    if figures.uplift_hs > 0:
        share = ratio_text(figures.uplift_hs / figures.deployed_hs)
        table.add_row("less: uplift above nameplate", hashrate_text(figures.uplift_hs), share)
    return table


def container_table(figures: SiteFigures) -> Table:
    """Return one row per container: units by state, operating of deployed."""
    return _group_table("container", figures.by_container)


def owner_table(figures: SiteFigures) -> Table:
    """Return the same with one row per owner."""
    return _group_table("owner", figures.by_owner)


def _group_table(kind: str, groups: Mapping[str, Figures]) -> Table:
    table = Table(title=f"{kind}s", title_justify="left", box=None)
    table.add_column(kind, overflow="fold")
    for column in ("units", "hashing", "not hashing", "operating", "deployed", "efficiency"):
        table.add_column(column, justify="right", overflow="fold")
    for name, group in groups.items():
        others = [f"{units} {state}" for state, units in group.units_by_state.items() if units and state != "hashing"]
        table.add_row(
            escape(name or ABSENT),
            f"{group.units:,}",
            f"{group.units_by_state['hashing']:,}",  # type: ignore[index]  # a StrEnum's value is its key
            ", ".join(others) or ABSENT,
            hashrate_text(group.operating_hs),
            hashrate_text(group.deployed_hs),
            ratio_text(group.operational_efficiency_ratio),
        )
    return table


def site_summary(name: str, figures: SiteFigures, lines: Iterable[LossLine]) -> Group:
    """Return headline, power, curtailment, losses, containers, and owners where the ledger names any, stacked."""
    return Group(
        headline(name, figures.site),
        Text(power_line(figures)),
        *lateness_lines(figures.site),
        curtailment_line(figures.site),
        loss_table(figures.site, lines),
        "",
        container_table(figures),
        *(("", owner_table(figures)) if figures.by_owner else ()),
    )


def site_fields(name: str, figures: SiteFigures) -> dict[str, object]:
    """Return the same figures for JSON, in base units."""

    def group(each: Figures) -> dict[str, object]:
        return {
            "units": each.units,
            "deployed_hs": each.deployed_hs,
            "operating_hs": each.operating_hs,
            "uplift_hs": each.uplift_hs,
            "operational_efficiency_ratio": each.operational_efficiency_ratio,
            "coverage_ratio": each.coverage_ratio,
            "watts_by_source": each.watts_by_source,
            "metered_watts": each.metered_watts,
            "unit_watts": each.unit_watts,
            "energy_efficiency_j_per_th": each.energy_efficiency_j_per_th,
            "efficient_deployed_hs": each.efficient_deployed_hs,
            "curtailment_nameplate_hs": each.curtailment_nameplate_hs,
            "curtailment_target_hs": each.curtailment_target_hs,
            "curtailment_operating_hs": each.curtailment_operating_hs,
            "stragglers": each.stragglers,
            "unrestored": each.unrestored,
            "overdue_units": each.overdue_units,
            "overdue_hs": each.overdue_hs,
            "units_by_reason": each.units_by_reason,
            "losses_hs": each.losses_hs,
            "units_by_state": each.units_by_state,
        }

    return {
        "site": name,
        "at": figures.at,
        **group(figures.site),
        "containers": {container: group(each) for container, each in figures.by_container.items()},
        "owners": {owner: group(each) for owner, each in figures.by_owner.items()},
    }
