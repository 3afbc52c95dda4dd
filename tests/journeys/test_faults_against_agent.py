"""Every fault of the simulators against the agent: the state, reason, losses and series that must follow.

Unit faults go through the agent's own conversation, reader, tracker and metrics in simulated time. Wire and protocol
faults go over real loopback sockets through its poller and client.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from identity_site import swap, watched
from polled_farm import Polled, declared
from prometheus_client.parser import text_string_to_metric_families
from sim_cases import START, make_farm

from agent.exporters.prometheus.store import Metrics
from agent.exporters.prometheus.unit_families import DECLARED, FAMILIES, JUDGED
from agent.site.identity.whereabouts import Standing
from agent.site.poller import Bounds, Poller
from agent.site.schedule import Schedule
from agent.site.status import UnitState, UnitStatus
from agent.site.tracker import Tracker
from agent.unit import registry
from agent.unit.cgminer.client import Client
from agent.unit.reading import Poll
from simulators.farm.farm import Farm
from simulators.farm.selection import Selector
from simulators.faults.vocabulary import FAULTS, read_fault
from simulators.sockets.api_server import ApiServer
from simulators.sockets.serving import serve_farm, sweep

PLATE_HS = 200e12  # Every unit here is an S21 of 200 TH/s.
INTERVAL_S = 10.0
BOUNDS = Bounds(healthy=2, sick=2)
SLOW_EVERY = 1000
# The short deadline is for rows in which it expires or must not matter; all others allow for a slow machine.
SHORT_S, LONG_S = 1.5, 30.0
TOO_LONG_S = 3.0

ANY = pytest.approx(0.0, abs=1e18)
ANY_RPM = pytest.approx(5000.0, abs=2000.0)
RATE = "miner_hashrate_hashes_per_second"
POWER = "miner_power_watts"
READING_FAMILIES = frozenset(family.name for family in FAMILIES) - {
    family.name for section in (JUDGED, DECLARED) for family in section.families
}
"""Families that a unit without a fresh reading must not show; its watts are checked apart."""


def near(value: float) -> Any:
    """Match a number within 5 %: chips differ from unit to unit, and the 5 s rate is noisy."""
    return pytest.approx(value, rel=0.05)


def by_board(name: str, *values: object) -> dict[str, Any]:
    """Return one expected series for each board; None for one that must be absent."""
    return {f'{name}{{board="{slot}"}}': value for slot, value in enumerate(values)}


def fans(*rpm: object) -> dict[str, Any]:
    """Return the expected series of the fans."""
    return {f'miner_fan_speed_rpm{{fan="{number}"}}': value for number, value in enumerate(rpm, start=1)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table.

    Attributes:
        fault, values: The fault injected into one of two units, and its parameters.
        after_s: Simulated seconds from the injection to the check.
        state: The unit's expected state.
        why: The expected reason; None if its words are tested elsewhere.
        said: A word that the reason or the error must contain.
        through: The expected reasons from the first poll after the injection on, repeats left out.
        lost: Shares of the nameplate by cause, within 2 % for noise; nothing else may be lost.
        is_fresh: True if the unit is up and its reading fresh; if not, it shows none of `READING_FAMILIES`.
        is_known: True if the unit's nameplate counts as covered.
        series: Expected series, by family and own labels; None for a series that must be absent.
        is_short: True if the agent polls with the short deadline.
        result: The expected result label of the poll.
        repair: The expected repair label; empty for none.
    """

    fault: str
    state: UnitState
    why: str | None
    said: str = ""
    values: Mapping[str, object] = field(default_factory=dict)
    after_s: float = 60.0
    through: tuple[str, ...] = ()
    lost: Mapping[str, float] = field(default_factory=dict)
    is_fresh: bool = True
    is_known: bool = True
    series: Mapping[str, Any] = field(default_factory=dict)
    is_short: bool = False
    result: str = "ok"
    repair: str = ""

    def __str__(self) -> str:
        return "-".join([self.fault, *map(str, self.values.values())])


HASHING, STOPPED = UnitState.HASHING, UnitState.STOPPED
UNREACHABLE, UNREADABLE = UnitState.UNREACHABLE, UnitState.UNREADABLE
RESETS = "restarting: resets connections"
RESTART = (RESETS, "still booting", "ramping up", "hashing")
STOOD = {RATE: 0.0, "miner_uptime_seconds": ANY, **by_board("miner_board_hashrate_hashes_per_second", 0.0, 0.0, 0.0)}
WHOLE = {RATE: near(PLATE_HS), POWER + '{source="modelled"}': near(3500.0), "miner_pools_alive": 2}

UNIT_ROWS = (
    Row(
        fault="power_off",
        state=UNREACHABLE,
        why="no answer",
        through=("hashing", "no answer"),
        lost={"unreachable": 1.0},
        is_fresh=False,
        is_known=False,
    ),
    Row(
        fault="asleep",
        state=STOPPED,
        why="asleep",
        lost={"stopped": 1.0},
        series={RATE: 0.0, POWER + '{source="modelled"}': near(18.0), 'miner_board_chips{board="0"}': None},
    ),
    Row(
        fault="dead_board",
        state=HASHING,
        why="board 0 absent",
        lost={"missing_boards": 1 / 3},
        series={
            RATE: near(PLATE_HS * 2 / 3),
            **by_board("miner_board_chips", 0, 108, 108),
            **by_board("miner_board_hashrate_hashes_per_second", 0.0, ANY, ANY),
            **by_board("miner_board_chip_temperature_celsius", None, ANY, ANY),
        },
    ),
    Row(
        fault="dead_board",
        values={"board": 1, "is_listed": False},
        state=HASHING,
        why="board 1 absent",
        lost={"missing_boards": 1 / 3},
        series={
            RATE: near(PLATE_HS * 2 / 3),
            **by_board("miner_board_chips", 108, None, 108),
            **by_board("miner_board_hashrate_hashes_per_second", ANY, None, ANY),
            **by_board("miner_board_chip_temperature_celsius", ANY, None, ANY),
        },
    ),
    Row(
        fault="missing_chips",
        state=HASHING,
        why="24 of 108 chips missing on board 0",
        lost={"missing_chips": 24 / 324},
        series={RATE: near(PLATE_HS * 300 / 324), **by_board("miner_board_chips", 84, 108, 108)},
    ),
    Row(
        fault="overheat",
        state=HASHING,
        why="clock 440 of 484 MHz",
        lost={"derated": 50 / 490},
        series={
            RATE: near(PLATE_HS * 440 / 490),
            **by_board("miner_board_frequency_hertz", 440e6, 440e6, 440e6),
            **fans(7000, 7000, 7000, 7000),
        },
    ),
    Row(
        fault="overheat",
        values={"celsius": 40.0},
        state=STOPPED,
        why=None,
        said="chip at 1",
        lost={"stopped": 1.0},
        series={**STOOD, **fans(7000, 7000, 7000, 7000)},
    ),
    Row(
        fault="fan_stopped",
        values={"fan": 2},
        state=STOPPED,
        why="fan 3 at 0 rpm",
        lost={"stopped": 1.0},
        series={**STOOD, **fans(7000, 7000, 0, 7000)},
    ),
    Row(
        fault="hashrate_drift",
        values={"ratio": 0.8},
        state=HASHING,
        why="slow without a visible reason",
        lost={"underperforming": 0.2},
        series={
            RATE: near(PLATE_HS * 0.8),
            **by_board("miner_board_chips", 108, 108, 108),
            **by_board("miner_board_frequency_hertz", 490e6, 490e6, 490e6),
        },
    ),
    Row(
        fault="frozen",
        state=UNREADABLE,
        why="figures stand still",
        through=("hashing", "figures stand still"),
        lost={"unreadable": 1.0},
        is_fresh=False,
        is_known=False,
    ),
    Row(
        fault="rebooting",
        after_s=600.0,
        state=HASHING,
        why="hashing",
        through=RESTART,
        series={**WHOLE, "miner_uptime_seconds": near(600.0 - 45.0)},
    ),
    Row(
        fault="psu_trip",
        after_s=2140.0,
        state=UNREACHABLE,
        why="no answer",
        through=("hashing", "no answer", *RESTART, "no answer"),
        lost={"unreachable": 1.0},
        is_fresh=False,
        is_known=False,
    ),
    Row(
        fault="pool_dead",
        state=HASHING,
        why="hashing",
        series={**WHOLE, "miner_pools_alive": 1},
    ),
    Row(
        fault="pool_dead",
        values={"pools": 2},
        state=STOPPED,
        why="no pool alive",
        lost={"stopped": 1.0},
        series={
            **STOOD,
            "miner_pools_alive": 0,
            **by_board("miner_board_chips", 108, 108, 108),
            **fans(*[pytest.approx(1800.0, abs=60.0)] * 4),
        },
    ),
    # Stock firmware has no pool of its own: the shares are missing, and nothing else.
    Row(fault="work_diverted", state=HASHING, why="hashing", series=WHOLE),
    Row(fault="fee_turn", state=HASHING, why="hashing", series=WHOLE),
    # Without an allow-list a stranger's pool is one like any other; `test_pool_hijack` has one.
    Row(fault="pool_hijacked", after_s=600.0, state=HASHING, why="hashing", through=RESTART, series=WHOLE),
    Row(fault="pool_hijacked", values={"restarts": False}, state=HASHING, why="hashing", series=WHOLE),
    Row(
        fault="firmware_changed",
        after_s=600.0,
        state=HASHING,
        why="hashing",
        through=RESTART,
        series={**WHOLE, 'miner_info{firmware="Thu Oct  9 15:20:11 CST 2025"}': 1},
    ),
)

SLEPT = Row(
    fault="state_words",
    state=STOPPED,
    why="asleep",
    lost={"stopped": 1.0},
    series={RATE: 0.0, 'miner_board_chips{board="0"}': None},
)
AS_IT_IS: dict[str, Any] = {"state": HASHING, "why": "hashing", "series": WHOLE}
MEASURED = {RATE: near(PLATE_HS), POWER + '{source="measured"}': near(3500.0)}
ESTIMATED = {RATE: near(PLATE_HS), POWER + '{source="estimated"}': near(3500.0)}

# Modelled power follows the reported rate.
OVER = {RATE: near(1.08 * PLATE_HS), POWER + '{source="modelled"}': near(1.08 * 3500.0)}

CONTRADICTION_ROWS = (
    Row(fault="zero_watts", **AS_IT_IS),
    Row(fault="zero_watts", values={"watts": 12}, **AS_IT_IS),
    Row(fault="zero_watts", values={"watts": -3500}, **AS_IT_IS),
    Row(fault="says_asleep", **AS_IT_IS),
    Row(fault="rate_lag", **AS_IT_IS),
    Row(fault="rate_spike", **AS_IT_IS),
    Row(fault="rate_spike", values={"factor": 2.5, "are_boards_too": True}, **AS_IT_IS),
    Row(fault="rate_spike", values={"is_longer_too": True}, **AS_IT_IS),
    Row(fault="over_reports", **(AS_IT_IS | {"series": WHOLE | OVER})),
    Row(fault="late_shares", **AS_IT_IS),
    Row(fault="total_zero", **AS_IT_IS),
    Row(fault="total_zero", values={"is_longer_too": True}, **AS_IT_IS),
    Row(fault="board_unit", **AS_IT_IS),
    Row(fault="board_unit", values={"factor": 1000.0}, **AS_IT_IS),
    Row(fault="sensor_stuck", **AS_IT_IS),
    Row(fault="sensor_stuck", values={"sensor": 3, "celsius": 255}, **AS_IT_IS),
    Row(fault="sensor_stuck", values={"board": 2, "sensor": 2, "is_null": True}, **AS_IT_IS),
    Row(
        fault="fan_null",
        state=HASHING,
        why="hashing",
        series={**WHOLE, **fans(ANY_RPM, None, ANY_RPM, ANY_RPM)},
    ),
    Row(fault="watts_elsewhere", state=HASHING, why="hashing", series=ESTIMATED),
    Row(fault="watts_elsewhere", values={"key": "total_power"}, state=HASHING, why="hashing", series=ESTIMATED),
    Row(fault="watts_elsewhere", values={"key": "chain_power"}, state=HASHING, why="hashing", series=ESTIMATED),
    Row(fault="watts_elsewhere", values={"key": "watt"}, state=HASHING, why="hashing", series=ESTIMATED),
    Row(fault="watts_elsewhere", values={"key": "PSU Power"}, state=HASHING, why="hashing", series=MEASURED),
    Row(
        fault="rate_in_summary",
        state=HASHING,
        why="hashing",
        series={RATE: near(PLATE_HS), 'miner_board_chips{board="0"}': None, "miner_pools_alive": 2},
    ),
    Row(
        fault="rate_in_summary",
        values={"unit": "GHS"},
        state=HASHING,
        why="hashing",
        series={RATE: near(PLATE_HS), 'miner_board_chips{board="0"}': None},
    ),
    SLEPT,
    replace(SLEPT, values={"state": "paused"}),
    Row(
        fault="state_words",
        values={"state": "failure"},
        state=STOPPED,
        why=None,
        lost={"stopped": 1.0},
        series={RATE: 0.0},
    ),
    Row(
        fault="state_words",
        values={"state": "auto-tuning"},
        state=HASHING,
        why="hashing",
        series={RATE: near(PLATE_HS)},
    ),
    Row(
        fault="bad_chips",
        state=HASHING,
        why=None,
        lost={"missing_chips": 12 / 324},
        series={RATE: near(PLATE_HS * 312 / 324)},
    ),
    Row(
        fault="no_boards",
        state=STOPPED,
        why=None,
        said="no board",
        lost={"stopped": 1.0},
        series={RATE: 0.0, 'miner_board_chips{board="0"}': None},
    ),
    Row(
        fault="restart_loop",
        after_s=620.0,
        state=UnitState.STARTING,
        why="ramping up",
        lost={"starting": 1.0 - 45.0 / 165.0},
    ),
)

LATE = {"state": UNREADABLE, "why": "no whole reply in time", "result": "deadline", "is_short": True}
CUT = {"state": UNREADABLE, "why": "closed in mid-reply", "result": "disconnected"}
MALFORMED = {"state": UNREADABLE, "why": "malformed reply", "result": "malformed"}
TOO_LARGE = {"state": UNREADABLE, "why": "reply too large", "result": "too_large"}
FOREIGN = {"state": UNREADABLE, "why": None, "result": "foreign"}
LOST: dict[str, Any] = {"lost": {"unreadable": 1.0}, "is_fresh": False, "is_known": False}
READ: dict[str, Any] = {"state": HASHING, "why": "hashing", "series": WHOLE}

SOCKET_ROWS = (
    Row(
        fault="down",
        state=UNREACHABLE,
        why="no answer",
        lost={"unreachable": 1.0},
        is_fresh=False,
        is_known=False,
        is_short=True,
        result="unreachable",
    ),
    Row(fault="latency", values={"wait_s": 0.05}, **READ),
    Row(fault="latency", values={"wait_s": TOO_LONG_S}, **LATE, **LOST),
    Row(fault="timeout", **LATE, **LOST),
    Row(fault="reset_peer", state=UNREADABLE, why="resets connections", result="disconnected", **LOST),
    Row(fault="reset_peer", values={"after_bytes": 500}, **CUT, **LOST),
    Row(fault="slicer", values={"gap_s": 0.001}, **READ),
    Row(fault="slicer", values={"gap_s": 0.5}, **LATE, **LOST),
    Row(fault="limit_data", **CUT, **LOST),
    Row(fault="slow_close", values={"linger_s": TOO_LONG_S}, is_short=True, **READ),
    Row(fault="bandwidth", values={"bytes_per_s": 200_000.0}, **READ),
    Row(fault="bandwidth", values={"bytes_per_s": 200.0}, **LATE, **LOST),
    Row(fault="truncated_json", **MALFORMED, **LOST),
    Row(fault="missing_nul", **READ),
    Row(fault="trailing_comma", repair="stray_comma", **READ),
    Row(fault="joined_objects", repair="missing_comma", **READ),
    Row(
        fault="access_denied",
        state=UNREADABLE,
        why="refused the command",
        result="refused",
        **LOST,
    ),
    Row(fault="not_json", **MALFORMED, **LOST),
    Row(fault="refuses", state=UNREADABLE, why="refused the command", result="refused", **LOST),
    Row(fault="speaks_http", said="HTTP", **FOREIGN, **LOST),
    Row(fault="speaks_http", values={"status": 404, "body": "{}"}, said="HTTP", **FOREIGN, **LOST),
    Row(fault="speaks_tls", said="TLS", **FOREIGN, **LOST),
    Row(fault="speaks_ssh", said="SSH", **FOREIGN, **LOST),
    Row(fault="speaks_stratum", said="Stratum", **FOREIGN, **LOST),
    Row(fault="speaks_whatsminer", said="Whatsminer", **FOREIGN, **LOST),
    Row(fault="huge_reply", **TOO_LARGE, **LOST),
    Row(fault="brackets", **TOO_LARGE, **LOST),
    Row(fault="brackets", values={"size_bytes": 20_000}, **MALFORMED, **LOST),
    Row(fault="nans", **TOO_LARGE, **LOST),
    Row(fault="nans", values={"size_bytes": 20_000}, **MALFORMED, **LOST),
    Row(fault="commas", **TOO_LARGE, **LOST),
    Row(fault="commas", values={"size_bytes": 20_000}, **MALFORMED, **LOST),
    Row(fault="large_reply", **TOO_LARGE, **LOST),
    Row(fault="large_reply", values={"size_bytes": 4000}, **READ),
    Row(fault="stalls_in_reply", **LATE, **LOST),
    Row(fault="firmware_each_reply", **READ),
    Row(fault="nan_values", state=UNREADABLE, why="unknown dialect", result="unsupported", **LOST),
)


def test_no_fault_is_left_out() -> None:
    """Every fault of the vocabulary has a row; two units at one another's addresses have a test of their own."""
    assert {row.fault for row in (*UNIT_ROWS, *CONTRADICTION_ROWS, *SOCKET_ROWS)} | {"address_swapped"} == set(FAULTS)


async def exposed(metrics: Metrics) -> tuple[dict[str, dict[str, float]], dict[str, float]]:
    """Return the series of a scrape, by unit, and those of the agent itself.

    Keys are written as in the text format, with the family and its own labels; `miner_info` keeps its firmware alone.
    """
    body, _ = await metrics.scrape()
    units: dict[str, dict[str, float]] = {}
    own: dict[str, float] = {}
    for family in text_string_to_metric_families(body.decode()):
        for sample in family.samples:
            labels = dict(sample.labels)
            unit_id = labels.pop("unit", None)
            kept = {
                name: value
                for name, value in labels.items()
                if (name == "firmware" if sample.name == "miner_info" else name not in {"site", "container"})
            }
            pairs = ",".join(f'{name}="{value}"' for name, value in kept.items())
            shown = own if unit_id is None else units.setdefault(unit_id, {})
            shown[f"{sample.name}{{{pairs}}}" if pairs else sample.name] = sample.value
    return units, own


def check(row: Row, status: UnitStatus, shown: Mapping[str, float]) -> None:
    """Check a unit's status and series against the row."""
    assert (status.state, status.why) == (row.state, status.why if row.why is None else row.why)
    assert row.said in f"{status.why} {status.error}"
    assert (status.is_fresh, status.is_known) == (row.is_fresh, row.is_known)
    lost = {loss.cause.value: loss.hashrate_hs / PLATE_HS for loss in status.losses}
    assert {**dict.fromkeys(lost, 0.0), **row.lost} == {
        cause: pytest.approx(lost.get(cause, 0.0), abs=0.02) for cause in lost.keys() | row.lost.keys()
    }
    assert shown["miner_up"] == row.is_fresh
    assert [key for key in shown if key.startswith("miner_state")] == [f'miner_state{{state="{row.state}"}}']
    for cause, ratio in lost.items():
        assert shown[f'miner_loss_hashrate_hashes_per_second{{cause="{cause}"}}'] == pytest.approx(ratio * PLATE_HS)
    names = {key.partition("{")[0] for key in shown}
    if not row.is_fresh:
        assert not names & (READING_FAMILIES | {POWER})
    assert {key: shown.get(key) for key in row.series} == row.series


@pytest.mark.parametrize("row", [*UNIT_ROWS, *CONTRADICTION_ROWS], ids=str)
async def test_what_goes_wrong_in_a_unit_is_called_by_its_name(row: Row) -> None:
    """The unit with the fault shows the state, reason, losses and series of its row; its neighbour is unaffected."""
    farm = make_farm(2)
    sick, well = farm.units
    polled = Polled(farm.units, at=START, slow_every=3)
    metrics = Metrics("alpha", version="0", clock=lambda: 0.0, share_s=0.0)
    polled.sweep(START)
    farm.inject(read_fault(row.fault, row.values), Selector(units=(sick.identity.unit_id,)))
    through: list[str] = []
    for step in range(1, int(row.after_s / INTERVAL_S) + 1):
        polled.sweep(START + step * INTERVAL_S)
        for status in polled.tracker.statuses():
            metrics.on_unit(status)
        status_now = polled.tracker.status(sick.identity.unit_id)
        assert status_now is not None
        if through[-1:] != [status_now.why]:
            through.append(status_now.why)
    units, _ = await exposed(metrics)
    check(row, status_now, units[sick.identity.unit_id])
    if row.through:
        assert tuple(through) == row.through
    neighbour = polled.tracker.status(well.identity.unit_id)
    assert neighbour is not None
    check(Row(fault="", **READ), neighbour, units[well.identity.unit_id])


async def test_the_pool_in_use_is_shown() -> None:
    """With the first pool dead, the unit mines on the second, and its reading says so."""
    farm = make_farm(1)
    polled = Polled(farm.units, at=START, slow_every=3)
    farm.inject(read_fault("pool_dead", {}))
    polled.sweep(START + INTERVAL_S)
    [status] = polled.tracker.statuses()
    assert status.reading is not None
    assert [(pool.status, pool.is_active) for pool in status.reading.pools[:2]] == [("Dead", False), ("Alive", True)]


class Bench:
    """Two units on real sockets, and the agent's poller, tracker and metrics over them on the farm's clock.

    Args:
        farm: The units; its clock stands still until it is advanced.
        server: The server of their API.

    Attributes:
        metrics: The agent's metrics.
    """

    def __init__(self, farm: Farm, server: ApiServer) -> None:
        self.farm, self._server = farm, server
        entries = [msgspec.structs.replace(declared(unit), port=server.port) for unit in farm.units]
        self.metrics = Metrics("alpha", version="0", clock=lambda: 0.0, share_s=0.0)
        self._tracker = Tracker(entries, stale_after_s=30.0, at=START)
        self._client = Client(connect_timeout_s=LONG_S, deadline_s=LONG_S)
        self._poller = Poller(
            client=self._client,
            reader_of=lambda _: registry.DEFAULT,
            schedule=_schedule(),
            bounds=BOUNDS,
            slow_every=SLOW_EVERY,
            on_poll=self._on_poll,
            on_skipped=self.metrics.on_skipped,
            wall=farm.clock.now,
        )
        self._poller.replace_entries(entries)

    def status(self, number: int) -> UnitStatus:
        """Return the status of one of the units."""
        found = self._tracker.status(self.farm.units[number].identity.unit_id)
        assert found is not None
        return found

    async def look(self, deadline_s: float = LONG_S) -> None:
        """Advance the clock until the last reading is stale, then poll both units once, each within a deadline."""
        self.farm.clock.advance(40.0)
        sweep(self.farm, self._server)
        self._client.close()
        self._client = Client(connect_timeout_s=deadline_s, deadline_s=deadline_s)
        self._poller.reconfigure(client=self._client, schedule=_schedule(), bounds=BOUNDS, slow_every=SLOW_EVERY)
        await self._poller.sweep()
        now = self.farm.clock.now()
        self._tracker.refresh(at=now, clock_s=now)
        for status in self._tracker.statuses():
            self.metrics.on_unit(status)

    def close(self) -> None:
        """Close the agent's client."""
        self._client.close()

    def _on_poll(self, poll: Poll, _: float) -> None:
        self.metrics.on_poll(poll)
        self._tracker.record(poll, clock_s=self.farm.clock.now())


def _schedule() -> Schedule:
    return Schedule(interval_s=INTERVAL_S, backoff_max_s=INTERVAL_S, jitter=lambda: 1.0)


@asynccontextmanager
async def bench_of(farm: Farm) -> AsyncIterator[Bench]:
    """Serve a farm to an agent's poller."""
    async with serve_farm(farm, port=0) as server:
        with closing(Bench(farm, server)) as bench:
            yield bench


@pytest.mark.parametrize("row", SOCKET_ROWS, ids=str)
async def test_what_goes_wrong_on_the_way_is_no_reading_of_the_unit(row: Row) -> None:
    """A unit polled before, during and after a fault shows state, reason, losses and series; its neighbour none."""
    async with bench_of(make_farm(2, base="127.83.0.1")) as bench:
        well = Row(fault="", **READ)
        sick_id, well_id = (unit.identity.unit_id for unit in bench.farm.units)
        await bench.look()
        units, before = await exposed(bench.metrics)
        check(well, bench.status(0), units[sick_id])

        injection = bench.farm.inject(read_fault(row.fault, row.values), Selector(units=(sick_id,)))
        await bench.look(SHORT_S if row.is_short else LONG_S)
        units, own = await exposed(bench.metrics)
        check(row, bench.status(0), units[sick_id])
        check(well, bench.status(1), units[well_id])
        counted = {key for key, count in own.items() if "_total" in key and count != before.get(key, 0.0)}
        expected = {'miner_agent_polls_total{result="ok"}', f'miner_agent_polls_total{{result="{row.result}"}}'}
        if row.repair:
            expected.add(f'miner_agent_reply_repairs_total{{repair="{row.repair}"}}')
        assert {key for key in counted if key.startswith("miner_agent")} == expected

        bench.farm.clear(injection.number)
        await bench.look()
        units, _ = await exposed(bench.metrics)
        check(well, bench.status(0), units[sick_id])


async def test_the_error_quotes_what_answered_instead_of_a_unit() -> None:
    """The unit's error holds an excerpt of an answer that is no reply, for the operator."""
    async with bench_of(make_farm(1, base="127.83.0.1")) as bench:
        bench.farm.inject(read_fault("not_json", {}))
        await bench.look()
        assert "Socket connect failed: Connection refused" in str(bench.status(0).error)


async def test_units_at_one_anothers_addresses_are_followed(tmp_path: Path) -> None:
    """After `address_swapped`, each unit keeps its own hashrate, and the change of address is a series."""
    async with watched(tmp_path, units=2) as site:
        swap(site, 0, 1)
        swap(site, 1, 0)
        await site.until(lambda: site.standing(0) is site.standing(1) is Standing.MOVED)
        await site.until(lambda: site.is_credited(0, 1))
        assert {site.status(number).state for number in (0, 1)} == {UnitState.HASHING}
        metrics = await site.page("/metrics/site")
        for number in (0, 1):
            assert f'miner_address_changed{{site="alpha",unit="{site.unit_id(number)}"}} 1.0' in metrics
