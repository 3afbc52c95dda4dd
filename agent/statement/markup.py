"""Text in HTML: escaped, and without characters that have no place in a printed line. Pure."""

import unicodedata
from html import escape

_UNPRINTABLE = {"Cc", "Cf", "Co", "Cn", "Cs", "Zl", "Zp"}
"""Categories of characters that are not seen or change the direction of others."""


def text(value: object) -> str:
    """Return a value as HTML text, also for use within double quotes."""
    shown = "".join(
        "\N{REPLACEMENT CHARACTER}" if unicodedata.category(char) in _UNPRINTABLE else char for char in str(value)
    )
    return escape(shown, quote=True)
