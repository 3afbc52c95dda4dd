"""What a poll of a unit under ePIC firmware asks, what it reads, and what it does not believe."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from epic_units import AT, BAD_REQUEST, NOT_FOUND, PAGES, S19_XP, EpicUnit, page, told

from agent.errors import (
    DeadlineError,
    ForeignProtocolError,
    MalformedReplyError,
    PollError,
    RefusedError,
    UnsupportedReplyError,
)
from agent.unit import registry
from agent.unit.consistency.alone import held_alone
from agent.unit.epic.conversation import PATHS, REQUESTS, SUMMARY_PATH
from agent.unit.nameplate import shipped_catalogue
from agent.unit.reading import Fault, IdentitySource, Mode, PowerKind, SystemInfo


def test_golden_poll(golden: Callable[[str, Any], None]) -> None:
    """The recorded unit is read as its reviewed golden file says."""
    golden("s19xp-epic-2025.poll", msgspec.to_builtins(EpicUnit().poll()))


def test_the_recorded_unit() -> None:
    """99.4 TH/s now, the sum of two boards; 90.1 is the mean of the run. Board 0 is disabled: missing at its slot."""
    reading = EpicUnit().poll()
    assert (reading.reader, reading.mode, reading.uptime_s) == ("epic", Mode.NORMAL, 23_170)
    assert (reading.rate_hs, reading.rate_window_s) == (99_365_848e6, None)
    assert reading.hashrate_avg_hs == 90_071_990e6
    assert [(board.slot, board.hashrate_hs, board.chips) for board in reading.boards] == [
        (1, 49_440_724e6, None),
        (2, 49_925_124e6, None),
    ]
    assert (reading.power_watts, reading.power_kind) == (2166.6174, PowerKind.MEASURED)
    assert reading.fan_rpm == (5971, 0, 5942, 5745)
    assert [(pool.index, pool.status, pool.is_active) for pool in reading.pools] == [(0, "Alive", True)]
    assert (reading.identity.model, reading.identity.firmware) == ("AntMiner S19 XP", "PowerPlay-BMS v1.5.13")
    assert reading.repairs == ()


def test_read_alone_it_still_has_no_window() -> None:
    """Held against itself once more, as `hashsight read` does, the rate stays what it was."""
    reading = EpicUnit().poll(nameplate=None)
    assert held_alone(reading, shipped_catalogue()) == reading


def test_the_mac_address_is_told_when_the_unit_is_new() -> None:
    """By the poll that asked `/network`, with its source, and by no later one."""
    unit = EpicUnit()
    info = unit.poll().system_info
    assert info == SystemInfo(
        model="AntMiner S19 XP",
        firmware="PowerPlay-BMS v1.5.13",
        mac="02:00:00:00:00:03",
        source=IdentitySource.NETWORK,
    )
    assert unit.poll().system_info is None


def test_the_ideal_is_that_of_the_clocks() -> None:
    """Observed (O191): 110 chips at 487.5 MHz and 894 hashes a clock are 47.94 TH/s a board; 49.44 is 103.1 % of it."""
    reading = EpicUnit().poll()
    assert reading.is_profile_ideal
    assert reading.hashrate_ideal_hs == pytest.approx(2 * 110 * 487.5e6 * 894, rel=0.001)


def test_requests_are_gets_of_pages_that_tell() -> None:
    """The whitelist has three pages; none has a body, and no other method is ever sent."""
    assert PATHS == ("/summary", "/capabilities", "/network")
    for request, path in zip(REQUESTS, PATHS, strict=True):
        head, _, body = request.partition(b"\r\n\r\n")
        assert head.startswith(f"GET {path} HTTP/1.1\r\n".encode())
        assert body == b""


def test_it_is_chosen_by_its_answer_to_version() -> None:
    """HTTP 400 chooses it; the first poll has four requests, later ones one, and a restart asks for all again."""
    unit = EpicUnit(reader=registry.CHOOSING)
    assert [unit.poll().reader for _ in range(2)] == ["epic", "epic"]
    assert unit.asked == [["version", "/summary", "/capabilities", "/network"], ["/summary"]]
    unit.pages[SUMMARY_PATH] = told(Session={"Uptime": 5})
    # The restart shows in the reply to this poll, so the next one asks anew.
    unit.poll()
    unit.poll()
    assert unit.asked[2:] == [["/summary", "/capabilities", "/network"], ["version", "/summary"]]


def test_a_server_that_does_not_answer_version_is_found() -> None:
    """It waits for the end of a line; the second poll asks for a page first, and reads the unit."""

    class Waiting(EpicUnit):
        def _answer(self, request: bytes) -> bytes | PollError:
            answer = super()._answer(request)
            return answer if request.startswith(b"GET ") else DeadlineError("no reply within 5 s")

    unit = Waiting(reader=registry.CHOOSING)
    with pytest.raises(DeadlineError):
        unit.poll()
    assert [unit.poll().reader for _ in range(2)] == ["epic", "epic"]
    assert unit.asked == [["version"], ["/summary", "/summary", "/capabilities", "/network"], ["/summary"]]


@pytest.mark.parametrize(
    "answer", [NOT_FOUND, BAD_REQUEST, page(b"<!doctype html><title>Printer</title>"), page(b'{"status":"ok"}')]
)
def test_another_web_server_is_named(answer: bytes) -> None:
    """It speaks HTTP and is no unit; after doubts it is asked what it is again, ever more rarely."""
    unit = EpicUnit({SUMMARY_PATH: answer}, reader=registry.CHOOSING)
    for _ in range(8):
        with pytest.raises(ForeignProtocolError, match="something that speaks HTTP answers on 4028") as caught:
            unit.poll()
        assert caught.value.speaker == "HTTP"
    assert [asked[0] for asked in unit.asked].count("version") == 4
    assert all(len(asked) <= 2 for asked in unit.asked)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (BAD_REQUEST, RefusedError),
        (NOT_FOUND, UnsupportedReplyError),
        (DeadlineError("late"), DeadlineError),
        (b'{"STATUS":[{"STATUS":"S"}]}\0', MalformedReplyError),
        (page(b"{"), MalformedReplyError),
        (told(HBs=[{"Index": 1}]), UnsupportedReplyError),
        (told(HBs=...), UnsupportedReplyError),
    ],
)
def test_a_unit_that_fails_later_keeps_its_own_error(answer: bytes | PollError, error: type[PollError]) -> None:
    """It was read as ePIC's before."""
    unit = EpicUnit()
    unit.poll()
    unit.pages[SUMMARY_PATH] = answer
    with pytest.raises(error):
        unit.poll()


def test_errors_quote_no_password() -> None:
    """The page has the pools' passwords; an error about it shows none of it."""
    broken = page(told()[: -len(b"}")].partition(b"\r\n\r\n")[2].replace(b"password", b"hunter2-secret"))
    with pytest.raises(MalformedReplyError) as caught:
        EpicUnit({SUMMARY_PATH: broken}).poll()
    assert "hunter2" not in str(caught.value)


def test_the_model_is_asked_until_it_is_told() -> None:
    """Without it there is a reading all the same."""
    unit = EpicUnit({SUMMARY_PATH: PAGES[SUMMARY_PATH]})
    assert unit.poll().identity.model is None
    unit.pages = dict(PAGES)
    assert unit.poll().identity.model == "AntMiner S19 XP"
    unit.poll()
    assert unit.asked == [["/summary", "/capabilities"], ["/summary", "/capabilities", "/network"], ["/summary"]]


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_board_that_does_not_run_is_missing_at_its_slot(missing: int) -> None:
    """Whichever it is, and in whatever order the others come."""
    rows = [{"Index": slot, "Hashrate": [45e6, 100.0, 0.5]} for slot in (2, 0, 1) if slot != missing]
    reading = EpicUnit({**PAGES, SUMMARY_PATH: told(HBs=rows)}).poll()
    assert [board.slot for board in reading.boards] == [slot for slot in range(3) if slot != missing]
    assert reading.rate_hs == 90e12


def test_boards_without_a_slot_hash_all_the_same() -> None:
    """Their rates count; which boards they are is not known."""
    rows = [{"Hashrate": [45e6, 100.0]}, {"Hashrate": [46e6, 100.0]}]
    reading = EpicUnit({**PAGES, SUMMARY_PATH: told(HBs=rows)}).poll()
    assert (reading.rate_hs, reading.boards, reading.repairs) == (91e12, (), ("wrong_type",))
    twice = [{"Index": 1, "Hashrate": [45e6, 100.0]}, {"Index": 1, "Hashrate": [46e6, 100.0]}]
    reading = EpicUnit({**PAGES, SUMMARY_PATH: told(HBs=twice)}).poll()
    assert (reading.rate_hs, len(reading.boards), reading.repairs) == (45e12, 1, ("implausible",))


def test_one_board_without_a_slot_halves_no_rate() -> None:
    """Which board is missing is then not told, and the rate is that of all."""
    rows = [{"Hashrate": [45e6, 100.0]}, {"Index": 2, "Hashrate": [46e6, 100.0]}]
    reading = EpicUnit({**PAGES, SUMMARY_PATH: told(HBs=rows)}).poll()
    assert (reading.rate_hs, reading.boards, reading.repairs) == (91e12, (), ("wrong_type",))


@pytest.mark.parametrize("index", [1.5, 99, "one"])
def test_a_slot_that_is_none_is_not_rounded(index: Any) -> None:
    """Cut off, it would be the board beside it."""
    rows = [{"Index": index, "Hashrate": [45e6, 100.0]}, {"Index": 2, "Hashrate": [46e6, 100.0]}]
    reading = EpicUnit({**PAGES, SUMMARY_PATH: told(HBs=rows)}).poll()
    assert (reading.rate_hs, reading.boards) == (91e12, ())


def test_a_unit_that_counts_no_board_hashes_nothing() -> None:
    """An empty list alone says nothing: the count beside it does."""
    reading = EpicUnit({**PAGES, SUMMARY_PATH: told(HBs=[], Session={"Active HBs": 0})}).poll()
    assert (reading.mode, reading.rate_hs, reading.boards) == (Mode.NORMAL, 0, ())
    with pytest.raises(UnsupportedReplyError, match="no rate of every board"):
        EpicUnit({**PAGES, SUMMARY_PATH: told(HBs=[])}).poll()


def test_figures_that_are_no_value() -> None:
    """A temperature of -1, and a clock in GHz."""
    rows = [{"Index": 1, "Hashrate": [45e6, 100.0], "Temperature": -1, "Core Clock Avg": 0.4875}]
    (board,) = EpicUnit({**PAGES, SUMMARY_PATH: told(HBs=rows)}).poll().boards
    assert (board.pcb_celsius, board.frequency_hz) == ((), None)


def test_a_build_that_does_not_tell_the_connection() -> None:
    """Whether its pool is in use is not known; that is no dead pool."""
    page_without = EpicUnit({**PAGES, SUMMARY_PATH: told(Stratum={"IsPoolConnected": None})}).poll()
    assert [(pool.status, pool.is_active) for pool in page_without.pools] == [(None, None)]


@pytest.mark.parametrize("watts", [0.0, None, "x"])
def test_no_watts_are_none(watts: Any) -> None:
    """Nought is no measurement."""
    reading = EpicUnit({**PAGES, SUMMARY_PATH: told(Power_Supply_Stats={"Input Power": watts})}).poll()
    assert (reading.power_watts, reading.power_kind) == (None, None)


@pytest.mark.parametrize(
    ("state", "sections", "mode", "is_starting", "faults"),
    [
        ("Mining", {}, Mode.NORMAL, False, ()),
        ("Idling", {"HBs": []}, Mode.SLEEP, False, ()),
        ("Idling", {"HBs": None}, Mode.SLEEP, False, ()),
        ("Idling", {"HBs": [], "Status": {"Last Error": {"Fan": 2}}}, None, False, (Fault.UNNAMED,)),
        ("Idling", {"HBs": [], "Stratum": {"IsPoolConnected": False}}, None, False, (Fault.POOLS,)),
        ("Initializing", {"HBs": []}, None, True, ()),
        ("PreInitCooldown", {"HBs": None}, None, True, ()),
        ("Stopping", {}, None, False, ()),
    ],
)
def test_states(
    state: str,
    sections: dict[str, Any],
    mode: Mode | None,
    is_starting: bool,  # noqa: FBT001
    faults: tuple[Fault, ...],
) -> None:
    """A failure never sleeps, a start is a start, and a word that is not known says nothing."""
    status = {"Operating State": state, **sections.pop("Status", {})}
    reading = EpicUnit({**PAGES, SUMMARY_PATH: told(Status=status, **sections)}).poll(nameplate=None)
    assert (reading.mode, reading.is_starting, reading.faults) == (mode, is_starting, faults)


def test_asleep_with_a_rate_is_doubted() -> None:
    """A unit that says it idles and hashes is held against itself, like any other."""
    idle = told(Status={"Operating State": "Idling"})
    reading = EpicUnit({**PAGES, SUMMARY_PATH: idle}).poll(at=AT)
    assert (reading.mode, reading.repairs) == (None, ("mode_refuted",))
    assert reading.rate_hs == 99_365_848e6
    assert S19_XP.hashrate_hs > reading.rate_hs


@pytest.mark.parametrize("state", ["Initializing", "PreInitCooldown"])
def test_the_mean_of_the_run_is_no_rate_of_a_unit_that_starts(state: str) -> None:
    """No board runs; `Average MHs` is of before, and its session goes on."""
    unit = EpicUnit({**PAGES, SUMMARY_PATH: told(Status={"Operating State": state}, HBs=[])})
    reading = unit.poll()
    assert (reading.rate_hs, reading.is_starting) == (None, True)
    assert reading.hashrate_avg_hs


def test_a_unit_that_idles_by_an_error_hashes_nothing() -> None:
    """Its board tells no rate, and the mean of the run does not stand in."""
    status = {"Operating State": "Idling", "Last Error": "fan lost"}
    unit = EpicUnit({**PAGES, SUMMARY_PATH: told(Status=status, HBs=[{"Index": 1, "Hashrate": None}])})
    reading = unit.poll()
    assert (reading.rate_hs, reading.mode, reading.faults) == (0.0, None, (Fault.UNNAMED,))


def test_an_empty_error_is_none() -> None:
    """It sleeps as ordered."""
    unit = EpicUnit({**PAGES, SUMMARY_PATH: told(Status={"Operating State": "Idling", "Last Error": ""}, HBs=[])})
    assert unit.poll().mode is Mode.SLEEP
