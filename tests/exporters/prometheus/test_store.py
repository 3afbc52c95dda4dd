"""The rendered store: literal text for each status, parsers as oracles, shared bodies, and series that disappear."""

import asyncio
import gzip
import math
import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from credit_cases import credit
from discovery_cases import figures as discovery_figures
from exporter_cases import AT, S21, board, entry, gone_silent, reading, status
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from agent.address import Endpoint
from agent.errors import DeadlineError, UnreachableError
from agent.exporters.broker_numbers import BrokerNumbers
from agent.exporters.prometheus.agent_families import MISMATCHES_NAMED
from agent.exporters.prometheus.negotiation import accepts_gzip, wants_openmetrics
from agent.exporters.prometheus.store import Metrics, contract
from agent.exporters.prometheus.text_format import clean_label, label_pairs
from agent.exporters.prometheus.unit_families import FAMILIES, SERIES_PER_UNIT, UNIT_LABELS
from agent.history.chain.heads import Head, HeadKind, SignedHead, check_of
from agent.history.health import Health
from agent.site.credited.account import AccountState
from agent.site.delivered import Delivered
from agent.site.energy import Energy, EnergyBook
from agent.site.identity.figures import IdentityFigures
from agent.site.identity.whereabouts import Sighting, Standing, Whereabouts
from agent.site.lateness import held
from agent.site.ledger.entries import Place
from agent.site.metered import Metered, MeterState
from agent.site.mismatch import BinSource, Mismatch, ReportedBin
from agent.site.pools.destinations import Destination
from agent.site.pools.work import PoolClass, UnitWork
from agent.site.power import PowerSource
from agent.site.reasons import Reason
from agent.site.status import Loss, UnitStatus
from agent.site.totals import site_figures
from agent.unit.reading import Identity, Poll, PoolReading, PowerKind, ShareReading, SystemInfo

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
U1 = 'site="nd-1",container="C1",unit="u1"'

CHAIN_HEAD = Head(
    chain="3f",
    site="alpha",
    zone="UTC",
    key="",
    seq=12,
    hash="f" * 64,
    at=int(AT),
    day="2025-11-20",
    kind=HeadKind.HOUR,
    version="1",
)


class Clock:
    """A monotonic clock that only a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Return the time that the test set."""
        return self.now


def store(*statuses: UnitStatus, share_s: float = 0.0, clock: Clock | None = None) -> Metrics:
    """Return the metrics of site nd-1 with `statuses` rendered; by default no body is ever shared."""
    metrics = Metrics("nd-1", version="1.2.3", clock=clock or Clock(), share_s=share_s)
    for one in statuses:
        metrics.on_unit(one)
    return metrics


async def text_of(metrics: Metrics, accept: str = "") -> str:
    """Return a whole scrape in plain text."""
    body, _ = await metrics.scrape(accept)
    return body.decode()


async def unit_lines(metrics: Metrics) -> list[str]:
    """Return the sample lines of units, in order."""
    return [line for line in (await text_of(metrics)).splitlines() if re.match(r"miner_(?!agent_)", line)]


DEAD = status(error=UnreachableError("no answer"))
TWO_BOARDS = reading(boards=(board(0), board(2, chips=0, hashrate_hs=0.0, chip_celsius=(), pcb_celsius=())))

LINES: tuple[tuple[str, UnitStatus, list[str]], ...] = (
    (
        "miner_info",
        status(latest=reading()),
        [
            (
                f'miner_info{{{U1},rack="R2",slot="3",model="S21",host="127.0.0.2",firmware="Fri Jul 12 2024",'
                'serial="SN1",mac="02:00:00:00:00:01",dialect="new_api",cooling="air",simulated="false",'
                'reader="antminer",make="Bitmain"} 1'
            )
        ],
    ),
    (
        "miner_info",
        status(entry(is_simulated=True, serial=None, mac=None, place=Place())),
        [
            (
                'miner_info{site="nd-1",container="",unit="u1",rack="",slot="",model="S21",host="127.0.0.2",firmware="",'
                'serial="",mac="",dialect="",cooling="air",simulated="true",reader="",make="Bitmain"} 1'
            )
        ],
    ),
    (
        "miner_nameplate_hashrate_hashes_per_second",
        DEAD,
        [f"miner_nameplate_hashrate_hashes_per_second{{{U1}}} 200000000000000.0"],
    ),
    ("miner_up", status(latest=reading()), [f"miner_up{{{U1}}} 1"]),
    ("miner_up", DEAD, [f"miner_up{{{U1}}} 0"]),
    ("miner_up", gone_silent(), [f"miner_up{{{U1}}} 0"]),
    ("miner_up", status(latest=reading(), error=DeadlineError("late")), [f"miner_up{{{U1}}} 1"]),
    ("miner_up", status(), []),
    ("miner_state", status(latest=reading()), [f'miner_state{{{U1},state="hashing"}} 1']),
    ("miner_state", DEAD, [f'miner_state{{{U1},state="unreachable"}} 1']),
    ("miner_state", status(entry(is_in_maintenance=True)), [f'miner_state{{{U1},state="maintenance"}} 1']),
    ("miner_state", status(), []),
    ("miner_reason", status(latest=reading()), []),
    ("miner_reason", DEAD, [f'miner_reason{{{U1},reason="no_answer"}} 1']),
    (
        "miner_reason",
        status(latest=reading(hashrate_5s_hs=0.0, fan_rpm=(7000, 0))),
        [f'miner_reason{{{U1},reason="fan_stopped"}} 1'],
    ),
    ("miner_reason", status(latest=TWO_BOARDS), [f'miner_reason{{{U1},reason="board_absent"}} 1']),
    ("miner_reason", status(), []),
    (
        "miner_last_reading_timestamp_seconds",
        gone_silent(),
        [f"miner_last_reading_timestamp_seconds{{{U1}}} 1763674560.0"],
    ),
    ("miner_last_reading_timestamp_seconds", DEAD, []),
    (
        "miner_loss_hashrate_hashes_per_second",
        DEAD,
        [f'miner_loss_hashrate_hashes_per_second{{{U1},cause="unreachable"}} 200000000000000.0'],
    ),
    (
        "miner_loss_hashrate_hashes_per_second",
        status(entry(nameplate=replace(S21, hashrate_hs=300e12)), reading(boards=(board(0), board(1)))),
        [
            f'miner_loss_hashrate_hashes_per_second{{{U1},cause="missing_boards"}} 100000000000000.0',
            f'miner_loss_hashrate_hashes_per_second{{{U1},cause="underperforming"}} 2000000000000.0',
        ],
    ),
    ("miner_loss_hashrate_hashes_per_second", status(latest=reading(hashrate_5s_hs=201e12)), []),
    (
        "miner_hashrate_hashes_per_second",
        status(latest=reading(hashrate_5s_hs=0.0)),
        [f"miner_hashrate_hashes_per_second{{{U1}}} 0.0"],
    ),
    ("miner_hashrate_hashes_per_second", status(latest=reading(hashrate_5s_hs=None)), []),
    ("miner_hashrate_hashes_per_second", gone_silent(), []),
    (
        "miner_hashrate_30m_hashes_per_second",
        status(latest=reading()),
        [f"miner_hashrate_30m_hashes_per_second{{{U1}}} 197500000000000.0"],
    ),
    ("miner_uptime_seconds", status(latest=reading()), [f"miner_uptime_seconds{{{U1}}} 86400"]),
    # 18 W + 3482 W x 198/200, and 3.9 % less than at 25 C because boards at 45 C stand in air of 16.
    (
        "miner_power_watts",
        status(latest=reading()),
        [f'miner_power_watts{{{U1},source="modelled"}} 3330.1'],
    ),
    ("miner_power_watts", gone_silent(), []),
    (
        "miner_power_watts",
        status(latest=reading(power_watts=3412.0)),
        [f'miner_power_watts{{{U1},source="estimated"}} 3412.0'],
    ),
    (
        "miner_power_watts",
        status(latest=reading(power_watts=3412.0, power_kind=PowerKind.MEASURED)),
        [f'miner_power_watts{{{U1},source="measured"}} 3412.0'],
    ),
    # Powered boards that hash nothing draw more than standby, and no one knows how much.
    ("miner_power_watts", status(latest=reading(hashrate_5s_hs=0.0)), []),
    ("miner_pcb_temperature_celsius", status(latest=reading()), [f"miner_pcb_temperature_celsius{{{U1}}} 51.5"]),
    ("miner_pcb_temperature_celsius", status(latest=reading(boards=())), []),
    (
        "miner_pcb_temperature_celsius",
        status(latest=reading(boards=(board(0), board(1, pcb_celsius=(45.0, 180.0)), board(2)))),
        [f"miner_pcb_temperature_celsius{{{U1}}} 51.5"],
    ),
    (
        "miner_board_chip_temperature_celsius",
        status(
            latest=reading(
                boards=(board(0), board(1, chip_celsius=(None, 180.0)), board(2, chip_celsius=(-40.0, 97.0)))
            )
        ),
        [
            f'miner_board_chip_temperature_celsius{{{U1},board="0"}} 60.0',
            f'miner_board_chip_temperature_celsius{{{U1},board="2"}} 97.0',
        ],
    ),
    ("miner_pools_alive", status(latest=reading()), [f"miner_pools_alive{{{U1}}} 1"]),
    (
        "miner_pools_alive",
        status(latest=reading(pools=(PoolReading(index=0, status="Dead", is_active=False),))),
        [f"miner_pools_alive{{{U1}}} 0"],
    ),
    ("miner_pools_alive", status(latest=reading(pools=())), []),
    (
        "miner_fan_speed_rpm",
        status(latest=reading(fan_rpm=(6000, 0))),
        [f'miner_fan_speed_rpm{{{U1},fan="1"}} 6000', f'miner_fan_speed_rpm{{{U1},fan="2"}} 0'],
    ),
    ("miner_fan_speed_rpm", status(latest=reading(fan_rpm=())), []),
    (
        "miner_board_hashrate_hashes_per_second",
        status(latest=TWO_BOARDS),
        [
            f'miner_board_hashrate_hashes_per_second{{{U1},board="0"}} 66000000000000.0',
            f'miner_board_hashrate_hashes_per_second{{{U1},board="2"}} 0.0',
        ],
    ),
    (
        "miner_board_chips",
        status(latest=TWO_BOARDS),
        [f'miner_board_chips{{{U1},board="0"}} 108', f'miner_board_chips{{{U1},board="2"}} 0'],
    ),
    (
        "miner_board_frequency_hertz",
        status(latest=reading(boards=(board(0), board(1, frequency_hz=None)))),
        [f'miner_board_frequency_hertz{{{U1},board="0"}} 490000000.0'],
    ),
    (
        "miner_board_chip_temperature_celsius",
        status(latest=TWO_BOARDS),
        [f'miner_board_chip_temperature_celsius{{{U1},board="0"}} 60.0'],
    ),
    (
        "miner_board_hardware_errors_total",
        status(latest=reading(boards=(board(1),))),
        [f'miner_board_hardware_errors_total{{{U1},board="1"}} 7'],
    ),
    (
        "miner_shares_total",
        status(latest=reading()),
        [
            f'miner_shares_total{{{U1},result="accepted"}} 1000',
            f'miner_shares_total{{{U1},result="rejected"}} 3',
            f'miner_shares_total{{{U1},result="stale"}} 1',
        ],
    ),
    ("miner_shares_total", status(latest=reading(shares=None)), []),
    ("miner_shares_total", gone_silent(), []),
    (
        "miner_difficulty_accepted_total",
        status(latest=reading()),
        [f"miner_difficulty_accepted_total{{{U1}}} 5500000000.0"],
    ),
    (
        "miner_difficulty_rejected_total",
        status(latest=reading()),
        [f"miner_difficulty_rejected_total{{{U1}}} 1500000.0"],
    ),
)


@pytest.mark.parametrize(("name", "given_status", "expected"), LINES)
async def test_family_lines(name: str, given_status: UnitStatus, expected: list[str]) -> None:
    """Each family's lines follow from the status alone; an absent value has no line and zero is a zero."""
    lines = await unit_lines(store(given_status))
    assert expected == [line for line in lines if line.startswith(f"{name}{{")]


def test_every_family_has_a_row() -> None:
    """The table above has every family of the contract at least once with a value."""
    assert {family.name for family in FAMILIES} == {name for name, _, expected in LINES if expected}


GOLDEN = f"""\
# HELP miner_up 1 while a unit's latest reading is fresh, 0 when it is stale or there is none.
# TYPE miner_up gauge
miner_up{{{U1}}} 0
# HELP miner_state State of a unit as a label, always 1: hashing, starting, stopped, curtailed, maintenance,\
 unreachable, unreadable.
# TYPE miner_state gauge
miner_state{{{U1},state="unreachable"}} 1
# HELP miner_reason Why a unit is as it is, as a label, always 1 (docs/reasons.md); absent if it is fine or\
 partly curtailed.
# TYPE miner_reason gauge
miner_reason{{{U1},reason="no_answer"}} 1
# HELP miner_last_reading_timestamp_seconds Unix time of a unit's latest complete reading, however old.
# TYPE miner_last_reading_timestamp_seconds gauge
miner_last_reading_timestamp_seconds{{{U1}}} 1763674560.0
# HELP miner_loss_hashrate_hashes_per_second Shortfall of a unit from its nameplate, by cause; causes that took nothing\
 are absent.
# TYPE miner_loss_hashrate_hashes_per_second gauge
miner_loss_hashrate_hashes_per_second{{{U1},cause="unreachable"}} 200000000000000.0
# HELP miner_info Identity and location of a unit; always 1.
# TYPE miner_info gauge
miner_info{{{U1},rack="R2",slot="3",model="S21",host="127.0.0.2",firmware="Fri Jul 12 2024",serial="SN1",\
mac="02:00:00:00:00:01",dialect="new_api",cooling="air",simulated="false",reader="antminer",make="Bitmain"}} 1
# HELP miner_nameplate_hashrate_hashes_per_second Rated hashrate of a unit, from the site's ledger.
# TYPE miner_nameplate_hashrate_hashes_per_second gauge
miner_nameplate_hashrate_hashes_per_second{{{U1}}} 200000000000000.0
"""


async def test_a_silent_unit_whole() -> None:
    """A unit that went silent keeps its state, losses and info, and has no series of a reading."""
    metrics = store(status(latest=reading()))
    metrics.on_unit(gone_silent())
    whole = await text_of(metrics)
    assert whole[whole.index("# HELP miner_up ") :] == GOLDEN


async def test_an_unpolled_unit_says_nothing_of_its_state() -> None:
    """Before its first poll a unit has its info and its nameplate, and no state, loss or up."""
    names = [line.partition("{")[0] for line in await unit_lines(store(status()))]
    assert names == ["miner_info", "miner_nameplate_hashrate_hashes_per_second"]


async def test_a_removed_unit_is_gone() -> None:
    """A unit that left the ledger has no series, and the unit that takes its cell inherits none."""
    metrics = store(status(latest=reading()), status(entry("u2"), reading("u2")))
    metrics.remove_unit("u1")
    metrics.remove_unit("u1")
    assert 'unit="u1"' not in await text_of(metrics)
    metrics.on_unit(status(entry("u3"), error=UnreachableError("no answer")))
    whole = await text_of(metrics)
    assert 'miner_up{site="nd-1",container="C1",unit="u3"} 0' in whole
    assert 'miner_hashrate_hashes_per_second{site="nd-1",container="C1",unit="u3"}' not in whole
    assert "miner_agent_units 2.0" in whole


async def test_a_unit_has_its_reason_of_now() -> None:
    """The series of a reason goes with it: a unit that is fine again, or was never polled at its address, has none."""
    metrics = store(status(error=UnreachableError("no answer")))
    reasons = []
    for one in (status(latest=reading(hashrate_5s_hs=0.0)), status(latest=reading()), gone_silent(), status()):
        metrics.on_unit(one)
        reasons.append(re.findall(r'^miner_reason.*reason="(\w+)"', await text_of(metrics), re.MULTILINE))
    assert reasons == [["stopped_unknown"], [], ["no_answer"], []]


async def test_a_moved_unit_takes_its_series_along() -> None:
    """A unit that moved to another container has all its series there and none at the old place."""
    metrics = store(status(latest=reading()))
    metrics.on_unit(status(entry(place=Place(container="C9")), reading()))
    assert {'container="C9"'} == set(re.findall(r'container="\w+"', "".join(await unit_lines(metrics))))


async def test_simulated_units_are_counted() -> None:
    """The number of simulated units follows the ledger."""
    metrics = store(status(entry(is_simulated=True)), status(entry("u2", is_simulated=True)), status(entry("u3")))
    assert "miner_agent_simulated_units 2.0" in await text_of(metrics)
    metrics.on_unit(status(entry()))
    metrics.remove_unit("u2")
    assert "miner_agent_simulated_units 0.0" in await text_of(metrics)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
async def test_no_value_that_is_not_a_number(value: float) -> None:
    """A value that is not a finite number has no series."""
    read = reading(hashrate_5s_hs=197e12, uptime_s=value, fan_rpm=(value, 1.0), boards=(board(0, hashrate_hs=value),))
    lines = await unit_lines(store(status(latest=read)))
    assert not [line for line in lines if re.search(r"(?i)nan|inf$", line)]
    assert f'miner_fan_speed_rpm{{{U1},fan="2"}} 1.0' in lines


async def test_a_board_listed_twice_is_one_series() -> None:
    """A firmware that lists a slot twice does not break the exposition: the last one counts."""
    lines = await unit_lines(store(status(latest=reading(boards=(board(0, chips=1), board(0, chips=2))))))
    assert [line for line in lines if "board_chips" in line] == [f'miner_board_chips{{{U1},board="0"}} 2']


async def test_lying_firmware_is_bounded() -> None:
    """A firmware that lists a hundred boards and fans does not get a hundred series of each."""
    read = reading(boards=tuple(board(slot) for slot in range(100)), fan_rpm=tuple(range(100)))
    assert len(await unit_lines(store(status(latest=read)))) <= SERIES_PER_UNIT + 5


# Labels and formats


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("", ""),
        ('a"b', r"a\"b"),
        ("a\\b", r"a\\b"),
        ("a\nb", "a\ufffdb"),
        ("\x1b[31m", "\ufffd[31m"),
        ("\ud800", "\ufffd"),
        ("\u202e", "\ufffd"),
        ("Größe \U0001f525", "Größe \U0001f525"),
        ("x" * 100, "x" * 64),
        ('"' * 100, r"\"" * 64),
    ],
)
def test_label_cleaning(text: str, shown: str) -> None:
    """A device's string becomes one short printable line with quotes and backslashes escaped."""
    assert clean_label(text) == shown


@given(st.lists(st.text(max_size=70) | st.text('a"\\%\n', min_size=60, max_size=70), min_size=1, max_size=4).map(tuple))
def test_labels_together_are_what_each_is(values: tuple[str, ...]) -> None:
    """Labels rendered together equal the same labels rendered one by one."""
    names = tuple(f"n{place}" for place in range(len(values)))
    single = [f'{name}="{clean_label(value)}"' for name, value in zip(names, values, strict=True)]
    assert label_pairs(names, values) == ",".join(single)


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("", False),
        ("*/*", False),
        ("text/plain", False),
        ("text/html,application/xhtml+xml,*/*;q=0.8", False),
        ("application/json", False),
        ("application/openmetrics-text", True),
        ("application/openmetrics-text; version=1.0.0; charset=utf-8", True),
        ('application/openmetrics-text; version="1.0.0"', True),
        ("application/openmetrics-text; version=0.0.1", False),
        ("application/openmetrics-text; version=2.0.0", False),
        ("application/openmetrics-text;q=0", False),
        ("application/openmetrics-text;q=nonsense", False),
        ("application/openmetrics-text;q=nan", False),
        ("text/plain;q=0.5,application/openmetrics-text;q=0.4", False),
        ("application/vnd.google.protobuf;q=0.9,text/plain;q=0.5", False),
        # Prometheus 2.42 and 3.
        (
            (
                "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
                "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
            ),
            True,
        ),
        (
            (
                "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
                "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
                "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
            ),
            True,
        ),
        ("," * 100_000, False),
    ],
)
async def test_format_negotiation(accept: str, *, expected: bool) -> None:
    """A scraper that prefers OpenMetrics 1.0 gets it; all others get the text format."""
    assert wants_openmetrics(accept) is expected
    body, headers = await store().scrape(accept)
    assert headers["Content-Type"] == (OPENMETRICS if expected else TEXT)
    assert body.endswith(b"\n# EOF\n") is expected


@pytest.mark.parametrize(
    ("accept_encoding", "expected"),
    [
        ("", False),
        ("identity", False),
        ("gzip", True),
        ("GZIP", True),
        ("deflate, gzip;q=1.0, *;q=0.5", True),
        ("*", True),
        ("gzip;q=0", False),
        ("gzip;q=0, *", False),
        ("br", False),
    ],
)
async def test_encoding_negotiation(accept_encoding: str, *, expected: bool) -> None:
    """A scraper that names gzip and does not refuse it gets a body that unpacks to the plain one."""
    assert accepts_gzip(accept_encoding) is expected
    metrics = store(status(latest=reading()))
    body, headers = await metrics.scrape("", accept_encoding)
    assert headers.get("Content-Encoding") == ("gzip" if expected else None)
    assert headers["Vary"] == "Accept, Accept-Encoding"
    assert b"miner_up{" in (gzip.decompress(body) if expected else body)


async def test_openmetrics_names_counters_without_total() -> None:
    """OpenMetrics names the families `miner_shares` and `miner`; the samples are the same in both formats."""
    whole = await text_of(store(status(latest=reading())), OPENMETRICS)
    assert "# TYPE miner_shares counter\n" in whole
    assert "# TYPE miner info\n" in whole
    assert f'miner_shares_total{{{U1},result="stale"}} 1\n' in whole
    assert "miner_agent_build_info{" in whole
    assert "_created" not in whole


# Oracles: the parsers of prometheus_client

_finite = st.floats(allow_nan=False, allow_infinity=False)
_maybe = st.none() | _finite
_words = st.text(max_size=80) | st.text(st.characters(categories=["Cs", "Cc"]), max_size=5)
_counts = st.none() | st.integers(0, 2**63)
_readings = st.fixed_dictionaries(
    {},
    optional={
        "identity": st.builds(Identity, firmware=st.none() | _words),
        "uptime_s": _maybe,
        "hashrate_5s_hs": st.none() | st.floats(0, 1e18),
        "hashrate_30m_hs": _maybe,
        "power_watts": _maybe,
        "fan_rpm": st.lists(_finite, max_size=6).map(tuple),
        "boards": st.lists(
            st.builds(board, st.integers(0, 20), hashrate_hs=_maybe, chips=_counts, hw_errors=_counts), max_size=5
        ).map(tuple),
        "shares": st.none() | st.builds(ShareReading, at=st.just(AT), accepted=_counts, rejected=_counts),
    },
)


@st.composite
def _statuses(draw: st.DrawFn) -> list[UnitStatus]:
    statuses = []
    for number in range(draw(st.integers(0, 4))):
        place = Place(container=draw(_words), rack=draw(_words), slot=draw(_words))
        declared = entry(f"u{number}", place=place, is_in_maintenance=draw(st.booleans()), serial=draw(_words))
        read = reading(f"u{number}", **draw(_readings)) if draw(st.booleans()) else None
        error = UnreachableError("no answer") if draw(st.booleans()) else None
        is_fresh = read is not None and draw(st.booleans())
        statuses.append(status(declared, read, error=error, is_fresh=is_fresh))
    return statuses


def series(families: Iterator[Metric]) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Return every sample that a parser found; a series that comes twice fails the test."""
    found: dict[Any, float] = {}
    for family in families:
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            assert key not in found
            found[key] = sample.value
    return found


@given(_statuses())
def test_two_parsers_read_the_same(statuses: list[UnitStatus]) -> None:
    """prometheus_client accepts both formats, and both have the same units' series, whatever the units report."""

    async def scrape_both() -> tuple[str, str]:
        metrics = store(*statuses)
        metrics.on_site(site_figures(statuses, AT), is_whole=True)
        await metrics.scrape()
        return await text_of(metrics), await text_of(metrics, OPENMETRICS)

    plain, open_metrics = asyncio.run(scrape_both())
    by_text, by_openmetrics = series(parse_text(plain)), series(parse_openmetrics(open_metrics))
    ours = {key: value for key, value in by_text.items() if not key[0].startswith(("miner_agent_", "process_"))}
    assert ours == {key: by_openmetrics[key] for key in ours}
    assert by_text.keys() == by_openmetrics.keys()
    fresh = sum(one.is_fresh for one in statuses)
    assert fresh == sum(value for (name, _), value in ours.items() if name == "miner_up")
    unit_series = [key for key in ours if key[0].startswith("miner_")]
    assert {unit for key in unit_series if (unit := dict(key[1])["unit"])} == {one.entry.unit_id for one in statuses}


@pytest.mark.program("promtool")
async def test_promtool_has_no_complaint() -> None:
    """Prometheus' own linter finds no fault with a whole exposition."""
    metrics = store(status(latest=reading(power_watts=3500.0)), gone_silent("u2"))
    metrics.on_site(site_figures([status(latest=reading()), gone_silent("u2")], AT), is_whole=True)
    metrics.on_poll(Poll(unit_id="u1", at=AT, took_s=0.02, reading=reading(repairs=("missing_comma",))))
    metrics.on_skipped("busy")
    metrics.on_reload(is_successful=True, at=AT)
    metrics.watch_polling(lambda: 1, lambda: 1.0)
    body, _ = await metrics.scrape()
    done = await asyncio.to_thread(
        subprocess.run, ["promtool", "check", "metrics"], input=body, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


# Groups


async def test_site_figures() -> None:
    """The exported sums and ratios are those of the figures, at every level."""
    statuses = [
        status(latest=reading()),
        gone_silent("u2"),
        status(entry("u3", place=Place(container="C2")), reading()),
    ]
    metrics = store()
    metrics.on_site(site_figures(statuses, AT), is_whole=True)
    body, _ = await metrics.scrape(scope="site")
    lines = body.decode().splitlines()
    for line in (
        'mining_site_deployed_hashrate_hashes_per_second{site="nd-1"} 600000000000000.0',
        'mining_site_operating_hashrate_hashes_per_second{site="nd-1"} 396000000000000.0',
        'mining_site_known_hashrate_hashes_per_second{site="nd-1"} 400000000000000.0',
        'mining_site_uplift_hashrate_hashes_per_second{site="nd-1"} 0.0',
        'mining_site_loss_hashrate_hashes_per_second{site="nd-1",cause="unreachable"} 200000000000000.0',
        'mining_site_loss_hashrate_hashes_per_second{site="nd-1",cause="curtailed"} 0.0',
        'mining_site_units{site="nd-1",state="hashing"} 2',
        'mining_site_units{site="nd-1",state="stopped"} 0',
        'mining_site_state_nameplate_hashrate_hashes_per_second{site="nd-1",state="unreachable"} 200000000000000.0',
        'mining_site_operational_efficiency_ratio{site="nd-1"} 0.66',
        'mining_site_coverage_ratio{site="nd-1"} 0.6666666666666666',
        'mining_container_deployed_hashrate_hashes_per_second{site="nd-1",container="C2"} 200000000000000.0',
        'mining_container_units{site="nd-1",container="C2",state="unreachable"} 0',
        'mining_rack_units{site="nd-1",container="C1",rack="R2",state="unreachable"} 1',
        'mining_model_operating_hashrate_hashes_per_second{site="nd-1",model="S21"} 396000000000000.0',
    ):
        assert line in lines
    assert 'mining_rack_units{site="nd-1",container="C1",rack="R2",state="stopped"} 0' not in lines


async def test_before_every_unit_was_looked_at() -> None:
    """Before the first whole round only figures from the ledger are exported; the rest is absent, not zero."""
    metrics = store()
    assert "mining_" not in await text_of(metrics)
    metrics.on_site(site_figures([status()], AT), is_whole=False)
    names = set(re.findall(r"(?m)^mining_\w+", await text_of(metrics)))
    assert names == {
        f"mining_{level}_deployed_hashrate_hashes_per_second" for level in ("site", "container", "rack", "model")
    }


async def test_no_ratio_of_nothing() -> None:
    """A site with nothing deployed has no efficiency, instead of 0 or 100 percent."""
    metrics = store()
    metrics.on_site(site_figures([], AT), is_whole=True)
    whole = await text_of(metrics)
    assert "_ratio" not in whole
    assert 'mining_site_deployed_hashrate_hashes_per_second{site="nd-1"} 0.0' in whole


# The agent's own


async def test_own_metrics() -> None:
    """Polls, repairs, skips and lag are exported as counted."""
    metrics = store()
    metrics.on_poll(Poll(unit_id="u1", at=AT, took_s=0.025, reading=reading(repairs=("nul", "nul", "comma"))))
    metrics.on_poll(Poll(unit_id="u2", at=AT, took_s=5.0, error=DeadlineError("late")))
    metrics.on_skipped("busy", 2)
    metrics.on_lag(0.004)
    metrics.on_reload(is_successful=True, at=AT)
    metrics.on_reload(is_successful=False, at=AT + 60)
    metrics.watch_polling(lambda: 3, lambda: 1.25)
    metrics.on_standstill()
    body, _ = await metrics.scrape(scope="site")
    lines = body.decode().splitlines()
    for line in (
        'miner_agent_build_info{site="nd-1",version="1.2.3"} 1.0',
        'miner_agent_polls_total{result="ok"} 1.0',
        'miner_agent_polls_total{result="deadline"} 1.0',
        'miner_agent_polls_total{result="refused"} 0.0',
        'miner_agent_poll_duration_seconds_bucket{le="0.01"} 0.0',
        'miner_agent_poll_duration_seconds_bucket{le="0.025"} 1.0',
        'miner_agent_poll_duration_seconds_bucket{le="+Inf"} 2.0',
        "miner_agent_poll_duration_seconds_sum 5.025",
        'miner_agent_polls_skipped_total{why="busy"} 2.0',
        "miner_agent_polls_in_flight 3.0",
        "miner_agent_poll_stretch_ratio 1.25",
        "miner_agent_standstills_total 1.0",
        'miner_agent_reply_repairs_total{repair="nul"} 2.0',
        'miner_agent_loop_lag_seconds_bucket{le="0.005"} 1.0',
        "miner_agent_config_last_reload_successful 0.0",
        f"miner_agent_config_last_reload_timestamp_seconds {AT!r}".replace("1763674560.0", "1.76367456e+09"),
    ):
        assert line in lines
    assert any(line.startswith("process_resident_memory_bytes ") for line in lines)


async def test_the_second_scrape_counts_the_first() -> None:
    """A scrape's duration and size are counted once its body is made."""
    metrics = store(status(latest=reading()))
    first, _ = await metrics.scrape()
    assert b"miner_agent_scrape_duration_seconds_count 0.0" in first
    second = await text_of(metrics)
    assert "miner_agent_scrape_duration_seconds_count 1.0" in second
    assert f'miner_agent_scrape_bytes{{scope="all"}} {float(len(first))}' in second


async def test_a_late_agent_shows_the_last_rate_and_that_it_is_old() -> None:
    """An overdue unit keeps state, losses and rate, `miner_up` is 0, and its temperatures are gone."""
    hashing = status(latest=reading())
    metrics = store(hashing)
    metrics.on_unit(held(hashing))
    figures = site_figures([held(hashing)], AT)
    metrics.on_site(figures, is_whole=True)
    lines = (await text_of(metrics)).splitlines()
    for line in (
        f"miner_up{{{U1}}} 0",
        f'miner_state{{{U1},state="hashing"}} 1',
        f"miner_hashrate_hashes_per_second{{{U1}}} 198000000000000.0",
        f'miner_loss_hashrate_hashes_per_second{{{U1},cause="underperforming"}} 2000000000000.0',
        'mining_site_operating_hashrate_hashes_per_second{site="nd-1"} 198000000000000.0',
        'mining_site_known_hashrate_hashes_per_second{site="nd-1"} 0.0',
        'mining_site_overdue_units{site="nd-1"} 1',
        'mining_container_overdue_nameplate_hashrate_hashes_per_second{site="nd-1",container="C1"} 200000000000000.0',
    ):
        assert line in lines
    assert not [line for line in lines if line.startswith("miner_board_chip_temperature_celsius{")]


async def test_withdrawn_figures_leave_what_the_ledger_says() -> None:
    """Figures are gone at once, also from a body made a moment ago; deployed, units and counters stay."""
    hashing = status(latest=reading())
    metrics = store(hashing, share_s=60.0)
    metrics.on_site(site_figures([hashing], AT), is_whole=True)
    assert "mining_site_operating_hashrate" in await text_of(metrics)
    metrics.withdraw()
    text = await text_of(metrics)
    assert "mining_site_operating_hashrate" not in text
    assert "mining_site_deployed_hashrate_hashes_per_second{" in text
    assert "miner_state{" in text


# Sharing


async def test_fifty_scrapers_share_one_body() -> None:
    """Scrapers that arrive while a body is being made get that same body, not a copy."""
    metrics = store(status(latest=reading()), share_s=1.0)
    bodies = await asyncio.gather(*(metrics.scrape("", "gzip") for _ in range(50)))
    assert len({id(body) for body, _ in bodies}) == 1
    assert metrics.own.scrape_s.cumulative()[-1] == ("+Inf", 1.0)


async def test_a_body_is_shared_for_a_moment_only() -> None:
    """A body older than `share_s` is made again, and the next group figures drop it."""
    clock = Clock()
    metrics = store(share_s=1.0, clock=clock)
    first, _ = await metrics.scrape()
    metrics.on_unit(status(latest=reading()))
    clock.now += 0.9
    assert (await metrics.scrape())[0] is first
    clock.now += 0.1
    assert b"miner_up{" in (await metrics.scrape())[0]
    clock.now += 2.0
    metrics.on_site(site_figures([], AT), is_whole=True)
    assert metrics._bodies._bodies == {}


async def test_a_scraper_that_leaves_does_not_take_the_body_along() -> None:
    """Other scrapers still get a body when the first scraper disconnects."""
    metrics = store(status(latest=reading()), share_s=1.0)
    leaver = asyncio.create_task(metrics.scrape(), name="leaver")
    await asyncio.sleep(0)
    stayer = asyncio.create_task(metrics.scrape(), name="stayer")
    await asyncio.sleep(0)
    leaver.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaver
    body, _ = await stayer
    assert b"miner_up{" in body


async def test_a_scrape_is_of_one_moment() -> None:
    """A change while a body is being made is not in the body at all."""
    metrics = store(status(latest=reading()))
    scrape = asyncio.create_task(metrics.scrape(), name="scrape")
    for _ in range(2):
        await asyncio.sleep(0)
    metrics.on_unit(gone_silent())
    body, _ = await scrape
    assert f"miner_up{{{U1}}} 1\n" in body.decode()
    assert f"miner_hashrate_hashes_per_second{{{U1}}} 198000000000000.0\n" in body.decode()


# The contract


def test_contract_is_sound() -> None:
    """Names are unique, prefixed, in base units and end as their kind requires; help is a sentence."""
    rows = contract()
    assert len({row.name for row in rows}) == len(rows)
    for row in rows:
        assert re.fullmatch(
            r"(miner|mining_(site|container|rack|model|owner|pool|history)|miner_agent)(_[a-z0-9]+)+", row.name
        )
        assert not re.search(r"tera|giga|mega|milli|percent|celcius|_ms$|_ths", row.name)
        assert row.name.endswith("_total") is (row.kind == "counter")
        assert row.name.endswith("_info") is (row.kind == "info")
        assert row.help.endswith(".")
        assert len(set(row.labels)) == len(row.labels)
    for family in FAMILIES:
        assert family.labels[:3] == UNIT_LABELS


def broker_numbers() -> BrokerNumbers:
    """Return an MQTT broker with every number known."""
    return BrokerNumbers(
        name="site",
        is_connected=True,
        is_outbox_kept=True,
        connections=2,
        delivered=7,
        taken_in=3,
        refused=1,
        errors={"lost": 1},
        outbox_errors={"full": 0},
        dropped={"units": 0},
        waiting=4,
        outbox_bytes=16384,
        outbox_max_bytes=64 << 20,
        gateway_silent=False,
    )


def identity_figures() -> IdentityFigures:
    """Return a site where u1 moved to the address of u2, u2 is not found, and an unknown unit is at u1's address."""
    home, other = Endpoint("127.0.0.2", 4028), Endpoint("127.0.0.3", 4028)
    seen = Sighting(endpoint=other, info=SystemInfo(serial="SN1"), unit_id="u1", is_unknown=False, at=AT)
    stranger = Sighting(endpoint=home, info=SystemInfo(serial="SN9"), unit_id=None, is_unknown=True, at=AT)
    moved = Whereabouts(unit_id="u1", standing=Standing.MOVED, home=home, place=other, seen=seen, occupant=stranger)
    displaced = Whereabouts(unit_id="u2", standing=Standing.DISPLACED, home=other, place=None, seen=None, occupant=seen)
    return IdentityFigures(
        is_watched=True,
        units_by_standing={
            Standing.VERIFIED: 5,
            Standing.UNVERIFIED: 0,
            Standing.MOVED: 1,
            Standing.DISPLACED: 1,
        },
        away=(moved, displaced),
        unknown=(stranger,),
        moves=1,
        checks={"ok": 7, "refused": 2},
    )


async def test_whereabouts() -> None:
    """Units by whereabouts, moved units and unknown units are exported, and absent without identity checks."""
    metrics = store()
    names = (
        "mining_site_units_by_standing",
        "mining_site_unknown",
        "miner_address_changed",
        "miner_agent_identity",
        "miner_agent_address",
    )
    assert [line for line in (await text_of(metrics)).splitlines() if line.startswith(names)] == [
        "miner_agent_address_changes_total 0.0"
    ]
    metrics = store()
    metrics.watch_identity(identity_figures)
    assert [line for line in (await text_of(metrics)).splitlines() if line.startswith(names)] == [
        'mining_site_units_by_standing{site="nd-1",standing="verified"} 5.0',
        'mining_site_units_by_standing{site="nd-1",standing="unverified"} 0.0',
        'mining_site_units_by_standing{site="nd-1",standing="moved"} 1.0',
        'mining_site_units_by_standing{site="nd-1",standing="displaced"} 1.0',
        'mining_site_unknown_units{site="nd-1"} 1.0',
        'miner_address_changed{site="nd-1",unit="u1"} 1.0',
        "miner_agent_address_changes_total 1.0",
        'miner_agent_identity_checks_total{result="ok"} 7.0',
        'miner_agent_identity_checks_total{result="refused"} 2.0',
    ]


async def test_units_that_tell_another_model() -> None:
    """Units unlike their rows are counted by reason and named; one that fits again, or left, is neither."""
    other_bin = Mismatch(None, ReportedBin(188e12, BinSource.RATE_IDEAL))
    differing = [Mismatch("S21 Pro", None), other_bin, Mismatch("T21", ReportedBin(190e12, BinSource.RATE_SALE))]
    statuses = [
        structs.replace(status(entry(f"u{number}"), reading(f"u{number}")), mismatch=mismatch)
        for number, mismatch in enumerate((*differing, None))
    ]
    metrics = store(*statuses)
    assert "mismatched_units{" not in await text_of(metrics)
    metrics.on_site(site_figures(statuses, AT), is_whole=True)
    assert mismatches(await text_of(metrics)) == {"model": 2, "bin": 1, "u0": 1, "u1": 1, "u2": 1}
    metrics.remove_unit("u2")
    metrics.on_unit(structs.replace(statuses[0], mismatch=None))
    metrics.on_unit(structs.replace(statuses[3], mismatch=other_bin))
    assert mismatches(await text_of(metrics)) == {"model": 0, "bin": 2, "u1": 1, "u3": 1}


async def test_a_fleet_unlike_its_ledger_is_bounded() -> None:
    """However many units differ, the count has all of them and the names are bounded."""
    units = MISMATCHES_NAMED + 5
    first = structs.replace(status(latest=reading()), mismatch=Mismatch("S21 Pro", None))
    metrics = store(*(structs.replace(first, entry=entry(f"u{number}")) for number in range(units)))
    metrics.on_site(site_figures([first], AT), is_whole=True)
    shown = mismatches(await text_of(metrics))
    assert (shown["model"], len(shown)) == (units, MISMATCHES_NAMED + 2)


def mismatches(text: str) -> dict[str, float]:
    """Return the numbers of both metrics of mismatches, by reason and by unit."""
    found = re.findall(
        r'(?m)^(?:mining_site_mismatched_units|miner_model_mismatch){.*?(?:reason|unit)="(\w+)".*} (.+)$', text
    )
    return {name: float(number) for name, number in found}


async def test_exposition_is_the_contract() -> None:
    """Every exported family except the process' own is in the contract, with the same labels and help."""
    hashing = status(entry(owner="Acme"), reading(power_watts=3500.0), error=None)
    hashing = structs.replace(hashing, work=UnitWork(pool_class=PoolClass.LISTED, entry="own", since=AT))
    losses = (Loss(*next(iter(gone_silent().losses))),)
    metrics = store(structs.replace(hashing, losses=losses, reason=Reason.SLOW, mismatch=Mismatch("S21 Pro", None)))
    figures = site_figures(
        [structs.replace(hashing, reason=Reason.SLOW)],
        AT,
        metered=Metered(site_watts=3600.0, container_watts={"C1": 3600.0}),
        delivered=Delivered(198e12, 200e12, 197e12, 200e12),
    )
    by_owner = {"Acme": Delivered(198e12, 200e12, 197e12, 200e12)}
    metrics.on_site(replace(figures, credited=(credit(),), delivered_by_owner=by_owner), is_whole=True)
    book = EnergyBook(interval_s=10)
    book.advance(figures, 0.0)
    metrics.on_energy(book.advance(figures, 10.0))
    metrics.watch_meters(lambda: [MeterState("feeder", 3600.0, 3, 1)])
    metrics.on_poll(Poll(unit_id="u1", at=AT, took_s=0.02, reading=reading(repairs=("nul",))))
    metrics.on_skipped("busy")
    metrics.on_lane_replaced("ended")
    metrics.on_reload(is_successful=True, at=AT)
    metrics.watch_pool_accounts(lambda: [AccountState(name="main", pool="X", reads=1)])
    metrics.watch_polling(int, float)
    kept = Health(is_writing=True, written_at=AT, size_bytes=4096, is_signing=True, head=SignedHead(CHAIN_HEAD, None))
    metrics.watch_history(kept)
    metrics.watch_curtailments(lambda: True)
    metrics.watch_web_config(lambda: True)
    metrics.own.page_url = "https://gateway.mine.example"
    metrics.own.snapshot_at = AT
    metrics.own.takeovers, metrics.own.primary_offset_s = 1, -2.0
    metrics.own.primary_silent_s = lambda: 3.0
    metrics.watch_mqtt(lambda: [broker_numbers()])
    metrics.watch_identity(identity_figures)
    metrics.watch_discovery(discovery_figures)
    metrics.watch_unread(lambda: 3)
    await metrics.scrape()
    rows = {row.name: row for row in contract()}
    seen = set()
    for family in parse_text(await text_of(metrics)):
        for sample in family.samples:
            name = re.sub(r"_(bucket|sum|count)$", "", sample.name) if family.type == "histogram" else sample.name
            if name.startswith("process_"):
                continue
            seen.add(name)
            assert set(rows[name].labels) == set(sample.labels) - {"le"}
            assert rows[name].help == family.documentation
    assert seen == set(rows)


async def test_no_address_and_no_account_is_exported() -> None:
    """Labels of pools are classes and names of entries; where the work goes stays inside."""
    work = UnitWork(
        pool_class=PoolClass.DIVERTED,
        destination=Destination("stratum+tcp", "canary-host.example", 31_337),
        account="canaryaccount",
        since=AT,
    )
    pools = (PoolReading(index=0, status="Alive", is_active=True, url="canary-host.example", user="canaryaccount.cw"),)
    diverted = structs.replace(status(entry(), reading(pools=pools)), work=work)
    metrics = store(diverted)
    metrics.on_site(site_figures([diverted], AT), is_whole=True)
    text = await text_of(metrics)
    assert 'mining_site_pool_class_units{site="nd-1",class="diverted"} 1' in text
    assert "canary" not in text
    assert "31337" not in text


async def test_group_power_names_its_source() -> None:
    """With one metered container and one whose units report, sources add up and meter and units' sum are both there."""
    c1, c2 = (entry(f"u-{name}", place=Place(container=name)) for name in ("C1", "C2"))
    fleet = [status(c1, reading(power_watts=3500.0)), status(c2, reading(power_watts=3400.0))]
    metrics = store()
    metrics.on_site(site_figures(fleet, AT, metered=Metered(container_watts={"C1": 3700.0})), is_whole=True)
    lines = (await text_of(metrics)).splitlines()
    assert [line for line in lines if line.startswith("mining_site_") and "power_watts{" in line] == [
        'mining_site_power_watts{site="nd-1",source="metered"} 3700.0',
        'mining_site_power_watts{site="nd-1",source="estimated"} 3400.0',
        'mining_site_energy_efficiency_power_watts{site="nd-1"} 6900.0',
        'mining_site_units_power_watts{site="nd-1"} 6900.0',
    ]
    assert [line for line in lines if line.startswith("mining_container_metered_power_watts{")] == [
        'mining_container_metered_power_watts{site="nd-1",container="C1"} 3700.0',
    ]
    assert 'mining_site_energy_efficiency_j_per_th{site="nd-1"} 17.424242424242426' in lines


async def test_a_meter_that_reads_zero_is_exported() -> None:
    """A site without power has a measured zero; a source without units or meters is absent."""
    metrics = store()
    fleet = [status(entry(), error=UnreachableError("no answer"))]
    metrics.on_site(site_figures(fleet, AT, metered=Metered(site_watts=0.0)), is_whole=True)
    lines = (await text_of(metrics)).splitlines()
    assert [line for line in lines if line.startswith("mining_site_power_watts{")] == [
        'mining_site_power_watts{site="nd-1",source="metered"} 0.0',
    ]


async def test_energy_is_counted_by_source_and_container() -> None:
    """Energy is a counter in joules; a source without energy has no series."""
    metrics = store()
    metrics.on_energy(
        Energy(
            site={PowerSource.METERED: 2e6, PowerSource.MODELLED: 1.5e6},
            by_container={"C1": {PowerSource.METERED: 2e6}, "C2": {PowerSource.MODELLED: 1.5e6}, "C3": {}},
        )
    )
    assert [line for line in (await text_of(metrics)).splitlines() if "_energy_joules_total{" in line] == [
        'mining_site_energy_joules_total{site="nd-1",source="metered"} 2000000.0',
        'mining_site_energy_joules_total{site="nd-1",source="modelled"} 1500000.0',
        'mining_container_energy_joules_total{site="nd-1",container="C1",source="metered"} 2000000.0',
        'mining_container_energy_joules_total{site="nd-1",container="C2",source="modelled"} 1500000.0',
    ]


async def test_a_meter_that_lapsed_has_no_watts_and_keeps_its_counts() -> None:
    """A stale meter loses its gauge, so that no sum includes it; its failures stay for alerts."""
    metrics = store()
    metrics.watch_meters(lambda: [MeterState("feeder", None, 3, 7)])
    assert [line for line in (await text_of(metrics)).splitlines() if line.startswith("miner_agent_meter_")] == [
        'miner_agent_meter_readings_total{meter="feeder",result="ok"} 3.0',
        'miner_agent_meter_readings_total{meter="feeder",result="failed"} 7.0',
    ]


async def test_a_chains_latest_head_is_two_exact_numbers() -> None:
    """The number of the link and the first 52 bits of its hash come through a scrape to the last digit."""
    metrics = store()
    metrics.watch_history(Health(head=SignedHead(CHAIN_HEAD, None)))
    await metrics.scrape()
    found = {
        sample.name: (sample.labels, sample.value)
        for family in parse_text(await text_of(metrics))
        for sample in family.samples
        if sample.name.startswith("mining_history_")
    }
    assert found == {
        "mining_history_chain_links": ({"site": "nd-1"}, 12.0),
        "mining_history_chain_check": ({"site": "nd-1"}, float(2**52 - 1)),
    }
    assert int(found["mining_history_chain_check"][1]) == check_of("f" * 64)
