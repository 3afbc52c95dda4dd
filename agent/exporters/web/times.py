"""Moments and ages as the API writes them."""

from datetime import UTC, datetime


def time_of(at: float) -> datetime:
    """Return a Unix time as a UTC time, which the API writes in ISO 8601."""
    return datetime.fromtimestamp(at, UTC)


def age_s(at: float, now: float) -> float:
    """Return an age, s; never below zero, even after the clock was set back."""
    return round(max(0.0, now - at), 1)
