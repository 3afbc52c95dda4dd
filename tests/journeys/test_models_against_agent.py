"""Every simulated model and bin, read by the agent."""

import pytest
from polled_farm import Polled
from sim_cases import START, make_unit

from agent.site.status import UnitState
from simulators.unit.builds import BUILDS, Report
from simulators.unit.models import Model, farmable_models


@pytest.mark.parametrize("model", farmable_models(), ids=lambda model: f"{model.name}-{model.hashrate_th:g}")
def test_a_healthy_unit_of_any_bin_hashes_at_its_nameplate(model: Model) -> None:
    """A healthy unit hashes near its nameplate, with all boards and chips, its own model name, and its rated watts."""
    unit = make_unit(model.name, hashrate_th=model.hashrate_th)
    polled = Polled([unit], at=START)
    polled.sweep(START)
    [status] = polled.tracker.statuses()
    assert (status.state, status.is_known) == (UnitState.HASHING, True)
    assert status.hashrate_hs == pytest.approx(model.hashrate_hs, rel=0.05)
    assert sum(loss.hashrate_hs for loss in status.losses) < 0.04 * model.hashrate_hs
    assert status.reading is not None
    assert [board.chips for board in status.reading.boards] == [model.chips_per_board] * model.boards
    # Observed (O58): units without fans report four that stand still, s19proplus-hyd-stock-202303. Documented (D87):
    # builds of May 2026 list none.
    listed = 0 if BUILDS[unit.build].report is Report.SALE else 4
    assert [bool(rpm) for rpm in status.reading.fan_rpm] == [model.fans > 0] * listed
    assert status.reading.identity.model == model.api_type
    assert status.power is not None
    assert status.power.watts == pytest.approx(model.power_watts, rel=0.1)
