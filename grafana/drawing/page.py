"""A whole dashboard: rows of panels on the grid, variables, links and annotations."""

import json
from collections.abc import Sequence
from typing import Any

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from grafana.drawing.parts import PROMETHEUS
from grafana.drawing.sdk import dashboard, model, prometheus

Annotation = dashboard.AnnotationQuery

WIDTH = 24
TAG = "hashsight"

# Uids of the dashboards. Alerts and other dashboards link to them, so they never change.
NAMES = ("fleet", "site", "noc", "units", "unit", "agent")
FLEET, SITE, NOC, UNIT_LIST, UNIT_DETAIL, AGENT = (f"hashsight-{name}" for name in NAMES)


def address(uid: str, **variables: str) -> str:
    """Return the address of another dashboard, with the same time range and data source.

    Args:
        uid: Uid of the other dashboard.
        variables: Values of its variables; may name fields of the clicked row.
    """
    listed = "".join(f"&var-{name}={value}" for name, value in variables.items())
    return f"/d/{uid}?${{__url_time_range}}&var-datasource=${{datasource}}{listed}"


def field_of(name: str) -> str:
    """Return the placeholder for a row's field in an address."""
    return f"${{__data.fields.{name}}}"


def datasource() -> dashboard.DatasourceVariable:
    """Return the variable that selects a Prometheus."""
    return dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus")


def choice(
    name: str, label: str, metric: str, *, of: Sequence[str] = (), is_single: bool = False
) -> dashboard.QueryVariable:
    """Return a variable over the values of a label.

    Args:
        name: Name of the variable and of the label.
        label: Heading of the variable.
        metric: Metric with that label.
        of: Earlier variables, which narrow this one down.
        is_single: True if exactly one value must be selected, instead of any number or all.
    """
    matchers = ", ".join(f'{other}=~"${other}"' for other in of)
    query = f"label_values({metric}{{{matchers}}}, {name})"
    variable = dashboard.QueryVariable(name).label(label).datasource(PROMETHEUS)
    # Documented: QueryVariable of Grafana's Prometheus data source; 1 is "label values".
    variable.query({"query": query, "refId": f"variable-{name}", "qryType": 1}).definition(query)
    variable.refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED).sort(model.VariableSort.NATURAL_ASC)
    variable.multi(not is_single).include_all(not is_single)
    if not is_single:
        # Not ".+": a unit without a container has an empty label.
        variable.all_value(".*").current(model.VariableOption(text="All", value="$__all"))
    return variable


def search(name: str, label: str) -> dashboard.TextBoxVariable:
    """Return a text field for part of a name, empty by default."""
    return (
        dashboard.TextBoxVariable(name).label(label).default_value("").current(model.VariableOption(text="", value=""))
    )


def pages(chosen: str) -> str:
    """Return the query for the address of each site's own pages, in the label `url`; none without `web.external_url`.

    Args:
        chosen: Selector of the sites. Of a site with two agents, one address is taken.
    """
    return f"topk by (site) (1, max by (site, url) (miner_agent_web_info{chosen}))"


def own_pages(unit: str) -> tuple[tuple[str, str], ...]:
    """Return the links to a unit's page in hashsight and to the unit itself, for a row with `url` and `host`.

    Args:
        unit: The placeholder of its id.
    """
    return (
        ("Its page in hashsight", f"{field_of('url')}/units/{unit}"),
        ("The unit's own page", f"http://{field_of('host')}/"),
    )


def annotation(name: str, expr: str, colour: str, title: str, text: str) -> Annotation:
    """Return annotations for every period in which a query has a result."""
    query = prometheus.Dataquery().datasource(PROMETHEUS).expr(expr).ref_id("Anno").range().interval("1m")
    built = dashboard.AnnotationQuery().name(name).datasource(PROMETHEUS).enable(True).icon_color(colour)
    return built.target(query).expr(expr).title_format(title).text_format(text).step("60s")


class Page:
    """One dashboard under construction.

    Args:
        uid: Permanent identifier, part of its address.
        title, about: Title and description.
        span: Default time range, such as ``24h``.
        variables: In the order in which they depend on each other.
        zone: ``browser``, or ``utc`` where days must begin as in Prometheus.
        refresh: How often it asks again.
    """

    def __init__(
        self,
        uid: str,
        title: str,
        about: str,
        *,
        span: str,
        variables: Sequence[Any],
        zone: str = "browser",
        refresh: str = "1m",
    ) -> None:
        self._board = (
            dashboard.Dashboard(title)
            .uid(uid)
            .description(about)
            .tags([TAG])
            .time(f"now-{span}", "now")
            .timezone(zone)
            .refresh(refresh)
            .tooltip(model.DashboardCursorSync.CROSSHAIR)
            .variables([datasource(), *variables])
            .annotations([])
            .readonly()
        )
        self._board.link(
            dashboard.DashboardLink("hashsight")
            .type(model.DashboardLinkType.DASHBOARDS)
            .tags([TAG])
            .as_dropdown(True)
            .include_vars(True)
            .keep_time(True)
        )
        self._rows = 0
        self._x = self._y = self._height = self._in_row = 0

    def annotate(self, *annotations: Annotation) -> None:
        """Add annotations to all graphs."""
        self._board.annotations(list(annotations))

    def row(self, title: str) -> None:
        """Begin a row."""
        self._wrap()
        self._rows += 1
        self._in_row = 0
        row = dashboard.Row(title).id(self._rows * 100).grid_pos(model.GridPos(h=1, w=WIDTH, x=0, y=self._y))
        self._board.with_row(row)
        self._y += 1

    def add(self, *panels: Any, width: int, height: int) -> None:
        """Place panels of one size from left to right, wrapping at the full width."""
        for panel in panels:
            if self._x + width > WIDTH:
                self._wrap()
            self._in_row += 1
            place = model.GridPos(h=height, w=width, x=self._x, y=self._y)
            self._board.with_panel(panel.id(self._rows * 100 + self._in_row).grid_pos(place))
            self._x += width
            self._height = max(self._height, height)

    def _wrap(self) -> None:
        self._y += self._height
        self._x = self._height = 0

    def text(self) -> str:
        """Return the JSON, deterministic for the same drawing."""
        return json.dumps(self._board.build(), cls=JSONEncoder, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
