"""*Fleet*: the sites side by side, and the months as they are published."""

from grafana.drawing import page, parts
from grafana.drawing.colours import DEPLOYED, OPERATING
from grafana.drawing.parts import COVERAGE, EFFICIENCY, HASHRATE, J_PER_TH, RATIO, Column, Look, Query, column, now

ABOUT = (
    "How much of what was deployed hashes, site by site and over all of them. Sums come first and are divided after, "
    "so a large site weighs as a large site. Days and months are UTC; the figure to publish is that of "
    "`hashsight statement`, in each site's own zone."
)

_SITES = parts.selector(site="$site")
_HS = "hashrate_hashes_per_second"
# The same month, whichever of the four lengths it has: each average is let through only for months of its own.
_MONTH = 'count_values("month", year(vector(time() - 1)) * 100 + month(vector(time() - 1)))'


def _fleet(what: str, operation: str = "sum") -> str:
    """Sum a recorded hashrate of the chosen sites; a site of which two servers tell is one."""
    return f"sum(max by (site) (site:mining_{what}_{_HS}:{operation}{_SITES}))"


def _ratio(window: str, part: str = "operating") -> str:
    return f"{_fleet(part, f'avg{window}')}\n/\n{_fleet('deployed', f'avg{window}')}"


def _month(inner: str, over: str = "avg_over_time", *, is_share: bool = False) -> str:
    """Give a figure of the calendar month that ended at midnight, from the means of its hours; nothing at other times.

    A range of 743 h 45 min with a step of one hour holds the 744 hours of a month of 31 days, whether its left end is
    part of it (Prometheus 2) or not (3).
    """
    lengths = []
    for days in (28, 29, 30, 31):
        hours = days * 24
        value = f"{over}(({inner})[{hours - 1}h45m:1h])" + (f" / {hours}" if is_share else "")
        lengths.append(f"({value} and on () days_in_month(vector(time() - 1)) == {days})")
    return "\nor ".join(lengths)


def _monthly(expr: str) -> Query:
    first = "(day_of_month() == 1 and hour() == 0)"
    return Query(
        expr=f"(\n{expr}\n)\n* on () group_left (month) {_MONTH}\nand on () {first}", is_table=True, interval="1d"
    )


def _monthly_sum(what: str) -> str:
    each = f"max by (site) (site:mining_{what}_{_HS}:avg1h{_SITES})"
    return f"sum(\n{_month(each)}\n)"


def _monthly_curtailed() -> str:
    each = f'max by (site) (site:mining_loss_{_HS}:avg1h{{site=~"$site", cause="curtailed"}})'
    return f"sum(\n{_month(each)}\n)"


def _months() -> parts.Table:
    deployed, operating = _monthly_sum("deployed"), _monthly_sum("operating")
    watched = f"max by (site) (site:mining_watched:ratio1h{_SITES})"
    queries = [
        _monthly(f"sum(max by (site) (site:mining_deployed_{_HS}:sum{_SITES} offset 1m))"),
        _monthly(deployed),
        _monthly(operating),
        _monthly(f"{operating}\n/\n{deployed}"),
        _monthly(f"{operating}\n/\n({deployed}\n-\n{_monthly_curtailed()})"),
        _monthly(f"min(\n{_month(watched, 'sum_over_time', is_share=True)}\n)"),
    ]
    columns = {
        "month": Column(title="Month"),
        "Value #A": Column(title="Deployed at month end", unit=HASHRATE, decimals=2),
        "Value #B": Column(title="Deployed, mean", unit=HASHRATE, decimals=2),
        "Value #C": Column(title="Operating, mean", unit=HASHRATE, decimals=2),
        "Value #D": Column(title="Operational efficiency", unit=RATIO, steps=EFFICIENCY, decimals=2),
        "Value #E": Column(title="... curtailment left out", unit=RATIO, decimals=2),
        "Value #F": Column(title="Watched", unit=RATIO, steps=COVERAGE, decimals=1),
    }
    panel = parts.listing(
        "What were the months, as they are published?",
        "Calendar months in UTC, each from the means of its hours. Operational efficiency is mean operating over mean "
        "deployed, curtailed time included, as the trade publishes it; to two decimals, because 89.70 % is not over "
        "90. Watched is the share of time with figures, of the site with the fewest: a month with little of it is no "
        "month's figure. Shows the last 400 days; with dates chosen above instead of a span, the months between them.",
        queries,
        columns,
        sort_by="Month",
    )
    return panel.time_from("400d")


def _sites_table() -> parts.Table:
    by_site = "max by (site)"
    ratio = f"{by_site} (site:mining_operating_per_deployed:ratio"
    queries = [
        column(f"{by_site} (site:mining_deployed_{_HS}:sum{_SITES})"),
        column(f"{by_site} (site:mining_operating_{_HS}:sum{_SITES})"),
        column(f"{ratio}{_SITES})"),
        column(f"{ratio}1d{_SITES})"),
        column(f"{ratio}mtd{_SITES})"),
        column(f"{by_site} (site:mining_operating_per_uncurtailed:ratiomtd{_SITES})"),
        column(f"{by_site} (site:mining_known_per_deployed:ratio{_SITES})"),
        column(f"{by_site} (site:mining_energy_efficiency_j_per_th:ratio{_SITES})"),
        # The last word of a site that is not heard of any more: it keeps its row, and says since when.
        column(f"time() - max by (site) (last_over_time(timestamp(site:mining_deployed_{_HS}:sum{_SITES})[1d:1m]))"),
    ]
    columns = {
        "site": Column(title="site", link=("Open the site", page.address(page.SITE, site=page.field_of("site")))),
        "Value #A": Column(title="Deployed", unit=HASHRATE, decimals=2),
        "Value #B": Column(title="Operating", unit=HASHRATE, decimals=2),
        "Value #C": Column(title="Efficiency now", unit=RATIO, steps=EFFICIENCY, decimals=2),
        "Value #D": Column(title="24 h", unit=RATIO, steps=EFFICIENCY, decimals=2),
        "Value #E": Column(title="This month", unit=RATIO, steps=EFFICIENCY, decimals=2),
        "Value #F": Column(title="... curtailment left out", unit=RATIO, decimals=2),
        "Value #G": Column(title="Coverage", unit=RATIO, steps=COVERAGE, decimals=1),
        "Value #H": Column(title="Energy efficiency", unit=J_PER_TH, decimals=2),
        "Value #I": Column(
            title="Last heard of", unit=parts.SECONDS, steps=((0, parts.PLAIN), (300, parts.BAD)), decimals=0
        ),
    }
    return parts.listing(
        "How do the sites stand side by side?",
        "One row a site that was heard of within a day. A site that is silent keeps its row, with empty figures and "
        "the time since its last word. A click on a name opens the site.",
        queries,
        columns,
        sort_by="Deployed",
    )


def draw() -> page.Page:
    """Give the dashboard."""
    board = page.Page(
        page.FLEET,
        "hashsight: Fleet",
        ABOUT,
        span="30d",
        zone="utc",
        variables=[page.choice("site", "Site", f"site:mining_deployed_{_HS}:sum")],
    )
    board.row("How much of what is deployed hashes?")
    for title, window, period in (
        ("This month", "mtd", "since the first of this month, UTC"),
        ("30 days", "30d", "over 30 days"),
        ("24 hours", "1d", "over 24 hours"),
    ):
        board.add(
            parts.figure(
                title,
                f'Mean operating over mean deployed {period}, curtailed time included: the trade\'s "over 90 %".',
                now(_ratio(window)),
                RATIO,
                EFFICIENCY,
                decimals=2,
            ),
            width=4,
            height=4,
        )
    board.add(
        parts.figure(
            "Operating now",
            "Sum of the hashrate that fresh readings measured. A site of which not every agent answers is not in it.",
            now(_fleet("operating")),
            HASHRATE,
            decimals=2,
        ),
        parts.figure(
            "Deployed now",
            "Sum of the nameplates of the units in the sites' ledgers, running or not.",
            now(_fleet("deployed")),
            HASHRATE,
            decimals=2,
        ),
        width=4,
        height=4,
    )
    board.add(
        parts.figure(
            "Coverage",
            "Share of the deployed nameplate whose state is known. A silent site is unknown for a day, then gone.",
            now(
                f"{_fleet('known')}\n/\nsum(max by (site) (last_over_time(site:mining_deployed_{_HS}:sum{_SITES}[1d])))"
            ),
            RATIO,
            COVERAGE,
            decimals=1,
        ),
        parts.figure(
            "Silent sites",
            "Sites that had figures within the last day and have none now: down, or one of their agents is.",
            now("max(fleet:mining_sites_unseen:count)"),
            parts.COUNT,
            parts.NONE_ALLOWED,
        ),
        width=2,
        height=4,
    )
    board.row("Where is it, and where is it not?")
    board.add(_sites_table(), width=24, height=9)
    board.add(
        parts.graph(
            "How much of what was deployed hashed?",
            "Operating and deployed hashrate of all chosen sites. A gap in a site's data lowers both.",
            [
                Query(expr=_fleet("deployed"), legend="deployed"),
                Query(expr=_fleet("operating"), legend="operating"),
            ],
            HASHRATE,
            Look(colours={"deployed": DEPLOYED, "operating": OPERATING}, dashed=("deployed",)),
        ),
        parts.graph(
            "Which site is below 90 %?",
            "Operational efficiency of each site, mean over mean of the hour before. The dashed lines are 80 and 90 %.",
            [Query(expr=f"max by (site) (site:mining_operating_per_deployed:ratio1h{_SITES})", legend="{{site}}")],
            RATIO,
            Look(most=1.1, steps=EFFICIENCY),
        ),
        width=12,
        height=9,
    )
    board.row("Months")
    board.add(_months(), width=24, height=9)
    return board
