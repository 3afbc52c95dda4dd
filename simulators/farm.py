"""A farm: the units of a plan, the faults injected into them, and the ledger an agent is given."""

import csv
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import count
from typing import TextIO

from simulators.clock import SimClock
from simulators.conditions import Change, Verb
from simulators.faults import Fault
from simulators.plan import FarmError, FarmPlan, build_units, check_plan
from simulators.selection import EVERYTHING, Selector, select
from simulators.unit import REBOOT_DELAY_S, Unit
from simulators.unit_faults import AddressSwapped

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Injection:
    """A fault that was injected.

    Attributes:
        number: Its name for clearing.
        fault: What happens.
        unit_ids: To whom.
        begin: From when, Unix seconds.
        end: Until when; None until it is cleared.
    """

    number: int
    fault: Fault
    unit_ids: tuple[str, ...]
    begin: float
    end: float | None


class Farm:
    """The units of a farm, found by address or name.

    Args:
        plan: How to build it.
        clock: Its time; the moment of building is when its books open.
        watch: Is handed the units as they are built and hands them on, as a progress bar does.
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
        self.injections: dict[int, Injection] = {}
        self._numbers = count(1)

    @property
    def deployed_hs(self) -> float:
        """Sum of the nameplates of all units, H/s."""
        return sum(unit.identity.model.hashrate_hs for unit in self.units)

    def operating_hs(self, t: float) -> float:
        """Give the sum of the true hashrates at `t`, H/s."""
        return sum(unit.hashrate_hs(t) for unit in self.units)

    def unit_found_at(self, unit: Unit) -> Unit:
        """Give the unit that is found at the address of `unit`: itself, unless addresses were swapped."""
        return self.by_id.get(unit.conditions.answers_as, unit)

    def inject(
        self, fault: Fault, selector: Selector = EVERYTHING, *, at: float | None = None, duration_s: float | None = None
    ) -> Injection:
        """Have a fault happen to some units.

        Args:
            fault: What happens.
            selector: To which units.
            at: When, Unix seconds; now when None. A moment in the past counts as now.
            duration_s: For how long; until cleared when None.

        Raises:
            FarmError: No unit is selected, too many injections are active, or a time or unit that cannot be.
        """
        now = self.clock.now()
        begin = now if at is None else max(at, now)
        if not math.isfinite(begin) or (duration_s is not None and not 0.0 < duration_s < math.inf):
            raise FarmError(f"a fault starts at a moment and lasts for more than 0 s, not {at!r} and {duration_s!r}")
        if isinstance(fault, AddressSwapped) and fault.unit_id not in self.by_id:
            raise FarmError(f"no unit {fault.unit_id!r} to put at another address")
        selected = select(self.units, selector, self.plan.seed)
        if not selected:
            raise FarmError(f"no unit is selected by {selector}")
        self._forget_past(now)
        if len(self.injections) >= _MAX_INJECTIONS:
            raise FarmError(f"{_MAX_INJECTIONS} injections are active; clear some")
        number = next(self._numbers)
        end = None if duration_s is None else begin + duration_s
        for unit in selected:
            unit.schedule(Change(begin, 2 * number, Verb.INJECT, number, fault))
            if end is not None:
                unit.schedule(Change(end, 2 * number + 1, Verb.CLEAR, number))
        injection = Injection(
            number=number,
            fault=fault,
            unit_ids=tuple(unit.identity.unit_id for unit in selected),
            begin=begin,
            end=end,
        )
        self.injections[number] = injection
        return injection

    def clear(self, number: int) -> None:
        """End an injection now.

        Raises:
            FarmError: It is not active.
        """
        now = self.clock.now()
        self._forget_past(now)
        injection = self.injections.pop(number, None)
        if injection is None:
            raise FarmError(f"no active injection {number}")
        for unit_id in injection.unit_ids:
            self.by_id[unit_id].schedule(Change(max(now, injection.begin), 2 * number + 1, Verb.CLEAR, number))

    def set_work_mode(self, unit: Unit, mode: int, *, after_s: float = 0.0) -> None:
        """Have a unit change its work mode (0 normal, 1 sleep, 2 high, 3 low) by restarting its miner process."""
        unit.schedule(Change(self.clock.now() + after_s, 2 * next(self._numbers), Verb.MODE, mode))

    def reboot(self, unit: Unit, *, after_s: float = REBOOT_DELAY_S) -> None:
        """Have a unit restart its control board."""
        unit.schedule(Change(self.clock.now() + after_s, 2 * next(self._numbers), Verb.REBOOT))

    def _forget_past(self, now: float) -> None:
        self.injections = {
            number: injection
            for number, injection in self.injections.items()
            if injection.end is None or injection.end > now
        }

    def write_ledger(self, file: TextIO, *, port: int = API_PORT) -> None:
        """Write the ledger of this farm as CSV, every unit marked as simulated."""
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(LEDGER_COLUMNS)
        for unit in self.units:
            identity = unit.identity
            host = identity.host if port == API_PORT else f"{identity.host}:{port}"
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
                )
            )
