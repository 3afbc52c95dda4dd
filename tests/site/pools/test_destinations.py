"""Destinations of work: what a pool's URL and user name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.site.pools.destinations import Destination, account_of, destination_of, redacted, worker_of


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("stratum+tcp://Stratum.Pool.example:3333", Destination("stratum+tcp", "stratum.pool.example", 3333)),
        ("stratum.pool.example:3333", Destination("stratum+tcp", "stratum.pool.example", 3333)),
        ("stratum.pool.example", Destination("stratum+tcp", "stratum.pool.example", None)),
        ("STRATUM+SSL://pool.example.", Destination("stratum+ssl", "pool.example", None)),
        ("stratum2+tcp://v2.pool.example/9awtMD5KQgv", Destination("stratum2+tcp", "v2.pool.example", None)),
        ("stratum+tcp://pool.example:443#xnsub", Destination("stratum+tcp", "pool.example", 443)),
        # The host is after the last sign that ends a user, whatever it looks like.
        ("stratum+tcp://stratum.pool.example@evil.example:3333", Destination("stratum+tcp", "evil.example", 3333)),
        ("stratum+tcp://192.0.2.10:25", Destination("stratum+tcp", "192.0.2.10", 25)),
        ("stratum+tcp://[2001:DB8::1]:3333", Destination("stratum+tcp", "2001:db8::1", 3333)),
        ("proxy:3333", Destination("stratum+tcp", "proxy", 3333)),
        # Marks of firmware, and what names no host.
        ("DevFee", None),
        ("*", None),
        ("", None),
        ("stratum+tcp://", None),
        ("stratum+tcp://pool.example:99999", None),
        ("stratum+tcp://pool example:1", None),
        # Firmware would connect to the first host of these, or to the one behind the double slash.
        ("stratum+tcp://evil.example:13333@stratum.pool.example:3333", None),
        ("stratum.pool.example:3333//evil.example:3333", None),
        ("stratum.pool.example/a//evil.example:3333", None),
        # A host that is cut off, or has a sign in it that is not printable, is none.
        ("stratum+tcp://pool.exam\ufffdple:3333", None),
        (f"stratum+tcp://{'a' * 255}.example", None),
    ],
)
def test_a_url_names_scheme_host_and_port(url: str, expected: Destination | None) -> None:
    """Upper and lower case are the same; a URL without a scheme is plain Stratum; a word alone is no host."""
    assert expected == destination_of(url)


@given(st.text(max_size=80))
def test_any_text_is_a_destination_or_none(text: str) -> None:
    """No text raises, and what is found is found again in its own spelling."""
    found = destination_of(text)
    assert found is None or destination_of(str(found)) == found


@pytest.mark.parametrize(
    ("user", "account", "worker"),
    [("site.rig1", "site", "rig1"), ("site", "site", ""), ("site.a.b", "site", "a.b"), ("", "", "")],
)
def test_the_account_ends_at_the_first_dot(user: str, account: str, worker: str) -> None:
    """Pools write account and worker with a dot between; the worker may have more of them."""
    assert (account_of(user), worker_of(user)) == (account, worker)


def test_only_the_beginning_of_an_account_is_shown() -> None:
    """Four characters tell two accounts apart, and give none away; a short one shows half of it at most."""
    assert redacted("bc1qexampleaddress") == "bc1q…"
    assert [redacted(name) for name in ("", "x", "ab", "abc", "acme", "acme12", "acme1234")] == [
        *("", "…", "a…", "a…", "ac…", "acm…", "acme…")
    ]
