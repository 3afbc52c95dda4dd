"""The JSON answer about a fleet and its schema; units in the field names, times in ISO 8601 UTC, absent is null."""

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from agent import __version__
from agent.exporters.json_schemas import schema_components
from agent.exporters.web.responses import ErrorAnswer
from agent.fleet.figures import FleetFigures, SiteView, Standing, fleet_figures
from agent.fleet.setup import FleetSetup
from agent.fleet.troubles import WORDS, Trouble
from agent.text.numbers import TARGET_RATIO, ratio_text

# Beyond this share of deployed at silent sites the totals say too little.
MAX_UNKNOWN_RATIO = 0.05


class FleetAgentAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One agent of a site, as its latest question ended.

    Attributes:
        url: Its address as the fleet server reaches it.
        trouble: Why it gave no answer that counts; null if it did.
        trouble_words: The same for people.
        failing_since: Since when.
    """

    url: str
    trouble: Trouble | None
    trouble_words: str | None
    failing_since: datetime | None


class FleetSiteAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One site.

    Attributes:
        path: Where its agent's own pages are, below this server's address.
        standing: ``current``, ``waiting`` without figures, ``late``, or ``missing``: never answered.
        role: Part of the agent whose answer counts, as in its ``/api/v1/site``.
        answered_at, answer_age_s: When that answer was complete, and its age.
        is_ready, not_ready_reason, late_reason, restored_units, simulated_units, is_simulated_counted: As in the
            agent's ``/api/v1/site``; null unless it answers.
        units, deployed_hs: As far as it said last; null if missing.
        figures_age_s: Age of its figures. They and all fields below are null unless the site is current.
        losses_hs: By cause, largest first.
        diverted_units, diverted_hs: Units whose work goes to an address that is not the site's, and their measured
            hashrate; null where the site does not judge it.
    """

    site: str
    path: str
    standing: Standing
    role: str | None
    version: str | None
    agents: list[FleetAgentAnswer]
    answered_at: datetime | None
    answer_age_s: float | None
    is_ready: bool | None
    not_ready_reason: str | None
    late_reason: str | None
    restored_units: int | None
    simulated_units: int | None
    is_simulated_counted: bool | None
    units: int | None
    deployed_hs: float | None
    figures_age_s: float | None
    operating_hs: float | None
    uplift_hs: float | None
    known_hs: float | None
    losses_hs: dict[str, float] | None
    operational_efficiency_ratio: float | None
    coverage_ratio: float | None
    diverted_units: int | None
    diverted_hs: float | None


class FleetTotalsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The sums over all sites. deployed - unknown - sum(losses) + uplift == operating.

    Attributes:
        is_complete: False if a site has not said what it deploys: all sums are then too small by an unknown amount.
        missing_sites: Names of these sites.
        sites_by_standing: Number of sites; every standing has a key.
        unready_sites: Number of sites with current figures that their agents do not stand for: late, or just restarted.
        units, deployed_hs: Of every site that answered since this server started, late ones with what they said last.
        unknown_hs: The part of deployed at sites without current figures; what it operates is not known.
        known_hs: Nameplate of the units whose state is known.
        operating_hs, uplift_hs, losses_hs: Sums of the sites with current figures.
        operational_efficiency_ratio: Operating over deployed; null unless every site has current figures.
        operational_efficiency_at_least_ratio: The same as if nothing hashed where nothing is known; null if incomplete.
        answering_efficiency_ratio: The same of the sites with current figures alone.
        answering_deployed_hs: Nameplate of these sites.
        coverage_ratio: Share of deployed whose state is known; null if incomplete.
        coverage_at_most_ratio: The same of what is known to be deployed.
        diverted_units, diverted_hs: Sums of the sites that judge where their work goes; null if none does.
        judging_sites: Number of these sites.
    """

    is_complete: bool
    missing_sites: list[str]
    sites_by_standing: dict[Standing, int]
    unready_sites: int
    units: int
    deployed_hs: float
    unknown_hs: float
    known_hs: float
    operating_hs: float
    uplift_hs: float
    losses_hs: dict[str, float]
    operational_efficiency_ratio: float | None
    operational_efficiency_at_least_ratio: float | None
    answering_efficiency_ratio: float | None
    answering_deployed_hs: float
    coverage_ratio: float | None
    coverage_at_most_ratio: float | None
    diverted_units: int | None
    diverted_hs: float | None
    judging_sites: int


class FleetAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A fleet's figures: what its agents said last, added up.

    Attributes:
        is_ready: True if the totals are complete and at most 5 % of deployed is at sites without current figures.
        not_ready_reason: Reason why they are not.
        zone: Time zone of the pages.
        operational_efficiency_target_ratio: The trade's target, 0.9.
        sites: In the order of the file.
    """

    fleet: str
    version: str
    now: datetime
    is_ready: bool
    not_ready_reason: str | None
    zone: str
    operational_efficiency_target_ratio: float
    totals: FleetTotalsAnswer
    sites: list[FleetSiteAnswer]


def fleet_answer(setup: FleetSetup, views: Sequence[SiteView], *, now: float) -> FleetAnswer:
    """Return the answer about a fleet.

    Args:
        setup: The fleet.
        views: Its sites as they are now.
        now: Unix time, s.
    """
    totals = fleet_figures(views)
    reason = unreadiness(totals)
    return FleetAnswer(
        fleet=setup.config.fleet.name,
        version=__version__,
        now=_time(now),
        is_ready=reason is None,
        not_ready_reason=reason,
        zone=setup.config.fleet.zone.key,
        operational_efficiency_target_ratio=TARGET_RATIO,
        totals=FleetTotalsAnswer(
            is_complete=totals.is_complete,
            missing_sites=[view.name for view in views if view.standing is Standing.MISSING],
            sites_by_standing=totals.sites,
            unready_sites=totals.unready,
            units=totals.units,
            deployed_hs=totals.deployed_hs,
            unknown_hs=totals.unknown_hs,
            known_hs=totals.known_hs,
            operating_hs=totals.operating_hs,
            uplift_hs=totals.uplift_hs,
            losses_hs=dict(totals.losses),
            operational_efficiency_ratio=totals.ratio,
            operational_efficiency_at_least_ratio=totals.at_least_ratio,
            answering_efficiency_ratio=totals.answering_ratio,
            answering_deployed_hs=totals.answering_hs,
            coverage_ratio=totals.coverage_ratio,
            coverage_at_most_ratio=totals.coverage_at_most_ratio,
            diverted_units=totals.diverted_units,
            diverted_hs=totals.diverted_hs,
            judging_sites=totals.judging,
        ),
        sites=[_site(view) for view in views],
    )


def unreadiness(totals: FleetFigures) -> str | None:
    """Return why the totals say too little; None if they do not."""
    missing = totals.sites[Standing.MISSING]
    if missing:
        return f"{missing:,} of {sum(totals.sites.values()):,} sites gave no usable answer since this server started"
    unknown_ratio = totals.unknown_hs / totals.deployed_hs if totals.deployed_hs else 0.0
    if unknown_ratio > MAX_UNKNOWN_RATIO:
        return f"{ratio_text(unknown_ratio, 1)} of deployed is at sites without current figures"
    return None


def schema() -> dict[str, object]:
    """Return the JSON Schema (2020-12) of the answers: ``answers`` by path, and their definitions."""
    (answer, error), definitions = schema_components([FleetAnswer, ErrorAnswer])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "answers": {"/api/v1/fleet": answer, "error": error},
        "$defs": definitions,
    }


def _site(view: SiteView) -> FleetSiteAnswer:
    last, figures = view.report, view.figures
    report = last if view.standing in {Standing.CURRENT, Standing.WAITING} else None
    return FleetSiteAnswer(
        site=view.name,
        path=f"sites/{view.name}/",
        standing=view.standing,
        role=report.role if report else None,
        version=report.version if report else None,
        agents=[
            FleetAgentAnswer(
                url=agent.url,
                trouble=agent.error.trouble if agent.error else None,
                trouble_words=f"{WORDS[agent.error.trouble]}: {agent.error.detail}" if agent.error else None,
                failing_since=None if agent.failing_since is None else _time(agent.failing_since),
            )
            for agent in view.agents
        ],
        answered_at=None if view.answered_at is None else _time(view.answered_at),
        answer_age_s=_rounded(view.answer_age_s),
        is_ready=report.is_ready if report else None,
        not_ready_reason=report.not_ready_reason if report else None,
        late_reason=report.late_reason if report else None,
        restored_units=report.restored_units if report else None,
        simulated_units=report.simulated_units if report else None,
        is_simulated_counted=report.is_simulated_counted if report else None,
        units=last.units if last else None,
        deployed_hs=view.deployed_hs,
        figures_age_s=_rounded(view.figures_age_s),
        operating_hs=figures.operating_hs if figures else None,
        uplift_hs=figures.uplift_hs if figures else None,
        known_hs=figures.known_hs if figures else None,
        losses_hs=dict(view.losses) if figures else None,
        operational_efficiency_ratio=view.ratio,
        coverage_ratio=view.coverage_ratio,
        diverted_units=figures.diverted_units if figures else None,
        diverted_hs=figures.diverted_hs if figures else None,
    )


def _time(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
