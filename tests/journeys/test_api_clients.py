"""The API as strangers use it: a client that a public generator made, and schemathesis, against a running agent."""

import asyncio
import json
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from paths import ROOT
from patience import PATIENT_S
from programs import agent, farm, get_json

TOKEN = "operators-0123456789"  # noqa: S105 - of this test alone.
SECTIONS = '[api]\ntoken_file = "api.token"\n'
GENERATOR = shutil.which(
    "openapi-python-client", path=os.pathsep.join((str(ROOT / ".venv" / "client" / "bin"), os.environ["PATH"]))
)
# Times that no row can have, an end before its beginning, an end beside a duration, a note that says nothing: no schema
# can say that.
RULES_BEYOND_THE_SCHEMA = "".join(
    f'[[operations]]\ninclude-name = "{name}"\nchecks.positive_data_acceptance.enabled = false\n'
    for name in (
        "GET /api/v1/history",
        "GET /api/v1/history.csv",
        "POST /api/v1/curtailments",
        "POST /api/v1/repairs/{id}",
    )
)
ASK = """
import json, sys
sys.path.insert(0, sys.argv[1])
from site_client import Client
from site_client.api.default import get_history, get_site, get_unit, list_units
from site_client.models import ListUnitsSort
with Client(sys.argv[2], raise_on_unexpected_status=True) as client:
    site = get_site.sync(client=client)
    sort = ListUnitsSort("-unit")
    page = list_units.sync(client=client, sort=sort, limit=3)
    unit = get_unit.sync(sys.argv[3], client=client)
    missing = get_unit.sync("nobody", client=client)
    history = get_history.sync(client=client, step=3600)
    print(json.dumps({
        "site": {"deployed_hs": site.deployed_hs, "units": site.units, "site": site.site},
        "page": {"total": page.total, "ids": [row.unit_id for row in page.units], "sort": sort.value},
        "unit": {"id": unit.unit.unit_id, "nameplate_hs": unit.unit.nameplate_hs, "boards": len(unit.reading.boards)},
        "missing": missing.error,
        "history": {"step_s": history.step_s, "site": history.site},
    }))
"""


async def finished(*command: str, folder: Path) -> tuple[int, str]:
    """Run a program to its end; return its exit status and output."""
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    async with asyncio.timeout(2 * PATIENT_S):
        said, _ = await process.communicate()
    return process.returncode or 0, said.decode()


@pytest.mark.skipif(GENERATOR is None and not os.environ.get("CI"), reason="`make test` installs the generator")
async def test_a_generated_client_reads_what_the_json_says(tmp_path: Path) -> None:
    """The generator understands the document of a running agent; its client's values are those of the JSON."""
    assert GENERATOR is not None
    async with farm(tmp_path, units=6), agent(tmp_path) as (_, url):
        document = f"{url}/api/v1/openapi.json"
        target = tmp_path / "site_client"
        made = await finished(
            GENERATOR,
            *("generate", "--url", document, "--output-path", str(target), "--meta", "none", "--overwrite"),
            folder=tmp_path,
        )
        assert made[0] == 0, made[1]
        assert "Unable to" not in made[1]
        unit_id = (await get_json(f"{url}/api/v1/units?limit=1"))["units"][0]["unit_id"]
        python = str(Path(GENERATOR).with_name("python"))
        status, said = await finished(python, "-c", ASK, str(tmp_path), url, unit_id, folder=tmp_path)
        assert status == 0, said
        read: dict[str, Any] = json.loads(said)
        site = await get_json(f"{url}/api/v1/site")
        page = await get_json(f"{url}/api/v1/units?limit=3&sort={read['page']['sort']}")
        unit = await get_json(f"{url}/api/v1/units/{unit_id}")
    assert read["site"] == {name: site[name] for name in ("deployed_hs", "units", "site")}
    assert (read["page"]["total"], read["page"]["ids"]) == (page["total"], [row["unit_id"] for row in page["units"]])
    assert read["unit"] == {
        "id": unit_id,
        "nameplate_hs": unit["unit"]["nameplate_hs"],
        "boards": len(unit["reading"]["boards"]),
    }
    assert read["missing"] == "no deployed unit has that id"
    assert read["history"] == {"step_s": 3600, "site": "alpha"}


async def fuzzed(folder: Path, *options: str) -> str:
    """Run schemathesis against an agent, with all its checks; return what it said after it found nothing."""
    secret = folder / "api.token"
    secret.write_text(TOKEN, encoding="ascii")
    secret.chmod(0o600)
    (folder / "schemathesis.toml").write_text(RULES_BEYOND_THE_SCHEMA, encoding="utf-8")
    async with farm(folder, units=6), agent(folder, more=SECTIONS) as (_, url):
        status, said = await finished(
            str(Path(sys.executable).with_name("schemathesis")),
            *("run", f"{url}/api/v1/openapi.json", "--header", f"Authorization: Bearer {TOKEN}", *options),
            *("--generation-deterministic", "--continue-on-failure", "--no-color"),
            folder=folder,
        )
    assert status == 0, said
    return said


async def test_schemathesis_finds_nothing(tmp_path: Path) -> None:
    """No answer departs from the document: status, headers, content, schema, methods, authentication."""
    said = await fuzzed(tmp_path, "--phases", "coverage,fuzzing", "--max-examples", "3")
    selected = re.search(r"Selected: (\d+)/(\d+)\s+Tested: (\d+)", said)
    assert selected is not None, said
    assert len(set(selected.groups())) == 1
    assert int(selected[1]) > 20


@pytest.mark.slow
async def test_schemathesis_finds_nothing_in_a_longer_search(tmp_path: Path) -> None:
    """A hundred examples of each operation, and sequences of operations, find nothing either."""
    await fuzzed(tmp_path, "--phases", "coverage,fuzzing,stateful", "--max-examples", "100")
