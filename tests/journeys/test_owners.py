"""A site of three owners and units of its own, an hour of simulated time: owners add up, and each has its own truth."""

import math
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pytest
from truth_by_second import SEEN_AS, hold_text

from agent.history.minutes import COLUMNS, MinuteBook
from agent.history.reader import read_history
from agent.history.writer import write_history
from agent.site.ledger.entries import NO_OWNER
from agent.site.status import Cause
from agent.site.totals import SiteFigures
from agent.site.tracker import Tracker
from agent.statement.owner_source import OwnerSource
from agent.statement.period import parse_period
from agent.statement.statement import Statement, state
from simulators.farm.farm import Farm
from simulators.farm.truth import OwnerTruth, owner_truths

SCENARIO = """
about = "Faults in the units of one of three owners"
start = 2025-10-14T00:00:00Z
duration = "1h"

[farm]
units = 40
containers = 4
owners = { North = "40%", South = "30%", East = "20%" }

[[event]]
at = "10m"
for = "20m"
fault = "power_off"
who = { owner = "South", share = "50%" }

[[event]]
at = "35m"
for = "20m"
fault = "dead_board"
values = { board = 1 }
who = { owner = "South", share = "50%", draw = 1 }
"""
UNITS = {"North": 16, "South": 12, "East": 8, NO_OWNER: 4}
ADDED = ("units", "deployed_hs", "operating_hs", "uplift_hs", "known_hs", *(f"loss_{cause}_hs" for cause in Cause))
SETTLED_S = 60.0


class Seen(NamedTuple):
    """What the agent made of a moment, and the truth of each owner."""

    figures: SiteFigures
    truth: Mapping[str, OwnerTruth]


@pytest.fixture(scope="module")
def rounds() -> Sequence[Seen]:
    """Return every round of an hour."""
    seen: list[Seen] = []

    def on_round(farm: Farm, _: Tracker, figures: SiteFigures) -> None:
        farm.clock.set(figures.at)
        seen.append(Seen(figures, {name or NO_OWNER: truth for name, truth in owner_truths(farm, figures.at).items()}))

    hold_text(SCENARIO, on_round=on_round)
    return seen


@pytest.fixture(scope="module")
def statements(rounds: Sequence[Seen], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Statement]:
    """Return the statements of all owners and of the site, whose name is empty, from the minutes of that hour."""
    path: Path = tmp_path_factory.mktemp("owners") / "h.sqlite"
    book = MinuteBook(longest_gap_s=30.0)
    start = rounds[0].figures.at
    settled = [each.figures for each in rounds if each.figures.at >= start + SETTLED_S]
    minutes = [m for now in settled for m in book.advance(now, simulated_units=0, clock_s=now.at - start)]
    minutes += book.close()
    with closing(write_history(path)) as file:
        file.claim(site="alpha", zone="UTC")
        file.write(
            site=[minute.site.values() for minute in minutes],
            owners=[(name, row.values()) for minute in minutes for name, row in minute.owners.items()],
        )
    with closing(read_history(path)) as reader:
        for at in [minute.site.at for minute in minutes]:
            (site,) = (values for chunk in reader.chunks(at, at + 60) for values in chunk)
            owners = [values for name in UNITS for chunk in reader.chunks(at, at + 60, owner=name) for values in chunk]
            assert len(owners) == len(UNITS)
            for name in ADDED:
                place = COLUMNS.index(name)
                parts = math.fsum(values[place] or 0.0 for values in owners)
                assert math.isclose(parts, site[place] or 0.0, rel_tol=1e-12, abs_tol=1.0), (at, name)
        period, now = parse_period("2025-10", ZoneInfo("UTC")), rounds[-1].figures.at + 10
        made = {name: state(OwnerSource(reader, name), period, now=now) for name in UNITS}
        return made | {"": state(reader, period, now=now)}


def test_the_ledger_of_the_farm_names_its_owners(rounds: Sequence[Seen]) -> None:
    """The simulator writes the shares of its plan into the ledger, and the agent has figures of each."""
    assert {name: sums.units for name, sums in rounds[0].figures.by_owner.items()} == UNITS
    assert {name: truth["units"] for name, truth in rounds[0].truth.items()} == UNITS


def test_owners_add_up_to_the_site(statements: Mapping[str, Statement]) -> None:
    """In every minute of the history (held by the fixture), and in the statements made of it."""
    site = statements[""].figures
    owners = [statements[name].figures for name in UNITS]
    for name in ("deployed_hs", "operating_hs", "lost_hs", "uplift_hs", "units", "operating_floor_hs"):
        total = math.fsum(getattr(each, name) for each in owners)
        assert math.isclose(total, getattr(site, name), rel_tol=1e-12, abs_tol=1.0), name
    for cause in Cause:
        total = math.fsum(each.losses_hs[cause] for each in owners)
        assert math.isclose(total, site.losses_hs[cause], rel_tol=1e-12, abs_tol=1.0), cause


def test_each_owner_has_its_own_truth(rounds: Sequence[Seen], statements: Mapping[str, Statement]) -> None:
    """Operating of each owner over the hour is within a point of the truth, and only South has the faults' losses."""
    start = rounds[0].figures.at
    settled = [each.truth for each in rounds if each.figures.at >= start + SETTLED_S]
    for name in UNITS:
        figures = statements[name].figures
        true_hs = math.fsum(truth[name]["hashrate_hs"] for truth in settled) / len(settled)
        off = (figures.operating_hs - true_hs) / figures.deployed_hs
        assert abs(off) < 0.01, (name, figures.operating_hs, true_hs)
        for cause in (Cause.UNREACHABLE, Cause.MISSING_BOARDS):
            lost = math.fsum(
                lost_hs
                for truth in settled
                for true_cause, lost_hs in truth[name]["losses_hs"].items()
                if SEEN_AS.get(true_cause, true_cause) == cause
            ) / len(settled)
            assert abs(figures.losses_hs[cause] - lost) < 0.01 * figures.deployed_hs
            assert bool(figures.losses_hs[cause]) == (name == "South")
