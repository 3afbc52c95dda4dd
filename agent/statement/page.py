"""A statement as one HTML file for people: two printed pages, no script, nothing loaded from anywhere. Pure.

The first page has the notes, the headline, the picture and the table of days or sites; the second all figures, gaps,
the method and the inputs with their digests. A list that would not fit on paper is cut there, and says by how much. On
a screen it goes on.
"""

from collections.abc import Iterable, Iterator, Sequence
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
from agent.statement.text import Scale, before, gaps, lines, scale_of, title, verdict
from agent.text.numbers import ABSENT, TARGET_RATIO, ratio_text

POLICY = f"default-src 'none'; style-src '{STYLE_HASH}'; base-uri 'none'; form-action 'none'"
"""What the page may do, whatever is in it: have its own style, and nothing else."""

MOST_LISTED = 500
"""Of a list, at most so many lines stand in the file; the JSON has all."""
_PAPER_LINE = 118
"""Characters in a line of a list in print."""
_NOTE_LINES, _NOTE_LINES_OF_FLEET = 10, 22
_GAP_LINES, _SITES_ON_PAPER = 12, 24
_MOST_DAYS_ON_PAPER = 31
_FEW_NAMES = 8


def page(statement: Statement, days: Sequence[Day] = ()) -> str:
    """Return the page.

    Args:
        statement: The statement.
        days: The figures by day of its only site; empty where there are no rows, as when statements are combined.
            The picture then shows the sites.
    """
    columns = [column_of_day(day) for day in days] or [column_of_site(part) for part in statement.parts]
    head = title(statement)
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
            *_notes(statement, is_fleet=not days),
            _headline(statement),
            *((f"<p>{text(before(statement))}</p>",) if statement.before else ()),
            *_picture(statement, columns, is_by_day=bool(days)),
            *_table(statement, columns, is_by_day=bool(days)),
            "</div>",
            '<div class="sheet">',
            *_figures(statement),
            *_gaps(statement),
            f'<h2>Method</h2><p class="small">{text(statement.method)}</p>',
            *_inputs(statement),
            _footer(statement),
            "</div>",
            "</main>",
            "</body>",
            "</html>",
            "",
        )
    )


def _footer(statement: Statement) -> str:
    return (
        f"<footer>Computed {utc_text(statement.computed_at)}, statement format {statement.format}."
        " The JSON form can be verified: hashsight statement --verify.</footer>"
    )


def _bounded(items: Sequence[str], most_lines: int, tag: str = "li") -> Iterator[str]:
    """Yield elements; what does not fit into so many lines of paper is for the screen, and counted for the paper.

    Args:
        items: Texts.
        most_lines: Lines there are on paper.
        tag: The element.
    """
    used, on_paper = 0, 0
    for item in items:
        used += ceil(len(item) / _PAPER_LINE)
        # The line that says how many more there are needs room as well.
        if used > most_lines - 1 and len(items) > 1:
            break
        on_paper += 1
    for number, item in enumerate(items[:MOST_LISTED]):
        look = "" if number < on_paper else ' class="screen"'
        yield f"<{tag}{look}>{text(item)}</{tag}>"
    if on_paper < len(items):
        yield f'<{tag} class="paper">and {len(items) - on_paper:,} more: see the JSON form</{tag}>'
    if len(items) > MOST_LISTED:
        yield f'<{tag} class="screen">and {len(items) - MOST_LISTED:,} more: see the JSON form</{tag}>'


def _notes(statement: Statement, *, is_fleet: bool) -> Iterator[str]:
    if statement.notes:
        most = _NOTE_LINES_OF_FLEET if is_fleet else _NOTE_LINES
        yield '<section class="notes" aria-label="Notes"><ul>'
        yield from _bounded(statement.notes, most)
        yield "</ul></section>"


def _headline(statement: Statement) -> str:
    figures, scale = statement.figures, scale_of(statement)
    shown = (
        ("", ratio_text(figures.operational_efficiency_ratio), "operational efficiency"),
        ("", ratio_text(figures.operational_efficiency_floor_ratio), "floor"),
        ("", ratio_text(figures.operational_efficiency_ceiling_ratio), "ceiling"),
        ("", scale(figures.operating_hs), "average operating"),
        ("", scale(figures.deployed_hs), "deployed, mean"),
        (' class="verdict"', verdict(statement), "verdict"),
    )
    items = "".join(f"<div{look}><dt>{name}</dt><dd>{text(value)}</dd></div>" for look, value, name in shown)
    return f'<dl class="headline">{items}</dl>'


def _picture(statement: Statement, columns: Sequence[Column], *, is_by_day: bool) -> Iterator[str]:
    each = "day" if is_by_day else "site"
    scale = scale_of(statement)
    top_hs, top_loss = picture.hashrate_top(columns), picture.loss_top(columns)
    if is_by_day:
        # All in the unit of the period, so that picture and figures can be compared.
        caption = f"By {each}, from midnight to midnight in {statement.parts[0].zone}."
    else:
        scale = Scale(top_hs)
        caption = "By site. JSON statements hold no days: each site's own page shows them."
    losses_hs = statement.figures.losses_hs
    causes = [cause for cause in sorted(Cause, key=lambda cause: -losses_hs[cause]) if losses_hs[cause]]
    yield f"<section><h2>Operating against deployed, and losses, by {each}</h2>"
    yield f'<p class="small">{text(caption)} The width of a column is its time; the hatched part was not watched.</p>'
    yield f'<div class="plot">{_axis([scale.number(top_hs * share, 1) for share in (1, 0.75, 0.5, 0.25)], scale.unit)}'
    yield picture.operating(
        columns,
        title=f"Operating against deployed by {each}, {statement.period}",
        description=_operating_text(columns, each),
    )
    yield f"{_names(columns, is_by_day=is_by_day)}</div>"
    yield f'<ul class="legend">{"".join(_marks())}</ul>'
    axis = _axis([ratio_text(top_loss * share, 1) for share in (1, 0.75, 0.5, 0.25)], "lost")
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


def _axis(marks: Sequence[str], unit: str) -> str:
    shown = "".join(f"<span>{text(mark)}</span>" for mark in marks)
    return f'<div class="axis" aria-hidden="true">{shown}<span>{text(unit)} 0</span></div>'


def _names(columns: Sequence[Column], *, is_by_day: bool) -> str:
    """Return what stands under the columns: every day of a month, the month at its beginning in longer periods."""
    shown = []
    for number, column in enumerate(columns):
        if not is_by_day:
            name, is_fine = (column.name if len(columns) <= _FEW_NAMES else str(number + 1)), False
        elif len(columns) <= _MOST_DAYS_ON_PAPER:
            name, is_fine = column.name[-2:].lstrip("0"), (number % 5) > 0
        else:
            name, is_fine = (column.name[:7] if column.name.endswith("-01") else ""), False
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
    scale = scale_of(statement) if is_by_day else Scale(picture.hashrate_top(columns))
    look = ' class="screen"' if is_by_day and len(columns) > _MOST_DAYS_ON_PAPER else ""
    yield f"<section{look}><h2>{'Days' if is_by_day else 'Sites'}</h2>"
    half = ceil(len(columns) / 2) if is_by_day and len(columns) > 1 else len(columns)
    yield f'<div class="tables{"" if is_by_day else " single"}">'
    for first in range(0, len(columns), max(half, 1)):
        some = columns[first : first + half]
        names = f"{some[0].name} to {some[-1].name}" if len(some) > 1 else some[0].name
        heads = (f"Deployed, {scale.unit}", "Operating", "Efficiency", "Floor", "Ceiling", "Watched")
        cells = "".join(f'<th scope="col">{text(head)}</th>' for head in heads)
        yield f"<table><caption>{text(names)}</caption><thead><tr>"
        yield f'<th scope="col">{"Day" if is_by_day else "Site"}</th>{cells}</tr></thead><tbody>'
        for number, column in enumerate(some, first):
            name = column.name if is_by_day or len(columns) <= _FEW_NAMES else f"{number + 1}. {column.name}"
            yield _row(name, column, scale, is_on_paper=is_by_day or number < _SITES_ON_PAPER)
        yield "</tbody></table>"
    yield "</div>"
    if not is_by_day and len(columns) > _SITES_ON_PAPER:
        yield f'<p class="paper">and {len(columns) - _SITES_ON_PAPER:,} more sites: see the JSON form</p>'
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
    return f'<tr{look}><th scope="row">{text(without_formula(name))}</th>{cells}</tr>'


def _figures(statement: Statement) -> Iterator[str]:
    yield '<section><h2>All figures</h2><table class="figures"><thead><tr><th scope="col">Figure</th>'
    yield '<th scope="col">Value</th><th scope="col">Of deployed</th></tr></thead><tbody>'
    for line in lines(statement):
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


def _gaps(statement: Statement) -> Iterator[str]:
    found = list(gaps(statement))
    yield "<section><h2>Gaps over 5 minutes</h2>"
    if not found:
        yield '<p class="small">None.</p></section>'
        return
    yield '<ul class="small">'
    yield from _bounded(found, _GAP_LINES)
    yield "</ul></section>"


def _inputs(statement: Statement) -> Iterator[str]:
    yield '<section><h2>Inputs</h2><table class="inputs small"><thead><tr><th scope="col">Site</th>'
    yield '<th scope="col">Rows</th><th scope="col">From</th><th scope="col">To</th>'
    yield '<th scope="col" class="digest">SHA-256 of the rows</th></tr></thead><tbody>'
    for number, part in enumerate(statement.parts):
        look = "" if number < _SITES_ON_PAPER // 2 else ' class="screen"'
        yield (
            f'<tr{look}><th scope="row">{text(without_formula(part.site))}</th><td>{part.inputs.rows:,}</td>'
            f"<td>{utc_text(part.inputs.first_at)}</td><td>{utc_text(part.inputs.last_at)}</td>"
            f'<td class="digest"><code>{text(part.inputs.digest)}</code></td></tr>'
        )
    yield "</tbody></table>"
    if len(statement.parts) > _SITES_ON_PAPER // 2:
        more = len(statement.parts) - _SITES_ON_PAPER // 2
        yield f'<p class="paper">and {more:,} more sites: see the JSON form</p>'
    yield "</section>"
