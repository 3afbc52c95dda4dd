"""Each shipped scenario, watched by the agent's code in simulated time and compared with the simulator's truth.

The error of the agent's attribution is printed (``pytest -rP``) and is in every failure.
"""

from collections import Counter
from collections.abc import Iterable

import pytest
from scenario_bounds import OFF_RATIO, TOGETHER
from watched_scenario import Moment, Watched

from agent.site.status import UnitState

SCENARIOS = {
    "quiet-day": 3600,
    "container-power-loss": 600,
    "heat-wave": 7200,
    "firmware-roll-out": 600,
    "bad-psu-batch": 3600,
    "pool-outage": 600,
    "dhcp-shuffle": 600,
    "curtailment-with-stragglers": 600,
}


def _compared(moments: Iterable[Moment]) -> dict[str, tuple[float, float]]:
    """Return reported and true means of each group of causes, as shares of deployed."""
    reported: Counter[str] = Counter()
    true: Counter[str] = Counter()
    deployed_hs = 0.0
    for moment in moments:
        reported.update({cause.value: lost_hs for cause, lost_hs in moment.figures.site.losses_hs.items()})
        true.update(moment.true_hs)
        deployed_hs += moment.figures.site.deployed_hs
        reported["operating"] += moment.figures.site.operating_hs
        true["operating"] += moment.true_operating_hs
    groups = {"operating": ("operating",), **TOGETHER}
    assert set(reported) | set(true) <= {cause for causes in groups.values() for cause in causes} | {"maintenance"}
    return {
        name: (
            sum(reported[cause] for cause in causes) / deployed_hs,
            sum(true[cause] for cause in causes) / deployed_hs,
        )
        for name, causes in groups.items()
    }


@pytest.mark.parametrize(("name", "step_s"), SCENARIOS.items(), ids=SCENARIOS)
def test_losses_are_attributed_as_they_truly_were(name: str, step_s: float) -> None:
    """Operating and each kind of loss agree with the truth within 0.2 % of what is deployed."""
    compared = _compared(Watched(name, step_s=step_s).moments())
    report = "\n".join(
        f"{group:24s} reported {reported:8.3%}  true {true:8.3%}  off {reported - true:+.3%}"
        for group, (reported, true) in compared.items()
    )
    print(f"{name}, shares of deployed\n{report}")  # noqa: T201 - the figures belong in the report
    assert max(abs(reported - true) for reported, true in compared.values()) < OFF_RATIO, report


def test_behind_a_dead_switch_nothing_is_credited() -> None:
    """Units behind a dead switch go on hashing; the agent cannot know that and reports them as unreachable."""
    for moment in Watched("network-switch-flap", step_s=240).moments():
        site = moment.figures.site
        assert site.operating_hs <= moment.true_operating_hs * 1.005
        lost_hs = {cause.value: hashrate_hs for cause, hashrate_hs in site.losses_hs.items()}
        hidden_hs = moment.true_operating_hs - site.operating_hs
        assert lost_hs["unreachable"] == pytest.approx(max(0.0, hidden_hs), abs=0.01 * site.deployed_hs)
        assert site.coverage_ratio == pytest.approx(1 - lost_hs["unreachable"] / site.deployed_hs)


def test_a_container_without_power_is_a_container_of_unreachable_units() -> None:
    """While C2 has no power its units are unreachable, C1 is unaffected, and deployed stays the same."""
    seen = list(Watched("container-power-loss", step_s=600).moments())
    dark = [moment for moment in seen if moment.figures.by_container["C2"].units_by_state[UnitState.UNREACHABLE]]
    assert dark
    assert len({moment.figures.site.deployed_hs for moment in seen}) == 1
    for moment in dark:
        container = moment.figures.by_container["C2"]
        assert container.operating_hs == 0
        assert container.units_by_state[UnitState.UNREACHABLE] == container.units
        assert moment.figures.by_container["C1"].units_by_state[UnitState.UNREACHABLE] == 0
