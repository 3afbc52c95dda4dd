"""Addresses that are passed on stay below an agent's own, however often anything on the way decodes them."""

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.fleet.addresses import MAX_QUERY_CHARS, Passed, read_passed


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/sites/a/", Passed("a", "", "")),
        ("/sites/a", Passed("a", None, "")),
        ("/sites/a?x=1", Passed("a", None, "x=1")),
        ("/sites/a/units?q=C3&sort=-lost", Passed("a", "units", "q=C3&sort=-lost")),
        ("/sites/a/units/", Passed("a", "units/", "")),
        ("/sites/a/units/S21%20no%2E7", Passed("a", "units/S21%20no%2E7", "")),
        ("/sites/a/units/u%401", Passed("a", "units/u%401", "")),
        ("/sites/a/units/50%25", Passed("a", "units/50%25", "")),
        ("/sites/a/units/%E2%82%BF", Passed("a", "units/%E2%82%BF", "")),
        (
            "/sites/a/api/v1/history?from=2025-10-01T00:00:00Z",
            Passed("a", "api/v1/history", "from=2025-10-01T00:00:00Z"),
        ),
        ("/sites/a/assets/page.css?v=0123", Passed("a", "assets/page.css", "v=0123")),
        ("/sites/a/x?next=http://evil.example/", Passed("a", "x", "next=http://evil.example/")),
        ("/sites/...a/...", Passed("...a", "...", "")),
    ],
)
def test_an_address_is_taken_apart_as_it_was_sent(target: str, expected: Passed) -> None:
    """Path and query go on with every escape as it was."""
    assert read_passed(target) == expected


@pytest.mark.parametrize(
    "target",
    [
        "/sites",
        "/sites/",
        "/sites//",
        "/sites//evil.example/",
        "/sites/../metrics",
        "/sites/./a/",
        "/sites/%2e%2e/a/",
        "/sites/a/../b",
        "/sites/a/..",
        "/sites/a/./b",
        "/sites/a/%2e%2e/b",
        "/sites/a/%2E./b",
        "/sites/a/.%2e",
        "/sites/a/%252e%252e/b",
        "/sites/a/%25252e%25252e/b",
        "/sites/a//evil.example/",
        "/sites/a/b//c",
        "/sites/a/b//",
        "/sites/a/%2fevil.example",
        "/sites/a/b%2Fc",
        "/sites/a/b%5cc",
        "/sites/a/b%252fc",
        "/sites/a/b\\c",
        "/sites/a/@evil.example/",
        "/sites/a@evil.example/",
        "/sites/a%00/",
        "/sites/a/b%00",
        "/sites/a/b%0d%0aX-Y:%20z",
        "/sites/a/b\r\nX: y",
        "/sites/a/b c",
        "/sites/a/b%",
        "/sites/a/b%g1",
        "/sites/a/%c0%ae%c0%ae/%ff\x7f",
        "/sites/a/b#c",
        "/sites/a/b?c#d",
        "/sites/a/b?c d",
        "/sites/a/b?c%0",
        "/sites/a/é",
        "/sites/a/b?" + "q" * (MAX_QUERY_CHARS + 1),
        "http://evil.example/sites/a/",
        "//evil.example/sites/a/",
        "*",
        "evil.example:443",
        "/Sites/a/",
    ],
)
def test_a_path_that_may_leave_the_agent_is_refused(target: str) -> None:
    """Steps upwards, empty parts, other slashes, users, control characters, and all of these encoded."""
    assert read_passed(target) is None


@given(st.text(alphabet="/.%2eEfF5cCa@\\?#:;0d\r\n é", max_size=40))
def test_what_is_passed_on_stays_where_it_is(tail: str) -> None:
    """After three decodings no part of the path is a step upwards, and there is no slash that was not sent."""
    passed = read_passed(f"/sites/a/{tail}")
    if passed is None or passed.path is None:
        return
    decoded = unquote(unquote(unquote(passed.path)))
    assert decoded.count("/") == passed.path.count("/") == tail.partition("?")[0].count("/")
    assert not {".", ".."} & set(decoded.split("/"))
    assert "\\" not in decoded
    assert decoded.isprintable()
