"""The abuse run: a broken bound, or a figure that a machine refuses under CI, ends it with status 1."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from paths import ROOT

ABUSE = ROOT / "tests" / "abuse"
SMALLEST = "http.ten-scrapers"
# What a machine with other work may break by itself.
PATIENT = tuple(f"{SMALLEST}.{measure}=1e9" for measure in ("polls-missed", "own-lag", "collector-pause"))


Here = Callable[..., tuple[int, str]]


def run(folder: Path, *options: str) -> tuple[int, str]:
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
        env={"PATH": str(folder), "PYTHONPATH": str(ROOT), "HOME": str(folder), "CI": ""}
        | {name: os.environ[name] for name in ("TMPDIR",) if name in os.environ},
    )
    return done.returncode, done.stdout


def test_ten_scrapers_lose_nothing(tmp_path: Path) -> None:
    """Ten clients scrape an agent at once: line and table say what came of it, and the run ends with status 0."""
    returned, shown = run(tmp_path, "--only", SMALLEST, "--minutes", "0.1", "--bound", *PATIENT)
    assert returned == 0, shown
    line = next(line for line in shown.splitlines() if SMALLEST in line)
    assert re.fullmatch(
        rf"kept +{re.escape(SMALLEST)}: scrapes, ten at a time, 10 times \| lost: scrapes 0 of 11, .* \| cost: .*", line
    ), line
    assert f"| kept | {SMALLEST} |" in shown


@pytest.fixture(name="here")
def _here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Here:
    """Return a function that runs the abuse run in this process, without any program of the system."""
    monkeypatch.setattr(sys, "path", [str(ABUSE), *sys.path])
    import abuse
    from figures import Figure, lost
    from steps import Step

    async def lossy(_: object) -> Any:
        return Figure(name="a.lossy", done="x", times=3, losses=(lost("polls", 1, 3, most=1),))

    async def failing(_: object) -> Any:
        raise OSError("no such thing")

    steps = (Step("a.lossy", "x", lossy), Step("a.failing", "y", failing))
    monkeypatch.setattr(abuse, "STEPS", (*abuse.STEPS, *steps))
    monkeypatch.setattr(abuse, "NAMES", (*abuse.NAMES, *(step.name for step in steps)))
    monkeypatch.setenv("PATH", str(tmp_path))
    # It would take this process' hooks for errors, too.
    monkeypatch.setattr("agent.runtime.logs.set_up", lambda *_: None)

    def run_here(*options: str, is_ci: bool = False) -> tuple[int, str]:
        monkeypatch.setenv("CI", "true" if is_ci else "")
        monkeypatch.setattr(sys, "argv", ["abuse.py", *options])
        try:
            returned: int = abuse.main()
        except SystemExit as end:
            returned = int(end.code or 0)
        said = capsys.readouterr()
        return returned, said.out + said.err

    return run_here


@pytest.mark.parametrize(
    ("bounds", "verdict", "status"),
    [((), "kept", 0), (("--bound", "a.lossy.polls=0"), "BROKEN", 1), (("--bound", "a.other.polls=0"), "kept", 0)],
    ids=["kept", "broken", "another"],
)
def test_a_broken_bound_fails_the_run(here: Here, bounds: tuple[str, ...], verdict: str, status: int) -> None:
    """One bound decides about the line, the table, the last line and the exit status."""
    returned, shown = here("--only", "a.lossy", *bounds)
    assert returned == status, shown
    assert re.search(
        rf"^{verdict} +a\.lossy: x, 3 times \| lost: polls 1 of 3 \(at most [01]\)", shown, re.MULTILINE
    ), shown
    assert f"| {verdict} | a.lossy |" in shown
    assert ("broken: a.lossy" in shown) == (status == 1)


def test_a_figure_that_fails_is_broken_and_the_run_goes_on(here: Here) -> None:
    """What went wrong stands in its line, and the figures after it are made."""
    returned, shown = here("--only", "a")
    assert returned == 1
    assert re.search(r"^BROKEN +a\.failing: y.*OSError: no such thing", shown, re.MULTILINE), shown
    assert re.search(r"^kept +a\.lossy", shown, re.MULTILINE), shown


@pytest.mark.parametrize(("is_ci", "status"), [(False, 0), (True, 1)])
def test_what_a_machine_refuses_is_not_done(here: Here, *, is_ci: bool, status: int) -> None:
    """Without ip(8) there are no network namespaces: the line says so and counts for nothing, and CI fails."""
    returned, shown = here("--only", "network.lossy", "--minutes", "0.1", is_ci=is_ci)
    assert returned == status, shown
    assert re.search(r"^NOT DONE network\.lossy: .* \| not done: ip is not installed", shown, re.MULTILINE), shown
    assert "NOT DONE prometheus.throughout" in shown


def test_a_part_that_there_is_not_is_named(here: Here) -> None:
    """A mistake on the command line ends the run before it begins, with status 2."""
    returned, shown = here("--only", "nothing")
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
