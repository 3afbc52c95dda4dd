"""Orders to curtail: parsed strictly, and turned into events without contradictions."""

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from site_cases import AT, entry

from agent.site.curtailment.events import Event, Phase, Scope
from agent.site.curtailment.orders import (
    MAX_ORDER_BYTES,
    OrderError,
    Refusal,
    StartOrder,
    empty_scope,
    order_event,
    read_order,
)
from agent.site.ledger.entries import Place


def ordered(taken: tuple[str, ...] = (), **fields: Any) -> Event:
    """Return the event of an order with these fields, received at `AT`."""
    order = read_order(json.dumps({"target_percent": 0, **fields}).encode())
    return order_event(order, at=AT, source="api", is_taken=lambda name: name in taken)


def iso(after_s: float, at: float = AT) -> str:
    """Return the ISO time so many seconds after `AT`."""
    return datetime.fromtimestamp(at + after_s, UTC).isoformat()


def test_the_least_order_starts_now_everywhere_until_stopped() -> None:
    """Only the target is required."""
    assert ordered() == Event(
        id="20251120T213600Z",
        start=AT,
        end=None,
        target_ratio=0.0,
        scope=Scope(),
        source="api",
        is_started=True,
        is_stopped=False,
    )


def test_an_order_with_everything() -> None:
    """Every field reaches the event; percent becomes a ratio, and offsets are respected."""
    assert ordered(
        target_percent=60.0,
        scope={"container": "C2", "rack": "R1", "model": "S21", "unit": "u7"},
        start="2025-11-20T18:00:00-05:00",
        end="2025-11-21T00:00:00Z",
        source="ERCOT 4CP",
        id="call.7",
    ) == Event(
        id="call.7",
        start=datetime(2025, 11, 20, 23, tzinfo=UTC).timestamp(),
        end=datetime(2025, 11, 21, tzinfo=UTC).timestamp(),
        target_ratio=0.6,
        scope=Scope(container="C2", rack="R1", model="S21", unit="u7"),
        source="ERCOT 4CP",
    )


@pytest.mark.parametrize(
    ("fields", "start_s", "end_s", "is_started"),
    [
        ({"duration_s": 7200}, 0, 7200, True),
        ({"start": iso(600)}, 600, None, False),
        ({"start": iso(600), "duration_s": 60}, 600, 660, False),
        # Declared late.
        ({"start": iso(-3600)}, -3600, None, True),
        ({"start": iso(-3600), "duration_s": 7200}, -3600, 3600, True),
    ],
)
def test_times(fields: dict[str, Any], start_s: float, end_s: float | None, *, is_started: bool) -> None:
    """A duration counts from the start; an event that began by now is started, a later one follows the clock."""
    made = ordered(**fields)
    assert (made.start, made.end, made.is_started) == (AT + start_s, end_s and AT + end_s, is_started)
    assert made.phase_at(AT) is (Phase.ACTIVE if is_started else Phase.PENDING)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"end": iso(0)}, "end: a time after the start and after now is expected"),
        ({"start": iso(60), "end": iso(60)}, "end: a time after the start and after now is expected"),
        ({"start": iso(-60), "end": iso(-30)}, "end: a time after the start and after now is expected"),
        ({"end": iso(60), "duration_s": 60}, "end or duration_s is expected, not both"),
        ({"start": iso(-86401)}, "start: a time from a day ago to a year ahead is expected"),
        ({"start": iso(367 * 86400)}, "start: a time from a day ago to a year ahead is expected"),
        ({"end": iso(367 * 86400)}, "end: at most a year after the start is expected"),
        ({"start": "0001-01-01T00:00:00+14:00"}, "start: a time from a day ago to a year ahead is expected"),
        ({"source": "\x1b[2J"}, "source and scope: printable characters are expected"),
        ({"scope": {"rack": "\n"}}, "source and scope: printable characters are expected"),
    ],
)
def test_contradictions_are_refused(fields: dict[str, Any], reason: str) -> None:
    """An order that contradicts the clock or itself changes nothing, and says which field is wrong."""
    with pytest.raises(OrderError) as caught:
        ordered(**fields)
    assert (caught.value.refusal, str(caught.value)) == (Refusal.MALFORMED, reason)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "Input data was truncated"),
        (b"[]", "Expected `object`, got `array`"),
        (b"{}", "Object missing required field `target_percent`"),
        (b'{"target_percent":100}', "Expected `float` < 100.0 - at `$.target_percent`"),
        (b'{"target_percent":-1}', "Expected `float` >= 0.0 - at `$.target_percent`"),
        (b'{"target_percent":"0"}', "Expected `float`, got `str` - at `$.target_percent`"),
        (b'{"target_percent":NaN}', "JSON is malformed: invalid character (byte 18)"),
        (b'{"target_percent":0,"scop":{}}', "Object contains unknown field `scop`"),
        (b'{"target_percent":0,"scope":{"site":true}}', "Object contains unknown field `site` - at `$.scope`"),
        (b'{"target_percent":0,"scope":{"rack":""}}', "Expected `str` of length >= 1 - at `$.scope.rack`"),
        (b'{"target_percent":0,"start":"2025-10-07T16:00"}', "Invalid RFC3339 encoded datetime - at `$.start`"),
        (
            b'{"target_percent":0,"start":"2025-10-07T16:00:00"}',
            "Expected `datetime` with a timezone component - at `$.start`",
        ),
        (b'{"target_percent":0,"duration_s":0}', "Expected `float` > 0.0 - at `$.duration_s`"),
        (b'{"target_percent":0,"id":"a b"}', None),
        (b"[" * 20_000, None),
        (b" " * (MAX_ORDER_BYTES + 1), "longer than 16384 bytes"),
        (b'{"target_percent":0,"source":"\xff"}', None),
        (b'{"target_percent":0,"target_percent":99}', "Object has the key `target_percent` twice"),
        (b'{"target_percent":0,"target\\u005fpercent":0}', "Object has the key `target_percent` twice"),
        (b'{"target_percent":0,"scope":{"unit":"u1"},"scope":{}}', "Object has the key `scope` twice"),
        (b'{"target_percent":0,"scope":{"rack":"R1","rack":"R2"}}', "Object has the key `rack` twice"),
    ],
)
def test_what_is_no_order_is_refused(payload: bytes, reason: str | None) -> None:
    """Anything that is not exactly an order is malformed, with the field and what is expected of it."""
    with pytest.raises(OrderError) as caught:
        read_order(payload)
    assert caught.value.refusal is Refusal.MALFORMED
    if reason is not None:
        assert str(caught.value) == reason


@given(st.binary(max_size=200))
def test_any_bytes_are_an_order_or_malformed(payload: bytes) -> None:
    """Any payload gives an order or an OrderError."""
    order = None
    with suppress(OrderError):
        order = read_order(payload)
    assert order is None or isinstance(order, StartOrder)


def test_events_of_one_second_get_names_of_their_own() -> None:
    """A new id gets a number if it is taken."""
    assert ordered(("20251120T213600Z", "20251120T213600Z-2")).id == "20251120T213600Z-3"


LEDGER = (entry(), entry("C1-R1-02", place=Place(container="South", rack="R2")))


@pytest.mark.parametrize(
    ("scope", "reason"),
    [
        (Scope(), None),
        (Scope(container="South", rack="R2"), None),
        (Scope(container="south"), "no unit of the ledger is in container south; did you mean South?"),
        (Scope(model="S9"), "no unit of the ledger is in model S9"),
        (Scope(model="S19"), "no unit of the ledger is in model S19"),
        (Scope(container="C1", rack="R2"), "no unit of the ledger is in container C1, rack R2"),
        (Scope(unit="C1-R1-2"), "no unit of the ledger is in unit C1-R1-2; did you mean C1-R1-02?"),
    ],
)
def test_a_scope_without_units_is_a_slip(scope: Scope, reason: str | None) -> None:
    """A name that no unit of the ledger has is refused, with the nearest known one."""
    assert empty_scope(scope, LEDGER) == reason
