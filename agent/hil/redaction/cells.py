r"""A stretch of a reply as readable text that can be written back in the same number of bytes. Pure.

Bytes are characters of Latin-1 here: UTF-8 of several bytes is as many characters from U+0080 to U+00FF. Escapes are
read: ``\u0041`` and ``\x41`` are one character, and so is ``\/``. A character beyond ASCII that was escaped gets
`ESCAPED` added to it, so that it is never taken for a byte of UTF-8.
"""

import re
from dataclasses import dataclass
from typing import Final

ESCAPED: Final = 0x10000
_ESCAPE: Final = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2})|(.))", re.DOTALL)
_NAMED: Final = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
# What is no escape in JSON, as in a regular expression, stays.
_UNREAD: Final = "\x01"
_FORMS: Final = str.maketrans(
    {**{chr(code): "a" for code in range(0x100)}}
    | {chr(code): "A" for code in range(ord("A"), ord("Z") + 1)}
    | {chr(code): "0" for code in range(ord("0"), ord("9") + 1)}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """Text whose characters know how they were written.

    Attributes:
        raw: As written.
        text: As read.
        written: How each character of `text` is written; None if each is written as itself.
    """

    raw: str
    text: str
    written: tuple[str, ...] | None

    def form(self, start: int, end: int) -> str:
        """Return the form of a stretch: ``A``, ``a`` or ``0`` for each character that a replacement has.

        A character beyond ASCII has one ``a`` for each byte. What is neither letter nor digit is ``a`` too.
        """
        if self.written is None:
            return self.text[start:end].translate(_FORMS)
        return "".join(map(_form, self.text[start:end], self.written[start:end]))

    def write(self, start: int, end: int, letters: str) -> str:
        """Return a stretch as it is written, with other letters.

        Args:
            start: Where it begins in `text`.
            end: Where it ends.
            letters: ASCII, as many as the stretch's form has.
        """
        if self.written is None:
            return letters
        parts: list[str] = []
        at = 0
        for written in self.written[start:end]:
            if written[0] != "\\":
                parts.append(letters[at])
                at += 1
            elif written[1] in "ux" and len(written) > 2:
                parts.append(f"\\{written[1]}{ord(letters[at]):0{len(written) - 2}x}")
                at += 1
            else:
                parts.append(letters[at : at + 2])
                at += 2
        return "".join(parts)

    def holds_signs(self, start: int, end: int) -> bool:
        """Return True if a stretch has an escape of two characters, such as a slash after a backslash."""
        return self.written is not None and any(len(written) == 2 for written in self.written[start:end])

    def as_written(self, start: int, end: int) -> str:
        """Return a stretch as it is written."""
        if self.written is None:
            return self.raw[start:end]
        return "".join(self.written[start:end])


def read_cells(raw: str) -> Cells:
    """Return the text of a stretch, escapes read."""
    if "\\" not in raw:
        return Cells(raw=raw, text=raw, written=None)
    text: list[str] = []
    written: list[str] = []
    at = 0
    for escape in _ESCAPE.finditer(raw):
        between = raw[at : escape.start()]
        text.extend(between)
        written.extend(between)
        text.append(_meant(escape))
        written.append(escape.group())
        at = escape.end()
    text.extend(raw[at:])
    written.extend(raw[at:])
    return Cells(raw=raw, text="".join(text), written=tuple(written))


def _meant(escape: re.Match[str]) -> str:
    code = escape[1] or escape[2]
    if code is None:
        return _NAMED.get(escape[3], escape[3] if not escape[3].isalnum() else _UNREAD)
    number = int(code, 16)
    return chr(number if number < 0x80 else number + ESCAPED)


def _form(character: str, written: str) -> str:
    form = "a" if ord(character) >= ESCAPED else character.translate(_FORMS)
    return "aa" if len(written) == 2 else form
