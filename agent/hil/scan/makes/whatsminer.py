"""A Whatsminer: `summary`, `devdetails`, `devs` and `pools`. Pure."""

from collections.abc import Callable, Sequence
from typing import Any

from agent.hil.scan.makes.asking import (
    DEVDETAILS,
    DEVS,
    HS_PER_MHS,
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
from agent.unit.cgminer.rates import read_rates
from agent.unit.cgminer.rows import Row
from agent.unit.limits import (
    HS_PER_GHS,
    HS_PER_THS,
    MAX_BOARDS,
    MAX_CHIPS,
    MAX_HASHRATE_HS,
    MAX_UPTIME_S,
    MAX_WATTS,
)
from agent.unit.reading import BoardReading, Dialect, Identity, UnitReading, without_window


def ask_whatsminer(name: str, wall: Callable[[], float]) -> Asking:
    """Ask a Whatsminer.

    Documented (D210): `summary` has `Factory GHS`, the rate as tested at the factory, in GH/s, the rate now as `HS RT`,
    in MH/s, and the MAC address. Documented (D211): `devdetails` names the model, one row a board. On a label the rate
    is in whole TH/s, so the bin is `Factory GHS` rounded.
    """
    found = yield from rows_of(SUMMARY, "SUMMARY")
    details = yield from rows_of(DEVDETAILS, "DEVDETAILS")
    boards = yield from rows_of(DEVS, "DEVS")
    pools = yield from rows_of(POOLS, "POOLS")
    summary = found[0] if found else {}
    row = Row(summary, set())
    factory_hs = row.number("Factory GHS", MAX_HASHRATE_HS, HS_PER_GHS)
    model = next((text for each in details if (text := clean(each.get("Model")))), None)
    firmware = (clean(summary.get("Firmware Version")) or "").strip("'") or None
    reading = UnitReading(
        unit_id=name,
        reader=NO_READER,
        at=wall(),
        dialect=Dialect.LEGACY,
        mode=None,
        identity=Identity(model=model and f"Whatsminer {model}", firmware=firmware),
        uptime_s=row.number("Elapsed", MAX_UPTIME_S),
        hashrate_5s_hs=row.number("HS RT", MAX_HASHRATE_HS, HS_PER_MHS),
        hashrate_avg_hs=read_rates(summary, set()).average_hs,
        hashrate_sale_hs=round(factory_hs / HS_PER_THS) * HS_PER_THS or None if factory_hs else None,
        power_watts=row.number("Power", MAX_WATTS) or None,
        boards=_boards(boards, of=len(details)),
        pools=pools_of(pools),
    )
    return Told("MicroBT", without_window(reading), info_of(reading.identity, mac=summary.get("MAC")))


def _boards(rows: Sequence[dict[str, Any]], *, of: int) -> tuple[BoardReading, ...]:
    """Return the boards in the rows of `devs`; without any, as many as `devdetails` lists.

    Documented (D290): a row has the chips that work, `Effective Chips`, and rates over several windows, or only the
    mean since the start.
    """
    boards: dict[int, BoardReading] = {}
    for position, each in enumerate(rows):
        slot, rates = count_in(each, "Slot", MAX_BOARDS - 1), read_rates(each, set())
        slot = position if slot is None else slot
        boards[slot] = BoardReading(
            slot=slot,
            hashrate_hs=rates.average_hs if rates.five_s_hs is None else rates.five_s_hs,
            is_average=rates.five_s_hs is None,
            chips=count_in(each, "Effective Chips", MAX_CHIPS),
            serial=clean(each.get("PCB SN")),
        )
    for slot in range(0 if boards else of):
        boards[slot] = BoardReading(slot=slot, hashrate_hs=None, chips=None)
    return tuple(boards[slot] for slot in sorted(boards))
