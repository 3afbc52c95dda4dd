"""The walk list: every fault that lasts, in the order of a walk or of what it costs, to read, print and note upon."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC
from html import escape
from itertools import groupby
from urllib.parse import quote, urlencode

from agent.exporters.web.pages.frame import Frame
from agent.exporters.web.pages.layout import document
from agent.exporters.web.pages.rack_groups import Rack, RackGroup, grouped
from agent.exporters.web.repair_answers import HASHES_PER_THS_HOUR
from agent.exporters.web.repair_query import RepairQuery
from agent.site.repairs.entries import RepairEntry, Said
from agent.site.repairs.symptoms import SYMPTOM_WORDS, Symptom
from agent.site.status import UnitState, UnitStatus
from agent.text.natural import natural_key
from agent.text.numbers import duration_text
from agent.text.places import rack_name

SORT_WORDS = {"place": "by place, to walk", "loss": "by loss, to decide", "since": "by age"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownRepairs:
    """The data of the page.

    Attributes:
        frame: What stands around the content.
        entries: The open entries.
        unlisted: Faults that found the list full.
        query: Filters, order and page.
        unit: Returns the status of one unit; None if it is not deployed.
        is_kept: False if no history is kept, so that a restart forgets the list.
        units: Units deployed in each rack; without them no rack's entries become one line.
        is_standby: True while this agent stands by: the list is its primary's.
    """

    frame: Frame
    entries: list[RepairEntry]
    unlisted: int
    query: RepairQuery
    unit: Callable[[str], UnitStatus | None]
    is_kept: bool = True
    units: Mapping[Rack, int] = field(default_factory=dict)
    is_standby: bool = False


def render_repairs(shown: ShownRepairs) -> str:
    """Return the page as HTML."""
    chosen, total = shown.query.select(shown.entries)
    body = [_filter(shown), _sum(shown, total)]
    if shown.query.sort == "place":
        for container, group in groupby(chosen, key=lambda entry: entry.place.container):
            name = escape(container) or "No container"
            items = grouped(group, shown.entries, shown.units)
            body.append(f'<section class="card walk"><h2>{name}</h2>{_list(items, shown)}</section>')
    elif chosen:
        body.append(
            f'<section class="card walk"><h2>{SORT_WORDS[shown.query.sort]}</h2>{_list(chosen, shown)}</section>'
        )
    body.append(_pages(shown.query, total))
    return document(shown.frame, title="Repairs", body=body, styles=("walk.css",), scripts=("repairs.js",))


def _filter(shown: ShownRepairs) -> str:
    query = shown.query
    containers = sorted({entry.place.container for entry in shown.entries} - {""}, key=natural_key)
    if query.container is not None and query.container not in containers:
        containers.append(query.container)
    symptoms = [(str(symptom), SYMPTOM_WORDS[symptom]) for symptom in Symptom]
    every = ("", "all")
    csv = f"repairs.csv?{urlencode(query.parameters())}".removesuffix("?")
    return (
        '<form data-filter method="get" class="filter card" aria-label="Filter">'
        + _select("container", "Container", [every, *((name, name) for name in containers)], query.container)
        + _select("symptom", "Symptom", [every, *symptoms], query.symptom)
        + _select("sort", "Order", list(SORT_WORDS.items()), query.sort)
        + f'<button type="submit">Show</button><a href="{escape(csv)}" download>CSV</a></form>'
    )


def _select(name: str, label: str, options: Iterable[tuple[str, str]], chosen: str | None) -> str:
    listed = "".join(
        f'<option value="{escape(value)}"{" selected" if value == (chosen or "") else ""}>{escape(words)}</option>'
        for value, words in options
    )
    return f'<label>{label} <select name="{name}">{listed}</select></label>'


def _sum(shown: ShownRepairs, total: int) -> str:
    is_all = shown.query.container is None and shown.query.symptom is None
    if shown.is_standby:
        return '<p class="sum">This agent stands by: the walk list is its primary\'s.</p>'
    if total:
        words = f"{total:,} {'fault' if total == 1 else 'faults'} to walk to."
    elif is_all:
        words = "No fault has lasted long enough to be listed."
    else:
        words = "No fault matches the filter."
    if shown.unlisted:
        words += f" The list is full: {shown.unlisted:,} more wait."
    if not shown.is_kept:
        words += " This agent keeps no history (history.keep): a restart forgets the list."
    units = f"Losses in TH/s x hours; times in {escape(shown.frame.zone.key)}."
    return f'<p class="sum">{words} <span class="soft">{units}</span></p>'


def _list(items: Iterable[RepairEntry | RackGroup], shown: ShownRepairs) -> str:
    drawn = (_group(item, shown) if isinstance(item, RackGroup) else _item(item, shown) for item in items)
    return f"<ol>{''.join(drawn)}</ol>"


def _group(group: RackGroup, shown: ShownRepairs) -> str:
    """Return a rack's units as one line that opens to one line each."""
    frame = shown.frame
    rack = escape(rack_name(group.entries[0].place))
    key = escape(" ".join(("rack", *group.rack, group.symptom)))
    count, symptom = len(group.entries), SYMPTOM_WORDS[group.symptom]
    listed = f"{count:,}" if count == group.units else f"{count:,} of {group.units:,}"
    return (
        f'<li class="group" data-key="{key}"><details><summary><span class="place">rack {rack}</span>'
        f'<span class="what"><strong>{symptom}: {listed} units of the rack</strong>'
        ' <span class="soft">check first what they share: breaker, switch, cable</span></span>'
        f'<span class="since">the first since {frame.moment(group.since)}'
        f" <span>{duration_text(max(0.0, frame.now - group.since))}</span></span>"
        f'<span class="lost">{group.lost_hashes / HASHES_PER_THS_HOUR:,.1f} TH/s·h</span></summary>'
        f"{_list(group.entries, shown)}</details></li>"
    )


def _item(entry: RepairEntry, shown: ShownRepairs) -> str:
    frame = shown.frame
    utc = frame.local(entry.since).astimezone(UTC)
    before = f'<span class="before">{entry.before} before</span>' if entry.before else ""
    return (
        f'<li id="r{entry.id}"><p class="place">{_place(entry, frame, is_full=shown.query.sort != "place")}</p>'
        f'<p class="what"><strong>{_words(entry)}</strong>{_now(entry, shown.unit(entry.unit_id))}</p>'
        f'<p class="since">since <time datetime="{utc:%Y-%m-%dT%H:%M:%SZ}">{frame.moment(entry.since)}</time>'
        f" <span>{duration_text(max(0.0, frame.now - entry.since))}</span></p>"
        f'<p class="lost">{entry.lost_hashes / HASHES_PER_THS_HOUR:,.1f} TH/s·h {before}</p>'
        f'<p class="said">{_said(entry, frame)}</p></li>'
    )


def _place(entry: RepairEntry, frame: Frame, *, is_full: bool) -> str:
    place = entry.place
    if entry.symptom is Symptom.CONTAINER_DARK:
        address = f"racks?{urlencode({'container': place.container})}"
        return f'<a href="{escape(frame.root + address)}">Container {escape(place.container)}</a>'
    within = (("rack ", rack_name(place)), ("slot ", place.slot))
    names = [(("container ", place.container),) if is_full else (), within]
    where = ", ".join(f"{word}{escape(name)}" for each in names for word, name in each if name) or "no place given"
    address = f"{frame.root}units/{quote(entry.unit_id, safe='')}"
    return f'{where} <a href="{escape(address)}">{escape(entry.unit_id)}</a>'


def _words(entry: RepairEntry) -> str:
    """Return the symptom, with what was seen of it unless that says the same."""
    symptom = SYMPTOM_WORDS[entry.symptom]
    is_plain = entry.words in {symptom, ""}
    is_named = entry.symptom in _TELLING and not is_plain
    return escape(symptom if is_plain else entry.words if is_named else f"{symptom}: {entry.words}")


_TELLING = frozenset({Symptom.FAN_STOPPED, Symptom.BOARD_MISSING, Symptom.DIVERTED})
"""Symptoms whose words say the symptom too."""
_USUAL = {Symptom.NOT_HASHING: UnitState.STOPPED, Symptom.NO_ANSWER: UnitState.UNREACHABLE}


def _now(entry: RepairEntry, status: UnitStatus | None) -> str:
    """Return the unit's state where the symptom does not imply it."""
    if status is None or status.state is _USUAL.get(entry.symptom, UnitState.HASHING):
        return ""
    return f' <span class="soft">now {escape(status.state)}</span>'


def _said(entry: RepairEntry, frame: Frame) -> str:
    pieces = []
    if entry.seen is not None:
        pieces.append(f'<span class="seen">seen by {_who(entry.seen, frame)}</span>')
    if entry.note is not None and entry.note.text:
        pieces.append(f'<q>{escape(entry.note.text)}</q> <span class="soft">{_who(entry.note, frame)}</span>')
    name = f"Note or seen: {entry.unit_id or entry.place.container}, {SYMPTOM_WORDS[entry.symptom]}"
    button = f'<button type="button" class="scripted" data-say="{entry.id}" aria-label="{escape(name)}">Note</button>'
    return " ".join((*pieces, button))


def _who(said: Said, frame: Frame) -> str:
    return f"{escape(said.by)}, {frame.moment(said.at)}"


def _pages(query: RepairQuery, total: int) -> str:
    """Return links to the pages before and after."""
    links, after = [], query.offset + query.limit
    for rel, words, offset in (
        ("prev", "Before", max(0, query.offset - query.limit) if query.offset else None),
        ("next", "More", after if after < total else None),
    ):
        if offset is not None:
            address = escape(urlencode(query.parameters(offset=offset or None)))
            links.append(f'<a rel="{rel}" href="repairs?{address}">{words}</a>')
    if not links:
        return ""
    span = f"{query.offset + 1:,} to {min(total, after):,} of {total:,}"
    return f'<nav class="paging" aria-label="Pages of the list"><p>{span}</p>{"".join(links)}</nav>'
