"""Where each unit's work goes: destinations, the site's allow-list, and the judgement of one unit."""
