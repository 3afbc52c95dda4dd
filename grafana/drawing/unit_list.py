"""*Units*: the largest shortfalls first, with filters and a link from each row to its unit."""

from grafana.drawing import page, parts
from grafana.drawing.colours import CAUSES, STATES
from grafana.drawing.parts import CELSIUS, HASHRATE, RATIO, Column, Look, Query, column, now

ABOUT = (
    "The hundred units with the largest shortfall, worst first. Filter by site, container, model, make, reader, "
    "firmware, state, cause, or part of a name. Click a unit to open it."
)

_HS = "hashrate_hashes_per_second"
_SITE = parts.selector(site="$site", container="$container")
_KEYS = "site, container, unit"
SHOWN = 100

# Above the last step a board throttles or its unit soon stops; alert rules decide when to notify.
HOT = ((0, "green"), (75, "orange"), (85, "red"))


def _matching() -> str:
    """Return a query for the selected units, as a vector of ones."""
    named = f"miner_info{{{_named()}}}"
    return f'({named}\nand on ({_KEYS}) miner_state{{{_where()}, state=~"$state"}})'


def _named() -> str:
    return f'{_where()}, model=~"$model", make=~"$make", reader=~"$reader", firmware=~"$firmware", unit=~".*$search.*"'


def _where() -> str:
    return 'site=~"$site", container=~"$container"'


def _lost_once() -> str:
    # The maximum counts a unit once that two agents publish.
    return f'max by ({_KEYS}, cause) (miner_loss_{_HS}{{{_where()}, cause=~"$cause"}})'


def _shortfall() -> str:
    lost = f"sum by ({_KEYS}) ({_lost_once()})"
    return f"topk({SHOWN}, {lost}\nand on ({_KEYS}) {_matching()})"


def _of_the_worst(expr: str) -> str:
    return f"{expr}\nand on ({_KEYS}) {_shortfall()}"


def _worst() -> parts.Table:
    each = f"max by ({_KEYS})"
    queries = [
        column(_shortfall()),
        column(_of_the_worst(f"{each} (miner_{_HS}{_SITE})")),
        column(_of_the_worst(f"{each} (miner_nameplate_{_HS}{_SITE})")),
        column(_of_the_worst(f"{each} (miner_{_HS}{_SITE})\n/\n{each} (miner_nameplate_{_HS}{_SITE})")),
        column(_of_the_worst(f"max by ({_KEYS}, state) (miner_state{_SITE})")),
        column(_of_the_worst(f"max by ({_KEYS}, rack, slot, model, make, reader) (miner_info{_SITE})")),
        column(_of_the_worst(f"{each} (miner_board_chip_temperature_celsius{_SITE})")),
        column(_of_the_worst(f"time() - {each} (miner_last_reading_timestamp_seconds{_SITE})")),
        column(_of_the_worst(f"min by ({_KEYS}) (miner_board_chips{_SITE})")),
        column(_of_the_worst(f"max by ({_KEYS}, reason) (miner_reason{_SITE})")),
    ]
    to_unit = page.address(page.UNIT_DETAIL, site=page.field_of("site"), unit=page.field_of("unit"))
    columns = {
        "unit": Column(title="unit", link=("Open the unit", to_unit)),
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
        "Value #D": Column(
            title="Of nameplate", unit=RATIO, steps=((0, "red"), (0.8, "orange"), (0.97, "green")), decimals=1
        ),
        "Value #G": Column(title="Hottest chip", unit=CELSIUS, steps=HOT, decimals=0),
        "Value #I": Column(title="Fewest chips on a board", decimals=0),
        "Value #H": Column(
            title="Last reading",
            unit=parts.SECONDS,
            steps=((0, parts.PLAIN), (60, parts.FAIR), (600, parts.BAD)),
            decimals=0,
        ),
    }
    return parts.listing(
        "Which units have the largest shortfall?",
        f"The {SHOWN} units with the largest shortfall by the selected causes, including curtailed units unless that "
        "cause is deselected. A figure that could not be read is empty, not zero. Click a unit to open it.",
        queries,
        columns,
        hidden=("Value #E", "Value #F", "Value #J"),
        sort_by="Shortfall",
    )


def _ranked(title: str, description: str, expr: str, unit: str, steps: parts.Steps) -> parts.Table:
    to_unit = page.address(page.UNIT_DETAIL, site=page.field_of("site"), unit=page.field_of("unit"))
    columns = {
        "unit": Column(title="unit", link=("Open the unit", to_unit)),
        "site": Column(title="site"),
        "container": Column(title="container"),
        "Value": Column(title="Value", unit=unit, steps=steps),
    }
    return parts.listing(title, description, [column(expr)], columns, sort_by="Value")


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
            now(f"count({_matching()})"),
            parts.COUNT,
        ),
        parts.figure(
            "Their shortfall",
            "Total shortfall of the selected units, by the selected causes.",
            now(f"sum({_lost_once()}\nand on ({_KEYS}) {_matching()})\nor 0 * count(miner_info{{{_named()}}})"),
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
    each = f"max by ({_KEYS})"
    board.add(
        _ranked(
            "Hottest chips",
            "The 20 hottest selected units, by the hottest chip sensor of any board; without computed ones.",
            f"topk(20, {each} (miner_board_chip_temperature_celsius{_SITE})\nand on ({_KEYS}) {_matching()})",
            CELSIUS,
            HOT,
        ),
        width=8,
        height=10,
    )
    rejected = f"{each} (rate(miner_difficulty_rejected_total{_SITE}[1h]))"
    accepted = f"{each} (rate(miner_difficulty_accepted_total{_SITE}[1h]))"
    board.add(
        _ranked(
            "Most rejected work",
            "The 20 selected units with the largest share of work rejected by pools, by difficulty, over an hour.",
            f"topk(20, {rejected}\n/\n(({accepted} + {rejected}) > 0)\nand on ({_KEYS}) {_matching()})",
            RATIO,
            ((0, parts.PLAIN), (0.01, parts.FAIR), (0.03, parts.BAD)),
        ),
        width=8,
        height=10,
    )
    hashing = f'miner_state{{{_where()}, state="hashing"}}'
    slowest = f"min by ({_KEYS}) (miner_fan_speed_rpm{_SITE})\nand on ({_KEYS}) {hashing}"
    board.add(
        _ranked(
            "Slowest fans of hashing units",
            "The 20 selected hashing units with the slowest fan; zero is a stopped fan.",
            f"bottomk(20, {slowest}\nand on ({_KEYS}) {_matching()})",
            parts.RPM,
            ((0, parts.BAD), (1000, parts.PLAIN)),
        ),
        width=8,
        height=10,
    )
    return board
