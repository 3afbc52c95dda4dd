"""A second agent of one site: when it takes over from the first, and when it gives back."""
