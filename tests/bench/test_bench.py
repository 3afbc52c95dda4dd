"""Each benchmark runs briefly on a few units, ends well and prints its figures. No test measures time."""

import math
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from paths import ROOT

BENCH = ROOT / "tests" / "bench"
NUMBER = r"[+-]?[0-9][0-9,]*(?:\.[0-9]+)?"
LEFT_OUT = "left out: network namespaces need root"
AGENT = (
    rf"serving after {NUMBER} s \({NUMBER} s of CPU\), first whole round {NUMBER} s later",
    rf"{NUMBER}% of a core, {NUMBER} polls/s, {NUMBER} us each",
    rf"{NUMBER} kB a unit above the idle process; {NUMBER} polls missed",
    rf"loop lag p99 {NUMBER} ms, worst {NUMBER} ms; its own {NUMBER} and {NUMBER}",
    rf"p99 age of readings {NUMBER} s",
)


def printed(name: str, *options: str) -> str:
    """Run a benchmark and return its output; every figure in it must be a finite number."""
    done = subprocess.run(
        [sys.executable, str(BENCH / name), *options],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert not re.search(r"\b(?:nan|inf)\b", done.stdout), done.stdout
    assert all(math.isfinite(float(number.replace(",", ""))) for number in re.findall(NUMBER, done.stdout))
    return done.stdout


@pytest.mark.parametrize(
    ("name", "options", "lines"),
    [
        (
            "bench_polls.py",
            ("--units", "20", "--runs", "1", "--seconds", "0.3", "--memory-units", "20", "--alone"),
            (
                rf"hashsight, whole path +{NUMBER} +{NUMBER} +{NUMBER} +1.00x",
                rf"10,000 units every 10 s take {NUMBER} % of one core",
                rf"memory: {NUMBER} MB idle, {NUMBER} MB with 20 units read and rendered: {NUMBER} kB a unit",
            ),
        ),
        (
            "bench_readers.py",
            ("--units", "4", "--runs", "1", "--seconds", "0.1"),
            (
                rf"antminer +{NUMBER} +{NUMBER} +1.00x",
                *(
                    rf"{name} +{NUMBER} +{NUMBER} +{NUMBER}x\n +(?:NOT REACHED|reached): {name}: {NUMBER} times"
                    for name in ("braiins", "luxos", "vnish", "epic")
                ),
            ),
        ),
        (
            "bench_fleet.py",
            ("steady", "--units", "20", "--interval", "1", "--seconds", "2"),
            (*AGENT, r"(?:NOT REACHED|reached): [0-9]+ polls missed \(none\)"),
        ),
        (
            "bench_hour.py",
            ("--units", "20", "--interval", "1", "--minutes", "3", "--minute", "1"),
            (
                rf"(?:NOT REACHED|reached): memory grows by {NUMBER}% an hour after warming up \(under 1 %\)",
                rf"(?:NOT REACHED|reached): {NUMBER} of {NUMBER} polls skipped \(none\)",
            ),
        ),
        (
            "bench_fleet.py",
            ("sick", "--units", "20", "--interval", "1", "--seconds", "2"),
            (*AGENT, rf"(?:NOT REACHED|reached): healthy units keep {NUMBER}% of their polls \(over 90 %\)"),
        ),
        (
            "bench_fleet.py",
            ("scale", "--units", "40", "--interval", "1", "--seconds", "3", "--shards", "2"),
            (
                *AGENT,
                rf"operating is {NUMBER}% off the truth in the worst of [0-9]+ rounds",
                rf"{NUMBER} us of CPU a poll and {NUMBER} kB a unit, in all {NUMBER}% of a core and {NUMBER} GB",
            ),
        ),
        (
            "bench_soak.py",
            ("--units", "60", "--polls", "300", "--modes", "sick"),
            (
                rf"sick: {NUMBER} polls, {NUMBER} MB after the warm-up, {NUMBER} MB at the end",
                rf"a million polls: {NUMBER} MB \({NUMBER}%\), {NUMBER} objects",
                rf"(?:NOT REACHED|reached): resident memory grows by {NUMBER}% a million polls \(under 1%\)",
            ),
        ),
        (
            "bench_scrape.py",
            ("40",),
            (
                rf"scrape, gzip: CPU of the loop +{NUMBER} ms",
                rf"(?:NOT REACHED|reached): a scrape of the site takes {NUMBER} ms",
                r"reached: ten scrapers at once share one body",
            ),
        ),
        (
            "bench_pages.py",
            ("--units", "40", "--viewers", "2", "--interval", "1", "--seconds", "1", "--refresh", "0.2"),
            (
                rf"site +{NUMBER} +{NUMBER} +{NUMBER} +{NUMBER} +{NUMBER} +{NUMBER}",
                rf"reached: units: {NUMBER} kB compressed \(under 60\)",
                rf"racks: {NUMBER} ms of the loop, {NUMBER} ms at once at most \(under 50 and 10\)",
                rf"with viewers: {NUMBER} polls/s, [0-9]+ missed, {NUMBER}% of a core; [0-9]+ pages, slowest {NUMBER}",
                rf"{NUMBER}% of the polls beside viewers \(over 99 %\)",
            ),
        ),
        (
            "bench_figures.py",
            ("400",),
            (
                r"400 units, medians of 9; [89][0-9]\.[0-9]% operating",
                rf"site_figures +{NUMBER} ms",
                rf"tracker\.record +{NUMBER} us a poll",
            ),
        ),
        (
            "bench_history.py",
            ("1", "1"),
            (rf"site rows +{NUMBER} MB, {NUMBER} bytes each", rf"one minute written +{NUMBER} ms"),
        ),
        (
            "bench_chain.py",
            ("1", "1"),
            (
                rf"the chain adds +{NUMBER} %",
                rf"writer's CPU a minute +{NUMBER} ms without, {NUMBER} ms with the chain",
                rf"verify +{NUMBER} s, [0-9,]+ links, [0-9,]+ digests",
            ),
        ),
        (
            "bench_fleet_page.py",
            ("--sites", "3", "--units", "20", "--interval", "1", "--seconds", "1"),
            (
                rf"3 sites x 20 units: every site current after {NUMBER} s",
                rf"page {NUMBER} kB, {NUMBER} kB compressed; {NUMBER}% of a core",
                rf"reached: {NUMBER} MB at most \(below 100 MB\)",
            ),
        ),
        (
            "bench_hostile.py",
            (
                *("--units", "20", "--hostile", "1", "--kinds", "nans"),
                *("--interval", "1", "--settle", "1", "--seconds", "2"),
            ),
            (
                rf"1 nans +published {NUMBER}% of {NUMBER}% true, [0-9]+ unreachable;",
                rf"{NUMBER} \+ {NUMBER} failed polls/s, {NUMBER}% of a core, {NUMBER} MB, {NUMBER} ms of CPU a hostile",
                rf"(?:NOT REACHED|reached): published is {NUMBER} points off the truth",
            ),
        ),
        (
            "bench_recovery.py",
            ("--units", "20", "--interval", "1", "--runs", "1"),
            (
                rf"/readyz 200: {NUMBER} s, {NUMBER} intervals; worst {NUMBER} s",
                rf"{NUMBER} MB, {NUMBER} kB/s to the disk",
                rf"CPU {NUMBER} ms on the loop in slices of {NUMBER} ms at most, {NUMBER} ms in a thread",
            ),
        ),
        (
            "bench_scan.py",
            ("--units", "5", "--repeats", "1", "--interval", "1", "--alone", "--no-large"),
            (
                rf"{LEFT_OUT}|hashsight +{NUMBER} s, [0-5] identified, {NUMBER} s of CPU",
                rf"{LEFT_OUT}|(?:NOT REACHED|reached): [0-5] of 5 identified \(all, in each run\)",
                rf"{LEFT_OUT}|(?:NOT REACHED|reached): {NUMBER} of {NUMBER} polls failed or were skipped",
            ),
        ),
        (
            "bench_simulator.py",
            ("--units", "20", "--seconds", "0.2", "--runs", "1"),
            (rf"stats, new dialect +{NUMBER} +{NUMBER} +{NUMBER}/s",),
        ),
    ],
    ids=[
        "polls",
        "readers",
        "steady",
        "hour",
        "sick",
        "scale",
        "soak",
        "scrape",
        "pages",
        "figures",
        "history",
        "chain",
        "fleet page",
        "hostile",
        "recovery",
        "scan",
        "simulator",
    ],
)
def test_benchmark_runs(name: str, options: tuple[str, ...], lines: tuple[str, ...]) -> None:
    """A benchmark ends with status 0 and prints its main lines with figures."""
    shown = printed(name, *options)
    for line in lines:
        assert re.search(line, shown), f"{line} is not in\n{shown}"


def test_growth_is_drawn(tmp_path: Path) -> None:
    """The picture has a bar for each size in both panels, and a reload replaces one unit alone."""
    picture = tmp_path / "growth.svg"
    shown = printed(
        "bench_fleet.py",
        *("growth", "--counts", "10", "20", "--interval", "1", "--seconds", "2", "--svg", str(picture)),
    )
    assert "reached: a reload with one changed row replaces 1 of 20 units" in shown
    drawn = picture.read_text(encoding="utf-8")
    assert drawn.count('fill="#3d71d9"') == 4
    assert ">10</text>" in drawn
    assert ">20</text>" in drawn


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="another commit is needed, and this is no clone")
def test_another_commit_is_compared() -> None:
    """A comparison with HEAD prints the CPU of both and their ratio."""
    shown = printed("compare.py", "HEAD", "--runs", "1", "--seconds", "0.2", "--memory-units", "0")
    assert re.search(rf"CPU a poll, us +{NUMBER} +{NUMBER} +{NUMBER}", shown), shown
