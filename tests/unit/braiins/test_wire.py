"""Simulated units under Braiins OS over TCP: read by the agent's client, and never written to."""

import asyncio

import msgspec
import pytest
from braiins_units import COMMANDS
from patience import PATIENT_S
from polled_farm import declared
from sim_cases import START, make_farm

from agent.site.poller import Bounds, Poller
from agent.site.schedule import Schedule
from agent.unit import registry
from agent.unit.cgminer.client import Client
from agent.unit.reading import Poll
from simulators.sockets.serving import serve_farm


async def test_a_polled_site_is_never_written_to() -> None:
    """Every request in the journal is a report of the whitelist, and none is a write."""
    farm = make_farm(6, mix="S21:200/braiins=100%", base="127.77.18.1")
    polls: list[Poll] = []
    client = Client(connect_timeout_s=PATIENT_S, deadline_s=PATIENT_S)
    async with serve_farm(farm, port=0) as served, asyncio.timeout(PATIENT_S):
        poller = Poller(
            client=client,
            reader_of=lambda _entry: registry.CHOOSING,
            schedule=Schedule(interval_s=10.0, backoff_max_s=10.0, jitter=lambda: 1.0),
            bounds=Bounds(healthy=4, sick=4),
            slow_every=2,
            on_poll=lambda poll, _: polls.append(poll),
            on_skipped=lambda reason, skipped: pytest.fail(f"{skipped} polls skipped: {reason}"),
            wall=lambda: START,
        )
        poller.replace_entries([msgspec.structs.replace(declared(unit), port=served.port) for unit in farm.units])
        for _ in range(4):
            await poller.sweep()
        client.close()
        journal = served.journal
    assert [poll.error for poll in polls] == [None] * 24
    assert {poll.reading.reader for poll in polls if poll.reading is not None} == {"braiins"}
    assert max(poll.requests for poll in polls) == 5
    assert journal.writes == 0
    assert set(journal.counts) == {"version", *COMMANDS}
    assert journal.counts["summary"] == 24
