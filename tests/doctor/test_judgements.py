"""What facts about machine and neighbours mean: each fault is found, with the mend, and health is no finding."""

from dataclasses import replace

import msgspec
import pytest

from agent.doctor import judgements as judge
from agent.doctor.facts import (
    Answered,
    Disk,
    FileFacts,
    Limits,
    Load,
    Neighbour,
    Network,
    Port,
    Target,
    Versions,
)
from agent.doctor.findings import Finding, Level
from agent.runtime.kernel_clock import Clock
from agent.site.nameplates import Nameplates

LOAD = Load(units=10_000, interval_s=10.0, connections_a_poll=1.25, files=1200)
DIRECT = Network("10.20.3.0/24", 200, "10.20.3.7", "10.20.3.1", "", "eth1", is_direct=True)
ROUTED = Network("10.21.0.0/24", 100, "10.21.0.7", "10.20.3.1", "", "eth1")
LIMITS = Limits(files=65_536, conntrack_max=262_144, conntrack_count=2_000, neighbours_max=1024)
GOOD_FILE = FileFacts(
    "ledger.file", "/etc/hashsight/ledger.csv", "read", exists=True, mode=0o644, is_readable=True, is_writable=True
)
SECRET = GOOD_FILE._replace(key="api.token_file", path="/etc/hashsight/api.token", kind="secret", mode=0o600)
STATE = GOOD_FILE._replace(key="history.file", path="/var/lib/hashsight", kind="state", mode=0o750)
PORT = Port("127.0.0.1:9184")


def levels(findings: list[Finding]) -> list[Level]:
    """Return how each thing is."""
    return [finding.level for finding in findings]


def only(findings: list[Finding]) -> Finding:
    """Return the single finding."""
    (finding,) = findings
    return finding


def test_every_fault_has_a_mend() -> None:
    """A finding that is bad says what to do."""
    faults = [
        *judge.judge_networks([DIRECT._replace(source=None, trouble="Network is unreachable")]),
        judge.judge_clock(Clock(is_synchronised=False)),
        *judge.judge_limits(LIMITS._replace(files=100, conntrack_max=1000, neighbours_max=100), LOAD, [DIRECT]),
        *judge.judge_files([SECRET._replace(mode=0o644), STATE._replace(exists=False)]),
        *judge.judge_disk([Disk("/var/lib/hashsight", 1000, 2_000_000_000)]),
        *judge.judge_port(PORT._replace(trouble="Address already in use"), "north-1"),
        judge.judge_prometheus(Neighbour("Prometheus"), None, "127.0.0.1:9184"),
        *judge.judge_versions(Versions((3, 9, 2), "0.1.0", {"aiohttp": None}, {})),
    ]
    faults = [finding for finding in faults if finding.check != "versions" or finding.level is not Level.OK]
    assert len(faults) == 12
    assert {finding.level for finding in faults} == {Level.BAD}
    assert all(finding.mend for finding in faults)
    assert not [finding for finding in faults if "\n" in finding.text + finding.mend]


def test_a_way_is_named_by_address_and_interface() -> None:
    """Units on an own network, units behind a router, and units that this machine knows no way to."""
    found = list(judge.judge_networks([DIRECT, ROUTED, ROUTED._replace(source=None, trouble="Network is unreachable")]))
    assert levels(found) == [Level.OK, Level.OK, Level.BAD]
    assert found[0].text == "10.20.3.0/24 (200 units): from 10.20.3.1 by eth1"
    assert found[1].text.endswith("by eth1, through a router")
    assert (found[2].text.endswith("no way: Network is unreachable"), "ip route get 10.21.0.7" in found[2].mend) == (
        True,
        True,
    )
    assert only(list(judge.judge_networks([]))).level is Level.NOTE


@pytest.mark.parametrize(
    ("clock", "level"),
    [
        (Clock(is_synchronised=True, offset_s=0.002), Level.OK),
        (Clock(is_synchronised=True, offset_s=-0.6), Level.NOTE),
        (Clock(is_synchronised=True, offset_s=7.0), Level.BAD),
        (Clock(is_synchronised=False), Level.BAD),
        (Clock(is_synchronised=None), Level.NOTE),
    ],
)
def test_a_clock_must_be_set_by_a_time_service(clock: Clock, level: Level) -> None:
    """A clock that drifts is bad, one that is being corrected is noted."""
    assert judge.judge_clock(clock).level is level


def test_the_table_of_connections_must_hold_what_polling_leaves_behind() -> None:
    """10,000 units every 10 s, 1.25 connections each, remembered for 120 s: 150,000 entries."""
    _, conntrack, _ = judge.judge_limits(LIMITS, LOAD, [DIRECT])
    assert (conntrack.level, "fills 150,000" in conntrack.text) == (Level.OK, True)
    _, conntrack, _ = judge.judge_limits(LIMITS._replace(conntrack_max=180_000), LOAD, [DIRECT])
    assert (conntrack.level, conntrack.mend.split(",")[0]) == (
        Level.BAD,
        "sysctl -w net.netfilter.nf_conntrack_max=524288",
    )
    _, conntrack, _ = judge.judge_limits(LIMITS._replace(conntrack_wait_s=30.0, conntrack_max=50_000), LOAD, [DIRECT])
    assert conntrack.level is Level.OK
    _, conntrack, _ = judge.judge_limits(LIMITS._replace(conntrack_count=250_000), LOAD, [DIRECT])
    assert conntrack.level is Level.BAD
    _, conntrack, _ = judge.judge_limits(LIMITS._replace(conntrack_max=None, conntrack_count=None), LOAD, [DIRECT])
    assert (conntrack.level, "no table" in conntrack.text) == (Level.OK, True)


def test_units_behind_a_router_fill_no_table_of_neighbours() -> None:
    """Only machines on the own networks are neighbours; Linux keeps 1,024 of them unless it is told otherwise."""
    many = DIRECT._replace(units=900)
    *_, neighbours = judge.judge_limits(LIMITS, LOAD, [many])
    assert (neighbours.check, neighbours.level) == ("neighbours", Level.BAD)
    assert "gc_thresh3=2048 net.ipv4.neigh.default.gc_thresh2=1024" in neighbours.mend
    assert [finding.check for finding in judge.judge_limits(LIMITS, LOAD, [ROUTED])] == ["open files", "conntrack"]
    loopback = many._replace(interface="lo")
    assert [finding.check for finding in judge.judge_limits(LIMITS, LOAD, [loopback])] == ["open files", "conntrack"]


def test_open_files_are_held_against_what_is_needed() -> None:
    """As many as needed is enough."""
    found = next(iter(judge.judge_limits(LIMITS._replace(files=1200), LOAD, [])))
    assert found.level is Level.OK
    found = next(iter(judge.judge_limits(LIMITS._replace(files=1199), LOAD, [])))
    assert (found.level, "LimitNOFILE=2048" in found.mend) == (Level.BAD, True)
    small = replace(LOAD, files=100)
    assert next(iter(judge.judge_limits(LIMITS._replace(files=1199), small, []))).level is Level.OK


@pytest.mark.parametrize(
    ("file", "level"),
    [
        (GOOD_FILE, Level.OK),
        (GOOD_FILE._replace(exists=False), Level.BAD),
        (GOOD_FILE._replace(is_readable=False), Level.BAD),
        (GOOD_FILE._replace(mode=0o640), Level.NOTE),
        (GOOD_FILE._replace(is_reachable=False), Level.NOTE),
        (SECRET, Level.OK),
        (SECRET._replace(mode=0o640), Level.OK),
        (SECRET._replace(mode=0o644), Level.BAD),
        (SECRET._replace(mode=0o620), Level.BAD),
        (STATE, Level.OK),
        (STATE._replace(is_writable=False), Level.NOTE),
        (STATE._replace(exists=False), Level.BAD),
        (STATE._replace(exists=False, trouble="Permission denied"), Level.NOTE),
    ],
)
def test_files_are_as_the_service_needs_them(file: FileFacts, level: Level) -> None:
    """Configuration and ledger for all to read, secrets for none but the agent, a folder to write to."""
    assert only(list(judge.judge_files([file]))).level is level


@pytest.mark.parametrize(("free", "level"), [(5_000_000_000, Level.OK), (1_000_000_000, Level.NOTE), (1000, Level.BAD)])
def test_a_disk_has_room_for_what_may_come(free: int, level: Level) -> None:
    """History and outboxes may grow to their limits."""
    assert only(list(judge.judge_disk([Disk("/var/lib/hashsight", free, 2_000_000_000)]))).level is level


@pytest.mark.parametrize(
    ("port", "found"),
    [
        (PORT, [("port", Level.OK), ("agent", Level.NOTE)]),
        (PORT._replace(trouble="Address already in use"), [("port", Level.BAD)]),
        (PORT._replace(trouble="Address already in use", agent="south-2"), [("port", Level.BAD)]),
        (PORT._replace(trouble="x", wants_login=True), [("port", Level.OK), ("agent", Level.NOTE)]),
        (PORT._replace(trouble="x", agent="north-1", is_ready=True), [("port", Level.OK), ("agent", Level.OK)]),
        (PORT._replace(trouble="x", agent="north-1", readiness="late"), [("port", Level.OK), ("agent", Level.BAD)]),
    ],
)
def test_the_port_is_free_or_the_agent_s(port: Port, found: list[tuple[str, Level]]) -> None:
    """A port that another program has is bad; the site's own agent says if it is ready."""
    assert [(each.check, each.level) for each in judge.judge_port(port, "north-1")] == found


@pytest.mark.parametrize(
    ("prometheus", "target", "level"),
    [
        (Neighbour("Prometheus", "Connection refused"), None, Level.NOTE),
        (Neighbour("Prometheus"), None, Level.BAD),
        (Neighbour("Prometheus"), Target("up"), Level.OK),
        (Neighbour("Prometheus"), Target("unknown"), Level.OK),
        (Neighbour("Prometheus"), Target("unknown", "2 targets have its port"), Level.NOTE),
        (Neighbour("Prometheus"), Target("down", "connection refused"), Level.BAD),
    ],
)
def test_prometheus_must_scrape_this_agent(prometheus: Neighbour, target: Target | None, level: Level) -> None:
    """One that is elsewhere is noted; one that answers and does not scrape, or fails to, is bad."""
    assert judge.judge_prometheus(prometheus, target, "127.0.0.1:9184").level is level


def test_units_that_keep_silent_are_counted() -> None:
    """Some silent units are noted; none that answers is bad; without a unit no cable is to blame."""
    assert judge.judge_answers(Answered(0, 0, 0, 0)).level is Level.NOTE
    assert judge.judge_answers(Answered(20, 20, 0, 0)).level is Level.OK
    some = judge.judge_answers(Answered(20, 17, 1, 2, "10.20.3.9"))
    assert (some.level, "2 do not answer, such as 10.20.3.9" in some.text) == (Level.NOTE, True)
    assert judge.judge_answers(Answered(20, 0, 0, 20, "10.20.3.9")).level is Level.BAD


def test_rows_that_units_contradict_are_bad() -> None:
    """With how far deployed is off; units that agree, or say nothing, are no fault, and nothing checked is a note."""
    right = Nameplates(units=10, units_checked=8, units_differing=0, row_hs=2e15, own_hs=2e15)
    assert judge.judge_nameplates(None).level is Level.NOTE
    assert judge.judge_nameplates(right) == Finding(
        "nameplates", Level.OK, "8 of 10 units say theirs, and none contradicts its row by more than 3 %"
    )
    wrong = judge.judge_nameplates(msgspec.structs.replace(right, units_differing=5, own_hs=2.5e15))
    assert (wrong.level, wrong.text) == (
        Level.BAD,
        "8 of 10 units say theirs; the rows of 5 are more than 3 % off: deployed is 2.00 PH/s, 2.50 PH/s by their word",
    )
    assert wrong.mend.startswith("hashsight ledger check")


def test_versions_name_what_is_missing() -> None:
    """A needed package that is missing is bad, an optional one noted."""
    versions = Versions((3, 11, 2), "0.1.0", {"aiohttp": "3.14.5"}, {"uvloop": "0.22"})
    assert levels(list(judge.judge_versions(versions))) == [Level.OK]
    found = list(judge.judge_versions(versions._replace(optional={"uvloop": None, "isal": "1.9"})))
    assert (levels(found), "without uvloop" in found[1].text) == ([Level.OK, Level.NOTE], True)
    assert levels(list(judge.judge_versions(versions._replace(needed={"aiohttp": None})))) == [Level.BAD, Level.OK]
