"""The walk list of a running agent: looked at beside the figures, kept in history, and taken over at a start."""

from collections.abc import Callable, Iterable
from pathlib import Path

import structlog

from agent.config.sections import RepairsSection
from agent.errors import HistoryError
from agent.history.reader import read_history
from agent.runtime.fan_out import FanOut
from agent.runtime.setup import Setup
from agent.site.energy import longest_gap_s
from agent.site.repairs.book import RepairBook
from agent.site.repairs.entries import RepairEntry, Said
from agent.site.repairs.symptoms import Rules, Symptom
from agent.site.status import UnitStatus

log = structlog.get_logger("agent")

# Faults last for minutes: a look at every third round of figures costs polling a third as much.
LOOK_EVERY_S = 30.0
SAVE_EVERY_S = 60.0
DAY_S = 86_400


def rules_of(section: RepairsSection) -> Rules:
    """Return the rules that a configuration asks for."""
    return Rules(
        after_s={symptom: getattr(section, f"{symptom}_after_s") for symptom in Symptom},
        calm_s=section.calm_s,
        hot_celsius=section.hot_celsius,
        hot_board_celsius=section.hot_board_celsius,
        dark_ratio=section.container_dark_percent / 100,
        count_days=section.count_days,
    )


class Repairs:
    """The walk list.

    Args:
        setup: At the start.
        fan_out: Takes entries to history.
        wall: Returns Unix time, s.
    """

    def __init__(
        self,
        setup: Setup,
        fan_out: FanOut,
        *,
        wall: Callable[[], float],
    ) -> None:
        self._fan_out = fan_out
        self._wall = wall
        self._book = RepairBook()
        self._looked_at = self._saved_at = float("-inf")
        self.configure(setup)

    def configure(self, setup: Setup) -> None:
        """Follow a setup from now on."""
        self._setup, config = setup, setup.config
        self._interval_s = config.poll.interval_s
        self._book.rules = rules_of(config.repairs)
        self._book.longest_gap_s = longest_gap_s(max(self._interval_s, LOOK_EVERY_S))

    def restore(self) -> None:
        """Take over the entries that history keeps; without a readable history the list begins empty."""
        setup = self._setup
        if not setup.config.history.keep:
            return
        try:
            kept = _read(setup.config.history.path(setup.path), self._wall() - self._book.rules.count_days * DAY_S)
        except HistoryError as error:
            # A file of an earlier version has no walk list.
            if error.reason not in {"absent", "older"}:
                log.warning("walk list not restored", reason=error.reason, error=str(error))
            return
        open_entries = self._book.restore(kept)
        if open_entries:
            log.info("walk list restored", open=open_entries)

    @property
    def unlisted(self) -> int:
        """Faults that found the list full."""
        return self._book.unlisted

    def entries(self) -> list[RepairEntry]:
        """Return the open entries as they are now."""
        return self._book.entries()

    def annotate(self, number: int, note: Said | None, seen: Said | None) -> RepairEntry | None:
        """Keep what an operator says about an open entry, and return it; None if no such entry is open."""
        entry = self._book.annotate(number, note=note, seen=seen)
        if entry is not None:
            self._fan_out.on_repairs((entry,), is_said=True)
        return entry

    def pause(self) -> None:
        """Count no time until the agent looks again."""
        self._book.pause()

    def begin_round(self, *, at: float, clock_s: float) -> bool:
        """Begin a look if one is due; `see` and `close_round` belong to a look that has begun."""
        # Half an interval early: rounds are never exactly on time.
        if clock_s - self._looked_at < LOOK_EVERY_S - self._interval_s / 2:
            return False
        self._looked_at = clock_s
        self._book.begin_round(at=at, clock_s=clock_s)
        return True

    def see(self, statuses: Iterable[UnitStatus]) -> None:
        """Take some of the units' statuses."""
        self._book.see(statuses)

    def close_round(self) -> None:
        """End the look, and keep what changed; once a minute everything that is open."""
        changed = self._book.close_round()
        if changed:
            closed = sum(entry.until is not None for entry in changed)
            log.info("walk list changed", opened=len(changed) - closed, closed=closed, open=self._book.open_count)
            self._fan_out.on_repairs(changed)
        if self._looked_at >= self._saved_at + SAVE_EVERY_S - self._interval_s / 2:
            self._saved_at = self._looked_at
            self.save()

    def save(self) -> None:
        """Keep every open entry as it is now."""
        entries = self._book.entries()
        if entries:
            self._fan_out.on_repairs(entries)


def _read(path: Path, closed_from: float) -> list[RepairEntry]:
    reader = read_history(path)
    try:
        return reader.repairs(closed_from=closed_from)
    finally:
        reader.close()
