"""Every text is cut into pieces, whatever is wrong with it, in a number of steps that its length bounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.hil.redaction.pieces import Role, read_pieces
from agent.hil.redaction.redactor import Redactor

FRAGMENTS = st.lists(
    st.sampled_from(
        [
            '{"a":',
            '"sn":"AB12"',
            "'x'",
            "}{",
            "]",
            "[",
            ",",
            "NaN",
            "\\",
            '"',
            "\0",
            "\n",
            "=",
            "é",
            "A4:5C:11:9B:02:7F",
            "user=acme",
            "http://acme.org:1",
            "8.34.1.2",
            "1234567",
            "\\u0041",
            "\\x",
            "a@b.org",
            ".",
            "-",
            "antminer",
        ]
    ),
    max_size=30,
).map("".join)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a":{"b":["x",{"c":"y"}]}}', [("a",), ("a", "b"), ("a", "b", 0), ("a", "b", 1, "c"), ("a", "b", 1, "c")]),
        ('{"a":"x" "b":"y"}', [("a",), ("a",), ("b",), ("b",)]),
        ('{"a":["x",],"b":"y",}', [("a",), ("a", 0), ("b",), ("b",)]),
        ('[{"a":"x"}{"a":"y"}]', [(0, "a"), (0, "a"), (0, "a"), (0, "a")]),
        ("{'a': \"x's\", 'b': 'y'}", [("a",), ("a",), ("b",), ("b",)]),
        ('{"a":"x', [("a",), ("a",)]),
        ('y"}}, "a":"x"', []),
        ("don't: can't", []),
        ('Digest nonce="x"', [("nonce",)]),
        ('{"a\\"b":"x"}', [('a"b',), ('a"b',)]),
    ],
)
def test_paths_of_quoted_texts(text: str, expected: list[tuple[str | int, ...]]) -> None:
    """Missing commas, trailing commas, two objects, Python's quotes and cut replies have paths nevertheless.

    A reply whose start was cut off within a text has none: what is quoted there stands between texts.
    """
    assert [piece.path for piece in read_pieces(text) if piece.role is not Role.BARE] == expected


def test_depth_is_bounded() -> None:
    """A path has at most 25 parts, however deeply objects nest."""
    assert max(len(piece.path) for piece in read_pieces('{"a":' * 5000)) <= 25


@given(FRAGMENTS)
def test_pieces_are_what_stands_there(text: str) -> None:
    """Pieces follow each other without overlap, and are written as they stand in the text."""
    at = 0
    for piece in read_pieces(text):
        assert at <= piece.start <= piece.end
        assert piece.cells.raw == text[piece.start : piece.end]
        assert piece.cells.as_written(0, len(piece.cells.text)) == piece.cells.raw
        at = piece.end


@given(st.lists(FRAGMENTS | st.binary(max_size=60), max_size=4))
def test_any_bytes_are_redacted_to_as_many_and_stay(replies: list[str | bytes]) -> None:
    """Whatever the bytes are, their number stays, nothing is raised, and redacting again changes nothing."""
    capture = [reply if isinstance(reply, bytes) else reply.encode() for reply in replies]

    def redacted(capture: list[bytes]) -> list[bytes]:
        redactor = Redactor()
        for reply in capture:
            redactor.survey("", reply)
        return [redactor.redact("", reply) for reply in capture]

    after = redacted(capture)
    assert list(map(len, after)) == list(map(len, capture))
    assert redacted(after) == after
