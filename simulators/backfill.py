"""Simulated months as OpenMetrics, for ``promtool tsdb create-blocks-from openmetrics``.

What is written is the truth of a site and its containers, moment by moment, under the names of ``grafana/METRICS.md``:
hashrate, losses, states, curtailment, and power at the wall as a meter there would tell it. Nothing is averaged and
nothing is made up for what an agent would have missed: units behind a dead switch hash on here. Only units without
power are what they are to anybody who asks, unreachable and unknown.

OpenMetrics wants the samples of a series together, and a simulation gives them moment by moment. So rows of numbers go
to a temporary file first, 8 bytes a sample, and columns are read from it; memory hardly grows with the months.
"""

import calendar
import itertools
import math
import mmap
import tempfile
import time
from array import array
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple, TextIO, TypeVar

from rich.progress import Progress

from simulators.farm.plan import FarmError
from simulators.farm.tally import Tally
from simulators.commands.hosting import ERRORS
from simulators.scenario.durations import read_duration, show_duration
from simulators.scenario.player import RESTORE_S, Curtailment, build_farm, play
from simulators.scenario.scenario import Scenario, find_scenario, shipped_scenarios
from simulators.unit.conditions import Cause
from simulators.unit.physics import DAY_S
from simulators.unit.snapshot import RUNNING, Phase
from simulators.unit.unit import Unit

# Prometheus believes a sample for five minutes; farther apart they would be gaps.
MAX_STEP_S = 300.0
MIN_STEP_S = 15.0

_BAR_AFTER_S = 2.0
_HS = "hashrate_hashes_per_second"
_ABSENT = math.nan

STATES = ("hashing", "starting", "stopped", "curtailed", "maintenance", "unreachable", "unreadable")
CAUSES = (
    *("curtailed", "maintenance", "unreachable", "unreadable", "stopped", "starting"),
    *("missing_boards", "missing_chips", "derated", "underperforming"),
)
_STATE_AT = {state: place for place, state in enumerate(STATES)}
# By the agent's words: what is without power does not answer, what sleeps without anybody's word has stopped.
_CAUSE_AT = {
    cause: CAUSES.index({Cause.OFF: "unreachable", Cause.ASLEEP: "stopped"}.get(cause, str(cause))) for cause in Cause
}
_STARTING = frozenset({Phase.BOOTING, Phase.RESTARTING, Phase.ENUMERATING, Phase.RAMPING})

# What each group has, in this order: the end of the family's name, and what tells its series apart.
_FAMILIES: tuple[tuple[str, tuple[str, ...]], ...] = (
    (f"deployed_{_HS}", ("",)),
    (f"operating_{_HS}", ("",)),
    (f"uplift_{_HS}", ("",)),
    (f"known_{_HS}", ("",)),
    (f"loss_{_HS}", tuple(f'cause="{cause}"' for cause in CAUSES)),
    ("units", tuple(f'state="{state}"' for state in STATES)),
    (f"state_nameplate_{_HS}", tuple(f'state="{state}"' for state in STATES)),
    ("curtailment_active", ("",)),
    (f"curtailment_nameplate_{_HS}", ("",)),
    (f"curtailment_target_{_HS}", ("",)),
    ("curtailment_stragglers", ("",)),
    ("units_not_restored", ("",)),
    ("power_watts", ('source="metered"',)),
    ("metered_power_watts", ("",)),
    ("operational_efficiency_ratio", ("",)),
    ("coverage_ratio", ("",)),
)
_SITE_ONLY = frozenset({"operational_efficiency_ratio", "coverage_ratio"})
_WIDTH = sum(len(series) for _, series in _FAMILIES)

_Item = TypeVar("_Item")


class Month(NamedTuple):
    """A scenario to be written, a month or any other length of time."""

    name: str
    scenario: Scenario

    @property
    def begin(self) -> float:
        """Its first moment, Unix seconds."""
        return self.scenario.start_s

    @property
    def end(self) -> float:
        """The first moment after it, Unix seconds."""
        return self.scenario.start_s + self.scenario.duration


class Written(NamedTuple):
    """What was written."""

    moments: int
    samples: int


def find_months(scenarios: Sequence[str], months: str) -> list[Month]:
    """Give scenarios in order of time, by name or file, and by the calendar months (UTC) that they are.

    Raises:
        FarmError: There is none for a month, nothing was named, or two are of the same time.
        TomlError: There is no scenario of that name, or it is wrong.
    """
    found = dict(map(find_scenario, scenarios))
    if months:
        found.update(_by_month(months))
    if not found:
        raise FarmError("--scenario or --months is needed, such as --months 2025-09,2025-10")
    ordered = sorted((Month(name, scenario) for name, scenario in found.items()), key=lambda month: month.begin)
    for before, after in itertools.pairwise(ordered):
        if after.begin < before.end:
            raise FarmError(f"{after.name} begins before {before.name} is over; one site has one past")
    return ordered


def read_step(text: str) -> float:
    """Read how far apart samples are, s.

    Raises:
        FarmError: Not a length of time, or one that Prometheus would take for gaps.
    """
    try:
        step_s = read_duration(text)
    except ValueError as error:
        raise FarmError(f"--every {text!r}: {error}") from error
    if not MIN_STEP_S <= step_s <= MAX_STEP_S:
        raise FarmError(
            f"--every {text!r}: {show_duration(MIN_STEP_S)} to {show_duration(MAX_STEP_S)} are expected; "
            "Prometheus does not believe a sample for longer"
        )
    return step_s


def write_months(
    months: Sequence[Month], out: TextIO, *, site: str, step_s: float, has_containers: bool = True
) -> Written:
    """Play months one after the other and write what was true; shows on a terminal how far it is.

    A month's first moment is in it, the one after its end is not.

    Args:
        months: In order of time.
        out: Where to.
        site: What the site is called.
        step_s: Between two samples of a series.
        has_containers: Write those as well.
    """
    containers = max(month.scenario.farm.containers for month in months) if has_containers else 0
    groups = ["", *(f"C{place + 1}" for place in range(containers))]
    times = array("d")
    with tempfile.TemporaryFile() as spool:
        for month in months:
            moments = array("d", _moments(month, step_s))
            times.extend(moments)
            spool.writelines(_late_bar(_rows(month, groups, moments), len(moments), f"playing {month.name}"))
        spool.flush()
        with mmap.mmap(spool.fileno(), 0, access=mmap.ACCESS_READ) as rows, memoryview(rows).cast("d") as numbers:
            samples = _write_columns(out, numbers, groups, times, site=site)
    out.write("# EOF\n")
    return Written(len(times), samples)


def _by_month(months: str) -> Iterator[tuple[str, Scenario]]:
    """Find shipped scenarios by the month that each is, exactly."""
    whole = {}
    for name, scenario in shipped_scenarios().items():
        start = scenario.start.astimezone(UTC)
        days = calendar.monthrange(start.year, start.month)[1]
        if start == datetime(start.year, start.month, 1, tzinfo=UTC) and scenario.duration == days * DAY_S:
            whole[f"{start:%Y-%m}"] = (name, scenario)
    for month in (part.strip() for part in months.split(",")):
        if month not in whole:
            raise FarmError(f"--months {month!r}: no scenario is that month; there are {', '.join(sorted(whole))}")
        yield whole[month]


def _moments(month: Month, step_s: float) -> Iterator[float]:
    return (month.begin + look * step_s for look in range(math.ceil(month.scenario.duration / step_s)))


def _rows(month: Month, groups: Sequence[str], moments: Iterable[float]) -> Iterator[bytes]:
    """Play a month; gives all groups' numbers at each moment."""
    farm = build_farm(month.scenario)
    curtailments = play(farm, month.name, month.scenario).curtailments
    books = []
    for group in groups:
        units = [unit for unit in farm.units if group in {"", unit.identity.container}]
        books.append(_Book(units, farm.start, curtailments) if units else None)
    nothing = [_ABSENT] * _WIDTH
    for t in moments:
        farm.clock.set(t)
        row = array("d")
        for book in books:
            row.extend(book.look(t) if book else nothing)
        yield row.tobytes()


class _Book:
    """One group's numbers, in the order of the families.

    Args:
        units: Of the group; at least one.
        start: When the farm began, Unix seconds.
        curtailments: What was declared at the site.
    """

    def __init__(self, units: Sequence[Unit], start: float, curtailments: Iterable[Curtailment]) -> None:
        self._units = units
        self._tally = Tally(units, start)
        self._seen = [-1] * len(units)
        self._states = [0] * len(units)
        self._counts = [0.0] * len(STATES)
        self._nameplates = [0.0] * len(STATES)
        self._events = [
            (event, covered) for event in curtailments if (covered := [unit for unit in units if _covers(event, unit)])
        ]
        self._forgotten: list[tuple[Unit, float]] = []

    def look(self, t: float) -> list[float]:
        """Give the numbers at `t`, Unix seconds."""
        sums = self._tally.sums(t)
        self._sort(t)
        deployed_hs = math.fsum(self._nameplates)
        known_hs = deployed_hs - self._nameplates[_STATE_AT["unreachable"]]
        losses_hs = [0.0] * len(CAUSES)
        for cause, lost_hs in sums.losses_hs.items():
            losses_hs[_CAUSE_AT[cause]] += lost_hs
        return [
            *(deployed_hs, sums.hashrate_hs, sums.uplift_hs, known_hs),
            *losses_hs,
            *self._counts,
            *self._nameplates,
            *self._curtailed(t),
            *(sums.power_watts, sums.power_watts),
            *(sums.hashrate_hs / deployed_hs, known_hs / deployed_hs),
        ]

    def _sort(self, t: float) -> None:
        """Bring the states up to `t`; only units that have been through an event can have another one."""
        for place, unit in enumerate(self._units):
            if unit.events == self._seen[place]:
                continue
            is_new, nameplate_hs = self._seen[place] < 0, unit.identity.model.hashrate_hs
            before, now = self._states[place], _STATE_AT[_state(unit, t)]
            if not is_new:
                self._counts[before] -= 1
                self._nameplates[before] -= nameplate_hs
            self._counts[now] += 1
            self._nameplates[now] += nameplate_hs
            self._seen[place], self._states[place] = unit.events, now

    def _curtailed(self, t: float) -> tuple[float, float, float, float, float]:
        """Give whether there is an event, what it covers and leaves, who hashes all the same, and who was forgotten."""
        targets: dict[int, float] = {}
        for number, (event, covered) in reversed(list(enumerate(self._events))):
            if event.begin <= t < event.end:
                for unit in covered:
                    place = unit.identity.index
                    targets[place] = min(event.target_ratio, targets.get(place, 1.0))
            elif t >= event.end + RESTORE_S:
                self._forgotten += [
                    (unit, unit.since)
                    for unit in covered
                    if unit.phase is Phase.ASLEEP and event.begin <= unit.since < event.end
                ]
                del self._events[number]
        # One of them is no longer forgotten once it did anything at all since.
        self._forgotten = [(unit, since) for unit, since in self._forgotten if unit.since == since]
        forgotten = {unit.identity.index for unit, _ in self._forgotten} - targets.keys()
        covered_hs = target_hs = stragglers = 0.0
        for unit in self._units if targets else ():
            target = targets.get(unit.identity.index)
            if target is not None:
                covered_hs += unit.identity.model.hashrate_hs
                target_hs += target * unit.identity.model.hashrate_hs
                stragglers += target == 0.0 and unit.phase in RUNNING
        return float(bool(targets)), covered_hs, target_hs, stragglers, float(len(forgotten))


def _covers(event: Curtailment, unit: Unit) -> bool:
    place = unit.identity
    names = {"container": place.container, "rack": place.rack, "model": place.model.name, "unit": place.unit_id}
    return event.scope == "site" or names[event.scope] == event.name


def _state(unit: Unit, t: float) -> str:
    if unit.phase is Phase.OFF:
        return "unreachable"
    if unit.phase is Phase.ASLEEP:
        return "curtailed" if unit.conditions.is_curtailed else "stopped"
    if unit.phase in _STARTING:
        return "starting"
    return "hashing" if unit.hashrate_hs(t) else "stopped"


def _write_columns(
    out: TextIO, numbers: "memoryview[float]", groups: Sequence[str], times: Sequence[float], *, site: str
) -> int:
    """Write a family after the other, and in it a series after the other; gives how many samples there were."""
    columns = _late_bar(_columns(groups, site), _WIDTH * len(groups), "writing")
    shown = [f"{t:.3f}".rstrip("0").rstrip(".") for t in times]
    width, samples = _WIDTH * len(groups), 0
    family = ""
    for name, labels, column in columns:
        if name != family:
            out.write(f"# TYPE {name} gauge\n")
            family = name
        head = f"{name}{{{labels}}}"
        # Released before the file goes, whatever becomes of the output.
        with numbers[column::width] as series:
            out.writelines(
                f"{head} {number!r} {t}\n" for number, t in zip(series, shown, strict=True) if not math.isnan(number)
            )
            samples += sum(not math.isnan(number) for number in series)
    return samples


def _columns(groups: Sequence[str], site: str) -> Iterator[tuple[str, str, int]]:
    """Give name, labels and place in a row of every series, families together."""
    for level in ("site", "container"):
        first = 0
        for ending, series in _FAMILIES:
            for place, group in enumerate(groups):
                if (level == "container") != bool(group) or (group and ending in _SITE_ONLY):
                    continue
                where = f'site="{_escaped(site)}"' + (f',container="{group}"' if group else "")
                for number, own in enumerate(series):
                    labels = f"{where},{own}" if own else where
                    yield f"mining_{level}_{ending}", labels, place * _WIDTH + first + number
            first += len(series)


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _late_bar(items: Iterable[_Item], total: int, about: str) -> Iterator[_Item]:
    """Give the same items, and show how far it is on a terminal once that takes longer than two seconds."""
    begun, is_started = time.monotonic(), False
    bar = Progress(console=ERRORS, transient=True)
    task = bar.add_task(about, total=total)
    try:
        for done, item in enumerate(items):
            if is_started:
                bar.update(task, completed=done)
            elif ERRORS.is_terminal and time.monotonic() - begun > _BAR_AFTER_S:
                bar.start()
                is_started = True
            yield item
    finally:
        if is_started:
            bar.stop()
