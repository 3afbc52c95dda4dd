"""A statement as one HTML file for people: two printed pages, no script, nothing loaded from anywhere. Pure.

The first page has the notes, the headline, the picture and the table of days or sites; the second all figures, gaps,
the method and the inputs with their digests. A list that would not fit on paper is cut there, and says by how much. On
a screen it goes on.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from math import ceil

from agent.history.export import without_formula
from agent.site.status import Cause
from agent.statement import picture
from agent.statement.days import Day
from agent.statement.markup import text
from agent.statement.page_style import STYLE, STYLE_HASH
from agent.statement.period import utc_text
from agent.statement.picture import Column, column_of_day, column_of_site
from agent.statement.statement import Statement
from agent.statement.text import Line, Scale, before, gaps, lines, nameplates, scale_of, title, verdict
from agent.text.numbers import ABSENT, TARGET_RATIO, ratio_text

POLICY = f"default-src 'none'; style-src '{STYLE_HASH}'; base-uri 'none'; form-action 'none'"
"""The page's content security policy: its own style is allowed, and nothing else."""

MOST_LISTED = 500
"""Of a list, at most so many lines stand in the file; the JSON has all."""
# The room on the two pages, measured with DejaVu Sans, the widest of the usual fonts.
_GAP_CHARS, _NOTE_CHARS, _HEAD_CHARS, _SITE_CHARS = 110, 92, 62, 15
"""Characters in a line on paper."""
_FIRST_PAGE_ROWS = {True: 10, False: 24}
"""Lines for heading and notes beside the table of days; and for these and the table of sites."""
_SECOND_PAGE_ROWS = 47
"""Rows for figures, gaps and inputs."""
_SITES_ON_PAPER, _LEAST_GAPS, _MOST_GAPS = 10, 3, 12
_MOST_DAYS_ON_PAPER = 31
_FEW_NAMES = 6
_QUARTERS = (1.0, 0.75, 0.5, 0.25)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def page(
    statement: Statement, days: Sequence[Day] = (), *, remarks: Sequence[str] = (), rest: Sequence[str] = ()
) -> str:
    """Return the page.

    Args:
        statement: The statement.
        days: The figures by day of its only site; empty where there are no rows, as when statements are combined.
            The picture then shows the sites.
        remarks: What stands beside the notes.
        rest: What the figures rest on, in words; for screens, because it would not fit on paper.
    """
    columns = [column_of_day(day) for day in days] or [column_of_site(part) for part in statement.parts]
    head = _heading(statement)
    figures = list(lines(statement))
    return "\n".join(
        (
            "<!doctype html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
            f"<title>{text(head)}</title>",
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<style>{STYLE}</style>",
            "</head>",
            "<body>",
            picture.DEFINITIONS,
            "<main>",
            '<div class="sheet">',
            f"<h1>{text(head)}</h1>",
            *_notes(statement, [*statement.notes, *remarks], head, is_by_day=bool(days)),
            _headline(statement),
            *((f"<p>{text(before(statement))}</p>",) if statement.before else ()),
            *_picture(statement, columns, is_by_day=bool(days)),
            *_table(statement, columns, is_by_day=bool(days)),
            "</div>",
            '<div class="sheet">',
            *_figures(figures),
            *_gaps(statement, len(figures)),
            f'<h2>Method</h2><p class="small">{text(statement.method)}</p>',
            *_inputs(statement, len(figures)),
            *_screen_list("Nameplates that units contradict", list(nameplates(statement))),
            *_screen_list("What this rests on", rest),
            _footer(statement),
            "</div>",
            "</main>",
            "</body>",
            "</html>",
            "",
        )
    )


def _heading(statement: Statement) -> str:
    """Return the statement's title; a large fleet, or one of long names, is counted instead of named."""
    named = title(statement)
    if len(statement.parts) == 1 or (len(statement.parts) <= _FEW_NAMES and len(named) <= 3 * _HEAD_CHARS):
        return named
    zones = {part.zone for part in statement.parts}
    of_zones = next(iter(zones)) if len(zones) == 1 else f"{len(zones)} zones"
    kind = named.partition(" of ")[0]
    return f"{kind} of {len(statement.parts)} sites, {statement.period} ({statement.days} days, {of_zones})"


def _footer(statement: Statement) -> str:
    return (
        f"<footer>Computed {utc_text(statement.computed_at)}, statement format {statement.format}."
        " The JSON form can be verified: hashsight statement --verify.</footer>"
    )


def _bounded(items: Sequence[str], most_lines: int, chars: int) -> Iterator[str]:
    """Yield list items; what does not fit into so many lines of paper is for the screen, and counted for the paper.

    Args:
        items: Texts.
        most_lines: Lines there are on paper.
        chars: Characters in one of them.
    """
    needed = list(accumulate(ceil(len(item) / chars) for item in items))
    # The line that says how many more there are needs room as well.
    on_paper = len(items) if needed[-1] <= most_lines else max(bisect_right(needed, most_lines - 1), 1)
    for number, item in enumerate(items[:MOST_LISTED]):
        look = "" if number < on_paper else ' class="screen"'
        yield f"<li{look}>{text(item)}</li>"
    if on_paper < len(items):
        yield f'<li class="paper">and {len(items) - on_paper:,} more: see the JSON form</li>'
    if len(items) > MOST_LISTED:
        yield f'<li class="screen">and {len(items) - MOST_LISTED:,} more: see the JSON form</li>'


def _notes(statement: Statement, notes: Sequence[str], head: str, *, is_by_day: bool) -> Iterator[str]:
    if notes:
        most = _FIRST_PAGE_ROWS[is_by_day] - 2 * (len(head) // _HEAD_CHARS)
        most -= 0 if is_by_day else min(len(statement.parts), _SITES_ON_PAPER)
        yield '<section class="notes" aria-label="Notes"><ul>'
        yield from _bounded(notes, max(most, 2), _NOTE_CHARS)
        yield "</ul></section>"


def _headline(statement: Statement) -> str:
    figures, scale = statement.figures, scale_of(statement)
    shown = (
        (ratio_text(figures.operational_efficiency_ratio), "operational efficiency"),
        (ratio_text(figures.operational_efficiency_floor_ratio), "floor"),
        (ratio_text(figures.operational_efficiency_ceiling_ratio), "ceiling"),
        (scale(figures.operating_hs), "average operating"),
        (scale(figures.deployed_hs), "deployed, mean"),
    )
    items = "".join(f"<div><dt>{name}</dt><dd>{text(value)}</dd></div>" for value, name in shown)
    words = verdict(statement)
    return f'<dl class="headline">{items}</dl><p><strong>{text(words[0].upper() + words[1:])}.</strong></p>'


def _picture(statement: Statement, columns: Sequence[Column], *, is_by_day: bool) -> Iterator[str]:
    each = "day" if is_by_day else "site"
    top_hs, top_loss = picture.hashrate_top(columns), picture.loss_top(columns)
    caption = "By site. JSON statements hold no days: each site's own page shows them."
    if is_by_day:
        caption = f"By day, from midnight to midnight in {statement.parts[0].zone}."
    losses_hs = statement.figures.losses_hs
    causes = [cause for cause in sorted(Cause, key=lambda cause: -losses_hs[cause]) if losses_hs[cause]]
    yield f'<section class="by-{each}"><h2>Operating against deployed, and losses, by {each}</h2>'
    yield f'<p class="small">{text(caption)} The width of a column is its time; the hatched part was not watched.</p>'
    scale = _scale(statement, columns, is_by_day=is_by_day)
    digits = 1 if len(scale.number(top_hs, 0)) > 1 else 2
    yield f'<div class="plot">{_axis([scale.number(top_hs * share, digits) for share in _QUARTERS], scale.unit)}'
    yield picture.operating(
        columns,
        title=f"Operating against deployed by {each}, {statement.period}",
        description=_operating_text(columns, each),
        is_over_time=is_by_day,
    )
    yield f"{_names(columns, is_by_day=is_by_day)}</div>"
    yield f'<ul class="legend">{"".join(_marks())}</ul>'
    axis = _axis([ratio_text(top_loss * share, 1) for share in _QUARTERS], "lost")
    yield f'<div class="plot">{axis}'
    yield picture.losses(
        columns,
        causes,
        title=f"Losses by cause and {each}, as shares of deployed while it was watched, {statement.period}",
        description=_losses_text(statement, causes),
    )
    yield f"{_names(columns, is_by_day=is_by_day)}</div>"
    if causes:
        yield f'<ul class="legend">{"".join(_cause_mark(statement, cause) for cause in causes)}</ul>'
    yield "</section>"


def _scale(statement: Statement, columns: Sequence[Column], *, is_by_day: bool) -> Scale:
    """Return the unit of a picture and its table: for days that of the figures, so that they can be compared."""
    return scale_of(statement) if is_by_day else Scale(picture.hashrate_top(columns))


def _axis(marks: Sequence[str], unit: str) -> str:
    shown = "".join(f"<span>{text(mark)}</span>" for mark in (f"{marks[0]} {unit}", *marks[1:], "0"))
    return f'<div class="axis" aria-hidden="true">{shown}</div>'


def _names(columns: Sequence[Column], *, is_by_day: bool) -> str:
    """Return what stands under the columns: every day of a month, the month at its beginning in longer periods."""
    shown = []
    for number, column in enumerate(columns):
        if not is_by_day:
            name, is_fine = (column.name if len(columns) <= _FEW_NAMES else str(number + 1)), False
        elif len(columns) <= _MOST_DAYS_ON_PAPER:
            name, is_fine = column.name[-2:].lstrip("0"), (number % 5) > 0
        else:
            name, is_fine = (_MONTHS[int(column.name[5:7]) - 1] if column.name.endswith("-01") else ""), False
        shown.append(f'<span class="fine">{text(name)}</span>' if is_fine else f"<span>{text(name)}</span>")
    return f'<div class="names" aria-hidden="true">{"".join(shown)}</div>'


def _operating_text(columns: Sequence[Column], each: str) -> str:
    ratios = [(column.ratio, column.name) for column in columns if column.ratio is not None]
    unwatched = [column.name for column in columns if column.passed and not column.watched]
    if not ratios:
        return f"No {each} has figures."
    low, high = min(ratios), max(ratios)
    above = sum((column.share(column.bounds.floor_hs) or 0.0) > TARGET_RATIO for column in columns)
    words = (
        f"Operating over deployed is between {ratio_text(low[0])} ({low[1]}) and {ratio_text(high[0])} ({high[1]})."
        f" The floor is above {ratio_text(TARGET_RATIO, 0)} on {above} of {len(columns)} {each}s."
    )
    return f"{words} Not watched at all: {', '.join(unwatched)}." if unwatched else words


def _losses_text(statement: Statement, causes: Iterable[Cause]) -> str:
    ratios = statement.figures.losses_ratio
    shown = ", ".join(f"{cause.replace('_', ' ')} {ratio_text(ratios[cause])}" for cause in causes)
    return f"Over the whole period: {shown}." if shown else "Nothing was lost."


def _marks() -> Iterator[str]:
    yield _mark('<rect width="22" height="12" class="operating"/>', "operating")
    for name, words in (
        ("deployed", "deployed"),
        ("target", f"{ratio_text(TARGET_RATIO, 0)} of deployed"),
        ("floor", "floor"),
        ("ceiling", "ceiling"),
    ):
        yield _mark(f'<path class="{name}" d="M0 6H22"/>', words)
    yield _mark('<rect width="22" height="12" fill="url(#unwatched)"/>', "not watched")


def _mark(look: str, words: str) -> str:
    return f"<li>{picture.swatch(look)}{text(words)}</li>"


def _cause_mark(statement: Statement, cause: Cause) -> str:
    look = f'<rect width="22" height="12" fill="url(#loss-{cause})"/>'
    share = ratio_text(statement.figures.losses_ratio[cause])
    return _mark(look, f"{cause.replace('_', ' ')} {share}")


def _table(statement: Statement, columns: Sequence[Column], *, is_by_day: bool) -> Iterator[str]:
    """Yield the picture's figures as tables: in two halves for days, those of a month on paper as well."""
    scale = _scale(statement, columns, is_by_day=is_by_day)
    look = ' class="screen"' if is_by_day and len(columns) > _MOST_DAYS_ON_PAPER else ""
    yield f"<section{look}><h2>{'Days' if is_by_day else 'Sites'}</h2>"
    half = ceil(len(columns) / 2) if is_by_day and len(columns) > 1 else len(columns)
    yield f'<div class="tables {"days" if is_by_day else "single"}">'
    for first in range(0, len(columns), max(half, 1)):
        some = columns[first : first + half]
        names = f"{some[0].name} to {some[-1].name}" if len(some) > 1 else some[0].name
        heads = ("Deployed", "Operating", "Efficiency", "Floor", "Ceiling", "Watched")
        cells = "".join(f'<th scope="col">{text(head)}</th>' for head in heads)
        yield f"<table><caption>{text(names)}; hashrates in {scale.unit}</caption><thead><tr>"
        yield f'<th scope="col">{"Day" if is_by_day else "Site"}</th>{cells}</tr></thead><tbody>'
        for number, column in enumerate(some, first):
            name = column.name[5:] if is_by_day else column.name
            if not is_by_day and len(columns) > _FEW_NAMES:
                name = f"{number + 1}. {name}"
            yield _row(name, column, scale, is_on_paper=is_by_day or number < _SITES_ON_PAPER)
        yield "</tbody></table>"
    yield "</div>"
    yield from _more_sites(0 if is_by_day else len(columns) - _SITES_ON_PAPER)
    yield "</section>"


def _row(name: str, column: Column, scale: Scale, *, is_on_paper: bool) -> str:
    if column.passed:
        operating = scale.number(column.mean.operating_hs) if column.watched else ABSENT
        values = (
            scale.number(column.bounds.whole_hs),
            operating,
            ratio_text(column.ratio),
            ratio_text(column.share(column.bounds.floor_hs)),
            ratio_text(column.share(column.bounds.ceiling_hs)),
            ratio_text(column.watched),
        )
    else:
        values = (ABSENT,) * 6
    look = "" if is_on_paper else ' class="screen"'
    cells = "".join(f"<td>{value}</td>" for value in values)
    return f'<tr{look}><th scope="row" class="name">{text(without_formula(name))}</th>{cells}</tr>'


def _figures(figures: Iterable[Line]) -> Iterator[str]:
    yield '<section><h2>All figures</h2><table class="figures"><thead><tr><th scope="col">Figure</th>'
    yield '<th scope="col">Value</th><th scope="col">Of deployed</th></tr></thead><tbody>'
    for line in figures:
        kinds = [
            *(["part"] if line.name.startswith(" ") else []),
            *(["main"] if line.name == "Operational efficiency" else []),
        ]
        look = f' class="{" ".join(kinds)}"' if kinds else ""
        note = f" <small>{text(line.note)}</small>" if line.note else ""
        name = text(line.name.strip())
        cells = f"<td>{text(line.value)}</td><td>{text(line.share)}</td>"
        yield f'<tr{look}><th scope="row">{name}{note}</th>{cells}</tr>'
    yield "</tbody></table></section>"


def _gaps(statement: Statement, figures: int) -> Iterator[str]:
    found = list(gaps(statement))
    yield "<section><h2>Gaps over 5 minutes</h2>"
    if not found:
        yield '<p class="small">None.</p></section>'
        return
    yield '<ul class="small">'
    room = _SECOND_PAGE_ROWS - figures - _inputs_on_paper(statement, figures)[1]
    yield from _bounded(found, min(max(room, _LEAST_GAPS), _MOST_GAPS), _GAP_CHARS)
    yield "</ul></section>"


def _screen_list(head: str, items: Sequence[str]) -> Iterator[str]:
    """Yield a list for screens alone."""
    if items:
        yield f'<section class="screen"><h2>{text(head)}</h2><ul class="small">'
        yield from (f"<li>{text(item)}</li>" for item in items[:MOST_LISTED])
        if len(items) > MOST_LISTED:
            yield f"<li>and {len(items) - MOST_LISTED:,} more: see the JSON form</li>"
        yield "</ul></section>"


def _inputs_on_paper(statement: Statement, figures: int) -> tuple[int, int]:
    """Return how many sites' inputs fit on paper beside so many rows of figures, and the lines that they take."""
    needed = list(accumulate(2 if len(part.site) > _SITE_CHARS else 1 for part in statement.parts))
    room = max(_SECOND_PAGE_ROWS - figures - _LEAST_GAPS, 1)
    if needed[-1] <= room:
        return len(needed), needed[-1]
    count = max(bisect_right(needed, room - 1), 1)
    return count, needed[count - 1] + 1


def _inputs(statement: Statement, figures: int) -> Iterator[str]:
    yield '<section><h2>Inputs</h2><table class="inputs small"><thead><tr><th scope="col">Site</th>'
    yield '<th scope="col">Rows</th><th scope="col">From</th><th scope="col">To</th>'
    yield '<th scope="col" class="digest">SHA-256 of the rows</th></tr></thead><tbody>'
    on_paper, _ = _inputs_on_paper(statement, figures)
    for number, part in enumerate(statement.parts):
        look = "" if number < on_paper else ' class="screen"'
        name = text(without_formula(part.site))
        if len(part.site) > _SITE_CHARS:
            # A long name has a line of its own, so that the digest keeps its own.
            yield f'<tr{look}><th scope="rowgroup" colspan="5" class="name over">{name}</th></tr>'
            first = "<td></td>"
        else:
            first = f'<th scope="row" class="name">{name}</th>'
        yield (
            f"<tr{look}>{first}<td>{part.inputs.rows:,}</td>"
            f"<td>{utc_text(part.inputs.first_at)}</td><td>{utc_text(part.inputs.last_at)}</td>"
            f'<td class="digest"><code>{text(part.inputs.digest)}</code></td></tr>'
        )
    yield "</tbody></table>"
    yield from _more_sites(len(statement.parts) - on_paper)
    yield "</section>"


def _more_sites(count: int) -> Iterator[str]:
    if count > 0:
        yield f'<p class="paper">and {count:,} more sites: see the JSON form</p>'
