"""The choice of a reader: what is asked for it, when it is made, and what it costs."""

from collections.abc import Callable, Sequence

import pytest
from capture_files import INVALID_COMMAND, S21_POOLS, S21_STATS, S21_SUMMARY, S21_VERSION, capture

from agent.errors import (
    DeadlineError,
    DisconnectedError,
    ForeignProtocolError,
    MalformedReplyError,
    PollError,
    UnreachableError,
    UnsupportedReplyError,
)
from agent.unit import registry
from agent.unit.cgminer import wire
from agent.unit.choice import STATS, VERSION, Chosen, Rule, Told, auto_reader
from agent.unit.reader import NAMES, AnyReader, Conversation, Reader
from agent.unit.reading import Dialect, UnitReading

AT = 1763674560.0
LUXOS_VERSION = capture("s19kpro-luxos-2025/tcp4028-version.json")
VNISH_VERSION = capture("s21pro-vnish-2026/tcp4028-unknown-command.json")
VNISH_STATS = capture("s21pro-vnish-2026/tcp4028-stats.json")


class Memory:
    """A toy reader's memory."""

    uptime_s: float | None = None
    heard = b""


def toy(name: str) -> Reader[Memory]:
    """Return a reader that asks ``rate?`` and takes the answer for uptime and rate."""

    def converse(unit_id: str, memory: Memory, **_: object) -> Conversation:
        data = yield b"rate?"
        if not data.isdigit():
            raise UnsupportedReplyError("no rate")
        memory.uptime_s = float(data)
        return UnitReading(
            unit_id=unit_id, at=AT, dialect=Dialect.LEGACY, mode=None, hashrate_5s_hs=float(data), reader=name
        )

    def hear_version(memory: Memory, data: bytes) -> None:
        memory.heard = data

    return Reader(name=name, new_memory=Memory, converse=converse, hear_version=hear_version)


def says(text: str) -> Callable[[Told], bool]:
    """Return a rule's test: the description in `version`, or `stats`, has this text."""
    return lambda told: text in (told.version.description if told.version else "") or text.encode() in told.stats


STOCK, LUX, VNISH = toy("stock"), toy("lux"), toy("vnish")
AUTO: Reader[Chosen] = auto_reader(
    {reader.name: reader for reader in (STOCK, LUX, VNISH)},
    (Rule("lux", says("LUXminer")), Rule("vnish", says("Vnish"))),
    default="stock",
)


def polled(reader: AnyReader, memory: object, replies: Sequence[bytes | PollError]) -> tuple[list[bytes], UnitReading]:
    """Return the requests of one poll that gets these replies, and its reading; the reader hears of a failure."""
    conversation = reader.converse("unit", memory, slow_every=6, wall=lambda: AT)
    requests = [next(conversation)]
    try:
        for reply in replies:
            if isinstance(reply, PollError):
                requests.append(conversation.throw(reply))
            else:
                requests.append(conversation.send(reply))
    except StopIteration as over:
        return requests, over.value
    except PollError as error:
        reader.on_failed(memory, error)
        raise
    raise AssertionError(f"waits for an answer to {requests[-1]!r}")


@pytest.mark.parametrize(
    ("answers", "asked", "name"),
    [
        ([LUXOS_VERSION], [VERSION], "lux"),
        ([S21_VERSION], [VERSION], "stock"),
        ([VNISH_VERSION, VNISH_STATS], [VERSION, STATS], "vnish"),
        ([VNISH_VERSION, S21_STATS], [VERSION, STATS], "stock"),
        ([INVALID_COMMAND], [VERSION], "stock"),
        ([b"no reply at all"], [VERSION], "stock"),
        ([MalformedReplyError("cut")], [VERSION], "stock"),
    ],
)
def test_a_unit_is_read_by_what_it_says(answers: list[bytes | PollError], asked: list[bytes], name: str) -> None:
    """`version` decides; `stats` is asked for it only where code 0 refuses `version`."""
    requests, reading = polled(AUTO, AUTO.new_memory(), [*answers, b"200"])
    assert requests == [*asked, b"rate?"]
    assert reading.reader == name


def test_a_choice_lasts() -> None:
    """From the second poll on nothing is asked for it, and the reader keeps its memory."""
    memory = AUTO.new_memory()
    polled(AUTO, memory, [LUXOS_VERSION, b"100"])
    kept = memory.memory
    for uptime in (b"100", b"110", b"120"):
        requests, reading = polled(AUTO, memory, [uptime])
        assert (requests, reading.reader) == ([b"rate?"], "lux")
    assert memory.memory is kept
    assert kept.heard == LUXOS_VERSION


def test_a_restart_is_asked_anew() -> None:
    """When the uptime went backwards, the next poll asks; another firmware gets its own reader and a new memory."""
    memory = AUTO.new_memory()
    polled(AUTO, memory, [LUXOS_VERSION, b"100"])
    polled(AUTO, memory, [b"5"])
    requests, reading = polled(AUTO, memory, [S21_VERSION, b"8"])
    assert (requests, reading.reader) == ([VERSION, b"rate?"], "stock")
    requests, _ = polled(AUTO, memory, [b"9"])
    assert requests == [b"rate?"]


def test_nonsense_is_asked_anew_ever_more_rarely() -> None:
    """After the first, second, fourth ... answer that made no sense; sense ends the count."""
    memory = AUTO.new_memory()
    polled(AUTO, memory, [S21_VERSION, b"100"])
    polled(AUTO, memory, [b"110"])
    asked = []
    for _ in range(20):
        is_asking = memory.is_to_be_chosen()
        asked.append(is_asking)
        with pytest.raises(UnsupportedReplyError):
            polled(AUTO, memory, [S21_VERSION, b"?"] if is_asking else [b"?"])
    assert [number for number, is_asking in enumerate(asked) if is_asking] == [1, 2, 4, 8, 16]
    polled(AUTO, memory, [S21_VERSION, b"120"] if memory.is_to_be_chosen() else [b"120"])
    assert not memory.is_to_be_chosen()
    assert memory.doubts == 0


@pytest.mark.parametrize(
    "gone", [UnreachableError("refused", is_refusal=True), DisconnectedError("reset", is_reset=True)]
)
def test_a_unit_that_was_gone_may_run_another_firmware(gone: PollError) -> None:
    """A reflash takes minutes, so the new firmware's uptime may be above the old one's."""
    memory = AUTO.new_memory()
    polled(AUTO, memory, [S21_VERSION, b"100"])
    for _ in range(2):
        with pytest.raises(type(gone)):
            polled(AUTO, memory, [gone])
    requests, reading = polled(AUTO, memory, [LUXOS_VERSION, b"300"])
    assert (requests, reading.reader) == ([VERSION, b"rate?"], "lux")
    assert polled(AUTO, memory, [b"310"])[0] == [b"rate?"]


def test_a_reader_chosen_by_a_cut_answer_is_a_guess() -> None:
    """It is asked again after its first, second, fourth, eighth ... poll until the answer can be read."""
    memory = AUTO.new_memory()
    polled(AUTO, memory, [MalformedReplyError("cut"), b"100"])
    asked = []
    for poll in range(2, 17):
        is_asking = memory.is_to_be_chosen()
        asked += [poll] if is_asking else []
        polled(AUTO, memory, [MalformedReplyError("cut"), b"1%02d" % poll] if is_asking else [b"1%02d" % poll])
    assert asked == [2, 3, 5, 9]


def test_a_cut_answer_does_not_last() -> None:
    """The next poll learns what the unit runs."""
    memory = AUTO.new_memory()
    assert polled(AUTO, memory, [MalformedReplyError("cut"), b"100"])[1].reader == "stock"
    requests, reading = polled(AUTO, memory, [LUXOS_VERSION, b"110"])
    assert (requests, reading.reader) == ([VERSION, b"rate?"], "lux")
    assert polled(AUTO, memory, [b"120"])[0] == [b"rate?"]


def test_a_cut_answer_is_no_other_firmware() -> None:
    """A known reader stays, with its memory, until the unit says something else."""
    memory = AUTO.new_memory()
    polled(AUTO, memory, [LUXOS_VERSION, b"100"])
    kept = memory.memory
    polled(AUTO, memory, [b"5"])
    assert polled(AUTO, memory, [MalformedReplyError("cut"), b"8"])[1].reader == "lux"
    assert memory.memory is kept


def test_a_refusal_like_vnish_without_figures_is_no_stock_unit() -> None:
    """The poll fails, and the next one asks again."""
    memory = AUTO.new_memory()
    with pytest.raises(MalformedReplyError):
        polled(AUTO, memory, [VNISH_VERSION, MalformedReplyError("cut")])
    assert memory.reader is None
    assert polled(AUTO, memory, [VNISH_VERSION, VNISH_STATS, b"200"])[1].reader == "vnish"


def test_one_doubt_of_a_unit_whose_uptime_stands_still_ends() -> None:
    """A unit that sleeps reports one uptime all the time; `version` is not asked for at every poll."""
    memory = AUTO.new_memory()
    polled(AUTO, memory, [S21_VERSION, b"1"])
    polled(AUTO, memory, [b"1"])
    with pytest.raises(UnsupportedReplyError):
        polled(AUTO, memory, [b"?"])
    assert polled(AUTO, memory, [S21_VERSION, b"1"])[0] == [VERSION, b"rate?"]
    assert polled(AUTO, memory, [b"1"])[0] == [b"rate?"]


def test_another_protocol_is_not_asked_on() -> None:
    """What no rule knows and what is no API ends the poll with its name."""
    memory = AUTO.new_memory()
    for _ in range(2):
        with pytest.raises(ForeignProtocolError, match="SSH"):
            polled(AUTO, memory, [b"SSH-2.0-dropbear\r\n"])
    assert memory.reader is None


PAGE = b"GET /page"
HTTP = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
WITH_PAGE: Reader[Chosen] = auto_reader(
    {reader.name: reader for reader in (STOCK, LUX, toy("web"))},
    (
        Rule("lux", says("LUXminer")),
        Rule("web", lambda told: isinstance(told.error, ForeignProtocolError) and told.error.speaker == "HTTP"),
    ),
    default="stock",
    page=PAGE,
)


def failed(memory: Chosen, *replies: bytes | PollError) -> None:
    """Poll a unit whose last reply ends the poll by a deadline."""
    with pytest.raises(DeadlineError):
        polled(WITH_PAGE, memory, replies)


def test_a_server_that_waits_for_a_line_is_found_at_the_second_poll() -> None:
    """`version` gets no answer, the page does; from then on the page is asked first whenever it is chosen anew."""
    memory = WITH_PAGE.new_memory()
    failed(memory, DeadlineError("no reply"))
    requests, reading = polled(WITH_PAGE, memory, [HTTP, b"100"])
    assert (requests, reading.reader) == ([PAGE, b"rate?"], "web")
    assert polled(WITH_PAGE, memory, [b"110"])[0] == [b"rate?"]
    polled(WITH_PAGE, memory, [b"5"])
    assert polled(WITH_PAGE, memory, [HTTP, b"6"])[0] == [PAGE, b"rate?"]


def test_a_unit_that_was_slow_once_loses_no_second_poll() -> None:
    """What is no page is followed by `version` in the same poll, whatever the unit makes of a GET."""
    for answer in (INVALID_COMMAND, DisconnectedError("closed"), MalformedReplyError("cut")):
        memory = WITH_PAGE.new_memory()
        failed(memory, DeadlineError("no reply"))
        requests, reading = polled(WITH_PAGE, memory, [answer, LUXOS_VERSION, b"100"])
        assert (requests, reading.reader) == ([PAGE, VERSION, b"rate?"], "lux")
        polled(WITH_PAGE, memory, [b"7"])
        assert polled(WITH_PAGE, memory, [LUXOS_VERSION, b"8"])[0][0] == VERSION


def test_a_mute_unit_is_asked_both_in_turn() -> None:
    """One request a poll, as before."""
    memory = WITH_PAGE.new_memory()
    asked = []
    for _ in range(6):
        talk = WITH_PAGE.converse("unit", memory, slow_every=6, wall=lambda: AT)
        asked.append(next(talk))
        with pytest.raises(DeadlineError) as caught:
            talk.throw(DeadlineError("no reply"))
        WITH_PAGE.on_failed(memory, caught.value)
    assert asked == [VERSION, PAGE] * 3


def test_a_late_figure_asks_for_no_page() -> None:
    """The unit had said what it runs; only its report was late."""
    memory = WITH_PAGE.new_memory()
    failed(memory, LUXOS_VERSION, DeadlineError("late"))
    failed(memory, DeadlineError("late"))
    assert (memory.silences, memory.is_asking) == (0, False)
    assert polled(WITH_PAGE, memory, [b"100"])[1].reader == "lux"


@pytest.mark.parametrize("error", [UnreachableError("refused", is_refusal=True), DeadlineError("late")])
def test_silence_costs_one_request(error: PollError) -> None:
    """A unit that is gone is asked once a poll, before and after its reader is known."""
    memory = AUTO.new_memory()
    with pytest.raises(type(error)):
        polled(AUTO, memory, [error])
    polled(AUTO, memory, [LUXOS_VERSION, b"100"])
    for _ in range(3):
        with pytest.raises(type(error)):
            polled(AUTO, memory, [error])
    assert memory.doubts == 0


def test_stock_units_are_asked_as_before() -> None:
    """Choosing costs a stock unit no request: its reader takes the answer to `version` from the choice."""
    reader = registry.CHOOSING
    memory = reader.new_memory()
    requests, reading = polled(reader, memory, [S21_VERSION, S21_STATS, S21_SUMMARY, S21_POOLS])
    assert [wire_name(request) for request in requests] == ["version", "stats", "summary", "pools"]
    assert (reading.reader, reading.identity.api) == ("antminer", "3.1")
    requests, _ = polled(reader, memory, [S21_STATS])
    assert [wire_name(request) for request in requests] == ["stats"]


def wire_name(request: bytes) -> str:
    """Return the command of a request."""
    return request.split(b'"')[3].decode()


def test_names_are_those_of_the_readers() -> None:
    """A ledger may name every reader, and no other."""
    assert set(NAMES) == set(registry.READERS)
    assert all(wire.decode_reply(data, "version") for data in (S21_VERSION, LUXOS_VERSION))
