"""A fleet of three real agents over parts of a simulated farm: added up, curtailed, killed, taken out of the file."""

import asyncio
import json
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import aiohttp
import pytest
from programs import Program, agent, farm, free_port, get, get_json, program, until

SITES = ("north", "south", "west")
UNITS = 12
TOKEN = "s3cret" * 3
SUMS = ("deployed_hs", "operating_hs", "uplift_hs", "known_hs")


class Fleet:
    """Three agents and a fleet server over them.

    Attributes:
        agents: Each site's agent and its address.
        server, url: The fleet server and its address.
        path: Its file.
    """

    def __init__(self, agents: dict[str, tuple[Program, str]], server: Program, url: str, path: Path) -> None:
        self.agents, self.server, self.url, self.path = agents, server, url, path

    async def until(self, condition: Any) -> Any:
        """Wait until the fleet's answer is as `condition` says; return it."""

        async def is_so() -> Any:
            answer = await get_json(f"{self.url}/api/v1/fleet")
            return answer if answer is not None and condition(answer) else None

        return await until(is_so, self.server)

    def write(self, *names: str) -> None:
        """Write a file with some of the sites."""
        port = urlsplit(self.url).port
        sections = [f'[fleet]\nlisten = "127.0.0.1:{port}"\ninterval_s = 1\nstale_after_s = 6\nbackoff_max_s = 1\n']
        sections += [f'[[site]]\nname = "{name}"\nurl = "{self.agents[name][1]}"\n' for name in names]
        self.path.write_text("".join(sections), encoding="utf-8")


@asynccontextmanager
async def fleet(folder: Path) -> AsyncIterator[Fleet]:
    """Run a farm whose units are shared out to three agents, and a fleet server."""
    async with AsyncExitStack() as stack:
        options = ("--starting", "0%", "--asleep", "40%")
        await stack.enter_async_context(farm(folder, units=len(SITES) * UNITS, options=options))
        head, *rows = (folder / "ledger.csv").read_text(encoding="utf-8").splitlines(keepends=True)

        async def start(name: str) -> tuple[Program, str]:
            home = folder / name
            home.mkdir()
            token = home / "token"
            token.write_text(TOKEN, encoding="ascii")
            token.chmod(0o600)
            ledger = "".join([head, *rows[SITES.index(name) :: len(SITES)]])
            (home / "ledger.csv").write_text(ledger, encoding="utf-8")
            return await stack.enter_async_context(agent(home, site=name, more='[api]\ntoken_file = "token"\n'))

        agents = dict(zip(SITES, await asyncio.gather(*map(start, SITES)), strict=True))
        url, path = f"http://127.0.0.1:{free_port()}", folder / "fleet.toml"
        made = Fleet(agents, Program(agents["north"][0].process, folder / "fleet.log"), url, path)
        made.write(*SITES)
        command = (sys.executable, "-m", "agent", "fleet", "--sites", str(path))
        made.server = await stack.enter_async_context(program(*command, log=folder / "fleet.log"))
        yield made


async def test_three_agents_are_one_fleet(tmp_path: Path) -> None:
    """Totals are the sums of what agents say; a killed one stays in deployed; a reload takes it out."""
    async with fleet(tmp_path) as made:
        answer = await made.until(lambda each: each["totals"]["sites_by_standing"]["current"] == 3)
        await _is_sum_of_agents(made, answer)
        await _shows_every_agents_pages(made)
        await _follows_a_curtailment(made)
        await _keeps_a_killed_agents_site(made)
        made.write("south", "west")
        made.server.process.send_signal(signal.SIGHUP)
        after = await made.until(lambda each: len(each["sites"]) == 2)
        assert after["totals"]["unknown_hs"] == 0
        assert '"event": "reloaded"' in made.server.said
    assert made.server.process.returncode == 0


async def _is_sum_of_agents(made: Fleet, answer: Any) -> None:
    agents = {name: await get_json(f"{url}/api/v1/site") for name, (_, url) in made.agents.items()}
    totals, sites = answer["totals"], {each["site"]: each for each in answer["sites"]}
    for key in SUMS:
        assert totals[key] == pytest.approx(sum(each[key] for each in sites.values()), rel=1e-12)
        for name, said in agents.items():
            # A second later its units hash a little more or less.
            assert sites[name][key] == pytest.approx(said["figures"][key], rel=0.05, abs=1e13)
    assert totals["deployed_hs"] == sum(said["deployed_hs"] for said in agents.values())
    losses = sum(totals["losses_hs"].values())
    assert totals["deployed_hs"] - losses + totals["uplift_hs"] == pytest.approx(totals["operating_hs"], rel=1e-9)
    assert totals["units"] == 3 * UNITS
    assert (await get(f"{made.url}/readyz"))[0] == 200


async def _shows_every_agents_pages(made: Fleet) -> None:
    """The agent's first page and everything that it links to come from below the site's address."""
    text = (await get(f"{made.url}/"))[1]
    assert all(f'href="sites/{name}/"' in text for name in SITES)
    base = f"{made.url}/sites/south/"
    status, page = await get(base)
    assert status == 200
    assert "south" in page
    links = {link.replace("&amp;", "&") for link in re.findall(r'(?:href|src)="([^"#][^"]*)"', page)}
    assert len(links) > 5
    for link in links:
        target = urljoin(base, link)
        assert target.startswith(base), link
        assert (await get(target))[0] in {200, 503}, link
    assert (await get_json(f"{base}api/v1/units"))["total"] == UNITS


async def _follows_a_curtailment(made: Fleet) -> None:
    """An order goes to the agent, never through the fleet; its loss comes with the site's next answer."""
    order = {"target_percent": 0, "duration_s": 3600}
    headers = {"Authorization": f"Bearer {TOKEN}"}
    path = "/api/v1/curtailments"
    async with aiohttp.ClientSession() as client:
        async with client.post(f"{made.url}/sites/south{path}", json=order, headers=headers) as refused:
            assert refused.status == 405
        async with client.post(f"{made.agents['south'][1]}{path}", json=order, headers=headers) as started:
            assert started.status == 201
    answer = await made.until(lambda each: each["totals"]["losses_hs"].get("curtailed", 0) > 0)
    by_site = {each["site"]: (each["losses_hs"] or {}).get("curtailed", 0) for each in answer["sites"]}
    assert by_site == {"north": 0, "south": answer["totals"]["losses_hs"]["curtailed"], "west": 0}


async def _keeps_a_killed_agents_site(made: Fleet) -> None:
    """Its nameplate stays in deployed, and what it operates is unknown."""
    before = await get_json(f"{made.url}/api/v1/fleet")
    killed = made.agents["north"][0].process
    killed.kill()
    await killed.wait()
    after = await made.until(lambda each: each["totals"]["sites_by_standing"]["late"] == 1)
    (north,) = [each for each in after["sites"] if each["site"] == "north"]
    others = [each for each in after["sites"] if each["site"] != "north"]
    totals = after["totals"]
    assert totals["deployed_hs"] == before["totals"]["deployed_hs"]
    assert totals["unknown_hs"] == north["deployed_hs"]
    assert totals["operating_hs"] == pytest.approx(sum(each["operating_hs"] for each in others))
    assert (north["operating_hs"], north["operational_efficiency_ratio"]) == (None, None)
    assert north["agents"][0]["trouble_words"] == "unreachable: Connection refused"
    assert totals["operational_efficiency_ratio"] is None
    assert totals["operational_efficiency_at_least_ratio"] == pytest.approx(
        totals["operating_hs"] / totals["deployed_hs"]
    )
    assert (await get(f"{made.url}/readyz"))[0] == 503
    assert (await get(f"{made.url}/sites/north/"))[0] == 502
    assert made.server.said.count('"event": "site does not answer"') == 1
    printed, status = await _once(made)
    assert (printed["totals"]["missing_sites"], status) == (["north"], 1)


async def _once(made: Fleet) -> tuple[Any, int | None]:
    command = (sys.executable, "-m", "agent", "fleet", "--sites", str(made.path), "--once", "--json")
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    return json.loads(output), process.returncode
