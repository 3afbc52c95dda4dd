"""A `stats` reply of VNish to a reading.

What is not believed here: chip temperatures that are the board's plus 15 (they are marked), watts of 0, fans that all
stand while the unit hashes, the ideal rate as a nameplate, and a failure as sleep. Fields: docs/aftermarket-api.md.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec

from agent.errors import MalformedReplyError, UnsupportedReplyError, excerpt
from agent.unit.cgminer.fields import clean, clock_hz, dashed, interned
from agent.unit.chip_map import marked_map
from agent.unit.computed_chips import are_sums, chip_or_none
from agent.unit.consistency.watts import profile_watts
from agent.unit.limits import HS_PER_GHS, MAX_CELSIUS, MAX_SENSORS, MIN_CELSIUS
from agent.unit.nameplate import Nameplate
from agent.unit.reading import (
    BoardReading,
    Dialect,
    Fault,
    Identity,
    Mode,
    Places,
    PoolReading,
    PowerKind,
    ShareReading,
    UnitReading,
)
from agent.unit.vnish.schema import NO_HEADER, Figures, Header, Slot, fast_figures, slow_figures
from agent.unit.vnish.words import (
    DISCONNECTED,
    MINING,
    State,
    faults_of,
    has_failed,
    label_of,
    state_of,
    state_of_boards,
)

NAME: Final = "vnish"

_STATE: Final = 3  # Place of a slot's state word.


class Known(NamedTuple):
    """The values that a reading needs besides the reply's own figures.

    Attributes:
        unit_id: The ledger's name for the unit.
        at: Unix time at which the reply was complete, s.
        header: The header that `identity` was made of.
        identity: As last reported.
        pools: Pools as last read.
        shares: The owner's share counters as last read.
        nameplate: The unit's rating in the ledger; None if it is not known.
    """

    unit_id: str
    at: float
    header: Header = NO_HEADER
    identity: Identity = Identity()
    pools: tuple[PoolReading, ...] = ()
    shares: ShareReading | None = None
    nameplate: Nameplate | None = None


def read_stats(data: bytes, known: Known) -> tuple[UnitReading, Header]:
    """Return the reading of a `stats` reply, and the header that its identity was made of.

    Args:
        data: The reply as received.
        known: The values from before it.

    Raises:
        MalformedReplyError: The bytes are not a reply, or the rate is beyond any unit.
        RefusedError: The unit refused the command.
        UnsupportedReplyError: The reply has no STATS, or no rate and no state that explains it.
    """
    repairs: set[str] = set()
    figures = fast_figures(data)
    if figures is None:
        figures = slow_figures(data, repairs)
    header, slots, nameplate = figures.header, figures.slots, known.nameplate
    identity = known.identity if header == known.header else _other_identity(header, known, data)
    state = state_of(figures.state) if figures.state else state_of_boards([slot[_STATE] for slot in slots])
    boards, power_watts, is_computed, faults = _boards(
        slots, state, None if nameplate is None else nameplate.boards, repairs
    )
    now_ghs, average_ghs, ideal_ghs = figures.now_ghs, figures.average_ghs, figures.ideal_ghs
    if now_ghs and state.has_failed and _are_silent(boards):
        # Its word and every board say that it hashes nothing: a total that stands still is the past.
        now_ghs = 0.0
        repairs.add("total_from_boards")
    power_watts = profile_watts(power_watts, now_ghs, ideal_ghs)
    reading = UnitReading(
        unit_id=known.unit_id,
        at=known.at,
        dialect=Dialect.LEGACY,
        mode=state.mode,
        identity=identity,
        uptime_s=figures.uptime_s,
        hashrate_5s_hs=_explained_hs(figures, state, boards, data) if now_ghs is None else now_ghs * HS_PER_GHS,
        hashrate_avg_hs=None if average_ghs is None else average_ghs * HS_PER_GHS,
        hashrate_ideal_hs=None if ideal_ghs is None else ideal_ghs * HS_PER_GHS,
        power_watts=power_watts,
        power_kind=None if power_watts is None else PowerKind.ESTIMATED,
        boards=boards,
        fan_rpm=_fans(figures.fans_rpm, state),
        pools=known.pools,
        shares=known.shares,
        is_profile_ideal=True,
        is_chip_computed=is_computed,
        reader=NAME,
    )
    if repairs or faults or state.is_starting:
        # Apart, because CPython hands over each further keyword in a dictionary, and hardly any reading has these.
        reading = msgspec.structs.replace(
            reading, faults=faults, repairs=tuple(sorted(repairs)), is_starting=state.is_starting
        )
    return reading, header


def _other_identity(header: Header, known: Known, data: bytes) -> Identity:
    """Return the identity in a header that is not the one before.

    Raises:
        UnsupportedReplyError: The model had VNish's name before and has none now: LuxOS answers `stats` too.
    """
    if header[0] and label_of(header[0]) is None and label_of(known.header[0]) is not None:
        raise UnsupportedReplyError(f"stats: from {clean(header[0])!r}, no longer VNish: {excerpt(data)!r}")
    return identity_of(header)


def identity_of(header: Header) -> Identity:
    """Return the identity in a header; the firmware is that in the model's brackets or, without one, the build's date.

    Observed (O174): `version`, where it answers, adds nothing but the number of the API.
    """
    return Identity(
        model=interned(header[0]),
        firmware=interned(label_of(header[0]) or header[1]),
        miner=interned(header[2]),
    )


def _explained_hs(figures: Figures, state: State, boards: tuple[BoardReading, ...], data: bytes) -> float | None:
    """Return the rate of a reply without a usable one; None of a unit that sleeps or starts, or whose boards tell it.

    Raises:
        MalformedReplyError: The rate is beyond any unit.
        UnsupportedReplyError: There is none, and no state that explains it.
    """
    if figures.is_rate_implausible:
        raise MalformedReplyError(f"stats: GHS 5s is beyond what a unit can do: {excerpt(data)!r}")
    if state.has_failed:
        # Assumed (A171): a unit that failed to start may leave its figures out; it says itself that it hashes nothing.
        return 0.0
    if state.mode is Mode.SLEEP or state.is_starting:
        return None
    if boards and all(board.hashrate_hs is not None for board in boards):
        # Their sum stands in (`consistency.rates`).
        return None
    raise UnsupportedReplyError(f"stats: no usable GHS 5s, and no state that explains it: {excerpt(data)!r}")


def _are_silent(boards: tuple[BoardReading, ...]) -> bool:
    """Return True if there are boards, and none of them tells a rate but 0."""
    return bool(boards) and not any(board.hashrate_hs for board in boards)


class _Boards(NamedTuple):
    boards: tuple[BoardReading, ...]
    watts: float | None
    is_computed: bool
    faults: tuple[Fault, ...]


def _boards(slots: tuple[Slot, ...], state: State, most: int | None, repairs: set[str]) -> _Boards:
    """Return the boards, the sum of their watts, whether chip temperatures are computed, and the named faults.

    The sum is None if it is 0, or if a board that hashes has none. Observed (O88): 1.2.0 reports 0 W for each
    board of a unit that hashes. Observed (O173): boards at unequal rates report the same watts, so it is an estimate.
    """
    boards, watts, is_partial, are_computed = [], 0.0, False, set()
    is_fault, failed = False, 0
    for position, (rate_ghs, counted, chip_map, word, fault, mhz, errors, pcb, chip, board_watts) in enumerate(slots):
        # No board is meant: no figure and no word, or a position beyond the nameplate's without a figure.
        if not counted and not rate_ghs and (not word or (most is not None and position >= most)):
            continue
        if fault or word != MINING:
            is_fault = is_fault or bool(fault)
            failed += has_failed(word)
        # Assumed (A172): a count beside this word is the design's.
        chips = counted if word != DISCONNECTED else 0
        pcb_celsius, chip_celsius, is_computed, found = _temperatures(pcb, chip)
        if found:
            repairs.update(found)
        are_computed.add(is_computed)
        if board_watts:
            watts += board_watts
        elif rate_ghs:
            is_partial = True
        boards.append(
            BoardReading(
                slot=position,
                hashrate_hs=None if rate_ghs is None else rate_ghs * HS_PER_GHS,
                chips=chips,
                chip_celsius=chip_celsius,
                pcb_celsius=pcb_celsius,
                bad_chips=_bad_chips(chip_map, chips) if chip_map else None,
                chip_map=marked_map(chip_map),
                frequency_hz=clock_hz(mhz, repairs),
                hw_errors=errors,
            )
        )
    # Boards that all fail together repeat the unit's word; the fault is not theirs.
    is_fault = is_fault or 0 < failed < len(boards)
    return _Boards(
        tuple(boards),
        watts if watts and not is_partial else None,
        True in are_computed and False not in are_computed,
        faults_of(state, is_board_named=is_fault) if is_fault or state.has_failed else (),
    )


class _Temperatures(NamedTuple):
    pcb: Places
    chip: Places
    is_computed: bool | None
    repairs: tuple[str, ...]


# Temperatures are whole degrees, so the same texts come again.
@lru_cache(maxsize=8192)
def _temperatures(pcb_text: str | None, chip_text: str | None) -> _Temperatures:
    repairs: set[str] = set()
    pcb, chip = _celsius(pcb_text, repairs), _celsius(chip_text, repairs)
    pairs = list(zip(chip, (*pcb, *[None] * len(chip)), strict=False))
    chip = _places([chip_or_none(over, under) for over, under in pairs])
    is_computed = are_sums(pairs) if chip else None
    return _Temperatures(pcb, chip, is_computed, tuple(sorted(repairs)))


def _celsius(text: str | None, repairs: set[str]) -> Places:
    values = dashed(text, repairs)
    if len(values) > MAX_SENSORS:
        repairs.add("implausible")
        return ()
    places = []
    for value in values:
        if value is not None and not MIN_CELSIUS <= value <= MAX_CELSIUS:
            repairs.add("implausible")
            value = None  # noqa: PLW2901  the place stays
        # Exactly 0, and -1, stand for a missing sensor.
        places.append(None if not value or value == -1 else value)
    return _places(places)


def _places(values: Sequence[float | None]) -> Places:
    return tuple(values) if any(value is not None for value in values) else ()


def _bad_chips(chip_map: str, chips: int | None) -> int:
    """Return the chips that the map marks ``x``; those missing from the count are not counted again."""
    folded = chip_map.casefold()
    bad = folded.count("x")
    if not bad or chips is None:
        return bad
    return min(chips, max(0, bad - max(0, bad + folded.count("o") - chips)))


def _fans(speeds: tuple[float | None, ...], state: State) -> Places:
    """Return fan speeds; empty if none turns, of a unit that is not switched off.

    Documented (D236): in immersion all stand at 0 rpm, which is normal. Assumed (A171): so they do in a failed start.
    """
    if any(speeds) or (state.mode is Mode.SLEEP and 0 in speeds):
        return speeds
    return ()
