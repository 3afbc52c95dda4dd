"""The agent of `hashsight run`, with probes and with a clock that can be set wrong.

    python tests/abuse/probed_agent.py FILE run --config site.toml

On SIGUSR1 it writes what its probes found since the last time to FILE, as JSON, and begins to count again. On SIGUSR2
the wall clock is ten years ahead, and on the next one it is right again; the monotonic clock is never touched.
"""

import asyncio
import gc
import json
import os
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "bench"))

TEN_YEARS_S = 10 * 365.25 * 86_400

_right_time = time.time
_ahead_s = 0.0


def _time() -> float:
    return _right_time() + _ahead_s


# Before anything of the agent is imported, because defaults of arguments keep the function.
time.time = _time

from loop_probe import LoopProbe, Passes

from agent.__main__ import main
from agent.app import Agent
from agent.commands import run as run_command


class ProbedAgent(Agent):
    """An agent that measures itself."""

    async def run(self) -> None:
        """Run, with probes."""
        self._probe, self._passes = LoopProbe(), Passes()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGUSR1, self._report)
        loop.add_signal_handler(signal.SIGUSR2, _turn_clock)
        with self._probe.watching(), self._passes.watching():
            await super().run()

    def _report(self) -> None:
        (p99_s, worst_s), passes = self._probe.lag_s(is_own=True), self._passes.longest_s
        found = {
            "lag_p99_ms": p99_s * 1e3,
            "lag_worst_ms": worst_s * 1e3,
            "pause_ms": passes * 1e3,
            "objects": sum(len(gc.get_objects(generation)) for generation in range(3)) + gc.get_freeze_count(),
            "blocks": sys.getallocatedblocks(),
            "holders": self._probe.holders(),
        }
        self._probe.forget()
        self._passes.forget()
        new = REPORT.with_suffix(".new")
        new.write_text(json.dumps(found), encoding="utf-8")
        new.replace(REPORT)


def _turn_clock() -> None:
    global _ahead_s  # noqa: PLW0603 - the clock of the process
    _ahead_s = 0.0 if _ahead_s else TEN_YEARS_S


if __name__ == "__main__":
    REPORT = Path(sys.argv.pop(1))
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    run_command.Agent = ProbedAgent  # type: ignore[misc]
    main()
