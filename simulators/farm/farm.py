"""A farm: the units of a plan, the faults injected into them, and the ledger for an agent."""

import csv
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import NamedTuple, TextIO
from zlib import crc32

from simulators.farm.clock import SimClock
from simulators.farm.diary import Diary
from simulators.farm.plan import FarmError, FarmPlan, build_units, check_plan
from simulators.farm.selection import EVERYTHING, Selector, select
from simulators.farm.tally import Sums, Tally
from simulators.faults.unit import AddressSwapped
from simulators.faults.vocabulary import Fault
from simulators.strangers.spans import addresses_in
from simulators.strangers.surroundings import Listed, Strangers
from simulators.twins.twin import Twin
from simulators.unit import chance
from simulators.unit.conditions import Change, Condition, Verb
from simulators.unit.endpoints import Endpoint
from simulators.unit.unit import REBOOT_DELAY_S, Unit

API_PORT = 4028

LEDGER_COLUMNS = (
    "unit_id",
    "model",
    "hashrate_th",
    "host",
    "container",
    "rack",
    "slot",
    "deployed_from",
    "deployed_to",
    "status",
    "serial",
    "mac",
    "simulated",
)

_MAX_INJECTIONS = 10_000
MAX_PARTS = 2_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Injection:
    """A fault that was injected.

    Attributes:
        number: Number for clearing it.
        fault: The fault; that of the first unit if each unit has its own.
        selected: The selected units, in words.
        unit_ids: Ids of the units it hits.
        begin: Beginning, Unix seconds; that of the first unit if they begin one by one.
        end: End, Unix seconds; that of the last unit, None until it is cleared.
        origin: ``scenario NAME``, or empty.
    """

    number: int
    fault: Fault
    selected: str
    unit_ids: tuple[str, ...]
    begin: float
    end: float | None
    origin: str = ""


class Part(NamedTuple):
    """The part of an injection that hits one unit.

    Attributes:
        unit: The unit.
        fault: The fault, or any other condition.
        begin: Beginning, Unix seconds.
        end: End, Unix seconds; None until it is cleared.
    """

    unit: Unit
    fault: Condition
    begin: float
    end: float | None


class Farm:
    """The units of a farm and the faults injected into them.

    Args:
        plan: The plan to build.
        clock: The farm's clock; its books open at the moment of building.
        watch: Passes the units through as they are built, as a progress bar does.

    Attributes:
        deployed_hs: Sum of the nameplates of all units, H/s.
        diary: The units' next events, and the silent addresses.
        twins: The twins in the plan by their model.
    """

    def __init__(
        self, plan: FarmPlan, clock: SimClock, *, watch: Callable[[Iterable[Unit]], Iterable[Unit]] = iter
    ) -> None:
        check_plan(plan)
        self.plan = plan
        self.clock = clock
        self.start = clock.now()
        self.units: tuple[Unit, ...] = tuple(watch(build_units(plan, self.start)))
        self.by_id = {unit.identity.unit_id: unit for unit in self.units}
        self.diary = Diary(self.units, self.unit_found_at)
        self.injections: dict[int, Injection] = {}
        self.deployed_hs = sum(unit.identity.model.hashrate_hs for unit in self.units)
        self._numbers = count(1)
        self._tally: Tally | None = None
        self.twins = {kind.model: kind for kind in plan.mix if isinstance(kind, Twin)}

    def twin_of(self, unit: Unit) -> Twin | None:
        """Return what a unit is the twin of; None for others, and while a fault gave it another build."""
        return None if unit.conditions.build else self.twins.get(unit.identity.model)

    def sums(self, t: float) -> Sums:
        """Return the sums over all units at `t` and since the start; repeated calls are cheap."""
        if self._tally is None:
            self._tally = Tally(self.units, self.start)
        return self._tally.sums(t)

    def operating_hs(self, t: float) -> float:
        """Return the sum of the true hashrates at `t`, H/s."""
        return sum(unit.hashrate_hs(t) for unit in self.units)

    def unit_found_at(self, unit: Unit) -> Unit:
        """Return the unit that answers at the address of `unit`: itself, unless addresses were swapped."""
        return self.by_id.get(unit.conditions.answers_as, unit)

    def inject(
        self,
        fault: Fault,
        selector: Selector = EVERYTHING,
        *,
        at: float | None = None,
        duration_s: float | None = None,
        spread_s: float = 0.0,
        origin: str = "",
    ) -> Injection:
        """Inject a fault into some units.

        Args:
            fault: The fault.
            selector: The units to hit.
            at: Beginning, Unix seconds; None for now. A moment in the past counts as now.
            duration_s: Seconds that it lasts on each unit; None for until cleared.
            spread_s: Seconds within which the units are hit one by one.
            origin: ``scenario NAME``, or empty.

        Raises:
            FarmError: No unit is selected, too many injections are active, or a time or unit is impossible.
        """
        if isinstance(fault, AddressSwapped) and fault.unit_id not in self.by_id:
            raise FarmError(f"no unit {fault.unit_id!r} to put at another address")
        parts = self.parts_of(fault, selector, at=at, duration_s=duration_s, spread_s=spread_s)
        return self.begin(parts, selected=selector.brief, origin=origin)

    def parts_of(
        self,
        fault: Fault,
        selector: Selector = EVERYTHING,
        *,
        at: float | None = None,
        duration_s: float | None = None,
        spread_s: float = 0.0,
    ) -> list[Part]:
        """Return the parts that `inject` would begin, without beginning them; arguments and errors as there."""
        begin = self.clock.now() if at is None else at
        if not math.isfinite(begin) or (duration_s is not None and not 0.0 < duration_s < math.inf):
            raise FarmError(f"a fault starts at a moment and lasts for more than 0 s, not {at!r} and {duration_s!r}")
        if not 0.0 <= spread_s < math.inf:
            raise FarmError(f"faults are spread over 0 s or more, not {spread_s!r}")
        selected = self.select(selector)
        key = chance.word(self.plan.seed, crc32(f"spread {selector}".encode()))
        parts = []
        for unit in selected:
            first = begin + spread_s * chance.uniform(key, unit.identity.index) if spread_s else begin
            parts.append(Part(unit, fault, first, None if duration_s is None else first + duration_s))
        return parts

    def select(self, selector: Selector) -> list[Unit]:
        """Return the units that match, in farm order.

        Raises:
            FarmError: No unit matches.
        """
        selected = select(self.units, selector, self.plan.seed)
        if not selected:
            raise FarmError(f"no unit is selected by {selector.brief}")
        return selected

    def begin(self, parts: Sequence[Part], *, selected: str, origin: str = "") -> Injection:
        """Begin an injection.

        Args:
            parts: Its parts, at least one; a beginning in the past counts as now.
            selected: The selected units, in words.
            origin: ``scenario NAME``, or empty.

        Raises:
            FarmError: Too many injections or parts are active.
        """
        now = self.clock.now()
        self._forget_past(now)
        if len(self.injections) >= _MAX_INJECTIONS:
            raise FarmError(f"{_MAX_INJECTIONS} injections are active; clear some")
        if sum(len(injection.unit_ids) for injection in self.injections.values()) + len(parts) > MAX_PARTS:
            raise FarmError(f"more than {MAX_PARTS} faults of single units would be active; clear some")
        number = next(self._numbers)
        for unit, fault, begin, end in parts:
            unit.schedule(Change(max(begin, now), 2 * number, Verb.INJECT, number, fault))
            if end is not None:
                unit.schedule(Change(max(end, now), 2 * number + 1, Verb.CLEAR, number))
        ends = [part.end for part in parts if part.end is not None]
        injection = Injection(
            number=number,
            fault=parts[0].fault,
            selected=selected,
            unit_ids=tuple(part.unit.identity.unit_id for part in parts),
            begin=max(now, min(part.begin for part in parts)),
            end=max(ends) if len(ends) == len(parts) else None,
            origin=origin,
        )
        self.injections[number] = injection
        return injection

    def active_injections(self) -> list[Injection]:
        """Return the injections that have not ended, including those still to come."""
        self._forget_past(self.clock.now())
        return list(self.injections.values())

    def clear(self, number: int) -> Injection:
        """End an injection now and return it; its parts that are still to come never happen.

        Raises:
            FarmError: There is no such active injection.
        """
        now = self.clock.now()
        self._forget_past(now)
        injection = self.injections.pop(number, None)
        if injection is None:
            raise FarmError(f"no active injection {number}")
        for unit_id in injection.unit_ids:
            self.by_id[unit_id].withdraw(number, now)
        return injection

    def set_work_mode(self, unit: Unit, mode: int, *, after_s: float = 0.0) -> None:
        """Schedule a change of work mode (0 normal, 1 sleep, 2 high, 3 low); the miner process restarts for it."""
        unit.schedule(Change(self.clock.now() + after_s, 2 * next(self._numbers), Verb.MODE, mode))

    def reboot(self, unit: Unit, *, after_s: float = REBOOT_DELAY_S) -> None:
        """Schedule a restart of a unit's control board."""
        unit.schedule(Change(self.clock.now() + after_s, 2 * next(self._numbers), Verb.REBOOT))

    def _forget_past(self, now: float) -> None:
        self.injections = {
            number: injection
            for number, injection in self.injections.items()
            if injection.end is None or injection.end > now
        }

    def write_ledger(self, file: TextIO, *, port: int = API_PORT) -> None:
        """Write the farm's ledger as CSV, with every unit marked as simulated; machines of other makes come last."""
        rows = csv.writer(file, lineterminator="\n")
        listed = [group for group in self.plan.around.strangers if group.listed is not None]
        more = ("make",) if listed else ()
        owned = ("owner",) if self.plan.owners else ()
        rows.writerow((*LEDGER_COLUMNS, *more, *owned))
        for unit in self.units:
            identity = unit.identity
            own_port = identity.port or port
            host = identity.host if own_port == API_PORT else f"{identity.host}:{own_port}"
            rows.writerow(
                (
                    identity.unit_id,
                    identity.model.name,
                    f"{identity.model.hashrate_th:g}",
                    host,
                    identity.container,
                    identity.rack,
                    identity.slot,
                    "2025-01-01",
                    "",
                    "deployed",
                    identity.serial,
                    identity.mac,
                    "yes",
                    *("" for _ in more),
                    *(identity.owner for _ in owned),
                )
            )
        for group in listed:
            for address in addresses_in(group.spans):
                rows.writerow((*_listed_row(group, address, port), *("" for _ in owned)))


def _listed_row(group: Strangers, address: int, port: int) -> tuple[str, ...]:
    """Return the row of a deployed machine of another make; it has no place, and its serial number is not known."""
    name = str(Endpoint(address))
    host = name if port == API_PORT else f"{name}:{port}"
    make, model, hashrate_th = group.listed or Listed("", "", "")
    empty, until = ("", "", ""), ("2025-01-01", "", "deployed")
    return (f"{group.make}-{name}", model, hashrate_th, host, *empty, *until, "", "", "yes", make)
