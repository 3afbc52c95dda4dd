"""The closed list of reasons: each has words, a severity, something to check first, a row in the docs, and a unit."""

from pathlib import Path

import pytest
from msgspec import structs
from site_cases import (
    ACCESS_DENIED,
    AT,
    MHZ,
    NO_ANSWER,
    PLATE,
    REFUSAL,
    STALE_AFTER_S,
    TH,
    answered,
    board,
    entry,
    failed,
)

from agent.errors import (
    CONTRADICTIONS,
    POLL_REASONS,
    ContradictoryReplyError,
    CostlyReplyError,
    DeadlineError,
    DisconnectedError,
    ForeignProtocolError,
    LaneError,
    MalformedReplyError,
    OtherUnitError,
    QuarantineError,
    RefusedError,
    StalledReplyError,
    TooLargeReplyError,
    UnsupportedReplyError,
)
from agent.site.curtailment.events import Curtailments, Event, Scope
from agent.site.reasons import MAX_WHY, PLAIN, REASONS, Finding, Reason, Severity, most_severe_first
from agent.site.status import UnitStatus, reason_of
from agent.site.tracker import Tracker
from agent.unit.reading import Fault, Identity, Mode, Poll, PoolReading

DOCS = Path(__file__).parents[2] / "docs" / "reasons.md"
HEAD = "| Reason | Words | Severity | Check first |\n|---|---|---|---|\n"
EVENT = Event(id="e1", start=AT - 60, end=AT + 3600, target_ratio=0.6, scope=Scope(), source="test")
OVER = Event(id="e2", start=AT - 3600, end=AT - 60, target_ratio=0, scope=Scope(), source="test")
DEAD = (PoolReading(index=0, status="Dead", is_active=False),)
IDLE = {"hashrate_5s_hs": 0 * TH}
RESET = DisconnectedError("reset", is_reset=True)


FOREIGN = ForeignProtocolError("something that speaks HTTP answers on 4028: 'HTTP/1.1 404'", speaker="HTTP")
CONTRADICTORY = ContradictoryReplyError("900 of 200 TH/s", rule="over_limit")


def table() -> str:
    """Return the docs' table of the list."""
    rows = (
        f"| `{reason.value}` | {meaning.words} | {meaning.severity} | {meaning.check_first or '-'} |\n"
        for reason, meaning in REASONS.items()
    )
    return HEAD + "".join(rows)


def test_the_docs_list_every_reason(request: pytest.FixtureRequest) -> None:
    """`docs/reasons.md` holds exactly the table of the list; `--update-golden` writes it."""
    text = DOCS.read_text()
    before, after = text.partition(HEAD)[0], text.rpartition("|\n")[2]
    if request.config.getoption("--update-golden"):
        DOCS.write_text(before + table() + after)
    assert DOCS.read_text() == before + table() + after


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_words_a_severity_and_something_to_check(reason: Reason) -> None:
    """Words are short and one line; all but a healthy unit's reason say what to check first."""
    meaning = REASONS[reason]
    assert 0 < len(meaning.words) <= 40
    assert meaning.words.isprintable()
    assert bool(meaning.check_first) is (reason is not Reason.HASHING)
    assert (meaning.severity is Severity.FINE) is (reason is Reason.HASHING)
    assert PLAIN[reason] == (reason, meaning.words)


def test_the_list_is_in_its_order() -> None:
    """The table has every member, in the order of the list."""
    assert list(REASONS) == list(Reason)


def test_every_error_has_a_reason_of_its_own() -> None:
    """No two kinds of failed poll share a reason, so that no metric hides one behind another."""
    errors = (DeadlineError("x"), DisconnectedError("x"), MalformedReplyError("x"), RefusedError("x"), FOREIGN)
    errors += (TooLargeReplyError("x"), CostlyReplyError("x"), StalledReplyError("x"), LaneError("x"))
    errors += (QuarantineError("x"),)
    others = (UnsupportedReplyError("x"), OtherUnitError("x"), CONTRADICTORY, ACCESS_DENIED, RESET, REFUSAL, NO_ANSWER)
    assert {error.reason for error in (*errors, *others)} == {*POLL_REASONS, OtherUnitError.reason}
    assert len({reason_of(error) for error in (*errors, *others)}) == len(errors) + len(others)


def test_what_else_answers_is_said_in_words() -> None:
    """A technician reads what speaks there, and by which rule a reply is contradictory."""
    assert _judged(failed(FOREIGN)).why == "something that speaks HTTP answers on 4028"
    whys = [_judged(failed(ContradictoryReplyError("x", rule=rule))).why for rule in CONTRADICTIONS]
    assert len(set(whys)) == len(CONTRADICTIONS)
    assert all(why.startswith("contradictory reply: ") for why in whys)


def test_the_most_severe_comes_first() -> None:
    """A stop is named before a bad chip; of two stops, the one found first."""
    found = [Finding(reason, reason.value) for reason in (Reason.CHIPS_BAD, Reason.TOO_HOT, Reason.FAN_STOPPED)]
    assert [each.reason for each in most_severe_first(found)] == [Reason.TOO_HOT, Reason.FAN_STOPPED, Reason.CHIPS_BAD]


def _judged(*polls: Poll, event: Event | None = None, is_out: bool = False) -> UnitStatus:
    """Return the status after polls ten seconds apart."""
    curtailments = Curtailments(events=() if event is None else (event,))
    one = Tracker([entry(is_in_maintenance=is_out)], stale_after_s=STALE_AFTER_S, at=AT, curtailments=curtailments)
    for number, poll in enumerate(polls):
        one.record(structs.replace(poll, at=AT + 10 * number), clock_s=10.0 * number)
    status = one.status("u1")
    assert status is not None
    return status


TWICE = (answered(uptime_s=9000.0), answered(uptime_s=9000.0), answered(uptime_s=9000.0))
BOARDS = (board(0), board(1), board(2))
SLOW = tuple(board(slot, frequency_hz=294 * MHZ) for slot in range(3))
UNPAID = tuple(
    PoolReading(index=index, status="Alive", is_active=True, difficulty_accepted=0.0, is_fee=index == 1)
    for index in range(2)
)
PAID_MORE = (UNPAID[0], structs.replace(UNPAID[1], difficulty_accepted=1e6))


def _unpaid() -> UnitStatus:
    """Return the status of a unit whose owner's pool stood for an hour while the firmware's grew."""
    one = Tracker([entry()], stale_after_s=STALE_AFTER_S, at=AT)
    for number, pools in enumerate((UNPAID, PAID_MORE)):
        one.record(answered(at=AT + 3600 * number, pools=pools), clock_s=3600.0 * number)
    status = one.status("u1")
    assert status is not None
    return status


GIVEN = {
    Reason.HASHING: lambda: _judged(answered()),
    Reason.MAINTENANCE: lambda: _judged(is_out=True),
    Reason.POWER_SUPPLY: lambda: _judged(answered(**IDLE, faults=(Fault.SUPPLY,))),
    Reason.FAN_STOPPED: lambda: _judged(answered(**IDLE, fan_rpm=(7000, 0))),
    Reason.TOO_HOT: lambda: _judged(answered(**IDLE, boards=(board(0, chip_celsius=(97,)),))),
    Reason.NO_BOARDS: lambda: _judged(answered(**IDLE, boards=())),
    Reason.BOARD_FAULT: lambda: _judged(answered(**IDLE, faults=(Fault.BOARD,))),
    Reason.NO_POOL_ALIVE: lambda: _judged(answered(**IDLE, pools=DEAD)),
    Reason.TOO_COLD: lambda: _judged(answered(**IDLE, faults=(Fault.TOO_COLD,))),
    Reason.FAILURE: lambda: _judged(answered(**IDLE, faults=(Fault.UNNAMED,))),
    Reason.STOPPED_UNKNOWN: lambda: _judged(answered(**IDLE)),
    Reason.ASLEEP: lambda: _judged(answered(**IDLE, mode=Mode.SLEEP)),
    Reason.WAKING: lambda: _judged(answered(**IDLE, uptime_s=20.0), event=OVER),
    Reason.RESTARTING: lambda: _judged(answered(), failed(RESET)),
    Reason.BOOTING: lambda: _judged(answered(**IDLE, uptime_s=20.0)),
    Reason.RAMPING_UP: lambda: _judged(answered(hashrate_5s_hs=100 * TH, uptime_s=90.0)),
    Reason.OWNER_UNPAID: _unpaid,
    Reason.WRONG_ROW: lambda: _judged(answered(identity=Identity(model="Antminer T21"))),
    Reason.BOARD_ABSENT: lambda: _judged(answered(hashrate_5s_hs=196 * TH, boards=BOARDS[:2])),
    Reason.CHIPS_MISSING: lambda: _judged(answered(hashrate_5s_hs=284 * TH, boards=(*BOARDS[:2], board(2, chips=88)))),
    Reason.CHIPS_BAD: lambda: _judged(answered(hashrate_5s_hs=284 * TH, boards=(*BOARDS[:2], board(2, bad_chips=9)))),
    Reason.STRAGGLING: lambda: _judged(answered(), event=EVENT),
    Reason.HELD_BACK: lambda: _judged(answered(hashrate_5s_hs=176 * TH, boards=SLOW), event=EVENT),
    Reason.CLOCK_LOW: lambda: _judged(answered(hashrate_5s_hs=176 * TH, boards=SLOW)),
    Reason.SLOW: lambda: _judged(answered(hashrate_5s_hs=176 * TH)),
    Reason.OTHER_UNIT: lambda: _judged(failed(OtherUnitError("x"))),
    Reason.FOREIGN_PROTOCOL: lambda: _judged(failed(FOREIGN)),
    Reason.ACCESS_DENIED: lambda: _judged(failed(ACCESS_DENIED)),
    Reason.REFUSED_COMMAND: lambda: _judged(failed(RefusedError("x", code=14))),
    Reason.STANDS_STILL: lambda: _judged(*TWICE),
    Reason.CONTRADICTORY_REPLY: lambda: _judged(failed(CONTRADICTORY)),
    Reason.UNKNOWN_DIALECT: lambda: _judged(failed(UnsupportedReplyError("x"))),
    Reason.NO_RATE: lambda: _judged(answered(hashrate_5s_hs=None)),
    Reason.MALFORMED_REPLY: lambda: _judged(failed(MalformedReplyError("x"))),
    Reason.REPLY_TOO_LARGE: lambda: _judged(failed(TooLargeReplyError("x"))),
    Reason.COSTLY_REPLY: lambda: _judged(failed(CostlyReplyError("x"))),
    Reason.LANE_FAILED: lambda: _judged(failed(LaneError("x"))),
    Reason.LANE_QUARANTINED: lambda: _judged(failed(QuarantineError("x"))),
    Reason.STALLS_IN_REPLY: lambda: _judged(failed(StalledReplyError("x"))),
    Reason.CLOSED_IN_REPLY: lambda: _judged(failed(DisconnectedError("x"))),
    Reason.RESETS_CONNECTION: lambda: _judged(failed(RESET)),
    Reason.NO_WHOLE_REPLY: lambda: _judged(failed(DeadlineError("x"))),
    Reason.CONNECTION_REFUSED: lambda: _judged(failed(REFUSAL)),
    Reason.NO_ANSWER: lambda: _judged(failed(NO_ANSWER)),
    Reason.NOT_POLLED: _judged,
}


# A unit that the agent did not ask in time keeps its reason (`lateness`): only `judge` alone gives this one.
@pytest.mark.parametrize("reason", [reason for reason in Reason if reason is not Reason.NOT_POLLED_LATELY])
def test_every_reason_is_given_to_some_unit(reason: Reason) -> None:
    """No reason of the list is without a unit that has it; its words are bounded and the same each time."""
    status = GIVEN[reason]()
    assert status.reason is reason
    assert 0 < len(status.why) <= MAX_WHY
    assert status.why == GIVEN[reason]().why
    assert status.check_first == REASONS[reason].check_first


def test_the_round_machine_has_three_boards() -> None:
    """The cases above count on it."""
    assert PLATE.boards == len(BOARDS)
