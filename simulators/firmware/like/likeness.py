"""Answers of a twin: the recorded replies of its stage, or the nearest simulated firmware's where none is."""

from collections.abc import Mapping
from functools import cache
from typing import Final, NamedTuple

from simulators.captures.form import ANY_COMMAND, Ending
from simulators.firmware.antminer import legacy, new_api
from simulators.firmware.like.template import Template
from simulators.firmware.like.view import S_PER_HW_ERROR, Recorded, View
from simulators.firmware.request import Request, request_name
from simulators.firmware.stand_in import joined, joins_reports, refusal
from simulators.twins.facts import Hardware, ghs
from simulators.twins.stages import Replies, Stage, number, rows_of, rows_with
from simulators.twins.twin import Twin
from simulators.unit.snapshot import Phase
from simulators.unit.unit import Unit

_STAGES: Final[Mapping[Phase, tuple[Stage, ...]]] = {
    Phase.HASHING: (Stage.HASHING, Stage.RAMPING),
    Phase.THROTTLED: (Stage.HASHING, Stage.RAMPING),
    Phase.RAMPING: (Stage.RAMPING, Stage.HASHING),
    Phase.ASLEEP: (Stage.ASLEEP,),
    Phase.ENUMERATING: (Stage.STARTING,),
    Phase.PROTECTED: (Stage.FAULT,),
}
_HASHING: Final = frozenset({Stage.HASHING, Stage.RAMPING})
# Replies whose figures are another's in another stage; the texts of all others hold always.
_FIGURES: Final = frozenset({"stats", "summary", "pools", "devs", "edevs", "coin", "devdetails"})
# No twin shows these as recorded: a graph, complaints of another day, and switches.
_NEVER: Final = frozenset({"rate", "warning", "reload", "sleep", "network"})


class Answer(NamedTuple):
    """A twin's answer.

    Attributes:
        data: The bytes, without a NUL.
        ending: How the recorded one ended; None if it is not known.
    """

    data: bytes
    ending: Ending | None = None


@cache
def likeness_of(twin: Twin) -> "Likeness":
    """Return the templates of a twin, made once."""
    return Likeness(twin)


class Likeness:
    """The templates of a twin. Shared by all units of its kind.

    Args:
        twin: The twin.
    """

    def __init__(self, twin: Twin) -> None:
        self.twin = twin
        hashing = twin.stages.get(Stage.HASHING) or twin.stages.get(Stage.RAMPING)
        self._recorded = _recorded(twin, hashing)
        self._usual = (self._recorded.usual_rpm, *self._recorded.usual_pic)
        self._templates: dict[Stage, dict[str, Template]] = {}
        self._pages: dict[Stage, dict[str, Template]] = {}
        self._endings: dict[str, Ending] = {}
        self._chunks: dict[str, tuple[int, ...]] = {}
        average = twin.hardware.average_ghs if twin.hardware is not None else 0.0
        for stage, replies in twin.stages.items():
            if stage in (Stage.STARTING, Stage.FAULT) and _is_hashing(replies):
                continue  # The simulated unit does not hash in these, so that the recorded rates would be wrong.
            is_hashing = stage in _HASHING
            self._templates[stage] = {
                request: Template(data, self._recorded, average_ghs=average, is_hashing=is_hashing)
                for request, data in replies.api.items()
                if request.partition(" ")[0] not in _NEVER
            }
            self._pages[stage] = {
                path: Template(data, self._recorded, average_ghs=average, is_hashing=is_hashing)
                for path, data in replies.pages.items()
            }
            self._endings.update(replies.endings)
            self._chunks.update(replies.chunks)
        self._anywhere = {
            request: template
            for by_request in reversed(self._templates.values())
            for request, template in by_request.items()
            if request.partition(" ")[0] not in _FIGURES
        }
        recorded = {request for by_request in self._templates.values() for request in by_request}
        self._has_new_api = any(request.endswith(" new_api") for request in recorded)
        self._replies = [data for each in twin.stages.values() for data in each.api.values()]
        self._is_joining = joins_reports(self._replies)
        self._has_nothing = not any(request.partition(" ")[0] in _FIGURES for request in recorded)

    def answer(self, unit: Unit, request: Request, t: float) -> Answer:
        """Return the reply of a unit.

        In a dialect that was not recorded it is that of the other one, as from firmware that does not know it
        (Documented (D13)). A command that was not recorded gets stock firmware's reply from a stock twin, and from
        others what the recorded unit said to an unknown command. A joined request is answered as the recorded unit's
        firmware does.
        """
        unit.advance(t)
        if len(request.commands) > 1 and self._is_joining:
            parts = request.commands
            return Answer(joined(parts, lambda each: self.answer(unit, Request(each, is_new_api=False), t).data))
        name = request_name(request)
        template = self._template(unit, name)
        if template is None and name.endswith(" new_api") and not self._has_new_api:
            name = name.removesuffix(" new_api")
            template = self._template(unit, name)
        if template is not None:
            return Answer(template.show(self._view(unit, t)), self._endings.get(name))
        command = request.command
        if self.twin.is_stock:
            is_new = request.is_new_api and (self._has_new_api or self._has_nothing)
            if is_new and command in new_api.REPLIES and not unit.conditions.is_legacy_only:
                return Answer(new_api.REPLIES[command](unit, self.twin.build, t).encode("ascii", "replace"))
            if command in legacy.REPLIES:
                return Answer(legacy.REPLIES[command](unit, self.twin.build, t).encode("ascii", "replace"))
        refused = self._anywhere.get(ANY_COMMAND)
        if refused is not None:
            return Answer(refused.show(self._view(unit, t)), self._endings.get(ANY_COMMAND))
        return Answer(refusal(self._replies, t))

    def page(self, unit: Unit, path: str, t: float) -> tuple[str, ...] | None:
        """Return the chunks of a page; None if the simulated firmware has to show it, or there is none."""
        unit.advance(t)
        for stage in (*_STAGES.get(unit.phase, ()), *(() if path.rpartition("/")[2] in _SHOWING else Stage)):
            template = self._pages.get(stage, {}).get(path)
            if template is not None:
                return _cut(template.show(self._view(unit, t)).decode("latin-1"), self._chunks.get(path, ()))
        return None

    @property
    def paths(self) -> frozenset[str]:
        """Paths of the pages that were recorded."""
        return frozenset(path for by_path in self._pages.values() for path in by_path)

    def template(self, stage: Stage, request: str) -> Template | None:
        """Return the template of a request in a stage; None if there is none."""
        return self._templates.get(stage, {}).get(request)

    def _template(self, unit: Unit, name: str) -> Template | None:
        if name.endswith(" new_api") and unit.conditions.is_legacy_only:
            return None
        for stage in _STAGES.get(unit.phase, ()):
            found = self._templates.get(stage, {}).get(name)
            if found is not None:
                return found
        if name.partition(" ")[0] not in _FIGURES:
            return self._anywhere.get(name)
        if self.twin.is_stock:
            return None
        return next((self._templates[stage].get(name) for stage in _HASHING if stage in self._templates), None)

    def _view(self, unit: Unit, t: float) -> View:
        return View(unit, t, self._recorded, self._usual)


# Pages that show a reply of the API.
_SHOWING: Final = frozenset({"stats.cgi", "summary.cgi", "pools.cgi", "warning.cgi", "chart.cgi"})


def _cut(body: str, sizes: tuple[int, ...]) -> tuple[str, ...]:
    """Return a body in chunks of the recorded sizes; the last one takes what is left."""
    chunks, at = [], 0
    for size in sizes[:-1]:
        chunks.append(body[at : at + size])
        at += size
    return (*chunks, body[at:])


def _recorded(twin: Twin, hashing: Replies | None) -> Recorded:
    hardware = twin.hardware
    if hardware is None or hashing is None:
        return Recorded(boards=tuple(range(twin.model.boards)))
    return Recorded(
        boards=hardware.boards,
        load=hardware.average_ghs * 1e9 / twin.model.hashrate_hs,
        elapsed_s=hardware.elapsed_s,
        hw_ratio=_hw_ratio(hardware, hashing),
        max_rpm=_max_rpm(hashing),
        clock_mhz=hardware.clock_mhz,
    )


def _hw_ratio(hardware: Hardware, hashing: Replies) -> float:
    """Return the recorded hardware errors over those that a simulated unit would have by then."""
    expected = hardware.elapsed_s * len(hardware.boards) / S_PER_HW_ERROR
    for request in ("stats new_api", "stats"):
        for row in rows_of(hashing, request):
            chain = row.get("chain")
            if isinstance(chain, list):
                errors = [number(board.get("hw")) for board in chain if isinstance(board, dict)]
            else:
                errors = [number(row.get(f"chain_hw{place + 1}")) for place in hardware.boards]
            known = [count for count in errors if count is not None]
            if known and expected > 0.0:
                return sum(known) / expected
    return 1.0


def _max_rpm(hashing: Replies) -> int:
    rows = [*rows_of(hashing, "stats"), *rows_of(hashing, "stats new_api")]
    speeds = [number(row.get(f"fan{fan}")) for row in rows for fan in range(1, 9)]
    speeds += [number(speed) for row in rows if isinstance(row.get("fan"), list) for speed in row["fan"]]
    return int(max((speed for speed in speeds if speed), default=0))


def _is_hashing(replies: Replies) -> bool:
    rows = [*rows_with(replies, ("GHS 5s",)), *rows_with(replies, ("rate_5s",)), *rows_with(replies, ("MHS 5s",))]
    return any(ghs(row.get(key)) for row in rows for key in ("GHS 5s", "rate_5s", "MHS 5s"))
