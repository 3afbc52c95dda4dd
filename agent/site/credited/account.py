"""One account at a pool, as it was last read, and how both windows compare."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from agent.site.credited.verdict import Compared


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountState:
    """Latest reading of one account.

    Attributes:
        name: From the configuration.
        pool: The pool's name for people.
        account: As units' user names have it in front of the first dot; None if it is not configured.
        at: Unix time at which the latest windows end, s; None before the first reading.
        age_s: Time since then, s; None before the first reading.
        rates_hs: Credited hashrate by length of the window in seconds; a window that the pool does not tell is absent.
        is_stale: True if the latest reading is too old to stand for now.
        reads: Readings that succeeded, since the agent started.
        failures: Readings that failed, by reason (`POOL_ACCOUNT_REASONS`).
        trouble: Why the latest reading failed; None if it did not.
    """

    name: str
    pool: str
    account: str | None = field(default=None, repr=False)
    at: float | None = None
    age_s: float | None = None
    rates_hs: Mapping[int, float] = field(default_factory=dict)
    is_stale: bool = False
    reads: int = 0
    failures: Mapping[str, int] = field(default_factory=dict)
    trouble: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountCredit:
    """One account's credited hashrate beside the units' word, at the time of a round of figures.

    Attributes:
        name, pool: As of `AccountState`.
        at, age_s: As of `AccountState`.
        hour, day: Both windows, compared.
        trouble: Why the latest reading failed; None if it did not.
    """

    name: str
    pool: str
    at: float | None
    age_s: float | None
    hour: Compared
    day: Compared
    trouble: str | None

    @property
    def windows(self) -> tuple[Compared, Compared]:
        """Both windows, the shorter one first."""
        return self.hour, self.day
