"""How often a symptom was there before: the times of closed entries, by unit and symptom, within a bound. Pure."""

from collections import Counter, deque

from agent.site.repairs.symptoms import Symptom

MAX_PAST = 50_000
"""Most closed entries that are remembered; the oldest are forgotten first."""


class Past:
    """Closed entries by unit and symptom."""

    def __init__(self) -> None:
        self._ended: deque[tuple[float, str, Symptom]] = deque()
        self._counts: Counter[tuple[str, Symptom]] = Counter()

    def add(self, name: str, symptom: Symptom, until: float) -> None:
        """Remember an entry of a unit or container that ended at Unix time `until`, s; about in the order of time."""
        self._ended.append((until, name, symptom))
        self._counts[name, symptom] += 1
        if len(self._ended) > MAX_PAST:
            self._drop()

    def count(self, name: str, symptom: Symptom) -> int:
        """Return how many entries there were."""
        return self._counts.get((name, symptom), 0)

    def forget(self, *, before: float) -> None:
        """Forget what ended before a Unix time, s."""
        while self._ended and self._ended[0][0] < before:
            self._drop()

    def _drop(self) -> None:
        _, name, symptom = self._ended.popleft()
        self._counts[name, symptom] -= 1
        if not self._counts[name, symptom]:
            del self._counts[name, symptom]
