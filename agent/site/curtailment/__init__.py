"""Declared curtailments: events, daily windows, orders, and the file that keeps them."""
