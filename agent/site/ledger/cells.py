"""Conversion of one ledger cell to its value, and back; a bad cell raises ValueError with a readable reason.

A cell that could be read in two ways is refused: short and octal addresses, numbers with exponents, local times that
the clocks skip or repeat.
"""

import ipaddress
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache, partial
from typing import Any
from zoneinfo import ZoneInfo

from agent.address import Endpoint, Network, parse_endpoint, parse_mac
from agent.site.ledger.entries import NO_OWNER
from agent.unit.limits import HS_PER_THS, MAX_BOARDS, MAX_CHIPS
from agent.unit.model_names import base_key, known_make
from agent.unit.reader import AUTO
from agent.unit.reader import NAMES as READER_NAMES

API_PORT = 4028
# Bitcoin began in 2009; a year after 2100 is a typing error.
FIRST_YEAR, LAST_YEAR = 2009, 2100
# Cells that a ledger repeats many times (models, dates) are parsed once; this many of each are cached.
REMEMBERED_CELLS = 4096

# Far above any machine: the largest rack units take 15 kW.
MAX_RATED_WATTS = 100_000
# Enough for the addresses of 16 million units; a ledger has a few hundred prefixes.
REMEMBERED_PREFIXES = 65536

_PLAIN_PREFIX = re.compile(r"(?:0|[1-9][0-9]{0,2})(?:\.(?:0|[1-9][0-9]{0,2})){2}")
_PLAIN_END = re.compile(r"([1-9][0-9]{0,2})(:([1-9][0-9]{0,4}))?")
_UNIT_ID = re.compile(r"(?=.*[A-Za-z0-9])[A-Za-z0-9._:-]{1,64}")
# With or without the unit that labels and spreadsheets write after it.
_HASHRATE = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(?: ?(?:T|TH|TH/s|Th/s))?")
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?:[T ](?:[01][0-9]|2[0-3]):[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?(?:Z|[+-][0-9]{2}:[0-9]{2})?)?"
)

CellParser = Callable[[str], Any]


def cell_parsers(*, zone: ZoneInfo, networks: tuple[Network, ...]) -> Mapping[str, CellParser]:
    """Return the parser of each column.

    Args:
        zone: The zone of dates and times without an offset.
        networks: The networks in which units may be.
    """
    moment = lru_cache(REMEMBERED_CELLS)(partial(parse_moment, zone=zone))
    label = lru_cache(REMEMBERED_CELLS)(parse_label)
    return {
        "unit_id": parse_unit_id,
        "model": lru_cache(REMEMBERED_CELLS)(parse_model),
        "hashrate_th": lru_cache(REMEMBERED_CELLS)(parse_hashrate_hs),
        "host": host_parser(networks),
        "container": label,
        "rack": label,
        "slot": label,
        "deployed_from": moment,
        "deployed_to": moment,
        "status": parse_status,
        "serial": lambda cell: parse_label(cell) or None,
        "mac": parse_optional_mac,
        "simulated": parse_simulated,
        "web_port": parse_web_port,
        "reader": parse_reader,
        "owner": lru_cache(REMEMBERED_CELLS)(parse_owner),
        "make": lru_cache(REMEMBERED_CELLS)(parse_make),
        "power_w": lru_cache(REMEMBERED_CELLS)(partial(parse_count, unit="W", most=MAX_RATED_WATTS)),
        "boards": lru_cache(REMEMBERED_CELLS)(partial(parse_count, unit="boards", most=MAX_BOARDS)),
        "chips_per_board": lru_cache(REMEMBERED_CELLS)(partial(parse_count, unit="chips", most=MAX_CHIPS)),
    }


def parse_unit_id(cell: str) -> str:
    """Return a unit's id: 1 to 64 characters that are safe in a path, a label and a topic."""
    if not _UNIT_ID.fullmatch(cell):
        raise ValueError("1 to 64 of A-Z a-z 0-9 . _ : - are expected, at least one of them a letter or digit")
    return cell


def parse_model(cell: str) -> str:
    """Return a model's name as it is written; whether the catalogue has it depends on its bin too."""
    if not base_key(cell):
        raise ValueError("a model is expected, such as Antminer S21")
    return parse_label(cell)


def parse_hashrate_hs(cell: str) -> float:
    """Return a rated hashrate in H/s from TH/s; ``200``, ``200T`` and ``200 TH/s`` are the same."""
    number = _HASHRATE.fullmatch(cell)
    if number is None or float(number[1]) == 0:
        raise ValueError("a number of TH/s above 0 is expected, such as 200 or 151.5")
    return float(number[1]) * HS_PER_THS


def parse_owner(cell: str) -> str:
    """Return an owner's name; empty for the site's own."""
    if cell == NO_OWNER:
        raise ValueError("an owner's name is expected, or an empty cell for a unit of nobody else")
    return parse_label(cell)


def parse_make(cell: str) -> str:
    """Return the make of a machine, in the spelling of known makes; empty for an empty cell."""
    return known_make(cell) or parse_label(cell)


def parse_count(cell: str, *, unit: str, most: int) -> int | None:
    """Return a whole number from 1 to `most` of a machine; None for an empty cell."""
    if not cell:
        return None
    if not re.fullmatch(r"[0-9]{1,7}", cell) or not 0 < int(cell) <= most:
        raise ValueError(f"a whole number of {unit} from 1 to {most} is expected, or an empty cell")
    return int(cell)


def host_parser(networks: tuple[Network, ...]) -> CellParser:
    """Return a parser equal to `parse_host` that takes a tenth of its time for plain IPv4, with or without a port."""

    @lru_cache(REMEMBERED_PREFIXES)
    def is_plain(prefix: str) -> bool:
        """Return True if each of the 254 addresses with this prefix may be a unit's."""
        if not _PLAIN_PREFIX.fullmatch(prefix):
            return False
        try:
            block = ipaddress.IPv4Network(f"{prefix}.0/24")
            parse_host(f"{prefix}.1", networks=networks)
        except ValueError:
            return False
        # A smaller network within the block has a first and a last address of its own.
        return not any(
            isinstance(home, ipaddress.IPv4Network) and home.prefixlen > 24 and home.overlaps(block)
            for home in networks
        )

    def parse(cell: str) -> Endpoint:
        prefix, _, end = cell.rpartition(".")
        plain = _plain_end(end)
        if plain is not None and is_plain(prefix):
            port, port_chars = plain
            return Endpoint(cell[:-port_chars] if port_chars else cell, port)
        return parse_host(cell, networks=networks)

    return parse


@lru_cache(REMEMBERED_CELLS)
def _plain_end(end: str) -> tuple[int, int] | None:
    """Return the port at the end of an address and the length of its text; None if `parse_host` has to decide."""
    plain = _PLAIN_END.fullmatch(end)
    if plain is None:
        return None
    last, port_text, port = plain.groups(default="")
    if int(last) >= 255 or int(port or 0) > 65535:
        return None
    return int(port or API_PORT), len(port_text)


def parse_host(cell: str, *, networks: tuple[Network, ...]) -> Endpoint:
    """Return a unit's address and port: the address of one machine, in an allowed network."""
    address, port = parse_endpoint(cell, default_port=API_PORT)
    if port == 0:
        raise ValueError("a port from 1 to 65535 is expected")
    if address.is_unspecified or address.is_multicast:
        raise ValueError("this is not the address of one machine")
    homes = [network for network in networks if address in network]
    if not homes:
        raise ValueError("outside the networks that ledger.networks allows")
    for home in homes:
        if (
            isinstance(home, ipaddress.IPv4Network)
            and home.prefixlen < 31  # RFC 3021: a /31 is two machines and nothing else.
            and address in {home.network_address, home.broadcast_address}
        ):
            raise ValueError(f"the first and the last address of {home} are not those of one machine")
    return Endpoint(str(address), port)


def parse_label(cell: str) -> str:
    """Return a name as it is painted on the container, rack or unit; may be empty."""
    if len(cell) > 64 or not cell.isprintable():
        raise ValueError("at most 64 printable characters are expected")
    return cell


def parse_moment(cell: str, *, zone: ZoneInfo) -> float | None:
    """Return the Unix time, s, of an ISO date or date and time; None for an empty cell.

    A date is the first moment of that day in `zone`, whatever the clocks do at midnight. A time without an offset is
    in `zone`, and is refused if the clocks skip it or show it twice.
    """
    if not cell:
        return None
    if not _MOMENT.fullmatch(cell):
        raise ValueError("an ISO date, or date and time, is expected, such as 2025-10-01 or 2025-10-01T06:00-05:00")
    try:
        moment = datetime.fromisoformat(cell)
    except ValueError:
        raise ValueError("there is no such date or time") from None
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise ValueError(f"a year from {FIRST_YEAR} to {LAST_YEAR} is expected")
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
        is_date = "T" not in cell and " " not in cell
        if not is_date:
            _refuse_clock_change(moment, zone)
        # A date needs no such care: fold=0 is the first of two midnights. If midnight is skipped, it is the end of the
        # gap: no gap of any zone of tzdata, 2009 to 2100, begins before a midnight and ends after it.
    return moment.timestamp()


def _refuse_clock_change(moment: datetime, zone: ZoneInfo) -> None:
    """Refuse a local time that `zone` shows twice or never."""
    again = moment.replace(fold=1)
    before, after = moment.utcoffset(), again.utcoffset()
    if before is None or after is None or before == after:
        return
    if before < after:
        raise ValueError(f"the clocks of {zone} skip this time")
    raise ValueError(f"the clocks of {zone} show this time twice; write {moment.isoformat()} or {again.isoformat()}")


def parse_status(cell: str) -> bool:
    """Return True if the unit is in maintenance; upper and lower case are the same."""
    word = cell.lower()
    if word not in {"deployed", "maintenance"}:
        raise ValueError("deployed or maintenance is expected")
    return word == "maintenance"


def parse_optional_mac(cell: str) -> str | None:
    """Return a MAC address as `parse_mac` does; None for an empty cell."""
    return parse_mac(cell) if cell else None


def parse_web_port(cell: str) -> int | None:
    """Return the port of a unit's web pages; None for an empty cell."""
    if not cell:
        return None
    if not re.fullmatch(r"[0-9]{1,5}", cell) or not 0 < int(cell) < 65536:
        raise ValueError("a port from 1 to 65535 is expected")
    return int(cell)


def parse_reader(cell: str) -> str:
    """Return the name of a reader; empty for an empty cell or `auto`, which leave the choice to the unit's answers."""
    word = cell.lower()
    if word and word not in READER_NAMES:
        raise ValueError(f"{', '.join(READER_NAMES[:-1])}, {READER_NAMES[-1]} or an empty cell is expected")
    return "" if word == AUTO else word


def parse_simulated(cell: str) -> bool:
    """Return True if a simulator answers for the unit."""
    word = cell.lower()
    if word not in {"yes", "no", ""}:
        raise ValueError("yes, no or an empty cell is expected")
    return word == "yes"


def moment_cell(at: float | None, zone: ZoneInfo) -> str:
    """Return the cell for a Unix time, s: a date if a day begins then in `zone`, else a time with its offset."""
    if at is None:
        return ""
    moment = datetime.fromtimestamp(at, zone)
    date = moment.date().isoformat()
    return date if parse_moment(date, zone=zone) == at else moment.isoformat()


def host_cell(endpoint: Endpoint) -> str:
    """Return the cell for an address, without the port if it is the default."""
    return endpoint.host if endpoint.port == API_PORT else str(endpoint)
