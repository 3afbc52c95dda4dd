"""The whitelist: it has what every firmware tells, and nothing that acts."""

import re

import pytest
from paths import ROOT

from agent.hil.capture import requests
from agent.hil.capture.requests import ALLOWED, ALLOWED_PAGES, Firmware, encoded, firmware_said, path_of
from agent.unit.antminer.conversation import REQUESTS as POLLED
from agent.unit.epic.conversation import PATHS as EPIC_PATHS
from simulators.firmware.antminer.api_program import WRITE_COMMANDS
from simulators.firmware.pages.stock_pages import PAGES as SIMULATED
from simulators.firmware.registry import FIRMWARES

# Documented (D220): these act without a login. Documented (D11): the switches of stock firmware.
ACTING = frozenset(
    [
        *("pause", "resume", "addpool", "removepool", "switchpool", "enablepool", "disablepool", "addgroup"),
        *("removegroup", "groupquota", "pooloptsset", "logset", "kill", "updatecheck", "logon", "logoff", "atmset"),
        *("autotunerset", "boardconfig", "curtail", "fanset", "frequencyset", "frequencystop", "healthchipset"),
        *("healthctrl", "immersionswitch", "ledset", "netset", "poweroff", "profilenew", "profilerem", "profileset"),
        *("psuset", "reboot", "reset", "resetminer", "rebootdevice", "tempctrlset", "tempsensor", "uninstallluxos"),
        *("updaterun", "updateset", "voltageset", "session", "powertargetset", "poolpriority", "poolquota"),
        *("restart", "quit", "save", "setconfig", "privileged", "failover-only", "debug", "zero", "hotplug"),
        *("ascenable", "ascdisable", "ascset", "pgaenable", "pgadisable", "pgaset", "gpuenable", "gpudisable"),
        *("gpuintensity", "gpumem", "gpuengine", "gpufan", "gpurestart", "gpuvddc", "cpuenable", "cpudisable"),
        *("lockstats", "tunerset", "setpowertarget", "reload", "sleep", "network"),
    ]
)
ACTING_PAGES = re.compile(
    r"set|reboot|blink\.cgi|upgrade|update|reset|restart|restore|find|locate|unlock|passwd|pool/|delete|stop|start$|pause"
)


def test_no_request_acts() -> None:
    """No command on the whitelist is on a list of commands that act, in either dialect."""
    commands = {name.split(" ")[0] for name in ALLOWED}
    assert not commands & ACTING
    assert not any(commands & firmware.write_commands for firmware in FIRMWARES.values())
    assert WRITE_COMMANDS <= ACTING


def test_no_page_acts() -> None:
    """No page on the whitelist has a name of one that writes; the simulators' pages that write are not on it."""
    assert [page for page in ALLOWED_PAGES if ACTING_PAGES.search(page)] == []
    assert not {f"GET {path}" for path, page in SIMULATED.items() if page.is_write} & ALLOWED_PAGES
    assert {f"GET {path}" for path, page in SIMULATED.items() if not page.is_write} <= ALLOWED_PAGES


@pytest.mark.parametrize(
    "name", [*sorted(ACTING), "sleep new_api", "stats+summary", "healthchipget 9", "version 1", ""]
)
def test_other_requests_are_refused(name: str) -> None:
    """Whatever is not on the whitelist has no bytes."""
    with pytest.raises(ValueError, match="not on the whitelist"):
        encoded(name)


@pytest.mark.parametrize("page", ["GET /cgi-bin/reboot.cgi", "POST /cgi-bin/stats.cgi", "/cgi-bin/stats.cgi", "GET /"])
def test_other_pages_are_refused(page: str) -> None:
    """Whatever is not on the whitelist has no path."""
    with pytest.raises(ValueError, match="not on the whitelist"):
        path_of(page)


def test_bytes_of_requests() -> None:
    """As the agent sends them; a board is a parameter."""
    assert encoded("stats") == b'{"command":"stats"}'
    assert encoded("stats new_api") == b'{"command":"stats","new_api":true}'
    assert encoded("healthchipget 2") == b'{"command":"healthchipget","parameter":"2"}'
    assert path_of("GET /cgi-bin/stats.cgi") == "/cgi-bin/stats.cgi"


@pytest.mark.parametrize("firmware", Firmware)
def test_every_look_has_what_a_poll_asks(firmware: Firmware) -> None:
    """A capture and each moment of it can be read: they have every request of the agent's reader."""
    if firmware is Firmware.EPIC:
        # Its reader asks for pages, of which those that move are asked again.
        pages = [page.removeprefix("GET :4028") for page in requests.PAGES[firmware]]
        assert set(EPIC_PATHS) <= set(pages)
        assert requests.first_reports(firmware, (0, 1)) == []
        assert requests.EPIC_SUMMARY in requests.moving_pages(firmware)
        return
    polled = set(POLLED)
    first = {encoded(name) for name in (requests.VERSION, *requests.first_reports(firmware, ()))}
    needed = polled if firmware in {Firmware.STOCK, Firmware.OTHER} else polled - {encoded("version")}
    assert polled <= first
    assert needed <= {encoded(name) for name in requests.AGAIN[firmware]} | {encoded("version")}


def test_boards_are_asked_one_by_one_on_luxos_alone() -> None:
    """Only boards that are listed, at most four."""
    names = requests.first_reports(Firmware.LUXOS, (0, 2, 7))
    assert [name for name in names if name.startswith("healthchipget")] == ["healthchipget 0", "healthchipget 2"]
    assert set(names) <= ALLOWED
    assert not any(" 0" in name for name in requests.first_reports(Firmware.STOCK, (0, 1)))


SAID = {
    "stock": (b'{"STATUS":[{"Description":"cgminer 1.0.0"}],"VERSION":[{"Type":"Antminer S21"}]}', b"", Firmware.STOCK),
    "luxos": (b'{"STATUS":[{"Description":"LUXminer 2025.4.8"}]}', b"", Firmware.LUXOS),
    "braiins": (b'{"STATUS":[{"Description":"BOSer boser-buildroot"}]}', b"", Firmware.BRAIINS),
    "bosminer": (b'{"VERSION":[{"BOSminer+":"0.2.0"}]}', b"", Firmware.BRAIINS),
    "vnish refuses version": (
        b'{"STATUS":[{"STATUS":"E","When":1,"Code":0,"Msg":"Invalid command","Description":"cgminer 4.11.1"}]}',
        b"",
        Firmware.VNISH,
    ),
    "vnish names itself": (b"{}", b'{"STATS":[{"Type":"Antminer S21 Pro (Vnish 1.3.4)"}]}', Firmware.VNISH),
    "hiveon": (b"{}", b'{"STATS":[{"Type": "Antminer S19j Pro Hiveon"}]}', Firmware.HIVEON),
    "stock refuses": (
        b'{"STATUS":[{"STATUS":"E","When":1,"Code":14,"Msg":"Invalid command","Description":"cgminer 1.0.0"}],"id":1}',
        b"",
        Firmware.STOCK,
    ),
    "none": (b"", b"", Firmware.OTHER),
    "another": (b'{"STATUS":[{"Description":"asicseer-pool"}]}', b"{", Firmware.OTHER),
}


@pytest.mark.parametrize(("version", "stats", "expected"), SAID.values(), ids=SAID)
def test_firmware_by_its_own_words(version: bytes, stats: bytes, expected: Firmware) -> None:
    """In the order of the table in the protocol notes; what names nothing is asked what stock firmware tells."""
    assert firmware_said(version, stats) is expected


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("s21-stock-aml-202407", Firmware.STOCK),
        ("s19kpro-luxos-2025", Firmware.LUXOS),
        ("other-bmm100-braiins-2026", Firmware.BRAIINS),
        ("other-s9-bosminerplus-2020", Firmware.BRAIINS),
    ],
)
def test_firmware_of_recorded_units(folder: str, expected: Firmware) -> None:
    """The recorded replies to `version` name it."""
    assert firmware_said((ROOT / "tests" / "captures" / folder / "tcp4028-version.json").read_bytes()) is expected


def test_boards_of_devs() -> None:
    """By ID, whatever their order; none of what cannot be read."""
    assert requests.boards_listed(b'{"DEVS":[{"ASC":0,"ID":1},{"ID": 2},{"ID":0}],"id":1}') == [0, 1, 2]
    assert requests.boards_listed(b"") == []
