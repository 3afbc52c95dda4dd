"""A machine under ePIC firmware: its pages `/capabilities`, `/summary` and `/network` on TCP 4028. Pure."""

from collections.abc import Callable, Generator, Mapping
from typing import Any, Final

from agent.errors import PollError
from agent.hil.scan.makes.asking import HS_PER_MHS, NO_READER, Asking, Told, count_in, info_of
from agent.unit.cgminer import wire
from agent.unit.cgminer.fields import clean, number
from agent.unit.limits import HS_PER_THS, MAX_BOARDS, MAX_HASHRATE_HS, MAX_UPTIME_S, MAX_WATTS
from agent.unit.model_names import make_in
from agent.unit.reading import BoardReading, Dialect, Identity, PoolReading, PowerKind, UnitReading, without_window

FIRMWARE: Final = "ePIC"
READER: Final = "epic"

# HTTP/1.0 ends its answer by closing, and has no chunks.
CAPABILITIES, MACHINE, NETWORK = (
    f"GET /{page} HTTP/1.0\r\nHost: miner\r\nConnection: close\r\n\r\n".encode("ascii")
    for page in ("capabilities", "summary", "network")
)
PAGES: Final = (CAPABILITIES, MACHINE, NETWORK)
"""Every request of this module; GETs, all of them."""


def ask_epic(name: str, wall: Callable[[], float]) -> Asking:
    """Ask what speaks HTTP for ePIC's pages; what has no model in its capabilities is asked no more.

    Documented (D292): `/capabilities` has the model, `AntMiner S19 XP`, and the rate of its default clocks in TH/s;
    `/summary` boards, rates in MH/s, pool and power; `/network` the MAC address.
    """
    capabilities = yield from _page(CAPABILITIES)
    model = clean(capabilities.get("Model"))
    # Documented (D292): what it has no name for.
    model = None if model is None or model.casefold() == "undefined" else model
    summary, network = dict[str, Any](), dict[str, Any]()
    if model is not None:
        summary = yield from _page(MACHINE)
        network = yield from _page(NETWORK)
    session, boards = _part(summary, "Session"), _boards(summary)
    rates = [board.hashrate_hs for board in boards if board.hashrate_hs is not None]
    reading = UnitReading(
        unit_id=name,
        reader=NO_READER,
        at=wall(),
        dialect=Dialect.LEGACY,
        mode=None,
        identity=Identity(model=model, firmware=clean(summary.get("Software")), miner=FIRMWARE),
        uptime_s=_number(session, "Uptime", MAX_UPTIME_S),
        hashrate_5s_hs=sum(rates) if rates else None,
        hashrate_avg_hs=_number(session, "Average MHs", MAX_HASHRATE_HS, HS_PER_MHS),
        hashrate_ideal_hs=_number(capabilities, "Default Hashrate", MAX_HASHRATE_HS, HS_PER_THS) or None,
        power_watts=_number(_part(summary, "Power Supply Stats"), "Input Power", MAX_WATTS) or None,
        # Assumed (A61): a key that names the supply's input holds what the supply measured.
        power_kind=PowerKind.MEASURED,
        boards=boards,
        pools=_pools(summary),
    )
    wired = _part(network, "dhcp") or _part(network, "static")
    serial = capabilities.get("Miner Serial Number")
    make = None if model is None else make_in(model) or FIRMWARE
    info = info_of(reading.identity, mac=wired.get("mac_address"), serial=serial)
    return Told(make, without_window(reading), info, reader=READER)


def _page(request: bytes) -> Generator[bytes, bytes, dict[str, Any]]:
    """Ask for a page and return its JSON object; empty if it has none, or the answer is not 200."""
    try:
        head, _, body = (yield request).partition(b"\r\n\r\n")
        words = head.partition(b"\r\n")[0].split()
        if len(words) < 2 or not words[0].startswith(b"HTTP/") or words[1] != b"200":
            return {}
        content, _ = wire.decode_object(body)
    except PollError:
        return {}
    return content


def _boards(summary: Mapping[str, Any]) -> tuple[BoardReading, ...]:
    """Return every board that is detected, in the order of slots.

    Documented (D292): `HBs` has only boards that run; `HBStatus` has all of them. Neither has a count of chips.
    """
    rates: dict[int, float | None] = {}
    for row in _rows(summary, "HBStatus"):
        slot = count_in(row, "Index", MAX_BOARDS - 1)
        if slot is not None and row.get("Detected") is True:
            rates[slot] = None
    for row in _rows(summary, "HBs"):
        slot, told = count_in(row, "Index", MAX_BOARDS - 1), row.get("Hashrate")
        if slot is not None:
            first = {"": told[0]} if isinstance(told, list) and told else {}
            rates[slot] = _number(first, "", MAX_HASHRATE_HS, HS_PER_MHS)
    return tuple(BoardReading(slot=slot, hashrate_hs=rates[slot], chips=None) for slot in sorted(rates))


def _pools(summary: Mapping[str, Any]) -> tuple[PoolReading, ...]:
    """Return the pool in use, as far as the summary names it."""
    stratum = _part(summary, "Stratum")
    url, is_active = clean(stratum.get("Current Pool")), stratum.get("IsPoolConnected")
    if url is None:
        return ()
    known = is_active if isinstance(is_active, bool) else None
    return (PoolReading(index=0, status=None, is_active=known, url=url, user=clean(stratum.get("Current User"))),)


def _part(body: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = body.get(key)
    return value if isinstance(value, dict) else {}


def _rows(body: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    value = body.get(key)
    return [each for each in value[:MAX_BOARDS] if isinstance(each, dict)] if isinstance(value, list) else []


def _number(row: Mapping[str, Any], key: str, high: float, factor: float = 1.0) -> float | None:
    value = number(row.get(key), set())
    return None if value is None or not 0 <= value * factor <= high else value * factor
