"""Summary of replaced and kept texts, in lines for the screen that is shown before a capture is written. Pure."""

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from agent.hil.redaction.kinds import REASONS, Kept, Kind, Reason, Replacement
from agent.hil.redaction.redactor import Redactor

WIDTH: Final = 80
_MOST_SHOWN: Final = 3
_LONGEST_TEXT: Final = 40
_MOST_LINES: Final = 6


def words_for(redactor: Redactor, *, width: int = WIDTH, every_kept: bool = False) -> list[str]:
    """Return what was replaced, by kind, and what stays, by reason; no line is wider than `width`.

    Secrets are not shown, pseudonyms are.

    Args:
        redactor: After the redaction.
        width: In characters, 40 or more.
        every_kept: True for all texts that stay; else at most six lines for each reason.
    """
    lines = ["Replaced:"]
    lines += _replaced(redactor.replaced, width) or ["  nothing"]
    lines.append("Kept:")
    lines += _kept(redactor.kept, width, None if every_kept else _MOST_LINES) or ["  nothing"]
    return lines


def _replaced(replacements: Iterable[Replacement], width: int) -> list[str]:
    by_kind: dict[Kind, list[Replacement]] = {}
    for one in replacements:
        by_kind.setdefault(one.kind, []).append(one)
    lines: list[str] = []
    for kind in Kind:
        if ones := by_kind.get(kind):
            pseudonyms = list(dict.fromkeys(one.pseudonym for one in ones))
            paths = list(dict.fromkeys(one.path or f"text of {one.name}" for one in ones))
            times = sum(one.times for one in ones)
            lines.append(f"  {kind}: {len(pseudonyms)}, at {_places(times)}")
            lines += _wrapped("    now ", _some(pseudonyms), width)
            lines += _wrapped("    in ", _some(paths), width)
    return lines


def _kept(kept: Iterable[Kept], width: int, most_lines: int | None) -> list[str]:
    by_reason: dict[Reason, list[Kept]] = {}
    for one in kept:
        by_reason.setdefault(one.reason, []).append(one)
    lines: list[str] = []
    for reason in REASONS:
        if ones := by_reason.get(reason):
            times = sum(one.times for one in ones)
            texts = [one.text for one in ones if one.text]
            lines.append(
                f"  {reason}: {len(texts)} different, at {_places(times)}" if texts else f"  {reason}: {times}"
            )
            shown = _wrapped("    ", (_clipped(text) for text in texts), width)
            lines += shown if most_lines is None else shown[:most_lines]
            if most_lines is not None and len(shown) > most_lines:
                lines.append(f"    ... and {len(shown) - most_lines} more lines")
    return lines


def _places(times: int) -> str:
    return "1 place" if times == 1 else f"{times} places"


def _some(texts: Sequence[str]) -> Iterator[str]:
    yield from map(_clipped, texts[:_MOST_SHOWN])
    if len(texts) > _MOST_SHOWN:
        yield f"and {len(texts) - _MOST_SHOWN} more"


def _clipped(text: str) -> str:
    printable = "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text)
    return printable if len(printable) <= _LONGEST_TEXT else printable[: _LONGEST_TEXT - 1] + "…"


def _wrapped(start: str, texts: Iterable[str], width: int) -> list[str]:
    """Return texts separated by bars, after `start`; texts are broken only where one is wider than a line."""
    return textwrap.wrap(
        " | ".join(texts),
        width=width,
        initial_indent=start,
        subsequent_indent=" " * len(start),
        break_on_hyphens=False,
    )
