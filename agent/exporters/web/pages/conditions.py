"""Conditions behind the shipped alerts, as far as the agent can tell them at this moment.

The agent does not know Alertmanager: whether an alert fires also takes time, other agents and Prometheus' own view. So
this is a list of conditions, with the number of those that it looked for, and never the claim that no alert fires.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from agent.site.accounted import accounted_ratio
from agent.site.repairs.entries import RepairEntry
from agent.site.repairs.symptoms import Symptom
from agent.site.totals import Figures
from agent.text.losses import units_text
from agent.text.numbers import SURE_COVERAGE_RATIO, TARGET_RATIO, hashrate_text, ratio_text


class Condition(NamedTuple):
    """One condition that holds.

    Attributes:
        alert: Name of the shipped alert that it stands behind.
        words: The condition with its figures.
    """

    alert: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Figures in which conditions are looked for.

    Attributes:
        site: The site's figures.
        dark: Names of the containers that are dark now; the walk list waits until one has lasted.
        repairs: The open entries of the walk list.
        is_restoring: True while a curtailment is in force or just ended, which explains units that start.
        unreadiness: Why the figures cannot be trusted; None if they can.
        lateness: How many units were not looked at in time, in words; None if all were.
        history_trouble: Why history is not written; None while it is.
        is_standby_active: True for a standby that took over.
    """

    site: Figures
    dark: tuple[str, ...] = ()
    repairs: tuple[RepairEntry, ...] = ()
    is_restoring: bool = False
    unreadiness: str | None = None
    lateness: str | None = None
    history_trouble: str | None = None
    is_standby_active: bool = False


LOOKED_FOR = (
    "MiningAgentLate",
    "MiningContainerDark",
    "MiningHashrateDiverted",
    "MiningSiteEfficiencyLow",
    "MiningSiteCoverageLow",
    "MiningPoolsDead",
    "MiningUnitsOverheating",
    "MiningFansStopped",
    "MiningBoardsMissing",
    "MiningCurtailmentStragglers",
    "MiningUnitsNotRestored",
    "MiningHistoryNotWritten",
    "MiningStandbyActive",
)
"""The shipped alerts whose conditions this agent can tell by itself, in the order in which they are shown."""

_WALKED = {
    "MiningPoolsDead": (Symptom.NO_POOL_ALIVE, "with no living pool"),
    "MiningUnitsOverheating": (Symptom.HOT, "hot"),
    "MiningFansStopped": (Symptom.FAN_STOPPED, "with a stopped fan"),
    "MiningBoardsMissing": (Symptom.BOARD_MISSING, "with a missing board"),
}


def conditions(known: Known) -> list[Condition]:
    """Return the conditions that hold, in the order of `LOOKED_FOR`."""
    found = dict(_found(known))
    return [Condition(alert, found[alert]) for alert in LOOKED_FOR if alert in found]


def _found(known: Known) -> Iterator[tuple[str, str]]:
    yield from _of_the_agent(known)
    yield from _of_the_site(known.site, is_restoring=known.is_restoring)
    yield from _of_the_walk(known.dark, known.repairs)


def _of_the_agent(known: Known) -> Iterator[tuple[str, str]]:
    late = known.unreadiness or known.lateness
    if late is not None:
        yield "MiningAgentLate", late
    if known.history_trouble is not None:
        yield "MiningHistoryNotWritten", "history is not being written"
    if known.is_standby_active:
        yield "MiningStandbyActive", "this standby took over"


def _of_the_site(site: Figures, *, is_restoring: bool) -> Iterator[tuple[str, str]]:
    if site.diverted_units:
        words = f"{hashrate_text(site.diverted_hs)} of {units_text(site.diverted_units)} diverted"
        yield "MiningHashrateDiverted", words
    ratio, coverage = accounted_ratio(site, is_restoring=is_restoring), site.coverage_ratio
    if ratio is not None and ratio < TARGET_RATIO:
        yield "MiningSiteEfficiencyLow", f"efficiency {ratio_text(ratio, 1)}, curtailment accounted for"
    if coverage is not None and coverage < SURE_COVERAGE_RATIO:
        yield "MiningSiteCoverageLow", f"coverage {ratio_text(coverage, 1)}"
    if site.stragglers:
        yield "MiningCurtailmentStragglers", f"{units_text(site.stragglers)} above an event's target"
    if site.unrestored:
        yield "MiningUnitsNotRestored", f"{units_text(site.unrestored)} not back after an event"


def _of_the_walk(dark_now: Iterable[str], repairs: Iterable[RepairEntry]) -> Iterator[tuple[str, str]]:
    listed = (entry.place.container for entry in repairs if entry.symptom is Symptom.CONTAINER_DARK)
    dark = list(dict.fromkeys((*dark_now, *listed)))
    if dark:
        yield "MiningContainerDark", f"{_some(dark)} dark"
    counts = Counter(entry.symptom for entry in repairs)
    for alert, (symptom, words) in _WALKED.items():
        if counts[symptom]:
            yield alert, f"{units_text(counts[symptom])} {words}"


def _some(names: Iterable[str]) -> str:
    """Return up to three names, and how many more there are."""
    listed = list(names)
    more = f" and {len(listed) - 3} more" if len(listed) > 3 else ""
    noun = "container" if len(listed) == 1 else "containers"
    return f"{noun} {', '.join(listed[:3])}{more}"
