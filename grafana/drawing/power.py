"""Of a site: what it draws, by whose word, and for how much work."""

from grafana.drawing import page, parts
from grafana.drawing.colours import SOURCES
from grafana.drawing.parts import J_PER_TH, RATIO, WATTS, Look, Query

_SITE = parts.selector(site="$site")


def power(board: page.Page) -> None:
    """Draw watts by source, J/TH, and of how much of the site that is known."""
    board.row("What does it draw?")
    board.add(
        parts.graph(
            "How much power, and by whose word?",
            "Each part by the most trusted word there is: metered, else reported by the firmware, else modelled from "
            "nameplate and hashrate. Stock S21/T21 firmware reports none; modelled watts are good to some 5 %.",
            [Query(expr=f"sum by (source) (site:mining_power_watts:sum{_SITE})", legend="{{source}}")],
            WATTS,
            Look(stacked=True, colours=SOURCES),
        ),
        width=10,
        height=8,
    )
    board.add(
        parts.graph(
            "How many joules for a terahash?",
            "Watts for each TH/s over the units that have both figures. Lower is better; not operational efficiency.",
            [Query(expr=f"max(site:mining_energy_efficiency_j_per_th:ratio{_SITE})", legend="energy efficiency")],
            J_PER_TH,
            Look(least=None, colours={"energy efficiency": "blue"}),
        ),
        width=8,
        height=8,
    )
    board.add(
        parts.graph(
            "Of how much is that known?",
            "Share of the deployed nameplate that energy efficiency speaks for.",
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
