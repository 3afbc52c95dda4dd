"""Recorded units as the simulators read them: a capture's folder, with a manifest or without."""
