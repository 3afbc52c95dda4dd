"""The site's figures in a terminal: the 90 % line, and the losses in words, largest first."""

import io
import re
from collections.abc import Iterable
from zoneinfo import ZoneInfo

import msgspec
import pytest
from exporter_cases import AT, entry, reading, status
from rich.console import Console

from agent.commands.once import badness
from agent.commands.site_summary import site_summary
from agent.errors import RefusedError, UnreachableError
from agent.site.lateness import held
from agent.site.ledger.entries import Place
from agent.site.reasons import Reason
from agent.site.status import Cause, Loss, UnitState, UnitStatus
from agent.site.totals import site_figures
from agent.text.losses import loss_lines


def terminal(statuses: Iterable[UnitStatus], *, columns: int) -> str:
    """Return the summary of these units on a terminal of that width."""
    listed = list(statuses)
    figures = site_figures(listed, AT)
    lines = loss_lines(figures.site, listed, now=AT, zone=ZoneInfo("America/Chicago"), seen_from=0.0)
    shown = io.StringIO()
    Console(file=shown, width=columns, highlight=False).print(site_summary("nd-1", figures, lines))
    return shown.getvalue()


def hashing(number: int, hashrate_hs: float = 200e12) -> UnitStatus:
    """Return a hashing unit of container C1."""
    return status(entry(f"a{number}"), reading(f"a{number}", hashrate_5s_hs=hashrate_hs))


def silent(number: int, container: str = "C2") -> UnitStatus:
    """Return a unit that stopped answering at 14:36."""
    return status(entry(f"s{number}", place=Place(container=container)), error=UnreachableError("no answer"))


@pytest.mark.parametrize(
    ("hashrate_hs", "words"),
    [
        (180.02e12, "90.01 % operational efficiency (above 90 %)"),
        (179.4e12, "89.70 % operational efficiency (not above"),
    ],
)
def test_the_line_of_90_percent(hashrate_hs: float, words: str) -> None:
    """The headline says whether operational efficiency is above the trade's 90 %."""
    assert words in terminal([hashing(0, hashrate_hs)], columns=200)


def test_what_is_not_known_is_no_nought() -> None:
    """A site that refuses every command has no efficiency, and one of which little is known says so."""
    refusing = status(entry("r1"), error=RefusedError("code 14", code=14))
    shown = re.sub(r"\s+", " ", terminal([refusing], columns=200))
    assert "operating 0 H/s of 200.00 TH/s deployed = not known, coverage 0.0 %" in shown
    assert "unreadable (refused the command) 200.00 TH/s" in shown
    assert "(not above 90 %, as far as is known), coverage 50.0 %" in terminal([hashing(0), silent(1)], columns=200)


def test_lateness_of_the_agent_is_said_and_only_then() -> None:
    """Units that were not asked in time are named with their share; their figures stay."""
    late = [held(hashing(number, 190e12)) for number in range(3)]
    shown = re.sub(r"\s+", " ", terminal([*late, hashing(9, 190e12)], columns=200))
    assert "operating 760.00 TH/s of 800.00 TH/s deployed = 95.00 % operational efficiency" in shown
    assert "coverage 25.0 %" in shown
    assert (
        "this agent is late: 3 of 4 units (75.0 % of deployed) not looked at lately; they count as they were" in shown
    )
    assert "late" not in terminal([hashing(9)], columns=200)


def test_losses_in_words() -> None:
    """A loss has hashrate, share of deployed, place, units and start; the largest comes first."""
    shown = terminal([*(silent(number) for number in range(16)), hashing(0, 190e12)], columns=120)
    (unreachable,) = re.findall("^.*unreachable .*C2, 16 units since.*$", shown, re.MULTILINE)
    assert re.sub(" +", " ", unreachable).strip() == (
        "unreachable 3.20 PH/s 94.12 % container C2, 16 units since 14:36"
    )
    assert shown.index("unreachable") < shown.index("underperforming")


def test_owners_stand_below_the_containers_where_there_are_any() -> None:
    """One row for each owner and for the units without one; a ledger without owners has no such table."""
    north = msgspec.structs.replace(hashing(1), entry=msgspec.structs.replace(hashing(1).entry, owner="[b]North"))
    shown = terminal([north, silent(2)], columns=160)
    assert re.search(r"\[b\]North +1 +1 +- +200\.00 TH/s +200\.00 TH/s +100\.00 %", shown)
    assert re.search(r"\(no owner\) +1 +0 +1 unreachable +0 H/s +200\.00 TH/s +0\.00 %", shown)
    assert "owners" not in terminal([hashing(1)], columns=160)


def test_a_narrow_terminal_loses_no_word() -> None:
    """In 40 columns lines fold and no text is cut."""
    shown = terminal([silent(0, "C2")], columns=40)
    assert max(map(len, shown.splitlines())) <= 40
    assert "\N{HORIZONTAL ELLIPSIS}" not in shown


def test_names_are_not_markup() -> None:
    """Ledger names are printed literally, among the losses and among the containers."""
    assert terminal([silent(0, "[red]C2[/red]")], columns=120).count("[red]C2[/red]") == 2


def test_nothing_deployed() -> None:
    """A site with nothing deployed has no ratio."""
    assert "nothing deployed" in terminal([], columns=80)


def test_what_is_off_on_purpose_comes_last() -> None:
    """A unit asleep by a declared event ranks behind one that only lacks a little, and there is nothing to check."""
    place = Place(container="C1", rack="C1-R1", slot="1")
    lost = (Loss(Cause.CURTAILED, 200e12),)
    asleep = status(entry("asleep", place=place), reading("asleep"))
    asleep = msgspec.structs.replace(
        asleep, state=UnitState.CURTAILED, reason=Reason.ASLEEP, why="asleep", losses=lost, event=None
    )
    slow = msgspec.structs.replace(asleep, state=UnitState.HASHING, losses=(Loss(Cause.DERATED, 5e12),))
    assert sorted((asleep, slow), key=badness, reverse=True) == [slow, asleep]
    assert (asleep.check_first, slow.unexplained_hs, asleep.unexplained_hs) == ("", 5e12, 0)
    stopped = msgspec.structs.replace(asleep, state=UnitState.STOPPED)
    assert stopped.check_first.startswith("who sent it to sleep")
