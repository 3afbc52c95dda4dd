"""The API of the stock Bitmain firmware, in both dialects."""
