"""`hashsight pools`: where the work goes as a table and as JSON, and what a caller without rights gets."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result
from web_doors import TOKEN, Clock
from web_site import source
from work_cases import THEIR_ACCOUNT, THEIRS, UNITS, working

from agent.address import Endpoint
from agent.commands.command_line import app
from agent.exporters.web import server as web
from agent.exporters.web.door.door import Door
from agent.site.status import UnitStatus

WIDTH = 80


@asynccontextmanager
async def served(units: Iterable[UnitStatus], *, listen: str = "127.0.0.1") -> AsyncIterator[str]:
    """Serve units behind a door that thinks that it listens at an address; yield the server's address."""
    door = Door(listen=Endpoint(listen, 9184), token=lambda: TOKEN, clock=Clock())
    delivered = {"d1": (150e12, None)}
    shown = source(units, door=door, delivered_hs=lambda unit_id: delivered.get(unit_id, (None, None)))
    async with web.serve(shown, "127.0.0.1", 0) as (host, port):
        yield f"http://{host}:{port}"


async def pools(*arguments: str) -> Result:
    """Run the command in a thread, because it waits for the server of this process."""
    return await asyncio.to_thread(
        CliRunner().invoke, app, ["pools", *arguments], env={"COLUMNS": str(WIDTH)}, catch_exceptions=False
    )


@pytest.fixture
def token(tmp_path: Path) -> Path:
    """Return the file of an operator's token."""
    file = tmp_path / "api.token"
    file.write_text(TOKEN.text, encoding="utf-8")
    file.chmod(0o600)
    return file


@pytest.mark.parametrize("words", [(), ("show",)])
async def test_diverted_work_stands_first(words: tuple[str, ...]) -> None:
    """The table fits a terminal, names what is not the site's, and says it in one line below."""
    async with served(UNITS) as url:
        ended = await pools(*words, "--url", url)
    assert ended.exit_code == 0
    lines = ended.stdout.splitlines()
    assert max(map(len, lines)) <= WIDTH
    assert lines[2].split()[:2] == ["NOT", "YOURS"]
    assert lines[2].split()[2:] == ["evil.example:4444", "bc1qthieves", "2", "396.00", "TH/s", "150.00", "TH/s"]
    assert "main" in lines[3]
    assert "396.00 TH/s of 2 units works for an address that is not yours" in lines


async def test_json_is_the_agents_own(token: Path) -> None:
    """With an operator's token it is whole, wherever the agent listens; without one it is shortened and says so."""
    async with served(UNITS, listen="10.0.0.5") as url:
        whole = json.loads((await pools("--url", url, "--token-file", str(token), "--json")).stdout)
        shortened = (await pools("--url", url)).stdout
    assert (whole["destinations"][0]["account"], whole["is_redacted"]) == (THEIR_ACCOUNT, False)
    assert THEIR_ACCOUNT not in shortened
    assert str(THEIRS.port) not in shortened
    assert "an operator's token shows them whole" in shortened


async def test_without_an_allow_list_nothing_is_claimed() -> None:
    """An agent that judges nothing is no agent whose work is all its own: exit status 1, and what to do."""
    async with served([working("u1", None)]) as url:
        ended = await pools("--url", url)
    assert ended.exit_code == 1
    assert "hashsight pools suggest" in ended.output
    assert "where the work" not in ended.stdout


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("show",), 2, "or an agent with --url"),
        (("--read",), 2, "pools show: --config: no site configuration"),
        (("--url", "http://127.0.0.1:1"), 1, "no answer from http://127.0.0.1:1"),
    ],
)
async def test_what_cannot_be_asked_is_said(arguments: tuple[str, ...], status: int, words: str) -> None:
    """A missing address and a silent agent have one line each."""
    ended = await pools(*arguments)
    assert (ended.exit_code, words in ended.output) == (status, True), ended.output
