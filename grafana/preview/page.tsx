// Draws panels of a dashboard with Grafana's own components and display processors; the data came in with the page.
import { createTheme, getDisplayProcessor, toDataFrame, FieldType, dateTime, EventBusSrv, getDisplayValueAlignmentFactors, ThemeContext } from '@grafana/data';
import { BarGauge, BigValue, GlobalStyles, PanelChrome, PanelContextProvider, Table, TimeSeries } from '@grafana/ui';
import React from 'react';
import { createRoot } from 'react-dom/client';
import 'uplot/dist/uPlot.min.css';

const { title, panels, from, to, width, caption } = (window as any).PREVIEW;
const theme = createTheme({ colors: { mode: 'dark' } });
// Grafana's grid: 24 columns, rows of 30 px with 8 px between.
const CELL = 30, GAP = 8, COLUMN = (width - GAP) / 24;

const matches = (rule: any, name: string) => rule.matcher.id === 'byName' && rule.matcher.options === name;

function configFor(panel: any, name: string) {
  const config = structuredClone(panel.fieldConfig.defaults);
  for (const rule of panel.fieldConfig.overrides.filter((each: any) => matches(each, name))) {
    for (const { id, value } of rule.properties) {
      if (id.startsWith('custom.')) {
        config.custom = { ...config.custom, [id.slice(7)]: value };
      } else {
        config[id] = value;
      }
    }
  }
  if (config.thresholds) {
    config.thresholds.steps = config.thresholds.steps.map((s: any) => ({ ...s, value: s.value ?? -Infinity }));
  }
  return config;
}

function withDisplay(frame: any) {
  for (const field of frame.fields) {
    field.display = getDisplayProcessor({ field, theme });
  }
  return frame;
}

function Stat({ panel, w, h }: any) {
  const last = panel.series.length ? panel.series[0].values.at(-1)[1] : null;
  const field: any = { name: 'value', type: FieldType.number, config: configFor(panel, 'value'), values: [last] };
  const value = getDisplayProcessor({ field, theme })(last);
  // Left to itself it breaks words that are wider than the panel.
  const text = value.numeric === last && /\d/.test(value.text) ? undefined : { valueSize: Math.floor((1.6 * w) / value.text.length) };
  return <BigValue value={value} width={w} height={h} theme={theme} colorMode={panel.options.colorMode} graphMode={'none' as any} text={text} />;
}

function Graph({ panel, w, h }: any) {
  // One axis of time for all: a step without a value is null, and a gap on the picture.
  const times = [...new Set<number>(panel.series.flatMap((s: any) => s.values.map((v: any) => v[0])))].sort((a, b) => a - b);
  const step = panel.step * 1000;
  const every: number[] = [];
  for (let at = times[0]; times.length && at <= times.at(-1)!; at += step) { every.push(at); }
  const fields: any[] = [{ name: 'Time', type: FieldType.time, config: {}, values: every }];
  panel.series.forEach((series: any) => {
    const known = new Map(series.values);
    fields.push({
      name: series.name, type: FieldType.number, config: configFor(panel, series.name),
      values: every.map((at) => known.get(at) ?? null),
    });
  });
  const frame = withDisplay(toDataFrame({ fields }));
  // Colours of a palette go by it; it does not survive the making of a frame.
  frame.fields.slice(1).forEach((field: any, index: number) => { field.state = { seriesIndex: index, displayName: field.name }; });
  const legend: any = { displayMode: 'list', placement: 'bottom', showLegend: true, calcs: [] };
  return (
    <PanelContextProvider value={{ eventBus: new EventBusSrv() } as any}>
      <TimeSeries frames={[frame]} width={w} height={h} timeZone="utc" legend={legend} replaceVariables={(v: string) => v}
        timeRange={{ from: dateTime(from), to: dateTime(to), raw: { from: dateTime(from), to: dateTime(to) } }}
        options={{ legend, tooltip: { mode: 'multi' } } as any} />
    </PanelContextProvider>
  );
}

function Bars({ panel, w, h }: any) {
  const largest = Math.max(...panel.series.map((s: any) => s.values.at(-1)[1]), 1);
  const each = Math.min(34, Math.max(20, Math.floor(h / Math.max(1, panel.series.length))));
  const shown = panel.series.slice(0, Math.floor(h / each)).map((series: any) => {
    const config = { ...configFor(panel, series.name), min: 0, max: largest };
    const field: any = { name: series.name, type: FieldType.number, config, values: [] };
    return { config, value: { ...getDisplayProcessor({ field, theme })(series.values.at(-1)[1]), title: series.name } };
  });
  const factors = getDisplayValueAlignmentFactors(shown.map((bar: any) => ({ display: bar.value })));
  return shown.map(({ config, value }: any) => (
    <BarGauge key={value.title} theme={theme} value={value} field={config} width={w} height={each - 4} alignmentFactors={factors}
      orientation={'horizontal' as any} displayMode={'basic' as any} itemSpacing={4} lcdCellWidth={12} />
  ));
}

function Rows({ panel, w, h }: any) {
  const { indexByName, renameByName, excludeByName } = panel.transformations.find((t: any) => t.id === 'organize').options;
  const names = Object.keys(indexByName).filter((name) => !excludeByName[name]).sort((a, b) => indexByName[a] - indexByName[b]);
  const fields = names.map((name) => {
    const shown = renameByName[name] ?? name;
    const values = panel.rows.map((row: any) => row[name] ?? null);
    const type = values.some((v: any) => typeof v === 'string') ? FieldType.string : FieldType.number;
    return { name: shown, type, config: { ...configFor(panel, shown), links: [] }, values };
  });
  return <Table data={withDisplay(toDataFrame({ fields }))} width={w} height={h} noHeader={false} />;
}

const KINDS: any = { stat: Stat, timeseries: Graph, bargauge: Bars, table: Rows };

function Panel({ panel }: any) {
  const w = Math.floor(panel.place.w * COLUMN - GAP), h = panel.place.h * (CELL + GAP) - GAP;
  const Kind = KINDS[panel.type];
  return (
    <div style={{ position: 'absolute', left: GAP + panel.place.x * COLUMN, top: panel.top, width: w, height: h }}>
      <PanelChrome title={panel.title} description={panel.description} width={w} height={h}>
        {(innerWidth: number, innerHeight: number) => <Kind panel={panel} w={innerWidth} h={innerHeight} />}
      </PanelChrome>
    </div>
  );
}

function Page() {
  return (
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <div style={{ position: 'absolute', left: 16, top: 12, fontSize: 20, color: theme.colors.text.primary }}>{title}</div>
      <div style={{ position: 'absolute', right: 16, top: 16, fontSize: 12, color: theme.colors.text.secondary }}>{caption}</div>
      {panels.map((panel: any) => panel.type === 'row'
        ? <div key={panel.id} style={{ position: 'absolute', left: 16, top: panel.top + 6, fontSize: 15, color: theme.colors.text.primary }}>{panel.title}</div>
        : <Panel key={panel.id} panel={panel} />)}
    </ThemeContext.Provider>
  );
}

createRoot(document.getElementById('root')!).render(<Page />);
