"""Banners: what a reader must know before any figure below, most severe first."""

from collections.abc import Collection, Iterable
from enum import IntEnum
from html import escape
from typing import NamedTuple

from agent.site.status import UnitStatus
from agent.text.losses import units_text


class BannerKind(IntEnum):
    """The closed list of banners, most severe first; pages show them in this order."""

    AGENT_UNHEALTHY = 0
    FIGURES_OUT_OF_DATE = 1
    CONTAINER_DARK = 2
    WORK_DIVERTED = 3
    AGENT_LATE = 4
    HISTORY_STALE = 5
    WEB_FILE_REFUSED = 6
    DOOR_OPEN = 7
    STANDBY = 8
    SIMULATED = 9


ALARMS = frozenset(
    {
        BannerKind.AGENT_UNHEALTHY,
        BannerKind.FIGURES_OUT_OF_DATE,
        BannerKind.CONTAINER_DARK,
        BannerKind.WORK_DIVERTED,
        BannerKind.HISTORY_STALE,
        BannerKind.WEB_FILE_REFUSED,
    }
)
"""Banners that are announced at once; the others are notices."""


class Banner(NamedTuple):
    """One banner.

    Attributes:
        kind: Its place among the banners, and whether it is an alarm.
        title: What is the matter, without a full stop.
        text: The details, as plain text.
        link: An address relative to the site's pages, and its words; None without a link.
    """

    kind: BannerKind
    title: str
    text: str
    link: tuple[str, str] | None = None


def banner_list(banners: Iterable[Banner], root: str) -> str:
    """Return banners as HTML, most severe first.

    Args:
        banners: The banners.
        root: Relative address of the site's pages, as in `Frame.root`.
    """
    return "".join(_drawn(banner, root) for banner in sorted(banners, key=lambda banner: banner.kind))


def _drawn(banner: Banner, root: str) -> str:
    alarm = ' alarm" role="alert' if banner.kind in ALARMS else ""
    link = ""
    if banner.link is not None:
        address, words = banner.link
        link = f' <a href="{escape(root + address)}">{escape(words)}</a>'
    text = escape(banner.text)
    ended = text if text.endswith(".") else f"{text}."
    return f'<p class="banner{alarm}"><strong>{escape(banner.title)}:</strong> {ended}{link}</p>'


def agent_banners(
    *,
    has_figures: bool,
    illness: str | None = None,
    standby: str | None = None,
    unreadiness: str | None = None,
    lateness: str | None = None,
    history_trouble: str | None = None,
    web_file_trouble: str | None = None,
    exposure: str | None = None,
) -> tuple[Banner, ...]:
    """Return the banners about the agent itself, which every page shows.

    Args:
        has_figures: True once every unit was polled.
        illness: Why the agent is unhealthy; None if it is healthy.
        standby: The agent's part as a standby, in words; None if it is none.
        unreadiness: Why the figures are incomplete or out of date; None if they are neither.
        lateness: How many units the agent did not look at in time, in words; None if it looked at all.
        history_trouble: Why history is not being written; None while it is, or if none is kept.
        web_file_trouble: Why the web configuration file as it stands is not in force; None if it is.
        exposure: What the server lacks where it listens beyond this machine; None if it lacks nothing.
    """
    shown = []
    if illness is not None:
        shown.append(Banner(BannerKind.AGENT_UNHEALTHY, "The agent is unhealthy", illness))
    if standby is not None:
        shown.append(Banner(BannerKind.STANDBY, "Standby", standby))
    if unreadiness is not None and unreadiness not in (standby or ""):
        title = "These figures are out of date" if has_figures else "Not ready"
        shown.append(Banner(BannerKind.FIGURES_OUT_OF_DATE, title, unreadiness))
    if has_figures and lateness is not None and lateness not in (unreadiness or ""):
        shown.append(Banner(BannerKind.AGENT_LATE, "This agent is late", lateness))
    if history_trouble is not None:
        shown.append(Banner(BannerKind.HISTORY_STALE, "History is not being written", history_trouble))
    if web_file_trouble is not None:
        text = f"{web_file_trouble}; its last good content stays in force"
        shown.append(Banner(BannerKind.WEB_FILE_REFUSED, "The web configuration file is wrong", text))
    if exposure is not None:
        shown.append(Banner(BannerKind.DOOR_OPEN, "This server is open", exposure))
    return tuple(shown)


def simulated_banners(statuses: Collection[UnitStatus], *, counts_simulated: bool) -> tuple[Banner, ...]:
    """Return the banner of a site with simulated units; none without any.

    Args:
        statuses: Status of every deployed unit.
        counts_simulated: True if the figures include simulated units.
    """
    simulated = sum(status.entry.is_simulated for status in statuses)
    if not simulated:
        return ()
    are, machines = ("is", "a real machine") if simulated == 1 else ("are", "real machines")
    fate = f"counted like {machines}" if counts_simulated else "excluded from all figures"
    of_all = units_text(len(statuses)) if len(statuses) == 1 else f"{simulated:,} of {units_text(len(statuses))}"
    text = (
        f"{of_all} {are} simulated and {fate}. The ledger says so, or a loopback address or serial number shows it"
        " (ledger.detect_simulated)."
    )
    return (Banner(BannerKind.SIMULATED, "Simulated", text),)
