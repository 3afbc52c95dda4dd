"""The units of a scan in words: one after the other, and all together."""

from collections.abc import Iterable, Iterator, Sized

from agent.commands.ledger_text import counted
from agent.commands.machine_output import visible
from agent.hil.scan.found import Found, clean
from agent.hil.scan.found_json import without_user
from agent.hil.scan.proposal import Proposed
from agent.text.numbers import ABSENT, duration_text, hashrate_text, watts_text
from agent.text.power import unit_power_text
from agent.unit.reading import PoolReading, UnitReading

_INDENT = "    "


def unit_lines(unit: Found, row: Proposed) -> Iterator[str]:
    """Yield one unit: what it is, what it does, its firmware, its pools."""
    info = unit.info
    bin_text = f"{row.hashrate_th or ABSENT} TH/s{' (guessed)' if row.hashrate_th and _is_guess(row) else ''}"
    names = ((None if info is None else info.mac) or "no MAC", clean(None if info is None else info.serial))
    yield f"{row.host}  {row.model or 'no model'} of {bin_text}  {'  '.join(filter(None, names))}"
    if unit.reading is not None:
        yield _INDENT + "; ".join(_figures(unit.reading))
    firmware = ", ".join(filter(None, (unit.make, unit.firmware_line, unit.firmware)))
    yield f"{_INDENT}{firmware or 'unknown'}; read by {unit.reader or 'nothing: ' + (unit.error or 'no reader fits')}"
    pools = () if unit.reading is None else unit.reading.pools
    shown = [_pool(pool) for pool in pools if pool.url]
    if shown:
        yield f"{_INDENT}pools: {'; '.join(shown)}"
    if row.note:
        yield f"{_INDENT}note: {row.note}"


def together(units: Iterable[Found]) -> str:
    """Return rate, boards, chips, power and pools of all units in one line; empty if none was read.

    A sum counts the units, or boards, that report the figure. Where some do not, it says how many do.
    """
    every = list(units)
    readings = [unit.reading for unit in every if unit.reading is not None]
    if not readings:
        return ""
    boards = [board for reading in readings for board in reading.boards]
    rates = [reading.rate_hs for reading in readings if reading.rate_hs is not None]
    chips = [board.chips for board in boards if board.chips is not None]
    watts = [reading.power_watts for reading in readings if reading.power_watts is not None]
    in_use = [{_pool_host(pool) for pool in reading.pools if pool.url and pool.is_active} for reading in readings]
    working = list(filter(None, in_use))
    parts = [
        f"{hashrate_text(sum(rates)) if rates else ABSENT} now{_share(rates, every, 'unit')}",
        (
            f"{counted(len(boards), 'board')} with {f'{sum(chips):,}' if chips else ABSENT} chips"
            f"{_share(chips, boards, 'board')}"
        ),
    ]
    if watts:
        parts.append(f"{watts_text(sum(watts))}{_share(watts, every, 'unit')}")
    if working:
        parts.append(f"{counted(len(set().union(*working)), 'pool')} in use{_share(working, every, 'unit')}")
    return f"together: {', '.join(parts)}"


def _share(reporting: Sized, of: Sized, thing: str) -> str:
    """Return how many of the things report a figure; empty if all do."""
    return f" (reported by {len(reporting):,} of {counted(len(of), thing)})" if len(reporting) < len(of) else ""


def _is_guess(row: Proposed) -> bool:
    return "hashrate_th" in row.guessed


def _figures(reading: UnitReading) -> Iterator[str]:
    yield f"{hashrate_text(reading.rate_hs)} now, {hashrate_text(reading.hashrate_avg_hs)} since its start"
    chips = [board.chips for board in reading.boards]
    known = [each for each in chips if each is not None]
    if chips:
        yield f"{counted(len(chips), 'board')} with {'/'.join(map(str, known)) if known else ABSENT} chips"
    else:
        yield "no boards reported"
    yield f"power {unit_power_text(reading.power_watts, reading.power_kind)}"
    yield f"up {duration_text(reading.uptime_s)}"


def _pool(pool: PoolReading) -> str:
    words = ", ".join(filter(None, (visible(pool.status or "")[:20], "in use" if pool.is_active else "")))
    return f"{visible(without_user(pool.url) or '')[:80]}{f' ({words})' if words else ''}"


def _pool_host(pool: PoolReading) -> str:
    return (without_user(pool.url) or "").rpartition("://")[2].rpartition(":")[0]
