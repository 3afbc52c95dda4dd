"""The whole path: simulated units on real sockets, the agent's own process, and a real Prometheus."""

import asyncio
import csv
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from patience import PATIENT_S
from programs import agent, farm, get, get_json, program, prometheus, query, until
from shared_farm import SharedFarm, shared_farm

UNITS = 60
BROKEN_CONFIG = '[site]\nname = "alpha"\ncolour = "red"\n[ledger]\nfile = "ledger.csv"\n[poll]\ninterval_s = "soon"\n'

sixty = shared_farm(units=UNITS)


@pytest.mark.program("prometheus", "promtool")
async def test_prometheus_shows_what_the_units_truly_did(tmp_path: Path) -> None:
    """In Prometheus the target is up and operating equals the truth over 200 units; promtool finds no fault."""
    async with farm(tmp_path, units=200) as control, agent(tmp_path) as (running, url):
        async with prometheus(tmp_path, url.removeprefix("http://")) as server:

            async def operating() -> list[tuple[dict[str, str], float, float]]:
                return await query(server, "mining_site_operating_hashrate_hashes_per_second")

            found = await until(operating, running)
            assert [value for _, _, value in await query(server, "up")] == [1.0]
            truth = await get_json(f"{control}/truth")
            found = await operating()
        status, exposition = await get(f"{url}/metrics")
    assert status == 200
    checked = await asyncio.to_thread(
        subprocess.run,
        ["promtool", "check", "metrics"],
        input=exposition.encode(),
        capture_output=True,
        timeout=PATIENT_S,
        check=False,
    )
    assert (checked.returncode, checked.stderr.decode(), checked.stdout.decode()) == (0, "", "")
    ((labels, _, operating_hs),) = found
    assert labels["site"] == "alpha"
    # 2.5 % a board is 0.1 % over 200 units; a starting unit ramps up between the two reads.
    assert operating_hs == pytest.approx(truth["site"]["hashrate_hs"], rel=0.01)


async def test_no_unit_is_ever_written_to(tmp_path: Path, sixty: SharedFarm) -> None:
    """The units' own journals show nothing but read commands over several rounds."""
    sixty.copy_ledger(tmp_path)

    async def requests() -> dict[str, int]:
        counts: dict[str, int] = (await get_json(f"{sixty.control}/requests"))["counts"]
        return counts

    before = sum((await requests()).values())
    async with agent(tmp_path) as (running, _):

        async def has_gone_round() -> bool:
            return sum((await requests()).values()) > before + 8 * UNITS

        await until(has_gone_round, running)
        counts = await requests()
    assert set(counts) <= {"stats new_api", "stats", "summary", "pools", "version"}


async def test_sigterm_ends_cleanly(tmp_path: Path, sixty: SharedFarm) -> None:
    """SIGTERM during polling ends the agent with status 0 within five seconds, and the log says that it stopped."""
    sixty.copy_ledger(tmp_path)
    async with agent(tmp_path) as (running, _):
        running.process.send_signal(signal.SIGTERM)
        assert await running.ended() == 0
        assert [json.loads(line)["event"] for line in running.said.splitlines()][-1] == "agent stopped"


async def test_sighup_reads_the_ledger_again_or_not_at_all(tmp_path: Path, sixty: SharedFarm) -> None:
    """A good ledger takes a unit off every page; a bad one changes nothing; /metrics shows both results."""
    rows = sixty.copy_ledger(tmp_path).read_text(encoding="utf-8").splitlines()
    async with agent(tmp_path) as (running, url):
        first = next(csv.DictReader(rows))["unit_id"]
        assert f'unit="{first}"' in (await get(f"{url}/metrics"))[1]

        (tmp_path / "ledger.csv").write_text("\n".join([*rows[:1], *rows[2:], "broken,row"]), encoding="utf-8")
        running.process.send_signal(signal.SIGHUP)

        async def says(line: str) -> bool:
            return f"\n{line}\n" in (await get(f"{url}/metrics"))[1]

        await until(lambda: says("miner_agent_config_last_reload_successful 0.0"), running)
        assert f'unit="{first}"' in (await get(f"{url}/metrics"))[1]

        (tmp_path / "ledger.csv").write_text("\n".join([*rows[:1], *rows[2:]]), encoding="utf-8")
        running.process.send_signal(signal.SIGHUP)
        await until(lambda: says("miner_agent_config_last_reload_successful 1.0"), running)
        assert f'unit="{first}"' not in (await get(f"{url}/metrics"))[1]
        assert (await get(f"{url}/api/v1/units/{first}"))[0] == 404
        site = await get_json(f"{url}/api/v1/site")
        assert site["units"] == UNITS - 1


async def test_reload_refuses_what_needs_a_restart(tmp_path: Path, sixty: SharedFarm) -> None:
    """A reload with a changed listen address is refused as a whole; the log has the key and the reason."""
    sixty.copy_ledger(tmp_path)
    async with agent(tmp_path) as (running, url):
        config = tmp_path / "site.toml"
        text = config.read_text(encoding="utf-8")
        config.write_text(text.replace(url.removeprefix("http://"), "127.0.0.1:1"), encoding="utf-8")
        running.process.send_signal(signal.SIGHUP)

        async def refused() -> bool:
            return "web.listen" in running.said and "restart the agent" in running.said

        await until(refused, running)
        assert (await get(f"{url}/healthz"))[0] == 200


async def test_reload_changes_the_interval(tmp_path: Path, sixty: SharedFarm) -> None:
    """SIGHUP puts a longer or shorter poll interval in force without a restart and without losing a reading."""
    sixty.copy_ledger(tmp_path)
    async with agent(tmp_path) as (running, url):
        config = tmp_path / "site.toml"
        text = config.read_text(encoding="utf-8")
        for interval in ("interval_s = 3600", "interval_s = 1"):
            config.write_text(text.replace("interval_s = 1", interval), encoding="utf-8")
            reloads = running.said.count('"event": "reloaded"')
            running.process.send_signal(signal.SIGHUP)

            async def is_reloaded(before: int = reloads) -> bool:
                return running.said.count('"event": "reloaded"') > before

            await until(is_reloaded, running)
        before = (await get_json(f"{url}/api/v1/site"))["figures_at"]

        async def has_new_figures() -> bool:
            return bool((await get_json(f"{url}/api/v1/site"))["figures_at"] != before)

        await until(has_new_figures, running)
        assert (await get_json(f"{url}/api/v1/site"))["figures"]["coverage_ratio"] > 0


async def test_demo_comes_out_near_ninety_two_percent(tmp_path: Path) -> None:
    """The demo's injected troubles bring its site to about 92 % of nameplate; the demo ends by itself."""
    command = (sys.executable, "-m", "agent", "demo", "--interval", "2", "--seconds", "9", "--listen", "127.0.0.1:0")
    async with program(*command, log=tmp_path / "demo.log") as running:
        async with asyncio.timeout(PATIENT_S):
            assert await running.process.wait() == 0
        said = running.said
    headlines = [line for line in said.splitlines() if "operational efficiency" in line]
    assert headlines, said
    percent = float(headlines[-1].split(" = ")[1].split(" %")[0])
    assert 90.5 < percent < 94
    assert "http://127.0.0.1:" in said


async def test_once_prints_figures_and_worst_units(tmp_path: Path, sixty: SharedFarm) -> None:
    """`once --json` polls every unit once; its figures agree with the truth and with the sum of its own units."""
    sixty.copy_ledger(tmp_path)
    config = tmp_path / "site.toml"
    config.write_text('[site]\nname = "alpha"\n[ledger]\nfile = "ledger.csv"\n', encoding="utf-8")
    command = (sys.executable, "-m", "agent", "once", "--config", str(config), "--json")
    async with program(*command, log=tmp_path / "once.log") as running:
        async with asyncio.timeout(PATIENT_S):
            assert await running.process.wait() == 0, running.said
        printed = json.loads(running.said)
    truth = await get_json(f"{sixty.control}/truth")
    assert printed["operating_hs"] == pytest.approx(truth["site"]["hashrate_hs"], rel=0.01)
    assert printed["operating_hs"] == pytest.approx(sum(unit["hashrate_hs"] or 0 for unit in printed["unit_statuses"]))
    assert len(printed["unit_statuses"]) == UNITS
