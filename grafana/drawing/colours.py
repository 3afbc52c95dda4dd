"""One colour for each cause, state and source, on every dashboard. Only hashing is green."""

CAUSES = {
    "curtailed": "purple",
    "maintenance": "#4a6fa5",
    "unreachable": "dark-red",
    "unreadable": "red",
    "stopped": "dark-orange",
    "starting": "yellow",
    "missing_boards": "orange",
    "missing_chips": "light-orange",
    "derated": "#a0703c",
    "underperforming": "light-red",
}

STATES = {
    "hashing": "green",
    "starting": "yellow",
    "stopped": "dark-orange",
    "curtailed": "purple",
    "maintenance": "#4a6fa5",
    "unreachable": "dark-red",
    "unreadable": "red",
}

# From most to least trusted: a meter, the unit's power supply, its firmware, the agent's model.
SOURCES = {"metered": "dark-blue", "measured": "semi-dark-blue", "estimated": "blue", "modelled": "light-blue"}

OPERATING, DEPLOYED, EXPECTED, DELIVERED = "green", "#8e8e8e", "purple", "blue"
