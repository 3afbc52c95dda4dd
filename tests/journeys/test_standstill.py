"""A real agent that is stopped and continued: no collapse is shown, and figures come back whole."""

import asyncio
import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from patience import PATIENT_S
from programs import Program, agent, farm, get, get_json

UNITS = 60
# Readings last three seconds at an interval of one second.
STOPPED_S = 5.0


def _shown_ratio(exposition: str) -> float | None:
    """Return the operational efficiency on a page of metrics; None if there is none."""
    values = [
        float(line.split()[-1])
        for line in exposition.splitlines()
        if line.startswith("mining_site_operational_efficiency_ratio{")
    ]
    return values[0] if values else None


async def _shown(url: str) -> tuple[str | None, list[float | None]]:
    """Return why the agent is not ready, then operational efficiency as metrics and JSON show it, asked in order."""
    status, text = await get(f"{url}/readyz")
    _, exposition = await get(f"{url}/metrics/site")
    figures = (await get_json(f"{url}/api/v1/site"))["figures"]
    ratio = None if figures is None else figures["operational_efficiency_ratio"]
    return None if status == 200 else text, [_shown_ratio(exposition), ratio]


async def _until(running: Program, url: str, condition: Callable[[str | None], bool]) -> list[float | None]:
    """Ask until readiness is as wanted, and return every ratio shown on the way and then."""
    shown: list[float | None] = []
    async with asyncio.timeout(PATIENT_S):
        while True:
            assert running.process.returncode is None, running.said
            unreadiness, ratios = await _shown(url)
            shown += ratios
            if condition(unreadiness):
                return shown
            await asyncio.sleep(0.05)


async def test_no_figure_is_a_collapse_after_a_stop(tmp_path: Path) -> None:
    """Stopped for longer than readings last: nothing is shown until every unit was asked again, then the truth."""
    options = ("--starting", "0%")
    async with farm(tmp_path, units=UNITS, options=options) as control, agent(tmp_path) as (running, url):
        truth = (await get_json(f"{control}/truth"))["site"]["operational_efficiency_ratio"]
        running.process.send_signal(signal.SIGSTOP)
        # The kernel takes these requests; they are the first that the agent answers when it goes on.
        asked = [asyncio.create_task(get(f"{url}{path}")) for path in ("/readyz", "/metrics/site", "/api/v1/site", "/")]
        await asyncio.sleep(STOPPED_S)
        before = running.said
        running.process.send_signal(signal.SIGCONT)
        async with asyncio.timeout(PATIENT_S):
            (status, unreadiness), (_, exposition), (_, site), (_, page) = await asyncio.gather(*asked)
        shown = await _until(running, url, lambda unreadiness: unreadiness is None)
        states: Any = (await get_json(f"{url}/api/v1/site"))["figures"]["units_by_state"]
        said = running.said.removeprefix(before)
    assert status == 503
    assert unreadiness.startswith("this agent stood still for ")
    assert "units not looked at since" in unreadiness
    assert _shown_ratio(exposition) is None
    assert json.loads(site)["figures"] is None
    assert "Not ready" in page
    seen = [ratio for ratio in shown if ratio is not None]
    assert seen
    # 2.5 % a board is 0.2 % over 60 units.
    assert all(ratio == pytest.approx(truth, abs=0.01) for ratio in seen)
    # The farm has 4 % off and 3 % asleep.
    assert {state: units for state, units in states.items() if units} == {
        "hashing": 56,
        "unreachable": 2,
        "stopped": 2,
    }
    events = [json.loads(line)["event"] for line in said.splitlines()]
    assert events.count("agent stood still") == 1
    assert not [event for event in events if event.startswith(("unit ", "units changed"))]
