"""View of a recording for the checks: replies decoded once, by report and dialect. Never raises."""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import inf
from typing import Any, Final, NamedTuple

import msgspec

from agent.errors import PollError
from agent.hil.assumptions.recorded import Exchange, Recorded
from agent.unit.cgminer import wire
from agent.unit.model_names import base_key

_ASLEEP_WORDS: Final = frozenset(("asleep", "sleep", "sleeping"))
STARTING_WORDS: Final = frozenset(("boot", "booting", "starting", "ramp", "ramping"))
# Documented (D17): these pages print the new reply of that name.
_PAGES_OF_REPORTS: Final[Mapping[str, str]] = {
    "page stats": "stats",
    "page summary": "summary",
    "page pools": "pools",
    "page warning": "warning",
    "page chart": "rate",
}
_MOST_BOARDS: Final = 16
_NEAR_S: Final = 60.0
_SLOTS: Final = ("1", "2", "3", "4")


def number(value: Any) -> float | None:
    """Return a finite number; None for anything else, numbers in texts included."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e18:
        return None
    return float(value)


class Row(NamedTuple):
    """One element of a report.

    Attributes:
        exchange: Where it came from.
        where: Its path, such as ``stats new_api STATS[0]``.
        values: Its fields.
    """

    exchange: Exchange
    where: str
    values: Mapping[str, Any]

    def number(self, key: str) -> float | None:
        """Return a number; None if the field is none."""
        return number(self.values.get(key))

    def numbers(self, key: str) -> tuple[float, ...]:
        """Return the numbers of a list; empty if the field is none."""
        listed = self.values.get(key)
        if not isinstance(listed, list):
            return ()
        return tuple(found for item in listed[:64] if (found := number(item)) is not None)

    def text(self, key: str) -> str | None:
        """Return a text, clipped; None if the field is none."""
        value = self.values.get(key)
        return value[:80] if isinstance(value, str) else None

    def below(self, key: str) -> Iterator["Row"]:
        """Yield the objects of a list."""
        listed = self.values.get(key)
        for index, item in enumerate(listed[:_MOST_BOARDS] if isinstance(listed, list) else ()):
            if isinstance(item, dict):
                yield Row(self.exchange, f"{self.where}.{key}[{index}]", item)


class Board(NamedTuple):
    """One board of a sample; None where it says nothing."""

    chips: float | None
    rate_ghs: float | None
    clock_mhz: float | None


class Sample(NamedTuple):
    """One `stats`, in whichever dialect the recording has more of.

    Attributes:
        row: The element of STATS with the figures; of a header alone, the header.
        is_asleep: It says so, or the recorder did.
        elapsed_s, rate_ghs: As told; None if they are not.
        boards: Those that are listed.
        fans_rpm: Those that are listed.
    """

    row: Row
    is_asleep: bool
    elapsed_s: float | None
    rate_ghs: float | None
    boards: tuple[Board, ...]
    fans_rpm: tuple[float, ...]

    @property
    def at_s(self) -> float:
        """Time of the request, s."""
        return self.row.exchange.at_s


class Answer(NamedTuple):
    """A reply that could be decoded; `report` is named by the dialect in which it came."""

    exchange: Exchange
    report: str
    body: Mapping[str, Any]

    @property
    def is_new_api(self) -> bool:
        """True for the new dialect."""
        return isinstance(self.body.get("STATUS"), dict)


@dataclass
class View:
    """A recording, decoded.

    Attributes:
        recorded: The recording.
        answers: Every reply that is JSON and no refusal, by report without its dialect, in time order.
        refusals: Those that are refusals.
    """

    recorded: Recorded
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    refusals: list[Answer] = field(default_factory=list)

    def __post_init__(self) -> None:
        for exchange in self.recorded.exchanges:
            if exchange.reply:
                self._add(exchange)

    def _add(self, exchange: Exchange) -> None:
        report = _PAGES_OF_REPORTS.get(exchange.request, exchange.request).removesuffix(" new_api")
        if report.startswith("page "):
            body = _object(exchange.reply)
            if body is not None:
                self.answers.setdefault(report, []).append(Answer(exchange, report, body))
            return
        try:
            reply = wire.decode_reply(exchange.reply, report)
        except PollError:
            return
        is_new = isinstance(reply.body.get("STATUS"), dict)
        answer = Answer(exchange, f"{report} new_api" if is_new else report, reply.body)
        if reply.status in {"E", "F"}:
            self.refusals.append(answer)
        else:
            self.answers.setdefault(report, []).append(answer)

    def rows(self, report: str, *, is_new_api: bool) -> Iterator[Row]:
        """Yield the first element of each reply of a report in one dialect; of legacy `stats`, all elements."""
        name = report.upper()
        for answer in self.answers.get(report, ()):
            listed = answer.body.get(name)
            if answer.is_new_api != is_new_api or not isinstance(listed, list):
                continue
            most = _MOST_BOARDS if report in {"pools", "warning"} or not is_new_api else 1
            for index, item in enumerate(listed[:most]):
                if isinstance(item, dict):
                    yield Row(answer.exchange, f"{answer.report} {name}[{index}]", item)

    def page(self, name: str) -> Row | None:
        """Return the latest page of a script as a row; None without one."""
        pages = self.answers.get(f"page {name}")
        return Row(pages[-1].exchange, f"page {name}", pages[-1].body) if pages else None

    @cached_property
    def identity(self) -> Mapping[str, str]:
        """The unit's own identity: `type`, `compile_time`, `miner`, `api`, `release`, as far as it says so."""
        found: dict[str, str] = {}
        for row in self.rows("version", is_new_api=False):
            _take(found, row, type="Type", compile_time="CompileTime", miner="Miner", api="API")
        for row in self.rows("stats", is_new_api=False):
            _take(found, row, type="Type", compile_time="CompileTime", miner="Miner")
        for answers in self.answers.values():
            for answer in answers:
                info = answer.body.get("INFO")
                if isinstance(info, dict):
                    row = Row(answer.exchange, "INFO", info)
                    _take(found, row, type="type", compile_time="CompileTime", miner="miner_version")
        page = self.page("get_system_info")
        if page is not None:
            _take(found, page, type="minertype", release="system_filesystem_version")
        return found

    @cached_property
    def model(self) -> str:
        """The key of its model; empty if it says none."""
        return base_key(self.identity.get("type", ""))

    @cached_property
    def line(self) -> str | None:
        """Its firmware line. Observed (O12): A. Documented (D19, D20): B and C."""
        api = self.identity.get("api")
        if api == "1.0.0":
            return "C"
        if self.identity.get("release", "").startswith("FR-"):
            return "B"
        return "A" if api == "3.1" else None

    @cached_property
    def sleeping_at(self) -> tuple[float, ...]:
        """The times at which it was asleep by its own mode or the recorder's word, s."""
        times = [row.exchange.at_s for row in self.rows("stats", is_new_api=True) if row.number("miner-mode") == 1]
        times += [each.at_s for each in self.recorded.exchanges if each.state in _ASLEEP_WORDS]
        return tuple(sorted(times))

    @cached_property
    def _awake_at(self) -> tuple[float, ...]:
        """The times at which it was awake by its own mode, s."""
        rows = self.rows("stats", is_new_api=True)
        return tuple(sorted(row.exchange.at_s for row in rows if row.number("miner-mode") not in {1, None}))

    def is_asleep(self, exchange: Exchange) -> bool:
        """Return True if the unit slept at an exchange: by the recorder's word, or by its mode just then."""
        if exchange.state is not None:
            return exchange.state in _ASLEEP_WORDS
        asleep_s = _distance(self.sleeping_at, exchange.at_s)
        return asleep_s <= _NEAR_S and asleep_s <= _distance(self._awake_at, exchange.at_s)

    @cached_property
    def samples(self) -> tuple[Sample, ...]:
        """Every `stats` of the dialect of which there are more, in time order."""
        new = [self._new_sample(row) for row in self.rows("stats", is_new_api=True)]
        old = [self._old_sample(rows) for rows in self.legacy_stats()]
        return tuple(sorted(new if len(new) >= len(old) else old, key=lambda sample: sample.at_s))

    def legacy_stats(self) -> Iterator[tuple[Row, ...]]:
        """Yield the elements of each legacy `stats`."""
        by_exchange: dict[int, list[Row]] = {}
        for row in self.rows("stats", is_new_api=False):
            by_exchange.setdefault(id(row.exchange), []).append(row)
        yield from map(tuple, by_exchange.values())

    def _new_sample(self, row: Row) -> Sample:
        boards = tuple(
            Board(each.number("asic_num"), each.number("rate_real"), each.number("freq_avg"))
            for each in row.below("chain")
        )
        is_asleep = row.number("miner-mode") == 1 or row.exchange.state in _ASLEEP_WORDS
        return Sample(row, is_asleep, row.number("elapsed"), row.number("rate_5s"), boards, row.numbers("fan"))

    def _old_sample(self, rows: tuple[Row, ...]) -> Sample:
        row = next((each for each in rows if "Elapsed" in each.values or "GHS 5s" in each.values), rows[0])
        boards = tuple(
            Board(chips, _number_in(row.values.get(f"chain_rate{slot}")), row.number(f"freq{slot}"))
            for slot in _SLOTS
            if (chips := row.number(f"chain_acn{slot}"))
        )
        fans = tuple(rpm for slot in _SLOTS if (rpm := row.number(f"fan{slot}")) is not None)
        is_asleep = row.number("Mode") == 1 or self.is_asleep(row.exchange)
        return Sample(row, is_asleep, row.number("Elapsed"), row.number("GHS 5s"), boards, fans)


def _distance(times: Sequence[float], at_s: float) -> float:
    """Return the time to the nearest of some sorted times, s; infinity without any."""
    place = bisect_left(times, at_s)
    return min((abs(each - at_s) for each in times[max(0, place - 1) : place + 1]), default=inf)


def _take(found: dict[str, str], row: Row, **keys: str) -> None:
    for name, key in keys.items():
        text = row.text(key)
        if text:
            found.setdefault(name, text)


def _number_in(value: Any) -> float | None:
    if isinstance(value, str):
        try:
            return number(float(value[:24]))
        except ValueError:
            return None
    return number(value)


def _object(data: bytes) -> dict[str, Any] | None:
    try:
        body: dict[str, Any] = msgspec.json.decode(data, type=dict[str, Any])
    except (ValueError, RecursionError):
        return None
    return body
