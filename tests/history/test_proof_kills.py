"""The chain through SIGKILL at any moment: whole but for the minute that was not written yet."""

import random
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import chain_writer
import pytest
from chained import verified

from agent.history.reader import read_history

KILLS = 12


@pytest.mark.parametrize("seed", [1, 2])
def test_a_killed_writer_leaves_a_whole_chain(tmp_path: Path, seed: int) -> None:
    """Every minute that was said to be written is there, the chain holds, and no start calls it a restored copy."""
    path = tmp_path / "site.history.sqlite"
    rng = random.Random(seed)
    for _ in range(KILLS // 2):
        command = [sys.executable, chain_writer.__file__, str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as writer:
            assert writer.stdout is not None
            lines = [line for _, line in zip(range(rng.randrange(3, 60)), writer.stdout, strict=False)]
            writer.kill()
            # What it had said before it was killed.
            lines += writer.stdout.read().splitlines(keepends=True)
        said = [int(line.split()[1]) for line in lines if line.startswith("minute ") and line.endswith("\n")]
        assert said
        verdict = verified(path)
        assert verdict.findings.kept == []
        assert verdict.facts("restored") == []
        with closing(read_history(path)) as reader:
            kept = {values[0] for chunk in reader.chunks(0, 1e12) for values in chunk}
        first = min(kept)
        assert {at for at in said if at >= first} <= kept
