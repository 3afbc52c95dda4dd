"""Recordings of simulated units with a fault: whatever they send, the redacted capture is a fixpoint of its replay."""

from pathlib import Path

import pytest
from patience import PATIENT_S
from recorded_units import LOGIN, files_of, only, plan, record, written
from sim_cases import make_farm
from web_cases import served

from agent.hil.capture import form
from agent.hil.capture.exchange import Patience
from agent.hil.capture.folder import read_capture
from agent.hil.capture.recorder import WEB_PORT
from agent.hil.capture.states import State
from agent.hil.redaction.redactor import Redactor
from simulators.farm.selection import Selector
from simulators.faults.vocabulary import read_fault
from simulators.sockets.replay import read_captures
from simulators.sockets.replaying import serve_replay

HOST = "127.77.0.1"
# These never end their replies: each costs the whole deadline.
SILENT = frozenset({"stalls_in_reply"})
FAULTS = {
    "asleep": State.ASLEEP,
    "dead_board": State.HASHING,
    "no_boards": State.FAULT,
    "fan_stopped": State.FAULT,
    "slicer": State.HASHING,
    "truncated_json": State.UNREADABLE,
    "missing_nul": State.HASHING,
    "trailing_comma": State.HASHING,
    "joined_objects": State.HASHING,
    "access_denied": State.UNREADABLE,
    "refuses": State.UNREADABLE,
    "huge_reply": State.UNREADABLE,
    "nan_values": State.UNREADABLE,
    "brackets": State.UNREADABLE,
    "stalls_in_reply": State.UNREADABLE,
    "watts_elsewhere": State.HASHING,
    "rate_in_summary": State.HASHING,
}


@pytest.mark.parametrize(("fault", "state"), FAULTS.items(), ids=FAULTS)
async def test_fault_is_recorded_and_replayed(tmp_path: Path, fault: str, state: State) -> None:
    """Its state is told, and recording its replay gives every file again but for the times."""
    farm = make_farm(1)
    farm.inject(read_fault(fault, {}), Selector())
    farm.clock.advance(120.0)
    patience = Patience(deadline_s=0.3 if fault in SILENT else PATIENT_S, close_s=0.2)
    options = {"login": None if fault in SILENT else LOGIN, "patience": patience}
    async with served(farm) as site:
        planned = plan(HOST, site.api.port, web_port=site.web.port, **options)
        recording = only(await record(tmp_path, planned))
        writes = site.api.journal.writes
    assert (recording.gathering.states, writes) == ([state], 0)
    first, second = tmp_path / "first" / "s21", tmp_path / "second" / "s21"
    written(recording, first, Redactor())
    assert read_capture(first).manifest.is_redacted
    units = read_captures([first], "127.78.0.1")
    async with serve_replay(units, lambda: 1.8e9, port=0) as replayed:
        assert replayed.api is not None
        web_port = next(place.port for place in replayed.places if place.recorded == WEB_PORT)
        recording = only(await record(tmp_path, plan("127.78.0.1", replayed.api.port, web_port=web_port, **options)))
    written(recording, second, Redactor())
    files = [files_of(first), files_of(second)]
    for each in files:
        del each[form.TIMINGS]
    assert files[1] == files[0]
