"""The fault vocabulary: unit, wire and protocol faults."""
