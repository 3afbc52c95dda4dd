"""Tools for the hardware itself: looking for units on a network."""
