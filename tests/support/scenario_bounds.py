"""Groups of causes and the tolerance by which scenarios are compared with the truth."""

# Causes that one poll cannot distinguish are compared as a group. A restarting unit first closes connections
# (unreadable), then starts; the simulator calls it stopped or starting. Noise of the 5 s rate adds underperforming.
TOGETHER = {
    "curtailed": ("curtailed",),
    "unreachable": ("unreachable",),
    "stopped and restarting": ("stopped", "starting", "unreadable"),
    "boards and chips": ("missing_boards", "missing_chips"),
    "clocks and performance": ("derated", "underperforming"),
}


# Share of deployed hashrate, over the whole scenario.
OFF_RATIO = 0.002
