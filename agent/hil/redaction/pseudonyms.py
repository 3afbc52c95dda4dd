"""Pseudonyms: the n-th text of a form gets the n-th pseudonym of that form. Pure.

A pseudonym has the form of its text, so it is the n-th text of that form when it is redacted again, and stays what it
is. For that, no pseudonym is a text that could be harmless somewhere: those are skipped.
"""

import re
from collections.abc import Iterator
from typing import Final

from agent.hil.redaction.addresses import BARE_MAC, mac_digits, other_mac, reserved_ipv4, reserved_ipv6
from agent.hil.redaction.harmless import may_be_harmless

# The first letter and digit fill a pseudonym; the others count. Hexadecimal digits come last, as hashes are harmless.
_ALPHABETS: Final = {"a": "zghijklmnopqrstuvwxyabcdef", "A": "ZGHIJKLMNOPQRSTUVWXYABCDEF", "0": "0123456789"}
# Bitcoin addresses (BIP 173, Base58) and Lightning invoices and names: what they begin with stays.
_WALLET: Final = re.compile(
    r"(bc1[pq]|BC1[PQ]|tb1[pq]|lnbc|lntb|lnurl1|LNURL1|ltc1q)(?=[a-z]*[0-9]|[A-Z]*[0-9])[0-9a-z]{20,}"
    r"|([13mn])(?=[0-9A-Za-z]*[a-z])(?=[0-9A-Za-z]*[A-Z])[0-9A-Za-z]{25,34}"
)
# So many harmless candidates in a row mean that all of a form are.
_MOST_SKIPPED: Final = 2000
# No text of this length is harmless but a number or a chip map, and no pseudonym of letters is either.
_LONG: Final = 64


def is_wallet(atom: str) -> bool:
    """Return True for the form of an address to which coins are paid."""
    return _WALLET.fullmatch(atom) is not None


class Pseudonyms:
    """Remembers the pseudonym of every text. Two texts of a form share one only when the form has no more."""

    def __init__(self) -> None:
        self._by_text: dict[tuple[str, str], str] = {}
        self._used: dict[str, int] = {}
        self._macs: dict[str, int] = {}
        self._ipv4: dict[int, Iterator[str]] = {}

    def of_atom(self, atom: str, form: str) -> str:
        """Return the pseudonym of letters and digits.

        Args:
            atom: The text.
            form: ``A``, ``a`` and ``0`` for each character of the pseudonym.
        """
        if len(form) == 12 and BARE_MAC.fullmatch(atom):
            return self.of_mac(atom)
        key = (form, atom)
        if (known := self._by_text.get(key)) is None:
            known = self._by_text[key] = self._next(atom, form)
        return known

    def of_mac(self, text: str) -> str:
        """Return the pseudonym of a MAC address in its own notation. Notations of one address are one text."""
        return other_mac(text, self._macs.setdefault(mac_digits(text), len(self._macs) + 1))

    def of_ipv4(self, text: str) -> str:
        """Return a reserved IPv4 address of the same length."""
        key = ("ipv4", text)
        if (known := self._by_text.get(key)) is None:
            length = len(text)
            free = self._ipv4.setdefault(length, reserved_ipv4(length))
            known = next(free, None)
            if known is None:
                self._ipv4[length] = free = reserved_ipv4(length)
                known = next(free)
            self._by_text[key] = known
        return known

    def of_ipv6(self, text: str) -> str:
        """Return a reserved IPv6 address of the same length, in upper case if the text has upper case."""
        key = ("ipv6", text)
        if (known := self._by_text.get(key)) is None:
            is_upper = text != text.lower()
            number = self._count(f"ipv6 {len(text)} {is_upper}") + 1
            known = reserved_ipv6(len(text), number)
            known = self._by_text[key] = known.upper() if is_upper else known
        return known

    def _next(self, atom: str, form: str) -> str:
        if form.strip("0") == "" and atom.isdecimal():
            return _digits(atom, self._count(f"{form} {len(form) > 1 and atom[0] == '0'}"))
        if wallet := _WALLET.fullmatch(atom):
            start = wallet[1] or wallet[2]
            return start + _letters(form[len(start) :], self._count(f"{start} {form}"))
        if len(form) > _LONG:
            return _letters(form, self._count(form))
        room = 1
        for kind in form:
            room = min(room * len(_ALPHABETS[kind]), 1 << 60)
        first = self._used.get(form, 0)
        for number in range(first, first + min(room, _MOST_SKIPPED)):
            candidate = _letters(form, number % room)
            if not may_be_harmless(candidate):
                self._used[form] = number + 1
                return candidate
        self._used[form] = first + 1
        return _letters(form, first % room)

    def _count(self, form: str) -> int:
        number = self._used.get(form, 0)
        self._used[form] = number + 1
        return number


def _digits(text: str, number: int) -> str:
    """Return a number of as many digits; it begins with a zero where `text` does, so that JSON stays valid."""
    length = len(text)
    if length == 1:
        return str((number + 1) % 10)
    if length > 18:
        return ("0" if text[0] == "0" else "1") + f"{number + 1:0{length - 1}d}"
    tens = 10 ** (length - 1)
    if text[0] == "0":
        return f"{(number + 1) % tens:0{length}d}"
    return str(tens + number % (9 * tens))


def _letters(form: str, number: int) -> str:
    letters: list[str] = []
    for kind in reversed(form):
        alphabet = _ALPHABETS[kind]
        number, digit = divmod(number, len(alphabet))
        letters.append(alphabet[digit])
    return "".join(reversed(letters))
