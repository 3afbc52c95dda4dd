"""The whitelist of a recorder: every request that it may send, by firmware, as data. Pure.

Each of them only tells; `encoded` and `path_of` refuse any other. Documented (D11): with `new_api`, stock firmware also
takes the switches `reload`, `sleep` and `network`; they are on no list here, nor are the commands of other firmware
that act without a login (D220), nor pages that write.
"""

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

import msgspec

from agent.hil.capture.form import API_PAGE
from agent.unit.cgminer import wire


class Firmware(StrEnum):
    """Which firmware answers, as far as it decides what may be asked."""

    STOCK = "stock"
    LUXOS = "luxos"
    BRAIINS = "braiins"
    VNISH = "vnish"
    HIVEON = "hiveon"
    EPIC = "epic"
    OTHER = "other"


_PAGE: Final = "GET "
_NEW_API: Final = "new_api"
_BOARD: Final = "{board}"
BOARDS: Final = range(4)
"""Boards that may be asked for one by one."""

VERSION: Final = "version"
STATS: Final = "stats new_api"

# Asked of every unit, in the order of one burst: what is to be compared stands side by side. Documented (D10, D11).
REPORTS: Final = (
    *(STATS, "stats", "summary new_api", "summary", "pools new_api", "pools"),
    *("devs", "devs new_api", "version new_api", "rate new_api", "warning new_api"),
)

JOINED: Final = ("power+temps+fans+config", "pools+devdetails+events")
"""Reports that a running agent asks LuxOS for together (DECISIONS 119)."""

# What other firmware tells besides. Documented (D222): LuxOS. Documented (D223): Braiins OS. Observed (O04): Hiveon
# refuses `devdetails` with code 45, and says so.
MORE: Final[Mapping[Firmware, tuple[str, ...]]] = MappingProxyType(
    {
        Firmware.STOCK: (),
        Firmware.LUXOS: (
            *("devdetails", "groups", "config", "power", "temps", "tempctrl", "fans", "profiles", "limits", "atm"),
            *("autotunerget", "events", "metrics", "psuget"),
            *JOINED,
            *(f"healthchipget {_BOARD}", f"voltageget {_BOARD}", f"frequencyget {_BOARD}"),
        ),
        Firmware.BRAIINS: ("devdetails", "config", "coin", "temps", "fans", "tempctrl", "tunerstatus"),
        Firmware.VNISH: ("devdetails",),
        Firmware.HIVEON: ("devdetails",),
        Firmware.EPIC: (),
        Firmware.OTHER: (),
    }
)

# Asked again in each later look: what moves, and what the agent's readers need.
AGAIN: Final[Mapping[Firmware, tuple[str, ...]]] = MappingProxyType(
    {
        Firmware.STOCK: (VERSION, *REPORTS),
        Firmware.LUXOS: (
            *(VERSION, STATS, "stats", "summary new_api", "summary", "devs", "pools"),
            *("devdetails", "config", "power", "temps", "fans", "events"),
            *JOINED,
        ),
        Firmware.BRAIINS: (
            *(VERSION, STATS, "stats", "summary new_api", "summary", "devs", "pools"),
            *("devdetails", "temps", "fans", "tunerstatus"),
        ),
        Firmware.VNISH: (VERSION, STATS, "stats", "summary new_api", "summary", "devs", "pools"),
        Firmware.HIVEON: (VERSION, STATS, "stats", "summary new_api", "summary", "devs", "pools"),
        Firmware.EPIC: (),
        Firmware.OTHER: (VERSION, *REPORTS),
    }
)

PAUSE_S: Final[Mapping[Firmware, float]] = MappingProxyType(
    {firmware: 0.0 if firmware in {Firmware.STOCK, Firmware.OTHER} else 1.0 for firmware in Firmware}
)
"""Time between two requests, s. Documented (D224): a tuner for LuxOS waits a second; no maker publishes a limit."""

# Documented (D17, D74, D77), Observed (O67, O69, O70): pages of stock firmware that only tell.
_STOCK_PAGES: Final = tuple(
    f"{_PAGE}/cgi-bin/{name}.cgi"
    for name in (
        *("get_system_info", "stats", "summary", "pools", "warning", "chart", "miner_type", "get_network_info"),
        *("get_miner_conf", "get_blink_status", "log"),
    )
)
# Documented (D221): VNish tells these without a login; `chains` became `boards` in 1.3.
_VNISH_PAGES: Final = tuple(
    f"{_PAGE}/api/v1/{name}"
    for name in ("info", "status", "summary", "perf-summary", "model", "metrics", "chains", "boards")
)
EPIC_SUMMARY: Final = f"{API_PAGE}/summary"
# Documented (D273, D293): GETs of ePIC firmware take no login and only tell. They are on TCP 4028.
_EPIC_PAGES: Final = (
    EPIC_SUMMARY,
    *(f"{API_PAGE}/{name}" for name in ("capabilities", "network", "temps", "temps/chip", "voltages")),
    *(f"{API_PAGE}/{name}" for name in ("hashrate", "clocks")),
)
PAGES: Final[Mapping[Firmware, tuple[str, ...]]] = MappingProxyType(
    {
        Firmware.STOCK: _STOCK_PAGES,
        Firmware.LUXOS: (),
        Firmware.BRAIINS: (),
        Firmware.VNISH: _VNISH_PAGES,
        Firmware.HIVEON: _STOCK_PAGES,
        Firmware.EPIC: _EPIC_PAGES,
        Firmware.OTHER: _STOCK_PAGES,
    }
)
_MOVING: Final = frozenset({"stats", "summary", "pools", "warning", "chart", "get_miner_conf", "status", "temps"})
# Observed (O190): keys of `/summary`, two of which no other server's page has.
_OF_EPIC: Final = re.compile(rb'"(HBStatus|HBs|Session|StratumConfigs|PerpetualTune)"\s*:')


def _whole(name: str) -> tuple[str, ...]:
    return tuple(name.replace(_BOARD, str(board)) for board in BOARDS) if _BOARD in name else (name,)


ALLOWED: Final = frozenset(
    each for names in (*MORE.values(), *AGAIN.values(), REPORTS) for name in names for each in _whole(name)
)
"""Every request on TCP 4028."""
ALLOWED_PAGES: Final = frozenset(page for pages in PAGES.values() for page in pages)
"""Every page."""


def encoded(name: str) -> bytes:
    """Return the bytes of a request on TCP 4028.

    Raises:
        ValueError: It is not on the whitelist.
    """
    if name not in ALLOWED:
        raise ValueError(f"{name!r} is not on the whitelist of requests that only tell")
    command, *words = name.split(" ")
    if words and words != [_NEW_API]:
        return msgspec.json.encode({"command": command, "parameter": words[0]})
    return wire.encode_request(command, new_api=bool(words))


def path_of(page: str) -> str:
    """Return the path of a page.

    Raises:
        ValueError: It is not on the whitelist.
    """
    if page not in ALLOWED_PAGES:
        raise ValueError(f"{page!r} is not on the whitelist of pages that only tell")
    return page.removeprefix(API_PAGE if page.startswith(API_PAGE) else _PAGE)


def first_reports(firmware: Firmware, boards: Iterable[int]) -> list[str]:
    """Return what the first look asks after `version`, in order.

    Args:
        firmware: As `version` and `stats` say.
        boards: Boards that the unit lists; those that may not be asked for are left out.
    """
    known = [board for board in boards if board in BOARDS]
    # Documented (D161): ePIC firmware answers any report alike, with status 400.
    names = [] if firmware is Firmware.EPIC else list(REPORTS)
    for name in MORE[firmware]:
        names += [name.replace(_BOARD, str(board)) for board in known] if _BOARD in name else [name]
    return names


def moving_pages(firmware: Firmware) -> list[str]:
    """Return the pages of a later look."""
    return [page for page in PAGES[firmware] if re.split(r"[/.]", page.removesuffix(".cgi"))[-1] in _MOVING]


def is_epic(page: bytes) -> bool:
    """Return True if a page is the `/summary` of ePIC firmware."""
    return len(set(_OF_EPIC.findall(page))) > 1


def firmware_said(version: bytes, stats: bytes = b"", summary: bytes = b"") -> Firmware:
    """Return the firmware that replies name, by their bytes alone: one may be malformed.

    Args:
        version: The reply to `version`.
        stats: Those to `stats`.
        summary: The body of the page `/summary` on TCP 4028; empty if there is none.

    Observed (O82): Braiins OS. Observed (O83): LuxOS. Documented (D120), Observed (O86): VNish names itself in `Type`,
    or refuses `version` with code 0. Observed (O76): Hiveon. Observed (O08): stock.
    """
    if is_epic(summary):
        return Firmware.EPIC
    said, both = version.upper(), version.upper() + stats.upper()
    if b"BOSER" in said or b"BOSMINER" in said:
        return Firmware.BRAIINS
    if b"LUXMINER" in said:
        return Firmware.LUXOS
    if b"(VNISH" in both or _is_refused_with_0(version):
        return Firmware.VNISH
    if re.search(rb'"TYPE" *: *"[^"]* HIVEON"', both):
        return Firmware.HIVEON
    return Firmware.STOCK if b"CGMINER 1.0.0" in said else Firmware.OTHER


def _is_refused_with_0(reply: bytes) -> bool:
    return re.search(rb'"Code" *: *0\b', reply) is not None and b"Invalid command" in reply and b'"id"' not in reply


def boards_listed(devs: bytes) -> list[int]:
    """Return the boards that a reply to `devs` lists, by `ID`; none if it cannot be read."""
    return sorted({int(number) for number in re.findall(rb'"ID" *: *([0-9]{1,2})\b', devs)})
