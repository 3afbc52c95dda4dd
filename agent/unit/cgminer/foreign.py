"""Other answers on port 4028 of a unit: other protocols by their first bytes, other makes by their JSON.

Looked at only when a reply cannot be read, so it costs healthy units nothing.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from agent.errors import ForeignProtocolError, excerpt

# First bytes of a server's answer or greeting. Documented (D103): ePIC firmware serves HTTP on 4028. The others are
# standard protocols; Documented (D104) names the specifications.
_PROTOCOLS: Final[Sequence[tuple[re.Pattern[bytes], str]]] = tuple(
    (re.compile(pattern, re.IGNORECASE | re.DOTALL), speaker)
    for pattern, speaker in (
        (rb"\s*HTTP/\d", "HTTP"),
        (rb"\s*<(?:!DOCTYPE\s|html|\?xml|head|body|title|center|h1)", "HTTP"),
        (rb"[\x14\x15\x16\x17]\x03[\x00-\x04]", "TLS"),
        (rb"SSH-\d", "SSH"),
        (rb"\xff[\xfb-\xfe].", "Telnet"),
        (rb"[-+](?:ERR|NOAUTH|WRONGPASS|DENIED|MISCONF|LOADING|PONG|OK\r\n)", "Redis"),
        (rb"\x20\x02[\x00\x01]", "MQTT"),
        (rb"RTSP/\d", "RTSP"),
        (rb"RFB \d{3}\.", "VNC"),
        (rb"220[ -]", "FTP or SMTP"),
        (rb"\* OK\b", "IMAP"),
        (rb"\+OK\b", "POP3"),
        (rb"\s*SIP/\d", "SIP"),
        (rb"\s*ERROR\r?\n", "memcached"),
    )
)
_LONGEST_LINE: Final = 4096
_HTTP_HINT: Final = " (ePIC firmware does)"

# Descriptions of other makes' programs. Documented (D105): public recordings of each.
_DESCRIPTIONS: Final[Sequence[tuple[str, str]]] = (
    ("whatsminer", "a Whatsminer"),
    ("btminer", "a Whatsminer"),
    ("bdminer", "a SealMiner"),
    ("gcminer", "an Auradine"),
)
_WHATSMINER_KEYS: Final = frozenset({"HS RT", "Factory GHS", "Chip Temp Avg", "Upfreq Complete"})
_WHATSMINER_CODES: Final = range(130, 140)


def foreign_bytes(data: bytes) -> ForeignProtocolError | None:
    """Return the error for bytes of another protocol, whole or not; None if they may be a unit's."""
    if data.lstrip().startswith(b"{"):
        return _foreign_line(data.lstrip())
    start = data[:200]
    for pattern, speaker in _PROTOCOLS:
        if pattern.match(start):
            hint = _HTTP_HINT if speaker == "HTTP" else ""
            return _error(f"something that speaks {speaker} answers on 4028{hint}: {excerpt(start)!r}", speaker)
    return None


def _foreign_line(data: bytes) -> ForeignProtocolError | None:
    """Return the error for a first line that is an object of another protocol; Stratum sends one a line."""
    line, _, _ = data[:_LONGEST_LINE].partition(b"\n")
    try:
        body = msgspec.json.decode(line.rstrip(b"\0\r "))
    except (ValueError, RecursionError):
        return None
    return foreign_object(body) if isinstance(body, dict) else None


def foreign_object(body: Mapping[str, Any]) -> ForeignProtocolError | None:
    """Return the error for a JSON object of Stratum or of another make; None if it may be an Antminer's."""
    speaker = _stratum(body) or _whatsminer(body) or _described(body) or _avalon(body)
    if speaker is None:
        return None
    return _error(f"{speaker} answers on 4028, not an Antminer: {excerpt(repr(body)[:200].encode())!r}", speaker)


def _error(message: str, speaker: str) -> ForeignProtocolError:
    return ForeignProtocolError(message, speaker=speaker)


def _stratum(body: Mapping[str, Any]) -> str | None:
    if "STATUS" in body:
        return None
    if "jsonrpc" in body:
        return "a JSON-RPC server"
    method = body.get("method")
    if isinstance(method, str) and method.startswith(("mining.", "client.", "eth_")):
        return "a Stratum server"
    if "id" in body and ("result" in body or "error" in body):
        return "a Stratum server"
    return None


def _whatsminer(body: Mapping[str, Any]) -> str | None:
    # Documented (D105): STATUS is a letter and not a list, with Code 131 for a success and 132 to 136 for refusals; API
    # version 3 has `code`, `desc` and `msg` in lower case.
    status = body.get("STATUS")
    if isinstance(status, str) and ("Code" in body or "Msg" in body):
        return "a Whatsminer"
    code = body.get("code")
    if isinstance(code, int) and ("desc" in body or ("msg" in body and ("status" in body or "when" in body))):
        return "a Whatsminer"
    if isinstance(body.get("status"), str) and code in _WHATSMINER_CODES:
        return "a Whatsminer"
    row = _first(body.get("SUMMARY"))
    return "a Whatsminer" if row and not _WHATSMINER_KEYS.isdisjoint(row) else None


def _described(body: Mapping[str, Any]) -> str | None:
    status = _first(body.get("STATUS")) or {}
    described = str(status.get("Description"))[:80].casefold()
    return next((speaker for beginning, speaker in _DESCRIPTIONS if described.startswith(beginning)), None)


def _avalon(body: Mapping[str, Any]) -> str | None:
    version = _first(body.get("VERSION")) or {}
    stats = _first(body.get("STATS")) or {}
    names_itself = str(version.get("PROD")).casefold().startswith("avalon")
    return "an Avalon" if names_itself or any(key.startswith("MM ID") for key in stats) else None


def _first(items: Any) -> Mapping[str, Any] | None:
    """Return the first object of a list, or the object itself."""
    if isinstance(items, list):
        items = items[0] if items else None
    return items if isinstance(items, dict) else None
