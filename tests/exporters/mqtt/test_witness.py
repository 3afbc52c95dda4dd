"""The second path to a primary: what counts as its figures, and what does not."""

import structlog
from brokers import ROOT, SITE

from agent.exporters.mqtt.connection import Received
from agent.exporters.mqtt.witness import Witness

FIGURES = f"{ROOT}/figures"


def heard(payload: bytes, *, topic: str = FIGURES, is_retained: bool = False) -> int:
    """Return how often another agent was heard in one message."""
    signs: list[None] = []
    witness = Witness((), SITE, own_run=lambda: "ours", on_heard=lambda: signs.append(None))
    with structlog.testing.capture_logs() as logs:
        assert witness.hear(Received(topic, payload, is_retained))
    assert logs == []
    return len(signs)


def test_figures_of_another_run_are_a_sign() -> None:
    """Retained ones are old, and our own say nothing of the primary."""
    assert heard(b'{"boot_id": "theirs", "seq": 1}') == 1
    assert heard(b'{"boot_id": "theirs"}', is_retained=True) == 0
    assert heard(b'{"boot_id": "ours"}') == 0
    assert heard(b'{"boot_id": "theirs"}', topic=f"{ROOT}/agent") == 0


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
