"""One site over several agents: every unit belongs to one of them, and their exports add up to the site."""

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from polled_farm import Polled, declared
from prometheus_client.parser import text_string_to_metric_families
from sim_cases import START, make_farm

from agent.app import Agent
from agent.config.file import Config, parse_config
from agent.errors import ConfigError
from agent.exporters.prometheus.group_families import RATIOS
from agent.exporters.prometheus.store import Metrics
from agent.runtime.setup import load_setup
from agent.site.energy import EnergyBook
from agent.site.ledger.entries import Ledger, LedgerEntry, shard_of
from agent.site.totals import site_figures
from agent.site.tracker import Tracker
from agent.unit.reading import Poll
from simulators.farm.plan import Troubles

CONFIG = '[site]\nname = "alpha"\n[ledger]\nfile = "ledger.csv"\n'
LEDGER = "unit_id,model,hashrate_th,host,container,rack,slot,deployed_from,deployed_to,status\n" + "".join(
    f"u{number},S21,200,127.0.0.{number},C1,R1,{number},,,deployed\n" for number in range(1, 41)
)

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


async def exported(entries: Iterable[LedgerEntry], rounds: list[tuple[float, list[Poll]]], *, is_shard: bool) -> Series:
    """Return the group series that one agent with these units exports after these polls."""
    entries = list(entries)
    tracker = Tracker(entries, stale_after_s=30.0, at=START)
    metrics = Metrics("alpha", version="0", clock=lambda: 0.0, is_shard=is_shard)
    energy = EnergyBook(interval_s=10.0)
    for at, polls in rounds:
        for poll in polls:
            tracker.record(poll, clock_s=at)
        figures = site_figures(tracker.statuses(), at)
        metrics.on_site(figures, is_whole=True)
        metrics.on_energy(energy.advance(figures, at))
    body, _ = await metrics.scrape(scope="site")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
        if sample.name.startswith("mining_")
    }


@pytest.mark.parametrize("count", [1, 2, 4])
async def test_shards_add_up_to_the_site(count: int) -> None:
    """The exports of 1, 2 and 4 agents over the same units sum to the same figures, series by series."""
    troubles = Troubles(off=0.1, asleep=0.1, starting=0.1, missing_board=0.1, missing_chips=0.1, slow=0.1)
    farm = make_farm(120, mix="S21:200=60%,T21:190=40%", containers=3, troubles=troubles)
    polled = Polled(farm.units, at=START)
    entries = [declared(unit) for unit in farm.units]
    rounds = [
        (at, [polled.poll(unit, at) for unit in farm.units]) for at in (START, START + 10.0, START + 20.0, START + 30.0)
    ]
    whole = await exported(entries, rounds, is_shard=False)
    ledger = Ledger(entries=tuple(entries), digest="")
    summed: defaultdict[tuple[str, frozenset[tuple[str, str]]], float] = defaultdict(float)
    for index in range(count):
        shard = await exported(ledger.shard(index, count).entries, rounds, is_shard=count > 1)
        for key, value in shard.items():
            summed[key] += value
    if count > 1:
        whole = {key: value for key, value in whole.items() if key[0] not in RATIOS}
    # The flag "an event covers a unit" does not sum, as its help says; here no event covers any.
    assert dict(summed) == pytest.approx(whole, rel=1e-9)
    assert whole["mining_site_deployed_hashrate_hashes_per_second", frozenset({("site", "alpha")})] > 2e16


@given(st.text(st.characters(codec="utf-8"), min_size=1), st.integers(1, 1024))
def test_a_unit_belongs_to_one_shard(unit_id: str, count: int) -> None:
    """The hash of the unit's id alone decides the shard, and is in range."""
    assert shard_of(unit_id, count) == shard_of(unit_id, count)
    assert 0 <= shard_of(unit_id, count) < count


def test_the_shard_of_a_unit_never_changes() -> None:
    """Every release assigns these ids to these shards, so that histories and dashboards of a shard go on."""
    assert [shard_of(f"C01-R01-S{slot:03d}", 4) for slot in range(1, 9)] == [3, 2, 3, 1, 3, 0, 2, 0]


def shard_config(folder: Path, index: int, count: int, more: str = "") -> Path:
    """Write a configuration and its ledger of 40 units."""
    (folder / "ledger.csv").write_text(LEDGER, encoding="utf-8")
    path = folder / f"shard{index}.toml"
    path.write_text(f"{CONFIG}{more}[shard]\nindex = {index}\ncount = {count}\n", encoding="utf-8")
    return path


async def test_every_unit_is_watched_once(tmp_path: Path) -> None:
    """Three agents with one ledger split it without gap or overlap, and each title has its shard."""
    agents = [Agent(load_setup(shard_config(tmp_path, index, 3))) for index in range(3)]
    watched = [status.entry.unit_id for agent in agents for status in agent.tracker.statuses()]
    assert sorted(watched) == sorted(f"u{number}" for number in range(1, 41))
    assert [agent.config.title for agent in agents] == [f"alpha (shard {index} of 3)" for index in range(3)]
    assert len({agent.config.history.path(agent.setup.path) for agent in agents}) == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[shard]\nindex = 2\ncount = 2\n", "0 to 1 is expected"),
        ("[shard]\nindex = -1\ncount = 2\n", "0 to 1023 is expected"),
        ("[shard]\ncount = 0\n", "1 to 1024 is expected"),
        ('[[mqtt]]\nname = "b"\nhost = "127.0.0.1"\n[shard]\ncount = 2\n', "overwrite the others"),
        ('[[meter]]\nname = "m"\nwatts = 5\n[shard]\ncount = 2\n', "single units"),
    ],
)
def test_a_bad_shard_is_refused(text: str, message: str) -> None:
    """An index out of range, MQTT and meters of more than a unit are refused before anything starts."""
    with pytest.raises(ConfigError, match=message):
        parse_config(CONFIG + text, "site.toml", folder=Path())


def test_one_agent_alone_is_no_shard() -> None:
    """Without the section the title has no shard."""
    config: Config = parse_config(CONFIG, "site.toml", folder=Path())
    assert config.title == "alpha"
