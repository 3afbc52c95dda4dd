"""One colour for each cause, state and source, on every dashboard and on the agent's own pages. Only hashing is teal.

The values are those of the pages in their dark form (`agent/exporters/web/assets/page.css`); a test compares them.
"""

OPERATING = "#2ba7b8"

CAUSES = {
    "curtailed": "#9a8bea",
    "maintenance": "#7ba3da",
    "unreachable": "#e8685e",
    "unreadable": "#f08d84",
    "stopped": "#e8a53c",
    "starting": "#d8c04a",
    "missing_boards": "#c878b0",
    "missing_chips": "#dba4ca",
    "derated": "#8cbc74",
    "underperforming": "#a5b1bb",
}

STATES = {
    "hashing": OPERATING,
    **{
        state: CAUSES[state]
        for state in ("starting", "stopped", "curtailed", "maintenance", "unreachable", "unreadable")
    },
}

# From most to least trusted: a meter, the unit's power supply, its firmware, the agent's model.
SOURCES = {"metered": "dark-blue", "measured": "semi-dark-blue", "estimated": "blue", "modelled": "light-blue"}

DEPLOYED, EXPECTED, DELIVERED = "#70818e", CAUSES["curtailed"], "#6fd0e2"
