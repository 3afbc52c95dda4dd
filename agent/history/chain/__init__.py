"""The chain over kept rows: links, the facts among them, and what holds them against the rows."""
