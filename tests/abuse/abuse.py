"""Hostile input, faults and soak runs against whole agents: one line a figure, and a table at the end.

    python tests/abuse/abuse.py [--minutes 20] [--only NAME ...] [--bound PART.FIGURE.MEASURE=NUMBER ...] [--list]

Every line says what was done and how often, what was lost, and what it cost. The exit status is 1 if a bound is broken
or, with CI=true, if this machine did not allow a figure; 2 for a mistake on the command line. `--minutes` scales the
length of all runs. `--only` takes a part (`http`) or a figure (`http.idle`). `--bound` replaces a bound for one run.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Mapping
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS.parent), str(TESTS / "support"), str(TESTS / "bench")]

import disk_abuse
import hostile_abuse
import http_abuse
import mqtt_abuse
import network_abuse
import process_abuse
import scraping
import soak
from figures import BoundError, Figure, not_done, read_bounds, rebound, table
from sites import Run
from steps import RefusedHereError, Step

from agent.runtime import logs

DEFAULT_MINUTES = 20.0
STEPS: tuple[Step, ...] = (
    *soak.STEPS,
    *hostile_abuse.STEPS,
    *http_abuse.STEPS,
    *mqtt_abuse.STEPS,
    *process_abuse.STEPS,
    *network_abuse.STEPS,
    *disk_abuse.STEPS,
)
NAMES = (*(name for step in STEPS for name in step.names), scraping.NAME)


def main() -> int:
    """Run the chosen steps; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=DEFAULT_MINUTES, help="about how long a whole run takes")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="parts or figures")
    parser.add_argument("--bound", nargs="+", default=[], metavar="NAME=NUMBER", help="bounds in place of the usual")
    parser.add_argument("--list", action="store_true", help="print the names of all figures")
    arguments = parser.parse_args()
    if arguments.list:
        print("\n".join(NAMES))
        return 0
    for name in arguments.only:
        if not any(is_chosen(each, [name]) for each in NAMES):
            parser.error(f"--only {name}: there is no such part or figure; --list prints them")
    try:
        bounds = read_bounds(arguments.bound)
    except BoundError as error:
        parser.error(str(error))
    logs.set_up("error", "console")
    began_s = time.monotonic()
    figures = asyncio.run(run_all(arguments.only, bounds, arguments.minutes / DEFAULT_MINUTES))
    broken = [figure.name for figure in figures if figure.verdict == "BROKEN"]
    refused = [figure.name for figure in figures if figure.verdict == "NOT DONE"]
    print(f"\n{table(figures)}\n")
    print(f"{len(figures)} figures in {(time.monotonic() - began_s) / 60:.1f} minutes: ", end="")
    print(f"{len(figures) - len(broken) - len(refused)} kept", end="")
    print(f"; broken: {', '.join(broken)}" if broken else "", end="")
    print(f"; not done here: {', '.join(refused)}" if refused else "")
    return 1 if broken or (refused and os.environ.get("CI") == "true") else 0


def is_chosen(name: str, only: list[str]) -> bool:
    """Return True if a figure is to be made; the scrapes of all others always are."""
    return not only or any(name == each or name.startswith(f"{each}.") for each in only)


async def run_all(only: list[str], bounds: Mapping[str, float], scale: float) -> list[Figure]:
    """Make the chosen figures one after another, and print each."""
    figures = []

    def show(figure: Figure) -> None:
        figures.append(rebound(figure, bounds))
        print(figures[-1], flush=True)

    with tempfile.TemporaryDirectory(prefix="hashsight-abuse-") as name:
        folder = Path(name)
        # Mosquitto started as root may change to another user, who must get in.
        folder.chmod(0o711)
        async with scraping.prometheus(folder / "prometheus") as scraped:
            run = Run(folder=folder, scale=scale, scraping=scraped, is_wanted=lambda name: is_chosen(name, only))
            for step in STEPS:
                if any(map(run.is_wanted, step.names)):
                    for figure in await made(step, run):
                        show(figure)
            if scraped is None:
                show(scraping.missing())
            elif scraped.is_used:
                show(await scraped.figure())
    return figures


async def made(step: Step, run: Run) -> list[Figure]:
    """Make the figures of a step; whatever goes wrong is their trouble, and the run goes on."""
    try:
        async with asyncio.timeout(step.most_s * max(1.0, run.scale) + 60):
            found = await step.measure(run)
    except RefusedHereError as error:
        return [not_done(name, step.done, str(error)) for name in step.names]
    except TimeoutError:
        traceback.print_exc()
        return [Figure(name=name, done=step.done, trouble="it did not end in time") for name in step.names]
    except (Exception, SystemExit) as error:  # noqa: BLE001 - printed, and the figure is broken
        traceback.print_exc()
        said = str(error).strip().splitlines()
        trouble = f"{type(error).__name__}: {said[0] if said else ''}"[:300]
        return [Figure(name=name, done=step.done, trouble=trouble) for name in step.names]
    return [found] if isinstance(found, Figure) else found


if __name__ == "__main__":
    sys.exit(main())
