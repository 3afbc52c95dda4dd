"""*Fleet*: the sites side by side, and months as published."""

from grafana.drawing import page, parts
from grafana.drawing.colours import DEPLOYED, OPERATING
from grafana.drawing.parts import COVERAGE, EFFICIENCY, HASHRATE, J_PER_TH, RATIO, Column, Look, Query, column, now
from grafana.drawing.work import diverted_by_site

ABOUT = (
    "How much of the deployed hashrate operates, by site and in total. Ratios divide sums, so a large site weighs more "
    "than a small one. Days and months are UTC; the figure to publish comes from `hashsight statement`, in each site's "
    "own time zone."
)

_SITES = parts.selector(site="$site")
_HS = "hashrate_hashes_per_second"
# The month as a label, as in 202510: year times 100 plus month, of the second before.
_MONTH = 'count_values("month", year(vector(time() - 1)) * 100 + month(vector(time() - 1)))'


def _fleet(what: str, operation: str = "sum") -> str:
    """Return the sum of a recorded hashrate over the selected sites, deduplicated across servers."""
    return f"sum(max by (site) (site:mining_{what}_{_HS}:{operation}{_SITES}))"


def _ratio(window: str, part: str = "operating") -> str:
    return f"{_fleet(part, f'avg{window}')}\n/\n{_fleet('deployed', f'avg{window}')}"


def _month(inner: str, over: str = "avg_over_time", *, is_share: bool = False) -> str:
    """Return a figure of the calendar month that ended at midnight, from its hourly means.

    Each of the four lengths of a month has a term, which has a value only after a month of that length. A month
    of 31 days has 744 hours. A range of 743 h 45 min with a step of one hour holds all of them, whether Prometheus
    includes the left end of a range (version 2) or not (3).
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
        "Value #E": Column(title="... without curtailment", unit=RATIO, decimals=2),
        "Value #F": Column(title="Watched", unit=RATIO, steps=COVERAGE, decimals=1),
    }
    panel = parts.listing(
        "What were the months as published?",
        "Calendar months in UTC, from hourly means. Operational efficiency is mean operating over mean deployed, "
        "curtailed time included, as the trade publishes it, to two decimals because 89.70 % is not over 90. Watched "
        "is the share of time with figures, for the site with the least. A month with little of it is not worth "
        "publishing. Shows the last 400 days, or the months between two dates selected above.",
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
        # Time since the last sample, so that a silent site keeps its row.
        column(f"time() - max by (site) (last_over_time(timestamp(site:mining_deployed_{_HS}:sum{_SITES})[1d:1m]))"),
    ]
    columns = {
        "site": Column(title="site", link=("Open the site", page.address(page.SITE, site=page.field_of("site")))),
        "Value #A": Column(title="Deployed", unit=HASHRATE, decimals=2),
        "Value #B": Column(title="Operating", unit=HASHRATE, decimals=2),
        "Value #C": Column(title="Efficiency now", unit=RATIO, steps=EFFICIENCY, decimals=2),
        "Value #D": Column(title="24 h", unit=RATIO, steps=EFFICIENCY, decimals=2),
        "Value #E": Column(title="This month", unit=RATIO, steps=EFFICIENCY, decimals=2),
        "Value #F": Column(title="... without curtailment", unit=RATIO, decimals=2),
        "Value #G": Column(title="Coverage", unit=RATIO, steps=COVERAGE, decimals=1),
        "Value #H": Column(title="Energy efficiency", unit=J_PER_TH, decimals=2),
        "Value #I": Column(
            title="Last data", unit=parts.SECONDS, steps=((0, parts.PLAIN), (300, parts.BAD)), decimals=0
        ),
    }
    return parts.listing(
        "How do the sites compare?",
        "One row for each site with data in the last day. A silent site keeps its row, with empty figures and the time "
        "since its last data. Click a name to open the site.",
        queries,
        columns,
        sort_by="Deployed",
    )


def draw() -> page.Page:
    """Return the dashboard."""
    board = page.Page(
        page.FLEET,
        "hashsight: Fleet",
        ABOUT,
        span="30d",
        zone="utc",
        variables=[page.choice("site", "Site", f"site:mining_deployed_{_HS}:sum")],
    )
    board.row("How much of the deployed hashrate operates?")
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
            "Sum of hashrate measured in fresh readings. A site is left out while one of its agents is down.",
            now(_fleet("operating")),
            HASHRATE,
            decimals=2,
        ),
        parts.figure(
            "Deployed now",
            "Sum of nameplates of the units in the sites' ledgers, running or not.",
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
            "Share of the deployed nameplate whose state is known. A silent site counts as unknown for a day, then "
            "not at all.",
            now(
                f"{_fleet('known')}\n/\nsum(max by (site) (last_over_time(site:mining_deployed_{_HS}:sum{_SITES}[1d])))"
            ),
            RATIO,
            COVERAGE,
            decimals=1,
        ),
        parts.figure(
            "Silent sites",
            "Sites with figures in the last day but none now: the site or one of its agents is down.",
            now("max(fleet:mining_sites_unseen:count)"),
            parts.COUNT,
            parts.NONE_ALLOWED,
        ),
        width=2,
        height=4,
    )
    board.row("Which sites fall short?")
    board.add(_sites_table(), width=24, height=9)
    board.add(
        parts.graph(
            "How much of the deployed hashrate operated?",
            "Operating and deployed hashrate of all selected sites. A gap in a site's data lowers both.",
            [
                Query(expr=_fleet("deployed"), legend="deployed"),
                Query(expr=_fleet("operating"), legend="operating"),
            ],
            HASHRATE,
            Look(colours={"deployed": DEPLOYED, "operating": OPERATING}, dashed=("deployed",)),
        ),
        parts.graph(
            "Which site is below 90 %?",
            "Operational efficiency of each site over the hour before, mean over mean. The dashed lines are 80 and 90 "
            "%.",
            [Query(expr=f"max by (site) (site:mining_operating_per_deployed:ratio1h{_SITES})", legend="{{site}}")],
            RATIO,
            Look(most=1.1, steps=EFFICIENCY),
        ),
        width=12,
        height=9,
    )
    diverted_by_site(board)
    board.row("Months")
    board.add(_months(), width=24, height=9)
    return board
