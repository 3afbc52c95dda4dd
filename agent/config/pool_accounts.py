"""The section of one account at a pool, whose credited hashrate is read: its keys, and which of them go together."""

import json
import re
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Strict, model_validator

from agent.address import is_loopback
from agent.config.sections import Section
from agent.config.values import AgentUrl, FilePath, Name, Pointer, between, parsed

PoolKind = Literal["antpool", "braiins", "f2pool", "foundry", "http", "luxor", "ocean", "viabtc"]

KEYED_KINDS = frozenset({"antpool", "braiins", "foundry", "luxor", "viabtc"})
"""Kinds that answer only to a key."""

NAMED_KINDS = frozenset({"antpool", "f2pool", "foundry", "luxor", "ocean"})
"""Kinds whose requests name the account; elsewhere the key says whose it is."""

_KEYLESS = {
    # Documented (D316): the token of its second API can change wallets.
    "f2pool": "F2Pool's token is not read-only, so it is refused; without it, the call that takes no key is used",
    "ocean": "OCEAN takes no key",
}
_OWN_REQUEST = (
    *("path", "query", "headers", "form", "body", "hour_pointer", "day_pointer", "at_pointer", "done_pointer"),
)


def _parse_account(text: str) -> str:
    if not re.fullmatch(r"[!-~]{1,128}", text):
        raise ValueError("1 to 128 printable ASCII characters without spaces are expected")
    return text


def _parse_path(text: str) -> str:
    if not re.fullmatch(r"(?:/[A-Za-z0-9._~{}-]*)+", text):
        raise ValueError("a path such as /api/hashrate/{account} is expected; what follows a ? is for query")
    return text


def _listed(pattern: str, reason: str) -> AfterValidator:
    """Return a validator for a list of texts that all have a form."""

    def validate(texts: tuple[str, ...]) -> tuple[str, ...]:
        if any(re.fullmatch(pattern, text) is None for text in texts):
            raise ValueError(reason)
        return texts

    return AfterValidator(validate)


def _parse_body(text: str) -> str:
    try:
        json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError("JSON in quotes is expected") from error
    return text


_Fields = Annotated[
    tuple[str, ...],
    Strict(strict=False),
    _listed(r"[!-<>-~]+=[ -~]*", 'a list of texts such as "coin=BTC" is expected'),
]
_Headers = Annotated[
    tuple[str, ...],
    Strict(strict=False),
    _listed(r"[A-Za-z0-9-]+: [!-~][ -~]*", 'a list of texts such as "X-API-KEY: {key}" is expected'),
]


class PoolAccountSection(Section):
    """One account at a pool: the pool's own word of the hashrate it credits.

    Attributes:
        name: Name on pages, in the log, and label value; the account itself is shown nowhere.
        kind: The pool, or ``http`` for one that is described here.
        account: The account as the pool and the units' user names spell it, in front of the first dot.
        key_file: A file of mode 0600 with the watcher key on one line; AntPool's secret is on a second one.
        url: Address of the pool, instead of the documented one.
        ca_file: Trusted certificates; default: the system's.
        every_s: Time from one reading to the next.
        timeout_s: Deadline for one request.
        method, path, query, headers, form, body: The request of kind ``http``; ``{account}``, ``{key}`` and
            ``{secret}`` stand for these values.
        hour_pointer, day_pointer: JSON pointers to the hashrate over one hour and over 24.
        at_pointer: JSON pointer to the time of these figures: Unix seconds or milliseconds, or ISO 8601 with an offset.
        done_pointer: JSON pointer to a code that is 0 where the pool did what was asked.
        scale: H/s per unit of the figures: 1e9 for GH/s.
    """

    name: Name
    kind: PoolKind
    account: Annotated[str, parsed((), _parse_account)] | None = None
    key_file: FilePath | None = None
    url: AgentUrl | None = None
    ca_file: FilePath | None = None
    # A figure over an hour moves little in five minutes. The documented limits allow twelve times as many, or more.
    every_s: Annotated[float, between(60, 3600)] = 300.0
    timeout_s: Annotated[float, between(1, 60)] = 20.0
    method: Literal["GET", "POST"] = "GET"
    path: Annotated[str, parsed((), _parse_path)] | None = None
    query: _Fields = ()
    headers: _Headers = ()
    form: _Fields = ()
    body: Annotated[str, parsed((), _parse_body)] | None = None
    hour_pointer: Pointer | None = None
    day_pointer: Pointer | None = None
    at_pointer: Pointer | None = None
    done_pointer: Pointer | None = None
    scale: Annotated[float, between(1, 1e18)] = 1.0

    @model_validator(mode="after")
    def _check_request(self) -> Self:
        if self.kind != "http":
            given = [key for key in _OWN_REQUEST if getattr(self, key) not in (None, ())]
            if self.scale != 1:
                given.append("scale")
            if given:
                raise ValueError(f"{given[0]} is of kind http alone; what {self.kind} answers is known")
            return self
        if self.url is None or self.path is None:
            raise ValueError("kind http needs url and path")
        if self.hour_pointer is None and self.day_pointer is None:
            raise ValueError("kind http needs hour_pointer or day_pointer")
        if (self.form or self.body is not None) and self.method == "GET":
            raise ValueError('form and body need method = "POST"')
        if self.form and self.body is not None:
            raise ValueError("form or body is expected, not both")
        if any("{key}" in text or "{secret}" in text for text in (self.path or "", *self.query)):
            raise ValueError("a key in an address ends up in servers' logs; put it into headers, form or body")
        return self

    @model_validator(mode="after")
    def _check_key(self) -> Self:
        if self.kind in _KEYLESS and self.key_file is not None:
            raise ValueError(f"key_file: {_KEYLESS[self.kind]}")
        if self.kind in KEYED_KINDS and self.key_file is None:
            raise ValueError(f"key_file is expected: {self.kind} answers only to a key; make one that can only read")
        if self.kind in NAMED_KINDS and self.account is None:
            raise ValueError(f"account is expected: {self.kind} is asked by account")
        if self.url is not None and self.url.startswith("http:"):
            host = urlsplit(self.url).hostname or ""
            if self.key_file is not None and not is_loopback(host):
                raise ValueError("url: a key over http can be read on the way; https is expected")
            if self.ca_file is not None:
                raise ValueError("ca_file with an http address would not be used")
        return self
