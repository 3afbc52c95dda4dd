"""Names and values of a query string, checked against the names an address takes."""

from collections.abc import Collection, Iterable

from agent.errors import QueryError

_VALUE_CHARS = 128


def read_parameters(parameters: Iterable[tuple[str, str]], names: Collection[str]) -> dict[str, str]:
    """Return the values by name.

    Raises:
        QueryError: For the first parameter that is unknown, repeated, or longer than `_VALUE_CHARS`.
    """
    given: dict[str, str] = {}
    for name, value in parameters:
        if name not in names:
            raise QueryError(f"unknown parameter {name[:_VALUE_CHARS]!r}: expected one of {', '.join(names)}")
        if name in given:
            raise QueryError(f"{name} is given twice")
        if len(value) > _VALUE_CHARS:
            raise QueryError(f"{name} is longer than {_VALUE_CHARS} characters")
        given[name] = value
    return given
