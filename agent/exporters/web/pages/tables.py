"""Tables of a page: real ones, with column heads that the script can sort by."""

from collections.abc import Collection, Iterable
from html import escape


def table(
    title: str,
    heads: Iterable[str],
    rows: Iterable[str],
    *,
    numbers: Collection[int] = (),
    wide: Collection[int] = (),
    before: str = "",
    note: str = "",
    is_sortable: bool = True,
    name: str = "",
) -> str:
    """Return a table in a card of its own.

    Args:
        title: Heading of the card and name of the table, as plain text.
        heads: Column heads, as plain text.
        rows: Rows as HTML. A cell's attribute `data-sort` is what the script sorts by, where its text is not.
        numbers: Indices of the columns that are aligned as numbers.
        wide: Indices of the columns that a phone leaves out; their cells have the class ``wide``.
        before: What stands between heading and table, as HTML.
        note: What stands under the table, as HTML.
        is_sortable: True if the script may sort it.
        name: Class of the card besides ``card``.
    """
    columns = "".join(
        f'<th scope="col"{_classes(is_number=index in numbers, is_wide=index in wide)}>{escape(head)}</th>'
        for index, head in enumerate(heads)
    )
    words = escape(title)
    sortable = f' data-sortable="{words}"' if is_sortable else ""
    return (
        f'<section class="{f"card {name}".rstrip()}"><h2>{words}</h2>{before}'
        f'<div class="scroll" tabindex="0" role="region" aria-label="{words}">'
        f"<table{sortable}><thead><tr>{columns}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
        f"</div>{note}</section>"
    )


def _classes(*, is_number: bool, is_wide: bool) -> str:
    names = " ".join(name for name, has in (("number", is_number), ("wide", is_wide)) if has)
    return f' class="{names}"' if names else ""
