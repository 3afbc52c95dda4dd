"""A fleet in words, as its page, its table and its log say it. Pure."""

from collections.abc import Iterable

from agent.fleet.figures import FleetFigures, SiteView, Standing
from agent.fleet.troubles import WORDS
from agent.site.status import Cause
from agent.text.losses import CAUSE_WORDS
from agent.text.numbers import TARGET_RATIO, duration_text, ratio_text

ORDERS = ("worst", "lost", "name")
"""Orders of the sites: silent ones and low efficiency first, most hashrate lost first, by name."""
NOT_KNOWN = "not known"
"""A figure that sites without an answer leave open."""
_CAUSES = {cause.value: cause for cause in Cause}
_STANDING_ORDER = (Standing.MISSING, Standing.LATE, Standing.WAITING, Standing.CURRENT)


def sites_text(sites: int) -> str:
    """Return ``1 site`` or ``40 sites``."""
    return "1 site" if sites == 1 else f"{sites:,} sites"


def known_cause(cause: str) -> Cause | None:
    """Return a cause of loss by its name; None for one that only newer agents know."""
    return _CAUSES.get(cause)


def cause_words(cause: str) -> str:
    """Return a cause of loss in words; one of a newer agent in its own."""
    known = known_cause(cause)
    return cause.replace("_", " ") if known is None else CAUSE_WORDS[known]


def ordered(views: Iterable[SiteView], order: str) -> list[SiteView]:
    """Return the sites in one of `ORDERS`."""
    if order == "name":
        return sorted(views, key=lambda view: view.name)
    if order == "lost":
        return sorted(views, key=lambda view: (_rank(view), -_lost_hs(view), view.name))
    return sorted(views, key=lambda view: (_rank(view), 1.0 if view.ratio is None else view.ratio, view.name))


def ratio_words(totals: FleetFigures) -> str:
    """Return the fleet's operational efficiency: ``92.18 %``, ``at least 88.10 %`` or ``not known``."""
    if totals.ratio is not None:
        return ratio_text(totals.ratio)
    if totals.at_least_ratio is not None and totals.answering_hs:
        return f"at least {ratio_text(totals.at_least_ratio)}"
    return NOT_KNOWN


def coverage_words(totals: FleetFigures) -> str:
    """Return the fleet's coverage: ``97.10 %``, ``at most 97.10 %`` or ``not known``."""
    if totals.coverage_at_most_ratio is None:
        return NOT_KNOWN
    return f"{'' if totals.is_complete else 'at most '}{ratio_text(totals.coverage_at_most_ratio)}"


def verdict(totals: FleetFigures) -> str:
    """Return what the fleet's efficiency means, and for how much of it."""
    if totals.ratio is not None:
        words = "above the 90 % line" if totals.ratio > TARGET_RATIO else "not above the 90 % line"
        return words if totals.is_sure else f"{words}, as far as is known"
    if totals.answering_ratio is None:
        return "no site has current figures"
    return f"{ratio_text(totals.answering_ratio)} over the sites with current figures"


def trouble_words(view: SiteView, *, urls: bool = True) -> list[str]:
    """Return why a site's agents gave no answer that counts, one text for each that did not.

    Args:
        view: The site.
        urls: True to name the agent's address where the site has two.
    """
    return [
        (f"{agent.url}: " if urls and len(view.agents) > 1 else "")
        + f"{WORDS[agent.error.trouble]}: {agent.error.detail}"
        for agent in view.agents
        if agent.error is not None
    ]


def standing_words(view: SiteView) -> str:
    """Return what is known of a site, for how long not: ``no answer for 4 min``."""
    match view.standing:
        case Standing.MISSING:
            return "no usable answer so far"
        case Standing.LATE:
            return f"no answer for {duration_text(view.answer_age_s)}"
        case Standing.WAITING:
            return "answers without figures"
        case _:
            return "current"


def _rank(view: SiteView) -> int:
    return _STANDING_ORDER.index(view.standing)


def _lost_hs(view: SiteView) -> float:
    return sum(hashrate_hs for _, hashrate_hs in view.losses)
