"""Checks of the form of replies: JSON of the CGMiner API, four reports in one of two dialects, refusals that say so."""

from collections.abc import Iterator
from typing import Final

import msgspec

from agent.errors import PollError, RefusedError, excerpt
from agent.hil.verify.observed import (
    LEGACY_REPORTS,
    POOLS,
    REPORTS,
    STATS,
    STATS_NEW_API,
    SUMMARY,
    SUMMARY_NEW_API,
    UNKNOWN,
    VERSION,
    Observed,
    is_new_dialect,
    number,
    shown,
)
from agent.hil.verify.verdict import Finding, UnansweredError
from agent.unit.cgminer import wire

# Observed (O06): s21-stock-aml-202407, s19pro-stock-202212.
_UNKNOWN_COMMAND: Final = 14
_CODES: Final = {VERSION: 22, SUMMARY: 11, STATS: 70, POOLS: 7}


def replies_are_json(look: Observed) -> Iterator[Finding]:
    """Each whole reply of the unit is JSON as it is, without a repair."""
    is_any = False
    for reply in look.replies.values():
        if not reply.is_whole or not reply.is_complete or reply.request in look.strangers:
            continue
        if look.is_epic and not reply.is_page:
            # Documented (D161): it answers reports with status 400.
            continue
        is_any = True
        data = reply.data or b""
        try:
            msgspec.json.decode(data.strip(b"\0 \t\r\n"))
        except (ValueError, RecursionError) as error:
            yield Finding(path=reply.request, found=f"{error}: {excerpt(data)!r}", expected="JSON")
    if not is_any:
        raise UnansweredError("no whole reply was recorded")


def no_stranger_answers(look: Observed) -> Iterator[Finding]:
    """No other protocol and no other make answers on TCP 4028."""
    for request, speaker in look.strangers.items():
        yield Finding(path=request, found=speaker, expected="the CGMiner API")
    if not any(reply.data for reply in look.replies.values()):
        raise UnansweredError("no reply was recorded")


def reports_are_not_refused(look: Observed) -> Iterator[Finding]:
    """`version`, `summary`, `stats` and `pools` are answered; `stats` in one dialect at least."""
    is_any = False
    refused: list[str] = []
    for request in (*LEGACY_REPORTS, STATS_NEW_API):
        try:
            is_refusal = look.is_refusal(request)
        except UnansweredError:
            continue
        is_any = True
        if is_refusal:
            refused.append(request)
    if not is_any:
        raise UnansweredError("no report was recorded")
    if (STATS in refused) != (STATS_NEW_API in refused):
        # Documented (D13), assumed (A34): one dialect is enough, and a unit may know one alone.
        refused = [request for request in refused if not request.startswith(STATS)]
    for request in refused:
        yield Finding(path=request, found=shown(look.body(request)["STATUS"]), expected="a report")


def reports_hold_their_list(look: Observed) -> Iterator[Finding]:
    """A report that is answered holds a list named like it, with at least one object."""
    is_any = False
    for request in REPORTS:
        try:
            if look.is_refusal(request):
                continue
            body = look.body(request)
        except UnansweredError:
            continue
        is_any = True
        name = request.partition(" ")[0].upper()
        rows = body.get(name)
        if not isinstance(rows, list) or not any(isinstance(row, dict) for row in rows):
            yield Finding(path=f"{request}: {name}", found=shown(rows), expected="a list with an object")
    if not is_any:
        raise UnansweredError("no report was answered")


def successes_have_their_codes(look: Observed) -> Iterator[Finding]:
    """A legacy report has STATUS `S` and its own code. Observed (O06)."""
    is_any = False
    for request, code in _CODES.items():
        try:
            if look.is_refusal(request) or is_new_dialect(look.body(request)):
                continue
            status = look.body(request).get("STATUS")
        except UnansweredError:
            continue
        if not isinstance(status, list) or not status or not isinstance(status[0], dict):
            continue
        is_any = True
        letter, told = status[0].get("STATUS"), number(status[0].get("Code"))
        if letter != "S" or told != code:
            yield Finding(path=f"{request}: STATUS[0]", found=f"{letter} {shown(told)}", expected=f"S {code}")
    if not is_any:
        raise UnansweredError("no legacy report with a STATUS was recorded")


def dialects_have_their_shape(look: Observed) -> Iterator[Finding]:
    """`new_api` gets STATUS and INFO as objects, or the legacy shape; a legacy request gets the legacy shape."""
    is_any = False
    for request in REPORTS:
        try:
            body = look.body(request)
        except UnansweredError:
            continue
        if "STATUS" not in body:
            # Assumed (A09): only sanitised captures lack it.
            continue
        is_any = True
        if is_new_dialect(body):
            if not request.endswith("new_api"):
                yield Finding(path=f"{request}: STATUS", found="an object", expected="a list, as legacy")
            elif not isinstance(body.get("INFO"), dict) and not look.is_refusal(request):
                yield Finding(path=f"{request}: INFO", found=shown(body.get("INFO")), expected="an object (O09)")
        elif not isinstance(body.get("STATUS"), list):
            yield Finding(path=f"{request}: STATUS", found=shown(body["STATUS"]), expected="a list or an object")
    if not is_any:
        raise UnansweredError("no reply with a STATUS was recorded")


def new_api_stands_for_itself(look: Observed) -> Iterator[Finding]:
    """`stats` and `summary` know `new_api` alike: both in the new dialect, or both legacy."""
    stats, summary = look.body(STATS_NEW_API), look.body(SUMMARY_NEW_API)
    if is_new_dialect(stats) != is_new_dialect(summary):
        yield Finding(
            path=SUMMARY_NEW_API,
            found="new dialect" if is_new_dialect(summary) else "legacy",
            expected="the dialect of stats",
        )


def unknown_commands_are_refused(look: Observed) -> Iterator[Finding]:
    """A command that stock firmware does not know gets STATUS `E` and says so. Observed (O03), documented (D10)."""
    if not look.is_stock:
        raise UnansweredError("another maker's firmware, which may know the command")
    body = look.body(UNKNOWN)
    try:
        wire.accept(wire.decode_reply(look.reply(UNKNOWN).data or b"", UNKNOWN))
    except RefusedError as error:
        if not _says_unknown(error):
            yield Finding(path=UNKNOWN, found=str(error), expected="code 14 (O03)")
    except PollError as error:
        yield Finding(path=UNKNOWN, found=str(error), expected="a refusal")
    else:
        yield Finding(path=UNKNOWN, found=shown(body.get("STATUS")), expected="a refusal")


def _says_unknown(error: RefusedError) -> bool:
    """Return True if the refusal is the one by which the agent knows that `new_api` is not known."""
    return error.code == _UNKNOWN_COMMAND or (error.code in {0, None} and "nvalid command" in str(error))
