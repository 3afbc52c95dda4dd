"""Bad networks between an agent and its units: late and lossy, a black hole, and a link that comes and goes."""

import asyncio
import time

from figures import Figure, Measure, lost
from namespaces import Far, far
from sites import Compared, Run, every
from steps import Step

UNITS = 100
INTERVAL_S = 5.0
# A poll fails if its SYN or the answer to it is lost twice in two seconds: 0.16 % of polls at 2 % a packet.
FAILED_RATIO = 0.01
DELAY_S, LOSS_RATIO = 0.025, 0.02
# The first unit to answer brings the others back. A unit rests for 15 s after a poll that was under way when the link
# came back, and is asked within an interval and answered within a deadline then: 27 s; a busy machine takes longer.
MOST_BACK_S = 45.0


async def lossy(run: Run) -> Figure:
    """Poll over 50 ms of latency and 2 % of loss."""
    length_s = run.seconds(60, least_s=15)
    async with far(run, "network.lossy", units=UNITS, interval_s=INTERVAL_S) as there:
        site = there.site
        await there.shape(delay_s=DELAY_S, loss_ratio=LOSS_RATIO)
        polls = await site.polls()
        async with site.compared(left_out=lambda _: True) as compared:
            await asyncio.sleep(length_s)
        done = await site.polls() - polls
        packets = await there.packets()
        made = sum(count for result, count in done.items() if result != "missed")
        failed = made - done["ok"]
        return Figure(
            name="network.lossy",
            done="polls over 50 ms of latency and 2 % loss",
            times=int(made),
            losses=(
                lost("polls-failed", failed, made, most=FAILED_RATIO * made),
                lost("polls-missed", done["missed"], made, most=made // 100),
                # Each unit whose connection failed is one of a hundred.
                *compared.losses(points=1.0 + 100 / UNITS * max(1.0, failed)),
            ),
            costs=(
                Measure(name="packets-lost", value=packets["dropped"], of=packets["dropped"] + packets["passed"]),
                *(await site.probe()).costs(),
            ),
        )


async def black_hole(run: Run) -> Figure:
    """Drop every packet, then refuse every connection: only a refused one says anything about a unit."""
    length_s = run.seconds(45, least_s=25)
    async with far(run, "network.black-hole", units=UNITS, interval_s=INTERVAL_S) as there:
        site = there.site
        before = await covered(there)
        await there.shape(loss_ratio=1.0)
        polls = await site.polls()
        await asyncio.sleep(length_s)
        dark = await site.shown()
        done = await site.polls() - polls
        await there.shape()
        began_s = time.monotonic()
        back = await until_covered(there, 1.0, within_s=MOST_BACK_S)
        back_s = time.monotonic() - began_s
        # The farm ends: its machine refuses connections.
        there.farm.process.terminate()
        await there.farm.process.wait()
        refused = await until_covered(there, 0.99, within_s=0, after_s=4 * INTERVAL_S)
        gone = await site.shown()
        return Figure(
            name="network.black-hole",
            done="polls into a black hole, and then of units that refuse",
            times=int(sum(count for result, count in done.items() if result != "missed")),
            losses=(
                lost("polls-that-succeeded", done["ok"], most=UNITS),
                Measure(name="coverage-before", value=before, least=0.99, digits=2),
                Measure(name="coverage-in-the-black-hole", value=dark["coverage_ratio"], most=0.0, digits=2),
                Measure(name="operating-in-the-black-hole", value=dark["operating_hs"], most=0.0),
                Measure(name="coverage-after-it", value=back, least=1.0, digits=2),
                Measure(name="coverage-when-refused", value=refused, least=0.99, digits=2),
                Measure(name="operating-when-refused", value=gone["operating_hs"], most=0.0),
            ),
            costs=(Measure(name="until-covered-again", value=back_s, most=MOST_BACK_S, unit="s", digits=1),),
        )


async def flapping(run: Run) -> Figure:
    """Let the link come and go every few seconds, then stay."""
    length_s = run.seconds(60, least_s=20)
    async with far(run, "network.flapping", units=UNITS, interval_s=INTERVAL_S) as there:
        site, compared, above = there.site, Compared(), 0.0
        polls = await site.polls()

        async def flap() -> None:
            for loss_ratio in (1.0, 0.0):
                await there.shape(loss_ratio=loss_ratio)
                await asyncio.sleep(3)
                await look()

        async def look() -> None:
            nonlocal above
            truth, figures = (await site.truth())["site"], await site.shown()
            if figures is None:
                compared.withheld += 1
                return
            compared.times += 1
            off = figures["operating_hs"] - truth["hashrate_hs"]
            above = max(above, 100 * off / truth["deployed_hs"])
            sums = figures["deployed_hs"] - sum(figures["losses_hs"].values()) + figures["uplift_hs"]
            compared.failed += abs(sums - figures["operating_hs"]) > 1e-9 * figures["deployed_hs"]

        flaps = await every(flap, 0.0, length_s)
        await there.shape()
        began_s = time.monotonic()
        # What is not known of a unit when the link returns is not known before the agent can have asked it.
        back = await until_covered(there, 1.0, within_s=MOST_BACK_S)
        back_s = time.monotonic() - began_s
        async with site.compared() as after:
            await asyncio.sleep(INTERVAL_S)
        done = await site.polls() - polls
        made = sum(count for result, count in done.items() if result != "missed")
        return Figure(
            name="network.flapping",
            done="a link that is down for 3 s of 6",
            times=flaps,
            losses=(
                Measure(name="points-above-the-truth", value=above, most=1.0, digits=2),
                lost("sums-that-do-not-add-up", compared.failed, compared.times),
                Measure(name="coverage-after-it", value=back, least=1.0, digits=2),
                *after.losses(),
            ),
            costs=(
                Measure(name="polls-failed", value=made - done["ok"], of=made),
                Measure(name="until-covered-again", value=back_s, most=MOST_BACK_S, unit="s", digits=1),
            ),
        )


async def covered(there: Far) -> float:
    """Return the coverage that the agent shows; 0 without figures."""
    figures = await there.site.shown()
    return 0.0 if figures is None else float(figures["coverage_ratio"])


async def until_covered(there: Far, least: float, *, within_s: float, after_s: float = 0.0) -> float:
    """Wait until the coverage is at least so, after a time; return what it is then."""
    await asyncio.sleep(after_s)
    until_s = time.monotonic() + within_s
    while (now := await covered(there)) < least and time.monotonic() < until_s:  # noqa: ASYNC110
        await asyncio.sleep(0.25)
    return now


STEPS = (
    Step("network.lossy", "polls over 50 ms of latency and 2 % loss", lossy),
    Step("network.black-hole", "polls into a black hole", black_hole, 240),
    Step("network.flapping", "a link that comes and goes", flapping, 240),
)
