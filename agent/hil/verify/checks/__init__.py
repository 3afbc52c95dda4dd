"""Checks of a unit, by subject: what it must do for the agent to be right."""
