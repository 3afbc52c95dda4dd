"""An Auradine: `summary`, `devdetails`, `devs`, `asccount`, `pools` and `ipreport`. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from agent.hil.scan.makes.asking import (
    ASC_COUNT,
    DEVDETAILS,
    DEVS,
    IP_REPORT,
    NO_READER,
    POOLS,
    SUMMARY,
    Asking,
    Told,
    count_in,
    info_of,
    pools_of,
    rows_of,
)
from agent.unit.cgminer.fields import clean
from agent.unit.cgminer.rates import Rates, read_rates
from agent.unit.cgminer.rows import Row
from agent.unit.limits import MAX_BOARDS, MAX_CHIPS, MAX_UPTIME_S
from agent.unit.reading import BoardReading, Dialect, Identity, UnitReading

_MINUTE_S = 60.0


def ask_auradine(name: str, wall: Callable[[], float]) -> Asking:
    """Ask an Auradine.

    Documented (D291): `devdetails` names the model, `AT1500`, `summary` has rates in MH/s, `devs` a row a board, and
    `asccount` all chips and boards. `ipreport` has model, version, serial number and MAC address.
    Assumed (A210): it is answered on 4028 as on the web interface. It tells no bin.
    """
    found = yield from rows_of(SUMMARY, "SUMMARY")
    details = yield from rows_of(DEVDETAILS, "DEVDETAILS")
    devs = yield from rows_of(DEVS, "DEVS")
    counts = yield from rows_of(ASC_COUNT, "ASCCount")
    pools = yield from rows_of(POOLS, "POOLS")
    reports = yield from rows_of(IP_REPORT, "IPReport")
    summary, report = found[0] if found else {}, reports[0] if reports else {}
    rates = read_rates(summary, set())
    now_hs, window_s = _now(rates)
    model = next((text for each in (*details, report) if (text := clean(each.get("Model", each.get("model"))))), None)
    reading = UnitReading(
        unit_id=name,
        reader=NO_READER,
        at=wall(),
        dialect=Dialect.LEGACY,
        mode=None,
        identity=Identity(model=model and f"Teraflux {model}", firmware=clean(report.get("version"))),
        uptime_s=Row(summary, set()).number("Elapsed", MAX_UPTIME_S),
        hashrate_5s_hs=now_hs,
        short_window_s=window_s,
        hashrate_30m_hs=rates.thirty_min_hs,
        hashrate_avg_hs=rates.average_hs,
        boards=_boards(devs, counts[0] if counts else {}),
        pools=pools_of(pools),
    )
    info = info_of(reading.identity, mac=report.get("mac"), serial=report.get("SerialNo"))
    return Told("Auradine", reading, info)


def _now(rates: Rates) -> tuple[float | None, float]:
    """Return the rate now, H/s, and its window, s.

    Documented (D291): over 5 s it was twice that over a minute, so the minute counts.
    """
    minute_hs = dict(rates.others).get(_MINUTE_S)
    return (rates.five_s_hs, 5.0) if minute_hs is None else (minute_hs, _MINUTE_S)


def _boards(rows: Sequence[dict[str, Any]], counts: Mapping[str, Any]) -> tuple[BoardReading, ...]:
    """Return the boards in the rows of `devs`; their chips only if all boards have the same number of them."""
    chips, boards = count_in(counts, "AsicCount", MAX_CHIPS * MAX_BOARDS), count_in(counts, "BoardCount", MAX_BOARDS)
    each = chips // boards if chips is not None and boards and not chips % boards and boards == len(rows) else None
    return tuple(
        BoardReading(slot=slot, hashrate_hs=read_rates(row, set()).five_s_hs, chips=each)
        for slot, row in enumerate(rows)
    )
