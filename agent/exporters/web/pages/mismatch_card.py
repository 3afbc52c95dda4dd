"""Card of the status page for units that report another model or bin than their row in the ledger."""

from collections.abc import Iterable
from html import escape
from urllib.parse import quote

from agent.site.status import UnitStatus
from agent.text.losses import units_text
from agent.text.numbers import hashrate_text
from agent.text.unit_notes import mismatch_text

UNITS_NAMED = 12


def mismatch_card(statuses: Iterable[UnitStatus]) -> str:
    """Return the card, or an empty text if every unit that reports its model is in the right row."""
    items, row_hs, own_hs = [], 0.0, 0.0
    for status in statuses:
        if status.mismatch is None:
            continue
        items.append((status.entry.unit_id, mismatch_text(status.entry, status.mismatch)))
        if status.mismatch.bin is not None:
            row_hs += status.entry.nameplate.hashrate_hs
            own_hs += status.mismatch.bin.hashrate_hs
    items.sort()
    if not items:
        return ""
    listed = "".join(
        f'<li><strong><a href="units/{quote(unit_id, safe="")}">{escape(unit_id)}</a></strong> {escape(text)}</li>'
        for unit_id, text in items[:UNITS_NAMED]
    )
    more = len(items) - UNITS_NAMED
    rest = f'<p class="soft">and {units_text(more)} more</p>' if more > 0 else ""
    sums = f"{hashrate_text(row_hs)} of deployed by the rows, {hashrate_text(own_hs)} by the units' own word"
    effect = f'<p class="soft">{sums}</p>' if own_hs else ""
    return (
        f'<section class="card"><h2>Other models than in the ledger: {units_text(len(items))}</h2>'
        f'<ul class="events">{listed}</ul>{rest}{effect}</section>'
    )
