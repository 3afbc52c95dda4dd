"""Finder of what must be replaced in a text, with why the rest may stay. Pure."""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from agent.hil.redaction.addresses import BARE_MAC
from agent.hil.redaction.forms import Find, Way, blanked, find_forms, find_host
from agent.hil.redaction.harmless import (
    ATOM,
    CHUNK,
    known_ending,
    strongest,
    why_chunk,
    why_key_atom,
    without_signs,
)
from agent.hil.redaction.kinds import Kind, Reason
from agent.hil.redaction.learned import OPAQUE, SHORTEST_NUMBER, Learned
from agent.hil.redaction.pieces import ATTRIBUTE, Path, Piece, Role
from agent.hil.redaction.pseudonyms import is_wallet
from agent.hil.redaction.telling import kind_at, kind_of_key, says_nothing
from agent.hil.redaction.vocabulary import ENDINGS

# `User=name|Pass=x`: CGMiner's text form, queries of URLs and attributes outside of quotes.
_ASSIGNED: Final = re.compile(
    r"(?<![0-9A-Za-z\x80-\U0001ffff_-])([A-Za-z][0-9A-Za-z_ -]{0,40})=([^\s,|;&\"'<>\]})]{1,1000})"
)
# What directly follows a key outside of quotes, or a quoted value in its list: a number, or numbers in a list.
_FIGURES_OF_KEY: Final = re.compile(r"\s{0,60}[:,][\s,\[0-9.eE+-]*")
_NUMBER_OF_KEY: Final = re.compile(r"(?<![0-9.eE+])([0-9]{5,40})(?=[\s,}\]\x00]|\Z)")
# A number of JSON outside of quotes; letters in place of its exponent would not be one.
_FIGURE: Final = re.compile(r"(?:0|[1-9][0-9]{0,19})(?:\.[0-9]{1,24})?[eE]-?[0-9]{1,6}")
# The line before each part of a body that is sent in parts (RFC 9112) frames it.
_PART_SIZE: Final = re.compile(r"(?:\A|(?<=\n))[0-9A-Fa-f]{1,4}(?=\r?\n|\Z)")
_CLOCK: Final = re.compile(r"[0-9]:[0-9]{2}:[0-9]{2}")
# From the first letter or digit to the last one before something else was found.
_RUN: Final = re.compile(r"[0-9A-Za-z\x80-\U0001ffff](?:[^\0]*[0-9A-Za-z\x80-\U0001ffff])?")
# In names of fields there are blanks and ``%_-./:()[]+#&*,|``, but none of these.
_NO_NAME: Final = re.compile(r"[\x00-\x1f!\"'$;<=>?@\\^`{}~\x7f]")
# Stands for each character of a secret while the text around it is judged: a letter that is in no harmless text.
_HIDDEN: Final = "\U0001ffff"
_NOT_HIDDEN: Final = re.compile(f"[^{_HIDDEN}]+")
_TWELVE: Final = re.compile(r"[0-9a-f]{12}|[0-9A-F]{12}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """Findings in one text.

    Attributes:
        finds: What has to be replaced, from left to right, without overlap.
        reason: Why the whole text stays; None if something is replaced.
    """

    finds: tuple[Find, ...]
    reason: Reason | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """One value that its key marks as secret, and where it stands in its text.

    Attributes:
        start: Where the value begins.
        end: Where it ends.
        key: Where the key begins, if both stand in the same text; else the same as `start`.
        kind: What it is.
    """

    start: int
    end: int
    key: int
    kind: Kind


def telling_values(piece: Piece) -> Iterator[Telling]:
    """Yield the values that a key marks as secret.

    A number of fewer than five digits outside of quotes is a count.
    """
    if piece.role is Role.KEY:
        return
    text = piece.cells.text
    kind = kind_at(piece.path)
    if kind and piece.role is Role.QUOTED and not says_nothing(text):
        yield Telling(start=0, end=len(text), key=0, kind=kind)
        return
    if kind and piece.role is Role.BARE and (figures := _FIGURES_OF_KEY.match(text)):
        for number in _NUMBER_OF_KEY.finditer(text, 0, figures.end() + 1):
            if number.end() <= figures.end():
                yield Telling(start=number.start(1), end=number.end(1), key=number.start(1), kind=kind)
    if "=" in text:
        for found in _ASSIGNED.finditer(text):
            kind = kind_of_key(found[1]) or kind_of_key(found[1].rpartition(" ")[2])
            is_count = found[2].isdecimal() and len(found[2]) < SHORTEST_NUMBER
            if kind and not is_count and not says_nothing(found[2]):
                yield Telling(start=found.start(2), end=found.end(2), key=found.start(1), kind=kind)
    if piece.role is Role.BARE and (name := ATTRIBUTE.search(text, max(len(text) - 64, 0))) and kind_of_key(name[1]):
        yield Telling(start=len(text), end=len(text), key=name.start(), kind=Kind.TEXT)


def find_secret(text: str, start: int, end: int, kind: Kind, path: Path) -> list[Find]:
    """Return how a stretch that is known to be secret is replaced: all of it but private addresses.

    Args:
        text: The text around it.
        start: Where it begins.
        end: Where it ends.
        kind: What it is.
        path: Where the text stands.
    """
    secret = without_signs(text[start:end])
    finds, rest = find_forms(secret, path, is_given=kind is Kind.GIVEN)
    if kind in OPAQUE and not (rest.strip("\0") == "" and len(finds) == 1 and finds[0].way):
        return [Find(start=start, end=end, kind=kind, way=Way.OPAQUE)]
    if kind in {Kind.MAC, Kind.IDENTIFIER} and _TWELVE.fullmatch(secret):
        return [Find(start=start, end=end, kind=kind, way=Way.MAC)]
    runs = _RUN.finditer(rest)
    finds += [Find(start=run.start(), end=run.end(), kind=kind, way=Way.ATOMS) for run in runs]
    return [
        Find(start=start + find.start, end=start + find.end, kind=find.kind, way=find.way, reason=find.reason)
        for find in finds
    ]


def judge(piece: Piece, learned: Learned) -> Judgement:
    """Return what has to be replaced in a piece."""
    text = piece.cells.text
    rest = without_signs(text)
    finds: list[Find] = []
    for telling in telling_values(piece):
        start, end = telling.start, telling.end
        kind = learned.kind_of(without_signs(text[start:end]).strip()) or telling.kind
        finds += find_secret(text, start, end, kind, piece.path)
        rest = rest[: telling.key] + "\0" * (end - telling.key) + rest[end:]
    numbers: list[Find] = []
    phrases: list[Find] = []
    for start, end, secret, kind in learned.find(rest, is_key=piece.role is Role.KEY):
        found = find_secret(text, start, end, kind, piece.path)
        if secret.is_number:
            numbers += found
            continue
        finds += found
        phrases.append(Find(start=start, end=end, kind=kind, way=None))
    forms, _ = find_forms(blanked(rest, phrases), piece.path)
    finds += forms
    rest = blanked(blanked(rest, phrases, _HIDDEN), forms)
    reasons: list[Reason | None] = [find.reason for find in finds if find.way is None]
    is_name = piece.role is Role.KEY and _NO_NAME.search(text) is None
    for chunk in CHUNK.finditer(rest):
        is_figure = piece.role is Role.BARE and _FIGURE.fullmatch(chunk[0]) is not None
        reason = Reason.NUMBER if is_figure else why_chunk(chunk[0])
        if reason and not learned.is_mac(chunk[0]):
            reasons.append(reason)
        elif is_name:
            finds += _of_key(chunk)
        elif _PART_SIZE.match(rest, chunk.start()) is None:
            finds += _of_chunk(chunk, learned)
    replaced = sorted((find for find in finds if find.way), key=lambda find: find.start)
    if numbers:
        replaced = _with_numbers(replaced, numbers)
    return Judgement(finds=tuple(replaced), reason=None if replaced else _reason(text, reasons))


def _with_numbers(finds: list[Find], numbers: list[Find]) -> list[Find]:
    """Return finds in order, with the numbers that are not within one."""
    places = [find.start for find in finds]
    free = []
    for number in numbers:
        before = bisect_right(places, number.start)
        is_free = (before == 0 or finds[before - 1].end <= number.start) and (
            before == len(finds) or finds[before].start >= number.end
        )
        if is_free and number.way:
            free.append(number)
    return sorted((*finds, *free), key=lambda find: find.start)


def _of_key(chunk: re.Match[str]) -> Iterator[Find]:
    for atom in ATOM.finditer(chunk[0]):
        if _HIDDEN not in atom[0] and why_key_atom(atom[0]) is None:
            start = chunk.start() + atom.start()
            yield Find(start=start, end=start + len(atom[0]), kind=Kind.FIELD, way=Way.ATOMS)


def _of_chunk(chunk: re.Match[str], learned: Learned) -> Iterator[Find]:
    start, end, text = chunk.start(), chunk.end(), chunk[0]
    if _HIDDEN in text:
        yield from _beside_secret(start, text)
    elif BARE_MAC.fullmatch(text) or learned.is_mac(text):
        yield Find(start=start, end=end, kind=Kind.MAC, way=Way.MAC)
    elif is_wallet(text):
        yield Find(start=start, end=end, kind=Kind.WALLET, way=Way.ATOMS)
    elif known_ending(text) or ("." in text and text.rpartition(".")[2].lower() in ENDINGS):
        yield from find_host(start, text)
    else:
        yield Find(start=start, end=end, kind=Kind.TEXT, way=Way.ATOMS)


def _beside_secret(start: int, text: str) -> Iterator[Find]:
    """Yield what else is in a chunk that holds a secret: all of it, but for a public host or the ending of one."""
    known = known_ending(text)
    last = text.rpartition(".")[2]
    end = len(text)
    if known is not None:
        end -= len(known) + 1
    elif "." in text and last.lower() in ENDINGS:
        end -= len(last) + 1
    for part in _NOT_HIDDEN.finditer(text, 0, end):
        if ATOM.search(part[0]):
            yield Find(start=start + part.start(), end=start + part.end(), kind=Kind.TEXT, way=Way.ATOMS)


def _reason(text: str, reasons: list[Reason | None]) -> Reason | None:
    reason = strongest(reasons)
    return Reason.DATE if reason in {Reason.WORD, Reason.NUMBER} and _CLOCK.search(text) else reason
