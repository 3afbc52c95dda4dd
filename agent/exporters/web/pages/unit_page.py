"""``/units/ID``: one unit: where it stands, why it is as it is, since when, what to do, and its last 24 hours."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from urllib.parse import quote

from agent.exporters.web.pages.banners import simulated_banners
from agent.exporters.web.pages.frame import Frame
from agent.exporters.web.pages.layout import document
from agent.exporters.web.pages.unit_charts import day_charts
from agent.exporters.web.pages.unit_parts import boards_card, changes_card, fans_card, identity_card, pools_card
from agent.exporters.web.pages.unit_rows import held_text, of_state, since_text, state_swatch
from agent.exporters.web.pages.work_card import diverted_line, unit_work
from agent.history.minutes import MINUTE_S
from agent.history.state_changes import Change
from agent.site.identity.whereabouts import Whereabouts
from agent.site.recent.day import Slot
from agent.site.repairs.entries import RepairEntry
from agent.site.repairs.symptoms import SYMPTOM_WORDS
from agent.site.status import UnitStatus
from agent.text.lateness import why_text
from agent.text.losses import CAUSE_WORDS
from agent.text.numbers import ABSENT, duration_text, hashrate_text, ratio_text, watts_text
from agent.text.places import NO_PLACE, place_parts
from agent.text.power import source_text
from agent.text.unit_notes import unit_notes


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitShown:
    """The data of the page.

    Attributes:
        frame: What stands around the content.
        status: The unit.
        whereabouts: Where its own identity answers; None if identities are not checked.
        delivered_hs: Hashrate that pools credited to it over an hour and over a day, H/s.
        slots: Its last 24 hours, oldest first; empty if nothing is known.
        changes: Its states, latest first; None if no history is kept.
        changes_trouble: Why its states could not be read; None if they were.
        changes_days: How far back they go, in days.
        repairs: Its entries on the walk list.
        counts_simulated: True if the figures include simulated units.
        seen_from: Unix time since which every unit has been watched, s; None before that.
        web_port: Port of its own web page.
        sees_accounts: True for a reader who may see where its work goes in full.
    """

    frame: Frame
    status: UnitStatus
    whereabouts: Whereabouts | None = None
    delivered_hs: tuple[float | None, float | None] = (None, None)
    slots: Sequence[Slot] = ()
    changes: Sequence[Change] | None = None
    changes_trouble: str | None = None
    changes_days: int = 7
    repairs: Sequence[RepairEntry] = ()
    counts_simulated: bool = True
    seen_from: float | None = None
    web_port: int = 80
    sees_accounts: bool = False


def render(shown: UnitShown) -> str:
    """Return the page as HTML."""
    status, frame = shown.status, shown.frame
    body = [
        _reason(shown),
        _figures(shown),
        day_charts(shown.slots, status, frame),
        boards_card(status),
        fans_card(status),
        pools_card(status, unit_work(status.work, frame, is_whole=shown.sees_accounts)),
        changes_card(shown.changes, shown.changes_trouble, frame, days=shown.changes_days),
        identity_card(status, frame, shown.whereabouts, web_port=shown.web_port),
    ]
    banners = simulated_banners([status], counts_simulated=shown.counts_simulated)
    return document(frame, title=status.entry.unit_id, body=body, banners=banners)


def _reason(shown: UnitShown) -> str:
    status, frame = shown.status, shown.frame
    place = status.entry.place
    parts = [f"container {place.container}"] if place.container else []
    where = ", ".join([*parts, *place_parts(place)[len(parts) :]]) or NO_PLACE
    if not status.is_looked_at:
        content = '<p class="state">Not looked at yet.</p>'
    else:
        why = why_text(status, frame.now)
        words = str(status.state) if why == status.state else f"{status.state}: {why}"
        # History saw the unit enter its state, even if an earlier process of this agent wrote it.
        seen_from = None if _was_seen(shown) else shown.seen_from
        content = (
            f'<p class="state">{state_swatch(status.state)}{escape(words)}</p>'
            f'<p class="since">{of_state(status, why)}since {escape(since_text(status, frame, seen_from))}'
            f' <span class="soft">({held_text(status, frame, seen_from)})</span></p>'
            f"{diverted_line(status.work, frame, is_whole=shown.sees_accounts)}"
            f"{_listed(shown, why)}{_also(status)}{_advice(status)}"
        )
    content = f'<p class="place">{escape(where)}</p>{content}{_age(shown)}'
    return f'<section class="card reason" aria-label="Reason">{content}</section>'


def _listed(shown: UnitShown, why: str) -> str:
    """Return the unit's faults on the walk list, each with its own start and what operators said of it."""
    frame, status = shown.frame, shown.status
    place = status.entry.place
    lines = []
    for entry in shown.repairs:
        query = f"?container={quote(place.container, safe='')}" if place.container else ""
        said = [] if entry.seen is None else [f"seen by {escape(entry.seen.by)}"]
        said += [f"<q>{escape(entry.note.text)}</q>"] if entry.note is not None and entry.note.text else []
        words = entry.words or SYMPTOM_WORDS[entry.symptom]
        is_said = words == why and frame.moment(entry.since) == frame.moment(status.since)
        what = [] if is_said else [f"{escape(words)} since {frame.moment(entry.since)}"]
        lines.append(
            f'<p>On the <a href="{frame.root}repairs{query}#r{entry.id}">walk list</a>'
            f"{': ' if what or said else ''}{'; '.join((*what, *said))}</p>"
        )
    return "".join(lines)


def _was_seen(shown: UnitShown) -> bool:
    """Return True if history has the unit's state with that start, and the state before it up to that minute."""
    changes, status = shown.changes or (), shown.status
    if len(changes) < 2 or changes[1].until is None:
        return False
    is_same = changes[0].state == status.state and abs(changes[0].since - status.since) < 1
    # A restart ends the states before it with the last minute that was written.
    return is_same and abs(changes[1].until - changes[0].since) <= MINUTE_S


def _also(status: UnitStatus) -> str:
    """Return what else is wrong with the unit, and what is lost."""
    remarks = [finding.why for finding in status.also]
    if status.event is not None:
        remarks.append(f"under the declared curtailment {status.event.id}")
    if status.unrestored is not None:
        remarks.append(f"not restored after the curtailment {status.unrestored.id}")
    remarks += unit_notes(status)
    listed = "".join(f"<li>{escape(remark)}</li>" for remark in remarks)
    return f'<ul class="also">{listed}</ul>' if listed else ""


def _advice(status: UnitStatus) -> str:
    lost = first = ""
    if status.losses:
        parts = ", ".join(f"{hashrate_text(loss.hashrate_hs)} {CAUSE_WORDS[loss.cause]}" for loss in status.losses)
        whole = f"{hashrate_text(status.shortfall_hs)}: " if len(status.losses) > 1 else ""
        lost = f"<p><strong>Lost:</strong> {whole}{parts}</p>"
    if status.check_first:
        first = f'<p class="first"><strong>Check first:</strong> {escape(status.check_first)}.</p>'
    return first + lost


def _age(shown: UnitShown) -> str:
    status, frame = shown.status, shown.frame
    error = "" if status.error is None else f" Latest poll: {escape(str(status.error))} ({status.failures} in a row)."
    if status.reading is None:
        return f'<p class="soft">Never read since this agent started.{error}</p>'
    read = frame.local(status.reading.at)
    age = duration_text(max(0.0, frame.now - status.reading.at))
    old = "" if status.is_fresh else " What follows is as it was then."
    moment = f"{read:%Y-%m-%d %H:%M:%S} {escape(frame.zone.key)}"
    return f'<p class="soft">Last read {moment}, {age} ago.{old}{error}</p>'


def _figures(shown: UnitShown) -> str:
    status = shown.status
    nameplate, reading, power = status.entry.nameplate, status.reading, status.power
    rate, ratio = status.hashrate_hs, None
    if rate is not None and nameplate.hashrate_hs:
        ratio = rate / nameplate.hashrate_hs
    gap = status.power_gap
    tiles = [
        (
            "Measured",
            hashrate_text(rate),
            f"{ratio_text(ratio, 1)} of nameplate" if ratio is not None else "no fresh rate",
        ),
        ("Nameplate", hashrate_text(nameplate.hashrate_hs), escape(nameplate.model)),
        (
            "Power",
            watts_text(None if power is None else power.watts),
            escape(str(gap)) if power is None else escape(source_text(power.source)),
        ),
    ]
    if power is not None and rate:
        tiles.append(("Energy efficiency", f"{power.watts / (rate / 1e12):.2f} J/TH", "of this unit, now"))
    if reading is not None:
        tiles.append(("Uptime", duration_text(reading.uptime_s), "since its miner process started"))
        tiles.append(
            ("Mode", escape(str(reading.mode) if reading.mode else ABSENT), f"read by {escape(reading.reader)}")
        )
    hour_hs, day_hs = shown.delivered_hs
    if hour_hs is not None or day_hs is not None:
        tiles.append(("Delivered to pools", hashrate_text(hour_hs), f"over 1 h; {hashrate_text(day_hs)} over 24 h"))
    listed = "".join(
        f"<div><dt>{name}</dt><dd>{figure}<small>{note}</small></dd></div>" for name, figure, note in tiles
    )
    return f'<section class="card" aria-label="Figures"><dl class="tiles">{listed}</dl></section>'
