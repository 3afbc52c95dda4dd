"""The ledger: which units are deployed when, and every contradiction refused with both lines."""

import csv
import hashlib
import io
import itertools
import math
from datetime import UTC, datetime
from functools import partial
from ipaddress import ip_network
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from paths import DEPLOY

from agent.address import Network
from agent.config.file import load_config
from agent.config.mistakes import SHOWN_MISTAKES
from agent.config.sections import DEFAULT_NETWORKS
from agent.errors import ConfigError
from agent.files.text import read_text
from agent.site.ledger.cells import cell_parsers, host_parser, parse_host
from agent.site.ledger.entries import NO_OWNER, Ledger, LedgerEntry, Place
from agent.site.ledger.reader import COLUMNS, ROWS_A_REST, _Mistakes, _RowReader, read_ledger
from agent.unit.nameplate import Catalogue, shipped_catalogue

CATALOGUE = shipped_catalogue()
HEADER = "unit_id,model,hashrate_th,host,container,rack,slot,deployed_from,deployed_to,status"
FULL_HEADER = f"{HEADER},serial,mac,simulated"
PLAIN = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def read(
    *rows: str,
    header: str = HEADER,
    zone: str = "UTC",
    networks: tuple[Network, ...] = DEFAULT_NETWORKS,
    catalogue: Catalogue = CATALOGUE,
    before: Ledger | None = None,
) -> Ledger:
    """Read a ledger of the given lines."""
    text = "\n".join((header, *rows, ""))
    return read_ledger(text, "ledger.csv", catalogue=catalogue, zone=ZoneInfo(zone), networks=networks, before=before)


def mistakes_in(*rows: str, header: str = HEADER, zone: str = "UTC") -> list[str]:
    """Return the messages for a bad ledger, without the file's name."""
    with pytest.raises(ConfigError) as caught:
        read(*rows, header=header, zone=zone)
    return [str(mistake).removeprefix("ledger.csv: ") for mistake in caught.value.mistakes]


def unix(text: str) -> float:
    """Return the Unix time, s, of an ISO date and time with offset."""
    return datetime.fromisoformat(text).timestamp()


def test_row_with_everything() -> None:
    """Each column arrives in its field, normalized, whatever the order of columns."""
    columns = "simulated,mac,serial,status,deployed_to,deployed_from,slot,rack,container,host,hashrate_th,model,unit_id"
    row = (
        "yes,02-1A-2b-3c-4d-5e,SN 1,maintenance,2025-11-01,2025-10-01T06:00,07,R 1,Контейнер 1,"
        '"[FD00::0:1]:4029", 335.0 ,"antminer s21 hyd.",c1:r1.u-1_x'
    )
    nameplate = CATALOGUE.find("S21 Hyd.", 335e12)
    assert nameplate is not None
    assert read(row, header=columns).entries == (
        LedgerEntry(
            unit_id="c1:r1.u-1_x",
            nameplate=nameplate,
            place=Place(container="Контейнер 1", rack="R 1", slot="07"),
            host="fd00::1",
            port=4029,
            deployed_from=unix("2025-10-01T06:00+00:00"),
            deployed_to=unix("2025-11-01T00:00+00:00"),
            is_in_maintenance=True,
            is_simulated=True,
            serial="SN 1",
            mac="02:1a:2b:3c:4d:5e",
        ),
    )


def test_row_with_the_least() -> None:
    """A place, dates and identity may be unknown; the port is the protocol's."""
    (entry,) = read("u1,T21,190,10.0.0.1,,,,,,deployed").entries
    assert (entry.place, entry.host, entry.port) == (Place(), "10.0.0.1", 4028)
    assert (entry.deployed_from, entry.deployed_to, entry.serial, entry.mac) == (None, None, None, None)
    assert (entry.is_in_maintenance, entry.is_simulated) == (False, False)


@pytest.mark.parametrize(
    ("host", "serial", "column", "is_simulated"),
    [
        ("10.0.0.1", "", "", False),
        ("10.0.0.1", "", "yes", True),
        ("127.1.0.1", "", "", True),
        ("127.1.0.1:4029", "", "no", True),
        ("[::1]:4028", "", "no", True),
        ("10.0.0.1", "SIMABCDEFGHJ00042", "no", True),
        ("10.0.0.1", "SIMABCDEFGHJ0004", "", False),
        ("10.0.0.1", "SMTTABCDEFGHJ0004", "", False),
    ],
)
def test_a_simulator_is_known_whatever_the_column_says(
    host: str, serial: str, column: str, *, is_simulated: bool
) -> None:
    """A loopback address or a simulator's serial number makes a unit simulated, unless the column alone decides."""
    text = f"unit_id,model,hashrate_th,host,container,rack,slot,deployed_from,deployed_to,status,serial,simulated\n\
u1,T21,190,{host},,,,,,deployed,{serial},{column}\n"
    for detects in (True, False):
        ledger = read_ledger(
            text,
            "x",
            catalogue=CATALOGUE,
            zone=ZoneInfo("UTC"),
            networks=DEFAULT_NETWORKS,
            detect_simulated=detects,
        )
        assert [entry.is_simulated for entry in ledger.entries] == [is_simulated if detects else column == "yes"]


OTHERS = ("c3-r1-01", "c3-r1-02")


def test_example_loads() -> None:
    """The shipped example is a ledger: eight units; one moved, one was out for repair, two are of other makes."""
    config = load_config(DEPLOY / "site.example.toml")
    ledger = read_ledger(
        read_text(config.ledger.file, max_bytes=1 << 20),
        str(config.ledger.file),
        catalogue=CATALOGUE,
        zone=config.site.zone,
        networks=config.ledger.networks,
    )
    assert ledger.unit_ids == ("c1-r1-01", "c1-r1-02", "c1-r1-03", "c1-r1-04", "c2-r1-01", *OTHERS, "sim-1")
    moments = ("2025-01-01T00:00Z", "2025-10-02T00:00Z", "2025-10-09T23:59Z", "2025-10-14T06:00Z")
    assert [
        [
            (entry.unit_id, entry.place.container, entry.is_in_maintenance)
            for entry in ledger.at(unix(moment))
            if entry.unit_id not in OTHERS
        ][-3:]
        for moment in moments
    ] == [
        [("c1-r1-01", "C1", False), ("sim-1", "", False)],
        [("c1-r1-04", "C1", False), ("c2-r1-01", "C2", False), ("sim-1", "", False)],
        [("c1-r1-04", "C1", False), ("c2-r1-01", "C2", True), ("sim-1", "", False)],
        [("c1-r1-04", "C2", False), ("c2-r1-01", "C2", False), ("sim-1", "", False)],
    ]
    plates = {entry.unit_id: entry.nameplate for entry in ledger.entries}
    assert [plates[unit_id].make for unit_id in OTHERS] == ["MicroBT", "Proto"]
    assert (plates["c3-r1-02"].power_watts, plates["c3-r1-02"].boards) == (12000.0, 9)


LITERAL = "a literal IP address is expected, such as 10.0.3.17; names are not looked up"
FOUR_NUMBERS = "an IPv4 address is four numbers from 0 to 255 without leading zeros"
OUTSIDE = "outside the networks that ledger.networks allows"
NOT_ONE = "this is not the address of one machine"


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("", LITERAL),
        ("miner-1", LITERAL),
        ("localhost", LITERAL),
        ("0x7f000001", LITERAL),
        ("0x7f.0.0.1", LITERAL),
        ("10.0.0.1/8", LITERAL),
        ("http://10.0.0.1", LITERAL),
        ("[10.0.0.1]:4028", LITERAL),
        ("[fd00::1", LITERAL),
        ("fd00::1]:4028", LITERAL),
        ("fd00:::1", LITERAL),
        ("10.0.0.1:4028:1", LITERAL),
        ("\u0661\u0660.0.0.1", LITERAL),
        ("2130706433", FOUR_NUMBERS),
        ("127.1", FOUR_NUMBERS),
        ("010.0.0.1", FOUR_NUMBERS),
        ("10.0.0.256", FOUR_NUMBERS),
        ("10.0.0.1.", FOUR_NUMBERS),
        ("0.0.0.0", NOT_ONE),
        ("::", NOT_ONE),
        ("224.0.0.1", NOT_ONE),
        ("ff02::1", NOT_ONE),
        ("255.255.255.255", OUTSIDE),
        ("240.0.0.1", OUTSIDE),
        ("8.8.8.8", OUTSIDE),
        ("169.254.169.254", OUTSIDE),
        ("2001:db8::1", OUTSIDE),
        ("::ffff:8.8.8.8", "an IPv4 address written as IPv6 is refused; write 8.8.8.8"),
        ("::ffff:10.0.0.1", "an IPv4 address written as IPv6 is refused; write 10.0.0.1"),
        ("64:ff9b::10.0.0.1", OUTSIDE),
        ("fe80::1", "a link-local address needs its interface, as in fe80::1%eth0"),
        ("fe80::1%e t", "only a link-local address has an interface, of 1 to 15 of A-Z a-z 0-9 . _ -"),
        ("fd00::1%eth0", "only a link-local address has an interface, of 1 to 15 of A-Z a-z 0-9 . _ -"),
        ("10.0.0.0", "the first and the last address of 10.0.0.0/8 are not those of one machine"),
        ("192.168.255.255", "the first and the last address of 192.168.0.0/16 are not those of one machine"),
        ("10.0.0.1:0", "a port from 1 to 65535 is expected"),
        ("10.0.0.1:", "a port is a whole number up to 65535"),
        ("10.0.0.1:65536", "a port is a whole number up to 65535"),
        ("10.0.0.1:+80", "a port is a whole number up to 65535"),
        ("10.0.0.1:04028", "a port is a whole number up to 65535"),
        ("[fd00::1]:x", "a port is a whole number up to 65535"),
    ],
)
def test_bad_host(host: str, reason: str) -> None:
    """A unit's address is literal, in one spelling, of one machine, and inside the site."""
    shown = f" = {host!r}" if host else ""
    assert mistakes_in(f"u1,S21,200,{host},,,,,,deployed") == [f"line 2, column host{shown}: {reason}"]


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("10.0.0.1", ("10.0.0.1", 4028)),
        ("127.3.2.1:65535", ("127.3.2.1", 65535)),
        ("100.64.0.1", ("100.64.0.1", 4028)),
        ("10.1.0.0", ("10.1.0.0", 4028)),
        ("::1", ("::1", 4028)),
        ("[::1]", ("::1", 4028)),
        ("FD00:0::A", ("fd00::a", 4028)),
        ("[fe80::1%eth0.7]:1", ("fe80::1%eth0.7", 1)),
    ],
)
def test_good_host(host: str, expected: tuple[str, int]) -> None:
    """IPv4 and IPv6 literals, with and without a port, in their shortest spelling."""
    (entry,) = read(f"u1,S21,200,{host},,,,,,deployed").entries
    assert (entry.host, entry.port) == expected


def test_networks_are_what_the_configuration_says() -> None:
    """A narrow list keeps even private addresses out, and a wide one lets public addresses in."""
    networks = (ip_network("10.20.0.0/16"), ip_network("203.0.113.0/31"))
    for host in ("10.20.0.1", "203.0.113.0", "203.0.113.1"):
        assert read(f"u1,S21,200,{host},,,,,,deployed", networks=networks).entries[0].host == host
    with pytest.raises(ConfigError, match=OUTSIDE):
        read("u1,S21,200,10.21.0.1,,,,,,deployed", networks=networks)


COMMAS = "cells are separated by commas; `hashsight ledger import` also takes semicolons and tabs"
UNIT_ID = "1 to 64 of A-Z a-z 0-9 . _ : - are expected, at least one of them a letter or digit"
HASHRATE = "a number of TH/s above 0 is expected, such as 200 or 151.5"
MOMENT = "an ISO date, or date and time, is expected, such as 2025-10-01 or 2025-10-01T06:00-05:00"
LABEL = "at most 64 printable characters are expected"
MAC = "the MAC address of one machine is expected, such as 02:1a:2b:3c:4d:5e"
TO_ADD = (
    "to add it, name a file in ledger.models_file with the header model,hashrate_th_s,power_w,efficiency_j_per_th,"
    "hashboards,chips_per_board,chip,fans,cooling,source,coolant_layout and this line: "
)
OF_LEDGER = "this site's ledger,"


@pytest.mark.parametrize(
    ("column", "cell", "reason"),
    [
        ("unit_id", "", UNIT_ID),
        ("unit_id", "..", UNIT_ID),
        ("unit_id", "a b", UNIT_ID),
        ("unit_id", "a/b", UNIT_ID),
        ("unit_id", "ü", UNIT_ID),
        ("unit_id", "u" * 65, UNIT_ID),
        ("model", "", "a model is expected, such as Antminer S21"),
        ("model", "Antminer", "a model is expected, such as Antminer S21"),
        ("model", "S21\x1b[2J", LABEL),
        ("model", "S99", f"not in the catalogue; {TO_ADD}Antminer S99,200,,,,,,,air,{OF_LEDGER}"),
        (
            "model",
            "Antminer S2l",
            f"not in the catalogue; did you mean S21?; {TO_ADD}Antminer S2l,200,,,,,,,air,{OF_LEDGER}",
        ),
        (
            "model",
            "S21 Por",
            f"not in the catalogue; did you mean S21 Pro?; {TO_ADD}Antminer S21 Por,200,,,,,,,air,{OF_LEDGER}",
        ),
        ("hashrate_th", "", HASHRATE),
        ("hashrate_th", "0", HASHRATE),
        ("hashrate_th", "-200", HASHRATE),
        ("hashrate_th", "nan", HASHRATE),
        ("hashrate_th", "inf", HASHRATE),
        ("hashrate_th", "2e2", HASHRATE),
        ("hashrate_th", "2_00", HASHRATE),
        ("hashrate_th", "200G", HASHRATE),
        ("hashrate_th", "200  TH", HASHRATE),
        ("hashrate_th", "\uff12\uff10\uff10", HASHRATE),
        (
            "hashrate_th",
            "201",
            f"S21 comes with 200, 195, 188, 175, 151 TH/s; {TO_ADD}Antminer S21,201,,,3,108,BM1368,4,air,{OF_LEDGER}",
        ),
        ("container", "C" * 65, LABEL),
        ("rack", "R\x1b[2J", LABEL),
        ("slot", "1\u202e", LABEL),
        ("deployed_from", "01.10.2025", MOMENT),
        ("deployed_from", "20251001", MOMENT),
        ("deployed_from", "2025-W40-1", MOMENT),
        ("deployed_from", "2025-10-01T06", MOMENT),
        ("deployed_from", "2025-10-01T24:00", MOMENT),
        ("deployed_from", "2025-10-01T06:00 +02:00", MOMENT),
        ("deployed_from", "2025-13-01", "there is no such date or time"),
        ("deployed_from", "2025-02-29", "there is no such date or time"),
        ("deployed_from", "2025-10-01T06:60", "there is no such date or time"),
        ("deployed_from", "2025-10-01T06:00+99:00", "there is no such date or time"),
        ("deployed_from", "0025-10-01", "a year from 2009 to 2100 is expected"),
        ("deployed_to", "2101-01-01", "a year from 2009 to 2100 is expected"),
        ("status", "", "deployed or maintenance is expected"),
        ("status", "in use", "deployed or maintenance is expected"),
        ("serial", "S" * 65, LABEL),
        ("mac", "02:1a:2b:3c:4d", MAC),
        ("mac", "02:1a-2b:3c:4d:5e", MAC),
        ("mac", "00:00:00:00:00:00", MAC),
        ("mac", "ff:ff:ff:ff:ff:ff", MAC),
        ("mac", "unknown", MAC),
        ("simulated", "true", "yes, no or an empty cell is expected"),
    ],
)
def test_bad_cell(column: str, cell: str, reason: str) -> None:
    """A bad cell is refused with its line, column and value, and with what is expected."""
    cells = dict.fromkeys(COLUMNS, "") | {"unit_id": "u1", "model": "S21", "hashrate_th": "200"}
    cells |= {"host": "10.0.0.1", "status": "deployed", column: cell}
    shown = f" = {cell!r}" if cell else ""
    expected = [f"line 2, column {column}{shown}: {reason}"]
    assert mistakes_in(",".join(cells.values()), header=",".join(COLUMNS)) == expected


@pytest.mark.parametrize("cell", ["02:1A:2B:3C:4D:5E", "02-1a-2b-3c-4d-5e", "021a2b3c4d5e", "021a.2b3c.4d5e"])
def test_mac_spellings(cell: str) -> None:
    """A MAC address is the same in any usual notation."""
    (entry,) = read(f"u1,S21,200,10.0.0.1,,,,,,deployed,,{cell},", header=FULL_HEADER).entries
    assert entry.mac == "02:1a:2b:3c:4d:5e"


@pytest.mark.parametrize(
    ("cell", "zone", "expected"),
    [
        ("2025-10-01", "UTC", "2025-10-01T00:00+00:00"),
        ("2025-10-01", "Asia/Almaty", "2025-10-01T00:00+05:00"),
        ("2024-02-29", "America/Chicago", "2024-02-29T00:00-06:00"),
        ("2025-10-01T06:00", "America/Chicago", "2025-10-01T06:00-05:00"),
        ("2025-10-01 06:00:01.5", "America/Chicago", "2025-10-01T06:00:01.500-05:00"),
        ("2025-10-01T06:00Z", "America/Chicago", "2025-10-01T06:00+00:00"),
        ("2025-10-01T06:00+05:30", "America/Chicago", "2025-10-01T06:00+05:30"),
        # With an offset, a time that the clocks show twice is one of the two.
        ("2025-11-02T01:30-06:00", "America/Chicago", "2025-11-02T07:30+00:00"),
        # A day begins at its first midnight, ...
        ("2025-11-02", "America/Havana", "2025-11-02T00:00-04:00"),
        # ... or at 01:00 if the clocks skip midnight, ...
        ("2018-11-04", "America/Sao_Paulo", "2018-11-04T01:00-02:00"),
        # ... and a day that a zone skipped begins with the next one.
        ("2011-12-30", "Pacific/Apia", "2011-12-31T00:00+14:00"),
    ],
)
def test_dates_and_times(cell: str, zone: str, expected: str) -> None:
    """A date is the first moment of its day at the site; a time is the site's unless it says otherwise."""
    (entry,) = read(f"u1,S21,200,10.0.0.1,,,,{cell},,deployed", zone=zone).entries
    assert entry.deployed_from == unix(expected)


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("2025-03-30T02:30", "the clocks of Europe/Berlin skip this time"),
        (
            "2025-10-26T02:30",
            (
                "the clocks of Europe/Berlin show this time twice;"
                " write 2025-10-26T02:30:00+02:00 or 2025-10-26T02:30:00+01:00"
            ),
        ),
    ],
)
def test_times_at_clock_changes(cell: str, reason: str) -> None:
    """A time that the site's clocks skip or show twice needs an offset."""
    assert mistakes_in(f"u1,S21,200,10.0.0.1,,,,{cell},,deployed", zone="Europe/Berlin") == [
        f"line 2, column deployed_from = {cell!r}: {reason}"
    ]


@pytest.mark.parametrize(
    ("start", "end"),
    [("2025-10-02", "2025-10-01"), ("2025-10-01", "2025-10-01"), ("2025-10-01T00:00-05:00", "2025-10-01T05:00Z")],
)
def test_span_that_ends_before_it_begins(start: str, end: str) -> None:
    """A span that ends when it begins, or before, is refused."""
    assert mistakes_in(f"u1,S21,200,10.0.0.1,,,,{start},{end},deployed") == [
        f"line 2, column deployed_to = {end!r}: a time after deployed_from is expected"
    ]


def test_every_mistake_is_told_in_file_order() -> None:
    """One bad cell hides neither its row's other mistakes nor other rows', nor contradictions between good rows."""
    assert mistakes_in(
        "u1,S21,200,10.0.0.1,C1,R1,1,,,deployed",
        "u 2,S2l,x,10.0.0.1,C1,R1,2,,,gone",
        "u3,S21,200",
        "u1,S21,200,10.0.0.4,C1,R1,4,,,deployed",
        'u5,"S21,200,10.0.0.5,C1,R1,5,,,deployed',
        "u6,S21,201,miner,C1,R1,6,,,deployed",
    ) == [
        f"line 3, column unit_id = 'u 2': {UNIT_ID}",
        f"line 3, column hashrate_th = 'x': {HASHRATE}",
        "line 3, column status = 'gone': deployed or maintenance is expected",
        (
            "line 3, column model = 'S2l': not in the catalogue; did you mean S21?;"
            f" {TO_ADD}Antminer S2l,,,,,,,,air,{OF_LEDGER}"
        ),
        "line 4: 10 cells are expected, as in the header; here are 3",
        "line 5, column unit_id = 'u1': also on line 2, for a span of time that overlaps",
        (
            "line 6 = 'u5,\"S21,200,10.0.0.5,C1,R1,5,,,deployed':"
            " a quote is opened and not closed, or followed by more than a comma"
        ),
        f"line 7, column host = 'miner': {LITERAL}",
        (
            "line 7, column hashrate_th = '201': S21 comes with 200, 195, 188, 175, 151 TH/s;"
            f" {TO_ADD}Antminer S21,201,,,3,108,BM1368,4,air,{OF_LEDGER}"
        ),
    ]


def test_long_list_of_mistakes_is_cut_and_counted() -> None:
    """A file of another kind gives a bounded number of messages, and the rest is counted."""
    messages = mistakes_in(*(f"u{number},S21,200,10.0.0.1,,,,,,on" for number in range(1250)))
    assert len(messages) == SHOWN_MISTAKES + 1
    assert messages[-2:] == [
        "line 101, column status = 'on': deployed or maintenance is expected",
        "file: 1,150 more mistakes are not shown",
    ]


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", [f"line 1: columns missing: {HEADER.replace(',', ', ')}"]),
        (
            HEADER.replace("host", "ip_address"),
            [
                f"line 1, column header = 'ip_address': unknown column; known are {', '.join(COLUMNS)}",
                "line 1: columns missing: host",
            ],
        ),
        (
            HEADER.replace("rack", "Rack"),
            [
                "line 1, column header = 'Rack': unknown column; did you mean rack?",
                "line 1: columns missing: rack",
            ],
        ),
        (f"{HEADER},slot", ["line 1, column header = 'slot': this column is there twice"]),
        (HEADER.replace("rack,", ",rack,"), ["line 1, column header: column 6 has no name"]),
        (HEADER.replace(",", ";"), [f"line 1 = '{HEADER[:77].replace(',', ';')}...': {COMMAS}"]),
        (
            HEADER.replace(",", "\t"),
            [f"line 1 = {HEADER[:77].replace(',', chr(9)) + '...'!r}: {COMMAS}"],
        ),
        (HEADER, ["file: no units: there is nothing to watch"]),
        (f"{HEADER}\n,,,,,,,,,\n# empty\n", ["file: no units: there is nothing to watch"]),
    ],
)
def test_bad_header(header: str, expected: list[str]) -> None:
    """Unknown, repeated and missing columns are mistakes, and so is a ledger without units."""
    assert mistakes_in(header=header) == expected


def test_bad_header_does_not_hide_bad_rows() -> None:
    """With a bad header, the known columns of the rows are still checked."""
    header = HEADER.replace("container", "containers")
    assert mistakes_in("u1,S21,200,10.0.0.1,C1,R1,1,,,gone", header=header) == [
        "line 1, column header = 'containers': unknown column; did you mean container?",
        "line 1: columns missing: container",
        "line 2, column status = 'gone': deployed or maintenance is expected",
    ]


def test_nul_bytes_are_refused() -> None:
    """A file with NUL bytes is no text, whatever its rows look like."""
    assert mistakes_in("u1,S21,200,10.0.0.1,,,,,,deployed", "\0") == ["line 3: a NUL byte; save the file as UTF-8 text"]


@pytest.mark.parametrize(
    "row",
    [
        "u1,S21,200T,10.0.0.1,C1,R1,1,,,deployed",
        "u1,S21,200 TH/s,10.0.0.1,C1,R1,1,,,Deployed",
        "u1,S21,200TH,10.0.0.1,C1,R1,1,,,DEPLOYED,,,",
    ],
)
def test_cells_that_mean_one_thing_are_taken(row: str) -> None:
    """A unit after the bin, capital letters and empty cells beyond the header cannot be misread."""
    expected = read("u1,S21,200,10.0.0.1,C1,R1,1,,,deployed").entries
    assert read(row).entries == expected
    assert read(row, header=f"{HEADER},,,").entries == expected


def test_a_cell_beyond_the_header_is_a_mistake() -> None:
    """Only empty cells may stand under no column."""
    assert mistakes_in("u1,S21,200,10.0.0.1,C1,R1,1,,,deployed,,x", header=f"{HEADER},,") == [
        "line 2: 10 cells are expected, as in the header; here are 12"
    ]


def test_spreadsheets_habits_are_tolerated() -> None:
    """A byte order mark, CRLF, quotes, spaces, empty rows and comments change nothing but the digest."""
    plain = read("u1,S21,200,10.0.0.1,C1,R1,1,,,deployed")
    saved = read_ledger(
        f"\ufeff# made with a spreadsheet\r\n\r\n{HEADER.replace(',', ' , ')}\r\n,,,,,,,,,\r\n"
        '"u1", "S21","200",10.0.0.1,C1 ,R1,1,,,deployed\r\n   \r\n"# the end, ""really""",,,,,,,,,',
        "ledger.csv",
        catalogue=CATALOGUE,
        zone=ZoneInfo("UTC"),
        networks=DEFAULT_NETWORKS,
    )
    assert saved.entries == plain.entries
    assert saved.digest != plain.digest


def test_digest_is_that_of_the_file() -> None:
    """The digest is what sha256sum says of the file, so that the operator can compare."""
    text = f"\ufeff{HEADER}\r\nu1,S21,200,10.0.0.1,Ü,,,,,deployed\r\n"
    ledger = read_ledger(text, "x", catalogue=CATALOGUE, zone=ZoneInfo("UTC"), networks=DEFAULT_NETWORKS)
    assert ledger.digest == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    ("upper", "lower", "message"),
    [
        (
            "u1,S21,200,10.0.0.1,C1,R1,1,,2025-02-01,deployed,,,",
            "u1,S21,200,10.0.0.2,C1,R1,2,2025-01-31,,deployed,,,",
            "unit_id = 'u1': also on line 2, for a span of time that overlaps",
        ),
        (
            "u1,S21,200,10.0.0.1,,,,2025-01-01,,deployed,,,",
            "u2,S21,200,10.0.0.1:4028,,,,,,deployed,,,",
            "host = '10.0.0.1:4028': also of u1 on line 2, for a span of time that overlaps",
        ),
        (
            "u1,S21,200,fd00::1,,,,2025-01-01,2025-01-03,deployed,,,",
            "u2,S21,200,[fd00:0::1],,,,2025-01-02,2025-01-04,deployed,,,",
            "host = '[fd00::1]:4028': also of u1 on line 2, for a span of time that overlaps",
        ),
        (
            "u1,S21,200,10.0.0.1,C1,R1,1,,,maintenance,,,",
            "u2,S21,200,10.0.0.2,C1,R1,1,,,deployed,,,",
            "slot = 'C1 / R1 / 1': also of u1 on line 2, for a span of time that overlaps",
        ),
        (
            "u1,S21,200,10.0.0.1,,,,,,deployed,abc,,",
            "u2,S21,200,10.0.0.2,,,,,,deployed,ABC,,",
            "serial = 'ABC': also of u1 on line 2, for a span of time that overlaps",
        ),
        (
            "u1,S21,200,10.0.0.1,,,,,,deployed,,02:00:00:00:00:01,",
            "u2,S21,200,10.0.0.2,,,,,,deployed,,02-00-00-00-00-01,",
            "mac = '02:00:00:00:00:01': also of u1 on line 2, for a span of time that overlaps",
        ),
    ],
)
def test_contradictions_name_both_lines(upper: str, lower: str, message: str) -> None:
    """A unit, address, place or identity that is used twice at a time is refused on the later line."""
    assert mistakes_in(upper, lower, header=FULL_HEADER) == [f"line 3, column {message}"]
    swapped = mistakes_in(lower, upper, header=FULL_HEADER)
    assert len(swapped) == 1
    assert "on line 2, for a span of time that overlaps" in swapped[0]
    # Rows are checked in batches: duplicates in two batches are found too.
    between = [f"x{number},S21,200,10.0.1.{number},,,,,,deployed,,," for number in range(1, 2 * ROWS_A_REST)]
    assert mistakes_in(upper, *between, lower, header=FULL_HEADER) == [f"line {3 + len(between)}, column {message}"]


@pytest.mark.parametrize(
    "rows",
    [
        # One after the other: a move, a repair, a replacement in the same slot at the same address.
        (
            "u1,S21,200,10.0.0.1,C1,R1,1,,2025-01-01,deployed,a,,",
            "u1,S21,200,10.0.0.1,C1,R1,1,2025-01-01,2025-01-05,maintenance,a,,",
            "u2,T21,190,10.0.0.1,C1,R1,1,2025-01-05,,deployed,b,,",
        ),
        # The same rack and container without a slot; the same slot elsewhere; another port behind one address.
        (
            "u1,S21,200,10.0.0.1:1,C1,R1,,,,deployed,,,",
            "u2,S21,200,10.0.0.1:2,C1,R1,,,,deployed,,,",
            "u3,S21,200,10.0.0.1:3,C1,R1,1,,,deployed,,,",
            "u4,S21,200,10.0.0.1:4,C1,R2,1,,,deployed,,,",
        ),
        # Addresses swapped at one moment.
        (
            "u1,S21,200,10.0.0.1,,,,,2025-01-01,deployed,,,",
            "u2,S21,200,10.0.0.2,,,,,2025-01-01,deployed,,,",
            "u1,S21,200,10.0.0.2,,,,2025-01-01,,deployed,,,",
            "u2,S21,200,10.0.0.1,,,,2025-01-01,,deployed,,,",
        ),
    ],
)
def test_what_is_no_contradiction(rows: tuple[str, ...]) -> None:
    """Spans are half open, so a row that ends when the next begins does not overlap it."""
    assert len(read(*rows, header=FULL_HEADER).entries) == len(rows)


def test_deployed_units_over_time() -> None:
    """`at` gives one entry a unit, and `next_change_after` the moments at which it gives others."""
    ledger = read(
        "u1,S21,200,10.0.0.1,C1,,,2025-01-01T00:00Z,2025-01-02T00:00Z,deployed",
        "u2,S21,200,10.0.0.2,C1,,,,,deployed",
        "u1,S21,200,10.0.0.1,C2,,,2025-01-02T00:00Z,2025-01-04T00:00Z,deployed",
    )
    first, second, fourth = (datetime(2025, 1, day, tzinfo=UTC).timestamp() for day in (1, 2, 4))
    assert ledger.unit_ids == ("u1", "u2")
    assert [
        [(entry.unit_id, entry.place.container) for entry in ledger.at(moment)]
        for moment in (first - 1, first, second - 0.001, second, fourth)
    ] == [
        [("u2", "C1")],
        [("u1", "C1"), ("u2", "C1")],
        [("u1", "C1"), ("u2", "C1")],
        [("u2", "C1"), ("u1", "C2")],
        [("u2", "C1")],
    ]
    moments = [-math.inf, first, second - 1, second, fourth]
    assert [ledger.next_change_after(moment) for moment in moments] == [first, second, second, fourth, None]


def test_hundred_thousand_rows_load() -> None:
    """A big site's ledger is read whole: 100,000 rows, every address, slot, serial and MAC compared."""
    ledger = read(
        *(
            f"u{number},S21,200,10.{number >> 16}.{number >> 8 & 255}.{number & 255},C{number // 1000},"
            f"R{number // 50 % 20},{number % 50},2025-{number % 12 + 1:02}-01,,deployed,SN{number},{number:012x},no"
            for number in range(1, 100_001)
        ),
        header=FULL_HEADER,
    )
    assert len(ledger.unit_ids) == 100_000
    assert len(ledger.at(unix("2025-06-30T00:00Z"))) == 50_002


MOMENTS = st.none() | st.integers(0, 6)
SPANS = st.tuples(MOMENTS, MOMENTS).filter(lambda span: span[0] is None or span[1] is None or span[0] < span[1])
ROWS = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from("123"), st.sampled_from(["", "1", "2"]), SPANS),
    min_size=1,
    max_size=7,
)
Row = tuple[str, str, str, tuple[int | None, int | None]]


def csv_row(row: Row) -> str:
    """Write a unit, host, slot and span in days of January 2025 as a line."""
    unit, host, slot, span = row
    start, end = ("" if moment is None else f"2025-01-{moment + 1:02}" for moment in span)
    return f"{unit},S21,200,10.0.0.{host},C1,R1,{slot},{start},{end},deployed"


def clashes(first: Row, second: Row) -> bool:
    """Return True if two rows contradict each other, by the letter of the rules."""
    (a_from, a_to), (b_from, b_to) = first[3], second[3]
    is_overlap = (a_from is None or b_to is None or a_from < b_to) and (b_from is None or a_to is None or b_from < a_to)
    return is_overlap and (first[0] == second[0] or first[1] == second[1] or (first[2] != "" and first[2] == second[2]))


@PLAIN
@given(ROWS)
def test_ledger_is_refused_exactly_when_two_rows_clash(rows: list[Row]) -> None:
    """The sweep over sorted spans finds the same overlaps as comparing every row with every other."""
    has_clash = any(clashes(first, second) for first, second in itertools.combinations(rows, 2))
    try:
        read(*map(csv_row, rows))
        is_refused = False
    except ConfigError:
        is_refused = True
    assert is_refused == has_clash


@PLAIN
@given(ROWS, st.integers(-1, 8))
def test_nothing_changes_before_the_next_change(rows: list[Row], day: int) -> None:
    """Between a moment and the next change the same entries are in force, one a unit; at the change, others."""
    sound: list[Row] = []
    for row in rows:
        if not any(clashes(row, other) for other in sound):
            sound.append(row)
    ledger = read(*map(csv_row, sound))
    now = datetime(2025, 1, 1, tzinfo=UTC).timestamp() + day * 86400.0
    entries = ledger.at(now)
    assert len({entry.unit_id for entry in entries}) == len(entries)
    change = ledger.next_change_after(now)
    if change is None:
        assert ledger.at(now + 1e9) == entries
    else:
        assert ledger.at(math.nextafter(change, 0)) == entries
        assert ledger.at(change) != entries


# The characters that `str.isprintable` accepts: filtering all text would leave few labels.
PRINTABLE = st.characters(exclude_categories=("C", "Z"), include_characters=" ")
LABELS = st.text(PRINTABLE, max_size=20).map(str.strip)
ENTRIES = st.builds(
    LedgerEntry,
    unit_id=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,40}", fullmatch=True),
    nameplate=st.sampled_from(list(CATALOGUE)),
    place=st.builds(Place, container=LABELS, rack=LABELS, slot=LABELS),
    host=st.one_of(
        st.ip_addresses(v=4, network="10.20.0.0/24").filter(lambda address: address.packed[-1] not in {0, 255}),
        st.ip_addresses(v=6, network="fd00::/64"),
    ).map(str),
    port=st.integers(1, 65535),
    deployed_from=st.none() | st.integers(1_300_000_000, 1_600_000_000).map(float),
    deployed_to=st.none() | st.integers(1_600_000_001, 1_900_000_000).map(float),
    is_in_maintenance=st.booleans(),
    is_simulated=st.booleans(),
    serial=st.none() | LABELS.filter(bool),
    mac=st.none() | st.from_regex(r"02(:[0-9a-f]{2}){5}", fullmatch=True),
)


def written(entry: LedgerEntry) -> str:
    """Write an entry as a row under `FULL_HEADER`."""
    moments = (
        "" if moment is None else datetime.fromtimestamp(moment, tz=UTC).isoformat()
        for moment in (entry.deployed_from, entry.deployed_to)
    )
    host = f"[{entry.host}]:{entry.port}" if ":" in entry.host else f"{entry.host}:{entry.port}"
    place = entry.place
    row = io.StringIO()
    csv.writer(row, lineterminator="").writerow(
        (
            entry.unit_id,
            entry.nameplate.model,
            f"{entry.nameplate.hashrate_hs / 1e12:g}",
            host,
            *(place.container, place.rack, place.slot),
            *moments,
            "maintenance" if entry.is_in_maintenance else "deployed",
            entry.serial or "",
            entry.mac or "",
            "yes" if entry.is_simulated else "",
        )
    )
    return row.getvalue()


@PLAIN
@given(ENTRIES)
def test_what_is_written_is_read_back(entry: LedgerEntry) -> None:
    """Every entry can be written as a row that reads back as that entry."""
    assert read(written(entry), header=FULL_HEADER).entries == (entry,)


SOME_WRONG = st.tuples(st.integers(0, 12), st.sampled_from(["", "?", "999", "2000-01-01"]))


@PLAIN
@given(st.lists(ENTRIES, min_size=1, max_size=4), st.integers(10, 13), st.none() | SOME_WRONG)
def test_rows_are_read_alike_together_and_one_by_one(
    entries: list[LedgerEntry], width: int, wrong: tuple[int, str] | None
) -> None:
    """Parsing by column and by row gives the same entries; a bad cell makes the reader go by row."""
    rows = [(2 + number, next(csv.reader([written(entry)]))[:width]) for number, entry in enumerate(entries)]
    if wrong is not None:
        place, text = wrong
        rows[-1][1][place : place + 1] = [text]
    parsers = cell_parsers(zone=ZoneInfo("UTC"), networks=DEFAULT_NETWORKS)
    mistakes = _Mistakes("ledger.csv")
    reader = _RowReader(FULL_HEADER.split(",")[:width], parsers, CATALOGUE, mistakes)
    together, each = reader._sound(rows), list(reader._each(rows))
    assert (None if together is None else list(together)) == (None if mistakes.count else each)


def read_bytes(data: bytes, folder: Path) -> None:
    """Read a ledger file of these bytes; only ConfigError may be raised."""
    path = folder / "ledger.csv"
    path.write_bytes(data)
    try:
        text = read_text(path, max_bytes=1 << 20)
        read_ledger(text, str(path), catalogue=CATALOGUE, zone=ZoneInfo("UTC"), networks=DEFAULT_NETWORKS)
    except ConfigError as error:
        str(error).encode()


@PLAIN
@given(data=st.binary())
def test_any_bytes_are_a_ledger_or_a_config_error(data: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Reading any file as a ledger raises nothing but ConfigError."""
    read_bytes(data, tmp_path_factory.getbasetemp())
    read_bytes(f"{FULL_HEADER}\n".encode() + data, tmp_path_factory.getbasetemp())


NASTY = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ["10.0.0.1", "fe80::1%", "2025-10-01T06:00Z", "9999-12-31T23:59-23:59", "deployed", '"', "S21", "200"]
    ),
)


@PLAIN
@given(st.lists(st.lists(NASTY, min_size=13, max_size=13).map(",".join), max_size=4))
def test_any_cells_are_a_ledger_or_a_config_error(rows: list[str]) -> None:
    """For any cells, the result is a ledger, or mistakes that each name a place and a reason."""
    mistakes = ()
    try:
        read(*rows, header=FULL_HEADER)
    except ConfigError as error:
        mistakes = error.mistakes
    assert all(mistake.where and mistake.reason for mistake in mistakes)


def test_file_beyond_the_bound_is_refused(tmp_path: Path) -> None:
    """A file longer than its bound is not read to its end."""
    path = tmp_path / "ledger.csv"
    with path.open("wb") as file:
        file.truncate((64 << 20) + 1)
    with pytest.raises(ConfigError, match="file: longer than 64 MiB"):
        read_text(path, max_bytes=64 << 20)


@given(
    st.lists(
        st.one_of(
            st.sampled_from(
                ["10.20.3.0/28", "10.20.3.16/31", "10.20.0.0/16", "203.0.113.7/32", "10.0.0.0/8", "fd00::/8"]
            ),
            st.builds(
                lambda number, prefix: str(ip_network((number, prefix), strict=False)),
                st.integers(0x0A140000, 0x0A1407FF),
                st.integers(20, 32),
            ),
        ),
        min_size=1,
        max_size=4,
    ).map(lambda networks: tuple(map(ip_network, networks))),
    st.lists(
        st.one_of(
            st.builds("10.20.{}.{}".format, st.integers(0, 8), st.one_of(st.integers(0, 300), st.integers(0, 18))),
            st.builds(
                "10.20.{}.{}:{}".format,
                st.integers(0, 8),
                st.integers(0, 300),
                st.sampled_from(["0", "1", "4028", "65535", "65536", "080", "", "x"]),
            ),
            st.builds("{}.{}.{}.{}{}".format, *[st.integers(0, 300)] * 4, st.sampled_from(["", ":80", ":0", " ", "."])),
            st.sampled_from(
                ["10.20.03.1", "010.20.3.1", "10.20.3", "224.0.0.1", "0.0.0.0", "10.20.3.1\n", "fd00::1", ""]
            ),
        ),
        min_size=1,
        max_size=20,
    ),
)
def test_the_quick_way_to_an_address_is_the_slow_one(networks: tuple[Network, ...], cells: list[str]) -> None:
    """For any networks, the parser with cached prefixes accepts and refuses the same cells, in the same words."""
    quick = host_parser(networks)
    for cell in cells:
        answers = []
        for parse in (quick, partial(parse_host, networks=networks)):
            try:
                answers.append(parse(cell))
            except ValueError as error:
                answers.append(str(error))
        assert answers[0] == answers[1]


def test_what_is_said_as_before_is_the_same_entry() -> None:
    """Equal entries are those of the ledger before; a changed or new one is another object."""
    rows = [f"u{number},S21,200,10.0.0.{number},C1,R1,{number},2025-01-01,,deployed" for number in range(1, 5)]
    before = read(*rows)
    after = read(rows[3], rows[0], rows[1].replace("C1", "C2"), rows[2].replace("2025", "2024"), before=before)
    assert [entry.unit_id for entry in after.entries] == ["u4", "u1", "u2", "u3"]
    kept = [entry.unit_id for entry in after.entries if any(entry is earlier for earlier in before.entries)]
    assert kept == ["u4", "u1"]
    assert after.entries[2].place.container == "C2"


def test_owners_of_a_ledger() -> None:
    """Every owner, of any date, sorted; a shard has those of the whole site, also of units that it does not poll."""
    header = f"{HEADER},owner"
    ledger = read(
        "u1,S21,200,10.0.0.1,C1,R1,1,2025-01-01,2025-02-01,deployed,South",
        "u2,S21,200,10.0.0.2,C1,R1,2,2025-01-01,,deployed,",
        "u3,S21,200,10.0.0.3,C1,R1,3,2025-01-01,,deployed,North",
        header=header,
    )
    assert ledger.owners == ("North", "South")
    assert [entry.owner_name for entry in ledger.entries] == ["South", NO_OWNER, "North"]
    assert {ledger.shard(index, 3).owners for index in range(3)} == {("North", "South")}
    assert read("u1,S21,200,10.0.0.1,C1,R1,1,2025-01-01,,deployed").owners == ()
    (mistake,) = mistakes_in("u1,S21,200,10.0.0.1,C1,R1,1,2025-01-01,,deployed,(no owner)", header=header)
    assert "owner = '(no owner)': an owner's name is expected, or an empty cell for a unit of nobody else" in mistake
