"""Texts known to be secret, found wherever they stand by themselves. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from operator import itemgetter
from typing import Final

from agent.hil.redaction.addresses import mac_digits
from agent.hil.redaction.harmless import ATOM, why_atom
from agent.hil.redaction.kinds import Kind

# A shorter number is in every reply. A shorter text is replaced without being learned, unless it is harmless.
SHORTEST_NUMBER: Final = 5
SHORTEST_TEXT: Final = 4
LONGEST: Final = 1000
# Of these every sign is secret, not only letters and digits.
OPAQUE: Final = frozenset({Kind.PASSWORD, Kind.WIFI})


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """One text.

    Attributes:
        text: What was learned.
        is_number: True if it has digits only.
        is_word: True if it would be harmless had it not been learned: such a word stays in names of fields.
        is_short: True if it is looked for in names of fields only.
    """

    text: str
    is_number: bool
    is_word: bool
    is_short: bool


class Learned:
    """Secrets, found in a time that does not depend on how many there are."""

    def __init__(self) -> None:
        self._secrets: dict[str, Secret] = {}
        # By the first letters and digits of a secret: how many characters stand before them, and how long it is.
        self._shapes: dict[str, list[tuple[int, int]]] = {}
        self._kinds: dict[str, Kind] = {}
        self._macs: set[str] = set()

    def add(self, text: str, kind: Kind) -> bool:
        """Take note of a secret.

        Numbers below five digits and texts below four letters are not looked for: a worker named ``S`` would take the
        status out of every reply. Where their key tells they are replaced, and elsewhere if they are not harmless.

        Args:
            text: With escapes read. Longer than 1,000 characters, it is ignored.
            kind: What it is. A text that was a password or the name of a Wi-Fi once stays one.

        Returns:
            True if it is looked for from now on, and was not before.
        """
        atoms = ATOM.findall(text)
        if not atoms or len(text) > LONGEST:
            return False
        if kind is Kind.MAC:
            self.add_mac(text)
        letters = "".join(atoms)
        is_number = letters.isascii() and letters.isdecimal()
        is_word = not is_number and all(why_atom(atom) for atom in atoms)
        is_short = len(letters) < SHORTEST_TEXT
        if (is_number and len(letters) < SHORTEST_NUMBER) or (is_word and is_short):
            return False
        known = self._kinds.get(text)
        if known is None or kind in OPAQUE:
            self._kinds[text] = kind
        if known is not None:
            return False
        self._secrets[text] = Secret(text=text, is_number=is_number, is_word=is_word, is_short=is_short)
        shapes = self._shapes.setdefault(atoms[0], [])
        shape = (text.index(atoms[0]), len(text))
        if shape not in shapes:
            shapes.append(shape)
            shapes.sort(key=itemgetter(1), reverse=True)
        return True

    def add_mac(self, text: str) -> None:
        """Take note of a MAC address, in any notation; other texts are ignored."""
        if len(digits := mac_digits(text)) == 12:
            self._macs.add(digits)

    def is_mac(self, digits: str) -> bool:
        """Return True if twelve digits without separators are a MAC address that was seen."""
        return digits.lower() in self._macs

    def kind_of(self, text: str) -> Kind | None:
        """Return what a whole text was learned to be; None if it was not learned."""
        return self._kinds.get(text)

    def find(self, text: str, *, is_key: bool) -> Iterator[tuple[int, int, Secret, Kind]]:
        """Yield where secrets begin and end, from left to right, without overlap, with their present kind.

        Args:
            text: Where to look.
            is_key: True in a name of a field, where a word of the trade stays.
        """
        if not self._secrets:
            return
        free = 0
        for atom in ATOM.finditer(text):
            for lead, length in self._shapes.get(atom[0], ()):
                start = atom.start() - lead
                end = start + length
                secret = self._secrets.get(text[start:end]) if start >= free else None
                if secret is None or (secret.is_word if is_key else secret.is_short):
                    continue
                if _stands_alone(text, start, end, secret):
                    yield start, end, secret, self._kinds[secret.text]
                    free = end
                    break


def _stands_alone(text: str, start: int, end: int, secret: Secret) -> bool:
    if ATOM.match(text, end) and ATOM.match(text, end - 1):
        return False
    if not secret.is_number:
        return True
    before, after = text[max(start - 2, 0) : start], text[end : end + 2]
    is_decimal = (before[-1:] == "." and before[:1].isdecimal()) or (after[:1] == "." and after[1:].isdecimal())
    return not is_decimal
