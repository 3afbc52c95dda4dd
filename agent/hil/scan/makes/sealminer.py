"""A SealMiner: `stats` and `pools`. Pure."""

from collections.abc import Callable

from agent.hil.scan.makes.asking import (
    HS_PER_MHS,
    NO_READER,
    POOLS,
    STATS,
    Asking,
    Told,
    count_in,
    info_of,
    pools_of,
    rows_of,
)
from agent.unit.cgminer.fields import clean
from agent.unit.cgminer.rows import Row
from agent.unit.limits import MAX_BOARDS, MAX_CHIPS, MAX_HASHRATE_HS, MAX_UPTIME_S, MAX_WATTS
from agent.unit.reading import BoardReading, Dialect, Identity, PowerKind, UnitReading, without_window


def ask_sealminer(name: str, wall: Callable[[], float]) -> Asking:
    """Ask a SealMiner.

    Documented (D214): `stats` has the model, the MAC address, the power at the supply's input, and for each board rate,
    chips and serial number. `MHS(Rated)` follows the tuning, so a bin made of it is a guess.
    """
    found = yield from rows_of(STATS, "STATS")
    pools = yield from rows_of(POOLS, "POOLS")
    stats = found[0] if found else {}
    row, model = Row(stats, set()), clean(stats.get("Model"))
    reading = UnitReading(
        unit_id=name,
        reader=NO_READER,
        at=wall(),
        dialect=Dialect.LEGACY,
        mode=None,
        identity=Identity(model=model and f"SealMiner {model}", firmware=clean(str(stats.get("Firmware") or ""))),
        uptime_s=row.number("Elapsed", MAX_UPTIME_S),
        hashrate_5s_hs=row.number("MHS(Sample)", MAX_HASHRATE_HS, HS_PER_MHS),
        hashrate_30m_hs=row.number("MHS(30m)", MAX_HASHRATE_HS, HS_PER_MHS),
        hashrate_avg_hs=row.number("MHS(Avg)", MAX_HASHRATE_HS, HS_PER_MHS),
        hashrate_ideal_hs=row.number("MHS(Rated)", MAX_HASHRATE_HS, HS_PER_MHS),
        power_watts=row.number("PSU Input Power", MAX_WATTS) or None,
        # Assumed (A61): a key that names the supply's input holds what the supply measured.
        power_kind=PowerKind.MEASURED,
        boards=tuple(
            BoardReading(
                slot=slot,
                hashrate_hs=row.number(f"{slot} MHS(Sample)", MAX_HASHRATE_HS, HS_PER_MHS),
                chips=count_in(stats, f"{slot} Chip Count", MAX_CHIPS),
                serial=clean(stats.get(f"{slot} SN")),
            )
            for slot in range(MAX_BOARDS)
            if row.has(f"{slot} Chip Count")
        ),
        pools=pools_of(pools),
    )
    return Told("Bitdeer", without_window(reading), info_of(reading.identity, mac=stats.get("MAC")), reader=None)
