"""The API of simulated units as the agent's client receives it, without a socket: faults of the wire included."""

import asyncio
import errno
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, TypeVar, cast

from agent.errors import DeadlineError, PollError, UnreachableError, drop_frames
from agent.unit.cgminer.call import Address, Done, Outcome, socket_error
from agent.unit.cgminer.page_reply import begun
from agent.unit.cgminer.partial_reply import PartialReply
from simulators.farm.farm import Farm
from simulators.firmware.request import NUL, read_request
from simulators.sockets.station import LiveUnit
from simulators.unit.delivery import Delivery, Ending
from simulators.unit.unit import Unit

T = TypeVar("T")

REPLY_S = 0.1  # Assumed (A06): 30 to 150 ms.
CONNECT_TIMEOUT_S = 2.0
DEADLINE_S = 5.0


class Alone:
    """Stands for the farm of a unit that answers at its own address, whatever addresses were swapped."""

    def unit_found_at(self, unit: Unit) -> Unit:
        """Return the unit itself."""
        return unit

    def twin_of(self, unit: Unit) -> None:
        """Return None: it is no twin."""
        del unit


def received(
    reply: bytes | Delivery, *, request: bytes = b"", deadline_s: float = DEADLINE_S
) -> tuple[bytes | PollError, float]:
    """Return a reply, or the error it becomes, and the seconds until then; a GET gets a page."""
    if isinstance(reply, bytes):
        return reply + NUL, REPLY_S
    partial = begun(request)
    pieces = -(-len(reply.reply) // reply.piece_bytes) if reply.piece_bytes else 1
    took_s = REPLY_S + reply.wait_s + max(0, pieces - 1) * reply.gap_s
    whole = partial.add(reply.reply) if reply.reply else None
    if whole is None and reply.ending is Ending.HANG:
        took_s = deadline_s
    elif whole is None and reply.ending is Ending.RESET:
        return _reset(partial), took_s
    if took_s >= deadline_s:
        return DeadlineError(f"{partial.size} bytes of a reply within {deadline_s:g} s"), deadline_s
    return whole if whole is not None else partial.close(), took_s


def asked(farm: Farm | Alone, unit: Unit, request: bytes, at: float) -> tuple[bytes | PollError, float]:
    """Return the answer at a unit's address at simulated Unix time `at`, or the error, and the seconds it took."""
    station = LiveUnit(farm, unit)
    if not station.is_online(at):
        if farm.unit_found_at(unit).is_silent:
            return UnreachableError(f"no answer within {CONNECT_TIMEOUT_S:g} s"), CONNECT_TIMEOUT_S
        return _reset(PartialReply()), REPLY_S
    return received(station.answer(read_request(request), at), request=request)


def _reset(partial: PartialReply) -> PollError:
    """Return the client's own error for a connection that is reset after it was accepted."""
    call = SimpleNamespace(connected=True, address=("127.0.0.1", 4028), reply=partial)
    return socket_error(cast("Any", call), ConnectionResetError(errno.ECONNRESET, "reset"))


@dataclass(slots=True)
class _Call:
    """One conversation under way."""

    unit: Unit
    conversation: Generator[bytes, bytes, Any]
    done: Done[Any]
    started: float
    requests: int = field(default=0)


class SimulatedClient:
    """Holds conversations with simulated units, as `agent.unit.cgminer.client.Client` does with real ones.

    Args:
        farm: The units.
        wall: Returns simulated Unix time, s.
    """

    def __init__(self, farm: Farm, wall: Callable[[], float]) -> None:
        self._farm = farm
        self._by_host = {unit.identity.host: unit for unit in farm.units}
        self._wall = wall
        self._loop = asyncio.get_running_loop()

    def start(self, address: Address, conversation: Generator[bytes, bytes, T], done: Done[T]) -> None:
        """Start a conversation; `done(outcome)` is called once, from the event loop."""
        call = _Call(self._by_host[address[0]], conversation, done, self._loop.time())
        self._ask(call, next(conversation))

    def close(self) -> None:
        """Do nothing: there is no socket."""

    def _ask(self, call: _Call, request: bytes) -> None:
        call.requests += 1
        answer, after_s = asked(self._farm, call.unit, request, self._wall())
        left_s = call.started + DEADLINE_S - self._loop.time()
        if after_s > left_s:
            answer, after_s = DeadlineError(f"no whole reply within {DEADLINE_S:g} s"), max(0.0, left_s)
        self._loop.call_later(after_s, self._take, call, answer)

    def _take(self, call: _Call, answer: bytes | PollError) -> None:
        try:
            if isinstance(answer, PollError):
                request = call.conversation.throw(answer)
            else:
                request = call.conversation.send(answer)
        except StopIteration as over:
            self._finish(call, over.value, None)
        except PollError as error:
            drop_frames(error)
            self._finish(call, None, error)
        else:
            self._ask(call, request)

    def _finish(self, call: _Call, result: Any, error: PollError | None) -> None:
        call.done(Outcome(result, error, self._loop.time() - call.started, call.requests))
