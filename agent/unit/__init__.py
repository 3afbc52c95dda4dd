"""One unit: bytes in, a reading out."""
