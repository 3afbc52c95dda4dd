"""The abuse run: a broken bound, or a figure that a machine refuses under CI, ends it with status 1."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from paths import ROOT

ABUSE = ROOT / "tests" / "abuse"
SMALLEST = "http.ten-scrapers"
# What a machine with other work may break by itself.
PATIENT = tuple(f"{SMALLEST}.{measure}=1e9" for measure in ("polls-missed", "own-lag", "collector-pause"))


def run(folder: Path, *options: str, is_ci: bool = False) -> tuple[int, str]:
    """Run the abuse run without any program of the system; return its exit status and its output."""
    done = subprocess.run(
        [sys.executable, str(ABUSE / "abuse.py"), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=300,
        cwd=ROOT,
        # Without Prometheus, mosquitto and ip, it takes a few seconds.
        env={"PATH": str(folder), "PYTHONPATH": str(ROOT), "HOME": str(folder), "CI": "true" if is_ci else ""}
        | {name: os.environ[name] for name in ("TMPDIR",) if name in os.environ},
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize(
    ("bounds", "verdict", "status"),
    [
        pytest.param((), "kept", 0, id="kept"),
        pytest.param((f"{SMALLEST}.memory=-1000",), "BROKEN", 1, id="broken"),
    ],
)
def test_a_broken_bound_fails_the_run(tmp_path: Path, bounds: tuple[str, ...], verdict: str, status: int) -> None:
    """Ten clients scrape an agent at once: the line and the table say so, and one bound decides the exit status."""
    options = ("--bound", *PATIENT, *bounds)
    returned, shown = run(tmp_path, "--only", SMALLEST, "--minutes", "0.1", *options)
    assert returned == status, shown
    line = next(line for line in shown.splitlines() if SMALLEST in line)
    assert re.fullmatch(
        rf"{verdict} +{re.escape(SMALLEST)}: scrapes, ten at a time, 10 times \| lost: scrapes 0 of 11, .* \| cost: .*",
        line,
    ), line
    assert f"| {verdict} | {SMALLEST} |" in shown
    assert ("at most -1,000" in line) == bool(bounds)
    assert (f"broken: {SMALLEST}" in shown) == bool(bounds)


@pytest.mark.parametrize(("is_ci", "status"), [(False, 0), (True, 1)])
def test_what_a_machine_refuses_is_not_done(tmp_path: Path, *, is_ci: bool, status: int) -> None:
    """Without ip(8) there are no network namespaces: the line says so and counts for nothing, and CI fails."""
    returned, shown = run(tmp_path, "--only", "network.lossy", "--minutes", "0.1", is_ci=is_ci)
    assert returned == status, shown
    assert re.search(r"^NOT DONE network\.lossy: .* \| not done: ip is not installed", shown, re.MULTILINE), shown
    assert "NOT DONE prometheus.throughout" in shown


def test_a_part_that_there_is_not_is_named(tmp_path: Path) -> None:
    """A mistake on the command line ends the run before it begins, with status 2."""
    returned, shown = run(tmp_path, "--only", "nothing")
    assert (returned, "--only nothing: there is no such part or figure" in shown) == (2, True), shown


@pytest.fixture(name="figures")
def _figures(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ABUSE))
    import figures

    return figures


@pytest.mark.parametrize("text", ["http.idle=1", "http.idle.memory=low", "http.idle.memory"])
def test_a_bound_has_a_name_and_a_number(figures: Any, text: str) -> None:
    """Anything else is refused with the text and the form that is expected."""
    assert figures.read_bounds(["http.idle.memory=10", "a.b.c=-1.5"]) == {"http.idle.memory": 10.0, "a.b.c": -1.5}
    with pytest.raises(figures.BoundError, match=re.escape(f"--bound {text!r} is not PART.FIGURE.MEASURE=NUMBER")):
        figures.read_bounds([text])


@pytest.mark.parametrize(
    ("bounds", "is_kept", "words"),
    [
        ({"value": 3.0}, True, "lag 3"),
        ({"value": 3.0, "most": 3.0}, True, "lag 3 (at most 3)"),
        ({"value": 3.01, "most": 3.0, "digits": 2, "unit": "ms"}, False, "lag 3.01 ms (at most 3)"),
        ({"value": 0.0, "most": 0.0, "of": 20.0}, True, "lag 0 of 20"),
        ({"value": 1.0, "most": 0.0, "of": 20.0}, False, "lag 1 of 20 (at most 0)"),
        ({"value": 0.9, "least": 0.99, "digits": 1}, False, "lag 0.9 (at least 0.99)"),
        ({"value": float("nan")}, False, "lag nan"),
    ],
    ids=["free", "at-most", "above", "nothing-lost", "lost", "below", "not-a-number"],
)
def test_a_measure_is_held_against_its_bound(
    figures: Any, bounds: dict[str, float], *, is_kept: bool, words: str
) -> None:
    """Value, what it is of, unit and bound are in the words; a value that is no number is never kept."""
    measure = figures.Measure(name="lag", **bounds)
    assert (measure.is_kept, str(measure)) == (is_kept, words)


def test_a_figure_is_broken_by_any_measure_and_by_trouble(figures: Any) -> None:
    """One measure beyond its bound breaks a figure, and so does whatever kept it from being made."""
    most = figures.Measure(name="memory", value=5.0, most=10.0)
    figure = figures.Figure(name="a.b", done="x", losses=(figures.lost("polls", 0, 9),), costs=(most,))
    assert figure.verdict == "kept"
    assert figures.rebound(figure, {"a.b.memory": 4.0}).verdict == "BROKEN"
    assert figures.rebound(figure, {"a.c.memory": 4.0}).verdict == "kept"
    assert figures.Figure(name="a.b", done="x", trouble="OSError: no").verdict == "BROKEN"
    assert figures.not_done("a.b", "x", "no").verdict == "NOT DONE"
