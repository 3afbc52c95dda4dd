"""The text format of an exposition: labels that cannot break it, the lines of a family, and what stands before them."""

import sys
from functools import cache
from typing import Any

from agent.exporters.prometheus.family import Family, Kind

LABEL_CHARS = 64
# A fleet of 256,000 units has 6,400 racks; those beyond what is kept would be rendered anew each interval.
_SUFFIXES_KEPT = 65_536
_LARGEST = sys.float_info.max
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


def clean_label(text: str) -> str:
    r"""Give a label value safe to stand between quotes, at most `LABEL_CHARS` characters before escaping.

    What a device says may hold anything a JSON string may: control characters and lone surrogates, of which one would
    make the whole exposition undecodable, become U+FFFD.
    """
    text = text[:LABEL_CHARS]
    if not text.isprintable():
        text = "".join(char if char.isprintable() else "\ufffd" for char in text)
    return text.translate(_ESCAPES)


def label_pairs(names: tuple[str, ...], values: tuple[str, ...]) -> str:
    """Give ``name="value"`` pairs with commas between."""
    # Few have anything to clean; one look at all of them, and one template, take a fifth of what single pairs take.
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
    """Give the lines before a family's samples; OpenMetrics names counters and infos without their suffix."""
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
    """One family's lines, as its `samples` say.

    Args:
        family: What is rendered.
        shared_labels: How many of its labels come rendered, as the prefix.

    Attributes:
        head: What stands before the prefix.
    """

    __slots__ = ("_names", "_suffixes", "family", "head")

    def __init__(self, family: Family[Any], shared_labels: int) -> None:
        self.family = family
        self.head = family.name + "{"
        self._names = family.labels[shared_labels:]
        self._suffixes: dict[tuple[str, ...], str] = {(): "} "}

    def suffix(self, values: tuple[str, ...]) -> str:
        """Give what stands between prefix and number."""
        return self._suffixes.get(values) or self._suffix(values)

    def _suffix(self, values: tuple[str, ...]) -> str:
        """Render the labels after the prefix; kept, because all but those of the info family come from closed lists."""
        suffix = f",{label_pairs(self._names, values)}}} "
        if self.family.kind is not Kind.INFO and len(self._suffixes) < _SUFFIXES_KEPT:
            self._suffixes[values] = suffix
        return suffix

    def render(self, base: str, part: object) -> str:
        """Give the lines of one subject, from its rendered labels and itself.

        A value that is absent, not a number or infinite gives none.
        """
        head = self.head
        # A mapping, so that a firmware that names a board twice gives one series and not an exposition nobody accepts.
        lines = {}
        for values, value in self.family.samples(part):
            if value is not None and -_LARGEST <= value <= _LARGEST:
                suffix = self.suffix(values)
                lines[suffix] = f"{head}{base}{suffix}{value!r}\n"
        return "".join(lines.values())
