"""Exporters of statuses and figures; they do not import each other."""
