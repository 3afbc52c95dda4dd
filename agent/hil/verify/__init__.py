"""Verification: a capture held against its golden reading, and units against captures, difference by difference."""
