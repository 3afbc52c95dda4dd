"""Messages that change something: a key that is there twice is refused, in any object of the message."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.exporters.mqtt.messages import MeterReading, StopOrder
from agent.strict_json import decode_strictly

TIME = '"time":"2025-11-20T21:36:00Z"'


@pytest.mark.parametrize(
    ("text", "kind", "key"),
    [
        ('{"stop":"a","stop":"b"}', StopOrder, "stop"),
        ('{"stop":"a","st\\u006fp":"a"}', StopOrder, "stop"),
        (f'{{"watts":1,{TIME},"watts":2}}', MeterReading, "watts"),
        (f'{{{TIME},{TIME},"joules":1}}', MeterReading, "time"),
    ],
)
def test_a_key_twice_is_refused(text: str, kind: type[msgspec.Struct], key: str) -> None:
    """Neither the first nor the last value counts, even if they are the same, or one key is written with an escape."""
    with pytest.raises(msgspec.ValidationError, match=f"Object has the key `{key}` twice"):
        decode_strictly(text.encode(), kind)


@given(st.recursive(st.none() | st.integers(0, 9), lambda inner: st.dictionaries(st.text(), inner) | st.lists(inner)))
def test_any_message_is_decoded_as_ever(value: object) -> None:
    """Without such a key a message is what any decoder makes of it."""
    assert decode_strictly(json.dumps(value).encode(), object) == value
