"""Row of the Site dashboard on containers, racks, models and firmware."""

from grafana.drawing import page, parts
from grafana.drawing.colours import DEPLOYED
from grafana.drawing.parts import (
    CELSIUS,
    COVERAGE,
    EFFICIENCY,
    HASHRATE,
    J_PER_TH,
    RATIO,
    Column,
    Look,
    Query,
    column,
    now,
)
from grafana.levels import CHIP
from grafana.sums import KNOWN_UNITS

_SITE = parts.selector(site="$site")
_CONTAINER = parts.selector(site="$site", container="$container")
_MODEL = parts.selector(site="$site", model="$model")
_HS = "hashrate_hashes_per_second"

_HEAT = "Red is 70 % or less, yellow 85 %, green 100 %; an empty cell means no data."


def places(board: page.Page) -> None:
    """Draw containers and racks over time; containers, models and firmware now."""
    board.row("Which container, which rack, which model, which firmware?")
    board.add(
        parts.heat(
            "Containers",
            f"Operational efficiency over time, one row per container. {_HEAT}",
            Query(
                expr=f"max by (container) (container:mining_operating_per_deployed:ratio{_CONTAINER})",
                legend="{{container}}",
            ),
            RATIO,
            what="operational efficiency",
            ends=(0.7, 1),
        ),
        parts.heat(
            "Racks",
            f"Operational efficiency over time, one row per rack of the selected containers. {_HEAT}",
            Query(
                expr=f"max by (container, rack) (rack:mining_operating_per_deployed:ratio{_CONTAINER})",
                legend="{{container}} {{rack}}",
            ),
            RATIO,
            what="operational efficiency",
            ends=(0.7, 1),
        ),
        width=12,
        height=10,
    )
    board.add(
        parts.graph(
            "How hot are the chips?",
            "Hottest chip sensor of each selected container, and as a dashed line what 95 % of all units' hottest "
            "chips stay below. Firmware that computes chip temperatures is left out.",
            [
                Query(expr=f"max by (container) (container:{CHIP}:max{_CONTAINER})", legend="{{container}}"),
                Query(expr=f"max(container:{CHIP}:p95{_CONTAINER})", legend="95 % of units"),
            ],
            CELSIUS,
            Look(dashed=("95 % of units",), colours={"95 % of units": DEPLOYED}, least=None),
        ),
        parts.heat(
            "Hottest chip by rack",
            "Hottest chip sensor over time, one row per rack of the selected containers. Green is 60 C or less, red "
            "90 C; an empty cell means no data.",
            Query(expr=f"max by (container, rack) (rack:{CHIP}:max{_CONTAINER})", legend="{{container}} {{rack}}"),
            CELSIUS,
            what="hottest chip",
            ends=(60, 90),
            is_low_good=True,
        ),
        width=12,
        height=9,
    )
    board.add(_groups("Containers now", "container", "container", _CONTAINER), width=13, height=9)
    board.add(_groups("Models now", "model", "model", _MODEL), width=11, height=9)
    board.add(_firmware(), width=13, height=9)
    board.add(
        parts.bars(
            "Readings by reader",
            "Units whose reading counts now, by the reader that read them: antminer reads stock firmware, foreign "
            "other makes through pyasic.",
            now(f"sort_desc(max by (reader) (mining_site_reader_units{_SITE}))", "{{reader}}"),
            parts.COUNT,
        ),
        width=11,
        height=9,
    )


def _firmware() -> parts.Table:
    kind = "make, reader, firmware"
    where = {"site": "$site", **{label: page.field_of(label) for label in ("make", "reader", "firmware")}}
    columns = {
        "make": Column(title="make"),
        "reader": Column(title="reader"),
        "firmware": Column(title="firmware", link=("Open its units", page.address(page.UNIT_LIST, **where))),
        "Value": Column(title="Units", decimals=0),
    }
    return parts.listing(
        "Firmware now",
        "Units of the selected containers that have been polled, by make, reader and firmware. Click a firmware to "
        "open its units.",
        [column(f"count by ({kind}) ({KNOWN_UNITS}{_CONTAINER})")],
        columns,
        sort_by="Units",
    )


def owners(board: page.Page) -> None:
    """Draw the owners of a site's units; without any the table has no data."""
    board.row("Which owner?")
    ratio = "owner:mining_operating_per_deployed:ratio"
    queries = [
        column(f"max by (owner) (owner:mining_deployed_{_HS}:sum{_SITE})"),
        column(f"max by (owner) (owner:mining_operating_{_HS}:sum{_SITE})"),
        column(f"max by (owner) ({ratio}{_SITE})"),
        column(f"max by (owner) ({ratio}1d{_SITE})"),
        column(f"max by (owner) ({ratio}mtd{_SITE})"),
        column(f"max by (owner) (owner:mining_known_per_deployed:ratio{_SITE})"),
        column(f"max by (owner) (owner:mining_energy_efficiency_j_per_th:ratio{_SITE})"),
    ]
    columns = {
        "owner": Column(title="owner"),
        "Value #A": Column(title="Deployed", unit=HASHRATE, decimals=2),
        "Value #B": Column(title="Operating", unit=HASHRATE, decimals=2),
        "Value #C": Column(title="Efficiency now", unit=RATIO, steps=EFFICIENCY, decimals=2),
        "Value #D": Column(title="24 h", unit=RATIO, steps=EFFICIENCY, decimals=2),
        "Value #E": Column(title="This month", unit=RATIO, steps=EFFICIENCY, decimals=2),
        "Value #F": Column(title="Coverage", unit=RATIO, steps=COVERAGE, decimals=1),
        "Value #G": Column(title="Energy efficiency", unit=J_PER_TH, decimals=2),
    }
    table = parts.listing(
        "Owners now",
        "Each owner in the ledger, where it names any, and the units without one; together they are the site. Months "
        "are UTC's; `hashsight statement --owner` has the figures to publish.",
        queries,
        columns,
        sort_by="Efficiency now",
        is_descending=False,
    )
    board.add(table, width=24, height=8)


def _groups(title: str, level: str, label: str, chosen: str) -> parts.Table:
    by = f"max by ({label})"
    queries = [
        column(f"{by} ({level}:mining_deployed_{_HS}:sum{chosen})"),
        column(f"{by} ({level}:mining_operating_{_HS}:sum{chosen})"),
        column(f"{by} ({level}:mining_operating_per_deployed:ratio{chosen})"),
        column(f"{by} ({level}:mining_operating_per_deployed:ratio1d{chosen})"),
        column(f"{by} ({level}:mining_known_per_deployed:ratio{chosen})"),
        column(f"{by} ({level}:mining_energy_efficiency_j_per_th:ratio{chosen})"),
    ]
    where = {"site": "$site", label: page.field_of(label)}
    columns = {
        label: Column(title=label, link=("Open its units", page.address(page.UNIT_LIST, **where))),
        "Value #A": Column(title="Deployed", unit=HASHRATE, decimals=2),
        "Value #B": Column(title="Operating", unit=HASHRATE, decimals=2),
        "Value #C": Column(title="Efficiency now", unit=RATIO, steps=EFFICIENCY, decimals=2),
        "Value #D": Column(title="24 h", unit=RATIO, steps=EFFICIENCY, decimals=2),
        "Value #E": Column(title="Coverage", unit=RATIO, steps=COVERAGE, decimals=1),
        "Value #F": Column(title="Energy efficiency", unit=J_PER_TH, decimals=2),
    }
    return parts.listing(
        title,
        f"Each {label} of the site now. Click a name to open its units.",
        queries,
        columns,
        sort_by="Efficiency now",
        is_descending=False,
    )
