r"""One poll as a conversation without I/O: which requests to send, in which order, and the reading from the replies.

A conversation is a generator, driven as `agent.unit.reader` describes: by the poller, by `hashsight read`, or in a test
from a table of replies.

    stats (new_api) ............. every poll. A unit that does not know new_api answers legacy, which is read as well.
      \- stats (legacy) ......... if the unit refused the first as an unknown command (remembered from then on), or if
                                  the first came without figures
      \- summary ................ if `stats` has no rate: asleep, on Braiins OS, or refused; or if it refutes its rate
    version ..................... when first seen, when the uptime went backwards, when the firmware changed
    summary, pools .............. every `slow_every` polls, and whenever a unit is new or restarted; each unit has its
                                  own turn, so that the requests of a fleet are spread out
    pools ....................... also at every poll of a unit that is awake and hashes nothing. Where the site judges
                                  where work goes: at once when it hashes again or its firmware changed, `pools_every`
                                  polls after that, and then every `POOLS_TURN` times `pools_every` polls
    summary (new_api) ........... for the faults that such a unit names: when it stops, then on slow polls

Of a unit that is new, restarted or has other firmware, the replies of a slow poll are also looked at for fields that
no reader uses. No request is sent for it, and no other poll does anything for it.
"""

from collections.abc import Callable, Generator
from typing import NamedTuple
from zlib import crc32

import msgspec

from agent.errors import (
    ContradictoryReplyError,
    ForeignProtocolError,
    MalformedReplyError,
    PollError,
    RefusedError,
    UnsupportedReplyError,
    drop_frames,
)
from agent.unit.antminer.fast_stats import fast_reading
from agent.unit.antminer.memory import LOOK_AGAIN_S, Memory
from agent.unit.antminer.overheard import Heard, new_fields, overheard
from agent.unit.antminer.reply_context import Known, PartialReading
from agent.unit.antminer.stats import is_invalid_command, slow_reading
from agent.unit.cgminer import wire
from agent.unit.cgminer.pools import read_pools
from agent.unit.cgminer.summary import read_summary
from agent.unit.cgminer.version import read_version
from agent.unit.consistency.rules import hashes_nothing, hold_together, is_settled
from agent.unit.nameplate import Nameplate
from agent.unit.reader import Conversation
from agent.unit.reading import Dialect, Identity, Mode, UnitReading

STATS_NEW_API = wire.encode_request("stats", new_api=True)
STATS = wire.encode_request("stats")
SUMMARY = wire.encode_request("summary")
SUMMARY_NEW_API = wire.encode_request("summary", new_api=True)
POOLS = wire.encode_request("pools")
VERSION = wire.encode_request("version")
REQUESTS = (STATS_NEW_API, STATS, SUMMARY, SUMMARY_NEW_API, POOLS, VERSION)
"""Every request the agent sends to TCP 4028, at most five a poll: four reports; none of them changes a unit."""

POOLS_TURN = 3
"""Stock firmware takes new pools with a restart of its miner process, as its shipped access list has no command that
switches pools (O05). A restart is seen by the uptime at the next poll, so the turn is only for what is not foreseen.
"""


def hear_version(memory: Memory, data: bytes) -> None:
    """Keep an answer to `version` for the next poll, which then does not ask."""
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
    """Poll one unit.

    Args:
        unit_id: The ledger's name for the unit.
        nameplate: The unit's rating in the ledger; None if it is not known.
        memory: Kept between the polls of one unit; changed only by replies that were read.
        slow_every: Ask for share counters and pools every this many polls; 1 is every poll.
        pools_every: Ask for pools alone after this many polls without them; None not to.
        wall: Returns Unix time, s.

    Raises:
        PollError: `stats` could not be read, or refutes its own rate. A later request that fails only leaves its own
            figures out.
    """
    first = STATS if memory.is_legacy else STATS_NEW_API
    data = yield first
    reading = fast_reading(data, _known(unit_id, memory, nameplate, wall))
    has_summary = is_second = False
    heard: Heard = []
    if reading is None or nameplate is None or not reading.hashrate_5s_hs or not is_settled(reading, nameplate, memory):
        talk = _Talk(unit_id, memory, nameplate, wall, heard)
        reading, has_summary, is_second = yield from _settled_reading(data, reading, talk)
    is_first = not memory.is_known
    memory.is_known = True
    is_restarted = memory.uptime_s is not None and reading.uptime_s is not None and reading.uptime_s < memory.uptime_s
    is_changed = reading.identity is not memory.identity
    memory.identity = reading.identity
    if reading.uptime_s is not None:
        memory.uptime_s = reading.uptime_s
    if is_restarted:
        # These counters belong to the previous process; carrying them over would show a jump.
        memory.pools = ()
        if not has_summary:
            memory.shares = None
        reading = msgspec.structs.replace(reading, pools=memory.pools, shares=memory.shares)
    is_new = is_first or is_restarted
    if is_new or is_changed:
        memory.is_look_due = memory.pools_turn.is_odd = True
        reading = yield from _with_version(reading, memory)
    is_slow = is_new or memory.until_slow <= 0
    if is_slow:
        # The first wait depends on the unit's id, so that a fleet that starts together spreads its slow requests.
        memory.until_slow = 1 + crc32(unit_id.encode()) % slow_every if is_new else slow_every
        reports = _with_slow_reports(reading, memory, wall, has_summary=has_summary)
        on_unread = memory.on_unread
        if on_unread is not None and memory.is_look_due and reading.at >= memory.look_again_at:
            memory.is_look_due, memory.look_again_at = False, reading.at + LOOK_AGAIN_S
            heard.append((first, data))
            reading = yield from overheard(reports, heard)
            on_unread(unit_id, reading.identity, new_fields(heard))
        else:
            reading = yield from reports
    memory.until_slow -= 1
    if hashes_nothing(reading, nameplate):
        # Its pools are asked for at each of these polls, and once more when it hashes.
        memory.pools_turn.is_odd = True
        has_room = not (is_second and is_slow)
        return (yield from _with_reasons(reading, memory, wall, is_slow=is_slow, has_room=has_room))
    memory.faults = None
    if pools_every is not None and _is_pools_turn(memory, pools_every, unit_id, is_new=is_new, is_asked=is_slow):
        return (yield from _with_pools(reading, memory))
    return reading


def _is_pools_turn(memory: Memory, pools_every: int, unit_id: str, *, is_new: bool, is_asked: bool) -> bool:
    turn = memory.pools_turn
    # At long intervals every poll asks.
    is_often = is_new or turn.is_odd or pools_every == 1
    polls = pools_every if is_often else pools_every * POOLS_TURN
    return turn.is_due(polls, unit_id, is_new=is_new, is_asked=is_asked)


class _Talk(NamedTuple):
    """The arguments of one conversation, as of `converse`, and the replies after the first."""

    unit_id: str
    memory: Memory
    nameplate: Nameplate | None
    wall: Callable[[], float]
    heard: Heard

    def known(self) -> Known:
        """Return the values from before a reply that has just arrived."""
        return _known(*self[:4])


def _known(unit_id: str, memory: Memory, nameplate: Nameplate | None, wall: Callable[[], float]) -> Known:
    return Known(unit_id, wall(), memory.identity, memory.pools, memory.shares, nameplate, memory.layouts)


def _settled_reading(
    data: bytes, reading: UnitReading | None, talk: _Talk
) -> Generator[bytes, bytes, tuple[UnitReading, bool, bool]]:
    """Return the reading of a reply that is not sound; whether `summary` was asked for it, and `stats` a second time.

    Args:
        data: The reply as received.
        reading: Its reading by the fast path; None if it needs the slow one.
        talk: The conversation's arguments.
    """
    memory, nameplate = talk.memory, talk.nameplate
    missing: PollError | None = None
    is_second = False
    if reading is None:
        (reading, missing), is_second = yield from _read_stats(data, talk)
    has_summary = reading.hashrate_5s_hs is None
    if has_summary:
        reading, missing = yield from _with_rates_of_summary(reading, missing, talk)
    elif _says_nothing(reading) and (memory.is_rate_in_summary or not memory.is_known or memory.until_slow <= 0):
        has_summary = True
        reading = yield from _instead_of_noughts(reading, talk)
    try:
        reading = hold_together(reading, nameplate, memory)
    except ContradictoryReplyError:
        if has_summary:
            raise
        # Another report may know better.
        has_summary = True
        reading, _ = yield from _with_rates_of_summary(reading, None, talk)
        reading = hold_together(reading, nameplate, memory)
    if missing is not None and reading.rate_hs is None and reading.mode is not Mode.SLEEP:
        if isinstance(missing, MalformedReplyError):
            # A rate beyond any machine, which nothing else in the reply replaces.
            raise ContradictoryReplyError(str(missing), rule="over_limit") from missing
        raise missing
    return reading, has_summary, is_second


def _read_stats(data: bytes, talk: _Talk) -> Generator[bytes, bytes, tuple[PartialReading, bool]]:
    """Read a reply by the slow path; ask for the legacy dialect if the new one was refused or has no figures.

    Returns:
        The reading, and True if `stats` was asked a second time.
    """
    memory = talk.memory
    is_legacy, partial, unsupported = memory.is_legacy, None, None
    if not is_legacy:
        try:
            partial = slow_reading(data, talk.known())
        except RefusedError as error:
            if not is_invalid_command(error):
                raise
            drop_frames(error)
            is_legacy = True
        except UnsupportedReplyError as error:
            # Assumed (A34): new_api has a shape of sleep without figures, as legacy has. Only legacy's was recorded.
            drop_frames(error)
            unsupported = error
        if partial is not None and not isinstance(partial.missing, UnsupportedReplyError):
            return partial, False
        data = yield STATS
        talk.heard.append((STATS, data))
    is_second = not memory.is_legacy
    try:
        legacy = slow_reading(data, talk.known())
    except (RefusedError, UnsupportedReplyError) as error:
        if isinstance(error, RefusedError) and error.code == wire.ACCESS_DENIED:
            raise
        drop_frames(error)
        reading = _nothing(talk) if partial is None else partial.reading
        first = unsupported if partial is None else partial.missing
        # A unit that knows new_api and no legacy dialect: the reply that it gave says more than the refusal.
        return PartialReading(
            reading, first if first is not None and isinstance(error, RefusedError) else error
        ), is_second
    if legacy.missing is None:
        memory.is_legacy = is_legacy
        return legacy, is_second
    return (legacy if partial is None or not partial.reading.boards else partial), is_second


def _nothing(talk: _Talk) -> UnitReading:
    """Return the reading of a unit whose `stats` says nothing."""
    known = talk.known()
    return UnitReading(
        unit_id=known.unit_id,
        at=known.at,
        dialect=Dialect.LEGACY,
        mode=None,
        identity=known.identity,
        pools=known.pools,
        shares=known.shares,
    )


def _with_rates_of_summary(
    reading: UnitReading, missing: PollError | None, talk: _Talk
) -> Generator[bytes, bytes, tuple[UnitReading, PollError | None]]:
    """Add the rates, the uptime and the shares of `summary`; keep what `stats` says, but for a refuted 5 s rate.

    A unit whose `stats` has no rate in either dialect is asked for the legacy one alone from then on.
    """
    memory = talk.memory
    try:
        data = yield SUMMARY
        talk.heard.append((SUMMARY, data))
        summary = read_summary(data, at=talk.wall())
    except ForeignProtocolError:
        raise
    except PollError as error:
        drop_frames(error)
        if isinstance(missing, UnsupportedReplyError):
            return reading, _keeps_its_rate_elsewhere(missing, error)
        return reading, missing
    memory.shares = summary.shares
    if missing is not None:
        memory.is_legacy = True
    rates = summary.rates
    uptime_s = summary.uptime_s if reading.uptime_s is None else reading.uptime_s
    stand_in_hs, stand_in_window_s = reading.stand_in_hs, reading.stand_in_window_s
    if rates.five_s_hs is None and stand_in_hs is None:
        stand_in_hs, stand_in_window_s = rates.stand_in(uptime_s) or (None, None)
    reading = msgspec.structs.replace(
        reading,
        uptime_s=uptime_s,
        hashrate_5s_hs=reading.hashrate_5s_hs if rates.five_s_hs is None else rates.five_s_hs,
        hashrate_30m_hs=rates.thirty_min_hs if reading.hashrate_30m_hs is None else reading.hashrate_30m_hs,
        hashrate_avg_hs=rates.average_hs if reading.hashrate_avg_hs is None else reading.hashrate_avg_hs,
        stand_in_hs=stand_in_hs,
        stand_in_window_s=stand_in_window_s,
        shares=summary.shares,
        repairs=reading.repairs + summary.repairs,
    )
    return reading, missing


def _says_nothing(reading: UnitReading) -> bool:
    """Return True if every rate in `stats` is a nought or absent, of a unit that does not say that it sleeps."""
    return (
        not reading.hashrate_5s_hs
        and reading.mode is not Mode.SLEEP
        and not (reading.hashrate_30m_hs or reading.hashrate_avg_hs or reading.stand_in_hs)
        and not any(board.hashrate_hs for board in reading.boards)
    )


def _instead_of_noughts(reading: UnitReading, talk: _Talk) -> Generator[bytes, bytes, UnitReading]:
    """Return the rates of `summary` if it has one; a unit with one is asked for it at every poll from then on.

    Firmware that keeps its rates elsewhere may fill `stats` with noughts: they say nothing then, the boards' neither.
    """
    memory = talk.memory
    found, _ = yield from _with_rates_of_summary(reading, None, talk)
    memory.is_rate_in_summary = bool(found.hashrate_5s_hs) and not hashes_nothing(found, talk.nameplate)
    if not memory.is_rate_in_summary:
        return msgspec.structs.replace(reading, shares=found.shares, repairs=found.repairs)
    return msgspec.structs.replace(
        found,
        hashrate_30m_hs=found.hashrate_30m_hs or None,
        hashrate_avg_hs=found.hashrate_avg_hs or None,
        boards=tuple([msgspec.structs.replace(board, hashrate_hs=None) for board in found.boards]),
        repairs=(*found.repairs, "rate_from_summary"),
    )


def _keeps_its_rate_elsewhere(missing: PollError, error: PollError) -> PollError:
    """Return the error of a unit that has no rate in `stats`, and whose `summary` cannot be read.

    A refusal for another reason than an unknown command is what to act on.
    """
    if isinstance(error, RefusedError):
        if is_invalid_command(error):
            return UnsupportedReplyError(f"{missing}; summary, where some firmware keeps its rate, is refused: {error}")
        return RefusedError(
            f"stats has no rate, and summary, where some firmware keeps it, is refused: {error}", code=error.code
        )
    return UnsupportedReplyError(f"{missing}; summary, where some firmware keeps its rate, cannot be read: {error}")


def _with_slow_reports(
    reading: UnitReading, memory: Memory, wall: Callable[[], float], *, has_summary: bool
) -> Conversation:
    """Ask for share counters, unless `summary` was asked already, and pools."""
    if not has_summary:
        reading = yield from _with_shares(reading, memory, wall)
    return (yield from _with_pools(reading, memory))


def _with_shares(reading: UnitReading, memory: Memory, wall: Callable[[], float]) -> Conversation:
    try:
        summary = read_summary((yield SUMMARY), at=wall())
    except PollError as error:
        drop_frames(error)
        return reading
    memory.shares = summary.shares
    return msgspec.structs.replace(reading, shares=summary.shares, repairs=reading.repairs + summary.repairs)


def _with_reasons(
    reading: UnitReading, memory: Memory, wall: Callable[[], float], *, is_slow: bool, has_room: bool
) -> Conversation:
    """Ask a unit that hashes nothing for its pools, and for the faults that it names: at once, then on slow polls.

    Documented (D53): only `summary` in the new dialect has the codes.

    Args:
        reading: So far.
        memory: The unit's.
        wall: Returns Unix time, s.
        is_slow: Pools were asked for already.
        has_room: Another request keeps the poll within five.
    """
    if not is_slow:
        reading = yield from _with_pools(reading, memory)
    if has_room and reading.dialect is Dialect.NEW_API and (is_slow or memory.faults is None):
        try:
            memory.faults = read_summary((yield SUMMARY_NEW_API), at=wall()).faults
        except PollError as error:
            drop_frames(error)
            memory.faults = ()
    return msgspec.structs.replace(reading, faults=reading.faults or memory.faults or ())


def _with_pools(reading: UnitReading, memory: Memory) -> Conversation:
    try:
        pools, repairs = read_pools((yield POOLS))
    except PollError as error:
        drop_frames(error)
        return reading
    memory.pools = pools
    return msgspec.structs.replace(reading, pools=pools, repairs=reading.repairs + repairs)


def _with_version(reading: UnitReading, memory: Memory) -> Conversation:
    data, memory.version = memory.version, None
    try:
        identity, repairs = read_version((yield VERSION) if data is None else data)
    except PollError as error:
        drop_frames(error)
        return reading
    from_stats = reading.identity
    memory.identity = Identity(
        model=from_stats.model or identity.model,
        firmware=from_stats.firmware or identity.firmware,
        api=identity.api,
        miner=from_stats.miner or identity.miner,
    )
    return msgspec.structs.replace(reading, identity=memory.identity, repairs=reading.repairs + repairs)
