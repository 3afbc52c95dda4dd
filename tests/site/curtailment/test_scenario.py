"""A declared curtailment in simulated time: the agent's judgement, compared with the simulator's truth."""

from collections import Counter

from watched_scenario import Watched

from agent.site.curtailment.events import RESTORE_S
from agent.site.status import Cause, UnitState

STEP_S = 300.0


def test_curtailment_with_stragglers_is_told_as_it_was() -> None:
    """Two containers for two hours: units curtailed, straggling and not restored agree with the truth.

    Over eight hours, the agent's curtailed and unreachable losses are within 1 % of the truth's. A unit without power
    inside an event is not curtailed.
    """
    one = Watched("curtailment-with-stragglers", step_s=STEP_S)
    seen = list(one.moments())
    told_hs: Counter[str] = Counter()
    true_hs: Counter[str] = Counter()
    for moment in seen:
        told_hs.update({cause.value: lost_hs for cause, lost_hs in moment.figures.site.losses_hs.items()})
        true_hs.update(moment.true_hs)
    for cause in (Cause.CURTAILED, Cause.UNREACHABLE, Cause.STOPPED):
        assert true_hs[cause] > 0
        assert abs(told_hs[cause] - true_hs[cause]) <= 0.01 * sum(true_hs.values()), cause
    declared = one.playing.curtailments[0]
    inside = [moment for moment in seen if declared.begin + 600 <= moment.at < declared.end]
    before = [moment for moment in seen if moment.at < declared.begin]
    waking = [moment for moment in seen if declared.end <= moment.at < declared.end + RESTORE_S]
    after = [moment for moment in seen if declared.end + RESTORE_S <= moment.at < declared.end + 5400]
    # A tenth of C1's fifty units do not follow. A fifth of C2's fifty are forgotten; one of them has no power.
    assert {moment.figures.site.stragglers for moment in inside} == {5}
    assert {moment.figures.site.stragglers for moment in (*before, *waking, *after)} == {0}
    assert {moment.figures.site.unrestored for moment in after} == {9}
    assert {moment.figures.site.unrestored for moment in (*before, *inside, *waking, seen[-1])} == {0}
    assert {moment.figures.site.units_by_state[UnitState.CURTAILED] for moment in after} == {0}
