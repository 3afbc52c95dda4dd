"""Units of other makes, read through pyasic in a process of its own."""
