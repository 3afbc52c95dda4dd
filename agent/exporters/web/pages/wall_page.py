"""The wall: one dark screen without scrolling, read across a room.

A wall that stands still must look like one. The age of the figures goes on by the script's clock; when the page cannot
refresh, a banner over everything says so. Without the script the page says that it does not refresh.
"""

from dataclasses import dataclass
from datetime import UTC
from html import escape

from agent.exporters.web.pages.conditions import LOOKED_FOR, Condition, Known, conditions
from agent.exporters.web.pages.frame import Frame
from agent.exporters.web.pages.headline import grade
from agent.exporters.web.pages.layout import document
from agent.exporters.web.pages.patterns import patterned
from agent.site.curtailment.events import Event
from agent.site.firing import Firing, FiringAlert
from agent.site.repairs.entries import RepairEntry
from agent.site.status import UnitState, UnitStatus
from agent.site.totals import Figures, SiteFigures
from agent.text.darkness import RESTORING_PHASES, containers_of, dark_names
from agent.text.losses import CAUSE_WORDS, largest_losses
from agent.text.numbers import SURE_COVERAGE_RATIO, TARGET_RATIO, duration_text, hashrate_text, ratio_text
from agent.text.work import diverted_text

MOST_LINES = 5
"""Lines of a list, the one about the rest included: a screen that must not scroll."""
_SWATCH = 'width="8" height="8"'


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownWall:
    """The data of the page.

    Attributes:
        frame: What stands around the content.
        figures: The latest figures; None until every unit was polled once.
        statuses: Status of every deployed unit.
        counts_simulated: True if the figures include simulated units.
        repairs: The open entries of the walk list.
        unlisted: Faults that found the list full.
        events: Declared curtailments around now.
        unreadiness: Why the figures are incomplete or out of date; None if they are neither.
        lateness: How many units the agent did not look at in time, in words; None if it looked at all.
        history_trouble: Why history is not being written; None while it is, or if none is kept.
        is_standby_active: True for a standby that took over.
        firing: The alerts that fire; None if no Alertmanager is configured.
    """

    frame: Frame
    figures: SiteFigures | None
    statuses: tuple[UnitStatus, ...]
    counts_simulated: bool = True
    repairs: tuple[RepairEntry, ...] = ()
    unlisted: int = 0
    events: tuple[Event, ...] = ()
    unreadiness: str | None = None
    lateness: str | None = None
    history_trouble: str | None = None
    is_standby_active: bool = False
    firing: Firing | None = None


def render_wall(shown: ShownWall) -> str:
    """Return the page as HTML."""
    body = [_top(shown), _waiting(shown) if shown.figures is None else _figures(shown, shown.figures.site)]
    return document(shown.frame, title="Wall", body=body, styles=("walk.css",), kind="wall")


def _top(shown: ShownWall) -> str:
    frame = shown.frame
    if frame.figures_at is None:
        age = '<span class="figures-age">no figures yet</span>'
    else:
        utc = frame.local(frame.figures_at).astimezone(UTC)
        words = duration_text(max(0.0, frame.now - frame.figures_at))
        age = (
            f'<span class="figures-age">figures <b data-age="{frame.figures_at:.3f}">{words}</b> old,'
            f' <time datetime="{utc:%Y-%m-%dT%H:%M:%SZ}">{frame.local(frame.figures_at):%H:%M:%S}</time>'
            f" {escape(frame.zone.key)}</span>"
        )
    return (
        f'<div class="top"><a href="{frame.root or "./"}">{escape(frame.site)}</a>{age}'
        '<noscript><strong class="alarm">This page does not refresh: it needs its script.</strong></noscript></div>'
    )


def _waiting(shown: ShownWall) -> str:
    why = shown.unreadiness or "not every unit was polled yet"
    return (
        f'<div class="main-figure"><p class="ratio unsure">not known yet</p><p class="verdict">{escape(why)}</p></div>'
    )


def _figures(shown: ShownWall, site: Figures) -> str:
    ratio, coverage = site.operational_efficiency_ratio, site.coverage_ratio
    is_sure = shown.unreadiness is None and (coverage or 0) >= SURE_COVERAGE_RATIO
    if not site.deployed_hs:
        verdict = "nothing is deployed"
    elif ratio is None:
        verdict = "units answer, and none can be read"
    else:
        verdict = f"{'above' if ratio > TARGET_RATIO else 'not above'} the 90 % line"
        verdict += "" if is_sure else ", as far as is known"
    graded = grade(ratio, is_sure=is_sure)
    lost_hs = sum(site.losses_hs.values())
    tiles = (
        ("Operating", hashrate_text(site.operating_hs), f"of {hashrate_text(site.deployed_hs)} deployed"),
        ("Coverage", ratio_text(coverage, 1), "of the nameplate is known"),
        ("Lost", hashrate_text(lost_hs), f"{ratio_text(lost_hs / site.deployed_hs, 1) if site.deployed_hs else '-'}"),
        ("Hashing", f"{site.units_by_state[UnitState.HASHING]:,}", f"of {site.units:,} units"),
        ("Oldest reading", _oldest(shown), "of those that count"),
        ("Repairs", f"{len(shown.repairs) + shown.unlisted:,}", _listed(shown)),
    )
    drawn = "".join(f"<div><dt>{name}</dt><dd>{value}<small>{note}</small></dd></div>" for name, value, note in tiles)
    number = "not known" if ratio is None else ratio_text(ratio, 1)
    return (
        f'<div class="main-figure"><p class="label">Operational efficiency</p><p class="ratio {graded}">{number}</p>'
        f'<p class="verdict {graded}">{verdict}</p>{_diverted(site)}</div><dl class="tiles">{drawn}</dl>'
        f"{_losses(site)}{_alerts(shown, site)}"
    )


def _diverted(site: Figures) -> str:
    """Return how much of operating works elsewhere; an empty text if none does."""
    if not site.diverted_units:
        return ""
    return f'<p class="verdict poor">{diverted_text(site.diverted_units, site.diverted_hs or 0.0)}</p>'


def _listed(shown: ShownWall) -> str:
    return f"{shown.unlisted:,} of them not on the full walk list" if shown.unlisted else "on the walk list"


def _oldest(shown: ShownWall) -> str:
    """Return the age of the oldest reading whose rate counts; it goes on by the script's clock."""
    readings = [
        each.reading.at
        for each in shown.statuses
        if each.hashrate_hs is not None
        and each.reading is not None
        and (shown.counts_simulated or not each.entry.is_simulated)
    ]
    if not readings:
        return "none"
    oldest = min(readings)
    return f'<span data-age="{oldest:.3f}">{duration_text(max(0.0, shown.frame.now - oldest))}</span>'


def _losses(site: Figures) -> str:
    losses = largest_losses(site)
    items = [
        f'<li><svg viewBox="0 0 8 8" aria-hidden="true">{patterned(cause, cause, _SWATCH)}</svg>'
        f"<strong>{hashrate_text(lost_hs)}</strong> <span>{CAUSE_WORDS[cause]}</span></li>"
        for cause, lost_hs in losses
    ]
    listed = _lines(items) if losses else '<p class="soft">none</p>'
    return f'<section class="lost"><h2>Lost to</h2>{listed}</section>'


def _lines(items: list[str]) -> str:
    """Return a list of at most `MOST_LINES` lines, the last of which says how many are left out."""
    if len(items) > MOST_LINES:
        items = [*items[: MOST_LINES - 1], f'<li class="soft">and {len(items) - MOST_LINES + 1} more</li>']
    return f"<ul>{''.join(items)}</ul>"


def _alerts(shown: ShownWall, site: Figures) -> str:
    """Return what fires, as Alertmanager said; without its word, what this agent can tell."""
    firing = shown.firing
    if firing is None or firing.alerts is None:
        return _conditions(shown, site)
    items = [_alert(shown.frame, alert) for alert in firing.alerts]
    listed = _lines(items) if items else '<p class="soft">none</p>'
    said = "" if firing.at is None else f" at {shown.frame.local(firing.at):%H:%M:%S}"
    return (
        f'<section class="conditions"><h2>Alerts firing</h2>{listed}'
        f'<p class="what">As Alertmanager said{said}, without silenced ones.</p></section>'
    )


def _alert(frame: Frame, alert: FiringAlert) -> str:
    since = frame.local(alert.since)
    when = f"{since:%H:%M}" if since.date() == frame.local(frame.now).date() else f"{since:%d %b %H:%M}"
    return (
        f'<li><span aria-hidden="true">&#9650;</span> {escape(alert.summary)}'
        f" <small>{escape(alert.severity or 'no severity')} since {when}</small></li>"
    )


def _conditions(shown: ShownWall, site: Figures) -> str:
    """Return what holds now, and what this list is: the agent does not know which alerts fire."""
    restoring = [each for each in shown.events if each.phase_at(shown.frame.now) in RESTORING_PHASES]
    found = conditions(
        Known(
            site=site,
            # As on the first page: at once. The walk list waits until a container stays dark.
            dark=() if shown.figures is None else tuple(dark_names(shown.figures, containers_of(restoring))),
            repairs=shown.repairs,
            is_restoring=bool(restoring),
            unreadiness=shown.unreadiness,
            lateness=shown.lateness,
            history_trouble=shown.history_trouble,
            is_standby_active=shown.is_standby_active,
        )
    )
    looked = len(LOOKED_FOR)
    none = f'<p class="soft">none of the {looked} that this agent can tell</p>'
    listed = _lines([_condition(each) for each in found]) if found else none
    return (
        f'<section class="conditions"><h2>Conditions now</h2>{listed}'
        f'<p class="what">{looked} conditions behind shipped alerts, as this agent sees them.'
        f" {_silence(shown.firing)} Alerts may fire that are not here.</p></section>"
    )


def _silence(firing: Firing | None) -> str:
    """Return why it is not known which alerts fire."""
    if firing is None:
        return "No Alertmanager is configured (web.alertmanager)."
    return f"Alertmanager gives no answer: {escape(firing.trouble or 'unknown')}."


def _condition(condition: Condition) -> str:
    return f'<li><span aria-hidden="true">&#9650;</span> {escape(condition.words)}</li>'
