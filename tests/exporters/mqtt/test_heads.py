"""Heads of the history's chain at a real mosquitto: retained, read back, and held against the history."""

import asyncio
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from brokers import ROOT, consumer, mosquitto, payloads
from chained import Keeper
from history_cases import AT
from mqtt_agent import delivering, exporter, publish_figures, section
from patience import PATIENT_S

from agent.exporters.mqtt.exporter import MqttExporter
from agent.files.signing import PublicKey, public_file, read_public_key
from agent.history.chain.heads import SignedHead
from agent.history.heads import MOST_OTHER_KEYS, key_file, latest_file, log_file

pytestmark = pytest.mark.program("mosquitto")


def wired(folder: Path, port: int, keeper: Keeper, client_id: str = "first") -> MqttExporter:
    """Return an exporter that passes what it hears of heads on to a history."""
    (folder / client_id).mkdir(exist_ok=True)
    side = exporter(folder / client_id, section(port, client_id=client_id))
    side.hear_heads(keeper.history.hear_head)
    return side


def tell(side: MqttExporter, keeper: Keeper) -> None:
    """Publish the heads of a history, then figures, as the agent does each interval."""
    health = keeper.history.health
    side.on_heads((health.day_head, health.head))
    publish_figures(side, 1)


async def heard(keeper: Keeper, heads: int = 2) -> None:
    """Wait until a history has heard heads, and let it judge."""
    async with asyncio.timeout(PATIENT_S):
        while len(keeper.history._heard) < heads:  # noqa: ASYNC110  a queue that sets no event
            await asyncio.sleep(0.01)
    keeper.minute()


def public(keeper: Keeper) -> PublicKey:
    """Return the public key of a history."""
    return read_public_key(public_file(key_file(keeper.path)), where="test")


def doubts(keeper: Keeper) -> dict[str, int]:
    """Return what spoke against a history."""
    return {reason: times for reason, times in keeper.history.health.doubts.items() if times}


async def test_heads_are_retained_and_fit_their_own_history(tmp_path: Path) -> None:
    """The day's and the latest head are retained, signed, and no surprise when a later run reads them back."""
    keeper = Keeper(tmp_path / "site.history.sqlite")
    keeper.minutes(62)
    topic = f"{ROOT}/chain/{public(keeper).id}"
    async with mosquitto(tmp_path / "broker") as broker:
        for _ in range(2):
            async with delivering(wired(tmp_path, broker.port, keeper)) as side:
                tell(side, keeper)
                with consumer(broker.port, f"{ROOT}/chain/#") as reader:
                    await reader.until(lambda got: len({name for name, body, _ in got if body}) == 2)
                await heard(keeper)
        assert doubts(keeper) == {}
        bodies = {name: body for name, body, _ in reader.messages if body}
    assert set(bodies) == {f"{topic}/day", f"{topic}/hour"}
    for name, health in (
        (f"{topic}/day", keeper.history.health.day_head),
        (f"{topic}/hour", keeper.history.health.head),
    ):
        signed = SignedHead.parse(bodies[name])
        assert signed == health
        assert signed.is_signed_by(public(keeper))
    keeper.history.close()


async def test_a_rolled_back_history_is_told_by_the_broker(tmp_path: Path) -> None:
    """A copy of the whole machine from yesterday fits the heads beside it, and not the one that the broker retained."""
    keeper = Keeper(tmp_path / "site.history.sqlite")
    keeper.minutes(5)
    keeper.history.close()
    (tmp_path / "backup").mkdir()
    beside = [keeper.path, key_file(keeper.path), log_file(keeper.path), latest_file(keeper.path)]
    for file in beside:
        shutil.copy2(file, tmp_path / "backup" / file.name)
    keeper.minutes(65)
    async with mosquitto(tmp_path / "broker") as broker:
        async with delivering(wired(tmp_path, broker.port, keeper)) as side:
            tell(side, keeper)
            with consumer(broker.port, f"{ROOT}/chain/#") as reader:
                await reader.until(lambda got: any(name.endswith("/hour") for name, _, _ in got))
        keeper.history.close()
        for file in beside:
            shutil.copy2(tmp_path / "backup" / file.name, file)
        again = Keeper(keeper.path, at=keeper.now)
        again.minute()
        assert doubts(again) == {}
        async with delivering(wired(tmp_path, broker.port, again)):
            await heard(again)
    assert doubts(again) == {"rolled_back": 1}
    (fact,) = again.history._file.chain_facts("rolled_back")  # type: ignore[union-attr]
    assert fact.body["known_seq"] > fact.body["seq"]
    again.history.close()


async def test_a_cloned_machine_is_told(tmp_path: Path) -> None:
    """Two agents with one key and one history that went apart: each hears the other's head while both run."""
    first = Keeper(tmp_path / "site.history.sqlite")
    first.minutes(5)
    first.history.close()
    (tmp_path / "clone").mkdir()
    for file in (first.path, key_file(first.path), log_file(first.path), latest_file(first.path)):
        shutil.copy2(file, tmp_path / "clone" / file.name)
    second = Keeper(tmp_path / "clone" / "site.history.sqlite", at=first.now)
    first.minutes(61)
    second.minutes(30)
    async with (
        mosquitto(tmp_path / "broker") as broker,
        delivering(wired(tmp_path, broker.port, second, "second")),
        delivering(wired(tmp_path, broker.port, first)) as side,
    ):
        tell(side, first)
        await heard(second)
    assert doubts(second) == {"forked": 1}
    first.history.close()
    second.history.close()


@pytest.mark.parametrize("is_known", [False, True])
async def test_another_key_is_told_unless_it_is_known(tmp_path: Path, *, is_known: bool) -> None:
    """Heads that another key signs for this site are told once, and not if the configuration names that key."""
    (tmp_path / "other").mkdir()
    other = Keeper(tmp_path / "other" / "site.history.sqlite")
    other.minutes(2)
    keeper = Keeper(tmp_path / "site.history.sqlite", others=(public(other).id,) if is_known else ())
    keeper.minutes(2)
    async with mosquitto(tmp_path / "broker") as broker:
        async with delivering(wired(tmp_path, broker.port, other, "second")) as side:
            tell(side, other)
            with consumer(broker.port, f"{ROOT}/chain/#") as reader:
                await reader.until(lambda got: payloads(got, f"{ROOT}/chain/{public(other).id}/hour"))
        async with delivering(wired(tmp_path, broker.port, keeper)):
            await heard(keeper)
    assert doubts(keeper) == ({} if is_known else {"other_key": 1})
    assert len(list(keeper.history._file.chain_facts("other_key"))) == (0 if is_known else 1)  # type: ignore[union-attr]
    keeper.history.close()
    other.history.close()


def test_nonsense_at_the_broker_says_nothing(tmp_path: Path) -> None:
    """Heads without a signature, with a wrong one, or of another site are passed over, and the rest is no head."""
    keeper = Keeper(tmp_path / "site.history.sqlite", at=AT)
    keeper.minutes(3)
    head = keeper.history.health.head
    assert head is not None
    later = SignedHead(replace(head.head, seq=999), head.signature)
    foreign = SignedHead(replace(head.head, site="beta", key="0" * 16), head.signature)
    for signed in (later, foreign, SignedHead(later.head, None)):
        keeper.history.hear_head(signed, "site", True)  # noqa: FBT003  a callback's signature
    keeper.minute()
    assert doubts(keeper) == {}
    keeper.history.close()


def test_a_broker_that_invents_keys_does_not_fill_the_chain(tmp_path: Path) -> None:
    """Nobody can check what an unknown key signed: some become facts, the others only the doubt they belong to."""
    keeper = Keeper(tmp_path / "site.history.sqlite", at=AT)
    keeper.minutes(3)
    head = keeper.history.health.head
    assert head is not None
    for begin in range(0, 200, 50):
        for number in range(begin, begin + 50):
            signed = SignedHead(replace(head.head, key=f"{number:016x}", seq=1 + number), head.signature)
            keeper.history.hear_head(signed, "site", True)  # noqa: FBT003  a callback's signature
        long = SignedHead(replace(head.head, key="k" * 60_000), head.signature)
        keeper.history.hear_head(long, "site", True)  # noqa: FBT003  a callback's signature
        keeper.minute()
    assert keeper.history.health.doubts["other_key"] == MOST_OTHER_KEYS
    told = list(keeper.history._file.chain_facts("other_key"))  # type: ignore[union-attr]
    assert [fact.body["key"] for fact in told] == [f"{number:016x}" for number in range(MOST_OTHER_KEYS)]
    keeper.history.close()
