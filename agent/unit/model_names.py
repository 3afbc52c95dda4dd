"""Spellings of models: two names with one key are one model.

People and firmware write the same machine in many ways: ``Antminer S21 Hyd.``, ``S21 HYDRO``, ``s21hyd``. The name
that is shown stays the catalogue's. The brands Avalon and SealMiner are part of the key, since `A15` and `A2` alone
tell no make; `Whatsminer M50S` is `M50S`.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

# Longer names are cut: matching a word of megabytes takes minutes.
_LONGEST: Final = 80

_MAKER = re.compile(r"(?:(?:bitmain|antminer|microbt|whatsminer|canaan|bitdeer|auradine|teraflux)[\s_-]*)+")
BITMAIN: Final = "Bitmain"
_MAKES: Final[Mapping[str, str]] = {
    "bitmain": BITMAIN,
    "antminer": BITMAIN,
    "microbt": "MicroBT",
    "whatsminer": "MicroBT",
    "canaan": "Canaan",
    "avalon": "Canaan",
    "avalonminer": "Canaan",
    "bitdeer": "Bitdeer",
    "sealminer": "Bitdeer",
    "auradine": "Auradine",
    "teraflux": "Auradine",
}
# Names of makers that are no part of a model's name as it is shown.
_SILENT_MAKERS: Final = frozenset({"bitmain", "antminer", "microbt", "canaan", "bitdeer", "auradine"})
# Documented (D271): `avalon1466`, `avalonminer1466` and `avalona1466` are one machine.
_AVALON = re.compile(r"avalon(?:miner)*(?:a?(?=[0-9]{3}))?")
# Documented (D270): a Whatsminer's own name ends in its version, `M50S_VH50`, `M60S++VLA0`.
_WHATSMINER = re.compile(r"(m[0-9][0-9d](?:[hkl]|se?)?\+{0,2})v[a-z0-9]{2,4}")
# Documented (D120): firmware under a label of its own adds its name in brackets, `Antminer T21 (7Miners 1.2.6-rc1)`.
_BRACKET = re.compile(r"[\s_-]*[(\[]([^()\[\]]*)[)\]]$")
# Observed (O76): other-s19jpro-hiveon-2024 answers `Antminer S19JPRO Hiveon`.
_FIRMWARE = re.compile(r"[\s_-]+hiveon$")
_SEPARATORS = re.compile(r"[\s._/-]+")
# Documented (D125): boards without a PIC are in the name of the model.
_NO_PIC = re.compile(r"(?:[0-9]{2})?nopic$")
# The work modes in which Bitmain rates one machine twice; a bin's mode is a part of its model in the catalogue.
_WORK_MODES: Final = frozenset({"nem", "hem"})
_SAME_WORDS: Final = (("hydro", "hyd"), ("immersion", "imm"), ("plus", "+"))
# Documented (D25): a hashboard's name stands in for the model until the program knows it.
_BOARD = re.compile(r"(?:[a-z][0-9]?)?hb[0-9][a-z0-9]+")
# Documented (D121): a rack unit's code ends in H if it is a hydro machine, `U3S21EXPH`, `S23e U2H`.
_HYDRO = re.compile(r".*hyd.*|u[0-9].*h|.*u[0-9]h|h[0-9]?hb[0-9].*")
# Sellers write a bin behind the model, `S21 200T`, `S21 (195TH/s)`. Assumed (A230): so may a unit.
_NAMED_BIN = re.compile(r"[\s_-]+[(\[]?([0-9]{1,4}(?:\.[0-9]{1,3})?)\s?th?(?:/?s)?[)\]]?$", re.IGNORECASE)
_LOOK_ALIKES: Final = str.maketrans("lo", "10")


def short_model(name: str) -> str:
    """Return a model's name as it is written, without the maker and extra blanks: ``Antminer S21`` is ``S21``.

    The brand of another make stays: ``MicroBT Whatsminer M50S`` is ``Whatsminer M50S``.
    """
    words = name.split()
    while words and words[0].casefold() in _SILENT_MAKERS:
        words = words[1:]
    return " ".join(words)


def known_make(word: str) -> str | None:
    """Return the make of a maker's or a brand's name in any case; None for a name that is none of the known ones."""
    return _MAKES.get(word.strip().casefold())


def make_in(name: str) -> str | None:
    """Return the make that a model's name begins with, `Whatsminer M50S` is of MicroBT; None if it names none."""
    words = name.split(maxsplit=1)
    return known_make(words[0]) if words else None


@lru_cache(1024)
def model_key(name: str) -> str:
    """Return the key of a model, the same for all its spellings; empty if the name names none.

    Case, blanks, dots, the maker and a firmware's name at the end do not count. A work mode in brackets does:
    ``S21 Imm. (HEM)`` is ``s21imm(hem)``.
    """
    text, mode = _plain(name)
    return _squeezed(text) + (f"({mode})" if mode else "")


@lru_cache(1024)
def base_key(name: str) -> str:
    """Return the key of a model without a work mode."""
    return _squeezed(_plain(name)[0])


def plain_model(name: str) -> str:
    """Return a model's name as it is written, without the maker, and without brackets unless they hold a work mode."""
    short = short_model(name)
    while (bracket := _BRACKET.search(short)) and bracket[1].strip().casefold() not in _WORK_MODES:
        short = short[: bracket.start()]
    return short


def without_mode(name: str) -> str:
    """Return a model's name as it is written, without the maker and without any brackets at its end."""
    short = short_model(name)
    while bracket := _BRACKET.search(short):
        short = short[: bracket.start()]
    return short


@lru_cache(1024)
def without_bin(name: str) -> tuple[str, float | None]:
    """Return a model's name without the bin behind it, and that bin, TH/s: ``S21 200T`` is ``S21`` of 200.

    The bin is None if the name has none, and the name is as it was.
    """
    for text in (name[:_LONGEST].strip(), plain_model(name[:_LONGEST])):
        found = _NAMED_BIN.search(text)
        if found is not None and found.start() and float(found[1]) > 0:
            return text[: found.start()], float(found[1])
    return name, None


@lru_cache(1024)
def names_firmware(name: str) -> bool:
    """Return True if a model's name ends in the name of a firmware that is not the maker's."""
    text = name[:_LONGEST].casefold().strip()
    if _FIRMWARE.search(text):
        return True
    bracket = _BRACKET.search(text)
    return bracket is not None and bracket[1].strip() not in _WORK_MODES


def is_board_name(name: str) -> bool:
    """Return True if a hashboard's name stands in for the model."""
    return _BOARD.fullmatch(base_key(name)) is not None


def is_hydro_name(name: str) -> bool:
    """Return True if the name alone tells that the machine is cooled by a liquid in pipes."""
    return _HYDRO.fullmatch(base_key(name)) is not None


def near_model(name: str, known: Iterable[str]) -> str | None:
    """Return the known model that `name` is most likely a typing error for; None if there is none, or several.

    Only letters count that do not tell one machine from another. `S19k Pro` is neither `S21 Pro` nor `S19j Pro`,
    and `S21` is not `S21+`.
    """
    family, rest = _parts(name)
    near: dict[str, str] = {}
    for candidate in known:
        its_family, its_rest = _parts(candidate)
        if (
            family.translate(_LOOK_ALIKES) == its_family.translate(_LOOK_ALIKES)
            and rest.count("+") == its_rest.count("+")
            and bool(rest) == bool(its_rest)
            and _is_one_slip(rest, its_rest)
        ):
            near.setdefault(base_key(candidate), candidate)
    return next(iter(near.values())) if len(near) == 1 else None


def _plain(name: str) -> tuple[str, str]:
    """Return a folded name without maker, brackets and firmware, and its work mode."""
    text = unicodedata.normalize("NFKC", name[:_LONGEST]).casefold().strip()
    mode = ""
    while bracket := _BRACKET.search(text):
        inside = bracket[1].strip()
        mode = inside if inside in _WORK_MODES else mode
        text = text[: bracket.start()]
    maker = _MAKER.match(text)
    return _FIRMWARE.sub("", text[maker.end() :] if maker else text), mode


def _squeezed(text: str) -> str:
    squeezed = _SEPARATORS.sub("", text)
    for word, same in _SAME_WORDS:
        squeezed = squeezed.replace(word, same)
    if avalon := _AVALON.match(squeezed):
        rest = squeezed[avalon.end() :]
        return f"avalon{'a' if rest[:1].isdecimal() else ''}{rest}"
    if whatsminer := _WHATSMINER.fullmatch(squeezed):
        return whatsminer[1]
    return _NO_PIC.sub("", squeezed)


def _parts(name: str) -> tuple[str, str]:
    """Return the family of a model, its first word after the maker and the brand, and the rest without blanks."""
    words = _plain(name)[0].split()
    first = 2 if words[:1] and words[0] in _MAKES else 1
    return _squeezed("".join(words[:first])), _squeezed("".join(words[first:]))


def _is_one_slip(one: str, other: str) -> bool:
    """Return True if at most one letter is wrong, missing, too many, or two neighbours are exchanged."""
    start = 0
    while start < min(len(one), len(other)) and one[start] == other[start]:
        start += 1
    one, other = one[start:], other[start:]
    return (
        one == other
        or one[1:] == other[1:]
        or one[1:] == other
        or one == other[1:]
        or (one[:2] == other[1::-1] and one[2:] == other[2:])
    )
