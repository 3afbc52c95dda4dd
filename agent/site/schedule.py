"""Poll times: spread over the interval, with a back-off for units that do not answer.

Pure: the clock and the random numbers are arguments.

    due = phase(unit_id) + k * interval         the phase is the unit's own, so it does not move when others come and go
    after n failures to connect                 interval * 2^(n-1), at most `backoff_max_s`, times a jitter in [1/2, 1]
    after a poll that was late                  an interval after it (`defer`), until polls are on time again

A unit taken at its regular time is due again an interval later, after every unit taken before it: these wait in a
queue. All others wait in a heap, which with 10,000 units costs several times as much (DECISIONS 52).
"""

import heapq
from collections import deque
from collections.abc import Callable, Iterable
from zlib import crc32


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
        """Postpone a unit's next poll after `failures` failed connections in a row, by at least one interval."""
        wait_s = min(self._backoff_max_s, self.interval_s * 2.0 ** min(failures - 1, 16))
        self.postpone(unit_id, wait_s * (0.5 + 0.5 * self._jitter()), now=now)

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
        """Return a unit that answers again to its regular times; no effect on one that was not postponed."""
        if unit_id in self._backed_off:
            self._backed_off.remove(unit_id)
            self._due[unit_id] = at = self._next_regular(unit_id, now)
            heapq.heappush(self._heap, (at, unit_id))

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
