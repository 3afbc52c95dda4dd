// node draw.mjs [--prometheus URL] [--dashboard FILE] [--minutes N] [--ago MINUTES] [--out FILE] [--rows N,N]
//   [--site NAME] [--width PIXELS]
// Asks a live Prometheus what a committed dashboard asks, and has headless Chromium take a picture of the answer, drawn
// with Grafana's own UI components. A development tool: `npm install --legacy-peer-deps --ignore-scripts` first.
import { build } from 'esbuild';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const HERE = dirname(fileURLToPath(import.meta.url));
const { values: options } = parseArgs({
  options: {
    prometheus: { type: 'string', default: 'http://127.0.0.1:19090' },
    dashboard: { type: 'string', default: join(HERE, '../dashboards/site.json') },
    minutes: { type: 'string', default: '30' },
    ago: { type: 'string', default: '0' },
    out: { type: 'string', default: join(HERE, 'site.png') },
    rows: { type: 'string', default: '1,2,3,4,5' },
    site: { type: 'string', default: 'stack' },
    width: { type: 'string', default: '1500' },
  },
});
const SUPPORTED = new Set(['stat', 'timeseries', 'bargauge', 'table']);
const CAPTION = "drawn with Grafana's own UI components (@grafana/ui 12.4.10) from live Prometheus data, not a screenshot of a Grafana server";
const CELL = 38;
const to = Math.floor(Date.now() / 1000) - 60 * Number(options.ago), from = to - 60 * Number(options.minutes);
const step = Math.max(5, Math.round((to - from) / 360));

const fill = (expr) => expr
  .replaceAll('$__rate_interval', `${4 * step}s`).replaceAll('$__range', `${to - from}s`)
  .replace(/\$\{?(\w+)\}?/g, (_, name) => (name === 'site' ? options.site : name === 'search' ? '' : '.*'));

async function ask(target) {
  const body = new URLSearchParams({ query: fill(target.expr) });
  if (target.range) {
    body.append('start', from); body.append('end', to); body.append('step', step);
  } else {
    body.append('time', to);
  }
  const answer = await fetch(`${options.prometheus}/api/v1/query${target.range ? '_range' : ''}`, { method: 'POST', body });
  const told = await answer.json();
  if (told.status !== 'success') { throw new Error(`${target.expr}: ${told.error}`); }
  return told.data.result;
}

const named = (target, metric) => target.legendFormat
  ? target.legendFormat.replace(/\{\{(\w+)\}\}/g, (_, label) => metric[label] ?? '') : 'value';

async function answered(panel) {
  const series = [], tables = [];
  for (const target of panel.targets) {
    const told = await ask(target);
    if (panel.type === 'table') {
      const column = panel.targets.length > 1 ? `Value #${target.refId}` : 'Value';
      tables.push(told.map(({ metric, value }) => ({ ...metric, [column]: Number(value[1]) })));
    } else {
      series.push(...told.map(({ metric, value, values }) => (
        { name: named(target, metric), values: (values ?? [value]).map(([at, number]) => [at * 1000, Number(number)]) })));
    }
  }
  return { ...panel, series, rows: merged(tables.filter((table) => table.length)), step };
}

// As Grafana's transformation of that name: rows that agree in all columns that the tables share are one.
function merged(tables) {
  const names = tables.map((table) => Object.keys(table[0]));
  const shared = (names[0] ?? []).filter((name) => names.every((each) => each.includes(name)));
  const rows = new Map();
  for (const row of tables.flat()) {
    const key = JSON.stringify(shared.map((name) => row[name]));
    rows.set(key, { ...rows.get(key), ...row });
  }
  return tables.length > 1 ? [...rows.values()] : tables.flat();
}

const board = JSON.parse(readFileSync(options.dashboard, 'utf-8'));
const wanted = new Set(options.rows.split(',').map(Number));
const panels = [];
let top = 44, x = 0, height = 0;
for (const panel of board.panels) {
  if (!wanted.has(Math.floor(panel.id / 100))) { continue; }
  if (panel.type === 'row') {
    top += height; x = height = 0;
    panels.push({ ...panel, top });
    top += 34;
  } else if (SUPPORTED.has(panel.type)) {
    const { w, h } = panel.gridPos;
    if (x + w > 24) { top += height; x = height = 0; }
    panels.push({ ...(await answered(panel)), top, place: { x, w, h } });
    x += w; height = Math.max(height, h * CELL);
  }
}
const size = [Number(options.width), top + height + 8];

const folder = mkdtempSync(join(tmpdir(), 'hashsight-preview-'));
try {
  await build({
    entryPoints: [join(HERE, 'page.tsx')], bundle: true, outfile: join(folder, 'page.js'), format: 'iife', minify: true,
    logLevel: 'error', define: { 'process.env.NODE_ENV': '"production"', global: 'window' }, nodePaths: [join(HERE, 'node_modules')],
    loader: { '.svg': 'dataurl', '.woff2': 'dataurl', '.ttf': 'dataurl' }, plugins: [defaultImportOfScrollbars()],
  });
  const data = { title: board.title, panels, from: from * 1000, to: to * 1000, width: size[0], caption: CAPTION };
  writeFileSync(join(folder, 'index.html'), `<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="page.css"><body><div id="root"></div>
<script>window.PREVIEW = ${JSON.stringify(data).replaceAll('<', '\\u003c')}</script><script src="page.js"></script>`);
  mkdirSync(dirname(resolve(options.out)), { recursive: true });
  execFileSync('chromium', ['--headless=new', '--no-sandbox', '--disable-gpu', '--hide-scrollbars', '--allow-file-access-from-files',
    `--user-data-dir=${join(folder, 'profile')}`, `--window-size=${size.join(',')}`, '--virtual-time-budget=8000',
    `--screenshot=${resolve(options.out)}`, `file://${join(folder, 'index.html')}`], { stdio: ['ignore', 'ignore', process.env.PREVIEW_DEBUG ? 'inherit' : 'ignore'] });
} finally {
  rmSync(folder, { recursive: true, force: true });
}
console.log(`${resolve(options.out)} ${size.join('x')}`);

// @grafana/ui imports it from an ES module, where the default of a CommonJS module is the whole module and not its own.
function defaultImportOfScrollbars() {
  const path = join(HERE, 'node_modules/react-custom-scrollbars-2/lib/index.js');
  return {
    name: 'scrollbars',
    setup(building) {
      building.onResolve({ filter: /^react-custom-scrollbars-2$/ }, () => ({ path: 'scrollbars', namespace: 'shim' }));
      building.onLoad({ filter: /.*/, namespace: 'shim' }, () => ({
        contents: `const whole = require(${JSON.stringify(path)}); module.exports = Object.assign(whole.Scrollbars, whole);`,
        resolveDir: HERE,
      }));
    },
  };
}
