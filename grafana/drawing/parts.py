"""Panels as this project draws them: the same units, colours and manners everywhere.

What is missing is grey and says "no data", never green and never zero: the lowest step of every threshold, which
Grafana also takes for values that are not there, is `MISSING`; null is mapped to it by name; lines end where the data
ends. Panels get their identifiers from their place (row 3, second panel: 302), so that links to one last.
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
    """Give ``{site=~"$site"}`` from ``site="$site"``."""
    return "{" + ", ".join(f'{label}=~"{value}"' for label, value in matchers.items()) + "}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One question to Prometheus.

    Attributes:
        expr: PromQL, with Grafana's variables.
        legend: Name of the series, with ``{{label}}``.
        is_table: Whether labels become columns.
        is_range: Whether it is asked over the dashboard's time, or of its end only.
        interval: Shortest step, such as ``1d``; empty for Grafana's choice.
    """

    expr: str
    legend: str = ""
    is_table: bool = False
    is_range: bool = True
    interval: str = ""

    def target(self, ref: str) -> prometheus.Dataquery:
        """Give the SDK's form, under the letter `ref`."""
        query = prometheus.Dataquery().datasource(PROMETHEUS).expr(self.expr).ref_id(ref).legend_format(self.legend)
        query = query.range() if self.is_range else query.instant()
        if self.interval:
            query = query.interval(self.interval)
        return query.format(PromQueryFormat.TABLE if self.is_table else PromQueryFormat.TIME_SERIES)


def now(expr: str, legend: str = "") -> Query:
    """Ask of the end of the dashboard's time only."""
    return Query(expr=expr, legend=legend, is_range=False)


def column(expr: str) -> Query:
    """Ask for one column of a table."""
    return Query(expr=expr, is_table=True, is_range=False)


Steps = Sequence[tuple[float, str]]

# Higher is better. 0.9 is the trade's line; below 0.8 the site is in trouble.
EFFICIENCY: Steps = ((0, BAD), (0.8, FAIR), (0.9, GOOD))
COVERAGE: Steps = ((0, BAD), (0.9, FAIR), (0.98, GOOD))
# Counts of what should not be there.
NONE_WANTED: Steps = ((0, GOOD), (1, FAIR))
NONE_ALLOWED: Steps = ((0, GOOD), (1, BAD))
NEUTRAL: Steps = ((0, PLAIN),)


def thresholds(steps: Steps) -> dashboard.ThresholdsConfig:
    """Give thresholds whose lowest step, where Grafana puts what is missing, is grey."""
    listed = [model.Threshold(value=None, color=MISSING)]
    listed += [model.Threshold(value=value, color=colour) for value, colour in steps]
    return dashboard.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(listed)


def nothing_is_grey() -> model.SpecialValueMap:
    """Give the mapping that names what is not there."""
    return model.SpecialValueMap(
        model.DashboardSpecialValueMapOptions(
            match=model.SpecialValueMatch.NULL_AND_NAN,
            result=model.ValueMappingResult(text=NO_DATA, color=MISSING, index=0),
        )
    )


def named_values(names: dict[str, tuple[str, str]]) -> model.ValueMap:
    """Give a mapping of numbers to (text, colour)."""
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
    """Give one property of an override."""
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
    """Give one number, large."""
    panel = _asking(stat.Panel(), title, description, [query], unit).thresholds(thresholds(steps))
    panel.mappings([nothing_is_grey(), *([named_values(names)] if names else [])])
    panel.color_scheme(dashboard.FieldColor().mode(model.FieldColorModeId.THRESHOLDS))
    panel.color_mode(forms.BigValueColorMode.VALUE).graph_mode(forms.BigValueGraphMode.NONE)
    # Of a range, the latest value that is there would outlive its unit; the last one may be missing, and says so.
    panel.reduce_options(common.ReduceDataOptions().calcs(["last"]))
    if decimals is not None:
        panel.decimals(decimals)
    if links:
        panel.data_links(list(links))
    return panel


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How a graph looks where it differs from the others.

    Attributes:
        stacked: Whether areas lie on top of each other.
        colours: Fixed colour by legend.
        dashed: Legends drawn as dashed lines, never filled nor stacked.
        least, most: Ends of the axis, where they are known.
        steps: Lines to hold the data against.
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
    """Give lines over time; where there is no data there is no line."""
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
        # The first step is where the axis begins; a line there says nothing.
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
    """Give one bar a series, as Prometheus sorted them."""
    panel = _asking(bargauge.Panel(), title, description, [query], unit).thresholds(thresholds(steps))
    panel.mappings([nothing_is_grey()]).orientation(forms.VizOrientation.HORIZONTAL).min(0)
    panel.display_mode(forms.BarGaugeDisplayMode.BASIC).reduce_options(common.ReduceDataOptions().calcs(["last"]))
    return panel


def heat(
    title: str, description: str, query: Query, unit: str, *, what: str, ends: tuple[float, float]
) -> heatmap.Panel:
    """Give one row a series, one cell a moment; a cell without data stays empty.

    Args:
        title: Of the panel.
        description: Of the panel.
        query: A series a row.
        unit: Grafana's name of it.
        what: What a cell is the value of.
        ends: Red is the first and below, green the second and above.
    """
    panel = _asking(heatmap.Panel(), title, description, [query], unit)
    # The series are the rows; Grafana would otherwise sort their values into buckets and count.
    panel.calculate(False).rows_frame(heatmap.RowsHeatmapOptions().layout(forms.HeatmapCellLayout.UNKNOWN).value(what))
    colour = heatmap.HeatmapColorOptions().mode(heatmaps.HeatmapColorMode.SCHEME).scheme("RdYlGn").steps(64)
    panel.color(colour.min(ends[0]).max(ends[1]).reverse(False))
    # Left to itself it takes zero, which here is the worst there is, for nothing and hides it.
    panel.filter_values(heatmap.FilterValueRange().le(-1))
    panel.cell_values(heatmap.CellValues().unit(unit)).show_value(forms.VisibilityMode.NEVER).cell_gap(1)
    panel.y_axis(heatmap.YAxisConfig().axis_placement(forms.AxisPlacement.LEFT).reverse(True))
    panel.tooltip(heatmap.HeatmapTooltip().mode(forms.TooltipDisplayMode.SINGLE).show_color_scale(True))
    return panel.show_legend().max_data_points(120)


def timeline(title: str, description: str, query: Query, names: dict[str, tuple[str, str]]) -> statetimeline.Panel:
    """Give one row a series, whose numbers are states with (text, colour)."""
    panel = _asking(statetimeline.Panel(), title, description, [query], COUNT).thresholds(thresholds(()))
    panel.mappings([nothing_is_grey(), named_values(names)]).show_value(forms.VisibilityMode.AUTO)
    panel.color_scheme(dashboard.FieldColor().mode(model.FieldColorModeId.THRESHOLDS)).row_height(0.8)
    panel.span_nulls(False).insert_nulls(False)
    return panel


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """How a column of a table looks.

    Attributes:
        title: Its heading.
        unit: Grafana's name of the unit.
        steps: Colours of the background, if any.
        decimals: Digits after the point, if not Grafana's choice.
        link: Where a click on a cell leads, as (title, address).
    """

    title: str
    unit: str = COUNT
    steps: Steps = ()
    decimals: int | None = None
    link: tuple[str, str] | None = None

    def properties(self) -> list[model.DynamicConfigValue]:
        """Give what an override sets."""
        listed = [set_property("unit", self.unit)]
        if self.decimals is not None:
            listed.append(set_property("decimals", self.decimals))
        if self.steps:
            listed.append(set_property("thresholds", thresholds(self.steps).build().to_json()))
            listed.append(set_property("color", {"mode": "thresholds"}))
            listed.append(set_property("custom.cellOptions", {"type": "color-background", "mode": "basic"}))
        if self.link:
            title, url = self.link
            listed.append(set_property("links", [{"title": title, "url": url, "targetBlank": False}]))
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
) -> table.Panel:
    """Give a table: a row for each combination of the labels that all queries share, a column a query.

    Args:
        title: Of the panel.
        description: Of the panel.
        queries: Each made with `column`.
        columns: By name of label, or ``Value #A`` for the first query, and so on; in order.
        hidden: Labels that are no columns.
        sort_by: Title of a column.
        is_descending: Whether its largest comes first.
    """
    panel = _asking(table.Panel(), title, description, queries, COUNT).thresholds(thresholds(()))
    panel.mappings([nothing_is_grey()]).filterable(True)
    panel.with_transformation(model.DataTransformerConfig(id_val="merge", options={}))
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
