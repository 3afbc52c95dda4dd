"""Files: text, secrets, atomic replacement, and SQLite."""
