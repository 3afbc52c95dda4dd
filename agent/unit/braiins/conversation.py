r"""One poll of a unit under Braiins OS, as a conversation without I/O; `agent.unit.reader` describes how it is driven.

    summary ..... every poll: rate, uptime, program. Its error is the poll's
    devs ........ every poll: the boards
    devdetails .. when first seen, after a restart or a gap, when a board stops or starts, and on a slow poll after the
                  tuner has moved the boards' clocks: model, chips, clocks
    pools ....... every `slow_every` polls, and when first seen or restarted; each unit has its own turn. Where the site
                  judges where work goes, every `pools_every` polls, and when share counters look like another pool's
    tunerstatus . every poll: power, and what the unit says it does
    temps, fans . by turn; `temps` at every poll of a unit none of whose boards runs

At most five requests a poll, in this order; what finds no room comes with the next poll. `version` is the reader
`auto`'s to ask: `Description` has the same program in every reply (Observed (O82)). A report that the unit does not
know is asked for again after a restart.

A unit that says it is paused is read over 5 s, because its last minute still holds work from before.
"""

from collections.abc import Callable, Generator, Sequence
from typing import Final, NamedTuple, TypeVar

from agent.errors import MalformedReplyError, PollError, RefusedError, UnsupportedReplyError, excerpt
from agent.unit.braiins.boards import board_readings, stopped
from agent.unit.braiins.devdetails import read_devdetails
from agent.unit.braiins.devs import Board, read_devs
from agent.unit.braiins.fans import read_fans
from agent.unit.braiins.memory import Memory, nominal_of
from agent.unit.braiins.summary import FIVE_S, MINUTE_S, Summary, read_summary
from agent.unit.braiins.temps import NOT_READ, read_temps
from agent.unit.braiins.tunerstatus import Tuner, Work, read_tunerstatus
from agent.unit.braiins.work import mode_of
from agent.unit.cgminer import wire
from agent.unit.cgminer.pools import read_pools
from agent.unit.connectors import without_empty
from agent.unit.consistency.rules import hold_together
from agent.unit.consistency.watts import profile_watts
from agent.unit.nameplate import Nameplate
from agent.unit.reader import Conversation
from agent.unit.reading import Dialect, Mode, PoolReading, PowerKind, UnitReading

NAME: Final = "braiins"

SUMMARY: Final = wire.encode_request("summary")
DEVS: Final = wire.encode_request("devs")
DEVDETAILS: Final = wire.encode_request("devdetails")
POOLS: Final = wire.encode_request("pools")
TUNERSTATUS: Final = wire.encode_request("tunerstatus")
TEMPS: Final = wire.encode_request("temps")
FANS: Final = wire.encode_request("fans")
REQUESTS: Final = (SUMMARY, DEVS, DEVDETAILS, POOLS, TUNERSTATUS, TEMPS, FANS)
"""Every request of this reader, in the order of a poll: reports, none of which changes a unit."""
MOST_REQUESTS: Final = 5

_INVALID_COMMAND: Final = 14
# The unit answers; what it said cannot be used. After any other error it is not asked on in the same poll.
_ANSWERED: Final = (MalformedReplyError, RefusedError, UnsupportedReplyError)
_NOT_TUNED: Final = Tuner(None, Work.UNTOLD)
T = TypeVar("T")


def hear_version(memory: Memory, data: bytes) -> None:
    """Keep an answer to `version` for the next poll, of whose requests it is one."""
    memory.version = data


def is_whole(memory: Memory) -> bool:
    """Return True if every report was read that the unit knows; each poll but the first asks for `tunerstatus`."""
    wanted = {TEMPS: memory.temps is NOT_READ, FANS: not memory.fans, DEVDETAILS: memory.is_details_due}
    return not any(is_missing and request not in memory.unknown for request, is_missing in wanted.items())


def converse(
    unit_id: str,
    memory: Memory,
    *,
    nameplate: Nameplate | None = None,
    slow_every: int,
    pools_every: int | None = None,
    wall: Callable[[], float],
) -> Conversation:
    """Poll one unit.

    Args:
        unit_id: The ledger's name for the unit.
        memory: Kept between the polls of one unit.
        nameplate: The unit's rating in the ledger; None if it is not known.
        slow_every: Take share counters and pools every this many polls; 1 is every poll.
        pools_every: Take pools alone after this many polls without them; None not to.
        wall: Returns Unix time, s.

    Raises:
        PollError: `summary` could not be read, or its rate is refuted. A later request that fails only leaves its own
            figures out.
    """
    version, memory.version = memory.version, None
    data = yield SUMMARY
    at = wall()
    summary = read_summary(data, at=at)
    if summary.minute_hs is None and summary.now_hs is None and summary.stand_in is None:
        raise UnsupportedReplyError(f"summary: no rate over any window that is full: {excerpt(data)!r}")
    is_slow = memory.note_process(summary, at, unit_id=unit_id, slow_every=slow_every, pools_every=pools_every)
    memory.note_program(summary.program, version)
    talk = _Talk(memory, MOST_REQUESTS - (1 if version is None else 2), set(summary.repairs))
    boards = (yield from talk.ask(DEVS, read_devs)) or ()
    memory.note_boards(boards, is_slow=is_slow)
    if memory.is_details_due and talk.may_ask(DEVDETAILS):
        details = yield from talk.ask(DEVDETAILS, read_devdetails)
        memory.note_details(details, boards, is_known=DEVDETAILS not in memory.unknown)
    if memory.is_pools_due and talk.may_ask(POOLS):
        pools = yield from talk.ask(POOLS, _pools)
        memory.is_pools_due = False
        memory.pools = memory.pools if pools is None else pools
    tuner = yield from talk.ask(TUNERSTATUS, read_tunerstatus)
    if tuner is None and TUNERSTATUS in memory.unknown:
        tuner = _NOT_TUNED
    is_idle = bool(boards) and len(stopped(boards)) == len(boards)
    yield from _ask_sensors(talk, is_idle=is_idle)
    reading = _reading(unit_id, _Heard(at, summary, boards, tuner), talk, nameplate)
    return hold_together(reading, nameplate, memory)


class _Talk:
    """The requests of one poll after the first.

    Args:
        memory: The unit's.
        room: Requests that may still be sent.
        repairs: So far.
    """

    __slots__ = ("memory", "repairs", "room")

    def __init__(self, memory: Memory, room: int, repairs: set[str]) -> None:
        self.memory, self.room, self.repairs = memory, room, repairs

    def ask(self, request: bytes, read: Callable[[bytes, set[str]], T]) -> Generator[bytes, bytes, T | None]:
        """Ask for a report that a reading can do without; return None if it is not to be had."""
        if not self.may_ask(request):
            return None
        self.room -= 1
        try:
            return read((yield request), self.repairs)
        except _ANSWERED as error:
            if isinstance(error, RefusedError) and error.code == _INVALID_COMMAND:
                self.memory.unknown |= {request}
        except PollError:
            self.room = 0
        return None

    def may_ask(self, request: bytes) -> bool:
        """Return True if there is room, and the unit may know the request."""
        return self.room > 0 and request not in self.memory.unknown


def _pools(data: bytes, repairs: set[str]) -> tuple[PoolReading, ...]:
    pools, used = read_pools(data)
    repairs.update(used)
    return pools


def _ask_sensors(talk: _Talk, *, is_idle: bool) -> Generator[bytes, bytes, None]:
    """Ask for `temps` or `fans`, by turn; for what was not read yet, and for `temps` of a unit that is idle."""
    memory = talk.memory
    is_fans_turn = memory.is_fans_turn
    if (is_idle or not is_fans_turn or memory.temps is NOT_READ) and talk.may_ask(TEMPS):
        memory.is_fans_turn = True
        memory.note_temps((yield from talk.ask(TEMPS, read_temps)))
    if (is_fans_turn or not memory.fans) and talk.may_ask(FANS):
        memory.is_fans_turn = False
        memory.note_fans((yield from talk.ask(FANS, read_fans)))


class _Heard(NamedTuple):
    """Replies heard in one poll: when `summary` was complete, and the reports that are not kept."""

    at: float
    summary: Summary
    boards: Sequence[Board]
    tuner: Tuner | None


def _reading(unit_id: str, heard: _Heard, talk: _Talk, nameplate: Nameplate | None) -> UnitReading:
    at, summary, boards, tuner = heard
    memory, repairs = talk.memory, talk.repairs
    mode = mode_of(boards, tuner, is_ready=memory.temps.is_ready, uptime_s=summary.uptime_s)
    minute_hs, now_hs = summary.minute_hs, summary.now_hs
    stand_in_hs, stand_in_window_s = summary.stand_in or (None, None)
    # A unit that says it is paused is read over 5 s, or has no rate: a longer window says nothing against its word. So
    # is one that tells no rate over a longer window that is full.
    is_now = mode is Mode.SLEEP or (minute_hs is None and stand_in_hs is None)
    details, ideal_hs = memory.details, nominal_of(boards)
    rate_hs = now_hs if is_now else minute_hs
    # A pause has no rate and no profile: its figure is what it is.
    watts = None if tuner is None else tuner.watts
    if mode is not Mode.SLEEP:
        watts = profile_watts(watts, rate_hs, ideal_hs)
    return UnitReading(
        unit_id=unit_id,
        at=at,
        dialect=Dialect.LEGACY,
        mode=mode,
        identity=memory.identity,
        uptime_s=summary.uptime_s,
        hashrate_5s_hs=rate_hs,
        short_window_s=FIVE_S if is_now else MINUTE_S,
        stand_in_hs=None if is_now else stand_in_hs,
        stand_in_window_s=None if is_now else stand_in_window_s,
        hashrate_avg_hs=summary.average_hs,
        hashrate_ideal_hs=ideal_hs or None,
        is_profile_ideal=True,
        power_watts=watts,
        power_kind=None if watts is None else PowerKind.ESTIMATED,
        boards=board_readings(
            boards,
            {} if details is None else details.boards,
            memory.temps.sensors,
            first=memory.first or 0,
            is_now=is_now,
            repairs=repairs,
        ),
        is_chip_computed=memory.is_chip_computed,
        fan_rpm=without_empty(memory.fans, None if nameplate is None else nameplate.fans, memory.turned),
        pools=memory.pools,
        shares=memory.shares,
        reader=NAME,
        repairs=tuple(sorted(repairs)) if repairs else (),
    )
