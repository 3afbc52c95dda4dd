"""One simulated unit: physics, books, shares, and models."""
