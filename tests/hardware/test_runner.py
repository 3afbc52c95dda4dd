"""The suite against units on real sockets: the same verdicts as without them, and a report to attach."""

import asyncio
import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hardware_targets import FEW_POLLS, NAMES
from hardware_units import MOST_UNITS, read_units
from observed_units import afflicted, observed
from paths import ROOT
from patience import PATIENT_S
from sim_cases import START, make_farm, make_unit

from agent.address import Endpoint
from agent.hil.capture.exchange import Patience
from agent.hil.capture.form import Capture
from agent.hil.verify.checks.catalogue import verdicts_of
from agent.hil.verify.looking import Series, look_at
from agent.hil.verify.verdict import Outcome
from simulators.faults.vocabulary import read_fault
from simulators.sockets.serving import serve_farm

PATIENT = Patience(connect_s=PATIENT_S, deadline_s=PATIENT_S, close_s=0.1)
BRIEF = Patience(connect_s=PATIENT_S, deadline_s=0.2)
"""For a unit that never answers."""
FRAMING = ("replies_arrive_whole", "one_nul_ends_a_reply", "the_unit_closes", "replies_are_small", "replies_are_json")


async def looked_at(name: str, values: Mapping[str, Any], series: Series) -> Capture:
    """Return what a simulated unit with a fault answers on real sockets."""
    farm = make_farm(1, base="127.84.0.1")
    if name:
        farm.inject(read_fault(name, values))
    async with serve_farm(farm, port=0) as server:
        endpoint = Endpoint(farm.units[0].identity.host, server.port)
        return await look_at(endpoint, series, clock=time.monotonic, recorded_at="2025-10-09T08:53:20Z")


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("", {}),
        ("missing_nul", {}),
        ("slow_close", {"linger_s": 0.5}),
        ("limit_data", {}),
        ("reset_peer", {}),
        ("reset_peer", {"after_bytes": 100}),
        ("timeout", {}),
        ("huge_reply", {"size_bytes": 2_000_000}),
        ("truncated_json", {}),
        ("joined_objects", {}),
        ("speaks_http", {}),
    ],
)
async def test_sockets_and_simulated_time_agree(name: str, values: Mapping[str, Any]) -> None:
    """The endings that real sockets show are those that the suite works out without them."""
    on_sockets = await looked_at(name, values, Series(patience=BRIEF if name == "timeout" else PATIENT))
    unit = make_unit("S21")
    in_time = observed(afflicted(unit, [read_fault(name, values)] if name else [], START), START + 1, name="", polls=0)
    expected = {verdict.check: verdict.outcome for verdict in verdicts_of(in_time) if verdict.check in FRAMING}
    found = {verdict.check: verdict.outcome for verdict in verdicts_of(on_sockets) if verdict.check in FRAMING}
    assert found == expected


async def test_a_series_on_sockets_is_timed() -> None:
    """Each poll of a series is timed, and a second look follows."""
    capture = await looked_at("", {}, Series(polls=FEW_POLLS, every_s=0.001))
    assert capture.timings is not None
    assert [moment.folder for moment in capture.manifest.moments] == ["moments/01-later"]
    assert sum(timing.request == "stats new_api" for timing in capture.timings.replies) == FEW_POLLS + 2
    outcomes = {verdict.check: verdict.outcome for verdict in verdicts_of(capture)}
    assert outcomes["polls_are_answered"] is Outcome.HOLDS


async def test_a_port_that_refuses_is_asked_once() -> None:
    """Nothing is asked again of a unit that accepts no connection."""
    farm = make_farm(1, base="127.84.0.1")
    async with serve_farm(farm, port=0) as server:
        port = server.port
    capture = await look_at(
        Endpoint("127.84.0.1", port), Series(polls=FEW_POLLS), clock=time.monotonic, recorded_at="2025-10-09T08:53:20Z"
    )
    assert (len(capture.manifest.replies), capture.manifest.ports) == (1, {str(port): "refused"})


async def test_units_named_on_the_command_line(tmp_path: Path) -> None:
    """`--units` runs every check on each unit; the report says what holds, what is broken, what is not answered."""
    farm = make_farm(2, base="127.84.0.1")
    farm.inject(read_fault("missing_nul", {}))
    async with serve_farm(farm, port=0) as server:
        units = ",".join(f"{unit.identity.host}:{server.port}" for unit in farm.units)
        command = [sys.executable, "-m", "pytest", "tests/hardware/test_live.py", "-q", "-p", "no:cacheprovider"]
        command += ["--units", units, "--polls", str(FEW_POLLS), "--every", "0.001", "--report", str(tmp_path / "hil")]
        process = await asyncio.create_subprocess_exec(
            *command, cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        async with asyncio.timeout(PATIENT_S):
            output, _ = await process.communicate()
        assert server.journal.writes == 0
    text = output.decode()
    assert process.returncode == 1, text
    assert text.count("FAILED tests/hardware/test_live.py") == 2
    report = json.loads((tmp_path / "hil.json").read_bytes())
    assert [unit["model"] for unit in report["units"]] == ["Antminer S21"] * 2
    for unit in report["units"]:
        by_outcome = {
            outcome: [each["check"] for each in unit["verdicts"] if each["outcome"] == outcome] for outcome in Outcome
        }
        assert by_outcome["broken"] == ["one_nul_ends_a_reply"]
        assert by_outcome["unanswered"] == ["power_fits_the_rate", "uptime_advances"]
        assert len(by_outcome["holds"]) == len(NAMES) - 3
    written = (tmp_path / "hil.txt").read_text()
    assert "BROKEN one_nul_ends_a_reply (the agent copes)" in written
    assert "not answered: power_fits_the_rate: no power is reported (O63)" in written
    assert farm.units[0].identity.board_serials[0] not in written + json.dumps(report)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ()),
        ("10.20.0.11", (Endpoint("10.20.0.11", 4028),)),
        (" 10.20.0.11 , 10.20.0.12:4029,", (Endpoint("10.20.0.11", 4028), Endpoint("10.20.0.12", 4029))),
        ("[fd00::1]:4029", (Endpoint("fd00::1", 4029),)),
    ],
)
def test_units_are_read(text: str, expected: tuple[Endpoint, ...]) -> None:
    """Private addresses, each with a port if it is not the usual one."""
    assert read_units(text) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("203.0.113.9", "'203.0.113.9': not a private address; real units are looked at in private networks only"),
        ("10.20.0.11,miner-7", "'miner-7': a literal IP address is expected"),
        ("10.20.0.11,10.20.0.11:4028", "'10.20.0.11:4028' stands twice"),
        (",".join(f"10.20.0.{at}" for at in range(1, MOST_UNITS + 2)), "65 units are too many at once; at most 64"),
    ],
)
def test_units_that_may_not_be_asked_are_refused(text: str, reason: str) -> None:
    """Public addresses, names, one unit twice, and too many: refused before anything is sent."""
    with pytest.raises(ValueError, match=r".") as refused:
        read_units(text)
    assert str(refused.value).startswith(reason)
