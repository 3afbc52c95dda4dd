"""A whole scan over loopback: units of the simulators, other things that answer, and nothing written to any of them."""

import asyncio
import json
from collections.abc import Iterable
from contextlib import aclosing, suppress

import pytest
from capture_files import INVALID_COMMAND, capture
from loopback import Behaviour, answering, hanging, resetting, unit
from msgspec.structs import replace
from patience import PATIENT_S
from sim_cases import make_farm
from web_cases import served

from agent.address import PRIVATE_NETWORKS
from agent.hil.scan.found import Found, Kind
from agent.hil.scan.found_json import as_row
from agent.hil.scan.logins import login_finder
from agent.hil.scan.probe import Tally
from agent.hil.scan.proposal import propose
from agent.hil.scan.ranges import parse_targets
from agent.hil.scan.scanner import ScanOptions, fitted, scan
from agent.unit.login import Login
from agent.unit.nameplate import shipped_catalogue
from simulators.strangers.recorded import reply_of
from simulators.strangers.surroundings import Make

CATALOGUE = shipped_catalogue()
FACTORY = login_finder((), PRIVATE_NETWORKS)
# What should answer has time enough, whatever else this machine does; what is silent is not waited for long.
PATIENT = ScanOptions(
    patience_s=(PATIENT_S, PATIENT_S),
    connect_timeout_s=PATIENT_S,
    first_deadline_s=PATIENT_S,
    deadline_s=PATIENT_S,
    workers=8,
)


async def scanned(
    ranges: Iterable[str], port: int, *, web_port: int = 1, options: ScanOptions = PATIENT, login: Login | None = None
) -> tuple[dict[str, Found], Tally]:
    """Return what a scan finds, by address."""
    tally = Tally()
    found = {}
    async with asyncio.timeout(PATIENT_S):
        finds = scan(
            parse_targets(list(ranges), allowed=PRIVATE_NETWORKS),
            catalogue=CATALOGUE,
            login_of=FACTORY if login is None else lambda _: login,
            options=replace(options, port=port, web_port=web_port),
            tally=tally,
        )
        async with aclosing(finds):
            async for each in finds:
                found[each.host] = each
    return found, tally


async def one(behaviour: Behaviour, *, options: ScanOptions = PATIENT) -> Found:
    """Return the find for a unit with this behaviour."""
    async with unit(behaviour) as (host, port):
        found, _ = await scanned([host], port, options=options)
    return found[host]


async def test_every_unit_of_a_farm_is_identified_and_none_is_written_to() -> None:
    """Model, rate, boards, MAC and serial of each are the truth; the simulators' journal has reports and pages only."""
    farm = make_farm(12, mix="S21=50%,T21=50%")
    async with served(farm) as site:
        found, tally = await scanned(["127.77.0.1-127.77.0.12"], site.api.port, web_port=site.web.port)
        journal = site.api.journal
    assert {each.kind for each in found.values()} == {Kind.IDENTIFIED}
    assert (tally.identified, tally.open, tally.probes, tally.is_whole) == (12, 12, 12, True)
    for simulated in farm.units:
        each = found[simulated.identity.host]
        assert each.info is not None
        assert each.reading is not None
        assert (each.model, each.info.mac, each.info.serial, each.reader) == (
            simulated.identity.model.name,
            simulated.identity.mac.lower(),
            simulated.identity.serial,
            "antminer",
        )
        assert len(each.reading.boards) == 3
        assert each.reading.rate_hs == pytest.approx(simulated.hashrate_hs(farm.clock.now()), rel=0.1)
    assert journal.writes == 0
    assert set(journal.counts) <= {
        "stats new_api",
        "stats",
        "summary",
        "summary new_api",
        "pools",
        "version",
        "GET /cgi-bin/get_system_info.cgi",
        "GET /cgi-bin/get_system_info.cgi 401",
    }
    rows = propose(found.values(), CATALOGUE).rows
    assert [row.serial for row in rows] == [each.identity.serial for each in farm.units]


async def test_a_unit_without_a_page_is_identified_and_says_why() -> None:
    """The row's note names the reason; MAC and serial stay empty."""
    farm = make_farm(1)
    async with served(farm, word="other") as site:
        found, _ = await scanned(["127.77.0.1"], site.api.port, web_port=site.web.port)
    (only,) = found.values()
    assert (only.kind, only.info) == (Kind.IDENTIFIED, None)
    (row,) = propose([only], CATALOGUE).rows
    assert "MAC and serial not read: refused: " in row.note
    assert (row.mac, row.serial, row.unit_id) == ("", "", f"at-127.77.0.1-{only.port}")


async def test_an_address_without_a_login_has_no_page_read() -> None:
    """Not even the first request, which has no password, is sent."""
    farm = make_farm(1)
    async with served(farm) as site:
        tally = Tally()
        targets = parse_targets(["127.77.0.1"], allowed=PRIVATE_NETWORKS)
        options = replace(PATIENT, port=site.api.port, web_port=site.web.port)
        finds = scan(targets, catalogue=CATALOGUE, login_of=lambda _: None, options=options, tally=tally)
        found = [each async for each in finds]
        assert not [request for request in site.api.journal.counts if request.startswith("GET")]
    assert (found[0].kind, found[0].info, found[0].page_error) == (Kind.IDENTIFIED, None, None)


HTTP = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"
WHATSMINER = b'{"STATUS":"E","When":1,"Code":14,"Msg":"invalid cmd","Description":"whatsminer v1.3"}'
DENIED = b'{"STATUS":[{"STATUS":"E","When":1,"Code":45,"Msg":"Access denied to \'stats\' command"}],"id":1}\0'


@pytest.mark.parametrize(
    ("behaviour", "looks_like", "first_bytes"),
    [
        (answering(HTTP), "HTTP", "HTTP/1.1 400 Bad Request\\x0d\\x0a"),
        (answering(WHATSMINER), "a Whatsminer", '{"STATUS":"E"'),
        (answering(DENIED), "an API that refuses this address", '{"STATUS":[{'),
        (answering(b"\x1b[2J what?"), None, "\\x1b[2J what?"),
        (resetting(), None, ""),
    ],
    ids=["http", "whatsminer", "denied", "noise", "reset"],
)
async def test_what_answers_and_is_not_identified(
    behaviour: Behaviour, looks_like: str | None, first_bytes: str
) -> None:
    """It is named with its first bytes, printable, and gets no row."""
    found = await one(behaviour)
    assert (found.kind, found.looks_like) == (Kind.UNIDENTIFIED, looks_like)
    assert found.first_bytes.startswith(first_bytes)
    assert found.first_bytes.isprintable()
    assert found.error
    assert propose([found], CATALOGUE).rows == ()


async def test_a_unit_that_accepts_and_says_nothing() -> None:
    """It is no silent address: it answers, and is not identified."""
    found = await one(hanging(), options=ScanOptions(first_deadline_s=0.2, deadline_s=0.2, workers=1))
    assert (found.kind, found.first_bytes) == (Kind.UNIDENTIFIED, "")
    assert found.error is not None
    assert found.error.startswith("deadline: ")


async def test_a_machine_of_another_make_is_identified_by_its_own_reports() -> None:
    """Four reports more, and no page; the reader that fits is the one of pyasic."""
    asked = []

    async def whatsminer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        command = json.loads(await reader.read(4096))["command"] if not reader.at_eof() else ""
        asked.append(command)
        writer.write(reply_of(Make.WHATSMINER, 0x7F000001, command) + b"\0")

    found = await one(whatsminer)
    assert (found.kind, found.make, found.model, found.reader) == (
        Kind.IDENTIFIED,
        "MicroBT",
        "Whatsminer M30S+_VE40",
        "foreign",
    )
    assert found.info is not None
    assert set(filter(None, asked)) == {"version", "summary", "devdetails", "devs", "pools"}
    (row,) = propose([found], CATALOGUE).rows
    assert (row.hashrate_th, row.mac, row.unit_id) == ("126", "02:57:7f:00:00:01", "02577f000001")


BRAIINS = {
    name: capture(f"other-bmm100-braiins-2026/tcp4028-{name}.json")
    for name in ("version", "summary", "devdetails", "devs")
}


async def test_a_unit_under_braiins_os_names_its_model() -> None:
    """Its own reader reads it; it names no bin."""

    async def boser(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        data = await reader.read(4096)
        if data:
            writer.write(BRAIINS.get(json.loads(data)["command"], INVALID_COMMAND) + b"\0")

    found = await one(boser)
    assert (found.kind, found.reader, found.make) == (Kind.IDENTIFIED, "braiins", "Braiins")
    assert (found.model, found.firmware_line) == ("Braiins Mini Miner BMM 100", "Braiins OS (BOSer)")
    assert found.reading is not None
    assert [board.chips for board in found.reading.boards] == [4]
    (row,) = propose([found], CATALOGUE).rows
    assert (row.hashrate_th, "fill in the hashrate on its label" in row.note) == ("", True)


async def test_a_server_that_waits_for_the_end_of_a_line_is_named_at_once() -> None:
    """The first request ends one; no deadline has to pass."""

    async def web(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(HTTP)

    found = await one(web)
    assert (found.kind, found.looks_like) == (Kind.UNIDENTIFIED, "HTTP")


async def test_a_server_that_waits_for_the_end_of_a_head_is_named_after_one_deadline() -> None:
    """The second try ends it, and is made once more for the first bytes."""
    connections = []

    async def web(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(reader)
        with suppress(asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(HTTP)

    options = replace(PATIENT, first_deadline_s=0.2)
    found = await one(web, options=options)
    assert (found.kind, found.looks_like) == (Kind.UNIDENTIFIED, "HTTP")
    # The probe's, the conversation's, two for a page of ePIC firmware, and two more that were answered.
    assert len(connections) == 6


async def test_a_unit_that_fails_once_is_read_at_the_second_attempt() -> None:
    """A reset at the first request is not its last word."""
    farm = make_farm(1)
    async with served(farm) as site:
        broken = [True]

        async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            request = await reader.read(4096)
            if not request:
                return
            if broken.pop() if broken else False:
                await resetting(is_reading=False)(reader, writer)
                return
            unit_reader, unit_writer = await asyncio.open_connection("127.77.0.1", site.api.port)
            unit_writer.write(request)
            writer.write(await unit_reader.read())
            unit_writer.close()

        found = await one(relay)
    assert (found.kind, found.model, broken) == (Kind.IDENTIFIED, "S21", [])


async def test_a_model_of_ten_kilobytes_of_control_characters() -> None:
    """It is cut and cleaned wherever it is shown."""
    model = json.dumps("\x1b]0;owned\x07" * 1000)
    stats = f'{{"STATUS":{{"STATUS":"S","when":1,"Msg":"stats","api_version":"1.0.0"}},"INFO":{{"type":{model}}},"STATS":[{{"elapsed":86400,"rate_5s":200000,"rate_30m":200000,"rate_avg":200000,"rate_ideal":200000,"rate_unit":"GH/s","chain":[]}}]}}\0'  # noqa: E501
    found = await one(answering(stats.encode()))
    shown = json.dumps({key: value for key, value in as_row(found).items() if key != "reading"}, ensure_ascii=False)
    assert shown.isprintable()
    assert found.model is None or len(found.model) <= 64


async def test_a_scan_that_is_left_early_leaves_nothing_open() -> None:
    """A leaked socket or task would fail this test as a warning."""
    farm = make_farm(8)
    async with served(farm) as site:
        options = replace(PATIENT, port=site.api.port, web_port=site.web.port)
        targets = parse_targets(["127.77.0.1-127.77.0.8"], allowed=PRIVATE_NETWORKS)
        async with aclosing(scan(targets, catalogue=CATALOGUE, login_of=FACTORY, options=options)) as finds:
            async for _ in finds:
                break
        names = {task.get_name() for task in asyncio.all_tasks()}
    assert not [name for name in names if name.startswith("scan")]


@pytest.mark.parametrize(
    ("limit", "most_open", "workers", "raised"),
    [
        ((1024, 1_000_000), 900, 300, (1264, 1_000_000)),
        ((4096, 4096), 900, 300, None),
        ((1024, -1), 900, 300, (1264, -1)),
        ((-1, -1), 900, 300, None),
        ((264, 664), 450, 150, (664, 664)),
        ((40, 40), 8, 8, (40, 40)),
    ],
)
def test_sockets_fit_the_limit_of_the_process(
    limit: tuple[int, int],
    most_open: int,
    workers: int,
    raised: tuple[int, int] | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The limit is raised as far as it may be; what does not fit then is taken from both stages in proportion."""
    limits = []
    monkeypatch.setattr("resource.getrlimit", lambda _: limit)
    monkeypatch.setattr("resource.setrlimit", lambda _, raised: limits.append(raised))
    fit = fitted(ScanOptions(most_open=900, workers=300))
    assert (fit.most_open, fit.workers) == (most_open, workers)
    assert limits == ([] if raised is None else [raised])


def test_a_low_limit_gives_no_more_than_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A discovery of four conversations at once stays one."""
    monkeypatch.setattr("resource.getrlimit", lambda _: (100, 100))
    monkeypatch.setattr("resource.setrlimit", lambda *_: None)
    fit = fitted(ScanOptions(most_open=900, workers=4))
    assert fit.workers == 4
    assert 8 <= fit.most_open < 900


async def test_pool_users_are_only_shown_if_asked_for() -> None:
    """Neither the user nor one inside a URL."""
    farm = make_farm(1)
    async with served(farm) as site:
        found, _ = await scanned(["127.77.0.1"], site.api.port, web_port=site.web.port)
    (only,) = found.values()
    assert only.reading is not None
    user = only.reading.pools[0].user
    assert user
    assert user not in json.dumps(as_row(only))
    assert user in json.dumps(as_row(only, has_pool_users=True))
