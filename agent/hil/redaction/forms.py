"""Texts that tell by their form, wherever they stand: URLs, e-mail, MAC and IP addresses. Pure."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from agent.hil.redaction.addresses import IPV4, IPV6, MAC, is_telling_ipv4, is_telling_ipv6, is_telling_mac
from agent.hil.redaction.harmless import is_known_host, known_ending
from agent.hil.redaction.kinds import Kind, Reason
from agent.hil.redaction.pieces import Path
from agent.hil.redaction.telling import WORDS_OF_NAME, says_nothing

_URL: Final = re.compile(
    r"(?<![0-9A-Za-z\x80-\U0001ffff])[A-Za-z\x80-\U0001ffff][0-9A-Za-z\x80-\U0001ffff+.-]{0,30}://([^\s\0/?#\"'<>\\,;|]*)"
)
_EMAIL: Final = re.compile(
    r"(?<![^\s\0<>(),;:\"'=\[\]|/])([^\s\0<>(),;:\"'=\[\]|@/]{1,64})"
    r"@([0-9A-Za-z\x80-\U0001ffff.-]{1,253})"
)
# Stock firmware's version of its miner: 49.0.1.3, 16.8.1.3. From s19pro-stock-202212, other-s9-stock-2018.
_VERSION_OF_FOUR: Final = re.compile(r"[1-9][0-9]\.[0-9]\.[01]\.[0-3]|[2-9]\.0\.0\.[0-9]")
_KEYS_OF_VERSIONS: Final = frozenset({"miner", "version", "ver", "fw", "firmware"})
BLANK: Final = "\0"


class Way(StrEnum):
    """The replacement of a text."""

    ATOMS = "each run of letters and digits, but the ending of a host name"
    OPAQUE = "each run of anything but blanks, hyphens, underscores and dots, but the ending of a host name"
    MAC = "as a MAC address"
    IPV4 = "as an IPv4 address"
    IPV6 = "as an IPv6 address"


@dataclass(frozen=True, slots=True, kw_only=True)
class Find:
    """One stretch of a text.

    Attributes:
        start: Where it begins.
        end: Where it ends.
        kind: What it is.
        way: How it is replaced; None if it stays.
        reason: Why it stays; None if it is replaced.
    """

    start: int
    end: int
    kind: Kind
    way: Way | None
    reason: Reason | None = None


def blanked(text: str, finds: list[Find], blank: str = BLANK) -> str:
    """Return a text of the same length, with NUL or another character wherever something was found."""
    parts: list[str] = []
    at = 0
    for find in sorted(finds, key=lambda one: one.start):
        parts += (text[at : find.start], blank * (find.end - find.start))
        at = find.end
    return "".join((*parts, text[at:]))


def find_forms(text: str, path: Path, *, is_given: bool = False) -> tuple[list[Find], str]:
    """Return what tells by its form, and what is known to tell nothing although it has such a form.

    Args:
        text: Where to look.
        path: Where that stands.
        is_given: True for a text that was declared secret: private addresses tell there too.

    Returns:
        Stretches without overlap, and the text without them.
    """
    finds: list[Find] = []
    for is_possible, search in (
        ("://" in text, _urls),
        ("@" in text, _emails),
        (_may_hold_mac(text), _macs),
        (text.count(":") > 1, _ipv6),
        (text.count(".") > 2, _ipv4),
    ):
        if is_possible:
            found = list(search(text, path))
            if is_given:
                found = [_given(find, text) for find in found]
            finds += found
            text = blanked(text, found)
    return finds, text


def find_host(start: int, host: str) -> Iterator[Find]:
    """Yield the telling part of a host name; nothing for an IP address, which is found by its own form."""
    if not host.strip(".-") or IPV4.fullmatch(host) or host.startswith("["):
        return
    if is_known_host(host):
        yield Find(start=start, end=start + len(host), kind=Kind.HOST, way=None, reason=Reason.POOL)
        return
    known = known_ending(host)
    end = len(host) if known is None else len(host) - len(known) - 1
    yield Find(start=start, end=start + end, kind=Kind.HOST, way=Way.ATOMS)
    if known is not None:
        yield Find(start=start + end, end=start + len(host), kind=Kind.HOST, way=None, reason=Reason.POOL)


def _urls(text: str, _: Path) -> Iterator[Find]:
    for found in _URL.finditer(text):
        user, at, host = found[1].rpartition("@")
        if at and not says_nothing(user):
            yield Find(start=found.start(1), end=found.start(1) + len(user), kind=Kind.USER, way=Way.ATOMS)
        yield from find_host(found.end(1) - len(host), host.partition(":")[0])


def _emails(text: str, _: Path) -> Iterator[Find]:
    for found in _EMAIL.finditer(text):
        if not says_nothing(found[1]):
            yield Find(start=found.start(1), end=found.end(1), kind=Kind.EMAIL, way=Way.ATOMS)
        yield from find_host(found.start(2), found[2])


def _may_hold_mac(text: str) -> bool:
    return text.count(".") > 1 or any(text.count(separator) > 4 for separator in ":-_")


def _macs(text: str, _: Path) -> Iterator[Find]:
    for found in MAC.finditer(text):
        if is_telling_mac(found[0]):
            yield Find(start=found.start(), end=found.end(), kind=Kind.MAC, way=Way.MAC)


def _ipv6(text: str, _: Path) -> Iterator[Find]:
    yield from _addresses(IPV6, is_telling_ipv6, Way.IPV6, text)


def _ipv4(text: str, path: Path) -> Iterator[Find]:
    key = next((part for part in reversed(path) if isinstance(part, str)), "")
    is_version = not _KEYS_OF_VERSIONS.isdisjoint(word.lower() for word in WORDS_OF_NAME.findall(key))
    for find in _addresses(IPV4, is_telling_ipv4, Way.IPV4, text):
        if is_version and find.way and _VERSION_OF_FOUR.fullmatch(text[find.start : find.end]):
            yield Find(start=find.start, end=find.end, kind=find.kind, way=None, reason=Reason.VERSION)
        else:
            yield find


def _addresses(
    pattern: re.Pattern[str], is_telling: Callable[[str], bool | None], way: Way, text: str
) -> Iterator[Find]:
    for found in pattern.finditer(text):
        telling = is_telling(found[0])
        if telling:
            yield Find(start=found.start(), end=found.end(), kind=Kind.ADDRESS, way=way)
        elif telling is False:
            reason = Reason.PRIVATE
            yield Find(start=found.start(), end=found.end(), kind=Kind.ADDRESS, way=None, reason=reason)


def _given(find: Find, text: str) -> Find:
    if find.reason is not Reason.PRIVATE:
        return find
    way = Way.IPV6 if ":" in text[find.start : find.end] else Way.IPV4
    return Find(start=find.start, end=find.end, kind=Kind.GIVEN, way=way)
