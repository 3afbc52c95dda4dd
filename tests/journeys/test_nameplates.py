"""Rows with a bin too low, end to end: a farm, an agent over a ledger that is wrong, and what the commands say."""

import asyncio
import csv
import io
import json
import shlex
import signal
from contextlib import closing
from pathlib import Path
from typing import Any

from history_cases import AT, DAY_S, hours
from programs import agent, farm, get_json, until
from typer.testing import CliRunner

from agent.commands.command_line import app
from agent.history.chain.links import Fact
from agent.history.reader import read_history
from agent.history.writer import write_history
from agent.site.nameplates import FACT

TH = 1e12
# Units that are off or asleep tell no bin.
AWAKE = ("--off", "0%", "--asleep", "0%")
OCTOBER = (AT, AT + 31 * DAY_S)


def run(*words: str) -> tuple[int, str, str]:
    """Return exit status and output of a command."""
    ended = CliRunner().invoke(app, list(words))
    return ended.exit_code, ended.stdout, ended.stderr


def entered_as_151(path: Path) -> set[str]:
    """Enter every S21 of 200 TH/s but the first as one of 151; return their ids."""
    rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
    wrong = [row for row in rows if (row["model"], float(row["hashrate_th"])) == ("S21", 200.0)][1:]
    for row in wrong:
        row["hashrate_th"] = "151"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return {row["unit_id"] for row in wrong}


def kept(path: Path) -> list[Fact]:
    """Return the facts about nameplates of a history."""
    with closing(read_history(path)) as reader:
        return list(reader.facts(kinds=(FACT,)))


def month_of(path: Path, fact: Fact) -> str:
    """Write October of a site whose units hash all that they say they can but for 28.9 %; return the file."""
    body: dict[str, Any] = dict(fact.body)
    rows = hours(
        *OCTOBER,
        units=float(body["units"]),
        deployed_hs=body["row_hs"],
        operating_hs=0.711 * body["own_hs"],
        known_hs=body["row_hs"],
    )
    with closing(write_history(path)) as file:
        file.claim(site="alpha", zone="UTC")
        file.write(site=[each.values() for each in rows], facts=[Fact(FACT, AT, body)])
    return str(path)


async def watched(folder: Path) -> set[str]:
    """Let an agent watch a farm whose rows were changed, until it has asked every unit; return the wrong rows' ids."""
    async with farm(folder, units=20, options=AWAKE):
        wrong = entered_as_151(folder / "ledger.csv")
        async with agent(folder) as (running, url):
            first = (await get_json(f"{url}/api/v1/site"))["figures_at"]

            async def is_watched() -> bool:
                return bool((await get_json(f"{url}/api/v1/site"))["figures_at"] != first)

            await until(is_watched, running)
            running.process.send_signal(signal.SIGTERM)
            assert await running.ended() == 0
            assert "rows differ from what units say of their nameplates" in running.said
    return wrong


def test_bins_of_151_for_units_that_say_200(tmp_path: Path) -> None:
    """The agent keeps it, the commands show it, a month is refused until it is acknowledged, and the mend is a mend."""
    wrong = asyncio.run(watched(tmp_path))
    assert len(wrong) > 5
    (fact,) = kept(tmp_path / "site.history.sqlite")
    assert (fact.body["units"], fact.body["units_differing"]) == (20, len(wrong))
    assert fact.body["own_hs"] - fact.body["row_hs"] == len(wrong) * 49 * TH
    assert {unit_id for group in fact.body["groups"] for unit_id in group["named"]} == wrong

    config = str(tmp_path / "site.toml")
    status, told, _ = run("ledger", "check", "--config", config, "--json")
    lines = json.loads(told)
    assert (status, {line["unit_id"] for line in lines}) == (1, wrong)
    assert {(line["hashrate_th"], line["own_hashrate_th"], line["source"]) for line in lines} == {
        (151.0, 200.0, "rate_ideal")
    }
    status, told, _ = run("ledger", "check", "--config", config)
    assert f"{len(wrong)} of 20 units differ from their rows, {len(wrong)} by more than 3 %; 0 say nothing" in told
    _, told, _ = run("doctor", "--config", config, "--json")
    (finding,) = [each for each in json.loads(told) if each["check"] == "nameplates"]
    assert (finding["level"], f"the rows of {len(wrong)} are more than 3 % off" in finding["text"]) == ("bad", True)
    _, told, _ = run("statement", "month-to-date", "--config", config)
    assert f"alpha: the rows of {len(wrong)} units are more than 3 % off what the unit itself says" in told

    history = month_of(tmp_path / "october.sqlite", fact)
    status, _, refused = run("statement", "2025-10", "--history", history, "--publish")
    assert (status, "--acknowledge nameplates" in refused) == (1, True)
    key = ("--key", str(tmp_path / "site.history.key"))
    asked = ("statement", "2025-10", "--history", history, "--publish", "--acknowledge", "nameplates", *key)
    status, document, _ = run(*asked, "--json")
    stated = json.loads(document)
    assert (status, stated["acknowledged"], stated["is_draft"]) == (0, ["nameplates"], False)
    figures = stated["figures"]
    assert abs(figures["operational_efficiency_own_ratio"] - 0.711) < 1e-9
    by_rows = 0.711 * fact.body["own_hs"] / fact.body["row_hs"]
    assert abs(figures["operational_efficiency_ratio"] - by_rows) < 1e-9
    _, table, _ = run(*asked)
    assert "  by units' own word" in table
    assert (
        f"Nameplates of alpha: {len(wrong)} units: S21 of 151 TH/s in the ledger, 200 TH/s by their own word" in table
    )
    (tmp_path / "october.json").write_text(document, encoding="utf-8")
    status, told, _ = run("statement", "--verify", str(tmp_path / "october.json"), "--history", history)
    assert (status, "holds for alpha, 2025-10" in told) == (0, True)

    for line in lines:
        assert run(*shlex.split(line["command"])[1:])[0] == 0
    status, told, _ = run("ledger", "check", "--config", config)
    assert (status, told.count("\n")) == (0, 1)
    assert told.endswith(f"; the ledger has changed {len(wrong)} such rows since, the agent looks hourly\n")


def test_nothing_was_checked_yet(tmp_path: Path) -> None:
    """A history without such facts is no clean bill: the command fails and says what is missing."""
    (tmp_path / "site.toml").write_text('[site]\nname = "alpha"\n[ledger]\nfile = "ledger.csv"\n', encoding="utf-8")
    (tmp_path / "ledger.csv").write_text("unit_id,model,hashrate_th,host\nu1,S21,200,127.0.0.9\n", encoding="utf-8")
    config = str(tmp_path / "site.toml")
    status, _, told = run("ledger", "check", "--config", config)
    assert (status, "there is no history yet" in told) == (1, True)
    with closing(write_history(tmp_path / "site.history.sqlite")) as file:
        file.claim(site="alpha", zone="UTC")
    status, _, told = run("ledger", "check", "--config", config)
    assert (status, "nothing was checked yet; the agent does so once it has asked every unit" in told) == (1, True)
