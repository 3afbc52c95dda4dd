"""What other makes, and Braiins OS, tell of themselves on TCP 4028: model, bin and rates. Pure.

The agent's readers read stock Bitmain firmware, and some others as far as they answer alike. A scan asks a machine that
they do not read, or whose model they do not learn, for one or two more reports. None of these changes it.

    a Whatsminer ...... summary, devdetails
    an Avalon ......... version, stats
    a SealMiner ....... stats
    Braiins OS ........ devdetails, devs, beside what its reader asks
"""

import re
from collections.abc import Callable, Generator, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec

from agent.address import parse_mac
from agent.errors import PollError
from agent.unit.cgminer import wire
from agent.unit.cgminer.fields import clean
from agent.unit.cgminer.firmware import firmware_of
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
from agent.unit.reading import BoardReading, Dialect, Identity, PowerKind, SystemInfo, UnitReading

HS_PER_MHS: Final = 1e6
NO_READER: Final = ""
"""Name of the reader of what no reader reads."""
DEVDETAILS: Final = wire.encode_request("devdetails")
DEVS: Final = wire.encode_request("devs")
REQUESTS: Final = (*map(wire.encode_request, ("summary", "version", "stats")), DEVDETAILS, DEVS)
"""Every request of this module; reports, all of them."""
SUMMARY, VERSION, STATS = REQUESTS[:3]

# `Ver[1346-110-24041001_08b0955] GHSspd[0.00]`: an Avalon's figures, in one text.
_AVALON_FIGURE: Final = re.compile(r"(\w+)\[([^\]]*)\]")
_AVALON_CODE: Final = re.compile(r"([0-9]{3,5}[A-Za-z]*|[0-9]{2})-([0-9]{2,4})")
_LONGEST_FIGURES: Final = 16_384
_BRAIINS: Final = "Braiins OS"


class Told(NamedTuple):
    """What a machine of another make tells.

    Attributes:
        make: Its maker.
        reading: Its figures, as far as the reports have them. `hashrate_sale_hs` is its bin.
        info: Its MAC address; None if it tells none.
    """

    make: str
    reading: UnitReading
    info: SystemInfo | None


Questions: TypeAlias = Callable[[str, Callable[[], float]], Generator[bytes, bytes, Told]]
"""Begins the questions to a machine, from its name and a function that returns Unix time, s.

Requests out, whole replies in, at the end what the machine tells. A report that fails only leaves its figures out.
"""


def has_model_elsewhere(reading: UnitReading) -> bool:
    """Return True for a unit under Braiins OS that names no model in the reports of its reader.

    Observed (O82): it has no `Type`.
    """
    identity = reading.identity
    firmware = firmware_of(identity.firmware, identity.miner) or ""
    return identity.model is None and firmware.startswith(_BRAIINS)


def braiins_model(reading: UnitReading) -> Generator[bytes, bytes, UnitReading]:
    """Ask a unit under Braiins OS for its model and boards, and return its reading with them.

    Observed (O146): `devdetails` names the model of the unit, and the chips of each board. Observed (O147): `Nominal
    MHS` of `devs` is what a board should give by the running profile. The bin on the label stands nowhere on TCP 4028.
    """
    details = yield from _rows(DEVDETAILS, "DEVDETAILS")
    boards = yield from _rows(DEVS, "DEVS")
    chips = {_number_of(row): _count(row, "Chips", MAX_CHIPS) for row in details}
    model = next((text for row in details if (text := clean(row.get("Model")))), None)
    nominal_hs = [Row(row, set()).number("Nominal MHS", MAX_HASHRATE_HS, HS_PER_MHS) for row in boards]
    ideal_hs = sum(each for each in nominal_hs if each is not None)
    return msgspec.structs.replace(
        reading,
        identity=msgspec.structs.replace(reading.identity, model=model),
        hashrate_ideal_hs=ideal_hs or reading.hashrate_ideal_hs,
        is_profile_ideal=True,
        boards=reading.boards
        or tuple(
            BoardReading(
                slot=_slot(_number_of(row), place),
                hashrate_hs=read_rates(row, set()).five_s_hs,
                chips=chips.get(_number_of(row)),
            )
            for place, row in enumerate(boards or details)
        ),
    )


def _whatsminer(name: str, wall: Callable[[], float]) -> Generator[bytes, bytes, Told]:
    """Ask a Whatsminer.

    Documented (D210): `summary` has `Factory GHS`, the rate as tested at the factory, in GH/s, the rate now as `HS RT`,
    in MH/s, and the MAC address. Documented (D211): `devdetails` names the model, one row a board. On a label the rate
    is in whole TH/s, so the bin is `Factory GHS` rounded.
    """
    found = yield from _rows(SUMMARY, "SUMMARY")
    details = yield from _rows(DEVDETAILS, "DEVDETAILS")
    summary = found[0] if found else {}
    row, at = Row(summary, set()), wall()
    factory_hs = row.number("Factory GHS", MAX_HASHRATE_HS, HS_PER_GHS)
    model = next((text for each in details if (text := clean(each.get("Model")))), None)
    firmware = (clean(summary.get("Firmware Version")) or "").strip("'") or None
    reading = UnitReading(
        unit_id=name,
        reader=NO_READER,
        at=at,
        dialect=Dialect.LEGACY,
        mode=None,
        identity=Identity(model=model and f"Whatsminer {model}", firmware=firmware),
        uptime_s=row.number("Elapsed", MAX_UPTIME_S),
        hashrate_5s_hs=row.number("HS RT", MAX_HASHRATE_HS, HS_PER_MHS),
        hashrate_avg_hs=read_rates(summary, set()).average_hs,
        hashrate_sale_hs=round(factory_hs / HS_PER_THS) * HS_PER_THS or None if factory_hs else None,
        power_watts=row.number("Power", MAX_WATTS),
        boards=tuple(BoardReading(slot=slot, hashrate_hs=None, chips=None) for slot in range(len(details))),
    )
    return Told("MicroBT", reading, _info(summary.get("MAC"), reading.identity))


def _avalon(name: str, wall: Callable[[], float]) -> Generator[bytes, bytes, Told]:
    """Ask an Avalon.

    Documented (D212): `PROD` and `MODEL` of `version` are model and bin with a dash between, `AvalonMiner 1346-110`;
    machines for the home have a name alone. Documented (D213): the text of `MM ID0` begins with the same code. It has
    the rate now (`GHSspd`) and since the start (`GHSavg`) in GH/s, those of boards (`MGHS`), and all chips (`TA`).
    """
    found = yield from _rows(VERSION, "VERSION")
    stats = yield from _rows(STATS, "STATS")
    version, figures = found[0] if found else {}, _avalon_figures(stats[0] if stats else {})
    prod = clean(version.get("PROD")) or ""
    code = _AVALON_CODE.search(prod) or _AVALON_CODE.match(str(version.get("MODEL") or figures.get("Ver") or "")[:64])
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
        boards=_avalon_boards(figures, row),
    )
    return Told("Canaan", reading, _info(version.get("MAC"), reading.identity))


def _avalon_figures(stats: Mapping[str, Any]) -> dict[str, str]:
    """Return the figures of an Avalon's first module, by name; of two with one name, the first."""
    text = next((value for key, value in stats.items() if key.startswith("MM ID0") and isinstance(value, str)), "")
    figures: dict[str, str] = {}
    for key, value in _AVALON_FIGURE.findall(text[:_LONGEST_FIGURES]):
        figures.setdefault(key, value.strip())
    return figures


def _avalon_boards(figures: Mapping[str, str], row: Row) -> tuple[BoardReading, ...]:
    rates = [Row({"": text}, set()).number("", MAX_HASHRATE_HS, HS_PER_GHS) for text in figures.get("MGHS", "").split()]
    chips = row.number("TA", MAX_CHIPS * MAX_BOARDS)
    if not 0 < len(rates) <= MAX_BOARDS:
        return ()
    each = None if chips is None or chips % len(rates) else int(chips) // len(rates)
    return tuple(BoardReading(slot=slot, hashrate_hs=rate_hs, chips=each) for slot, rate_hs in enumerate(rates))


def _sealminer(name: str, wall: Callable[[], float]) -> Generator[bytes, bytes, Told]:
    """Ask a SealMiner.

    Documented (D214): `stats` has the model, the MAC address, the power at the supply's input, and for each board rate,
    chips and serial number. `MHS(Rated)` follows the tuning, so a bin made of it is a guess.
    """
    found = yield from _rows(STATS, "STATS")
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
        power_watts=row.number("PSU Input Power", MAX_WATTS),
        # Assumed (A61): a key that names the supply's input holds what the supply measured.
        power_kind=PowerKind.MEASURED,
        boards=tuple(
            BoardReading(
                slot=slot,
                hashrate_hs=row.number(f"{slot} MHS(Sample)", MAX_HASHRATE_HS, HS_PER_MHS),
                chips=_count(stats, f"{slot} Chip Count", MAX_CHIPS),
                serial=clean(stats.get(f"{slot} SN")),
            )
            for slot in range(MAX_BOARDS)
            if row.has(f"{slot} Chip Count")
        ),
    )
    return Told("Bitdeer", reading, _info(stats.get("MAC"), reading.identity))


QUESTIONS: Final[Mapping[str, Questions]] = MappingProxyType(
    {"a Whatsminer": _whatsminer, "an Avalon": _avalon, "a SealMiner": _sealminer}
)
"""By what `ForeignProtocolError.speaker` says; the others tell nothing more."""


def _rows(request: bytes, key: str) -> Generator[bytes, bytes, list[dict[str, Any]]]:
    """Ask for a report and return its rows; none if it fails.

    Documented (D210): newer Whatsminers have the one row of a report in `Msg`.
    """
    try:
        body, _ = wire.decode_object((yield request))
    except PollError:
        return []
    rows = body.get(key, body.get("Msg"))
    rows = rows if isinstance(rows, list) else [rows]
    return [row for row in rows[:MAX_BOARDS] if isinstance(row, dict)]


def _info(mac: Any, identity: Identity) -> SystemInfo | None:
    try:
        address = parse_mac(mac) if isinstance(mac, str) else None
    except ValueError:
        address = None
    if address is None:
        return None
    return SystemInfo(model=identity.model, firmware=identity.firmware, mac=address)


def _count(row: Mapping[str, Any], key: str, most: int) -> int | None:
    value = Row(dict(row), set()).number(key, most)
    return None if value is None else int(value)


def _number_of(row: Mapping[str, Any]) -> int | None:
    number = row.get("ID")
    return number if isinstance(number, int) else None


def _slot(number: int | None, place: int) -> int:
    """Return a board's slot: Braiins OS counts from 1."""
    return number - 1 if number is not None and 1 <= number <= MAX_BOARDS else place
