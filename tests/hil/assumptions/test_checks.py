"""Each check, held against recordings that confirm its assumption and recordings that refute it."""

import json
from typing import Any

import pytest
from recording_cases import BOARD, board, legacy, new, page, raw, recorded, silence, stats, version

from agent.hil.assumptions.check import Verdict, found
from agent.hil.assumptions.recorded import Exchange, Recorded
from agent.hil.assumptions.table import CHECKS
from agent.hil.assumptions.view import View

ASLEEP = {"rate_5s": 0.0, "rate_30m": 0.0, "rate_avg": 0.0, "elapsed": 1, "miner_mode": 1}
HEADER = {"Type": "Antminer S21", "CompileTime": "Thu Jul 11 16:38:25 CST 2024"}
KERNEL = "Linux 4.9.113 #1 SMP PREEMPT Thu Jul 11 17:0{} CST 2024"
AML = (
    page("miner_type", subtype="AMLCtrl_BHB68606"),
    page("get_system_info", system_kernel_version="Linux 4.9.113 #1"),
)
POOL = dict.fromkeys(
    (
        *("index", "url", "user", "status", "priority", "getworks", "accepted", "rejected", "discarded", "stale"),
        *("diff", "diff1", "diffa", "diffr", "diffs", "lsdiff", "lstime"),
    ),
    0,
)
HOT = {"type": "temp", "status": "e", "code": 1, "msg": "P:1"}
STOPPED: dict[str, Any] = {"rate_5s": 0.0, "elapsed": 4000}


def ramp(*samples: tuple[float, float, float], step: float = 30.0) -> list[Exchange]:
    """Return `stats` of a start: (elapsed in s, share of the full rate, clock in MHz) every `step` seconds."""
    return [
        stats(step * at, elapsed=elapsed, rate_5s=200000.0 * share, boards=[board(freq_avg=clock)] * 3)
        for at, (elapsed, share, clock) in enumerate(samples)
    ]


def restart(away_s: float) -> tuple[Exchange, ...]:
    """Return an Amlogic unit that is put to sleep and is away for so long, asked every two seconds."""
    asked = [float(at) for at in range(2, int(away_s) + 1, 2)]
    return (*AML, stats(0.0), *(silence(at_s=at) for at in asked), stats(away_s + 2, **ASLEEP))


def pages_first(ahead_s: float) -> tuple[Exchange, ...]:
    """Return a start in which pages come so long before the API, both asked every four seconds."""
    return (
        *(silence("page get_system_info", at) for at in (0.0, 4.0)),
        raw("page get_system_info", b"{}", 8.0),
        *(silence(at_s=at) for at in range(0, int(8 + ahead_s), 4)),
        stats(8 + ahead_s),
    )


def codes(*items: Any, at_s: float = 0.0, **row: Any) -> Exchange:
    """Return new-dialect `summary` with these states."""
    return new(
        "summary", {"elapsed": 4000, "rate_30m": 200000.0, "rate_ideal": 200000.0, "status": list(items)} | row, at_s
    )


def refusal(report: str) -> Exchange:
    """Return the refusal of a report that was asked with new_api."""
    body = {"STATUS": [{"STATUS": "E", "Code": 14, "Msg": "Invalid command", "Description": "cgminer 1.0.0"}]}
    return raw(f"{report} new_api", json.dumps(body).encode())


def of_2026(kind: str, **row: Any) -> Recorded:
    """Return a build of 2026 with these keys."""
    info = {"type": f"Antminer {kind}", "CompileTime": "Thu Apr 30 19:48:10 CST 2026"}
    return recorded(stats(info=info, boards=[board(tpl=[[1]])], **row))


SALE = {"rate_sale": 1, "ambient_temp": 20.0, "freq-level-mode": False, "freq-level-min": 0, "watt": 5500, "jt": 12.0}
LAYOUT = {"temp_pic": [30, 40, 38, 50], "temp_pcb": [0, 0, 0, 0], "temp_chip": [0, 0, 0, 0]}

# Id: recordings that confirm, and recordings that refute.
CASES: dict[str, tuple[list[Recorded], list[Recorded]]] = {
    "A01": (
        [recorded(raw("stats", b"{}", has_nul=True))],
        [recorded(raw("stats", b"{}", has_nul=True), raw("pools", b"{}", has_nul=False))],
    ),
    "A04": ([recorded(version())], [recorded(raw("version", version().reply.replace(b",", b", ")))]),
    "A05": (
        [recorded(raw("stats", b"{}", state="hashing", took_s=0.4))],
        [recorded(raw("stats", b"{}", state="hashing", took_s=1.4))],
    ),
    "A06": (
        [recorded(*(raw("stats", b"{}", at, state="hashing", took_s=0.05 + at / 100) for at in range(3)))],
        [recorded(*(raw("stats", b"{}", at, state="hashing", took_s=0.3) for at in range(3)))],
    ),
    "A07": (
        [recorded(raw("version new_api", version().reply))],
        [recorded(refusal("version")), recorded(new("version", {"Type": "S21"}))],
    ),
    "A09": (
        [recorded(raw("pools", b'{"POOLS":[{"POOL":0}]}'))],
        [recorded(raw("pools", b'{"error":"Invalid command"}'))],
    ),
    "A10": (
        [
            recorded(
                version(CompileTime="Thu Oct  9 15:20:11 CST 2025"),
                page("get_system_info", system_filesystem_version="FR-1.12(251009-S21)"),
            )
        ],
        [
            recorded(
                version(CompileTime=text), page("get_system_info", system_filesystem_version="FR-1.12(251009-S21)")
            )
            for text in ("Fri Oct 10 15:20:11 CST 2025", "FR-1.12(251009-S21)")
        ],
    ),
    "A11": (
        [recorded(version(Type="Antminer S21+ Hyd.", CompileTime="Wed Feb 19 07:30:20 CST 2025"))],
        [recorded(version(Type="Antminer S21+ Hyd.", CompileTime="Wed Feb 19 11:30:20 CST 2025"))],
    ),
    "A12": (
        [recorded(version(Type="Antminer S21 XP"))],
        [recorded(version(Type="Antminer S21 XP", API="1.0.0"))],
    ),
    "A13": (
        [recorded(version())],
        [recorded(version(Miner="71.0.1.3")), recorded(stats(info={"miner_version": "platform[AML]"}))],
    ),
    "A14": (
        [recorded(version(Type="Antminer S21 Imm."))],
        [recorded(version(Type="Antminer S21 Imm. (NEM)"))],
    ),
    "A15": (
        [recorded(stats(info={"type": "Antminer S21 XP Imm."}, boards=[board(asic_num=91)] * 3))],
        [recorded(stats(info={"type": "Antminer S21 XP Imm."}, boards=[board(asic_num=108)] * 3))],
    ),
    "A16": (
        [recorded(*(stats(5.0 * at) for at in range(5)))],
        [recorded(*(stats(5.0 * at, elapsed=9, rate_5s=2.0) for at in range(5)))],
    ),
    "A17": (
        [recorded(stats(boards=[board(asic=" ooo ooo oox")])), recorded(legacy("stats", {"chain_acs1": " ooo ooo o"}))],
        [recorded(stats(boards=[board(asic=text)])) for text in (" ooooo ooooo", " oxo ooo ooo")],
    ),
    "A18": (
        [recorded(new("pools", POOL))],
        [recorded(new("pools", POOL | {"latency": 3})), recorded(new("pools", {"index": 0}))],
    ),
    "A19": (
        [recorded(legacy("pools", {"Status": "Dead"}, {"Status": "Dead"}, {"Status": "Alive", "Accepted": 0}))],
        [recorded(legacy("pools", {"Status": "Dead"}, {"Status": "Dead"}, {"Status": "Alive", "Accepted": 9}))],
    ),
    "A20": (
        [recorded(stats(info={"type": "Antminer S21 XP"}, boards=[board(rate_ideal=108 * 490 * 2.04)]))],
        [recorded(stats(info={"type": "Antminer S21+"}, boards=[board(rate_ideal=108 * 490 * 1.276)]))],
    ),
    "A21": (
        [recorded(stats(hwp_total=0.601, elapsed=83976, rate_avg=47367.0, boards=[board(hw=4358)]))],
        [recorded(stats(hwp_total=0.3, elapsed=83976, rate_avg=47367.0, boards=[board(hw=4358)]))],
    ),
    "A22": (
        [recorded(new("rate", {"unit": "GH/s", "xAxis": ["1m"], "series": [{"name": "rate_avg", "data": [1]}]}))],
        [recorded(new("rate", {"unit": "GH/s", "series": []})), recorded(raw("page chart", new("rate", {}).reply))],
    ),
    "A23": ([recorded(new("warning", {"code": "F1:1"}))], [recorded(new("warning", "F1:1"))]),
    "A26": (
        [
            recorded(stats(info={"type": "Antminer S21e XP Hyd."}, boards=[board(**LAYOUT)])),
            recorded(stats(info={"type": "Antminer S21 Imm."}, boards=[board(temp_pic=[44, 58], temp_pcb=[54, 68])])),
        ],
        [
            recorded(stats(info={"type": "Antminer S21e XP Hyd."}, boards=[board(**LAYOUT | {"temp_chip": [61, 62]})])),
            recorded(stats(info={"type": "Antminer S21 Imm."}, boards=[board(temp_pic=[44, 58], temp_pcb=[44, 68])])),
        ],
    ),
    "A29": (
        [
            recorded(stats(0.0), stats(99.0, miner_mode=mode, boards=[board(freq_avg=clock)]))
            for mode, clock in ((2, 529), (3, 392))
        ],
        [recorded(stats(0.0), stats(99.0, miner_mode=2, boards=[board(freq_avg=600)]))],
    ),
    "A30": (
        [
            recorded(stats(0.0, **ASLEEP), legacy("stats", HEADER)),
            recorded(legacy("stats", HEADER, {"Elapsed": 3}, state="ramp")),
        ],
        [
            recorded(legacy("stats", HEADER, state="ramp")),
            recorded(stats(0.0), stats(99.0, **ASLEEP), legacy("stats", HEADER)),
        ],
    ),
    "A31": (
        [
            recorded(
                version(),
                page("get_system_info", system_filesystem_version="FR-1"),
                legacy("stats", *rows, state="asleep"),
            )
            for rows in ([HEADER],)
        ],
        [
            recorded(
                version(),
                page("get_system_info", system_filesystem_version="FR-1"),
                legacy("stats", *rows, state="asleep"),
            )
            for rows in ([HEADER, {"Elapsed": 0}],)
        ],
    ),
    "A33": (
        [
            recorded(version(), stats(**ASLEEP, boards=[])),
            recorded(version(API="1.0.0"), stats(**ASLEEP | {"elapsed": 0})),
        ],
        [
            recorded(version(), stats(**ASLEEP)),
            recorded(version(), stats(**ASLEEP | {"elapsed": 77}, boards=[])),
            recorded(version(), stats(**ASLEEP | {"rate_5s": 3.0}, boards=[])),
            recorded(version(API="1.0.0"), stats(**ASLEEP | {"elapsed": 0}, boards=[])),
        ],
    ),
    "A34": ([recorded(new("stats", {"miner-mode": 1}, state="asleep"))], []),
    "A35": ([recorded(*restart(13.0))], [recorded(*restart(55.0)), recorded(*restart(4.0))]),
    "A36": (
        [recorded(*ramp((30, 0, 200), (120, 0.6, 400), (200, 1, 490)))],
        [recorded(*ramp((30, 0, 200), (500, 0.6, 400), (900, 1, 490)))],
    ),
    "A37": ([recorded(*pages_first(20.0))], [recorded(*pages_first(60.0))]),
    "A38": (
        [recorded(stats(elapsed=20, rate_5s=0.0, fan=[], boards=[{"index": 0, "asic_num": 0, "temp_chip": []}]))],
        [
            recorded(stats(elapsed=20, rate_5s=0.0, boards=[{"index": 0, "asic_num": 0}])),
            recorded(stats(elapsed=20, rate_5s=0.0, fan=[], boards=[{"index": 0, "asic_num": 108}])),
        ],
    ),
    "A39": (
        [recorded(*ramp((30, 0, 200), (400, 0.95, 480), (500, 1, 490)))],
        [recorded(*ramp((30, 0, 200), (650, 0.95, 480), (900, 1, 490)))],
    ),
    "A40": (
        [
            recorded(stats(0.0), stats(30.0, boards=[BOARD] * 2), stats(60.0, boards=[board(freq_avg=300)] * 2)),
            recorded(stats(0.0), stats(30.0, elapsed=5, boards=[BOARD] * 2)),
        ],
        [recorded(stats(0.0), stats(30.0, boards=[BOARD] * 2), stats(60.0, boards=[BOARD] * 2))],
    ),
    "A41": (
        [recorded(codes({"type": "rate", "status": "e", "msg": "R:1"}, rate_30m=150000.0))],
        [
            recorded(codes({"type": "rate", "status": "s"}, rate_30m=150000.0)),
            recorded(codes({"type": "rate", "status": "e", "msg": "R:1"})),
        ],
    ),
    "A43": (
        [
            recorded(stats(info={"type": "Antminer S21"}, boards=boards))
            for boards in ([BOARD] * 2, [BOARD, BOARD, board(asic_num=0, rate_real=0.0)])
        ],
        [recorded(stats(info={"type": "Antminer S21"}, boards=[BOARD, BOARD, board(rate_real=0.0)]))],
    ),
    "A45": (
        [recorded(stats(0.0), stats(200.0, **STOPPED), codes(HOT, at_s=200.0))],
        [recorded(stats(0.0), stats(200.0, **STOPPED, fan=[0, 0]), codes(HOT, at_s=200.0))],
    ),
    "A46": ([recorded(stats(fan=[1800, 0]))], [recorded(stats(fan=[1200, 6000]))]),
    "A51": ([recorded(ports={6060: "open"})], [recorded(ports={6060: "silent"})]),
    "A52": (
        [recorded(version(), page("get_system_info", system_kernel_version=KERNEL.format("4:00")))],
        [recorded(version(), page("get_system_info", system_kernel_version=KERNEL.format("4:00").replace("17", "19")))],
    ),
    "A53": (
        [recorded(*AML)],
        [recorded(page("miner_type", subtype="AML_68606"), AML[1])],
    ),
    "A54": (
        [recorded(page("get_network_info", nettype="DHCP", netmask="255.255.255.0"))],
        [recorded(raw("page get_network_info", b'{"nettype":"DHCP","netmask":"1"}'))],
    ),
    "A70": (
        [recorded(stats(boards=[board(temp_in=[40, 50], temp_out=[48, 60], temp_pic=[40, 50, 48, 60])]))],
        [recorded(stats(boards=[board(temp_in=[40, 50], temp_out=[48, 60], temp_pic=[40, 44, 48, 46])]))],
    ),
    "A80": (
        [recorded(stats(0.0, **STOPPED, boards=[board(temp_chip=[90])]), codes(HOT))],
        [recorded(stats(0.0, **STOPPED, boards=[board(temp_chip=[70])]), codes(HOT))],
    ),
    "A82": (
        [
            recorded(stats(elapsed=4, rate_5s=0.0)),
            recorded(stats(0.0, rate_5s=200000.0), stats(9.0, elapsed=4, rate_5s=199000.0)),
        ],
        [recorded(stats(0.0, rate_5s=200000.0), stats(9.0, elapsed=4, rate_5s=90000.0))],
    ),
    "A83": (
        [recorded(*ramp((30, 0, 200), (60, 0.2, 300), (90, 0.4, 350), (150, 1, 490)))],
        [recorded(*ramp(*((30 + 30 * at, 0.1, 200) for at in range(6)), (300, 1, 490)))],
    ),
    "A95": (
        [recorded(stats(boards=[], rate_5s=0.0, rate_ideal=0.0))],
        [
            recorded(stats(boards=[], rate_5s=0.0, rate_ideal=200000.0)),
            recorded(stats(boards=[], rate_5s=0.0, rate_ideal=0, fan=[])),
        ],
    ),
    "A96": (
        [recorded(stats(0.0), stats(30.0, **ASLEEP | {"rate_5s": 9.0}), stats(90.0, **ASLEEP | {"rate_5s": 9.0}))],
        [recorded(stats(0.0), stats(30.0, **ASLEEP | {"rate_5s": 9.0}), stats(190.0, **ASLEEP | {"rate_5s": 9.0}))],
    ),
    "A97": (
        [of_2026("S21", watt=3500, jt=17.5), of_2026("S23 Hyd.", **SALE)],
        [of_2026("S21", watt=3500), of_2026("S21", **SALE), of_2026("S23 Hyd.", watt=1, jt=1)],
    ),
    "A99": ([recorded(stats(**{"PSU Power": 3300}))], []),
    "A100": (
        [recorded(version())],
        [recorded(raw("stats", b'{"a":"' + b"x" * 30000 + b'"}')), recorded(raw("stats", b"[" * 2000))],
    ),
}
ROWS = [
    pytest.param(name, recording, verdict, id=f"{name} {verdict} {at}")
    for name, sides in CASES.items()
    for verdict, side in zip((Verdict.CONFIRMED, Verdict.REFUTED), sides, strict=True)
    for at, recording in enumerate(side)
]


@pytest.mark.parametrize(("name", "recording", "verdict"), ROWS)
def test_a_recording_settles_an_assumption(name: str, recording: Recorded, verdict: Verdict) -> None:
    """With where it was seen, what was seen, and how often."""
    finding = found(CHECKS[name], View(recording))
    assert finding.verdict is verdict, finding
    assert finding.observations
    assert finding.path
    assert finding.value


def test_every_check_has_a_recording_that_confirms_and_one_that_refutes() -> None:
    """Two assumptions say that something may be, so nothing refutes them."""
    assert CASES.keys() == CHECKS.keys()
    assert {name for name, (_, refuting) in CASES.items() if not refuting} == {"A34", "A99"}
    assert all(confirming for confirming, _ in CASES.values())


@pytest.mark.parametrize("name", CHECKS)
def test_a_recording_of_nothing_shows_nothing(name: str) -> None:
    """Without the case that an assumption is about there is no verdict."""
    for recording in (recorded(), recorded(silence()), recorded(silence("page miner_type"), ports={80: "open"})):
        finding = found(CHECKS[name], View(recording))
        assert (finding.verdict, finding.value) == (Verdict.NOT_SHOWN, None)
