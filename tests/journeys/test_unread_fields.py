"""New firmware at a running agent: what no reader uses is named in the week it appears."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sim_cases import make_farm
from structlog.testing import capture_logs

from agent.app import Agent
from agent.runtime.setup import load_setup
from agent.unit.antminer import known_fields
from simulators.sockets.serving import serve_farm

CONFIG = """\
[site]
name = "alpha"
[ledger]
file = "ledger.csv"
[poll]
connect_timeout_s = 4
[history]
keep = false
"""
OF_2026 = {"watt", "rate_sale", "temp_in", "temp_out"}


def without(struct: type[msgspec.Struct]) -> type[msgspec.Struct]:
    """Return a schema as it was before builds of 2026 were known."""
    fields: list[Any] = [
        (field.name, field.type, msgspec.field(default=None, name=field.encode_name))
        for field in msgspec.structs.fields(struct)
        if field.encode_name not in OF_2026
    ]
    return msgspec.defstruct(struct.__name__, fields)


@pytest.fixture
def _readers_of_2025(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the readers know nothing of the fields that came in 2026."""
    for name in ("BothStats", "NewApiStats", "Stats", "Chain"):
        monkeypatch.setattr(known_fields, name, without(getattr(known_fields, name)))
    known_fields.stats_shape.cache_clear()
    yield
    known_fields.stats_shape.cache_clear()


async def look(folder: Path, mix: str, units: int) -> tuple[Agent, list[Any]]:
    """Poll a farm once; return the agent and its log lines about unread fields."""
    (folder / "site.toml").write_text(CONFIG, encoding="utf-8")
    farm = make_farm(units, mix=mix)
    async with serve_farm(farm, port=0) as server:
        with (folder / "ledger.csv").open("w", encoding="utf-8", newline="") as file:
            farm.write_ledger(file, port=server.port)
        agent = Agent(load_setup(folder / "site.toml"))
        with capture_logs() as lines:
            await agent.sweep()
    return agent, [line for line in lines if line["event"] == "unread fields"]


@pytest.mark.usefixtures("_readers_of_2025")
async def test_fields_of_a_build_of_2026_are_named_by_readers_of_2025(tmp_path: Path) -> None:
    """`watt`, `rate_sale`, `temp_in` and `temp_out` would have been noticed at the first poll of such a unit."""
    agent, lines = await look(tmp_path, "S23 Hyd.=100%", 3)
    named = {
        "stats new_api: STATS[].chain[].temp_in",
        "stats new_api: STATS[].chain[].temp_out",
        "stats new_api: STATS[].rate_sale",
        "stats new_api: STATS[].watt",
    }
    assert [set(line["fields"]) for line in lines] == [named]
    (firmware,) = agent.fan_out.unread.figures().firmwares
    assert (firmware.of.model, firmware.units, len(firmware.names)) == ("Antminer S23 Hyd.", 3, 4)
    assert {name.units for name in firmware.names} == {3}
    watt = next(name.field for name in firmware.names if name.field.path.endswith("watt"))
    assert watt.form == "number"
    assert float(watt.example or 0) > 1000
    assert agent.metrics.own.unread_fields is not None
    assert agent.metrics.own.unread_fields() == 4


async def test_a_farm_of_every_shipped_build_has_no_news(tmp_path: Path) -> None:
    """Whatever the simulators send is read, or left alone on purpose."""
    mix = "S21=40%,T21=20%,S21 Pro=10%,S21+ Hyd.=10%,S21j XP Hyd.=10%,S23 Hyd.=10%"
    agent, lines = await look(tmp_path, mix, 60)
    figures = agent.fan_out.unread.figures()
    assert (lines, figures.names, figures.other_units) == ([], 0, 0)
    assert sum(firmware.units for firmware in figures.firmwares) > 40
