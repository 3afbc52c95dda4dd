"""The sections that say where a site's work may go."""

from collections import Counter
from collections.abc import Iterable
from typing import Annotated, Self

from pydantic import Strict, field_validator, model_validator

from agent.config.pool_patterns import UrlPattern, parse_account_pattern, parse_text_pattern, parse_url_pattern
from agent.config.sections import Section
from agent.config.values import Name, Place, between, parsed

MAX_ENTRIES = 64
"""Entries of each list: their names are label values."""
MAX_PATTERNS = 1000

_Urls = Annotated[tuple[Annotated[UrlPattern, parsed(UrlPattern, parse_url_pattern)], ...], Strict(strict=False)]
_Accounts = Annotated[tuple[Annotated[str, parsed((), parse_account_pattern)], ...], Strict(strict=False)]
_Workers = Annotated[tuple[Annotated[str, parsed((), parse_text_pattern)], ...], Strict(strict=False)]


class _Destinations(Section):
    """Fields that both lists give of a destination.

    Attributes:
        name: Name of the entry, and label value.
        urls: Patterns of its addresses.
        accounts: Patterns of the accounts there, without the worker.
    """

    name: Name
    urls: _Urls
    accounts: _Accounts

    @field_validator("urls", "accounts")
    @classmethod
    def _require_some(cls, patterns: tuple[object, ...]) -> tuple[object, ...]:
        if not patterns:
            raise ValueError('at least one is expected; ["*"] is any')
        if len(patterns) > MAX_PATTERNS:
            raise ValueError(f"at most {MAX_PATTERNS} are expected")
        return patterns


class AllowedPoolSection(_Destinations):
    """Destinations that are the site's.

    Attributes:
        name, urls, accounts: As above.
        workers: Patterns of the workers.
        owner: The owner whose units alone may work there, as in the ledger; None for every unit.
    """

    workers: _Workers = ("*",)
    owner: Place | None = None

    @field_validator("workers")
    @classmethod
    def _require_a_worker(cls, workers: tuple[str, ...]) -> tuple[str, ...]:
        if not workers:
            raise ValueError("at least one is expected; leave the key out for any worker")
        return workers


class PoolFeeSection(_Destinations):
    """Destinations of a firmware's fee, which takes turns with the owner's pools."""


class PoolsSection(Section):
    """Where the site's work may go; nothing is judged without an entry in `allowed`.

    Attributes:
        tolerate_firmware_fees: True to tolerate the pool that a firmware marks as its own and whose address it hides,
            such as ``DevFee`` of VNish.
        fee_window_s: How long a tolerated fee may take at a stretch; work that goes there for longer is diverted.
        stale_after_s: Age at which what a unit told of its pools says nothing any more.
        allowed: The destinations that are the site's.
        fees: Destinations of fees that firmware takes under an address of their own.
    """

    tolerate_firmware_fees: bool = True
    # Observed (O172): turns of the firmware's pool are minutes apart, so each is far shorter.
    fee_window_s: Annotated[float, between(60, 7200)] = 900.0
    # Stock firmware is asked for pools every 150 s at least: one request may fail.
    stale_after_s: Annotated[float, between(200, 3600)] = 360.0
    allowed: Annotated[tuple[AllowedPoolSection, ...], Strict(strict=False)] = ()
    fees: Annotated[tuple[PoolFeeSection, ...], Strict(strict=False)] = ()

    @property
    def is_on(self) -> bool:
        """True if destinations are judged."""
        return bool(self.allowed)

    @field_validator("allowed", "fees")
    @classmethod
    def _bound(cls, entries: tuple[_Destinations, ...]) -> tuple[_Destinations, ...]:
        if len(entries) > MAX_ENTRIES:
            raise ValueError(f"at most {MAX_ENTRIES} entries are expected: each is a series")
        return entries

    @model_validator(mode="after")
    def _check_combinations(self) -> Self:
        if not self.allowed and self.model_fields_set:
            raise ValueError("at least one [[pools.allowed]] is expected; without the section nothing is judged")
        twice = _first_twice(entry.name for entry in (*self.allowed, *self.fees))
        if twice is not None:
            raise ValueError(f"two entries are named {twice}")
        return self


def _first_twice(names: Iterable[str]) -> str | None:
    return next((name for name, times in Counter(names).items() if times > 1), None)
