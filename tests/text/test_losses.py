"""Losses in words: how much, the cause, the place, the number of units, and since when."""

from collections.abc import Iterable
from zoneinfo import ZoneInfo

import msgspec
import pytest
from exporter_cases import AT, board, entry, reading, status

from agent.errors import UnreachableError
from agent.site.ledger.entries import Place
from agent.site.reasons import Reason
from agent.site.status import Cause, UnitStatus
from agent.site.totals import site_figures
from agent.text.losses import LossLine, loss_lines
from agent.unit.reading import Mode

# AT is 21:36:00 UTC, 15:36 in Chicago.
CHICAGO = ZoneInfo("America/Chicago")
MINUTE_S = 60.0
HOUR_S = 3600.0


def silent(number: int, container: str, *, ago_s: float) -> UnitStatus:
    """Return a unit that stopped answering `ago_s` ago."""
    declared = entry(f"{container}-{number}", place=Place(container=container))
    return status(declared, error=UnreachableError("no answer"), since=AT - ago_s)


def short(number: int, container: str) -> UnitStatus:
    """Return a unit that hashes without its third board."""
    declared = entry(f"{container}-m{number}", place=Place(container=container))
    return status(declared, reading(declared.unit_id, boards=(board(0), board(1)), hashrate_5s_hs=132e12))


def lines(statuses: Iterable[UnitStatus], *, seen_from: float | None = 0.0, zone: ZoneInfo = CHICAGO) -> list[LossLine]:
    """Return the loss lines of these units."""
    listed = list(statuses)
    return loss_lines(site_figures(listed, AT).site, listed, now=AT, zone=zone, seen_from=seen_from)


def test_a_dark_container_in_one_sentence() -> None:
    """Units that went dark together are shown with the time at which they did, on the site's clock."""
    dark = [silent(number, "C2", ago_s=94 * MINUTE_S - number) for number in range(16)]
    (line,) = lines(dark)
    assert line.sentence == "3.20 PH/s unreachable: container C2, 16 units since 14:02"
    assert (line.cause, line.units, line.hashrate_hs) == (Cause.UNREACHABLE, 16, 3.2e15)
    (line,) = lines(dark, zone=ZoneInfo("UTC"))
    assert line.where == "container C2, 16 units since 20:02"


@pytest.mark.parametrize(
    ("ago_s", "seen_from", "where"),
    [
        ([HOUR_S], 0.0, "container C1, 1 unit since 14:36"),
        ([30 * HOUR_S], 0.0, "container C1, 1 unit since 2025-11-19 09:36"),
        ([4 * HOUR_S, HOUR_S], 0.0, "container C1, 2 units, the last since 14:36"),
        # The agent started at 13:36: a state it found then may be older.
        ([2 * HOUR_S], AT - 2 * HOUR_S, "container C1, 1 unit since before 13:36"),
        ([2 * HOUR_S, HOUR_S], AT - 2 * HOUR_S, "container C1, 2 units, the last since 14:36"),
        ([HOUR_S], None, "container C1, 1 unit"),
    ],
    ids=["today", "yesterday", "one by one", "before the agent", "some before the agent", "no times"],
)
def test_since_when(ago_s: list[float], seen_from: float | None, where: str) -> None:
    """A time is shown only as exactly as it is known."""
    (line,) = lines([silent(number, "C1", ago_s=ago) for number, ago in enumerate(ago_s)], seen_from=seen_from)
    assert line.where == where


def test_several_containers_most_units_first() -> None:
    """Three containers are named, each with its own time; the rest are counted."""
    units = [
        silent(0, "C5", ago_s=HOUR_S),
        silent(0, "C1", ago_s=HOUR_S),
        *(silent(number, "C2", ago_s=2 * HOUR_S) for number in range(3)),
        silent(0, "", ago_s=HOUR_S),
    ]
    (line,) = lines(units)
    assert line.where == (
        "6 units in containers C2 (3 since 13:36), no container (1 since 14:36), C1 (1 since 14:36) and 1 more"
    )
    assert [place.units for place in line.places] == [3, 1, 1, 1]


def test_what_is_no_state_has_no_time() -> None:
    """A missing board has no time: the unit kept hashing, so its state does not show when the board went."""
    line, _ = lines([short(0, "C1")])
    assert line.sentence == "66.67 TH/s missing boards: container C1, 1 unit"
    assert (line.places[0].first, line.places[0].last) == (None, None)


def stopped(number: int, **changes: object) -> UnitStatus:
    """Return a unit that is awake and hashes nothing."""
    declared = entry(f"C1-s{number}", place=Place(container="C1"))
    return status(declared, reading(declared.unit_id, hashrate_5s_hs=0.0, **changes), since=AT - HOUR_S)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ([{}], "stopped (cause unknown)"),
        ([{"mode": Mode.SLEEP}] * 2, "stopped (asleep)"),
        ([{"mode": Mode.SLEEP}, *[{"fan_rpm": (0, 900)}] * 2], "stopped (2 fan stopped; 1 asleep)"),
        (
            [{}, {"mode": Mode.SLEEP}, {"boards": ()}, *[{"fan_rpm": (0, 900)}] * 2],
            "stopped (2 fan stopped; 1 asleep; 1 no boards at all; 1 for other reasons)",
        ),
    ],
)
def test_units_that_stopped_say_why(changes: list[dict[str, object]], words: str) -> None:
    """The cause is not called unknown over units whose own reason is known."""
    (line,) = lines([stopped(number, **each) for number, each in enumerate(changes)])
    assert line.words == words
    assert f" {words}: container C1, " in line.sentence
    assert sum(units for _, units in line.reasons) == line.units


def test_a_loss_that_is_no_state_has_no_reasons() -> None:
    """Units that hash lose to several causes; their reasons stand in their own rows."""
    assert [line.reasons for line in lines([short(0, "C1")])] == [(), ()]


def test_largest_first_and_over_by_now() -> None:
    """Lines are ordered by hashrate; a loss whose units have recovered since the figures says so."""
    units = [short(0, "C1"), short(1, "C1"), silent(0, "C2", ago_s=HOUR_S)]
    assert [line.cause for line in lines(units)][:2] == [Cause.UNREACHABLE, Cause.MISSING_BOARDS]
    figures = site_figures(units, AT).site
    recovered = [msgspec.structs.replace(unit, losses=()) for unit in units]
    lines_now = loss_lines(figures, recovered, now=AT, zone=CHICAGO, seen_from=0.0)
    assert {line.where for line in lines_now} == {"units that changed since these figures"}
    assert [line.units for line in lines_now] == [0] * len(lines_now)


@pytest.mark.parametrize(
    ("units_by_reason", "words"),
    [
        ({Reason.ASLEEP: 2}, "stopped (asleep)"),
        ({Reason.ASLEEP: 1, Reason.FAILURE: 2}, "stopped (2 failure reported, cause not named; 1 asleep)"),
        (
            {Reason.NO_BOARDS: 4, Reason.FAN_STOPPED: 3, Reason.ASLEEP: 2, Reason.TOO_HOT: 1, Reason.BOARD_FAULT: 1},
            "stopped (4 no boards at all; 3 fan stopped; 2 asleep; 2 for other reasons)",
        ),
    ],
)
def test_reasons_are_told_apart(units_by_reason: dict[Reason, int], words: str) -> None:
    """A semicolon parts the reasons, because their words may hold commas; those left out are counted."""
    by_number = sorted(units_by_reason.items(), key=lambda item: -item[1])
    assert LossLine(Cause.STOPPED, 1e12, (), "", tuple(by_number)).words == words
