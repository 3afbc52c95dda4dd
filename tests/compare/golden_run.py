"""A golden run: the behaviour of two states of the code over the same simulated site, compared to the last digit.

    python tests/compare/golden_run.py REVISION             compare a commit with this tree
    python tests/compare/golden_run.py record TREE FOLDER   record the behaviour of a checkout
    python tests/compare/golden_run.py compare BEFORE AFTER compare two recorded folders

Both states run by the same stepped clock, which moves only when no program has work left. Prose may differ where
`reworded.toml` lists the rewording. Exit status: 0 if nothing differs, 1 if something does, 2 if the run failed. It
needs Linux and mosquitto.
"""

import argparse
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from judging import SHOWN, compare, draft, read_rewordings
from recording import record
from stepping import HERE, StuckError

ROOT = HERE.parents[1]
PYTHON = ROOT / ".venv" / "bin" / "python"


def main() -> int:
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("words", nargs="+", metavar="REVISION | record TREE FOLDER | compare BEFORE AFTER")
    parser.add_argument("--python", type=Path, help="the interpreter of the programs, with the locked packages")
    parser.add_argument("--reworded", type=Path, default=HERE / "reworded.toml", help="another table of rewordings")
    parser.add_argument("--keep", type=Path, help="with a revision: a folder for both records, to look into")
    parser.add_argument("--draft", type=Path, help="write prose that differs here, as entries of the table to be read")
    parser.add_argument("--all", action="store_true", help=f"show every difference, not {SHOWN} alone")
    arguments = parser.parse_args()
    # A worktree may have no environment of its own; the programs then run under this script's interpreter.
    python = str(arguments.python or (PYTHON if PYTHON.exists() else sys.executable))
    # Exit on SIGTERM through the cleanup code, which ends the programs and removes their folder.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(2))
    try:
        match arguments.words:
            case ["record", tree, folder]:
                _record(Path(tree), Path(folder), python)
                return 0
            case ["compare", before, after]:
                return _judge(Path(before), Path(after), arguments)
            case [revision]:
                with _both(revision, arguments.keep, python) as (before, after):
                    return _judge(before, after, arguments)
            case _:
                parser.error("a revision, or record TREE FOLDER, or compare BEFORE AFTER is expected")
    except (StuckError, OSError, subprocess.SubprocessError) as error:
        print(f"golden_run: {error}", file=sys.stderr)
        return 2


@contextmanager
def _both(revision: str, keep: Path | None, python: str) -> Iterator[tuple[Path, Path]]:
    """Record a commit and this tree, and yield both folders."""
    with tempfile.TemporaryDirectory(prefix="hashsight-golden-") as name:
        checkout = Path(name) / "then"
        git = ("git", "-C", str(ROOT), "worktree")
        subprocess.run([*git, "add", "--quiet", "--detach", str(checkout), revision], check=True)
        try:
            records = (keep or Path(name)) / "before", (keep or Path(name)) / "after"
            for tree, folder in zip((checkout, ROOT), records, strict=True):
                _record(tree, folder, python)
            yield records
        finally:
            shutil.rmtree(checkout, ignore_errors=True)
            subprocess.run([*git, "prune"], check=True)


def _record(tree: Path, folder: Path, python: str) -> None:
    started_at = time.monotonic()
    record(tree.resolve(), folder.resolve(), python=python)
    print(f"{tree}: recorded in {time.monotonic() - started_at:.0f} s", flush=True)


def _judge(before: Path, after: Path, arguments: argparse.Namespace) -> int:
    rewordings = read_rewordings(arguments.reworded)
    verdict = compare(before, after, rewordings)
    for (was, now), count in verdict.reworded.items():
        print(f"reworded, {count} times: {was!r} -> {now!r}")
    for pair in rewordings:
        if pair not in verdict.reworded:
            print(f"reworded nowhere: {pair[0]!r}")
    unlisted = [f"{places[0]}: {was!r} -> {now!r}" for (was, now), places in verdict.unlisted.items()]
    for word, lines in (("prose differs", unlisted), ("differs", verdict.differences)):
        shown = lines if arguments.all else lines[:SHOWN]
        for line in shown:
            print(f"{word}: {line}")
        if len(shown) < len(lines):
            print(f"{word}: and {len(lines) - len(shown)} more; --all shows them")
    if arguments.draft is not None:
        arguments.draft.write_text(draft(verdict), encoding="utf-8")
    print(
        f"{verdict.files} files, {verdict.entries} entries compared: {len(verdict.differences)} differ,"
        f" {len(unlisted)} sentences differ that are not in {arguments.reworded.name}"
    )
    return 0 if verdict.is_equal else 1


if __name__ == "__main__":
    sys.exit(main())
