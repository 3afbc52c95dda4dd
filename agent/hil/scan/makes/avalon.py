"""An Avalon: `version`, `stats` and `pools`. Pure."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from agent.hil.scan.makes.asking import NO_READER, POOLS, STATS, VERSION, Asking, Told, info_of, pools_of, rows_of
from agent.unit.cgminer.fields import clean
from agent.unit.cgminer.rows import Row
from agent.unit.limits import HS_PER_GHS, HS_PER_THS, MAX_BOARDS, MAX_CHIPS, MAX_HASHRATE_HS, MAX_UPTIME_S
from agent.unit.reading import BoardReading, Dialect, Identity, UnitReading, without_window

# `Ver[1346-110-24041001_08b0955] GHSspd[0.00]`: an Avalon's figures, in one text.
_FIGURE: Final = re.compile(r"(\w+)\[([^\]]*)\]")
_CODE: Final = re.compile(r"([0-9]{3,5}[A-Za-z]*|[0-9]{2})-([0-9]{2,4})")
_LONGEST_FIGURES: Final = 16_384


def ask_avalon(name: str, wall: Callable[[], float]) -> Asking:
    """Ask an Avalon.

    Documented (D212): `PROD` and `MODEL` of `version` are model and bin with a dash between, `AvalonMiner 1346-110`;
    machines for the home have a name alone. Documented (D213): the text of `MM ID0` begins with the same code. It has
    the rate now (`GHSspd`) and since the start (`GHSavg`) in GH/s, and all chips (`TA`).
    Documented (D260): those of boards (`MGHS`) are means since the start.
    """
    found = yield from rows_of(VERSION, "VERSION")
    stats = yield from rows_of(STATS, "STATS")
    pools = yield from rows_of(POOLS, "POOLS")
    version, figures = found[0] if found else {}, _figures(stats[0] if stats else {})
    prod = clean(version.get("PROD")) or ""
    code = _CODE.search(prod) or _CODE.match(str(version.get("MODEL") or figures.get("Ver") or "")[:64])
    model = prod[: code.start()].strip() if code is not None and prod else prod
    if code is not None:
        model = f"{model or 'AvalonMiner'} {code[1]}"
    row = Row({key: value.split(" ")[0] for key, value in figures.items()}, set())
    reading = UnitReading(
        unit_id=name,
        reader=NO_READER,
        at=wall(),
        dialect=Dialect.LEGACY,
        mode=None,
        identity=Identity(
            model=model or None, firmware=clean(version.get("VERSION")) or clean(version.get("LVERSION"))
        ),
        uptime_s=row.number("Elapsed", MAX_UPTIME_S),
        hashrate_5s_hs=row.number("GHSspd", MAX_HASHRATE_HS, HS_PER_GHS),
        hashrate_avg_hs=row.number("GHSavg", MAX_HASHRATE_HS, HS_PER_GHS),
        hashrate_sale_hs=None if code is None else float(code[2]) * HS_PER_THS or None,
        boards=_boards(figures, row),
        pools=pools_of(pools),
    )
    return Told("Canaan", without_window(reading), info_of(reading.identity, mac=version.get("MAC")))


def _figures(stats: Mapping[str, Any]) -> dict[str, str]:
    """Return the figures of an Avalon's first module, by name; of two with one name, the first."""
    text = next((value for key, value in stats.items() if key.startswith("MM ID0") and isinstance(value, str)), "")
    figures: dict[str, str] = {}
    for key, value in _FIGURE.findall(text[:_LONGEST_FIGURES]):
        figures.setdefault(key, value.strip())
    return figures


def _boards(figures: Mapping[str, str], row: Row) -> tuple[BoardReading, ...]:
    rates = [Row({"": text}, set()).number("", MAX_HASHRATE_HS, HS_PER_GHS) for text in figures.get("MGHS", "").split()]
    chips = row.number("TA", MAX_CHIPS * MAX_BOARDS)
    if not 0 < len(rates) <= MAX_BOARDS:
        return ()
    each = None if chips is None or chips % len(rates) else int(chips) // len(rates)
    return tuple(
        BoardReading(slot=slot, hashrate_hs=rate_hs, chips=each, is_average=True) for slot, rate_hs in enumerate(rates)
    )
