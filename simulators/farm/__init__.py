"""A farm of simulated units: plan, clock, books, and truth."""
