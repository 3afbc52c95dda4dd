"""How long tests wait for something that must happen."""

PATIENT_S = 120.0
"""A guard against waiting for ever, s: longer than a loaded machine needs, so that no result depends on its speed."""
