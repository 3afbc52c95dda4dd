r"""One poll of a LuxOS unit as a conversation without I/O; see `agent.unit.reader`.

    summary ......................... every poll; the essential one
    devs ............................ every poll
    power+temps+fans+config ......... every poll
    pools+devdetails+events ......... every `slow_every` polls, when a unit is new or restarted, and at every poll of
                                      one that is awake and hashes nothing

A unit that refuses a joined request, or leaves three in a row unanswered, is asked one report at a time until it
restarts: `config` every poll, then by turn one of `power`, `temps` and `fans`, then what is due of the slow ones,
within five requests a poll.
"""

from collections.abc import Callable, Generator
from typing import Final, TypeAlias
from zlib import crc32

import msgspec

from agent.errors import (
    DeadlineError,
    DisconnectedError,
    PollError,
    RefusedError,
    UnreachableError,
    UnsupportedReplyError,
    drop_frames,
)
from agent.unit.cgminer import wire
from agent.unit.cgminer.version import read_version
from agent.unit.consistency.rules import hashes_nothing, hold_together
from agent.unit.luxos import slow, summary
from agent.unit.luxos.assembly import assembled, with_absent_boards
from agent.unit.luxos.identity import identity_of, system_info_of
from agent.unit.luxos.memory import Memory
from agent.unit.luxos.reports import DEVS_SHAPE, ConfigRow, DevRow
from agent.unit.luxos.requests import BY_TURN, DEVS, MOST_REQUESTS, SINGLE, SLOW, SLOW_COMMANDS, STATE, SUMMARY
from agent.unit.luxos.state import UNKNOWN, read_joined, read_single, without
from agent.unit.nameplate import Nameplate
from agent.unit.reader import Conversation
from agent.unit.reading import Identity, Mode, UnitReading

# Either the network's doing, or a way of not knowing joined requests: after so many in a row the latter is likelier.
_SILENCES: Final = (DeadlineError, DisconnectedError, UnreachableError)
_MOST_SILENCES: Final = 3
_Asked: TypeAlias = Generator[bytes, bytes, None]


class _Talk:
    """One poll: what it has asked and the repairs so far.

    Attributes:
        config: The unit's words, if this poll was told them.
        memory: The unit's.
        left: Requests that may still be sent.
        repairs: Names of the repairs so far.
    """

    __slots__ = ("config", "left", "memory", "repairs")

    def __init__(self, memory: Memory) -> None:
        self.config: ConfigRow | None = None
        self.memory = memory
        self.left = MOST_REQUESTS - (memory.version is not None)
        self.repairs: tuple[str, ...] = ()


def hear_version(memory: Memory, data: bytes) -> None:
    """Keep an answer to `version` for the next poll: the model and the API's version are in it."""
    memory.version = data


def converse(
    unit_id: str,
    memory: Memory,
    *,
    nameplate: Nameplate | None = None,
    slow_every: int,
    pools_every: int | None = None,
    wall: Callable[[], float],
) -> Conversation:
    """Poll one unit; arguments as `agent.unit.reader.Converse`.

    Raises:
        PollError: `summary` could not be read, or refutes its own rate. A later request that fails only leaves its own
            figures out.
    """
    talk = _Talk(memory)
    data = yield SUMMARY
    at = wall()
    told, missing = _summary(data, at)
    is_new = _note_process(memory, told)
    if told is not None:
        talk.repairs += told.repairs
    devs = yield from _devs(talk)
    talk.left -= 2
    is_slow = is_new or memory.until_slow <= 0
    if is_slow:
        # The first wait depends on the unit's id, so that a fleet that starts together spreads its slow requests.
        memory.until_slow = 1 + crc32(unit_id.encode()) % slow_every if is_new else slow_every
        if told is not None:
            memory.shares = told.shares
    memory.until_slow -= 1
    if pools_every is not None:
        _watch_pools(memory, told, pools_every, unit_id, is_new=is_new, is_slow=is_slow)
    yield from _state_and_slow(talk, is_slow=is_slow)
    memory.identity = identity_of(memory.identity, told, memory.state.config, _version(memory))
    memory.system_info = system_info_of(memory.system_info, memory.identity, talk.config)
    reading = assembled(unit_id, at, memory, told, devs, nameplate=nameplate, repairs=talk.repairs)
    if missing is not None and reading.mode is not Mode.SLEEP:
        raise missing
    reading = hold_together(reading, nameplate, memory)
    if not is_slow and hashes_nothing(reading, nameplate):
        return (yield from _with_reasons(reading, talk, devs))
    return reading


def _summary(data: bytes, at: float) -> tuple[summary.Summary | None, PollError | None]:
    """Return the essential report, or why it has no figures: a unit that sleeps may have none (Assumed (A175)).

    Raises:
        PollError: It could not be read at all.
    """
    try:
        return summary.read(data, at=at), None
    except (RefusedError, UnsupportedReplyError) as error:
        if isinstance(error, RefusedError) and error.code == wire.ACCESS_DENIED:
            raise
        # Kept in the caller's frame, which its traceback holds.
        drop_frames(error)
        return None, error


def _note_process(memory: Memory, told: summary.Summary | None) -> bool:
    """Note the uptime; return True if the unit is new or restarted, and forget what belongs to the old process."""
    is_first, memory.is_known = not memory.is_known, True
    uptime_s = None if told is None else told.uptime_s
    if uptime_s is None:
        return is_first
    is_restarted = memory.uptime_s is not None and uptime_s < memory.uptime_s
    memory.uptime_s = uptime_s
    if is_restarted:
        memory.forget_process()
    return is_first or is_restarted


def _version(memory: Memory) -> Identity | None:
    data, memory.version = memory.version, None
    if data is None:
        return None
    try:
        identity, _ = read_version(data)
    except PollError:
        return None
    return identity


def _devs(talk: _Talk) -> Generator[bytes, bytes, tuple[DevRow, ...] | None]:
    """Return the rows of `devs`; None if it could not be read."""
    try:
        report, repairs = DEVS_SHAPE.read((yield DEVS))
    except PollError:
        return None
    talk.repairs += repairs
    return None if report.is_refused else report.DEVS


def _state_and_slow(talk: _Talk, *, is_slow: bool) -> _Asked:
    memory = talk.memory
    if memory.is_joining:
        yield from _joined_state(talk)
    if is_slow and memory.is_joining:
        yield from _joined_slow(talk)
    elif is_slow:
        memory.due = SLOW_COMMANDS
    elif memory.is_joining and "pools" in memory.due:
        memory.due = ()
        yield from _single_pools(talk)
    if not memory.is_joining:
        yield from _one_by_one(talk)


def _watch_pools(
    memory: Memory, told: summary.Summary | None, pools_every: int, unit_id: str, *, is_new: bool, is_slow: bool
) -> None:
    """Have pools asked for at this poll if it is their turn, or if the share counters look like another pool's."""
    turn = memory.pools_turn
    turn.hear(None if told is None else told.shares)
    if turn.is_due(pools_every, unit_id, is_new=is_new, is_asked=is_slow):
        memory.due = ("pools", *(command for command in memory.due if command != "pools"))


def _single_pools(talk: _Talk) -> _Asked:
    talk.left -= 1
    try:
        _take_slow(talk, slow.read_single("pools", (yield SINGLE["pools"])))
    except PollError:
        return


def _joined_state(talk: _Talk) -> _Asked:
    memory = talk.memory
    talk.left -= 1
    try:
        memory.state, repairs = read_joined((yield STATE))
    except PollError as error:
        # What is known of the state is of an earlier poll, and may be another now.
        memory.state = UNKNOWN
        memory.silences += 1
        memory.is_joining = isinstance(error, _SILENCES) and memory.silences < _MOST_SILENCES
    else:
        memory.silences = 0
        talk.config = memory.state.config
        talk.repairs += repairs


def _joined_slow(talk: _Talk) -> _Asked:
    talk.left -= 1
    try:
        _take_slow(talk, slow.read_joined((yield SLOW)))
    except PollError:
        return


def _one_by_one(talk: _Talk) -> _Asked:
    """Ask what is due of a unit that does not join, as far as this poll may."""
    memory = talk.memory
    turn = BY_TURN[memory.turn % len(BY_TURN)]
    for command in ("config", turn, *memory.due[:1])[: talk.left]:
        talk.left -= 1
        if command == turn:
            memory.turn += 1
        if command in memory.due:
            memory.due = memory.due[1:]
        try:
            data = yield SINGLE[command]
            if command in SLOW_COMMANDS:
                _take_slow(talk, slow.read_single(command, data))
            else:
                memory.state, repairs = read_single(command, data, memory.state)
                talk.config = memory.state.config if command == "config" else talk.config
                talk.repairs += repairs
        except PollError:
            if command not in SLOW_COMMANDS:
                memory.state = without(command, memory.state)


def _take_slow(talk: _Talk, found: slow.Found) -> None:
    memory = talk.memory
    memory.pools = memory.pools if found.pools is None else found.pools
    memory.details = memory.details if found.details is None else found.details
    memory.faults = memory.faults if found.faults is None else found.faults
    talk.repairs += found.repairs


def _with_reasons(reading: UnitReading, talk: _Talk, devs: tuple[DevRow, ...] | None) -> Conversation:
    """Ask a unit that is awake and hashes nothing for its pools and events now, and not only on slow polls."""
    memory = talk.memory
    if not memory.is_joining:
        memory.due = memory.due or ("pools", "events")
        return reading
    before = len(talk.repairs)
    yield from _joined_slow(talk)
    return msgspec.structs.replace(
        reading,
        pools=memory.pools,
        faults=with_absent_boards(memory.faults, devs),
        repairs=reading.repairs + talk.repairs[before:],
    )
