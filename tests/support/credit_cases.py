"""Accounts at pools as a round of figures has them."""

from typing import Any

from agent.site.credited.account import AccountCredit
from agent.site.credited.verdict import compare
from agent.site.credited.windows import DAY_S, HOUR_S

HS = 200e12


def credit(name: str = "main", *, credited_hs: float | None = 0.949 * HS, **more: Any) -> AccountCredit:
    """Return an account that is credited 5.1 % less over a day than its units report, and is quiet over an hour."""
    given = {"pool": "Foundry USA", "at": 1_764_547_200.0, "age_s": 90.0, "trouble": None} | more
    return AccountCredit(
        name=name,
        hour=compare(HOUR_S, credited_hs=None, reported_hs=HS, watched_ratio=0.5),
        day=compare(DAY_S, credited_hs=credited_hs, reported_hs=HS, watched_ratio=1.0, delivered_hs=HS),
        **given,
    )
