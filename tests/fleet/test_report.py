"""An agent's answer is read strictly, from any version, and whatever else comes has one clear word."""

import json
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stand_in_agents import answer

from agent.fleet.report import MAX_WORDS_CHARS, read_report
from agent.fleet.troubles import MAX_DETAIL_CHARS, SiteError, Trouble

FIGURES = {
    "deployed_hs": 4e15,
    "operating_hs": 3e15,
    "uplift_hs": 0,
    "known_hs": 4e15,
    "losses_hs": {"stopped": 1e15},
    "units": 20,
}
LEAST = {
    "site": "a",
    "now": "2025-11-20T21:36:00Z",
    "deployed_hs": 4e15,
    "units": 20,
    "is_ready": True,
    "figures": FIGURES,
}


def _body(**changes: Any) -> bytes:
    return json.dumps(LEAST | changes).encode()


def _without(key: str) -> bytes:
    return json.dumps({name: value for name, value in LEAST.items() if name != key}).encode()


def test_a_real_agents_answer_is_read() -> None:
    """What this version's agent says is kept as far as the fleet needs it."""
    said = answer("a", 200, at=1763674560.0)
    read = read_report(msgspec.json.encode(said), site="a")
    assert said.figures is not None
    assert read.figures is not None
    for key in ("deployed_hs", "operating_hs", "uplift_hs", "known_hs", "units", "operational_efficiency_ratio"):
        assert getattr(read.figures, key) == getattr(said.figures, key)
    assert read.figures.losses_hs == {str(cause): hs for cause, hs in said.figures.losses_hs.items()}
    assert (read.version, read.role, read.is_ready, read.figures_age_s) == ("1.2.3", "primary", True, 0.0)


def test_an_older_agent_is_read_without_the_fields_it_lacks() -> None:
    """Fields that no total needs have defaults."""
    read = read_report(_body(), site="a")
    assert (read.role, read.version, read.late_reason, read.figures_age_s) == ("primary", "", None, None)


def test_a_newer_agent_is_read_with_fields_and_words_that_are_new() -> None:
    """New fields are skipped; a new cause of loss and a new role are kept."""
    figures = FIGURES | {"losses_hs": {"flooded": 1e15}, "novel": {"deep": [1]}}
    read = read_report(_body(figures=figures, role="observer", novel=[[1]]), site="a")
    assert read.figures is not None
    assert (read.figures.losses_hs, read.role) == ({"flooded": 1e15}, "observer")


def test_an_agent_without_figures_yet_is_read() -> None:
    """It starts: what it deploys is known."""
    read = read_report(_body(figures=None, is_ready=False, not_ready_reason="just started"), site="a")
    assert (read.figures, read.deployed_hs, read.not_ready_reason) == (None, 4e15, "just started")


@pytest.mark.parametrize(
    ("body", "trouble", "words"),
    [
        (b"", Trouble.NONSENSE, "not JSON: "),
        (b"[" * 1_000_000, Trouble.NONSENSE, "Expected `object`, got `array`"),
        (b'{"deployed_hs": 1, "x": ' + b"[" * 1_000_000, Trouble.NONSENSE, "not JSON: "),
        (b'{"deployed_hs": 1, "x": ' + b'{"y": ' * 200_000, Trouble.NONSENSE, "not JSON: "),
        (b"null", Trouble.NONSENSE, "Expected `object`, got `null`"),
        (b"\xff\xfe\x00", Trouble.NONSENSE, "not JSON: "),
        (b'{"status": "ok"}', Trouble.NONSENSE, "Object missing required field `site`"),
        (b" \n<!DOCTYPE html><title>Sign in</title>", Trouble.WEB_PAGE, "a web page answers: "),
        (b"<html><body>captive", Trouble.WEB_PAGE, "a web page answers: "),
        (_without("figures"), Trouble.VERSION, "Object missing required field `figures`"),
        (_body(figures={"deployed_hs": 1}), Trouble.VERSION, "Object missing required field `operating_hs`"),
        (_body(site="b"), Trouble.OTHER_SITE, "it says 'b', not 'a'"),
        (_body(site="b\x1b[31m" + "b" * 5000), Trouble.OTHER_SITE, "it says "),
        (_body(now="yesterday"), Trouble.NONSENSE, "Invalid RFC3339"),
        (_body(now="2025-11-20T21:36:00"), Trouble.NONSENSE, "its times have no zone"),
        (_body(deployed_hs=-1), Trouble.NONSENSE, "Expected `float` >= 0"),
        (_body(deployed_hs="4e15"), Trouble.NONSENSE, "Expected `float`, got `str`"),
        (_body(deployed_hs=1e30), Trouble.NONSENSE, "Expected `float` <= "),
        (_body().replace(b"4000000000000000.0", b"1e999", 1), Trouble.NONSENSE, "Number out of range"),
        (_body().replace(b"4000000000000000.0", b"NaN", 1), Trouble.NONSENSE, "not JSON: "),
        (_body(units=10**9), Trouble.NONSENSE, "Expected `int` <= "),
        (
            _body(figures=FIGURES | {"operating_hs": 4e15}),
            Trouble.NONSENSE,
            "deployed less losses plus uplift is 3.00 PH/s",
        ),
        (_body(figures=FIGURES | {"known_hs": 5e15}), Trouble.NONSENSE, "more is known than is deployed"),
        (_body(figures=FIGURES | {"losses_hs": {"<script>": 1e15}}), Trouble.NONSENSE, "Expected `str` matching regex"),
        (
            _body(
                figures=FIGURES
                | {"losses_hs": {f"{'x' * 30}{chr(97 + n % 26)}{chr(97 + n // 26)}": 0 for n in range(65)}}
            ),
            Trouble.NONSENSE,
            "65 causes of loss",
        ),
    ],
)
def test_what_is_no_answer_of_this_site_has_its_word(body: bytes, trouble: Trouble, words: str) -> None:
    """One clear reason, short and printable, whatever the bytes."""
    with pytest.raises(SiteError) as raised:
        read_report(body, site="a")
    assert raised.value.trouble is trouble
    assert raised.value.detail.startswith(words.strip())
    assert raised.value.detail.isprintable()
    assert len(raised.value.detail) <= MAX_DETAIL_CHARS


def test_words_of_an_agent_are_clipped_to_one_printable_line() -> None:
    """A page, a terminal and the log get no more than a line of them."""
    read = read_report(_body(late_reason="late\n\x1b[2J" * 1000, version="v" * 1000, role="r\n" * 99), site="a")
    assert read.late_reason is not None
    assert read.late_reason.isprintable()
    assert len(read.late_reason) <= MAX_WORDS_CHARS
    assert len(read.version) <= 40
    assert read.role.isprintable()


@given(
    st.binary(max_size=300) | st.builds(lambda at, new: _body()[:at] + new, st.integers(0, 300), st.binary(max_size=9))
)
def test_any_bytes_are_a_report_or_one_kind_of_error(body: bytes) -> None:
    """Nothing else is raised."""
    with suppress(SiteError):
        assert read_report(body, site="a").site == "a"
