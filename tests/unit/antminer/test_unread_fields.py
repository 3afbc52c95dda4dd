"""Fields that no reader uses: found, folded, bounded, and without any text of the unit's."""

import json
from typing import Any

import pytest
from capture_files import CAPTURES_TEXT, INVALID_COMMAND, S21_POOLS, S21_STATS
from hypothesis import given
from hypothesis import strategies as st

from agent.unit.antminer.unread_fields import report_of, unread_fields
from agent.unit.unread import MAX_PATH, MOST_NAMES, UnreadField, text_form

S21 = json.loads(S21_STATS)


def found(report: str, body: Any, **kind: bool) -> list[tuple[str, int, str, str | None]]:
    """Return (path, times, form, example) of each unread field of one reply."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return [
        (field.path, field.times, field.form, field.example) for field in unread_fields([(report, data)], **kind).fields
    ]


def with_keys(**keys: Any) -> dict[str, Any]:
    """Return the S21's reply without its `psu`, with other keys in its element."""
    stats = {key: value for key, value in S21["STATS"][0].items() if key != "psu"}
    return S21 | {"STATS": [stats | keys]}


CASES = {
    "nothing is new": (with_keys(), []),
    "a number": (with_keys(volt=12.5), [("STATS[].volt", 1, "number", "12.5")]),
    "a text tells its form alone": (with_keys(site_id="AB12-cd"), [("STATS[].site_id", 1, "text of 7", "A9-a")]),
    "an empty text": (with_keys(note=""), [("STATS[].note", 1, "text of 0", None)]),
    "truth and nothing": (
        with_keys(on=True, off=None),
        [("STATS[].off", 1, "null", None), ("STATS[].on", 1, "true or false", "true")],
    ),
    "numbered keys are one": (
        with_keys(chain_vol1=1280, chain_vol2=1290),
        [("STATS[].chain_vol#", 2, "number", "1280")],
    ),
    "an object's own fields": (
        with_keys(psu={"watt": 3500, "rails": [{"v": 12}, {"v": 13}]}),
        [("STATS[].psu.rails[].v", 2, "number", "12"), ("STATS[].psu.watt", 1, "number", "3500")],
    ),
    "lists": (
        with_keys(tpl=[1, 2, 3, 4, 5], names=["a"], none=[], of=[[1], [2]]),
        [
            ("STATS[].names", 1, "list of 1 texts", None),
            ("STATS[].none", 1, "list of 0", None),
            ("STATS[].of", 1, "list of 2 lists", None),
            ("STATS[].tpl", 1, "list of 5 numbers", "[1, 2, 3, 4, …]"),
        ],
    ),
    "other firmware's key is read": (with_keys(total_power=3300), []),
    "but not in a spelling that lets the strict decode pass": (
        with_keys(TOTAL_power=3300),
        [("STATS[].TOTAL_power", 1, "number", "3300")],
    ),
    "a legacy key in the new dialect": (with_keys(fan1=6000), [("STATS[].fan#", 1, "number", "6000")]),
    "a report beside the known one": (with_keys() | {"PSU": [{"w": 1}]}, [("PSU[].w", 1, "number", "1")]),
    "control characters are shown": (
        with_keys(**{"a\x1b[2J\u202eb": 1}),
        [(r"STATS[].a\x1b[2J\u202eb", 1, "number", "1")],
    ),
    "a long name is clipped": (with_keys(**{"k" * 500: 1}), [(f"STATS[].{'k' * 48}…", 1, "number", "1")]),
}


@pytest.mark.parametrize(("body", "expected"), CASES.values(), ids=CASES)
def test_what_is_new_is_named(body: Any, expected: list[Any]) -> None:
    """Path, count, form and example of each field that no reader takes and no list leaves alone."""
    assert found("stats new_api", body) == expected


def test_numbers_beyond_those_read_are_told_from_them() -> None:
    """An S9 numbers its fans to 8, of which four are read."""
    legacy = {"STATUS": [{"STATUS": "S"}], "STATS": [{"Type": "Antminer S9"}, {"GHS 5s": 1, "fan4": 1, "fan6": 5640}]}
    assert found("stats", legacy) == [("STATS[].fan#5+", 1, "number", "5640")]


def test_texts_are_shown_only_when_asked_for() -> None:
    """The recorder may ask for texts, which it redacts itself."""
    body = with_keys(site_id="AB12\n")
    assert found("stats new_api", body) == [("STATS[].site_id", 1, "text of 5", "A9?")]
    assert found("stats new_api", body, with_text=True) == [("STATS[].site_id", 1, "text of 5", '"AB12\\n"')]


@pytest.mark.parametrize("name", ["s21-stock-aml-202407/tcp4028-pools.json", "s21-stock-aml-202407/http-summary.json"])
def test_a_recorded_unit_of_a_known_firmware_has_no_news(name: str) -> None:
    """All that recorded stock firmware says is read, or left alone on purpose."""
    report = "pools" if "pools" in name else "summary new_api"
    assert found(report, CAPTURES_TEXT[name]) == []


@pytest.mark.parametrize("data", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", S21_STATS[:200], INVALID_COMMAND])
def test_what_cannot_be_read_has_no_fields(data: bytes) -> None:
    """A refusal or half a reply says nothing about firmware."""
    assert found("stats new_api", data) == []


def test_reports_that_are_never_asked_have_no_fields() -> None:
    """Of `devs` everything is unread, which is no news."""
    assert found("devs", CAPTURES_TEXT["s21-stock-aml-202407/tcp4028-devs.json"]) == []
    assert found("pools new_api", {"STATUS": {"STATUS": "S"}, "POOLS": [{"diffa": 1}]}) == []
    assert found("page chart", {"a": 1}) == [("a", 1, "number", "1")]


def test_names_are_bounded_and_the_rest_is_counted() -> None:
    """A unit that invents names fills its own list and no more."""
    unread = unread_fields([("stats new_api", json.dumps(with_keys(**{f"k{n}x": n for n in range(500)})).encode())])
    assert (len(unread.fields), unread.more) == (MOST_NAMES, 500 - MOST_NAMES)
    assert unread.fields == tuple(sorted(unread.fields, key=lambda field: (field.report, field.path)))


def test_the_name_of_a_report_comes_from_its_request() -> None:
    """As the agent sends it, and as a recorder may."""
    assert report_of(b'{"command":"stats","new_api":true}') == "stats new_api"
    assert (report_of(b'{"command":"pools"}'), report_of(b"pools")) == ("pools", "")


@given(st.text(max_size=60))
def test_the_form_of_a_text_has_none_of_its_letters_and_digits(text: str) -> None:
    """A serial number, an account or a host name cannot be read off it."""
    assert {character for character in text_form(text) if character.isalnum()} <= set("Aa9")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=6),
    max_leaves=30,
)


@given(VALUES, VALUES, st.sampled_from(["stats", "stats new_api", "summary", "summary new_api", "pools", "version"]))
def test_no_reply_breaks_the_look(value: Any, chains: Any, report: str) -> None:
    """Whatever stands in a reply: a list of bounded fields, and no exception."""
    name = report.split(maxsplit=1)[0].upper()
    for status in ({"STATUS": "S"}, [{"STATUS": "S"}]):
        body = {"STATUS": status, name: [value, {"chain": chains, "status": chains}], "INFO": value}
        unread = unread_fields([(report, json.dumps(body).encode())])
        assert len(unread.fields) <= MOST_NAMES
        assert all(len(field.path) <= MAX_PATH and field.path.isprintable() for field in unread.fields)


def test_pools_with_a_new_key_in_one_pool() -> None:
    """A field of one pool alone counts once."""
    body = json.loads(S21_POOLS)
    body["POOLS"][1]["Latency"] = 12
    assert unread_fields([("pools", json.dumps(body).encode())]).fields == (
        UnreadField(report="pools", path="POOLS[].Latency", times=1, form="number", example="12"),
    )
