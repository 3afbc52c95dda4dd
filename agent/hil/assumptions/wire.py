"""Checks of how replies come: framing, sizes, times, refusals, ports."""

import re
from collections.abc import Iterator
from statistics import median
from typing import Final

import msgspec

from agent.hil.assumptions.check import Check, Observation
from agent.hil.assumptions.recorded import Exchange
from agent.hil.assumptions.view import View
from agent.unit.cgminer import wire

_STRINGS: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"')
_HASH_SIDE: Final = 6060
_LEGACY_ONLY: Final = ("version", "devs")


def _on_api(view: View) -> Iterator[Exchange]:
    return (each for each in view.recorded.exchanges if not each.request.startswith("page "))


def _about(exchange: Exchange, value: str, *, holds: bool) -> Observation:
    return Observation(holds, exchange.request, value, exchange.at_s)


def _one_nul(view: View) -> Iterator[Observation]:
    for each in _on_api(view):
        if each.reply and each.has_nul is not None:
            yield _about(
                each, "NUL" if each.has_nul else "no NUL", holds=each.has_nul and not each.reply.endswith(b"\0")
            )


def _no_blanks(view: View) -> Iterator[Observation]:
    if not view.recorded.is_raw:
        return
    for answers in (*view.answers.values(), view.refusals):
        for answer in answers:
            if answer.is_new_api or answer.exchange.request.startswith("page "):
                continue
            blanks = len(re.findall(rb"[ \t\r\n]", _STRINGS.sub(b"", answer.exchange.reply.strip())))
            yield _about(answer.exchange, f"{blanks} blanks", holds=not blanks)


def _within_a_second(view: View) -> Iterator[Observation]:
    for each in _on_api(view):
        if each.reply and each.took_s is not None and each.state == "hashing":
            yield _about(each, f"{each.took_s:.3f} s", holds=each.took_s <= 1.0)


def _typical_times(view: View) -> Iterator[Observation]:
    times = [
        each.took_s for each in _on_api(view) if each.reply and each.took_s is not None and each.state == "hashing"
    ]
    if times:
        typical = median(times)
        yield Observation(0.03 <= typical <= 0.15, "TCP 4028", f"median {1000 * typical:.0f} ms of {len(times)}", 0.0)


def _small(view: View) -> Iterator[Observation]:
    for each in _on_api(view):
        if each.reply:
            brackets, commas = each.reply.count(b"[") + each.reply.count(b"{"), each.reply.count(b",")
            holds = (
                len(each.reply) <= wire.MAX_REPAIRED_BYTES
                and brackets <= wire.MAX_BRACKETS
                and commas <= wire.MAX_REPAIRED_COMMAS
            )
            yield _about(each, f"{len(each.reply)} bytes, {brackets} brackets, {commas} commas", holds=holds)


def _legacy_reports(view: View) -> Iterator[Observation]:
    for report in _LEGACY_ONLY:
        for answer in (*view.answers.get(report, ()), *view.refusals):
            if answer.exchange.request == f"{report} new_api":
                is_legacy = not answer.is_new_api and answer not in view.refusals
                yield _about(answer.exchange, "legacy reply" if is_legacy else "other reply", holds=is_legacy)


def _without_status(view: View) -> Iterator[Observation]:
    if not view.recorded.is_raw:
        return
    for each in _on_api(view):
        try:
            body = msgspec.json.decode(each.reply, type=dict[str, object])
        except (ValueError, RecursionError):
            continue
        if "STATUS" not in body:
            has_data = any(isinstance(value, list) and value for value in body.values())
            yield _about(each, "data" if has_data else "no data", holds=has_data)


def _hash_side(view: View) -> Iterator[Observation]:
    port = view.recorded.ports.get(_HASH_SIDE)
    if port is not None:
        yield Observation(port == "open", f"TCP {_HASH_SIDE}", port, 0.0)


CHECKS: Final = (
    Check("A01", "replies whose last bytes were kept", _one_nul),
    Check("A04", "legacy replies byte for byte", _no_blanks),
    Check("A05", "times of replies while it hashes", _within_a_second),
    Check("A06", "times of replies while it hashes", _typical_times),
    Check("A07", "`version` or `devs` asked with new_api", _legacy_reports),
    Check("A09", "a reply without STATUS, byte for byte", _without_status),
    Check("A51", "whether TCP 6060 is open", _hash_side),
    Check("A100", "any reply", _small),
)
