"""The wall: its number, what holds now, and what it never claims."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from exporter_cases import AT, entry, gone_silent, reading, status
from paths import ROOT
from web_site import UNITS, served, source

from agent.errors import UnreachableError
from agent.exporters.web.pages.conditions import LOOKED_FOR, Known, conditions
from agent.exporters.web.pages.frame import Frame
from agent.exporters.web.pages.wall_page import ShownWall, render_wall
from agent.site.curtailment.events import Event, Scope
from agent.site.firing import Firing, FiringAlert
from agent.site.ledger.entries import Place
from agent.site.repairs.entries import RepairEntry
from agent.site.repairs.symptoms import Symptom
from agent.site.status import Cause, UnitStatus
from agent.site.totals import Figures, site_figures

WELL = tuple(status(entry(f"u{number}"), reading(f"u{number}")) for number in range(20))


def site(**changes: Any) -> Figures:
    """Return the figures of a healthy site."""
    return replace(site_figures(WELL, AT).site, **changes)


def listed(symptom: Symptom, units: int = 1) -> tuple[RepairEntry, ...]:
    """Return entries of the walk list."""
    return tuple(
        RepairEntry(
            id=number,
            symptom=symptom,
            unit_id=f"u{number}",
            place=Place(container=f"C{number}"),
            words="",
            since=AT,
            opened_at=AT,
        )
        for number in range(1, units + 1)
    )


def wall(statuses: tuple[UnitStatus, ...] = WELL, *, has_figures: bool = True, **changes: Any) -> str:
    """Return the page."""
    frame = Frame(site="nd-1", version="1", now=AT + 4, figures_at=AT if has_figures else None)
    figures = site_figures(statuses, AT) if has_figures else None
    return render_wall(replace(ShownWall(frame=frame, figures=figures, statuses=statuses), **changes))


@pytest.mark.parametrize(
    ("known", "alert", "words"),
    [
        ({"unreadiness": "figures are 40 s late"}, "MiningAgentLate", "figures are 40 s late"),
        ({"lateness": "3 of 20 units"}, "MiningAgentLate", "3 of 20 units"),
        ({"repairs": listed(Symptom.CONTAINER_DARK)}, "MiningContainerDark", "container C1 dark"),
        (
            {"repairs": listed(Symptom.CONTAINER_DARK, 5)},
            "MiningContainerDark",
            "containers C1, C2, C3 and 2 more dark",
        ),
        ({"dark": ("C9",)}, "MiningContainerDark", "container C9 dark"),
        ({"dark": ("C1",), "repairs": listed(Symptom.CONTAINER_DARK)}, "MiningContainerDark", "container C1 dark"),
        ({"repairs": listed(Symptom.NO_POOL_ALIVE, 2)}, "MiningPoolsDead", "2 units with no living pool"),
        ({"repairs": listed(Symptom.HOT)}, "MiningUnitsOverheating", "1 unit hot"),
        ({"repairs": listed(Symptom.FAN_STOPPED)}, "MiningFansStopped", "1 unit with a stopped fan"),
        ({"repairs": listed(Symptom.BOARD_MISSING)}, "MiningBoardsMissing", "1 unit with a missing board"),
        ({"site": site(stragglers=3)}, "MiningCurtailmentStragglers", "3 units above an event's target"),
        ({"site": site(unrestored=1)}, "MiningUnitsNotRestored", "1 unit not back after an event"),
        ({"site": site(known_hs=0.9 * 20 * 200e12)}, "MiningSiteCoverageLow", "coverage 90.0 %"),
        (
            {"site": site(operating_hs=0.8 * 20 * 200e12)},
            "MiningSiteEfficiencyLow",
            "efficiency 80.0 %, curtailment accounted for",
        ),
        ({"history_trouble": "disk full"}, "MiningHistoryNotWritten", "history is not being written"),
        ({"is_standby_active": True}, "MiningStandbyActive", "this standby took over"),
    ],
)
def test_each_condition_is_told_in_figures(known: dict[str, Any], alert: str, words: str) -> None:
    """One condition at a time, under the name of the alert behind which it stands."""
    assert conditions(Known(**{"site": site()} | known)) == [(alert, words)]


def test_a_healthy_site_shows_none_and_a_curtailed_one_is_accounted_for() -> None:
    """Nothing holds at a healthy site, nor where all that is missing is curtailed."""
    assert conditions(Known(site=site())) == []
    lost = site().losses_hs | {Cause.CURTAILED: 0.5 * 20 * 200e12}
    curtailed = site(operating_hs=0.45 * 20 * 200e12, losses_hs=lost)
    assert conditions(Known(site=curtailed)) == []
    waking = site(operating_hs=0.45 * 20 * 200e12, losses_hs=lost | {Cause.CURTAILED: 0.0, Cause.STARTING: 2e15})
    assert [each.alert for each in conditions(Known(site=waking))] == ["MiningSiteEfficiencyLow"]
    assert conditions(Known(site=waking, is_restoring=True)) == []
    assert conditions(Known(site=site_figures([], AT).site)) == []


def test_conditions_stand_behind_alerts_that_are_shipped() -> None:
    """Every name is an alert of the shipped rules."""
    rules = yaml.safe_load(Path(ROOT / "grafana/rules/alerts.yml").read_text(encoding="utf-8"))
    shipped = {rule.get("alert") for group in rules["groups"] for rule in group["rules"]}
    assert set(LOOKED_FOR) <= shipped


def test_the_wall_never_says_that_no_alert_fires() -> None:
    """Where nothing holds it says how much it looked for, and that it does not know which alerts fire."""
    html = wall()
    assert "none of the 13 that this agent can tell" in html
    assert "No Alertmanager is configured (web.alertmanager). Alerts may fire that are not here." in html
    assert "no alerts" not in html.casefold()


def test_figures_have_an_age_that_goes_on() -> None:
    """The figures' and the oldest counted reading's moments are there for the script's clock; without it, words."""
    old = msgspec.structs.replace(WELL[0], reading=reading("u0", at=AT - 20))
    stale = gone_silent("u1")
    html = wall((old, *WELL[1:], stale))
    assert f'figures <b data-age="{AT:.3f}">4 s</b> old' in html
    assert f'<span data-age="{AT - 20:.3f}">24 s</span>' in html
    assert "<noscript>" in html


def test_nothing_is_claimed_before_the_first_round() -> None:
    """Before figures there is no number and no list of conditions."""
    html = wall(has_figures=False, unreadiness="first round under way: 3 of 20 units not looked at yet")
    assert "not known yet" in html
    assert "first round under way" in html
    assert "Conditions now" not in html
    assert " %</p>" not in html


def test_a_figure_that_is_not_sure_is_not_coloured_as_good() -> None:
    """Late figures and low coverage take a good colour away and say so; a figure below the line keeps its colour."""
    assert 'class="ratio good"' in wall()
    late = wall(unreadiness="figures are 40 s late")
    assert 'class="ratio unsure"' in late
    assert "above the 90 % line, as far as is known" in late
    assert 'class="ratio fair"' in wall((*WELL, *(gone_silent(f"g{number}") for number in range(3))))


def test_simulated_units_that_do_not_count_have_no_oldest_reading() -> None:
    """The oldest reading is of those that the figures include."""
    ghost = status(entry("g", is_simulated=True), reading("g", at=AT - 500))
    assert ">504 s<" not in wall((*WELL, ghost), counts_simulated=False)
    assert "8 min</span>" in wall((*WELL, ghost))


async def test_the_wall_is_served() -> None:
    """It is a page among the others, with its own styles, and a way back."""
    async with served(source(UNITS)) as client, client.get("/wall") as response:
        html = await response.text()
    assert response.status == 200
    assert 'class="wall"' in html
    assert '<a href="./">nd-1</a>' in html
    assert "assets/walk.css?v=" in html


def test_units_that_start_after_an_event_are_accounted_for() -> None:
    """While an event is in force or restoring, efficiency is not called low for what it explains."""
    starting = tuple(
        status(entry(f"s{number}"), reading(f"s{number}", hashrate_5s_hs=0.0, uptime_s=60)) for number in range(10)
    )
    event = Event(id="e", scope=Scope(), start=AT - 3600, end=AT - 60, target_ratio=0.0, source="test")
    assert "curtailment accounted for" in wall((*WELL, *starting))
    assert "curtailment accounted for" not in wall((*WELL, *starting), events=(event,))
    over = replace(event, end=AT - 1800)
    assert "curtailment accounted for" in wall((*WELL, *starting), events=(over,))


def test_a_container_is_dark_on_the_wall_when_it_is_on_the_first_page() -> None:
    """The wall does not wait for the walk list; a curtailment of the container explains it on both."""
    rows = [entry(f"d{number}", place=Place(container="C2")) for number in range(5)]
    dark = tuple(
        status(each, reading(each.unit_id), error=UnreachableError("no answer"), is_fresh=False) for each in rows
    )
    assert "container C2 dark" in wall((*WELL, *dark))
    starting = tuple(status(each, reading(each.unit_id, hashrate_5s_hs=0.0, uptime_s=60)) for each in rows)
    event = Event(id="e", scope=Scope(container="C2"), start=AT - 3600, end=AT - 60, target_ratio=0.0, source="test")
    assert "container C2 dark" in wall((*WELL, *starting))
    assert "container C2 dark" not in wall((*WELL, *starting), events=(event,))


def test_faults_that_found_the_list_full_are_counted() -> None:
    """In a large outage the walk list is full; the wall counts what waits as well."""
    assert "<dd>2<small>on the walk list</small>" in wall(repairs=listed(Symptom.HOT, 2))
    shown = wall(repairs=listed(Symptom.HOT, 2), unlisted=18_000)
    assert "<dd>18,002<small>18,000 of them not on the full walk list</small>" in shown


def test_alerts_that_fire_stand_in_place_of_conditions() -> None:
    """With an Alertmanager the wall shows what fires, with its severity and its beginning in the site's zone."""
    dark = FiringAlert(name="MiningContainerDark", severity="critical", summary="container <C3> dark", since=AT - 600)
    html = wall(firing=Firing(alerts=(dark,), at=AT, trouble=None))
    assert "Alerts firing" in html
    assert "container &lt;C3&gt; dark" in html
    assert "critical since " in html
    assert "Conditions now" not in html
    none = wall(firing=Firing(alerts=(), at=AT, trouble=None))
    assert '<h2>Alerts firing</h2><p class="soft">none</p>' in none


def test_a_silent_alertmanager_is_not_a_quiet_one() -> None:
    """Without an answer it shows what the agent can tell, and why it does not know more."""
    html = wall(firing=Firing(alerts=None, at=AT - 90, trouble="HTTP status 502"))
    assert "Conditions now" in html
    assert "Alertmanager gives no answer: HTTP status 502. Alerts may fire that are not here." in html
    assert "Alerts firing" not in html
