"""The control API: faults, scenarios, simulated time and the truth of a farm, over HTTP."""
