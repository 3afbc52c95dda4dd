"""The text format of an exposition: escaped labels, the lines of a family, and their header."""

import sys
from functools import cache
from typing import Any

from agent.exporters.prometheus.family import Family, Kind

LABEL_CHARS = 64
# A fleet of 256,000 units has 6,400 racks; suffixes beyond this limit are rendered again each interval.
_SUFFIXES_KEPT = 65_536
_LARGEST = sys.float_info.max
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


def clean_label(text: str) -> str:
    r"""Return a label value that is safe between quotes, from at most `LABEL_CHARS` characters.

    A device's text may contain anything a JSON string may. Unprintable characters become U+FFFD, because one lone
    surrogate would make the whole exposition undecodable.
    """
    text = text[:LABEL_CHARS]
    if not text.isprintable():
        text = "".join(char if char.isprintable() else "\ufffd" for char in text)
    return text.translate(_ESCAPES)


def label_pairs(names: tuple[str, ...], values: tuple[str, ...]) -> str:
    """Return ``name="value"`` pairs, comma-separated."""
    # Few values need cleaning: one check of all and one template take a fifth of the time of single pairs.
    together = "".join(values)
    if (
        not together.isprintable()
        or "\\" in together
        or '"' in together
        or (len(together) > LABEL_CHARS and max(map(len, values)) > LABEL_CHARS)
    ):
        values = tuple(map(clean_label, values))
    return _template(names) % values


@cache
def _template(names: tuple[str, ...]) -> str:
    return ",".join(f'{name}="%s"' for name in names)


def header(family: Family[Any], *, is_openmetrics: bool) -> str:
    """Return the lines before a family's samples; OpenMetrics names counters and infos without their suffix."""
    name, kind = family.name, family.kind
    if is_openmetrics:
        if kind is Kind.COUNTER:
            name = name.removesuffix("_total")
        elif kind is Kind.INFO:
            name = name.removesuffix("_info")
    elif kind is Kind.INFO:
        kind = Kind.GAUGE
    return f"# HELP {name} {family.help}\n# TYPE {name} {kind}\n"


class Lines:
    """Renders the samples of one family as lines: head, shared labels, suffix, number.

    Args:
        family: The family to render.
        shared_labels: Number of its first labels, which callers pass already rendered.

    Attributes:
        head: The name and the opening brace.
    """

    __slots__ = ("_names", "_suffixes", "family", "head")

    def __init__(self, family: Family[Any], shared_labels: int) -> None:
        self.family = family
        self.head = family.name + "{"
        self._names = family.labels[shared_labels:]
        self._suffixes: dict[tuple[str, ...], str] = {(): "} "}

    def suffix(self, values: tuple[str, ...]) -> str:
        """Return the text between the shared labels and the number."""
        return self._suffixes.get(values) or self._suffix(values)

    def _suffix(self, values: tuple[str, ...]) -> str:
        """Render the other labels, and cache them unless it is an info family: all others come from closed lists."""
        suffix = f",{label_pairs(self._names, values)}}} "
        if self.family.kind is not Kind.INFO and len(self._suffixes) < _SUFFIXES_KEPT:
            self._suffixes[values] = suffix
        return suffix

    def render(self, base: str, part: object) -> str:
        """Return the lines of one subject; a value that is absent, NaN or infinite has none.

        Args:
            base: The subject's shared labels, rendered.
            part: The subject, which the family's samples are read off.
        """
        head = self.head
        # A mapping: a board listed twice must not give the same series twice, which no parser accepts.
        lines = {}
        for values, value in self.family.samples(part):
            if value is not None and -_LARGEST <= value <= _LARGEST:
                suffix = self.suffix(values)
                lines[suffix] = f"{head}{base}{suffix}{value!r}\n"
        return "".join(lines.values())
