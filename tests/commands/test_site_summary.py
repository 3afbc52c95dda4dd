"""The site's figures in a terminal: the line of 90 %, and what took the rest, largest first, in words."""

import io
import re
from collections.abc import Iterable
from zoneinfo import ZoneInfo

import pytest
from exporter_cases import AT, entry, reading, status
from rich.console import Console

from agent.commands.site_summary import site_summary
from agent.errors import UnreachableError
from agent.site.ledger.entries import Place
from agent.site.status import UnitStatus
from agent.site.totals import site_figures
from agent.text.losses import loss_lines


def terminal(statuses: Iterable[UnitStatus], *, columns: int) -> str:
    """Give what a terminal of that width shows of these units."""
    listed = list(statuses)
    figures = site_figures(listed, AT)
    lines = loss_lines(figures.site, listed, now=AT, zone=ZoneInfo("America/Chicago"), seen_from=0.0)
    shown = io.StringIO()
    Console(file=shown, width=columns, highlight=False).print(site_summary("nd-1", figures, lines))
    return shown.getvalue()


def hashing(number: int, hashrate_hs: float = 200e12) -> UnitStatus:
    """Give a unit of container C1."""
    return status(entry(f"a{number}"), reading(f"a{number}", hashrate_5s_hs=hashrate_hs))


def silent(number: int, container: str = "C2") -> UnitStatus:
    """Give a unit that stopped answering at 14:36."""
    return status(entry(f"s{number}", place=Place(container=container)), error=UnreachableError("no answer"))


@pytest.mark.parametrize(
    ("hashrate_hs", "words"),
    [
        (180.02e12, "90.01 % operational efficiency (above 90 %)"),
        (179.4e12, "89.70 % operational efficiency (not above"),
    ],
)
def test_the_line_of_90_percent(hashrate_hs: float, words: str) -> None:
    """The headline says on which side of the trade's line the site is."""
    assert words in terminal([hashing(0, hashrate_hs)], columns=200)


def test_losses_in_words() -> None:
    """How much, what share of deployed, where, how many units and since when; the largest first."""
    shown = terminal([*(silent(number) for number in range(16)), hashing(0, 190e12)], columns=120)
    (unreachable,) = re.findall("^.*unreachable .*C2, 16 units since.*$", shown, re.MULTILINE)
    assert re.sub(" +", " ", unreachable).strip() == (
        "unreachable 3.20 PH/s 94.12 % container C2, 16 units since 14:36"
    )
    assert shown.index("unreachable") < shown.index("underperforming")


def test_a_narrow_terminal_loses_no_word() -> None:
    """In 40 columns lines fold and nothing is cut short."""
    shown = terminal([silent(0, "C2")], columns=40)
    assert max(map(len, shown.splitlines())) <= 40
    assert "\N{HORIZONTAL ELLIPSIS}" not in shown


def test_what_others_wrote_is_text() -> None:
    """A name of the ledger is no markup, neither among the losses nor among the containers."""
    assert terminal([silent(0, "[red]C2[/red]")], columns=120).count("[red]C2[/red]") == 2


def test_nothing_deployed() -> None:
    """A site with nothing deployed has no ratio, and no loss."""
    assert "nothing deployed" in terminal([], columns=80)
