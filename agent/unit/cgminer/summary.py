"""The `summary` report in either dialect: rates over several windows, uptime, share counters and faults."""

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from agent.errors import UnsupportedReplyError, excerpt
from agent.unit.cgminer import wire
from agent.unit.cgminer.rates import Rates, hashes_per_unit, read_rates
from agent.unit.cgminer.rows import SHARE_KEYS, Row, first_row
from agent.unit.limits import MAX_DIFFICULTY, MAX_HASHRATE_HS, MAX_UPTIME_S
from agent.unit.reading import Fault, ShareReading


class SummaryKeys(NamedTuple):
    """Keys of one dialect, besides rates and share counters."""

    uptime: str
    hw_errors: str
    best_share: str


_LEGACY: Final = SummaryKeys("Elapsed", "Hardware Errors", "Best Share")
_NEW_API: Final = SummaryKeys("elapsed", "hw_all", "bestshare")
_RATE_UNIT: Final = "rate_unit"
_FAULT_LIST: Final = "status"


class NewApiRateKeys(NamedTuple):
    """Keys of the new dialect's rates; the legacy dialect's are those of `rates`."""

    five_s: str = "rate_5s"
    thirty_min: str = "rate_30m"
    average: str = "rate_avg"


_NEW_API_RATES: Final = NewApiRateKeys()
LEGACY_KEYS_READ: Final = frozenset((*_LEGACY, *SHARE_KEYS))
"""Every key of a legacy SUMMARY that is read, besides those of `rates`."""
NEW_API_KEYS_READ: Final = frozenset((*_NEW_API, *_NEW_API_RATES, *SHARE_KEYS, _RATE_UNIT, _FAULT_LIST))
"""Every key of a new_api SUMMARY that is read."""
FAULT_KEYS_READ: Final = frozenset(("status", "msg", "type"))
"""Every key of an element of its `status` that is read."""


class SummaryReading(NamedTuple):
    """A `summary` reply: rates in H/s, uptime in s, the share counters, and the faults that the unit names."""

    uptime_s: float | None
    rates: Rates
    shares: ShareReading
    faults: tuple[Fault, ...]
    repairs: tuple[str, ...]


def read_summary(data: bytes, *, at: float) -> SummaryReading:
    """Read a `summary` reply.

    Raises:
        MalformedReplyError: The bytes are not a reply.
        RefusedError: The unit refused the command.
        UnsupportedReplyError: The report is missing from the reply, or has neither a rate nor an uptime.
    """
    reply = wire.accept(wire.decode_reply(data, "summary"))
    repairs = set(reply.repairs)
    fields = first_row(reply, "SUMMARY")
    row = Row(fields, repairs)
    is_new_api = row.has(_NEW_API_RATES.five_s, _NEW_API.uptime)
    keys = _NEW_API if is_new_api else _LEGACY
    rates = _new_api_rates(fields, row) if is_new_api else read_rates(fields, repairs)
    if rates == Rates() and not row.has(_LEGACY.uptime, _NEW_API.uptime):
        raise UnsupportedReplyError(f"summary: neither a rate nor Elapsed: {excerpt(data)!r}")
    return SummaryReading(
        uptime_s=row.number(keys.uptime, MAX_UPTIME_S),
        rates=rates,
        shares=ShareReading(
            at=at,
            accepted=row.whole(SHARE_KEYS.accepted),
            rejected=row.whole(SHARE_KEYS.rejected),
            stale=row.whole(SHARE_KEYS.stale),
            difficulty_accepted=row.number(SHARE_KEYS.difficulty_accepted, MAX_DIFFICULTY),
            difficulty_rejected=row.number(SHARE_KEYS.difficulty_rejected, MAX_DIFFICULTY),
            difficulty_stale=row.number(SHARE_KEYS.difficulty_stale, MAX_DIFFICULTY),
            hw_errors=row.whole(keys.hw_errors),
            best_share=row.number(keys.best_share, MAX_DIFFICULTY),
        ),
        faults=_faults(fields.get(_FAULT_LIST)),
        repairs=tuple(sorted(repairs)),
    )


def _new_api_rates(fields: Mapping[str, Any], row: Row) -> Rates:
    rate_unit = fields.get(_RATE_UNIT)
    factor = hashes_per_unit(rate_unit if isinstance(rate_unit, str) else None, "summary")
    return Rates(
        five_s_hs=row.number(_NEW_API_RATES.five_s, MAX_HASHRATE_HS, factor),
        thirty_min_hs=row.number(_NEW_API_RATES.thirty_min, MAX_HASHRATE_HS, factor),
        average_hs=row.number(_NEW_API_RATES.average, MAX_HASHRATE_HS, factor),
    )


# Documented (D53, D102): the codes of the pages' error table. The number before the colon is a board or fan.
_CODE: Final = re.compile(r"([A-Z])[0-9]*:([0-9]+)")
_FAULT_OF_LETTER: Final[Mapping[str, Fault]] = {
    "F": Fault.FAN,
    "V": Fault.SUPPLY,
    "J": Fault.BOARD,
    "R": Fault.LOW_RATE,
}
_FAULT_OF_CODE: Final[Mapping[tuple[str, str], Fault]] = {
    ("P", "1"): Fault.TOO_HOT,
    ("P", "2"): Fault.TOO_COLD,
    ("N", "4"): Fault.POOLS,
}
_FAULT_OF_TYPE: Final[Mapping[str, Fault]] = {"fans": Fault.FAN, "network": Fault.POOLS, "rate": Fault.LOW_RATE}
_MAX_FAULTS: Final = 16


def _faults(items: Any) -> tuple[Fault, ...]:
    """Return the faults in the `status` list of a new_api summary, each once, in the order of `Fault`.

    Observed (O44): one item each for rate, network, fans and temperature, with status ``s`` when fine.
    """
    if not isinstance(items, list):
        return ()
    found = {
        _fault(item) for item in items[:_MAX_FAULTS] if isinstance(item, dict) and item.get("status") in ("e", "w")
    }
    return tuple(fault for fault in Fault if fault in found)


def _fault(item: Mapping[str, Any]) -> Fault:
    match = _CODE.search(str(item.get("msg"))[:80])
    fault = None
    if match is not None:
        fault = _FAULT_OF_LETTER.get(match[1]) or _FAULT_OF_CODE.get((match[1], match[2]))
    return fault or _FAULT_OF_TYPE.get(str(item.get("type")), Fault.UNNAMED)
