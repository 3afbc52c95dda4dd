"""*Unit*: one machine: state, boards, chips, temperatures, fans, power and pools."""

from grafana.drawing import page, parts
from grafana.drawing.colours import CAUSES, SOURCES, STATES
from grafana.drawing.parts import CELSIUS, HASHRATE, RATIO, Column, Look, Query, column, now
from grafana.drawing.unit_list import HOT

ABOUT = (
    "One unit: its own figures and the state derived from them. Readings vanish when they are stale; state, losses and "
    "the time of the last reading stay. Hashrate is the firmware's 5 s rate unless a title says otherwise. Make, "
    "reader and firmware narrow the list of units."
)

_HS = "hashrate_hashes_per_second"
_UNIT = parts.selector(site="$site", unit="$unit")
_ACCEPTED = f"miner_difficulty_accepted_total{_UNIT}"
_INNER = 'site=~"$site", unit=~"$unit"'


def _one(metric: str) -> str:
    return f"max(miner_{metric}{_UNIT})"


def _numbered_state() -> str:
    """Return a query for the state as a number from 1 in the order of `STATES`, empty without a state."""
    terms = [
        f'{number} * max by (unit) (miner_state{{{_INNER}, state="{state}"}})'
        for number, state in enumerate(STATES, start=1)
    ]
    return "\nor ".join(terms)


def _state_names() -> dict[str, tuple[str, str]]:
    return {str(number): (state, colour) for number, (state, colour) in enumerate(STATES.items(), start=1)}


def _headline(board: page.Page) -> None:
    board.row("How is the unit doing?")
    board.add(
        parts.figure(
            "State", "Its state as the agent judges it.", now(_numbered_state()), parts.COUNT, names=_state_names()
        ),
        parts.figure(
            "Hashrate",
            "As the unit reports it, over 5 s; empty without a fresh reading.",
            now(_one(_HS)),
            HASHRATE,
            decimals=1,
        ),
        parts.figure(
            "Of nameplate",
            "Measured over rated hashrate. The firmware's ideal rate is not the nameplate.",
            now(f"{_one(_HS)}\n/\n{_one(f'nameplate_{_HS}')}"),
            RATIO,
            ((0, parts.BAD), (0.8, parts.FAIR), (0.97, parts.GOOD)),
            decimals=1,
        ),
        parts.figure(
            "Hottest chip",
            "The hottest chip sensor of any board; empty where firmware computes chip temperatures.",
            now(_one("board_chip_temperature_celsius")),
            CELSIUS,
            HOT,
            decimals=0,
        ),
        parts.figure(
            "Last reading",
            "Time since its latest complete reading.",
            now(f"time() - {_one('last_reading_timestamp_seconds')}"),
            parts.SECONDS,
            ((0, parts.PLAIN), (60, parts.FAIR), (600, parts.BAD)),
            decimals=0,
        ),
        parts.figure(
            "Uptime",
            "Time since its miner process started; every change of work mode restarts it.",
            now(_one("uptime_seconds")),
            parts.SECONDS,
        ),
        width=4,
        height=4,
    )
    board.add(
        parts.timeline(
            "Which states was it in?",
            "State over time; a gap is time without the agent.",
            Query(expr=_numbered_state(), legend="{{unit}}"),
            _state_names(),
        ),
        width=24,
        height=4,
    )
    labels = {
        name: Column(title=name)
        for name in (
            "unit",
            "container",
            "rack",
            "slot",
            "model",
            "host",
            "firmware",
            "serial",
            "mac",
            "dialect",
            "cooling",
            "simulated",
            "reader",
            "make",
        )
    }
    keys = ", ".join(labels)
    board.add(
        parts.listing(
            "Identity and place",
            "From the ledger and its latest reading.",
            [column(f"max by ({keys}) (miner_info{_UNIT})")],
            labels,
            hidden=("Value",),
        ),
        width=24,
        height=4,
    )


def _hashing(board: page.Page) -> None:
    board.row("Is it hashing?")
    board.add(
        parts.graph(
            "How much does it hash?",
            "Its 5 s and 30 min rates, against the nameplate.",
            [
                Query(expr=_one(f"nameplate_{_HS}"), legend="nameplate"),
                Query(expr=_one(_HS), legend="5 s"),
                Query(expr=_one("hashrate_30m_hashes_per_second"), legend="30 min"),
            ],
            HASHRATE,
            Look(colours={"nameplate": parts.MISSING, "5 s": "green", "30 min": "blue"}, dashed=("nameplate",)),
        ),
        parts.graph(
            "What is its shortfall, and why?",
            "Hashrate below its nameplate, by cause. Empty means no shortfall, or that the unit was not polled: see "
            "the state.",
            [Query(expr=f"sum by (cause) (max by (unit, cause) (miner_loss_{_HS}{_UNIT}))", legend="{{cause}}")],
            HASHRATE,
            Look(stacked=True, colours=CAUSES),
        ),
        width=12,
        height=8,
    )
    for title, description, metric, unit in (
        ("Boards: hashrate", "Each board, over 5 s.", f"board_{_HS}", HASHRATE),
        ("Boards: chips", "Chips that answered at enumeration; 0 until a board is up.", "board_chips", parts.COUNT),
        ("Boards: clock", "Mean chip clock of each board.", "board_frequency_hertz", parts.HERTZ),
    ):
        board.add(
            parts.graph(
                title,
                description,
                [Query(expr=f"max by (board) (miner_{metric}{_UNIT})", legend="board {{board}}")],
                unit,
            ),
            width=8,
            height=8,
        )


def _body(board: page.Page) -> None:
    board.row("Is the hardware healthy?")
    board.add(
        parts.graph(
            "Temperatures",
            "The hottest chip sensor of each board, where there are any, and the hottest board sensor of the unit.",
            [
                Query(
                    expr=f"max by (board) (miner_board_chip_temperature_celsius{_UNIT})",
                    legend="chips of board {{board}}",
                ),
                Query(expr=_one("pcb_temperature_celsius"), legend="boards"),
            ],
            CELSIUS,
            Look(least=None),
        ),
        parts.graph(
            "Fans",
            "Speed of each fan, in the firmware's order; empty for units without fans.",
            [Query(expr=f"max by (fan) (miner_fan_speed_rpm{_UNIT})", legend="fan {{fan}}")],
            parts.RPM,
        ),
        parts.graph(
            "Power",
            "Power by source.",
            [Query(expr=f"max by (source) (miner_power_watts{_UNIT})", legend="{{source}}")],
            parts.WATTS,
            Look(colours=SOURCES),
        ),
        parts.graph(
            "Hardware errors",
            "Per board and second. The counter restarts with the miner process.",
            [
                Query(
                    expr=f"max by (board) (rate(miner_board_hardware_errors_total{_UNIT}[$__rate_interval]))",
                    legend="board {{board}}",
                )
            ],
            parts.PER_SECOND,
        ),
        parts.graph(
            "Shares",
            "Per second, by result, averaged over ten minutes because they are read less often.",
            [Query(expr=f"max by (result) (rate(miner_shares_total{_UNIT}[10m]))", legend="{{result}}")],
            parts.PER_SECOND,
        ),
        width=8,
        height=8,
    )
    board.add(
        parts.graph(
            "Pools alive",
            "Configured pools that its firmware reports alive.",
            [Query(expr=_one("pools_alive"), legend="alive")],
            parts.COUNT,
        ),
        parts.graph(
            "Do its pools credit what it reports?",
            "Accepted difficulty x 2^32 over an hour, once an hour is known, against its own 30 min rate. Share luck "
            "is large for a single unit.",
            [
                Query(
                    expr=f"max(rate({_ACCEPTED}[1h]) and {_ACCEPTED} offset 1h) * 2^32",
                    legend="delivered, 1 h",
                ),
                Query(expr=_one("hashrate_30m_hashes_per_second"), legend="reported, 30 min"),
            ],
            HASHRATE,
        ),
        width=4,
        height=8,
    )


def draw() -> page.Page:
    """Return the dashboard."""
    board = page.Page(
        page.UNIT_DETAIL,
        "hashsight: Unit",
        ABOUT,
        span="24h",
        variables=[
            page.choice("site", "Site", f"mining_site_deployed_{_HS}", is_single=True),
            page.choice("make", "Make", "miner_info", of=["site"]),
            page.choice("reader", "Reader", "miner_info", of=["site", "make"]),
            page.choice("firmware", "Firmware", "miner_info", of=["site", "make", "reader"]),
            page.choice("unit", "Unit", "miner_info", of=["site", "make", "reader", "firmware"], is_single=True),
        ],
    )
    board.annotate(
        page.annotation(
            "Curtailment",
            "max by (site) (site:mining_curtailment_active:max" + parts.selector(site="$site") + ") == 1",
            CAUSES["curtailed"],
            "Curtailment declared at {{site}}",
            "of some unit of the site",
        )
    )
    _headline(board)
    _hashing(board)
    _body(board)
    return board
