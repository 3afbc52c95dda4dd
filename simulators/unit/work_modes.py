"""Work modes of a unit, by the numbers its firmware uses."""

from typing import Final

WORK_MODE_NORMAL: Final = 0
WORK_MODE_SLEEP: Final = 1
WORK_MODE_HIGH: Final = 2
WORK_MODE_LOW: Final = 3

# Clock over rated clock. Documented (D43): the modes exist (T21: high; S21: low). Assumed (A29):
# their clocks.
CLOCK_RATIO: Final = {WORK_MODE_NORMAL: 1.0, WORK_MODE_SLEEP: 1.0, WORK_MODE_HIGH: 1.08, WORK_MODE_LOW: 0.8}
