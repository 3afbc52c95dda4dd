"""A real agent that is killed and started again: held figures at once, then fresh ones, and never a collapse."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from programs import agent, farm, get, get_json, until

UNITS = 60
PATIENT_S = 60.0
# A busy machine may need long to start a process.
STALE_AFTER_S = 60.0


async def test_a_killed_agent_shows_what_it_knew_until_it_knows_better(tmp_path: Path) -> None:
    """Restored figures are not ready and not covered; no ratio on the way is a collapse; `since` is that of before."""
    async with farm(tmp_path, units=UNITS, options=("--starting", "0%")) as control:
        truth = (await get_json(f"{control}/truth"))["site"]["operational_efficiency_ratio"]
        async with agent(tmp_path, interval_s=2, stale_after_s=STALE_AFTER_S) as (first, url):
            written = await until(lambda: _written(tmp_path, after=0), first, PATIENT_S)
            # The next one is of a whole round, with every unit in it.
            await until(lambda: _written(tmp_path, after=written), first, PATIENT_S)
            before = {unit["unit_id"]: unit for unit in (await get_json(f"{url}/api/v1/units"))["units"]}
            first.process.kill()
            await first.process.wait()
        async with agent(tmp_path, interval_s=2, stale_after_s=STALE_AFTER_S, is_awaited=False) as (second, url):
            sites, is_ready = await _watched(url)
            after = {unit["unit_id"]: unit for unit in (await get_json(f"{url}/api/v1/units"))["units"]}
            said = second.said
    shown = [site for site in sites if site["figures"] is not None]
    assert is_ready
    assert "statuses restored" in said
    restored = [site for site in shown if site["restored_units"]]
    assert restored, "figures came with the first fresh round only"
    assert restored[0]["restored_units"] == UNITS
    assert restored[0]["is_ready"] is False
    assert restored[0]["figures"]["coverage_ratio"] == 0
    assert restored[0]["figures"]["overdue_units"] == UNITS
    assert "of them since before this start" in restored[0]["not_ready_reason"]
    ratios = [site["figures"]["operational_efficiency_ratio"] for site in shown]
    assert ratios == pytest.approx([truth] * len(ratios), abs=0.01)
    assert {name: unit["since"] for name, unit in after.items() if unit["state"] == "hashing"} == {
        name: unit["since"] for name, unit in before.items() if unit["state"] == "hashing"
    }


async def _written(folder: Path, *, after: int) -> int:
    """Return when the snapshot was written, ns; 0 unless that is after the given time."""
    file = folder / "site.snapshot"
    at = file.stat().st_mtime_ns if file.exists() and file.stat().st_size else 0
    return at if at > after else 0


async def _watched(url: str) -> tuple[list[Any], bool]:
    """Ask until the agent is ready; return its answers about the site, in order."""
    sites: list[Any] = []
    async with asyncio.timeout(PATIENT_S):
        while True:
            try:
                status, _ = await get(f"{url}/readyz")
                sites.append(await get_json(f"{url}/api/v1/site"))
            except OSError:
                await asyncio.sleep(0.05)
                continue
            if status == 200:
                return sites, True
            await asyncio.sleep(0.05)
