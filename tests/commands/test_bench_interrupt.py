"""Ctrl-C in `make bench` ends the benchmark that runs and the program that started it, without a traceback."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from paths import ROOT
from patience import PATIENT_S

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
    (tmp_path / "part.py").write_text(PART, encoding="utf-8")
    text = (ROOT / "tests/bench/bench_all.py").read_text(encoding="utf-8")
    parts = 'PARTS = (("part.py",), ("part.py",))\n'
    text, replaced = re.subn(r"^PARTS = \(\n.*?^\)\n", parts, text, flags=re.MULTILINE | re.DOTALL)
    assert replaced == 1
    (tmp_path / "bench_all.py").write_text(text, encoding="utf-8")
    with subprocess.Popen(
        (sys.executable, "-u", str(tmp_path / "bench_all.py")),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        # A test run in the background ignores the signal, and its children with it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    ) as running:
        assert running.stdout is not None
        said = ""
        while "begun" not in said:
            line = running.stdout.readline()
            assert line, said
            said += line
        os.killpg(running.pid, signal.SIGINT)
        rest, _ = running.communicate(timeout=PATIENT_S)
    assert (running.returncode, "tidied" in rest, "Traceback" in rest, "begun" in rest) == (130, True, False, False)
