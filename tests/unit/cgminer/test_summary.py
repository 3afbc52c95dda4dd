"""The `summary` report: rates by window under any firmware's keys, and the faults that stock firmware names."""

import json
from typing import Any

import pytest
from capture_files import capture

from agent.errors import MalformedReplyError, RefusedError, UnsupportedReplyError
from agent.unit.cgminer.rates import Rates, read_rates
from agent.unit.cgminer.summary import SummaryReading, read_summary
from agent.unit.reading import Fault

AT = 1763674560.0
TH = 1e12


def summary(fields: dict[str, Any], *, is_new_api: bool = False) -> SummaryReading:
    """Return the reading of a report with these fields."""
    status: Any = {"STATUS": "S", "when": 1, "Msg": "summary"}
    body = {"STATUS": status if is_new_api else [status], "SUMMARY": [fields]}
    return read_summary(json.dumps(body).encode(), at=AT)


@pytest.mark.parametrize(
    ("row", "rates"),
    [
        ({"GHS 5s": 200_000, "GHS 30m": 201_000, "GHS av": 202_000}, Rates(200 * TH, 201 * TH, 202 * TH)),
        ({"MHS 5s": 200e6, "MHS av": 202e6}, Rates(200 * TH, None, 202 * TH)),
        ({"KHS 5s": 200e9}, Rates(200 * TH)),
        ({"THS 5s": 200}, Rates(200 * TH)),
        ({"PHS 5s": 0.2}, Rates(200 * TH)),
        ({"MHS 1m": 1e6, "MHS 15m": 2e6, "MHS 24h": 3e6}, Rates(others=((60, TH), (900, 2 * TH), (86_400, 3 * TH)))),
        ({"ghs_5s": 200_000}, Rates(200 * TH)),
        ({"GHS 5s": 200_000, "MHS 5s": 1}, Rates(200 * TH)),
        ({"GHS 5s": "200000.00"}, Rates(200 * TH)),
        ({"GHS 5s": "x", "GHS av": -1, "MHS 1m": 1e30}, Rates()),
        ({"Total MH": 1e12, "Hardware Errors": 5, "Work Utility": 1, "HS RT": 5}, Rates()),
    ],
)
def test_rates_by_window(row: dict[str, Any], rates: Rates) -> None:
    """Every prefix and window is understood, and anything else is no rate."""
    assert read_rates(row, set()) == rates


@pytest.mark.parametrize(
    ("uptime_s", "stand_in"),
    [
        (None, (1.0, 60.0)),
        (59.0, (9.0, 59.0)),
        (60.0, (1.0, 60.0)),
        (5000.0, (1.0, 60.0)),
    ],
)
def test_the_shortest_full_window_stands_in(uptime_s: float | None, stand_in: tuple[float, float]) -> None:
    """A window that the uptime does not fill is passed over; the average's window is the uptime."""
    rates = Rates(thirty_min_hs=3.0, average_hs=9.0, others=((60.0, 1.0), (900.0, 2.0)))
    assert rates.stand_in(uptime_s) == stand_in


def test_nothing_stands_in_for_nothing() -> None:
    """Thirty minutes that are not full, and no average."""
    assert Rates(thirty_min_hs=3.0).stand_in(100.0) is None
    assert Rates(thirty_min_hs=3.0).stand_in(1800.0) == (3.0, 1800.0)


def test_recorded_summaries_of_other_firmware() -> None:
    """BOSminer and Braiins OS in MH/s, LuxOS in GH/s."""
    reports = {
        name: read_summary(capture(f"{name}/tcp4028-summary.json"), at=AT)
        for name in ("other-s9-bosminerplus-2020", "other-bmm100-braiins-2026", "s19kpro-luxos-2025")
    }
    assert {
        name: (round((report.rates.five_s_hs or 0) / TH, 2), report.uptime_s) for name, report in reports.items()
    } == {
        "other-s9-bosminerplus-2020": (15.74, 3680),
        "other-bmm100-braiins-2026": (1.49, 2_527_509),
        "s19kpro-luxos-2025": (59.76, 3453),
    }
    assert all(report.repairs == () for report in reports.values())


@pytest.mark.parametrize(
    ("items", "faults"),
    [
        ([{"type": "fans", "status": "e", "code": 1, "msg": "F1:1"}], (Fault.FAN,)),
        ([{"type": "rate", "status": "e", "code": 1, "msg": "V:1"}], (Fault.SUPPLY,)),
        ([{"type": "rate", "status": "e", "code": 1, "msg": "J2:8"}], (Fault.BOARD,)),
        ([{"type": "rate", "status": "e", "code": 1, "msg": "R:1"}], (Fault.LOW_RATE,)),
        ([{"type": "temp", "status": "e", "code": 1, "msg": "P:1"}], (Fault.TOO_HOT,)),
        ([{"type": "temp", "status": "w", "code": 1, "msg": "P:2"}], (Fault.TOO_COLD,)),
        ([{"type": "network", "status": "e", "code": 1, "msg": "N:4"}], (Fault.POOLS,)),
        ([{"type": "network", "status": "e", "code": 1, "msg": "?"}], (Fault.POOLS,)),
        ([{"type": "fans", "status": "e"}], (Fault.FAN,)),
        ([{"type": "temp", "status": "e", "msg": "X:9"}], (Fault.UNNAMED,)),
        (
            [{"type": "rate", "status": "e", "msg": "R:1"}, {"type": "fans", "status": "e", "msg": "F:1"}],
            (Fault.FAN, Fault.LOW_RATE),
        ),
        ([{"type": "rate", "status": "s", "code": 0, "msg": ""}, {"type": "fans", "status": "", "msg": ""}], ()),
        ([5, None, {"status": []}], ()),
        ("none", ()),
    ],
)
def test_faults_of_the_new_dialect(items: Any, faults: tuple[Fault, ...]) -> None:
    """Each item with an error or a warning is one fault, by its code or by its type."""
    fields = {"elapsed": 5, "rate_5s": 0.0, "rate_unit": "GH/s", "status": items}
    assert summary(fields, is_new_api=True).faults == faults


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"{}", MalformedReplyError),
        (b'{"STATUS":[{"STATUS":"S"}],"SUMMARY":[{"Accepted":5}]}', UnsupportedReplyError),
        (
            b'{"STATUS":{"STATUS":"S"},"SUMMARY":[{"elapsed":5,"rate_5s":1,"rate_unit":"furlong"}]}',
            UnsupportedReplyError,
        ),
        (b'{"STATUS":[{"STATUS":"E","Code":14,"Msg":"Invalid command"}]}', RefusedError),
        (b"x", MalformedReplyError),
    ],
)
def test_other_replies_are_no_summary(data: bytes, error: type[Exception]) -> None:
    """A report with neither a rate nor an uptime is none."""
    with pytest.raises(error):
        read_summary(data, at=AT)
