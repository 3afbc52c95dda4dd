"""Files on disk: bounded text, secrets, atomic replacement, and SQLite."""
