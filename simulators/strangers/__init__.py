"""What else stands on the network of a farm: silent and refusing addresses, and machines of other makes."""
