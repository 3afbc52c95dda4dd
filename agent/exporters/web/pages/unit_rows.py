"""Rows of units, as every table of units shows them: on a phone first the place, the reason and what is lost."""

from collections.abc import Iterable
from html import escape
from typing import NamedTuple
from urllib.parse import quote

from agent.exporters.web.pages.frame import Frame
from agent.exporters.web.pages.patterns import patterned
from agent.site.repairs.symptoms import DIVERTED_WORDS
from agent.site.status import Cause, UnitState, UnitStatus
from agent.text.lateness import why_text
from agent.text.losses import CAUSE_WORDS
from agent.text.numbers import ABSENT, duration_text, hashrate_text
from agent.text.places import place_parts

ALSO_SHOWN = 2
"""Of a unit's other faults, how many are shown beside its reason."""


class Column(NamedTuple):
    """One column.

    Attributes:
        head: Its head.
        sort: The key in `unit_query.SORTS` by which it is sorted.
        is_number: True if it is aligned as numbers.
        is_wide: True if a phone leaves it out; the unit's page has it.
    """

    head: str
    sort: str
    is_number: bool = False
    is_wide: bool = False

    @property
    def classes(self) -> str:
        """The classes of the head."""
        return " ".join(name for name, has in (("number", self.is_number), ("wide", self.is_wide)) if has)


COLUMNS = (
    Column("Place", "place"),
    Column("Reason", "reason"),
    Column("Lost", "shortfall", is_number=True),
    Column("Since", "since", is_number=True, is_wide=True),
    Column("Unit", "unit", is_wide=True),
    Column("Model", "model", is_wide=True),
    Column("Measured", "hashrate", is_number=True, is_wide=True),
    Column("Nameplate", "nameplate", is_number=True, is_wide=True),
    Column("Hottest chip", "celsius", is_number=True, is_wide=True),
)


def unit_address(unit_id: str) -> str:
    """Return the address of a unit's page, relative to the site's pages."""
    return f"units/{quote(unit_id, safe='')}"


def state_swatch(state: UnitState) -> str:
    """Return a small square in a state's colour and pattern, beside which the state stands in words."""
    cause = None if state is UnitState.HASHING else Cause(state.value)
    shape = patterned("operating" if cause is None else cause, cause, 'width="16" height="16"')
    return f'<svg class="swatch" viewBox="0 0 16 16" aria-hidden="true">{shape}</svg>'


def reason_text(status: UnitStatus, now: float, diverted: str = DIVERTED_WORDS) -> str:
    """Return why a unit is as it is and what else is wrong with it, as plain text.

    Args:
        status: The unit.
        now: Unix time, s.
        diverted: What is said first of a unit whose work is diverted.
    """
    if not status.is_looked_at:
        return "not looked at yet"
    reason = why_text(status, now)
    if status.state != reason:
        words = f"{status.state}: {reason}"
    else:
        # A reason that only repeats the state adds nothing; the causes of loss do.
        words = ", ".join(CAUSE_WORDS[loss.cause] for loss in status.losses) or str(status.state)
    if status.is_diverted:
        words = f"{diverted}; {words}"
    return words + "".join(f"; {finding.why}" for finding in status.also[:ALSO_SHOWN])


def since_text(status: UnitStatus, frame: Frame, seen_from: float | None) -> str:
    """Return since when a unit is in its state: ``14:02``, or ``before 13:36`` for one older than the agent."""
    return frame.since(status.since, seen_from) if status.is_looked_at else ABSENT


def since_note(statuses: Iterable[UnitStatus], frame: Frame, seen_from: float | None) -> str:
    """Return what the column of starts means, as HTML; a start before the agent's own is explained where one is shown.

    Args:
        statuses: The units of the table.
        frame: The page's frame.
        seen_from: Unix time since which every unit has been watched, s; None before that.
    """
    note = f"since: when the state began; times in {escape(frame.zone.key)}"
    if seen_from is not None and any(status.is_looked_at and status.since <= seen_from for status in statuses):
        note += f"; before {frame.moment(seen_from)}: already so when this agent started, see the unit's own page"
    return note


def of_state(status: UnitStatus, why: str) -> str:
    """Return the state that a moment is of, where the reason may be younger: a unit can lose a board and hash on."""
    return "hashing " if status.state is UnitState.HASHING and why != status.state else ""


def held_text(status: UnitStatus, frame: Frame, seen_from: float | None) -> str:
    """Return for how long a unit is in its state, as far as was seen: ``4 min``, or ``over 4 min``."""
    if not status.is_looked_at:
        return ""
    is_older = seen_from is not None and status.since <= seen_from
    return f"{'over ' if is_older else ''}{duration_text(max(0.0, frame.now - status.since))}"


def celsius_text(status: UnitStatus) -> str:
    """Return the hottest chip of a fresh reading; one that the firmware works out is marked."""
    reading = status.reading
    celsius = reading.hottest_chip_celsius if reading is not None and status.is_fresh else None
    if reading is None or celsius is None:
        return ABSENT
    return f"{celsius:.0f} °C{' computed' if reading.is_chip_computed else ''}"


def unit_row(status: UnitStatus, frame: Frame, seen_from: float | None, *, has_advice: bool = False) -> str:
    """Return one unit as a row of `COLUMNS`.

    Args:
        status: The unit.
        frame: The page's frame.
        seen_from: Unix time since which every unit has been watched, s; None before that.
        has_advice: True to say what to check first.
    """
    entry = status.entry
    unit_id, address = escape(entry.unit_id), escape(frame.root + unit_address(entry.unit_id))
    named = place_parts(entry.place)
    parts = "<span>" + ",</span> <span>".join(map(escape, named)) + "</span>" if named else unit_id
    first = f'<small class="advice">Check first: {escape(status.check_first)}.</small>'
    advice = first if has_advice and status.check_first else ""
    lost_hs = status.shortfall_hs if status.is_looked_at else None
    reading = status.reading
    celsius = reading.hottest_chip_celsius if reading is not None and status.is_fresh else None
    since = escape(since_text(status, frame, seen_from))
    state, diverted = of_state(status, why_text(status, frame.now)), DIVERTED_WORDS
    if status.work is not None and status.work.is_diverted:
        # The moment of the row is that of its state, which is older.
        state, diverted = f"{status.state} ", f"{DIVERTED_WORDS} since {frame.moment(status.work.since)}"
    phone = f'<small class="phone">{state}since {since}</small>' if status.is_looked_at else ""
    return (
        f'<tr data-key="{unit_id}"><th scope="row" class="place"><a href="{address}">{parts}</a></th>'
        f'<td class="words">{state_swatch(status.state)}{escape(reason_text(status, frame.now, diverted))}'
        f"{phone}{advice}</td>"
        f"{_number(hashrate_text(lost_hs), lost_hs)}"
        f'<td class="number wide" data-sort="{status.since:.0f}">{since}'
        f"<small>{held_text(status, frame, seen_from)}</small></td>"
        f'<td class="wide"><a href="{address}">{unit_id}</a></td>'
        f'<td class="wide">{escape(entry.nameplate.model)}</td>'
        f"{_number(hashrate_text(status.hashrate_hs), status.hashrate_hs, wide=' wide')}"
        f"{_number(hashrate_text(entry.nameplate.hashrate_hs), entry.nameplate.hashrate_hs, wide=' wide')}"
        f"{_number(celsius_text(status), celsius, wide=' wide')}</tr>"
    )


def _number(words: str, value: float | None, *, wide: str = "") -> str:
    return f'<td class="number{wide}" data-sort="{"" if value is None else f"{value:.6g}"}">{words}</td>'
