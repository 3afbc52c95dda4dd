"""Stock Bitmain firmware: both API dialects."""
