"""Units that send what costs an agent dear, beside sound ones: figures, sound units, CPU, and series."""

import asyncio
import time
from typing import Any, NamedTuple

from figures import Figure, Measure, lost
from programs import get
from prometheus_client.parser import text_string_to_metric_families
from sites import Run, Site, watched
from steps import Step

SOUND, HOSTILE = 500, 20
INTERVAL_S = 5.0
# A reading counts for three intervals, the round that drops it comes within another, and a poll may take its deadline.
SETTLE_S = 4 * INTERVAL_S + 3.0
LOOK_S = 1.0
# CPU with 4 % of hostile units over that without.
MOST_TIMES = 2.5


class Kind(NamedTuple):
    """One kind of hostile unit.

    Attributes:
        name: Its name.
        done: What such units send.
        fault: The simulators' fault.
        values: Its values.
        is_readable: True if the units can be read all the same.
    """

    name: str
    done: str
    fault: str
    values: dict[str, Any]
    is_readable: bool = False


KINDS = (
    Kind("brackets", "polls answered with 1 MiB of brackets", "brackets", {"size_bytes": 1 << 20}),
    Kind("nans", "polls answered with 1 MiB of nan", "nans", {"size_bytes": 1 << 20}),
    Kind("commas", "polls answered with 1 MiB of commas", "commas", {"size_bytes": 1 << 20}),
    Kind("large", "polls answered with 100 kB", "large_reply", {"size_bytes": 100_000}),
    Kind("small", "polls answered with 20 kB of brackets, below the cap", "brackets", {"size_bytes": 20_000}),
    Kind("stalls", "polls answered with almost the cap, and no more", "stalls_in_reply", {"size_bytes": 60_000}),
    Kind("firmware", "polls answered with another firmware each time", "firmware_each_reply", {}, is_readable=True),
)


class Work(NamedTuple):
    """What an agent did up to a moment: CPU, s; monotonic time, s; polls by result."""

    cpu_s: float
    at_s: float
    polls: dict[str, float]

    def since(self, before: "Work") -> tuple[float, float, float]:
        """Return share of a core, successful and failed polls a second."""
        length_s = self.at_s - before.at_s
        ok = self.polls.get("ok", 0) - before.polls.get("ok", 0)
        made = sum(count for result, count in self.polls.items() if result != "missed")
        made -= sum(count for result, count in before.polls.items() if result != "missed")
        return (self.cpu_s - before.cpu_s) / length_s, ok / length_s, (made - ok) / length_s


class Sound(NamedTuple):
    """An agent while all units are sound: share of a core, CPU of a poll, s, and the series of `miner_info`."""

    cpu_share: float
    cpu_s_a_poll: float
    infos: set[str]


async def work_of(site: Site) -> Work:
    """Return what the agent has done so far."""
    return Work(site.cpu_s(), time.monotonic(), dict(await site.polls()))


async def infos(site: Site) -> set[str]:
    """Return the series of `miner_info` now."""
    _, text = await get(f"{site.url}/metrics")
    return {
        str(sorted(sample.labels.items()))
        for family in text_string_to_metric_families(text)
        if family.name == "miner_info"
        for sample in family.samples
    }


async def hostile(run: Run) -> list[Figure]:
    """Let some units turn hostile, one kind after the other."""
    length_s = run.seconds(12, least_s=6)
    found = []
    kinds = [kind for kind in KINDS if run.is_wanted(f"hostile.{kind.name}")]
    async with watched(run, run.room("hostile"), units=SOUND + HOSTILE, interval_s=INTERVAL_S) as site:
        ids = [unit["unit_id"] for unit in (await site.ask(f"/api/v1/units?limit={SOUND + HOSTILE}"))["units"]]
        chosen = set(ids[:: len(ids) // HOSTILE][:HOSTILE])
        for kind in kinds:
            # Just before, because others use the machine too.
            before = await work_of(site)
            # Looks take CPU too, so there are as many as later.
            async with site.compared(every_s=LOOK_S):
                await asyncio.sleep(length_s)
            share, ok, _ = (await work_of(site)).since(before)
            sound = Sound(share, share / ok, await infos(site))
            await site.inject(kind.fault, sorted(chosen), **kind.values)
            await asyncio.sleep(SETTLE_S)
            found.append(await _one(site, kind, chosen, sound, length_s))
            await site.clear()
    return found


async def _one(site: Site, kind: Kind, chosen: set[str], sound: Sound, length_s: float) -> Figure:
    """Measure one kind while its units are hostile."""
    await site.probe()
    memory_mb = site.memory_mb()
    site.forget_peak()
    before = await work_of(site)
    async with site.compared(left_out=chosen.__contains__, is_counted=kind.is_readable, every_s=LOOK_S) as compared:
        await asyncio.sleep(length_s)
    now = await work_of(site)
    share, ok, failed = now.since(before)
    expected_ok = SOUND / INTERVAL_S + (HOSTILE / INTERVAL_S if kind.is_readable else 0)
    a_sound_poll = sound.cpu_s_a_poll
    hostile_polls = HOSTILE / INTERVAL_S if kind.is_readable else failed
    a_hostile_poll = (share - a_sound_poll * min(ok, SOUND / INTERVAL_S)) / max(hostile_polls, 0.01)
    # One more for each hostile unit in ten minutes, and ten minutes may end here.
    new = await infos(site) - sound.infos
    return Figure(
        name=f"hostile.{kind.name}",
        done=f"{kind.done}, {HOSTILE} such units beside {SOUND}",
        times=round(hostile_polls * length_s),
        losses=(
            # The phases of 500 units are not those of the moments at which polls are counted.
            lost(
                "polls-of-sound-units",
                max(0, round((expected_ok - ok) * length_s)),
                most=round(0.05 * expected_ok * length_s),
            ),
            *compared.losses(),
        ),
        costs=(
            Measure(name="cpu-over-sound-units-alone", value=share / sound.cpu_share, most=MOST_TIMES, digits=2),
            # A difference of two measurements: on a busy machine it is rough, and may vanish.
            Measure(name="cpu-a-hostile-poll", value=max(0.0, a_hostile_poll * 1e3), unit="ms", digits=1),
            Measure(name="memory", value=site.peak_mb() - memory_mb, most=30, unit="MB", digits=1),
            Measure(name="new-names-of-firmware", value=len(new), most=2 * HOSTILE),
            *(await site.probe()).costs(),
        ),
    )


STEPS = (
    Step(
        "hostile",
        "polls of hostile units beside sound ones",
        hostile,
        480,
        tuple(f"hostile.{kind.name}" for kind in KINDS),
    ),
)
