"""A farm of simulated units: plan, clock, injected faults, sums, and truth."""
