"""Destination of each unit's work: URLs of pools, the site's allow-list, and the judgement of one unit."""
