"""Forms of recorded values: a number is printed as the recorded one was, with its decimals and its quotes."""

import re
from collections.abc import Callable, Sequence

from simulators.firmware.like.tokens import Leaf

Form = Callable[[float], str]

_LEAST_DECIMALS = 2
_MOST_DECIMALS = 12
_NUMBER = re.compile(r"-?\d+(?:\.(\d+))?")


def form_of(leaf: Leaf, alike: Sequence[Leaf] = ()) -> Form | None:
    """Return how to print a number in the place of a recorded one; None if that is no number.

    A whole number stays whole. Decimals are fixed if one of the recorded ones ends in a 0 that a shorter form would
    leave out, or stands in quotes; else they are as many as the number needs, up to as many as were recorded.

    Args:
        leaf: The recorded number.
        alike: Others of its kind, which tell the most decimals.
    """
    texts = [text for each in (leaf, *alike) if (text := _text(each)) is not None]
    own = _text(leaf)
    match = None if own is None else _NUMBER.fullmatch(own)
    if match is None:
        return None
    if match[1] is None:
        return _quoted(leaf, lambda value: str(round(value)))
    decimals = [len(found[1]) for text in texts if (found := _NUMBER.fullmatch(text)) is not None and found[1]]
    most = min(max(decimals), _MOST_DECIMALS)
    is_fixed = leaf.raw.startswith('"') or any(re.search(r"\.\d+0$", text) for text in texts)
    if is_fixed:
        return _quoted(leaf, lambda value: f"{value:.{len(match[1])}f}")
    most = max(most, _LEAST_DECIMALS) if most > 1 else _LEAST_DECIMALS
    return _quoted(leaf, lambda value: repr(round(float(value), most)))


def _text(leaf: Leaf) -> str | None:
    """Return the digits of a number, without quotes; None if it is none."""
    text = leaf.raw.strip('"')
    return text if _NUMBER.fullmatch(text) else None


def _quoted(leaf: Leaf, show: Callable[[float], str]) -> Form:
    if not leaf.raw.startswith('"'):
        return show
    return lambda value: f'"{show(value)}"'
