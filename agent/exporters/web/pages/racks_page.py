"""The map: every unit at its place, filled by what it does, bordered by its state, and linked to its page.

A rack is one SVG. Cells that a figure fills carry a pattern beside the colour, and every state but hashing has a mark,
so nothing is told by colour alone. A map of very many units draws each of them and links racks, not units.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from html import escape
from urllib.parse import quote, urlencode

from agent.exporters.web.pages.frame import Frame
from agent.exporters.web.pages.layout import document
from agent.exporters.web.pages.rack_cells import (
    FILL_PATTERNS,
    FILL_WORDS,
    STATE_CLASS,
    STATE_MARK,
    Cell,
    heat_cell,
    rate_cell,
)
from agent.exporters.web.pages.rack_layout import Container, Rack, Slot, containers_of
from agent.site.status import UnitState, UnitStatus
from agent.text.losses import units_text
from agent.text.natural import natural_key

FILLS: dict[str, tuple[str, Callable[[UnitStatus], Cell]]] = {
    "rate": ("operating over nameplate", rate_cell),
    "heat": ("hottest chip", heat_cell),
}
"""Choices for filling the map: words, and the fill of a cell."""

LINKED_UNITS = 12_000
"""Up to so many units on one page each is a link; a larger map links racks."""
FEW_UNITS = 2000
"""Up to so many units on a map of all containers, cells are large enough for a finger."""
STEP = 15
"""From one cell to the next, in the SVG's own unit; a cell is one less."""
ROWS, MOST_COLUMNS = 8, 10
NO_CONTAINER = "(no container)"
_SWATCH = '<svg viewBox="0 0 14 14" aria-hidden="true">'


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownRacks:
    """The data of the page.

    Attributes:
        frame: What stands around the content.
        statuses: Status of every deployed unit.
        container: The container that is shown; None for all.
        fill: A key of `FILLS`.
    """

    frame: Frame
    statuses: tuple[UnitStatus, ...]
    container: str | None = None
    fill: str = "rate"


def render_racks(shown: ShownRacks) -> str:
    """Return the page as HTML."""
    containers, homeless = containers_of(shown.statuses)
    chosen = [each for each in containers if shown.container is None or _key(each) == shown.container]
    body = [FILL_PATTERNS, _chooser(shown, containers), _legend(shown.fill)]
    is_linked = sum(each.units for each in chosen) <= LINKED_UNITS
    if shown.container is not None or len(containers) <= 1:
        kind = "map one"
    else:
        kind = "map few" if len(shown.statuses) <= FEW_UNITS else "map"
    body += [_container(each, shown, is_linked=is_linked) for each in chosen]
    if homeless and shown.container is None:
        body.append(_homeless(homeless, shown))
    if not shown.statuses:
        body.append('<section class="card"><p class="amount">Nothing is deployed.</p></section>')
    elif shown.container is not None and not chosen:
        body.append(f'<section class="card"><p>No unit is in container {escape(shown.container)}.</p></section>')
    return document(shown.frame, title="Racks", body=body, styles=("walk.css",), kind=kind)


def _key(container: Container) -> str:
    return container.name or NO_CONTAINER


def _address(shown: ShownRacks, container: str | None, fill: str) -> str:
    named = {"container": container, "fill": None if fill == "rate" else fill}
    query = urlencode({name: value for name, value in named.items() if value is not None})
    return escape(f"{shown.frame.root}racks?{query}".removesuffix("?"))


def _chooser(shown: ShownRacks, containers: list[Container]) -> str:
    """Return the containers as links with what they lack, and the choice of fill."""
    items = []
    for name, words, units in ((None, "All", ""), *((_key(each), _key(each), _short(each)) for each in containers)):
        current = ' aria-current="true"' if name == shown.container else ""
        items.append(
            f'<li><a href="{_address(shown, name, shown.fill)}"{current}>{escape(words)}'
            f"{f' <small>{units}</small>' if units else ''}</a></li>"
        )
    fills = [
        f'<li><a href="{_address(shown, shown.container, fill)}"{" aria-current=true" if fill == shown.fill else ""}>'
        f"{words}</a></li>"
        for fill, (words, _) in FILLS.items()
    ]
    return (
        f'<nav class="choose" aria-label="Containers"><ul>{"".join(items)}</ul></nav>'
        f'<nav class="choose" aria-label="Fill"><span>Filled by</span><ul>{"".join(fills)}</ul></nav>'
    )


def _short(container: Container) -> str:
    hashing = sum(
        slot.status is not None and slot.status.state is UnitState.HASHING and slot.status.is_looked_at
        for rack in container.racks
        for slot in rack.slots
    )
    return f"{hashing:,} of {container.units:,}"


def _legend(fill: str) -> str:
    fills = "".join(f"<li>{_SWATCH}{_shape(name, 's0')}</svg>{words}</li>" for name, words in FILL_WORDS[fill])
    states = "".join(
        f"<li>{_SWATCH}{_shape('e', STATE_CLASS[state])}{_mark(state)}</svg>{state}</li>"
        for state in UnitState
        if state is not UnitState.HASHING
    )
    empty, fill_words = f'<li>{_SWATCH}<path class="empty" d="M1 1h12v12H1z"/></svg>empty slot</li>', FILLS[fill][0]
    return (
        '<details class="map-legend card" open><summary>Legend</summary>'
        f'<ul aria-label="Fill: {fill_words}">{fills}</ul>'
        f'<ul aria-label="Border and mark: state">{states}{empty}</ul></details>'
    )


def _shape(fill: str, state: str) -> str:
    return f'<path class="c {state}" fill="url(#{fill})" d="M1 1h12v12H1z"/>'


def _mark(state: UnitState | None) -> str:
    mark = None if state is None else STATE_MARK.get(state)
    return "" if mark is None else f'<path class="m" d="{mark}"/>'


def _container(container: Container, shown: ShownRacks, *, is_linked: bool) -> str:
    draw = _linked_rack if is_linked else _plain_rack
    racks = "".join(draw(rack, container, shown) for rack in container.racks)
    name = escape(container.name) or "No container"
    return (
        f'<section class="card container"><h2><a href="{_address(shown, _key(container), shown.fill)}">{name}</a>'
        f' <small class="soft">{_short(container)} hashing</small></h2><div class="racks">{racks}</div></section>'
    )


def _columns(rack: Rack) -> int:
    return max(2, min(MOST_COLUMNS, -(-len(rack.slots) // ROWS)))


def _figure(rack: Rack, container: Container, content: str) -> str:
    columns = _columns(rack)
    rows = -(-len(rack.slots) // columns)
    name = f"Rack {escape(rack.name)}" if rack.name else "No rack"
    # Names often repeat the container's: under its heading the rest is enough.
    short = rack.name.removeprefix(container.name).lstrip("-_./ ") if container.name else rack.name
    caption = escape(short or rack.name) or "no rack"
    # The class says how wide it is: the content security policy refuses a style of its own.
    size = f'viewBox="0 0 {columns * STEP} {rows * STEP}" role="group" aria-label="{name}"'
    return f'<figure class="w{columns}"><figcaption>{caption}</figcaption><svg {size}>{content}</svg></figure>'


def _spots(rack: Rack) -> Iterable[tuple[Slot, int, int]]:
    columns = _columns(rack)
    return ((slot, number % columns * STEP + 1, number // columns * STEP + 1) for number, slot in enumerate(rack.slots))


def _linked_rack(rack: Rack, container: Container, shown: ShownRacks) -> str:
    """Return a rack in which each unit is a link with a name."""
    cell_of, root, pieces = FILLS[shown.fill][1], shown.frame.root, []
    for slot, x, y in _spots(rack):
        if slot.status is None:
            pieces.append(f'<path class="empty" d="M{x} {y}h13v13h-13z"><title>slot {slot.name}: empty</title></path>')
            continue
        cell, unit_id = cell_of(slot.status), slot.status.entry.unit_id
        where = f" slot {escape(slot.name)}" if slot.name else ""
        mark = "" if cell.state is None else STATE_MARK.get(cell.state, "")
        drawn = f'<path class="m" transform="translate({x - 1} {y - 1})" d="{mark}"/>' if mark else ""
        pieces.append(
            f'<a href="{root}units/{escape(quote(unit_id, safe=""))}"><title>{escape(unit_id)}{where}, {cell.words}'
            f'</title><path class="c {_border(cell)}" fill="url(#{cell.fill})" d="M{x} {y}h13v13h-13z"/>{drawn}</a>'
        )
    return _figure(rack, container, "".join(pieces))


def _border(cell: Cell) -> str:
    return "s7" if cell.state is None else STATE_CLASS[cell.state]


def _plain_rack(rack: Rack, container: Container, shown: ShownRacks) -> str:
    """Return a rack that is one link; cells that look alike are one shape."""
    cell_of = FILLS[shown.fill][1]
    shapes: dict[tuple[str, str], list[str]] = {}
    marks: list[str] = []
    states: Counter[str] = Counter()
    for slot, x, y in _spots(rack):
        square = f"M{x} {y}h13v13h-13z"
        if slot.status is None:
            shapes.setdefault(("", "empty"), []).append(square)
            continue
        cell = cell_of(slot.status)
        states["not looked at" if cell.state is None else cell.state] += 1
        shapes.setdefault((cell.fill, _border(cell)), []).append(square)
        mark = None if cell.state is None else STATE_MARK.get(cell.state)
        if mark is not None:
            marks.append(f'<path class="m" transform="translate({x - 1} {y - 1})" d="{mark}"/>')
    drawn = "".join(
        f'<path class="empty" d="{"".join(squares)}"/>'
        if not fill
        else f'<path class="c {border}" fill="url(#{fill})" d="{"".join(squares)}"/>'
        for (fill, border), squares in shapes.items()
    )
    words = ", ".join(f"{units} {state}" for state, units in states.most_common())
    address = _address(shown, _key(container), shown.fill)
    title = f"{escape(container.name)} {escape(rack.name) or 'no rack'}: {words}"
    return _figure(rack, container, f'<a href="{address}"><title>{title}</title>{drawn}{"".join(marks)}</a>')


def _homeless(statuses: list[UnitStatus], shown: ShownRacks) -> str:
    """Return the units without a place."""
    rack = Rack("", [Slot("", status) for status in sorted(statuses, key=lambda one: natural_key(one.entry.unit_id))])
    draw = _linked_rack if len(statuses) <= LINKED_UNITS else _plain_rack
    return (
        '<section class="card container"><h2>Without a place in the ledger</h2>'
        f'<p class="soft">{units_text(len(statuses))}</p>'
        f'<div class="racks">{draw(rack, Container("", [rack]), shown)}</div></section>'
    )
