"""Regular expressions in bounded time: what they find is what Python's engine finds, in at most steps times places."""

import itertools
import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from agent.hil.places import patterns
from agent.hil.places.patterns import MOST_STEPS, Pattern


def found_by_python(expression: str, text: str) -> dict[str, str] | None:
    """Return what `re` finds, in the form of `Pattern.search`."""
    match = re.search(expression, text)
    return None if match is None else {name: part or "" for name, part in match.groupdict().items()}


@pytest.mark.parametrize(
    ("expression", "texts"),
    [
        (r"^acme\.(?P<container>C\d+)-(?P<rack>R\d+)-(?P<slot>\d+)$", ["acme.C1-R02-17", "acme.C1-R02-", "x", ""]),
        (r"(?P<a>a+?)(?P<b>a*)", ["aaa", "baab", ""]),
        (r"(?P<a>a|ab)(?P<b>c|bcd)?", ["abcd", "abc", "ac"]),
        (r"(?P<x>[A-Z]{1,3})[._-]?(?P<n>\d{2,})$", ["ABCD-07", "A1", "QQ_123", "Q\N{ARABIC-INDIC DIGIT ONE}2"]),
        (r"(?i)(?P<r>rack[0-9]+)", ["RACK12", "rAcK", "a rack1 rack2"]),
        (r"(?:(?P<l>[a-c])(?P<n>\d)?,)+$", ["a1,b,", "a1,b2,c,", "d1,"]),
        (r"(?P<q>[]x]|[^]a]|\x41|\u0042)\b", ["]", "x", "a", "A", "B b"]),
        (r"(?P<t>.{2})$", ["ab\n", "a\nb", "abc"]),
        (r"(?P<n>\d{3}(?:\D{0,2}?\d){,2})x{0}", ["123-4", "1234567", "12"]),
        (r"\A(?P<e>)(?P<z>(?:a)?)\Z", ["", "a", "aa"]),
        (r"a{}(?P<c>b{x})", ["a{}b{x}", "ab"]),
        (r"(?P<o>one|two|three|)-", ["one-", "three-", "-", "four-"]),
    ],
)
def test_it_finds_what_python_finds(expression: str, texts: list[str]) -> None:
    """Greedy, lazy, counted and alternative parts, classes, escapes, anchors and groups."""
    for text in texts:
        assert Pattern(expression).search(text) == found_by_python(expression, text), text


ATOMS = st.sampled_from(["a", "b", "1", "-", ".", r"\d", r"\w", "[ab]", "[^a]", r"\-", "^", "$", r"\b"])
REPEATS = st.sampled_from(["", "?", "*", "+", "??", "*?", "+?", "{2}", "{1,3}", "{,2}", "{2,}?", "{0}"])


def _combined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    grouped = inner.map("(?P<>{})".format) | inner.map("(?:{})".format)
    return (
        st.tuples(grouped, REPEATS).map("".join)
        | st.lists(inner, max_size=3).map("".join)
        | st.lists(inner, min_size=2, max_size=3).map(lambda parts: f"(?:{'|'.join(parts)})")
    )


EXPRESSIONS = st.recursive(ATOMS | st.tuples(ATOMS, REPEATS).map("".join), _combined, max_leaves=8)


@given(EXPRESSIONS, st.text("ab1-\n", max_size=8))
def test_any_expression_finds_what_python_finds(expression: str, text: str) -> None:
    """Random expressions with named groups, in random texts."""
    number = itertools.count()
    expression = re.sub(r"\(\?P<>", lambda _: f"(?P<g{next(number)}>", expression)
    try:
        pattern = Pattern(expression)
    except ValueError:
        # It repeats what may be empty, or is none for Python either.
        assume(False)  # noqa: FBT003 - the function's own form
    assert pattern.search(text) == found_by_python(expression, text)


@pytest.mark.parametrize(
    "expression",
    [r"^(?P<slot>a+)+$", r"(a|aa)+$", r"(.*)(.*)(.*)(.*)(.*)=$", r"([a-z]+)*b", r"(?:a|aa){,30}a{30}$", r"(\w+\s?)+:"],
)
def test_no_text_takes_more_than_steps_times_places(expression: str) -> None:
    """Expressions that would keep Python's engine busy for years end after a number of tries that is known before."""
    text = "a" * 255 + "!"
    pattern = Pattern(expression)
    tries = 0

    def counted(test: patterns._Test | None) -> patterns._Test | None:
        def count(string: str, at: int) -> object:
            nonlocal tries
            tries += 1
            return None if test is None else test(string, at)

        return test and count

    pattern._steps = [step._replace(test=counted(step.test)) for step in pattern._steps]
    assert pattern.search(text) is None
    assert 0 < tries <= len(pattern._steps) * (len(text) + 1)


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("(", "not a regular expression"),
        ("a**", "not a regular expression"),
        ("(?P<a>x)(?P=a)", "are not known here"),
        (r"(x)\1", "are not known here"),
        ("(?=x)", "are not known here"),
        ("(?<!x)y", "are not known here"),
        ("(?>x)", "are not known here"),
        ("x++", "are not known here"),
        ("(?s)x", "are not known here"),
        ("(?i:x)", "are not known here"),
        ("(?:a*)*", "'(?:a*)*' repeats what may be empty"),
        ("(|x){2}", "repeats what may be empty"),
        ("(?:^){2}x", "repeats what may be empty"),
        ("x{1000}", f"takes more than {MOST_STEPS} steps"),
        ("((((x{9}){9}){9}){9}){9}", f"takes more than {MOST_STEPS} steps"),
    ],
)
def test_what_is_left_out_is_refused(expression: str, reason: str) -> None:
    """One clear reason, before any text is looked at."""
    with pytest.raises(ValueError, match=re.escape(reason)):
        Pattern(expression)
