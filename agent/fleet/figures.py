"""Sites judged by their latest answers, and the fleet's totals: nothing is added that is not known, nothing left out.

A site that does not answer stays in deployed with what it deployed last. What it operates is unknown: not zero, and not
its last value. Pure.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from agent.fleet.report import Report, ReportedFigures
from agent.fleet.troubles import SiteError
from agent.text.numbers import SURE_COVERAGE_RATIO

# The primary's figures count while it has any. A standby has figures only after it took over.
_RANKS = {"primary": 2, "active": 1}


class Standing(StrEnum):
    """What is known of a site.

    Attributes:
        CURRENT: Its figures count.
        WAITING: It answers, and has no figures: its agent starts, stood still, or can read no unit.
        LATE: It answered before, and no longer.
        MISSING: It has given no answer that counts since this program started.
    """

    CURRENT = "current"
    WAITING = "waiting"
    LATE = "late"
    MISSING = "missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What one agent said, and how the latest question to it ended.

    Attributes:
        url: Its address.
        report: Its latest answer that counts; None before the first.
        clock_s, at: When that answer was complete: monotonic and Unix time, s.
        error: Why the latest question had no answer that counts; None if it had.
        failing_since: Unix time of the first of the questions in a row that failed, s.
    """

    url: str
    report: Report | None = None
    clock_s: float = 0.0
    at: float = 0.0
    error: SiteError | None = None
    failing_since: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteView:
    """One site as it is shown and added up.

    Attributes:
        name: Its name.
        standing: What is known of it.
        report: The answer that counts; the last one of a site that is late; None for a missing one.
        url: The address of the agent that gave it, or that is asked first.
        answered_at, answer_age_s: When it was given, Unix time, s, and its age, s.
        agents: What each of its agents said; two if one stands by for the other.
    """

    name: str
    standing: Standing
    report: Report | None
    url: str
    answered_at: float | None
    answer_age_s: float | None
    agents: tuple[Heard, ...]

    @property
    def figures(self) -> ReportedFigures | None:
        """Its figures; None unless they count."""
        return self.report.figures if self.report is not None and self.standing is Standing.CURRENT else None

    @property
    def figures_age_s(self) -> float | None:
        """Age of its figures, s: at its agent, and since they arrived."""
        if self.figures is None or self.report is None or self.answer_age_s is None:
            return None
        return (self.report.figures_age_s or 0.0) + self.answer_age_s

    @property
    def deployed_hs(self) -> float | None:
        """Nameplate that it deploys, as far as it said last; None for a missing one."""
        if self.report is None:
            return None
        return self.report.deployed_hs if self.figures is None else self.figures.deployed_hs

    @property
    def ratio(self) -> float | None:
        """Operating over deployed; None while that is not known."""
        figures = self.figures
        return figures.operating_hs / figures.deployed_hs if figures is not None and figures.deployed_hs else None

    @property
    def coverage_ratio(self) -> float | None:
        """Share of its nameplate whose state is known; None without figures."""
        figures = self.figures
        return figures.known_hs / figures.deployed_hs if figures is not None and figures.deployed_hs else None

    @property
    def losses(self) -> list[tuple[str, float]]:
        """Its losses by cause, largest first, H/s."""
        return [] if self.figures is None else largest(self.figures.losses_hs.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetFigures:
    """The sums over all sites. deployed - unknown - sum(losses) + uplift == operating.

    Attributes:
        sites: Number of sites by standing; every standing has a key.
        unready: Number of sites with current figures that their agents do not stand for: late, or just restarted.
        units, deployed_hs: Sums of the sites that ever answered.
        unknown_hs: The part of deployed at sites without current figures.
        known_hs: Nameplate of the units whose state is known.
        operating_hs, uplift_hs, losses_hs: Sums of the sites with current figures.
        diverted_units, diverted_hs: Sums of those that judge where their work goes; None if none does.
        judging: Number of these sites.
    """

    sites: dict[Standing, int]
    unready: int
    units: int
    deployed_hs: float
    unknown_hs: float
    known_hs: float
    operating_hs: float
    uplift_hs: float
    losses_hs: dict[str, float]
    diverted_units: int | None = None
    diverted_hs: float | None = None
    judging: int = 0

    @property
    def is_complete(self) -> bool:
        """True if every site has said what it deploys: without that, deployed is too small by an unknown amount."""
        return not self.sites[Standing.MISSING]

    @property
    def is_sure(self) -> bool:
        """True if so much is known, and stood for, that the ratio may be called good or bad."""
        return self.ratio is not None and not self.unready and (self.coverage_ratio or 0.0) >= SURE_COVERAGE_RATIO

    @property
    def answering_hs(self) -> float:
        """Nameplate of the sites with current figures, H/s."""
        return self.deployed_hs - self.unknown_hs

    @property
    def at_least_ratio(self) -> float | None:
        """Operating over deployed, as if nothing hashed where nothing is known; None if deployed is not known."""
        if not self.is_complete or not self.deployed_hs:
            return None
        return self.operating_hs / self.deployed_hs

    @property
    def ratio(self) -> float | None:
        """Operating over deployed; None unless every site has current figures."""
        return None if self.unknown_hs else self.at_least_ratio

    @property
    def answering_ratio(self) -> float | None:
        """Operating over deployed of the sites with current figures; None without any."""
        return self.operating_hs / self.answering_hs if self.answering_hs else None

    @property
    def coverage_ratio(self) -> float | None:
        """Share of deployed whose state is known; None if deployed is not known."""
        return self.known_hs / self.deployed_hs if self.is_complete and self.deployed_hs else None

    @property
    def coverage_at_most_ratio(self) -> float | None:
        """Share of what is known to be deployed whose state is known; more deployed can only lower it."""
        return self.known_hs / self.deployed_hs if self.deployed_hs else None

    @property
    def losses(self) -> list[tuple[str, float]]:
        """The losses by cause, largest first, H/s."""
        return largest(self.losses_hs.items())


def site_view(name: str, agents: Sequence[Heard], *, clock_s: float, stale_after_s: float) -> SiteView:
    """Return a site as its agents' latest answers show it; a pair of agents counts once.

    Args:
        name: Its name.
        agents: What each agent said, at least one.
        clock_s: Monotonic time, s.
        stale_after_s: Age at which an answer no longer counts.
    """
    answered = [(agent, agent.report) for agent in agents if agent.report is not None]
    fresh = [(agent, report) for agent, report in answered if clock_s - agent.clock_s <= stale_after_s]
    if fresh:
        chosen, report = max(fresh, key=lambda pair: _worth(pair[1]))
        has_figures = report.figures is not None and report.figures.is_known
        standing = Standing.CURRENT if has_figures else Standing.WAITING
    elif answered:
        chosen, report = max(answered, key=lambda pair: pair[0].clock_s)
        standing = Standing.LATE
    else:
        first = agents[0]
        return SiteView(
            name=name,
            standing=Standing.MISSING,
            report=None,
            url=first.url,
            answered_at=None,
            answer_age_s=None,
            agents=tuple(agents),
        )
    return SiteView(
        name=name,
        standing=standing,
        report=report,
        url=chosen.url,
        answered_at=chosen.at,
        answer_age_s=max(0.0, clock_s - chosen.clock_s),
        agents=tuple(agents),
    )


def _worth(report: Report) -> tuple[bool, bool, int]:
    has_figures = report.figures is not None and report.figures.is_known
    return has_figures, report.is_ready, _RANKS.get(report.role, 0)


def fleet_figures(views: Iterable[SiteView]) -> FleetFigures:
    """Return the sums over all sites."""
    sites = dict.fromkeys(Standing, 0)
    losses_hs: dict[str, float] = {}
    units = unready = judging = diverted_units = 0
    diverted_hs = 0.0
    deployed_hs = unknown_hs = known_hs = operating_hs = uplift_hs = 0.0
    for view in views:
        sites[view.standing] += 1
        if view.report is None or view.deployed_hs is None:
            continue
        units += view.report.units
        deployed_hs += view.deployed_hs
        figures = view.figures
        if figures is None:
            unknown_hs += view.deployed_hs
            continue
        unready += 0 if view.report.is_ready else 1
        known_hs += figures.known_hs
        operating_hs += figures.operating_hs
        uplift_hs += figures.uplift_hs
        if figures.diverted_hs is not None:
            judging += 1
            diverted_units += figures.diverted_units or 0
            diverted_hs += figures.diverted_hs
        for cause, hashrate_hs in figures.losses_hs.items():
            losses_hs[cause] = losses_hs.get(cause, 0.0) + hashrate_hs
    return FleetFigures(
        sites=sites,
        unready=unready,
        units=units,
        deployed_hs=deployed_hs,
        unknown_hs=unknown_hs,
        known_hs=known_hs,
        operating_hs=operating_hs,
        uplift_hs=uplift_hs,
        losses_hs=losses_hs,
        diverted_units=diverted_units if judging else None,
        diverted_hs=diverted_hs if judging else None,
        judging=judging,
    )


def largest(losses: Iterable[tuple[str, float]]) -> list[tuple[str, float]]:
    """Return the causes that took any hashrate, largest first, H/s."""
    return sorted(((cause, hs) for cause, hs in losses if hs > 0), key=lambda item: (-item[1], item[0]))
