"""Python's garbage collector, kept from holding the event loop.

Polling makes and drops thousands of objects a second. Almost none of them is part of a cycle.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

# New objects before generation 0 is collected, and so on. Python's own are 700, 10 and 10.
THRESHOLDS = (70_000, 10, 20)
# In looks, so about as many seconds.
MIDDLE_EVERY = 15
OLD_EVERY = 240
# Walking this many takes 2 ms on an idle machine, and five times as long on one whose caches others use.
MOST_OBJECTS = 25_000


def pause() -> None:
    """Switch the collector off until `settle`: it would walk a growing ledger again and again.

    At a start with 100,000 rows that was a third of the time, 1.5 s.
    """
    gc.disable()


def settle() -> None:
    """Freeze existing objects and run the garbage collector 100 times less often.

    What exists at this point lives as long as the process. Looking for the two thousand objects in cycles that imports
    leave behind, among what 100,000 rows were made into, takes a tenth of a second. Statuses, readings and text that
    come later hold no cycles, and the collector knows few of them. At its usual pace it took 7 % of all polling.
    """
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
    gc.enable()


def freeze() -> None:
    """Freeze existing objects: the collector never looks at them again."""
    gc.freeze()


class Collector:
    """Looks for cycles in short, regular steps.

    Polling drops as many objects as it makes. Left alone, the collector waits for minutes. Then it walks everything
    that was replaced meanwhile: 0.1 s at 10,000 units, 1 s at 256,000.

    Each look at a generation moves its survivors to the next one. So every generation needs looks of its own, or cycles
    that outlive a second pile up for good.
    """

    def __init__(self) -> None:
        self._looks = 0

    def look(self) -> None:
        """Collect the youngest generation, and from time to time older ones. Call it about once a second.

        A generation that became large is frozen instead, which takes no time. Its objects are still freed when the last
        reference goes; only cycles among them would stay.
        """
        if not gc.isenabled():
            return
        self._looks += 1
        generation = 0
        if not self._looks % OLD_EVERY:
            generation = 2
        elif not self._looks % MIDDLE_EVERY:
            generation = 1
        if generation and sum(len(gc.get_objects(each)) for each in range(generation + 1)) > MOST_OBJECTS:
            gc.freeze()
        else:
            gc.collect(generation)


@contextmanager
def paused() -> Iterator[None]:
    """Switch the collector off while the block runs, then freeze what the block made, as `settle` does.

    In the middle of a ledger of 100,000 rows a collection would hold the loop for a quarter of a second.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
