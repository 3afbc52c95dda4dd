"""How closely scenarios are compared with the truth."""

# What one poll cannot tell apart belongs together. A unit that restarts is, from outside, closed (unreadable), then
# starting; to the truth it is stopped or starting. Noise of the 5 s rate makes a little of everything underperforming.
TOGETHER = {
    "curtailed": ("curtailed",),
    "unreachable": ("unreachable",),
    "stopped and restarting": ("stopped", "starting", "unreadable"),
    "boards and chips": ("missing_boards", "missing_chips"),
    "clocks and performance": ("derated", "underperforming"),
}


# Of deployed hashrate, over the whole scenario.
OFF_RATIO = 0.002
