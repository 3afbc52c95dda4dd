"""Builders for panels, with the same units, colours and handling of missing data everywhere.

Missing data is grey and reads "no data", never green and never zero. Grafana gives missing values the lowest step of a
threshold, so that step is always `MISSING`; null is mapped to "no data"; lines end where the data ends. A panel's id
comes from its place (row 3, second panel: 302), so links to it stay valid.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from grafana.drawing.sdk import (
    PromQueryFormat,
    bargauge,
    common,
    dashboard,
    forms,
    heatmap,
    heatmaps,
    model,
    prometheus,
    stat,
    statetimeline,
    table,
    timeseries,
)

PROMETHEUS = forms.DataSourceRef(type_val="prometheus", uid="${datasource}")

HASHRATE, RATIO, WATTS, J_PER_TH = "Hs", "percentunit", "watt", "J/TH"
CELSIUS, SECONDS, COUNT, BYTES = "celsius", "s", "none", "bytes"
RPM, HERTZ, PER_SECOND = "rotrpm", "hertz", "cps"

MISSING, GOOD, FAIR, BAD, PLAIN = "#8e8e8e", "green", "orange", "red", "blue"
NO_DATA = "no data"

Panel = TypeVar("Panel", bound=Any)
Table = table.Panel


def selector(**matchers: str) -> str:
    """Return ``{site=~"$site"}`` for ``site="$site"``."""
    return "{" + ", ".join(f'{label}=~"{value}"' for label, value in matchers.items()) + "}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One query to Prometheus.

    Attributes:
        expr: PromQL, with Grafana's variables.
        legend: Name of the series, with ``{{label}}``.
        is_table: True if labels become columns.
        is_range: True to query the dashboard's time range, false for its end only.
        interval: Shortest step, such as ``1d``; empty for Grafana's choice.
    """

    expr: str
    legend: str = ""
    is_table: bool = False
    is_range: bool = True
    interval: str = ""

    def target(self, ref: str) -> prometheus.Dataquery:
        """Return the SDK's query object, under the letter `ref`."""
        query = prometheus.Dataquery().datasource(PROMETHEUS).expr(self.expr).ref_id(ref).legend_format(self.legend)
        query = query.range() if self.is_range else query.instant()
        if self.interval:
            query = query.interval(self.interval)
        return query.format(PromQueryFormat.TABLE if self.is_table else PromQueryFormat.TIME_SERIES)


def now(expr: str, legend: str = "") -> Query:
    """Return an instant query at the end of the dashboard's time range."""
    return Query(expr=expr, legend=legend, is_range=False)


def column(expr: str) -> Query:
    """Return the query for one column of a table."""
    return Query(expr=expr, is_table=True, is_range=False)


Steps = Sequence[tuple[float, str]]

# Higher is better. 0.9 is the trade's target; below 0.8 the site is in trouble.
EFFICIENCY: Steps = ((0, BAD), (0.8, FAIR), (0.9, GOOD))
COVERAGE: Steps = ((0, BAD), (0.9, FAIR), (0.98, GOOD))
# Counts that should be zero.
NONE_WANTED: Steps = ((0, GOOD), (1, FAIR))
NONE_ALLOWED: Steps = ((0, GOOD), (1, BAD))
NEUTRAL: Steps = ((0, PLAIN),)


def thresholds(steps: Steps) -> dashboard.ThresholdsConfig:
    """Return thresholds whose lowest step is grey, because Grafana uses it for missing values."""
    listed = [model.Threshold(value=None, color=MISSING)]
    listed += [model.Threshold(value=value, color=colour) for value, colour in steps]
    return dashboard.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(listed)


def nothing_is_grey() -> model.SpecialValueMap:
    """Return the mapping that shows null and NaN as "no data"."""
    return model.SpecialValueMap(
        model.DashboardSpecialValueMapOptions(
            match=model.SpecialValueMatch.NULL_AND_NAN,
            result=model.ValueMappingResult(text=NO_DATA, color=MISSING, index=0),
        )
    )


def named_values(names: dict[str, tuple[str, str]]) -> model.ValueMap:
    """Return a mapping of numbers to (text, colour)."""
    return model.ValueMap(
        {
            value: model.ValueMappingResult(text=text, color=colour, index=at)
            for at, (value, (text, colour)) in enumerate(names.items(), start=1)
        }
    )


def _asking(panel: Panel, title: str, description: str, queries: Iterable[Query], unit: str) -> Panel:
    panel.title(title).description(description).datasource(PROMETHEUS).unit(unit).no_value(NO_DATA)
    panel.targets([query.target(letter) for query, letter in zip(queries, "ABCDEFGHIJKLMNOP", strict=False)])
    return panel


def _fixed(colour: str) -> model.DynamicConfigValue:
    return model.DynamicConfigValue(id_val="color", value={"mode": "fixed", "fixedColor": colour})


def set_property(name: str, value: Any) -> model.DynamicConfigValue:
    """Return one property of an override."""
    return model.DynamicConfigValue(id_val=name, value=value)


def figure(
    title: str,
    description: str,
    query: Query,
    unit: str,
    steps: Steps = NEUTRAL,
    *,
    decimals: int | None = None,
    names: dict[str, tuple[str, str]] | None = None,
    links: Sequence[dashboard.DashboardLink] = (),
) -> stat.Panel:
    """Return a panel with one large number."""
    panel = _asking(stat.Panel(), title, description, [query], unit).thresholds(thresholds(steps))
    panel.mappings([nothing_is_grey(), *([named_values(names)] if names else [])])
    panel.color_scheme(dashboard.FieldColor().mode(model.FieldColorModeId.THRESHOLDS))
    panel.color_mode(forms.BigValueColorMode.VALUE).graph_mode(forms.BigValueGraphMode.NONE)
    # Not lastNotNull, which would keep showing the last value of a unit that is gone.
    panel.reduce_options(common.ReduceDataOptions().calcs(["last"]))
    if decimals is not None:
        panel.decimals(decimals)
    if links:
        panel.data_links(list(links))
    return panel


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Look of a graph, where it differs from the default.

    Attributes:
        stacked: True if areas are stacked.
        colours: Fixed colour by legend.
        dashed: Legends drawn as dashed lines, neither filled nor stacked.
        least, most: Ends of the axis, if fixed.
        steps: Threshold lines.
    """

    stacked: bool = False
    colours: dict[str, str] = field(default_factory=dict)
    dashed: tuple[str, ...] = ()
    least: float | None = 0
    most: float | None = None
    steps: Steps = ()


def graph(
    title: str, description: str, queries: Sequence[Query], unit: str, look: Look | None = None
) -> timeseries.Panel:
    """Return a graph over time; without data there is no line."""
    look = look or Look()
    panel = _asking(timeseries.Panel(), title, description, queries, unit)
    panel.span_nulls(False).insert_nulls(False).show_points(forms.VisibilityMode.AUTO)
    panel.color_scheme(dashboard.FieldColor().mode(model.FieldColorModeId.PALETTE_CLASSIC))
    panel.line_width(1).fill_opacity(60 if look.stacked else 0)
    panel.legend(
        common.VizLegendOptions()
        .show_legend(True)
        .display_mode(forms.LegendDisplayMode.TABLE)
        .placement(forms.LegendPlacement.RIGHT)
        .calcs(["last", "mean", "min", "max"])
    )
    panel.tooltip(common.VizTooltipOptions().mode(forms.TooltipDisplayMode.MULTI).sort(forms.SortOrder.DESCENDING))
    if look.stacked:
        panel.stacking(common.StackingConfig().mode(forms.StackingMode.NORMAL).group("A"))
    if look.least is not None:
        panel.min(look.least)
    if look.most is not None:
        panel.max(look.most)
    if look.steps:
        # The first step is the start of the axis and needs no line.
        panel.thresholds(thresholds(look.steps[1:]))
        panel.thresholds_style(common.GraphThresholdsStyleConfig().mode(forms.GraphThresholdsStyleMode.DASHED))
    for legend, colour in look.colours.items():
        properties = [_fixed(colour)]
        if legend in look.dashed:
            properties += [
                set_property("custom.lineStyle", {"fill": "dash", "dash": [10, 6]}),
                set_property("custom.fillOpacity", 0),
                set_property("custom.stacking", {"mode": "none", "group": "A"}),
            ]
        panel.override_by_name(legend, properties)
    return panel


def bars(title: str, description: str, query: Query, unit: str, steps: Steps = NEUTRAL) -> bargauge.Panel:
    """Return a panel with one bar per series, in Prometheus' order."""
    panel = _asking(bargauge.Panel(), title, description, [query], unit).thresholds(thresholds(steps))
    panel.mappings([nothing_is_grey()]).orientation(forms.VizOrientation.HORIZONTAL).min(0)
    panel.display_mode(forms.BarGaugeDisplayMode.BASIC).reduce_options(common.ReduceDataOptions().calcs(["last"]))
    return panel


def heat(
    title: str,
    description: str,
    query: Query,
    unit: str,
    *,
    what: str,
    ends: tuple[float, float],
    is_low_good: bool = False,
) -> heatmap.Panel:
    """Return a heat map with one row per series; a cell without data stays empty.

    Args:
        title: Title of the panel.
        description: Description of the panel.
        query: Query with one series per row.
        unit: Grafana's name of the unit.
        what: Name of the value of a cell.
        ends: Values at or below the first are red, at or above the second green.
        is_low_good: The other way round.
    """
    panel = _asking(heatmap.Panel(), title, description, [query], unit)
    # Series are rows; by default Grafana would count their values in buckets.
    panel.calculate(False).rows_frame(heatmap.RowsHeatmapOptions().layout(forms.HeatmapCellLayout.UNKNOWN).value(what))
    colour = heatmap.HeatmapColorOptions().mode(heatmaps.HeatmapColorMode.SCHEME).scheme("RdYlGn").steps(64)
    panel.color(colour.min(ends[0]).max(ends[1]).reverse(is_low_good))
    # By default Grafana hides zero, which is the worst value here.
    panel.filter_values(heatmap.FilterValueRange().le(-1))
    panel.cell_values(heatmap.CellValues().unit(unit)).show_value(forms.VisibilityMode.NEVER).cell_gap(1)
    panel.y_axis(heatmap.YAxisConfig().axis_placement(forms.AxisPlacement.LEFT).reverse(True))
    panel.tooltip(heatmap.HeatmapTooltip().mode(forms.TooltipDisplayMode.SINGLE).show_color_scale(True))
    return panel.show_legend().max_data_points(120)


def timeline(title: str, description: str, query: Query, names: dict[str, tuple[str, str]]) -> statetimeline.Panel:
    """Return a timeline with one row per series, whose numbers map to (text, colour)."""
    panel = _asking(statetimeline.Panel(), title, description, [query], COUNT).thresholds(thresholds(()))
    panel.mappings([nothing_is_grey(), named_values(names)]).show_value(forms.VisibilityMode.AUTO)
    panel.color_scheme(dashboard.FieldColor().mode(model.FieldColorModeId.THRESHOLDS)).row_height(0.8)
    panel.span_nulls(False).insert_nulls(False)
    return panel


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """Look of a table column.

    Attributes:
        title: Its heading.
        unit: Grafana's name of the unit.
        steps: Colours of the background, if any.
        decimals: Digits after the point; None for Grafana's choice.
        link: Link of each cell, as (title, address).
        more_links: Further links, which the cell offers in a menu; they open beside the dashboard.
        is_hidden: True for a column that only links use.
    """

    title: str
    unit: str = COUNT
    steps: Steps = ()
    decimals: int | None = None
    link: tuple[str, str] | None = None
    more_links: tuple[tuple[str, str], ...] = ()
    is_hidden: bool = False

    def properties(self) -> list[model.DynamicConfigValue]:
        """Return the properties of the column's override."""
        listed = [set_property("unit", self.unit)]
        if self.decimals is not None:
            listed.append(set_property("decimals", self.decimals))
        if self.steps:
            listed.append(set_property("thresholds", thresholds(self.steps).build().to_json()))
            listed.append(set_property("color", {"mode": "thresholds"}))
            listed.append(set_property("custom.cellOptions", {"type": "color-background", "mode": "basic"}))
        if self.is_hidden:
            listed.append(set_property("custom.hidden", True))
        if self.link:
            title, url = self.link
            links = [{"title": title, "url": url, "targetBlank": False}]
            links += [{"title": title, "url": url, "targetBlank": True} for title, url in self.more_links]
            listed.append(set_property("links", links))
        return listed


def listing(
    title: str,
    description: str,
    queries: Sequence[Query],
    columns: dict[str, Column],
    *,
    hidden: Sequence[str] = (),
    sort_by: str = "",
    is_descending: bool = True,
    ratio: tuple[str, str, str] | None = None,
) -> table.Panel:
    """Return a table: a row for each combination of the shared labels, a column per query.

    Args:
        title: Title of the panel.
        description: Description of the panel.
        queries: Queries made with `column`.
        columns: Columns in order, keyed by label, or ``Value #A`` for the first query, and so on.
        hidden: Labels without a column.
        sort_by: Title of a column.
        is_descending: True if its largest value comes first.
        ratio: A column that Grafana computes: its name, and the columns that it divides.
    """
    panel = _asking(table.Panel(), title, description, queries, COUNT).thresholds(thresholds(()))
    panel.mappings([nothing_is_grey()]).filterable(True)
    panel.with_transformation(model.DataTransformerConfig(id_val="merge", options={}))
    if ratio is not None:
        name, above, below = ratio
        options = {"mode": "binary", "alias": name, "binary": {"left": above, "operator": "/", "right": below}}
        panel.with_transformation(model.DataTransformerConfig(id_val="calculateField", options=options))
    panel.with_transformation(
        model.DataTransformerConfig(
            id_val="organize",
            options={
                "excludeByName": dict.fromkeys(("Time", "__name__", *hidden), True),
                "indexByName": {name: at for at, name in enumerate(columns)},
                "renameByName": {name: look.title for name, look in columns.items() if look.title != name},
            },
        )
    )
    for look in columns.values():
        panel.override_by_name(look.title, look.properties())
    if sort_by:
        panel.sort_by([common.TableSortByFieldState().display_name(sort_by).desc(is_descending)])
    return panel
