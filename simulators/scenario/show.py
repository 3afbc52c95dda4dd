"""A scenario as text for people: its programme, the state of the site meanwhile, and its outcome."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

from simulators.farm.farm import Farm
from simulators.farm.truth import SiteTruth, site_truth
from simulators.scenario.player import Line, Playing

_LOOK_S = 0.2  # Real seconds between two readings of a clock that the control API may set.
_HS_PER_PHS = 1e15


def milestones(playing: Playing, every_s: float | None) -> list[Line]:
    """Return the programme until the end, with an empty line wherever the truth should be printed."""
    lines = [line for line in playing.programme if line.at <= playing.end]
    if every_s is not None:
        count = int((playing.end - playing.begin) / every_s)
        lines += [Line(playing.begin + number * every_s, "") for number in range(count + 1)]
    # At the same moment, an event comes before the truth that follows from it.
    return sorted(lines, key=lambda line: (line.at, not line.text))


def leap(farm: Farm, lines: Sequence[Line]) -> Iterator[str]:
    """Take the farm from line to line as fast as they are read, and yield each as text."""
    for line in lines:
        farm.clock.set(max(line.at, farm.clock.now()))
        yield _text(farm, line)


async def announce(farm: Farm, playing: Playing, *, every_s: float | None, say: Callable[[str], None]) -> None:
    """Print each line when simulated time reaches it; return when the scenario is over."""
    for line in milestones(playing, every_s):
        await _reach(farm, line.at)
        say(_text(farm, line))
    await _reach(farm, playing.end)


def outcome(farm: Farm, t: float) -> str:
    """Return the outcome from the farm's start to `t`, in a few lines."""
    truth = site_truth(farm, t)
    mean_hs = truth["mean_hashrate_hs"]
    if mean_hs is None:
        return "nothing was played"
    deployed_hs = truth["deployed_hs"]
    lines = [
        f"from {_utc(farm.start)} to {_utc(t)} UTC",
        f"average {_phs(mean_hs)} of {_phs(deployed_hs)} PH/s deployed, {mean_hs / deployed_hs:.2%}",
    ]
    parts = sorted(truth["mean_losses_hs"].items(), key=lambda item: -item[1])
    for name, lost_hs in [*parts, ("uplift", -(truth["mean_uplift_hs"] or 0.0))]:
        lines.append(f"  {name:16} {lost_hs / _HS_PER_PHS:8.3f} PH/s {lost_hs / deployed_hs:8.2%}")
    return "\n".join(lines)


async def _reach(farm: Farm, at: float) -> None:
    """Wait until simulated time reaches `at`."""
    while (ahead_s := at - farm.clock.now()) > 0.0:
        speed = farm.clock.speed
        await asyncio.sleep(min(_LOOK_S, ahead_s / speed) if speed else _LOOK_S)


def _text(farm: Farm, line: Line) -> str:
    if line.text:
        return f"{_utc(line.at)}  {line.text}"
    now = farm.clock.now()
    return f"{_utc(now)}  {_state_of_site(site_truth(farm, now))}"


def _state_of_site(truth: SiteTruth) -> str:
    losses = sorted(truth["losses_hs"].items(), key=lambda item: -item[1])
    lost = ", ".join(f"{_phs(lost_hs)} {cause}" for cause, lost_hs in losses)
    share = truth["operational_efficiency_ratio"]
    return f"{_phs(truth['hashrate_hs'])} of {_phs(truth['deployed_hs'])} PH/s, {share:.2%}" + (
        f"; lost: {lost}" if lost else ""
    )


def _phs(rate_hs: float) -> str:
    return f"{rate_hs / _HS_PER_PHS:.3f}"


def _utc(t: float) -> str:
    return datetime.fromtimestamp(t, UTC).strftime("%Y-%m-%d %H:%M:%S")
