"""Row of the Site dashboard on power and energy efficiency."""

from grafana.drawing import page, parts
from grafana.drawing.colours import SOURCES
from grafana.drawing.parts import J_PER_TH, RATIO, WATTS, Look, Query

_SITE = parts.selector(site="$site")


def power(board: page.Page) -> None:
    """Draw watts by source, J/TH, and the share of the site it covers."""
    board.row("How much power does it draw?")
    board.add(
        parts.graph(
            "Power by source",
            "Each unit or container by its most trusted source: metered, else measured by the unit's power supply, "
            "else estimated by its firmware, else modelled from nameplate and hashrate. Stock firmware before 2026 "
            "reports none. Bitmain states +-5 % for power; estimated and modelled watts are no better.",
            [Query(expr=f"sum by (source) (site:mining_power_watts:sum{_SITE})", legend="{{source}}")],
            WATTS,
            Look(stacked=True, colours=SOURCES),
        ),
        width=10,
        height=8,
    )
    board.add(
        parts.graph(
            "How many joules per terahash?",
            "Watts per TH/s over the units with both figures. Lower is better; this is not operational efficiency.",
            [Query(expr=f"max(site:mining_energy_efficiency_j_per_th:ratio{_SITE})", legend="energy efficiency")],
            J_PER_TH,
            Look(least=None, colours={"energy efficiency": "blue"}),
        ),
        width=8,
        height=8,
    )
    board.add(
        parts.graph(
            "How much of the site has J/TH?",
            "Share of the deployed nameplate covered by energy efficiency.",
            [
                Query(
                    expr=f"max(site:mining_energy_efficiency_nameplate_per_deployed:ratio{_SITE})",
                    legend="share of deployed",
                )
            ],
            RATIO,
            Look(most=1, colours={"share of deployed": "blue"}),
        ),
        width=6,
        height=8,
    )
