"""*Units*: the largest shortfalls first, with filters and a link from each row to its unit."""

from typing import Any

from grafana.drawing import page, parts
from grafana.drawing.colours import CAUSES, STATES
from grafana.drawing.parts import CELSIUS, HASHRATE, RATIO, Column, Look, Query, column, now
from grafana.sums import (
    HOTTEST_CHIPS,
    KNOWN_LOSSES,
    KNOWN_UNITS,
    LARGE_LOSSES,
    LARGE_RATIO,
    REJECTED_UNITS,
    SLOWEST_FANS,
)

ABOUT = (
    "The hundred units with the largest shortfall, worst first. Filter by site, container, model, make, reader, "
    "firmware, state, cause, or part of a name. Click a unit to open it."
)

_HS = "hashrate_hashes_per_second"
_SITE = parts.selector(site="$site", container="$container")
_KEYS = "site, container, unit"
SHOWN = 100
_CAUSE = 'cause=~"$cause"'
HASHING = 'state="hashing"'

# Above the last step a board throttles or its unit soon stops; alert rules decide when to notify.
HOT = ((0, "green"), (75, "orange"), (85, "red"))


def _chosen(*more: str) -> str:
    """Return the selector of the filters, for series that have all that is known of a unit."""
    filters = (
        f"{_where()}, {_named()}",
        'state=~"$state", unit=~".*$search.*"',
        *more,
    )
    return "{" + ", ".join(filters) + "}"


def _named() -> str:
    return 'model=~"$model", make=~"$make", reader=~"$reader", firmware=~"$firmware"'


def _where() -> str:
    return 'site=~"$site", container=~"$container"'


def _lost(by: str) -> str:
    return f"sum by ({by}) ({LARGE_LOSSES}{_chosen(_CAUSE)})"


def _worst_units() -> str:
    return f"topk({SHOWN}, {_lost(_KEYS)})"


def _of_the_worst(series: str, *more: str) -> str:
    """Return a query for one figure of the listed units; the others are left out before anything is summed up."""
    return f"max by ({', '.join((_KEYS, *more))}) (\n{series}\nand on ({_KEYS}) {_worst_units()}\n)"


def _own_pages(units: str) -> Query:
    """Return the query that gives each of these units its site's address, for its links."""
    return column(f"({units})\n* on (site) group_left (url) {page.pages(parts.selector(site='$site'))}")


_URL = Column(title="url", is_hidden=True)


def _unit_links() -> dict[str, Any]:
    to_unit = page.address(page.UNIT_DETAIL, site=page.field_of("site"), unit=page.field_of("unit"))
    return {"link": ("Open the unit", to_unit), "more_links": page.own_pages(page.field_of("unit"))}


def _worst() -> parts.Table:
    shown = f"{_KEYS}, rack, slot, model, make, reader, host, state"
    queries = [
        column(f"topk({SHOWN}, {_lost(shown)})"),
        column(_of_the_worst(f"miner_{_HS}{_SITE}")),
        column(_of_the_worst(f"miner_nameplate_{_HS}{_SITE}")),
        column(_of_the_worst(f"miner_reason{_SITE}", "reason")),
        column(_of_the_worst(f"{HOTTEST_CHIPS}{_chosen()}")),
        column(f"time() - {_of_the_worst(f'miner_last_reading_timestamp_seconds{_SITE}')}"),
        _own_pages(_worst_units()),
    ]
    columns = {
        "unit": Column(title="unit", **_unit_links()),
        "site": Column(title="site"),
        "container": Column(title="container"),
        "rack": Column(title="rack"),
        "slot": Column(title="slot"),
        "model": Column(title="model"),
        "make": Column(title="make"),
        "reader": Column(title="reader"),
        "state": Column(title="state"),
        "reason": Column(title="reason"),
        "Value #A": Column(title="Shortfall", unit=HASHRATE, decimals=1),
        "Value #B": Column(title="Hashrate", unit=HASHRATE, decimals=1),
        "Value #C": Column(title="Nameplate", unit=HASHRATE, decimals=1),
        "Of nameplate": Column(
            title="Of nameplate", unit=RATIO, steps=((0, "red"), (0.8, "orange"), (0.97, "green")), decimals=1
        ),
        "Value #E": Column(title="Hottest chip", unit=CELSIUS, steps=HOT, decimals=0),
        "Value #F": Column(
            title="Last reading",
            unit=parts.SECONDS,
            steps=((0, parts.PLAIN), (60, parts.FAIR), (600, parts.BAD)),
            decimals=0,
        ),
        "host": Column(title="address"),
        "url": _URL,
    }
    return parts.listing(
        "Which units have the largest shortfall?",
        f"The {SHOWN} units with the largest shortfall by the selected causes, including curtailed units unless that "
        f"cause is deselected. Losses below {LARGE_RATIO:.0%} of a nameplate are left out. A figure that could not be "
        "read is empty, not zero. Click a unit to open it here, in hashsight or at its own address.",
        queries,
        columns,
        hidden=("Value #D", "Value #G"),
        sort_by="Shortfall",
        ratio=("Of nameplate", "Value #B", "Value #C"),
    )


def _ranked(title: str, description: str, expr: str, unit: str, steps: parts.Steps) -> parts.Table:
    columns = {
        "unit": Column(title="unit", **_unit_links()),
        "site": Column(title="site"),
        "container": Column(title="container"),
        "rack": Column(title="rack"),
        "slot": Column(title="slot"),
        "host": Column(title="address"),
        "Value #A": Column(title="Value", unit=unit, steps=steps),
        "url": _URL,
    }
    queries = [column(expr), _own_pages(f"max by ({_KEYS}) ({expr})")]
    return parts.listing(title, description, queries, columns, hidden=("Value #B",), sort_by="Value")


def draw() -> page.Page:
    """Return the dashboard."""
    states, causes = (
        page.choice("state", "State", "miner_state", of=["site", "container"]),
        page.choice("cause", "Cause", f"miner_loss_{_HS}", of=["site", "container"]),
    )
    board = page.Page(
        page.UNIT_LIST,
        "hashsight: Units",
        ABOUT,
        span="6h",
        variables=[
            page.choice("site", "Site", f"mining_site_deployed_{_HS}"),
            page.choice("container", "Container", f"mining_container_deployed_{_HS}", of=["site"]),
            page.choice("model", "Model", f"mining_model_deployed_{_HS}", of=["site"]),
            page.choice("make", "Make", "miner_info", of=["site", "container"]),
            page.choice("reader", "Reader", "miner_info", of=["site", "container", "make"]),
            page.choice("firmware", "Firmware", "miner_info", of=["site", "container", "make", "reader"]),
            states,
            causes,
            page.search("search", "Name contains"),
        ],
    )
    board.row("Which units need attention?")
    # Graphs use the series recorded for containers: those of thousands of units over hours take Prometheus seconds.
    chosen = f'sum by (state) (container:mining_units:sum{{{_where()}, state=~"$state"}})'
    board.add(
        parts.figure(
            "Selected units",
            "Units that match the filters above and have been polled.",
            now(f"count({KNOWN_UNITS}{_chosen()})"),
            parts.COUNT,
        ),
        parts.figure(
            "Their shortfall",
            "Total shortfall of the selected units, by the selected causes.",
            now(f"sum({KNOWN_LOSSES}{_chosen(_CAUSE)})\nor 0 * count({KNOWN_UNITS}{_chosen()})"),
            HASHRATE,
            ((0, parts.PLAIN),),
            decimals=2,
        ),
        width=4,
        height=5,
    )
    board.add(
        parts.graph(
            "Which states were they in?",
            "Units by state, of the selected sites, containers and states; the other filters do not apply.",
            [Query(expr=chosen, legend="{{state}}")],
            parts.COUNT,
            Look(stacked=True, colours=STATES),
        ),
        width=8,
        height=5,
    )
    by_cause = f'sum by (cause) (container:mining_loss_{_HS}:sum{{{_where()}, cause=~"$cause"}}) > 0'
    board.add(
        parts.graph(
            "What took it?",
            "Shortfall by cause, of the selected sites, containers and causes; the other filters do not apply.",
            [Query(expr=by_cause, legend="{{cause}}")],
            HASHRATE,
            Look(stacked=True, colours=CAUSES),
        ),
        width=8,
        height=5,
    )
    board.add(_worst(), width=24, height=14)
    board.row("Which units are at risk?")
    board.add(
        _ranked(
            "Hottest chips",
            "The 20 hottest selected units, by the hottest chip sensor of any board; without computed ones.",
            f"topk(20, {HOTTEST_CHIPS}{_chosen()})",
            CELSIUS,
            HOT,
        ),
        width=8,
        height=10,
    )
    board.add(
        _ranked(
            "Most rejected work",
            "The 20 selected units with the largest share of work rejected by pools, by difficulty, over an hour.",
            f"topk(20, {REJECTED_UNITS}{_chosen()})",
            RATIO,
            ((0, parts.PLAIN), (0.01, parts.FAIR), (0.03, parts.BAD)),
        ),
        width=8,
        height=10,
    )
    board.add(
        _ranked(
            "Slowest fans of hashing units",
            "The 20 selected hashing units with the slowest fan; zero is a stopped fan.",
            f"bottomk(20, {SLOWEST_FANS}{_chosen(HASHING)})",
            parts.RPM,
            ((0, parts.BAD), (1000, parts.PLAIN)),
        ),
        width=8,
        height=10,
    )
    poolless = (
        f"topk({SHOWN}, {KNOWN_UNITS}{_chosen()}\nand on ({_KEYS}) (max by ({_KEYS}) (miner_pools_alive{_SITE}) == 0))"
    )
    board.add(
        parts.listing(
            "No pool alive",
            "Units of which the firmware calls no pool alive, up to 100: what they hash earns nothing.",
            [column(poolless), _own_pages(f"max by ({_KEYS}) ({poolless})")],
            {
                "unit": Column(title="unit", **_unit_links()),
                "site": Column(title="site"),
                "container": Column(title="container"),
                "rack": Column(title="rack"),
                "slot": Column(title="slot"),
                "model": Column(title="model"),
                "firmware": Column(title="firmware"),
                "state": Column(title="state"),
                "host": Column(title="address"),
                "url": _URL,
            },
            hidden=("Value #A", "Value #B", "make", "reader"),
        ),
        width=24,
        height=8,
    )
    return board
