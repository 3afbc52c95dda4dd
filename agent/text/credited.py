"""Credited hashrate in words: tiles for the page. Accounts have their configured names."""

from agent.site.credited.account import AccountCredit
from agent.site.credited.verdict import Verdict
from agent.site.totals import SiteFigures
from agent.text.numbers import ABSENT, duration_text, hashrate_text

TILES = 6
"""More accounts than this are named together: a page has room for few tiles."""


def credited_tiles(figures: SiteFigures) -> list[tuple[str, str, str]]:
    """Return (title, figure, note) of each account over 24 h; nothing where no account is configured."""
    shown = figures.credited[:TILES]
    is_only = len(figures.credited) == 1
    tiles = [
        ("Credited by the pool, 24 h" if is_only else f"Credited by {account.name}, 24 h", *credited_text(account))
        for account in shown
    ]
    rest = figures.credited[TILES:]
    if rest:
        odd = [account.name for account in rest if account.day.verdict is not Verdict.AGREES]
        note = f"not in agreement: {', '.join(odd)}" if odd else "all agree with what units report"
        tiles.append((f"{len(rest)} more accounts", "", note))
    return tiles


def credited_text(account: AccountCredit) -> tuple[str, str]:
    """Return an account's credited hashrate over 24 h, and what it comes to beside the units' word."""
    day = account.day
    figure = ABSENT if day.credited_hs is None else hashrate_text(day.credited_hs)
    note = day.words
    if account.age_s is None:
        note = f"not read yet: {account.trouble}" if account.trouble else "not read yet"
    elif account.trouble is not None:
        note += f"; of {duration_text(account.age_s)} ago, since then: {account.trouble}"
    return figure, f"{account.pool}: {note}"
