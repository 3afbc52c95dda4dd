"""Ctrl-C in `make bench` ends the benchmark that runs and the program that started it, without a traceback."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from paths import ROOT
from patience import PATIENT_S

RUN = """\
import bench_all
bench_all.PARTS = (("{part}",), ("{part}",))
bench_all.main({arguments})
"""
PART = """\
import time
try:
    print("begun", flush=True)
    time.sleep(600)
finally:
    print("tidied", flush=True)
"""


def test_ctrl_c_ends_all_without_a_traceback(tmp_path: Path) -> None:
    """The part stops what it started; the next one does not begin; exit status 130."""
    part = tmp_path / "part.py"
    part.write_text(PART, encoding="utf-8")
    # An absolute path stays as it is when it is taken for a neighbour of the program.
    program = f"import sys; sys.path.insert(0, {str(ROOT / 'tests/bench')!r})\n"
    program += RUN.format(part=part, arguments="sys.argv[1:]")
    runner = tmp_path / "run.py"
    runner.write_text(
        program.replace("import bench_all\n", f"import bench_all\nbench_all.__file__ = {str(runner)!r}\n")
    )
    with subprocess.Popen(
        (sys.executable, str(runner)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
    ) as running:
        assert running.stdout is not None
        while "begun" not in (line := running.stdout.readline()):
            assert line
        os.killpg(running.pid, signal.SIGINT)
        said, _ = running.communicate(timeout=PATIENT_S)
    assert (running.returncode, "tidied" in said, "Traceback" in said, "begun" in said) == (130, True, False, False)
