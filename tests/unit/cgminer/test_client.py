"""The client against well behaved and hostile units, on both event loops."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Generator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from capture_files import S21_POOLS, S21_STATS, S21_SUMMARY, S21_VERSION
from loopback import answering, blackhole, dripping, flooding, hanging, resetting, splitting, unit, until, unused
from patience import PATIENT_S

from agent.errors import (
    DeadlineError,
    DisconnectedError,
    LocalResourceError,
    MalformedReplyError,
    PollError,
    StalledReplyError,
    TooLargeReplyError,
    UnreachableError,
)
from agent.unit.antminer import conversation
from agent.unit.antminer.conversation import POOLS, STATS, STATS_NEW_API, SUMMARY, VERSION
from agent.unit.cgminer import wire
from agent.unit.cgminer.call import Outcome
from agent.unit.cgminer.client import Client, ask

pytestmark = pytest.mark.asyncio(loop_factories=["asyncio", "uvloop"])

REPLY = b'{"STATUS":[{"STATUS":"S"}],"id":1}'
S21_ANSWERS = {STATS_NEW_API: S21_STATS, SUMMARY: S21_SUMMARY, POOLS: S21_POOLS, VERSION: S21_VERSION}

SHORT_S = 0.15


@pytest.fixture(params=[0.0, 0.01], ids=["at once", "rests"])
async def client(request: pytest.FixtureRequest) -> AsyncIterator[Client]:
    """Yield a client with timeouts that no sound conversation reaches."""
    client = Client(connect_timeout_s=PATIENT_S, deadline_s=PATIENT_S, rest_s=request.param)
    yield client
    client.close()


@pytest.fixture(params=[0.0, 0.01], ids=["at once", "rests"])
async def hasty(request: pytest.FixtureRequest) -> AsyncIterator[Client]:
    """Yield a client with short timeouts, for units that do not answer."""
    client = Client(connect_timeout_s=SHORT_S, deadline_s=2 * SHORT_S, rest_s=request.param)
    yield client
    client.close()


def open_files() -> int:
    """Return the number of open descriptors of this process, plus the one used to count them."""
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.parametrize(
    ("behaviour", "reply"),
    [
        pytest.param(answering(REPLY + b"\0"), REPLY + b"\0", id="whole"),
        pytest.param(answering(REPLY), REPLY, id="no NUL, but closed"),
        pytest.param(answering(REPLY + b"\n"), REPLY + b"\n", id="line end, closed"),
        pytest.param(splitting(REPLY, b"\0"), REPLY + b"\0", id="NUL in a packet of its own"),
        pytest.param(answering(REPLY + b"\0", slice_bytes=1), REPLY + b"\0", id="byte by byte"),
        pytest.param(answering(REPLY + b"\0\n"), REPLY + b"\0", id="line end after the NUL"),
        pytest.param(answering(REPLY + b"\0" + REPLY), REPLY + b"\0", id="more after the NUL"),
        pytest.param(splitting(REPLY + b"\0", REPLY), REPLY + b"\0", id="more after the NUL, later"),
        pytest.param(splitting(REPLY[:9], REPLY[9:] + b"\0"), REPLY + b"\0", id="two packets"),
        pytest.param(answering(b"x" * 60_000 + b"\0"), b"x" * 60_000 + b"\0", id="many packets"),
        pytest.param(resetting(REPLY + b"\0"), REPLY + b"\0", id="reset after the reply"),
    ],
)
async def test_reply_is_whole_at_the_nul_or_the_end(client: Client, behaviour: Any, reply: bytes) -> None:
    """A reply ends at its first NUL, or at the end of the connection, however it is cut into packets."""
    async with unit(behaviour) as address:
        assert await client.run(address, ask(STATS)) == reply


async def test_unit_that_keeps_the_connection_open_is_not_waited_for(client: Client) -> None:
    """The NUL ends the reply; the client does not wait for the unit to close."""
    async with unit(hanging(REPLY + b"\0")) as address:
        assert await client.run(address, ask(STATS)) == REPLY + b"\0"


@pytest.mark.parametrize(
    ("behaviour", "message"),
    [
        pytest.param(answering(b""), "closed without a reply", id="closed at once"),
        pytest.param(answering(REPLY[:20]), 'closed after 20 bytes, in mid-reply: .*"STATUS":\\[{"STATU', id="cut"),
        pytest.param(resetting(REPLY[:20]), "reset after 20 bytes: ECONNRESET", id="reset in mid-reply"),
        pytest.param(resetting(), "reset after 0 bytes: ECONNRESET", id="reset instead of a reply"),
        pytest.param(resetting(is_reading=False), "reset after 0 bytes: (ECONNRESET|EPIPE)", id="reset at once"),
    ],
)
async def test_unit_that_leaves_in_mid_reply(client: Client, behaviour: Any, message: str) -> None:
    """A unit that accepted and then closed is disconnected, not unreachable; it is polled again next interval."""
    async with unit(behaviour) as address:
        with pytest.raises(DisconnectedError, match=message):
            await client.run(address, ask(STATS))


async def test_reset_before_the_request_is_no_refusal(client: Client) -> None:
    """A connection that is accepted and reset before the request is sent counts as disconnected."""
    # Connecting completes in the kernel; when the loop looks, the reset has arrived too.
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        running = asyncio.ensure_future(client.run(listener.getsockname(), ask(STATS)))
        # The first turn of the loop starts the conversation; this callback accepts and resets before the loop looks.
        asyncio.get_running_loop().call_soon(_accept_and_reset, listener)
        with pytest.raises(DisconnectedError, match="reset after 0 bytes: ECONNRESET"):
            await running


def _accept_and_reset(listener: socket.socket) -> None:
    accepted, _ = listener.accept()
    accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    accepted.close()


async def test_refused(client: Client) -> None:
    """A refused connection is unreachable and marked as a refusal."""
    with (
        unused() as address,
        pytest.raises(UnreachableError, match=r"nothing listens on 127\.0\.0\.1:\d+ \(refused\)") as caught,
    ):
        await client.run(address, ask(STATS))
    assert caught.value.is_refusal


async def test_no_route(client: Client) -> None:
    """An unroutable address fails at once, but never inside the call that started the conversation."""
    outcomes: list[Outcome[bytes]] = []
    over = asyncio.Event()

    def done(outcome: Outcome[bytes]) -> None:
        outcomes.append(outcome)
        over.set()

    # No broadcast address accepts a connection, not even that of the loopback network.
    client.start(("127.255.255.255", 4028), ask(STATS), done)
    assert outcomes == []
    await over.wait()
    assert isinstance(outcomes[0].error, UnreachableError)
    assert (outcomes[0].error.is_refusal, outcomes[0].result, outcomes[0].requests) == (False, None, 1)


async def test_interface_that_is_not_there(client: Client) -> None:
    """A link-local address on a missing interface is unreachable."""
    with pytest.raises(UnreachableError, match=r"no route to fe80::1%nowhere \(network unreachable\)") as caught:
        await client.run(("fe80::1%nowhere", 4028), ask(STATS))
    assert not caught.value.is_refusal


async def test_blackhole(hasty: Client) -> None:
    """A host that does not answer is unreachable after the connect timeout, which is not a refusal."""
    with blackhole() as address, pytest.raises(UnreachableError, match=r"did not accept within 0\.15 s") as caught:
        await hasty.run(address, ask(STATS))
    assert not caught.value.is_refusal


@pytest.mark.parametrize(
    ("behaviour", "message"),
    [
        pytest.param(hanging(), r"no reply within 0\.3 s", id="hangs"),
        pytest.param(hanging(REPLY[:7]), r"7 bytes of a reply within 0\.3 s", id="hangs in mid-reply"),
        pytest.param(dripping(REPLY, 0.05), r"\d+ bytes of a reply within 0\.3 s", id="drips"),
    ],
)
async def test_deadline_is_over_the_whole_conversation(hasty: Client, behaviour: Any, message: str) -> None:
    """A unit that sends byte by byte cannot extend a conversation past its deadline."""
    async with unit(behaviour) as address:
        with pytest.raises(DeadlineError, match=message):
            await hasty.run(address, ask(STATS))


async def test_endless_reply(client: Client) -> None:
    """Of a reply that is too large the rest is not read, and the error says so in words."""
    async with unit(flooding()) as address:
        with pytest.raises(TooLargeReplyError, match="larger than 65,536 bytes, more than any unit sends: 'xxx"):
            await client.run(address, ask(STATS))
    assert client.held_bytes == 0


async def test_ipv6(client: Client) -> None:
    """IPv6 addresses work, and errors show them in brackets."""
    async with unit(answering(REPLY + b"\0"), host="::1") as address:
        assert await client.run(address, ask(STATS)) == REPLY + b"\0"
    with pytest.raises(UnreachableError, match=rf"nothing listens on \[::1\]:{address[1]} \(refused\)"):
        await client.run(address, ask(STATS))


async def test_conversation_goes_over_connections_one_after_the_other(client: Client) -> None:
    """Each request has its own connection, opened after the previous one is closed."""
    open_connections: list[int] = []

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_connections.append(client.in_flight)
        request = await reader.read(4096)
        writer.write(S21_ANSWERS[request] + b"\0")
        # The client closes at the NUL.
        assert await reader.read(1) == b""

    async with unit(behave) as address:
        talk = conversation.converse("u1", conversation.Memory(), slow_every=6, wall=lambda: 1.0)
        reading = await client.run(address, talk)
    assert (reading.hashrate_5s_hs, len(reading.pools)) == (206_901.8e9, 3)
    assert open_connections == [1, 1, 1, 1]


async def test_outcome_counts_requests_and_time(client: Client) -> None:
    """`took_s` covers all requests of a poll, from connecting to the last byte."""
    outcomes: asyncio.Queue[Outcome[Any]] = asyncio.Queue()
    async with unit(answering(S21_ANSWERS)) as address:
        talk = conversation.converse("u1", conversation.Memory(), slow_every=6, wall=lambda: 1.0)
        client.start(address, talk, outcomes.put_nowait)
        outcome = await outcomes.get()
    assert (outcome.error, outcome.requests) == (None, 4)
    assert 0 < outcome.took_s < PATIENT_S


async def test_deadline_ends_what_is_optional_and_keeps_the_reading(hasty: Client) -> None:
    """A unit that answers `stats` and then hangs is read; after the deadline no request follows."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.read(4096)
        if request == STATS_NEW_API:
            writer.write(S21_STATS + b"\0")
        await reader.read(1)

    outcomes: asyncio.Queue[Outcome[Any]] = asyncio.Queue()
    async with unit(behave) as address:
        talk = conversation.converse("u1", conversation.Memory(), slow_every=6, wall=lambda: 1.0)
        hasty.start(address, talk, outcomes.put_nowait)
        outcome = await outcomes.get()
    assert outcome.error is None
    assert (outcome.result.hashrate_5s_hs, outcome.result.shares, outcome.requests) == (206_901.8e9, None, 2)


async def test_deadline_holds_after_a_connect_timeout(hasty: Client) -> None:
    """A conversation may continue after its first request failed; its deadline stays."""

    def stubborn() -> Generator[bytes, bytes, list[str]]:
        seen = []
        for _ in range(3):
            try:
                yield STATS
            except PollError as error:
                seen.append(error.reason)
        return seen

    with blackhole() as address:
        assert await hasty.run(address, stubborn()) == ["unreachable", "deadline", "deadline"]


async def test_hanging_unit_delays_no_other(client: Client) -> None:
    """200 conversations end while a mute unit and a dripping one are still in flight."""
    async with AsyncExitStack() as stack:
        mute = await stack.enter_async_context(unit(hanging(), host="127.0.0.2"))
        slow = await stack.enter_async_context(unit(dripping(REPLY, 1.0), host="127.0.0.3"))
        flood = await stack.enter_async_context(unit(flooding(), host="127.0.0.4"))
        sound = await stack.enter_async_context(unit(answering(REPLY + b"\0"), host="127.0.0.5"))
        waiting = [asyncio.ensure_future(client.run(address, ask(STATS))) for address in (mute, slow)]
        endless = asyncio.ensure_future(client.run(flood, ask(STATS)))
        replies = await asyncio.gather(*(client.run(sound, ask(STATS)) for _ in range(200)))
        assert set(replies) == {REPLY + b"\0"}
        with pytest.raises(MalformedReplyError):
            await endless
        assert [future.done() for future in waiting] == [False, False]
        assert client.in_flight == 2
        for future in waiting:
            future.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def test_replies_during_a_rest_are_handled_together() -> None:
    """Replies that arrive during a rest are handled in one batch after it, and none is lost."""
    client = Client(connect_timeout_s=PATIENT_S, deadline_s=PATIENT_S, rest_s=0.2)
    looks: list[int] = []
    taken: list[Outcome[bytes]] = []

    def done(outcome: Outcome[bytes]) -> None:
        taken.append(outcome)
        if len(taken) == 1:
            # This callback runs after the rest of the batch.
            asyncio.get_running_loop().call_soon(lambda: looks.append(len(taken)))

    async with unit(answering(REPLY + b"\0")) as address:
        for _ in range(50):
            client.start(address, ask(STATS), done)
        await until(lambda: bool(looks))
        assert looks == [50]
        assert [outcome.result for outcome in taken] == [REPLY + b"\0"] * 50
        client.close()


@pytest.mark.parametrize(("size", "turns"), [(1000, 1), (20_000, 8)])
async def test_large_replies_are_handled_in_slices(size: int, turns: int) -> None:
    """Eight replies that arrive together: small ones are handled in one turn of the loop, large ones in a turn each."""
    units, turn = 8, 0
    seen: list[int] = []
    waiting, gate = 0, asyncio.Event()

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal waiting
        await reader.read(4096)
        waiting += 1
        await gate.wait()
        writer.write(b"x" * (size - 1) + b"\0")
        writer.close()

    def converse() -> Generator[bytes, bytes, None]:
        yield STATS
        seen.append(turn)

    def count() -> None:
        nonlocal turn
        turn += 1
        if len(seen) < units:
            asyncio.get_running_loop().call_soon(count)

    # While the client rests, all replies arrive.
    client = Client(connect_timeout_s=PATIENT_S, deadline_s=PATIENT_S, rest_s=0.3)
    outcomes: list[Outcome[None]] = []
    try:
        async with unit(behave) as address, asyncio.timeout(PATIENT_S):
            for _ in range(units):
                client.start(address, converse(), outcomes.append)
            await until(lambda: waiting == units)
            gate.set()
            count()
            await until(lambda: len(outcomes) == units)
    finally:
        client.close()
    assert [outcome.error for outcome in outcomes] == [None] * units
    assert len(set(seen)) == turns


async def test_close_drops_what_is_in_flight_and_leaves_no_descriptor() -> None:
    """After `close` no conversation calls back, not even one that had just failed."""
    async with unit(hanging()) as mute:
        before = open_files()
        client = Client(connect_timeout_s=PATIENT_S, deadline_s=PATIENT_S)
        outcomes: list[Outcome[bytes]] = []
        with blackhole() as hole, unused() as refusing:
            for address in (mute, hole, refusing, ("127.255.255.255", 4028)):
                client.start(address, ask(STATS), outcomes.append)
            client.close()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert outcomes == []
        assert client.in_flight == 0
        # The unit's end of the connection closes later.
        await until(lambda: open_files() == before)


async def test_two_thousand_conversations_leave_no_descriptor(client: Client) -> None:
    """Every socket is closed after its conversation: whole, cut, reset or refused."""
    async with AsyncExitStack() as stack:
        addresses = [
            await stack.enter_async_context(unit(answering(REPLY + b"\0"), host="127.0.0.2")),
            await stack.enter_async_context(unit(answering(REPLY[:9]), host="127.0.0.3")),
            await stack.enter_async_context(unit(resetting(REPLY[:9]), host="127.0.0.4")),
            stack.enter_context(unused()),
        ]
        before = open_files()
        for _ in range(10):
            results = await asyncio.gather(
                *(client.run(address, ask(STATS)) for address in addresses for _ in range(50)), return_exceptions=True
            )
            assert [type(result) for result in results[::50]] == [
                bytes,
                DisconnectedError,
                DisconnectedError,
                UnreachableError,
            ]
        assert client.in_flight == 0
        await until(lambda: open_files() == before)


async def test_cancelled_caller_is_not_called_back(client: Client) -> None:
    """A conversation whose caller was cancelled ends by itself."""
    gate = asyncio.Event()

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4096)
        await gate.wait()
        writer.write(REPLY + b"\0")

    async with unit(behave) as address:
        running = asyncio.ensure_future(client.run(address, ask(STATS)))
        await until(lambda: client.in_flight == 1)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        gate.set()
        await until(lambda: client.in_flight == 0)


async def test_no_socket_left(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Running out of descriptors is a local error, not a fault of the unit."""

    def exhausted(*_: Any) -> socket.socket:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("agent.unit.cgminer.client.socket.SocketType", exhausted)
    with pytest.raises(LocalResourceError, match="Too many open files"):
        await client.run(("127.0.0.1", 4028), ask(STATS))


@pytest.mark.parametrize("command", wire.REPLY_CAPS)
async def test_reply_limit_is_that_of_the_command(client: Client, command: str) -> None:
    """The client accepts a reply of exactly the command's cap, and not of one byte more."""
    cap, request = wire.REPLY_CAPS[command], wire.encode_request(command)
    async with unit(answering(b"x" * (cap - 1) + b"\0")) as address:
        assert len(await client.run(address, ask(request))) == cap
    async with unit(answering(b"x" * cap + b"\0")) as address:
        with pytest.raises(TooLargeReplyError, match=f"larger than {cap:,} bytes"):
            await client.run(address, ask(request))


async def test_unfinished_replies_have_one_bound() -> None:
    """Those that hold the most are ended, with an error of their own; one that holds little is read."""
    greedy, modest, few = 20, 4, 3000
    client = Client(connect_timeout_s=PATIENT_S, deadline_s=PATIENT_S, most_held_bytes=400_000)
    outcomes: dict[str, list[Outcome[bytes]]] = {"greedy": [], "modest": []}
    gate = asyncio.Event()

    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4096)
        writer.write(b"x" * 60_000)
        await writer.drain()
        await reader.read(1)

    async def pause(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4096)
        writer.write(b"x" * few)
        await gate.wait()
        writer.write(b"\0")

    try:
        async with unit(stall) as stalling, unit(pause) as pausing, asyncio.timeout(PATIENT_S):
            for _ in range(modest):
                client.start(pausing, ask(STATS), outcomes["modest"].append)
            await until(lambda: client.held_bytes == modest * few)
            for _ in range(greedy):
                client.start(stalling, ask(STATS), outcomes["greedy"].append)
            await until(lambda: greedy * 60_000 - 400_000 <= 60_000 * len(outcomes["greedy"]))
            assert client.held_bytes <= 400_000
            gate.set()
            await until(lambda: len(outcomes["modest"]) == modest)
            assert all(outcome.error is None for outcome in outcomes["modest"])
            assert {type(outcome.error) for outcome in outcomes["greedy"]} == {StalledReplyError}
            assert "stopped at " in str(outcomes["greedy"][0].error)
    finally:
        client.close()


async def test_time_in_which_this_process_did_not_run_is_no_unit_s(hasty: Client) -> None:
    """The loop is held up for longer than every deadline: what the unit sent meanwhile is its reply."""
    gate = asyncio.Event()

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4096)
        gate.set()
        writer.write(REPLY + b"\0")
        await reader.read(1)

    async with unit(behave) as address:
        running = asyncio.ensure_future(hasty.run(address, ask(STATS)))
        await gate.wait()
        time.sleep(4 * SHORT_S)  # noqa: ASYNC251  the very stall that is tested
        assert await running == REPLY + b"\0"


async def test_a_unit_has_its_time_after_a_stall_before_the_request(hasty: Client) -> None:
    """The loop is held up while connecting: the unit is reachable, and it still has time to answer."""
    async with unit(answering(REPLY + b"\0")) as address:
        running = asyncio.ensure_future(hasty.run(address, ask(STATS)))
        await until(lambda: hasty.in_flight == 1)
        time.sleep(4 * SHORT_S)  # noqa: ASYNC251  the very stall that is tested
        assert await running == REPLY + b"\0"


@pytest.mark.parametrize("stalls", [1, 3])
async def test_a_unit_that_says_nothing_ends_all_the_same(hasty: Client, stalls: int) -> None:
    """Stalls only put off the deadline of a unit that sends nothing; a reply that never ends gets its time twice."""
    for behaviour, message in (
        (hanging(), "no reply within"),
        (dripping(b"x" * 1000, 0.02), "bytes of a reply within"),
    ):
        async with unit(behaviour) as address:
            running = asyncio.ensure_future(hasty.run(address, ask(STATS)))
            for _ in range(stalls):
                await asyncio.sleep(0.06)
                time.sleep(2 * SHORT_S)  # noqa: ASYNC251  the very stall that is tested
            with pytest.raises(DeadlineError, match=message):
                await running


async def test_the_clock_of_deadlines_leaves_out_stalls(hasty: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Literal times: a late tick is time that was lost, also for a conversation that begins before that tick."""
    times = []
    with blackhole() as address, monkeypatch.context() as patched:
        patched.setattr("agent.unit.cgminer.client.time.monotonic", lambda: 100.0)
        hasty.start(address, ask(STATS), lambda _: None)
        times = [hasty._attended(moment) for moment in (100.0, 100.04, 100.09, 120.09, 120.13)]
    # A tick is due at 100.05; 20 s later, all but the time until then is lost.
    assert times == pytest.approx([100.0, 100.04, 100.09, 100.05, 100.09])
