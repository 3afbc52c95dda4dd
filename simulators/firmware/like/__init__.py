"""Replies of twins: those of a recorded unit, with the figures of a simulated one in their places."""
