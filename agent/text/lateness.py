"""The agent's lateness in words, as page, JSON, readiness, terminal and log say it. Pure."""

from agent.site.lateness import Lateness
from agent.site.status import UnitStatus
from agent.text.losses import units_text
from agent.text.numbers import duration_text, ratio_text


def lateness_text(lateness: Lateness) -> str | None:
    """Return how many units were not looked at and for how long; None if all were."""
    if not lateness.units:
        return None
    share = ratio_text(lateness.ratio, 1)
    restored = f", {lateness.restored:,} of them since before this start" if lateness.restored else ""
    return (
        f"{lateness.units:,} of {units_text(lateness.of_units)} ({share} of deployed) not looked at"
        f" for up to {duration_text(lateness.longest_s)}{restored}; they count as they were then"
    )


def why_text(status: UnitStatus, now: float) -> str:
    """Return why a unit is in its state; for one that was not asked in time, that and for how long.

    Args:
        status: The unit's.
        now: Unix time, s.
    """
    if not status.is_overdue:
        return status.why
    age = "" if status.reading is None else f" for {duration_text(max(0.0, now - status.reading.at))}"
    cause = "restored from before this agent's start" if status.is_restored else "this agent is late"
    return f"{status.why}; not looked at{age}: {cause}"
