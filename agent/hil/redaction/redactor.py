"""The redaction of the replies and pages of one capture. Pure.

An allowlist: a text stays only if it is recognised as harmless. What a key marks as secret (`sn`, `user`, `ssid`) is
replaced wherever else it stands, however harmless it looks. Everything that is not replaced stays byte for byte.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from agent.hil.redaction.cells import ESCAPED, Cells, read_cells
from agent.hil.redaction.finder import judge, telling_values
from agent.hil.redaction.forms import Find, Way, find_forms
from agent.hil.redaction.harmless import ATOM, without_signs
from agent.hil.redaction.kinds import Kept, Kind, Reason, Replacement
from agent.hil.redaction.learned import Learned
from agent.hil.redaction.pieces import Path, Piece, Role, read_pieces
from agent.hil.redaction.pseudonyms import Pseudonyms
from agent.hil.redaction.telling import says_nothing
from agent.hil.redaction.vocabulary import ENDINGS

_OPAQUE_ATOM: Final = re.compile(r"[^\x00-\x20_.-]+")
# Parts of a name that are words are not looked for by themselves: `stratum` of `stratum.site.net`.
_DIGIT: Final = re.compile(r"[0-9]")
_LONGEST_SHOWN: Final = 120
_LITERALS: Final = frozenset({"true", "false", "null", "True", "False", "None"})
_COUNTED_ONLY: Final = frozenset({Reason.NUMBER, Reason.CHIP_MAP})


class Redactor:
    """Redacts the replies and pages of one capture, and remembers their pseudonyms.

    Survey every reply and page first, then redact each, both in the order of the capture. Equal secrets get equal
    pseudonyms of the same form and length in bytes. Pseudonyms follow from the order in which secrets appear, so that
    redacting a redacted capture in that order gives it again.
    """

    def __init__(self, *, keep: Iterable[str] = ()) -> None:
        """Make a redactor for one capture.

        Args:
            keep: Paths whose texts stay, secret or not: keys and positions joined by dots. ``*`` stands for any part of
                one of them, ``**`` for any number of them: ``STATS.*.state``. With a colon at the end only the name of
                the field stays: ``STATS.*.new_field:``.
        """
        patterns = tuple(keep)
        self._keep_names = tuple(_path_pattern(pattern.removesuffix(":")) for pattern in patterns)
        self._keep_values = tuple(_path_pattern(pattern) for pattern in patterns if not pattern.endswith(":"))
        self._learned = Learned()
        self._pseudonyms = Pseudonyms()
        self._of_whole: Mapping[Way | None, Callable[[str], str]] = {
            Way.MAC: self._pseudonyms.of_mac,
            Way.IPV4: self._pseudonyms.of_ipv4,
            Way.IPV6: self._pseudonyms.of_ipv6,
        }
        self._replaced: Counter[tuple[str, str, Kind, str]] = Counter()
        self._originals: dict[str, str] = {}
        # Names of fields that were replaced, and what they are now.
        self._keys: dict[str, str] = {}
        self._kept: Counter[tuple[Reason, str]] = Counter()

    @property
    def replaced(self) -> tuple[Replacement, ...]:
        """Return what was replaced, in the order of its first appearance. No secret is in it."""
        return tuple(
            Replacement(name=name, path=path, kind=kind, pseudonym=pseudonym, times=times)
            for (name, path, kind, pseudonym), times in self._replaced.items()
        )

    @property
    def kept(self) -> tuple[Kept, ...]:
        """Return the texts that stayed as they are and why, in the order of their first appearance."""
        return tuple(Kept(text=text, reason=reason, times=times) for (reason, text), times in self._kept.items())

    @property
    def originals(self) -> Mapping[str, str]:
        """Return the secret of each pseudonym, for the eyes of the person who makes the capture."""
        return dict(self._originals)

    def learn(self, texts: str | Iterable[str]) -> None:
        """Take note of secrets that are known from elsewhere: a login, the name by which the unit was reached.

        Factory settings (``root``) and texts too short to be looked for are ignored.
        """
        for text in [texts] if isinstance(texts, str) else texts:
            self._learn(text.encode("utf-8", "surrogatepass").decode("latin-1"), Kind.GIVEN)

    def survey(self, name: str, data: bytes) -> None:
        """Learn the secrets of a reply, a page or its head, so that they are found everywhere.

        Args:
            name: Of the reply or page. Not used yet: a secret is one in every reply.
            data: Its bytes.
        """
        del name
        for piece in read_pieces(data.decode("latin-1")):
            if self._stays(piece):
                continue
            text = piece.cells.text
            for telling in telling_values(piece):
                self._learn(text[telling.start : telling.end], telling.kind)
            self._learn_forms(text, piece.path)

    def redact(self, name: str, data: bytes) -> bytes:
        """Return a reply, a page or its head without its secrets: as many bytes, and as valid as before.

        Args:
            name: Of the reply or page, for `replaced`.
            data: Its bytes.
        """
        text = data.decode("latin-1")
        parts: list[str] = []
        at = 0
        for piece in read_pieces(text):
            if self._stays(piece):
                self._note_kept(piece, Reason.TOLD)
                continue
            judgement = judge(piece, self._learned)
            if judgement.reason:
                self._note_kept(piece, judgement.reason)
                continue
            parts += (text[at : piece.start], self._rewrite(name, piece, judgement.finds))
            at = piece.end
        redacted = "".join((*parts, text[at:])).encode("latin-1")
        if len(redacted) != len(data):  # pragma: no cover - a property test looks for this
            raise AssertionError(f"{name}: {len(data)} bytes became {len(redacted)}")
        return redacted

    def _rewrite(self, name: str, piece: Piece, finds: Iterable[Find]) -> str:
        cells = piece.cells
        parts: list[str] = []
        told: list[tuple[Kind, str]] = []
        at = 0
        for find in finds:
            written = self._replace(cells, find)
            parts += (cells.as_written(at, find.start), written)
            at = find.end
            shown = _shown(read_cells(written).text)
            self._originals.setdefault(shown, _shown(cells.text[find.start : find.end]))
            told.append((find.kind, shown))
        rewritten = "".join((*parts, cells.as_written(at, len(cells.text))))
        if piece.role is Role.KEY:
            self._keys[cells.text] = read_cells(rewritten).text
        path = self._shown_path(piece.path)
        for kind, shown in told:
            self._replaced[name, path, kind, shown] += 1
        return rewritten

    def _replace(self, cells: Cells, find: Find) -> str:
        """Return what is written in place of a stretch."""
        text = cells.text[find.start : find.end]
        of_whole = self._of_whole.get(find.way)
        if of_whole and not cells.holds_signs(find.start, find.end):
            return cells.write(find.start, find.end, of_whole(text))
        ending = text.rpartition(".")[2] if "." in text else ""
        ending = ending if ending.lower() in ENDINGS else ""
        pattern = _OPAQUE_ATOM if find.way is Way.OPAQUE else ATOM
        parts: list[str] = []
        at = find.start
        for atom in pattern.finditer(without_signs(text), 0, len(text) - len(ending)):
            start, end = find.start + atom.start(), find.start + atom.end()
            letters = self._pseudonyms.of_atom(cells.text[start:end], cells.form(start, end))
            parts += (cells.as_written(at, start), cells.write(start, end, letters))
            at = end
        return "".join((*parts, cells.as_written(at, find.end)))

    def _learn(self, text: str, kind: Kind) -> None:
        text = without_signs(text).strip()
        if says_nothing(text):
            return
        first, _, rest = text.partition(".")
        parts = [text]
        if rest and kind is Kind.USER:
            parts += [first, rest] if _DIGIT.search(rest) else [first]
        elif rest and kind in {Kind.HOST, Kind.GIVEN} and _DIGIT.search(first):
            parts.append(first)
        for part in parts:
            if self._learned.add(part, kind) and kind is not Kind.GIVEN:
                self._number(part)

    def _number(self, text: str) -> None:
        """Give a number its pseudonym at once: in a redacted capture it may stand in a harmless place before."""
        atoms = ATOM.findall(find_forms(text, ())[1])
        if all(atom.isascii() and atom.isdecimal() for atom in atoms):
            for atom in atoms:
                self._pseudonyms.of_atom(atom, "0" * len(atom))

    def _learn_forms(self, text: str, path: Path) -> None:
        for find in find_forms(without_signs(text), path)[0]:
            found = text[find.start : find.end]
            if find.way is Way.MAC:
                self._learned.add_mac(found)
            elif find.kind is Kind.HOST and find.way and "." in found:
                self._learn(found, Kind.HOST)

    def _shown_path(self, path: Path) -> str:
        """Return a path without positions and without secrets."""
        return _shown(".".join("*" if isinstance(part, int) else self._keys.get(part, part) for part in path))

    def _stays(self, piece: Piece) -> bool:
        patterns = self._keep_names if piece.role is Role.KEY else self._keep_values
        return bool(patterns) and any(pattern.fullmatch("\0".join(map(str, piece.path))) for pattern in patterns)

    def _note_kept(self, piece: Piece, reason: Reason) -> None:
        if piece.role is Role.KEY:
            return
        text = piece.cells.text
        if piece.role is Role.BARE:
            text = text.strip(" \t\r\n\0:,{}[]")
            reason = Reason.NUMBER if text in _LITERALS else reason
        self._kept[reason, "" if reason in _COUNTED_ONLY else _shown(" ".join(text.split()))] += 1


def _path_pattern(pattern: str) -> re.Pattern[str]:
    """Return the expression for a path whose parts are joined by NUL."""
    parts = []
    for part in pattern.encode("utf-8", "surrogatepass").decode("latin-1").split("."):
        anything = re.escape(part).replace(r"\*", "[^\0]*").replace(r"\?", "[^\0]")
        parts.append(r"(?:[^\0]*(?:\0[^\0]*)*)?" if part == "**" else anything)
    return re.compile("\0".join(parts))


def _shown(text: str) -> str:
    """Return a text for the screen: UTF-8 read, clipped."""
    if not text.isascii():
        raw = "".join(chr(code - ESCAPED) if (code := ord(sign)) >= ESCAPED else sign for sign in text)
        text = raw.encode("latin-1", "ignore").decode("utf-8", "replace") if max(raw) < "\u0100" else raw
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 1] + "…"
