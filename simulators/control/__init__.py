"""Control API: list, inject, and clear faults, advance time, and report the truth."""
