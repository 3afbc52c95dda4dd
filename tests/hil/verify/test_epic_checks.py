"""Checks of ePIC firmware's pages, and such a unit beside another: what breaks, and what changes the reading."""

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from epic_units import FOLDER
from paths import CAPTURES
from recorded_units import only, plan, record, written
from sim_cases import make_farm

from agent.address import Endpoint
from agent.hil.capture.exchange import Patience
from agent.hil.capture.folder import read_capture
from agent.hil.capture.form import Capture
from agent.hil.capture.requests import Firmware
from agent.hil.verify import looking
from agent.hil.verify.against import held_against
from agent.hil.verify.alone import held_to_checks
from agent.hil.verify.checks.catalogue import EPIC_CHECKS, verdicts_of
from agent.hil.verify.looking import Series, look_at
from agent.hil.verify.verdict import Outcome
from simulators.sockets.serving import serve_farm

RECORDED = read_capture(FOLDER)
SUMMARY = "http4028-summary.json"


def edited(edit: Callable[[Any], None], file: str = SUMMARY) -> Capture:
    """Return the recorded unit with one page altered."""
    body = json.loads(RECORDED.data[file])
    edit(body)
    return msgspec.structs.replace(RECORDED, data={**RECORDED.data, file: json.dumps(body, indent=2).encode()})


def broken(capture: Capture) -> set[str]:
    """Return the checks that a capture breaks."""
    return {verdict.check for verdict in verdicts_of(capture) if verdict.outcome is Outcome.BROKEN}


def put(*steps: str | int, value: Any) -> Callable[[Any], None]:
    """Return an edit that puts a value somewhere, or drops the key for `...`."""

    def edit(body: Any) -> None:
        for step in steps[:-1]:
            body = body[step]
        if value is ...:
            del body[steps[-1]]
        else:
            body[steps[-1]] = value

    return edit


def test_the_recorded_unit_breaks_none() -> None:
    """It is held to the checks of its own pages alone."""
    verdicts = verdicts_of(RECORDED)
    assert [verdict.check for verdict in verdicts] == [check.name for check in EPIC_CHECKS]
    assert broken(RECORDED) == set()
    assert held_to_checks(RECORDED).changes_meaning == 0


@pytest.mark.parametrize(
    ("edit", "breaks"),
    [
        (put("Session", value=...), {"summary_has_its_sections"}),
        (put("Status", "Operating State", value="Dancing"), {"epic_state_is_known"}),
        (put("HBs", 0, "Index", value=0), {"running_boards_are_enabled"}),
        (put("Session", "Active HBs", value=3), {"running_boards_are_enabled"}),
        (put("HBs", 1, "Hashrate", 1, value=10.4), {"board_rates_fit_their_clocks"}),
        (put("HBs", 1, "Hashrate", value=[]), {"board_rates_fit_their_clocks"}),
        (put("Power Supply Stats", "Input Power", value=0.0), {"supply_fits_the_rate"}),
        (put("HBs", value=None), set()),
    ],
)
def test_each_check_is_broken_by_something(edit: Callable[[Any], None], breaks: set[str]) -> None:
    """With one value altered, exactly the checks that are about it."""
    assert broken(edited(edit)) == breaks


def test_a_page_that_is_no_json_or_was_cut() -> None:
    """The page of chips is broken; the first page is what tells the firmware."""
    cut = msgspec.structs.replace(RECORDED, data={**RECORDED.data, "http4028-temps.json": b'[{"Data":'})
    assert broken(cut) == {"replies_are_json"}


def test_against_itself_nothing_differs() -> None:
    """Page by page."""
    found = held_against(RECORDED, RECORDED)
    assert (found.differences, found.changes_meaning) == ((), 0)
    assert found.compared


def test_a_key_that_is_read_changes_the_meaning() -> None:
    """A supply that no longer tells its power is another reading; a locale is none."""
    missing = held_against(RECORDED, edited(put("Power Supply Stats", "Input Power", value=...)))
    assert any(each.changes_meaning and "Input Power" in each.path for each in missing.differences)
    other = held_against(RECORDED, edited(put("OS Type", value="anotherOS")))
    assert not other.changes_meaning
    assert [each.path for each in other.differences] == ["GET :4028/summary: OS Type"]


async def test_of_a_recorded_unit_too_a_trial_finds_the_meaning(tmp_path: Path) -> None:
    """Its pages have heads with a length, which an altered page does not keep to."""
    farm = make_farm(1, mix="S21:200/epic=100%")
    async with serve_farm(farm, port=0) as server:
        recording = only(await record(tmp_path, plan(farm.units[0].identity.host, server.port)))
    capture = written(recording, tmp_path / "a").capture
    body = json.loads(capture.data[SUMMARY])
    body["Power Supply Stats"]["Input Power"] = None
    del body["OS Type"]
    data = {**capture.data, SUMMARY: json.dumps(body).encode()}
    found = held_against(capture, msgspec.structs.replace(capture, data=data))
    told = {each.path.rpartition(": ")[2]: each.changes_meaning for each in found.differences}
    assert told["Power Supply Stats.Input Power"]
    assert [path for path, changes_meaning in told.items() if changes_meaning] == ["Power Supply Stats.Input Power"]
    assert "OS Type" in told


def test_beside_stock_firmware_it_is_another_unit() -> None:
    """There is nothing in common but the state, and no check is compared that only one of them has."""
    found = held_against(read_capture(CAPTURES / "s21-stock-aml-202407"), RECORDED)
    assert found.changes_meaning


async def test_a_live_unit_is_looked_at_by_its_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """`version` once, then pages; the simulated unit holds every check, before and after a series of polls."""
    farm = make_farm(1, mix="S21:200/epic=100%")
    monkeypatch.setattr(looking, "PAUSE_S", dict.fromkeys(Firmware, 0.0))
    async with asyncio.timeout(60), serve_farm(farm, port=0) as server:
        endpoint = Endpoint(farm.units[0].identity.host, server.port)
        series = Series(polls=2, every_s=0.01, patience=Patience(close_s=0.05))
        capture = await look_at(endpoint, series, clock=time.monotonic, recorded_at="2026-11-30T16:00:00Z")
        counts, writes = dict(server.journal.counts), server.journal.writes
    assert (writes, counts["GET /summary"], counts["GET /clocks"]) == (0, 4, 2)
    assert broken(capture) == set()
    assert {verdict.outcome for verdict in verdicts_of(capture)} == {Outcome.HOLDS, Outcome.UNANSWERED}
