"""`make stack`: everything comes up natively, works together, and goes away."""

import asyncio
import re
import signal
import sys
from pathlib import Path

import aiohttp
import pytest
from paths import DEPLOY
from patience import PATIENT_S
from programs import get, get_json, program, query, until

STACK = DEPLOY / "stack.py"


@pytest.mark.program("prometheus", "prometheus-alertmanager")
async def test_stack_comes_up_and_goes_away(tmp_path: Path) -> None:
    """All four answer at the printed addresses, the shipped rules are evaluated, and SIGTERM ends every one."""
    command = (sys.executable, str(STACK), "--units", "12", "--interval", "1.5", "--folder", str(tmp_path / "run"))
    async with program(*command, log=tmp_path / "stack.log") as running:

        async def is_up() -> bool:
            return "Ctrl-C" in running.said

        await until(is_up, running, within_s=PATIENT_S)
        found = dict(re.findall(r"^(.*?)\s{2,}(http://\S+)$", running.said, re.MULTILINE))
        assert set(found) == {"status page", "what is true", "Alertmanager", "Prometheus"}
        server = found["Prometheus"].rstrip("/")

        async def is_summed() -> bool:
            return bool(await query(server, "site:mining_operating_per_deployed:ratio"))

        await until(is_summed, running)
        alertmanagers = (await get_json(f"{server}/api/v1/alertmanagers"))["data"]["activeAlertmanagers"]
        assert [each["url"] for each in alertmanagers] == [f"{found['Alertmanager']}api/v2/alerts"]

        async def is_on_the_wall() -> bool:
            return "Alerts firing" in (await get(f"{found['status page']}wall"))[1]

        await until(is_on_the_wall, running)
        assert (await get_json(found["what is true"]))["site"]["hashrate_hs"] > 0
        running.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENT_S):
            assert await running.process.wait() == 0, running.said
        for address in found.values():
            with pytest.raises(aiohttp.ClientError):
                await get(address)
