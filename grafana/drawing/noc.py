"""*NOC*: one site on a wall, without scrolling: how much operates, what took the rest, where, and which alerts fire."""

from grafana.drawing import page, parts
from grafana.drawing.colours import CAUSES, DEPLOYED, EXPECTED, OPERATING
from grafana.drawing.parts import CELSIUS, COVERAGE, EFFICIENCY, HASHRATE, RATIO, Column, Look, Query, column, now
from grafana.drawing.unit_list import HOT
from grafana.levels import CHIP

ABOUT = (
    "One site for a wall: open it with &kiosk in its address, on a screen of 1920 x 1080. Grey means no data, which is "
    "never good news."
)

_HS = "hashrate_hashes_per_second"
_SITE = parts.selector(site="$site")
_FIRING = 'alertstate="firing", site=~"$site", severity!="info"'
_DEPLOYED = f"max(site:mining_deployed_{_HS}:sum{_SITE})"


def _figures(board: page.Page) -> None:
    board.add(
        parts.figure(
            "Operational efficiency",
            "Operating over deployed hashrate now; the trade's target is 90 %.",
            now(f"max(site:mining_operating_per_deployed:ratio{_SITE})"),
            RATIO,
            EFFICIENCY,
            decimals=2,
        ),
        width=6,
        height=6,
    )
    board.add(
        parts.figure(
            "Operating",
            "Sum of hashrate measured in fresh readings.",
            now(f"max(site:mining_operating_{_HS}:sum{_SITE})"),
            HASHRATE,
            decimals=2,
        ),
        parts.figure("Deployed", "Sum of nameplates in the ledger.", now(_DEPLOYED), HASHRATE, decimals=2),
        parts.figure(
            "Coverage",
            "Share of the deployed nameplate whose state is known.",
            now(f"max(site:mining_known_per_deployed:ratio{_SITE})"),
            RATIO,
            COVERAGE,
            decimals=1,
        ),
        parts.figure(
            "24 hours",
            "Operating over deployed, mean over mean.",
            now(f"max(site:mining_operating_per_deployed:ratio1d{_SITE})"),
            RATIO,
            EFFICIENCY,
            decimals=2,
        ),
        parts.figure(
            "This month",
            "Operating over deployed since the first of the month (UTC), mean over mean.",
            now(f"max(site:mining_operating_per_deployed:ratiomtd{_SITE})"),
            RATIO,
            EFFICIENCY,
            decimals=2,
        ),
        parts.figure(
            "Alerts firing",
            "Alerts of this site that fire now, counted only while its agents answer.",
            now(f"count(ALERTS{{{_FIRING}}}) or 0 * {_DEPLOYED}"),
            parts.COUNT,
            parts.NONE_ALLOWED,
        ),
        width=3,
        height=6,
    )


def _losses(board: page.Page) -> None:
    loss = f"sum by (cause) (site:mining_loss_{_HS}:sum{_SITE})"
    board.add(
        parts.graph(
            "The last 24 hours",
            "Deployed comes from the ledger; expected is deployed minus curtailment; operating is measured.",
            [
                Query(expr=_DEPLOYED, legend="deployed"),
                Query(expr=f"max(site:mining_expected_{_HS}:sum{_SITE})", legend="expected"),
                Query(expr=f"max(site:mining_operating_{_HS}:sum{_SITE})", legend="operating"),
            ],
            HASHRATE,
            Look(
                colours={"deployed": DEPLOYED, "expected": EXPECTED, "operating": OPERATING},
                dashed=("deployed", "expected"),
            ),
        ),
        parts.graph(
            "What took the rest",
            "Losses by cause, stacked.",
            [Query(expr=f"{loss} > 0", legend="{{cause}}")],
            HASHRATE,
            Look(stacked=True, colours=CAUSES),
        ),
        width=12,
        height=8,
    )


def _where(board: page.Page) -> None:
    keys = "alertname, container, severity"
    age = f"time() - max by (alertname, container) (ALERTS_FOR_STATE{_SITE})"
    board.add(
        parts.listing(
            "Which alerts fire?",
            "Alerts of this site but for notes, longest first.",
            [
                column(f"max by ({keys}) (ALERTS{{{_FIRING}}})\n* on (alertname, container) group_left () ({age})"),
            ],
            {
                "alertname": Column(title="alert"),
                "container": Column(title="container"),
                "severity": Column(title="severity"),
                "Value": Column(title="for", unit=parts.SECONDS, decimals=0),
            },
            sort_by="for",
        ),
        width=9,
        height=10,
    )
    by = "max by (container)"
    idle = 'sum by (container) (container:mining_units:sum{site=~"$site", state!~"hashing|curtailed|maintenance"})'
    queries = [
        column(f"{by} (container:mining_operating_per_deployed:ratio{_SITE})"),
        column(
            f"{by} (container:mining_deployed_{_HS}:sum{_SITE})\n-\n{by} (container:mining_operating_{_HS}:sum{_SITE})"
        ),
        column(idle),
        column(f"{by} (container:{CHIP}:max{_SITE})"),
        column(f"{by} (container:mining_curtailment_active:max{_SITE})"),
    ]
    units = page.address(page.UNIT_LIST, site="$site", container=page.field_of("container"))
    board.add(
        parts.listing(
            "Which containers?",
            "Containers, worst first; a container without a figure stands where its data would.",
            queries,
            {
                "container": Column(title="container", link=("Open its units", units)),
                "Value #A": Column(title="Efficiency", unit=RATIO, steps=EFFICIENCY, decimals=1),
                "Value #B": Column(title="Missing", unit=HASHRATE, decimals=2),
                "Value #C": Column(title="Units not hashing", decimals=0),
                "Value #D": Column(title="Hottest chip", unit=CELSIUS, steps=HOT, decimals=0),
                "Value #E": Column(title="Curtailed", decimals=0),
            },
            sort_by="Efficiency",
            is_descending=False,
        ),
        width=15,
        height=10,
    )


def draw() -> page.Page:
    """Return the dashboard."""
    board = page.Page(
        page.NOC,
        "hashsight: NOC",
        ABOUT,
        span="24h",
        variables=[page.choice("site", "Site", f"mining_site_deployed_{_HS}", is_single=True)],
        refresh="30s",
    )
    board.row("Now")
    _figures(board)
    _losses(board)
    _where(board)
    return board
