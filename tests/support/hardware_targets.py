"""What the conformance suite runs against: simulated units of every build, and every recorded unit."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from observed_units import afflicted, observed
from paths import CAPTURES
from sim_cases import START, make_unit

from agent.hil.capture.folder import read_capture
from agent.hil.capture.form import Capture
from agent.hil.verify.checks.catalogue import CHECKS, SERIES, verdicts_of
from agent.hil.verify.verdict import Outcome, Verdict
from simulators.faults.vocabulary import read_fault
from simulators.unit.builds import FLEET_BUILDS

# Builds that no share of a fleet runs, each with a model that can.
MORE_BUILDS = (("S21 Pro", "s21pro-202507"), ("S21", "s21-202604"), ("S21 XP Hyd.", "s21xphyd-202601"))
MODELS = (*((model, build) for model, builds in FLEET_BUILDS.items() for build, _ in builds), *MORE_BUILDS)
FEW_POLLS = 12
"""Polls of most targets: as many as a series needs. One target has ten minutes of them."""
SETTLED_S = 600.0
NAMES = tuple(check.name for check in CHECKS) + tuple(check.name for check in SERIES)


@dataclass(frozen=True, slots=True)
class Target:
    """One unit to check.

    Attributes:
        name: In the listing of what it cannot answer.
        look: Returns what was recorded of it.
    """

    name: str
    look: Callable[[], Capture]

    def __str__(self) -> str:
        return self.name.replace(" ", "_")


def simulated(model: str, build: str, fault: str = "", *, polls: int = FEW_POLLS) -> Capture:
    """Return what a simulated unit answers, ten minutes after a fault if one is named."""
    unit = make_unit(model, build=build)
    at = START
    if fault:
        afflicted(unit, [read_fault(fault, {})], START)
        at += SETTLED_S
    return observed(unit, at, name=f"{model} {build}", polls=polls)


def _simulated(model: str, build: str, fault: str) -> Target:
    return Target(f"simulated {model} {build} {fault or 'hashing'}", lambda: simulated(model, build, fault))


def _recorded(name: str) -> Target:
    return Target(f"recorded {name}", lambda: read_capture(CAPTURES / name))


SIMULATED = tuple(_simulated(model, build, fault) for model, build in MODELS for fault in ("", "asleep"))
RECORDED = tuple(_recorded(path.parent.name) for path in sorted(CAPTURES.glob("*/golden.json")))
TARGETS = (*SIMULATED, *RECORDED)


@lru_cache(maxsize=len(TARGETS))
def verdicts_by_check(target: Target) -> dict[str, Verdict]:
    """Return the verdicts on a target by the name of the check."""
    return {verdict.check: verdict for verdict in verdicts_of(target.look())}


def broken(capture: Capture) -> set[str]:
    """Return the names of the checks that a unit breaks."""
    return {verdict.check for verdict in verdicts_of(capture) if verdict.outcome is Outcome.BROKEN}
