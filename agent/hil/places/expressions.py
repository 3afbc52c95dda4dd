"""Whole-number expressions in braces, as in ``R{(n - 1) // 40 + 1:02}``. Pure.

Only numbers, names, ``+ - * // %`` and brackets are accepted: an expression is read with Python's own grammar and never
run as Python.
"""

import ast
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

LONGEST: Final = 200
MOST_DIGITS: Final = 9

_WIDTH: Final = re.compile(r"(.*):0?([1-9])\s*", re.DOTALL)
_PIECE: Final = re.compile(r"\{([^{}]*)\}|([^{}]+)|([{}])")
_OPERATIONS: Final[Mapping[type[ast.operator], Callable[[int, int], int]]] = {
    ast.Add: lambda left, right: left + right,
    ast.Sub: lambda left, right: left - right,
    ast.Mult: lambda left, right: left * right,
    ast.FloorDiv: lambda left, right: left // right,
    ast.Mod: lambda left, right: left % right,
}
_GRAMMAR: Final = "names and whole numbers with + - * // % and brackets are expected"


class Expression(NamedTuple):
    """An expression that was read.

    Attributes:
        node: Its tree; only the kinds that `value` knows.
        names: The names in it, each once, in the order of the text.
        width: The least number of digits, filled with zeros.
    """

    node: ast.expr
    names: tuple[str, ...]
    width: int

    def value(self, values: Mapping[str, int | str]) -> str | None:
        """Return its value as text; None if it is negative, too large, or divides by zero.

        A name alone may stand for any text; in arithmetic it stands for a whole number.

        Args:
            values: The value of each name.
        """
        if isinstance(self.node, ast.Name):
            alone = values[self.node.id]
            return str(alone).zfill(self.width)
        try:
            number = _number(self.node, values)
        except (ArithmeticError, ValueError):
            return None
        return str(number).zfill(self.width) if 0 <= number < 10**MOST_DIGITS else None


class Template(NamedTuple):
    """Text with expressions in it.

    Attributes:
        pieces: Literal text and expressions, in order.
    """

    pieces: tuple[str | Expression, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names in it, each once."""
        return tuple(
            dict.fromkeys(name for piece in self.pieces if isinstance(piece, Expression) for name in piece.names)
        )

    def text(self, values: Mapping[str, int | str]) -> str | None:
        """Return the text with every expression replaced by its value; None if one has none."""
        texts = [piece if isinstance(piece, str) else piece.value(values) for piece in self.pieces]
        return None if None in texts else "".join(text for text in texts if text is not None)


def read_template(text: str) -> Template:
    """Return the template that `text` is.

    Raises:
        ValueError: A brace without its other half, or an expression of another form; with a message for operators.
    """
    if len(text) > LONGEST:
        raise ValueError(f"at most {LONGEST} characters are expected")
    pieces: list[str | Expression] = []
    for expression, literal, brace in _PIECE.findall(text):
        if brace:
            raise ValueError("braces come in pairs, as in {slot}")
        pieces.append(literal or read_expression(expression))
    return Template(tuple(pieces))


def read_expression(text: str) -> Expression:
    """Return the expression between two braces.

    Raises:
        ValueError: It is of another form; with a message for operators.
    """
    width = 0
    if sized := _WIDTH.fullmatch(text):
        text, width = sized[1], int(sized[2])
    try:
        node = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ValueError(f"{{{text}}}: {_GRAMMAR}") from None
    names: list[str] = []
    if not _is_known(node, names):
        raise ValueError(f"{{{text}}}: {_GRAMMAR}")
    return Expression(node, tuple(dict.fromkeys(names)), width)


def unknown_names(names: Iterable[str], known: Sequence[str]) -> str | None:
    """Return what is wrong if one of `names` is not among the known ones; None if all are."""
    unknown = [name for name in names if name not in known]
    if not unknown:
        return None
    return f"{{{unknown[0]}}} is not among the names on the left: {', '.join(known) or 'there are none'}"


def _is_known(node: ast.expr, names: list[str]) -> bool:
    match node:
        case ast.BinOp(left=left, op=operation, right=right):
            return type(operation) in _OPERATIONS and _is_known(left, names) and _is_known(right, names)
        case ast.Name(id=name):
            names.append(name)
            return True
        case ast.Constant(value=value):
            return type(value) is int and value < 10**MOST_DIGITS
        case _:
            return False


def _number(node: ast.expr, values: Mapping[str, int | str]) -> int:
    match node:
        case ast.BinOp(left=left, op=operation, right=right):
            return _OPERATIONS[type(operation)](_number(left, values), _number(right, values))
        case ast.Name(id=name):
            text = str(values[name])
            # A worker's name may have digits of other scripts, or an underscore between two.
            if len(text) > MOST_DIGITS or not (text.isascii() and text.isdecimal()):
                raise ValueError(text[:MOST_DIGITS])
            return int(text)
        case ast.Constant(value=int(value)):
            return value
        case _:
            raise AssertionError(node)
