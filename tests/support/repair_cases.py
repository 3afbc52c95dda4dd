"""A site that is looked at every half minute, for tests of the walk list: units in conditions, time, and entries."""

from collections.abc import Iterable, Mapping
from typing import Any

from site_cases import AT, STALE_AFTER_S, TH, board, entry, reading

from agent.config.pool_patterns import parse_url_pattern
from agent.errors import DeadlineError, UnreachableError
from agent.site.curtailment.events import Curtailments
from agent.site.ledger.entries import LedgerEntry
from agent.site.pools.allow import AllowEntry, AllowList
from agent.site.repairs.book import RepairBook
from agent.site.repairs.entries import RepairEntry
from agent.site.repairs.symptoms import Rules, Symptom
from agent.site.tracker import Tracker
from agent.unit.reading import BoardReading, Mode, Poll, PoolReading, UnitReading

STEP_S = 30.0
MINUTE_S = 60.0
RULES = Rules(after_s=dict.fromkeys(Symptom, 300.0) | {Symptom.CONTAINER_DARK: 60.0}, calm_s=300.0)
DEAD = PoolReading(index=0, status="Dead", is_active=False)
ALIVE = PoolReading(index=0, status="Alive", is_active=True)
OURS = PoolReading(index=0, status="Alive", is_active=True, url="stratum+tcp://pool.example:3333", user="ours.1")
THEIRS = PoolReading(index=0, status="Alive", is_active=True, url="stratum+tcp://evil.example:3333", user="theirs.1")
ALLOWED = AllowList([AllowEntry(name="main", urls=(parse_url_pattern("pool.example"),), accounts=("ours",))])


def _warm(slot: int, celsius: float, **changes: Any) -> BoardReading:
    return board(slot, chip_celsius=(celsius - 5, celsius), **changes)


# An uptime that moves on comes from `Aisle`: a unit that repeats its figures stands still.
CONDITIONS: Mapping[str, Mapping[str, Any] | Exception] = {
    "well": {},
    "board 1 dead": {
        "boards": (board(0), board(1, hashrate_hs=0 * TH, chips=0), board(2)),
        "hashrate_5s_hs": 196 * TH,
    },
    "fan 2 stands": {"fan_rpm": (6000.0, 0.0, 6000.0, 6000.0)},
    "hot": {"boards": (_warm(0, 70.0), _warm(1, 91.0), _warm(2, 70.0))},
    "hot by its own sums": {"boards": (_warm(0, 70.0), _warm(1, 91.0), _warm(2, 70.0)), "is_chip_computed": True},
    "hot boards": {"boards": tuple(board(slot, pcb_celsius=(70.0, 82.0)) for slot in range(3))},
    "pools dead, hashing": {"pools": (DEAD,)},
    "pools dead, stopped": {"hashrate_5s_hs": 0 * TH, "pools": (DEAD,)},
    "working for us": {"pools": (OURS,)},
    "working for them": {"pools": (THEIRS,)},
    "stopped": {"hashrate_5s_hs": 0 * TH},
    "asleep": {"hashrate_5s_hs": 0 * TH, "mode": Mode.SLEEP},
    "fan 2 stands, stopped": {"fan_rpm": (6000.0, 0.0, 6000.0, 6000.0), "hashrate_5s_hs": 0 * TH},
    "silent": UnreachableError("no route"),
    "half a reply": DeadlineError("half a reply"),
}


class Aisle:
    """Some units, each in a condition of `CONDITIONS`, and their walk list.

    Args:
        units: Ids in container C1, or whole ledger entries.
        curtailments: The declared events.
        book: Of an earlier process; a new one by default.
        at: Unix time of the start, s.
    """

    def __init__(
        self,
        *units: str | LedgerEntry,
        curtailments: Curtailments | None = None,
        book: RepairBook | None = None,
        at: float = AT,
        rules: Rules = RULES,
    ) -> None:
        entries = [entry(unit) if isinstance(unit, str) else unit for unit in units]
        self.at, self.clock_s = at, 0.0
        self.book = book or RepairBook(rules, longest_gap_s=3 * STEP_S)
        self.tracker = Tracker(entries, stale_after_s=STALE_AFTER_S, at=at, curtailments=curtailments)
        self.conditions = dict.fromkeys((each.unit_id for each in entries), "well")
        self.closed: list[RepairEntry] = []
        self.opened: list[RepairEntry] = []

    def be(self, condition: str, *unit_ids: str) -> None:
        """Put units, or all of them, in a condition."""
        self.conditions.update(dict.fromkeys(unit_ids or self.conditions, condition))

    def wait(self, seconds: float, *, is_polled: bool = True, condition: str | None = None) -> None:
        """Let time pass in steps of `STEP_S`; each polls every unit and looks at it."""
        if condition is not None:
            self.be(condition)
        for _ in range(round(seconds / STEP_S)):
            self.step(is_polled=is_polled)

    def step(self, *, is_polled: bool = True) -> None:
        """Poll every unit, and look."""
        self.at += STEP_S
        self.clock_s += STEP_S
        if is_polled:
            for unit_id, condition in self.conditions.items():
                self.tracker.record(self.poll(unit_id, condition), clock_s=self.clock_s)
        self.tracker.refresh(at=self.at, clock_s=self.clock_s)
        self.book.begin_round(at=self.at, clock_s=self.clock_s)
        self.book.see(self.tracker.statuses())
        for changed in self.book.close_round():
            (self.opened if changed.until is None else self.closed).append(changed)

    def poll(self, unit_id: str, condition: str) -> Poll:
        """Return the outcome of a poll of a unit in a condition."""
        changes = CONDITIONS[condition]
        if isinstance(changes, Mapping):
            return Poll(unit_id=unit_id, at=self.at, took_s=0.02, reading=self.reading(unit_id, changes))
        return Poll(unit_id=unit_id, at=self.at, took_s=4.0, error=changes)  # type: ignore[arg-type]

    def reading(self, unit_id: str, changes: Mapping[str, Any]) -> UnitReading:
        """Return what a unit reports now."""
        now = {"at": self.at, "uptime_s": 86_400.0 + self.clock_s}
        # Asked for anew: the same object would be what was told before.
        pools = {"pools": (*changes["pools"],)} if "pools" in changes else {}
        return reading(unit_id, **now | changes | pools)

    def listed(self) -> list[tuple[str, Symptom, str]]:
        """Return the open entries: unit or container, symptom, words."""
        return listed(self.book.entries())


def listed(entries: Iterable[RepairEntry]) -> list[tuple[str, Symptom, str]]:
    """Return entries as unit or container, symptom, words."""
    return sorted((each.unit_id or each.place.container, each.symptom, each.words) for each in entries)
