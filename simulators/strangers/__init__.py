"""Other machines on a farm's network: silent and refusing addresses, and machines of other makes."""
