"""Scenarios: TOML timelines of faults and curtailments, and the player."""
