"""The walk list of one site: statuses go in once a round, entries come out. Pure: times are arguments.

Memory is bounded: suspicions by units times symptoms, entries by `MAX_OPEN`, what is remembered of closed ones by
`MAX_PAST`.
"""

from collections.abc import Iterable, Mapping

import msgspec

from agent.site.ledger.entries import Place
from agent.site.repairs.course import Course, Seen, resumed
from agent.site.repairs.darkness import ContainerTally
from agent.site.repairs.entries import RepairEntry, Said
from agent.site.repairs.look import WELL, Look, cost_hs, look_at
from agent.site.repairs.past import Past
from agent.site.repairs.symptoms import DEFAULT_RULES, NAMED, Closing, Rules, Symptom
from agent.site.status import UnitStatus

MAX_OPEN = 2000
"""Most open entries; further faults wait, and are counted."""

_Courses = dict[Symptom, Course]


class RepairBook:
    """The walk list.

    Args:
        rules: When a symptom becomes an entry, and when an entry is over.
        longest_gap_s: The longest time between two rounds that still counts as looked at, s.

    Attributes:
        rules, longest_gap_s: As given; may be replaced, and count from the next round on.
        unlisted: Faults that have lasted long enough and found the list full, as of the latest round.
    """

    def __init__(self, rules: Rules = DEFAULT_RULES, *, longest_gap_s: float = 30.0) -> None:
        self.rules = rules
        self.longest_gap_s = longest_gap_s
        self.unlisted = 0
        self._units: dict[str, _Courses] = {}
        self._containers: dict[str, Course] = {}
        self._open: dict[int, Course] = {}
        self._dark: frozenset[str] = frozenset()
        self._past = Past()
        self._last_number = 0
        self._clock_s: float | None = None
        # Of the round under way.
        self._at = self._span_s = 0.0
        self._tallies: dict[str, ContainerTally] = {}
        self._met: set[str] = set()
        self._changed: list[RepairEntry] = []
        self._waiting = 0

    def restore(self, entries: Iterable[RepairEntry]) -> int:
        """Take over the entries that an earlier process kept, open and closed; returns the number of open ones."""
        found: list[RepairEntry] = []
        for entry in entries:
            self._last_number = max(self._last_number, entry.id)
            if entry.until is None:
                found.append(entry)
            else:
                self._past.add(entry.unit_id or entry.place.container, entry.symptom, entry.until)
        for entry in sorted(found, key=lambda each: each.id):
            self._resume(entry)
        return len(self._open)

    def _resume(self, entry: RepairEntry) -> None:
        """Take over an open entry. One that a start without readable history opened again is explained by the first."""
        name = entry.place.container
        is_container = entry.symptom is Symptom.CONTAINER_DARK
        first = self._containers.get(name) if is_container else self._units.get(entry.unit_id, {}).get(entry.symptom)
        if first is not None:
            first.note, first.seen = first.note or entry.note, first.seen or entry.seen
            until = max(entry.opened_at, entry.since)
            self._changed.append(msgspec.structs.replace(entry, until=until, closing=Closing.EXPLAINED))
            return
        course = self._open[entry.id] = resumed(entry)
        if is_container:
            self._containers[name] = course
        else:
            self._units.setdefault(entry.unit_id, {})[entry.symptom] = course

    @property
    def open_count(self) -> int:
        """The number of open entries."""
        return len(self._open)

    def entries(self) -> list[RepairEntry]:
        """Return the open entries as they are now, oldest first."""
        return [course.entry() for course in self._open.values()]

    def annotate(self, number: int, *, note: Said | None = None, seen: Said | None = None) -> RepairEntry | None:
        """Keep what an operator says about an open entry.

        Args:
            number: The entry's id.
            note: A note in place of the one before; None leaves that.
            seen: The operator has seen it; None leaves that as it is.

        Returns:
            The entry with it; None if no such entry is open.
        """
        course = self._open.get(number)
        if course is None:
            return None
        course.note, course.seen = note or course.note, seen or course.seen
        return course.entry()

    def pause(self) -> None:
        """Count no time until the round after the next: the agent does not look."""
        self._clock_s = None

    def begin_round(self, *, at: float, clock_s: float) -> None:
        """Begin a round at Unix time `at`, and `clock_s` on the monotonic clock, s."""
        passed_s = 0.0 if self._clock_s is None else clock_s - self._clock_s
        self._at, self._clock_s = at, clock_s
        self._span_s = passed_s if 0 < passed_s <= self.longest_gap_s else 0.0
        self._tallies, self._met, self._waiting = {}, set(), 0

    def see(self, statuses: Iterable[UnitStatus]) -> None:
        """Take the statuses of some units; each comes once a round."""
        rules, units, tallies = self.rules, self._units, self._tallies
        for status in statuses:
            entry = status.entry
            container = entry.place.container
            tally = tallies.get(container)
            if tally is None:
                tally = tallies[container] = ContainerTally()
            tally.add(status)
            look = look_at(status, rules)
            if look is not WELL or entry.unit_id in units:
                self._take(status, look)

    def _take(self, status: UnitStatus, look: Look) -> None:
        """Take a look at a unit that shows something, or about which something is suspected or listed."""
        unit_id, is_dark = status.entry.unit_id, status.entry.place.container in self._dark
        courses = self._units.get(unit_id)
        if courses is not None:
            self._continue(status, look, courses, is_dark=is_dark)
        elif look.present and not is_dark:
            self._begin(status, look)
        if unit_id in self._units:
            self._met.add(unit_id)

    def close_round(self) -> list[RepairEntry]:
        """End the round; returns the entries that opened or closed in it."""
        self._see_containers()
        if len(self._met) < len(self._units):
            for unit_id in [unit_id for unit_id in self._units if unit_id not in self._met]:
                self._end_all(self._units.pop(unit_id), Closing.LEFT_LEDGER)
        self._past.forget(before=self._at - self.rules.count_days * 86_400)
        self.unlisted = self._waiting
        changed, self._changed = self._changed, []
        return changed

    def _begin(self, status: UnitStatus, look: Look) -> None:
        courses: _Courses = {}
        self._suspect(status, look, courses)
        self._units[status.entry.unit_id] = courses

    def _suspect(self, status: UnitStatus, look: Look, courses: _Courses) -> None:
        """Add the symptoms that are new."""
        entry = status.entry
        for symptom, words in look.present.items():
            if symptom not in courses:
                since = min(self._at, _since(status, symptom))
                course = courses[symptom] = Course(symptom, entry.unit_id, entry.place, since=since, words=words)
                course.look(Seen.PRESENT, at=self._at, loss_hs=cost_hs(status, symptom), words=words)

    def _continue(self, status: UnitStatus, look: Look, courses: _Courses, *, is_dark: bool) -> None:
        """Take a look at a unit about which something is suspected or listed."""
        if look.is_maintained:
            self._end_all(courses, Closing.MAINTENANCE)
            del self._units[status.entry.unit_id]
            return
        is_blind = status.is_overdue or not status.is_looked_at
        for symptom, course in tuple(courses.items()):
            loss_hs = 0.0 if is_blind else cost_hs(status, symptom)
            course.pass_time(self._span_s)
            course.place = status.entry.place
            if is_dark:
                course.look(Seen.UNKNOWN, at=self._at, loss_hs=loss_hs)
                if not course.is_open:
                    del courses[symptom]
            elif symptom in look.present:
                course.look(Seen.PRESENT, at=self._at, loss_hs=loss_hs, words=look.present[symptom])
            elif symptom in look.absent:
                course.look(Seen.ABSENT, at=self._at, loss_hs=loss_hs)
                if course.calm_s >= self.rules.calm_s:
                    self._end(course, Closing.RECOVERED)
                    del courses[symptom]
            else:
                course.look(Seen.UNKNOWN, at=self._at, loss_hs=loss_hs)
        if not is_dark:
            self._suspect(status, look, courses)
            self._open_due(courses)
        if not courses:
            del self._units[status.entry.unit_id]

    def _open_due(self, courses: _Courses) -> None:
        """Make entries of what has lasted long enough, and no second one where one says it all."""
        for symptom, course in courses.items():
            if course.is_open or course.calm_from or course.lasted_s < self.rules.after_s[symptom]:
                continue
            has_other = any(other.is_open for other in courses.values())
            if symptom is Symptom.NO_ANSWER and has_other:
                continue
            if symptom is Symptom.NOT_HASHING and any(courses[each].is_open for each in NAMED & courses.keys()):
                continue
            self._open_one(course)
        vague = courses.get(Symptom.NOT_HASHING)
        if vague is not None and vague.is_open and any(courses[each].is_open for each in NAMED & courses.keys()):
            self._end(vague, Closing.EXPLAINED)
            del courses[Symptom.NOT_HASHING]

    def _open_one(self, course: Course) -> None:
        if len(self._open) >= MAX_OPEN:
            self._waiting += 1
            return
        # Milliseconds, so that two processes hardly ever give the same number; always more than the one before.
        self._last_number = max(self._last_number + 1, int(self._at * 1000))
        before = self._past.count(course.unit_id or course.place.container, course.symptom)
        course.open(self._last_number, at=self._at, before=before)
        self._open[course.id] = course
        self._changed.append(course.entry())

    def _end_all(self, courses: Mapping[Symptom, Course], closing: Closing) -> None:
        for course in courses.values():
            course.pass_time(self._span_s)
            self._end(course, closing)

    def _end(self, course: Course, closing: Closing) -> None:
        """Close an entry; a suspicion ends without a trace."""
        if not course.is_open:
            return
        entry = course.entry(closing, at=self._at)
        del self._open[course.id]
        self._past.add(course.unit_id or course.place.container, course.symptom, entry.until or self._at)
        self._changed.append(entry)

    def _see_containers(self) -> None:
        # What has no container in the ledger does not stand together.
        self._tallies.pop("", None)
        dark = frozenset(name for name, tally in self._tallies.items() if tally.is_dark(self.rules.dark_ratio))
        new = dark - self._containers.keys()
        for name, course in tuple(self._containers.items()):
            self._see_container(name, course, self._tallies.get(name, ContainerTally()), is_dark=name in dark)
        for name in new:
            tally = self._tallies[name]
            since = min(self._at, tally.since)
            course = Course(Symptom.CONTAINER_DARK, "", Place(container=name), since=since, words=tally.words)
            course.look(Seen.PRESENT, at=self._at, loss_hs=tally.loss_hs, words=tally.words)
            self._containers[name] = course
        self._dark = dark

    def _see_container(self, name: str, course: Course, tally: ContainerTally, *, is_dark: bool) -> None:
        course.pass_time(self._span_s)
        ending = tally.ending
        if ending is not None:
            self._end(course, ending)
            del self._containers[name]
        elif is_dark:
            course.look(Seen.PRESENT, at=self._at, loss_hs=tally.loss_hs, words=tally.words)
            if not course.is_open and course.lasted_s >= self.rules.after_s[Symptom.CONTAINER_DARK]:
                self._open_one(course)
        elif tally.is_known and not tally.is_idle(self.rules.dark_ratio):
            course.look(Seen.ABSENT, at=self._at, loss_hs=tally.loss_hs)
            if course.calm_s >= self.rules.calm_s:
                self._end(course, Closing.RECOVERED)
                del self._containers[name]
        else:
            course.look(Seen.UNKNOWN, at=self._at, loss_hs=tally.loss_hs)


def _since(status: UnitStatus, symptom: Symptom) -> float:
    """Return when a symptom began: with the unit's state, or with the reading that shows it first."""
    if symptom is Symptom.DIVERTED and status.work is not None:
        return status.work.since
    if symptom in NAMED and status.reading is not None and status.is_fresh:
        return status.reading.at
    return status.since
