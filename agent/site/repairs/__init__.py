"""The walk list: faults that last, each with its place, its age and what it has cost so far."""
