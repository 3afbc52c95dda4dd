"""Curtailments as two agents exchange them: read from a list, and what the other one lacks."""

from datetime import UTC, datetime

import msgspec
import pytest
from site_cases import AT

from agent.exporters.web.curtailment_answers import curtailment_list_answer
from agent.site.curtailment.events import Curtailments, Event, Scope
from agent.site.event_figures import EventFigures, event_figures
from agent.standby.orders import missing_orders, read_events


def event(name: str, **changes: object) -> Event:
    """Return an event that began an hour ago and has no end."""
    given: dict[str, object] = {
        "id": name,
        "start": AT - 3600,
        "end": None,
        "target_ratio": 0.25,
        "scope": Scope(container="C1"),
        "source": "grid",
        "is_started": True,
    }
    return Event(**{**given, **changes})  # type: ignore[arg-type]


def listed(*events: Event) -> bytes:
    """Return the list as the primary's API answers it."""
    figures: tuple[EventFigures, ...] = event_figures(Curtailments((), events), (), AT)
    return msgspec.json.encode(curtailment_list_answer("alpha", figures, AT))


def altered(key: str, value: object) -> bytes:
    """Return the list with one event, of which one field is altered."""
    body = msgspec.json.decode(listed(event("a")))
    body["curtailments"][0][key] = value
    return msgspec.json.encode(body)


def test_a_percent_is_the_same_here_and_there() -> None:
    """0.07 is listed as 7.000000000000001; an order repeated at the other agent must find its event unchanged."""
    (found,) = read_events(listed(event("a", target_ratio=0.07)), site="alpha")
    assert found.target_ratio == 0.07
    ((_, order),) = missing_orders((found,), (), at=AT)
    assert order is not None
    assert order["target_percent"] == 7.0


def test_an_event_of_days_ago_is_handed_back_as_late_as_an_order_may_come() -> None:
    """A takeover may last for days; the primary takes no order of more than a day ago."""
    ((_, order),) = missing_orders((event("a", start=AT - 3 * 86400.0),), (), at=AT)
    assert order is not None
    assert order["start"] == "2025-11-19T22:36:00+00:00"


@pytest.mark.parametrize(("offset_s", "expected_s"), [(0.0, 0.0), (-3600.0, -3600.0), (3600.0, 0.0)])
def test_what_is_in_force_here_begins_at_once_under_another_clock(offset_s: float, expected_s: float) -> None:
    """The primary's clock is an hour behind: an order of this minute is no order for in an hour."""
    orders = dict(missing_orders((event("a", start=AT),), (), at=AT, offset_s=offset_s))
    assert orders["a"] is not None
    assert orders["a"]["start"] == datetime.fromtimestamp(AT + expected_s, UTC).isoformat()


def test_a_time_to_come_is_the_orders_own() -> None:
    """A pending event keeps its start, and one of days ago is as late as the primary's clock allows."""
    pending, old = event("p", start=AT + 60, is_started=False), event("o", start=AT - 3 * 86400.0)
    orders = dict(missing_orders((pending, old), (), at=AT, offset_s=-3600.0))
    starts = {name: order and order["start"] for name, order in orders.items()}
    assert starts == {"p": "2025-11-20T21:37:00+00:00", "o": "2025-11-19T21:36:00+00:00"}


def test_open_events_come_over_whole() -> None:
    """Pending, active and stopped a moment ago; ended ones and the schedule's stay where they are."""
    active, pending = event("a"), event("p", start=AT + 600, end=AT + 1200, is_started=False, scope=Scope())
    stopped = event("s", end=AT - 60, is_stopped=True)
    over, scheduled = event("o", end=AT - 86400, start=AT - 90000), event("schedule:peak:2025-11-20")
    found = read_events(listed(active, pending, stopped, over, scheduled), site="alpha")
    assert {each.id: each for each in found} == {"a": active, "p": pending, "s": stopped}


@pytest.mark.parametrize(
    ("body", "site", "reason"),
    [
        (b"<html>", "alpha", "no list of curtailments"),
        (b'{"site": "alpha"}', "alpha", "missing required field"),
        (listed(), "beta", "the list of site 'alpha', not of 'beta'"),
        (b'{"site": "\xff"}', "alpha", "no list of curtailments"),
        (b'{"site": "alpha", "more": ' + b"[" * 100_000, "alpha", "no list of curtailments"),
        (altered("target_percent", 100.0), "alpha", "event 'a' contradicts itself"),
        (altered("target_percent", -5.0), "alpha", "event 'a' contradicts itself"),
        (altered("start", "9999-12-31T23:59:59-12:00"), "alpha", "event 'a' contradicts itself"),
        (altered("start", "2025-11-20T20:00:00"), "alpha", "no list of curtailments"),
        (altered("id", "a\n"), "alpha", "is no id of a curtailment"),
        (altered("source", "\x1b[31m"), "alpha", "event 'a': source and scope need 1 to 64 printable characters"),
        (altered("source", "x" * 65), "alpha", "event 'a': source and scope need"),
        (altered("scope", {"feeder": "F1"}), "alpha", "event 'a': a scope of an unknown kind: 'feeder'"),
        (listed(*(event(f"e{number}") for number in range(201))), "alpha", "201 open curtailments"),
    ],
    ids=[
        *("no JSON", "no list", "another site", "no UTF-8", "nested", "over a hundred", "below zero", "year 10000"),
        *("no offset", "a line end", "a colour", "a long source", "an unknown kind", "too many"),
    ],
)
def test_anything_else_is_refused(body: bytes, site: str, reason: str) -> None:
    """A wrong address must not empty the book."""
    with pytest.raises(ValueError, match=reason):
        read_events(body, site=site)


def test_what_a_primary_lacks_is_handed_back_once() -> None:
    """Events ordered at the standby are started there, those stopped at the standby are stopped, others are left."""
    both, ours = event("both"), event("ours", end=AT + 600)
    stopped_here = event("stopped", end=AT - 60, is_stopped=True)
    theirs = (both, event("stopped"), event("theirs"))
    orders = dict(missing_orders((both, ours, stopped_here, event("old", end=AT - 5000)), theirs, at=AT))
    assert set(orders) == {"ours", "stopped"}
    assert orders["stopped"] is None
    assert orders["ours"] == {
        "id": "ours",
        "start": "2025-11-20T20:36:00+00:00",
        "end": "2025-11-20T21:46:00+00:00",
        "target_percent": 25.0,
        "scope": {"container": "C1"},
        "source": "grid",
    }
