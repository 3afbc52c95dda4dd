"""The table of assumptions is that of the docs, and judges whole recordings: simulated, captured, and broken."""

import json
import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from paths import CAPTURES, ROOT
from recording_cases import BOARD, page, raw, recorded, simulated, stats, version

from agent.hil.assumptions.captured import recorded_of, request_name
from agent.hil.assumptions.check import Verdict
from agent.hil.assumptions.identity import IMAGES, RELATIVES, UNREAD_MODELS, built_at
from agent.hil.assumptions.recorded import Recorded
from agent.hil.assumptions.table import CHECKS, NOT_BY_A_RECORDING, judge, of_verdict
from agent.hil.capture.folder import read_capture
from agent.hil.capture.form import Capture, CapturedUnit, Ending, Manifest, Moment, Port, RecordedReply, Timing, Timings
from agent.unit.model_names import base_key
from simulators.faults.unit import Asleep, NoBoards
from simulators.unit.builds import BUILDS, FLEET_BUILDS, Line
from simulators.unit.models import farmable_models

ROW = re.compile(r"^\| \[(A\d+)\]", re.MULTILINE)


# Three folders hold a joined, truncated or refused reply alone, whose names say no request.
CAPTURED = [path.name for path in sorted(CAPTURES.iterdir()) if any(path.glob("*-s*.json"))]


def verdicts(recording: Recorded, verdict: Verdict) -> set[str]:
    """Return the ids with one verdict."""
    return {finding.id for finding in of_verdict(judge(recording), verdict)}


def test_every_assumption_is_checked_or_has_its_reason() -> None:
    """Each row of the docs stands in exactly one of the two tables, and nothing else does."""
    documented = ROW.findall((ROOT / "docs/assumptions.md").read_text(encoding="utf-8"))
    assert sorted([*CHECKS, *NOT_BY_A_RECORDING]) == sorted(documented)
    assert all(NOT_BY_A_RECORDING.values())
    assert len(CHECKS) > 40


def test_the_copies_of_simulated_facts_are_what_the_simulators_have() -> None:
    """What a check calls assumed is what the simulators send: builds, lines, boards and chips."""
    builds = {base_key(model): {BUILDS[key] for key, _ in shares} for model, shares in FLEET_BUILDS.items()}
    models = {base_key(model.name): model for model in farmable_models()}
    for model, text in IMAGES.items():
        assert text in {build.compile_time for build in builds[base_key(model)]}, model
        assert built_at(text) is not None
    for model in UNREAD_MODELS:
        assert {build.line for build in builds[base_key(model)] if "2026" not in build.compile_time} == {Line.A}, model
    for model, (boards, chips) in RELATIVES.items():
        assert (models[base_key(model)].boards, models[base_key(model)].chips_per_board) == (boards, chips)


def test_a_simulated_unit_confirms_what_it_is_built_on() -> None:
    """An S21 of 2024, recorded every ten seconds while it hashes, with its pages."""
    pages = (
        page("get_system_info", system_kernel_version="Linux 4.9.113 #1 SMP PREEMPT Thu Jul 11 17:04:25 CST 2024"),
        page("miner_type", subtype="AMLCtrl_BHB68606"),
    )
    unit = simulated("S21", build="s21-202407", at=[10.0 * at for at in range(6)], state="hashing")
    recording = recorded(*unit.exchanges, *pages)
    assert verdicts(recording, Verdict.REFUTED) == set()
    confirmed = "A01 A04 A100 A13 A16 A17 A18 A21 A22 A46 A52 A53"
    assert verdicts(recording, Verdict.CONFIRMED) == set(confirmed.split())


@pytest.mark.parametrize(
    ("model", "build", "also"),
    [("S21", "s21-202410", {"A30"}), ("S21", "s21-fr", {"A30"}), ("S21+", "s21plus-202503", set[str]())],
)
def test_a_simulated_sleep_confirms_the_assumptions_about_sleep(model: str, build: str, also: set[str]) -> None:
    """Lines A and B send a header alone, line C everything; the new dialect has no rate on any of them."""
    recording = simulated(model, build=build, at=[100.0, 160.0], faults=(Asleep(),), state="asleep")
    assert verdicts(recording, Verdict.REFUTED) == set()
    assert also | {"A33"} <= verdicts(recording, Verdict.CONFIRMED)


def test_a_simulated_start_confirms_the_times_of_a_start() -> None:
    """Recorded every ten seconds from the first reply of the API to the full rate."""
    recording = simulated("S21", uptime_s=50.0, at=[10.0 * at for at in range(40)])
    assert verdicts(recording, Verdict.REFUTED) == set()
    assert {"A36", "A38", "A39", "A83"} <= verdicts(recording, Verdict.CONFIRMED)


def test_a_simulated_unit_without_boards_confirms_its_shape() -> None:
    """Rate and ideal 0, no board, fans that turn."""
    recording = simulated("S21", at=[700.0], faults=(NoBoards(),))
    assert "A95" in verdicts(recording, Verdict.CONFIRMED)


def test_a_unit_of_other_firmware_refutes_what_it_does_otherwise() -> None:
    """A build of 2026: another hash side and other chip maps, which is documented of it."""
    recording = simulated("S23 Hyd.", at=[0.0], state="hashing")
    assert {"A13", "A17"} <= verdicts(recording, Verdict.REFUTED)
    assert {"A70", "A97"} <= verdicts(recording, Verdict.CONFIRMED)


@pytest.mark.parametrize("name", CAPTURED)
def test_shipped_captures_are_judged_without_their_bytes(name: str) -> None:
    """Published replies were printed anew, so nothing is said of blanks, NULs or times."""
    findings = {finding.id: finding for finding in judge(recorded_of(read_capture(CAPTURES / name)))}
    silent = ("A01", "A04", "A05", "A09", "A16", "A83")
    assert {findings[each].verdict for each in silent} == {Verdict.NOT_SHOWN}
    assert all(finding.at_s is None for finding in findings.values())


def test_what_the_shipped_captures_say() -> None:
    """The recorded S21 agrees with what it shows, the hash side of the S19 generation does not."""
    said = {
        name: {
            verdict.value: verdicts(recorded_of(read_capture(CAPTURES / name)), verdict) & {"A13", "A17", "A30", "A46"}
            for verdict in (Verdict.CONFIRMED, Verdict.REFUTED)
        }
        for name in ("s21-stock-aml-202407", "s21-stock-202410-sleep", "s19pro-stock-202212")
    }
    assert said == {
        "s21-stock-aml-202407": {"confirmed": {"A13", "A46"}, "refuted": set()},
        "s21-stock-202410-sleep": {"confirmed": set(), "refuted": set()},
        "s19pro-stock-202212": {"confirmed": {"A17", "A46"}, "refuted": {"A13"}},
    }


def test_a_capture_becomes_a_recording_by_its_moments() -> None:
    """States, endings, times and ports are taken over; an answer to a GET without a login is none."""
    sleeping = RecordedReply(request="stats new_api", file="tcp4028-stats-new_api.json", ending=Ending.NUL_CLOSE)
    capture = Capture(
        name="s21",
        manifest=Manifest(
            form=1,
            recorded_by="hashsight 1",
            is_redacted=True,
            unit=CapturedUnit(),
            ports={"6060": Port.REFUSED},
            replies=(
                RecordedReply(request="version", file="tcp4028-version.json", ending=Ending.CLOSE),
                RecordedReply(request="GET /cgi-bin/miner_type.cgi", file="http-miner_type.401.txt", status=401),
                RecordedReply(request="GET /cgi-bin/miner_type.cgi", file="http-miner_type.json", status=200),
                RecordedReply(request="pools"),
            ),
            moments=(Moment(folder="moments/01-asleep", state="asleep", replies=(sleeping,)),),
        ),
        data={
            "tcp4028-version.json": version().reply,
            "http-miner_type.401.txt": b"no",
            "http-miner_type.json": b"{}",
            "moments/01-asleep/tcp4028-stats-new_api.json": stats().reply,
        },
        timings=Timings(
            recorded_at="2026-11-30T00:00:00Z",
            replies=(Timing(request="stats new_api", at_s=30.0, last_byte_s=0.25, state="asleep"),),
        ),
    )
    recording = recorded_of(capture)
    assert [(each.request, each.state, each.has_nul, each.took_s, each.at_s) for each in recording.exchanges] == [
        ("version", None, False, None, 0.0),
        ("page miner_type", None, None, None, 0.0),
        ("stats new_api", "asleep", True, 0.25, 1000.0),
    ]
    assert (recording.ports, recording.is_raw, recording.is_timed) == ({6060: "refused"}, True, False)
    assert {"A01", "A51"} <= verdicts(recording, Verdict.REFUTED)
    assert request_name("GET /cgi-bin/get_system_info.cgi") == "page get_system_info"
    assert request_name("GET /") == "GET /"


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats()
    | st.text(max_size=6)
    | st.sampled_from(
        ["ooo oox", "54-55", "AMLCtrl_BHB68606", "Thu Feb 30 16:38:25 CST 2024", "P:1", "e", "Antminer S21 XP"]
    ),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)
KEYS = st.sampled_from(
    [
        *(
            "elapsed",
            "rate_5s",
            "rate_avg",
            "rate_ideal",
            "fan",
            "chain",
            "miner-mode",
            "hwp_total",
            "status",
            "Elapsed",
        ),
        *("Type", "freq_avg", "asic_num", "asic", "temp_pic", "temp_pcb", "temp_chip", "temp_in", "temp_out", "hw"),
        *("chain_acs1", "API", "CompileTime", "Status", "Accepted", "code", "series", "subtype", "PSU Power"),
        "system_kernel_version",
    ]
)
ROWS = st.dictionaries(KEYS, VALUES | st.lists(st.dictionaries(KEYS, VALUES, max_size=6), max_size=3), max_size=10)
REQUESTS = st.sampled_from(["stats", "summary", "pools", "rate", "warning", "version", "page miner_type", "page chart"])


@given(
    st.lists(st.tuples(REQUESTS, st.booleans(), ROWS, st.floats(0, 500), st.none() | st.text(max_size=5)), max_size=8)
)
def test_no_reply_breaks_a_check(replies: list[tuple[str, bool, dict[str, Any], float, str | None]]) -> None:
    """Whatever a unit sends, every check gives a verdict, and a value that fits a line."""
    exchanges = []
    for request, is_new, row, at_s, state in replies:
        status = {"STATUS": "S"} if is_new else [{"STATUS": "S"}]
        name = request.removeprefix("page ").upper().replace("CHART", "RATE")
        body = row if request == "page miner_type" else {"STATUS": status, name: [row, row], "INFO": row}
        exchanges.append(raw(request, json.dumps(body).encode(), at_s, state=state))
    for finding in judge(recorded(*exchanges)):
        assert finding.value is None or (len(finding.value) <= 60 and finding.value.isprintable())


def test_serial_numbers_and_accounts_are_in_no_finding() -> None:
    """A finding may be printed and attached, so it has nothing that names a unit or its owner."""
    owned = "OWNER7"
    unit = stats(boards=[BOARD | {"sn": owned, "asic": f" {owned}"}], info={"type": "Antminer S21"})
    recording = recorded(
        unit,
        page("get_system_info", serinum=owned, hostname=owned, macaddr=owned, minertype="Antminer S21"),
        raw("pools", json.dumps({"STATUS": [{"STATUS": "S"}], "POOLS": [{"User": owned, "URL": owned}] * 3}).encode()),
    )
    assert owned not in str(judge(recording))


def test_a_finding_is_an_object_in_json() -> None:
    """As the record puts it beside the capture."""
    (first, *_) = json.loads(msgspec.json.encode(judge(simulated())))
    assert first == {
        "id": "A01",
        "verdict": "confirmed",
        "observations": 8,
        "needs": "replies whose last bytes were kept",
        "path": "stats new_api",
        "value": "NUL",
        "at_s": 0.0,
    }
