"""Questions to a machine of another make: requests out, reports in, what it tells at the end. Pure."""

from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from agent.address import parse_mac
from agent.errors import PollError
from agent.unit.cgminer import wire
from agent.unit.cgminer.fields import clean
from agent.unit.cgminer.pools import pools_in
from agent.unit.cgminer.rows import Row
from agent.unit.limits import MAX_BOARDS
from agent.unit.reading import Identity, PoolReading, SystemInfo, UnitReading

HS_PER_MHS: Final = 1e6
NO_READER: Final = ""
"""Reader of a reading that a scan made of a machine's reports."""
FOREIGN: Final = "foreign"
"""The reader of machines that pyasic knows."""

SUMMARY: Final = wire.encode_request("summary")
VERSION: Final = wire.encode_request("version")
STATS: Final = wire.encode_request("stats")
DEVS: Final = wire.encode_request("devs")
DEVDETAILS: Final = wire.encode_request("devdetails")
POOLS: Final = wire.encode_request("pools")
ASC_COUNT: Final = wire.encode_request("asccount")
IP_REPORT: Final = wire.encode_request("ipreport")
REPORTS: Final = (SUMMARY, VERSION, STATS, DEVS, DEVDETAILS, POOLS, ASC_COUNT, IP_REPORT)
"""Every command that these questions send; all of them only report."""


class Told(NamedTuple):
    """Identity that a machine of another make tells.

    Attributes:
        make: Its maker; None if it names none.
        reading: Its figures, as far as the reports have them. `hashrate_sale_hs` is its bin.
        info: Its MAC address and serial number; None if it tells neither.
        reader: The reader that fits; None if none does.
    """

    make: str | None
    reading: UnitReading
    info: SystemInfo | None
    reader: str | None = FOREIGN


Asking: TypeAlias = Generator[bytes, bytes, Told]
Questions: TypeAlias = Callable[[str, Callable[[], float]], Asking]
"""Begins the questions to a machine, from its name and a function that returns Unix time, s.

Requests out, whole replies in, at the end what the machine tells. A report that fails only leaves its figures out.
"""


def rows_of(request: bytes, key: str) -> Generator[bytes, bytes, list[dict[str, Any]]]:
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


def pools_of(rows: Sequence[dict[str, Any]]) -> tuple[PoolReading, ...]:
    """Return the pools in the rows of a `pools` report."""
    reply = wire.Reply(command="pools", status="S", code=None, message="", description="", body={"POOLS": list(rows)})
    return pools_in(reply, b"")[0]


def info_of(identity: Identity, *, mac: Any, serial: Any = None) -> SystemInfo | None:
    """Return a machine's identity, from its MAC address and serial number as told; None without both."""
    try:
        address = parse_mac(mac) if isinstance(mac, str) else None
    except ValueError:
        address = None
    number = clean(serial)
    if address is None and number is None:
        return None
    return SystemInfo(model=identity.model, firmware=identity.firmware, mac=address, serial=number)


def count_in(row: Mapping[str, Any], key: str, most: int) -> int | None:
    """Return a count; None if it is absent or above `most`."""
    value = Row(dict(row), set()).number(key, most)
    return None if value is None else int(value)
