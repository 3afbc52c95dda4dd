"""Figures in pools' answers: any bytes end in figures or in a declared error, and requests carry each value once."""

import hashlib
import hmac
import json
from urllib.parse import parse_qs, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pool_account_cases import NOW

from agent.errors import POOL_ACCOUNT_REASONS, PoolAccountError
from agent.pool_accounts.plan import Call, Figure, Reading
from agent.pool_accounts.presets import PRESETS
from agent.pool_accounts.reply import MAX_HS, MAX_ROWS, read_credited, read_past
from agent.pool_accounts.request import Keys, Nonces, prepare
from agent.site.credited.windows import Window

json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=12))
    | st.sampled_from(("1e18", "Gh/s", 10**400)),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                (
                    *(
                        "result",
                        "hashrate_3600s",
                        "hashrate_86400s",
                        "snap_ts",
                        "data",
                        "code",
                        "hsLast1h",
                        "btc",
                        "date",
                    ),
                    *("hash_rate_unit", "hash_rate_24h", "hash_rate_60m", "hashrate", "unixTime", "hashrateAccepted"),
                    *("hashrate_efficiency", "date_time", "hashes_last_day", "hashrate1hrAvg"),
                )
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(
    st.sampled_from(sorted(PRESETS)),
    st.binary(max_size=200) | json_values.map(lambda value: json.dumps(value).encode()),
)
def test_any_bytes_end_in_figures_or_in_a_declared_error(kind: str, data: bytes) -> None:
    """Every figure is finite, not negative and not more than any account has; no other exception escapes."""
    plan, reasons = PRESETS[kind], set()
    try:
        found = read_credited(data, plan.reading, now=NOW)
        assert found.rates_hs
        assert all(0 <= rate_hs <= MAX_HS for rate_hs in found.rates_hs.values())
        assert found.at <= NOW
    except PoolAccountError as error:
        reasons.add(error.reason)
    try:
        windows = [] if plan.past is None else read_past(data, plan.past, now=NOW)
        assert all(each.end <= NOW and 0 <= each.credited_hs <= MAX_HS for each in windows)
        assert windows == sorted(windows)
    except PoolAccountError as error:
        reasons.add(error.reason)
    assert reasons <= set(POOL_ACCOUNT_REASONS)


@pytest.mark.parametrize(
    ("unit", "scale"),
    [("Gh/s", 1e9), ("TH/s", 1e12), ("h/s", 1.0), ("PHash/s", 1e15), (" eh/s ", 1e18)],
)
def test_the_unit_in_an_answer_is_read(unit: str, scale: float) -> None:
    """As pools spell it, by a thousand a step."""
    body = json.dumps({"btc": {"hash_rate_60m": 12.5, "hash_rate_24h": "11", "hash_rate_unit": unit}}).encode()
    assert read_credited(body, PRESETS["braiins"].reading, now=NOW).rates_hs == {3600: 12.5 * scale, 86_400: 11 * scale}


def test_an_unknown_unit_is_no_figure() -> None:
    """A figure whose unit is not known is refused, not taken for H/s."""
    for unit in ("kWh", None, "G", "Gibi/s"):
        body = json.dumps({"btc": {"hash_rate_60m": 12.5, "hash_rate_unit": unit}}).encode()
        with pytest.raises(PoolAccountError, match="unit"):
            read_credited(body, PRESETS["braiins"].reading, now=NOW)


def test_hours_of_the_past_in_any_order_and_spelling() -> None:
    """Seconds or milliseconds, the latest first or last; hours that are not over are left out."""
    past = PRESETS["foundry"].past
    assert past is not None
    hour = int(NOW) - 3600
    rows = [
        {"unixTime": hour * 1000, "hashrateAccepted": 5},
        {"unixTime": hour - 3600, "hashrateAccepted": "4.5"},
        {"unixTime": int(NOW), "hashrateAccepted": 9},
        {"unixTime": hour - 1800, "hashrateAccepted": 9},
        {"unixTime": hour - 7200},
        {"hashrateAccepted": 9},
        7,
    ]
    assert read_past(json.dumps(rows).encode(), past, now=NOW) == [
        Window(hour - 3600, 3600, 4.5e9),
        Window(hour, 3600, 5e9),
    ]
    with pytest.raises(PoolAccountError, match="more than"):
        read_past(json.dumps([1] * (MAX_ROWS + 1)).encode(), past, now=NOW)


def test_a_code_that_is_not_zero_is_no_answer() -> None:
    """Whatever stands beside it; the pool's own words are not passed on."""
    body = {"code": -6, "message": "canaryacct", "data": {"hsLast1h": "5"}}
    with pytest.raises(PoolAccountError, match=r"^the pool declined with code -6$") as caught:
        read_credited(json.dumps(body).encode(), PRESETS["antpool"].reading, now=NOW)
    assert caught.value.reason == "denied"
    with pytest.raises(PoolAccountError, match="no code"):
        read_credited(b'{"data": {"hsLast1h": "5"}}', PRESETS["antpool"].reading, now=NOW)


# Requests


def test_the_signature_is_as_documented() -> None:
    """HMAC-SHA256 of account, key and nonce, in upper-case hexadecimal; each nonce is larger than the last."""
    nonces = Nonces()
    first, second = nonces.next(NOW), nonces.next(NOW - 60)
    assert first == int(NOW * 1000)
    assert second == first + 1
    keys = Keys("thekey", "thesecret")
    sent = prepare(PRESETS["antpool"].reading.call, "user1", keys, nonce=second)
    form = {name: values[0] for name, values in parse_qs((sent.body or b"").decode()).items()}
    digest = hmac.new(b"thesecret", f"user1thekey{second}".encode(), hashlib.sha256).hexdigest().upper()
    assert form == {"coin": "BTC", "userId": "user1", "key": "thekey", "nonce": str(second), "signature": digest}
    assert (sent.method, sent.path) == ("POST", "/api/accountOverview.htm")
    assert "thesecret" not in repr(sent) + repr(keys)
    assert "thekey" not in repr(sent) + repr(keys)


printable = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)


@given(printable, printable)
def test_values_stay_where_they_belong(account: str, key: str) -> None:
    """An account cannot leave its place in a path or in JSON, and no value stands for another."""
    call = Call(
        method="POST",
        path="/of/{account}/now",
        query={"a": "{account}", "b": "{other}"},
        headers={"X-Key": "k {key}"},
        body='{"user": ["{account}", 1, {"k": "{key}"}]}',
    )
    sent = prepare(call, account, Keys(key), nonce=1)
    path, _, query = sent.path.partition("?")
    assert unquote(path) == f"/of/{account}/now"
    assert path.count("/") == 3
    assert parse_qs(query) == {"a": [account], "b": ["{other}"]}
    assert sent.headers["X-Key"] == f"k {key}"
    assert json.loads(sent.body or b"") == {"user": [account, 1, {"k": key}]}


def test_the_span_of_the_past_in_milliseconds_and_days() -> None:
    """The last day of a span that ends at midnight is the day before."""
    call = Call(path="/", query={name: f"{{{name}}}" for name in ("start_ms", "end_ms", "start_date", "end_date")})
    start = int(NOW) - 86_400
    sent = prepare(call, None, Keys(), nonce=1, span=(start, int(NOW)))
    assert sent.path == (f"/?start_ms={start}000&end_ms={int(NOW)}000&start_date=2025-11-30&end_date=2025-11-30")


def test_a_pool_of_the_configuration_is_read_by_its_pointers() -> None:
    """Kind http has the same reader as presets: a pointer, a scale and a window."""
    reading = Reading(call=Call(path="/"), figures=(Figure(86_400, "", 1e12),))
    assert read_credited(b'"200.5"', reading, now=NOW).rates_hs == {86_400: 200.5e12}


@pytest.mark.parametrize("number", [10**400, -(10**400)])
@pytest.mark.parametrize("place", ["code", "at", "figure"])
def test_a_whole_number_longer_than_any_float_ends_in_a_declared_error(place: str, number: int) -> None:
    """A reader that it stops would ask the pool no more."""
    reading = Reading(
        call=Call(path="/"), figures=(Figure(3600, "/figure", 1.0),), at_pointer="/at", done_pointer="/code"
    )
    answer = {"code": 0, "at": NOW, "figure": 1.0} | {place: number}
    if place == "at":
        assert read_credited(json.dumps(answer).encode(), reading, now=NOW).at == NOW
        return
    with pytest.raises(PoolAccountError):
        read_credited(json.dumps(answer).encode(), reading, now=NOW)
