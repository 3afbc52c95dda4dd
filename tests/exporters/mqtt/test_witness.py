"""The second path to a primary: what counts as its figures, and what does not."""

from pathlib import Path

import msgspec
import structlog
from brokers import ROOT, SITE

from agent.config.sections import MqttSection
from agent.exporters.mqtt.assembly import assemble
from agent.exporters.mqtt.connection import Received
from agent.exporters.mqtt.intake import Door
from agent.exporters.mqtt.links import Link
from agent.exporters.mqtt.witness import Witness

FIGURES = f"{ROOT}/figures"


def links(client_id: str) -> tuple[Link]:
    """Return the link to the one broker."""
    return (Link(name="site", host="127.0.0.1", port=1883, client_id=client_id),)


def published(client_id: str) -> bytes:
    """Return figures of a new run of an agent, as far as they say whose they are."""
    exporter = assemble(
        (MqttSection(name="site", host="127.0.0.1"),),
        links(client_id),
        site=SITE,
        version="1",
        config_file=Path("site.toml"),
        door=lambda meters: Door(book=None, in_force=tuple, meters=meters, has=lambda _: False),  # type: ignore[arg-type]
        clock=lambda: 0.0,
        wall=lambda: 0.0,
    )
    return msgspec.json.encode({"boot_id": exporter._composer.boot_id})


def heard(payload: bytes, *, topic: str = FIGURES, is_retained: bool = False) -> int:
    """Return how often another agent was heard in one message."""
    signs: list[None] = []
    witness = Witness(links("hashsight-alpha-site-standby"), SITE, on_heard=lambda: signs.append(None))
    with structlog.testing.capture_logs() as logs:
        assert witness.hear(Received(topic, payload, is_retained))
    assert logs == []
    return len(signs)


def test_figures_of_another_run_are_a_sign() -> None:
    """Retained ones are old, and our own say nothing of the primary."""
    theirs = published("hashsight-alpha-site")
    assert heard(theirs) == 1
    assert heard(theirs, is_retained=True) == 0
    assert heard(theirs, topic=f"{ROOT}/agent") == 0


def test_an_earlier_process_of_this_agent_is_no_primary() -> None:
    """Its figures wait in the outbox, and this process sends them: a standby that heard itself gave back to nobody."""
    ours = [published("hashsight-alpha-site-standby") for _ in range(2)]
    assert ours[0] != ours[1]
    assert [heard(payload) for payload in ours] == [0, 0]


def test_other_bytes_are_no_sign() -> None:
    """Anybody at the broker may publish there: none of it raises, and none of it is logged once a message."""
    for payload in (
        b"",
        b"[]",
        b"null",
        b'{"boot_id": 5}',
        b'{"boot_id": "\xff"}',
        b'{"boot_id": "a", "x": ' + b"[" * 90_000,
    ):
        assert heard(payload) == 0
