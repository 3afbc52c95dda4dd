"""The door in the agent: which file counts, who is an operator, what a reload takes over, what is said at the start."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
import structlog
from web_doors import USERS, written
from web_site import served, source

from agent.address import Endpoint
from agent.app import Agent
from agent.errors import ConfigError
from agent.exporters.web.door.door import Door
from agent.exporters.web.door.web_file import read_web_file
from agent.runtime.door import new_door
from agent.runtime.reload import read_again
from agent.runtime.setup import Setup, load_setup

HEAD = "unit_id,model,hashrate_th,host,container,rack,slot,deployed_from,deployed_to,status\n"
UNIT = "u1,S21,200,127.77.0.1,C1,R1,1,2025-01-01,,deployed\n"
CONFIG = '[site]\nname = "alpha"\n[ledger]\nfile = "ledger.csv"\n[web]\n'
WRONG = "basic_auth_users: {anna: plain}\n"


def site(folder: Path, more: str = "") -> Path:
    """Write a site with one unit and a web configuration with the users anna and ben."""
    written(folder, USERS)
    (folder / "ledger.csv").write_text(HEAD + UNIT, encoding="utf-8")
    path = folder / "site.toml"
    path.write_text(CONFIG + more, encoding="utf-8")
    return path


def refusal(load: Callable[[], object]) -> str:
    """Return why a setup is refused."""
    with pytest.raises(ConfigError) as refused:
        load()
    return str(refused.value)


def test_a_wrong_web_configuration_is_a_mistake_of_the_setup(tmp_path: Path) -> None:
    """`check` and the start name its file, key and reason beside other mistakes."""
    path = site(tmp_path, 'config_file = "web.yml"\n[api]\ntoken_file = "gone"\n')
    written(tmp_path, WRONG)
    said = refusal(lambda: load_setup(path))
    assert "web.yml: basic_auth_users.anna: a bcrypt hash is expected" in said
    assert "gone" in said


def test_operators_are_users(tmp_path: Path) -> None:
    """A name that is no user of the file, or a name without a file, is a mistake: it would change nothing unseen."""
    path = site(tmp_path, 'config_file = "web.yml"\noperators = ["anna", "eve"]\n')
    said = refusal(lambda: load_setup(path))
    assert f"web.operators = 'eve': no user of basic_auth_users in {tmp_path / 'web.yml'}" in said
    assert "anna" not in said
    path = site(tmp_path, 'operators = ["anna"]\n')
    assert "web.config_file, which is not set" in refusal(lambda: load_setup(path))


def test_the_command_line_comes_first(tmp_path: Path) -> None:
    """`--web.config.file` counts instead of the configuration's, over reloads too."""
    path = site(tmp_path, 'config_file = "other.yml"\noperators = ["anna"]\n')
    assert "other.yml" in refusal(lambda: load_setup(path))
    setup = load_setup(path, web_config_file=tmp_path / "web.yml")
    again = read_again(setup)
    for each in (setup, again):
        assert each.web_file is not None
        assert set(each.web_file.users) == {"anna", "ben"}


def test_another_web_configuration_needs_a_restart(tmp_path: Path) -> None:
    """Its content is followed while the agent runs; its name is not."""
    agent = Agent(load_setup(site(tmp_path, 'config_file = "web.yml"\n')))
    site(tmp_path)
    assert "web.config_file" in refusal(lambda: read_again(agent.setup))


async def test_a_reload_changes_who_is_an_operator(tmp_path: Path) -> None:
    """Roles follow the configuration; a reload that is refused says why to whom asked for it."""
    path = site(tmp_path, 'config_file = "web.yml"\n')
    agent = Agent(load_setup(path))
    door = new_door(lambda: agent.setup, agent.metrics)
    site(tmp_path, 'config_file = "web.yml"\noperators = ["ben"]\n')
    async with agent.polling():
        assert await agent.in_force.reload() == ()
    assert [door._role(name) for name in ("anna", "ben")] == ["viewer", "operator"]
    site(tmp_path, 'config_file = "web.yml"\noperators = ["eve"]\n')
    both = await asyncio.gather(agent.in_force.reload(), agent.in_force.reload())
    assert ["no user of" in str(mistakes[0]) for mistakes in both] == [True, True]
    assert door._role("ben") == "operator"


async def test_a_wrong_web_configuration_does_not_keep_a_ledger_from_being_reloaded(tmp_path: Path) -> None:
    """While the server keeps its last good users, configuration and ledger are taken over; a start still refuses it."""
    path = site(tmp_path, 'config_file = "web.yml"\n')
    agent = Agent(load_setup(path))
    door = new_door(lambda: agent.setup, agent.metrics)
    site(tmp_path, 'config_file = "web.yml"\noperators = ["ben"]\n')
    second = "u2,S21,200,127.77.0.2,C1,R1,2,2025-01-01,,deployed\n"
    (tmp_path / "ledger.csv").write_text(HEAD + UNIT + second, encoding="utf-8")
    written(tmp_path, WRONG)
    async with agent.polling():
        assert await agent.in_force.reload() == ()
        assert len(agent.tracker) == 2
    assert (door._role("ben"), door.is_in_force) == ("operator", False)
    site(tmp_path, 'config_file = "web.yml"\noperators = ["eve"]\n')
    written(tmp_path, WRONG)
    assert "web.operators = 'eve'" in refusal(lambda: read_again(agent.setup))
    assert "a bcrypt hash is expected" in refusal(lambda: load_setup(path))


def said_at_start(setup: Setup) -> list[str]:
    """Return what the log says of an open server."""
    with structlog.testing.capture_logs() as lines:
        new_door(lambda: setup, Agent(setup).metrics)
    return [str(line["missing"]) for line in lines if line["event"] == "web server is open"]


def test_an_open_server_is_said_at_the_start(tmp_path: Path) -> None:
    """Beyond loopback what is missing is logged once; on loopback nothing is."""
    assert said_at_start(load_setup(site(tmp_path))) == []
    (said,) = said_at_start(load_setup(site(tmp_path, 'listen = "0.0.0.0:9184"\n')))
    assert "0.0.0.0:9184" in said
    assert "no TLS and no users" in said
    (said,) = said_at_start(load_setup(site(tmp_path, 'listen = "0.0.0.0:9184"\nconfig_file = "web.yml"\n')))
    assert "no TLS: passwords" in said


async def test_an_open_server_says_so_on_every_page(tmp_path: Path) -> None:
    """The banner names what is missing; with TLS and users there is none."""
    for listen, is_said in ((Endpoint("10.0.0.5", 9184), True), (Endpoint("127.0.0.1", 9184), False)):
        async with served(source(door=Door(listen=listen))) as client, client.get("/") as response:
            assert ("This server is open" in await response.text()) == is_said
    assert read_web_file(written(tmp_path, USERS)).tls is None


@pytest.mark.parametrize("has_file", [True, False])
async def test_the_metric_says_whether_the_file_is_in_force(has_file: bool, tmp_path: Path) -> None:  # noqa: FBT001
    """1 while it is, 0 from the scrape on that finds it wrong; absent without a file."""
    setup = load_setup(site(tmp_path, 'config_file = "web.yml"\n' if has_file else ""))
    agent = Agent(setup)
    new_door(lambda: setup, agent.metrics)
    name = "miner_agent_web_config_last_reload_successful "
    body, _ = await agent.metrics.scrape(scope="site")
    assert (f"\n{name}1.0" in body.decode()) == has_file
    written(tmp_path, WRONG)
    # Another scope: one body is shared by all who ask within a moment.
    body, _ = await agent.metrics.scrape()
    assert (f"\n{name}0.0" in body.decode()) == has_file
