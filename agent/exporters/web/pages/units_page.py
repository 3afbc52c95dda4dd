"""``/units``: units found by words and filters, a page at a time."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from agent.exporters.web.pages.banners import simulated_banners
from agent.exporters.web.pages.frame import Frame
from agent.exporters.web.pages.layout import document
from agent.exporters.web.pages.unit_rows import COLUMNS, Column, since_note, unit_row
from agent.exporters.web.unit_query import UnitQuery, query_text
from agent.site.pools.work import PoolClass
from agent.site.reasons import REASONS, Reason
from agent.site.status import Cause, UnitState, UnitStatus
from agent.text.losses import CAUSE_WORDS, units_text
from agent.text.natural import natural_key
from agent.text.numbers import hashrate_text
from agent.text.work import CLASS_WORDS

DEFAULTS = UnitQuery(sort="shortfall", is_descending=True, limit=50)
MOST = 200
"""Units on a page, so that no page is large; CSV and JSON give more."""
FIRST_DESCENDING = frozenset({"shortfall", "since", "hashrate", "nameplate", "celsius"})
"""Columns whose first sorting is the largest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitsShown:
    """The data of the page.

    Attributes:
        frame: What stands around the content.
        query: The filters, the order and the page.
        statuses: Status of every deployed unit.
        counts_simulated: True if the figures include simulated units.
        seen_from: Unix time since which every unit has been watched, s; None before that.
    """

    frame: Frame
    query: UnitQuery
    statuses: tuple[UnitStatus, ...]
    counts_simulated: bool = True
    seen_from: float | None = None


def render(shown: UnitsShown) -> str:
    """Return the page as HTML."""
    query = shown.query
    # All that match are summed, and one page of them is shown.
    matching = [status for status in shown.statuses if query.matches(status)]
    page, total = query.page(matching), len(matching)
    body = [
        _form(shown),
        _summary(query, page, total, _lost(shown, matching)),
        _table(shown, page),
        _pages(query, total),
    ]
    banners = simulated_banners(shown.statuses, counts_simulated=shown.counts_simulated)
    return document(shown.frame, title="Units", body=body, banners=banners)


def _address(query: UnitQuery, **changes: object) -> str:
    text = query_text(query, DEFAULTS, **changes)
    return escape(f"units?{text}" if text else "units")


def _lost(shown: UnitsShown, matching: Sequence[UnitStatus]) -> str:
    """Return what these units lose in words; of one cause, exactly what the site's page says of it."""
    cause = shown.query.cause
    unseen = sum(not status.is_looked_at for status in matching)
    # Before the first figures, nothing is known of a unit that was not looked at; from then on it counts as a loss.
    counts_unseen = cause is not None and shown.seen_from is not None
    counted = [status for status in matching if status.is_looked_at or counts_unseen]
    if cause is None:
        return f"{hashrate_text(sum(status.shortfall_hs for status in counted))} lost"
    lost_hs = sum(loss.hashrate_hs for status in counted for loss in status.losses if loss.cause is cause)
    note = f", {unseen:,} of them not looked at yet" if unseen else ""
    return f"{hashrate_text(lost_hs)} lost: {CAUSE_WORDS[cause]}{note}"


def _summary(query: UnitQuery, page: Sequence[UnitStatus], total: int, lost: str) -> str:
    if not total:
        found = "No unit matches."
    else:
        first = query.offset + 1
        shown = f"{first:,} to {query.offset + len(page):,} shown" if page else "none of them on this page"
        found = f"{units_text(total)} match{'es' if total == 1 else ''}, {lost}; {shown}."
    everything = query_text(query, DEFAULTS, offset=0, limit=DEFAULTS.limit)
    csv = f'<a href="{escape(f"units.csv?{everything}" if everything else "units.csv")}">CSV of all that match</a>'
    cleared = query_text(DEFAULTS, DEFAULTS, sort=query.sort, is_descending=query.is_descending)
    is_filtered = query_text(query, DEFAULTS, sort="unit", offset=0, limit=1) != query_text(
        DEFAULTS, DEFAULTS, sort="unit", offset=0, limit=1
    )
    clear = f' <a href="{escape(f"units?{cleared}" if cleared else "units")}">Show all units</a>' if is_filtered else ""
    only = "".join(
        f" Only those {words}."
        for words in (
            query.firmware and f"with firmware {query.firmware}",
            query.curtailment and f"under curtailment {query.curtailment}",
            {True: "that are simulated", False: "that are not simulated", None: None}[query.is_simulated],
        )
        if words
    )
    return f'<p class="found"><span role="status">{found}</span>{escape(only)} {csv if total else ""}{clear}</p>'


def _table(shown: UnitsShown, page: Sequence[UnitStatus]) -> str:
    if not page:
        return ""
    rows = "".join(unit_row(status, shown.frame, shown.seen_from) for status in page)
    heads = "".join(_head(shown.query, column) for column in COLUMNS)
    return (
        '<section class="card units"><div class="scroll" tabindex="0" role="region" aria-label="Units">'
        f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
        f'<p class="scale">{since_note(page, shown.frame, shown.seen_from)}</p></section>'
    )


def _head(query: UnitQuery, column: Column) -> str:
    is_sorted = query.sort == column.sort
    descends = not query.is_descending if is_sorted else column.sort in FIRST_DESCENDING
    attributes = f' class="{column.classes}"' if column.classes else ""
    if is_sorted:
        attributes += f' aria-sort="{"descending" if query.is_descending else "ascending"}"'
    address = _address(query, sort=column.sort, is_descending=descends, offset=0)
    return f'<th scope="col"{attributes}><a href="{address}">{column.head}</a></th>'


def _pages(query: UnitQuery, total: int) -> str:
    links = []
    if query.offset:
        before = max(0, min(query.offset, total) - query.limit)
        links.append(f'<a rel="prev" href="{_address(query, offset=before)}">Previous {query.limit}</a>')
    if query.offset + query.limit < total:
        links.append(
            f'<a rel="next" href="{_address(query, offset=query.offset + query.limit)}">Next {query.limit}</a>'
        )
    return f'<nav class="paging" aria-label="Pages of units">{" ".join(links)}</nav>' if links else ""


def _form(shown: UnitsShown) -> str:
    query, statuses = shown.query, shown.statuses
    judged = [status for status in statuses if status.is_looked_at]
    states = Counter(status.state for status in judged)
    reasons = Counter(status.reason for status in judged)
    causes = Counter(loss.cause for status in statuses for loss in status.losses)
    pools = Counter(status.work.pool_class for status in statuses if status.work is not None)
    containers = Counter(status.entry.place.container for status in statuses)
    racks = Counter(
        status.entry.place.rack
        for status in statuses
        if query.container is None or status.entry.place.container == query.container
    )
    models = Counter(status.entry.nameplate.model for status in statuses)
    owners = Counter(status.entry.owner_name for status in statuses)
    selects = [
        _select("container", "Container", _named(containers, query.container), query.container),
        _select("rack", "Rack", _named(racks, query.rack), query.rack)
        if query.container is not None or query.rack is not None
        else "",
        _select("state", "State", [(s, s, states[s]) for s in UnitState if states[s] or s == query.state], query.state),
        _select(
            "reason",
            "Reason",
            [(r, REASONS[r].words, reasons[r]) for r in Reason if reasons[r] or r == query.reason],
            query.reason,
        ),
        _select(
            "cause",
            "Loss",
            [(c, CAUSE_WORDS[c], causes[c]) for c in Cause if causes[c] or c == query.cause],
            query.cause,
        ),
        _select(
            "pool",
            "Its work goes to",
            [(p, CLASS_WORDS[p], pools[p]) for p in PoolClass if pools[p] or p == query.pool],
            query.pool,
        )
        if pools or query.pool is not None
        else "",
        _select("model", "Model", _named(models, query.model), query.model),
        _select("owner", "Owner", _named(owners, query.owner), query.owner)
        if query.owner is not None or any(status.entry.owner for status in statuses)
        else "",
    ]
    chosen = [
        *([f"container {query.container}"] if query.container is not None else []),
        *([f"rack {query.rack}"] if query.rack is not None else []),
        *([str(query.state)] if query.state is not None else []),
        *([REASONS[query.reason].words] if query.reason is not None else []),
        *([CAUSE_WORDS[query.cause]] if query.cause is not None else []),
        *([f"work for {CLASS_WORDS[query.pool]}"] if query.pool is not None else []),
        *([query.model] if query.model is not None else []),
        *([f"owner {query.owner}"] if query.owner is not None else []),
    ]
    # Closed, so that what was found is on a phone's first screen.
    summary = escape(f"Filters: {', '.join(chosen)}" if chosen else "Filters")
    hidden = _hidden(query)
    return (
        '<form class="card filters" action="units" method="get" data-filter role="search">'
        f'<p class="search"><label for="q">Search</label> <input id="q" name="q" type="search" maxlength="128"'
        f' value="{escape(query.text)}" autocomplete="off" spellcheck="false"'
        ' placeholder="place, reason, id, address, MAC, serial, worker">'
        f" <button>Find</button></p><details><summary>{summary}</summary>"
        f'<div class="choices">{"".join(selects)}</div></details>{hidden}</form>'
    )


def _hidden(query: UnitQuery) -> str:
    """Return what the form keeps of the query without showing it."""
    kept = {"firmware": query.firmware, "curtailment": query.curtailment}
    if query.is_simulated is not None:
        kept["simulated"] = "yes" if query.is_simulated else "no"
    if (query.sort, query.is_descending) != (DEFAULTS.sort, DEFAULTS.is_descending):
        kept["sort"] = f"-{query.sort}" if query.is_descending else query.sort
    if query.limit != DEFAULTS.limit:
        kept["limit"] = str(query.limit)
    return "".join(
        f'<input type="hidden" name="{name}" value="{escape(value)}">' for name, value in kept.items() if value
    )


def _named(counts: Counter[str], chosen: str | None) -> list[tuple[str, str, int]]:
    names = {name for name in counts if name} | ({chosen} if chosen else set())
    return [(name, name, counts[name]) for name in sorted(names, key=natural_key)]


def _select(name: str, label: str, options: Iterable[tuple[str, str, int]], chosen: str | None) -> str:
    listed = "".join(
        f'<option value="{escape(value)}"{" selected" if value == chosen else ""}>{escape(words)} ({count:,})</option>'
        for value, words, count in options
    )
    return (
        f'<p><label for="f-{name}">{label}</label><select id="f-{name}" name="{name}">'
        f'<option value="">any</option>{listed}</select></p>'
    )
