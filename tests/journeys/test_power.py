"""Power from end to end: simulated units, meters, and the agent's own process."""

from pathlib import Path
from typing import Any

import pytest
from programs import agent, farm, get, get_json, until

METERS = """
[[meter]]
name = "feeder"
container = "C1"
file = "feeder.json"
pointer = "/kw"
scale = 1000
every_s = 1
timeout_s = 0.5
max_age_s = 4
[[meter]]
name = "outlet"
unit = "C2-R01-01"
watts = 3333
"""


async def test_every_watt_has_its_source_and_a_meter_that_stops_stops_counting(tmp_path: Path) -> None:
    """One container and one unit are metered, the rest modelled; a meter that falls silent is modelled again."""
    feeder = tmp_path / "feeder.json"
    async with farm(tmp_path, units=12, options=("--containers", "2", "--starting", "0%")) as control:
        feeder.write_text('{"kw": 24.5}', encoding="utf-8")
        async with agent(tmp_path, more=METERS) as (running, url):

            async def metered() -> Any:
                feeder.touch()
                answer = await get_json(f"{url}/api/v1/site")
                is_metered = answer["containers"][0]["figures"]["metered_watts"] is not None
                return answer if is_metered and answer["joules_by_source"].keys() == {"metered", "modelled"} else None

            answer = await until(metered, running)
            truth = await get_json(f"{control}/truth")
            c1, c2 = (container["figures"] for container in answer["containers"])
            assert c1["watts_by_source"] == {"metered": 24500, "measured": 0, "estimated": 0, "modelled": 0}
            assert c1["metered_watts"] == 24500
            assert c2["watts_by_source"]["metered"] == 3333
            true_watts = sum(unit["power_watts"] for unit in truth["units"] if unit["container"] == "C1")
            assert c1["unit_watts"] == pytest.approx(true_watts, rel=0.05)
            unit = await get_json(f"{url}/api/v1/units/C2-R01-01")
            assert (unit["unit"]["power_watts"], unit["unit"]["power_source"]) == (3333, "metered")
            _, exposition = await get(f"{url}/metrics")
            assert 'miner_power_watts{site="alpha",container="C2",unit="C2-R01-01",source="metered"} 3333' in exposition
            assert 'mining_container_metered_power_watts{site="alpha",container="C1"} 24500' in exposition

            async def lapsed() -> Any:
                answer = await get_json(f"{url}/api/v1/site")
                return answer if answer["containers"][0]["figures"]["metered_watts"] is None else None

            answer = await until(lapsed, running)
            c1 = answer["containers"][0]["figures"]
            assert c1["watts_by_source"]["metered"] == 0
            assert c1["watts_by_source"]["modelled"] == pytest.approx(true_watts, rel=0.05)

            async def told() -> bool:
                return "meter not read" in running.said

            # Figures and log come by different ways.
            await until(told, running)
