"""One simulated unit: the agenda of what happens to it, and its true and shown figures at a moment of simulated time.

A unit is evaluated lazily. It keeps only its last event and the formulas that hold since; a question about a later
moment first plays the events due before it. The answers do not depend on how often or in which order they are asked.
"""

from bisect import insort
from collections.abc import Callable, Iterable

from simulators.unit import physics
from simulators.unit.books import Outlook, Totals
from simulators.unit.conditions import Cause, Change, Condition, Verb
from simulators.unit.identity import Identity
from simulators.unit.lifecycle import KEY_SHARES, Lifecycle
from simulators.unit.shares import ShareCounter
from simulators.unit.snapshot import Phase, Process, Shares, Snapshot
from simulators.unit.stretches import WARM_UP_S

# Documented (D56): the API stays up for about 53 s after reboot.cgi.
REBOOT_DELAY_S = 53.0

_INJECTION = frozenset({Verb.INJECT, Verb.CLEAR})

_NO_AGENDA: list[Change] = []  # Shared by all units with an empty agenda; never written to.


def _ignore(_unit: "Unit") -> None:
    """Do nothing."""


class Unit(Lifecycle):
    """One simulated unit. Not thread-safe.

    Args:
        identity: Model, build, place and key of the unit.
        climate: The air around it, shared with its neighbours.
        start: When the farm's books open, Unix seconds.
        uptime_s: How long it has been running at `start`; below the warm-up time it is still starting.
        faults: Faults that have been active all that time.

    Attributes:
        events: Number of events it has been through; while it stays the same, so do the formulas.
        on_schedule: Called with the unit after a change was put on its agenda.
    """

    __slots__ = ("_agenda", "events", "on_schedule")

    def __init__(
        self,
        identity: Identity,
        climate: physics.Climate,
        *,
        start: float,
        uptime_s: float,
        faults: Iterable[Condition] = (),
    ) -> None:
        is_warm = uptime_s >= WARM_UP_S
        process_start = start - uptime_s
        begun = start if is_warm else process_start
        super().__init__(identity, climate, begun=begun, process_start=process_start, is_warm=is_warm, faults=faults)
        self._agenda: list[Change] = _NO_AGENDA
        self.events = 0
        self.on_schedule: Callable[[Unit], None] = _ignore
        hashes_before = self._books.flow.rate_hs * uptime_s
        if is_warm:
            self._books.settle_average(self._books.flow.rate_hs)
        else:
            self.advance(start)
            self._books.cut(start, self._claims())
            hashes_before = self._books.hashes(start)
            self._books.open_again()
        self._shares = ShareCounter(identity.key + KEY_SHARES, identity.model.share_difficulty, hashes_before)

    def advance(self, t: float) -> None:
        """Play every event due up to `t`, Unix seconds."""
        while True:
            agenda = self._agenda
            if agenda and agenda[0].at <= self._until:
                if agenda[0].at > t:
                    return
                change = agenda.pop(0)
                self._books.cut(change.at, self._claims())
                self._apply(change)
            elif self._until <= t:
                self._books.cut(self._until, self._claims())
                self._end_phase(self._until)
            else:
                return
            self.events += 1

    def hashrate_hs(self, t: float) -> float:
        """Return the true hashrate at `t`, H/s, without measurement noise."""
        self.advance(t)
        return self._books.flow.rate_at(t)

    def power_watts(self, t: float) -> float:
        """Return the true power at the wall at `t`."""
        self.advance(t)
        return self._books.flow.watts_at(t)

    def losses_hs(self, t: float) -> dict[Cause, float]:
        """Return the shortfall against the nameplate at `t` by cause, H/s; empty when there is none."""
        self.advance(t)
        return self._books.losses_hs(t, self._claims())

    def totals(self, t: float) -> Totals:
        """Return the integrals from the farm's start to `t`."""
        self.advance(t)
        return self._books.totals(t, self._claims())

    def outlook(self, t: float) -> Outlook:
        """Return the formulas that hold from `t` on, and the totals until then."""
        self.advance(t)
        return Outlook(self._books.flow.moved_to(t), self.losses_hs(t), self._books.totals(t, self._claims()))

    @property
    def faults(self) -> tuple[tuple[int, Condition], ...]:
        """Active faults, each with the number of its injection; -1 for those it was built with."""
        return self._faults

    @property
    def next_event(self) -> float:
        """Time of its next event as things stand, Unix seconds; infinity for never."""
        agenda = self._agenda
        return min(agenda[0].at, self._until) if agenda else self._until

    @property
    def is_silent(self) -> bool:
        """True if it answers nothing at all, for lack of power or network."""
        return self.phase is Phase.OFF or self.conditions.is_cut_off

    def snapshot(self, t: float) -> Snapshot:
        """Return the figures its firmware has at `t`."""
        self.advance(t)
        return self._frozen[0] if self._frozen else self._observe(t)

    def process(self, t: float) -> Process:
        """Return the part of a snapshot about the miner process, at a tenth of the cost."""
        self.advance(t)
        if self._frozen:
            return Process(self._frozen[0].elapsed_s, self._frozen[0].work_mode)
        return Process(max(0, int(t - self._process_start)), self.work_mode)

    def window_hs(self, t: float, window_s: float) -> float:
        """Return the hashes of the running process in the `window_s` before `t`, over the whole window, H/s.

        Args:
            t: Unix seconds.
            window_s: At most `books.PAST_S`. A frozen unit shows its last rate in every window.
        """
        self.advance(t)
        if self._frozen:
            return self._frozen[0].ghs_5s * 1e9
        begin = max(t - window_s, self._process_start)
        return (self._books.hashes(t) - self._books.hashes_at(begin)) / window_s

    def shares(self, t: float) -> Shares:
        """Return the share counters at `t`; costs as much as a snapshot."""
        self.advance(t)
        return self._frozen[1] if self._frozen else self._count_shares(t)

    def accepted_difficulty(self, t: float) -> float:
        """Return the difficulty of all shares that pools accepted from the farm's start to `t`, over restarts."""
        self.advance(t)
        return self._shares.accepted_difficulty(self._books.hashes(t))

    def schedule(self, change: Change) -> None:
        """Put a change on the agenda; one in the past happens at the latest moment already played."""
        if self._agenda is _NO_AGENDA:
            self._agenda = []
        insort(self._agenda, change._replace(at=max(change.at, self._books.time)), key=lambda c: (c.at, c.order))
        self.on_schedule(self)

    def withdraw(self, number: int, at: float) -> None:
        """End injection `number` at `at`; if it lies ahead, it never happens."""
        self.advance(at)
        ahead = [change for change in self._agenda if change.number != number or change.verb not in _INJECTION]
        if len(ahead) < len(self._agenda):
            self._agenda = ahead
        if any(active == number for active, _ in self._faults):
            self.schedule(Change(at, 2 * number + 1, Verb.CLEAR, number))
