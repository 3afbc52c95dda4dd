"""The style of a statement's page: two A4 pages in print, one column on a phone, readable in grey. Pure."""

import base64
import hashlib

STYLE = """
@page { size: A4; margin: 11mm 12mm; }
* { box-sizing: border-box; }
html { color-scheme: light; -webkit-text-size-adjust: 100%; }
body {
  margin: 0 auto; padding: 1rem; max-width: 52rem; background: #fff; color: #14212b;
  font: 15px/1.4 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
  font-variant-numeric: tabular-nums; overflow-wrap: break-word;
}
h1, p, li, .name { overflow-wrap: anywhere; }
h1 { font-size: 1.35em; line-height: 1.2; margin: 0 0 .5em; }
h2 { font-size: 1.05em; line-height: 1.2; margin: 1.1em 0 .35em; border-bottom: 1px solid #8794a0; }
p { margin: .35em 0; }
ul { margin: .3em 0; padding-left: 1.2em; }
.notes { border: 2px solid #14212b; padding: .4em .7em; margin: .5em 0; }
.notes ul { list-style: none; padding: 0; margin: 0; }
.notes li { font-weight: 600; margin: .15em 0; }
.headline { display: flex; flex-wrap: wrap; gap: .1em 1.6em; margin: .4em 0; }
.headline div { display: flex; flex-direction: column-reverse; justify-content: flex-end; }
.headline dt { color: #44525e; font-size: .85em; }
.headline dd { margin: 0; font-size: 1.5em; font-weight: 650; line-height: 1.15; }
.plot { display: grid; grid-template-columns: 4.6em minmax(0, 1fr); column-gap: .4em; margin: .5em 0 0; }
.plot .axis { display: flex; flex-direction: column; justify-content: space-between; text-align: right;
  font-size: .75em; color: #44525e; line-height: 1; }
.plot svg { display: block; width: 100%; border-left: 1px solid #14212b; border-bottom: 1px solid #14212b; }
.operating-picture { height: 210px; }
.losses-picture { height: 150px; }
.names { grid-column: 2; display: flex; font-size: .75em; color: #44525e; }
.names span { flex: 1 1 0; min-width: 0; text-align: center; white-space: nowrap; overflow: visible; }
.by-site .names span { overflow: hidden; text-overflow: ellipsis; padding: 0 .2em; }
.patterns { position: absolute; }
svg .grid { stroke: #d4dbe0; stroke-width: 1; vector-effect: non-scaling-stroke; }
svg .operating { fill: #6fa8b5; stroke: #1c4a55; stroke-width: 1; vector-effect: non-scaling-stroke; }
svg .loss { stroke: #fff; stroke-width: .7; vector-effect: non-scaling-stroke; }
svg .deployed, svg .target, svg .floor, svg .ceiling { fill: none; }
svg .deployed { stroke: #14212b; stroke-width: 2; vector-effect: non-scaling-stroke; }
svg .target { stroke: #14212b; stroke-width: 1.4; stroke-dasharray: 4 2; vector-effect: non-scaling-stroke; }
svg .floor { stroke: #b3261e; stroke-width: 3; vector-effect: non-scaling-stroke; }
svg .ceiling { stroke: #0b4f9c; stroke-width: 1.6; stroke-dasharray: 1.5 1.5; vector-effect: non-scaling-stroke; }
svg.dense .operating, svg.dense .loss { stroke: none; }
svg.dense .floor { stroke-width: 1.2; }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: .1em 1em; padding: 0; margin: .3em 0; }
.legend { font-size: .8em; }
.legend svg { vertical-align: -1px; margin-right: .35em; border: 1px solid #8794a0; }
table { border-collapse: collapse; width: 100%; }
caption { text-align: left; font-size: .8em; color: #44525e; padding-bottom: .2em; }
th, td { padding: .1em .45em; text-align: right; vertical-align: baseline; border-bottom: 1px solid #d4dbe0; }
th { font-weight: 400; }
thead th { font-weight: 600; color: #44525e; border-bottom: 1px solid #8794a0; }
tbody th, thead th:first-child, .digest { text-align: left; }
.figures th[scope="row"] small { color: #44525e; font-weight: 400; margin-left: .5em; }
.inputs th.over { border-bottom: 0; }
.figures td { white-space: nowrap; }
.part th { padding-left: 1.5em; }
.main th, .main td { font-weight: 650; }
.tables { display: grid; grid-template-columns: 1fr 1fr; gap: 0 1.4em; align-items: start; font-size: .8em; }
.tables.single { grid-template-columns: 1fr; }
.tables.days { display: flex; flex-wrap: wrap; font-size: .75em; }
.days table { flex: 1 1 auto; width: auto; }
.days th, .days td { padding: .1em .15em; }
.tables td, .days th, .inputs td { white-space: nowrap; }
.inputs .digest { white-space: normal; overflow-wrap: anywhere; }
.small { font-size: .8em; }
code { font: .86em ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; }
.paper { display: none; }
footer { color: #44525e; font-size: .8em; margin-top: 1em; }
@media (max-width: 640px) {
  .plot { grid-template-columns: 4.1em minmax(0, 1fr); }
  .names .fine { visibility: hidden; width: 0; flex-basis: 0; }
  .operating-picture { height: 190px; }
  .tables, .tables.days { grid-template-columns: minmax(0, 1fr); font-size: .65em; }
  .tables th, .tables td { padding: .1em .2em; }
  .figures th[scope="row"] small { display: block; margin-left: 0; }
  .inputs thead { display: none; }
  .inputs tr { display: block; padding: .3em 0; border-bottom: 1px solid #8794a0; }
  .inputs th, .inputs td { display: inline; border: 0; padding: 0 .3em 0 0; white-space: normal; }
  code { overflow-wrap: anywhere; }
}
@media print {
  body { font-size: 8.4pt; line-height: 1.25; padding: 0; max-width: none; }
  h2 { margin-top: .8em; }
  .sheet + .sheet { break-before: page; }
  .sheet { break-inside: avoid; }
  .operating-picture { height: 200px; }
  .losses-picture { height: 140px; }
  .by-day .operating-picture { height: 255px; }
  .by-day .losses-picture { height: 185px; }
  th, td { padding: 0 .4em; }
  .figures th, .figures td { line-height: 1.22; }
  .tables, .tables.days, .small, .legend, footer { font-size: .88em; }
  .tables.days { display: grid; }
  .days th, .days td { padding: 0 .4em; }
  .screen { display: none; }
  .paper { display: block; }
}
"""

STYLE_HASH = "sha256-" + base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
"""Hash of the style, as a content security policy names it."""
