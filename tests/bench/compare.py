"""Compare this code with another commit under the same benchmark: runs in turn, medians, ratios.

    python tests/bench/compare.py REVISION [--runs 3] [--seconds 4]

The other commit's `agent` and `simulators` are unpacked into a temporary folder. They are measured with this tree's
benchmark, or with the commit's own if its modules are laid out differently. A ratio below 1 means that this code is
better.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BENCH = ROOT / "tests" / "bench" / "bench_polls.py"
# The figures of `bench_polls.py --json` that are compared, and their titles.
SHOWN = {"hashsight, whole path": "CPU a poll, us", "kB a unit": "memory a unit, kB"}


def main() -> None:
    """Measure both, and print ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("revision")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--memory-units", type=int, default=5000, help="0 leaves memory out")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hashsight-compare-") as name:
        then = Path(name)
        unpack(arguments.revision, then)
        measured: dict[str, list[tuple[float, float]]] = {}
        for _ in range(arguments.runs):
            before, now = (measure(code, arguments.seconds, arguments.memory_units) for code in (then, ROOT))
            for key in SHOWN.keys() & before.keys() & now.keys():
                measured.setdefault(key, []).append((before[key], now[key]))
    print(f"{'':<22}{arguments.revision[:12]:>14}{'now':>10}{'ratio':>8}")
    for key, pairs in sorted(measured.items()):
        before, now = (statistics.median(column) for column in zip(*pairs, strict=True))
        ratio = statistics.median(after / earlier for earlier, after in pairs)
        print(f"{SHOWN[key]:<22}{before:>14.1f}{now:>10.1f}{ratio:>8.2f}")


def unpack(revision: str, folder: Path) -> None:
    """Unpack a commit's packages into a folder.

    Raises:
        SystemExit: There is no such commit.
    """
    command = ["git", "-C", str(ROOT), "archive", revision, "agent", "simulators", "tests/bench"]
    packed = subprocess.run(command, capture_output=True, check=False)
    if packed.returncode:
        raise SystemExit(packed.stderr.decode())
    subprocess.run(["tar", "--extract", "--directory", str(folder)], input=packed.stdout, check=True)


def measure(code: Path, seconds: float, memory_units: int) -> dict[str, float]:
    """Return the benchmark's figures for the code in a folder."""
    with tempfile.TemporaryDirectory() as name:
        result = Path(name) / "result.json"
        options = ["--alone", "--runs", "1", "--seconds", str(seconds), "--memory-units", str(memory_units)]
        bench = BENCH if (code / "agent" / "runtime").is_dir() else code / "tests" / "bench" / BENCH.name
        command = [sys.executable, str(bench), *options, "--json", str(result)]
        environment = {**os.environ, "PYTHONPATH": str(code)}
        subprocess.run(command, env=environment, cwd=code, check=True, stdout=subprocess.DEVNULL)
        found: dict[str, float] = json.loads(result.read_text(encoding="utf-8"))
        return found


if __name__ == "__main__":
    main()
