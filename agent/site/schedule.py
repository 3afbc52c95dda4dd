"""Poll times: spread over the interval, with a back-off for units that do not answer.

Pure: the clock and the random numbers are arguments.

    due = phase(unit_id) + k * interval         the phase is the unit's own, so it does not move when others come and go
    after 1 or 2 failures to connect            the same: its last reading still counts, and one poll may renew it
    after n failures to connect                 interval * 2^(n-1), at most `backoff_max_s`, times a jitter in [1/2, 1]
    when another silent unit answers            a regular time, sooner: what kept both silent may be over
    after a poll that was late                  an interval after it (`defer`), until polls are on time again

A network that fails and returns takes many units with it. The first to answer brings others forward, and each of these
some more. A silent unit still rests for a quarter of the longest back-off, so that units which come and go make dead
ones cost four times as much at most.

A unit taken at its regular time is due again an interval later, after every unit taken before it: these wait in a
queue. All others wait in a heap, which with 10,000 units costs several times as much (DECISIONS 52).
"""

import heapq
from collections import deque
from collections.abc import Callable, Iterable
from zlib import crc32

# By default two polls may fail before a reading goes stale (`poll.stale_after_s`).
_REGULAR_FAILURES = 2
# Each answer brings so many units forward that a few reach a whole site, and so few that it does not hold the loop.
_MOST_ADVANCED = 64
_REST_RATIO = 0.25


class Schedule:
    """The due times of a changing set of units, on a monotonic clock in seconds.

    Args:
        interval_s: Time between two polls of one unit.
        backoff_max_s: An unreachable unit is polled at least this often, or every interval if that is longer.
        jitter: Returns numbers in [0, 1).
    """

    def __init__(self, *, interval_s: float, backoff_max_s: float, jitter: Callable[[], float]) -> None:
        self.interval_s = interval_s
        self._backoff_max_s = max(backoff_max_s, interval_s)
        self._jitter = jitter
        # Both hold entries that are out of date: an entry counts only if it agrees with `_due`.
        self._queue: deque[tuple[float, str]] = deque()
        self._heap: list[tuple[float, str]] = []
        self._due: dict[str, float] = {}
        self._backed_off: set[str] = set()
        # Units whose latest connection failed, and since when those of them wait that may be brought forward.
        self._silent: set[str] = set()
        self._resting: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._due)

    def phase_s(self, unit_id: str) -> float:
        """Return the unit's place in the interval, 0 to `interval_s`, the same in every process."""
        return crc32(unit_id.encode()) / 2**32 * self.interval_s

    def replace(self, unit_ids: Iterable[str], *, now: float) -> None:
        """Replace the set of units; those that stay keep their due times."""
        due = {
            unit_id: self._due[unit_id] if unit_id in self._due else self._next_regular(unit_id, now)
            for unit_id in unit_ids
        }
        self._due = due
        self._backed_off &= due.keys()
        self._silent &= due.keys()
        self._resting = {unit_id: since for unit_id, since in self._resting.items() if unit_id in due}
        self._queue = deque(sorted((at, unit_id) for unit_id, at in due.items()))
        self._heap = []

    def add(self, unit_id: str, *, now: float) -> None:
        """Add one unit; one that is already scheduled keeps its due time."""
        if unit_id not in self._due:
            self._due[unit_id] = at = self._next_regular(unit_id, now)
            heapq.heappush(self._heap, (at, unit_id))

    def drop(self, unit_id: str) -> None:
        """Forget one unit; its entries are skipped when their time comes."""
        self._due.pop(unit_id, None)
        self._backed_off.discard(unit_id)
        self._forget_silence(unit_id)

    def pop_due(self, now: float, limit: int) -> list[tuple[str, float]]:
        """Return at most `limit` due units with their due times, earliest first; each is due again later."""
        taken: list[tuple[str, float]] = []
        while len(taken) < limit:
            due = self.next_due()
            if due is None or due > now:
                break
            if self._is_heap_first():
                at, unit_id = heapq.heappop(self._heap)
            else:
                at, unit_id = self._queue.popleft()
            taken.append((unit_id, at))
            if self._resting:
                self._resting.pop(unit_id, None)
            following = at + self.interval_s
            if following <= now:
                # This process was held up for longer than an interval. Missed polls are not made up for by a burst.
                following = self._next_regular(unit_id, now)
            self._due[unit_id] = following
            if not self._queue or following >= self._queue[-1][0]:
                self._queue.append((following, unit_id))
            else:
                heapq.heappush(self._heap, (following, unit_id))
        return taken

    def defer(self, unit_id: str, *, now: float) -> None:
        """Move a unit's next poll to an interval from now, because its turn came late.

        Units that wait for a place are then polled in the order in which they were polled last, at equal intervals. By
        their regular times, one would be polled after one interval and another after two.
        """
        self._move(unit_id, now + self.interval_s)

    def return_to_phase(self, unit_id: str, *, now: float) -> None:
        """Return a deferred unit to its regular times, from the first that is at least half an interval away."""
        self._move(unit_id, self._next_regular(unit_id, now + self.interval_s / 2))

    def _move(self, unit_id: str, at: float) -> None:
        if unit_id in self._due:
            self._due[unit_id] = at
            heapq.heappush(self._heap, (at, unit_id))

    def back_off(self, unit_id: str, failures: int, *, now: float) -> None:
        """Note the last of `failures` failed connections in a row; from the third on, postpone the next poll."""
        if unit_id not in self._due:
            return
        self._silent.add(unit_id)
        if failures <= _REGULAR_FAILURES:
            return
        wait_s = min(self._backoff_max_s, self.interval_s * 2.0 ** min(failures - 1, 16))
        self.postpone(unit_id, wait_s * (0.5 + 0.5 * self._jitter()), now=now)
        self._resting[unit_id] = now

    def postpone(self, unit_id: str, wait_s: float, *, now: float) -> None:
        """Postpone a unit's next poll, by at least one interval and at most the longest back-off."""
        if unit_id not in self._due:
            return
        self._backed_off.add(unit_id)
        at = now + max(self.interval_s, min(self._backoff_max_s, wait_s))
        if at > self._due[unit_id]:
            self._due[unit_id] = at
            heapq.heappush(self._heap, (at, unit_id))

    def resume(self, unit_id: str, *, now: float) -> None:
        """Return a unit that answers again to its regular times, unless it is at them.

        If it could not be reached before, some other units that wait in their back-off are brought forward.
        """
        if unit_id in self._silent:
            self._forget_silence(unit_id)
            self._advance_some(now)
        if unit_id in self._backed_off:
            self._backed_off.remove(unit_id)
            self._due[unit_id] = at = self._next_regular(unit_id, now)
            heapq.heappush(self._heap, (at, unit_id))

    def _forget_silence(self, unit_id: str) -> None:
        self._silent.discard(unit_id)
        self._resting.pop(unit_id, None)

    def _advance_some(self, now: float) -> None:
        """Bring units forward to a regular time at least half an interval away, those first that failed last."""
        for _ in range(min(_MOST_ADVANCED, len(self._resting))):
            unit_id, since = self._resting.popitem()
            rested_at = since + _REST_RATIO * self._backoff_max_s
            at = self._next_regular(unit_id, max(now + self.interval_s / 2, rested_at))
            if at < self._due[unit_id]:
                self._move(unit_id, at)

    def next_due(self) -> float | None:
        """Return the earliest due time, or None if there is nothing to poll."""
        while self._heap or self._queue:
            is_heap_first = self._is_heap_first()
            at, unit_id = self._heap[0] if is_heap_first else self._queue[0]
            if self._due.get(unit_id) == at:
                return at
            if is_heap_first:
                heapq.heappop(self._heap)
            else:
                self._queue.popleft()
        return None

    def _is_heap_first(self) -> bool:
        return bool(self._heap) and (not self._queue or self._heap[0] < self._queue[0])

    def _next_regular(self, unit_id: str, now: float) -> float:
        """Return the first of the unit's regular times after `now`."""
        following = now - (now - self.phase_s(unit_id)) % self.interval_s + self.interval_s
        # Within a rounding error of a regular time the sum may be `now` itself, which would poll twice.
        return following if following > now else following + self.interval_s
