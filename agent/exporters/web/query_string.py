"""Names and values of a query string, checked against the names an address takes."""

from collections.abc import Collection, Iterable

from agent.errors import QueryError

MAX_VALUE_CHARS = 128


def read_parameters(parameters: Iterable[tuple[str, str]], names: Collection[str]) -> dict[str, str]:
    """Return the values by name.

    Raises:
        QueryError: For the first parameter that is unknown, repeated, longer than `MAX_VALUE_CHARS` or not UTF-8.
    """
    given: dict[str, str] = {}
    for name, value in parameters:
        if name not in names:
            raise QueryError(f"unknown parameter {name[:MAX_VALUE_CHARS]!r}: expected one of {', '.join(names)}")
        if name in given:
            raise QueryError(f"{name} is given twice")
        if len(value) > MAX_VALUE_CHARS:
            raise QueryError(f"{name} is longer than {MAX_VALUE_CHARS} characters")
        if not _is_text(value):
            raise QueryError(f"{name} is not UTF-8")
        given[name] = value
    return given


def _is_text(value: str) -> bool:
    # Bytes that are not UTF-8 arrive as lone surrogates, which neither JSON nor SQLite takes.
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
