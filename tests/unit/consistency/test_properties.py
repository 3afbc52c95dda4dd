"""Contradictory replies made at random: what is credited has support, and every repair has a name.

Each figure of a sound reply is changed against the others, in both dialects, and read by whole conversations.
"""

import json
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple
from unittest import mock

import hypothesis.strategies as st
from hypothesis import example, given

from agent.errors import CONTRADICTIONS, ContradictoryReplyError, PollError
from agent.unit.antminer import conversation
from agent.unit.antminer.conversation import STATS, STATS_NEW_API, Memory, converse
from agent.unit.nameplate import Nameplate
from agent.unit.reading import Mode, UnitReading
from agent.unit.repairs import REPAIRS

TH = 1e12
RATED_TH = 200.0
PLATE = Nameplate(
    model="S21",
    hashrate_hs=RATED_TH * TH,
    power_watts=3500,
    boards=3,
    chips_per_board=108,
    fans=4,
    cooling="air",
    source="test",
)
INVALID = b'{"STATUS":[{"STATUS":"E","Code":14,"Msg":"Invalid command","Description":"cgminer 1.0.0"}],"id":1}\0'


class Told(NamedTuple):
    """What a unit tells, rates in TH/s; None is left out."""

    total: float | None
    boards: tuple[float | None, ...]
    thirty: float | None
    average: float | None
    ideal: float | None
    uptime_s: float | None
    watts: float | None
    mode: int | None
    chips: int | None

    def new_api(self) -> bytes:
        """Return it as a reply of the new dialect."""
        rates = {"rate_5s": self.total, "rate_30m": self.thirty, "rate_avg": self.average, "rate_ideal": self.ideal}
        chain = [
            given_only({"index": slot, "rate_real": ghs(rate), "asic_num": self.chips})
            for slot, rate in enumerate(self.boards)
        ]
        stats = {name: ghs(rate) for name, rate in rates.items()} | {
            "elapsed": self.uptime_s,
            "rate_unit": "GH/s",
            "chain": chain,
            "watt": self.watts,
            "miner-mode": self.mode,
        }
        status = {"STATUS": "S", "when": 1, "Msg": "stats", "api_version": "1.0.0"}
        return json.dumps({"STATUS": status, "INFO": {"type": "Antminer S21"}, "STATS": [given_only(stats)]}).encode()

    def legacy(self) -> bytes:
        """Return it as a reply of the legacy dialect."""
        stats = {
            "Elapsed": self.uptime_s,
            "GHS 5s": ghs(self.total),
            "GHS av": ghs(self.average),
            "rate_30m": ghs(self.thirty),
            "total_rateideal": ghs(self.ideal),
            "Mode": None if self.mode is None else 2 - self.mode,
            "miner_count": len(self.boards),
            "watt": self.watts,
        }
        for number, rate in enumerate(self.boards, start=1):
            stats |= {f"chain_rate{number}": None if rate is None else str(ghs(rate)), f"chain_acn{number}": self.chips}
        status = {"STATUS": "S", "When": 1, "Code": 70, "Msg": "CGMiner stats", "Description": "cgminer 1.0.0"}
        return json.dumps({"STATUS": [status], "STATS": [{"Type": "Antminer S21"}, given_only(stats)]}).encode()


def ghs(rate_th: float | None) -> float | None:
    """Return TH/s as GH/s."""
    return None if rate_th is None else rate_th * 1000


def given_only(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields that are told."""
    return {name: value for name, value in fields.items() if value is not None}


FACTORS = st.sampled_from([1, 1, 1, 1, 0, 0.001, 0.3, 0.7, 0.95, 1.05, 1.2, 1.4, 1.7, 2.5, 9.5, 1e3, 1e-6, 1e6, -1])


@st.composite
def told(draw: st.DrawFn) -> Told:
    """Draw a reply whose figures agree, then change each against the others, or leave it out."""
    truth = RATED_TH * draw(st.sampled_from([0, 0.005, 0.5, 0.9, 1.0, 1.1, 1.4]))

    def changed(value: float) -> float | None:
        return value * draw(FACTORS) if draw(st.integers(0, 5)) else None

    count = draw(st.sampled_from([3, 3, 3, 0, 1, 2, 4]))
    return Told(
        total=changed(truth),
        boards=tuple(changed(truth / 3) for _ in range(count)),
        thirty=changed(truth),
        average=changed(truth),
        ideal=changed(RATED_TH),
        uptime_s=draw(st.sampled_from([None, 0, 1, 60, 240, 1000, 3600, 86_400])),
        watts=draw(st.sampled_from([None, None, 0, 3.5, 18, 900, 3400, 9000, 40_000, -1])),
        mode=draw(st.sampled_from([None, 0, 0, 1])),
        chips=draw(st.sampled_from([None, 108, 108, 0, 54, 4000])),
    )


def poll(stats: bytes, *, is_fast: bool = True) -> UnitReading | PollError:
    """Return what one poll gives of a unit that answers `stats` alone."""
    slow: AbstractContextManager[object] = mock.patch.object(conversation, "fast_reading", return_value=None)
    with nullcontext() if is_fast else slow:
        talk = converse("u1", Memory(), nameplate=PLATE, slow_every=5, wall=lambda: 1e9)
        request = next(talk)
        try:
            while True:
                request = talk.send(stats if request in {STATS, STATS_NEW_API} else INVALID)
        except StopIteration as over:
            reading: UnitReading = over.value
            return reading
        except PollError as error:
            return error


def is_near(one: float, other: float) -> bool:
    """Return True if two rates support each other."""
    return abs(one - other) <= 0.25 * max(one, other)


def in_one_unit(rates: list[float], total: float | None) -> list[float]:
    """Return board rates with those a power of a thousand away from their share brought to it, if they then agree."""
    count = len([rate for rate in rates if rate])
    if total is None or not 0.01 * RATED_TH <= total <= 2 * RATED_TH or not count:
        return rates
    factors = (1, 1e3, 1e-3, 1e6, 1e-6, 1e9, 1e-9)
    in_unit = [next((rate * by for by in factors if 0.2 <= rate * by * count / total <= 3), rate) for rate in rates]
    return in_unit if is_near(sum(in_unit), total) else rates


def thousandth_th(total: float, whole: float | None, reply: Told) -> float | None:
    """Return a thousand times the total, if all rates of a steady unit agree on a thousandth of the rating."""
    others = [rate for rate in (whole, reply.thirty, reply.average) if rate is not None and rate >= 0]
    is_steady = (reply.uptime_s or 0) >= 600 and 0.5 * RATED_TH <= 1000 * total <= 1.25 * RATED_TH
    is_small = all(rate < 0.01 * RATED_TH for rate in others)
    return 1000 * total if is_steady and is_small and any(is_near(total, rate) for rate in others) else None


def most_credible_th(reply: Told) -> float:
    """Return the highest rate that has the most support in a reply, TH/s; worked out apart from the rules.

    A rate of now is supported by any other rate; those of the past alone say nothing about now. A rate
    in another unit counts in its own, and boards of which some are not told are the least that the unit hashes. Where
    nothing supports anything, the lower of total and boards counts, but for a total of nothing. Without a total, or
    where there is nothing else, anything may stand in.
    """
    # The reader drops rates above 2 PH/s, which no machine reaches.
    total = None if (reply.total or 0) > 2000 else reply.total
    as_told = [rate for rate in reply.boards if rate is not None and rate >= 0]
    boards = [rate for rate in in_one_unit(as_told, total) if rate <= 2 * RATED_TH / 3]
    is_whole = 3 <= len(boards) == len(reply.boards)
    whole, part = (sum(boards), 0.0) if is_whole else (None, sum(boards))
    # A longer rate seconds a rate but not nothing: it may be as false as a total of nothing.
    thirty = reply.thirty if (reply.thirty or 0) >= 0.01 * RATED_TH else None
    average = reply.average if (reply.average or 0) >= 0.01 * RATED_TH else None
    rates = [total, whole, thirty, average]
    scaled = [
        (source, rate * factor, factor == 1)
        for source, rate in enumerate(rates)
        if rate is not None and rate >= 0
        for factor in (1, 1e3, 1e6, 1e-3, 1e-6)
        if rate * factor <= 2 * RATED_TH and (factor == 1 or rate * factor >= 0.1 * RATED_TH)
    ]
    if reply.ideal is not None and reply.ideal >= 0.1 * RATED_TH:
        scaled.append((len(rates), reply.ideal, True))
    supported = [
        rate if other == len(rates) else max(rate, seconding)
        for source, rate, is_as_told in scaled
        for other, seconding, is_seconding_as_told in scaled
        if source < 2 and source != other and (is_as_told or is_seconding_as_told) and is_near(rate, seconding)
    ]
    if total is not None and (in_thousands := thousandth_th(total, whole, reply)) is not None:
        supported.append(in_thousands)
    if supported and total is not None:
        return max(part, *supported)
    if total is not None and whole is not None and 2 <= total <= 1.25 * RATED_TH:
        return min(total, whole)
    return max(
        (
            rate
            for rate in (*rates, part, reply.thirty, reply.average)
            if rate is not None and 0 <= rate <= 2 * RATED_TH
        ),
        default=0,
    )


def hold(reply: Told, outcome: UnitReading | PollError) -> None:
    """Assert what every outcome promises."""
    if isinstance(outcome, PollError):
        assert not isinstance(outcome, ContradictoryReplyError) or outcome.rule in CONTRADICTIONS
        return
    rate_th = (outcome.rate_hs or 0) / TH
    assert set(outcome.repairs) <= REPAIRS.keys()
    assert rate_th <= 2 * RATED_TH
    assert rate_th <= 1.1 * most_credible_th(reply) + 0.04 * RATED_TH
    if outcome.mode is Mode.SLEEP:
        assert rate_th < 0.01 * RATED_TH
        assert outcome.power_watts is None or outcome.power_watts <= 1750
    elif rate_th >= 0.01 * RATED_TH and outcome.power_watts is not None:
        assert 5 * rate_th <= outcome.power_watts <= 3 * 3500
    boards = [board.hashrate_hs for board in outcome.boards if board.chips != 0]
    if outcome.hashrate_5s_hs is not None and len(boards) >= 3 and None not in boards:
        boards_hs = sum(filter(None, boards))
        gap_hs = abs(outcome.hashrate_5s_hs - boards_hs)
        assert gap_hs <= max(0.15 * max(boards_hs, outcome.hashrate_5s_hs), 0.02 * RATED_TH * TH) * 1.001


@given(reply=told())
@example(reply=Told(1900, (66.7, 66.7, 66.7), 200, None, None, 240, None, None, 108))
@example(reply=Told(200, (), None, None, None, 86_400, None, 1, None))
@example(reply=Told(484, (), None, None, None, 86_400, 0, None, None))
@example(reply=Told(200, (0, 0, 0), None, None, 200, 86_400, None, 0, 108))
@example(reply=Told(0.2, (0.067, 0.067, 0.067), 0.2, 0.2, None, 86_400, None, 0, 108))
def test_contradictions(reply: Told) -> None:
    """Whatever contradicts itself: credited at most 1.1 times the best supported rate, in both dialects and paths."""
    for stats in (reply.new_api(), reply.legacy()):
        outcome = poll(stats)
        hold(reply, outcome)
        slow = poll(stats, is_fast=False)
        assert type(outcome) is type(slow)
        if isinstance(outcome, UnitReading):
            assert outcome == slow
        else:
            assert str(outcome) == str(slow)


@given(reply=told())
def test_the_rules_settle_at_once(reply: Told) -> None:
    """A reply that is told again is read alike."""
    assert str(poll(reply.new_api())) == str(poll(reply.new_api()))
