"""What the readings of a site rest on: which reader read each unit, its firmware, and the window of each rate. Pure.

Rates of different firmware are means over different times: 5 s on stock, a minute on Braiins OS, more where a longer
rate stands in for a refuted one. Their sum is the site's operating hashrate, so it is told how much of it came from
which window.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Final, NamedTuple

from agent.site.status import UnitStatus

WINDOWS: Final[tuple[str, ...]] = ("5s", "1m", "5m", "30m", "longer", "unknown")
"""Names of windows; each stands for rates averaged over so long, and longer than the window before it."""
FIRMWARES_KEPT: Final = 32
"""Most firmwares told apart; units of the others count under `OTHER`."""
MAKES_KEPT: Final = 16
"""Most makes told apart."""
OTHER: Final = "other"

_STOCK_WINDOW_S: Final = 5.0
# Upper ends, s; 15 % of grace, so that a window of 62 s counts as a minute.
_ENDS: Final = ((5.75, "5s"), (69.0, "1m"), (345.0, "5m"), (2070.0, "30m"))


class FirmwareMix(NamedTuple):
    """Counts over the units of a site that have a reading which counts.

    Attributes:
        units_by_reader: Units by the name of the reader that read them.
        units_by_firmware: Units by reader and firmware; at most `FIRMWARES_KEPT`, the rest under `OTHER`.
        operating_hs_by_window: Operating hashrate by the window of its rates, H/s; the sum is the site's operating.
        units_by_make: Units by the make of their ledger row; at most `MAKES_KEPT`, the rest under `OTHER`.
    """

    units_by_reader: dict[str, int]
    units_by_firmware: dict[tuple[str, str], int]
    operating_hs_by_window: dict[str, float]
    units_by_make: dict[str, int]


NO_MIX: Final = FirmwareMix({}, {}, {}, {})


def window_name(window_s: float | None) -> str:
    """Return the name of a window; ``unknown`` for None."""
    if window_s is None:
        return "unknown"
    return next((name for end_s, name in _ENDS if window_s <= end_s), "longer")


class MixSums:
    """Sums over units, which may be added in batches; each unit once."""

    def __init__(self) -> None:
        self._units: Counter[tuple[str, str | None]] = Counter()
        self._operating_hs: dict[str, float] = {}
        self._makes: Counter[str] = Counter()

    def add(self, statuses: Iterable[UnitStatus]) -> None:
        """Add some units."""
        units, makes = self._units, self._makes
        stock_hs = 0.0
        for status in statuses:
            reading, rate_hs = status.reading, status.hashrate_hs
            if reading is None or rate_hs is None:
                continue
            units[reading.reader, reading.identity.firmware] += 1
            makes[status.entry.nameplate.make] += 1
            if reading.hashrate_5s_hs is not None and reading.short_window_s == _STOCK_WINDOW_S:
                stock_hs += rate_hs
            else:
                name = window_name(reading.rate_window_s)
                self._operating_hs[name] = self._operating_hs.get(name, 0.0) + rate_hs
        if stock_hs:
            self._operating_hs["5s"] = self._operating_hs.get("5s", 0.0) + stock_hs

    def mix(self) -> FirmwareMix:
        """Return the counts."""
        by_reader: Counter[str] = Counter()
        by_firmware: Counter[tuple[str, str]] = Counter()
        for rank, ((reader, firmware), units) in enumerate(self._units.most_common()):
            by_reader[reader] += units
            by_firmware[reader, (firmware or "") if rank < FIRMWARES_KEPT else OTHER] += units
        by_window = {name: self._operating_hs[name] for name in WINDOWS if name in self._operating_hs}
        by_make: Counter[str] = Counter()
        for rank, (make, count) in enumerate(self._makes.most_common()):
            by_make[make if rank < MAKES_KEPT else OTHER] += count
        return FirmwareMix(
            dict(sorted(by_reader.items())), dict(sorted(by_firmware.items())), by_window, dict(sorted(by_make.items()))
        )
