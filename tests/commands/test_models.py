"""Machines that are new, or not what their row says, at the command line: `check`, `read` and `once`."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from field_cases import CASES, FieldCase, behaving, field_case
from loopback import unit
from sim_cases import make_farm
from typer.testing import CliRunner, Result
from web_cases import served

from agent.commands.command_line import app

HYD_S23, UNKNOWN_MODELS = "04-s23-hyd-temp-in-out", "05-unknown-models-and-bins"
CONFIG = '[site]\nname = "alpha"\n[history]\nkeep = false\n[identity]\nenabled = false\n[ledger]\nfile = "ledger.csv"\n'
HEADER = "unit_id,model,hashrate_th,host,container,rack,slot,deployed_from,deployed_to,status\n"
TO_ADD = (
    "to add it, name a file in ledger.models_file with the header model,hashrate_th_s,power_w,efficiency_j_per_th,"
    "hashboards,chips_per_board,chip,fans,cooling,source,coolant_layout and this line: "
)


def run(*words: str) -> Result:
    """Run a command in a wide terminal."""
    return CliRunner().invoke(app, list(words), env={"COLUMNS": "200"})


def site(folder: Path, *rows: str, models: str | None = None) -> str:
    """Write a site with these rows, and with a catalogue of its own if there is one; return its configuration."""
    config = CONFIG if models is None else f'{CONFIG}models_file = "models.csv"\n'
    (folder / "site.toml").write_text(config, encoding="utf-8")
    (folder / "ledger.csv").write_text(HEADER + "".join(f"{row}\n" for row in rows), encoding="utf-8")
    if models is not None:
        (folder / "models.csv").write_text(models, encoding="utf-8")
    return str(folder / "site.toml")


def replying(name: str, **changes: Any) -> FieldCase:
    """Return a case whose unit's reply has other statistics, or another type."""
    case = field_case(name)
    reply = json.loads(case.answers["stats-new"][:-1])
    if "type" in changes:
        reply["INFO"]["type"] = changes.pop("type")
    reply["STATS"][0] |= changes
    return case._replace(answers=case.answers | {"stats-new": json.dumps(reply).encode() + b"\0"})


async def read(case: FieldCase, *options: str) -> str:
    """Return what `hashsight read` prints about a unit."""
    async with unit(behaving(case)) as (host, port):
        result = await asyncio.to_thread(run, "read", f"{host}:{port}", *options)
    assert result.exit_code == 0, result.output
    return result.stdout


async def once(folder: Path, case: FieldCase, row: str, *options: str, models: str | None = None) -> str:
    """Return what `hashsight once` prints about a site of one unit, whose row has HOST for its address."""
    async with unit(behaving(case)) as (host, port):
        config = site(folder, row.replace("HOST", f"{host}:{port}"), models=models)
        result = await asyncio.to_thread(run, "once", "--config", config, *options)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_ledger_with_one_of_each_new_machine(tmp_path: Path) -> None:
    """Known machines are accepted in every spelling; each other one gets a row to add, and no other machine."""
    site(tmp_path)
    (tmp_path / "ledger.csv").write_text((CASES / UNKNOWN_MODELS / "ledger.csv").read_text("utf-8"), encoding="utf-8")
    result = run("check", "--config", str(tmp_path / "site.toml"))
    file = tmp_path / "ledger.csv"
    assert (result.exit_code, result.stderr.splitlines()) == (
        2,
        [
            (
                f"{file}: line 4, column hashrate_th = '563': S23 Hyd. comes with 580 TH/s;"
                f" {TO_ADD}Antminer S23 Hyd.,563,,,3,84,,0,hydro,this site's ledger,temp_pic"
            ),
            f"{file}: line 5, column hashrate_th = '563': not in the catalogue, as on line 4",
            (
                f"{file}: line 11, column hashrate_th = '280': S21 XP comes with 270 TH/s;"
                f" {TO_ADD}Antminer S21 XP,280,,,3,91,,4,air,this site's ledger,"
            ),
        ],
    )


def test_rows_that_the_messages_propose_are_all_it_takes(tmp_path: Path) -> None:
    """A catalogue file made of header and rows of the messages makes the same ledger sound."""
    text = (CASES / UNKNOWN_MODELS / "ledger.csv").read_text("utf-8")
    config = site(tmp_path)
    (tmp_path / "ledger.csv").write_text(text, encoding="utf-8")
    answer = run("check", "--config", config).stderr.splitlines()
    rows = [line.partition("and this line: ")[2] for line in answer if "and this line: " in line]
    header = answer[0].partition("the header ")[2].partition(" and this line")[0]
    site(tmp_path, models="\n".join([header, *rows, ""]))
    (tmp_path / "ledger.csv").write_text(text, encoding="utf-8")
    result = run("check", "--config", config)
    assert result.exit_code == 0, result.output
    assert "10 units deployed" in result.stdout


@pytest.mark.parametrize(
    "spelling", ["Antminer S23 Hyd.", "S23 HYDRO", "s23 hyd", "Bitmain Antminer S23 Hydro (x 1.0)"]
)
def test_bin_of_a_sites_own_file(tmp_path: Path, spelling: str) -> None:
    """Without a models file the bin is refused in any spelling, with one it is accepted, old columns or not."""
    row = f"u1,{spelling},563,127.60.0.3,C1,R1,3,,,deployed"
    refused = run("check", "--config", site(tmp_path, row))
    assert refused.exit_code == 2
    assert "S23 Hyd. comes with 580 TH/s; to add it, name a file in ledger.models_file" in refused.stderr
    models = (CASES / HYD_S23 / "models.csv").read_text("utf-8")
    accepted = run("check", "--config", site(tmp_path, row, models=models))
    assert accepted.exit_code == 0, accepted.output
    assert "563.00 TH/s" in accepted.stdout


async def test_read_shows_coolant_and_the_bin_it_was_sold_as() -> None:
    """S23 Hyd.: coolant 34 and 42 °C, 5.53 kW, sold as 563 TH/s, and how to add that bin."""
    text = await read(field_case(HYD_S23))
    assert "34 42" in text
    assert "5.53 kW" in text
    assert "563.00 TH/s (rate_sale)" in text
    assert (
        "this S23 Hyd. says it was sold as 563 TH/s (rate_sale): S23 Hyd. comes with 580 TH/s; "
        f"{TO_ADD}Antminer S23 Hyd.,563,,,3,84,,0,hydro,this unit's own reply,temp_pic\n"
    ) in text
    reading = json.loads(await read(field_case(HYD_S23), "--json"))
    assert reading["hashrate_sale_hs"] == 563e12
    assert reading["boards"][0]["coolant_celsius"] == [34, 42]


async def test_read_of_a_machine_that_nobody_knows() -> None:
    """A new family's row has the boards and chips of the reply; a bin that it does not report stays empty."""
    text = await read(replying(HYD_S23, type="Antminer S25 Hyd.", rate_sale=900_000))
    assert (
        "this S25 Hyd. says it was sold as 900 TH/s (rate_sale): not in the catalogue; "
        f"{TO_ADD}Antminer S25 Hyd.,900,,,1,84,,0,hydro,this unit's own reply,\n"
    ) in text
    assert "did you mean" not in text
    text = await read(replying("03-s21e-hyd-coolant", type="Antminer S25 Hyd."))
    assert f"{TO_ADD}Antminer S25 Hyd.,,,,1,85,,0,hydro,this unit's own reply,\n" in text


async def test_read_says_why_there_is_no_coolant() -> None:
    """A hydro machine whose layout no source tells shows only what cannot be coolant, and says why."""
    text = " ".join((await read(replying("03-s21e-hyd-coolant", type="Antminer S21 XP Hyd."))).split())
    assert "not shown: no source tells which sensors of S21 XP Hyd. are in the coolant" in text
    board = json.loads(await read(replying("03-s21e-hyd-coolant", type="Antminer S21 XP Hyd."), "--json"))["boards"][0]
    assert board["coolant_celsius"] == []
    assert not {33, 40} & {*board["chip_celsius"], *board["pcb_celsius"]}
    text = await read(field_case("03-s21e-hyd-coolant"))
    assert "33 40" in text
    assert "not shown" not in text


async def test_read_of_a_known_machine_has_no_advice() -> None:
    """A machine and bin of the catalogue gets no row to add."""
    assert "models_file" not in await read(field_case(UNKNOWN_MODELS))


async def test_once_names_a_unit_in_the_wrong_row(tmp_path: Path) -> None:
    """A unit that answers as another model is in the list, in the notes of the JSON, and still in the denominator."""
    row = "u1,S21,200,HOST,C1,R1,1,,,deployed"
    text = await once(tmp_path, field_case(UNKNOWN_MODELS), row)
    wrong = "answers as S21 Pro+ and reports an ideal rate of 245 TH/s (rate_ideal); the ledger says S21 of 200 TH/s"
    assert f"units that differ from their row in the ledger: 1\n  u1 {wrong}\n" in text
    answer = json.loads(await once(tmp_path, field_case(UNKNOWN_MODELS), row, "--json"))
    assert answer["unit_statuses"][0]["notes"] == [wrong]
    assert answer["unit_statuses"][0]["nameplate_hs"] == 200e12


async def test_units_of_a_lesser_model_are_named_before_their_shortfall(tmp_path: Path) -> None:
    """T21 of 190 TH/s and S21 of 188 TH/s entered as S21 of 200 TH/s: each is named, in the table and below it."""
    farm = make_farm(20, mix="T21:190=50%,S21:188=50%")
    async with served(farm) as serving:
        hosts = [f"{each.identity.host}:{serving.api.port}" for each in farm.units]
        config = site(tmp_path, *(f"u{n},S21,200,{host},,,,,,deployed" for n, host in enumerate(hosts)))
        result = await asyncio.to_thread(run, "once", "--config", config, "--all")
        answer = json.loads((await asyncio.to_thread(run, "once", "--config", config, "--json")).stdout)
    assert "units that differ from their row in the ledger: 20\n" in result.stdout
    t21 = sum(each.identity.model.name == "T21" for each in farm.units)
    assert 0 < t21 < 20
    assert result.stdout.count("answers as T21 and reports an ideal rate of 190 TH/s") == t21
    assert result.stdout.count(" reports an ideal rate of 188 TH/s") == 20 - t21
    assert {each["reason"] for each in answer["unit_statuses"]} == {"wrong_row"}
    assert {each["why"] for each in answer["unit_statuses"]} == {
        "reports T21 of 190 TH/s; its row says S21 of 200 TH/s",
        "reports 188 TH/s; its row says S21 of 200 TH/s",
    }
    assert "not the model or bin of its row" in result.stdout
    assert "derated clocks (20 not the model or bin of their row)" in " ".join(result.stdout.split())


async def test_once_is_silent_about_a_unit_in_its_row(tmp_path: Path) -> None:
    """A unit of a site's own catalogue in its row is no mismatch, and has no notes."""
    models = (CASES / HYD_S23 / "models.csv").read_text("utf-8")
    row = "u1,S23 Hydro,563,HOST,C1,R1,1,,,deployed"
    assert "differ" not in await once(tmp_path, field_case(HYD_S23), row, models=models)
    answer = json.loads(await once(tmp_path, field_case(HYD_S23), row, "--json", models=models))
    assert answer["unit_statuses"][0]["notes"] == []


async def test_layout_of_a_sites_own_file_is_used(tmp_path: Path) -> None:
    """A site that knows the layout of its machine writes it in its catalogue, and the coolant is shown."""
    case = replying("03-s21e-hyd-coolant", type="Antminer S25 Hyd.")
    row = "u1,S25 Hyd.,310,HOST,C1,R1,1,,,deployed"
    header = "model,hashrate_th_s,power_w,efficiency_j_per_th,hashboards,chips_per_board,chip,fans,cooling,source"
    line = "S25 Hyd.,310,,,,,,0,hydro,ours"
    for models, coolant in (
        (f"{header}\n{line}\n", []),
        (f"{header},coolant_layout\n{line},\n", []),
        (f"{header},coolant_layout\n{line},temp_pcb\n", [33, 40]),
    ):
        answer = json.loads(await once(tmp_path, case, row, "--json", models=models))
        assert answer["unit_statuses"][0]["reading"]["boards"][0]["coolant_celsius"] == coolant
        assert len(answer["unit_statuses"][0]["notes"]) == (0 if coolant else 1)
