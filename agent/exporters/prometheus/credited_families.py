"""The metric contract of what pools credit: by account of the configuration, whose name is the label."""

from collections.abc import Callable, Iterable

from agent.exporters.prometheus.family import Family, Kind, Sample
from agent.site.credited.verdict import Compared
from agent.site.totals import SiteFigures

_NAMES = {3600: "1h", 86_400: "24h"}


def _compared(value: Callable[[Compared], float | None]) -> Callable[[SiteFigures], Iterable[Sample]]:
    """Return samples of one number for each account and window."""
    return lambda figures: [
        ((account.name, _NAMES[window.window_s]), value(window))
        for account in figures.credited
        for window in account.windows
    ]


CREDITED_FAMILIES: tuple[Family[SiteFigures], ...] = (
    Family(
        name="mining_pool_credited_hashrate_hashes_per_second",
        help="Hashrate that a pool says it credits to an account over 1 and 24 h; absent while its word is too old.",
        kind=Kind.GAUGE,
        labels=("site", "pool_account", "window"),
        samples=_compared(lambda window: window.credited_hs),
    ),
    Family(
        name="mining_pool_reported_hashrate_hashes_per_second",
        help="Mean of what the units of an account reported over the same hours as the pool's figure; absent unless"
        " 95 % of them was watched.",
        kind=Kind.GAUGE,
        labels=("site", "pool_account", "window"),
        samples=_compared(lambda window: window.reported_hs),
    ),
    Family(
        name="mining_pool_credited_age_seconds",
        help="Time since the end of the hours of an account's latest credited hashrate; absent before the first.",
        kind=Kind.GAUGE,
        labels=("site", "pool_account"),
        samples=lambda figures: [((account.name,), account.age_s) for account in figures.credited],
    ),
)
