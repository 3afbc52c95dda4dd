"""A farm under VNish read by the agent: figures against the truth, faults by their names, and no write."""

import asyncio

import msgspec
import pytest
from polled_farm import Polled, declared
from sim_cases import START, make_farm

from agent.site.reasons import Reason
from agent.site.status import Cause, UnitState, UnitStatus
from agent.unit import registry
from agent.unit.cgminer.client import Client
from agent.unit.reading import PowerKind
from simulators.farm.plan import Troubles
from simulators.farm.selection import Selector
from simulators.faults.unit import Asleep, DeadBoard, NoBoards, Overheat, PoolDead, WorkDiverted
from simulators.faults.vocabulary import Fault
from simulators.sockets.serving import serve_farm

MIX = "S21 Pro:234/vnish=50%,S21:200/vnish=50%"


def polled_at(fault: Fault | None, after_s: float = 600.0, *, units: int = 6) -> list[UnitStatus]:
    """Return the status of each unit of a farm under VNish, some time after a fault hit all of them."""
    farm = make_farm(units, mix=MIX)
    polled = Polled(farm.units, at=START, slow_every=3, reader=registry.CHOOSING)
    polled.sweep(START)
    if fault is not None:
        farm.inject(fault)
    for step in range(1, int(after_s / 60.0) + 1):
        polled.sweep(START + 60.0 * step)
    return [status for unit in units_of(polled) if (status := polled.tracker.status(unit)) is not None]


def units_of(polled: Polled) -> list[str]:
    """Return the ids of its units."""
    return [unit.identity.unit_id for unit in polled.units]


def test_operating_deployed_and_losses_are_the_truths() -> None:
    """An hour of 200 units with troubles: operating within half a per cent at every look, losses within one."""
    troubles = Troubles(off=0.0, asleep=0.05, starting=0.0, missing_board=0.1, missing_chips=0.0, slow=0.0)
    farm = make_farm(200, mix=MIX, troubles=troubles)
    polled = Polled(farm.units, at=START, slow_every=3, reader=registry.CHOOSING)
    for look in range(21):
        at = START + 180.0 * look
        polled.sweep(at)
        statuses = list(polled.tracker.statuses())
        assert {status.reading.reader for status in statuses if status.reading} == {"vnish"}
        operating = sum(status.hashrate_hs or 0.0 for status in statuses)
        assert operating == pytest.approx(farm.operating_hs(at), rel=0.005)
        assert sum(status.entry.nameplate.hashrate_hs for status in statuses) == farm.deployed_hs
        lost: dict[str, float] = {}
        for status in statuses:
            for loss in status.losses:
                lost[loss.cause.value] = lost.get(loss.cause.value, 0.0) + loss.hashrate_hs
        truth = {str(cause): hs for cause, hs in farm.sums(at).losses_hs.items()}
        boards = lost[Cause.MISSING_BOARDS.value]
        assert boards == pytest.approx(truth["missing_boards"], abs=0.01 * farm.deployed_hs)
        assert lost[Cause.DERATED.value] == pytest.approx(truth["derated"], abs=0.01 * farm.deployed_hs)
        assert lost[Cause.STOPPED.value] == pytest.approx(truth["asleep"], abs=0.01 * farm.deployed_hs)


def test_power_is_an_estimate_or_modelled() -> None:
    """The newer generation tells watts of its boards, the older one none."""
    kinds = {
        status.reading.power_kind: status.power is not None
        for status in polled_at(None, units=12)
        if status.reading is not None
    }
    assert kinds == {PowerKind.ESTIMATED: True, None: True}


@pytest.mark.parametrize(
    ("fault", "state", "reasons"),
    [
        (Asleep(), UnitState.STOPPED, {Reason.ASLEEP}),
        (DeadBoard(board=1), UnitState.HASHING, {Reason.BOARD_ABSENT}),
        (DeadBoard(board=1, is_listed=False), UnitState.HASHING, {Reason.BOARD_ABSENT}),
        (NoBoards(), UnitState.STOPPED, {Reason.NO_BOARDS}),
        (Overheat(celsius=40.0), UnitState.STOPPED, {Reason.TOO_HOT, Reason.FAILURE}),
        (PoolDead(pools=2), UnitState.STOPPED, {Reason.NO_POOL_ALIVE}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_faults_have_their_names(fault: Fault, state: UnitState, reasons: set[Reason]) -> None:
    """In both generations."""
    for status in polled_at(fault):
        assert status.state is state
        assert status.reason in reasons
        assert status.reading is not None
        assert status.reading.reader == "vnish"


def test_a_lost_board_is_missing_at_its_slot() -> None:
    """The number on the case less one."""
    assert {status.why for status in polled_at(DeadBoard(board=1))} == {"board 1 absent"}


def test_work_for_the_maker_alone_is_an_anomaly() -> None:
    """After half an hour, at the full rate; the neighbours are paid."""
    farm = make_farm(4, mix=MIX)
    polled = Polled(farm.units, at=START, slow_every=3, reader=registry.CHOOSING)
    sick = farm.units[0].identity.unit_id
    farm.inject(WorkDiverted(), Selector(units=(sick,)))
    for step in range(60):
        polled.sweep(START + 60.0 * step)
    by_id = {status.entry.unit_id: status for status in polled.tracker.statuses()}
    assert by_id[sick].reason is Reason.OWNER_UNPAID
    assert by_id[sick].state is UnitState.HASHING
    assert all(status.reason is not Reason.OWNER_UNPAID for unit, status in by_id.items() if unit != sick)


def test_delivered_is_without_the_makers_share() -> None:
    """What the owner's pools credited over two hours is 97 % of what the units did."""
    farm = make_farm(8, mix=MIX)
    polled = Polled(farm.units, at=START, slow_every=1, reader=registry.CHOOSING)
    polled.sweep(START)
    before = {status.entry.unit_id: status.reading for status in polled.tracker.statuses()}
    polled.sweep(START + 7200.0)
    credited = 0.0
    for status in polled.tracker.statuses():
        first, last = before[status.entry.unit_id], status.reading
        assert first is not None
        assert last is not None
        assert first.shares is not None
        assert last.shares is not None
        credited += (last.shares.difficulty_accepted or 0.0) - (first.shares.difficulty_accepted or 0.0)
    done = farm.operating_hs(START + 7200.0) * 7200.0
    assert credited * 2**32 / done == pytest.approx(1 - 0.03, abs=0.012)


async def test_the_journal_shows_reports_alone() -> None:
    """Real sockets: at most four requests at the first poll, one later; nothing that changes a unit."""
    farm = make_farm(4, mix=MIX)
    async with asyncio.timeout(60), serve_farm(farm, port=0) as server:
        client = Client(connect_timeout_s=30.0, deadline_s=30.0)
        try:
            for unit in farm.units:
                memory = registry.CHOOSING.new_memory()
                entry = msgspec.structs.replace(declared(unit), port=server.port)
                for poll in range(3):
                    talk = registry.CHOOSING.converse(
                        entry.unit_id, memory, nameplate=entry.nameplate, slow_every=100, wall=farm.clock.now
                    )
                    outcome: asyncio.Future[object] = asyncio.get_running_loop().create_future()
                    client.start((entry.host, entry.port), talk, outcome.set_result)
                    done = await outcome
                    assert getattr(done, "error", None) is None
                    assert getattr(done, "requests", 0) <= (4 if poll == 0 else 2)
        finally:
            client.close()
    assert server.journal.writes == 0
    assert set(server.journal.counts) <= {"version", "stats", "pools"}
