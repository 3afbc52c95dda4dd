"""What a reply can cost, whatever it holds: time in proportion to its size, and nothing above what a reply may be.

Times are CPU of this thread, the best of several, and only their ratios are judged.
"""

import time
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import msgspec
import pytest

from agent.errors import MalformedReplyError, PollError, TooLargeReplyError, drop_frames
from agent.unit.antminer.stats import read_stats
from agent.unit.braiins.tunerstatus import read_tunerstatus
from agent.unit.cgminer import wire
from agent.unit.cgminer.fields import spelled
from agent.unit.cgminer.pools import read_pools
from agent.unit.cgminer.rates import Rates, read_rates
from agent.unit.cgminer.summary import read_summary
from agent.unit.cgminer.version import read_version
from agent.unit.luxos import slow, state
from agent.unit.luxos.reports import DEVS_SHAPE

HEAD = b'{"STATUS":[{"STATUS":"S"}],"STATS":['
SMALL, LARGE = 8 * 1024, wire.MAX_REPLY_BYTES - 1024
REPAIRED = wire.MAX_REPAIRED_BYTES - 1024


def _times(piece: bytes, size: int, *, head: bytes = HEAD, tail: bytes = b"1]}") -> bytes:
    return head + piece * ((size - len(head) - len(tail)) // len(piece)) + tail


HOSTILE: dict[str, Callable[[int], bytes]] = {
    "open brackets": lambda size: _times(b"[", size, tail=b""),
    "empty lists": lambda size: _times(b"[],", size),
    "empty objects": lambda size: _times(b"{}", size),
    "deep nesting": lambda size: _times(b"[" * 29 + b"]" * 29 + b",", size),
    "mixed brackets": lambda size: _times(b"[}", size),
    "brackets in texts": lambda size: _times(b'"[",', size),
    "nan": lambda size: _times(b"nan,", size),
    "nan without commas": lambda size: _times(b"nan ", size),
    "inf": lambda size: _times(b"-inf", size),
    "almost nan": lambda size: _times(b"na", size),
    "commas": lambda size: _times(b",", size),
    "commas and blanks": lambda size: _times(b"," + b" " * 50, size),
    "one comma and blanks": lambda size: HEAD + b"," + b" " * (size - len(HEAD) - 2) + b"1",
    "braces and blanks": lambda size: _times(b"}" + b" " * 200, size),
    "text that never ends": lambda size: _times(b"x", size, head=b'{"a":"', tail=b""),
    "escapes that never end": lambda size: _times(b'\\"', size, head=b'{"a":"', tail=b""),
    "quotes": lambda size: _times(b'"', size),
    "one key again and again": lambda size: _times(b'"a":1,', size, head=b"{", tail=b'"a":1,}'),
    "other keys": lambda size: b"{" + b",".join(b'"%05d":1' % number for number in range(size // 10)) + b",}",
    "control bytes": lambda size: _times(b"\x01", size, head=HEAD + b'{"a":"', tail=b'"}]}'),
    "bad UTF-8": lambda size: _times(b"\xff", size, head=HEAD + b'{"a":"', tail=b'",}]}'),
    "half surrogates": lambda size: _times(b"\\ud800", size, head=HEAD + b'{"a":"', tail=b'",}]}'),
    "ones": lambda size: _times(b"1,", size),
    "one long number": lambda size: _times(b"1", size, head=b'{"a":', tail=b",}"),
    "one long fraction": lambda size: _times(b"1", size, head=b'{"a":0.', tail=b",}"),
    "objects in order": lambda size: _times(b"{},", size, tail=b"{}]}"),
    "boards in order": lambda size: _times(b"{},", size, head=HEAD + b'{"chain":[', tail=b"{}]}]}"),
}


def _single_state(command: str, data: bytes) -> Any:
    return state.read_single(command, data, state.UNKNOWN)


READERS: dict[str, Callable[[bytes], Any]] = {
    "stats": lambda data: read_stats(data, unit_id="u1", at=0.0),
    "summary": lambda data: read_summary(data, at=0.0),
    "pools": read_pools,
    "version": read_version,
    "tunerstatus": lambda data: read_tunerstatus(data, set()),
    # Reports of LuxOS.
    "devs": DEVS_SHAPE.read,
    "devdetails": lambda data: slow.read_single("devdetails", data),
    "events": lambda data: slow.read_single("events", data),
    "pools+devdetails+events": slow.read_joined,
    "power+temps+fans+config": state.read_joined,
    **{command: partial(_single_state, command) for command in ("power", "temps", "fans", "config")},
}


def cpu_s(read: Callable[[bytes], Any], data: bytes) -> float:
    """Return the least CPU time that reading took in a few tries, s."""
    took_s = []
    for _ in range(5):
        began = time.thread_time()
        with suppress(PollError):
            read(data)
        took_s.append(time.thread_time() - began)
    return min(took_s)


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("size", [REPAIRED, LARGE], ids=["repaired", "largest"])
def test_time_is_in_proportion_to_size(kind: str, size: int) -> None:
    """From 8 kB to the cap, a byte costs at most three times as much: eight times as long is not 64 times as dear."""
    small, large = HOSTILE[kind](SMALL), HOSTILE[kind](size)
    assert 0.9 * size < len(large) <= size
    read = READERS["stats"]
    # A fixed cost, a tenth of a millisecond on a slow machine, hides what a byte costs; it is taken from the measure.
    least_s = cpu_s(read, HEAD + b"]}")
    assert cpu_s(read, large) - least_s <= 3.0 * (size / SMALL) * max(cpu_s(read, small), least_s)


@pytest.mark.parametrize("command", READERS)
def test_the_dearest_reply_is_not_much_dearer_than_plain_text(command: str) -> None:
    """No reply costs more than sixty times as much as adding up its bytes, which takes about 5 ns a byte."""
    size = min(REPAIRED, wire.REPLY_CAPS[command] - 64)
    once_s = cpu_s(sum, b"x" * size)
    for kind, make in HOSTILE.items():
        assert cpu_s(READERS[command], make(size)) < 60.0 * once_s, kind


@pytest.mark.parametrize("kind", HOSTILE)
def test_above_the_size_of_a_reply_nothing_is_repaired(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reply that is irregular and longer than real ones is refused before any repair is tried."""
    tried: list[str] = []

    class Never:
        """Repairs that must not be tried."""

        def sub(self, _: object, text: str) -> str:
            """Note the text."""
            tried.append(text)
            return text

    monkeypatch.setattr(wire, "_DEFECTS", Never())
    with pytest.raises(MalformedReplyError):
        read_stats(HOSTILE[kind](LARGE), unit_id="u1", at=0.0)
    assert tried == []


def test_repairs_are_counted_and_bounded() -> None:
    """A reply with as many defects as a real one may have is repaired; one more is a reply that is none."""
    head, tail = b'{"STATUS":[{"STATUS":"S"}],"STATS":[{"a":[', b"1]}]}"
    good = head + b"nan," * wire.MAX_CURES + tail
    assert wire.decode_reply(good, "stats").repairs == ("bare_nan",)
    with pytest.raises(MalformedReplyError, match="needs more than 1,024 repairs"):
        wire.decode_reply(head + b"nan," * (wire.MAX_CURES + 1) + tail, "stats")


def test_the_largest_repaired_reply() -> None:
    """Up to its limit an irregular reply is repaired; above, the error says how long it is and how long it may be."""

    def padded(size: int) -> bytes:
        head, tail = b'{"STATUS":[{"STATUS":"S"}],"STATS":[{"a":"', b'",}]}'
        return head + b"x" * (size - len(head) - len(tail)) + tail

    assert wire.decode_reply(padded(wire.MAX_REPAIRED_BYTES), "stats").repairs == ("stray_comma",)
    with pytest.raises(MalformedReplyError, match="too long to repair: 24,577 bytes, at most 24,576"):
        wire.decode_reply(padded(wire.MAX_REPAIRED_BYTES + 1), "stats")


def test_nothing_of_a_reply_is_kept() -> None:
    """Neither the error of a reply nor the memory of its keys holds its text."""
    text = b'{"STATUS":[{"STATUS":"S"}],"STATS":[{"' + b"k" * 20_000 + b'":1'
    with pytest.raises(MalformedReplyError) as caught:
        read_stats(text, unit_id="u1", at=0.0)
    drop_frames(caught.value)
    assert caught.value.__cause__ is caught.value.__context__ is None
    assert len(str(caught.value)) < 400
    tracemalloc.start()
    try:
        for number in range(100):
            assert spelled(f"{'k' * 64}{number}" * 1000) == "k" * 64
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < 64_000


def test_a_cap_is_far_above_what_was_recorded() -> None:
    """Every command that the agent asks has a cap; none is above that of `stats`."""
    assert set(wire.REPLY_CAPS) == set(READERS)
    assert max(wire.REPLY_CAPS.values()) == wire.REPLY_CAPS["stats"] == wire.MAX_REPLY_BYTES
    for command, cap in wire.REPLY_CAPS.items():
        for new_api in (False, True):
            assert wire.cap_of(wire.encode_request(command, new_api=new_api)) == cap
    assert wire.cap_of(b"anything else") == wire.MAX_REPLY_BYTES
    with pytest.raises(TooLargeReplyError, match="larger than 65,536 bytes"):
        wire.unframe(b" " * (wire.MAX_REPLY_BYTES + 1))


def _long_texts(command: str, number: int) -> bytes:
    """Return a reply whose keys and texts are as long as its command allows, and never twice the same."""
    long = (f"{number:06}" * 1000)[: wire.REPLY_CAPS[command] // 7]
    row = {"Elapsed": 1, "GHS 5s": 1, "Type": f"A{long}", "API": f"M{long}", f"GHS {long}": 1, f"K{long}": long}
    status = {"STATUS": "S", "Code": 1, "Msg": "", "Description": f"D{long}"}
    return msgspec.json.encode({"STATUS": [status], command.upper(): [row]})


@pytest.mark.parametrize("command", READERS)
def test_memory_of_long_texts_is_bounded(command: str) -> None:
    """Keys and texts of thousands of characters, new in each reply, leave nothing behind but their beginnings."""
    replies = 400

    def read_all() -> int:
        for number in range(replies):
            data = _long_texts(command, number)
            assert len(data) < wire.REPLY_CAPS[command]
            with suppress(PollError):
                READERS[command](data)
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        assert read_all() < replies * 1000
    finally:
        tracemalloc.stop()


def test_a_long_key_is_no_rate() -> None:
    """A key is not cut to one that means something."""
    assert read_rates({"GHS 5s": 1.0, "GHS 30m" + " " * 100 + "x": 2.0}, set()) == Rates(five_s_hs=1e9)
