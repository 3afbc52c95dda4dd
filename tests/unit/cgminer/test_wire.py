"""Framing: commands to bytes, bytes to replies, and every named repair with the defect it is for."""

import json
from typing import Any

import hypothesis.strategies as st
import msgspec
import pytest
from capture_files import INVALID_COMMAND, S21_STATS, S21_VERSION, capture
from hypothesis import given

from agent.errors import MalformedReplyError, PollError, RefusedError, UnsupportedReplyError
from agent.unit.cgminer import wire

OK = b'{"STATUS":[{"STATUS":"S","Code":70,"Msg":"m"}],"STATS":[%s],"id":1}\0'


def stats(item: bytes) -> Any:
    """Return the decoded STATS of a reply around `item`, and the repairs it took."""
    reply = wire.decode_reply(OK % item, "stats")
    return reply.body["STATS"], reply.repairs


def test_request_is_one_json_object_without_a_line_end() -> None:
    """A request is compact JSON, with new_api at the top level."""
    assert wire.encode_request("stats") == b'{"command":"stats"}'
    assert wire.encode_request("stats", new_api=True) == b'{"command":"stats","new_api":true}'


def test_reply_of_the_legacy_dialect() -> None:
    """STATUS is a list, and has a code."""
    reply = wire.decode_reply(S21_VERSION, "version")
    assert (reply.command, reply.status, reply.code, reply.message, reply.repairs) == (
        "version",
        "S",
        22,
        "CGMiner versions",
        (),
    )


def test_reply_of_the_new_dialect() -> None:
    """STATUS is an object without a code."""
    reply = wire.decode_reply(S21_STATS, "stats")
    assert (reply.status, reply.code, reply.message, reply.repairs) == ("S", None, "stats", ())


@pytest.mark.parametrize("tail", [b"", b"\0", b"\n", b"\n\0", b"\0\n", b"\r\n\0", b" \0\0"])
def test_frame_around_a_reply_is_taken_off(tail: bytes) -> None:
    """NUL, line ends and blanks around the JSON are ignored, without a repair."""
    reply = wire.decode_reply(b"\n\t" + INVALID_COMMAND.rstrip(b"\0") + tail, "x")
    assert (reply.code, reply.repairs) == (14, ())


@pytest.mark.parametrize(
    ("item", "expected", "repairs"),
    [
        pytest.param(b'{"a":1}{"b":2}', [{"a": 1}, {"b": 2}], ("missing_comma",), id="missing_comma"),
        pytest.param(b'{"a":1}\n {"b":2}', [{"a": 1}, {"b": 2}], ("missing_comma",), id="missing_comma_blank"),
        pytest.param(b'{"a":1,}', [{"a": 1}], ("stray_comma",), id="comma_before_brace"),
        pytest.param(b'{"a":[1,2, ]}', [{"a": [1, 2]}], ("stray_comma",), id="comma_before_bracket"),
        pytest.param(b'{,"a":[,1]}', [{"a": [1]}], ("stray_comma",), id="comma_first"),
        pytest.param(b'{"a":nan,"b":-inf,"c":Infinity}', [{"a": None, "b": None, "c": None}], ("bare_nan",), id="nan"),
        pytest.param(b'{"a":NaN,"b":-Infinity}', [{"a": None, "b": None}], ("bare_nan",), id="NaN"),
        pytest.param(b'{"a":1e999}', [{"a": None}], ("out_of_range",), id="1e999"),
        pytest.param(b'{"a":-' + b"9" * 5000 + b"}", [{"a": None}], ("out_of_range",), id="5000_digits"),
        pytest.param(b'{"a":"x\x01y\tz"}', [{"a": "x\x01y\tz"}], ("control_character",), id="control"),
        pytest.param(b'{"a":"x\xffy"}', [{"a": "x\ufffdy"}], ("bad_utf8",), id="bad_utf8"),
        pytest.param(
            b'{"a":"\\ud800","b":"\\udc00x"}', [{"a": "\ufffd", "b": "\ufffdx"}], ("bad_surrogate",), id="half"
        ),
        pytest.param(b'{"\\ud800":1}', [{"\ufffd": 1}], ("bad_surrogate",), id="half_in_key"),
        pytest.param(
            b'{"a":nan,}{"b":"\xff"}',
            [{"a": None}, {"b": "\ufffd"}],
            ("missing_comma", "stray_comma", "bare_nan", "bad_utf8"),
            id="four_at_once",
        ),
    ],
)
def test_named_repair(item: bytes, expected: Any, repairs: tuple[str, ...]) -> None:
    """Each known defect is repaired, and the repair is named."""
    assert stats(item) == (expected, repairs)


def test_status_that_was_left_out_is_a_repair() -> None:
    """Data without a STATUS, as in sanitised captures, is a success with a repair."""
    reply = wire.decode_reply(capture("s21-stock-202410-sleep/tcp4028-stats.subset.json"), "stats")
    assert (reply.status, reply.repairs) == ("S", ("missing_status",))


def test_last_of_duplicate_keys_counts() -> None:
    """The last value of a duplicate key wins, in both decoders, without a repair."""
    assert stats(b'{"a":1,"a":2}') == ([{"a": 2}], ())
    assert stats(b'{"a":1,"a":nan}') == ([{"a": None}], ("bare_nan",))


NASTY = {
    "empty": b"",
    "nul": b"\0",
    "nuls": b"\0" * 100_000,
    "blank": b" \r\n\t\0",
    "joint": b"}{",
    "nan": b"nan",
    "null": b"null",
    "number": b"5",
    "text": b'"S"',
    "list": b"[]",
    "object": b"{}",
    "comma": b",",
    "bom": b"\xef\xbb\xbf" + INVALID_COMMAND,
    "utf16": INVALID_COMMAND.decode().encode("utf-16"),
    "html": b"<html><body>401 Unauthorized</body></html>",
    "plain text": b"STATUS=S,When=1,Code=11,Msg=Summary|SUMMARY,Elapsed=1|\0",
    "cgi": b"Socket connect failed: Connection refused\n",
    "10 MB": OK % (b'"' + b"a" * 10_000_000 + b'"'),
    "1 MiB and a byte": b" " * (wire.MAX_REPLY_BYTES + 1),
    "deep": b"[" * 100_000,
    "deep and closed": b"[" * 100_000 + b"]" * 100_000,
    "deep objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "deep, seen once repaired": OK % (b"[ " * 900 + b"nan" + b" ]" * 900),
    "deep, brackets hidden by text": OK % (b'[ "]", ' * 900 + b"nan" + b', "[" ]' * 900),
    "invalid utf-8": b"\xff\xfe\xfd",
    "only quotes": b'"' * wire.MAX_REPLY_BYTES,
    "text that never ends": b'{"a":"' + b'\\"' * (wire.MAX_REPLY_BYTES // 2 - 8),
    "texts that never end": b'"\\' * (wire.MAX_REPLY_BYTES // 2),
    "commas": b"," * wire.MAX_REPLY_BYTES,
    "commas and blanks": b", " * (wire.MAX_REPLY_BYTES // 2),
    "comma and blanks": b"[," + b" " * (wire.MAX_REPLY_BYTES - 3) + b"1",
    "braces": b"}" * wire.MAX_REPLY_BYTES,
    "minus signs": b"-" * wire.MAX_REPLY_BYTES,
    "joined": b"{}" * 100_000,
}


@pytest.mark.parametrize("data", NASTY.values(), ids=NASTY)
def test_nasty_bytes_are_a_declared_error(data: bytes) -> None:
    """Hostile bytes raise a declared error, in time linear in their length."""
    with pytest.raises((MalformedReplyError, UnsupportedReplyError)):
        wire.decode_reply(data, "stats")


def test_error_names_the_byte() -> None:
    """The message has the byte at which the text stops being JSON, and a one-line excerpt around it."""
    with pytest.raises(MalformedReplyError) as caught:
        wire.decode_reply(b'{"STATUS":[{"STATUS":"S"}],"STATS":[{"fan1":6000 "fan2":\n1}]}', "stats")
    assert str(caught.value) == (
        'reply is not JSON at byte 49: \'{"STATUS":[{"STATUS":"S"}],"STATS":[{"fan1":6000 "fan2":\\\\x0a1}]}\''
    )


def test_reply_cut_anywhere_is_malformed_not_shorter() -> None:
    """No prefix of a reply is accepted as a reply."""
    whole = capture("s19pro-stock-202212/tcp4028-stats.json").rstrip()
    wire.decode_reply(whole, "stats")
    for length in range(len(whole)):
        with pytest.raises(MalformedReplyError):
            wire.decode_reply(whole[:length], "stats")


def test_nesting_counts_brackets_not_text() -> None:
    """Brackets inside strings do not count as nesting."""
    text = b"[" * 40 + b"]" * 40 + b"}" * 40
    items, repairs = stats(b'{"user":"%s","deep":%s1%s}' % (text, b"[" * 28, b"]" * 28))
    assert (items[0]["user"], repairs) == (text.decode(), ())
    with pytest.raises(MalformedReplyError, match="nested deeper than 32 levels"):
        stats(b'{"deep":%s1%s}' % (b"[" * 30, b"]" * 30))


@pytest.mark.parametrize(
    ("status", "error"),
    [
        ('"S"', None),
        ('"I"', None),
        ('"W"', None),
        ('"E"', RefusedError),
        ('"F"', RefusedError),
        ('"X"', UnsupportedReplyError),
        ('""', UnsupportedReplyError),
    ],
)
def test_status_letter_decides(status: str, error: type[PollError] | None) -> None:
    """S, I and W are accepted, E and F are refusals, any other letter is unsupported."""
    reply = wire.decode_reply(f'{{"STATUS":[{{"STATUS":{status},"Code":14,"Msg":"no"}}]}}'.encode(), "config")
    if error is None:
        assert wire.accept(reply) is reply
        return
    with pytest.raises(error, match="config: "):
        wire.accept(reply)


@pytest.mark.parametrize(
    ("name", "code"),
    [("other-s9-stock-2016/tcp4028-config-denied", 45), ("other-s19jpro-hiveon-2024/tcp4028-devdetails-denied", 45)],
)
def test_access_denied_of_other_firmware(name: str, code: int) -> None:
    """S9 and Hiveon refuse with code 45, where S19, S21 and T21 answer 14."""
    with pytest.raises(RefusedError) as caught:
        wire.accept(wire.decode_reply(capture(f"{name}.json"), "devdetails"))
    assert caught.value.code == code


def test_invalid_command() -> None:
    """An unknown command is refused with code 14."""
    with pytest.raises(RefusedError) as caught:
        wire.accept(wire.decode_reply(INVALID_COMMAND, "devdetails"))
    assert caught.value.code == 14
    assert str(caught.value) == "devdetails: code 14, 'Invalid command'"


@pytest.mark.parametrize("field", ['"Code":45', '"Code":"45"', '"code":45'])
def test_spellings_of_a_code(field: str) -> None:
    """A code as text, or under a key in lower case, is the code: it decides what to advise."""
    with pytest.raises(RefusedError) as caught:
        wire.accept(wire.decode_reply(f'{{"STATUS":[{{"STATUS":"E",{field}}}]}}'.encode(), "stats"))
    assert caught.value.code == 45


@pytest.mark.parametrize("code", ["true", "1.5", '"x"', '"-1"', "null", "[]", "9" * 30])
def test_code_that_is_no_code_is_absent(code: str) -> None:
    """A refusal with an unusable code is still a refusal, with code None."""
    with pytest.raises(RefusedError) as caught:
        wire.accept(wire.decode_reply(f'{{"STATUS":[{{"STATUS":"E","Code":{code}}}]}}'.encode(), "stats"))
    assert caught.value.code is None


JSON_TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**18), 10**18)
    | st.floats(allow_nan=False, allow_infinity=False)
    | JSON_TEXT
    | st.sampled_from(["}{", ",]", "nan", "-inf", '"', "\\", "{,", "NaN}{", "\\u0000"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(JSON_TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(value=JSON_VALUES)
def test_repairing_decoder_leaves_sound_json_alone(value: Any) -> None:
    """Both decoders return the same value for valid JSON, and no repair is counted."""
    text = json.dumps(value).encode()
    assert wire._decode_with_repairs(text) == (msgspec.json.decode(text), ())


@given(value=JSON_VALUES, defect=st.sampled_from(["nan", "-Infinity", "[1,]", "[,1]", "1e999"]))
def test_repairs_never_change_what_a_string_holds(value: Any, defect: str) -> None:
    """A repair elsewhere in the reply leaves every value unchanged, whatever its strings contain."""
    reply = wire.decode_reply(f'{{"STATUS":{{"STATUS":"S"}},"x":{defect},"value":{json.dumps(value)}}}'.encode(), "x")
    assert reply.body["value"] == json.loads(json.dumps(value))
    assert len(reply.repairs) == 1


@given(data=st.binary(max_size=400) | st.lists(st.sampled_from(b'{}[],:"\\0nai-.eE \0'), max_size=200).map(bytes))
def test_any_bytes_give_a_reply_or_a_declared_error(data: bytes) -> None:
    """No bytes make the decoder raise another error."""
    try:
        repairs = wire.decode_reply(data, "x").repairs
        message = ""
    except (MalformedReplyError, UnsupportedReplyError) as error:
        repairs, message = (), str(error)
    assert set(repairs) <= set(wire.REPAIRS)
    assert message.isprintable()
