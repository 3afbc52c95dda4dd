"""Facts about nameplates: at the first whole round, daily, and when they change, at most hourly."""

from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

from exporter_cases import status
from site_cases import AT, entry, reading
from structlog.testing import capture_logs

from agent.history.chain.links import Fact
from agent.history.keeper import History
from agent.history.reader import read_history
from agent.runtime.nameplate_facts import FACT_EVERY_S, LOOK_EVERY_S, NameplateFacts
from agent.site.nameplates import FACT
from agent.site.status import UnitStatus
from agent.slices import run_at_once
from agent.unit.nameplate import shipped_catalogue
from agent.unit.reading import Identity

CATALOGUE = shipped_catalogue()
TH = 1e12


def units(count: int, *, wrong: Iterable[int] = ()) -> list[UnitStatus]:
    """Return units of a ledger that has them all as S21 of 200 TH/s; some say that they were sold as 188."""
    nameplate = CATALOGUE.find("S21", 200 * TH)
    assert nameplate is not None
    return [
        status(
            entry(f"u{number}", nameplate=nameplate),
            reading(
                f"u{number}",
                identity=Identity(model="Antminer S21"),
                hashrate_sale_hs=188 * TH if number in wrong else 200 * TH,
            ),
        )
        for number in range(count)
    ]


class Rounds:
    """Rounds of a site whose history is a file."""

    def __init__(self, folder: Path) -> None:
        self._history = History(folder / "h.sqlite", site="alpha", zone="UTC", wall=lambda: AT)
        self.facts = NameplateFacts(self._history)
        self._path = folder / "h.sqlite"

    def round(self, clock_s: float, statuses: list[UnitStatus]) -> None:
        """Make a round at a moment of both clocks."""
        run_at_once(
            self.facts.on_round(AT + clock_s, clock_s=clock_s, statuses=lambda: statuses, bins_of=CATALOGUE.bins_hs)
        )

    def kept(self) -> list[Fact]:
        """Return the facts in the file."""
        assert self._history.flush()
        with closing(read_history(self._path)) as reader:
            return list(reader.facts(kinds=(FACT,)))


def times(kept: list[Fact]) -> list[int]:
    """Return when the facts were written, s after the first round."""
    return [fact.at - int(AT) for fact in kept]


def differing(kept: list[Fact]) -> list[Any]:
    """Return how many units differed."""
    return [fact.body["units_differing"] for fact in kept]


def test_the_first_round_and_each_day(tmp_path: Path) -> None:
    """Nothing changes for two days: a fact at once and one a day, whatever the rounds are."""
    rounds, all_right = Rounds(tmp_path), units(5)
    for clock_s in range(0, 2 * 86_400 + 60, 900):
        rounds.round(float(clock_s), all_right)
    kept = rounds.kept()
    assert times(kept) == [0, 86_400, 2 * 86_400]
    assert differing(kept) == [0, 0, 0]
    assert kept[0].body["row_hs"] == kept[0].body["own_hs"] == 5 * 200 * TH


def test_a_change_is_kept_within_the_hour(tmp_path: Path) -> None:
    """Units whose word flips at every round write one fact an hour, not one a round."""
    rounds = Rounds(tmp_path)
    for number, clock_s in enumerate(range(0, 3 * 3600, 60)):
        rounds.round(float(clock_s), units(7, wrong=(number % 7,)))
    assert times(rounds.kept()) == [0, 3600, 7200]
    assert LOOK_EVERY_S * 24 == FACT_EVERY_S


def test_another_unit_is_a_change(tmp_path: Path) -> None:
    """The set of units counts, not only its size; a ledger that grows by more than 1 % counts too."""
    rounds = Rounds(tmp_path)
    for hour, found in enumerate(
        (units(200, wrong=(1,)), units(200, wrong=(1,)), units(200, wrong=(2,)), units(201, wrong=(2,)), units(250))
    ):
        rounds.round(hour * 3600.0, found)
    kept = rounds.kept()
    assert times(kept) == [0, 7200, 14_400]
    assert [fact.body["groups"][0]["named"] for fact in kept[:2]] == [["u1"], ["u2"]]
    rounds.round(5 * 3600.0, units(250)[:120])
    assert times(rounds.kept())[3:] == [18_000]


def test_what_differs_is_logged_once(tmp_path: Path) -> None:
    """A line when it is new, with both sums; none while it stays."""
    rounds = Rounds(tmp_path)
    with capture_logs() as lines:
        for day in range(3):
            rounds.round(day * 86_400.0, units(10, wrong=(3,)))
    (line,) = [line for line in lines if line["event"].startswith("rows differ")]
    assert (line["units"], line["ledger_th"], line["own_th"]) == (1, 2000.0, 1988.0)
