"""Scenarios: the file format, the effect of each shipped scenario, and a truth that balances across edges."""

import csv
import io
import json
import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paths import CAPTURES, ROOT

from simulators.farm.farm import Farm
from simulators.farm.plan import FarmError
from simulators.farm.truth import SiteTruth, farm_truth, site_truth
from simulators.firmware.antminer.api_program import answer
from simulators.firmware.request import Request
from simulators.scenario.durations import read_duration, show_duration
from simulators.scenario.player import Playing, build_farm, play, stop
from simulators.scenario.scenario import Scenario, find_scenario, load_farm, read_scenario, shipped_scenarios
from simulators.scenario.tomlfile import TomlError
from simulators.unit.models import HS_PER_TH
from simulators.unit.snapshot import Phase

HOUR_S = 3600.0
NAMES = (
    "bad-psu-batch",
    "container-power-loss",
    "curtailment-with-stragglers",
    "dhcp-shuffle",
    "firmware-roll-out",
    "heat-wave",
    "liars",
    "mixed-site",
    "network-switch-flap",
    "october-2025",
    "pool-hijack",
    "pool-outage",
    "quiet-day",
    "september-2025",
    "starved-agent",
)
HEAD = 'about = "a test"\nstart = 2025-10-14T00:00:00Z\nduration = "4h"\n'


def played(name: str, *, seed: int | None = None) -> tuple[Farm, Playing]:
    """Return a shipped scenario at its beginning, on its own farm, with a stopped clock."""
    _, scenario = find_scenario(name)
    farm = build_farm(scenario, seed=seed)
    return farm, play(farm, name, scenario)


def played_text(text: str) -> tuple[Farm, Playing]:
    """Return a scenario from a test's own text, at its beginning."""
    scenario = read_scenario(HEAD + text, file="test.toml")
    farm = build_farm(scenario)
    return farm, play(farm, "test", scenario)


def efficiency_by_hour(name: str, hours: list[float]) -> list[float]:
    """Return hashrate over deployed at some hours of a shipped scenario, rounded to two decimals."""
    farm, playing = played(name)
    ratios = []
    for hour in hours:
        farm.clock.set(playing.begin + hour * HOUR_S)
        ratios.append(round(site_truth(farm, farm.clock.now())["operational_efficiency_ratio"], 2))
    return ratios


def truth_at(farm: Farm, playing: Playing, hour: float) -> SiteTruth:
    """Return the truth of the site at an hour of a scenario; hours must not decrease."""
    farm.clock.set(playing.begin + hour * HOUR_S)
    return site_truth(farm, farm.clock.now())


def lost_ratios(truth: SiteTruth) -> dict[str, float]:
    """Return the losses by cause as shares of deployed, rounded to three decimals, without zeros."""
    ratios = {cause: round(lost / truth["deployed_hs"], 3) for cause, lost in truth["losses_hs"].items()}
    return {cause: ratio for cause, ratio in ratios.items() if ratio}


def test_the_set_is_complete_and_each_has_a_line_about_it() -> None:
    """There are fourteen scenarios; each one is valid and has a line about itself."""
    shipped = shipped_scenarios()
    assert tuple(shipped) == NAMES
    assert all(20 <= len(scenario.about) <= 120 for scenario in shipped.values())


@pytest.mark.parametrize("name", NAMES)
def test_the_truth_balances_across_every_edge(name: str) -> None:
    """Deployed less losses plus uplift is the hashrate before, at and after every event, and integrated as well."""
    farm, playing = played(name)
    edges = sorted({line.at for line in playing.programme} | {playing.begin, playing.end})
    if len(edges) > 40:
        edges = edges[:: len(edges) // 40]
    for edge in edges:
        for t in (edge - 1e-3, edge, edge + 1e-3, edge + 100.0):
            if t < farm.clock.now():
                continue
            farm.clock.set(t)
            now = farm.clock.now()
            site = site_truth(farm, now)
            balance = site["deployed_hs"] - sum(site["losses_hs"].values()) + site["uplift_hs"]
            assert balance == pytest.approx(site["hashrate_hs"], rel=1e-12, abs=1e3)
            done = site["deployed_hs"] * (now - farm.start) - sum(site["lost_hashes"].values()) + site["uplift_hashes"]
            assert done == pytest.approx(site["hashes"], rel=1e-12, abs=1e6)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_truth_however_it_is_stepped(name: str) -> None:
    """One leap and forty steps with polls give the same books to the last bit; another seed gives others."""
    leaping, playing = played(name)
    leaping.clock.set(playing.end)
    stepping, _ = played(name)
    for _ in range(40):
        stepping.clock.advance(playing.scenario.duration / 40.0)
        farm_truth(stepping, stepping.clock.now(), stepping.units[::7])
    stepping.clock.set(max(playing.end, stepping.clock.now()))
    end = stepping.clock.now()
    for one, other in zip(leaping.units, stepping.units, strict=True):
        assert one.totals(end) == other.totals(end)
        assert one.phase is other.phase
    # A tenth of the way is enough to differ.
    farms = [played(name)[0], played(name, seed=99)[0]]
    early = playing.begin + playing.scenario.duration / 10.0
    for farm in farms:
        farm.clock.set(early)
    assert farms[0].sums(early).hashes != farms[1].sums(early).hashes


@pytest.mark.parametrize("name", NAMES)
def test_site_sums_are_the_sums_of_the_units(name: str) -> None:
    """The cheap sums equal the units' own figures added up, in the middle of the events and at the end."""
    farm, playing = played(name)
    middle = playing.programme[len(playing.programme) // 2].at if playing.programme else playing.begin + HOUR_S
    for t in (middle + 100.0, playing.end):
        farm.clock.set(t)
        truth = farm_truth(farm, farm.clock.now())
        for figure in ("hashrate_hs", "power_watts", "uplift_hs", "hashes", "joules", "uplift_hashes"):
            summed = sum(unit[figure] for unit in truth["units"])  # type: ignore[literal-required]
            assert truth["site"][figure] == pytest.approx(summed, rel=1e-12)  # type: ignore[literal-required]
        for figure in ("losses_hs", "lost_hashes"):
            by_cause: Counter[str] = Counter()
            for unit in truth["units"]:
                by_cause.update(unit[figure])  # type: ignore[literal-required]
            nonzero = {cause: lost for cause, lost in by_cause.items() if lost}
            assert truth["site"][figure] == pytest.approx(nonzero, rel=1e-12)  # type: ignore[literal-required]
        states = Counter(unit["state"] for unit in truth["units"])
        assert truth["site"]["units_by_state"] == dict(sorted(states.items()))


def test_quiet_day() -> None:
    """Three units are off, three asleep, six short of a board, all day; there is no event."""
    farm, playing = played("quiet-day")
    for hour in (0.0, 7.5, 24.0):
        truth = truth_at(farm, playing, hour)
        assert truth["units_by_state"] == {"asleep": 3, "hashing": 294, "off": 3}
        assert lost_ratios(truth) == {
            "asleep": 0.01,
            "missing_boards": 0.006,
            "missing_chips": 0.001,
            "off": 0.01,
            "underperforming": 0.002,
        }
    assert playing.programme == ()


def test_mixed_site() -> None:
    """Four firmwares in their shares; boards drop, a strip goes off, pools die, a container is curtailed."""
    farm, playing = played("mixed-site")
    assert Counter(unit.identity.firmware for unit in farm.units) == {
        "antminer": 160,
        "vnish": 100,
        "braiins": 60,
        "luxos": 60,
    }
    before = truth_at(farm, playing, 0.1)
    assert before["units_by_state"] == {"asleep": 4, "hashing": 372, "off": 4}
    with_boards = truth_at(farm, playing, 0.2)
    assert with_boards["losses_hs"]["missing_boards"] > before["losses_hs"]["missing_boards"]
    assert truth_at(farm, playing, 0.35)["units_by_state"]["off"] == 24
    assert lost_ratios(truth_at(farm, playing, 0.4))["stopped"] == 0.021
    assert truth_at(farm, playing, 0.65)["units_by_state"]["asleep"] > 90
    after = truth_at(farm, playing, 0.98)
    assert after["units_by_state"] == before["units_by_state"]


def test_the_ledger_has_machines_of_other_makes() -> None:
    """A scenario's deployed strangers come last in the ledger, with their make; others are in no ledger."""
    farm, _ = played("mixed-site")
    text = io.StringIO()
    farm.write_ledger(text)
    rows = list(csv.DictReader(text.getvalue().splitlines()))
    assert Counter(row["make"] for row in rows) == {"": 380, "MicroBT": 20}
    first = {column: cell for column, cell in rows[380].items() if cell}
    assert first == {
        "unit_id": "whatsminer-127.10.3.1",
        "model": "Whatsminer M30S+",
        "hashrate_th": "126",
        "host": "127.10.3.1",
        "deployed_from": "2025-01-01",
        "status": "deployed",
        "simulated": "yes",
        "make": "MicroBT",
    }
    silent = read_scenario(HEAD + '[[strangers]]\nmake = "silent"\naddresses = ["127.10.8.0/24"]\n', file="t.toml")
    plain = io.StringIO()
    build_farm(silent).write_ledger(plain)
    assert "make" not in plain.getvalue().splitlines()[0]


FORM = "is not of the form MODEL:TH, as in Whatsminer M30S+:101"


@pytest.mark.parametrize(
    ("section", "reason"),
    [
        (
            'make = "whatsminer"\ndeployed = "Whatsminer M30S+"',
            FORM,
        ),
        ('make = "whatsminer"\ndeployed = "M30S+:0x10"', FORM),
        (
            'make = "silent"\ndeployed = "M30S+:101"',
            "silent is no machine that a ledger may have",
        ),
    ],
)
def test_a_stranger_that_no_ledger_may_have(section: str, reason: str) -> None:
    """The mistake names the list and what is expected."""
    with pytest.raises(TomlError, match=re.escape(reason)):
        read_scenario(f'{HEAD}[[strangers]]\naddresses = ["127.10.8.1"]\n{section}\n', file="t.toml")


def test_a_stranger_at_the_address_of_a_unit() -> None:
    """A scenario whose strangers and units share an address is refused."""
    with pytest.raises(TomlError, match="a unit and a stranger both stand at"):
        read_scenario(f'{HEAD}[[strangers]]\nmake = "mute"\naddresses = ["127.10.0.9"]\n', file="t.toml")


def test_container_power_loss() -> None:
    """A quarter of the units loses power at 2 h for 40 min, boots, and is back after another five minutes."""
    farm, playing = played("container-power-loss")
    before = truth_at(farm, playing, 1.99)
    assert (before["units_by_state"], before["losses_hs"]) == ({"hashing": 200}, {})
    during = truth_at(farm, playing, 2.0)
    assert during["units_by_state"] == {"hashing": 150, "off": 50}
    assert during["hashrate_hs"] / before["hashrate_hs"] == pytest.approx(0.75, abs=0.01)
    assert {unit.identity.container for unit in farm.units if unit.phase is Phase.OFF} == {"C2"}
    assert truth_at(farm, playing, 2 + 41 / 60)["units_by_state"] == {"enumerating": 50, "hashing": 150}
    after = truth_at(farm, playing, 2 + 45 / 60)
    assert (after["units_by_state"], after["hashrate_hs"]) == ({"hashing": 200}, before["hashrate_hs"])
    c2_hs = sum(unit.identity.model.hashrate_hs for unit in farm.units if unit.identity.container == "C2")
    assert after["lost_hashes"]["off"] == pytest.approx(c2_hs * 2400.0)


def test_heat_wave() -> None:
    """Hot afternoons throttle all units, nights none; the rack that breathes exhaust stops by day."""
    assert efficiency_by_hour("heat-wave", [15, 39, 54, 63, 87, 111]) == [1.02, 0.82, 1.02, 0.82, 0.82, 1.02]
    farm, playing = played("heat-wave")
    assert truth_at(farm, playing, 39)["units_by_state"] == {"protected": 20, "throttled": 180}
    assert {unit.identity.rack for unit in farm.units if unit.phase is Phase.PROTECTED} == {"C1-R02"}
    assert lost_ratios(truth_at(farm, playing, 40)) == {"derated": 0.079, "stopped": 0.101}


def test_curtailment_with_stragglers() -> None:
    """Of 100 units 5 are off, 5 are stragglers and 90 sleep; 9 are forgotten for 90 minutes; then all are back."""
    farm, playing = played("curtailment-with-stragglers")
    assert [(c.scope, c.name, c.target_ratio, (c.begin - playing.begin) / HOUR_S) for c in playing.curtailments] == [
        ("container", "C1", 0.0, 2.0),
        ("container", "C2", 0.0, 2.0),
    ]
    assert {c.end - c.begin for c in playing.curtailments} == {2 * HOUR_S}
    assert truth_at(farm, playing, 1.9)["units_by_state"] == {"hashing": 195, "off": 5}
    within = truth_at(farm, playing, 2.1)
    assert within["units_by_state"] == {"asleep": 90, "hashing": 105, "off": 5}
    assert lost_ratios(within) == {"curtailed": 0.449, "off": 0.025}
    hashing = Counter(unit.identity.container for unit in farm.units if unit.phase is Phase.HASHING)
    assert hashing == {"C1": 5, "C3": 50, "C4": 50}
    # For 15 minutes after the end, a sleeping unit counts as on its way back; after that it counts as asleep.
    assert "asleep" not in truth_at(farm, playing, 4.2)["losses_hs"]
    late = truth_at(farm, playing, 4.5)
    assert late["units_by_state"] == {"asleep": 9, "hashing": 186, "off": 5}
    assert lost_ratios(late) == {"asleep": 0.045, "off": 0.025}
    assert truth_at(farm, playing, 6.0)["units_by_state"] == {"hashing": 200}


def test_network_switch_flap() -> None:
    """C3 is unreachable six times for four minutes, and the truth does not change."""
    farm, playing = played("network-switch-flap")
    seen = []
    for minute in range(55, 151, 5):
        truth = truth_at(farm, playing, minute / 60)
        assert (truth["units_by_state"], truth["losses_hs"]) == ({"hashing": 200}, {})
        silent = Counter(unit.identity.container for unit in farm.units if unit.is_silent)
        assert set(silent) <= {"C3"}
        seen.append(silent["C3"])
    assert seen == [0, 50, 0, 0, 50, 0, 0, 50, 0, 0, 50, 0, 0, 50, 0, 0, 50, 0, 0, 0]


def test_firmware_roll_out() -> None:
    """One container an hour gets the new build; three units stay off until 6 h, two restart until 6.5 h."""
    farm, playing = played("firmware-roll-out")
    new = []
    for hour in (0.9, 1.5, 2.5, 3.5, 4.5):
        truth_at(farm, playing, hour)
        new.append(
            {
                container
                for container, builds in Counter(
                    unit.identity.container for unit in farm.units if unit.conditions.build
                ).items()
                if builds == 50
            }
        )
    assert new == [set(), {"C1"}, {"C1", "C2"}, {"C1", "C2", "C3"}, {"C1", "C2", "C3", "C4"}]
    assert truth_at(farm, playing, 5.9)["units_by_state"]["off"] == 3
    restarting = {unit.identity.unit_id for unit in farm.units if unit.conditions.trip_every_s}
    assert len(restarting) == 2
    assert all(unit_id.startswith("C4-") for unit_id in restarting)
    end = truth_at(farm, playing, 8.0)
    assert (end["units_by_state"], {unit.build for unit in farm.units}) == ({"hashing": 200}, {"s21-fr"})


def test_dhcp_shuffle() -> None:
    """For three hours every unit of C2 answers at the address of another unit of C2; then at its own again."""
    farm, playing = played("dhcp-shuffle")
    truth_at(farm, playing, 2.0)
    found = {unit.identity.unit_id: farm.unit_found_at(unit).identity for unit in farm.units}
    moved = {unit_id for unit_id, identity in found.items() if identity.unit_id != unit_id}
    assert moved == {unit.identity.unit_id for unit in farm.units if unit.identity.container == "C2"}
    assert {found[unit_id].unit_id for unit_id in moved} == moved
    assert truth_at(farm, playing, 3.9)["units_by_state"] == {"hashing": 90}
    truth_at(farm, playing, 4.5)
    assert all(farm.unit_found_at(unit) is unit for unit in farm.units)


def test_bad_psu_batch() -> None:
    """Twenty units of two racks trip one by one, four fail on the fourth day, and all are replaced in the end."""
    farm, playing = played("bad-psu-batch")
    tripping, off = [], []
    for hour in (0, 12, 60, 80, 119):
        truth_at(farm, playing, hour)
        bad = [unit for unit in farm.units if unit.conditions.trip_every_s]
        tripping.append(len(bad))
        off.append(sum(not unit.conditions.is_powered for unit in farm.units))
        assert {unit.identity.rack for unit in bad} <= {"C1-R01", "C1-R02"}
    assert (tripping, off) == ([0, 1, 19, 14, 0], [0, 0, 0, 4, 0])
    end = truth_at(farm, playing, 120)
    assert set(end["lost_hashes"]) == {"off", "starting"}


def test_pool_outage() -> None:
    """With one pool down the other takes all work; with both down nothing is hashed although the boards are on."""
    assert efficiency_by_hour("pool-outage", [0.5, 1.5, 1.75, 2.2, 2.3, 3.5]) == [1.02, 1.02, 0.0, 0.0, 1.02, 1.02]
    farm, playing = played("pool-outage")
    truth_at(farm, playing, 1.5)
    unit = farm.units[0]
    (first, *_), (second, *_) = unit.shares(farm.clock.now()).by_pool
    during = truth_at(farm, playing, 2.0)
    assert (during["units_by_state"], lost_ratios(during)) == ({"hashing": 200}, {"stopped": 1.0})
    truth_at(farm, playing, 2.9)
    (first_later, *_), (second_later, *_) = unit.shares(farm.clock.now()).by_pool
    assert first_later == first
    assert second_later > second


def test_pool_hijack() -> None:
    """Twenty units in turn work for a stranger, then eight at once; each restarts with its pools and hashes on."""
    farm, playing = played("pool-hijack")
    hijacked = []
    for hour in (0.9, 1.1, 1.5, 2.9, 3.5, 4.1, 5.5):
        truth = truth_at(farm, playing, hour)
        hijacked.append(sum(unit.conditions.hijack is not None for unit in farm.units))
        assert truth["units_by_state"] == {"hashing": 400} or hour in {1.1, 4.1}
    assert hijacked == [0, 6, 20, 20, 0, 8, 0]
    assert set(truth["lost_hashes"]) == {"starting"}


def test_starved_agent() -> None:
    """From the start some units are off, asleep or short of a board; three trip at 14 min, boards drop at 34 min."""
    farm, playing = played("starved-agent")
    before = truth_at(farm, playing, 13.9 / 60)
    assert before["units_by_state"] == {"asleep": 3, "hashing": 54, "off": 3}
    ordinary = {"asleep": 0.049, "missing_boards": 0.032, "off": 0.05, "underperforming": 0.006}
    assert lost_ratios(before) == ordinary
    tripped = truth_at(farm, playing, 14 / 60)
    assert tripped["units_by_state"] == {"asleep": 3, "hashing": 51, "off": 6}
    assert lost_ratios(truth_at(farm, playing, 33.9 / 60)) == ordinary
    assert lost_ratios(truth_at(farm, playing, 34 / 60)) == ordinary | {"missing_boards": 0.048}


def test_liars() -> None:
    """Twenty containers of five units lie in their own way; the truth follows the units, not their words."""
    farm, playing = played("liars")
    assert truth_at(farm, playing, 25 / 60)["losses_hs"] == {}
    true = truth_at(farm, playing, 49.9 / 60)
    assert set(true["losses_hs"]) == {"stopped", "starting", "asleep", "missing_chips"}
    told = Counter(
        fault["fault"] for unit in farm_truth(farm, playing.begin + 49.9 * 60)["units"] for fault in unit["faults"]
    )
    assert told == {
        "zero_watts": 10,
        "says_asleep": 5,
        "rate_spike": 10,
        "total_zero": 5,
        "board_unit": 5,
        "sensor_stuck": 10,
        "fan_null": 5,
        "watts_elsewhere": 10,
        "rate_in_summary": 5,
        "state_words": 5,
        "bad_chips": 5,
        "rate_lag": 5,
        "no_boards": 5,
        "restart_loop": 5,
        "speaks_tls": 5,
        "refuses": 5,
        "speaks_whatsminer": 5,
    }
    within = farm_truth(farm, playing.begin + 56 * 60)["units"]
    states = Counter((unit["container"], unit["state"], unit["cause"]) for unit in within)
    assert [
        states["C3", "hashing", None],
        states["C13", "asleep", "curtailed"],
        states["C15", "asleep", "curtailed"],
    ] == [
        *(5, 5, 5),
    ]
    assert [states["C16", "hashing", "stopped"], states["C18", "hashing", None], states["C20", "hashing", None]] == [
        5,
        5,
        5,
    ]


def test_october_2025_averages_the_published_figure() -> None:
    """Of 50.00 PH/s deployed 46.09 operate on average, 92.18 %; the causes less uplift explain the other 3.91."""
    farm, playing = played("october-2025")
    assert playing.scenario.duration == 31 * 86400.0
    assert farm.deployed_hs == 250 * 200 * HS_PER_TH
    truth = truth_at(farm, playing, 744.0)
    mean_hs = truth["mean_hashrate_hs"]
    assert mean_hs is not None
    assert mean_hs == pytest.approx(46.09e15, abs=0.01e15)
    assert truth["mean_operational_efficiency_ratio"] == pytest.approx(0.9218, abs=0.0002)
    net_hs = sum(truth["mean_losses_hs"].values()) - (truth["mean_uplift_hs"] or 0.0)
    assert net_hs == pytest.approx(3.91e15, abs=0.01e15)
    assert net_hs == pytest.approx(truth["deployed_hs"] - mean_hs, rel=1e-9)
    assert set(truth["mean_losses_hs"]) == {
        "off",
        "curtailed",
        "missing_boards",
        "stopped",
        "asleep",
        "underperforming",
        "missing_chips",
        "derated",
        "starting",
    }
    assert max(truth["mean_losses_hs"].values()) < 0.4 * sum(truth["mean_losses_hs"].values())


def test_september_2025_averages_under_ninety_percent() -> None:
    """Of 50.00 PH/s deployed 44.85 operate on average, 89.70 %, and no single cause dominates."""
    farm, playing = played("september-2025")
    assert playing.scenario.duration == 30 * 86400.0
    assert farm.deployed_hs == 250 * 200 * HS_PER_TH
    truth = truth_at(farm, playing, 720.0)
    assert truth["mean_hashrate_hs"] == pytest.approx(44.85e15, abs=0.002e15)
    assert truth["mean_operational_efficiency_ratio"] == pytest.approx(0.8970, abs=0.00005)
    assert max(truth["mean_losses_hs"].values()) < 0.4 * sum(truth["mean_losses_hs"].values())
    assert len(truth["mean_losses_hs"]) == 9


def test_october_2025_averages_the_same_from_hourly_samples() -> None:
    """Sampled at each of 744 hours, the true hashrate averages within 0.02 PH/s of its integral."""
    farm, playing = played("october-2025")
    sampled_hs = []
    for _ in range(744):
        sampled_hs.append(farm.sums(farm.clock.now()).hashrate_hs)
        farm.clock.advance(HOUR_S)
    assert farm.clock.now() == playing.end
    mean_hs = farm.sums(playing.end).hashes / playing.scenario.duration
    assert sum(sampled_hs) / 744 == pytest.approx(mean_hs, abs=0.02e15)


def test_replies_follow_the_scenario() -> None:
    """A unit of C2 answers before and after its breaker trips, and its uptime starts again."""
    farm, playing = played("container-power-loss")
    unit = next(unit for unit in farm.units if unit.identity.container == "C2")
    elapsed = []
    for hour in (1.0, 3.0):
        truth_at(farm, playing, hour)
        reply = json.loads(bytes(answer(unit, Request("stats", True), farm.clock.now())))  # noqa: FBT003  positional by its type
        elapsed.append(reply["STATS"][0]["elapsed"])
    assert elapsed[0] > HOUR_S
    assert elapsed[1] == 20 * 60 - 45


def test_stopping_ends_active_events_and_withdraws_later_ones() -> None:
    """A scenario stopped in an outage brings power back at once, and its later events never happen."""
    farm, playing = played_text('[[event]]\nat = "1h"\nfor = "1h"\nevery = "90m"\ntimes = 2\nfault = "power_off"\n')
    farm.clock.advance(1.5 * HOUR_S)
    assert site_truth(farm, farm.clock.now())["units_by_state"] == {"off": 300}
    stop(farm, playing)
    assert farm.active_injections() == []
    assert site_truth(farm, farm.clock.now())["units_by_state"] == {"booting": 300}
    farm.clock.advance(1.2 * HOUR_S)
    assert site_truth(farm, farm.clock.now())["units_by_state"] == {"hashing": 300}


def test_a_withdrawn_fault_leaves_no_trace() -> None:
    """An outage cleared before it begins does not even restart the units."""
    farm, _ = played_text("")
    injection = farm.inject(read_scenario(HEAD + POWER_AT_2H, file="t").event[0].read(), at=farm.start + 7200.0)
    farm.clear(injection.number)
    farm.clock.advance(3 * HOUR_S)
    truth = site_truth(farm, farm.clock.now())
    assert (truth["units_by_state"], truth["lost_hashes"]) == ({"hashing": 300}, {})


POWER_AT_2H = '[[event]]\nat = "2h"\nfault = "power_off"\n'


def test_a_scenario_that_does_not_fit_a_farm_is_refused_as_a_whole() -> None:
    """A farm without rack C9-R01 gives an error that names the event, and no event is injected."""
    text = HEAD + POWER_AT_2H + '[[event]]\nat = "1h"\nfault = "asleep"\nwho = { rack = "C9-R01" }\n'
    scenario = read_scenario(text, file="test.toml")
    farm = build_farm(scenario)
    with pytest.raises(FarmError, match=r"event\[1\]: no unit is selected by racks=C9-R01"):
        play(farm, "test", scenario)
    assert farm.active_injections() == []


def test_units_are_hit_one_by_one_within_the_spread() -> None:
    """300 units are hit one by one over an hour, each for its own ten minutes."""
    farm, playing = played_text('[[event]]\nat = "1h"\nspread = "1h"\nfor = "10m"\nfault = "power_off"\n')
    off = [truth_at(farm, playing, hour)["units_by_state"].get("off", 0) for hour in (1.0, 1.5, 1.9, 2.2)]
    assert off[0] == 0
    assert all(25 < count < 75 for count in off[1:3])
    assert off[3] == 0
    off_s = truth_at(farm, playing, 3.0)["lost_hashes"]["off"] / farm.deployed_hs
    assert off_s == pytest.approx(600.0)


def test_a_partial_curtailment_leaves_its_share_running() -> None:
    """With a target of 60 %, 40 % of the units sleep, and the others are not stragglers."""
    farm, playing = played_text('[[curtailment]]\nat = "1h"\nfor = "1h"\ntarget = "60%"\n')
    assert truth_at(farm, playing, 1.5)["units_by_state"] == {"asleep": 120, "hashing": 180}
    assert set(truth_at(farm, playing, 1.6)["losses_hs"]) == {"curtailed"}


def test_an_unrelated_fault_does_not_end_throttling() -> None:
    """41 degrees throttle a unit; at 39 it stays throttled when another fault begins."""
    farm, playing = played_text(
        '[weather]\nmean_celsius = 33.0\nswing_celsius = 8.0\nwarmest = "01:00"\n'
        '[farm]\nunits = 30\ncontainers = 1\n[[event]]\nat = "210m"\nfault = "latency"\n'
    )
    assert truth_at(farm, playing, 1.0)["units_by_state"] == {"throttled": 30}
    assert 38.0 < farm.units[0].climate.ambient_celsius(playing.begin + 210 * 60) < 40.0
    assert truth_at(farm, playing, 3.55)["units_by_state"] == {"throttled": 30}


@pytest.mark.parametrize(
    ("text", "mistakes"),
    [
        ("about = 3", ["t.toml: about = '3': a text in quotes is expected", "t.toml: start: this key is needed"]),
        ("nothing", ["t.toml: file: not TOML: Expected '=' after a key in a key/value pair (at end of document)"]),
        (HEAD + 'colour = "red"\n', ["t.toml: colour = 'red': unknown key; known are about, start, duration"]),
        (HEAD.replace("Z", ""), ["t.toml: start = '2025-10-14 00:00:00': a date and time with its offset"]),
        (HEAD.replace("4h", "4 hours"), ["t.toml: duration = '4 hours': a length of time is expected, such as 90s"]),
        (HEAD.replace("4h", "400d"), ["t.toml: duration = '400d': at most a year is expected"]),
        (HEAD.replace("4h", "0s"), ["t.toml: duration = '0s': more than 0 s is expected"]),
        (HEAD + "[farm]\nunits = 0\n", ["t.toml: farm.units = '0': Input should be greater than or equal to 1"]),
        (HEAD + "[farm]\nunits = 2\n", ["t.toml: farm: containers must be 1 to the number of units, not 3"]),
        (HEAD + '[farm.mix]\n"S9" = "100%"\n', ["t.toml: farm.mix: unknown model 'S9'; known: S21, T21"]),
        (HEAD + '[farm.mix]\n"S21" = "90%"\n', ["t.toml: farm.mix: shares of mix 'S21=0.9' add up to 90.0%, not"]),
        (HEAD + '[farm.owners]\nNorth = "60%"\nSouth = "50%"\n', ["t.toml: farm: owners have 110.0% of the units"]),
        (
            HEAD + '[[event]]\nat = "1h"\nfault = "down"\nwho = { owner = "North" }\n',
            ["t.toml: event[0].who.owner = 'North': the farm has none"],
        ),
        (HEAD + '[farm.troubles]\noff = "much"\n', ["t.toml: farm.troubles.off = 'much': 'much' is not a share"]),
        (HEAD + '[weather]\nwarmest = "24:00"\n', ["t.toml: weather.warmest = '24:00': a time of day in UTC"]),
        (HEAD + "[weather]\nmean_celsius = nan\n", ["t.toml: weather.mean_celsius = 'nan': a finite number"]),
        (
            HEAD + '[[weather.spell]]\nat = "0s"\nfor = "2h"\nrise = "90m"\ncelsius = 3.0\n',
            ["t.toml: weather.spell[0].rise = '90m': at most half of the spell is expected"],
        ),
        (
            HEAD + '[[event]]\nat = "1h"\nfault = "sabotage"\n[[event]]\nat = 3\nfault = "down"\nwhom = "C1"\n',
            [
                "t.toml: event[0].fault = 'sabotage': one of power_off, asleep, dead_board",
                "t.toml: event[1].at = '3': a length of time since the start or a date and time is expected",
                "t.toml: event[1].whom = 'C1': unknown key; known are at, for, fault, values, who",
            ],
        ),
        (
            HEAD + '[[event]]\nat = "1h"\nfault = "dead_board"\nvalues = { board = 9 }\ntimes = 2\n',
            [
                "t.toml: event[0].values: fault dead_board: board must be 0 to 3, not 9",
                "t.toml: event[0].times = '2': an event that comes several times needs the key every",
            ],
        ),
        (
            HEAD + '[[event]]\nat = "4h"\nfault = "down"\nwho = { container = ["C1", "C7"], model = "S19" }\n',
            [
                "t.toml: event[0].at = '4h': a moment between start and end of the scenario is expected",
                "t.toml: event[0].who.container = 'C7': the farm has C1, C2, C3",
                "t.toml: event[0].who.model = 'S19': the farm has S21, T21",
            ],
        ),
        (
            HEAD + '[[event]]\nat = 2025-10-13T23:00:00Z\nfault = "down"\n',
            ["t.toml: event[0].at = '2025-10-13 23:00:00+00:00': a moment between start and end"],
        ),
        (
            HEAD + '[[curtailment]]\nat = "1h"\nfor = "1h"\nsite = true\nrack = "C1-R01"\n',
            ["t.toml: curtailment[0]: a curtailment has one scope: site, container, rack, model or unit"],
        ),
        (HEAD + "a" + ".a" * 300 + " = 1\n", ["t.toml: file: more than 256 dots in line 4"]),
        (HEAD + "a = " + "[" * 5000, ["t.toml: file: not TOML: nested too deeply, or a number too long"]),
        (HEAD + "seed = " + "9" * 5000, ["t.toml: file: not TOML: nested too deeply, or a number too long"]),
    ],
)  # fmt: skip
def test_every_mistake_is_named_with_its_key_value_and_reason(text: str, mistakes: list[str]) -> None:
    """Each mistake names key, value and expectation; all mistakes of a file are listed, in its order."""
    with pytest.raises(TomlError) as caught:
        read_scenario(text, file="t.toml")
    lines = str(caught.value).splitlines()
    for line, beginning in zip(lines, mistakes, strict=False):
        assert line.startswith(beginning)
    assert len(lines) >= len(mistakes)


def test_an_unknown_scenario_is_an_error_that_lists_the_known_ones(tmp_path: Path) -> None:
    """An unknown name, a missing file and a binary file give one clear line each."""
    with pytest.raises(TomlError, match="no scenario of that name; there are bad-psu-batch, container-power-loss"):
        find_scenario("nowhere")
    with pytest.raises(TomlError, match=r"nowhere\.toml: file: no such file or directory"):
        find_scenario("nowhere.toml")
    path = tmp_path / "binary.toml"
    path.write_bytes(b'about = "\xff"')
    with pytest.raises(TomlError, match="not UTF-8 at byte 9"):
        find_scenario(str(path))


def test_the_documented_example_can_be_played() -> None:
    """The example that explains scenario files is valid and fits its own farm."""
    _, scenario = find_scenario(str(ROOT / "simulators/scenario/example.toml"))
    assert len(play(build_farm(scenario), "example", scenario).injections) == 10


def test_a_scenario_in_a_file(tmp_path: Path) -> None:
    """A scenario in a file is named after the stem of its path."""
    path = tmp_path / "mine.toml"
    path.write_text(HEAD + POWER_AT_2H)
    name, scenario = find_scenario(str(path))
    assert (name, len(scenario.event)) == ("mine", 1)


def test_a_farm_in_a_file(tmp_path: Path) -> None:
    """Units, containers, mixture, troubles and climate come from the file; spells are refused in it."""
    path = tmp_path / "farm.toml"
    text = (
        'seed = 4\n[farm]\nunits = 10\ncontainers = 2\nmix = { "S21 Hyd.:335" = "100%" }\ntroubles = { off = "20%" }\n'
    )
    path.write_text(text)
    file = load_farm(path)
    plan = file.farm.plan(seed=file.seed or 0, air=file.weather.climate())
    assert (plan.units, plan.containers, plan.troubles.off) == (10, 2, 0.2)
    assert [kind.model.name for kind in plan.mix] == ["S21 Hyd."]
    path.write_text(text + '[[weather.spell]]\nat = "1h"\nfor = "1h"\ncelsius = 1.0\n')
    with pytest.raises(TomlError, match=r"weather: spells belong in a scenario"):
        load_farm(path)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90.0), ("2h30m", 9000.0), ("31d", 2_678_400.0), ("1.5h", 5400.0), ("0s", 0.0)]
)
def test_lengths_of_time(text: str, seconds: float) -> None:
    """Lengths of time are read in seconds and written back in whole units."""
    assert read_duration(text) == seconds
    assert read_duration(show_duration(seconds)) == seconds


@given(st.text(alphabet="[]{}=\"'.,#\n abdefnortuv0123456789-:TZ%", max_size=200))
def test_any_text_is_a_scenario_or_a_clear_error(text: str) -> None:
    """Any text gives a scenario or the declared error."""
    for whole in (text, HEAD + text):
        try:
            read = read_scenario(whole, file="t.toml")
        except TomlError as error:
            read = error.mistakes[0]
        assert isinstance(read, Scenario) or read.file == "t.toml"


def test_twins_are_kinds_of_a_files_mix(tmp_path: Path) -> None:
    """`like:` and a capture's folder is a key of the mix; a capture that cannot be a template is a mistake in it."""
    path = tmp_path / "t.toml"
    folder = CAPTURES / "s19pro-stock-202212"
    text = f'[farm]\nunits = 4\n[farm.mix]\n"like:{folder}@110:3250" = "50%"\n"S21:200" = "50%"\n'
    path.write_text(text, encoding="utf-8")
    plan = load_farm(path).plan(seed=1)
    assert [(kind.model.name, share) for kind, share in plan.mix.items()] == [("S19 Pro", 0.5), ("S21", 0.5)]
    path.write_text(text.replace("s19pro-stock-202212@110:3250", "s21pro-vnish-2026"), encoding="utf-8")
    with pytest.raises(TomlError, match=r"t\.toml: farm\.mix: s21pro-vnish-2026: cannot be a template: no reply tells"):
        load_farm(path)
