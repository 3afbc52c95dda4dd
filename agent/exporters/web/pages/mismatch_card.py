"""Card of the status page for units that report another model or bin than their row in the ledger."""

from collections.abc import Iterable
from html import escape
from urllib.parse import quote

from agent.site.status import UnitStatus
from agent.text.losses import units_text
from agent.text.unit_notes import mismatch_text

UNITS_NAMED = 12


def mismatch_card(statuses: Iterable[UnitStatus]) -> str:
    """Return the card, or an empty text if every unit that reports its model is in the right row."""
    items = sorted(
        (status.entry.unit_id, mismatch_text(status.entry, status.mismatch)) for status in statuses if status.mismatch
    )
    if not items:
        return ""
    listed = "".join(
        f'<li><strong><a href="units/{quote(unit_id, safe="")}">{escape(unit_id)}</a></strong> {escape(text)}</li>'
        for unit_id, text in items[:UNITS_NAMED]
    )
    more = len(items) - UNITS_NAMED
    rest = f'<p class="soft">and {units_text(more)} more</p>' if more > 0 else ""
    return (
        f'<section class="card"><h2>Other models than in the ledger: {units_text(len(items))}</h2>'
        f'<ul class="events">{listed}</ul>{rest}</section>'
    )
