"""Alerts that fire for one site, in the form in which Alertmanager lists them. Pure.

The form is that of ``gettableAlerts`` in Alertmanager's OpenAPI document: ``labels``, ``annotations``, ``startsAt``.
"""

from dataclasses import dataclass
from datetime import datetime

import msgspec

from agent.errors import AlertmanagerError

MAX_TEXT = 300
"""Longest text that is kept of an alert, characters."""
_RANKS = {"critical": 0, "warning": 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class FiringAlert:
    """One alert that fires, and that no silence or other alert mutes.

    Attributes:
        name: Name of its rule.
        severity: Its label; empty without one.
        summary: Its summary in words; the name without one.
        since: When it began to fire, Unix time, s.
    """

    name: str
    severity: str
    summary: str
    since: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """What Alertmanager said last.

    Attributes:
        alerts: The alerts that fire, most severe first, then oldest first; None if that is not known.
        at: When it said so, Unix time, s; None if it never did.
        trouble: Why it is not known; None if it is.
    """

    alerts: tuple[FiringAlert, ...] | None
    at: float | None
    trouble: str | None


class _Listed(msgspec.Struct):
    labels: dict[str, str]
    startsAt: datetime  # noqa: N815  Alertmanager's name
    annotations: dict[str, str] = {}


def read_alerts(body: bytes, site: str) -> tuple[FiringAlert, ...]:
    """Return the alerts of a site, and those that name no site.

    Args:
        body: The answer to ``GET /api/v2/alerts``.
        site: The site's name, as in the label ``site``.

    Raises:
        AlertmanagerError: The body is no such answer.
    """
    try:
        listed = msgspec.json.decode(body, type=list[_Listed])
        alerts = [_alert(each) for each in listed if each.labels.get("site", site) == site]
    except (msgspec.MsgspecError, RecursionError, ValueError, OverflowError) as error:
        raise AlertmanagerError(f"not a list of alerts: {error}") from error
    # Severities of other rules than ours come in between: they may be as grave as our gravest.
    return tuple(sorted(alerts, key=lambda alert: (_RANKS.get(alert.severity, 1), alert.since, alert.name)))


def _alert(listed: _Listed) -> FiringAlert:
    name = listed.labels.get("alertname", "")[:MAX_TEXT]
    summary = " ".join(listed.annotations.get("summary", "").split())[:MAX_TEXT]
    return FiringAlert(
        name=name,
        severity=listed.labels.get("severity", "")[:MAX_TEXT],
        summary=summary or name or "an alert without a name",
        since=listed.startsAt.timestamp(),
    )
