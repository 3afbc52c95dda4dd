"""Reader for stock Bitmain firmware."""
