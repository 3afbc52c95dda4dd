"""Captures: what one unit answered, kept byte for byte in a folder."""
