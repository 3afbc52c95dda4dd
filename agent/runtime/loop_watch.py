"""The event loop's own lateness, measured; and short, regular garbage collections."""

import asyncio
import time
from collections.abc import Callable

from agent.runtime import garbage

LAG_EVERY_S = 0.25
COLLECT_EVERY_S = 1.0


async def watch_loop(on_lag: Callable[[float], None]) -> None:
    """Run until cancelled.

    Args:
        on_lag: Called four times a second with how late the loop woke this timer, s.
    """
    collect_at, collector = 0.0, garbage.Collector()
    while True:
        due = time.monotonic() + LAG_EVERY_S
        await asyncio.sleep(LAG_EVERY_S)
        on_lag(max(0.0, time.monotonic() - due))
        if due >= collect_at:
            collector.look()
            collect_at = due + COLLECT_EVERY_S
