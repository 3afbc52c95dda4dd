"""Places of units, worked out by rules or listed in a file."""
