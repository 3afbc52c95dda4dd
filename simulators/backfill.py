"""Simulated months as OpenMetrics, for ``promtool tsdb create-blocks-from openmetrics``.

The output is the truth of a site and its containers, moment by moment, under the names of ``grafana/METRICS.md``:
hashrate, losses, states, curtailment, and power at the wall as a meter there would show it. Nothing is averaged, and
gaps in an agent's knowledge are not imitated: units behind a dead switch hash on here. Only units without power are
unreachable and unknown, as they would be to an agent.

OpenMetrics wants the samples of a series together, but a simulation yields them moment by moment. So rows of numbers
go to a temporary file first, 8 bytes a sample, and columns are read back from it. Memory hardly grows with the months.
"""

import calendar
import itertools
import math
import mmap
import tempfile
from array import array
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple, Protocol, TextIO, TypeVar

from simulators.farm.plan import FarmError
from simulators.farm.tally import Tally
from simulators.scenario.durations import read_duration, show_duration
from simulators.scenario.player import RESTORE_S, Curtailment, build_farm, play
from simulators.scenario.scenario import Scenario, find_scenario, shipped_scenarios
from simulators.unit.conditions import Cause
from simulators.unit.physics import DAY_S
from simulators.unit.snapshot import RUNNING, Phase
from simulators.unit.unit import Unit

# Prometheus looks back five minutes for a sample; a longer step would leave gaps.
MAX_STEP_S = 300.0
MIN_STEP_S = 15.0

_HS = "hashrate_hashes_per_second"
_ABSENT = math.nan

STATES = ("hashing", "starting", "stopped", "curtailed", "maintenance", "unreachable", "unreadable")
CAUSES = (
    *("curtailed", "maintenance", "unreachable", "unreadable", "stopped", "starting"),
    *("missing_boards", "missing_chips", "derated", "underperforming"),
)
_STATE_AT = {state: place for place, state in enumerate(STATES)}
# In the agent's words, a unit without power is unreachable, and one asleep outside any curtailment has stopped.
_CAUSE_AT = {
    cause: CAUSES.index({Cause.OFF: "unreachable", Cause.ASLEEP: "stopped"}.get(cause, str(cause))) for cause in Cause
}
_STARTING = frozenset({Phase.BOOTING, Phase.RESTARTING, Phase.ENUMERATING, Phase.RAMPING})

# The families of each group, in column order: the end of the family's name, and the label of each of its series.
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


class Watch(Protocol):
    """A progress bar, or anything else that passes items through."""

    def __call__(self, items: Iterable[_Item], total: int, about: str, /) -> Iterable[_Item]:
        """Yield the same items; there are `total`, and `about` is a caption."""


def unwatched(items: Iterable[_Item], _total: int, _about: str, /) -> Iterable[_Item]:
    """Return the items without showing progress."""
    return items


class Month(NamedTuple):
    """A scenario to write: a calendar month, or any other length of time."""

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
    """Amount of data written."""

    moments: int
    samples: int


def find_months(scenarios: Sequence[str], months: str) -> list[Month]:
    """Return scenarios in order of time.

    Args:
        scenarios: Names or files.
        months: Calendar months (UTC) that shipped scenarios cover exactly, separated by commas.

    Raises:
        FarmError: A month has no scenario, nothing was named, or two scenarios overlap.
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
            raise FarmError(f"{after.name} begins before {before.name} is over; a site has only one past")
    return ordered


def read_step(text: str) -> float:
    """Read the time between two samples, s.

    Raises:
        FarmError: Not a length of time, or one that would leave gaps in Prometheus.
    """
    try:
        step_s = read_duration(text)
    except ValueError as error:
        raise FarmError(f"--every {text!r}: {error}") from error
    if not MIN_STEP_S <= step_s <= MAX_STEP_S:
        raise FarmError(
            f"--every {text!r}: {show_duration(MIN_STEP_S)} to {show_duration(MAX_STEP_S)} are expected; "
            "Prometheus shows a sample no longer than that"
        )
    return step_s


def write_months(
    months: Sequence[Month],
    out: TextIO,
    *,
    site: str,
    step_s: float,
    has_containers: bool = True,
    watch: Watch = unwatched,
) -> Written:
    """Play months one after the other and write their truth.

    A month includes its first moment and excludes its end.

    Args:
        months: In order of time.
        out: The output.
        site: Name of the site.
        step_s: Seconds between two samples of a series.
        has_containers: Write the series of containers as well.
        watch: Shows progress.
    """
    containers = max(month.scenario.farm.containers for month in months) if has_containers else 0
    groups = ["", *(f"C{place + 1}" for place in range(containers))]
    times = array("d")
    with tempfile.TemporaryFile() as spool:
        for month in months:
            moments = array("d", _moments(month, step_s))
            times.extend(moments)
            spool.writelines(watch(_rows(month, groups, moments), len(moments), f"playing {month.name}"))
        spool.flush()
        with mmap.mmap(spool.fileno(), 0, access=mmap.ACCESS_READ) as rows, memoryview(rows).cast("d") as numbers:
            samples = _write_columns(out, numbers, groups, times, site=site, watch=watch)
    out.write("# EOF\n")
    return Written(len(times), samples)


def _by_month(months: str) -> Iterator[tuple[str, Scenario]]:
    """Yield the shipped scenarios that cover the given months exactly."""
    whole = {}
    for name, scenario in shipped_scenarios().items():
        start = scenario.start.astimezone(UTC)
        days = calendar.monthrange(start.year, start.month)[1]
        if start == datetime(start.year, start.month, 1, tzinfo=UTC) and scenario.duration == days * DAY_S:
            whole[f"{start:%Y-%m}"] = (name, scenario)
    for month in (part.strip() for part in months.split(",")):
        if month not in whole:
            raise FarmError(
                f"--months {month!r}: no scenario covers that month; the months are {', '.join(sorted(whole))}"
            )
        yield whole[month]


def _moments(month: Month, step_s: float) -> Iterator[float]:
    return (month.begin + look * step_s for look in range(math.ceil(month.scenario.duration / step_s)))


def _rows(month: Month, groups: Sequence[str], moments: Iterable[float]) -> Iterator[bytes]:
    """Play a month and yield the numbers of all groups at each moment."""
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
        units: Units of the group; at least one.
        start: Start of the farm, Unix seconds.
        curtailments: Curtailments declared at the site.
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
        """Return the numbers at `t`, Unix seconds."""
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
        """Bring the states up to `t`; a unit's state changes only at one of its events."""
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
        """Return the five curtailment figures at `t`.

        They are: 1.0 during an event; nameplate covered, H/s; nameplate that may go on, H/s; stragglers; and units
        not restored.
        """
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
        # A unit stops being forgotten as soon as it does anything else.
        self._forgotten = [(unit, since) for unit, since in self._forgotten if unit.since == since]
        forgotten = {unit.identity.index for unit, _ in self._forgotten} - targets.keys()
        covered_hs = target_hs = stragglers = 0.0
        for unit in self._units if targets else ():
            target = targets.get(unit.identity.index)
            if target is not None:
                covered_hs += unit.identity.model.hashrate_hs
                target_hs += target * unit.identity.model.hashrate_hs
                if target == 0.0 and unit.phase in RUNNING:
                    stragglers += 1.0
        is_active = 1.0 if targets else 0.0
        return is_active, covered_hs, target_hs, stragglers, float(len(forgotten))


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
    out: TextIO,
    numbers: "memoryview[float]",
    groups: Sequence[str],
    times: Sequence[float],
    *,
    site: str,
    watch: Watch,
) -> int:
    """Write family after family, and within it series after series; return the number of samples."""
    columns = watch(_columns(groups, site), _WIDTH * len(groups), "writing")
    shown = [f"{t:.3f}".rstrip("0").rstrip(".") for t in times]
    width, samples = _WIDTH * len(groups), 0
    family = ""
    for name, labels, column in columns:
        if name != family:
            out.write(f"# TYPE {name} gauge\n")
            family = name
        head = f"{name}{{{labels}}}"
        # Released before the temporary file is closed, even if the output fails.
        with numbers[column::width] as series:
            out.writelines(
                f"{head} {number!r} {t}\n" for number, t in zip(series, shown, strict=True) if not math.isnan(number)
            )
            samples += sum(1 for number in series if not math.isnan(number))
    return samples


def _columns(groups: Sequence[str], site: str) -> Iterator[tuple[str, str, int]]:
    """Yield name, labels and column of every series, families together."""
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
