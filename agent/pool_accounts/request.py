"""A planned call with the account's values in it, ready to be sent. No clock, no socket."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from agent.pool_accounts.plan import Call, Signature


class Keys(NamedTuple):
    """The secrets of one account; empty where it needs none."""

    key: str = ""
    secret: str = ""

    def __repr__(self) -> str:
        return "Keys(***)"


class Prepared(NamedTuple):
    """A request.

    Attributes:
        method: Its method.
        path: Path and query, escaped.
        headers: With the keys.
        body: None for a request without one.
    """

    method: str
    path: str
    headers: dict[str, str]
    body: bytes | None

    def __repr__(self) -> str:
        return f"Prepared({self.method})"


class Nonces:
    """Numbers that only rise: milliseconds of Unix time, or one more than the last."""

    def __init__(self) -> None:
        self._last = 0

    def next(self, now: float) -> int:
        """Return the number for a request at Unix time `now`, s."""
        self._last = max(self._last + 1, int(now * 1000))
        return self._last


def prepare(
    call: Call, account: str | None, keys: Keys, *, nonce: int, span: tuple[int, int] | None = None
) -> Prepared:
    """Return a call as it is sent.

    Args:
        call: The planned call.
        account: The account's name; None where the key says whose it is.
        keys: The account's secrets.
        nonce: For a signature.
        span: Unix times at which the wanted past begins and ends, s; None for the figures of now.
    """
    values = {"account": account or "", "key": keys.key, "secret": keys.secret}
    if span is not None:
        start, end = span
        values |= {"start_ms": str(start * 1000), "end_ms": str(end * 1000)}
        # The day of the last second: an end at midnight belongs to the day before.
        values |= {"start_date": _date(start), "end_date": _date(max(start, end - 1))}
    escaped = {name: quote(value, safe="") for name, value in values.items()}
    query = _filled_all(call.query, values)
    form = _filled_all(call.form, values) | _signed(call.signature, account or "", keys, nonce)
    headers = {"Accept": "application/json", "Accept-Encoding": "identity"} | _filled_all(call.headers, values)
    body: bytes | None = None
    if call.body is not None:
        body = json.dumps(_filled_json(json.loads(call.body), values)).encode()
        headers.setdefault("Content-Type", "application/json")
    elif form:
        body = urlencode(form).encode()
        headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
    path = _filled(call.path, escaped) + (f"?{urlencode(query)}" if query else "")
    return Prepared(call.method, path, headers, body)


def _signed(signature: Signature, account: str, keys: Keys, nonce: int) -> dict[str, str]:
    """Return the fields that a signature adds. Documented (D309)."""
    if signature is Signature.NONE:
        return {}
    text = f"{account}{keys.key}{nonce}".encode()
    digest = hmac.new(keys.secret.encode(), text, hashlib.sha256).hexdigest().upper()
    return {"key": keys.key, "nonce": str(nonce), "signature": digest}


def _date(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")


def _filled(text: str, values: Mapping[str, str]) -> str:
    """Return `text` with the values in it; one value never stands for another."""
    head, *parts = text.split("{")
    done = [head]
    for part in parts:
        name, brace, rest = part.partition("}")
        done.append(values[name] + rest if brace and name in values else "{" + part)
    return "".join(done)


def _filled_all(texts: Mapping[str, str], values: Mapping[str, str]) -> dict[str, str]:
    return {name: _filled(text, values) for name, text in texts.items()}


def _filled_json(value: Any, values: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return _filled(value, values)
    if isinstance(value, list):
        return [_filled_json(item, values) for item in value]
    if isinstance(value, dict):
        return {name: _filled_json(item, values) for name, item in value.items()}
    return value
