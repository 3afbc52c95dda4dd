"""Secrets of every kind, and every string of a capture as a place to plant one."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from capture_files import replies_in
from hypothesis import strategies as st

from agent.hil.redaction.redactor import Redactor

# The redaction has a scanner of its own; these expressions know nothing of it.
_DOUBLE = re.compile(rb'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_SINGLE = re.compile(rb"'((?:[^'\\]|\\.)*)'", re.DOTALL)
_LOWER = "abcdefghijklmnopqrstuvwxyz"
_UPPER = _LOWER.upper()
# One of each kind. Names begin with letters that no word of the trade begins with.
SECRETS = {
    "serial": "SMTTYQZQDJAAI019K",
    "board serial": "YNAHQZPDBCJEBC0C7T",
    "mac": "A4:5C:11:9B:02:7F",
    "mac with hyphens": "a4-5c-11-9b-02-7f",
    "mac without letters": "10:22:33:44:55:66",
    "bare mac": "a45c119b027f",
    "dotted mac": "a45c.119b.027f",
    "miner id": "8144d5ca79104814",
    "uuid": "c53a7f3d-71ee-4c1e-b45e-50a6c2164dad",
    "account and worker": "qzaccount.c3r12u05",
    "account": "Qzaccount",
    "worker by address": "qzacc.10x0x12x7",
    "mail": "qz.jones@quarryzone.com",
    "bitcoin": "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4",
    "old bitcoin": "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2",
    "host": "gw-7.quarryzone.net",
    "host of a country": "pool.quarryzone.us",
    "ipv4": "8.34.117.20",
    "short ipv4": "5.6.7.8",
    "ipv6": "2a01:4f8:c17:2d::15",
    "link-local": "fe80::a65c:11ff:fe9b:27f",
    "wifi": "Qz Bergwerk 2.4 GHz",
    "wifi of signs": 'Qz\'n "Net"!',
    "umlauts": "Qzüge Höhle",
    "chinese": "矿场一号",
}


@st.composite
def secrets(draw: st.DrawFn) -> str:
    """Draw a secret of some kind. None is a word, a number, a model or a private address."""
    name = draw(st.text(_LOWER, min_size=3, max_size=9))
    upper = draw(st.text(_UPPER + "0123456789", min_size=8, max_size=14))
    number = draw(st.integers(1, 2**24 - 1))
    octets = [f"{number >> shift & 255:02x}" for shift in (16, 8, 0)]
    kind = draw(st.sampled_from(range(10)))
    return (
        f"QZ{upper}",
        ":".join(("a4", "5c", "1d", *octets)),
        "-".join(("A4", "5C", "1D", *octets)).upper(),
        "a45c1d" + "".join(octets),
        f"qz{name}",
        f"qz{name}.w{number}",
        f"qz{name}@qz{name}.org",
        f"gw{number}.qz{name}.com",
        f"{11 + number % 80}.{number % 200}.{number // 256 % 256}.{number // 65536 % 200 + 1}",
        f"2a03:{number % 65535 + 1:x}::{number // 256 + 1:x}",
    )[kind]


def places(data: bytes) -> list[tuple[int, int]]:
    """Return where the contents of the strings of a reply begin and end; keys are strings too."""
    pattern = _DOUBLE if data.count(b'"') >= data.count(b"'") else _SINGLE
    return [found.span(1) for found in pattern.finditer(data)]


def planted(data: bytes, secrets_by_place: Mapping[tuple[int, int], str]) -> bytes:
    """Return a reply with secrets in place of some of its strings."""
    parts: list[bytes] = []
    at = 0
    for (start, end), secret in sorted(secrets_by_place.items()):
        parts += (data[at:start], written(secret))
        at = end
    return b"".join((*parts, data[at:]))


def written(secret: str) -> bytes:
    """Return a secret as it stands in JSON."""
    return json.dumps(secret, ensure_ascii=False).encode()[1:-1]


def capture_of(folder: Path) -> dict[str, bytes]:
    """Return the replies and pages of a capture by name, in order."""
    return {path.name: path.read_bytes() for path in replies_in(folder)}


def redacted(capture: Mapping[str, bytes], redactor: Redactor | None = None) -> dict[str, bytes]:
    """Return a capture as a recorder writes it: all of it surveyed, then all of it redacted."""
    redactor = redactor or Redactor()
    for name, data in capture.items():
        redactor.survey(name, data)
    return {name: redactor.redact(name, data) for name, data in capture.items()}


def strings(value: object) -> Iterator[str]:
    """Yield the strings of decoded JSON that are not keys."""
    if isinstance(value, dict):
        for inner in value.values():
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)
    elif isinstance(value, str):
        yield value
