"""What units did while no agent looked: asked once, of the counters that the first polls after a start bring.

No request is made for it. Counters come on their usual turn, so the answer is there once each unit's came, and after
`LATEST_S` at the latest; a unit without one by then is unknown.
"""

import time
from collections.abc import Callable
from typing import Any

import structlog

from agent.runtime.parts import Parts
from agent.runtime.setup import Setup
from agent.runtime.snapshots import Snapshots
from agent.site.kept_counters import READERS, counter_of
from agent.site.recovered import METHOD, SHORTEST_GAP_S, recovered_of, unit_work
from agent.site.tracked_unit import TrackedUnit
from agent.slices import Slices
from agent.statement.declared import DeployedCourse

log = structlog.get_logger("agent")

ROUNDS = 2
"""Rounds of share counters that are waited for."""
LATEST_S = 1800.0
UNITS_PER_SLICE = 500


class Recovery:
    """The question of one start.

    Args:
        setup: Returns the setup in force.
        parts: The running parts of the agent.
        snapshots: The counters that were kept.
        clock: Returns the monotonic clock, s.

    Attributes:
        gap: Unix times at which figures ended and began, s; None until both are known.
        is_over: True once there is nothing left to ask.
    """

    def __init__(
        self,
        setup: Callable[[], Setup],
        parts: Parts,
        snapshots: Snapshots,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._setup, self._tracker, self._counting = setup, parts.tracker, parts.counting
        self._snapshots, self._clock = snapshots, clock
        self._until_s = 0.0
        self.gap: tuple[int, int] | None = None
        self.is_over = False

    def begin(self, seen_until: int | None, begins_at: float) -> None:
        """Say which time was not watched: from the last row until Unix time `begins_at`, s."""
        if seen_until is None or begins_at - seen_until <= SHORTEST_GAP_S:
            self.end()
            return
        self.gap = seen_until, int(begins_at)
        poll = self._setup().config.poll
        self._until_s = self._clock() + min(LATEST_S, ROUNDS * (poll.slow_every + 1) * poll.interval_s)

    def end(self) -> None:
        """Ask no more; what was kept of counters is dropped."""
        self.is_over = True
        self._snapshots.counters = {}

    def is_answered(self) -> Slices[bool]:
        """Return True once every unit with a counter told it since the gap, or when it is time."""
        if self.gap is None or self.is_over:
            return False
        if self._clock() >= self._until_s:
            return True
        end = self.gap[1]
        for number, unit in enumerate(list(self._tracker.units.values()), start=1):
            if self._is_awaited(unit, end):
                return False
            if not number % UNITS_PER_SLICE:
                yield
        return True

    def _is_awaited(self, unit: TrackedUnit, end: float) -> bool:
        reading = unit.reading
        if reading is not None and unit.error is None and reading.reader not in READERS:
            return False
        counter = counter_of(reading)
        return counter is None or counter.at < end

    def body(self) -> Slices[dict[str, Any]]:
        """Return the body of the fact: what was recovered of the gap. Call it once the gap is known."""
        if self.gap is None:
            raise ValueError("no gap is known")
        (start, end), kept, works = self.gap, self._snapshots.counters, []
        uncounted = self._counting.uncounted
        units = [unit for unit in self._tracker.units.values() if unit.entry.unit_id not in uncounted]
        for number, unit in enumerate(units, start=1):
            entry = unit.entry
            before, now = kept.get(entry.unit_id), counter_of(unit.reading)
            works.append(unit_work(before, now, nameplate_hs=entry.nameplate.hashrate_hs, start=start, end=end))
            if not number % UNITS_PER_SLICE:
                yield
        found = recovered_of(works)
        ledger = self._setup().watched
        entries = [entry for entry in ledger.entries if entry.unit_id not in uncounted]
        deployed = DeployedCourse(entries, digest=ledger.digest).hashes(start, end)
        hashes = min(found.hashes, deployed)
        ratio = round(hashes / deployed, 4) if deployed else None
        log.info("time recovered", seconds=end - start, ratio=ratio, **found._asdict())
        return {
            "from": start,
            "until": end,
            "units": found.units,
            "of_units": found.of_units,
            "restarted_units": found.restarted_units,
            "still_units": found.still_units,
            "unknown_units": found.unknown_units,
            "hashes": hashes,
            "excess_hashes": found.excess_hashes,
            "deployed_hashes": deployed,
            "method": METHOD,
        }
