"""The last 24 hours of every unit, in memory."""
