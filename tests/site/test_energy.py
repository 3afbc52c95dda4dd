"""Energy: joules by source from one moment's figures to the next."""

import pytest
from site_cases import AT, Case, entry, reading, statuses

from agent.site.energy import Energy, EnergyBook
from agent.site.ledger.entries import NO_OWNER, Place
from agent.site.metered import UNMETERED, Metered
from agent.site.power import PowerSource
from agent.site.totals import SiteFigures, site_figures

ESTIMATED, METERED = PowerSource.ESTIMATED, PowerSource.METERED


def figures(watts: dict[str, float], metered: Metered = UNMETERED) -> SiteFigures:
    """Return the figures of one unit per container, each reporting its watts."""
    cases = [
        Case(
            entry=entry(f"u-{name}", place=Place(container=name)),
            reading=reading(f"u-{name}", power_watts=power_watts),
            error=None,
            is_stale=False,
        )
        for name, power_watts in watts.items()
    ]
    return site_figures(statuses(cases), AT, metered=metered)


def advanced(*moments: tuple[float, SiteFigures], interval_s: float = 10.0) -> Energy:
    """Return the energy after `moments` on the clock."""
    book = EnergyBook(interval_s=interval_s)
    for clock_s, running in moments:
        book.advance(running, clock_s)
    return book.energy


def test_the_first_moment_has_no_past() -> None:
    """The first figures add nothing: the site was not watched before them."""
    assert advanced((5.0, figures({"C1": 3000.0}))) == Energy(site={}, by_container={"C1": {}})


def test_power_times_time() -> None:
    """3 kW for ten seconds are 30 kJ; rising to 4 kW, 35 more."""
    before = figures({"C1": 3000.0})
    energy = advanced((0.0, before), (10.0, before), (20.0, figures({"C1": 4000.0})))
    assert energy == Energy(site={ESTIMATED: 65_000.0}, by_container={"C1": {ESTIMATED: 65_000.0}})


@pytest.mark.parametrize(
    ("gap_s", "interval_s", "joules"),
    [
        (30.0, 10.0, 90_000.0),
        (30.1, 10.0, None),
        (3600.0, 10.0, None),
        (10.0, 1.0, 30_000.0),
        (10.1, 1.0, None),
        (0.0, 10.0, None),
        (-5.0, 10.0, None),
    ],
)
def test_a_gap_adds_nothing(gap_s: float, interval_s: float, joules: float | None) -> None:
    """Three intervals are a hiccup (or ten seconds, where those are longer); longer gaps add nothing."""
    running = figures({"C1": 3000.0})
    site = {} if joules is None else {ESTIMATED: joules}
    assert advanced((100.0, running), (100.0 + gap_s, running), interval_s=interval_s).site == site


def test_counting_goes_on_after_a_gap() -> None:
    """A gap keeps the joules added up before it."""
    running = figures({"C1": 3000.0})
    assert advanced((0.0, running), (10.0, running), (500.0, running), (510.0, running)).site == {ESTIMATED: 60_000.0}


def test_each_joule_has_the_source_of_its_watts() -> None:
    """A container's meter that lapses half way leaves metered joules behind and estimated ones from then on."""
    metered = figures({"C1": 3000.0, "C2": 1000.0}, Metered(container_watts={"C1": 3300.0}))
    lapsed = figures({"C1": 3000.0, "C2": 1000.0})
    energy = advanced((0.0, metered), (10.0, metered), (20.0, lapsed))
    assert energy.by_container == {
        "C1": {METERED: 33_000.0 + 16_500.0, ESTIMATED: 15_000.0},
        "C2": {ESTIMATED: 20_000.0},
    }
    assert energy.site == {METERED: 49_500.0, ESTIMATED: 10_000.0 + 25_000.0}


def test_a_container_that_is_gone_is_forgotten() -> None:
    """A container that is gone has no energy; if it comes back it begins at zero, as a counter may."""
    both, one = figures({"C1": 3000.0, "C2": 1000.0}), figures({"C1": 3000.0})
    energy = advanced((0.0, both), (10.0, both), (20.0, one), (30.0, both))
    assert energy.by_container == {"C1": {ESTIMATED: 90_000.0}, "C2": {}}


def test_what_was_given_does_not_change_any_more() -> None:
    """An energy value does not change while the book goes on."""
    book, running = EnergyBook(interval_s=10), figures({"C1": 3000.0})
    book.advance(running, 0.0)
    first = book.advance(running, 10.0)
    book.advance(running, 20.0)
    assert first.site == {ESTIMATED: 30_000.0}
    assert first.by_container["C1"] == {ESTIMATED: 30_000.0}


def test_owners_energy_is_by_their_units() -> None:
    """An owner's joules are its units' own figures, whatever a meter of the site reads; one that left begins anew."""
    units = statuses(
        [
            Case(
                entry=entry(f"u-{owner}", owner=owner),
                reading=reading(f"u-{owner}", power_watts=watts),
                error=None,
                is_stale=False,
            )
            for owner, watts in (("North", 3000.0), ("", 1000.0))
        ]
    )
    both = site_figures(units, AT, metered=Metered(site_watts=5000.0, container_watts={}))
    energy = advanced((0.0, both), (10.0, both))
    assert energy.by_owner == {"North": {ESTIMATED: 30_000.0}, NO_OWNER: {ESTIMATED: 10_000.0}}
    assert energy.site == {METERED: 50_000.0}
    alone = site_figures(units[1:], AT)
    assert advanced((0.0, both), (10.0, both), (20.0, alone)).by_owner == {}
