"""When a unit's replies are looked at for fields that no reader uses, and that it costs no request."""

import json
from collections.abc import Mapping

from capture_files import (
    INVALID_COMMAND,
    S19_STATS,
    S19_SUMMARY,
    S21_ASLEEP_STATS,
    S21_ASLEEP_SUMMARY,
    S21_POOLS,
    S21_STATS,
    S21_SUMMARY,
    S21_VERSION,
)

from agent.errors import DeadlineError, PollError
from agent.unit.antminer.conversation import POOLS, STATS, STATS_NEW_API, SUMMARY, VERSION, converse
from agent.unit.antminer.memory import LOOK_AGAIN_S, Memory
from agent.unit.reading import Identity
from agent.unit.unread import Unread

AT = 1763674560.0
S21_UNIT = {STATS_NEW_API: S21_STATS, SUMMARY: S21_SUMMARY, POOLS: S21_POOLS, VERSION: S21_VERSION}


class Watched:
    """One unit, polled from a table of replies, and the looks at it.

    Attributes:
        looks: Firmware and paths of each look.
        requests: Requests of each poll.
    """

    def __init__(self, slow_every: int = 1000) -> None:
        self.looks: list[tuple[str | None, list[str]]] = []
        self.requests: list[int] = []
        self.memory = Memory(on_unread=self._note)
        self._slow_every = slow_every

    def _note(self, unit_id: str, identity: Identity, unread: Unread) -> None:
        assert unit_id == "u1"
        self.looks.append((identity.firmware, [f"{field.report}: {field.path}" for field in unread.fields]))

    def poll(self, unit: Mapping[bytes, bytes | PollError], at: float = AT) -> None:
        """Poll once."""
        talk = converse("u1", self.memory, slow_every=self._slow_every, wall=lambda: at)
        asked = 0
        try:
            request = next(talk)
            while True:
                asked += 1
                answer = unit[request]
                request = talk.throw(answer) if isinstance(answer, PollError) else talk.send(answer)
        except (StopIteration, PollError):
            self.requests.append(asked)


def stats(**changes: object) -> bytes:
    """Return the S21's `stats` with other values in its element; `firmware` is the build date."""
    body = json.loads(S21_STATS)
    body["INFO"]["CompileTime"] = changes.pop("firmware", body["INFO"]["CompileTime"])
    body["STATS"][0] |= changes
    return json.dumps(body).encode()


PSU = ["stats new_api: STATS[].psu.index", "stats new_api: STATS[].psu.status"]
BUILD = "Thu Jul 11 16:38:25 CST 2024"


def test_a_new_unit_is_looked_at_once() -> None:
    """The first poll has every report anyway; the polls after it send and look at nothing for this."""
    watched = Watched()
    for _ in range(5):
        watched.poll(S21_UNIT)
    assert watched.looks == [(BUILD, PSU)]
    assert watched.requests == [4, 1, 1, 1, 1]


def test_all_reports_of_the_poll_are_looked_at() -> None:
    """`summary` and `pools` as well as `stats`; one that is late leaves out its own fields alone."""
    pools = json.loads(S21_POOLS)
    pools["POOLS"][0]["Latency"] = 3
    late = Watched()
    late.poll(S21_UNIT | {POOLS: json.dumps(pools).encode(), SUMMARY: DeadlineError("late")})
    assert late.looks == [(BUILD, ["pools: POOLS[].Latency", *PSU])]


def test_a_restart_is_a_look_but_not_at_every_poll() -> None:
    """A unit that restarts at every poll is looked at once in ten minutes."""
    watched = Watched()
    for poll in range(62):
        watched.poll(S21_UNIT | {STATS_NEW_API: stats(elapsed=10_000 - poll)}, AT + 10.0 * poll)
    assert len(watched.looks) == 1 + 61 * 10 // int(LOOK_AGAIN_S)


def test_other_firmware_is_looked_at_with_the_next_slow_reports() -> None:
    """A change of firmware asks for `version` at once; the look waits for a poll that has the other reports."""
    watched = Watched(slow_every=3)
    watched.poll(S21_UNIT)
    other = S21_UNIT | {STATS_NEW_API: stats(firmware="FR-2", volt=12), VERSION: DeadlineError("late")}
    for poll in range(1, 6):
        watched.poll(other, AT + LOOK_AGAIN_S + poll)
    assert watched.looks == [(BUILD, PSU), ("FR-2", [*PSU, "stats new_api: STATS[].volt"])]


def test_legacy_units_are_looked_at_in_the_dialect_they_answer() -> None:
    """A refusal has no fields; the second `stats` of the poll has."""
    body = json.loads(S19_STATS)
    body["STATS"][1]["chain_vol1"] = 1280
    watched = Watched()
    unit = {STATS_NEW_API: INVALID_COMMAND, STATS: json.dumps(body).encode(), SUMMARY: S19_SUMMARY}
    watched.poll(unit | {POOLS: DeadlineError("late"), VERSION: DeadlineError("late")})
    assert watched.looks == [("Tue Dec  6 16:12:30 CST 2022", ["stats: STATS[].chain_vol#"])]


def test_a_unit_asleep_is_looked_at_with_what_it_says() -> None:
    """Its `summary` came for the rate, before it was known that a look is due."""
    summary = json.loads(S21_ASLEEP_SUMMARY)
    summary["SUMMARY"][0]["Dreams"] = 1
    unit = {STATS_NEW_API: S21_ASLEEP_STATS, SUMMARY: json.dumps(summary).encode(), POOLS: S21_POOLS}
    watched = Watched()
    watched.poll(unit | {VERSION: S21_VERSION})
    assert [fields for _, fields in watched.looks] == [["summary: SUMMARY[].Dreams"]]


def test_without_a_listener_nothing_is_looked_at() -> None:
    """A scan and `hashsight read` do not pay for it."""
    memory = Memory()
    talk = converse("u1", memory, slow_every=3, wall=lambda: AT)
    request, reading = next(talk), None
    while reading is None:
        try:
            request = talk.send(S21_UNIT[request])
        except StopIteration as over:
            reading = over.value
    assert reading.rate_hs
    assert memory.is_look_due
