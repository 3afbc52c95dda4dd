"""Which texts tell nothing about a site: numbers, dates, versions, models, chip maps, and words of the trade. Pure.

A chunk is letters and digits joined by ``-``, ``_`` and ``.``; its parts between those are atoms. A chunk is harmless
if each of its atoms is, or if it has the form of a version with a build's hash, or is a public host.
"""

import re
from functools import lru_cache
from typing import Final

from agent.hil.redaction.kinds import REASONS, Reason
from agent.hil.redaction.telling import KEY_NAMES, WORDS_OF_NAME
from agent.hil.redaction.vocabulary import (
    ENDINGS,
    KEY_WORDS,
    KNOWN_HOSTS,
    KNOWN_LABELS,
    NEVER_NUMBERED,
    SCHEMES,
    WORDS,
)

# Signs of UTF-8 that are no letters, as bytes and as they are escaped: no-break space, degree, plus-minus, micro,
# degree Celsius, omega, dashes, quotes, bullet, ellipsis.
_SIGNS: Final = re.compile(
    r"\xc2[\xa0\xb0\xb1\xb5]|\xe2\x84[\x83\xa6]|\xce[\xa9\xbc]|\xe2\x80[\x93\x94\x98\x99\x9c\x9d\xa2\xa6]"
    "|[\U000100a0\U000100b0\U000100b1\U000100b5\U00012103\U00012126\U00012010-\U00012027]"
)
ATOM: Final = re.compile(r"[0-9A-Za-z\x80-\U0001ffff]+")
CHUNK: Final = re.compile(r"[0-9A-Za-z\x80-\U0001ffff]+(?:[-_.]+[0-9A-Za-z\x80-\U0001ffff]+)*")
# Longer texts are not remembered.
_LONG: Final = 256

_UNITS: Final = (
    "[KMGTPEZkm]|[KMGTPE]?[Hh](?:/?s)?|[KMGTPE]Hs|[kKMG]?Hz|[kKMG]?i?[Bb]|[mkM]?[WV]|kWh|[mu]?A|[CFJWdhmswTZx]|J?TH|[mun]s"
    "|rpm|RPM|min|sec|th|st|nd|rd|ppm|dB|dBm|pct|bit"
)
_NUMBER: Final = (
    rf"0x[0-9A-Fa-f]{{1,8}}|0x(?:f{{8}}|0{{8}})[0-9A-Fa-f]{{1,8}}|[0-9]{{1,7}}(?:{_UNITS}|[eE]|x[0-9]{{1,4}})"
)
_DATE: Final = r"[0-9]{1,2}T[0-9]{1,2}|[0-9]{8}T[0-9]{4,6}Z?|[0-9]{1,9}Z"
_VERSION: Final = r"[vV][0-9]{1,4}|[rR]el[0-9]{1,4}|rc[0-9]{1,3}|dirty"
_CHIP_MAP: Final = r"[ox]{2,}"
# Catalogue names of machines, boards, supplies, chips and control boards. Such as S19JPRO, BHB42601, A3HB70601,
# BM1366, APW121215a, BTPSU04KSA, CB6V10, BTM_S19XP, P221B; from models.csv and captures of other makes.
_MODEL: Final = (
    r"(?:S(?:[79]|1[1579]|2[13579])|T(?:9|1[1579]|2[13579])|L[3579]|L11|D[3579]|E[39]|E11|K[57]|KS[0-9]|KA3|Z(?:9|11|15)"
    r"|M[2-7][0-9]|A1[0-9]{3}|B(?:HB|MM|SB)[0-9]{2,5}|HB[0-9]|A?[0-9]?HB[0-9]{5}|NBP[0-9]{4}|NBT[0-9]{4}|BM1[0-9]{3}"
    r"|APW[0-9]{1,6}|BTPSU[0-9]{2}|CB[0-9]{1,2}|P2[0-9]{1,3}|SOC[0-9]?|H616|AM[1-3]?|C[0-9]V[0-9]{1,2}|AT[0-9]{4}|am[1-3]"
    r"|[st](?:9|1[579]|2[13579]))"
    r"(?:[A-Za-z]|[jkaex]?(?:PRO|Pro|pro)|X[Pp]|xp|KSA|JPRO|jpro|HYD|Hyd|hyd|V[0-9]{1,2}|Plus|PLUS|plus)?"
)
_FORMS: Final = re.compile(
    f"(?P<NUMBER>{_NUMBER})|(?P<MODEL>{_MODEL})|(?P<CHIP_MAP>{_CHIP_MAP})|(?P<DATE>{_DATE})|(?P<VERSION>{_VERSION})"
)
# A version or a day, and what tells its build: 0.1.0-fc9fe388, 4.11.1-08690-gd309fbe0, 25052801_14a19a2,
# 2025-08-06-0-3881c51d-25.07-plus. From captures of Braiins OS, LuxOS, Hiveon and Avalon.
_BUILD: Final = re.compile(
    r"(?:[vV]?[0-9]{1,4}(?:\.[0-9]{1,6}){1,3}|(?:20)?[0-9]{2}-?(?:0[1-9]|1[0-2])-?(?:0[1-9]|[12][0-9]|3[01])[0-9]{0,2})"
    r"(?:[-_.][0-9A-Za-z]{1,12}){1,6}"
)
_HASH: Final = re.compile(r"g?(?=[0-9a-f]*[0-9])[0-9a-f]{4,10}")
_FRACTION: Final = re.compile(r"[0-9]{1,24}\.[0-9]{1,24}(?:[eE](?:-[0-9]{1,3})?)?")
_FOUR_OCTETS: Final = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?![.0-9])")
_SHORT_NAME: Final = re.compile(r"[A-Za-z\x80-\U0001ffff]{1,3}[0-9]{0,2}")
_MAYBE_HEX: Final = re.compile(r"g?[0-9a-f]+")
_WORDS_OF_KEYS: Final = WORDS | KEY_WORDS
_HOST_ATOMS: Final = frozenset(re.split(r"[ .]", " ".join(KNOWN_HOSTS)))


def without_signs(text: str) -> str:
    """Return a text of the same length with a control character in place of each sign that is no letter."""
    return text if text.isascii() else _SIGNS.sub(lambda sign: "\x01" * len(sign[0]), text)


@lru_cache(maxsize=16384)
def why_atom(atom: str) -> Reason | None:
    """Return why an atom is harmless; None if it is not."""
    if atom.isascii() and atom.isdecimal():
        return Reason.NUMBER if _is_number(atom) else None
    lower = atom.lower()
    if lower in WORDS or lower in KEY_NAMES or len(atom) == 1:
        return Reason.WORD
    if (form := _FORMS.fullmatch(atom)) and form.lastgroup:
        return Reason[form.lastgroup]
    return Reason.WORD if _are_words(atom, WORDS) else None


@lru_cache(maxsize=16384)
def why_key_atom(atom: str) -> Reason | None:
    """Return why an atom of a field's name is harmless; None if it is not.

    Names of fields may have abbreviations of three letters, a few more words, and every word with a number.
    """
    if reason := why_atom(atom):
        return reason
    word = atom.lower().rstrip("0123456789")
    if _SHORT_NAME.fullmatch(atom) or word in _WORDS_OF_KEYS or _are_words(atom, _WORDS_OF_KEYS, shortest=3):
        return Reason.WORD
    return None


def why_chunk(chunk: str) -> Reason | None:
    """Return why a chunk is harmless; None if one of its atoms is not.

    Public IPv4 addresses are not looked for here.
    """
    return _why_chunk(chunk) if len(chunk) < _LONG else _why_chunk.__wrapped__(chunk)


@lru_cache(maxsize=16384)
def _why_chunk(chunk: str) -> Reason | None:
    if is_known_host(chunk):
        return Reason.POOL
    if _FRACTION.fullmatch(chunk):
        return Reason.NUMBER
    atoms = ATOM.findall(chunk)
    reasons = [why_atom(atom) if len(atom) < _LONG else why_atom.__wrapped__(atom) for atom in atoms]
    if None in reasons and _BUILD.fullmatch(chunk) and not _FOUR_OCTETS.match(chunk):
        reasons = [
            reason or (Reason.VERSION if _HASH.fullmatch(atom) else None)
            for atom, reason in zip(atoms, reasons, strict=True)
        ]
    return strongest(reasons)


def strongest(reasons: list[Reason | None]) -> Reason | None:
    """Return the reason that says most; None if one is missing, a number if there are none."""
    if not all(reasons):
        return None
    return min((reason for reason in reasons if reason), key=REASONS.index, default=Reason.NUMBER)


def is_known_host(host: str) -> bool:
    """Return True for a public host, with labels below it that are harmless too."""
    lower = host.lower()
    known = known_ending(lower)
    return known is not None and all(
        label in KNOWN_LABELS or label in WORDS for label in lower.removesuffix(known).split(".") if label
    )


def known_ending(host: str) -> str | None:
    """Return the part of a host name that is a public host; None if there is none. Case is ignored."""
    labels = host.lower().split(".")
    if len(labels) > 12:
        return None
    return next((ending for at in range(len(labels)) if (ending := ".".join(labels[at:])) in KNOWN_HOSTS), None)


@lru_cache(maxsize=16384)
def may_be_harmless(atom: str) -> bool:
    """Return True if an atom is harmless in some place. No pseudonym is, so that it is found and replaced again."""
    lower = atom.lower()
    return (
        why_atom(atom) is not None
        or lower in KEY_WORDS
        or lower in ENDINGS
        or lower in SCHEMES
        or lower in KNOWN_LABELS
        or lower in _HOST_ATOMS
        or lower.rstrip("0123456789") in WORDS
        or _are_words(atom, _WORDS_OF_KEYS)
        or _MAYBE_HEX.fullmatch(lower) is not None
    )


def _is_number(digits: str) -> bool:
    return len(digits) <= 20 and (digits[0] != "0" or len(digits) < 8 or not digits.strip("0"))


def _are_words(atom: str, known: frozenset[str], *, shortest: int = 0) -> bool:
    """Return True for words and short numbers written together: ``ShutdownTemp``, ``24hour``, ``hsLast10m``.

    Args:
        atom: The text.
        known: The words.
        shortest: Shorter words need not be known, if one of this length is.
    """
    words = [word.lower() for word in WORDS_OF_NAME.findall(atom)]
    letters = [word for word in words if not word.isdecimal()]
    return (
        len(words) > 1
        and "".join(words) == atom.lower()
        and all(len(word) <= 3 for word in words if word.isdecimal())
        and all(word in known or len(word) < shortest for word in letters)
        and (not shortest or any(word in known and len(word) >= shortest for word in letters))
        and (len(letters) > 1 or letters[0] not in NEVER_NUMBERED)
    )
