"""The `summary` report in either dialect: rates over several windows, uptime, share counters and faults."""

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from agent.errors import UnsupportedReplyError, excerpt
from agent.unit.cgminer import wire
from agent.unit.cgminer.rates import Rates, hashes_per_unit, read_rates
from agent.unit.cgminer.rows import Row, first_row
from agent.unit.limits import MAX_DIFFICULTY, MAX_HASHRATE_HS, MAX_UPTIME_S
from agent.unit.reading import Fault, ShareReading


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
    is_new_api = row.has("rate_5s", "elapsed")
    rates = _new_api_rates(fields, row) if is_new_api else read_rates(fields, repairs)
    if rates == Rates() and not row.has("Elapsed", "elapsed"):
        raise UnsupportedReplyError(f"summary: neither a rate nor Elapsed: {excerpt(data)!r}")
    return SummaryReading(
        uptime_s=row.number("elapsed" if is_new_api else "Elapsed", MAX_UPTIME_S),
        rates=rates,
        shares=ShareReading(
            at=at,
            accepted=row.whole("Accepted"),
            rejected=row.whole("Rejected"),
            stale=row.whole("Stale"),
            difficulty_accepted=row.number("Difficulty Accepted", MAX_DIFFICULTY),
            difficulty_rejected=row.number("Difficulty Rejected", MAX_DIFFICULTY),
            difficulty_stale=row.number("Difficulty Stale", MAX_DIFFICULTY),
            hw_errors=row.whole("hw_all" if is_new_api else "Hardware Errors"),
            best_share=row.number("bestshare" if is_new_api else "Best Share", MAX_DIFFICULTY),
        ),
        faults=_faults(fields.get("status")),
        repairs=tuple(sorted(repairs)),
    )


def _new_api_rates(fields: Mapping[str, Any], row: Row) -> Rates:
    rate_unit = fields.get("rate_unit")
    factor = hashes_per_unit(rate_unit if isinstance(rate_unit, str) else None, "summary")
    return Rates(
        five_s_hs=row.number("rate_5s", MAX_HASHRATE_HS, factor),
        thirty_min_hs=row.number("rate_30m", MAX_HASHRATE_HS, factor),
        average_hs=row.number("rate_avg", MAX_HASHRATE_HS, factor),
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
