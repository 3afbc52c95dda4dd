"""Recorded replies and pages without what names a site, its people and its machines."""
