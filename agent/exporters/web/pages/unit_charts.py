"""The last 24 hours of one unit: hashrate, hottest chip, and the states it was in."""

from collections.abc import Sequence
from html import escape
from itertools import groupby

from agent.exporters.web.pages import charts
from agent.exporters.web.pages.frame import Frame
from agent.exporters.web.pages.patterns import patterned
from agent.site.recent.day import SLOT_S, Slot
from agent.site.status import Cause, UnitState, UnitStatus
from agent.text.numbers import hashrate_text

TICKS = 5
HEADROOM = 1.08
LEAST_CELSIUS_SPAN = 20.0


def day_charts(slots: Sequence[Slot], status: UnitStatus, frame: Frame) -> str:
    """Return the card of a unit's last 24 hours.

    Args:
        slots: Its slots, oldest first; empty if nothing is known.
        status: The unit.
        frame: The page's frame.
    """
    if not any(slot.state for slot in slots):
        return '<section class="card"><h2>Last 24 hours</h2><p class="soft">Nothing was recorded yet.</p></section>'
    parts = [_rates(slots, status, frame), _states(slots, frame), _celsius(slots, status, frame)]
    note = f"slots of {SLOT_S // 60} minutes; times in {escape(frame.zone.key)}"
    return f'<section class="card"><h2>Last 24 hours</h2>{"".join(parts)}<p class="scale">{note}</p></section>'


def _scale(slots: Sequence[Slot], low: float, high: float) -> charts.Scale:
    return charts.Scale(first=slots[0].at, last=slots[-1].at + SLOT_S, low=low, high=high, step_s=SLOT_S)


def _moments(scale: charts.Scale, frame: Frame) -> list[str]:
    return [f"{frame.local(at):%H:%M}" for at in scale.moments(TICKS)]


def _rates(slots: Sequence[Slot], status: UnitStatus, frame: Frame) -> str:
    nameplate_hs = status.entry.nameplate.hashrate_hs
    points = [(slot.at + SLOT_S / 2, slot.hashrate_hs) for slot in slots]
    known = [(at, rate) for at, rate in points if rate is not None]
    if not known:
        return '<h3>Hashrate</h3><p class="soft">No rate was measured.</p>'
    high = max(nameplate_hs, *(rate for _, rate in known)) * HEADROOM
    scale = _scale(slots, 0.0, high)
    least_at, least = min(known, key=lambda point: point[1])
    words = (
        f"Hashrate over 24 hours: {hashrate_text(known[-1][1])} at the end, least {hashrate_text(least)} around"
        f" {frame.local(least_at):%H:%M}{charts.gaps_text(points)}; nameplate {hashrate_text(nameplate_hs)}"
    )
    drawn = [charts.mark(nameplate_hs, scale, "nameplate"), charts.line(points, scale, "rate")]
    plot = charts.chart(
        drawn, scale, words=words, high=hashrate_text(high, 0), low="0 H/s", moments=_moments(scale, frame)
    )
    return f'<h3>Hashrate</h3>{plot}<p class="scale">{escape(words)}; the dashed line is the nameplate</p>'


def _celsius(slots: Sequence[Slot], status: UnitStatus, frame: Frame) -> str:
    points = [(slot.at + SLOT_S / 2, slot.celsius) for slot in slots]
    known = [(at, celsius) for at, celsius in points if celsius is not None]
    if not known:
        return '<h3>Hottest chip</h3><p class="soft">No temperature was read.</p>'
    hottest_at, hottest = max(known, key=lambda point: point[1])
    low = min(celsius for _, celsius in known) - 5
    high = max(hottest + 5, low + LEAST_CELSIUS_SPAN)
    scale = _scale(slots, low, high)
    computed = status.reading is not None and status.reading.is_chip_computed
    words = (
        f"Hottest chip over 24 hours: {known[-1][1]:.0f} °C at the end, most {hottest:.0f} °C around"
        f" {frame.local(hottest_at):%H:%M}{charts.gaps_text(points)}"
        f"{'; computed by the firmware, not measured' if computed else ''}"
    )
    plot = charts.chart(
        [charts.line(points, scale, "heat")],
        scale,
        words=words,
        high=f"{high:.0f} °C",
        low=f"{low:.0f} °C",
        moments=_moments(scale, frame),
    )
    return f'<h3>Hottest chip</h3>{plot}<p class="scale">{escape(words)}</p>'


def _states(slots: Sequence[Slot], frame: Frame) -> str:
    """Return a band of the worst state of each slot, and the same in words."""
    scale = _scale(slots, 0.0, 1.0)
    drawn, periods = [], []
    for state, group in groupby(slots, key=lambda slot: slot.state):
        run = list(group)
        if state is None:
            continue
        share = f'x="{scale.x(run[0].at) / charts.WIDTH * 100:.2f}%"'
        width = f'width="{len(run) / len(slots) * 100:.2f}%" height="100%"'
        cause = None if state is UnitState.HASHING else Cause(state.value)
        drawn.append(patterned("operating" if cause is None else cause, cause, f"{share} {width}"))
        if state is not UnitState.HASHING:
            periods.append(f"{state} {frame.local(run[0].at):%H:%M} to {frame.local(run[-1].at + SLOT_S):%H:%M}")
    words = "; ".join(periods) or "hashing whenever it was looked at"
    return (
        f'<svg class="band" role="img" aria-label="Worst state of each ten minutes: {escape(words)}">'
        f'<rect class="track" width="100%" height="100%"/>{"".join(drawn)}</svg>'
        f'<p class="scale">worst state of each ten minutes: {escape(words)}</p>'
    )
