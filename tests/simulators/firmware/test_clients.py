"""pyasic, a client for real Antminers, recognises simulated ones on the ports of real ones.

Its ports 80 and 4028 are fixed, so these tests need them free and permitted. Otherwise they skip with the reason, or
fail where CI=true. Deprecation warnings from importing pyasic are ignored by name.
"""

import contextlib
import os
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sim_cases import START, make_farm

from simulators.farm.farm import API_PORT, Farm
from simulators.farm.truth import unit_truth
from simulators.faults.unit import Asleep, DeadBoard, FanStopped, MissingChips
from simulators.faults.vocabulary import Fault
from simulators.sockets.journal import Journal
from simulators.sockets.listening import ServeError
from simulators.sockets.serving import serve_farm
from simulators.sockets.web_server import HTTP_PORT, serve_web
from simulators.unit import sensors
from simulators.unit.snapshot import Phase
from simulators.unit.unit import Unit

pytestmark = [
    pytest.mark.filterwarnings("ignore:Support for class-based `config` is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:'crypt' is deprecated:DeprecationWarning"),
]


@contextlib.asynccontextmanager
async def on_real_ports(farm: Farm) -> AsyncIterator[Journal]:
    """Serve a farm on ports 4028 and 80, or skip."""
    async with contextlib.AsyncExitStack() as stack:
        try:
            api = await stack.enter_async_context(serve_farm(farm, port=API_PORT))
            await stack.enter_async_context(serve_web(farm, api, port=HTTP_PORT))
        except ServeError as error:
            if os.environ.get("CI") == "true":
                pytest.fail(str(error.strerror), pytrace=False)
            pytest.skip(str(error.strerror))
        yield api.journal


async def find(unit: Unit) -> Any:
    """Let pyasic identify the miner at a unit's address."""
    import pyasic

    return await pyasic.get_miner(unit.identity.host)


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("S21", "BMMinerS21"),
        ("T21", "BMMinerT21"),
        ("S21+", "BMMinerS21Plus"),
        ("S21 Pro", "BMMinerS21Pro"),
        ("S21 XP", "BMMinerS21XP"),
        ("S21 Hyd.", "BMMinerS21Hydro"),
        ("S21+ Hyd.", "BMMinerS21PlusHydro"),
    ],
)
async def test_every_model_is_recognised_and_read_as_the_truth_says(model: str, name: str) -> None:
    """Class, hashrate, boards, chips, temperatures, fans, uptime, pools, mode, serial and MAC match the truth."""
    farm = make_farm(1, mix=f"{model}=100%")
    unit = farm.units[0]
    async with on_real_ports(farm) as journal:
        miner = await find(unit)
        data = await miner.get_data()
    assert type(miner).__name__ == name
    truth, snapshot, identity = unit_truth(unit, START), unit.snapshot(START), unit.identity
    hashrate_hs = float(data.hashrate) * 1e12
    assert hashrate_hs == pytest.approx(truth["shown_hashrate_hs"], rel=1e-6)
    assert hashrate_hs == pytest.approx(truth["hashrate_hs"], rel=0.03)
    assert float(data.expected_hashrate) * 1e12 == identity.model.hashrate_hs
    assert [board.chips for board in data.hashboards] == [identity.model.chips_per_board] * identity.model.boards
    assert [float(board.hashrate) for board in data.hashboards] == pytest.approx([b.ghs / 1e3 for b in snapshot.boards])
    for board, seen in zip(data.hashboards, snapshot.boards, strict=True):
        pic, pcb, chip = sensors.layout(identity.model, seen.pic_celsius)
        if model == "S21+ Hyd.":  # pyasic knows that its sensors are laid out differently.
            assert (board.inlet_temp, board.outlet_temp, board.chip_temp) == (pcb[0], pcb[2], pic[0])
        else:
            whole = [celsius for celsius in chip if celsius]
            assert (board.temp, board.chip_temp) == (sum(pcb) / 4, sum(whole) / len(whole))
    assert [board.serial_number for board in data.hashboards] == list(identity.board_serials)
    assert tuple(fan.speed for fan in data.fans) == snapshot.fans_rpm
    assert data.uptime == snapshot.elapsed_s
    assert [(pool.url.host if pool.url else None, pool.active, pool.alive) for pool in data.pools] == [
        ("stratum.pool.example", True, True),
        ("backup.pool.example", False, True),
        (None, False, False),
    ]
    assert data.pools[0].accepted == unit.shares(START).accepted
    assert data.is_mining is True
    assert data.config.mining_mode.mode == "normal"
    assert (data.serial_number, data.mac) == (identity.serial, identity.mac)
    assert data.errors == []
    assert journal.writes == 0


@pytest.mark.parametrize("model", ["S21", "T21", "S21+"])
async def test_a_sleeping_unit_is_not_mining(model: str) -> None:
    """Lines A and B list no boards, line C lists cold ones; all show no hashrate and the sleep mode."""
    farm = make_farm(2, mix=f"{model}=100%")
    unit = farm.units[0]
    farm.inject(Asleep())
    farm.clock.advance(60.0)
    async with on_real_ports(farm):
        data = await (await find(unit)).get_data()
    assert unit.phase is Phase.ASLEEP
    assert data.is_mining is False
    assert data.config.mining_mode.mode == "sleep"
    assert float(data.hashrate) == 0.0


@pytest.mark.parametrize(
    ("fault", "chips"),
    [
        (DeadBoard(board=1, is_listed=True), [108, 0, 108]),
        (DeadBoard(board=1, is_listed=False), [108, None, 108]),
        (MissingChips(board=2, chips=26), [108, 108, 82]),
    ],
)
async def test_missing_boards_and_chips_are_seen(fault: Fault, chips: list[int | None]) -> None:
    """The client sees the chips of each board, and a hashrate as low as the true one."""
    farm = make_farm(1)
    unit = farm.units[0]
    farm.inject(fault)
    farm.clock.advance(600.0)
    async with on_real_ports(farm):
        data = await (await find(unit)).get_data()
    assert [board.chips for board in data.hashboards] == chips
    assert float(data.hashrate) * 1e12 == pytest.approx(unit.hashrate_hs(farm.clock.now()), rel=0.03)
    assert float(data.hashrate) < 190.0


async def test_a_stopped_fan_is_an_error() -> None:
    """The client shows the error code of the summary page, and the fan at 0 rpm."""
    farm = make_farm(1)
    farm.inject(FanStopped(fan=3))
    async with on_real_ports(farm):
        data = await (await find(farm.units[0])).get_data()
    assert [error.error_message for error in data.errors] == ["F4:1"]
    assert data.fans[3].speed == 0


async def test_units_of_a_mixed_farm_are_distinguished() -> None:
    """Twelve units behind two sockets each show their own model, serial and hashrate."""
    farm = make_farm(12, mix="S21=25%,T21=25%,S21+=25%,S21 XP=25%")
    async with on_real_ports(farm):
        for unit in farm.units:
            miner = await find(unit)
            data = await miner.get_data(include=["serial_number", "hashrate", "hashboards"])
            assert miner.raw_model == unit.identity.model.name
            assert data.serial_number == unit.identity.serial
            assert float(data.hashrate) * 1e12 == pytest.approx(unit_truth(unit, START)["shown_hashrate_hs"], rel=1e-6)


async def test_writes_of_the_client_change_the_unit() -> None:
    """Lamp, sleep, wake and reboot commands take effect, and each is a write in the journal."""
    farm = make_farm(20)
    unit = next(unit for unit in farm.units if unit.build == "s21-202410")
    async with on_real_ports(farm) as journal:
        miner = await find(unit)
        assert await miner.fault_light_on() is True
        assert unit.settings.is_blinking
        await miner.stop_mining()
        farm.clock.advance(60.0)
        assert await miner.is_mining() is False
        assert unit.phase is Phase.ASLEEP
        await miner.resume_mining()
        farm.clock.advance(600.0)
        assert float((await miner.get_data()).hashrate) > 180.0
        assert await miner.reboot() is True
        farm.clock.advance(54.0)
        unit.advance(farm.clock.now())
        assert unit.phase is Phase.BOOTING
    assert {entry.request for entry in journal.entries if entry.is_write and not entry.request.endswith("401")} == {
        "POST /cgi-bin/blink.cgi",
        "POST /cgi-bin/set_miner_conf.cgi",
        "GET /cgi-bin/reboot.cgi",
    }


@pytest.mark.parametrize("seconds", [50.0, 100.0])
async def test_a_starting_unit_is_recognised_and_does_no_harm(seconds: float) -> None:
    """While boards enumerate and while the clock ramps, pyasic raises nothing and shows the hashrate so far."""
    farm = make_farm(1)
    unit = farm.units[0]
    farm.reboot(unit, after_s=0.0)
    farm.clock.advance(seconds)
    async with on_real_ports(farm):
        data = await (await find(unit)).get_data()
    truth_hs = unit.hashrate_hs(farm.clock.now())
    assert float(data.hashrate) * 1e12 == pytest.approx(truth_hs, rel=0.03)
    assert data.uptime == int(seconds - 45.0)
