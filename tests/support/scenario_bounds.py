"""Groups of causes and the tolerance by which scenarios are compared with the truth."""

# Causes that one poll cannot distinguish are compared as a group. The scenarios are polled so rarely that a restarting
# unit was last read minutes ago: then a reset connection says nothing of a restart, and the unit is unreadable. Polled
# every ten seconds it is starting (`test_truth_by_second`). Noise of the 5 s rate adds underperforming.
TOGETHER = {
    "curtailed": ("curtailed",),
    "unreachable": ("unreachable",),
    "stopped": ("stopped",),
    "restarting": ("starting", "unreadable"),
    "boards and chips": ("missing_boards", "missing_chips"),
    "clocks and performance": ("derated", "underperforming"),
}


# Share of deployed hashrate, over the whole scenario.
OFF_RATIO = 0.002
