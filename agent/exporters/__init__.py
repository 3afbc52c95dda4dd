"""Statuses and figures to the world; leaves that do not know each other."""
