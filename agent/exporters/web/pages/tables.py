"""Tables of a page: real ones, with column heads that the script can sort by."""

from collections.abc import Collection, Iterable
from html import escape


def table(title: str, heads: Iterable[str], rows: Iterable[str], *, numbers: Collection[int] = ()) -> str:
    """Return a table in a card of its own.

    Args:
        title: Heading of the card and name of the table, as plain text.
        heads: Column heads, as plain text.
        rows: Rows as HTML. A cell's attribute `data-sort` is what the script sorts by, where its text is not.
        numbers: Indices of the columns that are aligned as numbers.
    """
    columns = "".join(
        f'<th scope="col"{" class=number" if index in numbers else ""}>{escape(head)}</th>'
        for index, head in enumerate(heads)
    )
    name = escape(title)
    return (
        f'<section class="card"><h2>{name}</h2><div class="scroll" tabindex="0" role="region" aria-label="{name}">'
        f'<table data-sortable="{name}"><thead><tr>{columns}</tr></thead><tbody>{"".join(rows)}</tbody></table>'
        "</div></section>"
    )
