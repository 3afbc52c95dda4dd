"""Prometheus exporter: metric families, the rendered store, and text formats."""
