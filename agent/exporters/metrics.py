"""The rendered store: lines are made when a status changes and only joined when Prometheus asks.

One column of text for each family, one cell in it for each unit. Rendering 10,000 units x 40 series at each scrape took
2 to 3 seconds of the event loop; joining what is there takes tens of milliseconds, in a thread. The idea is
kube-state-metrics', docs/design/metrics-store-performance-optimization.md.

A scrape takes a snapshot of the columns in one go, so it never sees half a unit; joining and compressing happen in a
thread, family by family. Scrapers that come while a body is being made, or shortly after, get that same body.
"""

import asyncio
import io
import sys
import time
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal, NamedTuple

from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST as CONTENT_TYPE_OPENMETRICS

from agent.exporters.families import BOARDS_SHOWN, BY_SLOT, FAMILIES, SECTIONS, UNIT_LABELS, Family, Kind
from agent.exporters.group_families import DECLARED_FIGURES, RATIOS, SITE_FAMILIES
from agent.exporters.history_health import Health
from agent.exporters.identity_figures import IdentityFigures
from agent.exporters.mqtt_health import BrokerNumbers
from agent.exporters.negotiation import accepts_gzip, wants_openmetrics
from agent.exporters.own_metrics import OWN_FAMILIES, OwnMetrics
from agent.exporters.power_families import ENERGY_FAMILIES
from agent.site.energy import Energy
from agent.site.power import MeterState
from agent.site.status import UnitStatus
from agent.site.totals import SiteFigures
from agent.unit.reading import Poll, UnitReading

LABEL_CHARS = 64
SHARE_S = 1.0
CELLS_AT_ONCE = 1000
GZIP_LEVEL = 1
_SUFFIXES_KEPT = 4096
_LARGEST = sys.float_info.max
_UNRENDERED = object()
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})

Scope = Literal["all", "site"]


class ContractRow(NamedTuple):
    """One family as the contract's table shows it."""

    name: str
    kind: str
    labels: tuple[str, ...]
    help: str


def contract() -> tuple[ContractRow, ...]:
    """Give every family the agent exports, the process' own apart, in the order of the exposition."""
    return tuple(
        ContractRow(family.name, family.kind.value, family.labels, family.help)
        for family in (*SITE_FAMILIES, *ENERGY_FAMILIES, *OWN_FAMILIES, *FAMILIES)
    )


def clean_label(text: str) -> str:
    r"""Give a label value safe to stand between quotes, at most `LABEL_CHARS` characters before escaping.

    What a device says may hold anything a JSON string may: control characters and lone surrogates, of which one would
    make the whole exposition undecodable, become U+FFFD.
    """
    text = text[:LABEL_CHARS]
    if not text.isprintable():
        text = "".join(char if char.isprintable() else "\ufffd" for char in text)
    return text.translate(_ESCAPES)


def label_pairs(names: Iterable[str], values: Iterable[str]) -> str:
    """Give ``name="value"`` pairs with commas between."""
    return ",".join(f'{name}="{clean_label(value)}"' for name, value in zip(names, values, strict=True))


class _Unit:
    """One unit's place in the store: its cell's index, its rendered label prefix, and what its lines were made from."""

    __slots__ = ("base", "cell", "entry", "parts")

    def __init__(self, cell: int) -> None:
        self.cell = cell
        self.entry: object = None
        self.base = ""
        self.parts: list[object] = []


class _Column:
    """One family's lines: a cell for each unit, or one cell for all groups.

    Args:
        family: What is rendered.
        shared_labels: How many of its labels come rendered, as the prefix.

    Attributes:
        cells: The lines, by place.
        render: Gives the lines of one subject, from the rendered labels and the subject; a value that is absent, not a
            number or infinite gives none.
    """

    __slots__ = (
        "_by_board",
        "_by_slot",
        "_head",
        "_names",
        "_samples",
        "_suffixes",
        "_value",
        "cells",
        "family",
        "render",
    )

    def __init__(self, family: Family[Any], shared_labels: int) -> None:
        self.family = family
        self.cells: list[str] = []
        self._head = family.name + "{"
        self._names = family.labels[shared_labels:]
        self._samples = family.samples
        self._suffixes: dict[tuple[str, ...], str] = {(): "} "}
        self._by_slot = [self._suffix(label) for label in BY_SLOT.values()] if family.by_board else []
        self.render: Callable[[str, Any], str] = self._render_samples
        if family.value is not None:
            self._value, self.render = family.value, self._render_value
        elif family.by_board is not None:
            self._by_board, self.render = family.by_board, self._render_boards

    def _suffix(self, values: tuple[str, ...]) -> str:
        """Render the labels after the prefix; kept, because all but those of the info family come from closed lists."""
        suffix = f",{label_pairs(self._names, values)}}} "
        if self.family.kind is not Kind.INFO and len(self._suffixes) < _SUFFIXES_KEPT:
            self._suffixes[values] = suffix
        return suffix

    def _render_value(self, base: str, part: object) -> str:
        value = self._value(part)
        if value is not None and -_LARGEST <= value <= _LARGEST:
            return f"{self._head}{base}}} {value!r}\n"
        return ""

    def _render_boards(self, base: str, reading: UnitReading) -> str:
        head, by_slot, by_board = self._head, self._by_slot, self._by_board
        lines = ""
        for place, board in enumerate(reading.boards):
            value = by_board(board)
            if board.slot != place or place >= BOARDS_SHOWN:
                # A slot that is empty or beyond what is shown, so that place and slot differ.
                return self._render_samples(base, reading)
            if value is not None and -_LARGEST <= value <= _LARGEST:
                lines += f"{head}{base}{by_slot[place]}{value!r}\n"
        return lines

    def _render_samples(self, base: str, part: object) -> str:
        head, suffixes = self._head, self._suffixes
        # A mapping, so that a firmware that names a board twice gives one series and not an exposition nobody accepts.
        lines = {}
        for values, value in self._samples(part):
            if value is not None and -_LARGEST <= value <= _LARGEST:
                suffix = suffixes.get(values) or self._suffix(values)
                lines[suffix] = f"{head}{base}{suffix}{value!r}\n"
        return "".join(lines.values())


class _Body(NamedTuple):
    made_at: float
    content: bytes


class Metrics:
    """Everything Prometheus can read here.

    Args:
        site: Name of the site, a label of every series but the agent's own.
        version: The agent's own.
        clock: Monotonic clock, s.
        share_s: For how long a scrape's body is given to others who ask for the same.
        is_shard: Whether the units are a part of the site's: then only figures that add up to the site's are shown.
    """

    def __init__(
        self, site: str, *, version: str, clock: Callable[[], float], share_s: float = SHARE_S, is_shard: bool = False
    ) -> None:
        self.own = OwnMetrics(site, version)
        self.own.units = self._units_shown
        self.own.simulated_units = lambda: len(self._simulated)
        self._site_pair = label_pairs(("site",), (site,))
        self._clock = clock
        self._share_s = share_s
        self._sections = [
            (section.part, section.is_same, [_Column(family, len(UNIT_LABELS)) for family in section.families])
            for section in SECTIONS
        ]
        self._columns = [column for _, _, columns in self._sections for column in columns]
        self._units: dict[str, _Unit] = {}
        self._free_cells: list[int] = []
        self._simulated: set[str] = set()
        self._figures = [
            _Column(family, shared_labels=1) for family in SITE_FAMILIES if not (is_shard and family.name in RATIOS)
        ]
        self._energy = [_Column(family, shared_labels=1) for family in ENERGY_FAMILIES]
        self._bodies: dict[tuple[Scope, bool, bool], _Body] = {}
        self._making: defaultdict[tuple[Scope, bool, bool], asyncio.Lock] = defaultdict(asyncio.Lock)

    def _units_shown(self) -> int:
        return len(self._units)

    def on_unit(self, status: UnitStatus) -> None:
        """Render one unit's lines anew; parts of the status that did not change are left as they are."""
        entry = status.entry
        unit = self._units.get(entry.unit_id)
        if unit is None:
            unit = self._add_unit(entry.unit_id)
        if unit.entry is not entry:
            unit.entry = entry
            pairs = label_pairs(UNIT_LABELS[1:], (entry.place.container, entry.unit_id))
            unit.base = f"{self._site_pair},{pairs}"
            unit.parts = [_UNRENDERED] * len(SECTIONS)
            (self._simulated.add if entry.is_simulated else self._simulated.discard)(entry.unit_id)
        base, cell, parts = unit.base, unit.cell, unit.parts
        for index, (part_of, is_same, columns) in enumerate(self._sections):
            part, before = part_of(status), parts[index]
            if part is before:
                continue
            parts[index] = part
            if part is not None and before is not None and before is not _UNRENDERED and is_same(before, part):
                continue
            if part is None:
                for column in columns:
                    column.cells[cell] = ""
            else:
                for column in columns:
                    column.cells[cell] = column.render(base, part)

    def _add_unit(self, unit_id: str) -> _Unit:
        if not self._free_cells:
            self._free_cells.append(len(self._columns[0].cells))
            for column in self._columns:
                column.cells.append("")
        unit = self._units[unit_id] = _Unit(self._free_cells.pop())
        return unit

    def remove_unit(self, unit_id: str) -> None:
        """Forget a unit that left the ledger: none of its series remains."""
        unit = self._units.pop(unit_id, None)
        if unit is None:
            return
        for column in self._columns:
            column.cells[unit.cell] = ""
        self._free_cells.append(unit.cell)
        self._simulated.discard(unit_id)

    def on_site(self, figures: SiteFigures, *, is_whole: bool) -> None:
        """Render the group figures.

        Args:
            figures: As of now.
            is_whole: Whether every unit was looked at once; until then only what the ledger declares is shown.
        """
        for column in self._figures:
            is_shown = is_whole or column.family.name in DECLARED_FIGURES
            column.cells = [column.render(self._site_pair, figures) if is_shown else ""]
        # A big body is not kept in memory between scrapes.
        for key, body in list(self._bodies.items()):
            if not self._is_young(body):
                del self._bodies[key]

    def on_energy(self, energy: Energy) -> None:
        """Render the energy counters."""
        for column in self._energy:
            column.cells = [column.render(self._site_pair, energy)]

    def on_poll(self, poll: Poll) -> None:
        """Count one poll."""
        self.own.on_poll(poll)

    def on_skipped(self, why: str, polls: int = 1) -> None:
        """Count polls that were due and not made."""
        self.own.skipped[why] += polls

    def on_lag(self, lag_s: float) -> None:
        """Take in how late the event loop woke up a regular timer."""
        self.own.lag_s.observe(lag_s)

    def on_reload(self, *, is_successful: bool, at: float) -> None:
        """Take in what came of reading configuration and ledger, at Unix time `at`; the first start counts."""
        self.own.reload_successful = is_successful
        if is_successful:
            self.own.reloaded_at = at

    def watch_identity(self, identity: Callable[[], IdentityFigures]) -> None:
        """Show who is where, as `identity` gives it."""
        self.own.identity = identity

    def watch_history(self, health: Health) -> None:
        """Show how keeping history goes, from now on."""
        self.own.history = health

    def watch_mqtt(self, numbers: Callable[[], Iterable[BrokerNumbers]]) -> None:
        """Show what `numbers` gives as the MQTT brokers there are."""
        self.own.mqtt = numbers

    def watch_curtailments(self, is_kept: Callable[[], bool | None]) -> None:
        """Show what `is_kept` gives as whether declared curtailments are on disk."""
        self.own.curtailments_kept = is_kept

    def watch_meters(self, states: Callable[[], Iterable[MeterState]]) -> None:
        """Show what `states` gives as the meters there are."""
        self.own.meters = states

    def watch_in_flight(self, in_flight: Callable[[], int]) -> None:
        """Show what `in_flight` gives as the number of polls under way."""
        self.own.in_flight = in_flight

    def _is_young(self, body: _Body) -> bool:
        return self._clock() - body.made_at < self._share_s

    async def scrape(
        self, accept: str = "", accept_encoding: str = "", *, scope: Scope = "all"
    ) -> tuple[bytes, Mapping[str, str]]:
        """Give the body and the headers that belong to it.

        Args:
            accept: The header of that name; decides between text 0.0.4 and OpenMetrics 1.0.
            accept_encoding: The header of that name; decides on gzip.
            scope: ``site`` leaves out every series of a single unit.
        """
        is_openmetrics, is_gzip = wants_openmetrics(accept), accepts_gzip(accept_encoding)
        headers = {
            "Content-Type": CONTENT_TYPE_OPENMETRICS if is_openmetrics else CONTENT_TYPE_PLAIN_0_0_4,
            "Vary": "Accept, Accept-Encoding",
        }
        if is_gzip:
            headers["Content-Encoding"] = "gzip"
        key = (scope, is_openmetrics, is_gzip)
        async with self._making[key]:
            body = self._bodies.get(key)
            if body is None or not self._is_young(body):
                body = self._bodies[key] = await self._make(scope, is_openmetrics=is_openmetrics, is_gzip=is_gzip)
        return body.content, headers

    async def _make(self, scope: Scope, *, is_openmetrics: bool, is_gzip: bool) -> _Body:
        started = self._clock()
        own = self.own.exposition(is_openmetrics=is_openmetrics)
        # One snapshot in one go: the columns may change while the thread joins them.
        groups = [*self._figures, *self._energy]
        columns = [*groups, *self._columns] if scope == "all" else groups
        snapshot = [(header(column.family, is_openmetrics=is_openmetrics), column.cells.copy()) for column in columns]
        ending = b"# EOF\n" if is_openmetrics else b""
        content, size = await asyncio.to_thread(_join, own, snapshot, ending, is_gzip=is_gzip)
        self.own.scrape_s.observe(self._clock() - started)
        self.own.scrape_bytes[scope] = size
        return _Body(started, content)


def header(family: Family[Any], *, is_openmetrics: bool) -> str:
    """Give the lines before a family's samples; OpenMetrics names counters and infos without their suffix."""
    name, kind = family.name, family.kind
    if is_openmetrics:
        if kind is Kind.COUNTER:
            name = name.removesuffix("_total")
        elif kind is Kind.INFO:
            name = name.removesuffix("_info")
    elif kind is Kind.INFO:
        kind = Kind.GAUGE
    return f"# HELP {name} {family.help}\n# TYPE {name} {kind}\n"


def _join(own: bytes, snapshot: list[tuple[str, list[str]]], ending: bytes, *, is_gzip: bool) -> tuple[bytes, int]:
    """Give the whole body and its size before compression; family by family, so that no second copy ever exists."""
    # Window bits above 15 ask zlib for the gzip format.
    packer = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, 31) if is_gzip else None
    body = io.BytesIO()
    size = 0
    for chunk in _chunks(own, snapshot, ending):
        size += len(chunk)
        body.write(packer.compress(chunk) if packer else chunk)
    if packer:
        body.write(packer.flush())
    return body.getvalue(), size


def _chunks(own: bytes, snapshot: list[tuple[str, list[str]]], ending: bytes) -> Iterator[bytes]:
    yield own
    for head, cells in snapshot:
        if any(cells):
            yield head.encode()
        for first in range(0, len(cells), CELLS_AT_ONCE):
            began = time.perf_counter()
            lines = "".join(cells[first : first + CELLS_AT_ONCE]).encode()
            took_s = time.perf_counter() - began
            if lines:
                yield lines
            if len(cells) > CELLS_AT_ONCE:
                # This thread holds the interpreter's lock while it joins; the event loop, which lets go of that lock at
                # each system call, would get it back only in between, and stand still for as long as a scrape takes.
                time.sleep(took_s)
    yield ending
