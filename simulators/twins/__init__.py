"""Twins: simulated units in the likeness of a recorded one, and what its capture tells of it."""
